"""The facts frame: what was known about ranges, sessions and days at each decision.

Every column is gathered through `asof` on the instant its source became available. Columns are
plain arrays, one value a row; a fact that did not exist yet, or is older than ten days, is NaN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlcore.clock import DAY, HOUR
from mlcore.config import Market
from mlcore.features.windows import lag, ratio, rolling_sum
from mlcore.market.sessions import local_walls
from mlcore.samples.asof import asof, gather
from mlcore.samples.history import Asked, Past, past_facts
from mlcore.samples.periods import (
    PRE,
    Bounds,
    Periods,
    day_bounds,
    merge,
    session_bounds,
    spans,
    summarise,
)
from mlcore.schema import Bars

__all__ = [
    "Surroundings",
    "calendar_facts",
    "range_facts",
    "session_at",
    "surroundings",
    "trend_at",
]

Array = np.ndarray[Any, Any]
Facts = dict[str, Array]
NAMED = ("asia", "london", "new_york")


@dataclass(frozen=True)
class Surroundings:
    """The closed periods of some bars: by name, the sessions in sequence, days and their means."""

    named: dict[str, Periods]
    sessions: Periods
    days: Periods
    day_values: dict[str, Array]
    day_bounds: Bounds


def surroundings(bars: Bars, market: Market) -> Surroundings:
    """Every closed session, the two hours before it, and every trading day of the bars."""
    known, span = bars.available_at, (int(bars.time[0]), int(bars.time[-1]))
    bounds = session_bounds(market, *span)
    empty = np.empty(0, dtype=np.int64)
    sessions = {name: summarise(bars, known, one) for name, one in bounds.items()}
    named = {}
    for name in NAMED:
        one = bounds.get(name, Bounds(empty, empty))
        named[name] = sessions.get(name) or summarise(bars, known, one)
        named[f"pre_{name}"] = summarise(bars, known, Bounds(one.start - PRE, one.start))
    days = day_bounds(market, *span)
    closed = summarise(bars, known, days)
    return Surroundings(named, merge(list(sessions.values())), closed, _day_values(closed), days)


def range_facts(
    bars: Bars, market: Market, around: Surroundings, past: Past, asked: Asked
) -> Facts:
    """Every fact a row feature of an opening range may read but its side, and `trend`.

    Parameters
    ----------
    bars
        Bars whose `available_at` is not below that of an earlier bar.
    around, past
        Closed periods and valid ranges of these bars.
    asked
        The ranges.
    """
    first = np.searchsorted(bars.time, asked.open_at)
    stop = np.searchsorted(bars.time, asked.decision_at)
    at = asked.decision_at
    facts = _own_facts(bars, market, asked, first, stop)
    for name, periods in around.named.items():
        facts |= periods.facts(name, at)
    facts |= _last_session(around.sessions, at)
    facts |= _last_day(around, at)
    facts |= _today_facts(bars, around.day_bounds, asked, stop)
    facts |= past_facts(bars, around.day_bounds, past, asked)
    return facts | calendar_facts(at, market)


def trend_at(around: Surroundings, at: Array) -> Array:
    """The days' trend at each instant, as `range_facts` tells it."""
    return gather(around.day_values["trend"], around.days.last(at))


def _own_facts(bars: Bars, market: Market, asked: Asked, first: Array, stop: Array) -> Facts:
    """The range itself; `or_high_bar` and `or_low_bar` number the bar that made the extreme."""
    width = int((stop - first).max(initial=1))
    cells = np.minimum(first[:, None] + np.arange(width), stop[:, None] - 1)
    before = gather(bars.close, first - 1)
    return {
        "or_open": bars.open[first],
        "or_high": asked.high,
        "or_low": asked.low,
        "or_close": asked.close,
        "or_size": asked.high - asked.low,
        "or_volume": spans(np.add, bars.volume, first, stop),
        "or_high_bar": bars.high[cells].argmax(axis=1).astype(np.float64),
        "or_low_bar": bars.low[cells].argmin(axis=1).astype(np.float64),
        "prior_close": before,
        "cost": market.cost.points + market.cost.bp * 1e-4 * np.abs(asked.close),
    }


