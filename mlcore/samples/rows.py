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
from mlcore.features.base import closure, reading
from mlcore.samples.asof import asof, gather
from mlcore.samples.decisions import SIGMA_SPAN, decision_columns, range_columns
from mlcore.samples.facts import (
    Surroundings,
    calendar_facts,
    range_facts,
    session_at,
    surroundings,
    trend_at,
)
from mlcore.samples.history import Asked, Past, last_answers, past_ranges
from mlcore.samples.labels import Label
from mlcore.schema import Bars, timeframe_width
from mlcore.trading.finer import Finer
from mlcore.trading.opening import Ranges, find_ranges, range_length

__all__ = ["Rows", "late_instants", "rows_at", "rows_in_epochs", "window_bars"]

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]
Memo = dict[tuple[Any, ...], Any]
WINDOWS_HELD = 256
_HOLDING = threading.Lock()
LONG_AGO = 2**62
_HELD: dict[tuple[Any, ...], tuple[weakref.ref[Bars], Any]] = {}
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


def _take(columns: Columns, where: Any) -> Columns:
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
    memo: Memo | None = None,
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
    memo
        A dict handed over with the same bars, market and `at` for one label after the other:
        what their rows have in common is made once.

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
    case = _Case(market, lab, tuple(features), orb, at, {} if memo is None else memo)
    instants = late_instants(bars)
    rows = _in_epochs(case, bars.known_at, bars, instants) if len(instants) else _rows(case, bars)
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
    names: tuple[str, ...], orb: ORB, instants: Array, finer: Finer | None = None,
) -> Rows:  # fmt: skip
    """Rows of each stretch between two `instants`, of the bars as known in it; answers latest.

    `finer` decides answers alone: what bars that broke both sides hold inside.
    """
    case = _Case(market, lab, names, orb, None, {}, finer)
    return _in_epochs(case, read, latest, instants) if len(instants) else _rows(case, latest)


@dataclass(frozen=True)
class _Case:
    """What rows are asked for, beside the bars; `memo` is for these bars and `at` alone."""

    market: Market
    lab: Label
    names: tuple[str, ...]
    orb: ORB
    at: int | None
    memo: Memo
    finer: Finer | None = None

    def once(self, make: Callable[[], Any], *key: Any) -> Any:
        """What `make` returns, remembered for labels of the same ranges."""
        if not self.lab.of_ranges:
            return make()
        named = (self.orb, *key)
        if named not in self.memo:
            self.memo[named] = make()
        return self.memo[named]


def _in_epochs(case: _Case, read: Callable[[int], Bars], latest: Bars, instants: Array) -> Rows:
    answers = decision_columns(
        latest, case.market, case.lab, orb=case.orb, now=case.at, finer=case.finer
    )
    window = window_bars(case.lab, case.names, case.market, latest.timeframe)
    parts = []
    edges = [-LONG_AGO, *instants.tolist(), int(np.iinfo(np.int64).max)]
    for begin, end in pairwise(edges):
        part = read(end - 1)
        first = int(np.searchsorted(part.time, begin)) - window - 1
        part = part.take(slice(max(0, first), None))
        rows = _rows(replace(case, memo={}, finer=None), part, begin)
        parts.append(_within(rows, begin, end))
    columns = {c: np.concatenate([p.columns[c] for p in parts]) for c in parts[0].columns}
    return Rows(np.concatenate([p.X for p in parts]), case.names, _answered(columns, answers))


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


def _rows(case: _Case, bars: Bars, begin: int | None = None) -> Rows:
    """Rows of bars that were all readable by `begin`, or in the order of their times."""
    columns = _decided(case, bars, begin)
    own = _take(columns, slice(None, None, 2 if case.lab.sided else 1))  # one a range, or a bar
    if not len(own["decision_at"]):
        told = _told(case, columns, {}) | {"last_y": np.empty(0)}
        return Rows(np.empty((0, len(case.names))), case.names, columns | told)
    bars = _in_order(bars)
    facts = case.once(lambda: _facts(case, bars, own), "facts", case.names)
    told = case.once(lambda: _told(case, own, facts), "told")
    if not case.lab.of_ranges:
        told["last_y"] = facts["last_y"]
        return Rows(row_table(case.names, facts, len(own["y"])), case.names, columns | told)
    each = len(columns["side"]) // len(own["side"])
    told = {name: np.repeat(values, each) for name, values in told.items()}
    told["last_y"] = last_answers(_behind(case, bars)[1], _asked(case, bars, own), case.lab)
    return Rows(_range_table(case, facts, columns["side"], each), case.names, columns | told)


