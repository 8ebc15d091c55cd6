"""The narrow waist every kind of model meets: fit, predict, save and load over frames.

A class is a code 0 … k−1 in the order of `classes_`; a missing input is NaN and stays missing;
rows of weight zero count as absent. Nothing here knows bars, trading or the registry.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import JobError, RegistryError, TooFewBars, UsageError
from mlcore.models.inputs import Inputs, column_names, feature_matrix, row_weights

__all__ = [
    "FORMAT",
    "BaseModel",
    "Inputs",
    "Model",
    "Stop",
    "Task",
    "Valid",
    "cancelled_error",
    "read_description",
]

Task = Literal["classification", "regression"]
Valid = tuple[Inputs, NDArray[Any]]
Stop = Callable[[], bool]

FORMAT = 1
_FILE = "model.json"


@runtime_checkable
class Model(Protocol):
    """What the rest of the house knows of a model.

    `needs` names columns of the rows frame that the model reads instead of features (baselines);
    it is empty for models of features.
    """

    kind: ClassVar[str]
    needs: ClassVar[tuple[str, ...]]
    task: Task
    classes_: tuple[str, ...]
    feature_names: tuple[str, ...]
    params: dict[str, Any]
    notes: list[str]
    curves: dict[str, Any]
    stop: Stop | None

    def fit(
        self,
        X: Inputs,
        y: NDArray[Any],
        weight: NDArray[np.float64] | None = None,
        valid: Valid | None = None,
    ) -> Self:
        """Learn from labelled rows."""

    def predict_proba(self, X: Inputs) -> NDArray[np.float64]:
        """Probabilities (n, k)."""

    def predict(self, X: Inputs) -> NDArray[np.float64]:
        """Values (n,)."""

    def contributions(
        self, X: Inputs, *, toward: str | None = None, against: str | None = None
    ) -> NDArray[np.float64] | None:
        """Parts of the margin (n, f + 1), or None."""

    def margin(
        self, X: Inputs, *, toward: str | None = None, against: str | None = None
    ) -> NDArray[np.float64]:
        """Log odds of two classes, or values (n,)."""

    def importance(self) -> dict[str, float]:
        """Share of each feature."""

    def save(self, directory: Path) -> None:
        """Write the model's files."""

    @classmethod
    def load(cls, directory: Path) -> Self:
        """Read what `save` wrote."""


def cancelled_error() -> JobError:
    """The error that ends a run somebody stopped."""
    return JobError(
        "A run goes on until it is stopped – it was stopped – start it again when wanted.",
        code="E_JOB_CANCELLED",
    )


