"""The nouns of a call: a Draft (the engine's), a Prediction (the log's), an Outcome.

A Draft carries everything the log keeps of a decision except what only the log can say: id,
sequence, when it was logged, mode and the chain's hashes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from mlcore.clock import NAT, to_timestamp
from mlcore.store.hubdb import json_ready

__all__ = ["Draft", "Outcome", "Prediction", "Recommendation"]

_INSTANTS = frozenset(
    (
        "decision_at",
        "due_at",
        "logged_at",
        "available_cutoff",
        "first_bar",
        "known_at",
        "settled_at",
    )
)


def _instant(value: int | None) -> str | None:
    return None if value is None or value == NAT else to_timestamp(value).isoformat()


class _Noun:
    """Gives a dataclass its JSON shape: field names in snake_case, instants as ISO text, UTC."""

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready fields; instants as ISO text, missing numbers as None."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]
        return {k: _instant(v) if k in _INSTANTS else json_ready(v) for k, v in found.items()}


@dataclass(frozen=True, kw_only=True)
class Draft(_Noun):
    """One answer of one version to one question, not logged yet.

    Attributes
    ----------
    slot, version, version_hash, role, fold, replay, certificate_id
        What answered; `role` is champion, challenger or baseline; `fold` is the fold model's
        index, −1 for the shipped fit; `replay` says that a past day is answered.
    symbol, timeframe, item, side, horizon, trading_day
        What was asked: `item` is `range/date` or the ISO start of a bar, `side` 0, +1 or −1,
        `trading_day` the market's, in days since 1970.
    decision_at, due_at, available_cutoff, first_bar
        Instants, int64 ns UTC; the cutoff is the newest `available_at` used, `first_bar` the
        start of the first bar of the window of inputs.
    features, feature_set, feature_hash
        The row itself as floats (NaN where missing), the set's id and its hash.
    raw, probabilities, answer, value, value_low, value_high, confidence, level
        The answer: probabilities by class as the model and as the calibration gave them, the
        class called, or a predicted value and its 95 % interval.
    threshold, taken
        For traded targets: the fold's threshold, and whether the trade would be taken.
    stop, target, cost_points, cost_bp
        What the trade would be offered at, and the costs assumed.
    """

    slot: str
    version: str
    symbol: str
    timeframe: str
    item: str
    decision_at: int
    due_at: int
    available_cutoff: int
    trading_day: int
    feature_set: str
    feature_hash: str
    config_hash: str
    code_hash: str
    features: tuple[float, ...] = ()
    version_hash: str | None = None
    recommendation_id: str | None = None
    certificate_id: str | None = None
    role: str = "champion"
    fold: int = -1
    replay: bool = False
    simulated: bool = False
    side: int = 0
    horizon: str = ""
    first_bar: int | None = None
    snapshot: int | None = None
    gate_hash: str | None = None
    raw: Mapping[str, float] = field(default_factory=dict)
    probabilities: Mapping[str, float] = field(default_factory=dict)
    answer: str | None = None
    value: float | None = None
    value_low: float | None = None
    value_high: float | None = None
    confidence: float | None = None
    level: str | None = None
    threshold: float | None = None
    taken: bool | None = None
    votes: Mapping[str, Any] = field(default_factory=dict)
    regime: str | None = None
    session: str | None = None
    conformal: tuple[str, ...] = ()
    abstained: bool = False
    abstained_why: str | None = None
    novelty: float | None = None
    baselines: Mapping[str, Any] = field(default_factory=dict)
    rule_signal: str | None = None
    stop: float | None = None
    target: float | None = None
    cost_points: float | None = None
    cost_bp: float | None = None
    reasons: tuple[Mapping[str, Any], ...] = ()
    phase: int = 2


@dataclass(frozen=True, kw_only=True)
class Prediction(Draft):
    """A Draft that is in the log; only `ShadowLog` makes one.

    `mode` is live, late or replay; `hash` covers every field and the previous row's hash.
    """

    id: str
    sequence: int
    logged_at: int
    mode: str
    previous_hash: str
    hash: str


@dataclass(frozen=True, kw_only=True)
class Outcome(_Noun):
    """What came of a prediction, computed from bars once its time was due.

    Attributes
    ----------
    y
        The label's value; None where the row has no label (the side that did not break first).
    answer, broke, exit_reason
        The class that came true, the side that broke (+1, −1, 0 none, 2 ambiguous), and why the
        trade ended.
    r_gross, r_taken, mfe, mae
        In R; `r_taken` is the net R had this side been taken.
    known_at, snapshot, details
        When it was in fact known, the data it was read from, anything else.
    revision, settled_at, sequence, previous_hash, hash
        Filled by the log; revision 0 is the one that scores keep.
    """

    prediction_id: str
    y: float | None = None
    known_at: int | None = None
    answer: str | None = None
    broke: int | None = None
    r_gross: float | None = None
    r_taken: float | None = None
    mfe: float | None = None
    mae: float | None = None
    exit_reason: str | None = None
    snapshot: int | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    revision: int = 0
    settled_at: int | None = None
    sequence: int | None = None
    previous_hash: str | None = None
    hash: str | None = None


@dataclass(frozen=True, kw_only=True)
class Recommendation(_Noun):
    """Up to five calls about one range or bar under one id: what a person is shown.

    `state` is call, no_call, untrained or shut, `why` its plain reason; `calls` are Drafts before
    logging and Predictions after. `risk_adjustment` is what the size *would be* before phase 4.
    """

    id: str
    symbol: str
    timeframe: str
    item: str | None
    decision_at: int | None
    due_at: int | None
    calls: tuple[Draft, ...] = ()
    direction: str | None = None
    confidence: float | None = None
    level: str | None = None
    risk_adjustment: float | None = None
    reasoning: tuple[str, ...] = ()
    state: str = "call"
    why: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready fields, the calls' included."""
        return {**super().as_dict(), "calls": [call.as_dict() for call in self.calls]}
