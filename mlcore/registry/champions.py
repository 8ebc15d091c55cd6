"""Who serves: promote, roll back, archive; and what is wrong with the folders on disk."""

from __future__ import annotations

import math
import os
import shutil
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from mlcore.errors import HashMismatch, RegistryError, UsageError
from mlcore.registry import folders
from mlcore.registry.acts import archived_of, former_of
from mlcore.registry.versions import Versions
from mlcore.schema import Slot

__all__ = ["Registry"]


class Registry(Versions):
    """The model versions of one home and the append-only acts that say which one serves.

    Parameters
    ----------
    root
        The folder `<home>/registry`; versions are `root/<slot>/<version>/`.
    db
        The home's `hub.sqlite`: the index of versions, certificates and promotions.
    clock
        What time it is.
    """

    def promote(self, slot: Slot | str, version: str, reason: str, actor: str) -> None:
        """Make a version the slot's champion; one that already is stays so, without a new row.

        Raises
        ------
        CertificateMissing
            Its leak certificate is missing or did not pass: the only thing that refuses.
        HashMismatch
            Its files are not those that were saved.
        UsageError
            No such version, or no reason given.
        """
        slot = str(self._slot(slot))
        self._demand_reason(reason, "promotion")
        self.path(slot, version)
        certificate_id = self._known(slot, version)["certificate_id"]
        self._demand_certificate(slot, certificate_id, "promoted")
        with self._db.transaction() as db:
            if self.champion(slot) != version:
                self._act(db, slot, version, "promote", reason, actor, certificate_id)

    def roll_back(self, slot: Slot | str, reason: str, actor: str = "user") -> str:
        """Return to the champion before this one; its version.

        Raises
        ------
        RegistryError
            There was none before (E_REGISTRY_NO_FORMER).
        HashMismatch
            The former champion's files are not those that were saved.
        """
        slot = str(self._slot(slot))
        self._demand_reason(reason, "roll-back")
        former = self._former(slot)
        self.path(slot, former)
        certificate_id = self._known(slot, former)["certificate_id"]
        with self._db.transaction() as db:
            if self._former(slot) != former:
                raise RegistryError(
                    f"A roll-back acts on the champion it saw – that of {slot} has changed "
                    "meanwhile – look again, then decide.",
                    code="E_REGISTRY_CHANGED",
                    details={"slot": slot},
                )
            self._act(db, slot, former, "roll_back", reason, actor, certificate_id)
        return former

    def _former(self, slot: str) -> str:
        former = former_of(self._acts(slot))
        if former is None:
            raise RegistryError(
                f"A roll-back returns to the champion before – {slot} had none – promote "
                "another version instead.",
                code="E_REGISTRY_NO_FORMER",
                details={"slot": slot},
            )
        return former

    def archive(self, slot: Slot | str, version: str, reason: str, actor: str = "user") -> None:
        """Set a version aside: it stays on disk and in the log, out of the lists of candidates.

        Raises
        ------
        RegistryError
            It is the champion (E_REGISTRY_IS_CHAMPION).
        """
        slot = str(self._slot(slot))
        self._demand_reason(reason, "archiving")
        row = self._known(slot, version)
        with self._db.transaction() as db:
            if self.champion(slot) == version:
                raise RegistryError(
                    f"A champion is not archived – {version} serves {slot} – promote another, "
                    "or roll back, first.",
                    code="E_REGISTRY_IS_CHAMPION",
                    details={"slot": slot, "version": version},
                )
            if version not in archived_of(self._acts(slot)):
                self._act(db, slot, version, "archive", reason, actor, row["certificate_id"])

    def keep_best(self, slot: Slot | str, keep: int, reason: str, actor: str = "user") -> list[str]:
        """Set all but the best `keep` versions aside, the champion never; those set aside.

        Best is the largest difference to the best baseline on the version's own card; versions
        without a figure come last, of equals the newest is first. A champion that is not among
        the best stays beside them. Nothing is deleted, and a promotion brings a version back.

        Raises
        ------
        UsageError
            Fewer than one version to keep, or no reason given.
        """
        slot = str(self._slot(slot))
        self._demand_reason(reason, "archiving")
        if keep < 1:
            raise UsageError(
                f"At least one version is kept – {keep} was given – keep 1 or more.",
                code="E_REGISTRY_KEEP",
                details={"given": keep},
            )
        listed = self.versions(slot)
        certified = dict(zip(listed["version"], listed["certificate_id"], strict=True))
        done: list[str] = []
        with self._db.transaction() as db:
            champion, archived = self.champion(slot), archived_of(self._acts(slot))
            ranked = [v for v in _best_first(listed) if v not in archived]
            for version in (v for v in ranked[keep:] if v != champion):
                self._act(db, slot, version, "archive", reason, actor, certified[version])
                done.append(version)
        return done

    @staticmethod
    def _demand_reason(reason: str, act: str) -> None:
        if not reason.strip():
            raise UsageError(
                f"A {act} is recorded with a reason – none was given – say why in a few words.",
                code="E_REGISTRY_REASON",
            )

    def _act(
        self, db: sqlite3.Connection, slot: str, version: str, act: str, reason: str,
        actor: str, certificate_id: str,
    ) -> None:  # fmt: skip
        row = (
            self._now(), slot, version, act, self.champion(slot), reason.strip(), actor,
            certificate_id,
        )  # fmt: skip
        db.execute(
            "INSERT INTO promotions (at, slot, version, act, previous, reason, actor, "
            "certificate_id) VALUES (?,?,?,?,?,?,?,?)",
            row,
        )

    def history(self, slot: Slot | str | None = None) -> pd.DataFrame:
        """The acts (of one slot), oldest first: at, slot, version, act, previous, reason, actor.

        `at` is datetime64[ns, UTC].
        """
        frame = self._db.frame(
            "SELECT at, slot, version, act, previous, reason, actor, certificate_id "
            "FROM promotions WHERE :slot IS NULL OR slot = :slot ORDER BY id",
            {"slot": None if slot is None else str(self._slot(slot))},
        )
        stamps = pd.DatetimeIndex(frame["at"].to_numpy("int64"), tz="UTC")
        return frame.assign(at=stamps.as_unit("ns"))

    # the disk -------------------------------------------------------------------------------

    def verify(self) -> list[dict[str, Any]]:
        """Hash every file of every version: one dict (slot, version, problem) for each fault."""
        listed = {(r["slot"], r["version"]): r["manifest_hash"] for r in self._rows(None)}
        found: list[dict[str, Any]] = []
        for slot, version in sorted(set(listed) | self._on_disk(None)):
            said = self._fault(slot, version, listed.get((slot, version)))
            if said is not None:
                found.append({"slot": slot, "version": version, "problem": said})
        return found

    def _fault(self, slot: str, version: str, expected: str | None) -> str | None:
        folder = self.root / slot / version
        if not folder.is_dir():
            return f"A listed version is on disk – {version} is missing – restore it from a copy."
        if expected is None and not self._adopt(slot, version):
            return (
                f"A version on disk was saved by this registry – {version} was not – move it away."
            )
        try:
            _, digest = folders.check(folder)
        except HashMismatch as error:
            return error.message
        if expected is not None and digest != expected:
            return f"A version's manifest is as it was saved – that of {version} is another."
        return None

    def orphans(self) -> pd.DataFrame:
        """Folders a killed save left behind: slot, name, bytes; saves under way are not listed."""
        records = [
            (parent.name, name, _size(parent / name))
            for parent in self._slot_folders()
            for name in sorted(os.listdir(parent))
            if folders.is_abandoned(name)
        ]
        return pd.DataFrame.from_records(records, columns=["slot", "name", "bytes"])

    def remove_orphans(self) -> int:
        """Delete what `orphans` lists; how many there were."""
        found = self.orphans()
        for slot, name in zip(found["slot"], found["name"], strict=True):
            shutil.rmtree(self.root / slot / name)
        return len(found)


def _best_first(listed: pd.DataFrame) -> list[str]:
    """Versions by their difference to the best baseline, those without one last, then by age."""

    def rank(row: tuple[str, dict[str, Any]]) -> tuple[bool, float, str]:
        verdict = row[1].get("verdict")
        found = verdict.get("difference") if isinstance(verdict, Mapping) else None
        value = float(found) if isinstance(found, int | float) else math.nan
        return math.isfinite(value), value if math.isfinite(value) else 0.0, row[0]

    rows = zip(listed["version"].astype(str), listed["meta"], strict=True)
    return [version for version, _ in sorted(rows, key=rank, reverse=True)]


def _size(folder: Path) -> int:
    paths = (Path(inner) / name for inner, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_size for path in paths)
