"""Health, verification and sealed exports of a home."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from mlcore.clock import to_timestamp
from mlcore.evaluation.leaks import code_hash
from mlcore.live.calls import freshness
from mlcore.operations.home import Home
from mlcore.operations.watch import is_watched

__all__ = ["export_log", "health", "verify"]


def verify(home: Home) -> dict[str, Any]:
    """Every hash of the home: lake files, the log's chain, version folders."""
    found: list[dict[str, Any]] = []
    for part, check in (
        ("lake", home.lake.verify), ("log", home.log.verify), ("registry", home.registry.verify)
    ):  # fmt: skip
        found += [{"part": part, **problem} for problem in check()]
    counts = {
        "lake_files": home.db.one("SELECT count(*) AS n FROM lake_files"),
        "predictions": home.db.one("SELECT count(*) AS n FROM predictions"),
        "outcomes": home.db.one("SELECT count(*) AS n FROM outcomes"),
        "versions": home.db.one("SELECT count(*) AS n FROM versions"),
    }
    checked = {name: int(row["n"]) if row else 0 for name, row in counts.items()}
    return {"passed": not found, "problems": found, "checked": checked,
            "orphans": _records(home.registry.orphans())}  # fmt: skip


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in frame.to_dict("records")]


def health(home: Home) -> dict[str, Any]:
    """Freshness by symbol, the watch, waiting jobs, latency and cache hits."""
    listed = home.store.symbols()
    fresh = [
        {"symbol": s, "timeframe": t, **freshness(home.store, s, t, home.now()).as_dict()}
        for s, t in listed[["symbol", "timeframe"]].itertuples(index=False)
    ]
    due = home.db.one(
        "SELECT count(*) AS n FROM predictions p WHERE due_at <= ? AND NOT EXISTS "
        "(SELECT 1 FROM outcomes o WHERE o.prediction_id = p.id)", (home.now(),),
    )  # fmt: skip
    asked = home.engine.hits + home.engine.misses
    running = [j for j in home.jobs.recent(20) if not j.is_ended]
    return {
        "now": to_timestamp(home.now()).isoformat(), "watch": is_watched(home),
        "symbols": fresh, "due_unsettled": int(due["n"]) if due else 0,
        "jobs": [{"id": j.id, "name": j.name, "state": j.state} for j in running],
        "cache_hit_rate": home.engine.hits / asked if asked else None,
        "code": code_hash()[:12], "configuration": home.settings.fingerprint()[:12],
    }  # fmt: skip


def export_log(home: Home, folder: Path) -> dict[str, Any]:
    """The log with its outcomes as Parquet, and the chain's head beside it, sealed here too."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = home.log.frame(parsed=False)  # Parquet has no type for an empty mapping
    place = folder / "shadow_log.parquet"
    frame.to_parquet(place, index=False)
    seal = home.log.seal(str(place.name))
    return {"rows": len(frame), "out": str(place), "head": seal}
