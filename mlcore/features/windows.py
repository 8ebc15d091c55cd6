"""Arithmetic shared by features: moving windows and safe quotients, all of them local.

A window's value is built from that window's bars alone, in the same order whatever came before,
so it has the same bits over a short history as over a long one, and one missing volume blanks
only the windows that contain it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["lag", "log_ratio", "moments", "ratio", "rolling_max", "rolling_min", "rolling_sum"]

Array = NDArray[np.float64]


def _fold(x: Array, n: int, join: Callable[[Array, Array], Array]) -> Array:
    """`join` over each window of n values, by doubling: about 2·log2(n) passes over x."""
    size = len(x)
    out: Array = np.full(size, np.nan)
    if size < n:
        return out
    part, width = x, 1  # part[j] joins x[j : j + width]
    total, taken = x[:0], 0  # total[j] joins x[j : j + taken]
    while True:
        if n & width:
            tail = part[taken : taken + size - taken - width + 1]
            total = join(total[: len(tail)], tail) if taken else tail
            taken += width
        if taken == n:
            break
        part = join(part[:-width], part[width:])
        width *= 2
    out[n - 1 :] = total
    return out


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
    top, bottom = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(b, np.float64))
    out: Array = np.full(top.shape, np.nan)
    np.divide(top, bottom, out=out, where=bottom != 0)
    return out


def log_ratio(a: Array, b: Array) -> Array:
    """Natural log of `a / b`, NaN unless both are above 0."""
    good = (a > 0) & (b > 0)
    out: Array = np.full(len(a), np.nan)
    np.divide(a, b, out=out, where=good)
    np.log(out, out=out, where=good)
    return out


def moments(x: Array, n: int, order: int) -> tuple[Array, ...]:
    """Central moments 2 … `order` of the last n values (population form).

    NaN where the spread is within rounding of 0: a constant window has no shape.
    """
    sums = [rolling_sum(x**k if k > 1 else x, n) / n for k in range(1, order + 1)]
    mean, second = sums[0], sums[1]
    spread = second - mean * mean
    spread = np.where(spread > 1e-10 * second, spread, np.nan)
    found = [spread]
    if order >= 3:
        found.append(sums[2] - 3 * mean * second + 2 * mean**3)
    if order >= 4:
        found.append(sums[3] - 4 * mean * sums[2] + 6 * mean**2 * second - 3 * mean**4)
    return tuple(found)
