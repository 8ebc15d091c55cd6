"""Train, retrain, prove and compare, as jobs or by command; nothing here promotes."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from mlcore.errors import JobError, OpenrangeError, RegistryError
from mlcore.evaluation.leaks import code_hash
from mlcore.features import feature_set as named_set
from mlcore.jobs import Lease
from mlcore.models.package import Package
from mlcore.operations.home import Home
from mlcore.samples.labels import label
from mlcore.schema import Slot
from mlcore.training import TrainSpec, train
from mlcore.training import readiness as told_before
from mlcore.training.proof import Subject, prove_inputs
from mlcore.training.run import Workshop, dataset_of, prove

__all__ = [
    "compare",
    "readiness",
    "renew_certificates",
    "run_proof",
    "run_retraining",
    "run_training",
    "void_champions",
]

Progress = Callable[[Mapping[str, Any]], None]
_SPEC = ("target", "symbol", "timeframe", "model", "params", "feature_set", "walk_forward",
         "holdout", "days", "seed")  # fmt: skip


def _workshop(home: Home) -> Workshop:
    return Workshop(home.store, home.registry, home.ledger, home.settings)


def _spec(home: Home, arguments: Mapping[str, Any]) -> TrainSpec:
    asked = {k: arguments[k] for k in _SPEC if arguments.get(k) is not None}
    return TrainSpec(**{"seed": home.settings.seed, **asked})


def readiness(
    home: Home, target: str, symbol: str, timeframe: str, model: str,
    walk_forward: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """What a run would have to work with, and whether a certificate holds already."""
    asked = {"target": target, "symbol": symbol, "timeframe": timeframe, "model": model,
             "walk_forward": walk_forward}  # fmt: skip
    spec = _spec(home, asked)
    told = told_before(spec, dataset_of(_workshop(home), spec))
    row = home.db.one(
        "SELECT passed, code_hash FROM certificates WHERE slot = ? ORDER BY created_at DESC",
        (str(spec.slot),),
    )
    state = "none yet" if row is None else ("clean" if row["code_hash"] == code_hash() else "void")
    return {**told, "certificate": state, "slot": str(spec.slot)}


def _record(home: Home, run_id: str, **values: Any) -> None:
    names = ", ".join(f"{name} = ?" for name in values)
    with home.db.transaction() as db:
        db.execute(f"UPDATE runs SET {names} WHERE id = ?", (*values.values(), run_id))  # noqa: S608 – our own column names


def run_training(
    home: Home, arguments: Mapping[str, Any], *, job_id: str | None = None,
    progress: Progress | None = None, cancelled: Callable[[], bool] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """One training run, recorded whether it succeeds or not; one run a slot at a time.

    Raises
    ------
    JobError
        Another run holds the slot (E_JOB_HELD, naming it), or it was cancelled.
    """
    spec = _spec(home, arguments)
    began = home.now()
    run_id = job_id or f"run-{began}-{secrets.token_hex(4)}"
    holder = f"training run {run_id}"
    with Lease(home.db, home.clock, f"train-{spec.slot}", holder):
        with home.db.transaction() as db:
            db.execute(
                "INSERT INTO runs (id, job_id, slot, specification, started_at, state) "
                "VALUES (?,?,?,?,?,'running')",
                (run_id, job_id, str(spec.slot), json.dumps(dict(arguments)), began),
            )
        try:
            made = train(
                spec, _workshop(home), run_id=run_id, cancelled=cancelled,
                progress=progress or (lambda event: None),
            )  # fmt: skip
        except OpenrangeError as error:
            stopped = isinstance(error, JobError) and error.code == "E_JOB_CANCELLED"
            _record(
                home, run_id, ended_at=home.now(), state="cancelled" if stopped else "failed",
                error=json.dumps(error.as_dict(), default=str),
            )  # fmt: skip
            raise
        _record(home, run_id, ended_at=home.now(), state="done", version=made.version)
    return {"run": run_id, **made.as_dict()}


def run_retraining(
    home: Home, slot: str, *, job_id: str | None = None, progress: Progress | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """A challenger for a slot, trained as its champion was, with what differs from it.

    Raises
    ------
    RegistryError
        The slot has no champion to be trained like.
    """
    where = Slot.parse(slot)
    champion = home.registry.champion(where)
    if champion is None:
        raise RegistryError(
            f"A retraining repeats the champion's training – {slot} has no champion – train a "
            "version and promote it first.",
            code="E_REGISTRY_NO_CHAMPION",
        )
    spec = Package.read(home.registry.path(where, champion)).spec
    made = run_training(home, spec, job_id=job_id, progress=progress, cancelled=cancelled)
    return {**made, "champion": champion, "difference": compare(home, slot, champion,
                                                               made["version"])}  # fmt: skip


def compare(home: Home, slot: str, a: str, b: str) -> dict[str, Any]:
    """Two versions of a slot: only what differs in specification, and their scores."""
    where = Slot.parse(slot)
    cards = {name: home.registry.card(where, name) for name in (a, b)}
    specs = {name: Package.read(home.registry.path(where, name)).spec for name in (a, b)}
    hidden = {"lows", "highs", "features"}
    keys = sorted((set(specs[a]) | set(specs[b])) - hidden)
    changed = {k: [specs[a].get(k), specs[b].get(k)] for k in keys
               if specs[a].get(k) != specs[b].get(k)}  # fmt: skip
    names = [n for n in cards[a]["scores"] if n in cards[b]["scores"]]
    scores = {n: [cards[a]["scores"][n], cards[b]["scores"][n]] for n in names}
    verdicts = [cards[a]["verdict"], cards[b]["verdict"]]
    return {"slot": slot, "versions": [a, b], "changed": changed, "scores": scores,
            "verdicts": verdicts}  # fmt: skip


def void_champions(home: Home) -> list[str]:
    """Slots whose champion was proved by other code than this, and not again since."""
    listed = home.registry.versions()
    found = []
    for slot, version in listed[listed["role"] == "champion"][["slot", "version"]].to_numpy():
        try:
            loaded = home.engine.versions.get(Slot.parse(slot), version)
        except OpenrangeError:
            continue
        if loaded.is_void:
            found.append(str(slot))
    return found


def renew_certificates(home: Home, progress: Progress | None = None) -> dict[str, Any]:
    """Prove again every champion whose certificate changed code voided; failures are told."""
    told: dict[str, Any] = {}
    for slot in void_champions(home):
        where = Slot.parse(slot)
        folder = home.registry.path(where, home.registry.champion(where) or "champion")
        kept, shop = Package.read(folder).spec, _workshop(home)
        spec, tell = _spec(home, kept), progress or (lambda event: None)
        try:
            told[slot] = prove(shop, spec, dataset_of(shop, spec), tell, kept.get("set_id"))
        except OpenrangeError as error:
            told[slot] = error.as_dict()
    return told


def run_proof(
    home: Home, asked: Mapping[str, Any], progress: Progress | None = None
) -> dict[str, Any]:
    """Prove the inputs of a target on a symbol's bars; findings are an answer, not an error."""
    timeframe = str(asked["timeframe"])
    default = "signal" if timeframe == "1d" else "orb_direction"
    spec = _spec(home, {**asked, "target": asked.get("target") or default})
    names = named_set(str(asked.get("set") or spec.set_name))
    subject = Subject(
        home.store.read(spec.symbol, timeframe), home.store.market_of(spec.symbol),
        label(spec.target), names, home.settings.orb,
    )  # fmt: skip

    def tell(done: int, total: int) -> None:
        if progress is not None:
            progress({"kind": "proof", "done": done, "total": total})

    proof = prove_inputs(subject, seed=spec.seed, progress=tell)
    said = [f.sentence() for f in proof.findings]
    return {**proof.as_dict(), "slot": str(spec.slot), "code_hash": code_hash(),
            "sentences": said}  # fmt: skip
