"""How much of a label's span is its own: the weight of overlapping labels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import UsageError
from mlcore.statistics._checks import floats, same_length

__all__ = ["average_uniqueness"]


def average_uniqueness(starts: ArrayLike, ends: ArrayLike) -> NDArray[np.float64]:
    """Mean over each label's span of one over the number of labels alive.

    Parameters
    ----------
    starts, ends : array_like, shape (n,)
        Label i spans `[starts[i], ends[i])`: bar numbers, or instants as integers.

    Returns
    -------
    ndarray, shape (n,)
        In (0, 1]; 1 where nothing overlaps. Empty for no labels.

    Raises
    ------
    UsageError
        For a span that is empty or reversed, or arrays of different length.

    References
    ----------
    Lopez de Prado, M. (2018), Advances in Financial Machine Learning, ch. 4.

    Examples
    --------
    >>> average_uniqueness([0, 2, 4], [3, 4, 6]).round(3).tolist()
    [0.833, 0.75, 1.0]
    """
    first, last = np.asarray(starts), np.asarray(ends)
    same_length(floats(first, "starts"), floats(last, "ends"), "starts and ends")
    empty = np.flatnonzero(~(last > first))
    if len(empty):
        row = int(empty[0])
        raise UsageError(
            f"A label must span at least one bar – [{first[row]}, {last[row]}) given in row"
            f" {row} – drop labels without a span.",
            code="E_USAGE_SPAN",
            details={"row": row, "rows": len(empty)},
        )
    edges = np.unique(np.concatenate([first, last]))
    begin, end = np.searchsorted(edges, first), np.searchsorted(edges, last)
    change = np.bincount(begin, minlength=len(edges)) - np.bincount(end, minlength=len(edges))
    alive = np.cumsum(change)[:-1]
    share = np.diff(edges) / np.maximum(alive, 1)  # a stretch without a label is in no span
    total = np.concatenate([[0.0], np.cumsum(share)])
    uniqueness: NDArray[np.float64] = (total[end] - total[begin]) / (last - first)
    return uniqueness
