"""The leak certificate of a training run: its inputs and its pipeline, proved on its own bars."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY
from mlcore.config import ORB, Market
from mlcore.evaluation.crossfit import fit_fold
from mlcore.evaluation.leaks import (
    Certificate,
    Proof,
    Table,
    certify,
    code_hash,
    prove_features,
    prove_pipeline,
    recover_target,
)
from mlcore.features import catalogue
from mlcore.models.contract import Model
from mlcore.samples.dataset import Dataset, Rows, rows_at, window_bars
from mlcore.samples.labels import Label
from mlcore.samples.splits import Fold
from mlcore.schema import Bars

__all__ = ["DECISIONS", "Subject", "certificate_of", "prove_inputs", "prove_run"]

DECISIONS = 120
EDGES = 20
MOST_SHARED = 8
_SHARING = threading.Lock()
_SHARED: dict[tuple[Any, ...], Proof] = {}


@dataclass(frozen=True)
class Subject:
    """What is proved: the question, its inputs, and the bars they are made from."""

    bars: Bars
    market: Market
    label: Label
    features: tuple[str, ...]
    orb: ORB

    def rows(self, bars: Bars, at: int | None = None) -> Rows:
        """Rows of other bars of the same market."""
        return rows_at(
            bars, self.market, self.label, features=self.features, at=at, settings_orb=self.orb
        )


def _table(rows: Rows) -> Table:
    frame = rows.frame
    key = frame["item"].astype(str) + "|" + frame["side"].astype(int).astype(str)
    return Table(
        frame["decision_at"].to_numpy(np.int64), key.to_numpy(dtype=object), rows.names, rows.X,
        frame["y"].to_numpy(np.float64),
    )  # fmt: skip


def _edges(rows: Rows, zone: str) -> np.ndarray:
    """Decisions at edges: the first after a clock change, and the first of trading days."""
    decided = rows.frame["decision_at"].to_numpy(np.int64)
    if not len(decided):
        return decided
    stamps = pd.to_datetime(decided, utc=True)
    changed = [
        np.flatnonzero(np.diff(stamps.tz_convert(place).tz_localize(None).asi8 - stamps.asi8)) + 1
        for place in sorted({zone, "America/New_York", "Europe/London"})
    ]
    first = np.flatnonzero(np.diff(rows.frame["day"].to_numpy(np.int64))) + 1
    spread = first[np.linspace(0, len(first) - 1, EDGES).astype(int)] if len(first) else first
    return np.unique(decided[np.concatenate([*changed, spread])])


def prove_inputs(
    subject: Subject, *, decisions: int = DECISIONS, seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Proof:  # fmt: skip
    """Prove that no input of the subject's rows moves when only the future moves.

    Targets that ask the same rows (`orb_quality` and `orb_r`) share this within a process: the
    same code, inputs, market and bars are not moved twice. Whether an input carries the answer is
    looked at for each target.
    """
    need = window_bars(subject.label, subject.features, subject.market, subject.bars.timeframe)
    ahead = max(64, 2 * DAY // subject.bars.width)
    bars = subject.bars.take(slice(-(need + 40 * ahead + 20_000), None))
    rows, key = subject.rows(bars), _asked(subject, bars, decisions, seed)
    with _SHARING:
        proof = _SHARED.get(key)
    if proof is None:
        proof = _move(subject, bars, rows, need, ahead, decisions, seed, progress)
    elif progress is not None:
        progress(proof.decisions, proof.decisions)
    if proof.passed:
        with _SHARING:
            _SHARED[key] = proof
            while len(_SHARED) > MOST_SHARED:
                _SHARED.pop(next(iter(_SHARED)))
    sides = "both sides of " * subject.label.sided
    moved = f"inputs moved: of {sides}all rows, bars {key[0][:12]}; answers: {subject.label.name}"
    return replace(
        proof, findings=(*proof.findings, *recover_target(_table(rows))),
        checks=(*proof.checks, "recovery"), notes=(*proof.notes, moved),
    )  # fmt: skip


def _asked(subject: Subject, bars: Bars, decisions: int, seed: int) -> tuple[Any, ...]:
    """Everything that rows and their perturbation depend on, the answers left out."""
    digest = hashlib.sha256(f"{bars.symbol}|{bars.timeframe}".encode())
    for column in fields(Bars)[2:]:
        digest.update(np.ascontiguousarray(getattr(bars, column.name)).tobytes())
    lab, known = subject.label, catalogue()
    rows = (lab.of_ranges, lab.sided, lab.orb(subject.orb).model_dump_json(), lab.horizon)
    functions = tuple(known[name].fn for name in subject.features)
    market = subject.market.model_dump_json()
    return (
        digest.hexdigest(), code_hash(), subject.features, functions, market, rows, decisions,
        seed,
    )  # fmt: skip


def _move(
    subject: Subject, bars: Bars, rows: Rows, need: int, ahead: int, decisions: int, seed: int,
    progress: Callable[[int, int], None] | None,
) -> Proof:  # fmt: skip
    """Change, blank and delete the future of the bars at many decisions."""
    known = catalogue()

    def build(some: Bars) -> Table:
        return _table(subject.rows(some))

    def serve(some: Bars, at: int) -> Table:
        table = _table(subject.rows(some, at))
        here = table.decision_at == at
        return Table(table.decision_at[here], table.key[here], table.names, table.X[here])

    declared = {name: known[name].tolerance for name in subject.features}
    return prove_features(
        build, bars, decisions=decisions, context=need + need // 4, ahead=ahead,
        edges=_edges(rows, subject.market.zone).tolist(), serve=serve, tolerance=declared,
        short_history=need, recovery=False, seed=seed, progress=progress,
    )  # fmt: skip


def prove_run(
    dataset: Dataset, folds: list[Fold], make: Callable[[int], Model], *, seed: int
) -> Proof:
    """Prove that no fold learned from a row outside its training rows."""

    def fit(X: np.ndarray, y: np.ndarray, fold: Any) -> Callable[[np.ndarray], np.ndarray]:
        other = replace(dataset, X=pd.DataFrame(X, columns=list(dataset.names)), y=y)
        fitted = fit_fold(other, fold, make, seed=seed)
        limit = 0.0 if fitted.threshold is None else np.nan_to_num(fitted.threshold, posinf=9e9)

        def answer(probe: np.ndarray) -> np.ndarray:
            told = fitted.answer(probe, {})[1].reshape(len(probe), -1)
            return np.column_stack([told, np.full(len(probe), limit)])

        return answer

    return prove_pipeline(
        fit, dataset.X.to_numpy(np.float64), np.asarray(dataset.y, np.float64), folds,
        day=dataset.rows["day"].to_numpy(np.int64), decision_at=dataset.decision_at,
        due_at=dataset.due_at, seed=seed,
    )  # fmt: skip


def certificate_of(proofs: list[Proof], subject: Mapping[str, Any]) -> Certificate:
    """The certificate of proofs without findings (LeakFound otherwise)."""
    return certify(proofs, dict(subject))
