"""What a home holds: which symbols and timeframes, from which imports, in which markets.

The lake's snapshot notes are the truth about imports; `imports` in `hub.sqlite` is their copy, and
a small table in memory sums it up, so that asking how fresh a symbol is costs microseconds.
"""

from __future__ import annotations

import difflib
import json
import threading
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlcore.config import Market, Settings
from mlcore.errors import UsageError
from mlcore.market.membership import suggest_market
from mlcore.schema import check_symbol, timeframe_width
from mlcore.store import HubDB, Lake

__all__ = ["Holding", "Holdings"]

Key = tuple[str, str]
_IMPORT = (
    "imported_at", "symbol", "timeframe", "source", "sha256", "options", "read", "added", "revised",
    "unchanged", "first", "last", "notes",
)  # fmt: skip
_DELETION = ("deleted_at", "symbol", "timeframe", "rows", "reason")
_SUMS = """
SELECT i.id, i.symbol, i.timeframe, m.added, m.revised, m.first, m.last, m.snapshot, i.source
FROM imports i JOIN (
  SELECT max(id) AS id, sum(added) AS added, sum(revised) AS revised, min(first) AS first,
         max(last) AS last, max(snapshot) AS snapshot
  FROM imports k WHERE id > ? AND snapshot > (
    SELECT coalesce(max(d.snapshot), 0) FROM deletions d
    WHERE d.symbol = k.symbol AND d.timeframe = k.timeframe
  ) GROUP BY symbol, timeframe
) m ON m.id = i.id
"""
_KNOWN = """
SELECT max((SELECT coalesce(max(snapshot), 0) FROM imports),
           (SELECT coalesce(max(snapshot), 0) FROM deletions))
"""


_LISTED = ("symbol", "timeframe", "market", "rows", "first", "last", "revisions", "source")


@dataclass(frozen=True)
class Holding:
    """What is known of one symbol and timeframe without asking the lake; int64 ns instants."""

    rows: int
    revised: int
    first: int
    last: int
    snapshot: int
    source: str

    def then(self, later: Holding) -> Holding:
        """The sum of what was held and what came later."""
        return Holding(
            self.rows + later.rows, self.revised + later.revised, min(self.first, later.first),
            max(self.last, later.last), later.snapshot, later.source,
        )  # fmt: skip


