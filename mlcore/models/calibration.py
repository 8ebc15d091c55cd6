"""From what a model says to what comes true: sigmoid, temperature, or a line for values.

Each has one or two parameters, keeps the order of answers, and is pulled towards leaving them
as they are by a penalty worth a few rows, so that a small calibration part cannot overturn a
model. Everything is learnt on rows the model was not fitted on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mlcore.errors import UsageError

__all__ = ["Calibrator", "Method"]

Method = Literal["auto", "identity", "sigmoid", "temperature", "line"]
Floats = NDArray[np.float64]
_FEWEST = 20
_LOWEST = 1e-6
_PULL = 4.0  # one over the squared prior spread (½) of slope, shift and log temperature
_PULL_LINE = 100.0  # of a line's shift, in units of its outcomes' spread


@dataclass(frozen=True)
class Calibrator:
    """A monotone map of answers: `slope` and `shift` on log odds or values.

    `sigmoid` maps the log odds z of two classes to slope · z + shift, `temperature` divides
    the log probabilities of any number of classes by 1 / slope, `line` maps a value v to
    slope · v + shift, `identity` leaves answers as they are. `n` rows were learnt from.
    """

    method: str = "identity"
    slope: float = 1.0
    shift: float = 0.0
    n: int = 0

    @classmethod
    def fit(cls, p_raw: ArrayLike, y: ArrayLike, method: Method = "auto") -> Self:
        """Learn from answers and outcomes of rows the model has not seen.

        Parameters
        ----------
        p_raw
            (n, k) probabilities, or (n,) values of a regression; none missing.
        y
            (n,) class codes or values, none missing.
        method
            `auto`: sigmoid for two classes, temperature for more, a line for values; identity
            for fewer than 20 rows or rows of one class.

        Raises
        ------
        UsageError
            A method that does not fit the shape, or arrays of different length.

        References
        ----------
        Platt, J. (1999), Probabilistic outputs for support vector machines. Guo, C. et al.
        (2017), On calibration of modern neural networks.
        """
        given, outcome = np.asarray(p_raw, np.float64), np.asarray(y, np.float64)
        chosen = _choose(method, given, outcome)
        slope, shift = _FITS[chosen](given, outcome)
        return cls(chosen, slope, shift, len(outcome))

    def apply(self, p: ArrayLike) -> Floats:
        """Calibrated answers of the same shape; probabilities still sum to 1."""
        given = np.asarray(p, np.float64)
        if self.method == "identity":
            return given
        if self.method == "line":
            return self.slope * given + self.shift
        if self.method == "sigmoid":
            clipped = np.clip(given[:, 1], _LOWEST, 1.0 - _LOWEST)
            odds = np.log(clipped / (1.0 - clipped))
            second = 1.0 / (1.0 + np.exp(-(self.slope * odds + self.shift)))
            return np.stack([1.0 - second, second], axis=1)
        return _cooled(np.log(np.maximum(given, _LOWEST)), self.slope)

    def to_json(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return {"method": self.method, "slope": self.slope, "shift": self.shift, "n": self.n}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Self:
        """The calibrator that `to_json` wrote."""
        method = str(found["method"])
        if method not in _FITS:
            raise UsageError(
                f"A calibration is one of {', '.join(_FITS)} – {ascii(method)[:40]} was given – "
                "restore the file or train again.",
                code="E_MODEL_CALIBRATION",
            )
        return cls(method, float(found["slope"]), float(found["shift"]), int(found["n"]))


def _choose(method: Method, given: Floats, outcome: Floats) -> str:
    if given.ndim not in (1, 2) or outcome.shape != given.shape[:1]:
        raise UsageError(
            "Calibration pairs answers (n, k) or (n,) with n outcomes – shapes "
            f"{given.shape} and {outcome.shape} were given – select the same rows for both.",
            code="E_MODEL_CALIBRATION",
        )
    fits = "line" if given.ndim == 1 else "sigmoid" if given.shape[1] == 2 else "temperature"
    allowed = {"auto", "identity", fits} | ({"temperature"} if given.ndim == 2 else set())
    if method not in allowed:
        raise UsageError(
            f"Answers of shape {given.shape} are calibrated by {', '.join(sorted(allowed))} – "
            f"{method!r} was given – choose one.",
            code="E_MODEL_CALIBRATION",
        )
    if method == "identity" or len(outcome) < _FEWEST or np.ptp(outcome) == 0:
        return "identity"
    return fits if method == "auto" else method


def _fit_identity(given: Floats, outcome: Floats) -> tuple[float, float]:
    return 1.0, 0.0


def _fit_sigmoid(given: Floats, outcome: Floats) -> tuple[float, float]:
    clipped = np.clip(given[:, 1], _LOWEST, 1.0 - _LOWEST)
    odds = np.log(clipped / (1.0 - clipped))
    table = np.column_stack([odds, np.ones(len(odds))])
    start = theta = np.array([1.0, 0.0])
    for _ in range(50):
        p = 1.0 / (1.0 + np.exp(-(table @ theta)))
        slope = table.T @ (p - outcome) + _PULL * (theta - start)
        curve = (table * (p * (1.0 - p))[:, None]).T @ table + _PULL * np.eye(2)
        step = np.linalg.solve(curve, slope)
        theta = theta - np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-10:
            break
    if theta[0] > 0:
        return float(theta[0]), float(theta[1])
    rate = (outcome.sum() + 1.0) / (len(outcome) + 2.0)
    return 0.0, float(np.log(rate / (1.0 - rate)))


def _cooled(logs: Floats, slope: float) -> Floats:
    raised = np.exp(slope * (logs - logs.max(axis=1, keepdims=True)))
    found: Floats = raised / raised.sum(axis=1, keepdims=True)
    return found


def _fit_temperature(given: Floats, outcome: Floats) -> tuple[float, float]:
    from scipy.optimize import minimize_scalar

    logs = np.log(np.maximum(given, _LOWEST))
    rows, codes = np.arange(len(outcome)), outcome.astype(np.int64)

    def loss(log_slope: float) -> float:
        chosen = _cooled(logs, float(np.exp(log_slope)))[rows, codes]
        return float(-np.log(np.maximum(chosen, 1e-300)).sum() + _PULL / 2 * log_slope**2)

    found = minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(found.x)), 0.0


def _fit_line(given: Floats, outcome: Floats) -> tuple[float, float]:
    noise = float(np.var(outcome - given)) or 1.0
    table = np.column_stack([given, np.ones(len(given))])
    pull = np.diag([_PULL, _PULL_LINE / float(np.var(outcome))])
    start = np.array([1.0, 0.0])
    curve = table.T @ table / noise + pull
    theta = start + np.linalg.solve(curve, table.T @ (outcome - given) / noise)
    if theta[0] > 0:
        return float(theta[0]), float(theta[1])
    return 0.0, float(outcome.mean())


_FITS: dict[str, Callable[[Floats, Floats], tuple[float, float]]] = {
    "identity": _fit_identity,
    "sigmoid": _fit_sigmoid,
    "temperature": _fit_temperature,
    "line": _fit_line,
}
