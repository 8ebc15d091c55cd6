"""Kill −9 at every step of register, promote, roll back, log and settle; then what must hold.

A fork of this process kills itself for real just before its n-th step (an SQL statement, a sync, a
rename), for every n until it survives. Afterwards nothing is repaired by hand.
"""

import itertools
import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mlcore.clock import HOUR, MINUTE, system_clock, to_instant, to_timestamp
from mlcore.errors import HashMismatch, RegistryError
from mlcore.jobs import Lease
from mlcore.live.draft import Draft, Outcome
from mlcore.live.shadow import ShadowLog
from mlcore.registry import Registry
from mlcore.store.hubdb import HubDB

SLOT = "orb_r-XAUUSD-5m"
T = to_instant("2026-01-05T08:15:00Z")
PROJECT = Path(__file__).resolve().parents[2]


class Home:
    """Registry and log of a folder, opened anew."""

    def __init__(self, folder, now=T + MINUTE):
        self.db = HubDB(folder / "data" / "hub.sqlite")
        self.registry = Registry(folder / "registry", self.db, system_clock)
        self.log = ShadowLog(
            self.db,
            lambda: to_timestamp(now),
            next_bar_start=lambda symbol, timeframe, instant: None,
            newest_readable=lambda symbol, timeframe: T,
        )

    def certificate(self):
        return self.db.one("SELECT id FROM certificates")["id"]

    def save(self, text="tree"):
        return self.registry.save(
            SLOT, build(text), certificate_id=self.certificate(), meta={"text": text}
        )


def build(text):
    def write(folder):
        (folder / "model.txt").write_text(text * 1000)
        (folder / "card.json").write_text(json.dumps({"text": text}))
        (folder / "folds").mkdir()
        (folder / "folds" / "0.txt").write_text(text)

    return write


def draft(i):
    return Draft(
        slot=SLOT, version="20260104T000000Z-abcde", symbol="XAUUSD", timeframe="5m",
        item=f"london_0800/day {i}", decision_at=T, due_at=T + HOUR, available_cutoff=T,
        trading_day=20_458, feature_set="opening_range", feature_hash="f", config_hash="a",
        code_hash="b", features=(1.0, 2.0), value=0.1,
    )  # fmt: skip


def outcomes_of(predictions):
    return [Outcome(prediction_id=p.id, y=0.5, r_taken=0.5) for p in predictions]


@pytest.fixture
def home(tmp_path):
    """A home with a certificate and two versions, the second one champion."""
    made = Home(tmp_path)
    made.registry.certify(SLOT, set_id="s", code_hash="c", passed=True, report={})
    first, second = made.save("first"), made.save("second")
    made.registry.promote(SLOT, first, "first", "ada")
    made.registry.promote(SLOT, second, "second", "ada")
    made.db.close()
    return tmp_path


def die_at(step):
    """From now on, count this process's steps and kill it before the one of that number."""
    count = itertools.count(1)

    def step_taken(*_):
        if next(count) == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def counted(function):
        def act(*given, **options):
            step_taken()
            return function(*given, **options)

        return act

    os.rename, os.fsync = counted(os.rename), counted(os.fsync)
    opened = HubDB._open

    def watched(self):
        connection = opened(self)
        connection.set_trace_callback(step_taken)
        return connection

    HubDB._open = watched


def killed_at_every_step(act, after, limit=200):
    """Run `act` in forks that die at step 1, 2, 3 …; call `after(result)` each time.

    `result` is what the fork said before it died, None if it died first. How many died.
    """
    for step in range(1, limit):
        read, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                die_at(step)
                os.write(write, json.dumps(act()).encode())
                os._exit(0)
            finally:
                os._exit(1)
        os.close(write)
        status = os.waitpid(pid, 0)[1]
        said = os.read(read, 65_536)
        os.close(read)
        after(json.loads(said) if said else None)
        if status == 0:
            return step - 1
        assert status == signal.SIGKILL, f"step {step} ended with status {status}"
    raise AssertionError("it never survived")


