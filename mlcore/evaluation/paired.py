"""The paired difference a verdict rests on: model against the best baseline, row by row.

Accuracy for classes, net R a range for trades on ranges, skill in absolute error for other
values. The best baseline is the one with the best point value on the same rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mlcore.config import Edge
from mlcore.evaluation.intervals import Days, Figure, ratio_figure
from mlcore.evaluation.scores import best_of, credit
from mlcore.evaluation.traded import Taken
from mlcore.statistics import MINIMUM_OUTCOMES, Verdict, judge

__all__ = ["Measure", "Paired", "paired_accuracy", "paired_net_r", "paired_skill", "verdict_of"]

Floats = NDArray[np.float64]
Measure = Literal["accuracy", "net_r", "skill"]


@dataclass(frozen=True)
class Paired:
    """Rows of a comparison: Σ lead / Σ weight is the difference to a baseline, better positive.

    `n` counts outcomes (rows, or ranges), `value` is the model's own figure, `values` the
    baselines'; `leads` and `weights` (rows,) are per baseline, `day` is each row's trading day.
    """

    measure: Measure
    day: NDArray[np.int64]
    n: int
    value: float
    values: Mapping[str, float]
    leads: Mapping[str, Floats]
    weights: Mapping[str, Floats]

    @property
    def best(self) -> str | None:
        """The baseline with the best value."""
        return best_of(self.values, higher=self.measure != "skill")

    def difference(
        self, *, horizon: float, seed: int, draws: int, against: str | None = None
    ) -> Figure:
        """Lead over the best baseline, or the one named; NaN for fewer than 30 outcomes."""
        best = against or self.best
        if best is None or self.n < MINIMUM_OUTCOMES:
            return Figure(math.nan, math.nan, math.nan)
        days = Days.of(self.day, horizon=horizon, seed=seed, draws=draws)
        return ratio_figure(days, self.leads[best], self.weights[best])


def paired_accuracy(
    day: NDArray[np.int64], y: NDArray[np.int64], model: Floats, baselines: Mapping[str, Floats]
) -> Paired:
    """Share of right calls, an undecided ½ counting half; probabilities (n, k)."""
    mine = credit(y, model)
    others = {name: credit(y, p) for name, p in baselines.items()}
    ones = dict.fromkeys(others, np.ones(len(y)))
    values = {name: _ratio(parts, ones[name]) for name, parts in others.items()}
    leads = {name: mine - parts for name, parts in others.items()}
    value = _ratio(mine, np.ones(len(y)))
    return Paired("accuracy", day, len(y), value, values, leads, ones)


def paired_net_r(day: NDArray[np.int64], taken: Taken, every: Taken) -> Paired:
    """Net R a range of what was taken, against no trade and every trade."""
    chances = taken.chances
    others = {"no_trade": np.zeros(len(day)), "every_trade": every.net}
    weights = dict.fromkeys(others, chances)
    values = {name: _ratio(parts, chances) for name, parts in others.items()}
    leads = {name: taken.net - parts for name, parts in others.items()}
    n = int(chances.sum())
    return Paired("net_r", day, n, _ratio(taken.net, chances), values, leads, weights)


def paired_skill(
    day: NDArray[np.int64], y: Floats, model: Floats, baselines: Mapping[str, Floats]
) -> Paired:
    """Share of a baseline's absolute error that the model saves; values are mean errors."""
    mine = np.abs(y - model)
    errors = {name: np.abs(y - parts) for name, parts in baselines.items()}
    ones = np.ones(len(y))
    values = {name: _ratio(parts, ones) for name, parts in errors.items()}
    leads = {name: parts - mine for name, parts in errors.items()}
    return Paired("skill", day, len(y), _ratio(mine, ones), values, leads, errors)


def verdict_of(
    paired: Paired,
    figure: Figure,
    worth: Edge,
    *,
    traded: bool,
    dsr: float | None,
    trials: int | None,
) -> Verdict:
    """Judge a comparison by the smallest edge worth having of its measure."""
    least = {"accuracy": worth.accuracy, "net_r": worth.net_r, "skill": worth.skill}
    return judge(
        figure.value,
        figure.low,
        figure.high,
        paired.n,
        least[paired.measure],
        deflated_sharpe=dsr,
        traded=traded,
        trials=trials,
    )


def _ratio(above: Floats, below: Floats) -> float:
    total = float(below.sum())
    return float(above.sum()) / total if total else math.nan
