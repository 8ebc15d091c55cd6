"""Sharpe statistics against the numbers printed in the papers, and a Monte-Carlo oracle."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import UsageError
from mlcore.statistics import (
    deflated_sharpe_ratio,
    expected_max_sharpe,
    minimum_backtest_length,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)

DAILY = math.sqrt(250)


def test_psr_of_the_two_year_hedge_fund() -> None:
    # Bailey & Lopez de Prado 2012: monthly Sharpe 0.458 over 24 months
    assert probabilistic_sharpe_ratio(0.458, 24, 0.0, 3.0) == pytest.approx(0.982, abs=5e-4)
    assert probabilistic_sharpe_ratio(0.458, 24, -2.448, 10.164) == pytest.approx(0.913, abs=5e-4)


@pytest.mark.parametrize(("periods", "years"), [(252, 2.73), (52, 2.83), (12, 3.24)])
def test_track_record_for_sharpe_2_against_1(periods: int, years: float) -> None:
    root = math.sqrt(periods)
    length = minimum_track_record_length(2 / root, 1 / root, 0.0, 3.0)
    assert length / periods == pytest.approx(years, abs=5e-3)


def test_track_record_of_the_average_hedge_fund() -> None:
    root = math.sqrt(12)
    length = minimum_track_record_length(2 / root, 1 / root, -0.72, 5.78)
    assert length / 12 == pytest.approx(4.99, abs=5e-3)


def test_track_record_is_where_psr_reaches_the_level() -> None:
    length = minimum_track_record_length(0.12, 0.03, -0.5, 6.0, alpha=0.02)
    assert probabilistic_sharpe_ratio(0.12, length, -0.5, 6.0, 0.03) == pytest.approx(0.98)


def test_track_record_without_excess_or_knowledge() -> None:
    assert minimum_track_record_length(0.1, 0.1, 0.0, 3.0) == math.inf
    assert minimum_track_record_length(-0.1, 0.0, 0.0, 3.0) == math.inf
    assert math.isnan(minimum_track_record_length(math.nan, 0.0, 0.0, 3.0))
    assert math.isnan(minimum_track_record_length(0.1, math.nan, 0.0, 3.0))
    assert math.isnan(minimum_track_record_length(1.0, 0.0, 3.0, 3.0))  # impossible moments
    assert minimum_track_record_length(1.0, 0.0, 1.0, 1.0) == 1.0  # no estimation error at all


@pytest.mark.parametrize(
    ("trials", "skew", "kurtosis", "dsr"),
    [(100, -3.0, 10.0, 0.9004), (46, -3.0, 10.0, 0.9505), (88, 0.0, 3.0, 0.9505)],
)
def test_deflated_sharpe_of_the_paper(
    trials: int, skew: float, kurtosis: float, dsr: float
) -> None:
    # 2014: 5 years of daily data, annual Sharpe 2.5, annual variance of trials 1/2
    found = deflated_sharpe_ratio(2.5 / DAILY, 1250, skew, kurtosis, trials, 0.5 / 250)
    assert found == pytest.approx(dsr, abs=5e-5)


def test_benchmark_of_the_paper() -> None:
    assert expected_max_sharpe(100, 0.5 / 250) == pytest.approx(0.1132, abs=5e-5)


def test_expected_maximum_of_ten_normals() -> None:
    assert expected_max_sharpe(10, 1.0) == pytest.approx(1.57, abs=5e-3)
    draws = np.random.default_rng(3).normal(size=(40_000, 10)).max(axis=1)
    assert expected_max_sharpe(10, 1.0) == pytest.approx(draws.mean(), abs=0.05)


def test_one_trial_expects_nothing() -> None:
    assert expected_max_sharpe(1, math.nan) == 0.0
    assert minimum_backtest_length(1) == 0.0
    assert deflated_sharpe_ratio(0.1, 500, 0, 3, 1, math.nan) == probabilistic_sharpe_ratio(
        0.1, 500, 0, 3
    )


def test_five_years_allow_45_trials() -> None:
    # Bailey et al. 2014: no more than 45 configurations on five years of data
    assert minimum_backtest_length(45) < 5.0 < minimum_backtest_length(46)
    assert minimum_backtest_length(45, max_sharpe=2.0) == pytest.approx(
        minimum_backtest_length(45) / 4
    )


@given(st.integers(2, 100_000))
def test_backtest_length_stays_below_its_bound(trials: int) -> None:
    assert 0 < minimum_backtest_length(trials) < 2 * math.log(trials) + 1.0


@given(
    st.floats(-0.5, 0.5),
    st.integers(2, 5000),
    st.floats(-1, 1),
    st.floats(3, 20),
    st.integers(1, 999),
)
def test_more_trials_never_raise_the_deflated_ratio(
    sharpe: float, n: int, skew: float, kurtosis: float, trials: int
) -> None:
    few = deflated_sharpe_ratio(sharpe, n, skew, kurtosis, trials, 0.01)
    many = deflated_sharpe_ratio(sharpe, n, skew, kurtosis, trials + 1, 0.01)
    assert 0 <= many <= few <= 1


def test_psr_is_unknown_not_invented() -> None:
    assert math.isnan(probabilistic_sharpe_ratio(0.1, 1, 0, 3))
    assert math.isnan(probabilistic_sharpe_ratio(math.nan, 100, 0, 3))
    assert math.isnan(probabilistic_sharpe_ratio(1.0, 100, 3.0, 3.0))  # impossible moments


def test_psr_of_a_skill_less_series_is_uniform() -> None:
    returns = np.random.default_rng(1).normal(size=(4000, 250))
    ratio = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    share = np.mean([probabilistic_sharpe_ratio(r, 250, 0, 3) >= 0.95 for r in ratio])
    assert share == pytest.approx(0.05, abs=0.012)


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(UsageError, match="chosen from at least 1 trial – 0 given – count"):
        expected_max_sharpe(0, 1.0)
    with pytest.raises(UsageError, match=r"variance is not negative – -1\.0 given – pass"):
        expected_max_sharpe(5, -1.0)
    with pytest.raises(UsageError, match="max_sharpe must be above 0 – 0 given – pass"):
        minimum_backtest_length(5, 0)
    with pytest.raises(UsageError, match="alpha must lie between 0 and 1, both excluded – 5 given"):
        minimum_track_record_length(0.1, 0.0, 0.0, 3.0, alpha=5)
