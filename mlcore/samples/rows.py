"""The only maker of a row, for training and for serving alike.

`rows_at` builds opening ranges from bars, facts from what was available, features from facts, and
puts the label's decisions beside them. Where bars were revised, it does so for each stretch of
time between two revisions with the bars as they were known then, and takes answers from the
latest.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, HOUR
from mlcore.config import ORB, Market
from mlcore.features import bar_table, row_table, select, warmup_bars, warmup_days
from mlcore.features.base import closure
from mlcore.samples.asof import asof, gather
from mlcore.samples.decisions import SIGMA_SPAN, decision_columns
from mlcore.samples.facts import (
    Surroundings,
    calendar_facts,
    range_facts,
    session_at,
    surroundings,
)
from mlcore.samples.history import Asked, Past, past_ranges
from mlcore.samples.labels import Label
from mlcore.schema import Bars, timeframe_width
from mlcore.trading.opening import find_ranges, range_length

__all__ = ["Rows", "late_instants", "rows_at", "rows_in_epochs", "window_bars"]

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]
WINDOWS_HELD = 8
_HOLDING = threading.Lock()
LONG_AGO = 2**62
_HELD: dict[tuple[int, str, ORB], tuple[weakref.ref[Bars], tuple[Surroundings, Past]]] = {}
SPARE_DAYS = 9
"""Trading days kept beyond what features ask for: holidays and ranges that were not valid."""
TRENDING = 0.67
"""Half of all driftless walks end within this many deviations of their mean: SIDEWAYS."""
RANGES = 64
"""A `range_id` is the date's number times this, plus the number of the range in its market."""
_ANSWERS = (
    "due_at", "known_at", "y", "settled", "broke", "r_taken", "r_gross", "distance",
    "r_buy_gross", "r_buy", "r_sell_gross", "r_sell", "exit_at",
)  # fmt: skip
"""Columns that come from the latest bars; all others from those known at the decision."""


