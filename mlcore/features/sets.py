"""Named sets of features: what a target reads unless it is told otherwise."""

from __future__ import annotations

from mlcore.features import (  # noqa: F401  the catalogue is full once all rooms are imported
    calendar,
    momentum,
    opening_range,
    price,
    sides,
    surroundings,
    trend,
    volatility,
    volume,
)
from mlcore.features.base import catalogue, feature_sets

__all__ = ["AROUND_A_RANGE", "CORE"]

_ALL = tuple(catalogue().values())
"""The features as delivered; what a user's module adds joins no named set."""

CORE = (
    "rsi_7", "rsi_14", "rsi_21",
    "macd_line", "macd_signal", "macd_histogram",
    "stochastic_k_14", "stochastic_d_14", "williams_r_14", "cci_20", "roc_10", "roc_20",
    "bollinger_b_20", "bollinger_width_20", "atr_percent_14",
    "adx_14", "plus_di_14", "minus_di_14",
    "sma_distance_5", "sma_distance_10", "sma_distance_20", "sma_distance_50",
    "sma_distance_100", "sma_distance_200",
    "ema_distance_10", "ema_distance_20", "ema_distance_50",
    "volatility_20", "skew_20", "kurtosis_20",
    "volume_ratio_5", "volume_ratio_20", "obv_slope_20", "vwap_distance_20",
    "return_lag_0", "return_lag_1", "return_lag_2",
    "body", "upper_shadow", "lower_shadow",
)  # fmt: skip
"""Forty inputs of a bar, without a scale of price or volume."""

AROUND_A_RANGE = (
    "rsi_14", "stochastic_k_14", "macd_histogram", "adx_14", "bollinger_b_20",
    "bollinger_width_20", "atr_percent_14", "return_z_3", "return_z_12", "return_z_36",
    "sma_distance_50", "macro_trend_200", "efficiency_50", "volatility_ratio_20", "skew_20",
    "volume_ratio_20", "vwap_distance_20", "obv_slope_20",
)  # fmt: skip
"""Bar features that a call on an opening range reads beside the range's own."""


def _rows(without: str = "") -> tuple[str, ...]:
    return tuple(f.name for f in _ALL if f.scope == "row" and f.family != without)


feature_sets(
    core40=lambda: CORE,
    opening_range=lambda: (*_rows(), *AROUND_A_RANGE),
    opening_range_unsided=lambda: (*_rows(without="side"), *AROUND_A_RANGE),
    calendar=lambda: tuple(f.name for f in _ALL if f.family == "calendar"),
    bars=lambda: tuple(f.name for f in _ALL if f.scope == "bar"),
)
