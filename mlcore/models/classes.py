"""Which classes of a fold can be learnt, their weights, and the way back to true shares.

A class with too few members is left out of training with a note and keeps its share as its
probability. Balancing weights change the odds a model learns, so they are taken out again from
its log odds; what is left is comparable with the majority baseline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

__all__ = ["ClassPlan", "class_shares"]

Floats = NDArray[np.float64]


def class_shares(y: Floats, weight: Floats, k: int) -> Floats:
    """Weighted share (k,) of each class, half a row added to each so that none is 0."""
    scale = len(y) / weight.sum()
    counts = np.bincount(y.astype(np.int64), weights=weight * scale, minlength=k) + 0.5
    found: Floats = counts / counts.sum()
    return found


@dataclass(frozen=True)
class ClassPlan:
    """Codes that are learnt (none or at least two), every class's share, learnt log weights."""

    learnt: tuple[int, ...]
    share: tuple[float, ...]
    log_weight: tuple[float, ...]

    @classmethod
    def of(cls, y: Floats, weight: Floats, k: int, *, least: int, balance: float) -> Self:
        """The plan for training codes `y`.

        `least` rows make a class learnable; weights are (1 / share) to the power `balance`: 0
        leaves the rows as they are, 1 gives all classes the same weight.
        """
        share = class_shares(y, weight, k)
        learnt = np.flatnonzero(np.bincount(y.astype(np.int64), minlength=k) >= least)
        if len(learnt) < 2:
            return cls((), tuple(share.tolist()), ())
        logs = -balance * np.log(share[learnt])
        # the mean weight of a row is 1, so that leaf sizes and penalties keep their meaning
        logs -= np.log(np.sum(share[learnt] * np.exp(logs)) / share[learnt].sum())
        return cls(tuple(learnt.tolist()), tuple(share.tolist()), tuple(logs.tolist()))

    def notes(self, classes: Sequence[str], y: Floats) -> list[str]:
        """A sentence for each class that is not learnt."""
        counts = np.bincount(y.astype(np.int64), minlength=len(classes)).tolist()
        return [
            f"{name} has {count} training rows, too few to learn: its share stands for it"
            for code, (name, count) in enumerate(zip(classes, counts, strict=True))
            if code not in self.learnt
        ]

    def rows(self, y: Floats) -> NDArray[np.bool_]:
        """Which rows are of a learnt class."""
        return np.isin(y, self.learnt)

    def code(self, y: Floats) -> NDArray[np.int64]:
        """Codes among the learnt classes, 0 … k' − 1."""
        return np.searchsorted(self.learnt, y).astype(np.int64)

    def weights(self, y: Floats) -> Floats:
        """Weight of each row's class."""
        found: Floats = np.exp(np.asarray(self.log_weight))[self.code(y)]
        return found

    def probabilities(self, scores: Floats) -> Floats:
        """Probabilities (n, k) from scores: (n,) for two learnt classes, else (n, k')."""
        table = np.empty((len(scores), len(self.share)))
        table[:] = self.share
        if not self.learnt:
            return table
        logs = self.log_weight
        if scores.ndim == 1:
            second = 1.0 / (1.0 + np.exp(logs[1] - logs[0] - scores))
            parts = np.stack([1.0 - second, second], axis=1)
        else:
            margins = scores - np.asarray(logs)
            raised = np.exp(margins - margins.max(axis=1, keepdims=True))
            parts = raised / raised.sum(axis=1, keepdims=True)
        if len(self.learnt) == len(self.share):
            return parts
        columns = list(self.learnt)
        table[:, columns] = parts * sum(self.share[i] for i in columns)
        return table

    def contrast(self, parts: Floats | None, rows: int, width: int, pair: tuple[int, int]) -> Any:
        """Parts (n, width) of the log odds of class `pair[0]` against `pair[1]`.

        `parts` is (n, k', width), zeros for the first of two learnt classes. Two classes that
        are not learnt differ by a constant, in the last column; one of each has no parts: None.
        """
        inside = [code in self.learnt for code in pair]
        if all(inside) and parts is not None:
            first, second = (self.learnt.index(code) for code in pair)
            found = parts[:, first] - parts[:, second]
            found[:, -1] -= self.log_weight[first] - self.log_weight[second]
            return found
        if any(inside):
            return None
        constant = np.zeros((rows, width))
        constant[:, -1] = np.log(self.share[pair[0]]) - np.log(self.share[pair[1]])
        return constant

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready fields."""
        return {
            "learnt": list(self.learnt),
            "share": list(self.share),
            "log_weight": list(self.log_weight),
        }

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Self:
        """The plan that `as_dict` wrote."""
        return cls(
            tuple(int(i) for i in found["learnt"]),
            tuple(float(x) for x in found["share"]),
            tuple(float(x) for x in found["log_weight"]),
        )