def check(folder):
    """What holds after any fault: sound files, one complete champion, no half-visible version."""
    began = time.monotonic()
    home = Home(folder)
    assert home.db.verify() == []
    assert home.registry.verify() == []
    assert home.log.verify() == []
    frame = home.registry.versions(SLOT)
    assert frame["version"].is_unique
    assert frame["present"].all()
    assert (frame["role"] == "champion").sum() == 1
    for version in frame["version"]:
        assert (
            home.registry.card(SLOT, version)["text"]
            == frame.set_index("version").loc[version, "meta"]["text"]
        )
    assert home.registry.path(SLOT).name == home.registry.champion(SLOT)
    assert time.monotonic() - began < 5
    return home


def test_killed_while_registering(home):
    champion = Home(home).registry.champion(SLOT)
    seen = []

    def after(version):
        now = check(home)
        seen.append(len(now.registry.versions(SLOT)))
        assert now.registry.champion(SLOT) == champion
        if version is not None:
            assert now.registry.path(SLOT, version).is_dir()
        left = now.registry.orphans()
        assert len(left) <= 1
        assert now.registry.remove_orphans() == len(left)
        assert now.registry.orphans().empty

    died = killed_at_every_step(lambda: Home(home).save("new"), after)
    assert died >= 10
    assert seen[0] == 2
    assert 3 <= seen[-1] < died  # only the last steps leave a version, and it is whole
    assert check(home).save("again") in check(home).registry.versions(SLOT)["version"].tolist()


def test_killed_while_promoting(home):
    now = Home(home)
    versions = [now.save(f"v{i}") for i in range(2)]
    targets = itertools.cycle(versions)
    wanted = []

    def after(said):
        now = check(home)
        assert now.registry.champion(SLOT) in {*allowed, wanted[-1]}
        if said is not None:
            assert now.registry.champion(SLOT) == wanted[-1]
        before = len(now.registry.history(SLOT))
        now.registry.promote(SLOT, wanted[-1], "again", "ada")
        assert now.registry.champion(SLOT) == wanted[-1]
        assert len(now.registry.history(SLOT)) <= before + 1
        allowed.clear()
        allowed.add(wanted[-1])
        wanted.append(next(targets))

    allowed = {now.registry.champion(SLOT)}
    wanted.append(next(targets))
    now.db.close()

    def act():
        Home(home).registry.promote(SLOT, wanted[-1], "next", "ada")
        return "done"

    assert killed_at_every_step(act, after) >= 5
    history = Home(home).registry.history(SLOT)
    assert (history["version"].iloc[1:].to_numpy() != history["version"].iloc[:-1].to_numpy()).all()


def test_killed_while_rolling_back(home):
    first, second = Home(home).registry.history(SLOT)["version"]

    def after(said):
        now = check(home)
        champion = now.registry.champion(SLOT)
        assert champion in (first, second)
        if said is not None:
            assert champion == first
        if champion == first:
            now.registry.promote(SLOT, second, "forth", "ada")

    assert killed_at_every_step(lambda: Home(home).registry.roll_back(SLOT, "back"), after) >= 5


def test_killed_while_logging(home):
    batch = itertools.count()
    asked = [next(batch)]

    def act():
        made = Home(home).log.record_many([draft(3 * asked[-1] + i) for i in range(3)])
        return [p.hash for p in made]

    def after(hashes):
        now = check(home)
        there = now.log.head()[0]
        assert there in (3 * asked[-1], 3 * asked[-1] + 3)  # all three or none
        again = now.log.record_many([draft(3 * asked[-1] + i) for i in range(3)])
        assert now.log.head()[0] == 3 * asked[-1] + 3
        if hashes is not None:
            assert [p.hash for p in again] == hashes  # what was acknowledged, bit for bit
        assert now.log.verify() == []
        asked.append(next(batch))

    assert killed_at_every_step(act, after) >= 8


def test_killed_while_settling(home):
    def refill():
        now = Home(home)
        start = now.log.head()[0]
        now.log.record_many([draft(start + i) for i in range(4)])
        now.db.close()

    def act():
        return len(Home(home).log.settle(T + HOUR, outcomes_of).outcomes)

    def after(settled):
        now = check(home)
        waiting = now.log.unsettled(T + HOUR)
        assert waiting in (0, 4)
        if settled is not None:
            assert (settled, waiting) == (4, 0)
        now.log.settle(T + HOUR, outcomes_of)
        frame = now.log.frame()
        assert frame["settled"].all()
        assert frame["id"].is_unique
        assert now.log.head("outcomes")[0] == len(frame)
        now.db.close()
        refill()

    refill()
    assert killed_at_every_step(act, after) >= 8


