"""A trained home for the scripts, made once below the system's temporary folder."""

import tempfile
from pathlib import Path

import pandas as pd

from mlcore.clock import fixed_clock
from mlcore.config import load_settings
from mlcore.evaluation.leaks import code_hash
from mlcore.market.demo import simulate
from mlcore.operations.home import Home
from mlcore.operations.retraining import run_training
from mlcore.schema import Slot

SYMBOL, TIMEFRAME = "SIM-EDGE", "5m"
START, NOW = pd.Timestamp("2026-03-01", tz="UTC"), pd.Timestamp("2026-10-09 08:16:10", tz="UTC")
DIRECTION = Slot("orb_direction", SYMBOL, TIMEFRAME)


def trained_home(targets=("orb_direction",)):
    """A home with 7 months of the simulated market and one promoted version a target."""
    # one for each state of the code: a version proved by other code is loaded at every call
    name = f"openrange-bench-{load_settings().fingerprint()[:8]}-{code_hash()[:8]}"
    place = Path(tempfile.gettempdir()) / name
    home = Home(load_settings(place), fixed_clock(NOW))
    if SYMBOL not in set(home.store.symbols()["symbol"]):
        bars = simulate(SYMBOL, seed=7, start=START.value, end=NOW.value)
        home.store.append(
            bars, source="simulated", sha256="", imported_at=home.now(),
            options={"market": "simulated_24_7"},
        )  # fmt: skip
    for target in targets:
        slot = Slot(target, SYMBOL, TIMEFRAME)
        if home.registry.champion(slot) is None:
            made = run_training(home, {"target": target, "symbol": SYMBOL, "timeframe": TIMEFRAME})
            home.registry.promote(slot, made["version"], "benchmark", actor="benchmark")
    return home
