"""Where the decision lies in the day, the week and the year, on the market's own clock."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlcore.features.base import Array, feature

__all__ = ["hour", "month", "weekday"]

_TURN: dict[str, Any] = {"sin": np.sin, "cos": np.cos}
_CYCLE: dict[str, Any] = {
    "family": "calendar",
    "unit": "cycle",
    "bounds": (-1, 1),
    "scope": "row",
    "source": "Andersen & Bollerslev 1997",
}


@feature("hour_{wave}", wave=("sin", "cos"), **_CYCLE)
def hour(local_hour: Array, wave: str) -> Array:
    """Time of day at the decision as a {wave} of 24 hours."""
    turned: Array = _TURN[wave](2 * np.pi * local_hour / 24)
    return turned


@feature("weekday_{wave}", wave=("sin", "cos"), **_CYCLE)
def weekday(local_weekday: Array, wave: str) -> Array:
    """Day of the week at the decision as a {wave} of 7 days."""
    turned: Array = _TURN[wave](2 * np.pi * local_weekday / 7)
    return turned


@feature("month_{wave}", wave=("sin", "cos"), **_CYCLE)
def month(local_month: Array, wave: str) -> Array:
    """Month at the decision as a {wave} of 12 months."""
    turned: Array = _TURN[wave](2 * np.pi * (local_month - 1) / 12)
    return turned
