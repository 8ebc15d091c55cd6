"""Do stated probabilities come true: calibration error, conformal quantile, own estimate."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import UsageError
from mlcore.statistics._checks import floats, same_length, whole_number

__all__ = ["conformal_quantile", "estimated_accuracy", "expected_calibration_error"]


def expected_calibration_error(y: ArrayLike, p: ArrayLike, bins: int = 10) -> float:
    """Mean gap between stated probability and frequency over bins of equal width.

    Parameters
    ----------
    y : array_like, shape (n,)
        0 or 1.
    p : array_like, shape (n,)
        Probability of class 1, in [0, 1].
    bins : int
        Bins `[i/bins, (i+1)/bins)`, the last one closed.

    Returns
    -------
    float
        In [0, 1], weighted by rows; NaN without rows.

    Raises
    ------
    UsageError
        For outcomes other than 0 and 1, probabilities outside [0, 1], or a missing value.

    References
    ----------
    Naeini, M., Cooper, G. and Hauskrecht, M. (2015), Obtaining well calibrated probabilities
    using Bayesian binning.
    """
    outcome, stated = floats(y, "y"), _probabilities(floats(p, "p"))
    same_length(outcome, stated, "y and p")
    count = whole_number(bins, "bins", least=1)
    if not np.all((outcome == 0) | (outcome == 1)):
        raise UsageError(
            "y must be 0 or 1 – other values given – score one class at a time.",
            code="E_USAGE_OUTCOME",
        )
    if not len(outcome):
        return math.nan
    # dividing gives the very double that a literal such as 0.6 has; multiplying p does not
    edges = np.arange(1, count) / count
    place = np.searchsorted(edges, stated, side="right")
    gap = np.bincount(place, weights=outcome - stated, minlength=count)
    return float(np.sum(np.abs(gap)) / len(outcome))


def conformal_quantile(scores: ArrayLike, alpha: float) -> float:
    """Threshold that a new exchangeable score stays at or below with probability 1 - alpha.

    Parameters
    ----------
    scores : array_like, shape (n,)
        Nonconformity scores of the calibration rows, no missing values.
    alpha : float
        Miscoverage. An online alpha may leave [0, 1]: from 1 on the set is empty.

    Returns
    -------
    float
        The ceil((n+1)(1-alpha))-th smallest score; `inf` beyond n, `-inf` below the first.

    Raises
    ------
    UsageError
        For a missing score or a NaN `alpha`.

    References
    ----------
    Vovk, V., Gammerman, A. and Shafer, G. (2005), Algorithmic learning in a random world.
    Gibbs, I. and Candes, E. (2021), Adaptive conformal inference under distribution shift.
    """
    ordered = np.sort(floats(scores, "scores"))
    if math.isnan(alpha) or np.any(np.isnan(ordered)):
        raise UsageError(
            "Conformal scores and alpha must be known – a missing value given"
            " – leave rows without a score out.",
            code="E_USAGE_MISSING",
        )
    # the slack keeps 10 * 0.30000000000000004 from becoming the fourth score
    rank = math.ceil((len(ordered) + 1) * (1.0 - alpha) - 1e-9)
    if rank > len(ordered):
        return math.inf
    return float(ordered[rank - 1]) if rank >= 1 else -math.inf


def estimated_accuracy(probabilities: ArrayLike) -> float:
    """Accuracy that the model's own probabilities imply, before outcomes are known.

    .. warning:: It believes the model. Where the world changes and the probabilities do not
       (concept drift), it sees nothing.

    Parameters
    ----------
    probabilities : array_like, shape (n,) or (n, k)
        Calibrated: of class 1, or one column a class.

    Returns
    -------
    float
        Mean of each row's largest probability; NaN without rows.

    Raises
    ------
    UsageError
        For values outside [0, 1] or missing, or another shape.

    References
    ----------
    Garg, S. et al. (2022), Leveraging unlabeled data to predict out-of-distribution
    performance; confidence-based performance estimation (CBPE).
    """
    given = np.asarray(probabilities, dtype=np.float64)
    table = _probabilities(floats(given, "probabilities", ndim=2 if given.ndim == 2 else 1))
    if not table.size:
        return math.nan
    largest = np.maximum(table, 1.0 - table) if table.ndim == 1 else table.max(axis=1)
    return float(np.mean(largest))


def _probabilities(values: NDArray[np.float64]) -> NDArray[np.float64]:
    if not np.all((values >= 0) & (values <= 1)):
        raise UsageError(
            "Probabilities must lie in [0, 1] – values outside or missing given"
            " – leave rows without a probability out.",
            code="E_USAGE_PROBABILITY",
        )
    return values
