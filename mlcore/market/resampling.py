"""Coarser bars out of finer ones, with the market's own days, and nothing visible too early.

Below four hours a bar starts on the UTC clock's grid. Four-hour bars are counted from the start of
the trading day and end with it; days, weeks and months go from the first open day's start to the
last one's end. Regular hours leave out what trades before the open and after the close; around the
clock, stray weekend bars belong to Monday.

Which bars there are: a bar into which the data begins or ends is left out, unless (from four hours
on) the market was shut in the piece that is not there; gaps inside are kept, and `coverage` tells
them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np

from mlcore.clock import DAY, HOUR
from mlcore.config import Market
from mlcore.errors import BarsError, UsageError
from mlcore.market.sessions import (
    bar_ends,
    calendar_spans,
    daily_available_at,
    is_open,
    market_days,
    next_open,
    trading_days,
)
from mlcore.schema import Bars, timeframe_width

__all__ = ["Resampled", "resample"]

Array = np.ndarray[Any, Any]
_PIECE = 1 << 15
_FEW = 16


@dataclass(frozen=True)
class Resampled:
    """Coarser bars, how many finer ones each is made of, and the share of its span they cover.

    `coverage` is float64, at most 1; the span is that of the calendar, daily breaks included.
    """

    bars: Bars
    parts: Array
    coverage: Array


@dataclass(frozen=True)
class _Made:
    """Coarser bars, their number of parts and their own ends."""

    bars: Bars
    parts: Array
    end: Array


def resample(
    bars: Bars, timeframe: str, market: Market, *, begins: int | None = None,
    ends: int | None = None,
) -> Resampled:  # fmt: skip
    """Bars of `timeframe` out of finer ones, in any order of rows.

    Open of the first, highest high, lowest low, close of the last part; volume is the sum of those
    that are known, NaN only where none is. `available_at` is the latest of its parts' and its own
    end.

    Parameters
    ----------
    begins, ends
        Where the data begins and up to where it reaches, int64 ns; default its first start and
        last end.

    Raises
    ------
    UsageError
        A timeframe the bars do not divide (E_RESAMPLE).
    BarsError
        A finer bar that lies in two coarser ones (E_BARS_ALIGN).
    """
    _check_divides(bars.timeframe, timeframe)
    if not len(bars):
        return Resampled(_empty(bars, timeframe), np.empty(0, np.int64), np.empty(0))
    least = _least_step(bars.time)
    if least <= 0:
        bars = bars.take(np.argsort(bars.time, kind="stable")).checked()
        least = _least_step(bars.time)
    last = bars.take(slice(-1, None))
    known_from = int(bars.time[0]) if begins is None else begins
    known_to = int(bar_ends(last, market)[0]) if ends is None else ends
    if timeframe_width(timeframe) < 4 * HOUR:
        made = _by_clock(bars, timeframe, least)
    else:
        bars, start, end = _by_calendar(bars, timeframe, market)
        if not len(bars):
            return Resampled(_empty(bars, timeframe), np.empty(0, np.int64), np.empty(0))
        first = _changes(start)
        *values, parts = _values(bars, first, *_extremes(bars, first), end[first])
        made = _Made(Bars(bars.symbol, timeframe, start[first], *values), parts, end[first])
    made = _without_edges(made, market, known_from, known_to)
    return Resampled(made.bars, made.parts, _coverage(made, bars, market))


def _check_divides(finer: str, timeframe: str) -> None:
    part, whole = timeframe_width(finer), timeframe_width(timeframe)
    if part >= whole or whole % part:
        raise UsageError(
            f"A coarser bar is made of whole finer ones – {timeframe} was asked of {finer} bars – "
            "choose a timeframe that these divide.",
            code="E_RESAMPLE",
        )


def _empty(bars: Bars, timeframe: str) -> Bars:
    none = np.empty(0, dtype=np.int64)
    nothing = np.empty(0)
    return Bars(
        bars.symbol, timeframe, none, nothing, nothing, nothing, nothing, nothing, none
    )  # fmt: skip


def _least_step(time: Array) -> int:
    """The smallest difference between neighbours; none for a single row."""
    pieces = (time[at : at + _PIECE + 1] for at in range(0, len(time) - 1, _PIECE))
    return min((int((t[1:] - t[:-1]).min()) for t in pieces), default=DAY)


def _by_clock(bars: Bars, timeframe: str, least: int) -> _Made:
    """Coarser bars on the UTC clock's grid, made piece by piece so that a piece stays in cache."""
    width, rows = timeframe_width(timeframe), len(bars)
    begun = bars.time[::_PIECE] // width * width
    cuts = np.append(np.unique(np.searchsorted(bars.time, begun)), rows)
    pieces = [bars.take(slice(a, b)) for a, b in pairwise(cuts)]
    made_of = partial(_piece_by_clock, timeframe=timeframe, on_grid=least >= bars.width)
    if len(pieces) < 8:
        made = list(map(made_of, pieces))
    else:
        with ThreadPoolExecutor(2) as pool:  # numpy does not hold the interpreter
            made = list(pool.map(made_of, pieces))
    columns = [np.concatenate(c) for c in zip(*made, strict=True)]
    values = Bars(bars.symbol, timeframe, *columns[:-1])
    return _Made(values, columns[-1], columns[0] + width)


