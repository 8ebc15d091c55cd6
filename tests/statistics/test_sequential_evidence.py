"""E-values and confidence sequences: exact identities, and error rates under daily looks."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from mlcore.errors import UsageError
from mlcore.statistics import (
    betting_e_process,
    binomial_e_value,
    confidence_sequence_radius,
    required_outcomes_sequential,
)
from mlcore.statistics.sequential import BETS

DIFFERENCES = st.lists(st.floats(-1, 1), min_size=1, max_size=40)


def test_twenty_five_stakes_evenly_from_2_to_98_percent() -> None:
    assert BETS == pytest.approx([0.02 + 0.04 * i for i in range(25)])


@given(DIFFERENCES)
def test_capital_is_the_mean_of_the_products(d: list[float]) -> None:
    slow = [
        np.mean([np.prod([1 + bet * x for x in d[: i + 1]]) for bet in BETS]) for i in range(len(d))
    ]
    assert betting_e_process(d) == pytest.approx(slow)


def test_fair_bets_keep_the_expected_capital_exactly() -> None:
    finals = [betting_e_process(path)[-1] for path in product([-1.0, 1.0], repeat=8)]
    assert np.mean(finals) == pytest.approx(1.0, abs=1e-12)


@given(DIFFERENCES)
def test_a_day_without_a_pair_bets_nothing(d: list[float]) -> None:
    with_gap = betting_e_process([*d[:1], math.nan, *d[1:]])
    assert with_gap[1] == with_gap[0]
    assert np.delete(with_gap, 1) == pytest.approx(betting_e_process(d))


def test_looking_daily_for_years_rarely_convicts_chance() -> None:
    rng = np.random.default_rng(0)
    fair = rng.choice([-1.0, 1.0], size=(1500, 600))
    skewed = rng.choice([-0.25, 1.0], p=[0.8, 0.2], size=(1500, 600))
    for paths in (fair, skewed):
        ever = np.mean([betting_e_process(path).max() >= 20 for path in paths])
        assert ever <= 0.05


def test_a_clear_edge_is_seen_and_the_reverse_is_not() -> None:
    d = np.random.default_rng(1).choice([-1.0, 1.0], p=[0.4, 0.6], size=1000)
    assert betting_e_process(d)[-1] > 20
    assert betting_e_process(-d).max() < 20


def test_capital_survives_extremes() -> None:
    assert betting_e_process([]).shape == (0,)
    assert betting_e_process(np.ones(5000))[-1] == math.inf
    assert betting_e_process(-np.ones(5000))[-1] >= 0
    with pytest.raises(UsageError, match=r"must lie in \[-1, 1\] – -1\.5 given – divide it"):
        betting_e_process([0.2, -1.5])
    with pytest.raises(UsageError, match="inf given"):
        betting_e_process([math.inf])


@given(st.integers(0, 300), st.data())
def test_binomial_e_value_is_a_likelihood_ratio(n: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, n))
    ratio = stats.betabinom.pmf(hits, n, 1, 1) / stats.binom.pmf(hits, n, 0.5)
    assert binomial_e_value(hits, n) == pytest.approx(ratio, rel=1e-8)
    assert binomial_e_value(hits, n) == pytest.approx(binomial_e_value(n - hits, n))


@pytest.mark.parametrize("n", [0, 1, 7, 60])
def test_binomial_e_value_expects_one_under_chance(n: int) -> None:
    chances = stats.binom.pmf(np.arange(n + 1), n, 0.5)
    values = [binomial_e_value(k, n) for k in range(n + 1)]
    assert float(chances @ values) == pytest.approx(1.0)


def test_binomial_e_value_by_hand_and_at_the_limits() -> None:
    assert binomial_e_value(1, 1) == pytest.approx(1.0)
    assert binomial_e_value(10, 10) == pytest.approx(2**10 / 11)
    assert binomial_e_value(5000, 5000) == math.inf
    with pytest.raises(UsageError, match="successes must not exceed n – 3 of 2 given"):
        binomial_e_value(3, 2)
    with pytest.raises(UsageError, match="successes must be a whole number of at least 0"):
        binomial_e_value(-1, 2)


@pytest.mark.parametrize(("n", "alpha", "rho"), [(50, 0.05, 10.0), (800, 0.1, 100.0)])
def test_radius_is_where_the_normal_mixture_reaches_one_over_alpha(
    n: int, alpha: float, rho: float
) -> None:
    total = confidence_sequence_radius(n, alpha, rho) * n

    def bet(x: float) -> float:
        return math.exp(x * total - x**2 * n / 8) * stats.norm.pdf(x, scale=rho**-0.5)

    mixture = integrate.quad(bet, -3, 3, limit=400, points=[0.0, 4 * total / n])[0]
    assert mixture == pytest.approx(1 / alpha, rel=1e-6)


def test_radius_holds_at_all_times_at_once() -> None:
    outcomes = np.random.default_rng(2).integers(0, 2, size=(2000, 1000))
    days = np.arange(1, 1001)
    radius = np.array([confidence_sequence_radius(n, 0.1, 50.0) for n in days])
    running = outcomes.cumsum(axis=1) / days
    left = np.mean(np.any(np.abs(running - 0.5) >= radius, axis=1))
    assert 0.01 < left <= 0.1


def test_radius_at_the_limits() -> None:
    assert confidence_sequence_radius(0, 0.05, 1.0) == math.inf
    assert confidence_sequence_radius(10**8, 0.05, 1.0) < 1e-3
    with pytest.raises(UsageError, match="rho must be above 0 – n 5, rho 0 given"):
        confidence_sequence_radius(5, 0.05, 0)
    with pytest.raises(UsageError, match="alpha must lie between 0 and 1"):
        confidence_sequence_radius(5, 1.0, 1)


def exact_passing(edge: float, baseline: float, alpha: float, power: float) -> int:
    """Walk the whole distribution of successes day by day, no simulation."""
    chance = baseline + edge
    wins = (baseline - 1) ** 2 - (chance - 1) ** 2
    losses = baseline**2 - chance**2
    stakes = np.array(BETS)
    up, down = (np.log1p(stakes * d / max(wins, -losses)) for d in (wins, losses))
    below = np.array([1.0])
    for day in range(1, 3000):
        below = np.convolve(below, [1 - chance, chance])
        hits = np.arange(len(below))
        capital = np.mean(np.exp(np.outer(hits, up) + np.outer(day - hits, down)), axis=1)
        below[capital >= 1 / alpha] = 0.0
        if 1 - below.sum() >= power:
            return day
    raise AssertionError("not reached")


@pytest.mark.parametrize(
    ("edge", "baseline", "alpha", "power"),
    [(0.2, 0.5, 0.05, 0.8), (0.15, 0.35, 0.1, 0.8), (0.1, 0.6, 0.05, 0.5)],
)
def test_sequential_sample_size_equals_the_exact_distribution(
    edge: float, baseline: float, alpha: float, power: float
) -> None:
    exact = exact_passing(edge, baseline, alpha, power)
    found = required_outcomes_sequential(edge, baseline, alpha, power)
    assert found == pytest.approx(exact, rel=0.04)


def test_sequential_sample_size_is_cached_seeded_and_ordered() -> None:
    first = required_outcomes_sequential(0.1, 0.5, seed=4)
    assert required_outcomes_sequential(0.1, 0.5, seed=4) == first
    assert required_outcomes_sequential.cache_info().hits >= 1
    assert required_outcomes_sequential(0.1, 0.5, seed=5) == pytest.approx(first, rel=0.05)
    assert required_outcomes_sequential(0.2, 0.5) < first
    assert required_outcomes_sequential(0.1, 0.5, power=0.5) < first


def test_sequential_sample_size_out_of_reach() -> None:
    assert required_outcomes_sequential(0.0, 0.5) == math.inf
    assert required_outcomes_sequential(-0.1, 0.5) == math.inf
    with pytest.raises(UsageError, match=r"baseline \+ edge must lie between 0 and 1"):
        required_outcomes_sequential(0.5, 0.5)


@pytest.mark.slow
def test_an_edge_below_the_smallest_stake_is_never_seen() -> None:
    assert required_outcomes_sequential(0.005, 0.5) == math.inf
