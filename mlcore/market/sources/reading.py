"""The rows of one or several files as arrays, in the order of the files, with their origin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from weakref import finalize

import duckdb
import numpy as np

from mlcore.clock import NAT
from mlcore.errors import BarsError
from mlcore.market.sources.columns import Roles, assign
from mlcore.market.sources.prices import PriceChoice, read_values
from mlcore.market.sources.sampling import LARGE_BYTES, sample_of
from mlcore.market.sources.stamps import Stamps, find_stamps
from mlcore.market.sources.tables import RawTable, open_table
from mlcore.market.sources.unpacking import unpacked

__all__ = ["Origin", "Reading", "Source", "open_files", "read_rows"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Source:
    """Opened files of one import: tables and the roles of their columns.

    `rows` counts those of all files where only pieces of them were opened; else it is None.
    """

    tables: tuple[RawTable, ...]
    roles: tuple[Roles, ...]
    rows: int | None = None

    @property
    def format(self) -> str:
        """The first file's format: csv, tsv, json, parquet, feather."""
        return self.tables[0].format


@dataclass(frozen=True)
class Origin:
    """Where each row of a reading stands: file and row number as an editor counts.

    `kept` are the places of the rows that are read, where some were left out.
    """

    names: tuple[str, ...]
    starts: tuple[int, ...]
    first_rows: tuple[int, ...]
    kept: Array | None = None

    def where(self, index: int) -> tuple[str, int]:
        """File name and row number of the row at `index`."""
        index = index if self.kept is None else int(self.kept[index])
        file = int(np.searchsorted(self.starts, index, side="right")) - 1
        return self.names[file], self.first_rows[file] + index - self.starts[file]

    def shown(self, index: int) -> str:
        """The same in words: `spy.csv row 17`."""
        name, row = self.where(index)
        return f"{name} row {row}"


@dataclass(frozen=True)
class Reading:
    """Rows as they stand in the files.

    `stamp` is int64 ns on the wall, of the date or UTC as `stamps.kind` says; `values` are the
    float64 arrays open high low close volume.
    """

    source: Source
    stamps: Stamps
    stamp: Array
    values: dict[str, Array]
    origin: Origin
    notes: tuple[str, ...]


def _connected() -> duckdb.DuckDBPyConnection:
    """A database in memory that loads nothing from outside; its memory goes with it."""
    config: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "threads": 2,
    }
    return duckdb.connect(config=config)


@cache
def _database() -> duckdb.DuckDBPyConnection:
    """One for every small import of this process: to connect costs more than to read."""
    return _connected()


def open_files(
    paths: Sequence[Path], columns: Mapping[str, str] | None, member: str | None = None, *,
    pieces: bool = False,
) -> Source:  # fmt: skip
    """Formats, delimiters and columns of the files; nothing but their first rows is read.

    Parameters
    ----------
    pieces
        Whether some pieces of a large text file will do.

    Raises
    ------
    BarsError
        A file that is no table of bars, or an archive of several contracts without `member`.
    """
    size = sum(path.stat().st_size for path in paths)
    connection = _database().cursor() if size < LARGE_BYTES else _connected()
    connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
    scratch = mkdtemp(prefix="openrange-")
    remove = partial(rmtree, scratch, ignore_errors=True)
    try:
        plain = unpacked(paths, Path(scratch), member)
        tables = tuple(open_table(connection, path, i) for i, path in enumerate(plain))
        rows = None
        if pieces and len(tables) == 1 and _is_large(tables[0]):
            tables, rows = _pieces(connection, tables[0], Path(scratch) / "pieces")
        source = Source(tables, tuple(assign(table, columns) for table in tables), rows)
    except BaseException:
        remove()
        raise
    finalize(source, remove)  # what was unpacked is there as long as the source
    return source


def _is_large(table: RawTable) -> bool:
    return bool(table.delimiter) and table.path.stat().st_size >= LARGE_BYTES


