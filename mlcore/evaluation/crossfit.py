"""Walk through the folds: fit on the past, answer what follows, keep everything that answered.

Folds run side by side in threads, one library thread each; progress is told in the order of
time. Each row is answered once, by the latest model for which it is out of sample.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.clock import DAY
from mlcore.evaluation.folds import (
    PARTS,
    Arrays,
    Job,
    Labelled,
    Make,
    Sampled,
    answer_beside,
    fit_fold,
    fit_job,
)
from mlcore.evaluation.paired import Paired, paired_accuracy, paired_net_r, paired_skill
from mlcore.evaluation.scores import decided
from mlcore.evaluation.traded import Columns, Taken, take, take_every
from mlcore.models.base import Stop, cancelled_error
from mlcore.models.fitted import Fitted
from mlcore.samples.splits import Fold, Split, Timed, inner_parts

__all__ = ["CrossFit", "FoldFit", "compare", "crossfit", "fit_fold", "horizon_days"]

Floats = NDArray[np.float64]
Index = NDArray[np.int64]
Progress = Callable[[dict[str, Any]], None]
_DRAWS = 400  # of the intervals told while folds run


@dataclass(frozen=True)
class FoldFit:
    """One fold's model, when it was trained and tested, and how the fit went."""

    fold: Fold
    fitted: Fitted
    seconds: float


@dataclass(frozen=True)
class CrossFit:
    """Every row scored once, out of sample; arrays are (m,) or (m, k), in time order.

    Attributes
    ----------
    rows, fold
        Position in the dataset and index of the fold that answered.
    p_raw, p
        Raw and calibrated probabilities; None for a regression.
    value_raw, value
        Raw and calibrated values; None for a classification.
    threshold
        The fold's threshold; NaN where there is none, `inf` takes nothing.
    taken
        What was taken, for traded targets; else None.
    every
        The baseline that takes every trade.
    baselines, beside
        Probabilities or values by name; `beside` is shown but never the best baseline.
    folds
        Models and spans, in time order.
    """

    rows: Index
    fold: Index
    p_raw: Floats | None
    p: Floats | None
    value_raw: Floats | None
    value: Floats | None
    threshold: Floats
    taken: Taken | None
    every: Taken | None
    baselines: Mapping[str, Floats]
    beside: Mapping[str, Floats]
    folds: tuple[FoldFit, ...]

    @property
    def answer(self) -> Floats:
        """Calibrated probabilities or values, whichever the task has."""
        found = self.p if self.p is not None else self.value
        return np.empty(0) if found is None else found


def horizon_days(dataset: Timed) -> float:
    """Days from decision to due date: the median of the rows, 0 without any."""
    spans = dataset.due_at - dataset.decision_at
    return float(np.median(spans)) / DAY if len(spans) else 0.0


def crossfit(
    dataset: Sampled,
    splits: Split,
    make: Make,
    *,
    seed: int,
    threads: int = 2,
    progress: Progress | None = None,
    cancelled: Stop | None = None,
    parts: Sequence[float] = PARTS,
    beside: Sequence[str] = ("logistic",),
) -> CrossFit:
    """Fit every fold and answer its rows.

    Parameters
    ----------
    make
        Called with the seed, once a fold; the model runs with one library thread.
    threads
        Folds at a time.
    progress
        Told a dict per event, in order of time: `kind` fold (index, total, test_start,
        test_end, n, difference, low, high, pooled_difference, pooled_low, pooled_high,
        baseline, seconds), loss (train, valid, kept), note (text). Days are numbers since 1970;
        no figure for fewer than 30 outcomes.
    cancelled
        Asked between and inside folds.
    beside
        Kinds of models fitted on the same rows and reported beside.

    Raises
    ------
    TooFewBars
        Before any fit: the data cannot hold the splits.
    JobError
        The run was cancelled (E_JOB_CANCELLED).
    """
    folds = splits.split(dataset)
    for fold in folds:
        inner_parts(dataset, fold, parts)
    rows = Arrays.of(dataset)
    job = Job(rows, make, seed, tuple(parts), tuple(beside), cancelled)
    done: list[_Done] = []
    for item in _run(job, folds, threads):
        if cancelled is not None and cancelled():
            raise cancelled_error()
        done.append(item)
        if progress is not None:
            _tell(progress, rows, done, len(folds), seed)
    return _assemble(rows, done)


def compare(
    label: Labelled,
    frame: Columns,
    y: Floats,
    answer: Floats,
    baselines: Mapping[str, Floats],
    taken: Taken | None,
    every: Taken | None,
) -> Paired:
    """The comparison a target is judged by, over scored rows.

    Parameters
    ----------
    frame
        Columns `day` and those of the trades.
    y
        (m,) codes or values, NaN where there is no label; such rows count for net R alone.
    answer, baselines
        (m, k) calibrated probabilities or (m,) values.
    """
    day = np.asarray(frame["day"], dtype=np.int64)
    if label.sided and taken is not None and every is not None:
        return paired_net_r(day, taken, every)
    known = np.isfinite(y)
    if label.base == "orb_direction":
        known &= y < 2
    truth, mine = y[known], answer[known]
    others = {name: stated[known] for name, stated in baselines.items()}
    if label.task == "regression":
        return paired_skill(day[known], truth, mine, others)
    if label.base == "orb_direction":
        mine = decided(mine, label.classes)
        others = {name: decided(p, label.classes) for name, p in others.items()}
    return paired_accuracy(day[known], truth.astype(np.int64), mine, others)


