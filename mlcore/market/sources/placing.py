"""Stamps into instants: the timeframe found, the zone applied, the bar's start and end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, HOUR, SECOND
from mlcore.config import Market
from mlcore.errors import BarsError
from mlcore.market.sessions import daily_available_at, trading_days
from mlcore.market.sources.clocks import find_switch, looks_like_ends, propose_zone
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


def _instants(
    reading: Reading, timeframe: str, zone: str | None, market: Market, *, accept: bool = True
) -> tuple[Array, tuple[str, ...]]:
    if reading.stamps.kind == "instant":
        return _labelled(reading, timeframe, zone, market, accept=accept)
    if zone is None:
        raise _no_zone(reading, timeframe, market)
    return _from_wall(reading, zone), (f"times read as {zone}",)


def _labelled(
    reading: Reading, timeframe: str, zone: str | None, market: Market, *, accept: bool
) -> tuple[Array, tuple[str, ...]]:
    """Stamps that carry their zone, unless trading reopens by another clock than they say."""
    told = None
    if timeframe_width(timeframe) < DAY:
        told = propose_zone(reading.stamp, market, timeframe_width(timeframe))
    if told is None or told[0] == "UTC":
        note = f"stamps carry their own zone; {zone} was not needed"
        return reading.stamp, (note,) if zone else ()
    if zone == told[0]:
        said = f"stamps carry a zone, and are the wall clock of {zone}: read so"
        return _from_wall(reading, zone), (said,)
    if accept:
        return reading.stamp, (f"accepted: stamps look like the wall clock of {told[0]}",)
    raise BarsError(
        f"Stamps with a zone are instants – those of {reading.origin.names[0]} look like the wall "
        f"clock of {told[0]}: {told[1]} – add --timezone {told[0]} to read them so, or go on with "
        "--accept-doubts; nothing was imported.",
        code="E_BARS_ZONE",
        details={"proposed": told[0]},
    )


def _from_wall(reading: Reading, zone: str) -> Array:
    utc, skipped, undecided = wall_to_utc(reading.stamp, parse_zone(zone))
    if skipped.any():
        raise _off_clock(reading, skipped, zone, "never shows", "check --timezone")
    if undecided.any():
        cure = "export it in UTC, or leave those rows out"
        raise _off_clock(reading, undecided, zone, "shows twice, and the order does not tell", cure)
    return utc


def _no_zone(reading: Reading, timeframe: str, market: Market) -> BarsError:
    """The question for a zone, with the one that the hours of trading tell."""
    column = reading.source.roles[0].shown(reading.source.tables[0].names)["time"]
    told = propose_zone(reading.stamp, market, timeframe_width(timeframe))
    cure = "such as America/New_York, Europe/Athens or UTC"
    if told:
        cure = f"most likely {told[0]}: {told[1]}"
    return BarsError(
        f"Times without an offset need a zone – {reading.origin.names[0]} (column {column}) has "
        f"none and none was declared – add --timezone, {cure}; nothing was imported.",
        code="E_BARS_ZONE",
        details={"proposed": told[0] if told else None},
    )


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
    reading: Reading, timeframe: str, zone: str | None, market: Market, *, side: str | None,
    accept: bool,
) -> tuple[Array, Array, tuple[str, ...]]:  # fmt: skip
    """Start and end of each bar, int64 ns UTC, and notes.

    Parameters
    ----------
    side
        `start` or `end`, as somebody or the column's name says; None asks where the market's
        hours say that stamps mean the end.
    accept
        Whether a clock that changes in mid-file was looked at and is right.

    Raises
    ------
    BarsError
        E_BARS_ZONE, E_BARS_LOCAL_TIME, E_BARS_SIDE, E_BARS_CLOCK.
    """
    utc, notes = _instants(reading, timeframe, zone, market, accept=accept)
    width = timeframe_width(timeframe)
    if side is None:
        _ask_side(reading, utc, width, market)
    start = utc
    if side == "end":
        start = utc + _short_of_end(utc, width) - width
        notes = (*notes, f"stamps mean the bar's end: moved back by {timeframe}")
    changed = _switch(reading, start, width, market)
    if changed and not accept:
        raise changed
    if changed:
        notes = (*notes, f"accepted: {changed.details['said']}")
    return start, start + width, (*notes, *_off_grid(reading, start, width))


def _off_grid(reading: Reading, start: Array, width: int) -> tuple[str, ...]:
    """A note on rows that stand beside the grid on which all others stand."""
    if width > HOUR:
        return ()
    offset = start % width
    usual = int(offset[len(offset) // 2])
    off = offset != usual
    if not off.any() or 2 * int(off.sum()) > len(off):
        return ()
    first = reading.origin.shown(int(np.argmax(off)))
    return (f"{int(off.sum())} rows stand off the grid of all others, {first} first",)


def _ask_side(reading: Reading, utc: Array, width: int, market: Market) -> None:
    why = looks_like_ends(utc, market, width)
    if why is None and 0 < _short_of_end(utc, width):
        why = "every stamp is just short of a whole step"
    if why:
        raise BarsError(
            f"A stamp is the bar's start or its end – {reading.origin.names[0]} does not say, and "
            f"looks like ends: {why} – say --stamp end, or --stamp start; nothing was imported.",
            code="E_BARS_SIDE",
            details={"proposed": "end"},
        )


def _switch(reading: Reading, start: Array, width: int, market: Market) -> BarsError | None:
    """The refusal of a file whose clock changes for good, with the row at which it does."""
    is_rising = bool(np.all(np.diff(start) >= 0))
    order = None if is_rising else np.argsort(start, kind="stable")
    found = find_switch(start if order is None else start[order], market, width)
    if found is None:
        return None
    place = found.row if order is None else int(order[found.row])
    name, row = reading.origin.where(place)
    day = pd.Timestamp(int(start[place])).strftime("%Y-%m-%d")
    said = f"from {name} row {row} ({day}) on trading reopens at {found.after}, before at " \
        f"{found.before}"  # fmt: skip
    return BarsError(
        f"The clock of a file does not change – {said} – split the file there and import each part "
        "with its own --timezone, or go on with --accept-doubts; nothing was imported.",
        code="E_BARS_CLOCK",
        details={"file": name, "row": row, "said": said},
    )


def _short_of_end(utc: Array, width: int) -> int:
    """What close times written as 00:14:59.999 lack, all alike and at most a second."""
    lack = -utc % width
    first = int(lack[0])
    return first if first <= SECOND and bool(np.all(lack == first)) else 0


def place_daily(
    reading: Reading, timeframe: str, market: Market, zone: str | None, side: str | None
) -> tuple[Array, Array, tuple[str, ...]]:
    """Open and close of each row's trading day by the market's calendar, int64 ns UTC, notes.

    A date, or a midnight, names its day; any other time belongs to the trading day that contains
    it, so that bars stamped the evening before move to their day.
    """
    notes: tuple[str, ...] = ()
    if _at_midnight(reading):
        days = (reading.stamp // DAY).astype("datetime64[D]")
        if side is None:
            _ask_eve(reading, days, market)
        if side == "eve":
            days, notes = days + 1, ("dates name the evening before: moved to the next day",)
    else:
        utc, notes = _instants(reading, timeframe, zone, market)
        days = trading_days(utc, market)
        notes = (*notes, "stamps moved to the trading day they belong to")
    start, end = daily_available_at(market, days)
    return start, end, (*notes, f"days from open to close of {market.calendar}")


def _ask_eve(reading: Reading, days: Array, market: Market) -> None:
    """Ask where dates run from Sunday to Thursday: those of days that begin the evening before."""
    if market.calendar == "24/7":
        return
    weekday = (days.astype(np.int64) + 3) % 7  # 0 is Monday
    sundays, fridays = (int(np.sum(weekday == day)) for day in (6, 4))
    if sundays >= 3 and sundays > 0.1 * len(days) and fridays < 0.02 * len(days):
        raise BarsError(
            f"A date is the day that was traded – {reading.origin.names[0]} has {sundays} Sundays "
            f"and {fridays} Fridays: its dates are one day early – say --stamp eve to move them, "
            "or --stamp start to leave them; nothing was imported.",
            code="E_BARS_SIDE",
            details={"proposed": "eve"},
        )
