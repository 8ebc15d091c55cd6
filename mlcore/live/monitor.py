"""The log against outcomes: what has been seen so far, by `due_at`, live, late and replay apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd

from mlcore.config import Edge, Settings
from mlcore.errors import UsageError
from mlcore.evaluation.crossfit import compare
from mlcore.evaluation.intervals import Days
from mlcore.evaluation.paired import Measure, Paired, verdict_of
from mlcore.evaluation.scores import Scored, calibration_curve, decided
from mlcore.evaluation.traded import Taken, take, take_every
from mlcore.live.logframe import MODES
from mlcore.live.shadow import ShadowLog
from mlcore.samples.labels import Label, label
from mlcore.schema import Slot
from mlcore.statistics import confidence_sequence_radius

__all__ = ["MODES", "report"]

DRAWS = 2000
UNITS = {"accuracy": "pp", "net_r": "R", "skill": "%"}
SCALE = {"accuracy": 100.0, "net_r": 1.0, "skill": 100.0}


def report(
    log: ShadowLog, slot: Slot, mode: str, settings: Settings, now: int,
    version: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A slot's logged calls of one mode beside the baselines logged with them.

    Parameters
    ----------
    mode
        live, late or replay; never pooled.
    version
        Only this version's calls; default: the version that logged last in this mode.

    Returns
    -------
    dict
        `logged`, `settled`, `due_unsettled`, `abstained`, `coverage`, `counts` of the same
        version by mode (of all versions where none logged in this mode), `verdict`, `running`,
        `calibration`, `power`, `by_range`. Differences are in the verdict's own unit (accuracy
        and skill as shares, net R in R).

    Raises
    ------
    UsageError
        A mode that is not one of the three.
    """
    if mode not in MODES:
        raise UsageError(
            f"Calls are live, late or replay, never pooled – {mode!r} was given – choose one.",
            code="E_MODE",
        )
    frame = log.frame(slot=str(slot), mode=mode)
    chosen = version or (str(frame["version"].iloc[-1]) if len(frame) else None)
    frame = frame[frame["version"] == chosen] if chosen else frame
    question = label(slot.label)
    due = frame["due_at"] <= pd.Timestamp(now, unit="ns", tz="UTC")
    settled = frame[due & frame["settled"]]
    answered = settled[~settled["abstained"]]
    paired = _paired(answered, question)
    verdict = _verdict(paired, settings.worth, question, answered, settings.seed)
    return {
        "slot": str(slot), "mode": mode, "version": chosen, "logged": len(frame),
        "settled": len(settled), "due_unsettled": int((due & ~frame["settled"]).sum()),
        "abstained": int(frame["abstained"].sum()),
        "coverage": float(1 - frame["abstained"].mean()) if len(frame) else None,
        "counts": log.counts(now, str(slot), chosen),
        "first": _iso(frame, "min"), "last": _iso(frame, "max"),
        "n": 0 if paired is None else paired.n,
        "verdict": verdict,
        "running": _running(paired), "calibration": _calibration(answered, question),
        "power": _power(verdict),
        "by_range": _by_range(answered, question, settings),
    }  # fmt: skip


def _iso(frame: pd.DataFrame, which: str) -> str | None:
    return None if frame.empty else str(getattr(frame["decision_at"], which)().isoformat())


def _probabilities(column: pd.Series, classes: tuple[str, ...]) -> np.ndarray:
    rows = [[float(p.get(c, 0.0) or 0.0) for c in classes] for p in column]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(classes))


def _baselines(frame: pd.DataFrame, question: Label) -> dict[str, np.ndarray]:
    """Baselines that every row carries, as (n, k) probabilities or (n,) values."""
    named = [set(b) for b in frame["baselines"]]
    names = sorted(set.intersection(*named)) if named else []
    if question.task == "regression":
        return {n: np.array([float(b[n]) for b in frame["baselines"]]) for n in names}
    return {
        n: _probabilities(frame["baselines"].map(lambda b, n=n: b[n]), question.classes)
        for n in names
    }


def _answers(frame: pd.DataFrame, question: Label) -> np.ndarray:
    if question.task == "regression":
        return frame["value"].to_numpy(np.float64)
    return _probabilities(frame["probabilities"], question.classes)


