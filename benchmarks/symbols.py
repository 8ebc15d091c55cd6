"""A home with 5,000 symbols: the list of them in a new process's first look, and again.

Goal: at most 300 ms each, holdings summed up from nothing the first time; and once more where
hub.sqlite has lost its imports, so that every one is read from the lake's notes and written again
(the notes are handed in, 5,000 snapshots would take minutes to make). Rows, markets and universes
are compared with what was written.
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks._compare import Result, tell
from mlcore.clock import DAY, fixed_clock
from mlcore.config import load_settings
from mlcore.hub import Hub
from mlcore.store import HubDB, Lake

SYMBOLS, ROWS, LIMIT = 5_000, 20, 0.3
START = 1_700_006_400 * 10**9
BARS = """
INSERT INTO lake.bars SELECT 'S' || lpad(s::VARCHAR, 4, '0'), '1d',
  make_timestamp_ns(? + r * 86400000000000), 10 + s, 11 + s, 9 + s, 10 + s, 100, 0,
  make_timestamp_ns(? + (r + 1) * 86400000000000)
FROM range(?) a(s), range(?) b(r) ORDER BY s, r
"""
IMPORT = (
    "INSERT INTO imports (imported_at, symbol, timeframe, source, sha256, read, added, revised, "
    "unchanged, first, last, snapshot) VALUES (?, ?, '1d', 'made', '', ?, ?, 0, 0, ?, ?, ?)"
)


def make(home, *, told=True):
    """Bars of all symbols in one write; `told` writes their imports too."""
    settings = load_settings(home)
    lake, db = Lake(settings.data), HubDB(settings.data / "hub.sqlite")
    lake.write(lambda cursor: cursor.execute(BARS, [START, START, SYMBOLS, ROWS]).fetchall())
    names, last = [f"S{i:04d}" for i in range(SYMBOLS)], START + (ROWS - 1) * DAY
    with db.transaction() as connection:
        if not told:
            return names
        rows = [(START, n, ROWS, ROWS, START, last, lake.snapshot()) for n in names]
        connection.executemany(IMPORT, rows)
        markets = [(n, ("us_equity", "nse")[i % 2], 0, 0) for i, n in enumerate(names)]
        connection.executemany("INSERT INTO symbols VALUES (?, ?, ?, ?)", markets)
    return names


def notes(names):
    """What the lake would say of one import a symbol."""
    last = START + (ROWS - 1) * DAY
    common = {
        "imported_at": START, "timeframe": "1d", "source": "made", "sha256": "", "options": "{}",
        "read": ROWS, "added": ROWS, "revised": 0, "unchanged": 0, "first": START, "last": last,
        "notes": "[]", "explicit": True,
    }  # fmt: skip
    markets = ("us_equity", "nse")
    each = ({"symbol": n, "market": markets[i % 2]} for i, n in enumerate(names))
    return [(i + 1, json.dumps({"import": common | one})) for i, one in enumerate(each)]


def looked(hub):
    begun = perf_counter()
    frame = hub.symbols()
    return perf_counter() - begun, frame


def checked(hub, frame, names):
    """How many of the answers are wrong."""
    kinds = dict(hub.universes()[["universe", "n"]].to_numpy())
    return (
        int(frame["symbol"].tolist() != names)
        + int(set(frame["rows"]) != {ROWS})
        + int(frame["market"].tolist() != ["us_equity", "nse"] * (SYMBOLS // 2))
        + int(kinds["NSE"] != SYMBOLS // 2)
    )


def opened(home):
    hub = Hub(load_settings(home), fixed_clock(START + 90 * DAY))
    hub.home.lake.snapshot()  # the catalog is open, as after a process's first page
    return hub


def main(rounds=7):
    root = Path(tempfile.mkdtemp(prefix="openrange-bench-symbols-"))
    try:
        names = make(root / "told")
        took = {"first look": [], "again": [], "imports lost": []}
        wrong = 0
        for i in range(rounds):
            hub = opened(root / "told")
            first, frame = looked(hub)
            took["first look"].append(first)
            took["again"].append(looked(hub)[0])
            make(root / f"lost{i}", told=False)
            lost = opened(root / f"lost{i}")
            said = notes(names)
            lost.home.lake.notes = lambda *, after, said=said: [n for n in said if n[0] > after]
            told, anew = looked(lost)
            took["imports lost"].append(told)
            wrong += checked(hub, frame, names) + checked(lost, anew, names)
        results = [
            Result(f"list of {SYMBOLS:,} symbols, {name}, as a share of {LIMIT} s",
                   median(t) / LIMIT, min(t) / LIMIT, max(t) / LIMIT, 1e3 * median(t),
                   1e3 * LIMIT, 1.0, rounds, f"wrong answers {wrong}")
            for name, t in took.items()
        ]  # fmt: skip
        return tell(*results) or int(wrong > 0)
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    sys.exit(main())
