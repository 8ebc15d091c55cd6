"""Intervals that respect time: circular blocks of whole trading days.

A day enters a draw with all its rows or not at all, so rows are first added up per day and only
the sums are resampled.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import UsageError
from mlcore.statistics._checks import checked_probability, floats, same_length, whole_number

__all__ = [
    "block_length",
    "bootstrap_ratio",
    "circular_block_indices",
    "day_sums",
    "percentile_interval",
]

_FEWEST_DAYS = 10  # below, the automatic choice has no autocorrelations to look at


def block_length(daily: ArrayLike, horizon_days: float) -> int:
    """Trading days a block must span to keep the dependence between days.

    Parameters
    ----------
    daily : array_like, shape (n_days,)
        The daily figure, in time order; missing days are left out.
    horizon_days : float
        Trading days that one outcome takes; rounded up.

    Returns
    -------
    int
        max(1, horizon, optimal circular block rounded up), at most the number of days. The
        horizon alone counts for fewer than 10 days or a figure that never changes.

    Raises
    ------
    UsageError
        For a negative or missing horizon.

    References
    ----------
    Politis, D. and White, H. (2004), Automatic block-length selection; corrected by Patton, A.,
    Politis, D. and White, H. (2009).
    """
    if not 0 <= horizon_days < math.inf:
        raise UsageError(
            f"A horizon in days must not be negative – {horizon_days} given"
            " – pass the trading days an outcome takes.",
            code="E_USAGE_NUMBER",
            details={"horizon_days": horizon_days},
        )
    series = floats(daily, "daily")
    known = series[np.isfinite(series)]
    wanted = max(1, math.ceil(horizon_days), _automatic_block(known))
    return min(wanted, max(1, len(series)))


def _automatic_block(series: NDArray[np.float64]) -> int:
    if len(series) < _FEWEST_DAYS:
        return 1
    if np.ptp(series) <= 1e-12 * np.max(np.abs(series)):
        return 1
    from arch.bootstrap import optimal_block_length

    with np.errstate(divide="ignore", invalid="ignore"):
        length = float(optimal_block_length(series)["circular"].iloc[0])
    return math.ceil(length) if math.isfinite(length) else 1


def circular_block_indices(n_days: int, block: int, draws: int, seed: int) -> NDArray[np.int64]:
    """Days of each draw: blocks of consecutive days that wrap around the end.

    Parameters
    ----------
    n_days, block, draws : int
        At least 1 each; the last block of a draw is cut to fit, a `block` beyond `n_days` too.
    seed : int
        Same seed and sizes: same days.

    Returns
    -------
    ndarray of int64, shape (draws, n_days)
        Day numbers in [0, n_days).

    Raises
    ------
    UsageError
        For a size below 1.

    References
    ----------
    Politis, D. and Romano, J. (1992), A circular block-resampling procedure for stationary data.
    """
    starts, length = _block_starts(n_days, block, draws, seed)
    days = (starts[:, :, None] + np.arange(length)) % n_days
    return days.reshape(draws, -1)[:, :n_days]


def bootstrap_ratio(
    numerator_by_day: ArrayLike,
    denominator_by_day: ArrayLike,
    *,
    block: int,
    draws: int = 2000,
    seed: int,
) -> NDArray[np.float64]:
    """Resampled ratio of two sums over days: a mean per row, or per range.

    Equal to summing both over :func:`circular_block_indices` of the same block, draws and seed.
    Calls with the same seed and days see the same draws, so their results may be subtracted.

    Parameters
    ----------
    numerator_by_day, denominator_by_day : array_like, shape (n_days,)
        Sums of each day (:func:`day_sums`): of the score, and of the rows it counts.
    block : int
        Trading days (:func:`block_length`).
    draws : int
        Number of draws.
    seed : int
        Of the draws.

    Returns
    -------
    ndarray, shape (draws,)
        NaN in draws without a row (denominator 0), and in all that hold a missing day.

    Raises
    ------
    UsageError
        For arrays of different length or empty, or a size below 1.

    References
    ----------
    Politis, D. and Romano, J. (1992), A circular block-resampling procedure for stationary data.
    """
    above = floats(numerator_by_day, "numerator_by_day")
    below = floats(denominator_by_day, "denominator_by_day")
    same_length(above, below, "numerator_by_day and denominator_by_day")
    starts, length = _block_starts(len(above), block, draws, seed)
    total, count = (_drawn_sums(values, starts, length) for values in (above, below))
    ratio = np.full(len(total), np.nan)
    np.divide(total, count, out=ratio, where=count != 0)
    return ratio


def percentile_interval(samples: ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Central percentile interval of bootstrap draws.

    Parameters
    ----------
    samples : array_like, shape (draws,)
        Undefined draws (NaN) are left out.
    level : float
        Coverage, strictly between 0 and 1.

    Returns
    -------
    low, high : float
        NaN where no draw is defined.

    Raises
    ------
    UsageError
        For a level outside (0, 1).

    References
    ----------
    Efron, B. and Tibshirani, R. (1993), An introduction to the bootstrap.
    """
    tail = (1.0 - checked_probability(level, "level")) / 2.0
    draws = floats(samples, "samples")
    known = draws[~np.isnan(draws)]
    if not len(known):
        return math.nan, math.nan
    low, high = np.quantile(known, [tail, 1.0 - tail])
    return float(low), float(high)


