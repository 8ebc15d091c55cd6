"""A version's folder: written aside, sealed by a manifest, renamed once, checked before use.

The manifest lists every file with size and SHA-256; the folder's name ends with the first digits
of the manifest's own hash. No file is opened by a parser before `check` has read its bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from mlcore.errors import HashMismatch, RegistryError
from mlcore.jobs import is_process_alive, process_started
from mlcore.store.hashing import sha256_file, sync_folder
from mlcore.store.hubdb import canonical_json

__all__ = [
    "MANIFEST",
    "MAX_FILES",
    "MAX_FILE_BYTES",
    "check",
    "disk_refused",
    "is_abandoned",
    "place",
    "problems",
    "read_manifest",
    "temporary",
    "write_manifest",
]

MANIFEST = "manifest.json"
MAX_FILE_BYTES = 100 * 1024 * 1024
MAX_FILES = 5_000
_MAX_MANIFEST_BYTES = 4 * 1024 * 1024
_PREFIX = ".saving-"


def temporary(parent: Path) -> Path:
    """A new empty folder beside the versions, its name telling whose it is."""
    parent.mkdir(parents=True, exist_ok=True)
    started = int(process_started(os.getpid()) or 0)
    folder = parent / f"{_PREFIX}{os.getpid()}-{started}-{secrets.token_hex(4)}"
    folder.mkdir()
    return folder


def is_abandoned(name: str) -> bool | None:
    """Whether a temporary folder's maker is gone; None if it is no temporary folder."""
    if not name.startswith(_PREFIX):
        return None
    parts = name.removeprefix(_PREFIX).split("-")
    if len(parts) != 3 or not (parts[0].isdigit() and parts[1].isdigit()):
        return True
    return not is_process_alive(int(parts[0]), float(parts[1]))


