"""The model card: everything a person should know before believing a version, as one dict.

It describes the procedure (fit on the past, answer what follows), not the shipped fit; every
figure carries n, its interval and the best baseline on the same rows. What has not been computed
says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.clock import DAY, to_timestamp
from mlcore.config import Edge
from mlcore.evaluation.crossfit import CrossFit, FoldFit, compare, horizon_days
from mlcore.evaluation.folds import Sampled
from mlcore.evaluation.intervals import DRAWS, Days
from mlcore.evaluation.paired import Paired, verdict_of
from mlcore.evaluation.scores import (
    Scored,
    calibration_curve,
    class_recall,
    classification_scores,
    decided,
    hindsight,
    regression_scores,
    row,
)
from mlcore.evaluation.traded import Series, traded_block, traded_series
from mlcore.ledger import Trials
from mlcore.statistics import MINIMUM_OUTCOMES

__all__ = ["NOT_COMPUTED", "daily_net_r", "model_card", "plain"]

Floats = NDArray[np.float64]

NOT_COMPUTED = {
    "pbo": "the probability of backtest overfitting needs 10 trials of this slot or more",
    "paths": "combinatorial purged paths were not asked for",
    "placebo": "no run on shuffled labels was asked for",
}
_FOLD_DRAWS = 400  # of the intervals beside each fold
_SHIPPED = (
    "Figures describe the procedure, each row answered by a model that had not seen it. The "
    "shipped fit uses all rows up to the cut."
)


def model_card(
    dataset: Sampled,
    crossfit: CrossFit,
    *,
    worth: Edge,
    procedure: Mapping[str, Any],
    seed: int,
    trials: Trials | None = None,
    provenance: Mapping[str, Any] | None = None,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """The card of a cross-fit.

    Parameters
    ----------
    dataset
        What was answered.
    worth
        The smallest differences worth having, frozen with the gate.
    procedure
        How it was trained: splits, parts, model kind and parameters.
    trials
        Of the ledger, this run's included; default: this run is the only one.
    provenance
        Slot, symbol, timeframe, snapshot, fingerprint, versions, certificate, time …: copied.
    draws
        Of every bootstrap.

    Returns
    -------
    dict
        JSON-ready; missing numbers are None. Keys: target, task, classes, the provenance's,
        procedure, model, note, verdict (with value, baseline, measure), n, dates, scores,
        hindsight, calibration and recall of classes, net_r, folds, trials, not_computed.
    """
    at, label = crossfit.rows, dataset.label
    frame, y = dataset.rows.iloc[at], np.asarray(dataset.y, dtype=np.float64)[at]
    options = {"horizon": horizon_days(dataset), "seed": seed, "draws": draws}
    counted = trials or Trials(1, float("nan"), 1, float("nan"), 1, 0)
    day = frame["day"].to_numpy(dtype=np.int64)
    paired = compare(
        label, frame, y, crossfit.answer, crossfit.baselines, crossfit.taken, crossfit.every
    )
    net = _net_r(day, crossfit, counted, options)
    scored = _scored(label, y, day, crossfit, options)
    verdict = _verdict(paired, worth, counted, net, label.traded, options)
    found = {
        "target": label.base,
        "task": label.task,
        "classes": list(label.classes),
        **dict(provenance or {}),
        "procedure": dict(procedure),
        "model": _model(crossfit),
        "note": _SHIPPED,
        "verdict": verdict,
        "n": _counts(dataset, y, paired, net, day),
        "dates": _dates(dataset, crossfit),
        **_scores(label, scored, paired),
        "net_r": net,
        "folds": [_fold(dataset, crossfit, fold, options) for fold in crossfit.folds],
        "trials": asdict(counted),
        "seed": seed,
        "bootstrap": {"draws": draws, "unit": "trading day", "kind": "circular block, percentile"},
        "not_computed": {k: {"computed": False, "why": why} for k, why in NOT_COMPUTED.items()},
    }
    result: dict[str, Any] = plain(found)
    return result


def daily_net_r(dataset: Sampled, crossfit: CrossFit) -> tuple[NDArray[np.int64], Floats] | None:
    """Trading days (ascending) and net R of the traded series; None where nothing is traded."""
    series = _series(dataset.rows["day"].to_numpy(dtype=np.int64)[crossfit.rows], crossfit)
    return None if series is None else (series.day, series.net)


def plain(value: Any) -> Any:
    """`value` as JSON types: arrays and tuples as lists, numbers that are not finite as None."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value