def _pieces(
    connection: duckdb.DuckDBPyConnection, table: RawTable, scratch: Path
) -> tuple[tuple[RawTable, ...], int]:
    """Tables of a large file's pieces, with its own row numbers, and how many rows it has."""
    found, lines = sample_of(table.path, scratch, table.first_row - 1)
    opened = []
    for i, piece in enumerate(found):
        part = open_table(connection, piece.path, i)
        opened.append(replace(part, first_row=part.first_row + piece.rows_before))
    return tuple(opened), lines - (table.first_row - 1)


def read_rows(source: Source, choice: PriceChoice) -> Reading:
    """Every row of the files; the formats of their times must be of one kind.

    Raises
    ------
    BarsError
        A time that cannot be read (E_BARS_STAMP), files of several kinds (E_BARS_KIND), several
        symbols (E_BARS_SYMBOLS), or what `find_stamps` and `read_values` raise.
    """
    stamps = find_stamps(source.tables, source.roles)
    if len({s.kind for s in stamps}) > 1:
        raise BarsError(
            "Files imported together write their times in one way – "
            f"{' and '.join(sorted({s.shown for s in stamps}))} were given – import them apart.",
            code="E_BARS_KIND",
        )
    parts, notes = [], []
    for table, roles, how in zip(source.tables, source.roles, stamps, strict=True):
        _refuse_several(table, roles)
        part, said = read_values(table, roles, how.sql, choice)
        parts.append(part)
        notes += said
    starts = np.cumsum([0, *(len(part["stamp"]) for part in parts)])
    origin = Origin(
        tuple(t.path.name for t in source.tables), tuple(int(s) for s in starts[:-1]),
        tuple(t.first_row for t in source.tables),
    )  # fmt: skip
    joined = {k: _joined([part[k] for part in parts]) for k in parts[0]}
    _refuse_unread(joined["stamp"], origin)
    joined, origin, left_out = _without_empty(joined, origin)
    told = (*_counted(notes, len(parts)), *left_out)
    return Reading(source, stamps[0], joined.pop("stamp"), joined, origin, told)


def _without_empty(
    joined: dict[str, Array], origin: Origin
) -> tuple[dict[str, Array], Origin, tuple[str, ...]]:
    """The rows that have a price; a day that was written without any is no bar, and is said."""
    empty = np.isnan(joined["open"])
    if empty.any():
        empty &= np.isnan(joined["high"]) & np.isnan(joined["low"]) & np.isnan(joined["close"])
    if not empty.any() or empty.all() or 2 * int(empty.sum()) > len(empty):
        return joined, origin, ()
    kept = np.flatnonzero(~empty)
    first = origin.shown(int(np.argmax(empty)))
    said = f"{int(empty.sum())} rows have no price at all: left out, {first} first"
    return {k: v[kept] for k, v in joined.items()}, replace(origin, kept=kept), (said,)


def _counted(notes: list[str], files: int) -> tuple[str, ...]:
    """Each note once; one that holds for some files only says for how many."""
    counts = {note: notes.count(note) for note in notes}
    return tuple(
        note if n == files else f"{note} (in {n} of {files} files)" for note, n in counts.items()
    )


def _joined(arrays: list[Array]) -> Array:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _refuse_several(table: RawTable, roles: Roles) -> None:
    if roles.symbol is None:
        return
    low, high = table.extremes(f"min(c{roles.symbol}), max(c{roles.symbol})")
    if low != high:
        raise BarsError(
            f"A file holds one symbol – {table.path.name} has {low!a} and {high!a} – "
            "split it; nothing was imported.",
            code="E_BARS_SYMBOLS",
        )


def _refuse_unread(stamp: Array, origin: Origin) -> None:
    bad = stamp == NAT
    if bad.any():
        name, row = origin.where(int(np.argmax(bad)))
        raise BarsError(
            f"Every row has a time in the format of the first – {name} row {row} has none that "
            f"can be read ({int(bad.sum())} such rows) – mend or remove it; nothing was imported.",
            code="E_BARS_STAMP",
            details={"file": name, "row": row, "rows": int(bad.sum())},
        )
