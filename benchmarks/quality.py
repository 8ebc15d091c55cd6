"""The quality report of one million bars. Goal: at most 3 s, every check, both unit-root tests.

The peer reads nothing but the longest gap and the worst outlier with pandas: the least that a
person writes by hand.
"""

import sys

import numpy as np
import pandas as pd

from benchmarks._compare import Result, compare, tell
from mlcore.clock import MINUTE, to_instant
from mlcore.config import load_settings
from mlcore.market.quality import assess
from mlcore.market.sessions import is_open
from mlcore.schema import Bars

COUNT, LIMIT = 1_000_000, 3.0
SKIPPED = 10_000  # bars planted as missing, in runs of ten


def bars_of(market):
    """A million 1m bars of a market's open hours with holes in them."""
    start = to_instant("2010-01-04T00:00Z")
    share = 1.0 if market.calendar == "24/7" else 0.7 if market.hours == "24h" else 0.18
    grid = start + np.arange(int(COUNT / share) + 100_000) * MINUTE
    time = grid[is_open(market, grid)][: COUNT + SKIPPED]
    rng = np.random.default_rng(0)
    keep = np.ones(len(time), dtype=bool)
    keep[
        (rng.integers(1, len(time) // 10, SKIPPED // 10)[:, None] * 10 + np.arange(10)).ravel()
    ] = 0
    time = time[keep][:COUNT]
    close = np.round(100 * np.exp(np.cumsum(rng.normal(0, 3e-4, len(time)))), 2)
    opened = np.r_[close[0], close[:-1]]
    high, low = np.maximum(opened, close) + 0.01, np.minimum(opened, close) - 0.01
    volume = rng.integers(1, 1000, len(time)).astype(float)
    return Bars("BENCH", "1m", time, opened, high, low, close, volume, time + MINUTE)


def by_hand(bars):
    """Longest gap and worst move against a rolling median, with pandas."""
    time = pd.Series(pd.to_datetime(bars.time, utc=True))
    move = np.log(pd.Series(bars.close)).diff().abs()
    return time.diff().max(), (move / move.rolling(750).median()).max()


def main():
    markets, found = load_settings().markets, []
    for name in ("crypto", "gold", "us_equity"):
        bars = bars_of(markets[name])
        report = assess(bars, markets[name])
        assert report["gaps"].n > 800, report["gaps"].words
        done = compare(f"quality of {len(bars):,} bars, {name}", lambda b=bars, m=markets[name]: (
            assess(b, m)), lambda b=bars: by_hand(b), limit=LIMIT, rounds=3)  # fmt: skip
        found.append(
            Result(f"{done.claim}: seconds", done.ours_ms / 1e3, done.ours_ms / 1e3,
                   done.ours_ms / 1e3, done.ours_ms, done.peer_ms, LIMIT, done.rounds,
                   f"{done.ratio:.2f} × a rolling median by hand")
        )  # fmt: skip
    return tell(*found)


if __name__ == "__main__":
    sys.exit(main())
