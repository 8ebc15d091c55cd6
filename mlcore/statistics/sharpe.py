"""How much of a Sharpe ratio is left after sample length, fat tails and many trials."""

from __future__ import annotations

import math
from statistics import NormalDist

from mlcore.errors import UsageError
from mlcore.statistics._checks import checked_probability, normal_cdf

__all__ = [
    "deflated_sharpe_ratio",
    "expected_max_sharpe",
    "minimum_backtest_length",
    "minimum_track_record_length",
    "probabilistic_sharpe_ratio",
]

EULER_MASCHERONI = 0.5772156649015329


def probabilistic_sharpe_ratio(
    sharpe: float, n: float, skew: float, kurtosis: float, benchmark: float = 0.0
) -> float:
    """Probability that the true Sharpe ratio exceeds `benchmark`.

    Parameters
    ----------
    sharpe, benchmark : float
        Sharpe ratios per period, not annualised.
    n : float
        Number of periods.
    skew, kurtosis : float
        Of the returns; kurtosis not in excess (normal = 3).

    Returns
    -------
    float
        In [0, 1]. NaN for fewer than 2 periods, for a NaN argument, and where the moments
        are impossible together (no positive variance).

    References
    ----------
    Bailey, D. and Lopez de Prado, M. (2012), The Sharpe ratio efficient frontier.

    Examples
    --------
    >>> round(probabilistic_sharpe_ratio(0.458, 24, -2.448, 10.164), 3)
    0.913
    """
    spread = _estimator_variance(sharpe, skew, kurtosis)
    if not (n >= 2 and spread > 0):
        return math.nan
    return normal_cdf((sharpe - benchmark) * math.sqrt((n - 1) / spread))


def expected_max_sharpe(n_trials: float, variance: float) -> float:
    """Sharpe ratio that the best of `n_trials` skill-less trials is expected to show.

    Parameters
    ----------
    n_trials : float
        Number of independent trials, at least 1; one trial expects 0.
    variance : float
        Variance of the trials' Sharpe ratios per period; ignored for one trial.

    Returns
    -------
    float
        Per period; NaN if `variance` is NaN and there is more than one trial.

    Raises
    ------
    UsageError
        For fewer than one trial or a negative variance.

    References
    ----------
    Bailey, D. and Lopez de Prado, M. (2014), The deflated Sharpe ratio.
    """
    if not n_trials >= 1:
        raise UsageError(
            f"A Sharpe ratio is chosen from at least 1 trial – {n_trials} given"
            " – count the specifications in the ledger.",
            code="E_USAGE_TRIALS",
            details={"n_trials": n_trials},
        )
    if n_trials == 1:
        return 0.0
    if variance < 0:
        raise UsageError(
            f"A variance is not negative – {variance} given – pass the variance of the trials'"
            " Sharpe ratios.",
            code="E_USAGE_VARIANCE",
            details={"variance": variance},
        )
    return math.sqrt(variance) * _expected_max_normal(n_trials)


def deflated_sharpe_ratio(
    sharpe: float, n: float, skew: float, kurtosis: float, n_trials: float, variance: float
) -> float:
    """Probability that the true Sharpe ratio exceeds what luck gives the best of the trials.

    Parameters
    ----------
    sharpe : float
        Of the chosen trial, per period.
    n : float
        Number of periods.
    skew, kurtosis : float
        Of its returns; kurtosis not in excess (normal = 3).
    n_trials, variance : float
        As in :func:`expected_max_sharpe`.

    Returns
    -------
    float
        In [0, 1]; NaN as in :func:`probabilistic_sharpe_ratio`.

    Raises
    ------
    UsageError
        As in :func:`expected_max_sharpe`.

    References
    ----------
    Bailey, D. and Lopez de Prado, M. (2014), The deflated Sharpe ratio.
    """
    benchmark = expected_max_sharpe(n_trials, variance)
    return probabilistic_sharpe_ratio(sharpe, n, skew, kurtosis, benchmark)


def minimum_track_record_length(
    sharpe: float, benchmark: float, skew: float, kurtosis: float, alpha: float = 0.05
) -> float:
    """Observations after which `sharpe` would be significantly above `benchmark`.

    Parameters
    ----------
    sharpe, benchmark : float
        Per period.
    skew, kurtosis : float
        Of the returns; kurtosis not in excess (normal = 3).
    alpha : float
        One-sided level.

    Returns
    -------
    float
        Observations, not rounded; `inf` where `sharpe` is not above `benchmark`; NaN for a
        NaN argument or impossible moments.

    Raises
    ------
    UsageError
        If `alpha` is not strictly between 0 and 1.

    References
    ----------
    Bailey, D. and Lopez de Prado, M. (2012), The Sharpe ratio efficient frontier.
    """
    quantile = NormalDist().inv_cdf(1.0 - checked_probability(alpha, "alpha"))
    spread = _estimator_variance(sharpe, skew, kurtosis)
    if math.isnan(benchmark) or not spread >= 0:
        return math.nan
    if sharpe <= benchmark:
        return math.inf
    return 1.0 + spread * (quantile / (sharpe - benchmark)) ** 2


def minimum_backtest_length(n_trials: float, max_sharpe: float = 1.0) -> float:
    """Years of data below which luck alone lets the best trial reach `max_sharpe`.

    Parameters
    ----------
    n_trials : float
        Number of independent trials, at least 1.
    max_sharpe : float
        Annualised, above 0.

    Returns
    -------
    float
        Years, by the exact form (not the 2 ln N bound); 0 for one trial.

    Raises
    ------
    UsageError
        For fewer than one trial, or `max_sharpe` not above 0.

    References
    ----------
    Bailey, D., Borwein, J., Lopez de Prado, M. and Zhu, Q. (2014), Pseudo-mathematics and
    financial charlatanism.
    """
    if not max_sharpe > 0:
        raise UsageError(
            f"max_sharpe must be above 0 – {max_sharpe} given – pass an annualised Sharpe ratio.",
            code="E_USAGE_NUMBER",
            details={"max_sharpe": max_sharpe},
        )
    return (expected_max_sharpe(n_trials, 1.0) / max_sharpe) ** 2


def _estimator_variance(sharpe: float, skew: float, kurtosis: float) -> float:
    """(n - 1) times the variance of the Sharpe ratio's estimator (Mertens 2002)."""
    return 1.0 - skew * sharpe + (kurtosis - 1.0) / 4.0 * sharpe**2


def _expected_max_normal(n: float) -> float:
    """Expected maximum of `n` > 1 standard normal draws, extreme-value approximation."""
    quantile = NormalDist().inv_cdf
    return (1.0 - EULER_MASCHERONI) * quantile(1.0 - 1.0 / n) + EULER_MASCHERONI * quantile(
        1.0 - 1.0 / (n * math.e)
    )
