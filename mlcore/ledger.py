"""The trial ledger: every fit is a row, and what N and the variance of trials follow from it.

N counts *distinct specifications*: folds and refits of an unchanged one are one trial, placebos,
baselines and looks at a last block are none, failed fits are. Nobody types these numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from mlcore.clock import Clock
from mlcore.errors import OpenrangeError, UsageError
from mlcore.schema import Slot
from mlcore.store.hubdb import HubDB, canonical_json

__all__ = ["TRIAL_KINDS", "Ledger", "Trials", "specification_hash"]

TRIAL_KINDS = ("normal", "tuning")
"""The kinds of row whose specifications count as trials."""

Kind = Literal["normal", "tuning", "placebo", "baseline", "look"]


def specification_hash(specification: Mapping[str, Any]) -> str:
    """The SHA-256 of a specification's canonical JSON: what makes two fits one trial."""
    return hashlib.sha256(canonical_json(dict(specification)).encode()).hexdigest()


@dataclass(frozen=True)
class Trials:
    """How much was tried before this result.

    Attributes
    ----------
    n, variance
        Distinct specifications of the slot, and the variance (ddof 1) of their per-day Sharpe
        ratios over common dates; NaN with fewer than two that have a traded series.
    n_family, variance_family
        The same over every slot of this label and timeframe.
    rows, failures
        Rows of the slot that count, and those of them that failed.
    """

    n: int
    variance: float
    n_family: int
    variance_family: float
    rows: int
    failures: int