class BaseModel(ABC):
    """Checks, weights, files and class order that all kinds share.

    A kind implements `_fit`, `_answer`, `_state` and `_restore`.

    Parameters
    ----------
    task
        Classification answers with probabilities, regression with values.
    classes
        Names of the classes in the order of their codes; empty for a regression.
    params
        Hyper-parameters of the kind; an unknown one is refused.
    seed, threads
        Of everything random, and of the library underneath.
    """

    kind: ClassVar[str]
    needs: ClassVar[tuple[str, ...]] = ()
    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    defaults: ClassVar[Mapping[str, Any]] = {}

    def __init__(
        self,
        *,
        task: Task,
        classes: Sequence[str] = (),
        params: Mapping[str, Any] | None = None,
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.task: Task = task
        self.classes_ = tuple(classes)
        self.params = {**self.defaults, **self._known(params or {})}
        self.seed = int(seed)
        self.threads = int(threads)
        self.feature_names: tuple[str, ...] = ()
        self.notes: list[str] = []
        self.curves: dict[str, Any] = {}
        self.stop: Stop | None = None
        self._check_classes()

    def fit(
        self,
        X: Inputs,
        y: NDArray[Any],
        weight: NDArray[np.float64] | None = None,
        valid: Valid | None = None,
    ) -> Self:
        """Learn from rows, and from nothing else.

        Parameters
        ----------
        X
            (n, f) frame or array; NaN is a missing value, infinities are refused.
        y
            (n,) class codes or values, none missing.
        weight
            (n,) at least 0; rows of weight 0 are left out.
        valid
            Rows for early stopping, same columns; kinds without it ignore them.

        Raises
        ------
        UsageError
            Shapes, codes or weights that do not fit.
        TooFewBars
            No row is left.
        """
        names = column_names(X)
        table, target = feature_matrix(X, names), self._target(y, len(X))
        weights = row_weights(weight, len(target))
        kept = weights > 0
        if not kept.any():
            raise TooFewBars(
                "A model learns from at least one labelled row – none was given – widen the "
                "training window.",
                code="E_MODEL_EMPTY",
                details={"needed": 1, "got": 0},
            )
        if not kept.all():
            table, target, weights = table[kept], target[kept], weights[kept]
        self.feature_names, self.notes, self.curves = names, [], {}
        checked = None
        if valid is not None and len(valid[0]):
            checked = (self._matrix(valid[0]), self._target(valid[1], len(valid[0])))
        self._fit(table, target, weights, checked)
        return self

    def predict_proba(self, X: Inputs) -> NDArray[np.float64]:
        """Probabilities (n, k) in the order of `classes_`; every row sums to 1."""
        if self.task != "classification":
            raise self._wrong_task("predict_proba", "predict")
        return self._answer(self._matrix(X))

    def predict(self, X: Inputs) -> NDArray[np.float64]:
        """Values (n,) of a regression."""
        if self.task != "regression":
            raise self._wrong_task("predict", "predict_proba")
        return self._answer(self._matrix(X))

    def contributions(
        self, X: Inputs, *, toward: str | None = None, against: str | None = None
    ) -> NDArray[np.float64] | None:
        """Parts (n, f + 1) of the margin, the last column the start; None if the kind has none.

        The margin is the log odds of `toward` against `against`, or a regression's value. The
        default is UP against DOWN, WIN against LOSS (the second of two classes against the
        first), BUY against SELL (the first of more against the second).
        """
        return None

    def margin(
        self, X: Inputs, *, toward: str | None = None, against: str | None = None
    ) -> NDArray[np.float64]:
        """What the contributions add up to, (n,)."""
        answer = self._answer(self._matrix(X))
        if self.task == "regression":
            return answer
        first, second = self._contrast(toward, against)
        odds: NDArray[np.float64] = np.log(answer[:, first]) - np.log(answer[:, second])
        return odds

    def importance(self) -> dict[str, float]:
        """Share of each feature, summing to 1; empty where the kind has none."""
        return {}

    def save(self, directory: Path) -> None:
        """Write `model.json` and the kind's own files; same model, same bytes."""
        directory.mkdir(parents=True, exist_ok=True)
        description = {
            "format": FORMAT,
            "kind": self.kind,
            "task": self.task,
            "classes": list(self.classes_),
            "feature_names": list(self.feature_names),
            "params": self.params,
            "seed": self.seed,
            "notes": self.notes,
            "state": self._state(directory),
        }
        text = json.dumps(description, indent=1, sort_keys=True, allow_nan=False)
        (directory / _FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, directory: Path) -> Self:
        """The model that `save` wrote; its files' hashes are the registry's to check before.

        Raises
        ------
        RegistryError
            No readable description, or one of another kind or format.
        """
        found = read_description(directory)
        if found["kind"] != cls.kind:
            raise RegistryError(
                f"A folder is loaded by the kind that wrote it – {found['kind']!r} was found "
                f"where {cls.kind!r} was expected – use load_model.",
                code="E_MODEL_KIND",
            )
        task: Task = "regression" if found["task"] == "regression" else "classification"
        model = cls(task=task, classes=found["classes"], params=found["params"], seed=found["seed"])
        model.feature_names = tuple(found["feature_names"])
        model.notes = list(found["notes"])
        model._restore(found["state"], directory)
        return model

    @abstractmethod
    def _fit(
        self,
        X: NDArray[np.float64],
        y: NDArray[np.float64],
        weight: NDArray[np.float64],
        valid: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    ) -> None: ...

    @abstractmethod
    def _answer(self, X: NDArray[np.float64]) -> NDArray[np.float64]: ...

    @abstractmethod
    def _state(self, directory: Path) -> dict[str, Any]: ...

    @abstractmethod
    def _restore(self, state: dict[str, Any], directory: Path) -> None: ...

    def _contrast(self, toward: str | None, against: str | None) -> tuple[int, int]:
        """Codes of the two classes a margin compares."""
        names = self.classes_
        usual = ("UP", "DOWN") if {"UP", "DOWN"} <= set(names) else names[:2]
        if len(names) == 2 and usual == names and "UP" not in names:
            usual = (names[1], names[0])
        first = toward or usual[0]
        rest = [name for name in (*usual, *names) if name != first]
        second = against or rest[0]
        unknown = {first, second} - set(names)
        if unknown or first == second:
            raise UsageError(
                f"A margin compares two of the classes {', '.join(names)} – {first} against "
                f"{second} was given – name two of them.",
                code="E_MODEL_CLASS",
            )
        return names.index(first), names.index(second)

    def _matrix(self, X: Inputs) -> NDArray[np.float64]:
        if not self.feature_names:
            raise UsageError(
                f"A model answers once it is fitted – this {self.kind} is not – fit or load it.",
                code="E_MODEL_UNFITTED",
            )
        return feature_matrix(X, self.feature_names)

    def _target(self, y: Any, rows: int) -> NDArray[np.float64]:
        target = np.asarray(y, dtype=np.float64)
        if target.shape != (rows,) or not np.isfinite(target).all():
            raise UsageError(
                f"Every training row has one known outcome – {rows} rows came with shape "
                f"{target.shape}, {int((~np.isfinite(target)).sum())} unknown – leave "
                "unlabelled rows out.",
                code="E_MODEL_TARGET",
            )
        codes = range(len(self.classes_))
        if self.task == "classification" and not np.isin(target, codes).all():
            raise UsageError(
                f"Outcomes are codes 0 to {len(self.classes_) - 1} of the classes "
                f"{', '.join(self.classes_)} – others were given – encode them first.",
                code="E_MODEL_TARGET",
            )
        return target

    def _check_classes(self) -> None:
        if self.task not in self.tasks:
            raise UsageError(
                f"A {self.kind} model does {' and '.join(self.tasks)} – {self.task!r} was asked "
                "for – choose another kind.",
                code="E_MODEL_TASK",
            )
        distinct = len(set(self.classes_)) == len(self.classes_)
        if self.task == "classification" and (len(self.classes_) < 2 or not distinct):
            raise UsageError(
                f"A classification has two or more distinct classes – {list(self.classes_)} was "
                "given – name them in the order of their codes.",
                code="E_MODEL_CLASS",
            )

    def _known(self, params: Mapping[str, Any]) -> dict[str, Any]:
        unknown = sorted(set(params) - set(self.defaults))
        if unknown:
            raise UsageError(
                f"{self.kind} takes the parameters {', '.join(sorted(self.defaults)) or 'none'} – "
                f"{', '.join(unknown)} was given – remove it.",
                code="E_MODEL_PARAM",
                details={"unknown": unknown, "known": sorted(self.defaults)},
            )
        return dict(params)

    def _wrong_task(self, asked: str, right: str) -> UsageError:
        return UsageError(
            f"A {self.task} answers with {right} – {asked} was called – call {right}.",
            code="E_MODEL_TASK",
        )


def read_description(directory: Path) -> dict[str, Any]:
    """The `model.json` of a folder.

    Raises
    ------
    RegistryError
        Missing, unreadable, or of a format this version does not know.
    """
    try:
        found: dict[str, Any] = json.loads((directory / _FILE).read_text(encoding="utf-8"))
        known = found["format"] == FORMAT and isinstance(found["kind"], str)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RegistryError(
            f"A model folder holds a readable {_FILE} – {directory.name} does not – restore the "
            "folder or train again.",
            code="E_MODEL_FILE",
        ) from error
    if not known:
        raise RegistryError(
            f"This version reads model format {FORMAT} – {directory.name} has "
            f"{found['format']!r} – train again or use the version that wrote it.",
            code="E_MODEL_FORMAT",
        )
    return found
