"""Whether bars are what their name says: one unit, one timeframe, the instrument that is stored.

Doubts are said, never acted on: whoever imports stops and asks. Prices and returns tell; names are
not looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY
from mlcore.schema import Bars

__all__ = ["Doubt", "doubts_against", "doubts_within"]

Array = np.ndarray[Any, Any]
_UNITS = (100.0, 1_000.0, 10_000.0)
_NEAR_UNIT = 0.15
_AROUND = 20
_SAME_LEVEL = 1.2
_GAP_LEVEL = 1.4
_LEAST_CORRELATION = 0.3
_LEAST_OVERLAP = 30
_LEAST_DAYS = 3
_LONG_GAP = 60
_OTHER_PRICE = 3.0
_RESTATED = 0.5
_EQUAL = 1e-6


@dataclass(frozen=True)
class Doubt:
    """What is odd, in words, and the bar (its index) at which it begins."""

    said: str
    bar: int


def doubts_within(bars: Bars, *, offset: int = 0) -> tuple[Doubt, ...]:
    """Doubts that the bars raise by themselves: a unit that switches, days among finer bars.

    Parameters
    ----------
    offset
        What the market's wall clock is ahead of UTC, ns, for the date of a bar.
    """
    if len(bars) < 2:
        return ()
    found = (_reused(bars), _unit_switch(bars), _days_within(bars, offset))
    return tuple(doubt for doubt in found if doubt is not None)


def _reused(bars: Bars) -> Doubt | None:
    """Where nothing is traded for months and another price comes back: a name given again."""
    quiet = np.flatnonzero(np.diff(bars.time) >= _LONG_GAP * DAY)
    with np.errstate(invalid="ignore", divide="ignore"):
        moved = np.abs(np.log(bars.open[quiet + 1] / bars.close[quiet]))
    found = quiet[moved > np.log(_OTHER_PRICE)]
    if not len(found):
        return None
    place = int(found[0])
    days = int(bars.time[place + 1] - bars.time[place]) // DAY
    given = f"{bars.close[place]:.10g} to {bars.open[place + 1]:.10g}"
    return Doubt(f"nothing is traded for {days} days, and the price goes from {given}", place + 1)


def _unit_switch(bars: Bars) -> Doubt | None:
    """Where the price jumps by a round factor and stays there."""
    lowest, highest = float(bars.close.min()), float(bars.close.max())
    if lowest > 0 and highest < lowest * min(_UNITS) / 2:
        return None
    log = np.log(np.where(bars.close > 0, bars.close, np.nan))
    steps = np.diff(log)
    with np.errstate(invalid="ignore"):
        near = np.abs(np.abs(steps)[:, None] - np.log(_UNITS)) < _NEAR_UNIT
    for place in np.flatnonzero(near.any(axis=1)):
        before, after = log[max(0, place + 1 - _AROUND) : place + 1], log[place + 1 :][:_AROUND]
        moved = float(np.nanmedian(after) - np.nanmedian(before))
        if abs(abs(moved) - abs(float(steps[place]))) < np.log(2):
            unit = _UNITS[int(np.argmax(near[place]))]
            shown = f"× {unit:g}" if steps[place] > 0 else f"÷ {unit:g}"
            given = f"{bars.close[place]:.10g} to {bars.close[place + 1]:.10g}"
            return Doubt(f"the price goes from {given} ({shown}) and stays", int(place) + 1)
    return None


def _days_within(bars: Bars, offset: int) -> Doubt | None:
    """Bars that each span all others of their date: days inside a file of finer bars."""
    if bars.width >= DAY:
        return None
    day = (bars.time + offset) // DAY
    firsts = np.flatnonzero(np.append(True, day[1:] != day[:-1]))
    group = np.repeat(np.arange(len(firsts)), np.diff(np.append(firsts, len(day))))
    tops = np.maximum.reduceat(bars.high, firsts)[group]
    bottoms = np.minimum.reduceat(bars.low, firsts)[group]
    if int(np.sum((bars.high >= tops) & (bars.low <= bottoms))) < _LEAST_DAYS:
        return None
    highest, lowest = _of_others(day, bars.high), -_of_others(day, -bars.low)
    known = np.isfinite(highest) & np.isfinite(lowest)
    spans = known & (bars.high >= highest) & (bars.low <= lowest)
    exact = spans & np.isclose(bars.high, highest, rtol=1e-9) & np.isclose(bars.low, lowest)
    volume = np.nan_to_num(bars.volume)
    others = np.bincount(group, volume)[group] - volume
    heavy = spans & (volume > 0) & (volume >= 0.8 * others)
    found = np.flatnonzero((exact & (bars.high > bars.low)) | heavy)
    if len(found) < _LEAST_DAYS or len(np.unique(bars.time[found] % DAY)) > 2:
        return None
    said = (
        f"{len(found)} bars each span all others of their date: daily bars among {bars.timeframe}"
    )
    return Doubt(said, int(found[0]))


def _of_others(day: Array, values: Array) -> Array:
    """The largest value among the other bars of each bar's date; NaN under four of them."""
    order = np.lexsort((values, day))
    sorted_days, ranked = day[order], values[order]
    last = np.append(sorted_days[1:] != sorted_days[:-1], True)
    ends = np.flatnonzero(last)
    sizes = np.diff(np.append(-1, ends))
    group = np.repeat(np.arange(len(ends)), sizes)
    second = ranked[np.maximum(ends - 1, 0)]
    best = np.where(last, second[group], ranked[ends][group])
    best[sizes[group] < 5] = np.nan
    answer = np.empty(len(values))
    answer[order] = best
    return answer