def _walk(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Every entry below `folder` that is not a folder: its relative posix path and lstat."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda e: e.name)
    for entry in found:
        if entry.is_dir(follow_symlinks=False):
            inner = _walk(Path(entry.path))
            yield from ((f"{entry.name}/{name}", info) for name, info in inner)
        else:
            yield entry.name, os.stat(entry.path, follow_symlinks=False)


def _fault(info: os.stat_result) -> str | None:
    """What is wrong with an entry's kind or size, in words."""
    if stat.S_ISLNK(info.st_mode):
        return "is a link"
    if not stat.S_ISREG(info.st_mode):
        return "is no ordinary file"
    if info.st_nlink > 1:
        return "is linked from elsewhere"
    if info.st_size > MAX_FILE_BYTES:
        return f"is larger than {MAX_FILE_BYTES // 1024**2} MB"
    return None


def _refusal(folder: Path, faults: list[str], cure: str) -> str:
    shown = "; ".join(faults[:5]) + ("; …" if len(faults) > 5 else "")
    return f"A version is the files of its manifest and no others – {folder.name}: {shown} – {cure}"


def write_manifest(folder: Path, facts: Mapping[str, Any]) -> str:
    """List, hash and sync what was built in `folder`; the manifest's SHA-256.

    Raises
    ------
    RegistryError
        Nothing was built, too many files, or one that is linked, special or too large.
    """
    entries = [(name, info) for name, info in _walk(folder) if name != MANIFEST]
    faults = [f"{name} {said}" for name, info in entries if (said := _fault(info))]
    if not entries:
        faults = ["it is empty"]
    elif len(entries) > MAX_FILES:
        faults = [f"it has {len(entries)} files, more than {MAX_FILES}"]
    if faults:
        raise RegistryError(
            _refusal(folder, faults, cure="write plain files only; nothing was saved."),
            code="E_REGISTRY_FILES",
            details={"faults": faults},
        )
    listed: dict[str, Any] = {}
    for name, info in entries:
        _sync_file(folder / name)
        listed[name] = {"size": info.st_size, "sha256": sha256_file(folder / name)}
    text = canonical_json({"format": 1, **facts, "files": listed}).encode()
    (folder / MANIFEST).write_bytes(text)
    _sync_file(folder / MANIFEST)
    for inner, _, _ in os.walk(folder):
        sync_folder(inner)
    return hashlib.sha256(text).hexdigest()


def _sync_file(path: Path) -> None:
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def place(folder: Path, stamp: str, digest: str) -> Path:
    """Rename a sealed folder to `<stamp>-<digest's first digits>`, taking more where it is taken.

    Raises
    ------
    RegistryError
        The very same version is there already.
    """
    parent = folder.parent
    for digits in range(5, 13):
        final = parent / f"{stamp}-{digest[:digits]}"
        try:
            os.rename(folder, final)  # fails on a folder that is not empty: never overwrites
        except OSError as error:
            if not final.exists():
                raise disk_refused(error) from error
            continue
        sync_folder(parent)
        return final
    shutil.rmtree(folder)
    raise RegistryError(
        f"A version is saved once – {stamp}-{digest[:5]} is there already – use that one.",
        code="E_REGISTRY_EXISTS",
    )


def disk_refused(error: OSError) -> RegistryError:
    """Our error for a disk that is full, read-only or broken."""
    return RegistryError(
        f"A version is written whole or not at all – the disk said: {error.strerror or error} – "
        "free space or check the disk; nothing was saved.",
        code="E_REGISTRY_DISK",
    )


def read_manifest(folder: Path) -> tuple[dict[str, Any], str]:
    """A folder's manifest and its SHA-256, if they match the folder's name.

    Raises
    ------
    HashMismatch
        No manifest, one that is no ordinary file, or bytes that do not belong to this name.
    """
    path = folder / MANIFEST
    wrong = "cannot be read"
    try:
        info = os.stat(path, follow_symlinks=False)
        wrong = _fault(info) or ("is too large" if info.st_size > _MAX_MANIFEST_BYTES else "")
        data = b"" if wrong else path.read_bytes()
    except OSError:
        data = b""
    digest = hashlib.sha256(data).hexdigest()
    if not wrong and not digest.startswith(folder.name.rpartition("-")[2]):
        wrong = "has other bytes than were saved"
    if wrong:
        raise HashMismatch(
            f"A version's manifest is as it was saved – that of {folder.name} {wrong} – restore "
            "the folder from a copy, or roll back.",
            code="E_REGISTRY_MANIFEST",
            details={"version": folder.name},
        )
    manifest: dict[str, Any] = json.loads(data)
    return manifest, digest


def problems(folder: Path, listed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """In words, how the files of `folder` differ from a manifest's list; empty if they do not."""
    found = {name: info for name, info in _walk(folder) if name != MANIFEST}
    faults = [f"{name} is not in its manifest" for name in found if name not in listed]
    for name, told in listed.items():
        if name not in found or PurePosixPath(name).is_absolute() or ".." in name.split("/"):
            faults.append(f"{name} is missing")
        elif said := _fault(found[name]):
            faults.append(f"{name} {said}")
        elif found[name].st_size != told["size"]:
            faults.append(f"{name} has {found[name].st_size} bytes, not {told['size']}")
        elif sha256_file(folder / name) != told["sha256"]:
            faults.append(f"{name} has other bytes than were saved")
    return faults


def check(folder: Path) -> tuple[dict[str, Any], str]:
    """The manifest and its hash, after every file's bytes were found to be those it lists.

    Raises
    ------
    HashMismatch
        Any extra, missing, linked, special, oversized or changed file; the message names it.
    """
    manifest, digest = read_manifest(folder)
    try:
        faults = problems(folder, manifest["files"])
    except OSError as error:
        faults = [f"a file cannot be read ({error.strerror})"]
    if faults:
        raise HashMismatch(
            _refusal(folder, faults, cure="restore it from a copy, or roll back."),
            code="E_REGISTRY_HASH",
            details={"version": folder.name, "faults": faults},
        )
    return manifest, digest
