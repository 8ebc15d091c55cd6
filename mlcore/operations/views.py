"""What a person sees beside the candles: ranges with their breaks so far, evidence, lines, gaps.

All of it is read from bars; nothing here predicts, and nothing here is logged.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, MINUTE
from mlcore.config import ORB, Market
from mlcore.errors import UsageError
from mlcore.features.base import bar_table, select
from mlcore.market.sessions import is_open, market_days, trading_days
from mlcore.operations.home import Home
from mlcore.schema import Bars
from mlcore.statistics import (
    Verdict,
    block_length,
    bootstrap_ratio,
    day_sums,
    judge,
    percentile_interval,
)
from mlcore.trading.ranges import SESSION_COLUMNS, break_outcomes, opening_ranges

__all__ = ["BreakEvidence", "ViewFacts", "break_evidence", "overlay", "range_view", "view_facts"]

_LINES = ("ema", "sma", "vwap")


def overlay(home: Home, symbol: str, timeframe: str, name: str, last: int) -> pd.DataFrame:
    """A line in the price's own unit over the newest `last` bars: time, value.

    Parameters
    ----------
    name
        `ema_20`, `sma_50`, `vwap_20` …: the catalogue's distance feature, turned back into a price.

    Raises
    ------
    UsageError
        A line that is none of these, or a length that the catalogue does not have.
    """
    kind, _, length = name.partition("_")
    if kind not in _LINES:
        raise UsageError(
            f"A line on the candles is ema_N, sma_N or vwap_N – {name!r} was given – write ema_20.",
            code="E_OVERLAY",
        )
    feature = f"{kind}_distance_{length}"
    known = select([feature])[0]
    bars = home.store.tail(symbol, timeframe, last + known.warmup_bars + 1)
    away = bar_table([feature], bars)[:, 0]
    is_log = known.unit == "log ratio"
    value = bars.close * np.exp(-away) if is_log else bars.close / (1.0 + away)
    frame = pd.DataFrame({"time": pd.to_datetime(bars.time, utc=True), "value": value})
    return frame.tail(last).reset_index(drop=True)


def range_view(
    home: Home, symbol: str, timeframe: str, *, mode: str, start: int, end: int | None = None
) -> pd.DataFrame:
    """Opening ranges that opened from `start` on; pending ones with the break seen so far.

    The columns of the sessions table, then `status`, and `so_far` (UP, DOWN, AMBIGUOUS, NONE) and
    `so_far_at` (start of the bar): of pending ranges the first bar beyond a level among the bars
    that are there, which is a fact about the chart, not an outcome.
    """
    market = home.store.market_of(symbol)
    bars = home.store.read(symbol, timeframe, start=start - 3 * DAY, end=end)
    orb = home.settings.orb.model_copy(update={"mode": mode})
    if not len(bars) or not _has_ranges(bars, market, orb):
        return pd.DataFrame(columns=[*SESSION_COLUMNS, "status", "so_far", "so_far_at"])
    table = opening_ranges(
        bars, market, orb, since=start, finer=home.store.finer(symbol, timeframe)
    )
    kept = table[[*SESSION_COLUMNS, "status"]].reset_index(drop=True)
    seen = [_break_so_far(bars, row, mode) for row in kept.itertuples()]
    return kept.assign(
        so_far=pd.Series([side for side, _ in seen], dtype="object"),
        so_far_at=pd.DatetimeIndex([at for _, at in seen]).tz_localize("UTC").as_unit("ns"),
    )


def _has_ranges(bars: Bars, market: Market, orb: ORB) -> bool:
    """Whether bars are short enough for the market to have opening ranges in them."""
    return bool(market.ranges) and max(bars.width, orb.minutes * MINUTE) < DAY // 6


def _break_so_far(bars: Bars, row: Any, mode: str) -> tuple[str | None, pd.Timestamp]:
    """Side and bar of the first break in the bars there are; of done ranges what the table says."""
    missing = pd.Timestamp("NaT")
    if row.status == "done" or not row.valid:
        at = row.break_at.tz_localize(None) if pd.notna(row.break_at) else missing
        return (row.side if isinstance(row.side, str) else None), at
    inside = (bars.time >= row.available_at.value) & (bars.time < row.due_at.value)
    top, bottom = (bars.high, bars.low) if mode == "touch" else (bars.close, bars.close)
    up, down = top[inside] > row.high, bottom[inside] < row.low
    found = np.flatnonzero(up | down)
    if not len(found):
        return "NONE", missing
    first = int(found[0])
    side = "AMBIGUOUS" if up[first] and down[first] else "UP" if up[first] else "DOWN"
    return side, pd.Timestamp(int(bars.time[inside][first]), unit="ns")


@dataclass(frozen=True)
class BreakEvidence:
    """What following a break brought in past ranges, against not trading.

    `side` is EVERY, UP or DOWN; `mean` net R per valid range, 0 where no trade was made; `trades`
    the ranges in which this side broke.
    """

    side: str
    mean: float
    trades: int
    verdict: Verdict


def break_evidence(
    home: Home, symbol: str, timeframe: str, *, mode: str, days: int = 730
) -> tuple[BreakEvidence, ...]:
    """Net R per range of taking every break, the upper side only, the lower side only.

    Settled valid ranges of the newest `days` days count; ambiguous breaks are losses. A look at
    history has no trial ledger behind it, so that no interval here is ever called an edge.
    """
    _, last, _ = home.store.last(symbol, timeframe)
    bars = home.store.read(symbol, timeframe, start=last - days * DAY)
    market = home.store.market_of(symbol)
    orb = home.settings.orb.model_copy(update={"mode": mode})
    if not _has_ranges(bars, market, orb):
        return ()
    table = opening_ranges(bars, market, orb, finer=home.store.finer(symbol, timeframe))
    table = table[table["valid"].to_numpy(bool) & (table["status"] == "done").to_numpy(bool)]
    if table.empty:
        return ()
    up, down = break_outcomes(table, 1), break_outcomes(table, -1)
    every = np.where(table["side"] == "AMBIGUOUS", up, up + down)
    day = pd.factorize(table["trading_day"], sort=True)[0].astype(np.int64)
    broke = table["side"].to_numpy(object)
    return (
        _evidence(
            home, "EVERY", every, day, int(np.isin(broke, ("UP", "DOWN", "AMBIGUOUS")).sum())
        ),
        _evidence(home, "UP", up, day, int(np.isin(broke, ("UP", "AMBIGUOUS")).sum())),
        _evidence(home, "DOWN", down, day, int(np.isin(broke, ("DOWN", "AMBIGUOUS")).sum())),
    )


def _evidence(
    home: Home, side: str, values: np.ndarray, day: np.ndarray, trades: int
) -> BreakEvidence:
    count = int(day.max()) + 1
    sums, ranges = day_sums(values, day, count), day_sums(np.ones(len(day)), day, count)
    mean, settings = float(sums.sum() / ranges.sum()), home.settings
    drawn = bootstrap_ratio(sums, ranges, block=block_length(sums, 1), seed=settings.seed)
    low, high = percentile_interval(drawn)
    verdict = judge(mean, low, high, len(values), settings.worth.net_r, traded=True)
    return BreakEvidence(side, mean, trades, verdict)


@dataclass(frozen=True)
class ViewFacts:
    """The bars of a view: how many, the newest one's instants, what is missing or was revised.

    Instants int64 ns; `missing` counts bars that the market's calendar expects and that are not
    there, `gaps` the holes they make.
    """

    bars: int
    newest: int
    known_at: int
    missing: int
    gaps: int
    revised: int
    source: str


def view_facts(home: Home, symbol: str, timeframe: str, *, start: int) -> ViewFacts:
    """Facts about the bars from `start` on.

    Raises
    ------
    UsageError
        No bars there.
    """
    bars = home.store.read(symbol, timeframe, start=start)
    if not len(bars):
        raise UsageError(
            "A view holds at least one bar – there is none from here on – choose a longer range.",
            code="E_NO_BARS",
        )
    listed = home.store.symbols()
    mine = listed[(listed["symbol"] == symbol) & (listed["timeframe"] == timeframe)]
    revised = np.isin(bars.available_at, home.store.revision_instants(symbol, timeframe))
    holes = _holes(bars, home.store.market_of(symbol))
    return ViewFacts(
        bars=len(bars), newest=int(bars.time[-1]), known_at=int(bars.available_at[-1]),
        missing=int(holes.sum()), gaps=int((np.diff(holes.astype(np.int8), prepend=0) > 0).sum()),
        revised=int(revised.sum()), source=str(mine["source"].iloc[0]),
    )  # fmt: skip


def _holes(bars: Bars, market: Market) -> np.ndarray:
    """Over the bars that should be there, in order: which are missing."""
    if bars.width >= DAY:
        days = trading_days(bars.time, market)
        return ~np.isin(market_days(market, days[0], days[-1]), days)
    grid = np.arange(bars.time[0], bars.time[-1] + 1, bars.width)
    return ~np.isin(grid[is_open(market, grid)], bars.time)
