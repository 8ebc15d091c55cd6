"""A file as a table of unnamed columns: delimiter, header and types found, read by DuckDB.

Text columns stay text until somebody says what they mean; numbers are parsed by DuckDB, so that a
value that is no number is an error with its row, never a silent NaN.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from mlcore.errors import BarsError
from mlcore.market.sources.files import format_of
from mlcore.market.sources.records import read_records

__all__ = ["RawTable", "open_table"]

Array = np.ndarray[Any, Any]
_SAMPLE_BYTES = 1 << 16
_DELIMITERS = (",", "\t", ";", "|")
_MISSING = ("", "NA", "N/A", "n/a", "null", "NULL", "None", "-")
_WORDS = frozenset(
    "time date datetime timestamp open high low close last volume vol tickvol o h l c v open_time "
    "close_time bid ask".split()
)


_SEP = re.compile(r"\s*sep=", re.I)


@dataclass(frozen=True)
class RawTable:
    """Columns by position of one file.

    `names` are the file's own ("" where it has none), `types` DuckDB's, `first_row` the number a
    reader would give the first row of data, `source` what stands after FROM, for text
    as far as the options that are the same for every reading.
    """

    connection: duckdb.DuckDBPyConnection
    path: Path
    format: str
    names: tuple[str, ...]
    types: tuple[str, ...]
    first_row: int
    delimiter: str = ""
    source: str = ""

    def sample(self, rows: int = 200) -> dict[int, list[str]]:
        """The first rows of every column as text; missing values are empty."""
        texts = ", ".join(f"COALESCE(CAST(c{i} AS VARCHAR), '')" for i in range(len(self.names)))
        sql = f"SELECT {texts} FROM {self._from(())} LIMIT {rows}"  # noqa: S608
        found = self._run(sql).to_pylist()
        values = [list(row.values()) for row in found]
        return {i: [row[i] for row in values] for i in range(len(self.names))}

    def fetch(self, expressions: Mapping[str, str], numbers: Mapping[str, int]) -> dict[str, Array]:
        """Whole columns: SQL `expressions` over c0, c1 …, and `numbers` as float64 (NaN missing).

        Raises
        ------
        BarsError
            A row with another number of fields (E_BARS_ROW), a value that is no number
            (E_BARS_VALUE), with file and row.
        """
        parts = [f"{sql} AS {name}" for name, sql in expressions.items()]
        parts += [f"CAST(c{i} AS DOUBLE) AS {name}" for name, i in numbers.items()]
        typed = tuple(numbers.values())
        try:
            return self._arrays(parts, self._from(typed, missing=("",)))
        except duckdb.ConversionException:
            pass  # words for a missing value cost a sixth of the time: looked for when needed
        try:
            return self._arrays(parts, self._from(typed))
        except duckdb.ConversionException as error:
            raise self._unreadable(numbers) from error

    def _arrays(self, parts: list[str], source: str) -> dict[str, Array]:
        try:
            sql = f"SELECT {', '.join(parts)} FROM {source}"  # noqa: S608
            found = self.connection.execute(sql).fetchnumpy()
        except duckdb.InvalidInputException as error:
            raise _ragged(self.path, str(error)) from error
        except duckdb.ConversionException:
            raise
        except duckdb.Error as error:
            raise _unread(self.path) from error
        return {k: np.ma.filled(v, np.nan) for k, v in found.items()}

    def extremes(self, sql: str) -> tuple[Any, ...]:
        """One row of aggregates over the file's text columns."""
        table = self._run(f"SELECT {sql} FROM {self._from(())}")  # noqa: S608
        return tuple(column[0].as_py() for column in table.columns)

    def _from(self, numbers: tuple[int, ...], missing: tuple[str, ...] = _MISSING) -> str:
        if not self.delimiter:
            return self.source
        kinds = ("DOUBLE" if i in numbers else "VARCHAR" for i in range(len(self.names)))
        columns = ", ".join(f"'c{i}': '{kind}'" for i, kind in enumerate(kinds))
        words = ", ".join(f"'{word}'" for word in missing)
        return f"{self.source}, nullstr=[{words}], columns={{{columns}}})"

    def _run(self, sql: str) -> Any:
        try:
            return self.connection.execute(sql).to_arrow_table()
        except duckdb.InvalidInputException as error:
            raise _ragged(self.path, str(error)) from error
        except duckdb.Error as error:
            raise _unread(self.path) from error

    def _unreadable(self, numbers: Mapping[str, int]) -> BarsError:
        source = self._from(())
        for name, i in numbers.items():
            sql = (
                f"SELECT n, v FROM (SELECT row_number() OVER () AS n, c{i} AS v FROM {source}) "  # noqa: S608
                "WHERE v IS NOT NULL AND TRY_CAST(v AS DOUBLE) IS NULL ORDER BY n LIMIT 1"
            )
            found = self._run(sql).to_pylist()
            if found:
                row, value = self.first_row + found[0]["n"] - 1, found[0]["v"]
                return _no_number(self.path, row, name.replace("_", " "), value)
        return _unread(self.path)


