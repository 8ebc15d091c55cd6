"""Scores against scikit-learn and scipy, by hand, and where they are undefined."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics as sk

from mlcore import metrics
from mlcore.errors import UsageError

CLASSES = ["UP", "DOWN", "NONE"]  # not sorted, on purpose


def calls(seed: int, n: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([1.0, 1.0, 1.0], size=n)
    names = np.array(CLASSES)
    return names[rng.integers(0, 3, n)], names[p.argmax(axis=1)], p


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 60))
def test_label_scores_equal_scikit_learn(seed: int, n: int) -> None:
    y, predicted, _ = calls(seed, n)
    labels = sorted({*y, *predicted})
    assert metrics.accuracy(y, predicted) == pytest.approx(sk.accuracy_score(y, predicted))
    seen = [label for label in labels if label in y]
    recalls = sk.recall_score(y, predicted, labels=seen, average=None, zero_division=0)
    assert metrics.balanced_accuracy(y, predicted) == pytest.approx(recalls.mean())
    for ours, theirs in (
        (metrics.recall_by_class, sk.recall_score),
        (metrics.precision_by_class, sk.precision_score),
        (metrics.f1_by_class, sk.f1_score),
    ):
        oracle = theirs(y, predicted, labels=labels, average=None, zero_division=np.nan)
        found = ours(y, predicted)
        assert list(found) == labels
        assert list(found.values()) == pytest.approx(list(oracle), nan_ok=True)
    table = metrics.confusion_matrix(y, predicted, CLASSES)
    assert np.array_equal(table, sk.confusion_matrix(y, predicted, labels=CLASSES))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_probability_scores_equal_scikit_learn(seed: int) -> None:
    y, _, p = calls(seed)
    order = np.argsort(CLASSES)  # scikit-learn wants sorted columns
    sorted_names = np.array(CLASSES)[order]
    assert metrics.log_loss(y, p, CLASSES) == pytest.approx(
        sk.log_loss(y, p[:, order], labels=sorted_names)
    )
    assert metrics.brier(y, p, CLASSES) == pytest.approx(
        sk.brier_score_loss(y, p[:, order], labels=sorted_names, scale_by_half=False)
    )
    assert metrics.auc(y, p, CLASSES) == pytest.approx(
        sk.roc_auc_score(y, p[:, order], multi_class="ovr", labels=sorted_names)
    )


def test_binary_scores_equal_scikit_learn_in_either_shape() -> None:
    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 2, 80), rng.uniform(size=80)
    both = np.column_stack([1 - p, p])
    assert metrics.brier(y, p) == pytest.approx(2 * sk.brier_score_loss(y, p))
    assert metrics.brier(y, both) == pytest.approx(metrics.brier(y, p))
    assert metrics.log_loss(y, p) == pytest.approx(sk.log_loss(y, p))
    assert metrics.auc(y, p) == pytest.approx(sk.roc_auc_score(y, p))
    assert metrics.auc(y, both) == pytest.approx(metrics.auc(y, p))
    assert metrics.auc(np.array(["a", "b"])[y], p, ["a", "b"]) == pytest.approx(metrics.auc(y, p))


def test_brier_by_hand() -> None:
    found = metrics.brier(["UP", "NONE"], [[0.7, 0.2, 0.1], [0.5, 0.25, 0.25]], CLASSES)
    first = 0.3**2 + 0.2**2 + 0.1**2
    second = 0.5**2 + 0.25**2 + 0.75**2
    assert found == pytest.approx((first + second) / 2)


@given(st.lists(st.tuples(st.integers(0, 1), st.floats(0, 1)), min_size=1, max_size=40))
def test_brier_and_log_loss_keep_their_bounds(rows: list[tuple[int, float]]) -> None:
    y, p = zip(*rows, strict=True)
    assert 0 <= metrics.brier(y, p) <= 2
    assert 0 <= metrics.log_loss(y, p) < 37


def test_certainty_that_fails_costs_much_but_not_infinitely() -> None:
    assert metrics.log_loss([1], [0.0]) == pytest.approx(-math.log(np.finfo(float).eps))
    assert 0 < metrics.log_loss([1], [1.0]) < 1e-15


def test_undefined_is_nan() -> None:
    assert math.isnan(metrics.auc([1, 1], [0.2, 0.3]))
    assert math.isnan(metrics.auc(["UP", "DOWN"], [[0.5, 0.3, 0.2]] * 2, CLASSES))
    assert math.isnan(metrics.auc([], []))
    for score in (
        metrics.accuracy,
        metrics.balanced_accuracy,
        metrics.brier,
        metrics.log_loss,
        metrics.mean_absolute_error,
        metrics.mean_squared_error,
    ):
        assert math.isnan(score([], []))
    recall = metrics.recall_by_class(["UP", "UP"], ["UP", "DOWN"], CLASSES)
    assert recall["UP"] == 0.5
    assert math.isnan(recall["DOWN"])
    assert math.isnan(metrics.precision_by_class(["UP"], ["UP"], CLASSES)["DOWN"])


def test_missing_stays_missing() -> None:
    assert math.isnan(metrics.brier([1, 0], [0.5, math.nan]))
    assert math.isnan(metrics.log_loss([1, 0], [0.5, math.nan]))
    assert math.isnan(metrics.auc([1, 0], [0.5, math.nan]))
    assert math.isnan(metrics.mean_absolute_error([1.0, math.nan], [1.0, 1.0]))
    assert math.isnan(metrics.mean_squared_error([1.0, 2.0], [1.0, math.nan]))
    for score in (metrics.profit_factor, metrics.max_drawdown, metrics.sharpe):
        assert math.isnan(score([0.1, math.nan, -0.1]))
    assert all(map(math.isnan, metrics.skew_kurtosis([0.1, math.nan, -0.1])))


def test_an_unlabelled_row_is_refused() -> None:
    with pytest.raises(UsageError, match=r"Labels must be among .* – nan given – leave unlabelled"):
        metrics.brier([1.0, math.nan], [0.5, 0.5])
    with pytest.raises(UsageError, match="HOLD given"):
        metrics.recall_by_class(["UP", "HOLD"], ["UP", "UP"], CLASSES)


def test_errors_equal_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    y, predicted = rng.normal(size=(2, 50))
    assert metrics.mean_absolute_error(y, predicted) == pytest.approx(
        sk.mean_absolute_error(y, predicted)
    )
    assert metrics.mean_squared_error(y, predicted) == pytest.approx(
        sk.mean_squared_error(y, predicted)
    )


def test_profit_factor() -> None:
    assert metrics.profit_factor([0.3, -0.1, 0.0, -0.1]) == pytest.approx(1.5)
    assert metrics.profit_factor([0.3]) == math.inf
    assert metrics.profit_factor([-0.3]) == 0.0
    assert math.isnan(metrics.profit_factor([0.0, 0.0]))
    assert math.isnan(metrics.profit_factor([]))


def test_max_drawdown_by_hand() -> None:
    assert metrics.max_drawdown([0.10, -0.20, 0.05, -0.10]) == pytest.approx(1 - 0.8 * 1.05 * 0.9)
    assert metrics.max_drawdown([-0.1, 0.5]) == pytest.approx(0.1)  # the start is a peak
    assert metrics.max_drawdown([0.1, 0.2]) == 0.0
    assert metrics.max_drawdown([0.5, -1.2, 3.0]) == 1.0
    assert math.isnan(metrics.max_drawdown([]))


@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=40))
def test_max_drawdown_equals_a_look_at_every_pair(returns: list[float]) -> None:
    wealth = np.concatenate([[1.0], np.cumprod(1 + np.array(returns))])
    deepest = max(
        1 - wealth[j] / wealth[i] for i in range(len(wealth)) for j in range(i, len(wealth))
    )
    assert metrics.max_drawdown(returns) == pytest.approx(deepest, abs=1e-12)


@given(st.lists(st.integers(-500, 500), min_size=3, max_size=40), st.floats(1e-200, 1e200))
def test_ratios_ignore_the_size_of_the_bet(returns: list[int], size: float) -> None:
    bet = np.array(returns) / 1000
    assert metrics.sharpe(bet * size) == pytest.approx(metrics.sharpe(bet), nan_ok=True, rel=1e-6)
    assert metrics.profit_factor(bet * size) == pytest.approx(
        metrics.profit_factor(bet), nan_ok=True, rel=1e-6
    )


def test_sharpe_and_moments_equal_scipy() -> None:
    returns = np.random.default_rng(3).gamma(2.0, size=200)
    assert metrics.sharpe(returns) == pytest.approx(returns.mean() / pd.Series(returns).std())
    assert metrics.skew_kurtosis(returns) == pytest.approx(
        (stats.skew(returns), stats.kurtosis(returns, fisher=False))
    )
    skew, kurtosis = metrics.skew_kurtosis(np.random.default_rng(0).normal(size=100_000))
    assert (skew, kurtosis) == pytest.approx((0.0, 3.0), abs=0.05)


def test_returns_that_never_change_have_no_ratio() -> None:
    for flat in ([0.1] * 7, [0.0, 0.0], [0.1], []):
        assert math.isnan(metrics.sharpe(flat))
        assert all(map(math.isnan, metrics.skew_kurtosis(flat)))


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(
        UsageError, match=r"pair row by row – shapes \(2,\) and \(1,\) given – select"
    ):
        metrics.accuracy([1, 2], [1])
    with pytest.raises(
        UsageError, match=r"one column a class – shape \(1, 2\) for 3 classes given"
    ):
        metrics.brier(["UP"], [[0.5, 0.5]], CLASSES)
    with pytest.raises(UsageError, match="Values must have one dimension – 2 given – pass one"):
        metrics.sharpe([[0.1, 0.2]])
