"""Diebold-Mariano against the paired t-test and statsmodels; stability index by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from mlcore.errors import UsageError
from mlcore.statistics import diebold_mariano, population_stability_index


def errors(seed: int, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    common = rng.normal(size=n)
    return common + rng.normal(size=n), common + 0.9 * rng.normal(size=n)


@given(st.integers(0, 500), st.integers(3, 80), st.sampled_from([1, 2]))
def test_one_step_ahead_is_the_paired_t_test(seed: int, n: int, power: int) -> None:
    a, b = errors(seed, n)
    oracle = stats.ttest_rel(np.abs(a) ** power, np.abs(b) ** power)
    found = diebold_mariano(a, b, power=power)
    assert found == pytest.approx((oracle.statistic, oracle.pvalue))


@pytest.mark.parametrize("horizon", [2, 3, 5])
def test_longer_horizons_use_the_rectangular_kernel(horizon: int) -> None:
    sandwich = pytest.importorskip("statsmodels.stats.sandwich_covariance")
    from statsmodels.regression.linear_model import OLS

    a, b = errors(horizon)
    n = len(a)
    fit = OLS(a**2 - b**2, np.ones(n)).fit()
    variance = sandwich.cov_hac(
        fit, nlags=horizon - 1, weights_func=sandwich.weights_uniform, use_correction=False
    )[0, 0]
    correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    expected = fit.params[0] / math.sqrt(variance) * math.sqrt(correction)
    statistic, p = diebold_mariano(a, b, horizon=horizon)
    assert statistic == pytest.approx(expected)
    assert p == pytest.approx(2 * stats.t.sf(abs(expected), n - 1))


@given(st.integers(0, 500), st.integers(1, 4))
def test_swapping_the_forecasts_turns_the_sign(seed: int, horizon: int) -> None:
    a, b = errors(seed, 60)
    one, other = diebold_mariano(a, b, horizon), diebold_mariano(b, a, horizon)
    assert one[0] == pytest.approx(-other[0], nan_ok=True)
    assert one[1] == pytest.approx(other[1], nan_ok=True)


def test_positive_means_the_first_loses_more() -> None:
    a, b = errors(1, 400)
    statistic, p = diebold_mariano(3 * a, b)
    assert statistic > 0
    assert p < 0.01


def test_no_variance_is_unknown() -> None:
    assert diebold_mariano([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]) == pytest.approx(
        (math.nan, math.nan), nan_ok=True
    )
    same_gap = diebold_mariano([0.3] * 9, [0.1] * 9)
    assert all(map(math.isnan, same_gap))
    negative = diebold_mariano([1.0, 2.0] * 10, [0.0] * 20, horizon=2)
    assert all(map(math.isnan, negative))
    assert all(map(math.isnan, diebold_mariano([1.0, math.nan, 2.0], [0.0, 1.0, 0.5])))


def test_comparison_refuses_what_cannot_pair() -> None:
    with pytest.raises(UsageError, match="Errors must outnumber the horizon – 3 errors for hor"):
        diebold_mariano([1.0, 2.0, 3.0], [0.0, 1.0, 2.0], horizon=3)
    with pytest.raises(UsageError, match="errors_a and errors_b must pair row by row"):
        diebold_mariano([1.0, 2.0, 3.0], [0.0, 1.0])


def test_stability_index_by_hand() -> None:
    by_hand = 0.1 * math.log(0.6 / 0.5) + (-0.1) * math.log(0.4 / 0.5)
    assert population_stability_index([0.5, 0.5], [0.6, 0.4]) == pytest.approx(by_hand)
    floor = (1e-4 - 0.5) * math.log(1e-4 / 0.5) + 0.5 * math.log(2)
    assert population_stability_index([0.5, 0.5], [0.0, 1.0]) == pytest.approx(floor)


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(1, 50)), min_size=2, max_size=20))
def test_stability_index_is_the_symmetric_divergence(counts: list[tuple[int, int]]) -> None:
    before, after = np.array(counts, dtype=float).T
    before, after = before / before.sum(), after / after.sum()
    oracle = np.sum(special.rel_entr(before, after) + special.rel_entr(after, before))
    found = population_stability_index(before, after)
    assert found == pytest.approx(oracle, abs=1e-12)
    assert found == pytest.approx(population_stability_index(after, before))
    assert found >= 0


def test_stability_index_refuses_counts() -> None:
    with pytest.raises(UsageError, match="expected must be shares that sum to 1 – a sum of 30 giv"):
        population_stability_index([10, 20], [0.5, 0.5])
    with pytest.raises(UsageError, match="actual must be shares that sum to 1"):
        population_stability_index([0.5, 0.5], [1.5, -0.5])
    with pytest.raises(UsageError, match="expected and actual must pair row by row"):
        population_stability_index([0.5, 0.5], [1.0])
