"""Opening ranges as arrays: where they lie in the bars, their levels, their first break's trade.

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

from mlcore.clock import DAY, MINUTE, NAT
from mlcore.config import ORB, Market, OpeningRange
from mlcore.errors import UsageError
from mlcore.market.sessions import (
    bar_ends,
    early_closes,
    is_open,
    local_instants,
    next_open,
    wall_nanoseconds,
)
from mlcore.schema import Bars
from mlcore.trading.finer import Finer, decide_by_finer
from mlcore.trading.trades import AMBIGUOUS, Trades, simulate_trades, spread_trades

__all__ = [
    "Ranges",
    "break_instants",
    "data_end",
    "find_ranges",
    "known_instants",
    "range_length",
    "side_outcomes",
]

Array = np.ndarray[Any, Any]
_ENDED_EARLY = (1, 2, 4)  # stop, target, ambiguous break: codes into trades.REASONS


def range_length(bars: Bars, orb: ORB) -> int:
    """Length of the opening range in nanoseconds: whole bars, at least one."""
    return -(-orb.minutes * MINUTE // bars.width) * bars.width


@dataclass(frozen=True)
class _Places:
    """Arrays of one length: which range, where its bars lie, its clock, its first levels."""

    code: Array
    date: Array
    open_at: Array
    due_at: Array
    first: Array
    stop: Array
    window_end: Array

    def take(self, where: Array) -> _Places:
        return _Places(*(getattr(self, f.name)[where] for f in fields(self)))


@dataclass(frozen=True)
class Ranges:
    """Opening ranges by `open_at`, arrays of one length; `code` numbers `names`.

    `date` is the local one in days since 1970, instants are int64 ns, `first` and `stop` indices
    of the bars inside. `trades` holds side 0, index −1 and NaN where a range is not `scored`.
    `told_at` is when the finer bars that decided an ambiguous break could be read, NAT without.
    """

    names: tuple[str, ...]
    code: Array
    date: Array
    open_at: Array
    available_at: Array
    due_at: Array
    first: Array
    stop: Array
    high: Array
    low: Array
    close: Array
    valid: Array
    done: Array
    trades: Trades
    told_at: Array

    def __len__(self) -> int:
        return len(self.code)

    @property
    def scored(self) -> Array:
        """Whether a range is valid and its window is over in the data; bool."""
        return np.asarray(self.done & self.valid)


def find_ranges(
    bars: Bars,
    market: Market,
    orb: ORB | None = None,
    *,
    ranges: Sequence[str | OpeningRange] | None = None,
    now: int | None = None,
    since: int | None = None,
    only: str | None = None,
    finer: Finer | None = None,
) -> Ranges:
    """What `opening_ranges` tabulates, as arrays; see there for parameters and errors.

    Parameters
    ----------
    only
        `valid` leaves out ranges that are not; `open` keeps, of those, what is undecided at
        `now`, and the latest: the cheap call of a live page.
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
    valid = _validity(bars, found, orb.coverage, length) & (high > low)
    if only is not None:
        kept = _open_at(found, valid, length, now) if only == "open" else np.flatnonzero(valid)
        found, high, low, valid = found.take(kept), high[kept], low[kept], valid[kept]
    done = found.due_at <= end
    trades, told_at = _trades(
        bars, market, orb, found, (high, low), done & valid, length, _readable(finer, now)
    )
    return Ranges(
        tuple(r.name for r in chosen), found.code, found.date, found.open_at,
        found.open_at + length, found.due_at, found.first, found.stop, high, low,
        bars.close[found.stop - 1], valid, done, trades, told_at,
    )  # fmt: skip


def _readable(finer: Finer | None, now: int | None) -> Finer | None:
    """The finer bars that could be read at `now`."""
    if finer is None or now is None:
        return finer
    return lambda starts, width: [some.known_at(now) for some in finer(starts, width)]


def _open_at(found: _Places, valid: Array, length: int, now: int | None) -> Array:
    """Positions of valid ranges that are decided and not due at `now`, and of the latest."""
    rows = np.flatnonzero(valid)
    decided = found.open_at[rows] + length
    at = now if now is not None else int(decided.max(initial=0))
    latest = decided == decided.max(initial=NAT)
    kept = (decided <= at) & ((found.due_at[rows] > at) | latest)
    return np.asarray(rows[kept])