def _last_session(sequence: Periods, at: Array) -> Facts:
    """The last closed session of any name, and whether it passed the ends of the one before."""
    index = sequence.last(at)
    high, low = gather(sequence.prices, index)[:, 1:3].T
    before = gather(sequence.prices, np.where(index > 0, index - 1, -1))
    missing = np.isnan(high) | np.isnan(before[:, 1])
    return sequence.facts("session", at) | {
        "session_swept_high": np.where(missing, np.nan, high > before[:, 1]),
        "session_swept_low": np.where(missing, np.nan, low < before[:, 2]),
    }


def _day_values(days: Periods) -> dict[str, Array]:
    """Means over the days up to each; simple ones, so that a few weeks determine them."""
    _, high, low, close = days.prices.T
    before = lag(close, 1)
    reach = np.maximum(high, before) - np.minimum(low, before)
    change = close - before
    gains = rolling_sum(np.maximum(change, 0), 14)
    moves = rolling_sum(np.abs(change), 14)
    mean = rolling_sum(close, 20) / 20
    logs = _logs(close)
    walk = np.sqrt(rolling_sum((logs - lag(logs, 1)) ** 2, 20) / 3)
    return {
        "atr_day": rolling_sum(reach, 14) / 14,
        "range_day_5": rolling_sum(reach, 5) / 5,
        "rsi_day": 100 * ratio(gains, moves),
        "day_close_1": before,
        "day_close_5": lag(close, 5),
        "day_mean_20": mean,
        "trend": ratio(logs - _logs(mean), walk),
    }


def _last_day(around: Surroundings, at: Array) -> Facts:
    index = around.days.last(at)
    found = gather(np.column_stack(list(around.day_values.values())), index)
    return around.days.facts("day", at) | dict(zip(around.day_values, found.T, strict=True))


def _logs(prices: Array) -> Array:
    return np.asarray(np.log(np.where(prices > 0, prices, np.nan)))


def _today_facts(bars: Bars, days: Bounds, asked: Asked, stop: Array) -> Facts:
    """The trading day that holds the range, from its open to the decision."""
    index = asof(days.start, asked.open_at)
    start = days.start[np.maximum(index, 0)]
    inside = (index >= 0) & (start >= bars.time[0])
    first = np.where(inside, np.searchsorted(bars.time, start), stop - 1)
    extremes = {
        "today_high": spans(np.maximum, bars.high, first, stop),
        "today_low": spans(np.minimum, bars.low, first, stop),
    }
    ages = {
        "today_high_age": _age(bars.high, first, stop, extremes["today_high"]),
        "today_low_age": _age(bars.low, first, stop, extremes["today_low"]),
    }
    found = {"today_open": bars.open[first], **extremes, **ages}
    return {name: np.where(inside, values, np.nan) for name, values in found.items()}


def _age(values: Array, first: Array, stop: Array, level: Array) -> Array:
    """Bars from the last time `values` stood at `level` in `[first, stop)` to the decision."""
    back = np.arange(int((stop - first).max(initial=1)))
    cells = stop[:, None] - 1 - back
    there = (cells >= first[:, None]) & (values[np.maximum(cells, 0)] == level[:, None])
    return np.asarray(there.argmax(axis=1), dtype=np.float64)


def calendar_facts(at: Array, market: Market) -> Facts:
    """Hour, weekday (Monday is 0) and month at each instant on the market's own clock."""
    walls = local_walls(at, market.zone)
    days = np.floor_divide(walls, DAY)
    return {
        "local_hour": (walls - days * DAY) / HOUR,
        "local_weekday": ((days + 3) % 7).astype(np.float64),
        "local_month": (days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) % 12
                        + 1).astype(np.float64),
    }  # fmt: skip


def session_at(at: Array, market: Market) -> Array:
    """Name of the session that is open at each instant, the one opened last; else "off"."""
    found = np.full(len(at), "off", dtype=object)
    opened = np.full(len(at), np.iinfo(np.int64).min)
    if not len(at):
        return found
    for name, bounds in session_bounds(market, int(at.min()), int(at.max())).items():
        index = asof(bounds.start, at)
        start, end = (x[np.maximum(index, 0)] for x in (bounds.start, bounds.end))
        inside = (index >= 0) & (at < end) & (start > opened)
        found[inside], opened[inside] = name, start[inside]
    return found
