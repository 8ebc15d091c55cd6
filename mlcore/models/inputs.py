"""What goes into a model, checked at the door: columns, finite values, weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlcore.errors import UsageError

__all__ = ["Inputs", "column_names", "feature_matrix", "row_weights"]

Inputs = pd.DataFrame | NDArray[np.float64]


def column_names(X: Inputs) -> tuple[str, ...]:
    """Names of a frame's columns; f0, f1 … for an array."""
    if isinstance(X, pd.DataFrame):
        return tuple(str(name) for name in X.columns)
    return tuple(f"f{i}" for i in range(np.shape(X)[1] if np.ndim(X) == 2 else 0))


def feature_matrix(X: Inputs, names: tuple[str, ...]) -> NDArray[np.float64]:
    """`X` as a C-contiguous float64 table (n, f); NaN is a missing value.

    Raises
    ------
    UsageError
        Another number, order or name of columns, or an infinite value.
    """
    if isinstance(X, pd.DataFrame) and tuple(X.columns) != names:
        given = [str(name) for name in X.columns]
        wrong = next((g for g, n in zip(given, names, strict=False) if g != n), "their number")
        raise UsageError(
            f"Inputs have the model's {len(names)} columns in its order – {len(given)} were "
            f"given, first difference: {wrong} – select X[list(model.feature_names)].",
            code="E_MODEL_COLUMNS",
        )
    table = np.ascontiguousarray(X, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] != len(names):
        raise UsageError(
            f"Inputs have the model's {len(names)} columns in its order – an array of shape "
            f"{table.shape} was given – pass one row a decision.",
            code="E_MODEL_COLUMNS",
        )
    if np.isinf(table).any():
        column = names[int(np.flatnonzero(np.isinf(table).any(axis=0))[0])]
        raise UsageError(
            f"Inputs are finite or missing (NaN) – {column} is infinite – mend that feature.",
            code="E_MODEL_INPUT",
        )
    return table


def row_weights(weight: Any, rows: int) -> NDArray[np.float64]:
    """Weights (rows,), ones by default; UsageError unless finite and at least 0."""
    if weight is None:
        return np.ones(rows)
    weights = np.asarray(weight, dtype=np.float64)
    if weights.shape != (rows,) or not np.isfinite(weights).all() or (weights < 0).any():
        raise UsageError(
            f"Weights are finite, at least 0, one a row – {weights.shape} for {rows} rows was "
            "given – repair them.",
            code="E_MODEL_WEIGHT",
        )
    return weights
