"""The hypothetical side of a quality or R row, and the surroundings as that side sees them.

`side` is +1 (given UP), −1 (given DOWN), and 0 on rows without one, where all of these are 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlcore.features.base import Array, feature
from mlcore.features.windows import ratio

__all__ = [
    "ROOMS",
    "side",
    "side_distance",
    "side_level_distance",
    "side_room",
    "with_side",
]

ROOMS = ("asia", "london", "new_york", "session", "day", "today")
_SIDE: dict[str, Any] = {"family": "side", "scope": "row", "source": "Crabel 1990"}


@feature("side", unit="side", bounds=(-1, 1), **_SIDE)
def side(side: Array) -> Array:
    """The hypothetical side of the row: +1 given UP, −1 given DOWN."""
    return side


@feature("side_distance", unit="share of range", bounds=(0, 1), **_SIDE)
def side_distance(side: Array, or_close: Array, or_high: Array, or_low: Array) -> Array:
    """Distance of the close to the side's level, over the size of the range."""
    gap = np.where(side > 0, or_high - or_close, or_close - or_low)
    return ratio(np.where(side == 0, 0.0, gap), or_high - or_low)


@feature("side_distance_atr", unit="ATR", bounds=(0, np.inf), days=15, **_SIDE)
def side_level_distance(
    side: Array, or_close: Array, or_high: Array, or_low: Array, atr_day: Array
) -> Array:
    """Distance of the close to the side's level, in daily average true ranges."""
    gap = np.where(side > 0, or_high - or_close, or_close - or_low)
    return ratio(np.where(side == 0, 0.0, gap), atr_day)


@feature("side_room_{window}", unit="ATR", days=15, window=ROOMS, **_SIDE)
def side_room(
    side: Array, or_high: Array, or_low: Array, window_high: Array, window_low: Array,
    atr_day: Array,
) -> Array:  # fmt: skip
    """Way from the side's level on to that end of {window}; below 0 where it is passed."""
    room = np.where(side > 0, window_high - or_high, or_low - window_low)
    return ratio(np.where(side == 0, 0.0, room), atr_day)


def with_side(name: str, source: str, *, shift: float = 0.0, unit: str, days: int = 0) -> None:
    """Catalogue `side × (value − shift)` of the fact or bar feature `source` under `name`."""

    def sided(side: Array, value: Array) -> Array:
        return side * (value - shift)

    sided.__doc__ = f"Side times {source.replace('_', ' ')}."
    feature(name, unit=unit, days=days, inputs=("side", source), **_SIDE)(sided)


with_side("side_rsi_14", "rsi_14", shift=50.0, unit="index")
with_side("side_momentum_12", "return_z_12", unit="standard deviations")
with_side("side_momentum_36", "return_z_36", unit="standard deviations")
with_side("side_bollinger_b", "bollinger_b_20", shift=0.5, unit="share")
with_side("side_macd", "macd_histogram", unit="ATR")
with_side("side_trend_50", "sma_distance_50", unit="share of price")
with_side("side_trend_200", "macro_trend_200", unit="standard deviations")
with_side("side_or_body", "or_body", unit="share of range")
with_side("side_last_break", "last_break_same", unit="side", days=3)
with_side("side_today_return", "today_return_atr", unit="ATR", days=15)
with_side("side_day_return", "day_return_1_atr", unit="ATR", days=15)
with_side("side_session_return", "session_return_atr", unit="ATR", days=15)
with_side("side_gap_day", "gap_day_atr", unit="ATR", days=15)
with_side("side_first_extreme", "or_first_extreme", unit="side")