def day_sums(values: ArrayLike, day_codes: ArrayLike, n_days: int) -> NDArray[np.float64]:
    """Add up rows per trading day.

    Parameters
    ----------
    values : array_like, shape (n,)
        One a row; a missing value makes its day missing.
    day_codes : array_like of int, shape (n,)
        Day number of each row, in [0, n_days).
    n_days : int
        Number of days; days without rows sum to 0.

    Returns
    -------
    ndarray, shape (n_days,)

    Raises
    ------
    UsageError
        For a day number outside the range, or arrays of different length.
    """
    rows, codes = floats(values, "values"), np.asarray(day_codes)
    same_length(rows, floats(codes, "day_codes"), "values and day_codes")
    days = whole_number(n_days, "n_days", least=0)
    if len(codes) and not (codes.dtype.kind in "iu" and codes.min() >= 0 and codes.max() < days):
        raise UsageError(
            f"day_codes must be whole numbers from 0 to {days - 1} –"
            f" {codes.min()} to {codes.max()} given – number the days from 0.",
            code="E_USAGE_DAYS",
            details={"n_days": days},
        )
    return np.bincount(codes.astype(np.int64), weights=rows, minlength=days).astype(np.float64)


def _block_starts(n_days: int, block: int, draws: int, seed: int) -> tuple[NDArray[np.int64], int]:
    """First day of each block, shape (draws, blocks), and the length of a block."""
    days = whole_number(n_days, "n_days", least=1)
    length = min(whole_number(block, "block", least=1), days)
    size = (whole_number(draws, "draws", least=1), -(-days // length))
    return np.random.default_rng(seed).integers(0, days, size=size, dtype=np.int64), length


def _drawn_sums(
    values: NDArray[np.float64], starts: NDArray[np.int64], length: int
) -> NDArray[np.float64]:
    """Sum of each draw: whole blocks by their circular window sum, the last one cut to fit."""
    last = len(values) - (starts.shape[1] - 1) * length
    whole, cut = _window_sums(values, length), _window_sums(values, last)
    drawn: NDArray[np.float64] = whole[starts[:, :-1]].sum(axis=1) + cut[starts[:, -1]]
    return drawn


def _window_sums(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Sum of `length` days from each day on, wrapping around."""
    around = np.concatenate([values, values[: length - 1]])
    windows = np.lib.stride_tricks.sliding_window_view(around, length)
    sums: NDArray[np.float64] = windows.sum(axis=1)
    return sums
