"""The lake: one snapshot a write, hashes before visibility, damage never read as data."""

import os
import shutil
import threading

import duckdb
import numpy as np
import pytest

from mlcore.errors import HashMismatch, StoreError
from mlcore.store import HubDB, Lake, sha256_file

ROW = "INSERT INTO lake.bars SELECT ?, '5m', make_timestamp_ns(i), 1, 2, 0.5, ?, NULL, 0, "
ROWS = ROW + "make_timestamp_ns(i + 1) FROM range(?) t(i)"
COUNT = "SELECT count(*) FROM lake.bars WHERE symbol = ?"


def put(lake, symbol="A", close=1.5, rows=10, note=None):
    return lake.write(lambda c: c.execute(ROWS, [symbol, close, rows]).fetchall(), note=note)


def count(lake, symbol="A"):
    return lake.cursor().execute(COUNT, [symbol]).fetchone()[0]


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "data")
    yield lake
    lake.close()


def only_file(lake):
    (path,) = lake.folder.rglob("*.parquet")
    return path


def flip(path, at=60):
    """One bit of one byte changed; size and time of change as they were."""
    before = path.stat()
    raw = bytearray(path.read_bytes())
    raw[at] ^= 1
    path.write_bytes(raw)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_write_is_one_snapshot_and_the_past_stays_readable(lake):
    empty = lake.snapshot()
    put(lake, rows=10)
    put(lake, rows=7)
    assert lake.snapshot() == empty + 2
    at = f"SELECT count(*) FROM lake.bars AT (VERSION => {empty + 1})"
    assert lake.cursor().execute(at).fetchone() == (10,)
    assert count(lake) == 17


def test_a_write_that_writes_nothing_makes_no_snapshot(lake):
    before = lake.snapshot()
    assert lake.write(lambda cursor: 42) == 42
    assert lake.snapshot() == before


def test_notes_come_back_with_their_snapshot(lake):
    put(lake, note="first")
    put(lake)
    put(lake, note="third")
    first = lake.snapshot() - 2
    assert lake.notes(after=0) == [(first, "first"), (first + 2, "third")]
    assert lake.notes(after=first) == [(first + 2, "third")]


def test_every_file_has_its_hash_before_it_is_visible(lake):
    seen = []

    def watched(cursor):
        cursor.execute(ROWS, ["A", 1.0, 5])
        seen.append((lake.snapshot(), len(list(lake.folder.rglob("*.parquet")))))

    before = lake.snapshot()
    lake.write(watched)
    assert seen == [(before, 1)]
    rows = HubDB(lake.data / "hub.sqlite").query("SELECT * FROM lake_files")
    path = only_file(lake)
    expected = (str(path.relative_to(lake.folder)), path.stat().st_size, sha256_file(path))
    assert [tuple(row) for row in rows] == [expected]


def test_a_failing_write_leaves_nothing(lake):
    before = lake.snapshot()

    def fails(cursor):
        cursor.execute(ROWS, ["A", 1.0, 5])
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        lake.write(fails)
    assert lake.snapshot() == before
    assert count(lake) == 0
    put(lake, rows=3)
    assert count(lake) == 3
    assert lake.verify() == []


def test_a_flipped_bit_is_refused_not_read(lake, tmp_path):
    put(lake)
    assert count(lake) == 10
    path = only_file(lake)
    flip(path)
    again = Lake(tmp_path / "data")
    with pytest.raises(HashMismatch) as caught:
        again.cursor()
    name = path.relative_to(lake.folder)
    assert caught.value.message == (
        "A file of the lake is read only if its bytes are those that were written – "
        f"{name}: its SHA-256 differs – restore data/lake/{name} from a copy, or delete the bars "
        "it holds and import them again; nothing was read from it."
    )
    assert caught.value.code == "E_STORE_HASH"
    assert str(tmp_path) not in caught.value.message
    assert [p["file"] for p in again.verify()] == [str(name)]


def test_every_flipped_bit_is_found(lake, tmp_path):
    put(lake, rows=500)
    path = only_file(lake)
    sound = path.read_bytes()
    stat = path.stat()
    for at in np.random.default_rng(3).integers(0, len(sound), 20):
        flip(path, int(at))
        assert len(lake.verify()) == 1
        path.write_bytes(sound)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert lake.verify() == []


