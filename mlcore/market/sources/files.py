"""Paths into files of bars: folders opened, formats told by content, hashes taken."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from mlcore.errors import BarsError
from mlcore.store import sha256_file

__all__ = ["combined_sha256", "expand", "format_of", "symbol_of", "told_symbol"]

Paths = Path | str | Sequence[Path | str]
_SUFFIXES = (
    ".csv", ".tsv", ".txt", ".json", ".parquet", ".pq", ".feather", ".arrow", ".zip", ".gz",
)  # fmt: skip
_SAID = re.compile(
    r"\d+ ?(m|min|mins|minute|h|hour|d|day|days)|daily|hourly|minute|day|hour|sample|trade|quote"
    r"|bid|ask|mt[45]|lean|spot|perp|stock|id|variant|19\d\d|20\d\d|\d{4}-?\d\d(-?\d\d)?|jan|feb|march?|apr(il)?"
    r"|may|june?|july?|aug|sept?|oct|nov|dec|bars|data|historical|full",
    re.I,
)
_BINARY = {
    b"PK\x03\x04": "a zip archive inside another", b"\x1f\x8b": "a gzip archive inside another",
    b"PK\x05\x06": "an empty zip archive", b"\xd0\xcf": "an Excel workbook",
    b"%PDF": "a PDF", b"7z": "a 7z archive", b"Rar!": "a RAR archive", b"SQLite": "a database",
}  # fmt: skip


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
    """`parquet`, `feather`, `json` or `text`, by the file's first bytes.

    Raises
    ------
    BarsError
        An empty file (E_BARS_EMPTY), or one that is none of these (E_BARS_FORMAT).
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
    if b"\x00" not in head and not head.startswith(tuple(_BINARY)):
        opening = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
        return "json" if opening in (b"[", b"{") else "text"
    what = next((name for magic, name in _BINARY.items() if head.startswith(magic)), "binary")
    raise BarsError(
        f"A file of bars is text (CSV, TSV), JSON, Parquet or Feather – {path.name} is {what} – "
        "unpack or export it as one of these; nothing was imported.",
        code="E_BARS_FORMAT",
    )


def combined_sha256(paths: Sequence[Path]) -> str:
    """One file's SHA-256; of several, the SHA-256 over theirs, whatever their order."""
    hashes = [sha256_file(path) for path in paths]
    if len(hashes) == 1:
        return hashes[0]
    return hashlib.sha256("\n".join(sorted(hashes)).encode()).hexdigest()


def symbol_of(name: str) -> str:
    """The symbol that a file's name tells, as far as a name can.

    Examples
    --------
    >>> [symbol_of(n) for n in ("aapl.us.txt", "nifty50_infy_daily.csv", "BTCUSDT-5m-2026-01.zip")]
    ['AAPL', 'INFY', 'BTCUSDT']
    """
    stem, words = _words(name)
    return (words[-1] if words else stem).upper()


def told_symbol(name: str) -> str:
    """The same, but empty where nothing in the name looks like a symbol (`jan.csv`, `1.csv`)."""
    _, words = _words(name)
    return words[-1].upper() if words and not words[-1].isdigit() else ""


def _words(name: str) -> tuple[str, list[str]]:
    """A name without what says format, and its words that say neither dates nor timeframes."""
    stem = re.sub(rf"({'|'.join(map(re.escape, _SUFFIXES))}|\.us)", "", name, flags=re.I)
    stem = re.sub(r"-\d+(mo|[smhdw])(-.*)?$", "", stem)
    words = [w for w in re.split(r"[_\s]+", stem) if w and not _SAID.fullmatch(w)]
    return stem, words