def _no_number(path: Path, row: int, name: str, value: str) -> BarsError:
    by_comma = re.fullmatch(r"\s*[-+]?[\d.,' ]*,[\d.,' ]*\s*", value)
    cure = "mend or remove that row"
    if by_comma:
        cure = "write numbers with a point and without a mark of thousands"
    return BarsError(
        f"A bar's {name} is a number – {path.name} row {row} has {ascii(value)[:40]} – {cure}; "
        "nothing was imported.",
        code="E_BARS_VALUE",
        details={"file": path.name, "row": row},
    )


def _unread(path: Path) -> BarsError:
    return BarsError(
        f"Every row can be read – {path.name} has one that cannot – open it and look for a stray "
        "quote or delimiter; nothing was imported.",
        code="E_BARS_ROW",
        details={"file": path.name},
    )


def _ragged(path: Path, said: str) -> BarsError:
    found = re.search(r"on Line: (\d+)", said)
    line = found[1] if found else "?"
    what = next((s.strip() for s in said.splitlines() if s.startswith("Expected Number")), "")
    return BarsError(
        f"Every row has the same columns – {path.name} row {line} has not"
        f"{f' ({what})' if what else ''} – mend or remove that row; nothing was imported.",
        code="E_BARS_ROW",
        details={"file": path.name, "row": int(line) if found else None},
    )


def open_table(connection: duckdb.DuckDBPyConnection, path: Path, number: int) -> RawTable:
    """The table of one file; `number` keeps registered tables of several files apart.

    Raises
    ------
    BarsError
        Not a table that can be read: empty, no delimiter, unknown format, damaged.
    """
    kind = format_of(path)
    if kind == "text":
        return _open_text(connection, path)
    if kind == "json":
        return _open_json(connection, path, f"raw{number}")
    return _open_arrow(connection, path, kind, f"raw{number}")


def _open_arrow(
    connection: duckdb.DuckDBPyConnection, path: Path, kind: str, view: str
) -> RawTable:
    import pyarrow as pa
    from pyarrow import feather, parquet

    try:
        table = feather.read_table(path) if kind == "feather" else parquet.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BarsError(
            f"A {kind} file is whole – {path.name} cannot be read – export it again; nothing was "
            "imported.",
            code="E_BARS_FORMAT",
        ) from error
    names = tuple(str(name) for name in table.column_names)
    connection.register(view, table.rename_columns([f"c{i}" for i in range(len(names))]))
    types = connection.execute(f"DESCRIBE {view}").fetchall()
    return RawTable(connection, path, kind, names, tuple(t[1] for t in types), 1, source=view)


def _open_json(connection: duckdb.DuckDBPyConnection, path: Path, view: str) -> RawTable:
    import pyarrow as pa

    names, columns = read_records(path)
    if len({len(column) for column in columns}) != 1:
        raise _ragged(path, "")
    text = {f"c{i}": pa.array(column, pa.string()) for i, column in enumerate(columns)}
    connection.register(view, pa.table(text))
    return RawTable(connection, path, "json", names, ("VARCHAR",) * len(names), 1, source=view)


