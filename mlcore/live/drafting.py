"""Rows and a fitted model in, drafts out: everything the log keeps of a decision."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mlcore.config import Cost
from mlcore.live.draft import Draft
from mlcore.live.reasons import reasons_from
from mlcore.models.fitted import Fitted
from mlcore.samples.dataset import Rows
from mlcore.samples.labels import Label
from mlcore.schema import Slot

__all__ = ["Answerer", "Source", "draft_rows", "recommendation_id", "row_answers", "rule_drafts"]

NOVELTY_LIMIT = 0.25
MISSING_LIMIT = 0.5
LEVELS = ((0.05, "LOW"), (0.10, "MEDIUM"), (np.inf, "HIGH"))
RULE = "rule"


@dataclass(frozen=True)
class Answerer:
    """Who answers, and all that the log wants to know about them.

    `lows` and `highs` (f,) are the training range of each input; `baseline` is the card's best
    baseline; `evidence` says whether its verdict was evidence of an edge.
    """

    slot: Slot
    label: Label
    version: str
    version_hash: str | None
    role: str
    features: tuple[str, ...]
    feature_set: str
    certificate_id: str | None
    config_hash: str
    code_hash: str
    cost: Cost
    simulated: bool
    phase: int = 2
    evidence: bool = False
    baseline: str = ""
    lows: np.ndarray | None = None
    highs: np.ndarray | None = None

    @property
    def horizon(self) -> str:
        """How far ahead it looks: the range's window, or a number of bars, hours or days."""
        if self.label.of_ranges:
            return "window"
        default = "5" if self.slot.timeframe == "1d" else "12"
        return self.label.horizon or default

    @cached_property
    def feature_hash(self) -> str:
        """Hash of the inputs' names in order."""
        return hashlib.sha256("\n".join(self.features).encode()).hexdigest()[:16]


def recommendation_id(symbol: str, timeframe: str, item: str, decision_at: int) -> str:
    """The id that the calls of one range or bar share."""
    text = f"{symbol}|{timeframe}|{item}|{decision_at}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _level(difference: float, evidence: bool) -> str:
    level = next(name for limit, name in LEVELS if difference < limit)
    return level if evidence else "LOW"


def _novelty(X: np.ndarray, who: Answerer) -> np.ndarray:
    """Share of the known inputs that lie outside the range seen in training."""
    if who.lows is None or who.highs is None:
        return np.full(len(X), np.nan)
    known = np.isfinite(X)
    outside = known & ((who.lows > X) | (who.highs < X))
    return np.asarray(outside.sum(axis=1) / np.maximum(known.sum(axis=1), 1))


@dataclass(frozen=True)
class Source:
    """Where rows come from: the lake's snapshot, their window's first bar, and whether replayed."""

    snapshot: int | None = None
    first_bar: int | None = None
    replay: bool = False
    fold: int = -1


def _common(rows: Rows, i: int, who: Answerer, source: Source) -> dict[str, Any]:
    columns = rows.columns
    item, decision = str(columns["item"][i]), int(columns["decision_at"][i])
    slot = who.slot
    return {
        "slot": str(slot), "version": who.version, "version_hash": who.version_hash,
        "role": who.role, "certificate_id": who.certificate_id, "symbol": slot.symbol,
        "timeframe": slot.timeframe, "item": item, "side": int(columns["side"][i]),
        "horizon": who.horizon, "trading_day": int(columns["day"][i]),
        "decision_at": decision, "due_at": int(columns["due_at"][i]),
        "available_cutoff": decision, "features": tuple(rows.X[i].tolist()),
        "feature_set": who.feature_set, "feature_hash": who.feature_hash,
        "config_hash": who.config_hash, "code_hash": who.code_hash,
        "snapshot": source.snapshot, "first_bar": source.first_bar, "fold": source.fold,
        "replay": source.replay, "simulated": who.simulated, "phase": who.phase,
        "cost_points": who.cost.points, "cost_bp": who.cost.bp,
        "session": columns["range"][i], "regime": columns["regime"][i],
        "stop": _finite(columns["stop"][i]), "target": _finite(columns["target"][i]),
        "recommendation_id": recommendation_id(slot.symbol, slot.timeframe, item, decision),
    }  # fmt: skip


def _why_not(missing: float, novelty: float) -> str | None:
    if missing > MISSING_LIMIT:
        return f"{missing:.0%} of the inputs are missing"
    if novelty > NOVELTY_LIMIT:
        return f"{novelty:.0%} of the inputs lie outside everything seen in training"
    return None


