"""Prove that a fold's fit never saw a row outside its training rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from mlcore.evaluation.leaks.findings import CAUSES, Finding, Proof

__all__ = ["FoldLike", "prove_pipeline"]


class FoldLike(Protocol):
    """Row positions of one fold."""

    @property
    def train(self) -> np.ndarray:
        """Training rows."""

    @property
    def test(self) -> np.ndarray:
        """Test rows."""


Fit = Callable[[np.ndarray, np.ndarray, Any], Callable[[np.ndarray], np.ndarray]]
"""(X of all rows, y of all rows, fold) → a function from inputs to answers."""


def _boundary(fold: FoldLike, day: np.ndarray, name: str) -> list[Finding]:
    shared = np.intersect1d(day[fold.train], day[fold.test])
    if not len(shared):
        return []
    n = int(np.isin(day[fold.test], shared).sum())
    first = str(np.datetime64(int(shared[0]), "D"))
    return [Finding(name, "boundary", n, len(fold.test), float("nan"), first, CAUSES["boundary"])]


def _purge(fold: FoldLike, decision: np.ndarray, due: np.ndarray, name: str) -> list[Finding]:
    start, end = decision[fold.test].min(), due[fold.test].max()
    inside = (due[fold.train] >= start) & (decision[fold.train] <= end)
    if not inside.any():
        return []
    row = int(np.flatnonzero(inside)[0])
    cause = CAUSES["purge"]
    return [
        Finding(
            name, "purge", int(inside.sum()), len(fold.train), float("nan"), f"row {row}", cause
        )
    ]


def _refit(
    fit: Fit, X: np.ndarray, y: np.ndarray, fold: FoldLike, rng: np.random.Generator, name: str
) -> list[Finding]:
    """Fit twice, with every row outside the training rows replaced; answers must be equal."""
    outside = np.ones(len(X), dtype=bool)
    outside[fold.train] = False
    X2, y2 = X.copy(), y.copy()
    noise = rng.normal(0.0, 1.0, (int(outside.sum()), X.shape[1]))
    known = np.isfinite(X)
    spread = np.abs(np.where(known, X, 0.0)).sum(axis=0) / np.maximum(known.sum(axis=0), 1) + 1.0
    X2[outside] = 1e3 * noise * spread
    told = y[np.isfinite(y)]
    y2[outside] = rng.choice(told, int(outside.sum())) if len(told) else y2[outside]
    probe = X[fold.test[:500]]
    a, b = fit(X, y, fold)(probe), fit(X2, y2, fold)(probe)
    gap = np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float))
    moved = gap > 1e-12
    if not moved.any():
        return []
    rows = int(moved.reshape(len(probe), -1).any(axis=1).sum())
    return [Finding(name, "fit", rows, len(probe), float(gap.max()), name, CAUSES["fit"])]


def prove_pipeline(
    fit: Fit,
    X: np.ndarray,
    y: np.ndarray,
    folds: Sequence[FoldLike],
    *,
    day: np.ndarray,
    decision_at: np.ndarray,
    due_at: np.ndarray,
    refits: int = 2,
    seed: int = 0,
) -> Proof:
    """Check every fold's borders and purge, and refit some with all other rows replaced.

    A scaler, encoder, imputer, selection, calibration or threshold that learned from a row
    outside the training rows gives other answers after the replacement.

    Parameters
    ----------
    fit
        Fits one fold, everything that learns included, and returns its answering function.
    X, y
        (n, f) and (n,), NaN allowed.
    folds
        Objects with integer `train` and `test` positions.
    day, decision_at, due_at
        Trading day (int), and int64 ns instants of each row.
    refits
        How many folds, the first and the last among them, are fitted twice.
    """
    rng = np.random.default_rng(seed)
    found: list[Finding] = []
    for number, fold in enumerate(folds):
        name = f"fold {number + 1}"
        found += _boundary(fold, day, name) + _purge(fold, decision_at, due_at, name)
    picked = np.unique(np.linspace(0, len(folds) - 1, max(refits, 1)).astype(int)).tolist()
    for number in picked:
        found += _refit(fit, X, y, folds[number], rng, f"fold {number + 1}")
    merged: dict[tuple[str, str], Any] = {}
    for finding in found:
        merged.setdefault((finding.check, finding.cause), finding)
    return Proof(
        kind="pipeline",
        decisions=len(folds),
        edges=0,
        rows=len(X),
        names=tuple(f"fold {i + 1}" for i in range(len(folds))),
        findings=tuple(merged.values()),
        checks=("boundary", "purge", "fit"),
        notes=(f"{len(picked)} of {len(folds)} folds fitted twice",),
    )
