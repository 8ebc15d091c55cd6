"""The table of opening ranges: sessions' first minutes, their first break and its trade.

The arrays behind it are made in `opening.py`, which says what a range is; here they become a
frame, and the prices offered before a break are worked out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import NAT
from mlcore.config import ORB, Market, OpeningRange
from mlcore.market.sessions import trading_days
from mlcore.schema import Bars
from mlcore.trading.finer import Finer
from mlcore.trading.opening import (
    Ranges,
    data_end,
    find_ranges,
    known_instants,
    range_length,
    side_outcomes,
)
from mlcore.trading.trades import AMBIGUOUS, DOWN, NONE, REASONS, UP

__all__ = [
    "SESSION_COLUMNS",
    "SIDES",
    "Finer",
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


def opening_ranges(
    bars: Bars,
    market: Market,
    orb: ORB | None = None,
    *,
    ranges: Sequence[str | OpeningRange] | None = None,
    now: int | None = None,
    since: int | None = None,
    finer: Finer | None = None,
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
    finer
        Reads finer bars inside a bar that broke both sides; without them it stays AMBIGUOUS.

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
    if now is not None:
        bars = bars.known_at(now)
    found = find_ranges(bars, market, orb, ranges=ranges, now=now, since=since, finer=finer)
    return _table(bars, market, found)


def _table(bars: Bars, market: Market, found: Ranges) -> pd.DataFrame:
    count, trades = len(found), found.trades
    names = np.array(found.names or ("",), dtype=object)
    columns: dict[str, Any] = {
        "symbol": _texts(np.array([bars.symbol], dtype=object), np.zeros(count, dtype=np.int64)),
        "range": _texts(names, found.code),
        "date": found.date.astype("datetime64[D]").astype("datetime64[s]"),
        "open_at": _stamps(found.open_at),
        "available_at": _stamps(found.available_at),
        "due_at": _stamps(found.due_at),
        "high": found.high, "low": found.low, "close": found.close,
        "bars": found.stop - found.first,
        "valid": found.valid,
        "side": _texts(_SIDE_TEXTS, np.where(found.scored, trades.side, 3)),
        "break_at": _starts(bars, trades.break_index),
        "entry": trades.entry, "stop": trades.stop, "target": trades.target,
        "exit_at": _starts(bars, trades.exit_index),
        "exit": trades.exit,
        "exit_reason": _texts(REASONS, trades.reason),
        "r_gross": trades.r_gross, "r_net": trades.r_net, "mfe": trades.mfe, "mae": trades.mae,
        "known_at": _stamps(known_instants(bars, found)),
        "trading_day": trading_days(found.open_at, market).astype("datetime64[s]"),
        "status": _texts(_STATUS, found.done.astype(np.int64)),
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
    broke = table["side"].map({text: code for code, text in SIDES.items()})
    scored = table["valid"].to_numpy(dtype=bool) & (table["status"] == "done").to_numpy(dtype=bool)
    result = table[column].to_numpy(dtype=np.float64)
    return side_outcomes(broke.to_numpy(dtype=np.float64), result, scored, side)
