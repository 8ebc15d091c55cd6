"""Scores of predictions and of traded series, as plain functions of arrays.

Outcomes come first, predictions second, rows in the same order. Missing stays missing: a NaN in
a numeric argument makes the score NaN; a score that is undefined (no rows, one class, no spread)
is NaN too. Labels must be known: leave unlabelled rows out before scoring. No score here carries
its n or baseline; the card adds them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import UsageError

__all__ = [
    "accuracy",
    "auc",
    "balanced_accuracy",
    "brier",
    "confusion_matrix",
    "f1_by_class",
    "log_loss",
    "max_drawdown",
    "mean_absolute_error",
    "mean_squared_error",
    "precision_by_class",
    "profit_factor",
    "recall_by_class",
    "sharpe",
    "skew_kurtosis",
]

_LOWEST = float(np.finfo(np.float64).eps)


def accuracy(y: ArrayLike, predicted: ArrayLike) -> float:
    """Share of rows whose predicted label is the outcome, (n,) labels each; NaN without rows."""
    truth, answer = _pair(y, predicted)
    return float(np.mean(truth == answer)) if len(truth) else math.nan


def confusion_matrix(
    y: ArrayLike, predicted: ArrayLike, classes: Sequence[Any]
) -> NDArray[np.int64]:
    """Count rows by outcome (row) and prediction (column), in the order of `classes`.

    Parameters
    ----------
    y, predicted : array_like, shape (n,)
        Labels, all among `classes`.
    classes : sequence
        Distinct labels.

    Returns
    -------
    ndarray of int64, shape (k, k)

    Raises
    ------
    UsageError
        For a label that is not among `classes`, or arrays of different length.
    """
    truth, answer = _pair(y, predicted)
    size = len(classes)
    cell = _codes(truth, classes) * size + _codes(answer, classes)
    return np.bincount(cell, minlength=size * size).reshape(size, size).astype(np.int64)


def recall_by_class(
    y: ArrayLike, predicted: ArrayLike, classes: Sequence[Any] | None = None
) -> dict[Any, float]:
    """Share of each class's rows that were predicted as such; NaN for a class without rows.

    `classes` defaults to the labels seen in either array, sorted. Raises UsageError as
    :func:`confusion_matrix`.
    """
    labels, table = _table(y, predicted, classes)
    return _shares(labels, np.diag(table), table.sum(axis=1))


def precision_by_class(
    y: ArrayLike, predicted: ArrayLike, classes: Sequence[Any] | None = None
) -> dict[Any, float]:
    """Share of each class's predictions that came true; NaN for a class never predicted.

    `classes` and errors as in :func:`recall_by_class`.
    """
    labels, table = _table(y, predicted, classes)
    return _shares(labels, np.diag(table), table.sum(axis=0))


def f1_by_class(
    y: ArrayLike, predicted: ArrayLike, classes: Sequence[Any] | None = None
) -> dict[Any, float]:
    """Harmonic mean of precision and recall; NaN for a class neither seen nor predicted.

    `classes` and errors as in :func:`recall_by_class`.
    """
    labels, table = _table(y, predicted, classes)
    return _shares(labels, 2 * np.diag(table), table.sum(axis=0) + table.sum(axis=1))


def balanced_accuracy(y: ArrayLike, predicted: ArrayLike) -> float:
    """Mean recall over the classes that occur among the outcomes; NaN without rows."""
    recalls = [value for value in recall_by_class(y, predicted).values() if not math.isnan(value)]
    return float(np.mean(recalls)) if recalls else math.nan


def brier(y: ArrayLike, probabilities: ArrayLike, classes: Sequence[Any] | None = None) -> float:
    """Mean squared distance between stated probabilities and what happened, summed over classes.

    The original multi-class score, from 0 to 2: with two classes it is twice the mean of
    (p - y) squared, whether given as one column or two, so all targets share one scale.

    Parameters
    ----------
    y : array_like, shape (n,)
        Labels; 0 and 1 unless `classes` says otherwise.
    probabilities : array_like, shape (n,) or (n, k)
        Of the second class, or one column a class.
    classes : sequence, optional
        Label of each column; default 0, 1, ... k-1.

    Returns
    -------
    float
        NaN without rows or with a missing probability.

    Raises
    ------
    UsageError
        For a label that is not among the classes, or shapes that do not fit.

    References
    ----------
    Brier, G. (1950), Verification of forecasts expressed in terms of probability.
    """
    table, codes = _stated(y, probabilities, classes)
    if not len(codes):
        return math.nan
    happened = np.eye(table.shape[1])[codes]
    return float(np.mean(np.sum((table - happened) ** 2, axis=1)))


def log_loss(y: ArrayLike, probabilities: ArrayLike, classes: Sequence[Any] | None = None) -> float:
    """Mean negative natural log of the probability stated for what happened.

    Parameters
    ----------
    y, probabilities, classes
        As in :func:`brier`; probabilities are clipped to [eps, 1 - eps] of a double.

    Returns
    -------
    float
        NaN without rows or with a missing probability.

    Raises
    ------
    UsageError
        As :func:`brier`.

    References
    ----------
    Good, I. J. (1952), Rational decisions.
    """
    table, codes = _stated(y, probabilities, classes)
    if not len(codes):
        return math.nan
    chosen = table[np.arange(len(codes)), codes]
    return float(-np.mean(np.log(np.clip(chosen, _LOWEST, 1.0 - _LOWEST))))


def auc(y: ArrayLike, probabilities: ArrayLike, classes: Sequence[Any] | None = None) -> float:
    """Area under the ROC curve; for more than two classes the plain mean of one against the rest.

    Parameters
    ----------
    y, probabilities, classes
        As in :func:`brier`.

    Returns
    -------
    float
        NaN where a class has no row (the area is undefined) or a probability is missing.

    Raises
    ------
    UsageError
        As :func:`brier`.

    References
    ----------
    Hand, D. and Till, R. (2001), A simple generalisation of the area under the ROC curve.
    """
    from sklearn.metrics import roc_auc_score

    table, codes = _stated(y, probabilities, classes)
    columns = range(table.shape[1]) if table.shape[1] > 2 else [1]
    counts = np.bincount(codes, minlength=table.shape[1])
    if np.any(counts == 0) or np.any(np.isnan(table)):
        return math.nan
    return float(np.mean([roc_auc_score(codes == i, table[:, i]) for i in columns]))


def mean_absolute_error(y: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute difference of (n,) outcomes and values, their unit; NaN without rows."""
    errors = _errors(y, predicted)
    return float(np.mean(np.abs(errors))) if len(errors) else math.nan


