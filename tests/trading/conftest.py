"""Bars drawn by hand: one opening range a day, at midnight UTC, five-minute bars."""

import numpy as np
import pytest

from mlcore.clock import DAY, MINUTE
from mlcore.config import Cost, Market, OpeningRange, load_settings
from mlcore.schema import Bars

MIDNIGHT = 20_000 * DAY  # 2024-10-04


@pytest.fixture(scope="session")
def markets(tmp_path_factory):
    return load_settings(tmp_path_factory.mktemp("home")).markets


@pytest.fixture(scope="session")
def plain_market():
    """A market around the clock with one range, 00:00 UTC, its window to 01:00, cost 1 point."""
    one = OpeningRange(name="utc_0000", zone="UTC", open="00:00", window_end="01:00")
    return Market(
        name="plain", title="Plain", zone="UTC", calendar="24/7", roll="00:00", hours="24h",
        tick=0.5, cost=Cost(points=1.0), ranges=(one,),
    )  # fmt: skip


@pytest.fixture(scope="session")
def draw():
    """Bars from rows (open, high, low, close), five minutes apart from midnight on.

    Before them comes the opening range: three bars between 90 and 100 that close at 96. A row
    may be None: that bar is missing.
    """

    def drawn(*rows, opening=((95, 100, 92, 94), (94, 97, 90, 93), (93, 98, 92, 96)), hours=1):
        wanted = [*opening, *rows]
        flat = (96, 96, 96, 96)
        wanted += [flat] * (12 * hours - len(wanted))
        at = [i for i, row in enumerate(wanted) if row is not None]
        prices = np.array([wanted[i] for i in at], dtype=np.float64).reshape(-1, 4).T
        time = MIDNIGHT + 5 * MINUTE * np.array(at, dtype=np.int64)
        volume = np.full(len(at), np.nan)
        return Bars("TEST", "5m", time, *prices, volume, time + 5 * MINUTE).checked()

    return drawn


@pytest.fixture(scope="session")
def random_bars():
    """Rough bars on a coarse grid of prices: ties, gaps past levels and missing bars are common."""

    def made(seed, *, days=8, start="2026-03-04", missing=0.03, step=0.8):
        rng = np.random.default_rng(seed)
        count = days * 288
        first = np.datetime64(start, "ns").astype(np.int64)
        moves = rng.normal(0, step, (count, 6))
        path = 500 + moves.reshape(-1).cumsum().reshape(count, 6)
        path = np.round(path * 2) / 2
        prices = path[:, 0], path.max(axis=1), path.min(axis=1), path[:, -1]
        time = first + 5 * MINUTE * np.arange(count, dtype=np.int64)
        bars = Bars("RAND", "5m", time, *prices, rng.random(count), time + 5 * MINUTE)
        return bars.take(rng.random(count) > missing)

    return made
