"""Arithmetic shared by features: moving windows and safe quotients, all of them local.

A window's value is built from that window's bars alone, in the same order whatever came before,
so it has the same bits over a short history as over a long one, and one missing volume blanks
only the windows that contain it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "lag",
    "log_ratio",
    "logs",
    "moments",
    "ratio",
    "rolling_max",
    "rolling_min",
    "rolling_sum",
]

Array = NDArray[np.float64]
_PIECE = 8192


def _fold(x: Array, n: int, join: np.ufunc) -> Array:
    """`join` over each window of n values, in pieces that stay in the processor's cache."""
    out: Array = np.full(len(x), np.nan)
    for start in range(0, len(x) - n + 1, _PIECE):
        piece = x[start : start + _PIECE + n - 1]
        out[start + n - 1 : start + len(piece)] = _double(piece, n, join)
    return out


def _double(x: Array, n: int, join: np.ufunc) -> Array:
    """Each whole window of x by doubling: about 2·log2(n) passes."""
    part, width = x, 1  # part[j] joins x[j : j + width]
    total, taken = x, 0  # total[j] joins x[j : j + taken]
    while True:
        if n & width:
            tail = part[taken:]
            total = join(total[: len(tail)], tail) if taken else tail
            taken += width
        if taken == n:
            return total[: len(x) - n + 1]
        part = join(part[:-width], part[width:])
        width *= 2


def rolling_sum(x: Array, n: int) -> Array:
    """Sum of the last n values; NaN for the first n − 1 and where the window holds a NaN."""
    return _fold(x, n, np.add)


def rolling_max(x: Array, n: int) -> Array:
    """Largest of the last n values; NaN for the first n − 1."""
    return _fold(x, n, np.maximum)


def rolling_min(x: Array, n: int) -> Array:
    """Smallest of the last n values; NaN for the first n − 1."""
    return _fold(x, n, np.minimum)


def lag(x: Array, n: int) -> Array:
    """The value n bars ago; NaN for the first n bars."""
    out: Array = np.full(len(x), np.nan)
    out[n:] = x[: max(len(x) - n, 0)]
    return out


def ratio(a: Any, b: Any) -> Array:
    """`a / b`, NaN where b is 0 or either is missing."""
    bottom = np.asarray(b, np.float64)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        out: Array = np.asarray(a, np.float64) / bottom
    zero = bottom == 0
    if zero.any():
        out[np.broadcast_to(zero, out.shape)] = np.nan
    return out


def logs(x: Array) -> Array:
    """Natural log, NaN unless above 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        out: Array = np.log(x)
    return out if bool((x > 0).all()) else np.where(x > 0, out, np.nan)


def log_ratio(a: Array, b: Array) -> Array:
    """Natural log of `a / b`, NaN unless both are above 0."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        out: Array = np.log(a / b)
    good = (a > 0) & (b > 0)
    return out if bool(good.all()) else np.where(good, out, np.nan)


def moments(x: Array, n: int, order: int) -> tuple[Array, ...]:
    """Central moments 2 … `order` of the last n values (population form).

    NaN where the spread is within rounding of 0: a constant window has no shape.
    """
    out = np.full((order - 1, len(x)), np.nan)
    for start in range(0, len(x) - n + 1, _PIECE):
        piece = x[start : start + _PIECE + n - 1]
        out[:, start + n - 1 : start + len(piece)] = _moments(piece, n, order)
    return tuple(out)


def _moments(x: Array, n: int, order: int) -> list[Array]:
    powers = [x]
    while len(powers) < order:
        powers.append(powers[-1] * x)
    mean, second, *higher = (_double(p, n, np.add) / n for p in powers)
    square = mean * mean
    spread = second - square
    found = [np.where(spread > 1e-10 * second, spread, np.nan)]
    if order >= 3:
        found.append(higher[0] - 3 * mean * second + 2 * mean * square)
    if order >= 4:
        found.append(higher[1] - 4 * mean * higher[0] + 6 * square * second - 3 * square * square)
    return found
