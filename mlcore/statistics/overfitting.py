"""Probability that the best in-sample trial is below the median out of sample (CSCV)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import UsageError
from mlcore.statistics._checks import floats, whole_number

__all__ = ["probability_of_backtest_overfitting"]

MOST_BLOCKS = 20
_CHUNK = 512


def probability_of_backtest_overfitting(returns: ArrayLike, n_blocks: int) -> float:
    """Share of symmetric splits whose in-sample winner is overfit.

    The rows are cut into `n_blocks` consecutive blocks (equal up to one row); each half of
    them is once in sample. The winner has the highest Sharpe ratio (ddof 1; the first of
    equals). It is overfit where the logit of its relative rank r/(N+1) out of sample, average
    ranks, is not above 0. A trial that never moves in a half has Sharpe ratio 0 there if it
    earns 0, else plus or minus infinity.

    Parameters
    ----------
    returns : array_like, shape (T, N)
        One column a trial, one row a period, no missing values, N >= 2.
    n_blocks : int
        Even, between 2 and 20, with at least 2 rows in each half.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    UsageError
        For another shape, a missing value, or an impossible number of blocks.

    References
    ----------
    Bailey, D., Borwein, J., Lopez de Prado, M. and Zhu, Q. (2015), The probability of backtest
    overfitting.
    """
    table = floats(returns, "returns", ndim=2)
    _check_trials(table, whole_number(n_blocks, "n_blocks", least=2))
    sharpes = _sharpe_by_split(table, int(n_blocks))
    # combinations() lists a half and its complement at mirrored places
    outside = sharpes[::-1]
    winner = np.argmax(sharpes, axis=1)
    score = outside[np.arange(len(outside)), winner][:, None]
    rank = np.sum(outside < score, axis=1) + (np.sum(outside == score, axis=1) + 1) / 2
    return float(np.mean(rank / (table.shape[1] + 1) <= 0.5))


def _check_trials(table: NDArray[np.float64], n_blocks: int) -> None:
    rows, trials = table.shape
    if trials < 2 or not np.all(np.isfinite(table)):
        raise UsageError(
            f"returns must hold 2 or more complete trials – {trials} column(s) with"
            f" {int(np.sum(~np.isfinite(table)))} missing value(s) given"
            " – use the dates that all trials share.",
            code="E_USAGE_TRIALS",
            details={"trials": trials},
        )
    if n_blocks % 2 or n_blocks > MOST_BLOCKS or rows < max(n_blocks, 4):
        raise UsageError(
            f"n_blocks must be even, at most {MOST_BLOCKS} and not above the rows –"
            f" {n_blocks} blocks for {rows} rows given – pass a smaller even number.",
            code="E_USAGE_BLOCKS",
            details={"n_blocks": n_blocks, "rows": rows},
        )


def _sharpe_by_split(table: NDArray[np.float64], n_blocks: int) -> NDArray[np.float64]:
    """Sharpe ratio of each trial in each half, shape (splits, trials)."""
    blocks = np.array_split(table, n_blocks)
    size = np.array([len(block) for block in blocks], dtype=np.float64)
    mean = np.array([block.mean(axis=0) for block in blocks])
    scatter = np.array([np.sum((b - b.mean(axis=0)) ** 2, axis=0) for b in blocks])
    halves = np.array(list(combinations(range(n_blocks), n_blocks // 2)))
    chunks = [halves[i : i + _CHUNK] for i in range(0, len(halves), _CHUNK)]
    return np.concatenate([_pooled_sharpe(size[c], mean[c], scatter[c]) for c in chunks])


def _pooled_sharpe(
    size: NDArray[np.float64], mean: NDArray[np.float64], scatter: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Pool blocks (axis 1) exactly: within-block scatter plus that between the means."""
    weight = size[:, :, None]
    n = size.sum(axis=1)[:, None]
    pooled = np.sum(weight * mean, axis=1) / n
    between = np.sum(weight * (mean - pooled[:, None, :]) ** 2, axis=1)
    spread = np.sqrt((scatter.sum(axis=1) + between) / (n - 1))
    flat = spread <= 1e-12 * np.abs(pooled)
    limit = np.where(pooled == 0, 0.0, np.copysign(np.inf, pooled))
    sharpe: NDArray[np.float64] = np.where(flat, limit, pooled / np.where(flat, 1.0, spread))
    return sharpe
