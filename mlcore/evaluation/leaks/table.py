"""The rows that a prover compares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["Table"]


@dataclass(frozen=True)
class Table:
    """What a builder makes of bars: one row a decision.

    `decision_at` int64 ns (n,), `key` text (n,) unique per decision, `X` float64 (n, f) with
    columns `names`, `y` float64 (n,) or None; NaN is a value like another.
    """

    decision_at: np.ndarray
    key: np.ndarray
    names: tuple[str, ...]
    X: np.ndarray
    y: np.ndarray | None = None
