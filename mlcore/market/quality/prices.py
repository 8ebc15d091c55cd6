"""Checks of prices: sound bars, outliers, bad ticks, stale runs, suspected splits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from mlcore.clock import DAY
from mlcore.config import Market
from mlcore.market.quality.report import Check, Finding, at_most, counted
from mlcore.schema import Bars

__all__ = ["FRACTIONS", "Moves", "bad_ticks", "ohlc", "outliers", "splits", "stale_runs"]

Array = np.ndarray[Any, Any]
OUTLIER: Final = 25.0
TICK: Final = 15.0
UNDONE: Final = 0.25
BLOCK: Final = 250
TO_SIGMA: Final = 1.4826
FRACTIONS: Final = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 50.0,
                    100.0, 1000.0)  # fmt: skip
"""Ratios of usual splits, and of changes of unit."""
NEAR: Final = 0.03
STAY: Final = 5
STALE_BARS: Final = 10
STALE_DAYS: Final = 5


def local_scale(size: Array) -> Array:
    """Robust spread around each value, float64, same length.

    1.4826 × the median size in its block of 250 and in both neighbours.
    """
    count = len(size)
    if not count:
        return size
    blocks = -(-count // BLOCK)
    full = np.concatenate((size, size[::-1]))[: blocks * BLOCK]
    full = np.resize(full, blocks * BLOCK).reshape(blocks, BLOCK)
    before, after = np.roll(full, 1, axis=0), np.roll(full, -1, axis=0)
    before[0], after[-1] = full[0], full[-1]
    middle = np.median(np.concatenate((before, full, after), axis=1), axis=1)
    return np.asarray(np.repeat(TO_SIGMA * middle, BLOCK)[:count])


@dataclass(frozen=True)
class Moves:
    """Moves of prices from bar to bar, and what is usual around them.

    Log returns where all prices are above zero, else differences over the median size of a close.
    Moves over a pause in trading (the bar before ended earlier) are held against one another.
    """

    bars: Bars
    market: Market

    @cached_property
    def positive(self) -> bool:
        """Whether logarithms of the prices exist."""
        return bool(len(self.bars)) and bool(self.bars.low.min() > 0)

    @cached_property
    def _unit(self) -> float:
        return float(np.median(np.abs(self.bars.close))) or 1.0

    def between(self, before: Array, after: Array) -> Array:
        """The move from one price to another."""
        return np.log(after / before) if self.positive else (after - before) / self._unit

    @cached_property
    def closes(self) -> Array:
        """From close to close; 0 for the first bar."""
        return np.concatenate(([0.0], self.between(self.bars.close[:-1], self.bars.close[1:])))

    @cached_property
    def scale(self) -> Array:
        """What is usual for each of `closes`: at least one tick."""
        size = np.abs(self.closes)
        paused = np.concatenate(([False], self.bars.time[1:] > self.bars.end[:-1]))
        paused &= self.bars.width < DAY
        scale = np.empty(len(size))
        for group in (paused, ~paused):
            scale[group] = local_scale(size[group])
        tick = self.market.tick / (np.abs(self.bars.close) if self.positive else self._unit)
        return np.maximum(scale, tick)

    @cached_property
    def steady(self) -> Array:
        """What is usual inside trading around each bar, pauses left out."""
        paused = np.concatenate(([True], self.bars.time[1:] > self.bars.end[:-1]))
        if self.bars.width >= DAY or paused.all():
            return self.scale
        at = np.maximum.accumulate(np.where(~paused, np.arange(len(paused)), -1))
        return np.asarray(self.scale[np.where(at < 0, int(np.argmin(paused)), at)])


def ohlc(bars: Bars, market: Market) -> Check:
    """Bars whose prices contradict each other, or the market."""
    top = np.maximum(bars.open, bars.close) > bars.high
    low = np.minimum(bars.open, bars.close) < bars.low
    bad = top | low | (bars.high < bars.low)
    if not market.negative_prices:
        bad |= bars.low <= 0
    n, where = int(bad.sum()), np.flatnonzero(bad)
    words = f"{counted(n, 'bar')} with contradicting prices" if n else "every bar holds together"
    worst = at_most(where, np.zeros(n), bars.time, lambda i: (
        f"open {bars.open[i]:g}, high {bars.high[i]:g}, low {bars.low[i]:g}, "
        f"close {bars.close[i]:g}"))  # fmt: skip
    return Check(
        "ohlc", "Open, high, low, close", "bad" if n else "ok", n, n / len(bars),
        "A high is the highest and a low the lowest of a bar's prices, and prices are above zero "
        "unless the market allows others; an import refuses such bars.",
        words, worst,
    )  # fmt: skip


def outliers(moves: Moves) -> Check:
    """Moves far beyond what is usual around them."""
    times = np.abs(moves.closes) / moves.scale
    where = np.flatnonzero(times > OUTLIER)
    n, bars = len(where), moves.bars
    share = n / len(bars)
    most = float(times[where].max()) if n else 0.0
    words = (
        f"{counted(n, 'move')}, {'the largest ' * (n > 1)}{most:,.0f} × the usual" if n else "none"
    )
    return Check(
        "outliers", "Outliers", "ok" if share <= 1e-4 and n < 2 else "look", n, share,
        f"A move from close to close is an outlier above {OUTLIER:g} × 1.4826 × the median size "
        f"of the moves in its block of {BLOCK} and the blocks beside it, and one tick at least; "
        "moves over a pause in trading are held against one another.",
        words,
        at_most(where, times[where], bars.time, lambda i: (
            f"{100 * moves.closes[i]:+.2f} %, {times[i]:,.0f} × the usual")),
    )  # fmt: skip


def bad_ticks(moves: Moves) -> Check:
    """Prices that stand out and are taken back at once."""
    bars, move = moves.bars, moves.closes
    back = np.append(move[1:], 0.0)
    spike = (np.abs(move) > TICK * moves.steady) & (np.abs(move + back) <= UNDONE * np.abs(move))
    body = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
    reach = np.maximum(moves.between(body[0], bars.high), moves.between(bars.low, body[1]))
    size = np.maximum(np.where(spike, np.abs(move), 0.0), reach) / moves.steady
    where = np.flatnonzero(spike | (reach > OUTLIER * moves.steady))
    n = len(where)
    share = n / len(bars)
    return Check(
        "bad_ticks", "Bad ticks", "bad" if share > 1e-3 else "look" if n else "ok", n, share,
        f"A close more than {TICK:g} × away from the one before that the next bar takes back by "
        f"{100 * (1 - UNDONE):.0f} % or more, or a high or low that reaches more than "
        f"{OUTLIER:g} × beyond open and close, of the moves usual inside trading.",
        f"{counted(n, 'price')} far out and taken back" if n else "none",
        at_most(where, size[where], bars.time, lambda i: (
            f"{size[i]:,.0f} × the usual, low {bars.low[i]:g}, high {bars.high[i]:g}, "
            f"close {bars.close[i]:g}")),
    )  # fmt: skip


def stale_runs(bars: Bars) -> Check:
    """Runs of bars that repeat the same four prices."""
    least = STALE_DAYS if bars.width >= DAY else STALE_BARS
    same = np.ones(len(bars) - 1, dtype=bool)
    for name in ("open", "high", "low", "close"):
        values = getattr(bars, name)
        same &= values[1:] == values[:-1]
    edge = np.flatnonzero(np.diff(np.concatenate(([0], same.astype(np.int8), [0]))))
    first, length = edge[::2], edge[1::2] - edge[::2] + 1
    first, length = first[length >= least], length[length >= least]
    n = int(length.sum())
    order = np.argsort(-length, kind="stable")[:10]
    worst = tuple(
        Finding(int(bars.time[first[i]]), f"{length[i]:,} bars at {bars.close[first[i]]:g}",
                int(bars.end[first[i] + length[i] - 1]))
        for i in order.tolist()
    )  # fmt: skip
    share = n / len(bars)
    words = f"{counted(len(first), 'run')}, the longest of {length.max():,} bars" if n else "none"
    return Check(
        "stale_runs", "Stale runs", "bad" if share > 0.01 else "look" if n else "ok", n, share,
        f"{least} bars or more in a row with the same open, high, low and close.", words, worst,
    )  # fmt: skip


def splits(moves: Moves) -> Check:
    """Jumps by the ratio of a split that stay."""
    bars = moves.bars
    rule = (
        f"An open that stands to the close before as one of {len(FRACTIONS)} split or unit ratios "
        f"({FRACTIONS[0]:g} to {FRACTIONS[-1]:g}, or one over it) within {100 * NEAR:.0f} %, "
        f"10 × beyond usual, with moves of less than a quarter of it in the {STAY} bars on either "
        "side."
    )
    title = "Suspected splits"
    if not moves.positive:
        return Check("splits", title, "ok", 0, None, rule, "not asked: prices below zero exist")
    jump = np.concatenate(([0.0], np.log(bars.open[1:] / bars.close[:-1])))
    far = np.flatnonzero((np.abs(jump) > np.log(1.4)) & (np.abs(jump) > 10 * moves.scale))
    ratios = np.log(np.array(FRACTIONS))
    off = np.abs(np.abs(jump[far])[:, None] - ratios)
    nearest = np.argmin(off, axis=1)
    later, earlier = np.minimum(far + STAY, len(bars) - 1), np.maximum(far - 1 - STAY, 0)
    after = np.log(bars.close[later] / bars.open[far])
    before = np.log(bars.close[far - 1] / bars.close[earlier])
    stays = np.maximum(np.abs(after), np.abs(before)) < UNDONE * np.abs(jump[far])
    keep = (off.min(axis=1, initial=np.inf) <= NEAR) & stays
    where, ratio = far[keep], np.array(FRACTIONS)[nearest[keep]]
    named = {int(i): float(r) for i, r in zip(where, ratio, strict=True)}

    def said(i: int) -> str:
        way = f"{named[i]:g} for 1" if jump[i] < 0 else f"1 for {named[i]:g}"
        return f"{way}: {bars.close[i - 1]:g} → {bars.open[i]:g}"

    n = len(where)
    return Check(
        "splits", title, "bad" if n else "ok", n, None, rule,
        f"{counted(n, 'jump')} like a split or a change of unit" if n else "none",
        at_most(where, np.abs(jump[where]), bars.time, said),
    )  # fmt: skip
