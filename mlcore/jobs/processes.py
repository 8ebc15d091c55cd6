"""Which process is it: an id and its start, so that a recycled id is never taken for another."""

from __future__ import annotations

from pathlib import Path

__all__ = ["is_process_alive", "process_started"]


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
