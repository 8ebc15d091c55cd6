"""The log as a frame: each prediction beside its first outcome."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import NAT, to_instant
from mlcore.live.chain import JSON_COLUMNS, PREDICTION_COLUMNS
from mlcore.store.hubdb import HubDB

__all__ = ["MODES", "counts_by_mode", "feature_matrix", "log_frame", "newest_decisions"]

_INSTANTS = ("decision_at", "due_at", "logged_at", "available_cutoff", "first_bar", "known_at",
             "settled_at")  # fmt: skip
MODES = ("live", "late", "replay")
_FLAGS = ("simulated", "abstained", "settled", "revised")
_OURS = ", ".join(f"p.{name}" for name in PREDICTION_COLUMNS if name != "features")
_SELECT = f"""
SELECT {_OURS}, o.sequence IS NOT NULL AS settled, o.y, o.answer AS outcome, o.broke, o.r_gross,
  o.r_taken, o.mfe, o.mae, o.exit_reason, o.known_at, o.settled_at,
  EXISTS (SELECT 1 FROM outcomes l WHERE l.prediction_id = p.id AND l.revision > 0) AS revised
FROM predictions p LEFT JOIN outcomes o ON o.prediction_id = p.id AND o.revision = 0
WHERE (:slot IS NULL OR p.slot = :slot) AND (:mode IS NULL OR p.mode = :mode)
  AND (:due IS NULL OR p.due_at <= :due)
  AND (:after IS NULL OR p.due_at > :after)
ORDER BY p.due_at, p.sequence
"""  # noqa: S608 - names of columns, no values
_NUMBERS = ("value", "value_low", "value_high", "confidence", "threshold", "novelty", "stop",
            "target", "cost_points", "cost_bp", "y", "broke", "r_gross", "r_taken", "mfe",
            "mae")  # fmt: skip


def log_frame(
    db: HubDB,
    *,
    slot: str | None = None,
    mode: str | None = None,
    due_before: Any = None,
    due_after: Any = None,
    parsed: bool = True,
) -> pd.DataFrame:
    """Predictions with their first outcomes, of a slot, a mode, a span of time.

    `due_before` keeps rows with `due_at` at or before it, `due_after` those after it.

    Returns
    -------
    DataFrame
        One row a prediction, by `due_at`: the log's columns without `features`, then `settled`,
        `y`, `outcome` (the class that came true), `broke`, `r_gross`, `r_taken`, `mfe`, `mae`,
        `exit_reason`, `known_at`, `settled_at`, `revised` (a later revision changed the outcome;
        the first is shown). Instants are datetime64[ns, UTC], numbers float64 with NaN where
        missing. Structures are parsed, or canonical JSON text where `parsed` is False (exports).
    """
    due, after = (None if at is None else to_instant(at) for at in (due_before, due_after))
    frame = db.frame(_SELECT, {"slot": slot, "mode": mode, "due": due, "after": after})
    changed: dict[str, Any] = {name: frame[name].astype("float64") for name in _NUMBERS}
    changed |= {name: frame[name].astype(bool) for name in _FLAGS}
    if parsed:
        changed |= {name: frame[name].map(json.loads) for name in JSON_COLUMNS}
    changed |= {name: _stamps(frame[name]) for name in _INSTANTS}
    changed["taken"] = frame["taken"].map(lambda value: None if value is None else bool(value))
    return frame.assign(**changed)


def _stamps(column: pd.Series) -> pd.DatetimeIndex:
    # object first: int64 nanoseconds do not survive a detour over float64
    values = np.array([NAT if v is None or v != v else int(v) for v in column.tolist()], "int64")
    return pd.DatetimeIndex(values.view("datetime64[ns]"), tz="UTC")


def feature_matrix(db: HubDB, ids: list[str]) -> np.ndarray:
    """The logged feature values of predictions of one feature set, float64 (n, f), in order."""
    rows = db.query(
        "SELECT p.features FROM json_each(?) j JOIN predictions p ON p.id = j.value ORDER BY j.key",
        (json.dumps(ids),),
    )
    if not rows:
        return np.empty((0, 0))
    return np.vstack([np.frombuffer(row["features"], "<f8") for row in rows])


_COUNTS = """
SELECT p.mode, count(*) AS logged, sum(o.sequence IS NOT NULL) AS settled,
  sum(p.due_at <= :now AND o.sequence IS NULL) AS due_unsettled, sum(p.abstained) AS abstained
FROM predictions p LEFT JOIN outcomes o ON o.prediction_id = p.id AND o.revision = 0
WHERE p.slot = :slot AND (:version IS NULL OR p.version = :version) GROUP BY p.mode
"""


def counts_by_mode(
    db: HubDB, *, slot: str, version: str | None, now: int
) -> dict[str, dict[str, int]]:
    """How many calls of a slot (of a version) were logged, settled, are overdue, or abstained.

    By mode, live, late and replay apart, each there even without a call.
    """
    names = ("logged", "settled", "due_unsettled", "abstained")
    rows = db.query(_COUNTS, {"slot": slot, "version": version, "now": now})
    found = {row["mode"]: {name: int(row[name]) for name in names} for row in rows}
    return {mode: found.get(mode) or dict.fromkeys(names, 0) for mode in MODES}


def newest_decisions(db: HubDB) -> dict[str, int]:
    """`decision_at` of each slot's newest call that no challenger made, int64 ns."""
    rows = db.query(
        "SELECT slot, max(decision_at) AS at FROM predictions WHERE role != 'challenger' "
        "GROUP BY slot"
    )
    return {row["slot"]: row["at"] for row in rows}
