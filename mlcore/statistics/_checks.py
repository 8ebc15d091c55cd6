"""Checks of arguments that every statistic shares: shapes, ranges, probabilities."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import UsageError

__all__ = ["checked_probability", "floats", "normal_cdf", "same_length", "whole_number"]


def floats(values: ArrayLike, name: str, *, ndim: int = 1) -> NDArray[np.float64]:
    """Return `values` as float64 with `ndim` dimensions, or refuse them by name."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != ndim:
        raise UsageError(
            f"{name} must have {ndim} dimension(s) – {array.ndim} given – pass one value a row.",
            code="E_USAGE_SHAPE",
            details={"name": name, "shape": list(array.shape)},
        )
    return array


def same_length(first: NDArray[np.float64], second: NDArray[np.float64], names: str) -> None:
    """Refuse two arrays that do not pair row by row."""
    if len(first) != len(second):
        raise UsageError(
            f"{names} must pair row by row – {len(first)} and {len(second)} rows given"
            " – select the same rows for both.",
            code="E_USAGE_LENGTH",
            details={"lengths": [len(first), len(second)]},
        )


def whole_number(value: int, name: str, *, least: int) -> int:
    """Return `value` as an int of at least `least`."""
    if isinstance(value, bool) or int(value) != value or value < least:
        raise UsageError(
            f"{name} must be a whole number of at least {least} – {value} given"
            f" – pass {least} or more.",
            code="E_USAGE_NUMBER",
            details={"name": name, "value": value},
        )
    return int(value)


def checked_probability(value: float, name: str) -> float:
    """Return `value` when it lies strictly between 0 and 1."""
    if not 0.0 < value < 1.0:
        raise UsageError(
            f"{name} must lie between 0 and 1, both excluded – {value} given"
            " – pass a share, not a percentage.",
            code="E_USAGE_PROBABILITY",
            details={"name": name, "value": value},
        )
    return float(value)


def normal_cdf(z: float) -> float:
    """Standard normal distribution function, accurate in both tails; NaN stays NaN."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))
