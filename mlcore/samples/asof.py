"""The one way a fact reaches a row: the last one that was available at the decision."""

from __future__ import annotations

from typing import Any

import numpy as np

from mlcore.errors import UsageError

__all__ = ["asof", "gather"]

Array = np.ndarray[Any, Any]


def asof(known: Any, at: Any) -> Array:
    """Index of the last fact with `available_at <= at`, −1 where there is none.

    Parameters
    ----------
    known
        `available_at` of the facts, int64 ns, ascending, shape (k,).
    at
        Decision instants, int64 ns, shape (n,), in any order.

    Returns
    -------
    int64, shape (n,).

    Raises
    ------
    UsageError
        Facts that are not sorted by the instant they became available.

    Examples
    --------
    >>> asof([10, 20, 20], [5, 10, 25]).tolist()
    [-1, 0, 2]
    """
    facts = np.asarray(known, dtype=np.int64)
    if len(facts) > 1 and not bool((facts[1:] >= facts[:-1]).all()):
        raise UsageError(
            "Facts are joined in the order in which they became available – these are sorted by "
            "something else – sort them by available_at as an instant.",
            code="E_ASOF_ORDER",
        )
    return np.searchsorted(facts, np.asarray(at, dtype=np.int64), side="right") - 1


def gather(values: Array, index: Array, where: Array | None = None) -> Array:
    """`values[index]` as float64; NaN where the index is −1 or `where` is false."""
    found: Array = np.full(index.shape + values.shape[1:], np.nan)
    there = index >= 0 if where is None else (index >= 0) & where
    found[there] = values[index[there]]
    return found
