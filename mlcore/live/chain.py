"""The log's rows as bytes: how a noun becomes a row, a row a noun, and a row its hash.

Canonical encoding
------------------
A row's *body* is its columns in the order of the table, without sequence, logged_at or
settled_at, mode, previous_hash and hash, written as a JSON list: numbers as JSON numbers (floats
in Python's shortest form that reads back the same), missing values as null, blobs as lower-case
hexadecimal. The row's hash is the SHA-256 of the JSON list [sequence, logged_at or settled_at,
mode or revision, previous row's hash, SHA-256 of the body]; the first row's previous hash is 64
zeros. So every column is covered, and only the short outer list is hashed while the log is locked.
"""

from __future__ import annotations

import hashlib
import json
import math
import sqlite3
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from typing import Any

import numpy as np

from mlcore.live.draft import Draft, Outcome, Prediction
from mlcore.store.hubdb import canonical_json

__all__ = [
    "GENESIS",
    "JSON_COLUMNS",
    "OUTCOME_COLUMNS",
    "PREDICTION_COLUMNS",
    "Row",
    "body_hash",
    "differs",
    "draft_row",
    "key_of",
    "outcome",
    "outcome_row",
    "prediction",
    "prediction_id",
    "row_hash",
]

Row = Mapping[str, Any] | sqlite3.Row
"""A row: one that is being made, or one of the table."""

GENESIS = "0" * 64
PREDICTION_COLUMNS = (
    "sequence", "id", "recommendation_id", "slot", "version", "version_hash", "fold",
    "certificate_id", "simulated", "symbol", "timeframe", "item", "side", "horizon",
    "trading_day", "decision_at", "due_at", "logged_at", "mode", "role", "available_cutoff",
    "features", "feature_set", "feature_hash", "first_bar", "snapshot", "config_hash",
    "code_hash", "gate_hash", "raw", "probabilities", "answer", "value", "value_low",
    "value_high", "confidence", "level", "threshold", "taken", "votes", "regime", "session",
    "conformal", "abstained", "abstained_why", "novelty", "baselines", "rule_signal", "stop",
    "target", "cost_points", "cost_bp", "reasons", "phase", "previous_hash", "hash",
)  # fmt: skip
OUTCOME_COLUMNS = (
    "sequence", "prediction_id", "revision", "settled_at", "known_at", "y", "answer", "broke",
    "r_gross", "r_taken", "mfe", "mae", "exit_reason", "snapshot", "details", "previous_hash",
    "hash",
)  # fmt: skip
JSON_COLUMNS = ("raw", "probabilities", "votes", "conformal", "baselines", "reasons")
_REALS = frozenset(
    ("value", "value_low", "value_high", "confidence", "threshold", "novelty", "stop", "target",
     "cost_points", "cost_bp", "y", "r_gross", "r_taken", "mfe", "mae")
)  # fmt: skip
_BOOLS = ("simulated", "abstained", "taken")
_OUTER = frozenset(("sequence", "logged_at", "settled_at", "mode", "previous_hash", "hash"))
_ENCODE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
_COMPARED = ("y", "answer", "broke", "r_gross", "r_taken", "mfe", "mae", "exit_reason")
_EMPTY: dict[Any, str] = {dict: "{}", tuple: "[]", list: "[]"}
_PLAIN = frozenset((str, int, float, type(None)))
_DRAFT_FIELDS = tuple(f.name for f in fields(Draft) if f.name != "replay")


def _json(value: Any) -> str:
    return canonical_json(value) if value else _EMPTY.get(type(value)) or canonical_json(value)


def _real(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value) + 0.0  # sqlite keeps no negative zero
    return number if math.isfinite(number) else None


def _cells(row: dict[str, Any], texts: tuple[str, ...]) -> dict[str, Any]:
    """A row of fields as its columns hold them; `texts` are those kept as JSON."""
    for name in texts:
        row[name] = _json(row[name])
    for name in _REALS & row.keys():
        row[name] = _real(row[name])
    for name, value in row.items():
        if type(value) not in _PLAIN and isinstance(value, bool | np.bool_ | np.integer):
            row[name] = int(value)
    return row


def draft_row(draft: Draft) -> dict[str, Any]:
    """A draft's columns, its deterministic id among them."""
    own = vars(draft)
    row = _cells({name: own[name] for name in _DRAFT_FIELDS}, JSON_COLUMNS)
    row["features"] = np.asarray(draft.features, dtype="<f8").tobytes()
    row["id"] = prediction_id(draft)
    return row


def key_of(draft: Draft) -> tuple[Any, ...]:
    """What may be in the log once."""
    return (
        draft.slot, draft.version, int(draft.fold), draft.symbol, draft.item, int(draft.side),
        int(draft.decision_at), int(draft.replay),
    )  # fmt: skip


def prediction_id(draft: Draft) -> str:
    """The id that a draft has, or will have: 20 hexadecimal digits of its key's SHA-256."""
    return hashlib.sha256(canonical_json(key_of(draft)).encode()).hexdigest()[:20]


def outcome_row(found: Outcome) -> dict[str, Any]:
    """An outcome's columns, as far as it says them itself."""
    own = (n for n in OUTCOME_COLUMNS if n not in _OUTER)
    return _cells({name: getattr(found, name) for name in own}, ("details",))


def differs(first: Outcome, second: Outcome) -> bool:
    """Whether two outcomes of one call say different things, rounding aside."""
    old, new = outcome_row(first), outcome_row(second)
    return any(not _same(old[name], new[name]) for name in _COMPARED)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    return bool(a == b)


def body_hash(row: Row, columns: tuple[str, ...]) -> str:
    """The SHA-256 of everything in a row but what is only known while the log is locked."""
    cells = [row[name] for name in _inner(columns)]
    plain = [cell.hex() if isinstance(cell, bytes) else cell for cell in cells]
    return hashlib.sha256(_dense(plain)).hexdigest()


@cache
def _inner(columns: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in columns if name not in _OUTER)


def row_hash(sequence: int, at: int, kind: str | int, previous: str, body: str) -> str:
    """The hash the next row names; `at` is logged_at or settled_at, `kind` mode or revision."""
    return hashlib.sha256(_dense([sequence, at, kind, previous, body])).hexdigest()


def _dense(values: list[Any]) -> bytes:
    return _ENCODE(values).encode()


def prediction(row: Row) -> Prediction:
    """The Prediction that a row of `predictions` holds."""
    values: dict[str, Any] = {name: row[name] for name in PREDICTION_COLUMNS}
    values["features"] = tuple(np.frombuffer(row["features"], "<f8").tolist())
    for name in JSON_COLUMNS:
        text = values[name]
        values[name] = {} if text == "{}" else json.loads(text)
    values["conformal"], values["reasons"] = tuple(values["conformal"]), tuple(values["reasons"])
    for name in _BOOLS:
        values[name] = None if row[name] is None else bool(row[name])
    return Prediction(**values, replay=row["mode"] == "replay")


def outcome(row: Row) -> Outcome:
    """The Outcome that a row of `outcomes` holds."""
    values = {name: row[name] for name in OUTCOME_COLUMNS}
    return Outcome(**{**values, "details": json.loads(row["details"])})
