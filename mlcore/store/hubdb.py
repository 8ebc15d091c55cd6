"""`hub.sqlite`: everything durable that is not bars.

WAL, synchronous FULL, writes in `BEGIN IMMEDIATE`; a connection per thread and process. The
tables are in `tables.sql`; append-only ones refuse UPDATE and DELETE by trigger. This file knows
rows and columns, not what they mean.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlcore.errors import StoreError

__all__ = ["APPEND_ONLY", "SCHEMA_VERSION", "HubDB", "canonical_json", "json_ready"]

SCHEMA_VERSION = 3
APPEND_ONLY = (
    "imports",
    "deletions",
    "predictions",
    "outcomes",
    "seals",
    "ledger",
    "certificates",
    "promotions",
    "phases",
    "job_events",
)
_BUSY_SECONDS = 30.0
_PRAGMAS = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "recursive_triggers = ON",  # else INSERT OR REPLACE deletes past the triggers
)
_Parameters = Sequence[Any] | Mapping[str, Any]


def json_ready(value: Any) -> Any:
    """`value` as JSON knows it: numpy's as Python's, tuples as lists, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(k): json_ready(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [json_ready(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return json_ready(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


_ENCODE = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, UTF-8; NaN and infinities become null."""
    try:
        return _ENCODE(value)  # most values are ready as they are, at a fifth of the time
    except (TypeError, ValueError):
        return _ENCODE(json_ready(value))


def _ddl() -> str:
    tables = Path(__file__).with_name("tables.sql").read_text(encoding="utf-8")
    triggers = (
        f"CREATE TRIGGER IF NOT EXISTS {table}_no_{act.lower()} BEFORE {act} ON {table} BEGIN "
        f"SELECT RAISE(ABORT, '{table} is append-only'); END;"
        for table in APPEND_ONLY
        for act in ("UPDATE", "DELETE")
    )
    return "\n".join((tables, *triggers, f"PRAGMA user_version = {SCHEMA_VERSION};"))


def _mapped(error: sqlite3.Error, name: str) -> StoreError:
    """Our error for sqlite's, told by its result code."""
    primary = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
    said = str(error)
    if primary in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        code, cure = "E_STORE_LOCKED", "wait for the other writer, then try again"
    elif primary == sqlite3.SQLITE_FULL:
        code, cure = "E_STORE_FULL", "free space on the disk; nothing was half written"
    elif primary in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        code, cure = "E_STORE_DAMAGED", "restore it from a copy; it is not read any further"
    elif primary == sqlite3.SQLITE_CONSTRAINT:
        code, cure = "E_STORE_RULE", "nothing was changed"
    else:
        code, cure = "E_STORE", "check that the home's disk can be written"
    return StoreError(f"{name} keeps its rules – {said} – {cure}.", code=code)


def _column(values: tuple[Any, ...]) -> pd.Series:
    kinds = set(map(type, values))
    exact = kinds == {int, type(None)} or kinds == {type(None)} or not kinds
    return pd.Series(list(values), dtype=object if exact else None)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; the first switch of a new file does not wait for others by itself."""
    ends = time.monotonic() + _BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.01)


class HubDB:
    """The SQLite file of a home; safe to share between threads, one connection each.

    Parameters
    ----------
    path
        The file, usually `<home>/data/hub.sqlite`; it and its folder are made when missing.

    Raises
    ------
    StoreError
        Not a SQLite file, damaged, or written by a newer version of this program.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._local = threading.local()
        self._inherited: list[sqlite3.Connection] = []
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._errors():
            self._prepare()

    def _prepare(self) -> None:
        connection = self._connection()
        found = int(connection.execute("PRAGMA user_version").fetchone()[0])
        if found > SCHEMA_VERSION:
            raise StoreError(
                f"{self.path.name} is read by the version that wrote it, or a later one – it is "
                f"of layout {found}, this program knows {SCHEMA_VERSION} – upgrade Openrange.",
                code="E_STORE_VERSION",
                details={"found": found, "known": SCHEMA_VERSION},
            )
        if found < SCHEMA_VERSION:
            connection.executescript(f"BEGIN IMMEDIATE; {_ddl()} COMMIT;")

    def _connection(self) -> sqlite3.Connection:
        local, pid = self._local, os.getpid()
        known = getattr(local, "pid", None)
        if known != pid:
            if known is not None:  # a fork neither uses its parent's connection nor closes it
                self._inherited.append(local.connection)
            local.connection, local.pid, local.depth = self._open(), pid, 0
        connection: sqlite3.Connection = local.connection
        return connection

    def _open(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
        connection.row_factory = sqlite3.Row
        _use_wal(connection)
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")
        return connection

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise _mapped(error, self.path.name) from error

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A connection inside `BEGIN IMMEDIATE`; committed at the end, rolled back on any error.

        A transaction inside a transaction joins it.

        Raises
        ------
        StoreError
            Whatever sqlite refuses: a broken rule (E_STORE_RULE), a full disk (E_STORE_FULL) …
        """
        with self._errors():
            connection = self._connection()
            if self._local.depth:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            self._local.depth = 1
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._local.depth = 0

    def query(self, sql: str, params: _Parameters = ()) -> list[sqlite3.Row]:
        """All rows of a SELECT."""
        with self._errors():
            return self._connection().execute(sql, params).fetchall()

    def one(self, sql: str, params: _Parameters = ()) -> sqlite3.Row | None:
        """The first row of a SELECT, or None."""
        with self._errors():
            row: sqlite3.Row | None = self._connection().execute(sql, params).fetchone()
            return row

    def frame(self, sql: str, params: _Parameters = ()) -> pd.DataFrame:
        """A SELECT as a frame; whole numbers stay whole: with NULLs among them, as objects.

        A float64 column would round instants, whose last digits are nanoseconds. Elsewhere NULL
        becomes NaN.
        """
        with self._errors():
            cursor = self._connection().execute(sql, params)
            names = [column[0] for column in cursor.description]
            rows = cursor.fetchall()
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
        return pd.DataFrame({n: _column(v) for n, v in zip(names, columns, strict=True)})

    def verify(self) -> list[dict[str, Any]]:
        """Every damage sqlite finds in the file's structure; empty when sound."""
        try:
            rows = self._connection().execute("PRAGMA integrity_check").fetchall()
        except sqlite3.Error as error:
            rows = [(str(error),)]
        said = [str(row[0]) for row in rows]
        return [] if said == ["ok"] else [{"file": self.path.name, "problem": s} for s in said]

    def close(self) -> None:
        """Close this thread's connection; the next call opens a new one."""
        if getattr(self._local, "pid", None) == os.getpid():
            self._local.connection.close()
            self._local.pid = None
