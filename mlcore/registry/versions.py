"""Versions that never change: saved in one step, listed fast, read only after their hashes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mlcore.clock import Clock
from mlcore.errors import CertificateMissing, HashMismatch, NameRefused, RegistryError, UsageError
from mlcore.registry import folders
from mlcore.registry.acts import Act, champion_of, roles_of
from mlcore.schema import Slot, check_version
from mlcore.store.hubdb import HubDB, canonical_json

__all__ = ["VERSION_COLUMNS", "Versions"]

VERSION_COLUMNS = (
    "slot", "version", "created_at", "role", "archived", "present", "model_kind", "verdict",
    "certificate_id", "manifest_hash", "bytes", "meta",
)  # fmt: skip
CARD = "card.json"


class Versions:
    """The model versions of one home, and the certificates they need.

    Parameters
    ----------
    root
        The folder `<home>/registry`; versions are `root/<slot>/<version>/`.
    db
        The home's `hub.sqlite`: the index of versions, certificates and promotions.
    clock
        What time it is.
    """

    def __init__(self, root: Path | str, db: HubDB, clock: Clock) -> None:
        self.root = Path(root)
        self._db = db
        self._clock = clock

    def _now(self) -> int:
        return int(self._clock().value)

    # certificates ---------------------------------------------------------------------------

    def certify(
        self, slot: Slot | str, *, set_id: str, code_hash: str, passed: bool,
        report: Mapping[str, Any],
    ) -> str:  # fmt: skip
        """Keep what the leak prover found about a slot's inputs and pipeline; the row's id."""
        at = self._now()
        body = canonical_json(dict(report))
        told = canonical_json([str(slot), set_id, code_hash, at, bool(passed), body])
        certificate_id = hashlib.sha256(told.encode()).hexdigest()[:16]
        row = (certificate_id, str(slot), set_id, code_hash, at, int(passed), body)
        with self._db.transaction() as db:
            db.execute("INSERT OR IGNORE INTO certificates VALUES (?,?,?,?,?,?,?)", row)
        return certificate_id

    def certificate(self, certificate_id: str) -> dict[str, Any] | None:
        """A certificate's row, its report parsed; None if there is none."""
        row = self._db.one("SELECT * FROM certificates WHERE id = ?", (certificate_id,))
        if row is None:
            return None
        found = {**dict(row), "passed": bool(row["passed"])}
        return {**found, "report": json.loads(row["report"])}

    def proof_of(self, slot: Slot | str, *, set_id: str, code_hash: str) -> tuple[str, bool] | None:
        """The newest certificate that binds exactly this subject and code: id, and if it passed."""
        row = self._db.one(
            "SELECT id, passed FROM certificates WHERE slot = ? AND set_id = ? AND code_hash = ? "
            "ORDER BY created_at DESC, rowid DESC",
            (str(slot), set_id, code_hash),
        )
        return None if row is None else (str(row["id"]), bool(row["passed"]))

    def valid_certificate(self, slot: Slot | str, *, set_id: str, code_hash: str) -> str | None:
        """The id of `proof_of` if it passed."""
        found = self.proof_of(slot, set_id=set_id, code_hash=code_hash)
        return found[0] if found is not None and found[1] else None

    def _demand_certificate(self, slot: str, certificate_id: str | None, act: str) -> None:
        row = self._db.one(
            "SELECT slot, passed FROM certificates WHERE id = ?", (certificate_id or "",)
        )
        wrong = None
        if row is None:
            wrong = "there is none" if not certificate_id else f"{certificate_id} does not exist"
        elif row["slot"] != slot:
            wrong = f"{certificate_id} belongs to {row['slot']}"
        elif not row["passed"]:
            wrong = f"{certificate_id} names a leak"
        if wrong:
            raise CertificateMissing(
                f"A version is {act} with a leak certificate that passed – {wrong} – run the "
                "prover, then try again.",
                details={"slot": slot, "certificate": certificate_id},
            )

    # versions -------------------------------------------------------------------------------

    def save(
        self,
        slot: Slot | str,
        build: Callable[[Path], None],
        *,
        certificate_id: str | None,
        meta: Mapping[str, Any],
    ) -> str:
        """Keep a new version; nothing of it can be seen before all of it is there.

        Parameters
        ----------
        slot
            What it competes for.
        build
            Writes the model's files, `card.json` among them, into the empty folder it is given.
        certificate_id
            The leak certificate of its inputs and pipeline.
        meta
            JSON facts for lists (`model_kind`, `verdict`, …); kept in the manifest.

        Raises
        ------
        CertificateMissing
            No certificate of this slot that passed.
        RegistryError
            What `build` wrote is not plain files within the limits.
        """
        slot = str(self._slot(slot))
        self._demand_certificate(slot, certificate_id, "registered")
        at = self._now()
        facts = {"slot": slot, "created_at": at, "certificate_id": certificate_id}
        folder = folders.temporary(self.root / slot)
        try:
            build(folder)
            digest = folders.write_manifest(folder, {**facts, "meta": dict(meta)})
            final = folders.place(folder, self._clock().strftime("%Y%m%dT%H%M%SZ"), digest)
        except OSError as error:
            shutil.rmtree(folder, ignore_errors=True)
            raise folders.disk_refused(error) from error
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._index(final)
        return final.name

    def _index(self, folder: Path) -> None:
        manifest, digest = folders.read_manifest(folder)
        meta, files = manifest["meta"], manifest["files"].values()
        row = (
            manifest["slot"], folder.name, manifest["created_at"], meta.get("model_kind"),
            _word(meta.get("verdict")), manifest["certificate_id"], digest,
            sum(file["size"] for file in files), canonical_json(meta),
        )  # fmt: skip
        with self._db.transaction() as db:
            db.execute("INSERT OR IGNORE INTO versions VALUES (?,?,?,?,?,?,?,?,?)", row)

    def _slot(self, slot: Slot | str) -> Slot:
        return slot if isinstance(slot, Slot) else Slot.parse(slot)

    def _known(self, slot: str, version: str) -> sqlite3.Row:
        """The index row of a version; a folder that is whole but not listed yet is listed first."""
        check_version(version)
        sql = "SELECT * FROM versions WHERE slot = ? AND version = ?"
        row = self._db.one(sql, (slot, version))
        if row is None and self._adopt(slot, version):
            row = self._db.one(sql, (slot, version))
        if row is None:
            known = self._db.query(
                "SELECT version FROM versions WHERE slot = ? ORDER BY version DESC LIMIT 5", (slot,)
            )
            latest = ", ".join(r["version"] for r in known) or "none yet"
            raise UsageError(
                f"A version is one of the slot's – {version} is none of {slot} – the latest are: "
                f"{latest}.",
                code="E_REGISTRY_VERSION",
                details={"slot": slot, "version": version, "latest": [r["version"] for r in known]},
            )
        return row

    def _adopt(self, slot: str, version: str) -> bool:
        """List a folder that was put in place by a process killed before it could list it."""
        folder = self.root / slot / version
        try:
            manifest, _ = folders.read_manifest(folder)
            self._demand_certificate(slot, manifest["certificate_id"], "registered")
        except (HashMismatch, CertificateMissing, KeyError):
            return False
        if manifest["slot"] != slot:
            return False
        self._index(folder)
        return True

    def path(self, slot: Slot | str, version: str = "champion") -> Path:
        """The folder of a version, every byte of it checked just now.

        Raises
        ------
        RegistryError
            `champion` of a slot that has none.
        UsageError
            No such version.
        HashMismatch
            Its files are not those that were saved.
        """
        slot = str(self._slot(slot))
        row = self._known(slot, self._named(slot, version))
        folder = self.root / slot / str(row["version"])
        _, digest = folders.check(folder)
        if digest != row["manifest_hash"]:
            raise HashMismatch(
                f"A version's manifest is as it was saved – that of {folder.name} is another – "
                "restore the folder from a copy, or roll back.",
                code="E_REGISTRY_MANIFEST",
                details={"version": folder.name},
            )
        return folder

    def _named(self, slot: str, version: str) -> str:
        if version != "champion":
            return version
        champion = self.champion(slot)
        if champion is None:
            raise RegistryError(
                f"A champion is promoted by a person – {slot} has none – promote one of its "
                "versions.",
                code="E_REGISTRY_NO_CHAMPION",
                details={"slot": slot},
            )
        return champion

    def version_hash(self, slot: Slot | str, version: str = "champion") -> str:
        """The SHA-256 of a version's manifest: what a log row binds itself to."""
        slot = str(self._slot(slot))
        return str(self._known(slot, self._named(slot, version))["manifest_hash"])

    def card(self, slot: Slot | str, version: str = "champion") -> dict[str, Any]:
        """The model card of a version, read after its folder was checked."""
        found: dict[str, Any] = json.loads((self.path(slot, version) / CARD).read_bytes())
        return found

    def versions(self, slot: Slot | str | None = None) -> pd.DataFrame:
        """Every version (of one slot), newest first, with VERSION_COLUMNS.

        `created_at` is datetime64[ns, UTC]; `role` is champion, challenger or archived; `present`
        is False where the folder is gone; `meta` holds what `save` was given.
        """
        wanted = None if slot is None else str(self._slot(slot))
        on_disk = self._on_disk(wanted)
        rows = self._rows(wanted)
        listed = {(row["slot"], row["version"]) for row in rows}
        if any([self._adopt(s, v) for s, v in sorted(on_disk - listed)]):
            rows = self._rows(wanted)
        roles = roles_of(self._acts(wanted))
        records = [
            (
                r["slot"], r["version"], r["created_at"],
                (role := roles.get((r["slot"], r["version"]), "challenger")), role == "archived",
                (r["slot"], r["version"]) in on_disk, r["model_kind"], r["verdict"],
                r["certificate_id"], r["manifest_hash"], r["bytes"], json.loads(r["meta"]),
            )
            for r in rows
        ]  # fmt: skip
        frame = pd.DataFrame.from_records(records, columns=list(VERSION_COLUMNS))
        stamps = pd.DatetimeIndex(frame["created_at"].to_numpy("int64"), tz="UTC")
        return frame.assign(created_at=stamps.as_unit("ns"))

    def _rows(self, slot: str | None) -> list[sqlite3.Row]:
        return self._db.query(
            "SELECT * FROM versions WHERE :slot IS NULL OR slot = :slot "
            "ORDER BY created_at DESC, version DESC",
            {"slot": slot},
        )

    def _on_disk(self, slot: str | None) -> set[tuple[str, str]]:
        """Slot and version of every folder whose name is a version's."""
        parents = self._slot_folders() if slot is None else [self.root / slot]
        return {
            (parent.name, name)
            for parent in parents
            if parent.is_dir()
            for name in _names(parent)
            if _is_version(name)
        }

    def _slot_folders(self) -> list[Path]:
        if not self.root.is_dir():
            return []
        return [path for path in sorted(self.root.iterdir()) if path.is_dir()]

    def _acts(self, slot: str | None) -> list[Act]:
        rows = self._db.query(
            "SELECT slot, version, act FROM promotions WHERE :slot IS NULL OR slot = :slot "
            "ORDER BY id",
            {"slot": slot},
        )
        return [Act(row["slot"], row["version"], row["act"]) for row in rows]

    def newest(self, slot: Slot | str) -> str:
        """The slot's newest version that is not archived.

        Raises
        ------
        UsageError
            The slot has none.
        """
        listed = self.versions(slot)
        listed = listed[~listed["archived"].astype(bool)]
        if listed.empty:
            raise UsageError(
                f"The newest version is one that was trained – {slot} has none – train one first.",
                code="E_REGISTRY_VERSION",
            )
        return str(listed["version"].max())

    def champion(self, slot: Slot | str) -> str | None:
        """The version the latest promotion or roll-back names; None before the first."""
        return champion_of(self._acts(str(self._slot(slot))))

    def champions(self, slots: Sequence[Slot] | None = None) -> dict[str, str]:
        """The champion of every slot (of these) that has one, in one query."""
        names = [str(slot) for slot in slots or ()]
        which = "" if slots is None else f"WHERE slot IN ({', '.join('?' * len(names))}) "
        rows = self._db.query(
            f"SELECT slot, version, act FROM promotions {which}ORDER BY id",  # noqa: S608
            names,
        )
        roles = roles_of(Act(row["slot"], row["version"], row["act"]) for row in rows)
        return {slot: version for (slot, version), role in roles.items() if role == "champion"}


def _names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [e.name for e in entries if e.is_dir(follow_symlinks=False)]


def _is_version(name: str) -> bool:
    try:
        check_version(name)
    except NameRefused:
        return False
    return True


def _word(value: Any) -> str | None:
    """A verdict as its words for lists: itself, or the `words` of a verdict object."""
    if isinstance(value, Mapping):
        value = value.get("words")
    return None if value is None else str(value)
