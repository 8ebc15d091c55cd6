"""Logistic regression and ridge: scaled inputs, coefficients as JSON, plain numpy answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mlcore.models.classes import ClassPlan
from mlcore.models.contract import BaseModel, Task

__all__ = ["Logistic", "Ridge"]

Floats = NDArray[np.float64]
_CLIP = 5.0  # standard deviations: one wild input must not carry an answer away


class Logistic(BaseModel):
    """L2-penalised logistic regression.

    Median and spread of each input are learnt from the training rows; a missing input counts
    as the median. Parameters (`params`): `strength` of the penalty in rows, `least` rows of a
    class to learn it.

    References
    ----------
    le Cessie, S. and van Houwelingen, J. (1992), Ridge estimators in logistic regression.
    """

    kind: ClassVar[str] = "logistic"
    tasks: ClassVar[tuple[Task, ...]] = ("classification",)
    defaults: ClassVar[dict[str, Any]] = {"strength": 50.0, "least": 10, "balance": 0.0}

    _plan: ClassPlan | None = None
    _centre: Floats
    _spread: Floats
    _coefficients: Floats  # (outputs, f)
    _intercepts: Floats  # (outputs,)

    def importance(self) -> dict[str, float]:
        """Share of the sum of absolute standardised coefficients."""
        size = np.abs(self._coefficients).sum(axis=0) if len(self._intercepts) else None
        if size is None or not size.sum():
            return dict.fromkeys(self.feature_names, 0.0)
        parts = (size / size.sum()).tolist()
        return dict(zip(self.feature_names, parts, strict=True))

    def contributions(
        self, X: Any, *, toward: str | None = None, against: str | None = None
    ) -> Floats | None:
        """Coefficient times scaled input (n, f + 1): parts of the margin, last the intercept."""
        table = self._scaled(self._matrix(X))
        rows, width = len(table), table.shape[1] + 1
        parts = np.empty((rows, len(self._intercepts), width))
        parts[:, :, :-1] = table[:, None, :] * self._coefficients
        parts[:, :, -1] = self._intercepts
        if self._plan is None:
            return parts[:, 0]
        if parts.shape[1] == 1:
            parts = np.concatenate([np.zeros_like(parts), parts], axis=1)
        pair = self._contrast(toward, against)
        found: Floats | None = self._plan.contrast(parts, rows, width, pair)
        return found

    def _fit(
        self, X: Floats, y: Floats, weight: Floats, valid: tuple[Floats, Floats] | None
    ) -> None:
        self._learn_scale(X)
        self._coefficients, self._intercepts = np.zeros((0, X.shape[1])), np.zeros(0)
        self._plan = None
        if self.task == "classification":
            k, own = len(self.classes_), self.params
            self._plan = ClassPlan.of(y, weight, k, least=own["least"], balance=own["balance"])
            self.notes += self._plan.notes(self.classes_, y)
            if not self._plan.learnt:
                return
            kept = self._plan.rows(y)
            X, y, weight = X[kept], y[kept], weight[kept] * self._plan.weights(y[kept])
        self._solve(self._scaled(X), y, weight)

    def _solve(self, table: Floats, y: Floats, weight: Floats) -> None:
        from sklearn.linear_model import LogisticRegression
        from sklearn.linear_model import Ridge as LeastSquares

        strength = float(self.params["strength"])
        if self._plan is None:
            ridge = LeastSquares(alpha=strength, solver="cholesky").fit(
                table, y, sample_weight=weight
            )
            self._coefficients = np.ascontiguousarray(np.atleast_2d(ridge.coef_))
            self._intercepts = np.atleast_1d(ridge.intercept_).astype(np.float64)
            return
        logistic = LogisticRegression(C=1.0 / strength, solver="newton-cholesky", tol=1e-6)
        logistic.fit(table, self._plan.code(y), sample_weight=weight)
        self._coefficients = np.ascontiguousarray(logistic.coef_)
        self._intercepts = np.ascontiguousarray(logistic.intercept_)

    def _learn_scale(self, X: Floats) -> None:
        present = np.isfinite(X)
        known = present.any(axis=0)
        filled = np.where(known, X, 0.0)
        self._centre = np.nanmedian(filled, axis=0)
        low, high = np.nanquantile(filled, [0.25, 0.75], axis=0)
        robust, plain = (high - low) / 1.349, np.nanstd(filled, axis=0)
        spread = np.where(robust > 0, robust, plain)
        self._spread = np.where(spread > 0, spread, np.inf)

    def _scaled(self, X: Floats) -> Floats:
        table = np.clip((X - self._centre) / self._spread, -_CLIP, _CLIP)
        table[np.isnan(table)] = 0.0
        return table

    def _answer(self, X: Floats) -> Floats:
        if self._plan is not None and not self._plan.learnt:
            return self._plan.probabilities(np.zeros(len(X)))
        scores: Floats = self._scaled(X) @ self._coefficients.T + self._intercepts
        if scores.shape[1] == 1:
            scores = scores[:, 0]
        return scores if self._plan is None else self._plan.probabilities(scores)

    def _state(self, directory: Path) -> dict[str, Any]:
        return {
            "plan": None if self._plan is None else self._plan.as_dict(),
            "centre": self._centre.tolist(),
            # a constant input has an infinite spread, which JSON cannot write
            "spread": [None if np.isinf(x) else x for x in self._spread.tolist()],
            "coefficients": self._coefficients.tolist(),
            "intercepts": self._intercepts.tolist(),
        }

    def _restore(self, state: dict[str, Any], directory: Path) -> None:
        self._plan = None if state["plan"] is None else ClassPlan.from_dict(state["plan"])
        self._centre = np.asarray(state["centre"], dtype=np.float64)
        self._spread = np.asarray([np.inf if x is None else x for x in state["spread"]])
        width = len(self.feature_names)
        table = np.asarray(state["coefficients"], dtype=np.float64)
        self._coefficients = table.reshape(-1, width)
        self._intercepts = np.asarray(state["intercepts"], dtype=np.float64)


class Ridge(Logistic):
    """L2-penalised least squares for values; inputs and files as for `Logistic`.

    References
    ----------
    Hoerl, A. and Kennard, R. (1970), Ridge regression.
    """

    kind: ClassVar[str] = "ridge"
    tasks: ClassVar[tuple[Task, ...]] = ("regression",)
