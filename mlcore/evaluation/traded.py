"""The traded series: which sides are taken, what they earned a day, and what that is worth.

Daily sum of net R times one percent of equity. Both sides of a range may be taken, but it has at
most one trade: the side whose opposite breaks first is cancelled (0 R), a bar that touches both
is one loss, no break is 0 R. Rows carry the net R had their side been taken, so that all of this
is a choice of rows and a sum. Of signals, one trade is open at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlcore import metrics
from mlcore.statistics import (
    deflated_sharpe_ratio,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)

__all__ = [
    "RISK",
    "Series",
    "Taken",
    "Traded",
    "best_side",
    "find_threshold",
    "first_free",
    "take",
    "take_every",
    "traded_block",
    "traded_series",
]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Columns = pd.DataFrame | Mapping[str, Any]
RISK = 0.01
"""Share of equity that one R stands for."""
_GRID = 20


class Traded(Protocol):
    """What is read of a label: whether its rows are one hypothetical side of a range each."""

    @property
    def sided(self) -> bool:
        """Two rows a range; else one row a bar."""


@dataclass(frozen=True)
class Taken:
    """What was taken of n rows.

    `flags` (n,) orders given, `entered` (n,) those that became a trade, `net` and `gross` (n,)
    their R, 0 elsewhere; `chances` (n,) is 1 on one row of each range (or each bar) with a
    known result.
    """

    flags: Flags
    entered: Flags
    net: Floats
    gross: Floats
    chances: Floats

    def take(self, where: NDArray[Any]) -> Taken:
        """The same for the rows at `where`, a mask or positions."""
        return Taken(
            self.flags[where],
            self.entered[where],
            self.net[where],
            self.gross[where],
            self.chances[where],
        )


@dataclass(frozen=True)
class Series:
    """R of each trading day, days without a trade included.

    `day` are day numbers, ascending; `net` and `gross` (d,) sum R; `trades` counts entered
    trades, `chances` the ranges (or bars) there were.
    """

    day: NDArray[np.int64]
    net: Floats
    gross: Floats
    trades: int
    chances: int


def best_side(group: NDArray[Any], score: Floats) -> Flags:
    """The row with the highest score of each group (range); the earlier one on a tie."""
    order = np.lexsort((np.arange(len(score)), -score, group))
    first = np.ones(len(order), dtype=bool)
    first[1:] = group[order][1:] != group[order][:-1]
    flags = np.zeros(len(score), dtype=bool)
    flags[order[first]] = True
    return flags


def find_threshold(frame: Columns, score: Floats) -> float:
    """The score from which on taking sides earned most on these rows; `inf` takes none.

    Parameters
    ----------
    frame
        Columns of ranges, as for `take`; rows whose result is not known are left out.
    score
        (n,) calibrated probabilities.

    Notes
    -----
    Candidates are 20 quantiles of the scores; a total has to be positive, and the higher
    threshold wins a tie.
    """
    net = _column(frame, "r_taken")
    known = np.isfinite(net)
    if not known.any():
        return math.inf
    once = known & _first_loss(frame, score)
    earned, score = np.where(once, net, 0.0)[known], score[known]
    grid = np.unique(np.quantile(score, np.arange(_GRID) / _GRID, method="lower"))
    order = np.argsort(score)
    left = np.searchsorted(score[order], grid, side="left")
    after = np.concatenate([np.cumsum(earned[order][::-1])[::-1], [0.0]])
    totals = after[left]
    best = len(totals) - 1 - int(np.argmax(totals[::-1]))
    return float(grid[best]) if totals[best] > 0 else math.inf


def first_free(start: NDArray[np.int64], end: NDArray[np.int64], wanted: Flags) -> Flags:
    """Of the wanted trades, in time order, those that begin once the one before has ended."""
    taken = np.zeros(len(wanted), dtype=bool)
    candidates = np.flatnonzero(wanted)
    begins = start[candidates]
    at = 0
    while at < len(candidates):
        row = candidates[at]
        taken[row] = True
        at = max(at + 1, int(np.searchsorted(begins, end[row], side="left")))
    return taken


def take(label: Traded, frame: Columns, answer: Floats, threshold: Floats) -> Taken:
    """What a model's answers take of the scored rows.

    Parameters
    ----------
    label
        A traded one: `orb_quality` takes a side from its `threshold` (n,) on, `orb_r` where its
        value is above 0, `signal` the class called unless it is HOLD, one trade at a time.
    answer
        (n, k) calibrated probabilities, or (n,) values.
    """
    if not label.sided:
        side = np.asarray([1.0, -1.0, 0.0])[answer.argmax(axis=1)]
        return _signals(frame, side)
    score = answer if answer.ndim == 1 else answer[:, 1]
    passes = score > 0 if answer.ndim == 1 else score >= threshold
    return _ranges(frame, passes, score)


def take_every(label: Traded, frame: Columns) -> Taken:
    """The baseline that trades whatever breaks first, or buys whenever it is free."""
    if not label.sided:
        return _signals(frame, np.ones(len(frame["day"])))
    size = len(frame["day"])
    return _ranges(frame, np.ones(size, dtype=bool), np.zeros(size))


def _first_loss(frame: Columns, score: Floats) -> Flags:
    """All rows, but of a range whose sides broke in one bar only the one that scored higher."""
    settled: Flags = np.not_equal(_column(frame, "broke"), 2)
    if settled.all():
        return settled
    return settled | best_side(np.asarray(frame["range_id"], dtype=np.int64), score)


def _ranges(frame: Columns, wanted: Flags, score: Floats) -> Taken:
    net, gross = _column(frame, "r_taken"), _column(frame, "r_gross")
    known = np.isfinite(net) & np.asarray(frame["valid"], dtype=bool)
    side, broke = _column(frame, "side"), _column(frame, "broke")
    flags = wanted & known
    once = _first_loss(frame, np.where(flags, score, -np.inf))
    entered = flags & ((broke == side) | ((broke == 2) & once))
    group = np.asarray(frame["range_id"], dtype=np.int64)
    chances = np.zeros(len(net))
    chances[np.unique(np.where(known, group, np.iinfo(np.int64).min), return_index=True)[1]] = 1.0
    return Taken(flags, entered, np.where(entered, net, 0.0), _filled(gross, net, entered),
                 chances * known)  # fmt: skip


def _signals(frame: Columns, side: Floats) -> Taken:
    net = np.where(side > 0, _column(frame, "r_buy"), _column(frame, "r_sell"))
    gross = np.where(side > 0, _column(frame, "r_buy_gross"), _column(frame, "r_sell_gross"))
    known = np.isfinite(net)
    start, end = (np.asarray(frame[c], dtype=np.int64) for c in ("decision_at", "exit_at"))
    flags = first_free(start, end, known & (side != 0))
    return Taken(flags, flags, np.where(flags, net, 0.0), _filled(gross, net, flags),
                 known.astype(np.float64))  # fmt: skip


def _filled(gross: Floats, net: Floats, entered: Flags) -> Floats:
    """Gross R of the entered rows, 0 elsewhere."""
    return np.where(entered, np.where(np.isfinite(gross), gross, net), 0.0)


def _column(frame: Columns, name: str) -> Floats:
    return np.asarray(frame[name], dtype=np.float64)


def traded_series(day: NDArray[np.int64], taken: Taken) -> Series:
    """The daily series of what was taken; `day` is the trading day of each scored row."""
    days, place = np.unique(day, return_inverse=True)
    return Series(
        day=days,
        net=np.bincount(place, taken.net, len(days)).astype(np.float64),
        gross=np.bincount(place, taken.gross, len(days)).astype(np.float64),
        trades=int(taken.entered.sum()),
        chances=int(taken.chances.sum()),
    )


def traded_block(
    series: Series, *, n_trials: int = 1, variance: float = 0.0, alpha: float = 0.05
) -> dict[str, Any]:
    """Sharpe ratio, what is left of it after luck and trials, and the shape of the equity.

    Parameters
    ----------
    series
        Daily net R.
    n_trials, variance
        Distinct specifications of the slot and the variance of their Sharpe ratios per day,
        from the ledger.

    Returns
    -------
    dict
        Sharpe ratios are per day; lengths in days; drawdown a share of equity; the break-even
        cost in R a trade and in multiples of the cost assumed. NaN where undefined.

    References
    ----------
    Bailey, D. and López de Prado, M. (2012), The Sharpe ratio efficient frontier; (2014), The
    deflated Sharpe ratio.
    """
    returns = RISK * series.net
    ratio, n = metrics.sharpe(returns), len(returns)
    skew, kurtosis = metrics.skew_kurtosis(returns)
    cost = float(series.gross.sum() - series.net.sum())
    gross = float(series.gross.sum())
    return {
        "net_r": float(series.net.sum()),
        "gross_r": gross,
        "trades": series.trades,
        "chances": series.chances,
        "days": n,
        "sharpe": ratio,
        "skew": skew,
        "kurtosis": kurtosis,
        "psr": probabilistic_sharpe_ratio(ratio, n, skew, kurtosis),
        "dsr": deflated_sharpe_ratio(ratio, n, skew, kurtosis, n_trials, variance),
        "minimum_track_record": minimum_track_record_length(ratio, 0.0, skew, kurtosis, alpha),
        "max_drawdown": metrics.max_drawdown(returns),
        "profit_factor": metrics.profit_factor(returns),
        "break_even_cost_r": gross / series.trades if series.trades else math.nan,
        "break_even_cost_multiple": gross / cost if cost > 0 else math.nan,
    }
