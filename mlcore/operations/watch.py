"""The watch: while somebody uses the hub, pull new bars, log calls, settle what is due.

One leased job a home; it ends a minute after the last heartbeat of a page.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from mlcore.clock import MINUTE
from mlcore.errors import OpenrangeError
from mlcore.jobs import Lease
from mlcore.operations.home import Home
from mlcore.operations.problems import unforeseen
from mlcore.operations.shadowing import settle, tick

__all__ = ["LEASE", "beat", "is_watched", "last_beat", "pull", "watch", "watch_once"]

LEASE = "watch"
PATIENCE = MINUTE


def beat(home: Home) -> None:
    """Say that somebody looks at the hub."""
    place = home.settings.data / "heartbeat"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.touch()


def last_beat(home: Home) -> int:
    """When somebody last looked, int64 ns; 0 for never."""
    place = home.settings.data / "heartbeat"
    return place.stat().st_mtime_ns if place.exists() else 0


def is_watched(home: Home) -> bool:
    """Whether a watch job holds the lease and has renewed it lately."""
    row = home.db.one("SELECT heartbeat_at, seconds FROM leases WHERE name = ?", (LEASE,))
    return row is not None and time.time_ns() - row["heartbeat_at"] < row["seconds"] * 3e9


def pull(home: Home) -> int:
    """Extend every simulated market up to now; the number of new bars.

    Files do not grow by themselves; a feed will be pulled here too.
    """
    from mlcore.market.demo import DEMO, simulate

    added, held = 0, set(home.store.symbols()["symbol"])
    for name, spec in DEMO.items():
        if name not in held:
            continue
        _, last, _ = home.store.last(name, spec.timeframe)
        tail = home.store.read(name, spec.timeframe, start=last)
        start = int(tail.available_at[-1])
        if home.now() < start + tail.width:
            continue
        price = float(tail.close[-1])
        fresh = simulate(
            name, seed=home.settings.seed, start=start, end=home.now(), start_price=price
        )
        if len(fresh):
            report = home.store.append(
                fresh, source="simulated", sha256="", imported_at=home.now(),
                options={"seed": home.settings.seed},
            )  # fmt: skip
            added += report.added
    return added


def watch_once(home: Home) -> dict[str, Any]:
    """One round: pull, tick, settle; a failing part is said and does not stop the others."""
    said: dict[str, Any] = {}
    for name, act in (("pull", pull), ("tick", tick), ("settle", settle)):
        try:
            said[name] = act(home)
        except OpenrangeError as error:
            said[name] = error.as_dict()
        except Exception as error:
            said[name] = unforeseen(error, rule="A round does every part", where=f"the {name}")
    return said


def watch(home: Home, cancelled: Callable[[], bool]) -> dict[str, Any]:
    """Rounds until nobody has looked for a minute, or until it is cancelled.

    Raises
    ------
    JobError
        Another watch holds the lease (E_JOB_HELD).
    """
    rounds = 0
    with Lease(home.db, home.clock, LEASE, "watch", seconds=10.0):
        while not cancelled() and time.time_ns() - last_beat(home) < PATIENCE:
            watch_once(home)
            rounds += 1
            _wait(home.settings.watch_seconds, cancelled)
    return {"rounds": rounds}


def _wait(seconds: float, cancelled: Callable[[], bool]) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and not cancelled():
        time.sleep(min(1.0, seconds))