class Holdings:
    """Symbols, imports and markets of one home; safe between threads.

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
        self._held: dict[Key, Holding] = {}
        self._folded = self._deleted = 0
        self._seen = -1
        self._framed: tuple[int, dict[str, str], pd.DataFrame] | None = None

    def find(self, symbol: str, timeframe: str) -> Holding | None:
        """What is held of `symbol` in `timeframe`; None if nothing."""
        self.sync()
        return self._held.get((symbol, timeframe))

    def get(self, symbol: str, timeframe: str) -> Holding:
        """What is held of `symbol` in `timeframe`.

        Raises
        ------
        UsageError
            Unknown symbol (E_SYMBOL), or one without bars of this timeframe (E_NO_BARS).
        """
        check_symbol(symbol)
        timeframe_width(timeframe)
        found = self.find(symbol, timeframe)
        if found is None:
            raise self._unknown(symbol, timeframe)
        return found

    def source(self, symbol: str, timeframe: str) -> tuple[str, Holding]:
        """The timeframe that `timeframe` is read from, itself where it is held, and its holding.

        A timeframe that is not held is made of the finest held one that divides it.

        Raises
        ------
        UsageError
            As `get`.
        """
        finer = () if self.find(symbol, timeframe) else self.finer(symbol, timeframe)
        found = finer[0] if finer else timeframe
        return found, self.get(symbol, found)

    def finer(self, symbol: str, timeframe: str) -> tuple[str, ...]:
        """Timeframes held of `symbol` that divide `timeframe` into parts, the finest first."""
        self.sync()
        width = timeframe_width(timeframe)
        held = [(timeframe_width(t), t) for s, t in self._held if s == symbol]
        return tuple(t for part, t in sorted(held) if part < width and width % part == 0)

    def has_import(self, symbol: str, timeframe: str, sha256: str, options: str) -> bool:
        """Whether a source of this hash was imported with these options."""
        self.sync()
        found = self._db.one(
            "SELECT 1 FROM imports WHERE symbol = ? AND timeframe = ? AND sha256 = ? "
            "AND options = ? AND snapshot > (SELECT coalesce(max(snapshot), 0) FROM deletions "
            "WHERE symbol = ? AND timeframe = ?)",
            (symbol, timeframe, sha256, options, symbol, timeframe),
        )
        return found is not None

    def sources(self, symbol: str, timeframe: str) -> dict[int, str]:
        """Where each snapshot's bars came from."""
        rows = self._db.query(
            "SELECT snapshot, source FROM imports WHERE symbol = ? AND timeframe = ?",
            (symbol, timeframe),
        )
        return {row["snapshot"]: row["source"] for row in rows}

    def sync(self) -> None:
        """Copy imports that only the lake knows into hub.sqlite, then read the new ones.

        An import killed between the lake's commit and this copy is completed here, by whoever
        comes next.
        """
        snapshot = self._lake.snapshot()
        with self._guard:
            if snapshot == self._seen:
                return
            with self._db.transaction() as connection:
                known = connection.execute(_KNOWN).fetchone()[0]
                for number, note in self._lake.notes(after=known):
                    self._record(connection, number, json.loads(note))
            self._forget()
            for row in self._db.query(_SUMS, (self._folded,)):
                self._fold(row)
            self._seen = snapshot

    def _forget(self) -> None:
        """Sum up everything anew where somebody deleted since."""
        found = self._db.one("SELECT coalesce(max(snapshot), 0) AS last FROM deletions")
        last = int(found["last"]) if found else 0
        if last != self._deleted:
            self._held, self._folded, self._deleted = {}, 0, last

    def _record(self, connection: Any, snapshot: int, note: dict[str, Any]) -> None:
        if "delete" in note:
            gone = note["delete"]
            values = [snapshot, *(gone[name] for name in _DELETION)]
            connection.execute("INSERT INTO deletions VALUES (?, ?, ?, ?, ?, ?)", values)
        if "import" not in note:
            return
        row = note["import"]
        names = ", ".join((*_IMPORT, "snapshot"))
        holes = ", ".join("?" * (len(_IMPORT) + 1))
        values = [*(row[name] for name in _IMPORT), snapshot]
        connection.execute(f"INSERT INTO imports ({names}) VALUES ({holes})", values)  # noqa: S608
        market = self._settings.markets.get(row["market"])
        if market:
            self.assign(row["symbol"], market, row["imported_at"], only_new=not row["explicit"])

    def _fold(self, row: Any) -> None:
        key = (row["symbol"], row["timeframe"])
        mark = Holding(
            row["added"], row["revised"], row["first"], row["last"], row["snapshot"], row["source"]
        )
        self._held[key] = self._held[key].then(mark) if key in self._held else mark
        self._folded = max(self._folded, row["id"])

    def market_name(self, symbol: str) -> str | None:
        """The name of the market `symbol` belongs to, if anything says so."""
        if symbol in self._settings.symbols:
            return self._settings.symbols[symbol]
        row = self._db.one("SELECT market FROM symbols WHERE symbol = ?", (symbol,))
        return str(row["market"]) if row else None

    def chosen(self, symbol: str, given: str | None) -> tuple[Market, tuple[str, ...]]:
        """The market of a symbol being imported: given, known, or suggested with a note."""
        name = given or self.market_name(symbol)
        if name:
            return self._settings.market(name), ()
        name = suggest_market(symbol, self._settings.markets)
        note = f"market {name}, by the symbol's name; --market names another"
        return self._settings.market(name), (note,)

    def assign(self, symbol: str, market: Market, at: int, *, only_new: bool) -> None:
        """Write down that `symbol` belongs to `market`; `only_new` leaves an earlier word alone."""
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
        name = self.market_name(symbol)
        if name is None:
            raise self._unknown(symbol, None)
        return self._settings.market(name)

    def frame(self) -> pd.DataFrame:
        """One row per symbol and timeframe: what there is, from when to when, and whence."""
        self.sync()
        stored = self._db.query("SELECT symbol, market FROM symbols")
        names = {row["symbol"]: row["market"] for row in stored} | self._settings.symbols
        if self._framed is None or self._framed[:2] != (self._seen, names):
            self._framed = (self._seen, names, self._frame(names))
        return self._framed[2].copy()

    def _frame(self, names: dict[str, str]) -> pd.DataFrame:
        rows = [
            (*key, names[key[0]], held.rows, held.first, held.last, held.revised, held.source)
            for key, held in sorted(self._held.items())
        ]
        frame = pd.DataFrame(rows, columns=list(_LISTED))
        for column in ("first", "last"):
            frame[column] = pd.to_datetime(frame[column].astype("int64"), utc=True)
        simulated = {name: m.simulated for name, m in self._settings.markets.items()}
        frame["simulated"] = frame["market"].map(simulated).fillna(False).astype(bool)
        return frame

    def _unknown(self, symbol: str, timeframe: str | None) -> UsageError:
        self.sync()
        have = sorted({s for s, _ in self._held})
        frames = [t for s, t in sorted(self._held) if s == symbol]
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