def test_a_file_that_changes_while_the_process_runs_is_checked_again(lake):
    put(lake)
    assert count(lake) == 10
    path = only_file(lake)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(HashMismatch, match="its SHA-256 differs"):
        lake.cursor()


def test_a_missing_file_and_a_file_without_a_hash_are_told_apart(lake, tmp_path):
    put(lake)
    db = HubDB(tmp_path / "data" / "hub.sqlite")
    with db.transaction() as connection:
        connection.execute("DELETE FROM lake_files")
    fresh = Lake(tmp_path / "data")
    with pytest.raises(HashMismatch, match="no hash was kept for it"):
        fresh.cursor()
    only_file(lake).unlink()
    with pytest.raises(HashMismatch, match="it is missing") as caught:
        fresh.cursor()
    assert caught.value.code == "E_STORE_MISSING"


def test_damage_stops_only_those_who_read_it(lake, tmp_path):
    """A file of several symbols is everybody's."""
    put(lake, "A")
    flip(only_file(lake))
    longest = "B" * 32
    put(lake, longest)
    fresh = Lake(tmp_path / "data")
    assert fresh.cursor(part=(longest, "5m")).execute(COUNT, [longest]).fetchone() == (10,)
    with pytest.raises(HashMismatch):
        fresh.cursor(part=("A", "5m"))
    before = set(lake.folder.rglob("*.parquet"))
    lake.write(lambda c: [c.execute(ROWS, [s, 1.0, 3]) for s in ("C", "D")])
    for path in set(lake.folder.rglob("*.parquet")) - before:
        flip(path)
    with pytest.raises(HashMismatch):
        fresh.cursor(part=("C", "5m"))


def test_hashes_are_taken_once_a_process(lake, tmp_path, monkeypatch):
    put(lake)
    taken = []
    fresh = Lake(tmp_path / "data")
    real = sha256_file
    monkeypatch.setattr("mlcore.store.lake.sha256_file", lambda p: taken.append(p) or real(p))
    for _ in range(3):
        fresh.cursor()
    assert len(taken) == 1


def test_a_moved_home_still_reads(lake, tmp_path):
    put(lake)
    lake.close()
    place = tmp_path / "it's [new] *"
    shutil.move(tmp_path / "data", place)
    moved = Lake(place)
    assert count(moved) == 10
    put(moved)
    assert count(moved) == 20
    moved.close()


def test_orphans_are_listed_and_removed_and_nothing_else(lake):
    put(lake)
    stray = lake.folder / "main" / "bars" / "stray.parquet"
    stray.write_bytes(b"PAR1")
    assert lake.verify() == []
    assert lake.orphans() == ["main/bars/stray.parquet"]
    assert lake.remove_orphans() == ["main/bars/stray.parquet"]
    assert lake.orphans() == []
    assert count(lake) == 10


def test_many_small_files_become_one_and_the_past_stays_readable(lake, tmp_path):
    for i in range(8):
        put(lake, "AB"[i % 2], rows=i + 1)
    at = f"SELECT count(*) FROM lake.bars AT (VERSION => {lake.snapshot() - 4})"
    before = lake.cursor().execute(at).fetchone()
    files = set(lake.folder.rglob("*.parquet"))
    assert not lake.compact(at_least=9)
    assert lake.compact(at_least=8)
    assert len(set(lake.folder.rglob("*.parquet")) - files) == 1
    assert count(lake, "A") == 1 + 3 + 5 + 7
    assert lake.cursor().execute(at).fetchone() == before == (1 + 2 + 3 + 4,)
    assert lake.verify() == []
    assert lake.orphans() == []  # the merged ones are kept for those who still read them
    put(lake, "A", rows=100)
    assert count(Lake(tmp_path / "data"), "A") == 116
    assert not lake.compact(at_least=8)


