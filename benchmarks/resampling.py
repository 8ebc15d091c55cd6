"""Five million 1m bars into 5m, 15m and 1h, against pandas' groupby.

Two kinds of bars: around the clock with twenty outages, as crypto files have them, and with one
minute in twenty missing, as in thin markets. The peer groups a frame by its floored times and
takes first, max, min, last and sum, its own compiled reductions. Goal: at least 5 × as fast, with
the same bars, and the same ones from rows in any order (that sorting is not timed).
"""

import sys
from functools import partial

import numpy as np
import pandas as pd

from benchmarks._compare import compare, tell
from mlcore.clock import MINUTE
from mlcore.config import load_settings
from mlcore.market.resampling import resample
from mlcore.schema import Bars, timeframe_width

ROWS = 5_000_000
START = 1_500_000_000 * 10**9 // MINUTE * MINUTE
WHOLE = ("5m", "15m", "1h")
SUMMARY = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}


def walk(time):
    rng = np.random.default_rng(7)
    close = 100 + np.cumsum(rng.normal(0, 0.01, len(time))) % 50
    return Bars(
        "WALK", "1m", time, close - 0.01, close + 0.05, close - 0.05, close,
        rng.integers(1, 1000, len(time)).astype(float), time + MINUTE,
    )  # fmt: skip


def minutes(rows):
    return START + np.arange(rows) * MINUTE


def with_outages(rows=ROWS, outages=20):
    """Every minute, but for some hours now and then."""
    rng = np.random.default_rng(3)
    time = minutes(rows + 120 * outages)
    gone = rng.choice(rows, outages, replace=False)[:, None] + np.arange(120)
    return walk(np.delete(time, np.unique(gone))[:rows])


def with_holes(rows=ROWS):
    """One minute in twenty is missing, anywhere."""
    rng = np.random.default_rng(3)
    return walk(np.sort(rng.choice(minutes(rows * 21 // 20), rows, replace=False)))


def grouped(frame, width):
    return frame.groupby(frame["time"].dt.floor(pd.Timedelta(width))).agg(SUMMARY)


def gap(ours, theirs):
    """1 if any bar has another value, or more than the two at the data's edges are left out."""
    kept = theirs.loc[pd.to_datetime(ours.time, utc=True)]
    same = [np.allclose(getattr(ours, c), kept[c], rtol=1e-12, atol=0) for c in SUMMARY]
    return int(not all(same) or not 0 <= len(theirs) - len(ours) <= 2)


def measured(kind, bars, market):
    """One result a timeframe, and how many answers were wrong."""
    frame = bars.frame()
    mixed = bars.take(np.random.default_rng(1).permutation(len(bars)))
    results, wrong = [], 0
    for name in WHOLE:
        width = timeframe_width(name)
        ours = resample(bars, name, market).bars
        again = resample(mixed, name, market).bars
        wrong += gap(ours, grouped(frame, width))
        wrong += int(any(not np.array_equal(getattr(ours, c), getattr(again, c)) for c in SUMMARY))
        results.append(compare(
            f"5 million 1m bars {kind} to {name} against pandas groupby",
            partial(resample, bars, name, market), partial(grouped, frame, width),
            limit=0.2, rounds=7, note=f"{len(ours)} bars, unequal answers {wrong}",
        ))  # fmt: skip
    return results, wrong


def main():
    market = load_settings().market("crypto")
    dense, bad = measured("with outages", with_outages(), market)
    thin, worse = measured("with holes", with_holes(), market)
    return tell(*dense, *thin) or int(bad + worse > 0)


if __name__ == "__main__":
    sys.exit(main())
