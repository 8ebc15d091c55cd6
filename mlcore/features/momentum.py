"""Momentum of the close: oscillators of Wilder, Lane, Appel and their kin (TA-Lib)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlcore.features.base import Array, feature, term
from mlcore.features.windows import lag, ratio, rolling_max, rolling_min, rolling_sum

__all__ = [
    "cci",
    "chande",
    "change",
    "channel_14",
    "macd",
    "macd_histogram",
    "macd_line",
    "macd_signal",
    "rate_of_change",
    "rsi",
    "still",
    "stochastic",
    "stochastic_d",
    "stochastic_k",
    "stochastic_rsi",
    "trix",
    "ultimate",
    "williams_r",
]


@term
def change(close: Array) -> Array:
    """Difference of the close to the close before."""
    return close - lag(close, 1)


@term
def still(change: Array) -> NDArray[np.int64]:
    """Bars since the close last differed from the one before; the count starts with the data."""
    index = np.arange(len(change))
    return index - np.maximum.accumulate(np.where(change != 0, index, 0))


@feature(
    "rsi_{n}", family="momentum", warmup=lambda n: 12 * n, unit="index", bounds=(0, 100),
    source="Wilder 1978", tolerance=0.05, n=(7, 14, 21),
)  # fmt: skip
def rsi(close: Array, still: NDArray[np.int64], n: int) -> Array:
    """Relative strength of gains against losses over {n} bars; missing where nothing moved."""
    from talib import RSI

    values: Array = RSI(close, n)
    values[still >= n] = np.nan
    return values


@feature(
    "stochastic_rsi_{n}", family="momentum", warmup=lambda n: 13 * n, unit="share", bounds=(0, 1),
    source="Chande & Kroll 1994", tolerance=0.05, n=(14,),
)  # fmt: skip
def stochastic_rsi(close: Array, n: int) -> Array:
    """Place of the RSI between its lowest and highest of the last {n} bars."""
    from talib import RSI

    strength = RSI(close, n)
    low, high = rolling_min(strength, n), rolling_max(strength, n)
    spread = np.where(high - low > 1e-6, high - low, np.nan)
    place: Array = np.clip((strength - low) / spread, 0, 1)
    return place


@feature(
    "chande_momentum_{n}", family="momentum", warmup=lambda n: n, unit="index",
    bounds=(-100.0001, 100.0001), source="Chande & Kroll 1994", n=(14,),
)  # fmt: skip
def chande(change: Array, n: int) -> Array:
    """Net change over the sum of absolute changes of the last {n} bars, in percent."""
    return 100 * ratio(rolling_sum(change, n), rolling_sum(np.abs(change), n))


@term
def macd(close: Array) -> tuple[Array, Array, Array]:
    """MACD 12, 26, 9: line, signal and histogram in price units."""
    from talib import MACD

    line, signal, histogram = MACD(close, 12, 26, 9)
    return line, signal, histogram


_MACD: dict[str, Any] = {
    "family": "momentum",
    "warmup": 260,
    "unit": "ATR",
    "source": "Appel 1979",
    "tolerance": 1e-3,
}


@feature("macd_line", **_MACD)
def macd_line(macd: tuple[Array, Array, Array], atr_14: Array) -> Array:
    """EMA 12 less EMA 26 of the close, in average true ranges."""
    return ratio(macd[0], atr_14)


@feature("macd_signal", **_MACD)
def macd_signal(macd: tuple[Array, Array, Array], atr_14: Array) -> Array:
    """EMA 9 of the MACD line, in average true ranges."""
    return ratio(macd[1], atr_14)


@feature("macd_histogram", **_MACD)
def macd_histogram(macd: tuple[Array, Array, Array], atr_14: Array) -> Array:
    """MACD line less its signal, in average true ranges."""
    return ratio(macd[2], atr_14)


@term
def channel_14(high: Array, low: Array) -> tuple[Array, Array]:
    """Highest high and lowest low of 14 bars."""
    return rolling_max(high, 14), rolling_min(low, 14)


@term
def stochastic(channel_14: tuple[Array, Array], close: Array) -> Array:
    """Place of the close in the 14-bar channel, in percent."""
    top, bottom = channel_14
    return 100 * ratio(close - bottom, top - bottom)


_PERCENT: dict[str, Any] = {
    "family": "momentum",
    "unit": "index",
    "bounds": (0, 100),
    "source": "Lane 1984",
}


@feature("stochastic_k_14", warmup=13, **_PERCENT)
def stochastic_k(stochastic: Array) -> Array:
    """Place of the close between the lowest low and highest high of 14 bars."""
    return stochastic


@feature("stochastic_d_14", warmup=15, tolerance=1e-6, **_PERCENT)
def stochastic_d(stochastic: Array) -> Array:
    """Mean of three bars' stochastic %K over 14 bars."""
    return np.clip(rolling_sum(stochastic, 3) / 3, 0, 100)


@feature(
    "williams_r_{n}", family="momentum", warmup=lambda n: n - 1, unit="index", bounds=(-100, 0),
    source="Williams 1979", n=(14, 28),
)  # fmt: skip
def williams_r(high: Array, low: Array, close: Array, n: int) -> Array:
    """Distance of the close below the highest high of {n} bars; missing where nothing moved."""
    top, bottom = rolling_max(high, n), rolling_min(low, n)
    return -100 * ratio(top - close, top - bottom)


@feature(
    "cci_{n}", family="momentum", warmup=lambda n: n - 1, unit="index", source="Lambert 1980",
    tolerance=1e-3, n=(14, 20),
)  # fmt: skip
def cci(high: Array, low: Array, close: Array, n: int) -> Array:
    """Typical price against its {n}-bar mean, in 0.015 mean deviations."""
    from talib import CCI

    values: Array = CCI(high, low, close, n)
    if bool((values == 0).any()):  # also TA-Lib's answer where the price stood still
        spread = rolling_max(high, n) - rolling_min(low, n)
        values[(values == 0) & (spread == 0)] = np.nan
    return values


@feature(
    "roc_{n}", family="momentum", warmup=lambda n: n, unit="log return", source="Murphy 1999",
    n=(3, 5, 10, 20, 60),
)  # fmt: skip
def rate_of_change(log_close: Array, n: int) -> Array:
    """Log return of the close over {n} bars."""
    return log_close - lag(log_close, n)


@feature(
    "trix_{n}", family="momentum", warmup=lambda n: 14 * n, unit="percent", source="Hutson 1983",
    tolerance=1e-4, n=(15,),
)  # fmt: skip
def trix(close: Array, n: int) -> Array:
    """One-bar change of a triple EMA of {n} bars, in percent."""
    from talib import TRIX

    values: Array = TRIX(close, n)
    return values


@feature(
    "ultimate_oscillator", family="momentum", warmup=28, unit="index", bounds=(0, 100),
    source="Williams 1985", tolerance=1e-6,
)  # fmt: skip
def ultimate(high: Array, low: Array, close: Array) -> Array:
    """Buying pressure over 7, 14 and 28 bars, weighted 4 : 2 : 1; missing where nothing moved."""
    from talib import ULTOSC

    spread = rolling_max(high, 28) - rolling_min(low, 28)
    return np.where(spread > 0, np.clip(ULTOSC(high, low, close, 7, 14, 28), 0, 100), np.nan)