@dataclass(frozen=True)
class _Done:
    """One fold's answers."""

    fit: FoldFit
    raw: Floats
    answer: Floats
    baselines: dict[str, Floats]
    beside: dict[str, Floats]
    taken: Taken | None
    every: Taken | None


def _run(job: Job, folds: Sequence[Fold], threads: int) -> Iterator[_Done]:
    # The first fold alone, told before the others start: libraries are imported where they are
    # used, and an import half done in one thread has been seen from another.
    head, rest = (folds, []) if threads <= 1 else (folds[:1], folds[1:])
    yield from (_one(job, fold) for fold in head)
    if not rest:
        return
    from joblib import Parallel, delayed

    pool = Parallel(n_jobs=threads, backend="threading", return_as="generator", batch_size=1)
    yield from pool(delayed(_one)(job, fold) for fold in rest)


def _one(job: Job, fold: Fold) -> _Done:
    start = time.perf_counter()
    if job.cancelled is not None and job.cancelled():
        raise cancelled_error()
    rows, label = job.rows, job.rows.label
    fitted = fit_job(job, fold)
    features, frame = rows.X[fold.score], rows.columns(fold.score)
    raw, answer = fitted.answer(features, frame)
    stated = fitted.stated(features, frame)
    others = {kind: answer_beside(job, fold, kind) for kind in job.beside}
    taken = every = None
    if label.traded:
        threshold = np.full(len(features), np.nan if fitted.threshold is None else fitted.threshold)
        taken, every = take(label, frame, answer, threshold), take_every(label, frame)
    fit = FoldFit(fold, fitted, time.perf_counter() - start)
    return _Done(fit, raw, answer, stated, others, taken, every)


def _assemble(rows: Arrays, done: Sequence[_Done]) -> CrossFit:
    order = np.concatenate([item.fit.fold.score for item in done])
    raw, answer = (np.concatenate([getattr(i, n) for i in done]) for n in ("raw", "answer"))
    fold = np.concatenate([np.full(len(i.answer), i.fit.fold.index) for i in done])
    limits = [np.nan if i.fit.fitted.threshold is None else i.fit.fitted.threshold for i in done]
    is_class = rows.label.task == "classification"
    return CrossFit(
        rows=order,
        fold=fold.astype(np.int64),
        p_raw=raw if is_class else None,
        p=answer if is_class else None,
        value_raw=None if is_class else raw,
        value=None if is_class else answer,
        threshold=np.repeat(limits, [len(item.answer) for item in done]),
        taken=_joined([item.taken for item in done]),
        every=_joined([item.every for item in done]),
        baselines=_merged([item.baselines for item in done]),
        beside=_merged([item.beside for item in done]),
        folds=tuple(item.fit for item in done),
    )


def _joined(parts: Sequence[Taken | None]) -> Taken | None:
    known = [part for part in parts if part is not None]
    if not known:
        return None
    names = ("flags", "entered", "net", "gross", "chances")
    return Taken(*(np.concatenate([getattr(part, n) for part in known]) for n in names))


def _merged(parts: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _tell(progress: Progress, rows: Arrays, done: Sequence[_Done], total: int, seed: int) -> None:
    last = done[-1]
    fold, model = last.fit.fold, last.fit.fitted.model
    for text in model.notes:
        progress({"kind": "note", "index": fold.index, "text": text})
    if model.curves:
        progress({"kind": "loss", "index": fold.index, **model.curves})
    horizon = horizon_days(rows.dataset)
    one, pooled = _compared(rows, [last]), _compared(rows, done)
    here = one.difference(horizon=horizon, seed=seed, draws=_DRAWS, against=pooled.best)
    so_far = pooled.difference(horizon=horizon, seed=seed, draws=_DRAWS)
    event = {
        "kind": "fold",
        "index": fold.index,
        "total": total,
        "test_start": fold.test_days[0],
        "test_end": fold.test_days[-1],
        "n": one.n,
        "difference": here.value,
        "low": here.low,
        "high": here.high,
        "pooled_n": pooled.n,
        "pooled_difference": so_far.value,
        "pooled_low": so_far.low,
        "pooled_high": so_far.high,
        "baseline": pooled.best,
        "measure": pooled.measure,
        "seconds": last.fit.seconds,
    }
    missing = {k: None for k, v in event.items() if isinstance(v, float) and np.isnan(v)}
    progress({**event, **missing})


def _compared(rows: Arrays, done: Sequence[_Done]) -> Paired:
    part = _assemble(rows, done)
    frame, y = rows.columns(part.rows), rows.y[part.rows]
    return compare(rows.label, frame, y, part.answer, part.baselines, part.taken, part.every)
