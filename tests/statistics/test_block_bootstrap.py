"""Block bootstrap: equal to resampling days, and as wide as dependence demands."""

from __future__ import annotations

import math

import numpy as np
import pytest
from arch.bootstrap import CircularBlockBootstrap, optimal_block_length
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.errors import UsageError
from mlcore.statistics import (
    block_length,
    bootstrap_ratio,
    circular_block_indices,
    day_sums,
    percentile_interval,
)


def wave(n: int, memory: float, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=n)
    for i in range(1, n):
        noise[i] += memory * noise[i - 1]
    return noise


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 50), st.integers(0, 1000))
def test_indices_are_blocks_that_wrap(n_days: int, block: int, seed: int) -> None:
    days = circular_block_indices(n_days, block, 5, seed)
    assert days.shape == (5, n_days)
    assert days.dtype == np.int64
    assert np.all((days >= 0) & (days < n_days))
    length = min(block, n_days)
    inside = np.arange(1, n_days) % length != 0
    assert np.all(np.diff(days, axis=1)[:, inside] % n_days == 1 % n_days)
    assert np.array_equal(days, circular_block_indices(n_days, block, 5, seed))


def test_every_day_is_equally_likely() -> None:
    counts = np.bincount(circular_block_indices(20, 7, 20_000, 0).ravel(), minlength=20)
    assert counts / counts.sum() == pytest.approx(np.full(20, 0.05), abs=0.001)


def test_seeds_differ() -> None:
    one, other = circular_block_indices(50, 5, 3, 1), circular_block_indices(50, 5, 3, 2)
    assert not np.array_equal(one, other)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 60), st.integers(1, 70), st.integers(0, 1000))
def test_ratio_equals_resampling_the_days(n_days: int, block: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    total, count = rng.normal(size=n_days), rng.integers(1, 9, n_days).astype(float)
    days = circular_block_indices(n_days, block, 30, seed)
    slow = total[days].sum(axis=1) / count[days].sum(axis=1)
    fast = bootstrap_ratio(total, count, block=block, draws=30, seed=seed)
    assert fast == pytest.approx(slow)


def test_a_whole_block_only_turns_the_circle() -> None:
    total = np.arange(12.0)
    found = bootstrap_ratio(total, np.ones(12), block=12, draws=50, seed=0)
    assert found == pytest.approx(np.full(50, total.mean()))


def test_same_seed_pairs_the_draws() -> None:
    a, count = wave(80, 0.3, 1), np.full(80, 3.0)
    one = bootstrap_ratio(a, count, block=4, draws=200, seed=9)
    other = bootstrap_ratio(a + 0.5, count, block=4, draws=200, seed=9)
    assert other - one == pytest.approx(np.full(200, 0.5 / 3))


def test_days_without_rows_and_missing_days_stay_missing() -> None:
    empty = bootstrap_ratio([0.0, 1.0], [0.0, 1.0], block=1, draws=400, seed=0)
    assert np.isnan(empty).any()
    assert np.nanmin(empty) == np.nanmax(empty) == 1.0
    missing = bootstrap_ratio([math.nan, 1.0, 1.0], np.ones(3), block=1, draws=400, seed=0)
    drawn = circular_block_indices(3, 1, 400, 0)
    assert np.array_equal(np.isnan(missing), (drawn == 0).any(axis=1))


def test_spread_equals_arch() -> None:
    series = wave(300, 0.6, 2)
    ours = bootstrap_ratio(series, np.ones(300), block=12, draws=4000, seed=1).std()
    peer = CircularBlockBootstrap(12, series, seed=np.random.default_rng(3))
    theirs = peer.apply(lambda x: np.array([x.mean()]), 4000).std()
    assert ours == pytest.approx(theirs, rel=0.06)


def test_blocks_cover_the_truth_where_single_days_do_not() -> None:
    covered = {1: 0, 15: 0}
    for seed in range(200):
        series = wave(400, 0.7, seed)
        for block in covered:
            draws = bootstrap_ratio(series, np.ones(400), block=block, draws=300, seed=seed)
            low, high = percentile_interval(draws)
            covered[block] += low <= 0 <= high
    assert covered[1] / 200 < 0.75
    assert covered[15] / 200 > 0.85


def test_block_length_is_the_longest_of_the_three() -> None:
    series = wave(400, 0.7, 0)
    automatic = math.ceil(optimal_block_length(series)["circular"].iloc[0])
    assert automatic > 5
    assert block_length(series, 1) == automatic
    assert block_length(series, 4.2) == automatic
    assert block_length(series, 80.5) == 81


def test_block_length_where_nothing_can_be_estimated() -> None:
    assert block_length([], 3) == 1
    assert block_length([1.0, 2.0, 3.0], 0) == 1
    assert block_length(np.full(50, 0.1), 2.5) == 3
    assert block_length(np.zeros(50), 0) == 1
    assert block_length(wave(20, 0.0, 0), 90) == 20


def test_block_length_leaves_missing_days_out() -> None:
    series = wave(200, 0.5, 1)
    gaps = np.insert(series, [5, 50, 120], np.nan)
    assert block_length(gaps, 1) == block_length(series, 1)


def test_percentile_interval() -> None:
    samples = np.random.default_rng(0).permutation(np.arange(1001.0))
    assert percentile_interval(samples) == pytest.approx((25.0, 975.0))
    assert percentile_interval(samples, level=0.9) == pytest.approx((50.0, 950.0))
    assert percentile_interval([math.nan, 1.0, 1.0]) == (1.0, 1.0)
    assert all(map(math.isnan, percentile_interval([])))
    assert all(map(math.isnan, percentile_interval([math.nan])))


@given(st.lists(st.tuples(st.integers(0, 6), st.floats(-100, 100)), max_size=40))
def test_day_sums_add_up_each_day(rows: list[tuple[int, float]]) -> None:
    codes = np.array([c for c, _ in rows], dtype=np.int64)
    values = np.array([v for _, v in rows])
    found = day_sums(values, codes, 7)
    assert found == pytest.approx([values[codes == day].sum() for day in range(7)])


def test_a_missing_row_makes_its_day_missing() -> None:
    assert np.isnan(day_sums([1.0, math.nan, 2.0], [0, 1, 2], 4)).tolist() == [
        False,
        True,
        False,
        False,
    ]


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(UsageError, match="from 0 to 2 – 0 to 3 given – number the days from 0"):
        day_sums([1.0, 2.0], [0, 3], 3)
    with pytest.raises(UsageError, match=r"from 0 to 2 – 0\.0 to 1\.5 given"):
        day_sums([1.0, 2.0], [0.0, 1.5], 3)
    with pytest.raises(UsageError, match="values and day_codes must pair"):
        day_sums([1.0], [0, 1], 3)
    with pytest.raises(UsageError, match="horizon in days must not be negative – -1 given"):
        block_length([1.0], -1)
    with pytest.raises(UsageError, match="n_days must be a whole number of at least 1 – 0"):
        bootstrap_ratio([], [], block=1, seed=0)
    with pytest.raises(UsageError, match="block must be a whole number of at least 1 – 0"):
        circular_block_indices(5, 0, 10, 0)
    with pytest.raises(UsageError, match="level must lie between 0 and 1"):
        percentile_interval([1.0], level=95)
    with pytest.raises(UsageError, match="numerator_by_day and denominator_by_day must pair"):
        bootstrap_ratio([1.0], [1.0, 2.0], block=1, seed=0)
