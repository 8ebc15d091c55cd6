"""Recording a call durably against a bare SQLite commit of the same row.

Goals: alone at most 3 × the bare commit; in a batch at most 10 % of the batch it records.
"""

import sqlite3
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from itertools import count
from pathlib import Path

from benchmarks._compare import Result, compare, seconds, tell
from benchmarks._home import DIRECTION, NOW, trained_home
from mlcore.clock import DAY
from mlcore.live.chain import draft_row


def main():
    home = trained_home()
    version = home.engine.champion(DIRECTION)
    draft = home.engine.open_drafts(DIRECTION, NOW.value, version=version)[0]
    number = count()
    bare = sqlite3.connect(Path(tempfile.mkdtemp()) / "bare.sqlite", isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    row = draft_row(draft)
    names = ",".join(f'"{n}"' for n in row)
    bare.execute(f"CREATE TABLE t ({names})")
    marks = ",".join("?" * len(row))

    def ours():
        return home.log.record(replace(draft, item=f"bench/{next(number)}-{id(bare)}"))

    def peer():
        bare.execute("BEGIN IMMEDIATE")
        bare.execute(f"INSERT INTO t VALUES ({marks})", tuple(row.values()))
        bare.execute("COMMIT")

    alone = compare("one call against a bare commit", ours, peer, limit=3.0, repeat=50)

    return tell(alone, in_a_batch(home, version, number))


def in_a_batch(home, version, number, rounds=9):
    """The share of logging in a batch of replayed days: bars, rows, answers, reasons, logging."""
    since = NOW.value - 30 * DAY
    tag = f"{time.time_ns()}"

    def answer():
        return home.engine.replay_drafts(DIRECTION, version, since, NOW.value)[0]

    def fresh():
        return [replace(d, item=f"{d.item}-{next(number)}-{tag}") for d in answer()]

    home.log.record_many(fresh())
    pairs = []
    for _ in range(rounds):
        asked = seconds(answer, 1)
        drafts = fresh()
        pairs.append((asked, seconds(lambda d=drafts: home.log.record_many(d), 1)))
    shares = sorted(logged / (asked + logged) for asked, logged in pairs)
    middle = 1e3 * statistics.median(logged for _, logged in pairs)
    whole = 1e3 * statistics.median(asked + logged for asked, logged in pairs)
    return Result(f"share of logging in a batch of {len(drafts)}", statistics.median(shares),
                  shares[0], shares[-1], middle, whole, 0.10, rounds)  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
