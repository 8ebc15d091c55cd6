"""Import: read files, check them, append them to the lake as one snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mlcore.errors import UsageError
from mlcore.market.bars import ImportReport
from mlcore.market.sources import load
from mlcore.operations.home import Home

__all__ = ["ingest", "parse_columns"]


def ingest(
    home: Home, paths: Sequence[Path], *, symbol: str, timeframe: str | None,
    timezone: str | None, stamp: str | None, market: str | None,
    columns: Mapping[str, str] | None,
) -> ImportReport:  # fmt: skip
    """Files of one symbol into the lake, all or nothing; the same files twice change nothing."""
    bars, sha256, notes = load(
        paths, symbol=symbol, timeframe=timeframe, timezone=timezone, stamp=stamp,
        columns=columns, market=market or home.store.market_name(symbol),
        settings=home.settings,
    )  # fmt: skip
    options = {
        "timezone": timezone, "stamp": stamp, "market": market,
        "columns": dict(columns or {}), "notes": list(notes),
    }  # fmt: skip
    source = ", ".join(path.name for path in paths[:3]) + (" …" if len(paths) > 3 else "")
    report = home.store.append(
        bars, source=source, sha256=sha256, imported_at=home.now(), options=options
    )
    return replace(report, notes=tuple(dict.fromkeys((*notes, *report.notes))))


def parse_columns(text: str | None) -> dict[str, str] | None:
    """`time=Date,close=Last` as a mapping; None for nothing.

    Raises
    ------
    UsageError
        A part without an equals sign.
    """
    if not text:
        return None
    pairs = [part.split("=", 1) for part in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise UsageError(
            f"--columns is NAME=COLUMN,… – {text!r} was given – write it as time=Date,close=Last.",
            code="E_USAGE_COLUMNS",
        )
    return {name.strip(): column.strip() for name, column in pairs}
