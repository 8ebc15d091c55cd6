"""Gradient-boosted trees: LightGBM, one thread, early stopping, stored as its own text.

One row goes through LightGBM's prepared single-row call (5 µs against 20 of `Booster.predict`),
its contributions, the native ones, too.
"""

from __future__ import annotations

import ctypes
import threading
import weakref
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import RegistryError
from mlcore.models.classes import ClassPlan
from mlcore.models.contract import BaseModel, cancelled_error

__all__ = ["LightGBM"]

Floats = NDArray[np.float64]
_FILE = "model.txt"
_RAW, _PARTS, _DOUBLE = 1, 3, 1  # LightGBM's C_API_PREDICT_RAW_SCORE, _CONTRIB, _DTYPE_FLOAT64
_LOOK = 8  # rounds between two looks at the stop sign
_LEAST_VALID = 10


class LightGBM(BaseModel):
    """Boosted trees for probabilities or values; missing inputs go their own way in each split.

    More than one of `threads` is for a process in which nothing else uses LightGBM meanwhile.
    Parameters (`params`): `rounds` at most, or `rounds_alone` without validation rows;
    `patience` rounds without a better validation loss; `balance` of the classes, 0 to 1, and
    `least` rows of a class to learn it; `noise_gain`, the gain a split must bring in units of
    chi-square, so that the best of a hundred useless inputs is not split on; the rest are
    LightGBM's own.

    References
    ----------
    Ke, G. et al. (2017), LightGBM: a highly efficient gradient boosting decision tree.
    """

    kind: ClassVar[str] = "lightgbm"
    defaults: ClassVar[dict[str, Any]] = {
        "rounds": 300,
        "rounds_alone": 60,
        "patience": 15,
        "balance": 1.0,
        "least": 10,
        "learning_rate": 0.05,
        "num_leaves": 7,
        "min_data_in_leaf": 30,
        "feature_fraction": 1.0,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 5.0,
        "max_bin": 63,
        "noise_gain": 8.0,
    }
    _own = ("rounds", "rounds_alone", "patience", "balance", "least", "noise_gain")

    _booster: Any = None
    _plan: ClassPlan | None = None
    _rows: dict[int, _SingleRow]
    _kept = 0

    def library_params(self, classes: int, spread: float = 1.0) -> dict[str, Any]:
        """What is handed to LightGBM for `classes` learnt classes (0: regression).

        `spread` is the variance of a regression's outcomes, the unit of its gains.
        """
        rest = {k: v for k, v in self.params.items() if k not in self._own}
        fixed: dict[str, Any] = {
            "num_threads": self.threads,
            "seed": self.seed,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
            "min_gain_to_split": self.params["noise_gain"] * spread,
        }
        if self.task == "regression":
            return {**rest, **fixed, "objective": "regression"}
        if classes == 2:
            return {**rest, **fixed, "objective": "binary"}
        return {**rest, **fixed, "objective": "multiclass", "num_class": classes}

    def importance(self) -> dict[str, float]:
        """Share of the total gain each feature brought."""
        gain = np.zeros(len(self.feature_names))
        if self._booster is not None:
            gain = self._booster.feature_importance("gain", iteration=self._kept)
        total = float(gain.sum())
        return {
            name: float(value) / total if total else 0.0
            for name, value in zip(self.feature_names, gain, strict=True)
        }

    def contributions(
        self, X: Any, *, toward: str | None = None, against: str | None = None
    ) -> Floats | None:
        """Native contributions (n, f + 1): parts of the margin, the last column the start."""
        table = self._matrix(X)
        width = table.shape[1] + 1
        found = None if self._booster is None else self._raw_contributions(table)
        if self._plan is None:
            return found
        pair = self._contrast(toward, against)
        parts: Floats | None = None
        if found is not None and len(self._plan.learnt) == 2:
            parts = np.stack([np.zeros_like(found), found], axis=1)
        elif found is not None:
            parts = found.reshape(len(table), -1, width)
        result: Floats | None = self._plan.contrast(parts, len(table), width, pair)
        return result

    def _raw_contributions(self, table: Floats) -> Floats:
        if len(table) != 1:
            return self._ask(table, pred_contrib=True)
        return self._single(_PARTS, table)[None, :]

    def _fit(
        self, X: Floats, y: Floats, weight: Floats, valid: tuple[Floats, Floats] | None
    ) -> None:
        self._plan = self._booster = None
        self._rows = {}
        if self.task == "classification":
            k, own = len(self.classes_), self.params
            self._plan = ClassPlan.of(y, weight, k, least=own["least"], balance=own["balance"])
            self.notes += self._plan.notes(self.classes_, y)
            if not self._plan.learnt:
                return
        learnt = 0 if self._plan is None else len(self._plan.learnt)
        train = self._dataset(*self._learnable(X, y, weight))
        check = None
        if valid is not None:
            rows = self._learnable(valid[0], valid[1], np.ones(len(valid[1])))
            check = self._dataset(*rows, like=train) if len(rows[1]) >= _LEAST_VALID else None
        spread = 1.0 if self._plan is not None else float(np.var(y))
        self._train(self.library_params(learnt, spread), train, check)

    def _learnable(self, X: Floats, y: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
        """Rows of learnt classes with their inner codes and class weights."""
        if self._plan is None:
            return X, y, weight
        kept = self._plan.rows(y)
        if not kept.all():
            X, y, weight = X[kept], y[kept], weight[kept]
        return X, self._plan.code(y).astype(np.float64), weight * self._plan.weights(y)

    def _dataset(self, X: Floats, y: Floats, weight: Floats, *, like: Any = None) -> Any:
        import lightgbm

        params = {"max_bin": self.params["max_bin"], "verbosity": -1, "num_threads": self.threads}
        plain = None if bool(np.all(weight == 1.0)) else weight
        return lightgbm.Dataset(X, y, weight=plain, reference=like, params=params)

    def _train(self, params: dict[str, Any], train: Any, check: Any) -> None:
        import lightgbm

        rounds = self.params["rounds_alone" if check is None else "rounds"]
        curves: dict[str, Any] = {}
        told: dict[str, Any] = {"callbacks": [self._look]}
        if check is not None:
            stop = lightgbm.early_stopping(self.params["patience"], verbose=False)
            told["callbacks"] += [lightgbm.record_evaluation(curves), stop]
            told |= {"valid_sets": [train, check], "valid_names": ["train", "valid"]}
        booster = lightgbm.train(params, train, rounds, **told)
        self._kept = int(booster.best_iteration or booster.current_iteration())
        self.curves = {name: next(iter(metric.values())) for name, metric in curves.items()}
        self.curves["kept"] = self._kept
        booster.free_dataset()
        self._booster = booster

    def _look(self, env: Any) -> None:
        if self.stop is not None and env.iteration % _LOOK == 0 and self.stop():
            raise cancelled_error()

    def _answer(self, X: Floats) -> Floats:
        scores = np.zeros(len(X)) if self._booster is None else self._scores(X)
        return scores if self._plan is None else self._plan.probabilities(scores)

    def _scores(self, X: Floats) -> Floats:
        """Raw scores: (n,), or (n, k') for three learnt classes and more."""
        if len(X) != 1:
            return self._ask(X, raw_score=True)
        scores = self._single(_RAW, X)
        return scores if len(scores) == 1 else scores[None, :]

    def _single(self, what: int, X: Floats) -> Floats:
        """The prepared call for one row: raw scores, or their parts."""
        if what not in self._rows:
            width, outputs = X.shape[1], self._booster.num_model_per_iteration()
            size = outputs * (width + 1) if what == _PARTS else outputs
            self._rows[what] = _SingleRow(self._booster, self._kept, width, size, what)
        return self._rows[what](X)

    def _ask(self, X: Floats, **what: bool) -> Floats:
        """One library call; its thread count is the whole process's.

        A call that left it at the default, next to a fit of another thread, would size its
        buffers for one thread and run on two: a crash.
        """
        found = self._booster.predict(X, num_iteration=self._kept, num_threads=1, **what)
        return np.asarray(found, dtype=np.float64)

    def _state(self, directory: Path) -> dict[str, Any]:
        plan = None if self._plan is None else self._plan.as_dict()
        if self._booster is not None:
            text = self._booster.model_to_string(num_iteration=self._kept)
            (directory / _FILE).write_text(text, encoding="utf-8", newline="\n")
        return {
            "plan": plan,
            "kept": self._kept,
            "curves": self.curves,
            "file": None if self._booster is None else _FILE,
        }

    def _restore(self, state: dict[str, Any], directory: Path) -> None:
        import lightgbm

        self._plan = None if state["plan"] is None else ClassPlan.from_dict(state["plan"])
        self._kept, self.curves = int(state["kept"]), dict(state["curves"])
        self._rows = {}
        if state["file"] is None:
            return
        try:
            text = (directory / _FILE).read_text(encoding="utf-8")
            self._booster = lightgbm.Booster(model_str=text)
        except (OSError, ValueError, lightgbm.basic.LightGBMError) as error:
            raise RegistryError(
                f"A LightGBM folder holds a readable {_FILE} – {directory.name} does not – "
                "restore the folder or train again.",
                code="E_MODEL_FILE",
            ) from error
        if self._booster.num_feature() != len(self.feature_names):
            raise RegistryError(
                f"model.json and {_FILE} name the same inputs – {len(self.feature_names)} and "
                f"{self._booster.num_feature()} were found – restore the folder.",
                code="E_MODEL_FILE",
            )


class _SingleRow:
    """LightGBM's prepared call for one row; one at a time, as it owns its buffers."""

    def __init__(self, booster: Any, rounds: int, width: int, outputs: int, what: int) -> None:
        from lightgbm.basic import _LIB, _safe_call

        handle = ctypes.c_void_p()
        _safe_call(
            _LIB.LGBM_BoosterPredictForMatSingleRowFastInit(
                booster._handle, ctypes.c_int(what), ctypes.c_int(0), ctypes.c_int(rounds),
                ctypes.c_int(_DOUBLE), ctypes.c_int32(width), b"num_threads=1",
                ctypes.byref(handle),
            )
        )  # fmt: skip
        self._input, self._output = np.empty(width), np.empty(outputs)
        self._length = ctypes.c_int64()
        self._arguments = (
            handle,
            ctypes.c_void_p(self._input.ctypes.data),
            ctypes.byref(self._length),
            ctypes.c_void_p(self._output.ctypes.data),
        )
        self._call, self._check = _LIB.LGBM_BoosterPredictForMatSingleRowFast, _safe_call
        self._lock = threading.Lock()
        weakref.finalize(self, _LIB.LGBM_FastConfigFree, handle)

    def __call__(self, row: Floats) -> Floats:
        with self._lock:
            self._input[:] = row[0]
            self._check(self._call(*self._arguments))
            return self._output.copy()