def _piece_by_clock(bars: Bars, timeframe: str, on_grid: bool) -> tuple[Array, ...]:
    width = timeframe_width(timeframe)
    if on_grid and _is_even(bars, width):
        return _evenly(bars, width)
    begun, ended = int(bars.time[0]) // width, int(bars.time[-1]) // width
    if (ended - begun) * 12 < len(bars):  # few edges are sooner found than every row divided
        edges = np.arange(begun, ended + 1) * width
        first = np.searchsorted(bars.time, edges)
        first = first[np.append(True, first[1:] != first[:-1])]
    else:
        first = _changes(bars.time // width)
    start = bars.time[first] // width * width
    _refuse_split(bars, _lasts(first, len(bars)), start + width, timeframe)
    high, low = _extremes(bars, first)
    return start, *_values(bars, first, high, low, start + width)


def _is_even(bars: Bars, width: int) -> bool:
    """Whether bars no closer than their width are whole coarser ones, without a gap."""
    span = int(bars.time[-1] - bars.time[0]) + bars.width
    return int(bars.time[0]) % width == 0 and span % width == 0 and span == len(bars) * bars.width


def _evenly(bars: Bars, width: int) -> tuple[Array, ...]:
    """The same for whole coarser bars without a gap, by striding: a row's place tells its bar."""
    parts = width // bars.width
    first = np.arange(0, len(bars), parts)
    start = bars.time[::parts]
    if parts > _FEW:
        return start, *_values(bars, first, *_extremes(bars, first), start + width)
    high = np.maximum(bars.high[::parts], bars.high[1::parts])
    low = np.minimum(bars.low[::parts], bars.low[1::parts])
    for at in range(2, parts):
        np.maximum(high, bars.high[at::parts], out=high)
        np.minimum(low, bars.low[at::parts], out=low)
    return start, *_values(bars, first, high, low, start + width)


def _changes(of: Array) -> Array:
    """Where a new value begins."""
    return np.flatnonzero(np.append(True, of[1:] != of[:-1]))


def _lasts(first: Array, rows: int) -> Array:
    return np.append(first[1:], rows) - 1


def _by_calendar(bars: Bars, timeframe: str, market: Market) -> tuple[Bars, Array, Array]:
    """Bars inside the market's hours, start and end of the coarser bar each belongs to."""
    width = timeframe_width(timeframe)
    days = trading_days(bars.time, market)
    new = _changes(days)
    which = np.repeat(np.arange(len(new)), np.diff(np.append(new, len(days))))
    spans = calendar_spans(market, timeframe if width >= DAY else "1d", days[new])
    start, end = spans[0][which], spans[1][which]
    inside = bars.time < end
    if market.hours == "regular":
        before = bars.time < start
        inside &= ~before
        _refuse(bars, before & (bars.time + bars.width > start) & (bars.width < DAY), timeframe)
    elif bars.width < DAY:
        _refuse(bars, inside & (bars.time + bars.width > end), timeframe)
    if not inside.all():
        bars, start, end = bars.take(inside), start[inside], end[inside]
    if width < DAY:
        since = np.maximum(bars.time - start, 0)
        start = start + since // width * width
        blocks = _changes(start)
        stop = np.minimum(start + width, end)
        last = _lasts(blocks, len(bars))
        whole = stop[last] == end[last]  # the last of a session may end after its close
        _refuse_split(bars, last[~whole], stop[last[~whole]], timeframe)
        end = stop
    return bars, start, end


def _refuse_split(bars: Bars, last: Array, end: Array, timeframe: str) -> None:
    """Refuse the last part of a coarser bar where it ends after it."""
    over = bars.time[last] + bars.width > end
    if over.any():
        raise _split(bars, int(last[np.argmax(over)]), timeframe)


def _refuse(bars: Bars, split: Array, timeframe: str) -> None:
    if bool(np.any(split)):
        raise _split(bars, int(np.argmax(split)), timeframe)


def _split(bars: Bars, row: int, timeframe: str) -> BarsError:
    at = np.datetime64(int(bars.time[row]), "ns").astype("datetime64[m]")
    return BarsError(
        f"Finer bars fit inside coarser ones – the {bars.timeframe} bar of {bars.symbol} at {at}Z "
        f"lies in two {timeframe} bars – import finer bars, or bars that start with the market's "
        "day.",
        code="E_BARS_ALIGN",
    )


def _values(
    bars: Bars, first: Array, high: Array, low: Array, end: Array
) -> tuple[Array, ...]:  # fmt: skip
    """Prices and volume of each coarser bar, its `available_at` and its number of parts."""
    last = _lasts(first, len(bars))
    known_at = end
    if len(bars) and int((bars.available_at - bars.time).max()) > bars.width:
        known_at = np.maximum(np.maximum.reduceat(bars.available_at, first), end)
    return (
        bars.open[first], high, low, bars.close[last],
        _volume(bars.volume, first), known_at, last - first + 1,
    )  # fmt: skip


def _extremes(bars: Bars, first: Array) -> tuple[Array, Array]:
    """Highest high and lowest low; positive floats are compared as the integers of their bits."""
    low = np.minimum.reduceat(bars.low.view(np.int64), first)
    if int(low.min()) < 0:
        return np.maximum.reduceat(bars.high, first), np.minimum.reduceat(bars.low, first)
    high = np.maximum.reduceat(bars.high.view(np.int64), first)
    return high.view(np.float64), low.view(np.float64)


def _volume(volume: Array, first: Array) -> Array:
    total = np.asarray(np.add.reduceat(volume, first))
    if not np.isnan(total).any():
        return total
    missing = np.isnan(volume)
    total = np.add.reduceat(np.where(missing, 0.0, volume), first)
    total[np.logical_and.reduceat(missing, first)] = np.nan
    return np.asarray(total)


def _without_edges(made: _Made, market: Market, begins: int, ends: int) -> _Made:
    """Without the bars that lack a piece of open time before the data's begin or after its end.

    Below four hours every piece counts as open: files may hold what trades outside the hours.
    """
    start, end = made.bars.time, made.end
    keep = (start >= begins) & (end <= ends)
    if made.bars.width >= 4 * HOUR:
        for i in np.flatnonzero(~keep):
            lacks = start[i] < begins and next_open(market, int(start[i])) < begins
            keep[i] = not lacks and (end[i] <= ends or _is_shut(market, ends, int(end[i])))
    return made if keep.all() else _Made(made.bars.take(keep), made.parts[keep], end[keep])


def _is_shut(market: Market, since: int, until: int) -> bool:
    """Whether the market closed at `since`, or before, and opens no sooner than `until`."""
    was_open = bool(is_open(market, np.array([since - 1]))[0])
    return was_open and next_open(market, since) >= until


def _coverage(made: _Made, bars: Bars, market: Market) -> Array:
    """Share of each coarser bar's open time that its parts cover; days count as such."""
    start, width = made.bars.time, timeframe_width(made.bars.timeframe)
    if width < 4 * HOUR or not len(start):
        return np.asarray(made.parts * (bars.width / width))
    if width <= DAY:
        return np.asarray(np.minimum(made.parts * bars.width / (made.end - start), 1.0))
    day = trading_days(start, market)
    days = market_days(market, day[0], day[-1] + 32)
    opens, closes = daily_available_at(market, days)
    lengths = closes - opens if bars.width < DAY else np.full(len(days), bars.width)
    total = np.append(0, np.cumsum(lengths))
    open_time = total[np.searchsorted(opens, made.end)] - total[np.searchsorted(opens, start)]
    return np.asarray(np.minimum(made.parts * bars.width / np.maximum(open_time, 1), 1.0))