def mean_squared_error(y: ArrayLike, predicted: ArrayLike) -> float:
    """Mean squared difference of (n,) outcomes and values, their unit squared; NaN without rows."""
    errors = _errors(y, predicted)
    return float(np.mean(errors**2)) if len(errors) else math.nan


def profit_factor(returns: ArrayLike) -> float:
    """Gains over losses of (n,) returns; `inf` without a loss, NaN if nothing moved."""
    series = _series(returns)
    if np.any(np.isnan(series)):
        return math.nan
    gain, loss = float(series[series > 0].sum()), -float(series[series < 0].sum())
    if loss == 0:
        return math.inf if gain > 0 else math.nan
    return gain / loss


def max_drawdown(returns: ArrayLike) -> float:
    """Deepest fall of compounded wealth below its highest point so far, as a positive share.

    Parameters
    ----------
    returns : array_like, shape (n,)
        Simple returns per period, in time order. Wealth starts at 1, which counts as a peak;
        a return of -1 or less loses everything for good.

    Returns
    -------
    float
        In [0, 1]; NaN without rows or with a missing return.

    Raises
    ------
    UsageError
        For anything but one dimension.

    References
    ----------
    Magdon-Ismail, M. and Atiya, A. (2004), Maximum drawdown.

    Examples
    --------
    >>> round(max_drawdown([0.10, -0.20, 0.05, -0.10]), 4)
    0.244
    """
    series = _series(returns)
    if not len(series):
        return math.nan
    wealth = np.concatenate([[1.0], np.cumprod(np.maximum(1.0 + series, 0.0))])
    return float(np.max(1.0 - wealth / np.maximum.accumulate(wealth)))


