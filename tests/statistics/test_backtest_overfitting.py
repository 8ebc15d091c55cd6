"""CSCV against a slow reference that follows the paper split by split."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import rankdata

from mlcore.errors import UsageError
from mlcore.statistics import probability_of_backtest_overfitting


def slow_pbo(returns: np.ndarray, n_blocks: int) -> float:
    blocks = np.array_split(np.arange(len(returns)), n_blocks)
    overfit = []
    for half in combinations(range(n_blocks), n_blocks // 2):
        inside = np.concatenate([blocks[i] for i in half])
        outside = np.setdiff1d(np.arange(len(returns)), inside)
        score_in, score_out = (
            returns[rows].mean(axis=0) / returns[rows].std(axis=0, ddof=1)
            for rows in (inside, outside)
        )
        rank = rankdata(score_out)[np.argmax(score_in)]
        omega = rank / (returns.shape[1] + 1)
        overfit.append(math.log(omega / (1 - omega)) <= 0)
    return float(np.mean(overfit))


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(24, 61), st.integers(2, 7), st.sampled_from([2, 4, 6, 8])
)
def test_equals_the_slow_reference(seed: int, rows: int, trials: int, blocks: int) -> None:
    returns = np.random.default_rng(seed).normal(size=(rows, trials))
    assert probability_of_backtest_overfitting(returns, blocks) == slow_pbo(returns, blocks)


def test_real_skill_is_not_overfit() -> None:
    returns = np.random.default_rng(0).normal(size=(400, 10))
    returns[:, 3] += 1.0
    assert probability_of_backtest_overfitting(returns, 10) == 0.0


def test_a_winner_that_always_reverses_is_overfit() -> None:
    half = np.tile([1.0, 2.0], 10)
    returns = np.column_stack([np.concatenate([half, -half]), np.concatenate([-half, half])])
    assert probability_of_backtest_overfitting(returns, 2) == 1.0


def test_noise_is_a_coin_flip_on_average() -> None:
    rng = np.random.default_rng(5)
    found = [probability_of_backtest_overfitting(rng.normal(size=(96, 12)), 6) for _ in range(150)]
    assert np.mean(found) == pytest.approx(0.5, abs=0.06)


def test_a_trial_that_never_trades_scores_zero() -> None:
    rng = np.random.default_rng(2)
    losing = rng.normal(-1.0, 0.1, size=(40, 2))
    idle = np.zeros((40, 1))
    assert probability_of_backtest_overfitting(np.hstack([losing, idle]), 4) == 0.0
    winning = -losing[:, :1]
    assert probability_of_backtest_overfitting(np.hstack([idle, winning]), 4) == 0.0


def test_a_trial_without_risk_outranks_all_or_none() -> None:
    noise = np.random.default_rng(3).normal(size=(40, 2))
    sure = np.full((40, 1), 0.1)
    assert probability_of_backtest_overfitting(np.hstack([noise, sure]), 4) == 0.0
    paid_once = np.vstack([sure[:20], -sure[:20]])
    assert probability_of_backtest_overfitting(np.hstack([noise, paid_once]), 2) == 1.0


def test_equal_trials_share_the_average_rank() -> None:
    one = np.random.default_rng(4).normal(size=(40, 1))
    assert probability_of_backtest_overfitting(np.hstack([one, one]), 4) == 1.0  # logit 0


def test_refusals_say_what_to_do() -> None:
    good = np.random.default_rng(0).normal(size=(40, 3))
    with pytest.raises(UsageError, match=r"n_blocks must be even.*5 blocks for 40 rows given"):
        probability_of_backtest_overfitting(good, 5)
    assert 0 <= probability_of_backtest_overfitting(good[:4], 4) <= 1
    for rows, blocks in ((3, 2), (5, 6)):
        with pytest.raises(UsageError, match=f"{blocks} blocks for {rows} rows given"):
            probability_of_backtest_overfitting(good[:rows], blocks)
    with pytest.raises(UsageError, match="n_blocks must be even, at most 20"):
        probability_of_backtest_overfitting(good, 22)
    with pytest.raises(UsageError, match="complete trials – 1 column"):
        probability_of_backtest_overfitting(good[:, :1], 4)
    good[3, 1] = np.nan
    with pytest.raises(UsageError, match=r"1 missing value\(s\) given – use the dates that all"):
        probability_of_backtest_overfitting(good, 4)
    with pytest.raises(UsageError, match="returns must have 2 dimension"):
        probability_of_backtest_overfitting(good[0], 4)