def _series(day: NDArray[np.int64], crossfit: CrossFit) -> Series | None:
    return None if crossfit.taken is None else traded_series(day, crossfit.taken)


def _net_r(
    day: NDArray[np.int64], crossfit: CrossFit, trials: Trials, options: Mapping[str, Any]
) -> dict[str, Any] | None:
    """The traded block of the model and of the baseline that takes every trade."""
    series = _series(day, crossfit)
    if series is None or crossfit.every is None:
        return None
    block = traded_block(series, n_trials=trials.n, variance=trials.variance)
    family = traded_block(series, n_trials=trials.n_family, variance=trials.variance_family)
    every = traded_block(traded_series(day, crossfit.every))
    if series.trades < MINIMUM_OUTCOMES:
        hidden = ("psr", "dsr", "max_drawdown", "profit_factor")
        block, family, every = ({**b, **dict.fromkeys(hidden)} for b in (block, family, every))
    kept = ("net_r", "trades", "sharpe", "max_drawdown", "profit_factor")
    return {
        **block,
        "dsr_family": family["dsr"],
        "every_trade": {name: every[name] for name in kept},
        "daily": {"days": series.day, "net": series.net},
        "too_few": series.trades < MINIMUM_OUTCOMES,
    }


def _scored(
    label: Any, y: Floats, day: NDArray[np.int64], crossfit: CrossFit, options: Mapping[str, Any]
) -> Scored:
    """Labelled rows; of directions the ranges that broke one way, as two classes."""
    direction = label.base == "orb_direction"
    known = np.isfinite(y) & ((y < 2) if direction else True)
    classes = ("UP", "DOWN") if direction else tuple(label.classes)

    def said(p: Floats) -> Floats:
        return decided(p[known], label.classes) if direction else p[known]

    truth = y[known] if label.task == "regression" else y[known].astype(np.int64)
    return Scored(
        truth,
        classes,
        Days.of(day[known], **options),
        said(crossfit.answer),
        {name: said(p) for name, p in crossfit.baselines.items()},
        {name: said(p) for name, p in crossfit.beside.items()},
    )


