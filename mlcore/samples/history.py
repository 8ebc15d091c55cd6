"""What earlier opening ranges came to, as facts that a later decision may know.

Outcomes are known from `due_at` on, never from the moment they settled; they come from bars, not
from the log. Sizes and volumes are known when the range closes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mlcore.features.windows import rolling_sum
from mlcore.samples.asof import asof, gather
from mlcore.samples.labels import Label
from mlcore.samples.periods import OLDEST, Bounds, spans
from mlcore.schema import Bars
from mlcore.trading.opening import Ranges
from mlcore.trading.trades import AMBIGUOUS, DOWN, UP

__all__ = ["Asked", "Due", "Past", "SameName", "last_answers", "past_facts", "past_ranges"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Array]
_NEVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Asked:
    """The ranges decided about, one value each: which, when, and its levels."""

    code: Array
    open_at: Array
    decision_at: Array
    high: Array
    low: Array
    close: Array


@dataclass(frozen=True)
class Due:
    """Ranges whose window is over, by `due_at`: the first break's side, and its R or NaN."""

    due_at: Array
    broke: Array
    r: Array

    @cached_property
    def total(self) -> Array:
        """`total[i]` is the sum of the first i of `r`."""
        return np.concatenate([[0.0], np.cumsum(self.r)])

    @cached_property
    def traded(self) -> Due:
        """Those that had a trade, or lost one to an ambiguous bar."""
        return self.where(np.isfinite(self.r))

    def where(self, kept: Array) -> Due:
        """Those that are kept."""
        return Due(self.due_at[kept], self.broke[kept], self.r[kept])


@dataclass(frozen=True)
class SameName:
    """Earlier ranges of one name: sizes by when they closed, outcomes by when they were due."""

    closed_at: Array
    size: Array
    volume: Array
    due: Due
    mean_r: Array
    up_share: Array


@dataclass(frozen=True)
class Past:
    """What the valid ranges of some bars came to: of any name, and by the number of the name."""

    due: Due
    same: dict[int, SameName]


_EMPTY = np.empty(0)
_NEVER_DUE = Due(np.empty(0, dtype=np.int64), _EMPTY, _EMPTY)
_NONE = SameName(_NEVER_DUE.due_at, _EMPTY, _EMPTY, _NEVER_DUE, _EMPTY, _EMPTY)


def past_ranges(bars: Bars, found: Ranges) -> Past:
    """Valid opening ranges of `bars` as what a later decision may know of them."""
    broke = np.where(found.scored, found.trades.side, np.nan)
    over = np.flatnonzero(np.isfinite(broke))
    over = over[np.lexsort((found.open_at[over], found.due_at[over]))]
    due = Due(found.due_at[over], broke[over], found.trades.r_net[over])
    volume = spans(np.add, bars.volume, found.first, found.stop)
    same = {}
    for code in np.unique(found.code).tolist():
        rows = np.flatnonzero(found.code == code)
        same[code] = _same_name(found, rows, broke[rows], volume[rows])
    return Past(due, same)


def _same_name(found: Ranges, rows: Array, broke: Array, volume: Array) -> SameName:
    over = rows[np.isfinite(broke)]
    due = Due(found.due_at[over], found.trades.side[over] * 1.0, found.trades.r_net[over])
    return SameName(
        closed_at=found.available_at[rows],
        size=rolling_sum((found.high - found.low)[rows], 20) / 20,
        volume=rolling_sum(volume, 20) / 20,
        due=due,
        mean_r=rolling_sum(np.nan_to_num(due.r, nan=0.0), 10) / 10,
        up_share=rolling_sum((due.broke == UP) * 1.0, 10) / 10,
    )


