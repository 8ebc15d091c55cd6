"""A trained home for the scripts, made once below the system's temporary folder."""

import json
import shutil
import tempfile
from dataclasses import replace
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


def many(home, count):
    """The names of as many more symbols, each with two months of the same kind of market."""
    names = [f"SIM-B{i:03d}" for i in range(count)]
    have = set(home.store.symbols()["symbol"])
    start = NOW.value - 60 * 86_400 * 10**9
    for i, name in enumerate(names):
        if name not in have:
            bars = replace(simulate(SYMBOL, seed=i, start=start, end=NOW.value), symbol=name)
            home.store.append(
                bars, source="simulated", sha256="", imported_at=home.now(),
                options={"market": "simulated_24_7"},
            )  # fmt: skip
    return names


def champions_of(home, names):
    """Copies of the trained version as the champions of these symbols' own slots."""
    folder = home.registry.path(DIRECTION)
    spec = json.loads((folder / "spec.json").read_text())

    def build(target):
        ignored = shutil.ignore_patterns("manifest.json")
        shutil.copytree(folder, target, dirs_exist_ok=True, ignore=ignored)

    for slot in (Slot("orb_direction", name, TIMEFRAME) for name in names):
        if home.registry.champion(slot) is None:
            proof = home.registry.certify(
                slot, set_id=spec["set_id"], code_hash=code_hash(), passed=True, report={}
            )
            made = home.registry.save(slot, build, certificate_id=proof, meta={})
            home.registry.promote(slot, made, "benchmark", actor="benchmark")
