"""Coverage: the bars that a market's calendar expects, and the holes among those that are there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, HOUR
from mlcore.config import Market
from mlcore.market.quality.hours import OpenTime, open_time
from mlcore.market.quality.report import Coverage
from mlcore.market.sessions import local_dates, local_walls, market_days, trading_days
from mlcore.schema import Bars

__all__ = ["PAUSE_SHARE", "find_coverage"]

Array = np.ndarray[Any, Any]
PAUSE_SHARE = 0.8
"""A time of day without a bar on at least this share of days is the feed's daily pause …"""
LONGEST_PAUSE = 2 * HOUR
"""… as long as all such times together are no longer than this."""
OFTEN_SHARE = 0.1
_MOST_SLOTS = 20_000  # bars of one gap that are looked at one by one
_MONDAY = 4


def find_coverage(bars: Bars, market: Market) -> Coverage:
    """What is expected between the first bar and the last, what is there, and the holes.

    Intraday bars are held against the market's open hours; daily, weekly and monthly ones
    against its open days. Bars outside count neither as expected nor as present.
    """
    if bars.width >= DAY:
        return _of_days(bars, market)
    return _Intraday(bars, market, open_time(market, int(bars.time[0]), int(bars.end[-1]))).found()


# --- days, weeks, months


def _of_days(bars: Bars, market: Market) -> Coverage:
    days = trading_days(bars.time, market)
    openings = market_days(market, days[0], days[-1])
    period = _periods(bars.timeframe, days)
    expected, first = np.unique(_periods(bars.timeframe, openings), return_index=True)
    there, outside = np.isin(expected, period), ~np.isin(period, expected)
    starts = openings[first].astype("datetime64[ns]").astype(np.int64)
    holes = np.flatnonzero(~there)
    runs = np.flatnonzero(np.diff(holes, prepend=-2) > 1)
    lengths = np.diff(np.append(runs, len(holes)))
    ends = starts[holes[runs + lengths - 1]] + DAY if len(holes) else starts[:0]
    frame = pd.DataFrame(
        {"day": starts.view("M8[ns]").astype("M8[s]"), "expected": 1, "present": there.astype(int)}
    )
    gaps = _gap_frame(starts[holes[runs]] if len(holes) else starts[:0], ends, lengths, market)
    return Coverage(len(expected), int(there.sum()), frame, gaps, outside, outside)


