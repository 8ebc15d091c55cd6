"""The table of opening ranges: sessions' first minutes, their first break and its trade.

A range is the highest high and lowest low of the bars that start in `[open, open + m)` on the
wall clock of its zone. Everything about it is decided at `open + m`; its window ends at a wall
clock time too, or at the early close of a market with regular hours. A range whose window is not
over in the data is pending and has no outcome, whatever has already happened inside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, MINUTE, NAT
from mlcore.config import ORB, Market, OpeningRange
from mlcore.errors import UsageError
from mlcore.market.sessions import (
    bar_ends,
    early_closes,
    is_open,
    local_instants,
    next_open,
    trading_days,
    wall_nanoseconds,
)
from mlcore.schema import Bars
from mlcore.trading.trades import (
    AMBIGUOUS,
    DOWN,
    NONE,
    REASONS,
    UP,
    Trades,
    simulate_trades,
)

__all__ = [
    "SESSION_COLUMNS",
    "SIDES",
    "Offer",
    "break_outcomes",
    "data_end",
    "mechanical_up",
    "offers",
    "opening_ranges",
    "range_length",
]

Array = np.ndarray[Any, Any]

SESSION_COLUMNS = (
    "symbol", "range", "date", "open_at", "available_at", "due_at", "high", "low", "close",
    "bars", "valid", "side", "break_at", "entry", "stop", "target", "exit_at", "exit",
    "exit_reason", "r_gross", "r_net", "mfe", "mae", "known_at",
)  # fmt: skip
"""The public columns; the frame also has `trading_day`, `status` and `flagged`."""

SIDES = {UP: "UP", DOWN: "DOWN", NONE: "NONE", AMBIGUOUS: "AMBIGUOUS"}
"""Text of each side code; a pending or invalid range has none."""


def range_length(bars: Bars, orb: ORB) -> int:
    """Length of the opening range in nanoseconds: whole bars, at least one."""
    return -(-orb.minutes * MINUTE // bars.width) * bars.width


@dataclass(frozen=True)
class _Ranges:
    """Arrays of one length: which range, where its bars lie, its levels, its clock."""

    code: Array
    date: Array
    open_at: Array
    due_at: Array
    first: Array
    stop: Array
    window_end: Array

    def take(self, where: Array) -> _Ranges:
        return _Ranges(*(getattr(self, f.name)[where] for f in fields(self)))


def opening_ranges(
    bars: Bars,
    market: Market,
    orb: ORB | None = None,
    *,
    ranges: Sequence[str | OpeningRange] | None = None,
    now: int | None = None,
    since: int | None = None,
) -> pd.DataFrame:
    """One row per opening range and local date, by `open_at`; pending ones included.

    Parameters
    ----------
    ranges
        Names of the market's ranges, or ranges of one's own; default all of the market's.
    now
        Only bars that could be read at this instant (int64 ns) exist. A window that ended
        before `now` counts as over once its last bar is there or the calendar says shut.
    since
        Only ranges that opened at or after this instant: the cheap call of a live page.

    Returns
    -------
    `SESSION_COLUMNS`, then `trading_day` (the market's, at midnight), `status` (done, pending)
    and `flagged` (a bar held both sides, or both stop and target). Instants are
    datetime64[ns, UTC]. A pending range, and one that is not valid, has NaN and NaT for its
    outcome; `mfe` and `mae` are the highest and lowest R reached after the entry bar.

    Raises
    ------
    UsageError
        An unknown range, or bars as long as every window.
    SessionError
        A wall time that a clock change skips or repeats.
    """
    orb = ORB() if orb is None else orb
    chosen = _chosen(market, ranges)
    if now is not None:
        bars = bars.known_at(now)
    length = range_length(bars, orb)
    found = _locate(bars, market, chosen, length, since)
    end = data_end(bars, market, found.due_at, now)
    found = found.take(found.open_at + length <= end)
    high, low = _levels(bars, found)
    done = found.due_at <= end
    valid = _validity(bars, found, orb.coverage, length) & (high > low)
    begin = np.searchsorted(bars.time, found.open_at + length)
    scored = done & valid
    trades = simulate_trades(
        bars, entry_from=begin, window_end=np.where(scored, found.window_end, begin),
        high=high, low=low, mode=orb.mode, k=orb.k, stop_fraction=orb.stop_fraction,
        cost=market.cost,
    )  # fmt: skip
    facts = {"high": high, "low": low, "close": bars.close[found.stop - 1], "valid": valid}
    clock = {"available_at": found.open_at + length, "scored": scored, "done": done}
    return _table(bars, market, chosen, found, facts | clock, trades)


def _chosen(
    market: Market, ranges: Sequence[str | OpeningRange] | None
) -> tuple[OpeningRange, ...]:
    if ranges is None:
        return market.ranges
    known = {r.name: r for r in market.ranges}
    for one in ranges:
        if isinstance(one, str) and one not in known:
            raise UsageError(
                f"A range is one of {', '.join(known)} – {one!r} was given – choose one, or add "
                f"it to [markets.{market.name}] in openrange.toml.",
                code="E_RANGE",
                details={"given": one, "known": list(known)},
            )
    return tuple(known[r] if isinstance(r, str) else r for r in ranges)


def _locate(
    bars: Bars, market: Market, chosen: tuple[OpeningRange, ...], length: int, since: int | None
) -> _Ranges:
    """Every range with a bar inside it, as indices into the bars, sorted by opening."""
    if not len(bars):
        return _Ranges(*(np.empty(0, dtype=np.int64) for _ in fields(_Ranges)))
    first = max(int(bars.time[0]), since if since is not None else int(bars.time[0]))
    span = (first // DAY - 2, int(bars.time[-1]) // DAY + 2)
    parts = [_clock(market, one, *span) for one in chosen]
    sizes = [len(p[0]) for p in parts]
    code = np.repeat(np.arange(len(parts)), sizes)
    date, opened, due = (np.concatenate([p[i] for p in parts]) for i in range(3))
    if len(due) and not bool((due > opened + length).any()):
        raise UsageError(
            f"Opening ranges need bars shorter than their windows – {bars.symbol} "
            f"{bars.timeframe} has none inside one – choose a finer timeframe.",
            code="E_RANGE_TIMEFRAME",
        )
    start = np.searchsorted(bars.time, opened)
    stop = np.searchsorted(bars.time, opened + length)
    end = np.searchsorted(bars.time, due - bars.width, side="right")
    keep = (stop > start) & (due > opened + length)
    if since is not None:
        keep &= opened >= since
    found = _Ranges(code, date, opened, due, start, stop, np.maximum(end, stop))
    found = found.take(keep)
    return found.take(np.argsort(found.open_at, kind="stable"))


@lru_cache(maxsize=256)
def _clock(
    market: Market, one: OpeningRange, first_day: int, last_day: int
) -> tuple[Array, Array, Array]:
    """Local dates, openings and window ends of one range, for days since 1970."""
    days = np.arange(first_day, last_day + 1).astype("datetime64[D]")
    over = wall_nanoseconds(one.window_end) <= wall_nanoseconds(one.open)
    opened = local_instants(days, one.open, one.zone)
    due = local_instants(days + int(over), one.window_end, one.zone)
    if market.hours == "regular":
        early = early_closes(market, days)
        due = np.where(early == NAT, due, np.minimum(early, due))
    return days.astype(np.int64), opened, due


def data_end(bars: Bars, market: Market, due_at: Array, now: int | None) -> int:
    """The instant up to which the bars are complete: their end, and shut time after it."""
    if not len(bars):
        return NAT
    end = int(bar_ends(bars.take(slice(-1, None)), market)[0])
    if now is None or now <= end or not bool(((due_at > end) & (due_at <= now)).any()):
        return end
    if bool(is_open(market, np.array([end]))[0]):
        return end
    return min(now, next_open(market, end))


def _levels(bars: Bars, found: _Ranges) -> tuple[Array, Array]:
    if not len(found.first):
        return np.empty(0), np.empty(0)
    cells = found.first[:, None] + np.arange(int((found.stop - found.first).max()))
    cells = np.minimum(cells, found.stop[:, None] - 1)
    return bars.high[cells].max(axis=1), bars.low[cells].min(axis=1)


def _validity(bars: Bars, found: _Ranges, coverage: float, length: int) -> Array:
    if not len(found.first):
        return np.empty(0, dtype=bool)
    share = (found.stop - found.first) * bars.width / length
    there: Array = bars.time[found.first] == found.open_at
    return there & (share >= coverage - 1e-9)


def _table(
    bars: Bars, market: Market, chosen: tuple[OpeningRange, ...], found: _Ranges,
    facts: dict[str, Array], trades: Trades,
) -> pd.DataFrame:  # fmt: skip
    count = len(found.code)
    names = np.array([r.name for r in chosen] or [""], dtype=object)
    known = _known_at(bars, found.due_at, trades, facts["scored"])
    columns: dict[str, Any] = {
        "symbol": _texts(np.array([bars.symbol], dtype=object), np.zeros(count, dtype=np.int64)),
        "range": _texts(names, found.code),
        "date": found.date.astype("datetime64[D]").astype("datetime64[s]"),
        "open_at": _stamps(found.open_at),
        "available_at": _stamps(facts["available_at"]),
        "due_at": _stamps(found.due_at),
        "high": facts["high"], "low": facts["low"], "close": facts["close"],
        "bars": found.stop - found.first,
        "valid": facts["valid"],
        "side": _texts(_SIDE_TEXTS, np.where(facts["scored"], trades.side, 3)),
        "break_at": _starts(bars, trades.break_index),
        "entry": trades.entry, "stop": trades.stop, "target": trades.target,
        "exit_at": _starts(bars, trades.exit_index),
        "exit": trades.exit,
        "exit_reason": _texts(REASONS, trades.reason),
        "r_gross": trades.r_gross, "r_net": trades.r_net, "mfe": trades.mfe, "mae": trades.mae,
        "known_at": _stamps(known),
        "trading_day": trading_days(found.open_at, market).astype("datetime64[s]"),
        "status": _texts(_STATUS, facts["done"].astype(np.int64)),
        "flagged": trades.flagged,
    }  # fmt: skip
    return pd.DataFrame(columns, copy=False)


def _stamps(instants: Array) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(instants.view("datetime64[ns]"), tz="UTC")


def _starts(bars: Bars, index: Array) -> pd.DatetimeIndex:
    times = bars.time[np.maximum(index, 0)] if len(bars) else np.empty(0, dtype=np.int64)
    return _stamps(np.where(index >= 0, times, NAT))


_STATUS = np.array(["pending", "done"], dtype=object)
_SIDE_TEXTS = np.array(["NONE", "UP", "AMBIGUOUS", None, "DOWN"], dtype=object)


def _texts(texts: Array, codes: Array) -> Any:
    return pd.array(texts[codes], dtype="str")


def _known_at(bars: Bars, due_at: Array, trades: Trades, scored: Array) -> Array:
    """The exit bar's end for stops, targets and ambiguous bars, else the window's end."""
    early = np.isin(trades.reason, (1, 2, 4))
    times = bars.time[np.maximum(trades.exit_index, 0)] if len(bars) else due_at
    known = np.where(early, times + bars.width, due_at)
    return np.where(scored, known, NAT)


@dataclass(frozen=True)
class Offer:
    """Prices offered with a side before it breaks: entry at the level, stop, target."""

    entry: Array
    stop: Array
    target: Array


def offers(high: Any, low: Any, side: Any, orb: ORB) -> Offer:
    """What a break of `side` (+1, −1) would trade at, if it entered exactly at the level."""
    top, bottom = np.asarray(high, dtype=np.float64), np.asarray(low, dtype=np.float64)
    sign = np.asarray(side, dtype=np.float64)
    entry = np.where(sign > 0, top, bottom)
    risk = orb.stop_fraction * (top - bottom)
    return Offer(entry, entry - sign * risk, entry + sign * orb.k * risk)


def mechanical_up(close: Any, high: Any, low: Any) -> Array:
    """P(UP first) on a driftless walk, (c − L)/(H − L) clipped to [0.01, 0.99]; NaN if H ≤ L.

    References
    ----------
    Doob 1953, optional stopping: a martingale between two barriers.
    """
    top, bottom = np.asarray(high, dtype=np.float64), np.asarray(low, dtype=np.float64)
    height = np.where(top > bottom, top - bottom, np.nan)
    return np.clip((np.asarray(close, dtype=np.float64) - bottom) / height, 0.01, 0.99)


def break_outcomes(table: pd.DataFrame, side: int, *, column: str = "r_net") -> Array:
    """R of having taken `side` (+1 or −1) at each range's decision; float64.

    The trade's R where that side broke first; 0 where the other did (cancelled), where none did,
    and where the break left no trade; the loss where the break was ambiguous; NaN while pending
    and for ranges that are not valid. `column` is `r_net` or `r_gross`.
    """
    broke = table["side"].to_numpy(dtype=object)
    result = table[column].to_numpy(dtype=np.float64)
    mine = np.isin(broke, (SIDES[side], SIDES[AMBIGUOUS]))
    scored = table["valid"].to_numpy(dtype=bool) & (table["status"] == "done").to_numpy(dtype=bool)
    return np.where(scored, np.where(mine, np.nan_to_num(result, nan=0.0), 0.0), np.nan)
