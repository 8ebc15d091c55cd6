"""Are two forecasts, or two distributions, different: Diebold-Mariano and stability index."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from mlcore.errors import UsageError
from mlcore.statistics._checks import floats, same_length, whole_number

__all__ = ["diebold_mariano", "population_stability_index"]

SHARE_FLOOR = 1e-4


def diebold_mariano(
    errors_a: ArrayLike, errors_b: ArrayLike, horizon: int = 1, power: float = 2
) -> tuple[float, float]:
    """Test that two forecasts have the same expected loss |error| ** power.

    Parameters
    ----------
    errors_a, errors_b : array_like, shape (n,)
        Forecast errors on the same rows in time order, n > horizon.
    horizon : int
        Steps ahead; horizon - 1 autocovariances, rectangular kernel.
    power : float
        2 squared, 1 absolute error.

    Returns
    -------
    statistic, p : float
        Harvey-Leybourne-Newbold statistic, positive where `a` loses more, and its two-sided
        p-value from t(n-1). Both NaN where the variance is not above 0 or an error is missing.

    Raises
    ------
    UsageError
        For arrays that do not pair, or no more rows than `horizon`.

    References
    ----------
    Diebold, F. and Mariano, R. (1995), Comparing predictive accuracy. Harvey, D., Leybourne, S.
    and Newbold, P. (1997), Testing the equality of prediction mean squared errors.
    """
    from scipy.special import stdtr

    first, second = floats(errors_a, "errors_a"), floats(errors_b, "errors_b")
    same_length(first, second, "errors_a and errors_b")
    lags, n = whole_number(horizon, "horizon", least=1), len(first)
    if n <= max(lags, 1):
        raise UsageError(
            f"Errors must outnumber the horizon – {n} errors for horizon {lags} given"
            " – wait for more outcomes.",
            code="E_USAGE_LENGTH",
            details={"n": n, "horizon": lags},
        )
    loss = np.abs(first) ** power - np.abs(second) ** power
    centred = loss - loss.mean()
    covariances = [float(centred[k:] @ centred[: n - k]) / n for k in range(lags)]
    variance = (covariances[0] + 2.0 * sum(covariances[1:])) / n
    # a constant difference leaves rounding noise, which is no variance
    if not variance > (1e-14 * float(np.max(np.abs(loss)))) ** 2:
        return math.nan, math.nan
    correction = (n + 1 - 2 * lags + lags * (lags - 1) / n) / n
    statistic = float(loss.mean()) * math.sqrt(correction / variance)
    return statistic, float(2.0 * stdtr(n - 1, -abs(statistic)))


def population_stability_index(expected: ArrayLike, actual: ArrayLike) -> float:
    """Symmetric distance between two sets of bin shares.

    Parameters
    ----------
    expected, actual : array_like, shape (bins,)
        Shares of the same bins, each set summing to 1 (to 0.01); floored at 1e-4.

    Returns
    -------
    float
        Sum of (actual - expected) * ln(actual / expected), not negative.

    Raises
    ------
    UsageError
        For shares that are negative, missing or do not sum to 1, or sets of different length.

    References
    ----------
    Siddiqi, N. (2006), Credit risk scorecards.
    """
    before, after = floats(expected, "expected"), floats(actual, "actual")
    same_length(before, after, "expected and actual")
    for name, shares in (("expected", before), ("actual", after)):
        if not (np.all(shares >= 0) and abs(float(shares.sum()) - 1.0) <= 0.01):
            raise UsageError(
                f"{name} must be shares that sum to 1 – a sum of {float(shares.sum()):.6g} given"
                " – divide counts by their total.",
                code="E_USAGE_SHARES",
                details={"name": name},
            )
    before, after = np.maximum(before, SHARE_FLOOR), np.maximum(after, SHARE_FLOOR)
    return float(np.sum((after - before) * np.log(after / before)))
