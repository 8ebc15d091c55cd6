"""The last 300 bars: a hot symbol against the DuckDB statement, 50 symbols against 50 calls.

The statement is the fastest one for the lake: the symbol, its timeframe and a time bound. Goals:
a hot symbol at most 1/20 of it; 50 symbols in one call at most 1/5 of 50 calls, each store fresh,
nothing held in memory. The bars must be the same.
"""

import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks._compare import Result, seconds, tell
from benchmarks._compare import compare as against
from mlcore.clock import MINUTE
from mlcore.config import load_settings
from mlcore.market.bars import BarStore
from mlcore.schema import Bars
from mlcore.store import HubDB, Lake

COUNT, ROWS, SYMBOLS = 300, 20_000, 50
START = 1_700_000_100 * 10**9
STATEMENT = (
    "SELECT epoch_ns(time), open, high, low, close, volume FROM lake.bars WHERE symbol = ? AND "
    "timeframe = '5m' AND time >= make_timestamp_ns(?) ORDER BY time"
)
COLUMNS = ("time", "open", "high", "low", "close", "volume")


def walk(symbol, seed):
    time = START + np.arange(ROWS) * 5 * MINUTE
    close = 100 + np.cumsum(np.random.default_rng(seed).normal(0, 0.05, ROWS))
    return Bars(
        symbol, "5m", time, close, close + 1, close - 1, close, np.full(ROWS, 10.0),
        time + 5 * MINUTE,
    )  # fmt: skip


def opened(home):
    settings = load_settings(home)
    return BarStore(Lake(settings.data), HubDB(settings.data / "hub.sqlite"), settings)


def unequal(bars, table):
    rows = [np.asarray(table.column(i).to_numpy()) for i in range(table.num_columns)]
    return sum(not np.array_equal(getattr(bars, c), r) for c, r in zip(COLUMNS, rows, strict=True))


def fresh(home, keys):
    """A store that holds nothing yet, its files checked and its summary read."""
    store = opened(home)
    store._lake.check()
    store.last(*keys[0])
    return store


def many(home, keys, rounds=7):
    pairs, wrong = [], 0
    for _ in range(rounds):
        one, each = fresh(home, keys), fresh(home, keys)
        kept = []
        ours = seconds(lambda one=one, kept=kept: kept.extend(one.tails(keys, COUNT)), 1)
        alone = []
        peer = seconds(
            lambda each=each, alone=alone: alone.extend(each.tail(*k, COUNT) for k in keys), 1
        )
        wrong += sum(
            not np.array_equal(getattr(a, c), getattr(b, c))
            for a, b in zip(kept, alone, strict=True)
            for c in COLUMNS
        )
        pairs.append((ours, peer))
    ratios = sorted(a / b for a, b in pairs)
    ours, peer = (sorted(side)[rounds // 2] for side in zip(*pairs, strict=True))
    return wrong, Result(
        f"last {COUNT} bars of {len(keys)} symbols in one call against {len(keys)} calls, cold",
        ratios[rounds // 2], ratios[0], ratios[-1], 1e3 * ours, 1e3 * peer, 0.2, rounds,
        f"unequal columns {wrong}",
    )  # fmt: skip


def main():
    home = Path(tempfile.mkdtemp(prefix="openrange-bench-last-"))
    try:
        store = opened(home)
        keys = [(f"B{i:02d}", "5m") for i in range(SYMBOLS)]
        for i, (symbol, _) in enumerate(keys):
            store.append(walk(symbol, i), source="walk", sha256="", imported_at=0, options={})
        bound = START + (ROWS - COUNT) * 5 * MINUTE
        asked = partial(store._lake.table, STATEMENT, ["B00", bound], part=keys[0])
        hot = partial(store.tail, *keys[0], COUNT)
        wrong = unequal(hot(), asked())
        first = against(
            f"last {COUNT} bars of a hot symbol against the DuckDB statement", hot, asked,
            limit=0.05, repeat=20, note=f"unequal columns {wrong}",
        )  # fmt: skip
        more, second = many(home, keys)
        return tell(first, second) or int(wrong + more > 0)
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    sys.exit(main())
