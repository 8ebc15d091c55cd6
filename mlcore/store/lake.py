"""The lake: bars as Parquet files under a DuckLake catalog, one snapshot a write.

A write holds one file lock, lets DuckDB write its files, makes them durable, keeps their SHA-256
in `hub.sqlite`, and only then commits: a file that can be seen has a hash. What a killed write
leaves behind is an orphan no snapshot names. Files are checked against their hashes before they
are read: once, and again when inode, size or time of change differ.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import duckdb

from mlcore.errors import HashMismatch, StoreError
from mlcore.store.catalog import Catalog, is_complete
from mlcore.store.hashing import sha256_file, sync_folder
from mlcore.store.hubdb import HubDB

__all__ = ["Lake"]

T = TypeVar("T")
_EXTENSIONS = ("sqlite_scanner", "ducklake")
_OFFLINE = {"autoinstall_known_extensions": False, "autoload_known_extensions": False}
_SMALL = 1 << 20
_MERGE = f"CALL ducklake_merge_adjacent_files('lake', max_file_size => {_SMALL})"
_CLEAN = "CALL ducklake_cleanup_old_files('lake', older_than => now() - INTERVAL 1 HOUR)"
_FULL = ("No space left", "disk is full", "database or disk is full")


def _extension(name: str) -> Path:
    """Where the wheel of an extension keeps its binary."""
    try:
        root = files(f"duckdb_extension_{name}")
    except ModuleNotFoundError as error:
        raise StoreError(
            f"The lake needs DuckDB's extension {name} – it is not installed – run pip install -r "
            "requirements.txt.",
            code="E_STORE_EXTENSION",
        ) from error
    binary = f"{name}.duckdb_extension"
    return Path(str(root)) / "extensions" / f"v{duckdb.__version__}" / binary


@lru_cache(maxsize=8)
def _prove_signed(binary: Path, stat: tuple[int, int, int]) -> None:
    """Let DuckDB check an extension's signature: once a process and state of the file (0.13 s)."""
    with duckdb.connect(config=dict(_OFFLINE)) as connection:
        connection.execute(f"LOAD {_quoted(binary)}")


