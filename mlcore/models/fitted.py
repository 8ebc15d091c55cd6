"""A model with all that was learnt around it in one fold: calibration, threshold, baselines.

This is what is kept as a fold model, shipped as a version and asked by the engine: one folder
with the model's own files, `fitted.json`, and a folder for each baseline.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlcore.errors import RegistryError
from mlcore.models.base import load_model, model_inputs
from mlcore.models.calibration import Calibrator
from mlcore.models.contract import Model

__all__ = ["Fitted"]

Floats = NDArray[np.float64]
Columns = pd.DataFrame | Mapping[str, Any]
_FILE = "fitted.json"


@dataclass(frozen=True)
class Fitted:
    """One fold's model and what it learnt beside it.

    Attributes
    ----------
    model, calibrator, baselines
        The baselines are fitted on the same training rows.
    cut
        The latest `due_at` of a training row, int64 ns: an earlier decision is in sample.
    threshold
        A side is taken from this score on; `inf` takes none; None where nothing is taken.
    residual
        Quantiles 0.025 and 0.975 of outcome less calibrated value on the calibration part, the
        interval of a regression; None where too few rows were there.
    rows
        How many labelled rows fitted, stopped and calibrated it.
    """

    model: Model
    calibrator: Calibrator
    cut: int
    baselines: Mapping[str, Model] = field(default_factory=dict)
    threshold: float | None = None
    residual: tuple[float, float] | None = None
    rows: tuple[int, int, int] = (0, 0, 0)

    def raw(self, features: Floats, frame: Columns) -> Floats:
        """The model's own probabilities (n, k) or values (n,)."""
        return _ask(self.model, features, frame)

    def answer(self, features: Floats, frame: Columns) -> tuple[Floats, Floats]:
        """Raw and calibrated probabilities (n, k) or values (n,)."""
        raw = self.raw(features, frame)
        return raw, self.calibrator.apply(raw)

    def stated(self, features: Floats, frame: Columns) -> dict[str, Floats]:
        """What each baseline says of the same rows."""
        return {name: _ask(base, features, frame) for name, base in self.baselines.items()}

    def save(self, directory: Path) -> None:
        """Write the model, `fitted.json` and the baselines; same content, same bytes."""
        self.model.save(directory)
        for name, base in self.baselines.items():
            base.save(directory / "baselines" / name)
        threshold = "none" if self.threshold == np.inf else self.threshold
        found = {
            "calibration": self.calibrator.to_json(),
            "cut": self.cut,
            "baselines": sorted(self.baselines),
            "threshold": threshold,
            "residual": None if self.residual is None else list(self.residual),
            "rows": list(self.rows),
        }
        text = json.dumps(found, indent=1, sort_keys=True, allow_nan=False)
        (directory / _FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """What `save` wrote; the registry checks the hashes before.

        Raises
        ------
        RegistryError
            A file is missing or cannot be read.
        """
        try:
            found = json.loads((directory / _FILE).read_text(encoding="utf-8"))
            names = [str(name) for name in found["baselines"]]
            threshold, residual = found["threshold"], found["residual"]
            return cls(
                model=load_model(directory),
                calibrator=Calibrator.from_json(found["calibration"]),
                cut=int(found["cut"]),
                baselines={name: load_model(directory / "baselines" / name) for name in names},
                threshold=np.inf if threshold == "none" else threshold,
                residual=None if residual is None else (float(residual[0]), float(residual[1])),
                rows=(found["rows"][0], found["rows"][1], found["rows"][2]),
            )
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise RegistryError(
                f"A version's folder holds a readable {_FILE} and its models – "
                f"{directory.name} does not – restore the folder or train again.",
                code="E_MODEL_FILE",
            ) from error


def _ask(model: Model, features: Floats, frame: Columns) -> Floats:
    inputs = model_inputs(model, features, frame)
    return model.predict(inputs) if model.task == "regression" else model.predict_proba(inputs)
