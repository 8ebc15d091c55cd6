"""SHA-256 of files and folders' entries, read in blocks, never whole."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

__all__ = ["sha256_file", "sync_folder"]


def sha256_file(path: Path | str) -> str:
    """The SHA-256 of a file's bytes, as 64 lower-case hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync_folder(path: Path | str) -> None:
    """Make a folder's entries durable, so that a rename inside it survives a power cut."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
