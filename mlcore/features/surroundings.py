"""The closed sessions and days around a decision, against the opening range and each other.

`window` stands for the last closed window of that name: the three sessions, the two hours before
each, the last session of any name (`session`), the last closed trading day (`day`). `before` is
the session before the last one, `today` the trading day so far. Prices are compared in daily
average true ranges of the last 14 closed days, so that markets are comparable.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlcore.features.base import Array, feature
from mlcore.features.windows import ratio

__all__ = [
    "CLOSED",
    "PAIRS",
    "WINDOWS",
    "close_in",
    "day_atr_percent",
    "day_return",
    "day_rsi",
    "day_trend",
    "day_volatility",
    "extreme_age",
    "gap_atr",
    "high_over",
    "hours_since",
    "low_under",
    "session_consolidation",
    "session_expansion",
    "session_sweep_high",
    "session_sweep_low",
    "session_to_session",
    "size_to",
    "today_return",
    "today_size",
    "window_return",
    "window_size",
]

WINDOWS = ("pre_asia", "asia", "pre_london", "london", "pre_new_york", "new_york")
CLOSED = (*WINDOWS, "session", "day")
SEEN = (*CLOSED, "today")
PAIRS = {
    "london_to_asia": ("london", "asia"),
    "new_york_to_london": ("new_york", "london"),
    "asia_to_new_york": ("asia", "new_york"),
    "pre_london_to_asia": ("pre_london", "asia"),
    "pre_new_york_to_london": ("pre_new_york", "london"),
    "pre_asia_to_new_york": ("pre_asia", "new_york"),
}

_ROW: dict[str, Any] = {"scope": "row", "source": "Crabel 1990", "days": 15}
_SESSION: dict[str, Any] = {**_ROW, "family": "sessions"}
_DAY: dict[str, Any] = {**_ROW, "family": "days"}
_TYPE: dict[str, Any] = {
    "family": "sessions",
    "scope": "row",
    "source": "Steidlmayer 1984",
    "days": 3,
    "unit": "yes or no",
    "bounds": (0, 1),
}


@feature("{window}_size_atr", unit="ATR", bounds=(0, np.inf), window=CLOSED, **_SESSION)
def window_size(window_high: Array, window_low: Array, atr_day: Array) -> Array:
    """High less low of the last closed {window}."""
    return ratio(window_high - window_low, atr_day)


@feature("{window}_return_atr", unit="ATR", window=CLOSED, **_SESSION)
def window_return(window_open: Array, window_close: Array, atr_day: Array) -> Array:
    """Close less open of the last closed {window}."""
    return ratio(window_close - window_open, atr_day)


@feature("close_in_{window}", unit="share", window=SEEN, **_SESSION)
def close_in(or_close: Array, window_high: Array, window_low: Array) -> Array:
    """Place of the close between low and high of {window}; outside it below 0 or above 1."""
    return ratio(or_close - window_low, window_high - window_low)


@feature("high_over_{window}", unit="ATR", window=SEEN, **_SESSION)
def high_over(or_high: Array, window_high: Array, atr_day: Array) -> Array:
    """High of the opening range above the high of {window}."""
    return ratio(or_high - window_high, atr_day)


@feature("low_under_{window}", unit="ATR", window=SEEN, **_SESSION)
def low_under(or_low: Array, window_low: Array, atr_day: Array) -> Array:
    """Low of the opening range below the low of {window}."""
    return ratio(window_low - or_low, atr_day)


@feature("or_size_to_{window}", unit="ratio", bounds=(0, np.inf), window=CLOSED, **_SESSION)
def size_to(or_size: Array, window_high: Array, window_low: Array) -> Array:
    """Size of the opening range over that of the last closed {window}."""
    return ratio(or_size, window_high - window_low)


@feature("gap_{window}_atr", unit="ATR", window=CLOSED, **_SESSION)
def gap_atr(or_open: Array, window_close: Array, atr_day: Array) -> Array:
    """Open of the range less the close of the last closed {window}."""
    return ratio(or_open - window_close, atr_day)


@feature("hours_since_{window}", unit="hours", bounds=(0, 240), window=WINDOWS, **_SESSION)
def hours_since(window_age: Array) -> Array:
    """Hours since the last closed {window} ended."""
    return window_age


@feature(
    "{a}_to_{b}_size", unit="ratio", bounds=(0, np.inf), **_SESSION,
    a=tuple(dict.fromkeys(a for a, _ in PAIRS.values())),
    b=tuple(dict.fromkeys(b for _, b in PAIRS.values())),
    where=lambda a, b: (a, b) in PAIRS.values(),
)  # fmt: skip
def session_to_session(a_high: Array, a_low: Array, b_high: Array, b_low: Array) -> Array:
    """Size of the last closed {a} over that of the last closed {b}."""
    return ratio(a_high - a_low, b_high - b_low)


@feature("session_consolidation", **_TYPE)
def session_consolidation(session_swept_high: Array, session_swept_low: Array) -> Array:
    """Whether the last closed session stayed inside the one before."""
    return (1 - session_swept_high) * (1 - session_swept_low)


@feature("session_sweep_high", **_TYPE)
def session_sweep_high(session_swept_high: Array, session_swept_low: Array) -> Array:
    """Whether the last closed session passed only the high of the one before."""
    return session_swept_high * (1 - session_swept_low)


@feature("session_sweep_low", **_TYPE)
def session_sweep_low(session_swept_high: Array, session_swept_low: Array) -> Array:
    """Whether the last closed session passed only the low of the one before."""
    return (1 - session_swept_high) * session_swept_low


@feature("session_expansion", **_TYPE)
def session_expansion(session_swept_high: Array, session_swept_low: Array) -> Array:
    """Whether the last closed session passed both ends of the one before."""
    return session_swept_high * session_swept_low


@feature("day_rsi_14", unit="index", bounds=(0, 100), **{**_DAY, "source": "Cutler 1977"})
def day_rsi(rsi_day: Array) -> Array:
    """RSI of the last 14 closed days, of simple means, so that 15 days determine it."""
    return rsi_day


@feature("day_atr_percent", unit="percent", bounds=(0, np.inf), **_DAY)
def day_atr_percent(atr_day: Array, or_close: Array) -> Array:
    """Mean true range of the last 14 closed days over the close, in percent."""
    return 100 * ratio(atr_day, np.abs(or_close))


@feature("day_return_{n}_atr", unit="ATR", n=(1, 5), **_DAY)
def day_return(
    day_close: Array, day_close_1: Array, day_close_5: Array, atr_day: Array, n: int
) -> Array:
    """Change of the daily close over the last {n} closed days."""
    return ratio(day_close - (day_close_1 if n == 1 else day_close_5), atr_day)


@feature("day_trend_20", unit="ATR", **{**_DAY, "days": 20})
def day_trend(day_close: Array, day_mean_20: Array, atr_day: Array) -> Array:
    """Last daily close less its mean of 20 days."""
    return ratio(day_close - day_mean_20, atr_day)


@feature("day_volatility_5_to_14", unit="ratio", bounds=(0, np.inf), **_DAY)
def day_volatility(range_day_5: Array, atr_day: Array) -> Array:
    """Mean true range of five closed days over that of fourteen."""
    return ratio(range_day_5, atr_day)


@feature("today_return_atr", unit="ATR", **_DAY)
def today_return(or_close: Array, today_open: Array, atr_day: Array) -> Array:
    """Close less the open of the trading day so far."""
    return ratio(or_close - today_open, atr_day)


@feature("today_size_atr", unit="ATR", bounds=(0, np.inf), **_DAY)
def today_size(today_high: Array, today_low: Array, atr_day: Array) -> Array:
    """High less low of the trading day so far."""
    return ratio(today_high - today_low, atr_day)


@feature(
    "bars_since_today_{extreme}", unit="bars", bounds=(0, np.inf), extreme=("high", "low"),
    **{**_DAY, "days": 1},
)  # fmt: skip
def extreme_age(today_high_age: Array, today_low_age: Array, extreme: str) -> Array:
    """Bars since the {extreme} of the trading day so far was made."""
    return today_high_age if extreme == "high" else today_low_age
