"""Volatility: true range, bands, and the shape of recent returns."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlcore.features.base import Array, feature, term
from mlcore.features.windows import lag, log_ratio, logs, moments, ratio, rolling_sum

__all__ = [
    "atr_14",
    "atr_percent",
    "bands_20",
    "bollinger_b",
    "bollinger_width",
    "garman_klass",
    "kurtosis",
    "log_close",
    "log_return",
    "parkinson",
    "shape_20",
    "skew",
    "squares",
    "volatility",
    "volatility_ratio",
]


@term
def log_close(close: Array) -> Array:
    """Natural log of the close, missing unless it is above 0."""
    return logs(close)


@term
def log_return(log_close: Array) -> Array:
    """Log return of the close against the close before."""
    return log_close - lag(log_close, 1)


@term
def squares(log_return: Array) -> Array:
    """Squared log returns."""
    return log_return * log_return


@term
def atr_14(high: Array, low: Array, close: Array) -> Array:
    """Wilder's average true range of 14 bars, in price units; missing where it is 0."""
    from talib import ATR

    values: Array = ATR(high, low, close, 14)
    return np.where(values > 0, values, np.nan)


@term
def bands_20(close: Array) -> tuple[Array, Array]:
    """Mean and population standard deviation of 20 closes; the latter missing where it is 0."""
    from talib import SMA, STDDEV

    spread = STDDEV(close, 20, 1)
    return SMA(close, 20), np.where(spread > 0, spread, np.nan)


@term
def shape_20(log_return: Array) -> tuple[Array, ...]:
    """Second, third and fourth central moment of 20 log returns."""
    return moments(log_return, 20, 4)


@feature(
    "atr_percent_{n}", family="volatility", warmup=lambda n: 12 * n, unit="share of price",
    bounds=(0, np.inf), source="Wilder 1978", tolerance=1e-5, n=(14,),
)  # fmt: skip
def atr_percent(atr_14: Array, close: Array, n: int) -> Array:
    """Average true range of {n} bars over the close."""
    return ratio(atr_14, np.abs(close))


_BANDS: dict[str, Any] = {
    "family": "volatility",
    "warmup": 19,
    "source": "Bollinger 2001",
    "tolerance": 1e-4,
}


@feature("bollinger_b_20", unit="share", **_BANDS)
def bollinger_b(close: Array, bands_20: tuple[Array, Array]) -> Array:
    """Place of the close between the bands two deviations around the mean of 20 bars."""
    mean, spread = bands_20
    return (close - mean) / (4 * spread) + 0.5


@feature("bollinger_width_20", unit="share of price", bounds=(0, np.inf), **_BANDS)
def bollinger_width(bands_20: tuple[Array, Array]) -> Array:
    """Distance between the bands over the mean of 20 bars."""
    mean, spread = bands_20
    return ratio(4 * spread, np.abs(mean))


@feature(
    "volatility_{n}", family="volatility", warmup=lambda n: n, unit="log return",
    bounds=(0, np.inf), source="Figlewski 1997", n=(5, 10, 20, 50, 100),
)  # fmt: skip
def volatility(squares: Array, n: int) -> Array:
    """Root mean square of {n} log returns."""
    return np.sqrt(rolling_sum(squares, n) / n)


@feature(
    "volatility_ratio_{n}", family="volatility", warmup=lambda n: 5 * n, unit="ratio",
    bounds=(0, np.inf), source="Engle 1982", n=(10, 20),
)  # fmt: skip
def volatility_ratio(squares: Array, n: int) -> Array:
    """Volatility of {n} bars over that of five times as many."""
    return np.sqrt(ratio(5 * rolling_sum(squares, n), rolling_sum(squares, 5 * n)))


@feature(
    "skew_20", family="volatility", warmup=20, unit="moment", bounds=(-4.5, 4.5),
    source="Amaya et al. 2015", tolerance=1e-6,
)  # fmt: skip
def skew(shape_20: tuple[Array, ...]) -> Array:
    """Skewness of 20 log returns (population form); missing where they do not vary."""
    return shape_20[1] / (shape_20[0] * np.sqrt(shape_20[0]))


@feature(
    "kurtosis_20", family="volatility", warmup=20, unit="moment", bounds=(1, 20),
    source="Amaya et al. 2015", tolerance=1e-6,
)  # fmt: skip
def kurtosis(shape_20: tuple[Array, ...]) -> Array:
    """Kurtosis of 20 log returns, 3 for a normal law; missing where they do not vary."""
    values: Array = np.clip(shape_20[2] / shape_20[0] ** 2, 1, 20)
    return values


@feature(
    "parkinson_{n}", family="volatility", warmup=lambda n: n - 1, unit="log return",
    bounds=(0, np.inf), source="Parkinson 1980", n=(20,),
)  # fmt: skip
def parkinson(high: Array, low: Array, n: int) -> Array:
    """Volatility from the high-low ranges of {n} bars."""
    sigma: Array = np.sqrt(rolling_sum(log_ratio(high, low) ** 2, n) / (4 * n * np.log(2)))
    return sigma


@feature(
    "garman_klass_{n}", family="volatility", warmup=lambda n: n - 1, unit="log return",
    bounds=(0, np.inf), source="Garman & Klass 1980", n=(20,),
)  # fmt: skip
def garman_klass(open: Array, high: Array, low: Array, close: Array, n: int) -> Array:
    """Volatility from open, high, low and close of {n} bars."""
    body = (2 * np.log(2) - 1) * log_ratio(close, open) ** 2
    mean = rolling_sum(0.5 * log_ratio(high, low) ** 2 - body, n) / n
    sigma: Array = np.sqrt(np.maximum(mean, 0))
    return sigma
