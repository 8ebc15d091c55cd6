"""One holder at a time, and a dead holder's place free again."""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
import threading
from types import TracebackType

from mlcore.clock import SECOND, Clock, to_timestamp
from mlcore.errors import JobError, StoreError
from mlcore.jobs.processes import is_process_alive, process_started
from mlcore.store.hubdb import HubDB

__all__ = ["Lease"]


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
