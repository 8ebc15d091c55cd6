"""The verdict on a paired difference: one rule, one wording, for every page, card and command."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from mlcore.errors import UsageError
from mlcore.statistics._checks import normal_cdf, whole_number

__all__ = ["MINIMUM_OUTCOMES", "Kind", "Verdict", "judge"]

Kind = Literal["few", "edge", "worse", "none", "unsure"]

MINIMUM_OUTCOMES = 30
_WANTED_DSR = 0.95
_WANTED_POWER = 0.8
_MOST_MORE = 10_000


@dataclass(frozen=True)
class Verdict:
    """What a difference to the best baseline says.

    Attributes
    ----------
    kind : str
        few, edge, worse (a kind of no evidence), none, or unsure.
    words : str
        The sentence shown everywhere.
    n : int
        Distinct outcomes.
    difference, low, high : float
        Value and 95 % interval, better is positive; NaN for `few`, where no figure is shown.
    worth : float
        Smallest difference worth having, same unit.
    power : float
        Chance to have seen `worth`; NaN for `few` or without an interval.
    more : int or None
        Further outcomes that would tell, for `unsure` where outcomes are what is missing.
    """

    kind: Kind
    words: str
    n: int
    difference: float
    low: float
    high: float
    worth: float
    power: float
    more: int | None = None


def judge(
    difference: float,
    low: float,
    high: float,
    n: int,
    worth: float,
    *,
    deflated_sharpe: float | None = None,
    traded: bool = False,
    trials: int | None = None,
) -> Verdict:
    """Judge a paired difference to the best baseline.

    Parameters
    ----------
    difference, low, high : float
        Value and 95 % interval, better is positive. An unknown bound (NaN) leaves the verdict
        unsure.
    n : int
        Distinct outcomes.
    worth : float
        Smallest difference worth having, above 0, same unit; frozen before the first look.
    deflated_sharpe : float, optional
        Of the traded series; unknown (None or NaN) never counts as passed.
    traded : bool
        Whether the target has a traded series, whose deflated Sharpe ratio must reach 0.95.
    trials : int, optional
        Distinct specifications tried, for the words.

    Returns
    -------
    Verdict

    Raises
    ------
    UsageError
        For `worth` not above 0, a negative `n`, or bounds in the wrong order.

    References
    ----------
    Bailey, D. and Lopez de Prado, M. (2014), The deflated Sharpe ratio (the 0.95).
    """
    count = whole_number(n, "n", least=0)
    _check_bounds(low, high, worth)
    if count < MINIMUM_OUTCOMES:
        words = f"{count} of {MINIMUM_OUTCOMES} outcomes: too few for a figure"
        return Verdict("few", words, count, math.nan, math.nan, math.nan, worth, math.nan)
    if not (math.isfinite(low) and math.isfinite(high)):
        words = "Inconclusive: no interval could be computed"
        return Verdict("unsure", words, count, difference, low, high, worth, math.nan)
    ratio = _worth_in_errors(low, high, worth)
    power = normal_cdf(ratio - 1.96)
    kind = _kind(low, high, worth, power, _is_beyond_trials(deflated_sharpe, traded))
    more = _outcomes_to_tell(ratio, count) if kind == "unsure" and low <= 0 else None
    words = _words(kind, more, trials)
    return Verdict(kind, words, count, difference, low, high, worth, power, more)


def _check_bounds(low: float, high: float, worth: float) -> None:
    if not 0 < worth < math.inf:
        raise UsageError(
            f"The difference worth having must be above 0 – {worth} given – set it in the"
            " configuration.",
            code="E_USAGE_WORTH",
            details={"worth": worth},
        )
    if low > high:
        raise UsageError(
            f"An interval's low must not exceed its high – {low} and {high} given – swap them.",
            code="E_USAGE_INTERVAL",
            details={"low": low, "high": high},
        )


def _worth_in_errors(low: float, high: float, worth: float) -> float:
    """`worth` in standard errors."""
    error = (high - low) / 3.92
    return math.inf if error == 0 else worth / error


def _outcomes_to_tell(ratio: float, n: int) -> int:
    """Further outcomes until `worth` is seen four times in five, at least 1."""
    return max(1, math.ceil(n * ((2.80 / max(ratio, 1e-6)) ** 2 - 1.0)))


def _is_beyond_trials(deflated_sharpe: float | None, traded: bool) -> bool:
    if deflated_sharpe is None:
        return not traded
    return deflated_sharpe >= _WANTED_DSR


def _kind(low: float, high: float, worth: float, power: float, beyond_trials: bool) -> Kind:
    if low > 0:
        # more than chance, so never "none": at worst lost among the trials
        return "edge" if beyond_trials else "unsure"
    if high < 0:
        return "worse"
    return "none" if high < worth or power >= _WANTED_POWER else "unsure"


def _words(kind: Kind, more: int | None, trials: int | None) -> str:
    if kind == "edge":
        return "Evidence of an edge"
    if kind == "worse":
        return "Worse than the baseline"
    if kind == "none":
        return "No evidence of an edge"
    if more is not None:
        amount = f"about {more:,}" if more <= _MOST_MORE else f"over {_MOST_MORE:,}"
        return f"Inconclusive: {amount} more {'outcome' if more == 1 else 'outcomes'} would tell"
    count = "the" if trials is None else f"{trials:,}"
    return f"Inconclusive: not yet beyond {count} {'trial' if trials == 1 else 'trials'}"
