"""What a run would have to work with, told before it starts."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlcore.errors import TooFewBars
from mlcore.samples.dataset import Dataset
from mlcore.samples.splits import Fold
from mlcore.statistics import minimum_detectable_accuracy
from mlcore.training.spec import TrainSpec

__all__ = ["readiness"]

FEWEST_ROWS = 63
MISSING_BUDGET = 0.10
SECONDS_A_FOLD = 0.35


def readiness(spec: TrainSpec, dataset: Dataset) -> dict[str, Any]:
    """Rows, smallest class, missing share, folds, and the smallest difference the run could show.

    `problems` lists in words what keeps the run from starting; `detectable` is in accuracy (or
    R per range for traded targets of two sides), None where no fold fits.
    """
    labelled = np.isfinite(dataset.y)
    problems: list[str] = []
    folds: list[Fold] = []
    try:
        folds = spec.splits().split(dataset)
    except TooFewBars as error:
        problems.append(error.message)
    scored = int(sum(len(f.score) for f in folds))
    name, smallest = _smallest(dataset)
    missing = float(np.isnan(dataset.X.to_numpy()).mean()) if len(dataset) else 1.0
    return {
        "rows": int(labelled.sum()), "needed": FEWEST_ROWS, "days": _days(dataset),
        "smallest_class": name, "smallest_n": smallest, "missing_share": missing,
        "missing_budget": MISSING_BUDGET, "folds": len(folds), "scored": scored,
        "detectable": _detectable(spec, dataset, folds), "traded": dataset.label.sided,
        "seconds": round(len(folds) * SECONDS_A_FOLD + 5), "problems": problems,
    }  # fmt: skip


def _days(dataset: Dataset) -> int:
    return len(np.unique(dataset.rows["day"].to_numpy())) if len(dataset) else 0


def _smallest(dataset: Dataset) -> tuple[str | None, int | None]:
    classes = dataset.label.classes
    known = dataset.y[np.isfinite(dataset.y)]
    if not classes or not len(known):
        return None, None
    counts = np.bincount(known.astype(int), minlength=len(classes))
    code = int(np.argmin(np.where(counts > 0, counts, counts.max() + 1)))
    return classes[code], int(counts[code])


def _detectable(spec: TrainSpec, dataset: Dataset, folds: list[Fold]) -> float | None:
    """2.8 standard errors of what the verdict looks at."""
    rows = np.concatenate([f.score for f in folds]) if folds else np.empty(0, dtype=np.int64)
    if len(rows) < 30:
        return None
    if dataset.label.sided or dataset.label.task == "regression":
        values = dataset.rows["r_taken"].to_numpy(np.float64)[rows]
        known = values[np.isfinite(values)]
        return float(2.8 * known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else None
    n = int(np.isfinite(dataset.y[rows]).sum())
    return float(minimum_detectable_accuracy(n) - 0.5) if n >= 30 else None
