"""The store of bars: appended all or nothing, revised without loss, read at any past instant.

Times the store has not seen are added; a bar whose values differ from the stored ones becomes a
new revision that was available from the moment it was imported, and both stay. Every import is one
lake snapshot whose note carries the import's row, so that bars and the record of where they came
from can never part: `imports` in `hub.sqlite` is copied from those notes.
"""

from __future__ import annotations

import difflib
import json
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from mlcore.clock import to_timestamp
from mlcore.config import Market, Settings
from mlcore.errors import BarsError, UsageError
from mlcore.market.membership import suggest_market
from mlcore.market.revisions import Plan, Stored, plan_changes
from mlcore.market.soundness import first_fault
from mlcore.schema import Bars, check_symbol, timeframe_width
from mlcore.store import HubDB, Lake, canonical_json

__all__ = ["BarStore", "ImportReport"]

Array = np.ndarray[Any, Any]
_COLUMNS = "epoch_ns(time), open, high, low, close, volume, epoch_ns(available_at), revision"
_IMPORT = (
    "imported_at", "symbol", "timeframe", "source", "sha256", "options", "read", "added", "revised",
    "unchanged", "first", "last", "notes",
)  # fmt: skip
_MARKS = """
SELECT i.id, i.symbol, i.timeframe, m.added, m.revised, m.first, m.last, m.snapshot, i.source
FROM imports i JOIN (
  SELECT max(id) AS id, sum(added) AS added, sum(revised) AS revised, min(first) AS first,
         max(last) AS last, max(snapshot) AS snapshot
  FROM imports WHERE id > ? GROUP BY symbol, timeframe
) m ON m.id = i.id
"""


@dataclass(frozen=True)
class ImportReport:
    """What an import did: bars read, added, revised, unchanged; instants are int64 ns or None."""

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


