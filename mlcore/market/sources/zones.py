"""Wall-clock columns into UTC: explicit zones, broker clocks, hours skipped or repeated.

A repeated hour is read by its order: once the wall clock steps back inside it, the second pass
has begun. Where it does not step back, order does not tell, and the rows are named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from mlcore.clock import DAY, HOUR, MINUTE, NAT, SECOND
from mlcore.errors import BarsError

__all__ = ["WallClock", "parse_zone", "wall_to_utc"]

Array = np.ndarray[Any, Any]
_ZONE = re.compile(r"(?P<name>[A-Za-z][A-Za-z0-9_/+-]*?)(?P<sign>[+-])(?P<h>\d\d):(?P<m>\d\d)")


@dataclass(frozen=True)
class WallClock:
    """An IANA zone, and nanoseconds its clock is moved by (a broker's New York + 7 hours)."""

    zone: str
    shift: int = 0


def parse_zone(text: str) -> WallClock:
    """`Europe/Athens`, `UTC`, or a broker's clock such as `America/New_York+07:00`.

    Raises
    ------
    BarsError
        Not an IANA zone, alone or with an offset (E_BARS_ZONE_NAME).
    """
    name, shift = text.strip(), 0
    found = _ZONE.fullmatch(name)
    if found:
        amount = int(found["h"]) * HOUR + int(found["m"]) * MINUTE
        name, shift = found["name"], amount if found["sign"] == "+" else -amount
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise BarsError(
            f"A zone is an IANA name, alone or moved – {ascii(text)[:60]} is not – write it as "
            "Europe/Athens, UTC or America/New_York+07:00.",
            code="E_BARS_ZONE_NAME",
        ) from error
    return WallClock(name, shift)


def _offset(rule: ZoneInfo, instant: int) -> int:
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=instant // SECOND)
    shown = at.astimezone(rule).utcoffset() or timedelta(0)
    return int(shown.total_seconds()) * SECOND


@lru_cache(maxsize=64)
def _stretches(zone: str, first: int, last: int) -> tuple[Array, Array]:
    """Starts (ns UTC) and offsets (ns) of the stretches of constant offset in `[first, last]`."""
    rule = ZoneInfo(zone)
    days = range(first, last + DAY, DAY)
    offsets = [_offset(rule, day) for day in days]
    starts, held = [first], [offsets[0]]
    for day, before, after in zip(days, offsets, offsets[1:], strict=False):
        if before != after:
            starts.append(_change(rule, day, day + DAY, before))
            held.append(after)
    return np.array(starts, dtype=np.int64), np.array(held, dtype=np.int64)


def _change(rule: ZoneInfo, low: int, high: int, before: int) -> int:
    while high - low > SECOND:
        middle = (low + high) // 2 // SECOND * SECOND
        low, high = (middle, high) if _offset(rule, middle) == before else (low, middle)
    return high


def wall_to_utc(wall: Array, clock: WallClock) -> tuple[Array, Array, Array]:
    """What a wall clock showed, row by row in the file's order, as UTC.

    Parameters
    ----------
    wall
        int64 ns since 1970 on the wall, in the order of the file (rising or falling).

    Returns
    -------
    utc, skipped, undecided
        int64 ns, NAT where either mask is set: times the clock never showed, and times it showed
        twice where the order of rows does not tell which.
    """
    shown = wall - clock.shift
    none = np.zeros(len(wall), dtype=bool)
    if clock.zone == "UTC" or not len(wall):
        return shown, none, none
    first, last = int(shown.min()) // DAY * DAY - 2 * DAY, int(shown.max()) // DAY * DAY + 3 * DAY
    starts, offsets = _stretches(clock.zone, first, last)
    opens = starts + offsets  # on the wall; each stretch is shown from here …
    closes = np.append(starts[1:] + offsets[:-1], last + DAY)  # … to here
    late = np.searchsorted(opens, shown, side="right") - 1
    skipped = shown >= closes[late]
    twice = (late > 0) & (shown < closes[np.maximum(late - 1, 0)])
    second, undecided = _passes(shown, twice, late)
    utc = shown - offsets[late - (twice & ~second)]
    utc[skipped | undecided] = NAT
    return utc, skipped, undecided


def _passes(shown: Array, twice: Array, late: Array) -> tuple[Array, Array]:
    """Which repeated times belong to the second pass, and which cannot be told."""
    second, undecided = np.zeros_like(twice), np.zeros_like(twice)
    places = np.flatnonzero(twice)
    if not len(places):
        return second, undecided
    falling = shown[0] > shown[-1]
    for change in np.unique(late[places]):
        rows = places[late[places] == change]
        rows = rows[::-1] if falling else rows
        back = _step_back(shown[rows])
        if back is None:
            undecided[rows] = True
        else:
            second[rows[back:]] = True
    return second, undecided


def _step_back(shown: Array) -> int | None:
    """Where the wall clock steps back inside a repeated hour; None if it never or often does."""
    steps = np.diff(shown)
    for back in (np.flatnonzero(steps < 0), np.flatnonzero(steps == 0)):
        if len(back) == 1:
            return int(back[0]) + 1
        if len(back):
            return None
    return None
