"""Values with their intervals: whole trading days resampled in circular blocks.

A figure is a ratio of two sums over rows (a mean, a rate per range); its block length follows
its own daily series. Paired figures see the same draws, so their differences are intervals too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlcore.statistics import (
    block_length,
    bootstrap_ratio,
    circular_block_indices,
    day_sums,
    percentile_interval,
)

__all__ = ["DRAWS", "Days", "Figure", "auc_figure", "rate_figure", "ratio_figure"]

Floats = NDArray[np.float64]
DRAWS = 2000
_BINS = 256


@dataclass(frozen=True)
class Figure:
    """A value and its 95 % interval; NaN where it cannot be computed."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Days:
    """The trading days of scored rows: `codes` (n,) in [0, count), and how to resample them."""

    codes: NDArray[np.int64]
    count: int
    horizon: float
    seed: int
    draws: int = DRAWS

    @classmethod
    def of(cls, day: NDArray[np.int64], *, horizon: float, seed: int, draws: int = DRAWS) -> Days:
        """Days of rows, numbered in time order."""
        names, codes = np.unique(day, return_inverse=True)
        return cls(codes.astype(np.int64), len(names), horizon, seed, draws)

    def take(self, rows: NDArray[np.bool_]) -> Days:
        """The same days for some of the rows; days without any are left out."""
        return Days.of(self.codes[rows], horizon=self.horizon, seed=self.seed, draws=self.draws)

    def sums(self, values: Floats) -> Floats:
        """Sum per day."""
        return day_sums(values, self.codes, self.count)

    def block(self, above: Floats, below: Floats) -> int:
        """Block length for the daily series of a ratio."""
        daily = np.divide(above, below, out=np.full(len(above), np.nan), where=below != 0)
        return block_length(daily[np.isfinite(daily)], self.horizon)

    def counts(self, block: int) -> Floats:
        """How often each day is in each draw, (draws, days)."""
        drawn = circular_block_indices(self.count, block, self.draws, self.seed)
        flat = drawn + self.count * np.arange(self.draws)[:, None]
        found = np.bincount(flat.ravel(), minlength=self.draws * self.count)
        return found.reshape(self.draws, self.count).astype(np.float64)


def ratio_figure(days: Days, above: Floats, below: Floats) -> Figure:
    """Σ above / Σ below over rows (n,), with its interval; NaN without rows."""
    if not days.count or not np.sum(below):
        return Figure(math.nan, math.nan, math.nan)
    top, bottom = days.sums(above), days.sums(below)
    drawn = bootstrap_ratio(
        top, bottom, block=days.block(top, bottom), draws=days.draws, seed=days.seed
    )
    return Figure(float(top.sum() / bottom.sum()), *percentile_interval(drawn))


def rate_figure(days: Days, hits: Sequence[Floats], of: Sequence[Floats]) -> Figure:
    """Mean over classes of Σ hits / Σ of: balanced accuracy, or a difference of two.

    `hits[c]` and `of[c]` are (n,); classes without rows are left out. The blocks are those of
    the rows together.
    """
    pairs = [(h, o) for h, o in zip(hits, of, strict=True) if np.sum(o)]
    if not pairs or not days.count:
        return Figure(math.nan, math.nan, math.nan)
    block = days.block(days.sums(sum(hits, np.zeros(1))), days.sums(sum(of, np.zeros(1))))
    drawn = [
        bootstrap_ratio(days.sums(h), days.sums(o), block=block, draws=days.draws, seed=days.seed)
        for h, o in pairs
    ]
    value = float(np.mean([h.sum() / o.sum() for h, o in pairs]))
    return Figure(value, *percentile_interval(np.mean(drawn, axis=0)))


def auc_figure(days: Days, y: NDArray[np.int64], p: Floats, other: Floats | None = None) -> Figure:
    """Area under the ROC curve of (n, k) probabilities, or its lead over `other`'s.

    Scores are put into 256 quantile bins whose ties count half: exact for fewer distinct
    values, closer than any interval for more. More than two classes: mean of one against the
    rest. NaN where a class has no row.
    """
    k = p.shape[1]
    columns = range(k) if k > 2 else [1]
    present = np.bincount(y, minlength=k)
    if not days.count or np.any(present == 0):
        return Figure(math.nan, math.nan, math.nan)
    right = (p.argmax(axis=1) == y).astype(np.float64)
    counts = days.counts(days.block(days.sums(right), days.sums(np.ones(len(y)))))
    whole = np.ones((1, days.count))
    value, drawn = np.zeros(1), np.zeros(days.draws)
    for sign, table in ((1.0, p), (-1.0, other)):
        if table is None:
            continue
        for column in columns:
            binned = _binned(days, y == column, table[:, column])
            value += sign * _area(whole, *binned) / len(columns)
            drawn += sign * _area(counts, *binned) / len(columns)
    return Figure(float(value[0]), *percentile_interval(drawn))


def _binned(days: Days, positive: NDArray[np.bool_], score: Floats) -> tuple[Floats, Floats]:
    """Positives and negatives per day and bin of score, (days, bins) each."""
    known = np.unique(score)
    if len(known) > _BINS:
        known = np.unique(np.quantile(score, np.arange(1, _BINS) / _BINS))
        place = np.searchsorted(known, score, side="right")
        size = len(known) + 1
    else:
        place, size = np.searchsorted(known, score), len(known)
    cell = days.codes * size + place
    shape = (days.count, size)
    found = [
        np.bincount(cell[at], minlength=days.count * size).reshape(shape).astype(np.float64)
        for at in (positive, ~positive)
    ]
    return found[0], found[1]


def _area(counts: Floats, positive: Floats, negative: Floats) -> Floats:
    above, below = counts @ positive, counts @ negative
    beaten = np.cumsum(below, axis=1) - below / 2
    pairs = above.sum(axis=1) * below.sum(axis=1)
    found: Floats = np.full(len(counts), np.nan)
    np.divide((above * beaten).sum(axis=1), pairs, out=found, where=pairs > 0)
    return found
