"""Kill −9 at every step of an import, damage in the lake, and many importers at once.

Children are forked from a server that has imported the code and opened nothing. One kills itself
for real before its n-th step (a statement of the lake, a hash, a sync, a statement of hub.sqlite),
for every n until it survives. Afterwards nothing is repaired by hand.
"""

import errno
import itertools
import multiprocessing
import os
import shutil
import signal
import sqlite3
import threading
import time

import numpy as np
import pytest

from mlcore.clock import MINUTE
from mlcore.config import load_settings
from mlcore.errors import HashMismatch, StoreError
from mlcore.market.bars import BarStore
from mlcore.schema import Bars
from mlcore.store import HubDB, Lake

START = 1_700_000_100 * 10**9
SHA = "d" * 64


@pytest.fixture(scope="module")
def children():
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mlcore.market.bars", "mlcore.store", "filelock", "tenacity"])
    return context


def make(first, rows):
    starts = START + np.arange(first, first + rows) * 5 * MINUTE
    close = 100 + np.sin(np.arange(first, first + rows))
    volume = np.arange(first, first + rows) * 1.0
    known = starts + 5 * MINUTE
    return Bars("BTC-USD", "5m", starts, close, close + 1, close - 1, close, volume, known)


OLD = make(0, 100)
NEW = make(50, 100)
NEW.close[10] += 0.5  # bar 60 is revised


def opened(home):
    settings = load_settings(home)
    return BarStore(Lake(settings.data), HubDB(settings.data / "hub.sqlite"), settings)


def append(store, bars, sha256=SHA):
    return store.append(
        bars, source="new.csv", sha256=sha256, imported_at=START * 2, options={"timezone": "UTC"}
    )


class Countdown:
    """Kills this very process before step `at`, so that nothing gets to clean up."""

    def __init__(self, at):
        self.left = at

    def step(self):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def statement(self, sql):
        """A statement of hub.sqlite; making its tables is not part of an import."""
        if sql.startswith(("BEGIN", "INSERT", "COMMIT")):
            self.step()


class Stepping:
    """A cursor of the lake whose statements are steps, before and after."""

    def __init__(self, cursor, step):
        self._cursor, self._step = cursor, step

    def __getattr__(self, name):
        return getattr(self._cursor, name)

    def execute(self, *args):
        self._step()
        result = self._cursor.execute(*args)
        self._step()
        return result


def doomed_import(home, at):
    """Import the new bars; die before step `at`."""
    step_through(Countdown(at))
    append(opened(home), NEW)


def step_through(countdown):
    """Make statements of the lake and of hub.sqlite, and syncs, steps of this process."""
    own, connect, fsync = Lake._cursor, sqlite3.connect, os.fsync

    def cursor(self, purpose):
        found = own(self, purpose)
        return Stepping(found, countdown.step) if purpose == "data" else found

    def traced(*args, **options):
        connection = connect(*args, **options)
        connection.set_trace_callback(countdown.statement)
        return connection

    def synced(descriptor):
        countdown.step()
        fsync(descriptor)

    Lake._cursor, sqlite3.connect, os.fsync = cursor, traced, synced


def killed(children, target, *args):
    """Run `target` in a child; whether it was killed (else it must have ended well)."""
    child = children.Process(target=target, args=args)
    child.start()
    child.join(60)
    assert child.exitcode in (0, -signal.SIGKILL), f"exit {child.exitcode}"
    return child.exitcode != 0


def check(home, has_old):
    """All or nothing, sound, and the same import again ends as a clean one."""
    before, after = (100, 150) if has_old else (0, 100)
    store = opened(home)
    rows = int(store.symbols()["rows"].sum())
    assert rows in (before, after), f"{rows} bars are visible"
    assert store._lake.verify() == []
    if rows:
        expected = (OLD.close if rows == before else whole(has_old).close)[:rows]
        assert np.array_equal(store.read("BTC-USD", "5m").close, expected)
    assert append(store, NEW).added == after - rows
    assert np.array_equal(store.read("BTC-USD", "5m").close, whole(has_old).close)
    assert np.array_equal(store.read("BTC-USD", "5m").time, whole(has_old).time)
    imports = HubDB(home / "data" / "hub.sqlite").query("SELECT sha256, added FROM imports")
    assert [tuple(row) for row in imports] == [("a", 100)] * has_old + [(SHA, after - before)]
    store._lake.remove_orphans()
    assert np.array_equal(store.read("BTC-USD", "5m").close, whole(has_old).close)
    store._lake.close()
    return rows == after


def whole(has_old):
    return Bars.concat([OLD.take(slice(0, 50)), NEW]) if has_old else NEW


