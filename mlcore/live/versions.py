"""Versions in memory: loaded once, checked before, with what the log wants to know of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mlcore.config import Settings
from mlcore.errors import OpenrangeError
from mlcore.evaluation.leaks import code_hash
from mlcore.live.drafting import RULE, Answerer
from mlcore.market.bars import BarStore
from mlcore.models.package import Package
from mlcore.registry import Registry
from mlcore.samples.labels import label
from mlcore.schema import Slot

__all__ = ["Loaded", "LoadedVersions"]


@dataclass(frozen=True)
class Loaded:
    """A version that can answer: its files, and who it is; `package` None for the rule."""

    who: Answerer
    package: Package | None
    why: str = ""
    is_void: bool = False


class LoadedVersions:
    """Versions of one process, by slot, version and role."""

    def __init__(self, store: BarStore, registry: Registry, settings: Settings) -> None:
        self._store = store
        self._registry = registry
        self._settings = settings
        self._config_hash = settings.fingerprint()
        self._held: dict[tuple[str, str, str], Loaded] = {}

    def get(self, slot: Slot, version: str | None, role: str = "champion") -> Loaded:
        """A version ready to answer, or the rule where there is none or it cannot be loaded."""
        if version is None:
            return self.rule(slot, "no model is trained for this target yet")
        key = (str(slot), version, role)
        held = self._held.get(key)
        try:
            if held is None:
                held = self._load(slot, version, role)
            elif held.is_void:  # a void certificate may be renewed at any time: look again
                held = self._proved(slot, held)
        except OpenrangeError as error:
            return self.rule(slot, f"{version} could not be loaded: {error.message}")
        if held.package is not None:
            self._held[key] = held
        return held

    def rule(self, slot: Slot, why: str) -> Loaded:
        """The rule that answers where no model does."""
        who = Answerer(
            label=label(slot.label), version=RULE, version_hash=None, role="baseline",
            features=(), feature_set="none", certificate_id=None, code_hash=code_hash(),
            **self._common(slot),
        )  # fmt: skip
        return Loaded(who, None, why)

    def _common(self, slot: Slot) -> dict[str, Any]:
        market = self._store.market_of(slot.symbol)
        return {"slot": slot, "config_hash": self._config_hash, "cost": market.cost,
                "simulated": market.simulated}  # fmt: skip

    def _proof(self, slot: Slot, spec: dict[str, Any]) -> tuple[str, bool] | None:
        """Certificate of this code for what the version was made of, and whether it passed."""
        if spec["code_hash"] == code_hash():
            return spec["certificate_id"], True
        return self._registry.proof_of(slot, set_id=spec.get("set_id", ""), code_hash=code_hash())

    def _load(self, slot: Slot, version: str, role: str) -> Loaded:
        package = Package.read(self._registry.path(slot, version))
        card = self._registry.card(slot, version)
        spec, verdict = package.spec, card["verdict"]
        who = Answerer(
            label=label(slot.label), version=version,
            version_hash=self._registry.version_hash(slot, version), role=role,
            features=package.features, feature_set=spec["feature_set"],
            certificate_id=None, code_hash=code_hash(),
            evidence=verdict["kind"] == "edge", baseline=spec.get("best_baseline") or "",
            lows=np.array(spec["lows"], dtype=float), highs=np.array(spec["highs"], dtype=float),
            **self._common(slot),
        )  # fmt: skip
        return self._proved(slot, Loaded(who, package))

    def _proved(self, slot: Slot, loaded: Loaded) -> Loaded:
        """The version with its certificate of this code: valid, void, or failed (the rule)."""
        if loaded.package is None:
            return loaded
        proof = self._proof(slot, loaded.package.spec)
        if proof is None:
            why = "its leak certificate is void: the code changed"
            return replace(loaded, why=why, is_void=True)
        if not proof[1]:
            return self.rule(slot, f"{loaded.who.version} fails the leak prover of this code")
        return replace(
            loaded, who=replace(loaded.who, certificate_id=proof[0]), why="", is_void=False
        )
