"""Scores of a forecaster against its baselines on the same rows, each with n and interval.

A direction is scored by P(UP) against P(DOWN) on the ranges that broke one way. An answer of
exactly ½ counts half right. Better is always a positive difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore import metrics
from mlcore.evaluation.intervals import Days, Figure, auc_figure, rate_figure, ratio_figure
from mlcore.statistics import MINIMUM_OUTCOMES, expected_calibration_error

__all__ = [
    "Scored",
    "calibration_curve",
    "class_recall",
    "classification_scores",
    "credit",
    "decided",
    "hindsight",
    "regression_scores",
    "row",
]

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]
_LOWEST = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class Scored:
    """Rows with a known outcome, and what everybody said of them.

    `y` (n,) codes or values; `model`, `baselines` and `beside` hold (n, k) probabilities or
    (n,) values; `beside` is shown but never the best baseline.
    """

    y: NDArray[Any]
    classes: tuple[str, ...]
    days: Days
    model: Floats
    baselines: Mapping[str, Floats]
    beside: Mapping[str, Floats]


def decided(p: Floats, classes: tuple[str, ...]) -> Floats:
    """Probabilities (n, 2) of UP and DOWN given that one of them comes, (n, k) given."""
    pair = p[:, [classes.index("UP"), classes.index("DOWN")]]
    total = pair.sum(axis=1, keepdims=True)
    up = np.divide(pair[:, :1], total, out=np.full_like(total, 0.5), where=total > 0)
    return np.concatenate([up, 1.0 - up], axis=1)


def credit(y: Codes, p: Floats) -> Floats:
    """1 where the likeliest class came, shared among classes that tie, else 0: (n,)."""
    tied = p == p.max(axis=1, keepdims=True)
    found: Floats = tied[np.arange(len(y)), y] / tied.sum(axis=1)
    return found


def _squared(y: Codes, p: Floats) -> Floats:
    found: Floats = ((p - np.eye(p.shape[1])[y]) ** 2).sum(axis=1)
    return found


def _surprise(y: Codes, p: Floats) -> Floats:
    chosen = p[np.arange(len(y)), y]
    return -np.log(np.clip(chosen, _LOWEST, 1.0 - _LOWEST))


_RowScore = Callable[[Any, Floats], Floats]
_MEANS: dict[str, tuple[_RowScore, bool]] = {
    "accuracy": (credit, True),
    "brier": (_squared, False),
    "log_loss": (_surprise, False),
}


def classification_scores(scored: Scored) -> dict[str, dict[str, Any]]:
    """Accuracy, balanced accuracy, Brier score, log loss and AUC, each as `row` shapes it."""
    found = {name: _mean(scored, *parts) for name, parts in _MEANS.items()}
    found["balanced_accuracy"] = _balanced(scored)
    found["auc"] = _auc(scored)
    order = ("accuracy", "balanced_accuracy", "brier", "log_loss", "auc")
    return {name: found[name] for name in order}


def regression_scores(scored: Scored) -> dict[str, dict[str, Any]]:
    """Mean absolute and mean squared error, each as `row` shapes it."""
    return {
        "mae": _mean(scored, lambda y, v: np.abs(y - v), False),
        "mse": _mean(scored, lambda y, v: (y - v) ** 2, False),
    }


def _mean(scored: Scored, score: _RowScore, higher: bool) -> dict[str, Any]:
    ones, sign = np.ones(len(scored.y)), 1.0 if higher else -1.0
    mine = score(scored.y, scored.model)
    others = {name: score(scored.y, p) for name, p in scored.baselines.items()}
    beside = {name: _average(score(scored.y, p)) for name, p in scored.beside.items()}
    values = {name: _average(parts) for name, parts in others.items()}
    best = best_of(values, higher=higher)
    lead = None if best is None else ratio_figure(scored.days, sign * (mine - others[best]), ones)
    figure = ratio_figure(scored.days, mine, ones)
    return row(figure, len(ones), higher, values, best, lead, beside)


def _balanced(scored: Scored) -> dict[str, Any]:
    y, k = scored.y, len(scored.classes)
    of = [(y == c).astype(np.float64) for c in range(k)]

    def hits(p: Floats) -> list[Floats]:
        right = credit(y, p)
        return [right * member for member in of]

    def value(p: Floats) -> float:
        pairs = [(h.sum(), o.sum()) for h, o in zip(hits(p), of, strict=True) if o.sum()]
        return float(np.mean([h / o for h, o in pairs])) if pairs else math.nan

    values = {name: value(p) for name, p in scored.baselines.items()}
    best = best_of(values, higher=True)
    lead = None
    if best is not None:
        pairs = zip(hits(scored.model), hits(scored.baselines[best]), strict=True)
        lead = rate_figure(scored.days, [a - b for a, b in pairs], of)
    beside = {name: value(p) for name, p in scored.beside.items()}
    figure = rate_figure(scored.days, hits(scored.model), of)
    return row(figure, len(y), True, values, best, lead, beside)


def _auc(scored: Scored) -> dict[str, Any]:
    y, days = scored.y, scored.days
    values = {name: metrics.auc(y, p) for name, p in scored.baselines.items()}
    best = best_of(values, higher=True)
    drawn = auc_figure(days, y, scored.model)
    exact = metrics.auc(y, scored.model) if len(y) else math.nan
    lead = None
    if best is not None:
        found = auc_figure(days, y, scored.model, scored.baselines[best])
        lead = Figure(exact - values[best], found.low, found.high)
    beside = {name: metrics.auc(y, p) for name, p in scored.beside.items()}
    return row(Figure(exact, drawn.low, drawn.high), len(y), True, values, best, lead, beside)


def best_of(values: Mapping[str, float], *, higher: bool) -> str | None:
    """Name of the baseline with the best point value; the earlier one on a tie, None if none."""
    known = [name for name, value in values.items() if not math.isnan(value)]
    if not known:
        return None
    return (max if higher else min)(known, key=lambda name: values[name])


def row(
    figure: Figure,
    n: int,
    higher: bool,
    baselines: Mapping[str, float],
    best: str | None,
    lead: Figure | None,
    beside: Mapping[str, float],
) -> dict[str, Any]:
    """One score of a card: no figure for fewer than 30 rows, missing numbers are None."""
    if n < MINIMUM_OUTCOMES:
        figure = lead = Figure(math.nan, math.nan, math.nan)
        baselines, beside = dict.fromkeys(baselines, math.nan), dict.fromkeys(beside, math.nan)
    shown = lead or Figure(math.nan, math.nan, math.nan)
    return {
        "n": n,
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "higher_is_better": higher,
        "baseline": best,
        "baseline_value": math.nan if best is None else baselines[best],
        "difference": shown.value,
        "difference_low": shown.low,
        "difference_high": shown.high,
        "baselines": dict(baselines),
        "beside": dict(beside),
        "too_few": n < MINIMUM_OUTCOMES,
    }


def hindsight(scored: Scored) -> dict[str, Any]:
    """The constant answer that looks best afterwards; nobody could have known it."""
    if not len(scored.y):
        return {"class": None, "accuracy": math.nan, "n": 0}
    counts = np.bincount(scored.y, minlength=len(scored.classes))
    n, best = len(scored.y), int(counts.argmax())
    share = counts[best] / n if n >= MINIMUM_OUTCOMES else math.nan
    return {"class": scored.classes[best], "accuracy": float(share), "n": n}


def class_recall(scored: Scored) -> dict[str, dict[str, Any]]:
    """Recall of each class with its n; none for a class of fewer than 30 rows."""
    right = credit(scored.y, scored.model)
    found = {}
    for code, name in enumerate(scored.classes):
        member = scored.y == code
        n = int(member.sum())
        value = float(right[member].mean()) if n >= MINIMUM_OUTCOMES else math.nan
        found[name] = {"value": value, "n": n}
    return found


def calibration_curve(scored: Scored, bins: int = 10) -> dict[str, Any]:
    """Stated against seen frequency per bin, and the expected calibration error.

    For two classes the probability of UP, or of the second class; for more, that of the class
    called (its confidence).
    """
    y, p, n = scored.y, scored.model, len(scored.y)
    if p.shape[1] > 2:
        of, stated = "the class called", p.max(axis=1)
        came = (p.argmax(axis=1) == y).astype(np.float64)
    else:
        code = scored.classes.index("UP") if "UP" in scored.classes else 1
        of, stated = scored.classes[code], p[:, code]
        came = (y == code).astype(np.float64)
    place = np.minimum((stated * bins).astype(np.int64), bins - 1)
    counts = np.bincount(place, minlength=bins)
    parts = [
        {"low": i / bins, "high": (i + 1) / bins, "n": int(counts[i]),
         "stated": float(stated[place == i].mean()), **_seen(scored.days, came, place == i)}
        for i in np.flatnonzero(counts).tolist()
    ]  # fmt: skip
    error = expected_calibration_error(came, stated, bins) if n >= MINIMUM_OUTCOMES else math.nan
    return {"of": of, "n": n, "ece": error, "bins": parts if n >= MINIMUM_OUTCOMES else []}


def _seen(days: Days, came: Floats, inside: NDArray[np.bool_]) -> dict[str, float]:
    """How often it came among some rows; the interval only from 30 rows on."""
    within = inside.astype(np.float64)
    found = Figure(float(came[inside].mean()), math.nan, math.nan)
    if within.sum() >= MINIMUM_OUTCOMES:
        found = ratio_figure(days, came * within, within)
    return {"seen": found.value, "seen_low": found.low, "seen_high": found.high}


def _average(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan
