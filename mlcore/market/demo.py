"""Demonstration data without a network: two simulated markets, two real daily indices.

SIM-WALK is driftless: an honest hub finds nothing in it. SIM-EDGE hides an edge in about a third
of its opening ranges. Both are functions of seed and date, so that a home extended bar by bar
holds the same bars as one made in one go. This file knows dates and prices; the law of a day is
`mlcore.market.simulation`. No simulated name is a real ticker.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from mlcore.clock import DAY, HOUR, MINUTE
from mlcore.config import Market, load_settings
from mlcore.errors import UsageError
from mlcore.market.simulation import (
    EDGE,
    LATTICE,
    LOOKBACK,
    WALK,
    Law,
    Relative,
    activity,
    day_bars,
    heads,
)
from mlcore.schema import PRICE_COLUMNS, Bars

__all__ = ["DEMO", "ORIGIN", "DemoMarket", "real_daily", "simulate"]

ORIGIN = "2024-05-01"
"""Date of the first simulated trading day."""


class DemoMarket(NamedTuple):
    """A simulated symbol's market and timeframe, and whether an edge is planted in it."""

    market: str
    timeframe: str
    planted: bool


DEMO = {
    "SIM-WALK": DemoMarket("simulated_24_5", "5m", planted=False),
    "SIM-EDGE": DemoMarket("simulated_24_7", "5m", planted=True),
}
_LAWS = {law.name: law for law in (WALK, EDGE)}
_WIDTH = 5 * MINUTE
_TICKS = 10_000  # per point: both markets' tick is 0.0001

Array = np.ndarray[Any, np.dtype[Any]]


def simulate(
    name: str, *, seed: int, start: int, end: int, start_price: float | None = None
) -> Bars:
    """Simulated 5m bars that start at or after `start` and end at or before `end`.

    The same seed gives the same bars whatever the cut. Without `start_price` every day since
    ORIGIN is made to find the level at `start` (seconds); with it, only the days from `start` on.

    Parameters
    ----------
    name
        A key of DEMO.
    seed
        Non-negative.
    start, end
        int64 ns UTC. Before the first trading day there are no bars.
    start_price
        Close of the last bar that starts before `start`, as this function returned it.

    Returns
    -------
    Bars
        Prices rounded to the market's tick, volume at least 1, no NaN; empty where no bar fits.

    Raises
    ------
    UsageError
        Unknown name; negative seed; `start_price` that is no price of this market, or given
        where no bar starts before `start`.
    """
    law = _law(name, seed)
    days, begins, offsets = _calendar(law, end)
    if start_price is None:
        first, level = 0, law.level
    else:
        first, level = int(np.searchsorted(begins + DAY, start, "right")), _units(start_price)
        _refuse_before_origin(law, start, begins)
    made = _days(law, seed, days[first:], begins[first:], offsets[first:])
    parts: list[Bars] = []
    for begin, day in made:
        if not parts and start_price is not None and start > begin:
            level -= int(day.close[-(-(start - begin) // _WIDTH) - 1])
        parts.append(_priced(law, begin, level, day))
        level += int(day.close[-1])
    bars = Bars.concat(parts) if parts else _priced(law, 0, 0, Relative.empty())
    return bars.take((bars.time >= start) & (bars.available_at <= end))


def _law(name: str, seed: int) -> Law:
    if name not in _LAWS:
        known = ", ".join(_LAWS)
        raise UsageError(
            f"A simulated market is one of {known} – {name!r} was given – choose one of these.",
            code="E_DEMO_NAME",
            details={"given": name, "known": list(_LAWS)},
        )
    if seed < 0:
        raise UsageError(
            f"A seed is 0 or more – {seed} was given – choose another number.",
            code="E_DEMO_SEED",
            details={"given": seed},
        )
    return _LAWS[name]


def _refuse_before_origin(law: Law, start: int, begins: Array) -> None:
    if not len(begins) or start <= begins[0]:
        raise UsageError(
            f"start_price is the close of a bar before start – {law.name} has none before "
            f"{ORIGIN} – leave start_price out.",
            code="E_DEMO_START",
        )


def _calendar(law: Law, end: int) -> tuple[Array, Array, list[dict[str, int]]]:
    """Trading days that begin before `end`: date (days since 1970), start (ns), zones' offsets."""
    first = int(np.datetime64(ORIGIN, "D").astype(np.int64))
    dates = np.arange(first, max(end // DAY + 2, first), dtype=np.int64)
    if law.weekdays:
        dates = dates[(dates + 3) % 7 < 5]
    wall = (dates - (law.roll_hour > 0)) * DAY + law.roll_hour * HOUR
    begins = pd.DatetimeIndex(wall.view("datetime64[ns]")).tz_localize(law.zone)
    begins = begins.tz_convert("UTC")
    started = np.asarray(begins.asi8 < end)
    offsets = {
        burst.zone: begins.tz_convert(burst.zone).tz_localize(None).asi8 - begins.asi8
        for burst in law.sessions
    }
    listed = [{z: int(o[i]) for z, o in offsets.items()} for i in np.flatnonzero(started)]
    return dates[started], np.asarray(begins.asi8)[started], listed


def _days(
    law: Law, seed: int, days: Array, begins: Array, offsets: list[dict[str, int]]
) -> Iterator[tuple[int, Relative]]:
    if not len(days):
        return
    noise = heads(law, seed, int(days[0]) - LOOKBACK, int(days[-1]))
    for day, begin, zones in zip(days, begins, offsets, strict=True):
        at = int(day - days[0])
        shape = activity(law, int(begin), zones)
        rows = noise[at : at + LOOKBACK + 1]
        yield int(begin), day_bars(law, seed, int(day), rows, shape)


def _prices(units: Array) -> Array:
    return np.asarray(np.round(np.exp(units * LATTICE) * _TICKS) / _TICKS)


def _units(price: float) -> int:
    """Lattice units of a price this simulation wrote: its inverse, exact above 200 points."""
    units = round(float(np.log(price)) / LATTICE) if 0 < price < np.inf else 0
    if _prices(np.array([units]))[0] != price:
        raise UsageError(
            f"start_price is the close of the last simulated bar before start – {price!r} is no "
            "price of this market – pass the stored close unchanged, or leave it out.",
            code="E_DEMO_PRICE",
            details={"given": price},
        )
    return units


def _priced(law: Law, begin: int, level: int, day: Relative) -> Bars:
    time = begin + _WIDTH * np.arange(len(day.close), dtype=np.int64)
    prices = {c: _prices(level + getattr(day, c)) for c in PRICE_COLUMNS}
    timeframe = DEMO[law.name].timeframe
    return Bars(law.name, timeframe, time, **prices, volume=day.volume, available_at=time + _WIDTH)


def real_daily(market: Market | None = None) -> dict[str, Bars]:
    """Daily S&P 500 and Nasdaq Composite, 1999–2018, as shipped with the `arch` package.

    Prices are as traded (not adjusted) index points, volume in shares; no NaN. Times are the
    regular session's open and close on the market's calendar.

    Parameters
    ----------
    market
        US equities; default the configured `us_equity`.

    Returns
    -------
    dict
        `SP500` and `NASDAQ`, timeframe 1d.
    """
    from arch.data import nasdaq, sp500

    market = market or load_settings().market("us_equity")
    return {
        symbol: _daily_bars(symbol, source.load(), market)
        for symbol, source in (("SP500", sp500), ("NASDAQ", nasdaq))
    }


def _daily_bars(symbol: str, frame: pd.DataFrame, market: Market) -> Bars:
    from mlcore.market.sessions import daily_available_at

    dates = np.asarray(frame.index, dtype="datetime64[D]")
    start, end = daily_available_at(market, dates)
    values = {c: frame[c.capitalize()].to_numpy(np.float64) for c in PRICE_COLUMNS}
    volume = frame["Volume"].to_numpy(np.float64)
    return Bars(symbol, "1d", start, **values, volume=volume, available_at=end).checked()