def _periods(timeframe: str, days: Array) -> Array:
    """Numbers of the days, weeks (from Monday) or months since 1970."""
    if timeframe == "1w":
        return np.asarray((days.astype(np.int64) - _MONDAY) // 7)
    unit = "datetime64[M]" if timeframe == "1M" else "datetime64[D]"
    return np.asarray(days.astype(unit).astype(np.int64))


def _gap_frame(start: Array, end: Array, missing: Array, market: Market) -> pd.DataFrame:
    order = np.argsort(-missing, kind="stable")
    frame = pd.DataFrame({"start": start, "end": end, "missing": missing}).iloc[order]
    top = frame.head(200)
    spans = zip(top["start"], top["end"], strict=True)
    notes = [_holiday(int(first), int(last), market) for first, last in spans]
    return frame.assign(note=pd.Series(notes, index=top.index, dtype=object)).reset_index(drop=True)


def _holiday(start: int, end: int, market: Market) -> str:
    """Which of the days at which most of the world rests lies in a gap, where one does."""
    from dateutil.easter import easter  # type: ignore[import-untyped]

    first, last = local_dates(np.array([start, max(start, end - 1)]), market.zone)
    if (last - first).astype(int) > 7:
        return ""
    for day in np.arange(first, last + 1).tolist():
        if (day.month, day.day) in ((12, 25), (1, 1)):
            return "Christmas" if day.month == 12 else "New Year"
        if (easter(day.year) - day).days == 2:
            return "Good Friday"
    return ""


# --- within the day


@dataclass
class _Slots:
    """Missing bars one by one: the gap each belongs to, its instant, its day's index."""

    gap: Array
    at: Array
    day: Array

    def take(self, where: Array) -> _Slots:
        return _Slots(self.gap[where], self.at[where], self.day[where])


class _Intraday:
    """Bars against open hours; the steps from bars to coverage in order."""

    def __init__(self, bars: Bars, market: Market, hours: OpenTime) -> None:
        self.bars, self.market, self.hours, self.width = bars, market, hours, bars.width
        began, ended = hours.elapsed(bars.time), hours.elapsed(bars.end)
        self.inside = ended > began
        self.ended = ended
        uncovered = np.maximum(began[1:] - np.maximum.accumulate(ended)[:-1], 0)
        # open time of less than one hundredth of a bar is a matter of clocks, not of bars
        self.lost = np.ceil(uncovered / self.width - 0.01).clip(0).astype(np.int64)
        self.last_day = int(hours.day_of(bars.time[-1:])[0])
        self.first_day = int(hours.day_of(bars.time[:1])[0])

    def found(self) -> Coverage:
        slots = self._slots()
        paused, pause = self._pause(slots)
        kept = slots.take(~paused)
        big = np.flatnonzero(self.lost > _MOST_SLOTS)
        missing = np.bincount(kept.gap, minlength=len(self.lost))
        missing[big] = self.lost[big]
        present = int(self.inside.sum())
        return Coverage(
            present + int(missing.sum()), present, self._days(kept, big),
            self._gaps(kept, big, missing), ~self.inside, self._closed(),
            pause, self._often(kept),
        )  # fmt: skip

    def _slots(self) -> _Slots:
        small = np.flatnonzero((self.lost > 0) & (self.lost <= _MOST_SLOTS))
        count = self.lost[small]
        gap = np.repeat(small, count)
        nth = np.arange(len(gap)) - np.repeat(np.cumsum(count) - count, count)
        at = self.hours.instant(self.ended[gap] + nth * self.width)
        return _Slots(gap, at, self.hours.day_of(at))

    def _of_day(self, slots: _Slots) -> tuple[Array, Array]:
        """Each slot's number on the market's clock, and on how many days each number is missing."""
        number = (local_walls(slots.at, self.market.zone) % DAY) // self.width
        there = np.isin(slots.day, np.unique(self._bar_days))
        return number, np.bincount(number[there], minlength=DAY // self.width)

    @cached_property
    def _bar_days(self) -> Array:
        """The day's index of each bar inside."""
        return np.asarray(self.hours.day_of(self.bars.end[self.inside] - 1))

    def _clock(self, number: int) -> str:
        minutes = number * self.width // (60 * 10**9)
        return f"{minutes // 60 % 24:02d}:{minutes % 60:02d}"

    @property
    def _place(self) -> str:
        return self.market.zone.split("/")[-1].replace("_", " ")

    def _pause(self, slots: _Slots) -> tuple[Array, str]:
        """Which slots are the feed's daily pause, and the pause in words."""
        none = np.zeros(len(slots.at), dtype=bool), ""
        if self.market.hours != "24h" or self.market.calendar == "24/7" or not len(slots.at):
            return none
        number, days = self._of_day(slots)
        pause = np.flatnonzero(days >= PAUSE_SHARE * len(np.unique(self._bar_days)))
        if not len(pause) or len(pause) * self.width > LONGEST_PAUSE:
            return none
        until = self._clock(int(pause[-1]) + 1)
        return np.isin(number, pause), f"{self._clock(int(pause[0]))}–{until} {self._place}"

    def _often(self, slots: _Slots) -> str:
        """The time of day missing most often, where that is on one day in ten or more."""
        if not len(slots.at):
            return ""
        _, days = self._of_day(slots)
        total, worst = len(np.unique(self._bar_days)), int(np.argmax(days))
        if days[worst] < max(5, OFTEN_SHARE * total):
            return ""
        return f"{self._clock(worst)} {self._place} on {days[worst]:,} of {total:,} days"

    def _gaps(self, slots: _Slots, big: Array, missing: Array) -> pd.DataFrame:
        first = np.flatnonzero(np.diff(slots.gap, prepend=-1) != 0)
        last = np.append(first[1:], len(slots.gap)) - 1 if len(first) else first
        start = np.concatenate((slots.at[first], self.bars.end[big]))
        end = np.concatenate((slots.at[last] + self.width, self.bars.time[big + 1]))
        count = missing[np.concatenate((slots.gap[first], big))]
        return _gap_frame(start, end, count, self.market)

    def _days(self, slots: _Slots, big: Array) -> pd.DataFrame:
        size = len(self.hours.days)
        present = np.bincount(self._bar_days, minlength=size)
        lost = np.bincount(slots.day, minlength=size)
        for gap in big.tolist():
            lo, hi = self.bars.end[gap], self.bars.time[gap + 1]
            part = np.minimum(self.hours.closes, hi) - np.maximum(self.hours.opens, lo)
            lost += np.maximum(part, 0) // self.width
        span = slice(self.first_day, self.last_day + 1)
        days = self.hours.days[span].astype("datetime64[s]")
        frame = pd.DataFrame(
            {"day": days, "expected": (present + lost)[span], "present": present[span]}
        )
        return frame[frame["expected"] > 0].reset_index(drop=True)

    def _closed(self) -> Array:
        """Which bars lie on a day on which the market does not open at all."""
        closed = np.zeros(len(self.bars), dtype=bool)
        out = np.flatnonzero(~self.inside)
        days = trading_days(self.bars.time[out], self.market)
        closed[out] = ~np.isin(days, self.hours.days)
        return closed
