"""Exchange calendars as they were kept: a library's, widened to old data and corrected by a table.

The library's holidays begin in 1970 on its own account; older ones are asked for by date. Its
Bombay calendar knows neither evening sessions at Diwali nor special Saturdays, and takes two
holidays of 2013 for each other; its Chicago one closes stock-index futures a quarter of an hour
early on half-days. What real files show is right. A special session that had two parts is one here.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, MINUTE
from mlcore.errors import SessionError

__all__ = ["Sessions", "exchange_sessions"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Sessions:
    """The sessions a calendar holds: days since 1970, opens and closes in int64 ns."""

    days: Array
    opens: Array
    closes: Array


@dataclass(frozen=True)
class _Correction:
    """What a library's calendar lacks: sessions as `date open close` on the clocks of `zone`."""

    code: str
    zone: str
    sessions: tuple[str, ...]
    shut: tuple[str, ...] = ()
    half_days_late: int = 0


_NSE = _Correction(
    "XBOM", "Asia/Kolkata",
    sessions=(
        "2013-05-11 11:00 12:50",  # Saturdays from another site
        "2014-03-22 11:00 12:50",
        "2024-03-02 09:15 12:30",
        "2024-05-18 09:15 12:40",
        "2013-11-14 09:15 15:30",
        "2015-02-28 09:15 15:30",  # weekends of the budget, and a Saturday before a closed Monday
        "2020-02-01 09:15 15:30",
        "2024-01-20 09:15 15:30",
        "2025-02-01 09:15 15:30",
        "2026-02-01 09:15 15:30",
        "2014-10-23 18:15 19:30",  # Muhurat, at Diwali
        "2015-11-11 17:45 18:45",
        "2016-10-30 18:30 19:30",
        "2017-10-19 18:30 19:30",
        "2018-11-07 17:30 18:30",
        "2019-10-27 18:15 19:15",
        "2020-11-14 18:15 19:15",
        "2021-11-04 18:15 19:15",
        "2022-10-24 18:15 19:15",
        "2023-11-12 18:15 19:15",
        "2024-11-01 18:00 19:00",
        "2025-10-21 13:45 14:45",
    ),
    shut=("2013-11-15",),
)  # fmt: skip
_CHICAGO = _Correction(
    "CMES", "America/Chicago",
    sessions=("2018-12-05 -17:00 08:30", "2025-01-09 -17:00 08:30"),  # days of mourning
    half_days_late=15,
)  # fmt: skip
_CORRECTIONS = {"NSE": _NSE, "CMES": _CHICAGO}


def exchange_sessions(code: str, first: pd.Timestamp, last: pd.Timestamp) -> tuple[Sessions, Any]:
    """Sessions of the exchange `code` between two dates, and the (first, last) it knows of these.

    Parameters
    ----------
    code
        An exchange's code (XNYS, CMES, XBOM …), or NSE.

    Raises
    ------
    SessionError
        No such exchange (E_SESSION_CALENDAR).
    """
    import exchange_calendars
    from exchange_calendars.calendar_utils import _default_calendar_factories as factories

    correction = _CORRECTIONS.get(code)
    base = correction.code if correction else code
    if base not in factories:
        raise SessionError(
            f"A calendar is 24/5, 24/7, NSE or an exchange's code – {code!r} was given – write it "
            "as XNYS, NSE or CMES.",
            code="E_SESSION_CALENDAR",
        )
    start = max(first, factories[base].bound_min() or first)
    end = min(last, factories[base].bound_max() or last)
    with warnings.catch_warnings():
        # The library still reads Series.values of aware times, which pandas 3.1 deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        calendar = exchange_calendars.get_calendar(base, start=start, end=end)
    found = _without_old_holidays(calendar, start, end)
    return (_corrected(found, correction, start, end) if correction else found), (start, end)


def _nanoseconds(index: Any) -> Array:
    return np.asarray(pd.DatetimeIndex(index).as_unit("ns").asi8, dtype=np.int64)


def _take(found: Sessions, where: Array) -> Sessions:
    return Sessions(found.days[where], found.opens[where], found.closes[where])


def _without_old_holidays(calendar: Any, start: pd.Timestamp, end: pd.Timestamp) -> Sessions:
    """The library's sessions, less the holidays before 1970 that it only knows when asked."""
    found = Sessions(
        _nanoseconds(calendar.sessions) // DAY, _nanoseconds(calendar.opens),
        _nanoseconds(calendar.closes),
    )  # fmt: skip
    rules = calendar.regular_holidays
    if rules is None or start.year >= 1970:
        return found
    holidays = _nanoseconds(rules.holidays(start, end)) // DAY
    return _take(found, ~((found.days < 0) & np.isin(found.days, holidays)))


def _corrected(
    found: Sessions, correction: _Correction, start: pd.Timestamp, end: pd.Timestamp
) -> Sessions:
    rows = [line.split() for line in correction.sessions]
    rows = [row for row in rows if start <= pd.Timestamp(row[0]) <= end]
    days = _nanoseconds([row[0] for row in rows]) // DAY
    opens, closes = (
        _nanoseconds(
            pd.DatetimeIndex([_wall(row[0], row[i]) for row in rows]).tz_localize(correction.zone)
        )
        for i in (1, 2)
    )
    shut = _nanoseconds(list(correction.shut)) // DAY
    kept = _take(found, ~np.isin(found.days, np.append(days, shut)))
    late = kept.closes + correction.half_days_late * MINUTE * _half_days(kept.days)
    closed = np.where(_is_early(kept), late, kept.closes)
    all_days = np.concatenate([kept.days, days])
    order = np.argsort(all_days)
    return Sessions(
        all_days[order], np.concatenate([kept.opens, opens])[order],
        np.concatenate([closed, closes])[order],
    )  # fmt: skip


def _wall(date: str, wall: str) -> pd.Timestamp:
    """A wall time on a date; a minus puts it on the evening before."""
    day = pd.Timestamp(date) - pd.Timedelta(days=int(wall.startswith("-")))
    return day + pd.Timedelta(f"{wall.lstrip('-')}:00")


def _is_early(found: Sessions) -> Array:
    """Whether a session is over an hour shorter than the calendar's usual one."""
    length = found.closes - found.opens
    return np.asarray(length < np.median(length) - 60 * MINUTE)


def _half_days(days: Array) -> Array:
    """Days on which stocks trade until noon: after Thanksgiving, before Christmas and July 4."""
    dates = pd.DatetimeIndex(days.astype("datetime64[D]"))
    month, day = dates.month.to_numpy(), dates.day.to_numpy()
    friday = (days + 3) % 7 == 4
    return np.asarray(
        ((month == 11) & friday) | ((month == 12) & (day == 24)) | ((month == 7) & (day == 3))
    )
