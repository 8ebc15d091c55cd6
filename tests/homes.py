"""A small trained home, made once a test process and copied for each test that changes it.

It holds 130 days of the simulated market with the planted edge, and one LightGBM version of
`orb_quality` and `orb_direction` each, promoted. Its clock stands at NOW.
"""

import shutil
from pathlib import Path

import pandas as pd

from mlcore.clock import fixed_clock
from mlcore.config import load_settings
from mlcore.market.demo import simulate
from mlcore.operations.home import Home
from mlcore.operations.retraining import run_training
from mlcore.schema import Slot

SYMBOL, TIMEFRAME = "SIM-EDGE", "5m"
START, NOW = pd.Timestamp("2026-06-01", tz="UTC"), pd.Timestamp("2026-10-09 08:16:10", tz="UTC")
DIRECTION = Slot("orb_direction", SYMBOL, TIMEFRAME)
QUALITY = Slot("orb_quality", SYMBOL, TIMEFRAME)
WINDOWS = "40d,10d,10d"


def home_at(place, at=NOW):
    """The parts of a home whose clock stands at `at`."""
    return Home(load_settings(place), fixed_clock(at))


def add_bars(home, until, *, start=START):
    """Simulated bars up to an instant."""
    count, last, _ = home.store.last(SYMBOL, TIMEFRAME) if has_bars(home) else (0, 0, 0)
    first = pd.Timestamp(start).value if not count else last + 300 * 10**9
    bars = simulate(SYMBOL, seed=home.settings.seed, start=first, end=pd.Timestamp(until).value)
    if len(bars):
        options = {"market": "simulated_24_7"}
        home.store.append(
            bars, source="simulated", sha256="", imported_at=home.now(), options=options
        )
    return bars


def has_bars(home):
    """Whether the home knows the symbol yet."""
    return SYMBOL in set(home.store.symbols()["symbol"])


def train(home, slot, **more):
    """One training run of a slot with the small windows."""
    asked = {"target": slot.label, "symbol": slot.symbol, "timeframe": slot.timeframe}
    return run_training(home, {**asked, "walk_forward": WINDOWS, **more})


def make_trained(place: Path) -> Path:
    """Make the trained home below `place`."""
    home = home_at(place)
    add_bars(home, NOW)
    for slot in (DIRECTION, QUALITY):
        made = train(home, slot)
        home.registry.promote(slot, made["version"], "test", actor="test")
    home.lake.close()
    return place


def copy_of(place: Path, target: Path) -> Path:
    """A copy that a test may change."""
    shutil.copytree(place, target)
    return target
