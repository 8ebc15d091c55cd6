"""Recording a call durably against a bare SQLite commit of the same row.

Goals: alone at most 3 × the bare commit; in a batch at most 10 % of the batch it records.
"""

import sqlite3
import sys
import tempfile
from dataclasses import replace
from itertools import count
from pathlib import Path

from benchmarks._compare import Result, compare, seconds, tell
from benchmarks._home import DIRECTION, NOW, trained_home
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

    def answer():
        home.engine.forget()
        return home.engine.replay_drafts(
            DIRECTION, version, NOW.value - 30 * 86_400 * 10**9, NOW.value
        )[0]

    drafts = answer()

    def record():
        tag = next(number)
        home.log.record_many([replace(d, item=f"{d.item}-{tag}-{id(bare)}") for d in drafts])

    answering, recording = seconds(answer, 3), seconds(record, 3)
    share = recording / (recording + answering)
    batch = Result(f"share of logging in a batch of {len(drafts)}", share, share, share,
                   1e3 * recording, 1e3 * (recording + answering), 0.10, 3)  # fmt: skip
    return tell(alone, batch)


if __name__ == "__main__":
    sys.exit(main())
