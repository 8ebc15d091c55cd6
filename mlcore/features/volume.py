"""Volume against its own past, and against price. Missing volume stays missing."""

from __future__ import annotations

import numpy as np

from mlcore.features.base import Array, feature, term
from mlcore.features.windows import ratio, rolling_sum

__all__ = [
    "chaikin_flow",
    "money_flow",
    "obv_slope",
    "typical_price",
    "volume_ratio",
    "volume_z",
    "vwap_distance",
]


@term
def typical_price(high: Array, low: Array, close: Array) -> Array:
    """Mean of high, low and close."""
    return (high + low + close) / 3


@feature(
    "volume_ratio_{n}", family="volume", warmup=lambda n: n - 1, unit="ratio",
    bounds=(0, np.inf), source="Karpoff 1987", n=(5, 20, 50),
)  # fmt: skip
def volume_ratio(volume: Array, n: int) -> Array:
    """Volume over its mean of {n} bars; missing where that is 0."""
    return ratio(volume, rolling_sum(volume, n) / n)


@feature(
    "volume_z_{n}", family="volume", warmup=lambda n: n - 1, unit="standard deviations",
    source="Karpoff 1987", tolerance=1e-6, n=(20,),
)  # fmt: skip
def volume_z(volume: Array, n: int) -> Array:
    """Volume less its mean of {n} bars, in their standard deviations."""
    mean, square = rolling_sum(volume, n) / n, rolling_sum(volume**2, n) / n
    spread = square - mean**2
    return (volume - mean) / np.sqrt(np.where(spread > 1e-10 * square, spread, np.nan))


@feature(
    "obv_slope_{n}", family="volume", warmup=lambda n: n, unit="share", bounds=(-1.0001, 1.0001),
    source="Granville 1963", n=(20,),
)  # fmt: skip
def obv_slope(change: Array, volume: Array, n: int) -> Array:
    """Change of on-balance volume over {n} bars, as a share of the volume traded."""
    return ratio(rolling_sum(np.sign(change) * volume, n), rolling_sum(volume, n))


@feature(
    "vwap_distance_{n}", family="volume", warmup=lambda n: n - 1, unit="share of price",
    source="Berkowitz, Logue & Noser 1988", tolerance=1e-8, n=(20, 50),
)  # fmt: skip
def vwap_distance(typical_price: Array, close: Array, volume: Array, n: int) -> Array:
    """Close over the volume-weighted price of {n} bars, less 1."""
    paid = ratio(rolling_sum(typical_price * volume, n), rolling_sum(volume, n))
    return ratio(close, paid) - 1


@feature(
    "money_flow_{n}", family="volume", warmup=lambda n: n, unit="index", bounds=(0, 100.0001),
    source="Quong & Soudack 1989", n=(14,),
)  # fmt: skip
def money_flow(typical_price: Array, volume: Array, n: int) -> Array:
    """Share of {n} bars' money flow that came with a rising typical price, in percent."""
    step = np.concatenate([[np.nan], np.diff(typical_price)])
    flow = typical_price * volume
    rising = rolling_sum(flow * (step > 0) + 0 * step, n)
    return 100 * ratio(rising, rolling_sum(flow * (step != 0) + 0 * step, n))


@feature(
    "chaikin_flow_{n}", family="volume", warmup=lambda n: n - 1, unit="share",
    bounds=(-1.0001, 1.0001), source="Chaikin 1982", n=(20,),
)  # fmt: skip
def chaikin_flow(high: Array, low: Array, close: Array, volume: Array, n: int) -> Array:
    """Volume weighted by where in its bar the close fell, over {n} bars."""
    place = np.nan_to_num(ratio(2 * close - high - low, high - low), nan=0.0)
    return ratio(rolling_sum(place * volume, n), rolling_sum(volume, n))