LOGGER = """
import sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from test_durable import Home, draft
home = Home(Path(sys.argv[1]))
with open(sys.argv[2], "a") as told:
    for i in range(100_000):
        made = home.log.record(draft(i))
        told.write(f"{made.sequence} {made.hash}\\n")
        told.flush()
"""


def test_every_acknowledged_call_survives_a_kill_from_outside(home, tmp_path):
    told = tmp_path / "told.txt"
    for _ in range(2):
        started = told.stat().st_size if told.exists() else 0
        child = subprocess.Popen(
            [sys.executable, "-c", LOGGER, str(home), str(told), str(Path(__file__).parent)],
            cwd=PROJECT,
        )
        ends = time.monotonic() + 60
        while not told.exists() or told.stat().st_size < started + 2_000:
            assert time.monotonic() < ends, "the child logged nothing"
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
    now = check(home)
    lines = [line.split() for line in told.read_text().splitlines() if len(line) > 60]
    acknowledged = {int(sequence): digest for sequence, digest in lines}
    kept = {
        r["sequence"]: r["hash"] for r in now.db.query("SELECT sequence, hash FROM predictions")
    }
    assert acknowledged.items() <= kept.items()
    assert len(kept) <= len(acknowledged) + 2  # at most the call under way at each kill
    assert len(kept) == len(set(kept.values())) == max(kept)


def test_eight_processes_register_at_once(home):
    start = time.time() + 0.2
    pids = []
    for i in range(8):
        pid = os.fork()
        if pid == 0:
            try:
                now = Home(home)
                time.sleep(max(0.0, start - time.time()))
                for j in range(3):
                    now.save(f"{i}-{j}")
                os._exit(0)
            finally:
                os._exit(1)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 8
    texts = [meta["text"] for meta in check(home).registry.versions(SLOT)["meta"]]
    assert sorted(texts) == sorted(
        ["first", "second", *(f"{i}-{j}" for i in range(8) for j in range(3))]
    )
    assert Home(home).registry.orphans().empty


def test_eight_processes_log_the_same_calls_at_once(home):
    pids = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            try:
                Home(home).log.record_many([draft(i) for i in range(20)])
                Home(home).log.settle(T + HOUR, outcomes_of)
                os._exit(0)
            finally:
                os._exit(1)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 8
    log = check(home).log
    assert (log.head()[0], log.head("outcomes")[0]) == (20, 20)


def test_a_lease_killed_in_the_middle_of_its_work_is_free_at_once(home):
    pid = os.fork()
    if pid == 0:
        with Lease(Home(home).db, system_clock, "retrain", "the dead", seconds=3600):
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(pid, 0)
    began = time.monotonic()
    with Lease(Home(home).db, system_clock, "retrain", "the living"):
        assert time.monotonic() - began < 10


def test_a_disk_that_refuses_bytes_leaves_no_version(home):
    """A file-size limit makes the kernel refuse the write in the middle, as a full disk does."""

    def act():
        resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, 500_000))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        Home(home).save("far too long for this disk" * 40)

    pid = os.fork()
    if pid == 0:
        try:
            act()
        except RegistryError as error:
            cured = error.code == "E_REGISTRY_DISK" and "nothing was saved" in error.message
            os._exit(0 if cured else 2)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    now = check(home)
    assert len(now.registry.versions(SLOT)) == 2
    assert now.registry.orphans().empty
    now.save("once there is room")


def test_a_changed_byte_in_the_champion_is_refused_and_a_roll_back_serves(home):
    now = Home(home)
    first, second = now.registry.history(SLOT)["version"]
    path = now.registry.path(SLOT, second) / "model.txt"
    path.write_bytes(path.read_bytes().replace(b"s", b"t", 1))
    with pytest.raises(HashMismatch, match=r"model\.txt has other bytes than were saved"):
        now.registry.path(SLOT)
    assert [p["version"] for p in now.registry.verify()] == [second]
    assert now.registry.roll_back(SLOT, "damaged") == first
    assert now.registry.path(SLOT).name == first