@dataclass(frozen=True)
class Rows:
    """Rows of a label: `X` float64 (n, f) with columns `names`, and what was decided.

    `columns` holds the decisions' columns as arrays of one length, `frame` the same as a frame.
    """

    X: Array
    names: tuple[str, ...]
    columns: Columns

    def __len__(self) -> int:
        return len(self.X)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The decisions as a frame."""
        return pd.DataFrame(self.columns)

    def take(self, where: Array) -> Rows:
        """The rows at `where` (positions)."""
        if len(where) == len(self) and bool((where == np.arange(len(self))).all()):
            return self
        return Rows(self.X[where], self.names, _take(self.columns, where))


def _take(columns: Columns, where: Array) -> Columns:
    return {name: values[where] for name, values in columns.items()}


def window_bars(lab: Label, features: Sequence[str], market: Market, timeframe: str) -> int:
    """How many last bars `rows_at` needs for the newest decisions to be as from all history."""
    bars = warmup_bars(features) + 2
    width = timeframe_width(timeframe)
    if not lab.of_ranges:
        # ewma weights of span 100 fall below 1e-9 of their sum after ten spans
        span = lab.horizon_for(timeframe)
        ahead = {"bars": span.length, "hours": span.length * HOUR // width + 1,
                 "days": (span.length + 2) * (DAY // width)}[span.unit]  # fmt: skip
        return max(bars, 10 * SIGMA_SPAN) + 2 * ahead
    days = max(warmup_days(features), 15) + SPARE_DAYS
    return bars + days * _bars_a_day(market, width)


def _bars_a_day(market: Market, width: int) -> int:
    """The most bars of a trading day, extended hours included."""
    return -(-(DAY if market.hours == "24h" else 16 * HOUR) // width)


def rows_at(
    bars: Bars,
    market: Market,
    lab: Label,
    *,
    features: Sequence[str],
    at: int | None = None,
    settings_orb: ORB | None = None,
) -> Rows:
    """Every decision of the label in the bars, or those open at an instant, with their inputs.

    Parameters
    ----------
    bars
        History; `window_bars` says how much of it the newest decisions need.
    features
        Names of the catalogue, in the order of X's columns.
    at
        int64 ns. Only bars that could be read then exist; kept are the decisions with
        `decision_at <= at < due_at`, and the latest. Default: all decisions.
    settings_orb
        The home's opening-range settings; the label's own parameters go first.

    Returns
    -------
    Rows by `decision_at`. X is NaN where an input is missing; nothing is filled.

    Raises
    ------
    UsageError
        An unknown feature, or one that needs facts which rows of this label do not have.
    """
    select(features)
    if at is not None:
        bars = bars.known_at(at)
    orb = lab.orb(settings_orb or ORB())
    instants = late_instants(bars)
    rows = rows_in_epochs(bars.known_at, bars, market, lab, tuple(features), orb, at, instants)
    return rows if at is None else rows.take(_open_at(rows.columns, at))


def late_instants(bars: Bars) -> Array:
    """When bars became readable that are older than bars which could be read before."""
    known = bars.available_at
    if not len(known) or bool((known[1:] >= known[:-1]).all()):
        return np.empty(0, dtype=np.int64)
    soonest = np.minimum.accumulate(known[::-1])[::-1]
    return np.unique(known[known > soonest])


def rows_in_epochs(
    read: Callable[[int], Bars], latest: Bars, market: Market, lab: Label,
    names: tuple[str, ...], orb: ORB, at: int | None, instants: Array,
) -> Rows:  # fmt: skip
    """Rows of each stretch between two `instants`, of the bars as known in it; answers latest."""
    if not len(instants):
        return _rows(latest, market, lab, names, orb, at, None)
    answers = decision_columns(latest, market, lab, orb=orb, now=at)
    window = window_bars(lab, names, market, latest.timeframe)
    parts = []
    edges = [-LONG_AGO, *instants.tolist(), int(np.iinfo(np.int64).max)]
    for begin, end in pairwise(edges):
        part = read(end - 1)
        first = int(np.searchsorted(part.time, begin)) - window - 1
        part = part.take(slice(max(0, first), None))
        parts.append(_within(_rows(part, market, lab, names, orb, at, begin), begin, end))
    columns = {c: np.concatenate([p.columns[c] for p in parts]) for c in parts[0].columns}
    return Rows(np.concatenate([p.X for p in parts]), names, _answered(columns, answers))


def _within(rows: Rows, begin: int, end: int) -> Rows:
    at = rows.columns["decision_at"]
    return rows.take(np.flatnonzero((at >= begin) & (at < end)))


def _answered(columns: Columns, answers: Columns) -> Columns:
    """`columns` with the answers of the same item and side; NaN where there is none any more."""
    mine, theirs = (pd.MultiIndex.from_arrays([c["item"], c["side"]]) for c in (columns, answers))
    found = theirs.get_indexer(mine)
    kept = found >= 0
    answered = dict(columns)
    for column in (c for c in _ANSWERS if c in columns):
        values = columns[column].copy()
        values[kept] = answers[column][found[kept]]
        if column in ("y", "r_taken", "r_gross", "broke"):
            values[~kept] = np.nan
        answered[column] = values
    return answered


def _open_at(columns: Columns, at: int) -> Array:
    """Positions of the decisions that are open at an instant, and of the latest."""
    decided, due = columns["decision_at"], columns["due_at"]
    latest = decided == (decided.max() if len(decided) else at)
    return np.flatnonzero((decided <= at) & ((due > at) | latest))


def _rows(
    bars: Bars, market: Market, lab: Label, names: tuple[str, ...], orb: ORB, at: int | None,
    begin: int | None,
) -> Rows:  # fmt: skip
    """Rows of bars that were all readable by `begin`, or in the order of their times."""
    since = begin - DAY if begin is not None else None
    if at is not None and len(bars):
        since = max(_since(bars, lab, at), since or 0)
    live = at is not None and begin is None
    columns = decision_columns(bars, market, lab, orb=orb, now=at, since=since, live=live)
    count = len(columns["decision_at"])
    if not count:
        return Rows(np.empty((0, len(names))), names, _told(columns, {}, market))
    bars = _in_order(bars)
    index = asof(bars.available_at, columns["decision_at"])
    facts = _bar_values(bars, names, index)
    if lab.of_ranges:
        facts |= _range_values(bars, market, lab, orb, at, columns)
    else:
        facts |= _signal_values(bars, market, columns, index)
    return Rows(row_table(names, facts, count), names, _told(columns, facts, market))


def _since(bars: Bars, lab: Label, at: int) -> int:
    """An instant after which everything open at `at`, the latest, and its last answer lie."""
    newest = min(at, int(bars.available_at[-1]))
    if lab.of_ranges:
        return newest - 6 * DAY
    span = lab.horizon_for(bars.timeframe)
    if span.unit == "bars":
        return int(bars.time[-min(len(bars), 2 * span.length + 4)])
    width = HOUR if span.unit == "hours" else 3 * DAY
    return newest - 2 * span.length * width - 6 * DAY


def _bar_values(bars: Bars, names: tuple[str, ...], index: Array) -> Columns:
    """The bar features that `names` and their inputs need, at the bars `index`."""
    wanted = tuple(f.name for f in closure(names) if f.scope == "bar")
    first = max(0, int(index.min()) - 2 * warmup_bars(wanted) - 64) if len(index) else 0
    part = bars.take(slice(first, int(index.max()) + 1)) if wanted else bars
    table = bar_table(wanted, part, index - first)
    return {name: table[:, j] for j, name in enumerate(wanted)}


def _in_order(bars: Bars) -> Bars:
    """The bars, each readable no earlier than the bar before it."""
    known = bars.available_at
    if bool((known[1:] >= known[:-1]).all()):
        return bars
    return replace(bars, available_at=np.maximum.accumulate(known))


def _range_values(
    bars: Bars, market: Market, lab: Label, orb: ORB, at: int | None, columns: Columns
) -> Columns:
    around, past = _closed(bars, market, orb) if at is None else _held(bars, market, orb)
    own = {c: columns[c] for c in ("decision_at", "side", "high", "low", "close")}
    opened = own["decision_at"] - range_length(bars, orb)
    asked = Asked(code=columns["range_id"] % RANGES, open_at=opened, **own)
    return range_facts(bars, market, around, past, asked, lab)


def _closed(bars: Bars, market: Market, orb: ORB) -> tuple[Surroundings, Past]:
    """What lies behind every row of the bars, whichever decision asks."""
    return surroundings(bars, market), past_ranges(find_ranges(bars, market, orb, only="valid"))


def _held(bars: Bars, market: Market, orb: ORB) -> tuple[Surroundings, Past]:
    """`_closed`, kept while the same window of bars is asked by one label after the other."""
    key = (id(bars), market.name, orb)
    found = _HELD.get(key)
    if found is None or found[0]() is not bars:
        found = (weakref.ref(bars), _closed(bars, market, orb))
        with _HOLDING:
            while len(_HELD) >= WINDOWS_HELD:
                _HELD.pop(next(iter(_HELD)))
            _HELD[key] = found
    return found[1]


def _signal_values(bars: Bars, market: Market, columns: Columns, index: Array) -> Columns:
    decided, due, y = (columns[c] for c in ("decision_at", "due_at", "y"))
    told = np.flatnonzero(np.isfinite(y))
    last = gather(y[told], asof(due[told], decided))
    trend = _bar_values(bars, ("macro_trend_200",), index)["macro_trend_200"]
    return calendar_facts(decided, market) | {"last_y": last, "trend": trend}


def _told(columns: Columns, facts: Columns, market: Market) -> Columns:
    """The columns with session, regime, and the last answer that was known."""
    decided = columns["decision_at"]
    none = np.full(len(decided), np.nan)
    trend = facts.get("trend", none)
    kinds = [trend > TRENDING, trend < -TRENDING, np.isnan(trend)]
    regime = np.select(kinds, ["BULL", "BEAR", "unknown"], "SIDEWAYS").astype(object)
    session = session_at(decided, market)
    return columns | {"session": session, "regime": regime, "last_y": facts.get("last_y", none)}