def _signed(name: str) -> Path:
    binary = _extension(name)
    if binary.is_file():
        stat = binary.stat()
        _prove_signed(binary, (stat.st_ino, stat.st_size, stat.st_mtime_ns))
    return binary


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def _rows(connection: Any, sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = connection.execute(sql, params).fetchall()
    return found


def _is_locked(error: BaseException) -> bool:
    return isinstance(error, duckdb.Error) and "locked" in str(error)


class Lake:
    """Parquet files and their catalog in `data_dir`; safe to share between threads.

    Parameters
    ----------
    data_dir
        The home's `data/`; `catalog.sqlite`, `lake/` and `hub.sqlite` are made in it when missing.
    threads
        Threads DuckDB may use. One: writing one file in order gains nothing from a second, which
        doubled the work on busy cores, and the hub's other processes want them.
    lock_seconds
        How long a write waits for another writer before it gives up.

    Raises
    ------
    HashMismatch
        From `cursor`: a file that differs from what was committed (E_STORE_HASH).
    StoreError
        Locked (E_STORE_LOCKED), full (E_STORE_FULL), a missing extension (E_STORE_EXTENSION).
    """

    def __init__(self, data_dir: Path | str, *, threads: int = 1, lock_seconds: float = 60) -> None:
        self.data = Path(data_dir)
        self.folder = self.data / "lake"
        self._threads, self._lock_seconds = threads, lock_seconds
        self._catalog = Catalog(self.data / "catalog.sqlite", self._ask)
        self._local = threading.local()
        self._opening = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._pid = 0
        self._seen: dict[str, tuple[int, int, int]] = {}
        self.folder.mkdir(parents=True, exist_ok=True)
        self._db = HubDB(self.data / "hub.sqlite")

    # -- opening ---------------------------------------------------------------------------

    def _attached(self) -> duckdb.DuckDBPyConnection:
        with self._opening:
            if self._connection is None or self._pid != os.getpid():
                self._connection, self._pid = self._open(), os.getpid()
            return self._connection

    def _open(self) -> duckdb.DuckDBPyConnection:
        if self._catalog.exists():
            connection = self._attach()
            if is_complete(partial(_rows, connection)):
                return connection
            connection.close()
        with self._locked():
            connection = self._attach()
            if not is_complete(partial(_rows, connection)):
                ddl = Path(__file__).with_name("lake.sql").read_text(encoding="utf-8")
                connection.execute(f"BEGIN; {ddl} COMMIT;")
            return connection

    def _attach(self) -> duckdb.DuckDBPyConnection:
        config = dict(_OFFLINE) | {
            "allow_unsigned_extensions": True,  # the two that are loaded were proved signed
            "threads": self._threads,
            "temp_directory": str(self.data / "temp"),
        }
        connection = duckdb.connect(config=config)
        try:
            with ThreadPoolExecutor(len(_EXTENSIONS)) as pool:  # both are proved at once
                binaries = list(pool.map(_signed, _EXTENSIONS))
            for binary in binaries:
                connection.execute(f"LOAD {_quoted(binary)}")
            catalog = str(self._catalog.path).replace("'", "''")
            connection.execute(
                f"ATTACH 'ducklake:sqlite:{catalog}' AS lake (DATA_PATH "
                f"{_quoted(self.folder)}, OVERRIDE_DATA_PATH TRUE, DATA_INLINING_ROW_LIMIT 0, "
                "META_JOURNAL_MODE 'WAL')"
            )
        except duckdb.Error as error:
            connection.close()
            raise self._mapped(error) from error
        return connection

    def _mapped(self, error: Exception) -> StoreError:
        """Our error for DuckDB's or the system's, without the home's place."""
        said = (str(error).splitlines() or [""])[0].replace(str(self.data), "data")
        if any(words in said for words in _FULL):
            code, cure = "E_STORE_FULL", "free space on the disk; nothing was half written"
        elif _is_locked(error):
            code, cure = "E_STORE_LOCKED", "wait for the other writer, then try again"
        else:
            code, cure = "E_STORE_LAKE", "nothing was changed; verify lists what is damaged"
        return StoreError(f"The lake commits whole or not at all – {said} – {cure}.", code=code)

    def _cursor(self, purpose: str) -> duckdb.DuckDBPyConnection:
        """A cursor of this thread alone: a shared one may hand out another thread's rows."""
        attached, local = self._attached(), self._local
        if getattr(local, "of", None) is not attached:
            local.of, local.cursors = attached, {}
        if purpose not in local.cursors:
            local.cursors[purpose] = attached.cursor()
        cursor: duckdb.DuckDBPyConnection = local.cursors[purpose]
        return cursor

    def _ask(self, sql: str, params: list[Any]) -> list[tuple[Any, ...]]:
        """Rows of the catalog, outside any transaction this thread has open."""
        try:
            return _rows(self._cursor("catalog"), sql, params)
        except duckdb.Error as error:
            raise self._mapped(error) from error

    # -- reading ---------------------------------------------------------------------------

    def cursor(self, *, part: tuple[str, ...] | None = None) -> duckdb.DuckDBPyConnection:
        """A cursor of this thread, the lake attached as `lake`, its files checked.

        Parameters
        ----------
        part
            (symbol, timeframe) if the caller reads only rows of these: other parts' files are
            then not checked, so that their damage does not stop it.
        """
        cursor = self._cursor("data")
        self.check(part)
        return cursor

    def table(self, sql: str, params: list[Any], *, part: tuple[str, ...] | None = None) -> Any:
        """A SELECT on `lake.…` as an Arrow table; `part` as in `cursor`."""
        try:
            return self.cursor(part=part).execute(sql, params).to_arrow_table()
        except duckdb.Error as error:
            raise self._mapped(error) from error

    def snapshot(self) -> int:
        """The latest snapshot's number; costs microseconds."""
        self._attached()
        return self._catalog.snapshot()

    def notes(self, *, after: int) -> list[tuple[int, str]]:
        """(snapshot, note) of every write after the snapshot `after` that left one."""
        self._attached()
        return self._catalog.notes(after)

    def _names(self, part: tuple[str, ...] | None) -> list[str]:
        files = self._catalog.files().items()
        return [name for name, of in files if part is None or not of or of == part]

    def check(self, part: tuple[str, ...] | None = None) -> None:
        """Compare the files that changed since they were last looked at with their hashes.

        Raises
        ------
        HashMismatch
            A file that is not as it was written, or is missing.
        """
        self._attached()
        changed = [name for name in self._names(part) if not self._is_known(name)]
        if not changed:
            return
        kept = self._kept()
        for name in changed:
            problem = self._problem(name, kept)
            if problem:
                raise HashMismatch(problem["problem"], code=problem["code"], details=problem)

    def _is_known(self, name: str) -> bool:
        try:
            stat = (self.folder / name).stat()
        except OSError:
            return False
        return self._seen.get(name) == (stat.st_ino, stat.st_size, stat.st_mtime_ns)

    def _kept(self) -> dict[str, tuple[int, str]]:
        rows = self._db.query("SELECT path, size, sha256 FROM lake_files")
        return {row["path"]: (row["size"], row["sha256"]) for row in rows}

    def _problem(self, name: str, kept: dict[str, tuple[int, str]]) -> dict[str, str] | None:
        """What is wrong with a file, or None; a sound file is remembered as it is now."""
        path = self.folder / name
        try:
            stat = path.stat()
            found = (stat.st_size, sha256_file(path))
        except OSError:
            return _damage(name, "it is missing", "E_STORE_MISSING")
        if name not in kept:
            return _damage(name, "no hash was kept for it", "E_STORE_HASH")
        if found != kept[name]:
            return _damage(name, "its SHA-256 differs", "E_STORE_HASH")
        self._seen[name] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        return None

    # -- writing ---------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        from filelock import FileLock, Timeout

        lock = FileLock(self.data / "lake.lock", timeout=self._lock_seconds)
        try:
            lock.acquire()
        except Timeout as error:
            raise StoreError(
                f"One process writes the lake at a time – another has held it for "
                f"{self._lock_seconds:g} s – try again when it is done; nothing was changed.",
                code="E_STORE_LOCKED",
            ) from error
        try:
            yield
        finally:
            lock.release()

    def write(self, fn: Callable[[duckdb.DuckDBPyConnection], T], *, note: str | None = None) -> T:
        """Run `fn(cursor)` as one transaction under the file lock; one snapshot if it wrote.

        Parameters
        ----------
        fn
            Statements on `lake.…`. It is run again if the catalog was locked, so it must depend
            on nothing but the lake. Returning leaves the transaction to be committed; raising
            undoes it.
        note
            Text kept with the snapshot (see `notes`); `fn` may call `annotate` itself instead.
        """
        from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_random_exponential

        retrying = Retrying(
            retry=retry_if_exception(_is_locked), stop=stop_after_delay(self._lock_seconds),
            wait=wait_random_exponential(0.01, max=0.5), reraise=True,
        )  # fmt: skip
        cursor = self._cursor("data")
        try:
            with self._locked():
                return retrying(partial(self._transaction, cursor, fn, note))
        except (duckdb.Error, OSError) as error:
            raise self._mapped(error) from error

    @staticmethod
    def annotate(cursor: duckdb.DuckDBPyConnection, note: str) -> None:
        """Keep `note` with the snapshot that the running transaction will make."""
        cursor.execute(
            "CALL lake.set_commit_message('openrange', 'write', extra_info => ?)", [note]
        )

    def _transaction(
        self,
        cursor: duckdb.DuckDBPyConnection,
        fn: Callable[[duckdb.DuckDBPyConnection], T],
        note: str | None,
    ) -> T:
        before = self._on_disk()
        cursor.execute("BEGIN")
        try:
            result = fn(cursor)
            if note is not None:
                self.annotate(cursor, note)
            self._keep(sorted(self._on_disk() - before))
            cursor.execute("COMMIT")
        except BaseException:
            self._undo(cursor)
            raise
        return result

    def _undo(self, cursor: duckdb.DuckDBPyConnection) -> None:
        try:
            cursor.execute("ROLLBACK")
        except duckdb.TransactionException:
            return  # the failed COMMIT has already rolled back

    def _on_disk(self) -> set[str]:
        root = str(self.folder)
        return {
            os.path.relpath(os.path.join(folder, name), root).replace(os.sep, "/")
            for folder, _, names in os.walk(root)
            for name in names
        }

    def _keep(self, names: list[str]) -> None:
        """Make new files durable and keep their hashes, before any snapshot names them."""
        rows, stats = [], {}
        for name in names:
            path = self.folder / name
            with path.open("rb") as file:
                os.fsync(file.fileno())
            sync_folder(path.parent)
            stat = path.stat()
            rows.append((name, stat.st_size, sha256_file(path)))
            stats[name] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        with self._db.transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO lake_files VALUES (?, ?, ?)", rows)
        self._seen.update(stats)

    # -- proving ---------------------------------------------------------------------------

    def verify(self) -> list[dict[str, str]]:
        """Hash every file a snapshot can see; one entry a problem: file, problem, code."""
        self._attached()
        kept = self._kept()
        found = [self._problem(name, kept) for name in self._catalog.files()]
        broken = [
            {"file": self._catalog.path.name, "problem": said, "code": "E_STORE_CATALOG"}
            for said in self._catalog.problems()
        ]
        return [problem for problem in found if problem] + broken

    def _unnamed(self) -> list[str]:
        named, retired = self._catalog.files(), self._catalog.retired()
        return sorted(n for n in self._on_disk() - set(named) if Path(n).name not in retired)

    def orphans(self) -> list[str]:
        """Files below `data/lake/` no snapshot names: left by a write that was killed."""
        self._attached()
        with self._locked():
            return self._unnamed()

    def remove_orphans(self) -> list[str]:
        """Delete the orphans and their hashes; the names of the files that went."""
        self._attached()
        with self._locked():
            gone = self._unnamed()
            for name in gone:
                (self.folder / name).unlink()
        with self._db.transaction() as connection:
            connection.executemany("DELETE FROM lake_files WHERE path = ?", [(n,) for n in gone])
        return gone

    def compact(self, *, at_least: int = 64) -> bool:
        """Merge small files into one, once there are `at_least`; every snapshot stays readable.

        The merged ones are deleted by a later call, an hour on, when nobody reads them any more.
        """
        self._attached()
        if self._catalog.count_below(_SMALL) < at_least:
            return False
        self.write(lambda cursor: cursor.execute(_CLEAN).fetchall())
        self.write(lambda cursor: cursor.execute(_MERGE).fetchall())
        return True

    def close(self) -> None:
        """Let go of the files; the next use opens them again."""
        with self._opening:
            if self._connection is not None and self._pid == os.getpid():
                self._connection.close()
            self._connection = None
        self._db.close()


def _damage(name: str, what: str, code: str) -> dict[str, str]:
    return {
        "file": name,
        "problem": "A file of the lake is read only if its bytes are those that were written – "
        f"{name}: {what} – restore data/lake/{name} from a copy, or delete the bars it holds and "
        "import them again; nothing was read from it.",
        "code": code,
    }
