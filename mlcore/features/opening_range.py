"""The opening range itself, and what its predecessors came to.

`or_` facts are of the range being decided; `mean_20` facts are over the twenty valid ranges of the
same name before it. R comes from bars, over ranges whose `due_at` has passed, never from the log.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlcore.features.base import Array, feature
from mlcore.features.windows import ratio

__all__ = [
    "close_position",
    "cost_to_size",
    "first_extreme",
    "lower_shadow",
    "mean_r",
    "opening_gap",
    "previous_break",
    "previous_r",
    "range_body",
    "rolling_r",
    "size_atr",
    "size_percent",
    "size_ratio",
    "up_share",
    "upper_shadow",
    "volume_ratio",
]

_RANGE: dict[str, Any] = {"family": "opening_range", "scope": "row"}
_CRABEL: dict[str, Any] = {**_RANGE, "source": "Crabel 1990"}
_PAST: dict[str, Any] = {**_CRABEL, "family": "previous outcomes"}


@feature("close_position", unit="share", bounds=(0, 1), **{**_RANGE, "source": "Doob 1953"})
def close_position(or_close: Array, or_high: Array, or_low: Array) -> Array:
    """Place of the close between the range's low and high: the mechanical P(UP first)."""
    return ratio(or_close - or_low, or_high - or_low)


@feature("or_size_atr", unit="ATR", bounds=(0, np.inf), days=15, **_CRABEL)
def size_atr(or_size: Array, atr_day: Array) -> Array:
    """Size of the opening range in daily average true ranges."""
    return ratio(or_size, atr_day)


@feature("or_size_percent", unit="percent", bounds=(0, np.inf), **_CRABEL)
def size_percent(or_size: Array, or_close: Array) -> Array:
    """Size of the opening range over its close, in percent."""
    return 100 * ratio(or_size, np.abs(or_close))


@feature("or_size_to_mean_20", unit="ratio", bounds=(0, np.inf), days=20, **_CRABEL)
def size_ratio(or_size: Array, or_size_mean_20: Array) -> Array:
    """Size of the opening range over the mean of the twenty before it."""
    return ratio(or_size, or_size_mean_20)


@feature("or_volume_to_mean_20", unit="ratio", bounds=(0, np.inf), days=20, **_CRABEL)
def volume_ratio(or_volume: Array, or_volume_mean_20: Array) -> Array:
    """Volume of the opening range over the mean of the twenty before it."""
    return ratio(or_volume, or_volume_mean_20)


@feature("or_body", unit="share of range", bounds=(-1, 1), **_CRABEL)
def range_body(or_open: Array, or_close: Array, or_size: Array) -> Array:
    """Close less open of the opening range over its size."""
    return ratio(or_close - or_open, or_size)


@feature("or_upper_shadow", unit="share of range", bounds=(0, 1), **_CRABEL)
def upper_shadow(or_open: Array, or_close: Array, or_high: Array, or_size: Array) -> Array:
    """Part of the opening range above its body."""
    return ratio(or_high - np.maximum(or_open, or_close), or_size)


@feature("or_lower_shadow", unit="share of range", bounds=(0, 1), **_CRABEL)
def lower_shadow(or_open: Array, or_close: Array, or_low: Array, or_size: Array) -> Array:
    """Part of the opening range below its body."""
    return ratio(np.minimum(or_open, or_close) - or_low, or_size)


@feature("or_first_extreme", unit="side", bounds=(-1, 1), **_CRABEL)
def first_extreme(or_high_bar: Array, or_low_bar: Array) -> Array:
    """+1 where the range's low came before its high, −1 where after, 0 in one bar."""
    return np.sign(or_high_bar - or_low_bar)


@feature("or_gap_atr", unit="ATR", days=15, **_CRABEL)
def opening_gap(or_open: Array, prior_close: Array, atr_day: Array) -> Array:
    """Open of the range less the close of the bar before it, in daily average true ranges."""
    return ratio(or_open - prior_close, atr_day)


@feature("cost_to_size", unit="share of range", bounds=(0, np.inf), **_CRABEL)
def cost_to_size(cost: Array, or_size: Array) -> Array:
    """The market's round-trip cost over the size of the opening range."""
    return ratio(cost, or_size)


@feature("last_r{of}", unit="R", days=3, of=("", "_same"), **_PAST)
def previous_r(last_r: Array, last_r_same: Array, of: str) -> Array:
    """Net R of the last range that traded and was due{of} at the decision."""
    return last_r_same if of else last_r


@feature("r_3d{of}", unit="R", days=4, of=("", "_same"), **_PAST)
def rolling_r(r_3d: Array, r_3d_same: Array, of: str) -> Array:
    """Sum of net R over ranges due{of} in the last three trading days; missing if none traded."""
    return r_3d_same if of else r_3d


@feature("last_break{of}", unit="side", bounds=(-1, 1), days=3, of=("", "_same"), **_PAST)
def previous_break(last_break: Array, last_break_same: Array, of: str) -> Array:
    """Which side broke first in the last range due{of}: +1, −1, 0 for none or both."""
    return last_break_same if of else last_break


@feature("mean_r_10_same", unit="R", days=11, **_PAST)
def mean_r(mean_r_10_same: Array) -> Array:
    """Mean net R of the last ten ranges of this name that were due, 0 where none traded."""
    return mean_r_10_same


@feature("up_share_10_same", unit="share", bounds=(0, 1), days=11, **_PAST)
def up_share(up_share_10_same: Array) -> Array:
    """Share of the last ten ranges of this name that were due whose high broke first."""
    return up_share_10_same