def _class_answers(
    fitted: Fitted, rows: Rows, who: Answerer
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Per row the fields of a classification's answer, and its difference in points."""
    raw, p = fitted.answer(rows.X, rows.columns)
    stated = fitted.stated(rows.X, rows.columns)
    classes = fitted.model.classes_
    best = np.argmax(p, axis=1)
    chosen = who.baseline if who.baseline in stated else next(iter(stated), "")
    against = stated[chosen] if chosen else np.full_like(p, np.nan)
    pick = np.arange(len(p))
    gap = p[pick, best] - against[pick, best]
    bar = fitted.threshold  # infinite where none is to be taken
    taken = [None] * len(p) if bar is None else (p[:, -1] >= bar).tolist()
    told, said = _named(classes, raw), _named(classes, p)
    named = {name: _named(classes, q) for name, q in stated.items()}
    answers = [
        {
            "raw": told[i], "probabilities": said[i], "answer": classes[code],
            "confidence": said[i][classes[code]], "level": _level(away, who.evidence),
            "baselines": {name: table[i] for name, table in named.items()},
            "threshold": _finite(bar), "taken": taken[i],
        }
        for i, (code, away) in enumerate(zip(best.tolist(), gap.tolist(), strict=True))
    ]  # fmt: skip
    return answers, 100.0 * gap


def _value_answers(
    fitted: Fitted, rows: Rows, who: Answerer
) -> tuple[list[dict[str, Any]], np.ndarray]:
    raw, value = fitted.answer(rows.X, rows.columns)
    stated = fitted.stated(rows.X, rows.columns)
    chosen = who.baseline if who.baseline in stated else next(iter(stated), "")
    against = stated[chosen] if chosen else np.zeros(len(value))
    low, high = fitted.residual or (np.nan, np.nan)
    limit = 0.0 if fitted.threshold is None else fitted.threshold
    answers = [
        {"raw": {"value": float(raw[i])}, "value": float(value[i]),
         "value_low": _finite(value[i] + low), "value_high": _finite(value[i] + high),
         "baselines": {name: float(q[i]) for name, q in stated.items()},
         "threshold": _finite(limit), "taken": bool(value[i] > limit)}
        for i in range(len(value))
    ]  # fmt: skip
    return answers, value - against


def _named(classes: tuple[str, ...], table: np.ndarray) -> list[dict[str, float]]:
    return [dict(zip(classes, row, strict=True)) for row in table.tolist()]


def _finite(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _toward(fitted: Fitted, X: np.ndarray, answers: list[dict[str, Any]]) -> np.ndarray | None:
    """Contributions toward each row's own called class."""
    if fitted.model.task == "regression":
        return fitted.model.contributions(X)
    called = np.array([a["answer"] for a in answers])
    out: np.ndarray | None = None
    for name in np.unique(called).tolist():
        where = called == name
        part = fitted.model.contributions(X[where], toward=name)
        if part is None:
            return None
        out = np.zeros((len(X), part.shape[1])) if out is None else out
        out[where] = part
    return out


def row_answers(
    fitted: Fitted, rows: Rows, who: Answerer
) -> tuple[list[dict[str, Any]], np.ndarray]:
    """Per row the fields of its answer, and the difference to the baseline in points or R."""
    if fitted.model.task == "regression":
        return _value_answers(fitted, rows, who)
    return _class_answers(fitted, rows, who)


def draft_rows(
    rows: Rows, fitted: Fitted, who: Answerer, source: Source, *, listed: int = 4
) -> list[Draft]:
    """One draft a row, answered by one fitted model, reasons included."""
    if not len(rows.X):
        return []
    regression = fitted.model.task == "regression"
    answers, gap = row_answers(fitted, rows, who)
    reasons = reasons_from(
        who.features, rows.X, _toward(fitted, rows.X, answers), np.asarray(gap),
        label=who.label.base, regression=regression, listed=listed,
    )  # fmt: skip
    novelty = _novelty(rows.X, who)
    missing = np.isnan(rows.X).mean(axis=1)
    drafts = []
    for i, answer in enumerate(answers):
        why = _why_not(float(missing[i]), float(novelty[i]))
        if why:
            answer = {**answer, "taken": None if answer["taken"] is None else False}
        drafts.append(
            Draft(
                **_common(rows, i, who, source), **answer, reasons=reasons[i],
                novelty=_finite(novelty[i]), abstained=why is not None, abstained_why=why,
            )
        )  # fmt: skip
    return drafts


def rule_drafts(rows: Rows, who: Answerer, why: str, source: Source) -> list[Draft]:
    """Drafts of the rule that answers where no model does.

    For the first break the rule is the mechanical baseline; for other targets it abstains.
    """
    drafts = []
    for i in range(len(rows.X)):
        common, up = _common(rows, i, who, source), float(rows.columns["p_up"][i])
        if who.label.base != "orb_direction" or not np.isfinite(up):
            drafts.append(Draft(**common, abstained=True, abstained_why=why))
            continue
        p = {"UP": float(np.clip(up, 0.01, 0.99)), "DOWN": float(np.clip(1 - up, 0.01, 0.99))}
        answer = "UP" if up >= 0.5 else "DOWN"
        drafts.append(
            Draft(
                **common, raw=p, probabilities=p, answer=answer, confidence=p[answer],
                level="LOW", baselines={"mechanical": p}, rule_signal=answer,
                votes={RULE: answer},
                reasons=({"text": f"The rule answers: {why}", "points": 0.0},),
            )
        )  # fmt: skip
    return drafts
