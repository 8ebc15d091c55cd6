"""Long work as a row: a job, its child process, its progress, and the lease that keeps it alone.

A job's name is resolved to a function elsewhere (`operations/work`); this file knows rows,
processes and time, not what the work is. A process is told by its id *and* its start, so that a
recycled id is never taken for the one that held a job or a lease.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from mlcore.clock import SECOND, Clock, to_timestamp
from mlcore.errors import JobError, OpenrangeError, StoreError
from mlcore.store.hubdb import HubDB, canonical_json

__all__ = ["ENDED", "Job", "Jobs", "Lease", "is_process_alive", "process_started"]

ENDED = ("done", "failed", "cancelled")
"""States that do not change any more; before them come queued and running."""

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


def process_started(pid: int) -> float | None:
    """When the process `pid` started, in a unit that only this machine knows; None if it is gone.

    On Linux it is counted from boot, so that setting the machine's clock does not change it. A
    process that has ended but is not yet collected counts as gone.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return _started_elsewhere(pid)
    words = text.rpartition(")")[2].split()  # the name before it may contain anything
    return None if words[0] in "ZXx" else float(words[19])


def _started_elsewhere(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        gone = process.status() == psutil.STATUS_ZOMBIE
        return None if gone else float(process.create_time())
    except psutil.Error:
        return None


def is_process_alive(pid: int | None, started: float | None) -> bool:
    """Whether the very process that started then still runs."""
    if pid is None or started is None:
        return False
    now = process_started(pid)
    return now is not None and abs(now - started) < 0.5


@dataclass(frozen=True)
class Job:
    """A job's row; instants int64 ns UTC, `error` has code, message and details."""

    id: str
    name: str
    arguments: Mapping[str, Any]
    state: Literal["queued", "running", "done", "failed", "cancelled"]
    submitted_at: int
    started_at: int | None
    ended_at: int | None
    pid: int | None
    cancel_asked: bool
    result: Any
    error: Mapping[str, Any] | None

    @property
    def is_ended(self) -> bool:
        """Whether the state will not change any more."""
        return self.state in ENDED


def _job(row: sqlite3.Row) -> Job:
    def read(name: str) -> Any:
        return None if row[name] is None else json.loads(row[name])

    return Job(
        id=row["id"],
        name=row["name"],
        arguments=read("arguments"),
        state=row["state"],
        submitted_at=row["submitted_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        pid=row["pid"],
        cancel_asked=bool(row["cancel"]),
        result=read("result"),
        error=read("error"),
    )


def _as_error(error: OpenrangeError | Mapping[str, Any] | str | None) -> dict[str, Any] | None:
    if error is None:
        return None
    if isinstance(error, OpenrangeError):
        return error.as_dict()
    if isinstance(error, str):
        return {"code": "E_JOB", "message": error, "details": {}}
    return dict(error)


class Jobs:
    """The jobs of one home.

    Parameters
    ----------
    db
        The home's `hub.sqlite`.
    clock
        What time it is.
    """

    def __init__(self, db: HubDB, clock: Clock) -> None:
        self._db = db
        self._clock = clock
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def _now(self) -> int:
        return int(self._clock().value)

    def submit(self, name: str, arguments: Mapping[str, Any]) -> str:
        """A new queued job; its id. Nothing runs yet."""
        stamp = to_timestamp(self._now()).strftime("%Y%m%dT%H%M%SZ")
        job_id = f"{stamp}-{secrets.token_hex(5)}"
        row = (job_id, name, canonical_json(arguments), "queued", self._now())
        with self._db.transaction() as db:
            db.execute(
                "INSERT INTO jobs (id, name, arguments, state, submitted_at) VALUES (?,?,?,?,?)",
                row,
            )
        return job_id

    def start(self, job_id: str, home: Path | str) -> subprocess.Popen[bytes]:
        """Run a queued job in a child of its own session, one thread, output in `data/jobs/`.

        Raises
        ------
        JobError
            No such job (E_JOB_UNKNOWN), or it is not queued any more (E_JOB_STARTED).
        """
        job = self.get(job_id)
        if job.state != "queued" or job.pid is not None:
            raise JobError(
                f"A job is started once – {job_id} is {job.state} – submit a new one.",
                code="E_JOB_STARTED",
                details={"id": job_id, "state": job.state},
            )
        child = self._spawn(job_id, Path(home))
        with self._db.transaction() as db:
            db.execute(
                "UPDATE jobs SET pid = ?, pid_started = ? WHERE id = ? AND pid IS NULL",
                (child.pid, process_started(child.pid), job_id),
            )
        self._children[job_id] = child
        return child

    def _spawn(self, job_id: str, home: Path) -> subprocess.Popen[bytes]:
        log = home / "data" / "jobs" / f"{job_id}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        project = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join(p for p in (project, os.environ.get("PYTHONPATH", "")) if p)
        command = [sys.executable, "-m", "mlcore", "--home", str(home), "job", job_id]
        with open(log, "ab") as out:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **_ONE_THREAD, "PYTHONPATH": path},
                start_new_session=True,
            )

    def begin(self, job_id: str) -> Job:
        """Called by the child itself: the job is running, in this process.

        Raises
        ------
        JobError
            It was cancelled, or runs or has ended already (E_JOB_STARTED).
        """
        pid = os.getpid()
        with self._db.transaction() as db:
            done = db.execute(
                "UPDATE jobs SET state = 'running', started_at = ?, pid = ?, pid_started = ? "
                "WHERE id = ? AND state = 'queued'",
                (self._now(), pid, process_started(pid), job_id),
            ).rowcount
        job = self.get(job_id)
        if not done:
            raise JobError(
                f"A job runs once – {job_id} is {job.state} – submit a new one.",
                code="E_JOB_STARTED",
                details={"id": job_id, "state": job.state},
            )
        return job

    def event(self, job_id: str, kind: str, payload: Mapping[str, Any]) -> int:
        """Append a line of progress; its number within the job, from 1."""
        text = canonical_json(payload)
        with self._db.transaction() as db:
            last = db.execute(
                "SELECT coalesce(max(seq), 0) FROM job_events WHERE job_id = ?", (job_id,)
            ).fetchone()[0]
            db.execute(
                "INSERT INTO job_events (job_id, seq, at, kind, payload) VALUES (?,?,?,?,?)",
                (job_id, last + 1, self._now(), kind, text),
            )
        return int(last) + 1

    def events(self, job_id: str, after: int = 0) -> list[dict[str, Any]]:
        """Events with a number above `after`, oldest first: seq, at (int64 ns), kind, payload."""
        rows = self._db.query(
            "SELECT seq, at, kind, payload FROM job_events WHERE job_id = ? AND seq > ? "
            "ORDER BY seq",
            (job_id, after),
        )
        return [{**dict(r), "payload": json.loads(r["payload"])} for r in rows]

    def finish(
        self,
        job_id: str,
        state: Literal["done", "failed", "cancelled"],
        result: Any = None,
        error: OpenrangeError | Mapping[str, Any] | str | None = None,
    ) -> Job:
        """End a job; ending it again in the same state changes nothing.

        Raises
        ------
        JobError
            It has already ended in another state (E_JOB_ENDED), or `state` is no end.
        """
        if state not in ENDED:
            raise JobError(f"A job ends as one of {', '.join(ENDED)} – {state!r} – use one.")
        problem = _as_error(error)
        with self._db.transaction() as db:
            db.execute(
                "UPDATE jobs SET state = ?, ended_at = ?, result = ?, error = ? "
                "WHERE id = ? AND state IN ('queued', 'running')",
                (
                    state,
                    self._now(),
                    None if result is None else canonical_json(result),
                    None if problem is None else canonical_json(problem),
                    job_id,
                ),
            )
        job = self._read(job_id)
        if job.state != state:
            raise JobError(
                f"A job ends once – {job_id} is already {job.state} – leave it so.",
                code="E_JOB_ENDED",
                details={"id": job_id, "state": job.state},
            )
        return job

    def cancel(self, job_id: str) -> Job:
        """Ask a running job to stop at its next look; one that has not started ends at once."""
        with self._db.transaction() as db:
            db.execute(
                "UPDATE jobs SET cancel = 1 WHERE id = ? AND state IN ('queued', 'running')",
                (job_id,),
            )
            db.execute(
                "UPDATE jobs SET state = 'cancelled', ended_at = ? "
                "WHERE id = ? AND state = 'queued'",
                (self._now(), job_id),
            )
        return self.get(job_id)

    def is_cancelled(self, job_id: str) -> bool:
        """Whether somebody asked it to stop; polled by the child."""
        row = self._db.one("SELECT cancel FROM jobs WHERE id = ?", (job_id,))
        return bool(row and row["cancel"])

    def _read(self, job_id: str) -> Job:
        row = self._db.one("SELECT * FROM jobs WHERE id = ?", (job_id,))
        if row is None:
            raise JobError(
                f"A job is one that was submitted – {ascii(job_id)[:60]} was not – list the "
                "recent ones.",
                code="E_JOB_UNKNOWN",
            )
        return _job(row)

    def get(self, job_id: str) -> Job:
        """The job as it is now; one whose process is gone has failed.

        Raises
        ------
        JobError
            No job of this id (E_JOB_UNKNOWN).
        """
        self.sweep()
        return self._read(job_id)

    def recent(self, n: int = 20) -> list[Job]:
        """The `n` latest jobs, newest first."""
        self.sweep()
        rows = self._db.query(
            "SELECT * FROM jobs ORDER BY submitted_at DESC, rowid DESC LIMIT ?", (n,)
        )
        return [_job(row) for row in rows]

    def sweep(self) -> list[str]:
        """Mark every job failed whose process is gone without saying so; their ids."""
        for job_id in [i for i, child in self._children.items() if child.poll() is not None]:
            del self._children[job_id]
        open_jobs = self._db.query(
            "SELECT id, pid, pid_started FROM jobs "
            "WHERE state IN ('queued', 'running') AND pid IS NOT NULL"
        )
        gone = [r["id"] for r in open_jobs if not is_process_alive(r["pid"], r["pid_started"])]
        return [job_id for job_id in gone if self._bury(job_id)]

    def _bury(self, job_id: str) -> bool:
        error = {
            "code": "E_JOB_DIED",
            "message": f"A job ends by saying so – the process of {job_id} is gone – start it "
            f"again; its output is in data/jobs/{job_id}.log.",
            "details": {"id": job_id},
        }
        with self._db.transaction() as db:
            return bool(
                db.execute(
                    "UPDATE jobs SET state = 'failed', ended_at = ?, error = ? "
                    "WHERE id = ? AND state IN ('queued', 'running')",
                    (self._now(), canonical_json(error), job_id),
                ).rowcount
            )


