"""Instants: UTC only, int64 nanoseconds in arrays, `pandas.Timestamp` at the door.

A clock is a function without arguments that returns the present instant; it is passed in, so
that a test or a replay says what time it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from mlcore.errors import UsageError

__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "NAT",
    "SECOND",
    "Clock",
    "fixed_clock",
    "instants",
    "system_clock",
    "to_instant",
    "to_timestamp",
]

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NAT = int(np.iinfo(np.int64).min)
"""The int64 that stands for a missing instant (pandas' NaT)."""

Clock = Callable[[], pd.Timestamp]


def system_clock() -> pd.Timestamp:
    """The machine's present instant, UTC."""
    return pd.Timestamp.now(tz="UTC").as_unit("ns")


def fixed_clock(at: Any) -> Clock:
    """A clock that always shows `at` (anything `to_timestamp` reads)."""
    instant = to_timestamp(at)
    return lambda: instant


def to_timestamp(value: Any) -> pd.Timestamp:
    """`value` (int64 ns, ISO text, datetime, Timestamp) as a UTC Timestamp of unit ns.

    Raises
    ------
    UsageError
        Naive times are refused: the zone is never guessed.
    """
    if isinstance(value, int | np.integer):
        return pd.Timestamp(int(value), unit="ns", tz="UTC")
    try:
        stamp = pd.Timestamp(value)
    except (ValueError, TypeError) as error:
        raise UsageError(
            f"A time must be readable – {value!r} is not – write it as 2026-11-20T14:00:00Z.",
            code="E_TIME",
        ) from error
    if pd.isna(stamp) or stamp.tzinfo is None:
        raise UsageError(
            f"A time must carry its zone – {value!r} has none – write it as 2026-11-20T14:00:00Z.",
            code="E_TIME_ZONE",
        )
    return stamp.tz_convert("UTC").as_unit("ns")


def to_instant(value: Any) -> int:
    """`value` as int64 nanoseconds since 1970, UTC."""
    return int(to_timestamp(value).value)


def instants(values: Any) -> np.ndarray:
    """A column of aware times (or int64 ns) as an int64 array of nanoseconds; NaT becomes NAT."""
    array = np.asarray(values) if not isinstance(values, pd.Series | pd.Index) else values
    if getattr(array, "dtype", None) is not None and array.dtype == np.int64:
        return np.asarray(array, dtype=np.int64)
    index = pd.DatetimeIndex(array)
    return np.asarray(index.as_unit("ns").asi8, dtype=np.int64)
