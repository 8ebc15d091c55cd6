"""The one trade simulator: breaks of a level, stops, targets and window ends, over bars.

Fills follow four rules. In each bar the open comes first: opened past the stop or past the
target, the trade fills there. Otherwise the stop comes before the target, and a bar that touches
both is flagged. The stop is looked for from the entry bar on, the target from the bar after it
(inside the entry bar the order of prices is unknown, so only the bad one counts). What neither
ends, the last close inside the window does. R = side × (exit − entry) / |entry − stop|.

Everything is arrays: one row a trade, windows as matrices in chunks that stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from mlcore.config import Cost
from mlcore.schema import Bars

__all__ = [
    "AMBIGUOUS",
    "DOWN",
    "NONE",
    "REASONS",
    "STOP",
    "TARGET",
    "UP",
    "BarrierTrades",
    "Breaks",
    "Exits",
    "Trades",
    "barrier_trades",
    "cost_in_r",
    "find_breaks",
    "run_trades",
    "simulate_trades",
    "spread_trades",
    "windows",
]

Array = np.ndarray[Any, Any]

UP, DOWN, NONE, AMBIGUOUS = 1, -1, 0, 2
"""Codes of `side`: the first break's side, no break, both sides inside one bar."""

NO_EXIT, STOP, TARGET, WINDOW = 0, 1, 2, 3
"""Codes of an exit's reason."""

REASONS = np.array([None, "stop", "target", "window", "ambiguous"], dtype=object)
"""Text of each reason code, None without an exit; 4 stands for an ambiguous break."""

_CELLS = 1 << 18


@dataclass(frozen=True)
class Breaks:
    """The first break of each range: `side` code, and the index of its bar (−1 without)."""

    side: Array
    index: Array


@dataclass(frozen=True)
class Exits:
    """How trades end: exit bar's index (−1 without a trade), price, reason code, extremes in R.

    `best` and `worst` are the highest and lowest R reached over the bars after the entry bar up
    to and including the exit's, not clipped, NaN where there are none; `flagged` where stop and
    target were both touched inside the exit bar.
    """

    index: Array
    price: Array
    reason: Array
    best: Array
    worst: Array
    flagged: Array


@dataclass(frozen=True)
class Trades:
    """One row a range: first break, its trade, and the result; index −1 and NaN where none.

    `reason` holds codes into `REASONS`. An ambiguous break is −1 R less cost, without prices.
    """

    side: Array
    break_index: Array
    entry_index: Array
    exit_index: Array
    entry: Array
    stop: Array
    target: Array
    exit: Array
    reason: Array
    r_gross: Array
    r_net: Array
    mfe: Array
    mae: Array
    flagged: Array


def cost_in_r(cost: Cost, price: Any, risk: Any) -> Array:
    """Round-trip cost as a share of the risk: points plus basis points of `price`, over `risk`."""
    return np.asarray((cost.points + cost.bp * 1e-4 * np.abs(price)) / risk)