@dataclass(frozen=True)
class _Mark:
    """What is known of one symbol and timeframe without asking the lake."""

    rows: int
    revised: int
    first: int
    last: int
    snapshot: int
    source: str

    def then(self, later: _Mark) -> _Mark:
        return _Mark(
            self.rows + later.rows, self.revised + later.revised, min(self.first, later.first),
            max(self.last, later.last), later.snapshot, later.source,
        )  # fmt: skip


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
        self._lake, self._db, self._settings = lake, db, settings
        self._guard = threading.Lock()
        self._marks: dict[tuple[str, str], _Mark] = {}
        self._folded = 0
        self._seen = -1

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
        market, notes = self._chosen(bars, options)
        self._check(bars, market)
        kept = canonical_json(options)
        if sha256 and self._is_repeated(bars, sha256, kept):
            return self._unchanged(bars, ("this source was imported before",))
        ready = self._planned(bars, imported_at)
        if not ready[1].changes:
            self._set(bars.symbol, market, imported_at, only_new=not options.get("market"))
            return self._unchanged(bars, notes)
        row = {
            "imported_at": imported_at, "symbol": bars.symbol, "timeframe": bars.timeframe,
            "source": source, "sha256": sha256, "options": kept, "read": len(bars),
            "first": int(bars.time[0]), "last": int(bars.time[-1]), "notes": canonical_json(notes),
            "market": market.name, "explicit": bool(options.get("market")),
        }  # fmt: skip
        plan = self._lake.write(lambda cursor: self._write(cursor, bars, imported_at, ready, row))
        self._sync()
        report = self._unchanged(bars, notes)
        return replace(report, added=plan.added, revised=plan.revised, unchanged=plan.unchanged)

    def _check(self, bars: Bars, market: Market) -> None:
        check_symbol(bars.symbol)
        timeframe_width(bars.timeframe)
        if not len(bars):
            raise BarsError(
                f"An import holds at least one bar – {bars.symbol} {bars.timeframe} has none – "
                "choose another source.",
                code="E_BARS_EMPTY",
            )
        values = {c: getattr(bars.checked(), c) for c in ("open", "high", "low", "close", "volume")}
        fault = first_fault(values, negative_prices=market.negative_prices)
        if fault:
            at = pd.Timestamp(int(bars.time[fault.row]), tz="UTC").isoformat()
            raise BarsError(
                f"{fault.rule} – {bars.symbol} {bars.timeframe} at {at} has {fault.given} – mend "
                "or leave out that bar; nothing was imported.",
                code=fault.code,
                details={"row": fault.row, "rows": fault.rows},
            )

    def _is_repeated(self, bars: Bars, sha256: str, options: str) -> bool:
        self._sync()
        found = self._db.one(
            "SELECT 1 FROM imports WHERE symbol = ? AND timeframe = ? AND sha256 = ? "
            "AND options = ?",
            (bars.symbol, bars.timeframe, sha256, options),
        )
        return found is not None

    def _unchanged(self, bars: Bars, notes: tuple[str, ...]) -> ImportReport:
        return ImportReport(
            bars.symbol, bars.timeframe, read=len(bars), added=0, revised=0, unchanged=len(bars),
            first=int(bars.time[0]), last=int(bars.time[-1]), snapshot=self._lake.snapshot(),
            notes=notes,
        )  # fmt: skip

    def _planned(self, bars: Bars, imported_at: int) -> tuple[int, Plan]:
        """The lake's snapshot, and what `bars` change in it; made outside the lock."""
        snapshot = self._lake.snapshot()
        key = (bars.symbol, bars.timeframe)
        self._sync()
        span = (int(bars.time[0]), int(bars.time[-1]))
        stored = self._stored(key, span) if key in self._marks else Stored.empty()
        return snapshot, plan_changes(bars, stored, imported_at)

    def _write(
        self,
        cursor: duckdb.DuckDBPyConnection,
        bars: Bars,
        imported_at: int,
        ready: tuple[int, Plan],
        row: dict[str, Any],
    ) -> Plan:
        snapshot, plan = ready
        if self._lake.snapshot() != snapshot:  # somebody wrote in between: look again
            plan = self._planned(bars, imported_at)[1]
        if not plan.changes:
            return plan
        cursor.register("fresh", plan.table())
        try:
            cursor.execute(
                "INSERT INTO lake.bars SELECT ?, ?, * FROM fresh", [bars.symbol, bars.timeframe]
            )
        finally:
            cursor.unregister("fresh")
        counts = {"added": plan.added, "revised": plan.revised, "unchanged": plan.unchanged}
        self._lake.annotate(cursor, canonical_json({"import": row | counts}))
        return plan

    def _sync(self) -> None:
        """Copy imports that only the lake knows into hub.sqlite, then read the new ones.

        An import killed between the lake's commit and this copy is completed here, by whoever
        comes next.
        """
        snapshot = self._lake.snapshot()
        with self._guard:
            if snapshot == self._seen:
                return
            with self._db.transaction() as connection:
                known = connection.execute("SELECT max(snapshot) FROM imports").fetchone()[0]
                for number, note in self._lake.notes(after=known or 0):
                    self._record(connection, number, json.loads(note).get("import"))
            for row in self._db.query(_MARKS, (self._folded,)):
                self._fold(row)
            self._seen = snapshot

    def _record(self, connection: Any, snapshot: int, row: dict[str, Any] | None) -> None:
        if row is None:
            return
        names = ", ".join((*_IMPORT, "snapshot"))
        holes = ", ".join("?" * (len(_IMPORT) + 1))
        values = [*(row[name] for name in _IMPORT), snapshot]
        connection.execute(f"INSERT INTO imports ({names}) VALUES ({holes})", values)  # noqa: S608
        market = self._settings.markets.get(row["market"])
        if market:
            self._set(row["symbol"], market, row["imported_at"], only_new=not row["explicit"])

    def _fold(self, row: Any) -> None:
        key = (row["symbol"], row["timeframe"])
        mark = _Mark(
            row["added"], row["revised"], row["first"], row["last"], row["snapshot"], row["source"]
        )
        self._marks[key] = self._marks[key].then(mark) if key in self._marks else mark
        self._folded = max(self._folded, row["id"])

    # -- markets ---------------------------------------------------------------------------

    def _chosen(self, bars: Bars, options: dict[str, Any]) -> tuple[Market, tuple[str, ...]]:
        if options.get("market"):
            return self._settings.market(options["market"]), ()
        known = self._market_name(bars.symbol)
        if known:
            return self._settings.market(known), ()
        name = suggest_market(bars.symbol, self._settings.markets)
        note = f"market {name}, by the symbol's name; --market names another"
        return self._settings.market(name), (note,)

    def _market_name(self, symbol: str) -> str | None:
        if symbol in self._settings.symbols:
            return self._settings.symbols[symbol]
        row = self._db.one("SELECT market FROM symbols WHERE symbol = ?", (symbol,))
        return str(row["market"]) if row else None

    def _set(self, symbol: str, market: Market, at: int, *, only_new: bool) -> None:
        verb = "INSERT OR IGNORE" if only_new else "INSERT OR REPLACE"
        with self._db.transaction() as connection:
            connection.execute(
                f"{verb} INTO symbols (symbol, market, simulated, set_at) VALUES (?, ?, ?, ?)",
                (symbol, market.name, int(market.simulated), at),
            )

    def market_of(self, symbol: str) -> Market:
        """The market `symbol` belongs to: the settings' word, then the import's.

        Raises
        ------
        UsageError
            A symbol without bars (E_SYMBOL).
        """
        name = self._market_name(symbol)
        if name is None:
            raise self._unknown(symbol, None)
        return self._settings.market(name)

    def set_market(self, symbol: str, market: str, *, at: int = 0) -> None:
        """Let `symbol` belong to `market` from now on (`at`, int64 ns)."""
        self._set(check_symbol(symbol), self._settings.market(market), at, only_new=False)

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
        key = self._key(symbol, timeframe)
        limits = {
            "time >=": start, "time <": end, "available_at <=": known_at,
        }  # fmt: skip
        given = {k: to_timestamp(v).value for k, v in limits.items() if v is not None}
        return self._fetch(key, given, snapshot).bars(symbol, timeframe)

    def tail(self, symbol: str, timeframe: str, count: int, *, known_at: Any = None) -> Bars:
        """The last `count` bars (fewer if there are fewer), found by a time bound, not by sorting.

        Raises
        ------
        UsageError
            As `read`.
        """
        mark = self._marks[self._key(symbol, timeframe)]
        reach = 2 * count * timeframe_width(timeframe)
        newest = mark.last if known_at is None else min(mark.last, to_timestamp(known_at).value)
        while True:
            start = newest - reach
            bars = self.read(symbol, timeframe, start=start, known_at=known_at)
            if len(bars) >= count or start <= mark.first:
                return bars.take(slice(max(0, len(bars) - count), None))
            reach *= 4

    def revision_instants(self, symbol: str, timeframe: str) -> Array:
        """The instants at which stored values changed: int64 ns, rising, distinct."""
        key = self._key(symbol, timeframe)
        if not self._marks[key].revised:
            return np.empty(0, dtype=np.int64)
        rows = self._lake.cursor(part=key).execute(
            "SELECT DISTINCT epoch_ns(available_at) FROM lake.bars WHERE symbol = ? AND "
            "timeframe = ? AND revision > 0 ORDER BY 1",
            list(key),
        )
        return np.array([row[0] for row in rows.fetchall()], dtype=np.int64)

    def last(self, symbol: str, timeframe: str) -> tuple[int, int, int]:
        """(bars, last bar's time, snapshot of the last change): a mark that costs microseconds."""
        mark = self._marks[self._key(symbol, timeframe)]
        return mark.rows, mark.last, mark.snapshot

    def symbols(self) -> pd.DataFrame:
        """One row per symbol and timeframe: what there is, from when to when, and whence."""
        self._sync()
        rows = [self._listed(*key, mark) for key, mark in sorted(self._marks.items())]
        names = (
            "symbol", "timeframe", "market", "rows", "first", "last", "revisions", "source",
            "simulated",
        )  # fmt: skip
        frame = pd.DataFrame(rows, columns=list(names))
        for column in ("first", "last"):
            frame[column] = pd.to_datetime(frame[column].astype("int64"), utc=True)
        return frame

    def _listed(self, symbol: str, timeframe: str, mark: _Mark) -> tuple[Any, ...]:
        market = self.market_of(symbol)
        return (
            symbol, timeframe, market.name, mark.rows, mark.first, mark.last, mark.revised,
            mark.source, market.simulated,
        )  # fmt: skip

    def export(self, symbol: str, timeframe: str, path: Path | str) -> int:
        """Write the latest revision of every bar to a Parquet file; the number of bars."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        bars = self.read(symbol, timeframe)
        table = pa.Table.from_pandas(bars.frame(), preserve_index=False)
        target = Path(path)
        part = target.with_name(target.name + ".part")
        pq.write_table(table, part, compression="zstd")
        part.replace(target)
        return len(bars)

    def _key(self, symbol: str, timeframe: str) -> tuple[str, str]:
        check_symbol(symbol)
        timeframe_width(timeframe)
        self._sync()
        if (symbol, timeframe) not in self._marks:
            raise self._unknown(symbol, timeframe)
        return symbol, timeframe

    def _unknown(self, symbol: str, timeframe: str | None) -> UsageError:
        self._sync()
        have = sorted({s for s, _ in self._marks})
        frames = [t for s, t in sorted(self._marks) if s == symbol]
        if frames and timeframe:
            return UsageError(
                f"A symbol is asked for in a timeframe it has – {symbol} has {', '.join(frames)}, "
                f"{timeframe} was given – choose one of these or import {timeframe} bars.",
                code="E_NO_BARS",
                details={"known": frames},
            )
        near = difflib.get_close_matches(symbol, have, n=1)
        hint = f"Did you mean {near[0]}?" if near else "Import a file for it, or run demo."
        return UsageError(
            f"A symbol is one that was imported: {', '.join(have) or 'none yet'} – {symbol!r} was "
            f"given – {hint}",
            code="E_SYMBOL",
            details={"known": have},
        )

    def _stored(self, key: tuple[str, str], span: tuple[int, int]) -> Stored:
        return self._fetch(key, {"time >=": span[0], "time <=": span[1]}, None)

    def _fetch(self, key: tuple[str, str], limits: dict[str, int], snapshot: int | None) -> Stored:
        where = " AND ".join(f"{name} make_timestamp_ns(?)" for name in limits)
        at = f"AT (VERSION => {self._known_snapshot(snapshot)})" if snapshot is not None else ""
        rows = self._lake.cursor(part=key).execute(
            f"SELECT {_COLUMNS} FROM lake.bars {at} WHERE symbol = ? AND timeframe = ? "  # noqa: S608
            + (f"AND {where}" if where else ""),
            [*key, *limits.values()],
        )
        return Stored.latest(rows.to_arrow_table())

    def _known_snapshot(self, snapshot: int) -> int:
        newest = self._lake.snapshot()
        if not 1 <= snapshot <= newest:
            raise UsageError(
                f"A snapshot of the lake is a number from 1 to {newest} – {snapshot} was given – "
                "take it from a model's card or an import's report.",
                code="E_SNAPSHOT",
            )
        return int(snapshot)