def doubts_against(bars: Bars, stored: Bars) -> tuple[Doubt, ...]:
    """Doubts that bars are of the instrument whose bars are stored.

    Parameters
    ----------
    bars, stored
        New and stored bars, of one timeframe or of two.
    """
    if not len(bars) or not len(stored):
        return ()
    if bars.timeframe != stored.timeframe:
        return _by_last_known(bars, stored)
    _, mine, theirs = np.intersect1d(bars.time, stored.time, return_indices=True)
    if not len(mine):
        return _by_neighbour(bars, stored)
    new, old = bars.close[mine], stored.close[theirs]
    far = _far(new, old, _SAME_LEVEL, int(mine[0]), f"at {len(mine)} equal times")
    if far is not None:
        return (far,)
    related = _correlation(new, old)
    differ = int(np.sum(np.abs(new - old) > _EQUAL * np.abs(old)))
    said = ""
    if related is not None and related < _LEAST_CORRELATION:
        said = f"returns at {len(mine)} equal times correlate by {related:.2f} with those stored"
    elif len(mine) >= _LEAST_OVERLAP and differ > _RESTATED * len(mine):
        said = (
            f"{differ} of {len(mine)} closes at equal times differ from those stored: another feed"
        )
    return (Doubt(said, int(mine[0])),) if said else ()


def _far(new: Array, old: Array, allowed: float, bar: int, where: str) -> Doubt | None:
    """A doubt where prices are further apart than a factor, in their median."""
    good = (new > 0) & (old > 0)
    if not good.any():
        return None
    ratio = float(np.exp(np.median(np.log(new[good]) - np.log(old[good]))))
    if 1 / allowed <= ratio <= allowed:
        return None
    given = f"{np.median(new[good]):.6g} against {np.median(old[good]):.6g}"
    return Doubt(f"prices {where} are {ratio:.3g} times those stored ({given})", bar)


def _correlation(new: Array, old: Array) -> float | None:
    """Of log returns; None where there are few, or one side never moves."""
    good = (new > 0) & (old > 0)
    if int(good.sum()) < _LEAST_OVERLAP:
        return None
    moves = np.diff(np.log(new[good])), np.diff(np.log(old[good]))
    if min(float(np.std(m)) for m in moves) < 1e-12:
        return None
    return float(np.corrcoef(*moves)[0, 1])


def _by_last_known(bars: Bars, stored: Bars) -> tuple[Doubt, ...]:
    """Level against the last stored close known at each bar's end, at most a day old."""
    place = np.searchsorted(stored.available_at, bars.available_at, side="right") - 1
    fresh = (place >= 0) & (
        bars.available_at - stored.available_at[np.maximum(place, 0)] <= 4 * DAY
    )
    if not fresh.any():
        return _by_neighbour(bars, stored)
    mine = np.flatnonzero(fresh)
    where = f"at {len(mine)} times known from {stored.timeframe}"
    far = _far(bars.close[mine], stored.close[place[mine]], _SAME_LEVEL, int(mine[0]), where)
    return (far,) if far else ()


def _by_neighbour(bars: Bars, stored: Bars) -> tuple[Doubt, ...]:
    """Level where the two come closest in time, with room for what moved in between."""
    after = np.clip(np.searchsorted(stored.time, bars.time), 1, len(stored)) - 1
    around = np.stack([after, np.minimum(after + 1, len(stored) - 1)])
    away = np.abs(stored.time[around] - bars.time)
    side, bar = (int(i) for i in np.unravel_index(int(np.argmin(away)), away.shape))
    days = max(1.0, float(away[side, bar]) / DAY)
    good = stored.close > 0
    moves = np.diff(np.log(stored.close[good])) if int(good.sum()) > 2 else np.zeros(1)
    daily = float(np.std(moves)) * np.sqrt(min(DAY / stored.width, len(moves) + 1))
    allowed = min(8.0, max(_GAP_LEVEL, float(np.exp(6 * min(0.1, daily) * np.sqrt(days)))))
    new, old = bars.close[[bar]], stored.close[[around[side, bar]]]
    at = pd.Timestamp(int(bars.time[bar])).strftime("%Y-%m-%d")
    far = _far(new, old, allowed, bar, f"next to them in time ({at})")
    return (far,) if far else ()