def windows(first: Array, stop: Array) -> Iterator[tuple[slice, Array, Array]]:
    """Rows in pieces that fit the cache: (rows, bar indices as a matrix, mask of real cells).

    Row i spans the bars `[first[i], stop[i])`; cells past it hold index 0 and are masked.
    """
    widest = int(np.max(stop - first, initial=0))
    rows = max(1, _CELLS // max(1, widest))
    for start in range(0, len(first), rows):
        piece = slice(start, start + rows)
        width = max(1, int(np.max(stop[piece] - first[piece], initial=0)))
        cells = first[piece, None] + np.arange(width)
        inside = cells < stop[piece, None]
        yield piece, np.where(inside, cells, 0), inside


def find_breaks(
    bars: Bars,
    *,
    entry_from: Array,
    window_end: Array,
    high: Array,
    low: Array,
    mode: Literal["touch", "close"] = "touch",
) -> Breaks:
    """The first bar in `[entry_from, window_end)` beyond a level, strictly; one row a range.

    TOUCH looks at highs and lows, and a bar beyond both levels is ambiguous; CLOSE looks at
    closes. A level that is NaN never breaks.
    """
    side = np.zeros(len(entry_from), dtype=np.int8)
    index = np.full(len(entry_from), -1, dtype=np.int64)
    top, bottom = (bars.high, bars.low) if mode == "touch" else (bars.close, bars.close)
    for piece, cells, inside in windows(entry_from, window_end):
        above = (top[cells] > high[piece, None]) & inside
        below = (bottom[cells] < low[piece, None]) & inside
        beyond = above | below
        row = np.arange(len(cells))
        at = beyond.argmax(axis=1)
        up, down = above[row, at], below[row, at]
        side[piece] = np.where(up & down, AMBIGUOUS, up.astype(np.int8) - down)
        index[piece] = np.where(up | down, cells[row, at], -1)
    return Breaks(side, index)


def run_trades(
    bars: Bars, *, side: Array, entry_index: Array, entry: Array, stop: Array, target: Array,
    window_end: Array,
) -> Exits:  # fmt: skip
    """Walk each trade from its entry bar to its exit, by the rules at the top of this file.

    Parameters
    ----------
    side
        +1 or −1, shape (n,); likewise `entry`, `stop`, `target` prices.
    entry_index, window_end
        Index of the entry bar, and one past the last bar inside the window; the window holds
        the entry bar.
    """
    count = len(side)
    index = np.full(count, -1, dtype=np.int64)
    price, best, worst = (np.full(count, np.nan) for _ in range(3))
    reason = np.zeros(count, dtype=np.int8)
    flagged = np.zeros(count, dtype=bool)
    found = Exits(index, price, reason, best, worst, flagged)
    for piece, cells, inside in windows(entry_index, window_end):
        sign = side[piece, None].astype(np.float64)
        prices = _signed(bars, cells, sign)
        levels = tuple(side[piece] * x[piece] for x in (entry, stop, target))
        part = _walk(prices, inside, levels)
        for name in ("price", "reason", "best", "worst", "flagged"):
            getattr(found, name)[piece] = getattr(part, name)
        price[piece] *= side[piece]
        index[piece] = cells[np.arange(len(cells)), part.index]
    return found


def _signed(bars: Bars, cells: Array, sign: Array) -> tuple[Array, Array, Array, Array]:
    """Open, best, worst and close as a buyer sees them: a sale's prices are turned round."""
    up, down = bars.high[cells], bars.low[cells]
    long = sign > 0
    best = np.where(long, up, -down)
    worst = np.where(long, down, -up)
    return sign * bars.open[cells], best, worst, sign * bars.close[cells]


def _walk(
    prices: tuple[Array, Array, Array, Array], inside: Array, levels: tuple[Array, ...]
) -> Exits:
    opened, high, low, close = prices
    entry, stop, target = levels
    row = np.arange(len(inside))
    stopped = (low <= stop[:, None]) & inside
    reached = (high >= target[:, None]) & inside
    reached[:, 0] = False
    hit = stopped | reached
    at = hit.argmax(axis=1)
    ended = hit[row, at]
    at = np.where(ended, at, inside.sum(axis=1) - 1)
    later = at > 0
    first = opened[row, at]
    bad, good = stopped[row, at], reached[row, at]
    gap_stop, gap_target = later & (first <= stop), later & (first >= target)
    lost = bad & ~gap_target
    price = np.where(lost, np.where(gap_stop, first, stop), np.where(gap_target, first, target))
    price = np.where(ended, price, close[row, at])
    reason = np.where(ended, np.where(lost, STOP, TARGET), WINDOW)
    best, worst = _extremes(high, low, entry, entry - stop, at)
    return Exits(at, price, reason, best, worst, bad & good & ~gap_stop & ~gap_target)


def _extremes(high: Array, low: Array, entry: Array, risk: Array, at: Array) -> tuple[Array, Array]:
    column = np.arange(high.shape[1])
    seen = (column > 0) & (column <= at[:, None])
    best = np.where(seen, high, -np.inf).max(axis=1)
    worst = np.where(seen, low, np.inf).min(axis=1)
    some = at > 0
    return (
        np.where(some, (np.where(some, best, 0.0) - entry) / risk, np.nan),
        np.where(some, (np.where(some, worst, 0.0) - entry) / risk, np.nan),
    )


def simulate_trades(
    bars: Bars,
    *,
    entry_from: Array,
    window_end: Array,
    high: Array,
    low: Array,
    mode: Literal["touch", "close"] = "touch",
    k: float = 2.0,
    stop_fraction: float = 1.0,
    cost: Cost,
) -> Trades:
    """The trade of each range's first break; one row a range.

    TOUCH enters at the level or at the open beyond it; CLOSE at the next bar's open, and a break
    in the window's last bar has no trade; nor has an entry at or past its stop.

    Parameters
    ----------
    entry_from, window_end
        Index of the first bar that may break, and one past the last bar inside the window.
    high, low
        The levels, shape (n,).
    k, stop_fraction
        Target in multiples of the risk; the stop's place, from the broken level, as a fraction
        of the range (1 is its other side).
    """
    breaks = find_breaks(
        bars, entry_from=entry_from, window_end=window_end, high=high, low=low, mode=mode
    )
    entered = np.abs(breaks.side) == 1
    entry_index = np.where(entered, breaks.index + (mode == "close"), -1)
    entry_index[entry_index >= window_end] = -1
    side = breaks.side.astype(np.float64)
    level = np.where(side > 0, high, low)
    opened = bars.open[np.maximum(entry_index, 0)] if len(bars) else np.full(len(side), np.nan)
    beyond = np.where(side > 0, np.maximum(level, opened), np.minimum(level, opened))
    entry = beyond if mode == "touch" else opened
    stop = level - side * stop_fraction * (high - low)
    risk = side * (entry - stop)
    traded = (entry_index >= 0) & (risk > 0)
    entry, stop, risk = (np.where(traded, x, np.nan) for x in (entry, stop, risk))
    entry_index[~traded] = -1
    target = entry + side * k * risk
    plan = Trades(
        breaks.side, breaks.index, entry_index, entry_index.copy(), entry, stop, target,
        *_empty(len(side)),
    )  # fmt: skip
    _fill_exits(bars, plan, window_end, risk, cost)
    _fill_ambiguous(plan, stop_fraction * (high - low), (high + low) / 2, cost)
    return plan


def spread_trades(made: Trades | None, rows: Array, count: int) -> Trades:
    """The trades `made` of the ranges `rows` among `count` ranges; the rest have none."""
    if made is not None and len(rows) == count:
        return made
    indices = [np.full(count, -1, dtype=np.int64) for _ in range(3)]
    prices = [np.full(count, np.nan) for _ in range(3)]
    wide = Trades(np.zeros(count, dtype=np.int8), *indices, *prices, *_empty(count))
    for one in fields(Trades) if made is not None else ():
        getattr(wide, one.name)[rows] = getattr(made, one.name)
    return wide


def _empty(count: int) -> tuple[Array, ...]:
    """Arrays for exit, reason, r_gross, r_net, mfe, mae, flagged."""
    exit_, gross, net, mfe, mae = (np.full(count, np.nan) for _ in range(5))
    return exit_, np.zeros(count, np.int8), gross, net, mfe, mae, np.zeros(count, bool)


def _fill_exits(bars: Bars, plan: Trades, window_end: Array, risk: Array, cost: Cost) -> None:
    rows = np.flatnonzero(plan.entry_index >= 0)
    side = plan.side[rows].astype(np.float64)
    entry, stop, target = plan.entry[rows], plan.stop[rows], plan.target[rows]
    ends = run_trades(
        bars, side=side, entry_index=plan.entry_index[rows], entry=entry, stop=stop,
        target=target, window_end=window_end[rows],
    )  # fmt: skip
    gross = side * (ends.price - entry) / risk[rows]
    plan.exit_index[rows], plan.exit[rows], plan.reason[rows] = ends.index, ends.price, ends.reason
    plan.r_gross[rows] = gross
    plan.r_net[rows] = gross - cost_in_r(cost, entry, risk[rows])
    plan.mfe[rows], plan.mae[rows], plan.flagged[rows] = ends.best, ends.worst, ends.flagged


def _fill_ambiguous(plan: Trades, risk: Array, price: Array, cost: Cost) -> None:
    rows = np.flatnonzero(plan.side == AMBIGUOUS)
    plan.exit_index[rows] = plan.break_index[rows]
    plan.reason[rows] = len(REASONS) - 1
    plan.r_gross[rows] = -1.0
    plan.r_net[rows] = -1.0 - cost_in_r(cost, price[rows], risk[rows])
    plan.flagged[rows] = True


@dataclass(frozen=True)
class BarrierTrades:
    """Trades that end on a close at a barrier or at the horizon; one row a decision bar.

    `exit_index` is −1, the rest NaN, where the horizon lies after the last bar.
    """

    exit_index: Array
    entry: Array
    exit: Array
    r_gross: Array
    r_net: Array


def barrier_trades(
    bars: Bars, *, side: int, last: Array, distance: Array, cost: Cost
) -> BarrierTrades:
    """Trades decided at each bar's close: entry at the next open, exit on closes.

    The barriers lie `distance` above and below the entry; the first later close at or past one
    ends the trade, else the horizon's last close. The losing barrier is 1 R, so
    R = side × (exit − entry) / distance.

    Parameters
    ----------
    side
        +1 buys, −1 sells.
    last
        Index of the horizon's last bar, one per bar; −1 where there is no trade.
    distance
        In price units, one per bar; NaN where there is no trade.
    """
    count = len(bars)
    exit_index = np.full(count, -1, dtype=np.int64)
    entry, leave, gross, net = (np.full(count, np.nan) for _ in range(4))
    rows = np.flatnonzero((last > np.arange(count)) & (distance > 0))
    entry[rows] = bars.open[rows + 1]
    for piece, cells, inside in windows(rows + 1, last[rows] + 1):
        row = rows[piece]
        move = np.abs(bars.close[cells] - entry[row, None])
        past = (move >= distance[row, None]) & inside
        at = np.where(past.any(axis=1), past.argmax(axis=1), inside.sum(axis=1) - 1)
        exit_index[row] = row + 1 + at
    leave[rows] = bars.close[exit_index[rows]]
    gross[rows] = side * (leave[rows] - entry[rows]) / distance[rows]
    net[rows] = gross[rows] - cost_in_r(cost, entry[rows], distance[rows])
    return BarrierTrades(exit_index, entry, leave, gross, net)
