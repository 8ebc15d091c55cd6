"""One fold: fit on its training days with everything that learns around a model.

Early stopping, calibration, threshold and baselines learn inside the fold's training days, on
whole days that follow the fitted ones; the shipped fit is the same with nothing left to test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlcore.evaluation.traded import find_threshold
from mlcore.models.base import Stop, make_model, model_inputs
from mlcore.models.calibration import Calibrator
from mlcore.models.contract import Model, Task
from mlcore.models.fitted import Fitted
from mlcore.samples.splits import Fold, Timed, inner_parts

__all__ = [
    "BASELINES",
    "PARTS",
    "Arrays",
    "Job",
    "Labelled",
    "Make",
    "Sampled",
    "answer_beside",
    "baseline_kinds",
    "fit_fold",
    "fit_job",
]

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
Make = Callable[[int], Model]
"""Makes an unfitted model from a seed."""

PARTS = (0.7, 0.15, 0.15)
"""Shares of a training window's days that fit, stop and calibrate."""
BASELINES: dict[str, tuple[str, ...]] = {
    "orb_direction": ("majority", "persistence", "mechanical"),
    "orb_quality": ("side_rate", "majority", "persistence"),
    "orb_r": ("side_rate",),
}
_LEAST_RESIDUALS = 40
_BESIDE_ROWS = 5_000  # what is only reported beside must not cost more than the model


class Labelled(Protocol):
    """What is read of a label."""

    @property
    def base(self) -> str:
        """Its kind, `orb_r`."""

    @property
    def task(self) -> Task:
        """Classification or regression."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their codes."""

    @property
    def traded(self) -> bool:
        """Whether its calls have a traded series."""

    @property
    def sided(self) -> bool:
        """Whether a range has two rows, one per side."""


class Sampled(Timed, Protocol):
    """What is read of a dataset."""

    @property
    def X(self) -> pd.DataFrame:
        """Features (n, f)."""

    @property
    def y(self) -> Floats:
        """Class codes or values (n,), NaN where there is no label."""

    @property
    def weight(self) -> Floats:
        """Weights (n,)."""

    @property
    def label(self) -> Labelled:
        """What is asked."""


@dataclass(frozen=True)
class Arrays:
    """A dataset as arrays, taken once."""

    dataset: Sampled
    X: Floats
    y: Floats
    weight: Floats
    names: tuple[str, ...]
    frame: Mapping[str, NDArray[Any]]
    label: Labelled

    @classmethod
    def of(cls, dataset: Sampled) -> Arrays:
        """The arrays of a dataset."""
        return cls(
            dataset,
            np.ascontiguousarray(dataset.X, dtype=np.float64),
            np.asarray(dataset.y, dtype=np.float64),
            np.asarray(dataset.weight, dtype=np.float64),
            tuple(str(name) for name in dataset.X.columns),
            {str(name): dataset.rows[name].to_numpy() for name in dataset.rows},
            dataset.label,
        )

    def columns(self, at: Index) -> dict[str, NDArray[Any]]:
        """Columns of the rows frame at positions."""
        return {name: values[at] for name, values in self.frame.items()}

    def labelled(self, at: Index) -> Index:
        """Those of the positions that have a label and a weight."""
        return at[np.isfinite(self.y[at]) & (self.weight[at] > 0)]

    def inputs(self, model: Model, at: Index) -> pd.DataFrame:
        """What `model` reads of the rows at positions."""
        table = model_inputs(model, self.X[at], self.columns(at) if model.needs else {})
        return pd.DataFrame(table, columns=list(model.needs or self.names))


@dataclass(frozen=True)
class Job:
    """What every fold of a run shares."""

    rows: Arrays
    make: Make
    seed: int
    parts: tuple[float, ...]
    beside: tuple[str, ...]
    cancelled: Stop | None


def baseline_kinds(label: Labelled) -> tuple[str, ...]:
    """The baselines a target is shown against."""
    usual = ("majority", "persistence") if label.task == "classification" else ("majority",)
    return BASELINES.get(label.base, usual)


def fit_fold(
    dataset: Sampled,
    fold: Fold,
    make: Make,
    *,
    seed: int,
    parts: Sequence[float] = PARTS,
    cancelled: Stop | None = None,
) -> Fitted:
    """Fit one fold with everything that learns around it; also the shipped fit (`everything`)."""
    return fit_job(Job(Arrays.of(dataset), make, seed, tuple(parts), (), cancelled), fold)


def fit_job(job: Job, fold: Fold) -> Fitted:
    """Fit one fold of a run."""
    rows, label = job.rows, job.rows.label
    fit, stop, calibrate = inner_parts(rows.dataset, fold, job.parts)
    learn, check, settle = (rows.labelled(part) for part in (fit, stop, calibrate))
    model = job.make(job.seed)
    model.stop = job.cancelled
    valid = (rows.inputs(model, check), rows.y[check]) if len(check) else None
    model.fit(rows.inputs(model, learn), rows.y[learn], rows.weight[learn], valid)
    plain = Fitted(model, Calibrator(), fold.cut)
    raw = plain.raw(rows.X[settle], rows.columns(settle))
    calibrator = Calibrator.fit(raw, rows.y[settle])
    residual = _residual(label, rows.y[settle] - calibrator.apply(raw)) if raw.ndim == 1 else None
    return Fitted(
        model=model,
        calibrator=calibrator,
        cut=fold.cut,
        baselines=_fit_baselines(job, fold),
        threshold=_threshold(rows, Fitted(model, calibrator, fold.cut), calibrate),
        residual=residual,
        rows=(len(learn), len(check), len(settle)),
    )


def _residual(label: Labelled, errors: Floats) -> tuple[float, float] | None:
    if len(errors) < _LEAST_RESIDUALS:
        return None
    low, high = np.quantile(errors, [0.025, 0.975])
    return float(low), float(high)


def _threshold(rows: Arrays, fitted: Fitted, calibrate: Index) -> float | None:
    """For classes of a side: the score from which on sides are taken."""
    if not (rows.label.sided and rows.label.task == "classification"):
        return None
    frame = rows.columns(calibrate)
    score = fitted.answer(rows.X[calibrate], frame)[1][:, 1]
    return find_threshold(frame, score)


def _whole(rows: Arrays, fold: Fold) -> Index:
    """All labelled training rows of a fold, its validation block included."""
    whole = fold.train if fold.valid is None else np.concatenate([fold.train, fold.valid])
    return rows.labelled(whole)


def _fit_baselines(job: Job, fold: Fold) -> dict[str, Model]:
    rows, found = job.rows, {}
    at = _whole(rows, fold)
    for kind in baseline_kinds(rows.label):
        model = make_model(kind, task=rows.label.task, classes=rows.label.classes, seed=job.seed)
        found[kind] = model.fit(rows.inputs(model, at), rows.y[at], rows.weight[at])
    return dict(found)


def answer_beside(job: Job, fold: Fold, kind: str) -> Floats:
    """What another kind of model, fitted on the newest training rows, says of the scored rows."""
    rows, label = job.rows, job.rows.label
    at = _whole(rows, fold)[-_BESIDE_ROWS:]
    model = make_model(kind, task=label.task, classes=label.classes, seed=job.seed)
    model.fit(rows.inputs(model, at), rows.y[at], rows.weight[at])
    asked = rows.inputs(model, fold.score)
    return model.predict(asked) if label.task == "regression" else model.predict_proba(asked)
