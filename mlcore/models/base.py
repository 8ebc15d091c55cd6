"""The kinds of models there are, and how one is made or loaded by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlcore.errors import RegistryError, UsageError
from mlcore.models.baselines import Majority, Mechanical, Persistence, SideRate
from mlcore.models.contract import BaseModel, Model, Stop, Task, cancelled_error, read_description
from mlcore.models.linear import Logistic, Ridge
from mlcore.models.trees import LightGBM

__all__ = [
    "BASELINE_KINDS",
    "MODEL_KINDS",
    "Model",
    "Stop",
    "Task",
    "cancelled_error",
    "load_model",
    "make_model",
    "model_inputs",
]

_BASELINES: tuple[type[BaseModel], ...] = (Majority, Persistence, Mechanical, SideRate)
_ALL: tuple[type[BaseModel], ...] = (LightGBM, Logistic, Ridge, *_BASELINES)
_KINDS: dict[str, type[BaseModel]] = {kind.kind: kind for kind in _ALL}
MODEL_KINDS: tuple[str, ...] = tuple(_KINDS)
BASELINE_KINDS: tuple[str, ...] = tuple(kind.kind for kind in _BASELINES)


def make_model(
    kind: str,
    *,
    task: Task,
    classes: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int = 1,
) -> BaseModel:
    """An unfitted model of a kind in `MODEL_KINDS`; the logistic of a regression is its ridge.

    Raises
    ------
    UsageError
        An unknown kind, or a parameter the kind does not have.
    """
    if kind not in _KINDS:
        near = difflib.get_close_matches(str(kind), MODEL_KINDS, n=1)
        hint = f"Did you mean {near[0]}?" if near else "choose one of these."
        raise UsageError(
            f"A model is one of {', '.join(MODEL_KINDS)} – {ascii(kind)[:40]} was given – {hint}",
            code="E_MODEL_KIND",
            details={"known": list(MODEL_KINDS)},
        )
    if kind == Logistic.kind and task == "regression":
        kind = Ridge.kind
    return _KINDS[kind](task=task, classes=classes, params=params, seed=seed, threads=threads)


def load_model(directory: Path) -> BaseModel:
    """The model of a folder, of the kind its `model.json` names.

    The registry checks the files' hashes before this parses them.

    Raises
    ------
    RegistryError
        No readable description, an unknown kind, or damaged files.
    """
    kind = read_description(directory)["kind"]
    if kind not in _KINDS:
        raise RegistryError(
            f"This version knows {', '.join(MODEL_KINDS)} – {directory.name} holds "
            f"{ascii(kind)[:40]} – update, or train again.",
            code="E_MODEL_KIND",
        )
    return _KINDS[kind].load(directory)


def model_inputs(
    model: Model, features: NDArray[np.float64], frame: pd.DataFrame | Mapping[str, Any]
) -> NDArray[np.float64]:
    """What `model` reads of rows: their features (n, f), or the columns it `needs`.

    Raises
    ------
    UsageError
        The frame lacks a column the model needs.
    """
    if not model.needs:
        return features
    missing = [name for name in model.needs if name not in frame]
    if missing:
        raise UsageError(
            f"The {model.kind} model reads the columns {', '.join(model.needs)} – "
            f"{', '.join(missing)} is missing – use another baseline for this target.",
            code="E_MODEL_COLUMNS",
        )
    return np.column_stack([np.asarray(frame[name], dtype=np.float64) for name in model.needs])
