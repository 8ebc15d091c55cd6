"""Paths into files of bars: folders opened, formats told by content, hashes taken."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from mlcore.errors import BarsError
from mlcore.store import sha256_file

__all__ = ["combined_sha256", "expand", "format_of"]

Paths = Path | str | Sequence[Path | str]
_SUFFIXES = (".csv", ".tsv", ".txt", ".parquet", ".pq", ".feather", ".arrow")
_BINARY = {b"PK\x03\x04": "a zip archive", b"\x1f\x8b": "a gzip archive"}


def expand(path: Paths) -> list[Path]:
    """The files meant by a file, a folder or several of these, without repeats, by name.

    Raises
    ------
    BarsError
        One that is not there (E_BARS_FILE), or a folder without files of bars (E_BARS_FOLDER).
    """
    given = [path] if isinstance(path, str | Path) else list(path)
    found: list[Path] = []
    for item in map(Path, given):
        found += _inside(item) if item.is_dir() else [item]
    for item in found:
        if not item.is_file():
            raise BarsError(
                f"An import reads files – {item.name} is not there – check the path; nothing was "
                "imported.",
                code="E_BARS_FILE",
            )
    return list(dict.fromkeys(found))


def _inside(folder: Path) -> list[Path]:
    names = sorted(p for p in folder.iterdir() if p.suffix.lower() in _SUFFIXES and p.is_file())
    if not names:
        raise BarsError(
            f"A folder to import holds files of bars ({' '.join(_SUFFIXES)}) – {folder.name} has "
            "none – choose another folder.",
            code="E_BARS_FOLDER",
        )
    return names


def format_of(path: Path) -> str:
    """`parquet`, `feather` or `text`, by the file's first bytes.

    Raises
    ------
    BarsError
        An empty file (E_BARS_EMPTY), or one that is none of the three (E_BARS_FORMAT).
    """
    with path.open("rb") as file:
        head = file.read(65536)
    if not head.strip():
        raise BarsError(
            f"A file of bars has rows – {path.name} is empty – choose another file; nothing was "
            "imported.",
            code="E_BARS_EMPTY",
        )
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith((b"ARROW1", b"FEA1")):
        return "feather"
    if head.startswith((b"\xef\xbb\xbf",)) or b"\x00" not in head:
        return "text"
    what = next((name for magic, name in _BINARY.items() if head.startswith(magic)), "binary")
    raise BarsError(
        f"A file of bars is text (CSV, TSV), Parquet or Feather – {path.name} is {what} – unpack "
        "or export it as one of these; nothing was imported.",
        code="E_BARS_FORMAT",
    )


def combined_sha256(paths: Sequence[Path]) -> str:
    """One file's SHA-256; of several, the SHA-256 over theirs, whatever their order."""
    hashes = [sha256_file(path) for path in paths]
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()