def sharpe(returns: ArrayLike) -> float:
    """Mean over standard deviation (ddof 1) of (n,) returns, per period, not annualised.

    NaN for fewer than two returns, a missing one, or returns that never change.
    """
    series = _scaled(returns)
    if series is None:
        return math.nan
    return float(np.mean(series) / np.std(series, ddof=1))


def skew_kurtosis(returns: ArrayLike) -> tuple[float, float]:
    """Skewness and kurtosis (normal = 3) of (n,) returns, by population moments.

    Both NaN for fewer than two returns, a missing one, or returns that never change.
    """
    series = _scaled(returns)
    if series is None:
        return math.nan, math.nan
    z = (series - series.mean()) / series.std()
    return float(np.mean(z**3)), float(np.mean(z**4))


def _series(values: ArrayLike) -> NDArray[np.float64]:
    series = np.asarray(values, dtype=np.float64)
    if series.ndim != 1:
        raise UsageError(
            f"Values must have one dimension – {series.ndim} given – pass one value a row.",
            code="E_USAGE_SHAPE",
        )
    return series


def _scaled(returns: ArrayLike) -> NDArray[np.float64] | None:
    """Returns over the largest of them; None where their spread is missing or mere rounding."""
    series = _series(returns)
    if len(series) < 2:
        return None
    largest = np.max(np.abs(series))
    return series / largest if np.ptp(series) > 1e-12 * largest else None


def _pair(y: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    truth, answer = np.asarray(y), np.asarray(predicted)
    if truth.ndim != 1 or answer.ndim < 1 or len(truth) != len(answer):
        raise UsageError(
            f"Outcomes and predictions must pair row by row – shapes {truth.shape} and"
            f" {answer.shape} given – select the same rows for both.",
            code="E_USAGE_LENGTH",
        )
    return truth, answer


def _errors(y: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    truth, answer = _series(y), _series(predicted)
    _pair(truth, answer)
    return truth - answer


def _codes(labels: NDArray[Any], classes: Sequence[Any]) -> NDArray[np.int64]:
    """Place of each label in `classes`."""
    known: NDArray[Any] = np.asarray(classes)
    if not len(labels):
        return np.empty(0, dtype=np.int64)
    order = np.argsort(known, kind="stable")
    place = np.minimum(np.searchsorted(known[order], labels), len(known) - 1)
    codes: NDArray[np.int64] = order[place].astype(np.int64)
    strange = known[codes] != labels
    if np.any(strange):
        raise UsageError(
            f"Labels must be among {list(classes)} – {labels[strange][0]!s} given"
            " – leave unlabelled rows out, or name all classes.",
            code="E_USAGE_LABEL",
        )
    return codes


def _table(
    y: ArrayLike, predicted: ArrayLike, classes: Sequence[Any] | None
) -> tuple[list[Hashable], NDArray[np.int64]]:
    truth, answer = _pair(y, predicted)
    labels = np.union1d(truth, answer).tolist() if classes is None else list(classes)
    return labels, confusion_matrix(truth, answer, labels)


def _shares(
    labels: list[Hashable], part: NDArray[np.int64], whole: NDArray[np.int64]
) -> dict[Any, float]:
    return {
        label: float(a) / float(b) if b else math.nan
        for label, a, b in zip(labels, part, whole, strict=True)
    }


def _stated(
    y: ArrayLike, probabilities: ArrayLike, classes: Sequence[Any] | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Probabilities with one column a class, and the column of each outcome."""
    truth, given = _pair(y, np.asarray(probabilities, dtype=np.float64))
    table = np.column_stack([1.0 - given, given]) if given.ndim == 1 else given
    labels = list(range(table.shape[-1])) if classes is None else list(classes)
    if table.ndim != 2 or len(labels) != table.shape[1] or len(labels) < 2:
        raise UsageError(
            f"Probabilities must have one column a class – shape {given.shape} for"
            f" {len(labels)} classes given – pass (n,) for the second of two, or (n, k).",
            code="E_USAGE_SHAPE",
        )
    return table, _codes(truth, labels)
