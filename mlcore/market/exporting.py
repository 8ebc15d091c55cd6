"""Bars carried out: Parquet for programs, CSV for spreadsheets; written whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from mlcore.errors import UsageError
from mlcore.schema import BAR_COLUMNS, PRICE_COLUMNS, Bars

__all__ = ["export_bars", "neutral"]


def neutral(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value


def export_bars(bars: Bars, path: Path | str) -> int:
    """Write bars to a `.parquet` or `.csv` file; the number of bars.

    CSV holds symbol and timeframe too, times as ISO text in UTC, and no cell that a spreadsheet
    would run as a formula.

    Raises
    ------
    UsageError
        Another ending (E_EXPORT).
    """
    target = Path(path)
    write = {".parquet": _parquet, ".csv": _csv}.get(target.suffix.lower())
    if write is None:
        raise UsageError(
            f"Bars are exported to .parquet or .csv – {target.name} was given – choose one of "
            "these endings.",
            code="E_EXPORT",
        )
    part = target.with_name(target.name + ".part")
    write(bars, part)
    part.replace(target)
    return len(bars)


def _parquet(bars: Bars, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    stamp = pa.timestamp("ns", tz="UTC")
    times = {c: pa.array(getattr(bars, c)).cast(stamp) for c in ("time", "available_at")}
    rest = {c: pa.array(getattr(bars, c)) for c in (*PRICE_COLUMNS, "volume")}
    pq.write_table(pa.table(times | rest).select(list(BAR_COLUMNS)), path, compression="zstd")


def _csv(bars: Bars, path: Path) -> None:
    frame = bars.frame()
    for column in ("time", "available_at"):
        frame[column] = pd.DatetimeIndex(frame[column]).strftime("%Y-%m-%dT%H:%M:%SZ")
    frame.insert(0, "timeframe", bars.timeframe)
    frame.insert(0, "symbol", neutral(bars.symbol))
    frame.to_csv(path, index=False)
