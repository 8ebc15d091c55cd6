"""Evidence that may be looked at every day: e-values, e-processes, confidence sequences."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import UsageError
from mlcore.statistics._checks import checked_probability, floats, whole_number

__all__ = [
    "BETS",
    "betting_e_process",
    "binomial_e_value",
    "confidence_sequence_radius",
    "required_outcomes_sequential",
]

BETS: tuple[float, ...] = tuple(float(bet) for bet in np.linspace(0.02, 0.98, 25))
MOST_OUTCOMES = 100_000
_PATHS = 10_000


def betting_e_process(differences: ArrayLike) -> NDArray[np.float64]:
    """Capital of a gambler who bets on the model every day against 'it is no better'.

    The capital is the mean over 25 fixed stakes of the product of 1 + stake * difference. If
    the expected difference given the past is never above 0, it exceeds 20 at any time with
    probability at most 1/20, however often it is looked at.

    Parameters
    ----------
    differences : array_like, shape (n,)
        One a day, in [-1, 1]: the mean paired score difference (positive is better) over the
        largest absolute difference that day's forecasts allow. NaN bets nothing that day.

    Returns
    -------
    ndarray, shape (n,)
        Capital after each day, starting from 1; empty for no days.

    Raises
    ------
    UsageError
        For a difference outside [-1, 1].

    References
    ----------
    Waudby-Smith, I. and Ramdas, A. (2024), Estimating means of bounded random variables by
    betting. Choe, Y. J. and Ramdas, A. (2024), Comparing sequential forecasters.

    Examples
    --------
    >>> betting_e_process([1.0, float("nan"), -1.0]).round(3).tolist()
    [1.5, 1.5, 0.667]
    """
    d = np.nan_to_num(floats(differences, "differences"), nan=0.0, posinf=np.inf, neginf=-np.inf)
    if np.any(np.abs(d) > 1.0 + 1e-12):
        raise UsageError(
            f"A day's difference must lie in [-1, 1] – {float(d[np.argmax(np.abs(d))])} given"
            " – divide it by its predictable bound first.",
            code="E_USAGE_BOUND",
        )
    growth = np.cumsum(np.log1p(np.multiply.outer(d, BETS)), axis=0)
    with np.errstate(over="ignore"):  # beyond 1e308 the capital reads inf
        capital: NDArray[np.float64] = np.exp(growth).mean(axis=1)
    return capital


def binomial_e_value(successes: int, n: int) -> float:
    """Evidence that a coin is not fair, either way; never a gate.

    Parameters
    ----------
    successes, n : int
        Successes among `n` outcomes.

    Returns
    -------
    float
        Likelihood under a uniform mixture of chances over that under 1/2; 1 for n = 0, `inf`
        beyond the largest double.

    Raises
    ------
    UsageError
        Unless 0 <= successes <= n.

    References
    ----------
    Ville, J. (1939), Etude critique de la notion de collectif; Shafer, G. (2021), Testing by
    betting.
    """
    total = whole_number(n, "n", least=0)
    hits = whole_number(successes, "successes", least=0)
    if hits > total:
        raise UsageError(
            f"successes must not exceed n – {hits} of {total} given – pass both of the same rows.",
            code="E_USAGE_NUMBER",
            details={"successes": hits, "n": total},
        )
    mixture = math.lgamma(hits + 1) + math.lgamma(total - hits + 1) - math.lgamma(total + 2)
    log_value = mixture + total * math.log(2.0)
    return math.exp(log_value) if log_value < 709.0 else math.inf


def confidence_sequence_radius(n: float, alpha: float, rho: float) -> float:
    """Half width of an interval around a running mean that holds at all times at once.

    For outcomes in [0, 1], or any that are 1/2-sub-Gaussian (normal mixture, two-sided).

    Parameters
    ----------
    n : float
        Outcomes so far; `inf` radius at 0.
    alpha : float
        Chance of ever leaving the band.
    rho : float
        Above 0; the band is tightest near n of the order of `rho`.

    Returns
    -------
    float
        In the outcomes' unit.

    Raises
    ------
    UsageError
        For a negative `n`, `rho` not above 0, or `alpha` not strictly between 0 and 1.

    References
    ----------
    Howard, S., Ramdas, A., McAuliffe, J. and Sekhon, J. (2021), Time-uniform, nonparametric,
    nonasymptotic confidence sequences.
    """
    level = checked_probability(alpha, "alpha")
    if not (n >= 0 and rho > 0):
        raise UsageError(
            f"n must not be negative and rho must be above 0 – n {n}, rho {rho} given"
            " – pass the count and a positive rho.",
            code="E_USAGE_NUMBER",
            details={"n": n, "rho": rho},
        )
    if n == 0:
        return math.inf
    variance = n / 4.0 + rho
    return math.sqrt(variance * math.log(variance / (rho * level**2))) / n


@lru_cache(maxsize=256)
def required_outcomes_sequential(
    edge: float, baseline: float, alpha: float = 0.05, power: float = 0.8, *, seed: int = 0
) -> float:
    """Outcomes until the e-process passes 1/alpha with probability `power`.

    One call a day: outcomes occur with chance `baseline + edge`, the model always says so, the
    baseline always says `baseline`; their Brier difference feeds :func:`betting_e_process`.
    Found on 10,000 simulated paths (good to about 3 %) and remembered per argument.

    Parameters
    ----------
    edge : float
        Added chance, in probability.
    baseline : float
        The baseline's chance, strictly between 0 and 1, as must be `baseline + edge`.
    alpha, power : float
        Level and the wanted chance of passing.
    seed : int
        Of the simulation.

    Returns
    -------
    float
        Outcomes; `inf` without an edge or where 100,000 do not suffice.

    Raises
    ------
    UsageError
        For chances outside (0, 1).

    References
    ----------
    Waudby-Smith, I. and Ramdas, A. (2024), Estimating means of bounded random variables by
    betting.
    """
    checked_probability(power, "power")
    level = math.log(1.0 / checked_probability(alpha, "alpha"))
    low = checked_probability(baseline, "baseline")
    if edge <= 0:
        return math.inf
    high = checked_probability(low + edge, "baseline + edge")
    both = low + high
    bound = max(both, 2.0 - both)
    win, loss = np.log1p(np.outer(BETS, [(2.0 - both) / bound, -both / bound])).T
    return _simulated_passing(high, win, loss, level, power, seed)


def _simulated_passing(
    chance: float,
    win: NDArray[np.float64],
    loss: NDArray[np.float64],
    level: float,
    power: float,
    seed: int,
) -> float:
    """First look at which the share `power` of the paths has reached the level."""
    rng = np.random.default_rng(seed)
    days = _look_days()
    steps = np.diff(days, prepend=0).tolist()
    below = np.zeros(_PATHS, dtype=np.int64)  # successes of the paths still under the level
    needed = math.ceil(power * _PATHS - 1e-9)
    for step, day, least in zip(steps, days, _least_hits(days, win, loss, level), strict=True):
        below += rng.binomial(step, chance, len(below))
        below = below[below < least]
        if _PATHS - len(below) >= needed:
            return float(day)
    return math.inf


def _look_days() -> NDArray[np.int64]:
    """Every day at first, later every half per cent of the days so far."""
    days = [0]
    while days[-1] < MOST_OUTCOMES:
        days.append(min(days[-1] + max(1, days[-1] // 200), MOST_OUTCOMES))
    return np.array(days[1:])


def _least_hits(
    days: NDArray[np.int64], win: NDArray[np.float64], loss: NDArray[np.float64], level: float
) -> NDArray[np.int64]:
    """Fewest successes after each number of days that lift the capital to the level."""
    low, high = np.zeros_like(days), days + 1  # days + 1: cannot be reached yet
    for _ in range(int(days[-1]).bit_length() + 1):
        middle = (low + high) // 2
        growth = middle[:, None] * win + (days - middle)[:, None] * loss
        top = growth.max(axis=1)
        capital = top + np.log(np.exp(growth - top[:, None]).mean(axis=1))
        enough = capital >= level
        high = np.where(enough & (low < high), middle, high)
        low = np.where(~enough & (low < high), middle + 1, low)
    return high
