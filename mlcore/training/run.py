"""One training run, from specification to registered version. Promotes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.config import Settings
from mlcore.errors import LeakFound, OpenrangeError, TooFewBars
from mlcore.evaluation.card import model_card
from mlcore.evaluation.crossfit import CrossFit, crossfit, fit_fold
from mlcore.evaluation.leaks import code_hash
from mlcore.ledger import Ledger
from mlcore.market.bars import BarStore
from mlcore.models.base import make_model
from mlcore.models.contract import Model
from mlcore.models.fitted import Fitted
from mlcore.models.package import Package
from mlcore.registry import Registry
from mlcore.samples.dataset import Dataset, build_dataset
from mlcore.samples.splits import everything
from mlcore.store.hubdb import canonical_json
from mlcore.training.proof import Subject, certificate_of, prove_inputs, prove_run
from mlcore.training.readiness import readiness
from mlcore.training.spec import TrainSpec

__all__ = ["Run", "Workshop", "dataset_of", "prove", "train"]

Progress = Callable[[Mapping[str, Any]], None]
FEWEST_IN_CLASS = 20


@dataclass(frozen=True)
class Workshop:
    """The parts of a home that training uses."""

    store: BarStore
    registry: Registry
    ledger: Ledger
    settings: Settings


@dataclass(frozen=True)
class Run:
    """What a training run made."""

    slot: str
    version: str
    card: dict[str, Any]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: slot, version, verdict, n, seconds."""
        verdict = self.card["verdict"]
        return {"slot": self.slot, "version": self.version, "verdict": verdict["words"],
                "kind": verdict["kind"], "n": verdict["n"],
                "seconds": round(self.seconds, 2)}  # fmt: skip


def _take(dataset: Dataset, keep: np.ndarray) -> Dataset:
    where = np.flatnonzero(keep)
    arrays = {n: getattr(dataset, n)[where] for n in ("y", "decision_at", "due_at", "known_at",
                                                      "weight")}  # fmt: skip
    return replace(
        dataset, X=dataset.X.iloc[where].reset_index(drop=True),
        rows=dataset.rows.iloc[where].reset_index(drop=True), **arrays,
    )  # fmt: skip


def dataset_of(shop: Workshop, spec: TrainSpec) -> Dataset:
    """The run's rows: all, or those of its newest trading days."""
    dataset = build_dataset(
        shop.store, spec.symbol, spec.timeframe, spec.label, shop.settings,
        features=spec.features(),
    )  # fmt: skip
    if spec.days is None or not len(dataset):
        return dataset
    day = dataset.rows["day"].to_numpy(np.int64)
    newest = np.unique(day)[-spec.days :]
    return _take(dataset, day >= newest[0])


def _without_rare_classes(dataset: Dataset) -> tuple[Dataset, list[str]]:
    """A class with too few members is dropped with a note, never trained on."""
    if dataset.label.task != "classification":
        return dataset, []
    y, notes = dataset.y.copy(), []
    for code, name in enumerate(dataset.label.classes):
        n = int((y == code).sum())
        if 0 < n < FEWEST_IN_CLASS:
            y[y == code] = np.nan
            notes.append(f"class {name} dropped: {n} rows, {FEWEST_IN_CLASS} are needed")
    return replace(dataset, y=y), notes


def _demand_ready(told: Mapping[str, Any]) -> None:
    if told["problems"]:
        raise TooFewBars(
            str(told["problems"][0]), code="E_TRAIN_TOO_FEW",
            details={"rows": told["rows"], "days": told["days"]},
        )  # fmt: skip
    if told["rows"] < told["needed"]:
        raise TooFewBars(
            f"Training needs at least {told['needed']} labelled rows – these bars give "
            f"{told['rows']} – import more history.",
            code="E_TRAIN_TOO_FEW",
            details={"needed": told["needed"], "got": told["rows"]},
        )


def set_id_of(spec: TrainSpec) -> str:
    """What a certificate binds beside the code: label, inputs, market, model, windows."""
    return canonical_json({
        "label": spec.label.name, "set": spec.set_name, "timeframe": spec.timeframe,
        "symbol": spec.symbol, "model": spec.kind, "windows": spec.splits().describe(),
    })  # fmt: skip


