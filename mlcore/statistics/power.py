"""What a number of outcomes can show, planned before they exist."""

from __future__ import annotations

import math
from statistics import NormalDist

from mlcore.statistics._checks import checked_probability, whole_number

__all__ = ["minimum_detectable_accuracy", "required_outcomes"]


def minimum_detectable_accuracy(
    n: int, baseline: float = 0.5, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Smallest true accuracy that `n` outcomes show to be above `baseline`.

    Parameters
    ----------
    n : int
        Independent outcomes, at least 1.
    baseline : float
        Accuracy to beat, strictly between 0 and 1.
    alpha, power : float
        One-sided level, and the chance to see it.

    Returns
    -------
    float
        In (0, 1); NaN where even an accuracy of 1 could not be told.

    Raises
    ------
    UsageError
        For chances outside (0, 1) or `n` below 1.

    References
    ----------
    Fleiss, J., Levin, B. and Paik, M. (2003), Statistical methods for rates and proportions.
    """
    count = whole_number(n, "n", least=1)
    seen, z_power = _quantiles(baseline, alpha, power)
    threshold = baseline + seen * math.sqrt(baseline * (1.0 - baseline) / count)
    if threshold >= 1.0:
        return math.nan
    # accuracy - threshold = z_power * sqrt(accuracy * (1 - accuracy) / n), squared and solved
    b2 = z_power**2 / count
    root = math.sqrt(b2 * (b2 + 4.0 * threshold * (1.0 - threshold)))
    return (2.0 * threshold + b2 + math.copysign(root, z_power)) / (2.0 * (1.0 + b2))


def required_outcomes(
    accuracy: float, baseline: float = 0.5, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Outcomes after which a true `accuracy` is shown to be above `baseline`.

    Parameters
    ----------
    accuracy, baseline : float
        Strictly between 0 and 1.
    alpha, power : float
        One-sided level, and the chance to see it.

    Returns
    -------
    float
        A whole number; `inf` where `accuracy` is not above `baseline`.

    Raises
    ------
    UsageError
        For chances outside (0, 1).

    References
    ----------
    Fleiss, J., Levin, B. and Paik, M. (2003), Statistical methods for rates and proportions.
    """
    checked_probability(accuracy, "accuracy")
    seen, z_power = _quantiles(baseline, alpha, power)
    if accuracy <= baseline:
        return math.inf
    null = seen * math.sqrt(baseline * (1.0 - baseline))
    alternative = z_power * math.sqrt(accuracy * (1.0 - accuracy))
    return float(max(1, math.ceil((max(null + alternative, 0.0) / (accuracy - baseline)) ** 2)))


def _quantiles(baseline: float, alpha: float, power: float) -> tuple[float, float]:
    checked_probability(baseline, "baseline")
    quantile = NormalDist().inv_cdf
    return (
        quantile(1.0 - checked_probability(alpha, "alpha")),
        quantile(checked_probability(power, "power")),
    )
