"""Revisions: which of the incoming bars are new, which differ from the stored ones, which agree.

Pure arithmetic on arrays. A revision never replaces: it is one more row with the next number and
its own `available_at`, later than the one before.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mlcore.schema import Bars

__all__ = ["Plan", "Stored", "changed_values", "plan_changes"]

Array = np.ndarray[Any, Any]
_VALUES = ("open", "high", "low", "close", "volume")


def _column(table: Any, at: int) -> Array:
    found = np.asarray(table.column(at).to_numpy())
    return found if found.flags.writeable else found.copy()


@dataclass(frozen=True)
class Stored:
    """Stored bars, oldest first, one revision per time."""

    time: Array
    values: tuple[Array, ...]
    available_at: Array
    revision: Array

    @classmethod
    def empty(cls) -> Stored:
        """No bars."""
        nothing = np.empty(0)
        none = np.empty(0, dtype=np.int64)
        return cls(none, (nothing,) * len(_VALUES), none, none.astype(np.int32))

    @classmethod
    def latest(cls, table: Any) -> Stored:
        """The last revision per time of an Arrow table: time, values, available_at, revision."""
        time, revision = _column(table, 0), _column(table, len(_VALUES) + 2)
        values = tuple(_column(table, i + 1).astype(np.float64) for i in range(len(_VALUES)))
        stored = cls(time, values, _column(table, len(_VALUES) + 1), revision)
        if len(time) < 2 or bool(np.all(np.diff(time) > 0)):
            return stored
        order = np.lexsort((revision, time))
        final = np.append(np.diff(time[order]) > 0, True)
        return stored._take(order[final])

    def _take(self, where: Array) -> Stored:
        values = tuple(v[where] for v in self.values)
        return Stored(self.time[where], values, self.available_at[where], self.revision[where])

    def bars(self, symbol: str, timeframe: str) -> Bars:
        """The same as bars."""
        named = dict(zip(_VALUES, self.values, strict=True))
        return Bars(symbol, timeframe, self.time, available_at=self.available_at, **named)


@dataclass(frozen=True)
class Plan:
    """The rows an import writes, and how many of its bars are new, differ, or agree."""

    bars: Bars
    revision: Array
    added: int
    revised: int
    unchanged: int

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.added or self.revised)

    @property
    def span(self) -> tuple[int | None, int | None]:
        """Start of the first and of the last bar that it adds or revises, int64 ns."""
        times = self.bars.time
        return (int(times[0]), int(times[-1])) if self.changes else (None, None)

    @property
    def table(self) -> Any:
        """The rows as an Arrow table in the order of the lake's columns after the timeframe."""
        import pyarrow as pa

        stamp = pa.timestamp("ns")
        volume = self.bars.volume
        return pa.table(
            {
                "time": pa.array(self.bars.time).view(stamp),
                **{c: pa.array(getattr(self.bars, c)) for c in _VALUES[:-1]},
                "volume": pa.array(volume, mask=np.isnan(volume)),
                "revision": pa.array(self.revision),
                "available_at": pa.array(self.bars.available_at).view(stamp),
            }
        )


def plan_changes(bars: Bars, stored: Stored, imported_at: int) -> Plan:
    """What writing `bars` over `stored` means.

    Parameters
    ----------
    stored
        The latest revisions whose times lie in the span of `bars`.
    imported_at
        int64 ns; a revision is available from then, and never before the value it revises.
    """
    if not len(stored.time):
        return Plan(bars, np.zeros(len(bars), np.int32), len(bars), 0, 0)
    at = np.minimum(np.searchsorted(stored.time, bars.time), len(stored.time) - 1)
    found = stored.time[at] == bars.time
    differs = np.zeros(len(bars), dtype=bool)
    for name, old in zip(_VALUES, stored.values, strict=True):
        new = getattr(bars, name)
        differs |= (new != old[at]) & ~(np.isnan(new) & np.isnan(old[at]))
    revised = found & differs
    revision = np.where(revised, stored.revision[at] + 1, 0).astype(np.int32)
    floor = np.maximum(stored.available_at[at], imported_at)
    known = np.where(revised, np.maximum(bars.available_at, floor), bars.available_at)
    keep = ~found | revised
    written = replace(bars, available_at=known).take(keep)
    unchanged = int((~keep).sum())
    return Plan(written, revision[keep], int((~found).sum()), int(revised.sum()), unchanged)


def changed_values(table: Any, sources: dict[int, str]) -> pd.DataFrame:
    """Restated values of bars: one row per revision, oldest bar first.

    Parameters
    ----------
    table
        Arrow: time, values, available_at, revision, snapshot; by time, then revision.
    sources
        What each snapshot's import read.

    Returns
    -------
    Columns `time revision`, `old_*` and `new_*` of the five values, `old_available_at`,
    `new_available_at` (datetime64[ns, UTC]), `snapshot` and `source` of the revision's import.
    """
    at, rows = len(_VALUES), np.arange(table.num_rows)
    columns = [np.asarray(table.column(i).to_numpy()) for i in range(table.num_columns)]
    time = columns[0]
    again = rows[1:][time[1:] == time[:-1]] if len(rows) else rows
    known = {
        f"{side}_available_at": pd.to_datetime(columns[at + 1][which], utc=True)
        for side, which in (("old", again - 1), ("new", again))
    }
    values = {
        f"{side}_{name}": columns[i + 1][which].astype(np.float64)
        for i, name in enumerate(_VALUES)
        for side, which in (("old", again - 1), ("new", again))
    }
    snapshot = columns[at + 3][again].astype(np.int64)
    head = {"time": pd.to_datetime(time[again], utc=True), "revision": columns[at + 2][again]}
    frame = pd.DataFrame(head | values | known)
    return frame.assign(snapshot=snapshot, source=pd.Series(snapshot).map(sources))
