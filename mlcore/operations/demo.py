"""The demo: two simulated markets and two real daily series, trained and promoted by itself.

It acts for the person who typed it, in SIMULATED slots only, with the reason "demo".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mlcore.market.demo import DEMO, ORIGIN, real_daily, simulate
from mlcore.operations.home import Home
from mlcore.operations.retraining import run_training
from mlcore.operations.shadowing import replay, settle, tick
from mlcore.operations.watch import pull
from mlcore.schema import Slot

__all__ = ["TARGETS", "make_bars", "make_demo", "train_demo"]

TARGETS = ("orb_direction", "orb_quality", "orb_r")
REPLAYED_DAYS = 60

Progress = Callable[[Mapping[str, Any]], None]


def _quiet(event: Mapping[str, Any]) -> None:
    del event


def make_bars(home: Home) -> dict[str, int]:
    """The demo's bars, up to the present minute; rows by symbol."""
    import pandas as pd

    origin, rows = pd.Timestamp(ORIGIN, tz="UTC").value, {}
    held = set(home.store.symbols()["symbol"])
    for name, spec in DEMO.items():
        if name in held:
            continue
        bars = simulate(name, seed=home.settings.seed, start=origin, end=home.now())
        report = home.store.append(
            bars, source="simulated", sha256="", imported_at=home.now(),
            options={"market": spec.market, "seed": home.settings.seed},
        )  # fmt: skip
        rows[name] = report.added
    for name, bars in real_daily(home.settings.market("us_equity")).items():
        report = home.store.append(
            bars, source="arch package", sha256="", imported_at=home.now(),
            options={"market": "us_equity"},
        )  # fmt: skip
        rows[name] = report.added
    pull(home)
    return rows


def train_demo(home: Home, progress: Progress = _quiet) -> dict[str, Any]:
    """Train every opening-range target of the simulated markets, promote, replay, tick."""
    made: list[dict[str, Any]] = []
    # the market that trades around the clock first: the first screen always has a call
    for symbol, spec in sorted(DEMO.items(), key=lambda item: not item[1].planted):
        for target in TARGETS:
            slot = Slot(target, symbol, spec.timeframe)
            if home.registry.champion(slot) is not None:
                continue
            progress({"kind": "stage", "text": f"training {slot}"})
            run = run_training(
                home, {"target": target, "symbol": symbol, "timeframe": spec.timeframe},
                progress=progress,
            )  # fmt: skip
            home.registry.promote(slot, run["version"], "demo", actor="demo")
            replay(home, str(slot), REPLAYED_DAYS)
            made.append(run)
    tick(home)
    settle(home)
    return {"trained": made}


def make_demo(
    home: Home, *, if_empty: bool, train_later: Callable[[], str] | None
) -> dict[str, Any]:
    """Bars now; training now, or later by a job; nothing where bars are and `if_empty` is set."""
    if if_empty and len(home.store.symbols()):
        return {"bars": {}, "note": "this home has bars already; nothing was added"}
    rows = make_bars(home)
    tick(home)
    if train_later is not None:
        return {"bars": rows, "job": train_later()}
    return {"bars": rows, **train_demo(home)}
