"""The store of bars: appended all or nothing, revised without loss, read at any past instant.

Times the store has not seen are added; a bar whose values differ from the stored ones becomes a
new revision that was available from the moment it was imported, and both stay. Every import is one
lake snapshot whose note carries the import's row, so that bars and the record of where they came
from can never part: `imports` in `hub.sqlite` is copied from those notes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from mlcore.clock import to_timestamp
from mlcore.config import Market, Settings
from mlcore.errors import StoreError, UsageError
from mlcore.market.coarser import coarser_bars
from mlcore.market.held import HeldBars
from mlcore.market.holdings import Holding, Holdings
from mlcore.market.revisions import Plan, Stored, changed_values, plan_changes
from mlcore.market.sessions import bar_ends
from mlcore.market.soundness import refuse_unsound
from mlcore.market.tails import cold_tails
from mlcore.schema import (
    CALENDAR_TIMEFRAMES,
    Bars,
    check_symbol,
    timeframe_width,
)
from mlcore.store import HubDB, Lake, canonical_json

__all__ = ["BarStore", "ImportReport"]

Array = np.ndarray[Any, Any]
_COLUMNS = "epoch_ns(time), open, high, low, close, volume, epoch_ns(available_at), revision"
Key = tuple[str, str]
Finer = Callable[[Array, int], tuple[Bars, ...]]
_Ready = tuple[int, Plan, Any]


@dataclass(frozen=True)
class ImportReport:
    """What an import did: bars read, added, revised, unchanged; instants are int64 ns or None.

    `first_changed` and `last_changed` are the first and last bar that were added or revised.
    `rechecked` settled calls lean on bars it changed, and `outcomes_changed` of them would have
    another outcome now; whoever has the log fills these in.
    """

    symbol: str
    timeframe: str
    read: int
    added: int
    revised: int
    unchanged: int
    first: int | None
    last: int | None
    snapshot: int
    notes: tuple[str, ...] = ()
    first_changed: int | None = None
    last_changed: int | None = None
    rechecked: int = 0
    outcomes_changed: int = 0


class BarStore:
    """Bars in the lake, their imports and markets in hub.sqlite; safe between threads.

    Parameters
    ----------
    lake, db
        The stores of one home.
    settings
        Markets, and the symbols a home assigns to them; these go before what was imported.
    """

    def __init__(self, lake: Lake, db: HubDB, settings: Settings) -> None:
        self._lake, self._settings = lake, settings
        self._holdings = Holdings(lake, db, settings)
        self._held = HeldBars()

    # -- writing ---------------------------------------------------------------------------

    def append(
        self, bars: Bars, *, source: str, sha256: str, imported_at: int, options: dict[str, Any]
    ) -> ImportReport:
        """Add `bars`, all or none; what is there already is left alone, what differs is revised.

        Parameters
        ----------
        bars
            One symbol and timeframe, sound by the rules of `market.soundness`.
        source, sha256
            Where they come from, and the hash of that; a source with the same hash and options
            is not imported twice. An empty hash is never taken for a repetition.
        imported_at
            The present instant, int64 ns: a revision's `available_at`.
        options
            How the source was read, JSON-ready; `market` names the symbol's market.

        Raises
        ------
        BarsError
            No bars, or one that is not sound; nothing is written.
        """
        given = options.get("market")
        market, notes = self._holdings.chosen(bars.symbol, given)
        refuse_unsound(bars, negative_prices=market.negative_prices)
        if bars.timeframe in CALENDAR_TIMEFRAMES:  # whose ends no width tells
            ends = np.maximum(bars.available_at, bar_ends(bars, market))
            bars = replace(bars, available_at=ends)
        kept = canonical_json(options)
        if sha256 and self._holdings.has_import(bars.symbol, bars.timeframe, sha256, kept):
            return self._unchanged(bars, ("this source was imported before",))
        ready = self._planned(bars, imported_at)
        if not ready[1].changes:
            self._holdings.assign(bars.symbol, market, imported_at, only_new=not given)
            return self._unchanged(bars, notes)
        row = {
            "imported_at": imported_at, "symbol": bars.symbol, "timeframe": bars.timeframe,
            "source": source, "sha256": sha256, "options": kept, "read": len(bars),
            "first": int(bars.time[0]), "last": int(bars.time[-1]), "notes": canonical_json(notes),
            "market": market.name, "explicit": bool(given),
        }  # fmt: skip
        plan = self._lake.write(lambda cursor: self._write(cursor, bars, imported_at, ready, row))
        self._holdings.sync()
        report = self._unchanged(bars, notes + self._compacted())
        first, last = plan.span
        return replace(
            report, added=plan.added, revised=plan.revised, unchanged=plan.unchanged,
            first_changed=first, last_changed=last,
        )  # fmt: skip

    def _compacted(self) -> tuple[str, ...]:
        """Merge small files now and then; that it could not is a note, the bars are stored."""
        try:
            self._lake.compact()
        except StoreError as error:
            return (f"small files were not merged: {error.message}",)
        return ()

    def _unchanged(self, bars: Bars, notes: tuple[str, ...]) -> ImportReport:
        return ImportReport(
            bars.symbol, bars.timeframe, read=len(bars), added=0, revised=0, unchanged=len(bars),
            first=int(bars.time[0]), last=int(bars.time[-1]), snapshot=self._lake.snapshot(),
            notes=notes,
        )  # fmt: skip

    def _planned(self, bars: Bars, imported_at: int) -> _Ready:
        """The lake's snapshot, what `bars` change in it, and the rows; made outside the lock."""
        snapshot = self._lake.snapshot()
        key = (bars.symbol, bars.timeframe)
        span = {"time >=": int(bars.time[0]), "time <=": int(bars.time[-1])}
        stored = self._fetch(key, span, None) if self._holdings.find(*key) else Stored.empty()
        plan = plan_changes(bars, stored, imported_at)
        return snapshot, plan, plan.table

    def _write(
        self,
        cursor: duckdb.DuckDBPyConnection,
        bars: Bars,
        imported_at: int,
        ready: _Ready,
        row: dict[str, Any],
    ) -> Plan:
        snapshot, plan, table = ready
        if self._lake.snapshot() != snapshot:  # somebody wrote in between: look again
            _, plan, table = self._planned(bars, imported_at)
        if not plan.changes:
            return plan
        cursor.register("fresh", table)
        try:
            cursor.execute(
                "INSERT INTO lake.bars SELECT ?, ?, * FROM fresh", [bars.symbol, bars.timeframe]
            )
        finally:
            cursor.unregister("fresh")
        counts = {"added": plan.added, "revised": plan.revised, "unchanged": plan.unchanged}
        self._lake.annotate(cursor, canonical_json({"import": row | counts}))
        return plan

    def delete(self, symbol: str, timeframe: str, *, reason: str, at: int) -> int:
        """Take all stored bars out of later reads; the number of rows, revisions included.

        Snapshots from before still hold them, and an import brings them back.

        Raises
        ------
        UsageError
            As `read`, or no reason (E_REASON).
        """
        key = (symbol, timeframe)
        self._holdings.get(*key)
        if not reason.strip():
            raise UsageError(
                f"Bars are deleted for a reason – none was given for {symbol} {timeframe} – say "
                "why, it is kept with the lake's snapshot.",
                code="E_REASON",
            )
        rows = self._lake.write(lambda cursor: self._delete(cursor, key, reason.strip(), at))
        self._holdings.sync()
        return rows

    def _delete(
        self, cursor: duckdb.DuckDBPyConnection, key: Key, reason: str, at: int
    ) -> int:  # fmt: skip
        sql = "DELETE FROM lake.bars WHERE symbol = ? AND timeframe = ?"
        found = cursor.execute(sql, list(key)).fetchone()
        rows = int(found[0]) if found else 0
        said = {"deleted_at": at, "symbol": key[0], "timeframe": key[1], "rows": rows}
        self._lake.annotate(cursor, canonical_json({"delete": said | {"reason": reason}}))
        return rows

    # -- reading ---------------------------------------------------------------------------

    def read(
        self,
        symbol: str,
        timeframe: str,
        *,
        start: Any = None,
        end: Any = None,
        known_at: Any = None,
        snapshot: int | None = None,
    ) -> Bars:
        """Bars with `start <= time < end`, each in the latest revision known at `known_at`.

        Parameters
        ----------
        start, end, known_at
            Instants: int64 ns, ISO text with zone, or Timestamp; None leaves that side open.
        snapshot
            The lake as it was at this snapshot; None is the latest.

        Raises
        ------
        UsageError
            Unknown symbol (E_SYMBOL), no bars of this timeframe (E_NO_BARS), unknown snapshot.
        HashMismatch
            A file that is not as it was written.
        """
        source, held = self._holdings.source(symbol, timeframe)
        limits = {"time >=": start, "time <": end, "available_at <=": known_at}
        given = {k: to_timestamp(v).value for k, v in limits.items() if v is not None}
        if known_at is None and snapshot is None:
            return self._newest((symbol, timeframe), source, held, given)
        return self._load((symbol, timeframe), source, held, given, snapshot)

    def derived_from(self, symbol: str, timeframe: str) -> str | None:
        """The stored timeframe that these bars are made of; None where they are stored."""
        source, _ = self._holdings.source(symbol, timeframe)
        return None if source == timeframe else source

    def _load(
        self, key: Key, source: str, held: Holding, limits: dict[str, int], snapshot: int | None
    ) -> Bars:
        if source == key[1]:
            return self._fetch(key, limits, snapshot).bars(*key)
        finer = (key[0], source)
        return coarser_bars(
            lambda wide: self._fetch(finer, wide, snapshot).bars(*finer), key[1],
            self.market_of(key[0]), limits, held if snapshot is None else None,
        )  # fmt: skip

    def _newest(self, key: Key, source: str, held: Holding, limits: dict[str, int]) -> Bars:
        """Bars in their latest revision, from memory where they were read since the last write."""
        start, end = limits.get("time >="), limits.get("time <")
        if end is not None and end > held.last:
            end = None
        found = self._held.find(key, held.snapshot, start, end)
        if found is not None:
            self._lake.check((key[0], source))
            return found
        bars = self._load(key, source, held, limits, None)
        if end is None:
            self._held.keep(key, held.snapshot, start, bars)
        return bars

    def tail(self, symbol: str, timeframe: str, count: int, *, known_at: Any = None) -> Bars:
        """The last `count` bars (fewer if there are fewer), found by a time bound, not by sorting.

        Raises
        ------
        UsageError
            As `read`.
        """
        source, held = self._holdings.source(symbol, timeframe)
        if known_at is None:
            hot = self._hot((symbol, timeframe), source, held, count)
            if hot is not None:
                return hot
        reach = 2 * count * timeframe_width(timeframe)
        newest = held.last if known_at is None else min(held.last, to_timestamp(known_at).value)
        while True:
            start = newest - reach
            bars = self.read(symbol, timeframe, start=start, known_at=known_at)
            if len(bars) >= count or start <= held.first:
                return bars.take(slice(max(0, len(bars) - count), None))
            reach *= 4

    def _hot(self, key: Key, source: str, held: Holding, count: int) -> Bars | None:
        found = self._held.tail(key, held.snapshot, count)
        if found is not None:
            self._lake.check((key[0], source))
        return found

    def tails(self, keys: Sequence[Key], count: int) -> list[Bars]:
        """The last `count` bars of many (symbol, timeframe): as `tail` of each, in one statement.

        Raises
        ------
        UsageError
            As `read`.
        """
        found: dict[Key, Bars] = {}
        cold: dict[Key, Holding] = {}
        for key in dict.fromkeys(keys):
            source, held = self._holdings.source(*key)
            hot = self._hot(key, source, held, count)
            if hot is not None:
                found[key] = hot
            elif source == key[1]:
                cold[key] = held
        for key, start, bars in cold_tails(self._lake, cold, count) if cold else ():
            self._held.keep(key, cold[key].snapshot, start, bars)
            if len(bars) >= count or start <= cold[key].first:
                found[key] = bars.take(slice(max(0, len(bars) - count), None))
        return [found[key] if key in found else self.tail(*key, count) for key in keys]

    def revision_instants(self, symbol: str, timeframe: str) -> Array:
        """The instants at which stored values changed: int64 ns, rising, distinct."""
        key = (symbol, self._holdings.source(symbol, timeframe)[0])
        if not self._holdings.get(*key).revised:
            return np.empty(0, dtype=np.int64)
        table = self._lake.table(
            "SELECT DISTINCT epoch_ns(available_at) FROM lake.bars WHERE symbol = ? AND "
            "timeframe = ? AND revision > 0 ORDER BY 1",
            list(key),
            part=key,
        )
        return np.array(table.column(0).to_numpy(), dtype=np.int64)

    def revisions(self, symbol: str, timeframe: str) -> pd.DataFrame:
        """Every value that was restated, by time: old and new values, since when, by which import.

        Columns as `market.revisions.changed_values` has them; times datetime64[ns, UTC].
        """
        key = (symbol, self._holdings.source(symbol, timeframe)[0])
        table = self._lake.table(
            f"SELECT {_COLUMNS}, snapshot_id FROM lake.bars WHERE symbol = ? AND timeframe = ? "  # noqa: S608
            "AND time IN (SELECT time FROM lake.bars WHERE symbol = ? AND timeframe = ? "
            "AND revision > 0) ORDER BY time, revision",
            [*key, *key],
            part=key,
        )
        return changed_values(table, self._holdings.sources(*key))

    def last(self, symbol: str, timeframe: str) -> tuple[int, int, int]:
        """(bars, last bar's time, snapshot of the last change): a mark that costs microseconds.

        Of bars that are made of finer ones, the finer ones are counted.
        """
        source, held = self._holdings.source(symbol, timeframe)
        if source == timeframe:
            return held.rows, held.last, held.snapshot
        newest = self.tail(symbol, timeframe, 1).time
        return held.rows, int(newest[-1]) if len(newest) else held.last, held.snapshot

    def pin(self, symbol: str, timeframe: str) -> int:
        """The snapshot of the last change to these bars, or to finer ones of the symbol."""
        held = [self._holdings.source(symbol, timeframe)[0]]
        held += self._holdings.finer(symbol, timeframe)
        return max(self._holdings.get(symbol, name).snapshot for name in held)

    def finer(self, symbol: str, timeframe: str, *, snapshot: int | None = None) -> Finer:
        """Reads, when called, the symbol's finer bars inside some bars of `timeframe`.

        It takes the starts of these bars (int64 ns) and their width; the finest bars come first.
        """

        def inside(starts: Array, width: int) -> tuple[Bars, ...]:
            names = self._holdings.finer(symbol, timeframe) if len(starts) else ()
            return tuple(self._inside((symbol, n), starts, width, snapshot) for n in names)

        return inside

    def _inside(self, key: Key, starts: Array, width: int, snapshot: int | None) -> Bars:
        limits = {"time >=": int(starts.min()), "time <": int(starts.max()) + width}
        covered = (
            "EXISTS (SELECT 1 FROM (SELECT unnest(?::BIGINT[]) AS start) AS asked "
            "WHERE epoch_ns(time) >= start AND epoch_ns(time) < start + ?)"
        )
        stored = self._fetch(key, limits, snapshot, covered, [starts.tolist(), width])
        return stored.bars(*key)

    def symbols(self) -> pd.DataFrame:
        """One row per symbol and timeframe.

        Columns `symbol timeframe market rows first last revisions source simulated`; `first` and
        `last` are datetime64[ns, UTC].
        """
        return self._holdings.frame()

    def market_of(self, symbol: str) -> Market:
        """The market `symbol` belongs to: the settings' word, then the import's.

        Raises
        ------
        UsageError
            A symbol without bars (E_SYMBOL).
        """
        return self._holdings.market_of(symbol)

    def market_name(self, symbol: str) -> str | None:
        """The name of the market `symbol` belongs to; None as long as nothing says so."""
        return self._holdings.market_name(symbol)

    def set_market(self, symbol: str, market: str, *, at: int = 0) -> None:
        """Let `symbol` belong to `market` from now on (`at`, int64 ns)."""
        self._holdings.assign(
            check_symbol(symbol), self._settings.market(market), at, only_new=False
        )

    def _fetch(
        self, key: Key, limits: dict[str, int], snapshot: int | None, more: str = "",
        given: Sequence[Any] = (),
    ) -> Stored:  # fmt: skip
        where = [f"{name} make_timestamp_ns(?)" for name in limits] + [more] * bool(more)
        at = f"AT (VERSION => {self._known_snapshot(snapshot)})" if snapshot is not None else ""
        table = self._lake.table(
            f"SELECT {_COLUMNS} FROM lake.bars {at} WHERE "  # noqa: S608
            + " AND ".join(["symbol = ?", "timeframe = ?", *where]),
            [*key, *limits.values(), *given],
            part=key,
        )
        return Stored.latest(table)

    def _known_snapshot(self, snapshot: int) -> int:
        newest = self._lake.snapshot()
        if not 1 <= snapshot <= newest:
            raise UsageError(
                f"A snapshot of the lake is a number from 1 to {newest} – {snapshot} was given – "
                "take it from a model's card or an import's report.",
                code="E_SNAPSHOT",
            )
        return int(snapshot)
