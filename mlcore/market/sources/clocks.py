"""What the hours of trading tell about a file's clock: its zone, its side, a change of it.

A market closes and reopens by its own clock. The stamps at which a file's trading reopens, in the
weeks in which American and European clocks disagree above all, tell which zone wrote them. Nothing
is decided here: a zone is proposed with its evidence, or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, HOUR, MINUTE, NAT
from mlcore.config import Market
from mlcore.market.sessions import local_walls, wall_nanoseconds
from mlcore.market.sources.zones import parse_zone, wall_to_utc

__all__ = ["Hours", "Switch", "find_switch", "looks_like_ends", "propose_zone"]

Array = np.ndarray[Any, Any]
_ZONES = (
    "UTC", "Europe/Athens", "America/New_York+07:00", "America/New_York", "America/Chicago",
    "Europe/London", "Europe/Berlin", "Asia/Kolkata", "Asia/Tokyo", "Etc/GMT-2", "Etc/GMT-3",
    "Etc/GMT+5",
)  # fmt: skip
_NEAR = 15 * MINUTE
_ENOUGH = 0.8
_TELLING = 4
_SIDE_OF_SWITCH = 12


@dataclass(frozen=True)
class Hours:
    """When a market opens and closes on the wall of `zone`, ns since midnight; breaks from `gap`.

    `opens` are tried in turn: the first is the one of the market's own hours.
    """

    zone: str
    opens: tuple[int, ...]
    close: int
    gap: int

    @classmethod
    def of(cls, market: Market) -> Hours | None:
        """The hours of a market; None where it never closes, or no hours are known."""
        if market.regular is not None:
            early = (4 * HOUR,) if market.regular.zone == "America/New_York" else ()
            start, end = (wall_nanoseconds(w) for w in (market.regular.start, market.regular.end))
            return cls(market.regular.zone, (start, *early), end, 3 * HOUR)
        if market.calendar == "24/7":
            return None
        opens = (17 * HOUR,) if market.name == "fx" else (18 * HOUR,)
        return cls("America/New_York", opens, 17 * HOUR, 45 * MINUTE)


@dataclass(frozen=True)
class Switch:
    """The row from which on trading reopens at another hour: before and after, on the wall."""

    row: int
    before: str
    after: str


def _reopenings(stamp: Array, hours: Hours, width: int) -> Array:
    """Positions of the first stamps after a break, in rising stamps."""
    return np.flatnonzero(np.diff(stamp) >= max(hours.gap, 2 * width)) + 1


def propose_zone(stamp: Array, market: Market, width: int) -> tuple[str, str] | None:
    """The zone that the hours of trading tell, and the evidence in words; None where none does.

    Parameters
    ----------
    stamp
        int64 ns on the wall, any order.
    width
        The bars' width in ns; daily bars are told by the hour they all share.
    """
    if width >= DAY:
        return _by_midnight(stamp, market)
    hours = Hours.of(market)
    if hours is None or len(stamp) < 2:
        return None
    stamp = np.unique(stamp)
    walls = stamp[_reopenings(stamp, hours, width)]
    if len(walls) < _TELLING or _is_cut(walls):
        return None
    fits = {zone: _fit(walls, zone, hours, width) for zone in (hours.zone, *_ZONES)}
    best = max(fits, key=lambda zone: int(fits[zone].sum()))
    if fits[best].mean() < _ENOUGH:
        return None
    rivals = [z for z in fits if z != best and not _beats(fits[best], fits[z])]
    if rivals and not (market.regular is not None and best == hours.zone):
        return None
    utc, *_ = wall_to_utc(walls[fits[best]], parse_zone(best))
    hour = _mode(local_walls(utc, hours.zone) % DAY // _NEAR * _NEAR)
    kept = f"{int(fits[best].sum())} of {len(walls)}"
    return best, f"by it trading reopens at {_clock(hour)} {hours.zone} on {kept} occasions"


def _is_cut(walls: Array) -> bool:
    """Whether reopening is at the file's own midnight, where a server cuts its week."""
    return bool(np.mean(walls % DAY == 0) >= _ENOUGH)