def maker_of(spec: TrainSpec, dataset: Dataset) -> Callable[[int], Model]:
    """Makes unfitted models of the specification from a seed."""

    def make(seed: int) -> Model:
        return make_model(
            spec.kind, task=dataset.label.task, classes=dataset.label.classes,
            params=spec.params, seed=seed, threads=1,
        )  # fmt: skip

    return make


def prove(
    shop: Workshop, spec: TrainSpec, dataset: Dataset, progress: Progress,
    set_id: str | None = None,
) -> str:  # fmt: skip
    """The certificate's id: an old one where nothing it binds has changed, else a new one.

    `set_id` is what a version was registered with, where it is proved again.

    Raises
    ------
    LeakFound
        Something sees the future; that too is kept, as a certificate that did not pass.
    """
    set_id = set_id or set_id_of(spec)
    held = shop.registry.valid_certificate(spec.slot, set_id=set_id, code_hash=code_hash())
    if held is not None:
        progress({"kind": "stage", "text": f"leak certificate {held} holds: nothing changed"})
        return held
    progress({"kind": "stage", "text": "proving that no input sees the future"})
    inputs = Subject(
        shop.store.read(spec.symbol, spec.timeframe), shop.store.market_of(spec.symbol),
        spec.label, spec.features(), shop.settings.orb,
    )  # fmt: skip
    folds = spec.splits().split(dataset)
    proofs = [
        prove_inputs(inputs, seed=spec.seed),
        prove_run(dataset, folds, maker_of(spec, dataset), seed=spec.seed),
    ]
    kept: dict[str, Any] = {"set_id": set_id, "code_hash": code_hash()}
    try:
        certificate = certificate_of(proofs, {"set": set_id})
    except LeakFound as error:
        shop.registry.certify(spec.slot, passed=False, report=error.as_dict(), **kept)
        raise
    return shop.registry.certify(spec.slot, passed=True, report=certificate.as_dict(), **kept)


def _specification(
    spec: TrainSpec, dataset: Dataset, shop: Workshop, certificate: str, best: str | None
) -> dict[str, Any]:
    X = dataset.X.to_numpy(np.float64)
    with np.errstate(all="ignore"):
        known = np.isfinite(X).any(axis=0)
        lows = np.where(known, np.nanmin(np.where(np.isfinite(X), X, np.inf), axis=0), -1e300)
        highs = np.where(known, np.nanmax(np.where(np.isfinite(X), X, -np.inf), axis=0), 1e300)
    return {
        "target": spec.label.name, "symbol": spec.symbol, "timeframe": spec.timeframe,
        "model": spec.kind, "params": dict(spec.params), "feature_set": spec.set_name,
        "features": list(dataset.names), "walk_forward": spec.walk_forward,
        "holdout": spec.holdout, "days": spec.days, "seed": spec.seed,
        "fingerprint": dataset.fingerprint, "snapshot": dataset.snapshot,
        "config_hash": shop.settings.fingerprint(), "code_hash": code_hash(),
        "certificate_id": certificate, "set_id": set_id_of(spec), "best_baseline": best,
        "lows": lows.tolist(), "highs": highs.tolist(),
        "first_decision": int(dataset.decision_at[0]), "cut": int(dataset.due_at.max()),
    }  # fmt: skip


def _ledger(
    shop: Workshop, spec: TrainSpec, dataset: Dataset, cross: CrossFit, run_id: str | None
) -> None:
    """One row a fold, with the days and net R that the fold's model answered for."""
    trial = spec.trial(shop.store.market_of(spec.symbol), shop.settings)
    day = dataset.rows["day"].to_numpy(np.int64)[cross.rows]
    for fit in cross.folds:
        daily = None
        if cross.taken is not None and len(fit.fold.score):
            mine = cross.fold == fit.fold.index
            days, place = np.unique(day[mine], return_inverse=True)
            daily = (days, np.bincount(place, cross.taken.net[mine], len(days)))
        shop.ledger.add(
            spec.slot, trial, fold=fit.fold.index, seed=spec.seed, run_id=run_id, daily=daily,
            scores={"n": len(fit.fold.score), "seconds": fit.seconds},
        )  # fmt: skip