def test_threads_get_cursors_of_their_own(lake):
    for symbol, rows in (("A", 11), ("B", 22), ("C", 33)):
        put(lake, symbol, rows=rows)
    wrong = []

    def read(symbol, rows):
        for _ in range(30):
            if count(lake, symbol) != rows:
                wrong.append(symbol)

    threads = [threading.Thread(target=read, args=a) for a in (("A", 11), ("B", 22), ("C", 33))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_threads_that_write_at_once_lose_nothing(tmp_path):
    lake = Lake(tmp_path / "data")
    errors = []

    def write(i):
        try:
            put(lake, f"S{i}", rows=i + 1)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [count(lake, f"S{i}") for i in range(6)] == [1, 2, 3, 4, 5, 6]
    assert lake.verify() == []


def test_a_second_writer_is_told_after_a_while(tmp_path):
    holder, waiter = Lake(tmp_path / "data"), Lake(tmp_path / "data", lock_seconds=0.1)
    waiter.snapshot()
    inside, done = threading.Event(), threading.Event()

    def hold(cursor):
        inside.set()
        done.wait(20)

    thread = threading.Thread(target=holder.write, args=(hold,))
    thread.start()
    inside.wait(20)
    with pytest.raises(StoreError) as caught:
        put(waiter)
    done.set()
    thread.join()
    assert caught.value.code == "E_STORE_LOCKED"
    assert caught.value.message == (
        "One process writes the lake at a time – another has held it for 0.1 s – try again when "
        "it is done; nothing was changed."
    )


def test_a_locked_catalog_is_tried_again(lake):
    tries = []

    def locked_once(cursor):
        tries.append(1)
        if len(tries) == 1:
            raise duckdb.TransactionException("Failed to commit: database is locked")
        cursor.execute(ROWS, ["A", 1.0, 5])

    lake.write(locked_once)
    assert len(tries) == 2
    assert count(lake) == 5


def test_a_full_disk_says_so_and_changes_nothing(lake):
    put(lake)
    before = lake.snapshot()

    def full(cursor):
        raise duckdb.IOException("IO Error: Could not write file: No space left on device")

    with pytest.raises(StoreError) as caught:
        lake.write(full)
    assert caught.value.code == "E_STORE_FULL"
    assert "free space on the disk; nothing was half written" in caught.value.message
    assert lake.snapshot() == before
    assert count(lake) == 10


def test_a_missing_extension_names_the_cure(tmp_path, monkeypatch):
    monkeypatch.setattr("mlcore.store.lake._EXTENSIONS", ("no_such_extension",))
    with pytest.raises(StoreError) as caught:
        Lake(tmp_path / "data").snapshot()
    assert caught.value.code == "E_STORE_EXTENSION"
    assert caught.value.message == (
        "The lake needs DuckDB's extension no_such_extension – it is not installed – run pip "
        "install -r requirements.txt."
    )


def test_an_extension_that_is_not_signed_is_not_loaded(tmp_path, monkeypatch):
    from mlcore.store.lake import _extension

    forged = tmp_path / "ducklake.duckdb_extension"
    raw = bytearray(_extension("ducklake").read_bytes())
    raw[len(raw) // 2] ^= 1
    forged.write_bytes(raw)
    monkeypatch.setattr("mlcore.store.lake._extension", lambda name: forged)
    monkeypatch.setattr("mlcore.store.lake._EXTENSIONS", ("ducklake",))
    with pytest.raises(StoreError, match="signature") as caught:
        Lake(tmp_path / "data").snapshot()
    assert caught.value.code == "E_STORE_LAKE"


def test_duckdb_never_fetches_an_extension(lake):
    sql = "SELECT name, value FROM duckdb_settings() WHERE name LIKE 'auto%known_extensions'"
    values = dict(lake.cursor().execute(sql).fetchall())
    assert values == {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}


def test_the_catalog_keeps_a_write_ahead_log(lake):
    put(lake)
    sql = "SELECT * FROM sqlite_query('__ducklake_metadata_lake', 'PRAGMA journal_mode')"
    assert lake.cursor().execute(sql).fetchone() == ("wal",)


def test_a_damaged_catalog_is_an_error_of_ours(lake, tmp_path):
    put(lake)
    lake.close()
    catalog = tmp_path / "data" / "catalog.sqlite"
    raw = bytearray(catalog.read_bytes())
    raw[:4096] = os.urandom(4096)
    catalog.write_bytes(raw)
    with pytest.raises(StoreError) as caught:
        Lake(tmp_path / "data").snapshot()
    assert caught.value.code == "E_STORE_LAKE"


def test_the_snapshot_is_cheap_once_known(lake):
    from time import perf_counter

    put(lake)
    lake.snapshot()
    taken = []
    for _ in range(200):
        start = perf_counter()
        lake.snapshot()
        taken.append(perf_counter() - start)
    assert sorted(taken)[100] < 0.005  # right after a write it is asked, not remembered