def past_facts(bars: Bars, days: Bounds, past: Past, asked: Asked) -> Facts:
    """Facts of ranges before each one asked about: of any name, and of the same.

    Parameters
    ----------
    days
        The market's trading days around the bars.
    past
        All valid ranges of the bars.
    """
    since = _three_days_ago(bars, days, asked)
    at = asked.decision_at
    recent = {
        "last_break": _latest(past.due, _sign(past.due.broke), at),
        "last_r": _latest(past.due.traded, past.due.traded.r, at),
        "r_3d": _sum_since(past.due.traded, since, at),
    }
    return recent | _by_name(asked, past, lambda same, rows: _same_facts(same, asked, since, rows))


def _three_days_ago(bars: Bars, days: Bounds, asked: Asked) -> Array:
    """Start of the trading day two before each range's own; never, if that precedes the bars."""
    index = asof(days.start, asked.open_at) - 2
    since = days.start[np.maximum(index, 0)]
    return np.where((index >= 0) & (since >= bars.time[0]), since, _NEVER)


def _by_name(asked: Asked, past: Past, of: Callable[[SameName, Array], Facts]) -> Facts:
    """Facts of rows from the ranges of their own name."""
    facts: Facts = {}
    for code in np.unique(asked.code).tolist():
        rows = np.flatnonzero(asked.code == code)
        for name, values in of(past.same.get(code, _NONE), rows).items():
            facts.setdefault(name, np.full(len(asked.code), np.nan))[rows] = values
    return facts


def _same_facts(same: SameName, asked: Asked, since: Array, rows: Array) -> Facts:
    at = asked.decision_at[rows]
    before = asof(same.closed_at, asked.open_at[rows])
    index = asof(same.due.due_at, at)
    return {
        "or_size_mean_20": gather(same.size, before),
        "or_volume_mean_20": gather(same.volume, before),
        "mean_r_10_same": gather(same.mean_r, index),
        "up_share_10_same": gather(same.up_share, index),
        "last_break_same": _latest(same.due, _sign(same.due.broke), at),
        "last_r_same": _latest(same.due.traded, same.due.traded.r, at),
        "r_3d_same": _sum_since(same.due.traded, since[rows], at),
    }


def last_answers(past: Past, asked: Asked, lab: Label) -> Array:
    """The label's answer at the last range of the same name, and side, that was due by then.

    One value a row: of each range, the side +1 and then −1 where the label has sides.
    """
    sides = (1, -1) if lab.sided else (0,)

    def of(same: SameName, rows: Array) -> Facts:
        at = asked.decision_at[rows]
        return {f"{side}": _last_answer(same.due, at, side, lab) for side in sides}

    return np.stack(list(_by_name(asked, past, of).values()), axis=1).ravel()


def _sum_since(traded: Due, since: Array, at: Array) -> Array:
    """Sum of R over trades due in `(since, at]`; NaN without one."""
    last, first = asof(traded.due_at, at) + 1, asof(traded.due_at, since) + 1
    return np.where(last > first, traded.total[last] - traded.total[first], np.nan)


def _sign(broke: Array) -> Array:
    return np.where(broke == AMBIGUOUS, 0.0, broke)


def _latest(due: Due, values: Array, at: Array) -> Array:
    """The last of `values` that was due, unless that is longer ago than facts stay fresh."""
    index = asof(due.due_at, at)
    if not len(due.due_at):
        return gather(values, index)
    return gather(values, index, at - due.due_at[np.maximum(index, 0)] <= OLDEST)


def _last_answer(due: Due, at: Array, side: int, lab: Label) -> Array:
    """The label's answer at the last range of this name, and side, that had one and was due."""
    if not side:
        told = due.where(due.broke != AMBIGUOUS)
        classes = np.select([told.broke == UP, told.broke == DOWN], [0.0, 1.0], 2.0)
        return _latest(told, classes, at)
    mine = due.where(np.isfinite(due.r) & ((due.broke == side) | (due.broke == AMBIGUOUS)))
    return _latest(mine, (mine.r > 0) * 1.0 if lab.task == "classification" else mine.r, at)