def _fit(walls: Array, zone: str, hours: Hours, width: int) -> Array:
    """Which reopenings happen at the market's hour, if `zone` wrote the stamps."""
    utc, *_ = wall_to_utc(walls, parse_zone(zone))
    known = utc != NAT
    fits = np.zeros(len(walls), dtype=bool)
    if not known.any():
        return fits
    local = local_walls(utc[known], hours.zone) % DAY
    opens = hours.opens if hours.gap < HOUR or zone == hours.zone else hours.opens[:1]
    grid = [opened // width * width for opened in opens]
    by_hour = [(local >= opened) & (local <= opened + _NEAR) for opened in grid]
    fits[known] = max(by_hour, key=lambda fit: int(fit.sum()))
    return fits


def _beats(best: Array, rival: Array) -> bool:
    """Whether enough reopenings speak for one and hardly any for the other."""
    speaks, against = int(np.sum(best & ~rival)), int(np.sum(rival & ~best))
    return speaks >= _TELLING and speaks >= 4 * against


def _by_midnight(stamp: Array, market: Market) -> tuple[str, str] | None:
    """UTC, where days stamped at one hour all begin at the market's midnight by it."""
    walls = np.unique(stamp % DAY)
    if len(walls) > 2 or not walls.any():
        return None
    if bool(np.all(local_walls(stamp, market.zone) % DAY == 0)):
        return "UTC", f"{_clock(int(walls[0]))} UTC is midnight in {market.zone}"
    return None


def looks_like_ends(start: Array, market: Market, width: int) -> str | None:
    """Why stamps taken for starts look like ends; None where nothing says so.

    Parameters
    ----------
    start
        int64 ns UTC, any order.
    """
    hours = Hours.of(market)
    if hours is None or width >= HOUR or len(start) < 2:
        return None
    rising = start if bool(np.all(np.diff(start) > 0)) else np.unique(start)
    places = _reopenings(rising, hours, width)
    if len(places) < 1:
        return None
    opened = local_walls(rising[np.append(0, places)], hours.zone) % DAY
    closed = local_walls(rising[np.append(places - 1, len(rising) - 1)], hours.zone) % DAY
    late = np.isin(opened, np.array(hours.opens) + width) & (closed == hours.close)
    if late.mean() < _ENOUGH:
        return None
    first, last = (_clock(int(w[np.argmax(late)])) for w in (opened, closed))
    return f"{int(late.sum())} of {len(late)} stretches run from {first} to {last} in {hours.zone}"


def find_switch(start: Array, market: Market, width: int) -> Switch | None:
    """Where trading begins to open and close at another hour, by the same shift, for good.

    Parameters
    ----------
    start
        int64 ns UTC, rising.
    """
    hours = Hours.of(market)
    if hours is None or width >= DAY or len(start) < 2:
        return None
    places = _reopenings(start, hours, width)
    if len(places) < 2 * _SIDE_OF_SWITCH:
        return None
    opened = local_walls(start[places], hours.zone) % DAY
    closed = local_walls(start[places - 1], hours.zone) % DAY
    cut = _best_cut(opened)
    if cut is None:
        return None
    moves = [_mode(w[cut:]) - _mode(w[:cut]) for w in (opened, closed)]
    shifts = [(m + DAY // 2) % DAY - DAY // 2 for m in moves]
    if abs(shifts[0]) < 30 * MINUTE or shifts[0] != shifts[1]:
        return None
    before, after = (f"{_clock(_mode(w))} {hours.zone}" for w in (opened[:cut], opened[cut:]))
    return Switch(int(places[cut]), before, after)


def _clock(wall: int) -> str:
    return pd.Timestamp(wall).strftime("%H:%M")


def _mode(values: Array) -> int:
    found, counts = np.unique(values, return_counts=True)
    return int(found[np.argmax(counts)])


def _best_cut(opened: Array) -> int | None:
    """The place that parts two hours most cleanly; None where one hour, or no place, does."""
    hours, counts = np.unique(opened, return_counts=True)
    if len(hours) < 2:
        return None
    one, other = hours[np.argsort(counts)[::-1][:2]]
    sides = np.cumsum((opened == one).astype(int) - (opened == other).astype(int))
    for cut in (int(np.argmax(sides)) + 1, int(np.argmin(sides)) + 1):
        first, second = opened[:cut], opened[cut:]
        if min(len(first), len(second)) < _SIDE_OF_SWITCH:
            continue
        shares = [np.mean(part == _mode(part)) for part in (first, second)]
        if min(shares) >= _ENOUGH and _mode(first) != _mode(second):
            return cut
    return None