class Ledger:
    """The ledger of one home; rows are only ever added.

    Parameters
    ----------
    db
        The home's `hub.sqlite`.
    clock
        What time it is.
    """

    def __init__(self, db: HubDB, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def add(
        self,
        slot: Slot | str,
        specification: Mapping[str, Any],
        *,
        kind: Kind = "normal",
        fold: int | None = None,
        seed: int | None = None,
        scores: Mapping[str, Any] | None = None,
        error: OpenrangeError | str | None = None,
        daily: tuple[ArrayLike, ArrayLike] | None = None,
        run_id: str | None = None,
    ) -> int:
        """Write one fit down; the row's id.

        Parameters
        ----------
        specification
            Everything that makes it another trial: target, symbols, timeframe, label and cost
            parameters, feature set, model kind and hyper-parameters, windows. No fold, seed, date.
        scores, error
            What came out of it (NaN is kept as missing), or why nothing did.
        daily
            Out-of-sample days (int, since 1970) and their net R, both (d,), 0 without a trade.

        Raises
        ------
        UsageError
            Days and returns of different lengths, unsorted or repeated days, or a return that is
            no number.
        """
        slot = slot if isinstance(slot, Slot) else Slot.parse(slot)
        days, returns = (None, None) if daily is None else _series(*daily)
        text = canonical_json(dict(specification))
        row = (
            int(self._clock().value), str(slot), slot.label, slot.symbol, slot.timeframe, kind,
            text, hashlib.sha256(text.encode()).hexdigest(), fold, seed, run_id,
            canonical_json(scores or {}),
            None if error is None else str(error), days, returns,
        )  # fmt: skip
        with self._db.transaction() as db:
            done = db.execute(
                "INSERT INTO ledger (at, slot, label, symbol, timeframe, kind, specification, "
                "specification_hash, fold, seed, run_id, scores, error, days, returns) "
                "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                row,
            )
        return int(done.lastrowid or 0)

    def rows(self, slot: Slot | str | None = None) -> pd.DataFrame:
        """The ledger (of one slot), oldest first; `at` is datetime64[ns, UTC], scores a dict."""
        frame = self._db.frame(
            "SELECT id, at, slot, kind, specification, specification_hash, fold, seed, run_id, "
            "scores, error FROM ledger WHERE :slot IS NULL OR slot = :slot ORDER BY id",
            {"slot": None if slot is None else str(slot)},
        )
        stamps = pd.DatetimeIndex(frame["at"].to_numpy("int64"), tz="UTC").as_unit("ns")
        parsed = {name: frame[name].map(json.loads) for name in ("specification", "scores")}
        return frame.assign(at=stamps, **parsed)

    def trials(self, slot: Slot | str) -> Trials:
        """N and the variance of trials, for the slot and for its label and timeframe."""
        slot = slot if isinstance(slot, Slot) else Slot.parse(slot)
        counts = self._db.query(
            "SELECT count(DISTINCT specification_hash) AS n, count(*) AS rows, "
            "count(error) AS failures FROM ledger WHERE kind IN ('normal', 'tuning') "
            "AND slot = :slot UNION ALL "
            "SELECT count(DISTINCT specification_hash), count(*), count(error) FROM ledger "
            "WHERE kind IN ('normal', 'tuning') AND label = :label AND timeframe = :timeframe",
            {"slot": str(slot), "label": slot.label, "timeframe": slot.timeframe},
        )
        own, family = counts
        return Trials(
            n=int(own["n"]),
            variance=self.variance(slot),
            n_family=int(family["n"]),
            variance_family=_sharpe_variance(self.series(slot, family=True)),
            rows=int(own["rows"]),
            failures=int(own["failures"]),
        )

    def variance(self, slot: Slot | str) -> float:
        """The variance (ddof 1) of per-day Sharpe over the dates all the slot's trials share.

        NaN with fewer than two trials that have a traded series, or fewer than two such dates.
        """
        return _sharpe_variance(self.series(slot))

    def series(self, slot: Slot | str, *, family: bool = False) -> pd.DataFrame:
        """Daily net R of every trial: index day (int since 1970), a column a specification.

        Folds are put one after the other; of a day that several fits scored, the latest stays.
        NaN where a trial has no such day. `family` takes every slot of this label and timeframe.
        """
        slot = slot if isinstance(slot, Slot) else Slot.parse(slot)
        rows = self._db.query(
            "SELECT specification_hash, days, returns FROM ledger "
            "WHERE days IS NOT NULL AND kind IN ('normal', 'tuning') "
            "AND label = :label AND timeframe = :timeframe AND (:family OR slot = :slot) "
            "ORDER BY id",
            {
                "label": slot.label,
                "timeframe": slot.timeframe,
                "family": family,
                "slot": str(slot),
            },
        )
        parts: dict[str, list[pd.Series]] = {}
        for row in rows:
            days, returns = (
                np.frombuffer(row[c], t) for c, t in (("days", "<i8"), ("returns", "<f8"))
            )
            parts.setdefault(row["specification_hash"], []).append(pd.Series(returns, index=days))
        joined = {name: _latest(pieces) for name, pieces in parts.items()}
        return pd.DataFrame(joined).sort_index() if joined else pd.DataFrame()


def _latest(pieces: list[pd.Series]) -> pd.Series:
    whole: pd.Series = pd.concat(pieces)
    return whole[~whole.index.duplicated(keep="last")].sort_index()


def _sharpe_variance(series: pd.DataFrame) -> float:
    common = series.dropna()
    if common.shape[1] < 2 or len(common) < 2:
        return float("nan")
    values = common.to_numpy(np.float64)
    spread = values.std(axis=0, ddof=1)
    moving = spread > 1e-12  # a trial that never trades has a Sharpe ratio of 0
    sharpe = np.where(moving, values.mean(axis=0) / np.where(moving, spread, 1.0), 0.0)
    return float(sharpe.var(ddof=1))


def _series(days: ArrayLike, returns: ArrayLike) -> tuple[bytes, bytes]:
    day = np.asarray(days)
    if day.dtype.kind == "M":
        day = day.astype("datetime64[D]")
    day, value = day.astype("<i8"), np.asarray(returns, dtype="<f8")
    good = day.ndim == value.ndim == 1 and len(day) == len(value)
    if not good or not bool(np.all(np.diff(day) > 0)) or not bool(np.isfinite(value).all()):
        raise UsageError(
            "A trial's daily series is one finite net R for each of its days, in order, each day "
            f"once – {day.shape} days and {value.shape} returns were given – sum it by day first.",
            code="E_LEDGER_SERIES",
        )
    return day.tobytes(), value.tobytes()
