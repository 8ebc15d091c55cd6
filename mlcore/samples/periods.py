"""Closed stretches of time, sessions and trading days, as facts that know when they were known.

A period holds the bars that lie wholly inside `[start, end)`. It is a fact from `end` on, or from
the instant its last bar could be read, whichever is later. Periods that begin before the first
bar are left out: they may be cut off, and half a day must not pass for a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from mlcore.clock import DAY, HOUR, instants
from mlcore.config import Market
from mlcore.market.sessions import daily_available_at, market_days, session_table
from mlcore.samples.asof import asof, gather
from mlcore.schema import Bars

__all__ = [
    "OLDEST",
    "PRE",
    "Bounds",
    "Periods",
    "day_bounds",
    "merge",
    "session_bounds",
    "spans",
    "summarise",
]

Array = np.ndarray[Any, Any]
PRE = 2 * HOUR
"""How long before a session's open its `pre_` window begins."""
OLDEST = 10 * DAY
"""A closed period that ended longer ago than this is missing, not stale."""
_BLOCK = 64  # days; bounds are made in blocks, so that a moving window finds them again


@dataclass(frozen=True)
class Bounds:
    """Starts and ends of a kind of period, int64 ns, by start."""

    start: Array
    end: Array


@dataclass(frozen=True)
class Periods:
    """Periods with bars, by the instant they were known.

    `prices` is (k, 4): open, high, low, close.
    """

    start: Array
    end: Array
    known: Array
    prices: Array

    def last(self, at: Array) -> Array:
        """Index of the last period known at each instant; −1 without one of the last ten days."""
        index = asof(self.known, at)
        if not len(self.end):
            return index
        return np.where(at - self.end[np.maximum(index, 0)] <= OLDEST, index, -1)

    def facts(self, name: str, at: Array) -> dict[str, Array]:
        """`name_open … name_close` and `name_age` (hours since its end) at each instant."""
        index = self.last(at)
        prices = gather(self.prices, index)
        age = (at - gather(self.end, index)) / HOUR
        columns = dict(zip(("open", "high", "low", "close"), prices.T, strict=True))
        return {f"{name}_{c}": v for c, v in columns.items()} | {f"{name}_age": age}


def spans(how: np.ufunc, values: Array, first: Array, stop: Array) -> Array:
    """`how` (np.maximum, np.add …) over `values[first:stop]` of each pair; none may be empty."""
    if not len(first):
        return np.empty(0)
    pairs = np.column_stack([first, stop]).ravel()
    padded = np.append(values, values[-1:]) if pairs.max() >= len(values) else values
    return np.asarray(how.reduceat(padded, pairs)[::2], dtype=np.float64)


def summarise(bars: Bars, known: Array, bounds: Bounds) -> Periods:
    """The periods of `bounds` that have bars; `known` is when each bar could be read."""
    if not len(bars):
        none = np.empty(0, dtype=np.int64)
        return Periods(none, none, none, np.empty((0, 4)))
    first = np.searchsorted(bars.time, bounds.start)
    stop = np.searchsorted(bars.time, bounds.end - bars.width, side="right")
    whole = (stop > first) & (bounds.start >= bars.time[0])
    first, stop, start, end = (x[whole] for x in (first, stop, bounds.start, bounds.end))
    prices = np.column_stack(
        [
            bars.open[first],
            spans(np.maximum, bars.high, first, stop),
            spans(np.minimum, bars.low, first, stop),
            bars.close[stop - 1],
        ]
    )
    return Periods(start, end, np.maximum(end, known[stop - 1]), prices)


def merge(parts: list[Periods]) -> Periods:
    """Periods of several kinds as one sequence, by when they ended, as instants."""
    start, end, known = (np.concatenate([getattr(p, c) for p in parts]) for c in
                         ("start", "end", "known"))  # fmt: skip
    prices = np.concatenate([p.prices for p in parts])
    order = np.lexsort((start, end, known))
    return Periods(start[order], end[order], known[order], prices[order])


def _blocks(first: int, last: int) -> tuple[int, int]:
    low = (first // DAY - 2) // _BLOCK * _BLOCK
    return low, -(-(last // DAY + 3) // _BLOCK) * _BLOCK


def session_bounds(market: Market, first: int, last: int) -> dict[str, Bounds]:
    """Sessions of the market by name, around the instants `first` … `last`.

    A market with regular hours has one, its own; around-the-clock markets have those of their
    configuration.
    """
    return _session_bounds(market, *_blocks(first, last))


@lru_cache(maxsize=64)
def _session_bounds(market: Market, first: int, last: int) -> dict[str, Bounds]:
    table = session_table(market, np.datetime64(first, "D"), np.datetime64(last, "D"))
    names = table["session"].to_numpy(dtype=object)
    start, end = instants(table["start"]), instants(table["end"])
    kept = [market.regular.name] if market.regular and market.hours == "regular" else None
    return {
        name: Bounds(start[names == name], end[names == name])
        for name in dict.fromkeys(kept or names)
    }


def day_bounds(market: Market, first: int, last: int) -> Bounds:
    """Trading days of the market around the instants `first` … `last`, regular hours alone."""
    return _day_bounds(market, *_blocks(first, last))


@lru_cache(maxsize=64)
def _day_bounds(market: Market, first: int, last: int) -> Bounds:
    days = market_days(market, np.datetime64(first, "D"), np.datetime64(last, "D"))
    return Bounds(*daily_available_at(market, days))
