"""Job names and the functions that do them, run in a child process.

`python -m mlcore job ID` comes here: the job's row says what, the row's end says how it went.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mlcore.clock import Clock, system_clock
from mlcore.config import load_settings
from mlcore.errors import JobError, OpenrangeError, UsageError
from mlcore.jobs import Job
from mlcore.operations.home import Home

__all__ = ["WORK", "run_job", "start_job", "start_watch"]

Work = Callable[[Home, Job], Any]


def _report(home: Home, job: Job) -> Callable[[Mapping[str, Any]], None]:
    def progress(event: Mapping[str, Any]) -> None:
        payload = {k: v for k, v in event.items() if k != "kind"}
        home.jobs.event(job.id, str(event.get("kind", "note")), payload)

    return progress


def _train(home: Home, job: Job) -> Any:
    from mlcore.operations.retraining import run_training

    return run_training(
        home, dict(job.arguments), job_id=job.id, progress=_report(home, job),
        cancelled=lambda: home.jobs.is_cancelled(job.id),
    )  # fmt: skip


def _retrain(home: Home, job: Job) -> Any:
    from mlcore.operations.retraining import run_retraining

    return run_retraining(
        home, str(job.arguments["slot"]), job_id=job.id, progress=_report(home, job),
        cancelled=lambda: home.jobs.is_cancelled(job.id),
    )  # fmt: skip


def _replay(home: Home, job: Job) -> Any:
    from mlcore.operations.shadowing import replay

    return replay(home, str(job.arguments["slot"]), int(job.arguments["days"]))


def _demo(home: Home, job: Job) -> Any:
    from mlcore.operations.demo import train_demo

    return train_demo(home, progress=_report(home, job))


def _prove(home: Home, job: Job) -> Any:
    from mlcore.operations.retraining import run_proof

    return run_proof(home, dict(job.arguments), progress=_report(home, job))


def _renew(home: Home, job: Job) -> Any:
    from mlcore.operations.retraining import renew_certificates

    return renew_certificates(home, progress=_report(home, job))


def _watch(home: Home, job: Job) -> Any:
    from mlcore.operations.retraining import void_champions
    from mlcore.operations.watch import watch

    if void_champions(home):
        start_job(home, "renew", {})
    return watch(home, cancelled=lambda: home.jobs.is_cancelled(job.id))


WORK: dict[str, Work] = {
    "demo": _demo,
    "prove": _prove,
    "renew": _renew,
    "replay": _replay,
    "retrain": _retrain,
    "train": _train,
    "watch": _watch,
}


def start_job(home: Home, name: str, arguments: Mapping[str, Any]) -> str:
    """Queue a job and start its child; the job's id.

    Raises
    ------
    UsageError
        No work of that name.
    """
    if name not in WORK:
        known = ", ".join(WORK)
        raise UsageError(
            f"A job is one of {known} – {name!r} was given – choose one.", code="E_JOB_NAME"
        )
    job_id = home.jobs.submit(name, arguments)
    home.jobs.start(job_id, home.settings.home)
    return job_id


def start_watch(home: Home) -> str | None:
    """Start the watch where none runs and the configuration allows it; its job id, or None."""
    from mlcore.operations.watch import is_watched

    if not home.settings.watch or is_watched(home):
        return None
    if any(j.name == "watch" and not j.is_ended for j in home.jobs.recent(20)):
        return None
    try:
        return start_job(home, "watch", {})
    except JobError:
        return None


def run_job(job_id: str, root: Path | None = None, clock: Clock = system_clock) -> None:
    """Do a queued job in this process and write how it ended."""
    home = Home(load_settings(root), clock)
    job = home.jobs.begin(job_id)
    try:
        result = WORK[job.name](home, job)
    except OpenrangeError as error:
        stopped = error.code == "E_JOB_CANCELLED"
        home.jobs.finish(job_id, "cancelled" if stopped else "failed", error=error)
    except Exception as error:
        traceback.print_exc()
        said = {
            "code": "E_JOB_CRASH",
            "message": f"A job ends with an answer – {job.name} stopped with "
            f"{type(error).__name__}: {error} – nothing it had not finished is visible; "
            "its log says more.",
            "details": {"log": f"data/jobs/{job_id}.log"},
        }
        home.jobs.finish(job_id, "failed", error=said)
    else:
        home.jobs.finish(job_id, "done", result=result)
