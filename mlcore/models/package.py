"""A version's files: what it was asked to learn, the shipped fit, and every fold's fit.

`spec.json` says what, `shipped/` answers today, `folds/0003/` answer past days that they could
not have seen. Folds are read when a replay asks for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from mlcore.errors import RegistryError
from mlcore.models.fitted import Fitted

__all__ = ["Package"]

_SPEC = "spec.json"


class Package:
    """The specification of a version, its shipped fit and its fold fits.

    Parameters
    ----------
    spec
        JSON-ready facts: label, symbol, timeframe, features, model kind, parameters, splits,
        seed, hashes, and the training range of every input.
    shipped
        The fit on all rows up to the cut.
    folds
        Walk-forward fits in order of their cut.
    """

    def __init__(
        self, spec: Mapping[str, Any], shipped: Fitted, folds: Sequence[Fitted] | None = None
    ) -> None:
        self.spec = dict(spec)
        self.shipped = shipped
        self._folds = None if folds is None else tuple(folds)
        self._place: Path | None = None

    @cached_property
    def folds(self) -> tuple[Fitted, ...]:
        """The fold fits, oldest cut first; read from disk at first use."""
        if self._folds is not None:
            return self._folds
        if self._place is None:
            return ()
        return tuple(Fitted.load(f) for f in sorted((self._place / "folds").glob("[0-9]*")))

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the inputs, in the model's order."""
        return tuple(self.spec["features"])

    def fold_for(self, decision_at: np.ndarray) -> np.ndarray:
        """For each decision the latest fold whose every training `due_at` lies before; or −1."""
        cuts = np.array([fold.cut for fold in self.folds], dtype=np.int64)
        return np.searchsorted(cuts, np.asarray(decision_at), side="left") - 1

    def write(self, folder: Path) -> None:
        """Write everything below an empty folder; same content, same bytes."""
        text = json.dumps(self.spec, indent=1, sort_keys=True, allow_nan=False)
        (folder / _SPEC).write_text(text + "\n", encoding="utf-8")
        self.shipped.save(folder / "shipped")
        for number, fold in enumerate(self.folds):
            fold.save(folder / "folds" / f"{number:04d}")

    @classmethod
    def read(cls, folder: Path) -> Self:
        """What `write` wrote; hashes are the registry's to check before.

        Raises
        ------
        RegistryError
            `spec.json` cannot be read.
        """
        try:
            spec = json.loads((folder / _SPEC).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise RegistryError(
                f"A version's folder holds a readable {_SPEC} – {folder.name} does not – restore "
                "the folder or train again.",
                code="E_MODEL_FILE",
            ) from error
        package = cls(spec, Fitted.load(folder / "shipped"))
        package._place = folder
        return package
