"""What earlier opening ranges came to, as facts that a later decision may know.

Outcomes are known from `due_at` on, never from the moment they settled; they come from bars, not
from the log. Sizes and volumes are known when the range closes.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from mlcore.features.windows import rolling_sum
from mlcore.samples.asof import asof, gather
from mlcore.samples.labels import Label
from mlcore.samples.periods import OLDEST, Bounds, spans
from mlcore.schema import Bars
from mlcore.trading.opening import Ranges
from mlcore.trading.trades import AMBIGUOUS

__all__ = ["Asked", "Past", "past_facts", "past_ranges"]

Array = np.ndarray[Any, Any]
Facts = dict[str, Array]
_NEVER = int(np.iinfo(np.int64).max)


@dataclass(frozen=True)
class Asked:
    """The ranges decided about, one value a row: which, when, and its levels."""

    code: Array
    open_at: Array
    decision_at: Array
    side: Array
    high: Array
    low: Array
    close: Array


@dataclass(frozen=True)
class Past:
    """Valid ranges of the data by opening; `broke` and `r` are NaN until their window is over."""

    code: Array
    open_at: Array
    available_at: Array
    due_at: Array
    size: Array
    broke: Array
    r: Array

    def take(self, where: Array) -> Past:
        """The ranges at `where`."""
        return Past(**{f.name: getattr(self, f.name)[where] for f in fields(self)})


def past_ranges(found: Ranges) -> Past:
    """Valid opening ranges as what a later decision may know of them."""
    return Past(
        code=found.code,
        open_at=found.open_at,
        available_at=found.available_at,
        due_at=found.due_at,
        size=found.high - found.low,
        broke=np.where(found.scored, found.trades.side, np.nan),
        r=found.trades.r_net,
    )


def past_facts(bars: Bars, days: Bounds, past: Past, asked: Asked, lab: Label) -> Facts:
    """Facts of ranges before each one asked about: of any name, of the same, and `last_y`.

    Parameters
    ----------
    days
        The market's trading days around the bars.
    past
        All valid ranges of the bars.
    """
    since = _three_days_ago(bars, days, asked)
    return _recent_facts(past, asked, since) | _same_name_facts(bars, past, asked, since, lab)


def _three_days_ago(bars: Bars, days: Bounds, asked: Asked) -> Array:
    """Start of the trading day two before each range's own; never, if that precedes the bars."""
    index = asof(days.start, asked.open_at) - 2
    since = days.start[np.maximum(index, 0)]
    return np.where((index >= 0) & (since >= bars.time[0]), since, _NEVER)


def _recent_facts(past: Past, asked: Asked, since: Array) -> Facts:
    """What the last ranges of any name came to."""
    due = past.take(np.isfinite(past.broke))
    due = due.take(np.lexsort((due.open_at, due.due_at)))
    traded = due.take(np.isfinite(due.r))
    at = asked.decision_at
    return {
        "last_break": _latest(due.due_at, _sign(due.broke), at),
        "last_r": _latest(traded.due_at, traded.r, at),
        "r_3d": _sum_since(traded, since, at),
    }


def _sum_since(traded: Past, since: Array, at: Array) -> Array:
    """Sum of R over trades due in `(since, at]`; NaN without one."""
    total = np.concatenate([[0.0], np.cumsum(traded.r)])
    last, first = asof(traded.due_at, at) + 1, asof(traded.due_at, since) + 1
    return np.where(last > first, total[last] - total[first], np.nan)


def _same_name_facts(bars: Bars, past: Past, asked: Asked, since: Array, lab: Label) -> Facts:
    """What earlier ranges of the same name were and came to."""
    names = ("or_size_mean_20", "or_volume_mean_20", "last_r_same", "r_3d_same",
             "last_break_same", "mean_r_10_same", "up_share_10_same", "last_y")  # fmt: skip
    facts: Facts = {name: np.full(len(asked.code), np.nan) for name in names}
    first = np.searchsorted(bars.time, past.open_at)
    volume = spans(np.add, bars.volume, first, np.searchsorted(bars.time, past.available_at))
    for code in np.unique(asked.code):
        rows, same = asked.code == code, past.code == code
        ranges, at = past.take(same), asked.decision_at[rows]
        before = asof(ranges.available_at, asked.open_at[rows])
        facts["or_size_mean_20"][rows] = gather(rolling_sum(ranges.size, 20) / 20, before)
        facts["or_volume_mean_20"][rows] = gather(rolling_sum(volume[same], 20) / 20, before)
        due = ranges.take(np.isfinite(ranges.broke))
        index = asof(due.due_at, at)
        taken = np.nan_to_num(due.r, nan=0.0)
        facts["mean_r_10_same"][rows] = gather(rolling_sum(taken, 10) / 10, index)
        up = (due.broke == 1).astype(np.float64)
        facts["up_share_10_same"][rows] = gather(rolling_sum(up, 10) / 10, index)
        facts["last_break_same"][rows] = _latest(due.due_at, _sign(due.broke), at)
        traded = due.take(np.isfinite(due.r))
        facts["last_r_same"][rows] = _latest(traded.due_at, traded.r, at)
        facts["r_3d_same"][rows] = _sum_since(traded, since[rows], at)
        facts["last_y"][rows] = _last_answer(due, at, asked.side[rows], lab)
    return facts


def _sign(broke: Array) -> Array:
    return np.where(broke == AMBIGUOUS, 0.0, broke)


def _latest(due_at: Array, values: Array, at: Array) -> Array:
    """The last of `values` that was due, unless that is longer ago than facts stay fresh."""
    index = asof(due_at, at)
    if not len(due_at):
        return gather(values, index)
    return gather(values, index, at - due_at[np.maximum(index, 0)] <= OLDEST)


def _last_answer(due: Past, at: Array, side: Array, lab: Label) -> Array:
    """The label's answer at the last range of this name, and side, that had one and was due."""
    if not lab.sided:
        told = due.take(due.broke != AMBIGUOUS)
        classes = np.select([told.broke == 1, told.broke == -1], [0.0, 1.0], 2.0)
        return _latest(told.due_at, classes, at)
    found = np.full(len(at), np.nan)
    for one in (1, -1):
        mine = due.take(np.isfinite(due.r) & np.isin(due.broke, (one, AMBIGUOUS)))
        answer = (mine.r > 0) * 1.0 if lab.task == "classification" else mine.r
        found[side == one] = _latest(mine.due_at, answer, at[side == one])
    return found
