"""The bar itself: returns and lags, body, shadows, range, place in the channel."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlcore.features.base import Array, feature, term
from mlcore.features.windows import lag, log_ratio, ratio, rolling_max, rolling_min, rolling_sum

__all__ = [
    "body",
    "channel",
    "gap",
    "high_low",
    "log_return_lag",
    "lower_shadow",
    "mean_return",
    "range_atr",
    "return_z",
    "run_length",
    "squares_100",
    "upper_shadow",
]


@feature(
    "return_lag_{n}", family="price", warmup=lambda n: n + 1, unit="log return",
    source="Campbell, Lo & MacKinlay 1997", n=(0, 1, 2, 3, 5, 10),
)  # fmt: skip
def log_return_lag(log_return: Array, n: int) -> Array:
    """One-bar log return, {n} bars ago."""
    return lag(log_return, n)


@term
def squares_100(squares: Array) -> Array:
    """Sum of 100 squared log returns."""
    return rolling_sum(squares, 100)


@feature(
    "return_z_{n}", family="price", warmup=100, unit="standard deviations",
    source="Jegadeesh & Titman 1993", n=(1, 3, 12, 36),
)  # fmt: skip
def return_z(log_close: Array, squares_100: Array, n: int) -> Array:
    """Log return of {n} bars, in standard deviations of 100 bars scaled to that length."""
    return ratio(log_close - lag(log_close, n), np.sqrt(squares_100 / 100 * n))


@feature(
    "mean_return_{n}", family="price", warmup=lambda n: n, unit="log return",
    source="Campbell, Lo & MacKinlay 1997", n=(5, 10, 20),
)  # fmt: skip
def mean_return(log_return: Array, n: int) -> Array:
    """Mean log return of {n} bars."""
    return rolling_sum(log_return, n) / n


_SHARE: dict[str, Any] = {"family": "price", "unit": "share of range", "source": "Nison 1991"}


@feature("body", bounds=(-1, 1), **_SHARE)
def body(open: Array, high: Array, low: Array, close: Array) -> Array:
    """Close less open over the bar's range, signed; missing for a bar without a range."""
    return np.clip(ratio(close - open, high - low), -1, 1)


@feature("upper_shadow", bounds=(0, 1), **_SHARE)
def upper_shadow(open: Array, high: Array, low: Array, close: Array) -> Array:
    """Part of the bar's range above its body; missing for a bar without a range."""
    return np.clip(ratio(high - np.maximum(open, close), high - low), 0, 1)


@feature("lower_shadow", bounds=(0, 1), **_SHARE)
def lower_shadow(open: Array, high: Array, low: Array, close: Array) -> Array:
    """Part of the bar's range below its body; missing for a bar without a range."""
    return np.clip(ratio(np.minimum(open, close) - low, high - low), 0, 1)


@feature(
    "high_low_ratio", family="price", unit="log ratio", source="Parkinson 1980",
    bounds=(0, np.inf),
)  # fmt: skip
def high_low(high: Array, low: Array) -> Array:
    """Log of the bar's high over its low."""
    return log_ratio(high, low)


@feature(
    "range_atr", family="price", warmup=168, unit="ATR", bounds=(0, np.inf),
    source="Wilder 1978", tolerance=1e-4,
)  # fmt: skip
def range_atr(high: Array, low: Array, atr_14: Array) -> Array:
    """The bar's range in average true ranges of 14 bars."""
    return ratio(high - low, atr_14)


@feature("gap", family="price", warmup=1, unit="log ratio", source="Bulkowski 2010")
def gap(open: Array, close: Array) -> Array:
    """Log of the open over the close before."""
    return log_ratio(open, lag(close, 1))


@feature(
    "channel_{n}", family="price", warmup=lambda n: n - 1, unit="share", bounds=(0, 1),
    source="Donchian 1960", n=(20, 50, 100),
)  # fmt: skip
def channel(high: Array, low: Array, close: Array, n: int) -> Array:
    """Place of the close between the lowest low and highest high of {n} bars."""
    top, bottom = rolling_max(high, n), rolling_min(low, n)
    return np.clip(ratio(close - bottom, top - bottom), 0, 1)


@feature(
    "run_length", family="price", warmup=20, unit="bars", bounds=(-20, 20), source="Wald 1940",
)  # fmt: skip
def run_length(change: Array) -> Array:
    """Closes in a row in the last bar's direction, signed, counted up to 20."""
    sign = np.sign(change)
    index = np.arange(len(sign))
    turned = np.concatenate([[True], sign[1:] != sign[:-1]])
    start = np.maximum.accumulate(np.where(turned, index, 0))
    return sign * np.minimum(index - start + 1, 20)
