"""Sessions, trading days and calendars: wall-clock windows turned into UTC instants, per date.

A session is a window `[start, end)` on the wall clock of an IANA zone; nothing here is a fixed
offset. Local times that a clock change skips or repeats are refused unless the fold is given.
Exchange calendars are read lazily and once; outside the years a calendar knows, every weekday
counts as an ordinary session.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, HOUR, MINUTE, NAT
from mlcore.config import Market, Session
from mlcore.errors import SessionError
from mlcore.market.calendars import Sessions, exchange_sessions
from mlcore.schema import Bars

__all__ = [
    "bar_ends",
    "calendar_spans",
    "daily_available_at",
    "early_closes",
    "is_open",
    "local_dates",
    "local_instants",
    "local_walls",
    "market_days",
    "next_open",
    "session_table",
    "trading_days",
    "wall_nanoseconds",
]

Array = np.ndarray[Any, Any]
_FIRST_YEAR = 1960
_MONDAY = 4  # 1970-01-05, the first Monday, as days since 1970


def wall_nanoseconds(wall: str) -> int:
    """Nanoseconds since local midnight of `HH:MM` ("24:00" is the next midnight)."""
    hours, minutes = wall.split(":")
    return int(hours) * HOUR + int(minutes) * MINUTE


def local_instants(dates: Any, wall: str, zone: str, *, fold: int | None = None) -> Array:
    """The UTC instants at which the clocks of `zone` show `wall` on each of `dates`.

    Parameters
    ----------
    dates
        Anything that becomes datetime64[D], shape (n,).
    wall
        `HH:MM`; "24:00" is the next midnight.
    fold
        0 or 1 as in PEP 495: which of two equal wall times, and which offset for a skipped one.

    Returns
    -------
    int64 nanoseconds, shape (n,).

    Raises
    ------
    SessionError
        A wall time that does not exist in the zone on that date, or exists twice, without fold.

    Examples
    --------
    >>> local_instants(["2026-07-01"], "08:00", "Europe/London").view("M8[ns]").astype(str)[0][:16]
    '2026-07-01T07:00'
    """
    days = np.atleast_1d(np.asarray(dates, dtype="datetime64[D]"))
    walls = days.astype("datetime64[ns]").astype(np.int64) + wall_nanoseconds(wall)
    if zone == "UTC":
        return walls
    found = _localize(walls, zone, fold)
    bad = found == NAT
    if not bad.any():
        return found
    if fold is None:
        raise _local_time_error(int(walls[bad][0]), zone)
    # A skipped wall time read with the offset before (fold 0) or after (fold 1) the change.
    aside = (1 if fold else -1) * 25 * HOUR
    found[bad] = _localize(walls[bad] + aside, zone, fold) - aside
    return found


def _localize(walls: Array, zone: str, fold: int | None) -> Array:
    twice: Any = "NaT" if fold is None else np.full(len(walls), fold == 0)
    index = pd.DatetimeIndex(walls.view("datetime64[ns]"))
    local = index.tz_localize(zone, ambiguous=twice, nonexistent="NaT")
    return np.array(local.as_unit("ns").asi8, dtype=np.int64)


def _local_time_error(wall: int, zone: str) -> SessionError:
    skipped = bool(_localize(np.array([wall]), zone, 0)[0] == NAT)
    shown = pd.Timestamp(wall).strftime("%Y-%m-%d %H:%M")
    what = "is skipped by a clock change" if skipped else "happens twice, at a clock change"
    return SessionError(
        f"A local time must exist once – {shown} {zone} {what} – choose another time, or give "
        "the fold (0 the first, 1 the second).",
        code="E_SESSION_NONEXISTENT" if skipped else "E_SESSION_AMBIGUOUS",
        details={"wall": shown, "zone": zone},
    )


def local_walls(time: Any, zone: str) -> Array:
    """What the clocks of `zone` show at each instant: int64 ns since 1970 on the wall."""
    instants = np.asarray(time, dtype=np.int64)
    if zone == "UTC":
        return instants
    index = pd.DatetimeIndex(instants.view("datetime64[ns]"), tz="UTC")
    naive = index.tz_convert(zone).tz_localize(None)
    return np.asarray(naive.as_unit("ns").asi8, dtype=np.int64)


def local_dates(time: Any, zone: str) -> Array:
    """The local calendar date of each instant, datetime64[D]."""
    return np.floor_divide(local_walls(time, zone), DAY).astype("datetime64[D]")


def trading_days(time: Any, market: Market) -> Array:
    """The trading day each instant belongs to, datetime64[D].

    A day rolls at the market's roll on its own clock: an evening roll starts the next date's
    trading day. Where the market rests at weekends, stray weekend bars belong to Monday.
    """
    days = _rolled_days(np.asarray(time, dtype=np.int64), market)
    if market.hours == "24h" and market.calendar != "24/7":
        weekday = (days - _MONDAY) % 7
        days = days + (7 - weekday) * (weekday >= 5)
    return days.astype("datetime64[D]")


def _rolled_days(time: Array, market: Market) -> Array:
    roll = wall_nanoseconds(market.roll) % DAY
    days = np.floor_divide(local_walls(time, market.zone) - roll, DAY)
    return np.asarray(days + _evening(market))


def _evening(market: Market) -> int:
    return int(wall_nanoseconds(market.roll) % DAY >= 12 * HOUR)


def bar_ends(bars: Bars, market: Market) -> Array:
    """When each bar was first complete: its nominal end, or its last day's close, int64 ns.

    A revision's later `available_at` does not move it.
    """
    if bars.width < DAY:
        return bars.time + bars.width
    return calendar_spans(market, bars.timeframe, trading_days(bars.time, market))[1]


def calendar_spans(market: Market, timeframe: str, dates: Any) -> tuple[Array, Array]:
    """Start and end of the 1d, 1w or 1M bar that holds each of `dates`, two int64 ns arrays.

    Weeks start on Monday and months on the 1st, in trading days: from the first open day's start
    to the last open day's end. Where the calendar has none in them, every weekday counts.
    """
    days = np.atleast_1d(np.asarray(dates, dtype="datetime64[D]"))
    if timeframe == "1d" or not len(days):
        return daily_available_at(market, days)
    period, where = np.unique(_periods(days, timeframe), return_inverse=True)
    if timeframe == "1w":
        first = (period * 7 + _MONDAY).astype("datetime64[D]")
        last = first + 6
    else:
        first = period.astype("datetime64[M]").astype("datetime64[D]")
        last = (period + 1).astype("datetime64[M]").astype("datetime64[D]") - 1
    opens = market_days(market, first[0], last[-1])
    empty = np.searchsorted(opens, first) == np.searchsorted(opens, last, side="right")
    spare = [_weekdays(f, u) for f, u in zip(first[empty], last[empty], strict=True)]
    opens = np.sort(np.concatenate([opens, *spare]))
    lo, hi = np.searchsorted(opens, first), np.searchsorted(opens, last, side="right") - 1
    start = daily_available_at(market, opens[lo])[0]
    return start[where], daily_available_at(market, opens[hi])[1][where]


def _periods(days: Array, timeframe: str) -> Array:
    """The number of each day's week (Monday first) or month since 1970."""
    if timeframe == "1w":
        return np.asarray((days.astype(np.int64) - _MONDAY) // 7)
    return np.asarray(days.astype("datetime64[M]").astype(np.int64))


def _weekdays(first: Any, last: Any) -> Array:
    days = np.arange(first, last + 1)
    return np.asarray(days[(days.astype(np.int64) - _MONDAY) % 7 < 5])


def daily_available_at(market: Market, dates: Any) -> tuple[Array, Array]:
    """Start and end of the daily bars of `dates` (trading days), two int64 ns arrays.

    Regular hours: the calendar's open and close of the day (ordinary hours where the calendar
    has no session). Around-the-clock markets: from roll to roll.
    """
    days = np.atleast_1d(np.asarray(dates, dtype="datetime64[D]"))
    if market.hours == "24h":
        first = days - _evening(market)
        return (
            local_instants(first, market.roll, market.zone, fold=0),
            local_instants(first + 1, market.roll, market.zone, fold=0),
        )
    regular = _regular(market)
    start = local_instants(days, regular.start, regular.zone)
    end = local_instants(days, regular.end, regular.zone)
    if not len(days):
        return start, end
    held = _held(market, days)
    at, found = _lookup(held, days)
    start[found] = held.opens[at[found]]
    end[found] = held.closes[at[found]]
    return start, end


def early_closes(market: Market, dates: Any) -> Array:
    """The instant of an early close on each of `dates`, int64 ns; NAT on ordinary days."""
    days = np.atleast_1d(np.asarray(dates, dtype="datetime64[D]"))
    closes = np.full(len(days), NAT, dtype=np.int64)
    if market.calendar in ("24/5", "24/7") or not len(days):
        return closes
    held = _held(market, days)
    at, found = _lookup(held, days)
    usual = _usual_close(market, days)
    early = found & (held.closes[at] < usual)
    closes[early] = held.closes[at[early]]
    return closes


def market_days(market: Market, first_day: Any, last_day: Any) -> Array:
    """The days from `first_day` to `last_day`, both included, on which the market opens."""
    days = np.arange(np.datetime64(first_day, "D"), np.datetime64(last_day, "D") + 1)
    if market.calendar == "24/7" or not len(days):
        return days
    if market.calendar == "24/5":
        return _weekdays(days[0], days[-1])
    held = _held(market, days)
    return days[_lookup(held, days)[1]]


def session_table(
    market: Market, first_day: Any, last_day: Any, *, fold: int | None = None
) -> pd.DataFrame:
    """Every session of the market on its open days: `session, date, start, end`, by start.

    `date` is the local one; `start` and `end` are UTC, the window half open. The market's own
    regular session opens and closes as the calendar says. A window whose end is
    not after its start on the wall clock ends on the next date.

    Raises
    ------
    SessionError
        A wall time that does not exist, or exists twice, and no fold.
    """
    days = market_days(market, first_day, last_day)
    named = {s.name: s for s in market.sessions}
    if market.regular is not None:
        named[market.regular.name] = market.regular
    parts = [_windows(s, market, days, fold) for s in named.values()]
    table = pd.concat(parts, ignore_index=True)
    return table.sort_values(["start", "end"], kind="stable", ignore_index=True)


def _windows(session: Session, market: Market, days: Array, fold: int | None) -> pd.DataFrame:
    over = wall_nanoseconds(session.end) <= wall_nanoseconds(session.start)
    start = local_instants(days, session.start, session.zone, fold=fold)
    end = local_instants(days + int(over), session.end, session.zone, fold=fold)
    if session == market.regular and market.hours == "regular":
        start, end = daily_available_at(market, days)
    elif session == market.regular:
        early = early_closes(market, days)
        end = np.where(early == NAT, end, np.minimum(early, end))
    stamps = {"start": pd.to_datetime(start, utc=True), "end": pd.to_datetime(end, utc=True)}
    return pd.DataFrame({"session": session.name, "date": days, **stamps})


def is_open(market: Market, instants: Any) -> Array:
    """Whether the market trades at each instant, by its calendar; bool, same length."""
    time = np.atleast_1d(np.asarray(instants, dtype=np.int64))
    if market.calendar == "24/7":
        return np.ones(len(time), dtype=bool)
    if market.calendar == "24/5":
        return np.asarray((_rolled_days(time, market) - _MONDAY) % 7 < 5)
    held = _held(market, _around(time))
    at = np.searchsorted(held.opens, time, side="right") - 1
    return np.asarray((at >= 0) & (time < held.closes[np.maximum(at, 0)]))


def next_open(market: Market, instant: int) -> int:
    """`instant` itself where the market is open then, else when it opens next, int64 ns."""
    time = np.array([instant], dtype=np.int64)
    if bool(is_open(market, time)[0]):
        return int(instant)
    if market.calendar == "24/5":
        day = int(_rolled_days(time, market)[0])
        monday = day + 7 - (day - _MONDAY) % 7
        start, _ = daily_available_at(market, np.array([monday]).astype("datetime64[D]"))
        return int(start[0])
    held = _held(market, _around(time))
    return int(held.opens[np.searchsorted(held.opens, instant, side="left")])


def _around(time: Array) -> Array:
    spread = np.array([time.min() - 30 * DAY, time.max() + 30 * DAY])
    return np.asarray(np.floor_divide(spread, DAY).astype("datetime64[D]"))


def _held(market: Market, days: Array) -> Sessions:
    last = int(days.max().astype("datetime64[Y]").astype(np.int64)) + 1970
    # Ends in whole decades, so that a growing history does not build calendar after calendar.
    return _calendar(market, -(-(last + 1) // 10) * 10)


@lru_cache(maxsize=16)
def _calendar(market: Market, last_year: int) -> Sessions:
    first, last = pd.Timestamp(_FIRST_YEAR, 1, 1), pd.Timestamp(last_year, 12, 31)
    known, (start, end) = exchange_sessions(market.calendar, first, last)
    before = _plain(market, np.datetime64(_FIRST_YEAR - 1970, "Y"), start)
    after = _plain(market, np.datetime64(end, "D") + 1, last + pd.Timedelta(days=1))
    parts = (before, known, after)
    joined = (np.concatenate([getattr(p, f) for p in parts]) for f in Sessions.__match_args__)
    return Sessions(*joined)


def _plain(market: Market, first: Any, stop: Any) -> Sessions:
    """Ordinary weekdays in `[first, stop)`, for years the calendar does not know."""
    days = _weekdays(np.datetime64(first, "D"), np.datetime64(stop, "D") - 1)
    return Sessions(days.astype(np.int64), _usual_open(market, days), _usual_close(market, days))


def _lookup(held: Sessions, days: Array) -> tuple[Array, Array]:
    numbers = days.astype(np.int64)
    at = np.minimum(np.searchsorted(held.days, numbers), len(held.days) - 1)
    return at, held.days[at] == numbers


def _regular(market: Market) -> Session:
    if market.regular is None:
        raise SessionError(
            f"A market with regular hours names its session – {market.name} has none – add "
            f"[markets.{market.name}.regular] with name, zone, start and end.",
            code="E_SESSION_REGULAR",
        )
    return market.regular


def _usual_open(market: Market, days: Array) -> Array:
    if market.hours == "24h":
        return local_instants(days - _evening(market), market.roll, market.zone, fold=0)
    return local_instants(days, _regular(market).start, _regular(market).zone)


def _usual_close(market: Market, days: Array) -> Array:
    if market.hours == "24h":
        return local_instants(days + 1 - _evening(market), market.roll, market.zone, fold=0)
    return local_instants(days, _regular(market).end, _regular(market).zone)