def _decided(case: _Case, bars: Bars, begin: int | None) -> Columns:
    since = begin - DAY if begin is not None else None
    market, at = case.market, case.at
    if at is not None and len(bars):
        since = max(_since(bars, case.lab, at), since or 0)
    if at is None or begin is not None or not case.lab.of_ranges:
        return decision_columns(
            bars, market, case.lab, orb=case.orb, now=at, since=since, finer=case.finer
        )

    def find() -> Ranges:
        return find_ranges(bars, market, case.orb, now=at, since=since, only="open")

    return range_columns(bars, market, case.lab, case.orb, case.once(find, "open"))


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


def _facts(case: _Case, bars: Bars, own: Columns) -> Columns:
    """The facts that the features read and `_told` needs, one value a range or bar."""
    index = asof(bars.available_at, own["decision_at"])
    facts = _bar_values(bars, case.names, index)
    if not case.lab.of_ranges:
        return facts | _signal_values(bars, case.market, own, index)
    around, past = _behind(case, bars)
    if not any(f.scope == "row" for f in closure(case.names)):
        return facts | {"trend": trend_at(around, own["decision_at"])}
    return facts | range_facts(bars, case.market, around, past, _asked(case, bars, own))


def _asked(case: _Case, bars: Bars, own: Columns) -> Asked:
    levels = {c: own[c] for c in ("decision_at", "high", "low", "close")}
    opened = own["decision_at"] - range_length(bars, case.orb)
    return Asked(code=own["range_id"] % RANGES, open_at=opened, **levels)


def _range_table(case: _Case, facts: Columns, side: Array, each: int) -> Array:
    """X: features that know no side once a range, the others once a row."""
    sided = np.array(reading(case.names, "side"), dtype=bool)
    plain = tuple(n for n, s in zip(case.names, sided, strict=True) if not s)
    rest = tuple(n for n, s in zip(case.names, sided, strict=True) if s)
    once = case.once(lambda: row_table(plain, facts, len(side) // each), "plain", plain)
    if not rest:
        return np.repeat(once, each, axis=0)

    def by_side() -> Array:
        inputs = {i for one in closure(rest) for i in one.inputs if i in facts}
        repeated = {name: np.repeat(facts[name], each) for name in inputs}
        return row_table(rest, repeated | {"side": side.astype(np.float64)}, len(side))

    table = np.empty((len(side), len(case.names)))
    table[:, ~sided] = np.repeat(once, each, axis=0)
    table[:, sided] = case.once(by_side, "sided", rest, each)
    return table


def _behind(case: _Case, bars: Bars) -> tuple[Surroundings, Past]:
    """What lies behind every row of the bars, whichever decision asks."""

    def make() -> tuple[Surroundings, Past]:
        found = find_ranges(bars, case.market, case.orb, only="valid")
        return surroundings(bars, case.market), past_ranges(bars, found)

    def held() -> tuple[Surroundings, Past]:
        return make() if case.at is None else _held(bars, (case.market.name, case.orb), make)

    made: tuple[Surroundings, Past] = case.once(held, "behind")
    return made


def _held(bars: Bars, by: tuple[Any, ...], make: Callable[[], Any]) -> Any:
    """What `make` returns, kept while the same window of bars is asked again."""
    key = (id(bars), *by)
    found = _HELD.get(key)
    if found is None or found[0]() is not bars:
        found = (weakref.ref(bars), make())
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


def _told(case: _Case, own: Columns, facts: Columns) -> Columns:
    """Session and regime at each decision."""
    decided = own["decision_at"]
    trend = facts.get("trend", np.full(len(decided), np.nan))
    kinds = [trend > TRENDING, trend < -TRENDING, np.isnan(trend)]
    regime = np.select(kinds, ["BULL", "BEAR", "unknown"], "SIDEWAYS").astype(object)
    return {"session": session_at(decided, case.market), "regime": regime}
