"""Calibration error, conformal quantile and estimated accuracy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import UsageError
from mlcore.statistics import conformal_quantile, estimated_accuracy, expected_calibration_error

PROBABILITIES = st.lists(st.floats(0, 1), min_size=1, max_size=60)


def test_calibration_error_by_hand() -> None:
    y = [1, 0, 1, 1, 0, 0]
    p = [0.95, 0.91, 0.62, 0.66, 0.64, 0.05]
    # bins: [0.9, 1] 2 rows, 0.5 against 0.93; [0.6, 0.7) 3 rows, 2/3 against 0.64; [0, 0.1) 0.05
    by_hand = (2 * 0.43 + 3 * abs(2 / 3 - 0.64) + 1 * 0.05) / 6
    assert expected_calibration_error(y, p) == pytest.approx(by_hand)


@pytest.mark.parametrize("edge", [0.1, 0.2, 0.3, 0.6, 0.7, 0.9])
def test_bins_are_open_on_the_right(edge: float) -> None:
    # 0.5 above the edge and 0.5 below cancel inside one bin only
    same_bin = expected_calibration_error([1, 0], [edge, edge + 0.05])
    assert same_bin == pytest.approx(abs(1 - edge - edge - 0.05) / 2)
    apart = expected_calibration_error([1, 0], [edge, edge - 0.05])
    assert apart == pytest.approx((1 - edge + edge - 0.05) / 2)


def test_the_last_bin_is_closed() -> None:
    assert expected_calibration_error([1, 0], [1.0, 0.95]) == pytest.approx(0.95 / 2)


@given(PROBABILITIES, st.integers(1, 30), st.integers(0, 99))
def test_calibration_error_equals_a_loop_over_bins(p: list[float], bins: int, seed: int) -> None:
    y = np.random.default_rng(seed).integers(0, 2, len(p))
    stated = np.array(p)
    edges = np.array([i / bins for i in range(bins + 1)])
    total = 0.0
    for i in range(bins):
        last = i == bins - 1
        inside = (stated >= edges[i]) & (
            (stated <= edges[i + 1]) if last else (stated < edges[i + 1])
        )
        if inside.any():
            total += inside.sum() * abs(y[inside].mean() - stated[inside].mean())
    found = expected_calibration_error(y, p, bins)
    assert found == pytest.approx(total / len(p))
    assert 0 <= found <= 1


def test_calibration_error_refuses_what_it_cannot_bin() -> None:
    assert math.isnan(expected_calibration_error([], []))
    with pytest.raises(UsageError, match="y must be 0 or 1 – other values given"):
        expected_calibration_error([2], [0.5])
    with pytest.raises(UsageError, match=r"Probabilities must lie in \[0, 1\]"):
        expected_calibration_error([1], [math.nan])
    with pytest.raises(UsageError, match="bins must be a whole number of at least 1 – 0 given"):
        expected_calibration_error([1], [0.5], bins=0)
    with pytest.raises(UsageError, match="y and p must pair row by row – 1 and 2 rows given"):
        expected_calibration_error([1], [0.5, 0.5])


@pytest.mark.parametrize(
    ("n", "alpha", "rank"), [(9, 0.1, 9), (19, 0.05, 19), (9, 0.7, 3), (99, 0.1, 90), (10, 0.5, 6)]
)
def test_conformal_quantile_is_the_stated_score(n: int, alpha: float, rank: int) -> None:
    scores = np.random.default_rng(0).permutation(np.arange(1, n + 1))
    assert conformal_quantile(scores, alpha) == rank


def test_conformal_quantile_beyond_the_scores() -> None:
    assert conformal_quantile([1.0, 2.0, 3.0], 0.1) == math.inf
    assert conformal_quantile([], 0.1) == math.inf
    assert conformal_quantile([1.0, 2.0], -0.2) == math.inf  # an online alpha may stray
    assert conformal_quantile([1.0, 2.0], 1.0) == -math.inf


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.floats(0.01, 0.99))
def test_conformal_quantile_covers_enough_scores(scores: list[float], alpha: float) -> None:
    threshold = conformal_quantile(scores, alpha)
    assert np.sum(np.array(scores) <= threshold) + 1e-6 >= min(
        len(scores), (len(scores) + 1) * (1 - alpha)
    )


def test_conformal_quantile_equals_mapie() -> None:
    regression = pytest.importorskip("mapie.regression")
    from sklearn.dummy import DummyRegressor

    rng = np.random.default_rng(7)
    target = rng.normal(size=83)
    rows = np.zeros((83, 1))
    model = DummyRegressor(strategy="constant", constant=0.0).fit(rows, target)
    conformal = regression.SplitConformalRegressor(model, confidence_level=0.9, prefit=True)
    conformal.conformalize(rows, target)
    _, interval = conformal.predict_interval(rows[:1])
    assert conformal_quantile(np.abs(target), 0.1) == pytest.approx(float(interval[0, 1, 0]))


def test_conformal_coverage_by_simulation() -> None:
    rng = np.random.default_rng(11)
    covered = [rng.normal() <= conformal_quantile(rng.normal(size=39), 0.2) for _ in range(4000)]
    assert np.mean(covered) == pytest.approx(0.8, abs=0.02)  # exactly 32/40


def test_conformal_quantile_refuses_missing_values() -> None:
    with pytest.raises(UsageError, match="must be known – a missing value given – leave rows"):
        conformal_quantile([1.0, math.nan], 0.1)
    with pytest.raises(UsageError, match="must be known"):
        conformal_quantile([1.0], math.nan)


def test_estimated_accuracy_by_hand() -> None:
    assert estimated_accuracy([0.8, 0.3, 0.5]) == pytest.approx((0.8 + 0.7 + 0.5) / 3)
    assert estimated_accuracy([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]]) == pytest.approx(0.65)
    assert math.isnan(estimated_accuracy([]))
    with pytest.raises(UsageError, match="values outside or missing given"):
        estimated_accuracy([1.2])


@given(PROBABILITIES)
def test_one_column_and_two_say_the_same(p: list[float]) -> None:
    stated = np.array(p)
    both = np.column_stack([1 - stated, stated])
    assert estimated_accuracy(stated) == pytest.approx(estimated_accuracy(both))
    assert 0.5 <= estimated_accuracy(stated) <= 1


def test_estimated_accuracy_is_right_where_probabilities_are() -> None:
    rng = np.random.default_rng(3)
    p = rng.uniform(size=200_000)
    hit = (rng.uniform(size=p.size) < p) == (p >= 0.5)
    assert estimated_accuracy(p) == pytest.approx(hit.mean(), abs=0.004)
