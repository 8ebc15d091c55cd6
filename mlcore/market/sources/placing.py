"""Stamps into instants: the timeframe found, the zone applied, the bar's start and end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, SECOND
from mlcore.config import Market
from mlcore.errors import BarsError
from mlcore.market.sessions import daily_available_at, trading_days
from mlcore.market.sources.reading import Reading
from mlcore.market.sources.zones import parse_zone, wall_to_utc
from mlcore.schema import TIMEFRAMES, timeframe_width

__all__ = ["find_timeframe", "needs_zone", "place_daily", "place_intraday"]

Array = np.ndarray[Any, Any]


def find_timeframe(stamp: Array, asked: str | None) -> str:
    """The timeframe of rows by the commonest step between their times.

    Raises
    ------
    BarsError
        Another one was asked for, the step is no timeframe, or there are too few rows to tell
        (E_BARS_TIMEFRAME).
    """
    known = "1d" if asked is None else asked
    width = timeframe_width(known)
    steps = np.diff(stamp if bool(np.all(np.diff(stamp) > 0)) else np.unique(stamp))
    if not len(steps):
        if asked is None:
            raise _no_timeframe("a single time", "give --timeframe")
        return asked
    if asked is not None and int(steps.min()) == width:
        return asked
    sizes, counts = np.unique(steps, return_counts=True)
    step = int(sizes[np.argmax(counts)])
    if asked is not None and 2 * counts.max() < len(steps) and bool(np.all(steps % width == 0)):
        return asked  # so thin that no step prevails
    found = next((name for name, size in TIMEFRAMES.items() if size == step), None)
    if found is None:
        raise _no_timeframe(f"steps of {pd.Timedelta(step)}", f"resample to {' '.join(TIMEFRAMES)}")
    if asked is not None and found != asked:
        raise _no_timeframe(f"{found} bars where {asked} was asked", f"give --timeframe {found}")
    return found


def _no_timeframe(given: str, cure: str) -> BarsError:
    return BarsError(
        f"Bars of an import are one timeframe apart – the file has {given} – {cure}; nothing was "
        "imported.",
        code="E_BARS_TIMEFRAME",
    )


def _at_midnight(reading: Reading) -> bool:
    return bool(np.all(reading.stamp % DAY == 0))


def needs_zone(reading: Reading, timeframe: str) -> bool:
    """Whether the stamps mean nothing without a zone: naive, and not plain dates."""
    daily = timeframe_width(timeframe) >= DAY and _at_midnight(reading)
    return reading.stamps.kind == "naive" and not daily


def _instants(reading: Reading, zone: str | None) -> tuple[Array, tuple[str, ...]]:
    if reading.stamps.kind == "instant":
        note = f"stamps carry their own zone; {zone} was not needed"
        return reading.stamp, (note,) if zone else ()
    if zone is None:
        column = reading.source.roles[0].shown(reading.source.tables[0].names)["time"]
        raise BarsError(
            f"Times without an offset need a zone – {reading.origin.names[0]} (column {column}) "
            "has none and none was declared – add --timezone, such as America/New_York, "
            "Europe/Athens or UTC; nothing was imported.",
            code="E_BARS_ZONE",
        )
    utc, skipped, undecided = wall_to_utc(reading.stamp, parse_zone(zone))
    if skipped.any():
        raise _off_clock(reading, skipped, zone, "never shows", "check --timezone")
    if undecided.any():
        cure = "export it in UTC, or leave those rows out"
        raise _off_clock(reading, undecided, zone, "shows twice, and the order does not tell", cure)
    return utc, (f"times read as {zone}",)


def _off_clock(reading: Reading, bad: Array, zone: str, what: str, cure: str) -> BarsError:
    rows = [reading.origin.where(int(i)) for i in np.flatnonzero(bad)[:5]]
    shown = ", ".join(f"{name} row {row}" for name, row in rows)
    first = pd.Timestamp(int(reading.stamp[np.argmax(bad)])).strftime("%Y-%m-%d %H:%M")
    return BarsError(
        f"A local time happens once in its zone – {first} is a time that {zone} {what}: {shown} "
        f"({int(bad.sum())} rows) – {cure}; nothing was imported.",
        code="E_BARS_LOCAL_TIME",
        details={"rows": [{"file": name, "row": row} for name, row in rows]},
    )


def place_intraday(
    reading: Reading, timeframe: str, zone: str | None, *, at_end: bool
) -> tuple[Array, Array, tuple[str, ...]]:
    """Start and end of each bar, int64 ns UTC, and notes."""
    utc, notes = _instants(reading, zone)
    width = timeframe_width(timeframe)
    if at_end:
        utc = utc + _short_of_end(utc, width)
        return utc - width, utc, (*notes, f"stamps mean the bar's end: moved back by {timeframe}")
    return utc, utc + width, notes


def _short_of_end(utc: Array, width: int) -> int:
    """What close times written as 00:14:59.999 lack, all alike and at most a second."""
    lack = -utc % width
    first = int(lack[0])
    return first if first <= SECOND and bool(np.all(lack == first)) else 0


def place_daily(
    reading: Reading, market: Market, zone: str | None
) -> tuple[Array, Array, tuple[str, ...]]:
    """Open and close of each row's trading day by the market's calendar, int64 ns UTC, notes.

    A date, or a midnight, names its day; any other time belongs to the trading day that contains
    it, so that bars stamped the evening before move to their day.
    """
    notes: tuple[str, ...] = ()
    if _at_midnight(reading):
        days = (reading.stamp // DAY).astype("datetime64[D]")
    else:
        utc, notes = _instants(reading, zone)
        days = trading_days(utc, market)
        notes = (*notes, "stamps moved to the trading day they belong to")
    start, end = daily_available_at(market, days)
    return start, end, (*notes, f"days from open to close of {market.calendar}")