def _card(
    shop: Workshop, spec: TrainSpec, dataset: Dataset, cross: CrossFit, certificate: str,
    notes: list[str],
) -> dict[str, Any]:  # fmt: skip
    market = shop.store.market_of(spec.symbol)
    held = shop.registry.certificate(certificate) or {"report": {}}
    provenance = {
        "slot": str(spec.slot), "symbol": spec.symbol, "timeframe": spec.timeframe,
        "simulated": market.simulated, "snapshot": dataset.snapshot,
        "fingerprint": dataset.fingerprint, "config_hash": shop.settings.fingerprint(),
        "code_hash": code_hash(), "cost": market.cost.model_dump(), "notes": notes,
        "certificate": {
            "id": certificate, "decisions": held["report"].get("decisions"),
            "chance_of_missing_5pct": held["report"].get("chance_of_missing_5pct"),
        },
    }  # fmt: skip
    procedure = {
        "model": spec.kind, "params": dict(spec.params), "feature_set": spec.set_name,
        "features": len(dataset.names), "windows": spec.splits().describe(), "days": spec.days,
    }  # fmt: skip
    return model_card(
        dataset, cross, worth=shop.settings.worth, procedure=procedure, seed=spec.seed,
        trials=shop.ledger.trials(spec.slot), provenance=provenance,
    )  # fmt: skip


def _write_version(
    folder: Path, package: Package, card: Mapping[str, Any], shipped: Fitted
) -> None:
    package.write(folder)
    facts = {
        "card.json": card,
        "feature_names.json": list(package.features),
        "feature_importance.json": shipped.model.importance(),
        "metrics.json": card["scores"],
        "metadata.json": {k: package.spec[k] for k in ("target", "symbol", "timeframe", "model",
                          "feature_set", "seed", "snapshot", "cut")},
    }  # fmt: skip
    for name, content in facts.items():
        (folder / name).write_text(canonical_json(content) + "\n", encoding="utf-8")


def train(
    spec: TrainSpec, shop: Workshop, *, run_id: str | None = None,
    progress: Progress = lambda event: None, cancelled: Callable[[], bool] | None = None,
) -> Run:  # fmt: skip
    """Train, prove, judge and register one version.

    Raises
    ------
    TooFewBars
        Told before any fit: how many rows or days are needed.
    LeakFound
        An input or the pipeline sees the future; nothing is registered.
    JobError
        Cancelled (E_JOB_CANCELLED).
    """
    begun = time.perf_counter()
    progress({"kind": "stage", "text": f"building rows of {spec.slot}"})
    dataset, notes = _without_rare_classes(dataset_of(shop, spec))
    told = readiness(spec, dataset)
    _demand_ready(told)
    for text in notes:
        progress({"kind": "note", "text": text})

    make = maker_of(spec, dataset)
    certificate = prove(shop, spec, dataset, progress)
    progress({"kind": "stage", "text": f"{told['folds']} folds, {told['rows']} rows"})
    try:
        cross = crossfit(
            dataset, spec.splits(), make, seed=spec.seed, threads=shop.settings.threads,
            progress=progress, cancelled=cancelled,
        )  # fmt: skip
    except OpenrangeError as error:
        trial = spec.trial(shop.store.market_of(spec.symbol), shop.settings)
        shop.ledger.add(spec.slot, trial, seed=spec.seed, run_id=run_id, error=error)
        raise
    _ledger(shop, spec, dataset, cross, run_id)
    progress({"kind": "stage", "text": "fitting on all rows up to the cut"})
    shipped = fit_fold(dataset, everything(dataset), make, seed=spec.seed, cancelled=cancelled)
    card = _card(shop, spec, dataset, cross, certificate, notes)
    best = card["verdict"].get("baseline")
    package = Package(
        _specification(spec, dataset, shop, certificate, best), shipped,
        [fit.fitted for fit in cross.folds],
    )  # fmt: skip
    version = shop.registry.save(
        spec.slot, lambda folder: _write_version(folder, package, card, shipped),
        certificate_id=certificate,
        meta={"model_kind": spec.kind, "verdict": card["verdict"], "rows": told["rows"]},
    )  # fmt: skip
    return Run(str(spec.slot), version, card, time.perf_counter() - begun)
