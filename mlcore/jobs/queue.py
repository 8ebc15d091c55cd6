"""A job's row, its child process, its progress and its end."""

from __future__ import annotations

import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from mlcore.clock import Clock, to_timestamp
from mlcore.errors import JobError, OpenrangeError
from mlcore.jobs.processes import is_process_alive, process_started
from mlcore.store.hubdb import HubDB, canonical_json

__all__ = ["ENDED", "Job", "Jobs"]

ENDED = ("done", "failed", "cancelled")
"""States that do not change any more; before them come queued and running."""

_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1"
)


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
        project = str(Path(__file__).resolve().parents[2])
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
