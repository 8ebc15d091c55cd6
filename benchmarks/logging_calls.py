"""Recording a call durably against a bare SQLite commit of the same row.

Goals: alone at most 3 × the bare commit; in a batch at most 10 % of the batch it records: that of
many symbols, each with its own bars, inputs and model. Replayed days are one batch of rows by one
model, cheaper a call than its bare commit; their share is shown, beside that of the bare commit.
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
from benchmarks._home import DIRECTION, NOW, TIMEFRAME, champions_of, many, trained_home
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

    many_symbols = of_many_symbols(home, number)
    return tell(alone, many_symbols, of_replayed_days(home, version, number))


def share(claim, answer, log, number, limit, rounds=9):
    """The share of logging in a batch: bars, rows, answers, reasons, logging."""
    tag = f"{time.time_ns()}"

    def fresh():
        return [replace(d, item=f"{d.item}-{next(number)}-{tag}") for d in answer()]

    log.record_many(fresh())
    pairs = []
    for _ in range(rounds):
        asked = seconds(answer, 1)
        drafts = fresh()
        pairs.append((asked, seconds(lambda d=drafts: log.record_many(d), 1)))
    shares = sorted(logged / (asked + logged) for asked, logged in pairs)
    middle = 1e3 * statistics.median(logged for _, logged in pairs)
    whole = 1e3 * statistics.median(asked + logged for asked, logged in pairs)
    return Result(f"share of logging in {claim}, {len(drafts)} calls", statistics.median(shares),
                  shares[0], shares[-1], middle, whole, limit, rounds)  # fmt: skip


def of_many_symbols(home, number, count=50):
    """A tick's batch: the open call of each of many slots."""
    names = many(home, count)
    champions_of(home, names)
    pairs = [(name, TIMEFRAME) for name in names]

    def answer():
        home.engine.forget()
        return [call for said in home.engine.batch(pairs) for call in said.calls]

    assert all(call.role == "champion" for call in answer())
    return share("a batch of symbols", answer, home.log, number, 0.10)


def of_replayed_days(home, version, number):
    """A replay's batch: a month of one slot, answered by its fold models at once."""
    since = NOW.value - 30 * DAY

    def answer():
        return home.engine.replay_drafts(DIRECTION, version, since, NOW.value)[0]

    return share("replayed days", answer, home.log, number, 0.50)


if __name__ == "__main__":
    sys.exit(main())