def _verdict(
    paired: Paired,
    worth: Edge,
    trials: Trials,
    net: Mapping[str, Any] | None,
    traded: bool,
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """The verdict's fields, and the comparison it rests on."""
    figure = paired.difference(**options)
    dsr = None if net is None else net["dsr"]
    found = verdict_of(paired, figure, worth, traded=traded, dsr=dsr, trials=trials.n)
    best, few = paired.best, paired.n < MINIMUM_OUTCOMES
    return {
        **asdict(found),
        "measure": paired.measure,
        "value": None if few else paired.value,
        "baseline": best,
        "baseline_value": None if few or best is None else paired.values[best],
    }


def _scores(
    label: Any,
    scored: Scored,
    paired: Paired,
) -> dict[str, Any]:
    if label.task == "regression":
        found: dict[str, Any] = {"scores": regression_scores(scored)}
    else:
        found = {
            "scores": classification_scores(scored),
            "hindsight": hindsight(scored),
            "calibration": calibration_curve(scored),
            "recall": class_recall(scored),
        }
    if paired.measure == "net_r":
        found["scores"]["net_r"] = _net_r_row(scored.days, paired)
    return found


def _net_r_row(days: Days, paired: Paired) -> dict[str, Any]:
    """Net R a range as a score like the others."""
    figure, lead = (
        paired.difference(horizon=days.horizon, seed=days.seed, draws=days.draws, against=name)
        for name in ("no_trade", None)
    )
    return row(figure, paired.n, True, paired.values, paired.best, lead, {})


def _model(crossfit: CrossFit) -> dict[str, Any]:
    if not crossfit.folds:
        return {}
    model = crossfit.folds[-1].fitted.model
    names = model.feature_names
    shares = [fold.fitted.model.importance() for fold in crossfit.folds]
    mean = {name: float(np.mean([share.get(name, 0.0) for share in shares])) for name in names}
    ranked = sorted(mean.items(), key=lambda item: (-item[1], item[0]))
    return {
        "kind": model.kind,
        "params": dict(model.params),
        "features": len(names),
        "importance": dict(ranked),
    }


def _counts(
    dataset: Sampled,
    y: Floats,
    paired: Paired,
    net: Mapping[str, Any] | None,
    day: NDArray[np.int64],
) -> dict[str, Any]:
    broke = dataset.rows["broke"].to_numpy(dtype=np.float64) if "broke" in dataset.rows else y
    return {
        "dataset": len(dataset.y),
        "scored": len(y),
        "labelled": int(np.isfinite(y).sum()),
        "unlabelled": int((~np.isfinite(y)).sum()),
        "ambiguous_in_dataset": int((broke == 2).sum()) if "broke" in dataset.rows else None,
        "outcomes": paired.n,
        "trades": None if net is None else net["trades"],
        "days": len(np.unique(day)),
    }


def _instant(value: int) -> str:
    return to_timestamp(int(value)).isoformat()


def _date(day: int) -> str:
    return to_timestamp(int(day) * DAY).date().isoformat()


def _dates(dataset: Sampled, crossfit: CrossFit) -> dict[str, str | None]:
    decision, due, at = dataset.decision_at, dataset.due_at, crossfit.rows
    return {
        "first_decision": _instant(decision.min()),
        "last_decision": _instant(decision.max()),
        "cut": _instant(due.max()),
        "first_scored": _instant(decision[at].min()) if len(at) else None,
        "last_scored": _instant(decision[at].max()) if len(at) else None,
    }


def _compared(dataset: Sampled, crossfit: CrossFit, here: NDArray[np.int64]) -> Paired:
    """The comparison over some of the scored rows, by position."""
    at = crossfit.rows[here]
    return compare(
        dataset.label,
        dataset.rows.iloc[at],
        np.asarray(dataset.y, dtype=np.float64)[at],
        crossfit.answer[here],
        {name: stated[here] for name, stated in crossfit.baselines.items()},
        None if crossfit.taken is None else crossfit.taken.take(here),
        None if crossfit.every is None else crossfit.every.take(here),
    )


def _fold_figures(
    one: Paired, so_far: Paired, options: Mapping[str, Any]
) -> dict[str, float | int]:
    """A fold's difference and that of all folds up to it, against the best baseline so far."""
    drawn = {**options, "draws": _FOLD_DRAWS}
    here = one.difference(**drawn, against=so_far.best)
    pooled = so_far.difference(**drawn)
    return {
        "difference": here.value,
        "low": here.low,
        "high": here.high,
        "pooled_n": so_far.n,
        "pooled_difference": pooled.value,
        "pooled_low": pooled.low,
        "pooled_high": pooled.high,
    }


def _fold(
    dataset: Sampled, crossfit: CrossFit, done: FoldFit, options: Mapping[str, Any]
) -> dict[str, Any]:
    here = np.flatnonzero(crossfit.fold == done.fold.index)
    fold, fitted = done.fold, done.fitted
    paired = _compared(dataset, crossfit, here)
    so_far = _compared(dataset, crossfit, np.flatnonzero(crossfit.fold <= fold.index))
    best, few = paired.best, paired.n < MINIMUM_OUTCOMES
    threshold = "none" if fitted.threshold == np.inf else fitted.threshold
    return {
        "index": fold.index,
        "train_start": _date(fold.train_days[0]),
        "train_end": _date(fold.train_days[-1]),
        "test_start": _date(fold.test_days[0]),
        "test_end": _date(fold.test_days[-1]),
        "cut": _instant(fold.cut),
        "rows": dict(zip(("fit", "stop", "calibrate"), fitted.rows, strict=True)),
        "scored": len(here),
        "n": paired.n,
        "value": None if few else paired.value,
        "baseline": best,
        "baseline_value": None if few or best is None else paired.values[best],
        **_fold_figures(paired, so_far, options),
        "kept": fitted.model.curves.get("kept"),
        "threshold": threshold,
        "calibration": fitted.calibrator.to_json(),
        "notes": list(fitted.model.notes),
    }