@pytest.mark.parametrize("has_old", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_killed_at_every_step_of_an_import(children, tmp_path, has_old):
    base = tmp_path / "base"
    if has_old:
        store = opened(base)
        append(store, OLD, sha256="a")
        store._lake.close()
    complete = []
    for at in itertools.count(1):
        home = tmp_path / str(at)
        if has_old:
            shutil.copytree(base, home)
        died = killed(children, doomed_import, str(home), at)
        complete.append(check(home, has_old))
        shutil.rmtree(home)
        if not died:
            break
    assert at > 15
    assert complete == sorted(complete)  # one step makes it visible, none takes it back
    assert not complete[0]
    assert complete[-1]


def doomed_compaction(home, at):
    """Merge the small files; die before step `at`."""
    step_through(Countdown(at))
    opened(home)._lake.compact(at_least=2)


@pytest.mark.slow
def test_killed_at_every_step_of_a_compaction(children, tmp_path):
    base = tmp_path / "base"
    store = opened(base)
    for n in range(4):
        append(store, make(n * 20, 20), sha256=f"part {n}")
    early = store._lake.snapshot() - 2
    store._lake.close()
    for at in itertools.count(1):
        home = tmp_path / str(at)
        shutil.copytree(base, home)
        died = killed(children, doomed_compaction, str(home), at)
        store = opened(home)
        assert store._lake.verify() == []
        for _ in range(2):
            assert np.array_equal(store.read("BTC-USD", "5m").close, make(0, 80).close)
            assert len(store.read("BTC-USD", "5m", snapshot=early)) == 40
            assert store.last("BTC-USD", "5m")[0] == 80
            store._lake.remove_orphans()
            store._lake.compact(at_least=2)
        assert store._lake.verify() == store._lake.orphans() == []
        store._lake.close()
        shutil.rmtree(home)
        if not died:
            break
    assert at > 8


def import_after(home, seconds):
    """Import, killed by a timer wherever it is, inside DuckDB too."""
    threading.Thread(target=die_after, args=(seconds,), daemon=True).start()
    append(opened(home), NEW)


def die_after(seconds):
    time.sleep(seconds)
    os.kill(os.getpid(), signal.SIGKILL)


def test_killed_at_any_moment_of_an_import(children, tmp_path):
    start = time.perf_counter()
    killed(children, import_after, str(tmp_path / "whole"), 60.0)
    length = time.perf_counter() - start
    for i, share in enumerate(np.random.default_rng(11).uniform(0.05, 1.0, 6)):
        home = tmp_path / str(i)
        killed(children, import_after, str(home), float(share * length))
        check(home, has_old=False)
        assert np.array_equal(opened(home).read("BTC-USD", "5m").close, NEW.close)


def import_parts(home, numbers):
    store = opened(home)
    for n in numbers:
        bars = make(n * 20, 30)  # each part overlaps the next by a third
        append(store, bars, sha256=f"part {n}")


def test_importers_at_once_lose_nothing(children, tmp_path):
    home = tmp_path / "home"
    orders = ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1])
    workers = [children.Process(target=import_parts, args=(str(home), o)) for o in orders]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    store = opened(home)
    back, expected = store.read("BTC-USD", "5m"), make(0, 90)
    assert np.array_equal(back.time, expected.time)
    assert np.array_equal(back.close, expected.close)
    assert store.last("BTC-USD", "5m")[:2] == (90, int(expected.time[-1]))
    assert store.symbols()["revisions"].tolist() == [0]
    assert store._lake.verify() == []
    assert store._lake.orphans() == []


def test_a_flipped_bit_of_any_lake_file_is_never_read(tmp_path):
    home = tmp_path / "home"
    append(opened(home), OLD)
    (path,) = (home / "data" / "lake").rglob("*.parquet")
    sound, stat = path.read_bytes(), path.stat()
    for place in np.random.default_rng(5).integers(0, len(sound) * 8, 8):
        raw = bytearray(sound)
        raw[place // 8] ^= 1 << int(place % 8)
        path.write_bytes(raw)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(HashMismatch, match="its SHA-256 differs – restore data/lake/main/bars"):
            opened(home).read("BTC-USD", "5m")
    path.write_bytes(sound)
    assert np.array_equal(opened(home).read("BTC-USD", "5m").close, OLD.close)


def test_a_full_disk_while_hashes_are_kept_leaves_the_store_as_it_was(tmp_path, monkeypatch):
    home = tmp_path / "home"
    store = opened(home)
    append(store, OLD, sha256="a")

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(StoreError) as caught:
            append(store, NEW)
    assert caught.value.code == "E_STORE_FULL"
    assert check(home, has_old=True) is False
