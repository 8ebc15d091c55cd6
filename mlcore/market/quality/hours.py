"""Open time: a market's hours laid end to end, so that two instants are apart by trading time.

A gap measured this way needs no grid: it does not matter how a vendor aligns bars, when a clock
changes, or when a day closes early.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mlcore.clock import DAY, NAT
from mlcore.config import Market
from mlcore.market.sessions import daily_available_at, early_closes, market_days, trading_days

__all__ = ["OpenTime", "open_time"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class OpenTime:
    """The open days of a market: dates, opens and closes (int64 ns), in order."""

    days: Array
    opens: Array
    closes: Array

    @cached_property
    def before(self) -> Array:
        """Open nanoseconds before each day's open."""
        return np.concatenate(([0], np.cumsum(self.closes - self.opens)[:-1]))

    def day_of(self, instants: Array) -> Array:
        """Index of the last day that opened at or before each instant; 0 before the first."""
        return np.maximum(np.searchsorted(self.opens, instants, side="right") - 1, 0)

    def elapsed(self, instants: Array) -> Array:
        """Open nanoseconds up to each instant."""
        at = self.day_of(instants)
        inside = np.minimum(instants, self.closes[at]) - self.opens[at]
        return np.asarray(self.before[at] + np.maximum(inside, 0))

    def instant(self, elapsed: Array) -> Array:
        """The instant at which so much open time has passed; an open rather than a close."""
        at = np.searchsorted(self.before, elapsed, side="right") - 1
        return np.asarray(self.opens[at] + elapsed - self.before[at])


def open_time(market: Market, first: int, last: int) -> OpenTime:
    """The open days around two instants, both days included, early closes observed."""
    edge = trading_days(np.array([first - 2 * DAY, last + 2 * DAY]), market)
    days = market_days(market, edge[0] - 3, edge[1] + 3)
    opens, closes = daily_available_at(market, days)
    early = early_closes(market, days)
    closes = np.where(early == NAT, closes, np.minimum(closes, early))
    return OpenTime(days, opens, np.maximum(closes, opens))
