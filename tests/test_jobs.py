"""Jobs and leases: rows, real child processes, and what becomes of those that die."""

import os
import signal
import sys
import threading
import time

import pytest

from mlcore.clock import fixed_clock, system_clock, to_instant, to_timestamp
from mlcore.errors import JobError, TooFewBars
from mlcore.jobs import ENDED, Jobs, Lease, is_process_alive, process_started
from mlcore.store.hubdb import HubDB

NOON = "2026-01-05T12:00:00Z"


@pytest.fixture
def db(tmp_path):
    return HubDB(tmp_path / "hub.sqlite")


@pytest.fixture
def jobs(db):
    return Jobs(db, fixed_clock(NOON))


@pytest.fixture
def child(tmp_path, monkeypatch):
    """Replace the interpreter that runs a job by a shell script."""

    def use(body):
        script = tmp_path / "child.sh"
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(script))

    return use


def soon(condition, seconds=10.0):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not come true in time"
        time.sleep(0.02)


def in_child(act):
    """Run `act` in a fork that then waits; its process id, once it has acted."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            act()
            os.write(write, b"1")
            time.sleep(60)
        finally:
            os._exit(1)
    assert os.read(read, 1) == b"1"
    os.close(read)
    os.close(write)
    return pid


def kill(pid):
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


# jobs ------------------------------------------------------------------------------------------


def test_a_job_is_a_row_until_it_is_started(jobs):
    job = jobs.get(jobs.submit("train", {"slot": "orb_r-XAUUSD-5m", "seed": 7}))
    assert (job.name, job.state, job.pid) == ("train", "queued", None)
    assert job.arguments == {"slot": "orb_r-XAUUSD-5m", "seed": 7}
    assert job.submitted_at == to_instant(NOON)
    assert job.id.startswith("20260105T120000Z-")


def test_progress_is_appended_and_read_from_where_one_left_off(jobs):
    job_id = jobs.submit("train", {})
    numbers = [jobs.event(job_id, "fold", {"fold": i, "of": 3}) for i in range(3)]
    assert numbers == [1, 2, 3]
    assert [e["payload"]["fold"] for e in jobs.events(job_id)] == [0, 1, 2]
    later = jobs.events(job_id, after=2)
    assert later == [
        {"seq": 3, "at": to_instant(NOON), "kind": "fold", "payload": {"fold": 2, "of": 3}}
    ]


def test_a_job_ends_once(jobs):
    job_id = jobs.submit("train", {})
    jobs.begin(job_id)
    done = jobs.finish(job_id, "done", result={"version": "v"})
    assert (done.state, done.result, done.is_ended) == ("done", {"version": "v"}, True)
    assert jobs.finish(job_id, "done").result == {"version": "v"}
    with pytest.raises(JobError, match=f"A job ends once – {job_id} is already done") as caught:
        jobs.finish(job_id, "failed", error="late")
    assert caught.value.code == "E_JOB_ENDED"
    with pytest.raises(JobError, match="A job ends as one of done, failed, cancelled"):
        jobs.finish(job_id, "tired")


def test_a_failure_keeps_code_message_and_details(jobs):
    job_id = jobs.submit("train", {})
    error = TooFewBars("Too few – 3 – bring more.", details={"needed": 9, "got": 3})
    assert jobs.finish(job_id, "failed", error=error).error == error.as_dict()
    other = jobs.submit("train", {})
    assert jobs.finish(other, "failed", error="no").error["message"] == "no"


def test_an_unknown_job_is_told(jobs):
    with pytest.raises(JobError, match="'nine' was not – list the recent ones"):
        jobs.get("nine")


def test_recent_jobs_come_newest_first(jobs):
    ids = [jobs.submit("train", {"i": i}) for i in range(4)]
    assert [job.id for job in jobs.recent(3)] == ids[:0:-1]


def test_a_job_that_has_not_begun_is_cancelled_at_once(jobs):
    job_id = jobs.submit("train", {})
    assert jobs.cancel(job_id).state == "cancelled"
    with pytest.raises(JobError, match=f"A job runs once – {job_id} is cancelled"):
        jobs.begin(job_id)


def test_a_running_job_is_asked_to_stop_and_says_when_it_has(jobs):
    job_id = jobs.submit("train", {})
    jobs.begin(job_id)
    assert not jobs.is_cancelled(job_id)
    job = jobs.cancel(job_id)
    assert (job.state, job.cancel_asked) == ("running", True)
    assert jobs.is_cancelled(job_id)
    assert jobs.finish(job_id, "cancelled").state == "cancelled"


def test_a_child_runs_alone_in_its_session_with_one_thread(jobs, child, tmp_path):
    child('echo "$@ $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS"; exec sleep 30')
    job_id = jobs.submit("train", {})
    process = jobs.start(job_id, tmp_path)
    log = tmp_path / "data" / "jobs" / f"{job_id}.log"
    try:
        soon(lambda: log.read_text().endswith("\n"))
        assert log.read_text().split() == [
            "-m", "mlcore", "--home", str(tmp_path), "job", job_id, "1", "1",
        ]  # fmt: skip
        assert os.getsid(process.pid) == process.pid
        assert jobs.get(job_id).pid == process.pid
        with pytest.raises(JobError, match="A job is started once"):
            jobs.start(job_id, tmp_path)
    finally:
        process.kill()
        process.wait()


def test_a_child_that_is_killed_leaves_a_failed_job(jobs, child, tmp_path):
    child("exec sleep 30")
    job_id = jobs.submit("train", {})
    process = jobs.start(job_id, tmp_path)
    assert not jobs.get(job_id).is_ended
    process.kill()
    soon(lambda: jobs.get(job_id).is_ended)
    job = jobs.get(job_id)
    assert (job.state, job.error["code"]) == ("failed", "E_JOB_DIED")
    assert job.error["message"].endswith(f"its output is in data/jobs/{job_id}.log.")
    process.wait()


def test_another_process_sees_that_a_child_was_killed(db, jobs):
    job_id = jobs.submit("train", {})
    pid = in_child(lambda: Jobs(db, system_clock).begin(job_id))
    assert jobs.get(job_id).state == "running"
    kill(pid)
    assert [job.state for job in jobs.recent()] == ["failed"]


def test_a_recycled_process_id_is_not_taken_for_the_job(db, jobs):
    job_id = jobs.submit("train", {})
    jobs.begin(job_id)
    assert jobs.get(job_id).state == "running"
    with db.transaction() as connection:  # this process's id, as another process had it earlier
        connection.execute("UPDATE jobs SET pid_started = pid_started - 100")
    assert jobs.get(job_id).state == "failed"


def test_a_process_is_told_by_id_and_start():
    started = process_started(os.getpid())
    assert is_process_alive(os.getpid(), started)
    assert not is_process_alive(os.getpid(), started + 5)
    assert not is_process_alive(None, None)
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    soon(lambda: process_started(pid) is None)  # ended, though nobody has collected it yet
    os.waitpid(pid, 0)
    assert process_started(pid) is None


def test_two_begin_one_job_and_one_of_them_runs_it(db, jobs):
    job_id = jobs.submit("train", {})
    outcomes = []

    def begin():
        try:
            outcomes.append(Jobs(db, system_clock).begin(job_id).state)
        except JobError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["E_JOB_STARTED"] * 3 + ["running"]
    assert set(ENDED) == {"done", "failed", "cancelled"}


# leases ----------------------------------------------------------------------------------------


def test_the_second_is_told_who_holds_it(db):
    with Lease(db, fixed_clock(NOON), "retrain orb_r", "the scheduler"):
        other = Lease(db, fixed_clock(NOON), "retrain orb_r", "a page")
        with pytest.raises(
            JobError,
            match="Only one at a time may hold retrain orb_r – the scheduler holds it since "
            "2026-01-05 12:00:00 UTC – wait",
        ) as caught:
            other.acquire()
        assert caught.value.code == "E_JOB_HELD"
        assert caught.value.details["holder"] == "the scheduler"
        Lease(db, fixed_clock(NOON), "retrain orb_quality", "a page").acquire().release()
    other.acquire().release()


def test_a_lease_is_given_back_when_its_block_fails(db):
    with pytest.raises(ZeroDivisionError), Lease(db, system_clock, "watch", "one"):
        raise ZeroDivisionError
    Lease(db, system_clock, "watch", "two").acquire()


def test_a_killed_holder_is_replaced_at_once(db):
    def hold():
        Lease(db, system_clock, "watch", "the dead", seconds=3600).__enter__()

    pid = in_child(hold)
    mine = Lease(db, system_clock, "watch", "the living")
    with pytest.raises(JobError, match="the dead holds it"):
        mine.acquire()
    kill(pid)
    began = time.monotonic()
    mine.acquire()
    assert time.monotonic() - began < 10


def test_a_holder_that_went_silent_is_replaced_and_learns_it(db):
    silent = Lease(db, fixed_clock(NOON), "watch", "silent", seconds=10).acquire()
    early = fixed_clock(to_instant(NOON) + 9 * 10**9)
    with pytest.raises(JobError, match="silent holds it"):
        Lease(db, early, "watch", "next").acquire()
    late = fixed_clock(to_instant(NOON) + 11 * 10**9)
    Lease(db, late, "watch", "next").acquire()
    with pytest.raises(JobError, match="watch was taken from silent – stop") as caught:
        silent.renew()
    assert caught.value.code == "E_JOB_LOST"
    silent.release()
    assert db.one("SELECT holder FROM leases")["holder"] == "next"


def test_a_lease_renews_itself_while_its_block_runs(db):
    with Lease(db, system_clock, "watch", "one", seconds=0.3):
        first = db.one("SELECT heartbeat_at AS at FROM leases")["at"]
        soon(lambda: db.one("SELECT heartbeat_at AS at FROM leases")["at"] > first)
    assert db.one("SELECT * FROM leases") is None


def test_of_eight_processes_one_holds_the_lease(db):
    read, write = os.pipe()
    start = time.time() + 0.3
    pids = []
    for i in range(8):
        pid = os.fork()
        if pid == 0:
            time.sleep(max(0.0, start - time.time()))
            try:
                Lease(db, system_clock, "train", str(i)).acquire()
                os.write(write, b"y")
                time.sleep(1.0)
            except JobError:
                os.write(write, b"n")
            finally:
                os._exit(0)
        pids.append(pid)
    for pid in pids:
        os.waitpid(pid, 0)
    assert sorted(os.read(read, 100)) == sorted(b"n" * 7 + b"y")
    assert to_timestamp(db.one("SELECT acquired_at AS at FROM leases")["at"]) <= system_clock()