def _trades(
    bars: Bars, market: Market, orb: ORB, found: _Places, levels: tuple[Array, Array],
    scored: Array, length: int, finer: Finer | None,
) -> tuple[Trades, Array]:  # fmt: skip
    """The trades of the scored ranges among all of them, and when finer bars told of them."""
    rows = np.flatnonzero(scored)
    high, low = (level[rows] for level in levels)
    made = simulate_trades(
        bars, entry_from=np.searchsorted(bars.time, found.open_at[rows] + length),
        window_end=found.window_end[rows], high=high, low=low, mode=orb.mode, k=orb.k,
        stop_fraction=orb.stop_fraction, cost=market.cost,
    ) if len(rows) else None  # fmt: skip
    told_at = np.full(len(scored), NAT, dtype=np.int64)
    if made is not None and finer is not None:
        told_at[rows] = decide_by_finer(bars, made, (high, low), orb, market.cost, finer)
    return spread_trades(made, rows, len(scored)), told_at


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
) -> _Places:
    """Every range with a bar inside it, as indices into the bars, sorted by opening."""
    if not len(bars):
        return _Places(*(np.empty(0, dtype=np.int64) for _ in fields(_Places)))
    first = max(int(bars.time[0]), since if since is not None else int(bars.time[0]))
    span = (first // DAY - 2, int(bars.time[-1]) // DAY + 2)
    code, date, opened, due = _clocks(market, chosen, *span)
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
    found = _Places(code, date, opened, due, start, stop, np.maximum(end, stop))
    return found.take(np.flatnonzero(keep))


@lru_cache(maxsize=64)
def _clocks(
    market: Market, chosen: tuple[OpeningRange, ...], first_day: int, last_day: int
) -> tuple[Array, Array, Array, Array]:
    """Number, local date, opening and window end of every range, by opening; read only."""
    days = np.arange(first_day, last_day + 1).astype("datetime64[D]")
    parts = [(np.full(len(days), i), *_clock(market, one, days)) for i, one in enumerate(chosen)]
    if not parts:
        none = np.empty(0, dtype=np.int64)
        return none, none, none, none
    code, date, opened, due = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.argsort(opened, kind="stable")
    return code[order], date[order], opened[order], due[order]


def _clock(market: Market, one: OpeningRange, days: Array) -> tuple[Array, Array, Array]:
    """Local dates, openings and window ends of one range."""
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


def _levels(bars: Bars, found: _Places) -> tuple[Array, Array]:
    if not len(found.first):
        return np.empty(0), np.empty(0)
    cells = found.first[:, None] + np.arange(int((found.stop - found.first).max()))
    cells = np.minimum(cells, found.stop[:, None] - 1)
    return bars.high[cells].max(axis=1), bars.low[cells].min(axis=1)


def _validity(bars: Bars, found: _Places, coverage: float, length: int) -> Array:
    if not len(found.first):
        return np.empty(0, dtype=bool)
    share = (found.stop - found.first) * bars.width / length
    there: Array = bars.time[found.first] == found.open_at
    return there & (share >= coverage - 1e-9)


def known_instants(bars: Bars, found: Ranges) -> Array:
    """The exit bar's end for stops, targets and ambiguous bars, else the window's end; or NAT."""
    trades = found.trades
    early = np.isin(trades.reason, _ENDED_EARLY)
    times = bars.time[np.maximum(trades.exit_index, 0)] if len(bars) else found.due_at
    ends = np.maximum(np.where(early, times + bars.width, found.due_at), found.told_at)
    return np.where(found.scored, ends, NAT)


def break_instants(bars: Bars, found: Ranges) -> Array:
    """When the first break itself was known: its bar's end, or the window's without one; or NAT."""
    index = found.trades.break_index
    times = bars.time[np.maximum(index, 0)] if len(bars) else found.due_at
    ends = np.maximum(np.where(index >= 0, times + bars.width, found.due_at), found.told_at)
    return np.where(found.scored, ends, NAT)


def side_outcomes(broke: Array, result: Array, scored: Array, side: int | Array) -> Array:
    """R of having taken `side` (+1, −1); `broke` holds side codes, `result` the first break's R.

    The trade's R where that side broke first, the loss where the break was ambiguous, 0 where
    the other side or none did or the break left no trade; NaN where not `scored`.
    """
    mine = (broke == side) | (broke == AMBIGUOUS)
    return np.where(scored, np.where(mine, np.nan_to_num(result, nan=0.0), 0.0), np.nan)