def _open_text(connection: duckdb.DuckDBPyConnection, path: Path) -> RawTable:
    lines = _first_lines(path)
    before = _preamble(lines)
    delimiter = _delimiter(path, lines[before:])
    names, header = _header(lines[before:], delimiter)
    source = (
        f"read_csv({_quoted(path)}, auto_detect=false, header=false, skip={before + header}, "
        f"delim='{delimiter}', quote='\"', escape='\"'"
    )
    return RawTable(
        connection, path, _text_format(delimiter), names, ("VARCHAR",) * len(names),
        1 + before + header, delimiter, source,
    )  # fmt: skip


def _preamble(lines: list[str]) -> int:
    """How many lines of comment, or of Excel's `sep=`, stand before the table."""
    told = (line.lstrip().startswith(("#", "//")) or _SEP.match(line) for line in lines)
    return next((i for i, is_said in enumerate(told) if not is_said), 0)


def _header(lines: list[str], delimiter: str) -> tuple[tuple[str, ...], int]:
    """Column names and the lines they take: one by name or where nothing in it is a number.

    A download with `Price` over `Ticker` over `Date` has its names in the first line, and the
    name of its dates in the third.
    """
    try:
        rows = list(csv.reader(lines[:3], delimiter=delimiter))
    except csv.Error:
        rows = [line.split(delimiter) for line in lines[:3]]
    first = rows[0]
    if [row[:1] for row in rows] == [["Price"], ["Ticker"], ["Date"]]:
        return ("Date", *first[1:]), 3
    known = any(_word(field) in _WORDS for field in first)
    numbers = any(re.fullmatch(r"\s*[-+]?[\d.:/, -]+\s*", field) for field in first)
    return (tuple(first), 1) if known or not numbers else (("",) * len(first), 0)


def _first_lines(path: Path) -> list[str]:
    with path.open("rb") as file:
        head = file.read(_SAMPLE_BYTES)
    try:
        text = head.decode("utf-8-sig", errors="strict" if len(head) < _SAMPLE_BYTES else "ignore")
    except UnicodeDecodeError as error:
        raise BarsError(
            f"Text files are UTF-8 – {path.name} is not, from byte {error.start} on – save it as "
            "UTF-8; nothing was imported.",
            code="E_BARS_ENCODING",
        ) from error
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    if len(head) == _SAMPLE_BYTES and len(lines) == 1:
        raise BarsError(
            f"A line of bars is short – the first of {path.name} has more than "
            f"{_SAMPLE_BYTES:,} bytes – export one bar a line; nothing was imported.",
            code="E_BARS_ROW",
            details={"file": path.name, "row": 1},
        )
    return lines[:-1] if len(lines) > 1 else lines  # cut off, or empty


def _delimiter(path: Path, lines: list[str]) -> str:
    """The delimiter that splits most of the first lines into the most columns."""
    looked = [line for line in lines[:50] if line.strip()]
    counts = {d: sorted(line.count(d) for line in looked) for d in _DELIMITERS}
    usual = {d: found[len(found) // 2] if found else 0 for d, found in counts.items()}
    best = max(_DELIMITERS, key=lambda d: (usual[d], *counts[d][:1]))
    if usual[best] < 4:
        raise BarsError(
            "A text file of bars has at least time open high low close, split by comma, tab, "
            f"semicolon or bar – {path.name} has not – export it with one of these delimiters; "
            "nothing was imported.",
            code="E_BARS_DELIMITER",
        )
    return best


def _text_format(delimiter: str) -> str:
    return "tsv" if delimiter == "\t" else "csv"


def _word(field: str) -> str:
    return field.strip().strip("<>").lower()


def _quoted(path: Path) -> str:
    """The path as SQL text in which *, ? and [ mean themselves."""
    plain = "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
    return "'" + plain.replace("'", "''") + "'"