class Lease:
    """Only one holder at a time: `with Lease(db, clock, "train-…", "the scheduler", 10): …`.

    Held as long as the block runs; a thread renews it every third of `seconds`. It is free again
    when its holder releases it, when the holder's process is gone (at once on this machine), or
    when it has not been renewed for `seconds`.

    Raises
    ------
    JobError
        Somebody else holds it (E_JOB_HELD, naming them); or, on `renew`, somebody else took it
        meanwhile (E_JOB_LOST).
    """

    def __init__(
        self, db: HubDB, clock: Clock, name: str, holder: str, seconds: float = 10.0
    ) -> None:
        self._db = db
        self._clock = clock
        self.name = name
        self.holder = holder
        self.seconds = seconds
        self._token = secrets.token_hex(8)
        self._stop = threading.Event()
        self._beat: threading.Thread | None = None

    def acquire(self) -> Lease:
        """Take it, or say who has it."""
        pid, now = os.getpid(), int(self._clock().value)
        mine = (
            self.name, self.holder, self._token, socket.gethostname(), pid,
            process_started(pid), now, now, self.seconds,
        )  # fmt: skip
        with self._db.transaction() as db:
            row = db.execute("SELECT * FROM leases WHERE name = ?", (self.name,)).fetchone()
            if row is not None and row["token"] != self._token and self._is_held(row, now):
                raise JobError(
                    f"Only one at a time may hold {self.name} – {row['holder']} holds it since "
                    f"{to_timestamp(row['acquired_at']):%Y-%m-%d %H:%M:%S} UTC – wait for it, or "
                    "stop it.",
                    code="E_JOB_HELD",
                    details={"name": self.name, "holder": row["holder"], "pid": row["pid"]},
                )
            db.execute("INSERT OR REPLACE INTO leases VALUES (?,?,?,?,?,?,?,?,?)", mine)
        return self

    @staticmethod
    def _is_held(row: sqlite3.Row, now: int) -> bool:
        if now - row["heartbeat_at"] > row["seconds"] * SECOND:
            return False
        here = row["host"] == socket.gethostname()
        return not here or is_process_alive(row["pid"], row["pid_started"])

    def renew(self) -> None:
        """Say that the holder still works."""
        with self._db.transaction() as db:
            kept = db.execute(
                "UPDATE leases SET heartbeat_at = ? WHERE name = ? AND token = ?",
                (int(self._clock().value), self.name, self._token),
            ).rowcount
        if not kept:
            raise JobError(
                f"A lease is renewed in time – {self.name} was taken from {self.holder} – stop, "
                "and start again.",
                code="E_JOB_LOST",
                details={"name": self.name, "holder": self.holder},
            )

    def release(self) -> None:
        """Give it back; one that was taken meanwhile stays with its new holder."""
        with self._db.transaction() as db:
            db.execute("DELETE FROM leases WHERE name = ? AND token = ?", (self.name, self._token))

    def _keep(self) -> None:
        while not self._stop.wait(self.seconds / 3):
            try:
                self.renew()
            except JobError:
                break  # lost: the holder learns it at its own next renew
            except StoreError:
                continue  # a busy or full disk: try again at the next beat
        self._db.close()

    def __enter__(self) -> Lease:
        self.acquire()
        self._stop.clear()
        self._beat = threading.Thread(target=self._keep, name=f"lease {self.name}", daemon=True)
        self._beat.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        if self._beat is not None:
            self._beat.join(self.seconds)
        self.release()
