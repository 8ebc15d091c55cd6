"""What was restated, deleted or carried out of a home's bars, and which calls lean on it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import to_timestamp
from mlcore.market.exporting import export_bars
from mlcore.operations.home import Home
from mlcore.schema import timeframe_width

__all__ = ["delete_bars", "revision_frame", "write_bars"]

Array = np.ndarray[Any, Any]
_CELLS = 4_000_000
_CALLS = """
SELECT id, timeframe, coalesce(first_bar, decision_at) AS first_bar, decision_at, due_at, logged_at
FROM predictions WHERE symbol = ? ORDER BY sequence
"""


def revision_frame(home: Home, symbol: str, timeframe: str) -> pd.DataFrame:
    """Restated bars with old and new values, their import, and the calls that lean on them.

    A call leans on a bar if it was logged before the bar's new values were known, and the bar lies
    between the first bar it read and its due time; for calls of coarser timeframes, between
    decision and due time. `calls` counts them, `call_ids` names them, oldest first.
    """
    frame = home.store.revisions(symbol, timeframe)
    counts, names = _leaning(home, frame, symbol, timeframe)
    return frame.assign(calls=counts, call_ids=pd.Series(names, dtype=object))


def _leaning(
    home: Home, frame: pd.DataFrame, symbol: str, timeframe: str
) -> tuple[Array, list[list[str]]]:  # fmt: skip
    calls = home.db.frame(_CALLS, (symbol,))
    width = timeframe_width(timeframe)
    widths = calls["timeframe"].map(timeframe_width).to_numpy(dtype=np.int64)
    calls, widths = calls[widths >= width], widths[widths >= width]
    first, decided, due, logged = (
        calls[c].to_numpy(dtype=np.int64) for c in ("first_bar", "decision_at", "due_at",
                                                    "logged_at")
    )  # fmt: skip
    since, ids = np.where(widths == width, first, decided), calls["id"].to_numpy(dtype=object)
    time = frame["time"].astype("int64").to_numpy()[:, None]
    known = frame["new_available_at"].astype("int64").to_numpy()[:, None]
    step = max(1, _CELLS // max(1, len(calls)))
    counts, names = np.zeros(len(frame), dtype=np.int64), []
    for at in range(0, len(frame), step):
        t, k = time[at : at + step], known[at : at + step]
        leans = (since <= t) & (t < due) & (logged < k)
        counts[at : at + step] = leans.sum(axis=1)
        cuts = np.cumsum(counts[at : at + step])[:-1]
        names += [part.tolist() for part in np.split(ids[np.nonzero(leans)[1]], cuts)]
    return counts, names


def delete_bars(home: Home, symbol: str, timeframe: str, reason: str) -> dict[str, Any]:
    """Take a symbol's stored bars out of later reads; logged calls and older snapshots stay."""
    now = home.now()
    rows = home.store.delete(symbol, timeframe, reason=reason, at=now)
    found = home.db.one(
        "SELECT count(*) AS n FROM predictions WHERE symbol = ? AND timeframe = ?",
        (symbol, timeframe),
    )
    return {
        "symbol": symbol, "timeframe": timeframe, "rows": rows, "reason": reason.strip(),
        "deleted_at": to_timestamp(now).isoformat(), "calls_kept": int(found["n"]) if found else 0,
        "snapshot": home.lake.snapshot(),
    }  # fmt: skip


def write_bars(
    home: Home, symbol: str, timeframe: str, path: Path, *, start: int | None = None,
    end: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    """Bars to a Parquet or CSV file."""
    bars = home.store.read(symbol, timeframe, start=start, end=end)
    made = home.store.derived_from(symbol, timeframe)
    return {
        "symbol": symbol, "timeframe": timeframe, "rows": export_bars(bars, path),
        "derived_from": made, "out": str(path),
    }  # fmt: skip
