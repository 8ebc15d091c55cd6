"""Trend: distance from moving averages, and how directed the path has been."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlcore.features.base import Array, feature, term
from mlcore.features.windows import (
    lag,
    logs,
    ratio,
    rolling_max,
    rolling_min,
    rolling_sum,
)

__all__ = [
    "adx",
    "aroon",
    "efficiency",
    "ema_distance",
    "macro_trend",
    "minus_di",
    "plus_di",
    "sma_distance",
    "spread_14",
]


@term
def spread_14(channel_14: tuple[Array, Array]) -> Array:
    """Highest high less lowest low of 14 bars."""
    return channel_14[0] - channel_14[1]


def _distance(close: Array, mean: Array) -> Array:
    away = ratio(close, mean)
    away -= 1
    return away


@feature(
    "sma_distance_{n}", family="trend", warmup=lambda n: n - 1, unit="share of price",
    source="Brock, Lakonishok & LeBaron 1992", n=(5, 10, 20, 50, 100, 200),
)  # fmt: skip
def sma_distance(close: Array, n: int) -> Array:
    """Distance of the close from its mean over {n} bars, as a share of it."""
    return _distance(close, rolling_sum(close, n) / n)


@feature(
    "ema_distance_{n}", family="trend", warmup=lambda n: 8 * n, unit="share of price",
    source="Roberts 1959", tolerance=1e-6, n=(5, 10, 20, 50, 100, 200),
)  # fmt: skip
def ema_distance(close: Array, n: int) -> Array:
    """Distance of the close from its exponential mean of span {n} bars, as a share of it."""
    from talib import EMA

    return _distance(close, EMA(close, n))


_DIRECTED: dict[str, Any] = {
    "family": "trend",
    "unit": "index",
    "bounds": (0, 100),
    "source": "Wilder 1978",
}


@feature("adx_14", warmup=280, tolerance=0.05, **_DIRECTED)
def adx(high: Array, low: Array, close: Array, spread_14: Array) -> Array:
    """Strength of the trend, whichever way it goes, over 14 bars."""
    from talib import ADX

    return np.where(spread_14 > 0, ADX(high, low, close, 14), np.nan)


@feature("plus_di_14", warmup=168, tolerance=0.05, **_DIRECTED)
def plus_di(high: Array, low: Array, close: Array, spread_14: Array) -> Array:
    """Share of the true range spent on upward extensions over 14 bars."""
    from talib import PLUS_DI

    return np.where(spread_14 > 0, PLUS_DI(high, low, close, 14), np.nan)


@feature("minus_di_14", warmup=168, tolerance=0.05, **_DIRECTED)
def minus_di(high: Array, low: Array, close: Array, spread_14: Array) -> Array:
    """Share of the true range spent on downward extensions over 14 bars."""
    from talib import MINUS_DI

    return np.where(spread_14 > 0, MINUS_DI(high, low, close, 14), np.nan)


@feature(
    "aroon_oscillator_{n}", family="trend", warmup=lambda n: n, unit="index",
    bounds=(-100, 100), source="Chande 1995", n=(25,),
)  # fmt: skip
def aroon(high: Array, low: Array, n: int) -> Array:
    """How much younger the highest high is than the lowest low of {n} bars."""
    from talib import AROONOSC

    spread = rolling_max(high, n + 1) - rolling_min(low, n + 1)
    return np.where(spread > 0, AROONOSC(high, low, n), np.nan)


@feature(
    "efficiency_{n}", family="trend", warmup=lambda n: n, unit="share", bounds=(-1.0001, 1.0001),
    source="Kaufman 1995", n=(10, 50),
)  # fmt: skip
def efficiency(close: Array, change: Array, n: int) -> Array:
    """Net move over the length of the path of the last {n} bars, signed."""
    return ratio(close - lag(close, n), rolling_sum(np.abs(change), n))


@feature(
    "macro_trend_{n}", family="trend", warmup=lambda n: n, unit="standard deviations",
    source="Brock, Lakonishok & LeBaron 1992", tolerance=1e-6, n=(200,),
)  # fmt: skip
def macro_trend(close: Array, log_close: Array, squares: Array, n: int) -> Array:
    """Distance from the mean of {n} bars, in what a walk of the same volatility would show."""
    scale = np.sqrt(rolling_sum(squares, n) / 3)
    return ratio(log_close - logs(rolling_sum(close, n) / n), scale)
