"""What a model has to beat: the majority, the last outcome, a rate per side, plain arithmetic.

A baseline reads named columns of the rows frame (`needs`) instead of features. All state
probabilities, so that they can be scored as models are.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import UsageError
from mlcore.models.classes import class_shares
from mlcore.models.contract import BaseModel

__all__ = ["Majority", "Mechanical", "Persistence", "SideRate"]

Floats = NDArray[np.float64]
_SURE = 0.99


class _Baseline(BaseModel):
    """Shares of the training rows, or their mean, that every baseline falls back to."""

    _share: Floats

    def _fit(
        self, X: Floats, y: Floats, weight: Floats, valid: tuple[Floats, Floats] | None
    ) -> None:
        self._share = self._typical(y, weight)

    def _typical(self, y: Floats, weight: Floats) -> Floats:
        """Class shares (k,), or the mean (1,) of a regression."""
        if self.task == "classification":
            return class_shares(y, weight, len(self.classes_))
        return np.asarray([np.average(y, weights=weight)])

    def _plain(self, rows: int) -> Floats:
        table = np.repeat(self._share[None, :], rows, axis=0)
        return table if self.task == "classification" else table[:, 0]

    def _state(self, directory: Path) -> dict[str, Any]:
        return {"share": self._share.tolist()}

    def _restore(self, state: dict[str, Any], directory: Path) -> None:
        self._share = np.asarray(state["share"], dtype=np.float64)


class Majority(_Baseline):
    """The training shares as probabilities, so the most frequent class; the mean for values."""

    kind: ClassVar[str] = "majority"

    def _answer(self, X: Floats) -> Floats:
        return self._plain(len(X))


class Persistence(_Baseline):
    """The last outcome known at the decision comes again; its column is `last_y`.

    The stated probability is how often that was right in training, but never so low that
    another class would be the answer. Without a last outcome it answers as the majority.
    """

    kind: ClassVar[str] = "persistence"
    needs: ClassVar[tuple[str, ...]] = ("last_y",)
    _right = 0.5

    def _fit(
        self, X: Floats, y: Floats, weight: Floats, valid: tuple[Floats, Floats] | None
    ) -> None:
        super()._fit(X, y, weight, valid)
        known = np.isfinite(X[:, 0])
        right = float(weight[known] @ (X[known, 0] == y[known]))
        self._right = (right + 1.0) / (float(weight[known].sum()) + 2.0)

    def _answer(self, X: Floats) -> Floats:
        table = self._plain(len(X))
        last = X[:, 0]
        known = np.isfinite(last)
        if self.task == "regression":
            return np.where(known, last, table)
        rows, codes = np.flatnonzero(known), last[known].astype(np.int64)
        stated = min(max(self._right, 0.5 + 1e-6), _SURE)
        rest = 1.0 - self._share[codes]
        table[rows] *= ((1.0 - stated) / rest)[:, None]
        table[rows, codes] = stated
        return table

    def _state(self, directory: Path) -> dict[str, Any]:
        return {**super()._state(directory), "right": self._right}

    def _restore(self, state: dict[str, Any], directory: Path) -> None:
        super()._restore(state, directory)
        self._right = float(state["right"])


class SideRate(_Baseline):
    """The training base rate, or mean R, of the row's own side; its column is `side`."""

    kind: ClassVar[str] = "side_rate"
    needs: ClassVar[tuple[str, ...]] = ("side",)
    _sides: Floats  # (2, k): down, up

    def _fit(
        self, X: Floats, y: Floats, weight: Floats, valid: tuple[Floats, Floats] | None
    ) -> None:
        super()._fit(X, y, weight, valid)
        parts = [X[:, 0] < 0, X[:, 0] > 0]
        self._sides = np.stack(
            [self._typical(y[at], weight[at]) if at.any() else self._share for at in parts]
        )

    def _answer(self, X: Floats) -> Floats:
        side = X[:, 0:1]
        table = np.where(side > 0, self._sides[1], np.where(side < 0, self._sides[0], self._share))
        return table if self.task == "classification" else table[:, 0]

    def _state(self, directory: Path) -> dict[str, Any]:
        return {**super()._state(directory), "sides": self._sides.tolist()}

    def _restore(self, state: dict[str, Any], directory: Path) -> None:
        super()._restore(state, directory)
        self._sides = np.asarray(state["sides"], dtype=np.float64)


class Mechanical(_Baseline):
    """P(UP first) of a driftless walk, (close − low) / (high − low); its column is `p_up`.

    Clipped to [0.01, 0.99]; P(NONE) is the training share. An unknown p counts as ½.

    References
    ----------
    Doob, J. (1953), Stochastic processes (optional stopping of a martingale between bounds).
    """

    kind: ClassVar[str] = "mechanical"
    needs: ClassVar[tuple[str, ...]] = ("p_up",)

    def _fit(
        self, X: Floats, y: Floats, weight: Floats, valid: tuple[Floats, Floats] | None
    ) -> None:
        if not {"UP", "DOWN"} <= set(self.classes_):
            raise UsageError(
                "The mechanical baseline needs the classes UP and DOWN – "
                f"{', '.join(self.classes_) or 'a regression'} was given – use majority.",
                code="E_MODEL_CLASS",
            )
        super()._fit(X, y, weight, valid)

    def _answer(self, X: Floats) -> Floats:
        table = self._plain(len(X))
        up, down = self.classes_.index("UP"), self.classes_.index("DOWN")
        left = self._share[up] + self._share[down]
        chance = np.clip(np.where(np.isnan(X[:, 0]), 0.5, X[:, 0]), 0.01, 0.99)
        table[:, up], table[:, down] = left * chance, left * (1.0 - chance)
        return table
