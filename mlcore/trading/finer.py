"""What finer bars say of a coarser bar that broke both sides of a range.

Only outcomes are decided here. Inputs of later decisions read the bars of their own timeframe
alone, so that a row is the same whether or not finer bars are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mlcore.clock import NAT
from mlcore.config import ORB, Cost
from mlcore.schema import Bars
from mlcore.trading.trades import AMBIGUOUS, STOP, TARGET, Trades, simulate_trades

__all__ = ["Finer", "decide_by_finer"]

Array = np.ndarray[Any, Any]
Finer = Callable[[Array, int], Sequence[Bars]]
"""(starts of coarser bars, their width) → the finer bars inside them, the finest first."""
_TOLD = ("side", "entry", "stop", "target", "exit", "reason", "r_gross", "r_net", "mfe", "mae",
         "flagged")  # fmt: skip


def decide_by_finer(
    bars: Bars, made: Trades, levels: tuple[Array, Array], orb: ORB, cost: Cost, finer: Finer
) -> Array:
    """Decide the ambiguous ones among `made`, in place; when that could be read, int64 ns or NAT.

    Finer bars decide where every one of them inside the bar is there, one side broke first among
    them, and the trade ended inside: its prices and R are theirs, its bars stay the coarser one.
    Else the next coarser of them are asked, and what none decides stays ambiguous.

    Parameters
    ----------
    levels
        High and low of each range, shape (n,).
    """
    told_at = np.full(len(made.side), NAT, dtype=np.int64)
    open_rows = np.flatnonzero(made.side == AMBIGUOUS)
    if not len(open_rows):
        return told_at
    starts = np.unique(bars.time[made.break_index[open_rows]])
    for some in finer(starts, bars.width):
        rows = np.flatnonzero(made.side == AMBIGUOUS)
        start = bars.time[made.break_index[rows]]
        first = np.searchsorted(some.time, start)
        stop = np.searchsorted(some.time, start + bars.width)
        whole = (stop - first) * some.width == bars.width
        rows, first, stop = rows[whole], first[whole], stop[whole]
        if len(rows):
            _decide(made, told_at, some, rows, first, stop, levels, orb, cost)
    return told_at


def _decide(
    made: Trades, told_at: Array, some: Bars, rows: Array, first: Array, stop: Array,
    levels: tuple[Array, Array], orb: ORB, cost: Cost,
) -> None:  # fmt: skip
    high, low = (level[rows] for level in levels)
    told = simulate_trades(
        some, entry_from=first, window_end=stop, high=high, low=low, mode="touch", k=orb.k,
        stop_fraction=orb.stop_fraction, cost=cost,
    )  # fmt: skip
    clear = np.isin(told.reason, (STOP, TARGET))
    decided, last = rows[clear], told.exit_index[clear]
    for name in _TOLD:
        getattr(made, name)[decided] = getattr(told, name)[clear]
    made.entry_index[decided] = made.break_index[decided]
    # a revised finer bar could be read later than the bar it lies in
    known = np.maximum.accumulate(some.available_at)
    told_at[decided] = known[last]
