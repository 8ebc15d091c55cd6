"""The whole report: every check over the bars of one symbol and timeframe."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, HOUR
from mlcore.config import Market
from mlcore.market.quality.coverage import find_coverage
from mlcore.market.quality.prices import Moves, bad_ticks, ohlc, outliers, splits, stale_runs
from mlcore.market.quality.report import (
    MOST_FINDINGS,
    Check,
    Coverage,
    Finding,
    Report,
    Status,
    counted,
)
from mlcore.market.quality.stationarity import stationarity
from mlcore.market.quality.volumes import missing_volume, volume_level, zero_volume
from mlcore.schema import Bars

__all__ = ["BUDGET", "assess"]

Array = np.ndarray[Any, Any]
BUDGET = 0.10
"""Share of missing bars from which nothing should be learnt from the rest."""
NOTICED = 0.01


def assess(
    bars: Bars, market: Market, *, revised: Array | None = None, repeated: int = 0
) -> Report:  # fmt: skip
    """Hold bars against their market's calendar and against themselves.

    Parameters
    ----------
    bars
        Stored bars in their latest revision, one at least.
    revised
        Which of them hold other values than at first, bool; None for none.
    repeated
        How many bars came again with the values that were stored already.

    Returns
    -------
    A `Report`; missing volumes stay missing, and nothing is mended.
    """
    cover, moves = find_coverage(bars, market), Moves(bars, market)
    checks = (
        _missing(cover),
        _gaps(cover, bars),
        _outside(cover, bars),
        _grid(bars),
        _revisions(bars, revised, repeated),
        ohlc(bars, market),
        bad_ticks(moves),
        outliers(moves),
        splits(moves),
        stale_runs(bars),
        missing_volume(bars),
        zero_volume(bars),
        volume_level(bars, market),
        *stationarity(bars),
    )
    first, last = int(bars.time[0]), int(bars.time[-1])
    return Report(bars.symbol, bars.timeframe, len(bars), first, last, checks, cover)


def _missing(cover: Coverage) -> Check:
    share = cover.missing_share
    status: Status = "bad" if share >= BUDGET else "look" if share >= NOTICED else "ok"
    pause = f"; the daily pause {cover.pause} is not counted" if cover.pause else ""
    return Check(
        "missing", "Missing bars", status, cover.missing, share,
        "Bars that the market's calendar expects between the first and the last and that are not "
        f"there: from {100 * NOTICED:g} % worth a look, from {100 * BUDGET:g} % over budget. Times "
        "of day without a bar on 80 % of days, two hours at most, are the feed's daily pause.",
        f"{cover.missing:,} of {cover.expected:,} expected{pause}",
    )  # fmt: skip


def _gaps(cover: Coverage, bars: Bars) -> Check:
    gaps, n = cover.gaps, len(cover.gaps)
    unit = "day" if bars.width == DAY else "bar"
    worst = tuple(
        Finding(row["start"], counted(row["missing"], unit) + (f" · {row['note']}" if row["note"]
                else ""), row["end"])
        for row in gaps.head(MOST_FINDINGS).to_dict("records")
    )  # fmt: skip
    words = "none"
    if n:
        often = f", most often {cover.often}" if cover.often else ""
        words = f"{counted(n, 'gap')}, the longest {_long(gaps.iloc[0], bars)}{often}"
    days = len(cover.days)
    many = n > max(2, 0.05 * days)
    return Check(
        "gaps", "Gaps", "look" if many or (n and cover.missing_share >= NOTICED) else "ok", n, None,
        "A gap is open time of the market's calendar between two bars, measured from the end of "
        "the one to the start of the next; more than one on every twentieth day are worth a look.",
        words, worst,
    )  # fmt: skip


def _long(gap: Any, bars: Bars) -> str:
    hours = (gap["end"] - gap["start"]) / HOUR
    span = f"{hours / 24:,.1f} days" if hours >= 48 else f"{hours:,.1f} hours"
    span = f"{60 * hours:,.0f} minutes" if hours < 2 else span
    missing = int(gap["missing"])
    named = {"1d": "trading day", "1w": "week", "1M": "month"}.get(bars.timeframe, "bar")
    return counted(missing, named) if bars.width >= DAY else f"{span} ({counted(missing, named)})"


def _outside(cover: Coverage, bars: Bars) -> Check:
    n, closed = int(cover.outside.sum()), int(cover.closed.sum())
    share = n / len(bars)
    words = "none"
    if n:
        hours = f"{n - closed:,} outside the hours of an open day" if n > closed else ""
        rest = f"{closed:,} on days on which the market is shut" if closed else ""
        words = ", ".join(part for part in (rest, hours) if part)
    where = np.flatnonzero(cover.closed if closed else cover.outside)[-MOST_FINDINGS:][::-1]
    said = "the market is shut on this day" if closed else "outside the market's hours"
    worst = tuple(Finding(int(bars.time[i]), said) for i in where.tolist())
    return Check(
        "outside", "Outside the calendar", "look" if share > 1e-3 or closed else "ok", n, share,
        "Bars without a moment of the market's open hours in them; they are kept, and opening "
        "ranges and trading days do not use them.", words, worst,
    )  # fmt: skip


def _grid(bars: Bars) -> Check:
    near = np.diff(bars.time) < bars.width if bars.width < DAY else np.zeros(len(bars) - 1, bool)
    off = np.concatenate(([False], near))
    if bars.width <= HOUR:
        phase = bars.time % bars.width
        usual, count = np.unique(phase, return_counts=True)
        off |= phase != usual[np.argmax(count)]
    n = int(off.sum())
    worst = tuple(Finding(int(bars.time[i]), f"{pd.Timestamp(int(bars.time[i])):%H:%M:%S}")
                  for i in np.flatnonzero(off)[:MOST_FINDINGS].tolist())  # fmt: skip
    share = n / len(bars)
    return Check(
        "grid", "Off the grid", "bad" if share > 0.01 else "look" if n else "ok", n, share,
        "Bars that start before the one before has ended, or (up to 1h) at another remainder of "
        "their width than most.", counted(n, "bar") if n else "none", worst,
    )  # fmt: skip


def _revisions(bars: Bars, revised: Array | None, repeated: int) -> Check:
    where = np.flatnonzero(revised) if revised is not None else np.empty(0, np.int64)
    twice = int((np.diff(bars.time) == 0).sum())
    n = len(where)
    again = f"{repeated:,} came again with the same values" if repeated else ""
    other = f"{n:,} were restated with other values" if n else ""
    words = ", ".join(part for part in (other, again) if part) or "none"
    worst = tuple(
        Finding(int(bars.time[i]), "restated, known from "
                f"{pd.Timestamp(int(bars.available_at[i])):%d %b %Y %H:%M} UTC")
        for i in where[-MOST_FINDINGS:][::-1].tolist()
    )  # fmt: skip
    return Check(
        "revisions", "Duplicates and revisions", "bad" if twice else "look" if n else "ok",
        n + twice, (n + twice) / len(bars),
        "A time that comes again with the same values changes nothing; with other values it is a "
        "revision, known from its import on, and both are kept.", words, worst,
    )  # fmt: skip