def _columns(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """What the traded series reads, from the log's own columns."""
    return {
        "day": frame["trading_day"].to_numpy(np.int64),
        "side": frame["side"].to_numpy(np.float64),
        "range_id": pd.factorize(frame["item"])[0].astype(np.int64),
        "valid": np.ones(len(frame), dtype=bool),
        "broke": frame["broke"].to_numpy(np.float64),
        "r_taken": frame["r_taken"].to_numpy(np.float64),
        "r_gross": frame["r_gross"].to_numpy(np.float64),
    }


def _trades(
    frame: pd.DataFrame, question: Label, answer: np.ndarray
) -> tuple[Taken | None, Taken | None]:
    if not question.sided:
        return None, None
    columns, threshold = _columns(frame), frame["threshold"].to_numpy(np.float64)
    limit = np.where(np.isfinite(threshold), threshold, np.inf)
    return take(question, columns, answer, limit), take_every(question, columns)


def _paired(frame: pd.DataFrame, question: Label) -> Paired | None:
    if frame.empty:
        return None
    answer, stated = _answers(frame, question), _baselines(frame, question)
    if not stated:
        return None
    taken, every = _trades(frame, question, answer)
    y = frame["y"].to_numpy(np.float64)
    return compare(question, _columns(frame), y, answer, stated, taken, every)


def _horizon(frame: pd.DataFrame) -> float:
    span = (frame["due_at"] - frame["decision_at"]).dt.total_seconds() / 86_400
    return float(span.median()) if len(span) else 0.0


def _measure(question: Label) -> Measure:
    """What a target is judged by, where nothing has been compared yet."""
    if question.sided:
        return "net_r"
    return "accuracy" if question.classes else "skill"


def _verdict(
    paired: Paired | None, worth: Edge, question: Label, frame: pd.DataFrame, seed: int
) -> dict[str, Any]:
    if paired is None:
        measure = _measure(question)
        paired = Paired(measure, np.empty(0, np.int64), 0, math.nan, {}, {}, {})
    figure = paired.difference(horizon=_horizon(frame), seed=seed, draws=DRAWS)
    verdict = verdict_of(paired, figure, worth, traded=False, dsr=None, trials=None)
    best = paired.best
    return {
        **asdict(verdict), "measure": paired.measure, "unit": UNITS[paired.measure],
        "scale": SCALE[paired.measure], "baseline": best, "value": paired.value,
        "baseline_value": None if best is None else paired.values[best],
    }  # fmt: skip


def _running(paired: Paired | None) -> pd.DataFrame:
    """The running difference with a band that holds at every look: n, difference, low, high.

    References
    ----------
    Howard, Ramdas, McAuliffe & Sekhon (2021), Time-uniform confidence sequences.
    """
    columns = ["n", "difference", "low", "high"]
    best = None if paired is None else paired.best
    if paired is None or best is None or paired.n < 2:
        return pd.DataFrame(columns=columns, dtype=float)
    lead, weight = paired.leads[best], paired.weights[best]
    counted = weight > 0
    n = np.cumsum(weight)[counted]
    mean = np.cumsum(lead)[counted] / np.maximum(n, 1e-12)
    spread = float(np.std(lead[counted])) or 1.0
    count = np.arange(1, len(n) + 1)
    radius = np.array([confidence_sequence_radius(float(k), 0.05, 50.0) for k in count])
    # the radius is that of a variable of standard deviation ½
    half = 2.0 * spread * radius * count / np.maximum(n, 1e-12)
    table = {"n": count, "difference": mean, "low": mean - half, "high": mean + half}
    return pd.DataFrame(table, columns=columns)


def _calibration(frame: pd.DataFrame, question: Label) -> dict[str, Any] | None:
    if question.task == "regression" or frame.empty:
        return None
    y = frame["y"].to_numpy(np.float64)
    known = np.isfinite(y)
    p, classes = _answers(frame, question), question.classes
    if question.base == "orb_direction":
        known &= y < 2
        p, classes = decided(p, classes), ("UP", "DOWN")
    day = frame["trading_day"].to_numpy(np.int64)[known]
    scored = Scored(y[known].astype(np.int64), classes, Days.of(day, horizon=0.0, seed=0),
                    p[known], {}, {})  # fmt: skip
    return calibration_curve(scored)


def _power(verdict: Mapping[str, Any]) -> list[dict[str, Any]]:
    """True differences, the chance to have seen each by now, and outcomes for 80 %.

    Both follow from the verdict's own interval, so that its `power` and `more` are the first row.
    """
    error = (verdict["high"] - verdict["low"]) / 3.92
    if verdict["kind"] == "few" or not math.isfinite(error):
        return []
    rows = []
    for size in (times * verdict["worth"] for times in (1, 2, 4)):
        ratio = size / error if error else math.inf
        rows.append(
            {"true": size, "seen_by_now": NormalDist().cdf(ratio - 1.96),
             "outcomes_for_80": math.ceil(verdict["n"] * (2.8 / ratio) ** 2)}
        )  # fmt: skip
    return rows


def _by_range(frame: pd.DataFrame, question: Label, settings: Settings) -> list[dict[str, Any]]:
    """The same verdict per opening range; none for bars."""
    if not question.of_ranges or frame.empty:
        return []
    found = []
    for name, part in frame.groupby("session", sort=True):
        verdict = _verdict(_paired(part, question), settings.worth, question, part, settings.seed)
        found.append({"range": str(name), **verdict})
    return found
