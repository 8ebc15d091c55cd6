"""Archives, JSON and foreign encodings into plain files in a scratch folder, within limits.

What can be read as it is stays where it is. A member keeps its archive's name in its own, so that a
refusal says `trades.zip: 2024-01.csv row 3`.
"""

from __future__ import annotations

import gzip
import re
import shutil
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from mlcore.errors import BarsError
from mlcore.market.sources.files import told_symbol

__all__ = ["LIMIT_BYTES", "contracts_in", "unpacked"]

LIMIT_BYTES = 4 << 30
_LIMIT_RATIO = 200
_FREE_BYTES = 16 << 20
_LIMIT_MEMBERS = 5_000
_CHUNK = 1 << 20
_READABLE = (".csv", ".tsv", ".txt", ".json", ".parquet", ".pq", ".feather", ".arrow", "")
_PROSE = ("readme", "read me", "license", "licence", "disclaimer", "changelog")
_CONTRACT = re.compile(
    r"\d{8}_(?P<root>[a-z0-9]+)_(minute|second|hour|daily)_(trade|quote)_(?P<contract>.+)", re.I
)
_BYTE_ORDERS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def unpacked(paths: Sequence[Path], scratch: Path, member: str | None = None) -> list[Path]:
    """Readable files for `paths`; members of archives and other encodings lie under `scratch`.

    Parameters
    ----------
    member
        The archive's member to read, by its name, its stem or its contract; None reads all.

    Raises
    ------
    BarsError
        A damaged, encrypted or oversized archive (E_BARS_ARCHIVE), one of several contracts
        without a choice (E_BARS_MEMBER).
    """
    found: list[Path] = []
    for number, path in enumerate(paths):
        place = scratch / str(number)
        with path.open("rb") as file:
            head = file.read(4)
        if head.startswith(b"PK\x03\x04"):
            found += _members(path, place, member)
        elif head.startswith(b"\x1f\x8b"):
            found.append(_gunzipped(path, place))
        else:
            found.append(path)
    return [_plain_text(path, scratch / f"t{i}") for i, path in enumerate(found)]


def contracts_in(path: Path) -> list[str]:
    """The symbols of an archive's members, a future's contract as `GC-201312`; none if unnamed."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _symbols([i.filename for i in archive.infolist() if _is_bars(i)])
    except (zipfile.BadZipFile, OSError):
        return []


def _symbols(names: list[str]) -> list[str]:
    """What the names of members tell, if each tells something."""
    told = [_symbol(name) for name in names]
    return sorted(set(told)) if all(told) else []


def _symbol(name: str) -> str:
    found = _CONTRACT.fullmatch(Path(name).stem)
    if found:
        return f"{found['root'].upper()}-{found['contract']}"
    return told_symbol(Path(name).name)


def _is_bars(info: zipfile.ZipInfo) -> bool:
    """Whether a member looks like a file of bars by its name."""
    name = info.filename
    told = Path(name).stem.lower() not in _PROSE
    shown = told and not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")
    return shown and not info.is_dir() and Path(name).suffix.lower() in _READABLE


def _members(path: Path, place: Path, member: str | None) -> list[Path]:
    try:
        with zipfile.ZipFile(path) as archive:
            listed = _chosen(path, archive, member)
            left = LIMIT_BYTES
            found = []
            for info in listed:
                target = _target(place, path, Path(info.filename).name)
                with archive.open(info) as source:
                    left = _copied(source, target, path, info.compress_size, left)
                found.append(target)
            return found
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError) as error:
        raise _refused(path, "is damaged", "download or pack it again") from error
    except RuntimeError as error:
        raise _refused(path, "is encrypted", "unpack it with its password first") from error


def _chosen(path: Path, archive: zipfile.ZipFile, member: str | None) -> list[zipfile.ZipInfo]:
    """The members with bars, the one asked for where one is."""
    listed = [i for i in archive.infolist() if not i.is_dir()]
    if len(listed) > _LIMIT_MEMBERS:
        raise _refused(path, f"has {len(listed):,} members", f"at most {_LIMIT_MEMBERS:,} are read")
    readable = [i for i in listed if _is_bars(i)]
    if not readable:
        held = ", ".join(Path(i.filename).name for i in listed[:3]) or "nothing"
        raise _refused(path, f"holds no file of bars ({held})", "pack CSV, TXT, JSON or Parquet")
    if member is not None:
        return _asked(path, readable, member)
    contracts = _symbols([i.filename for i in readable])
    if len(contracts) > 1:
        raise _several(path, contracts)
    return sorted(readable, key=lambda i: i.filename)


def _asked(path: Path, readable: list[zipfile.ZipInfo], member: str) -> list[zipfile.ZipInfo]:
    wanted = member.lower()
    found = [i for i in readable if wanted in _known_as(i.filename)]
    if not found:
        names = ", ".join(Path(i.filename).name for i in readable[:12])
        raise BarsError(
            f"--member names one file of the archive – {path.name} has no {ascii(member)[:60]} – "
            f"it has {names}.",
            code="E_BARS_MEMBER",
            details={"file": path.name},
        )
    return found


def _known_as(name: str) -> set[str]:
    symbol = _symbol(name).lower()
    return {Path(name).name.lower(), Path(name).stem.lower(), symbol, symbol.partition("-")[2]}


def _several(path: Path, contracts: list[str]) -> BarsError:
    return BarsError(
        f"An import holds one symbol – {path.name} holds {len(contracts)} "
        f"({', '.join(contracts[:6])}{' …' if len(contracts) > 6 else ''}) – choose one, as "
        f"--member {contracts[0]}; without --symbol each goes under its own "
        "name.",
        code="E_BARS_MEMBER",
        details={"file": path.name, "members": contracts},
    )


def _refused(path: Path, what: str, cure: str) -> BarsError:
    return BarsError(
        f"An archive holds files of bars, within limits – {path.name} {what} – {cure}; nothing was "
        "imported.",
        code="E_BARS_ARCHIVE",
        details={"file": path.name},
    )


def _target(place: Path, archive: Path, name: str) -> Path:
    """Where a member goes; the name tells both, and never leaves the scratch folder."""
    place.mkdir(parents=True, exist_ok=True)
    plain = re.sub(r"[\x00-\x1f/\\]", "_", name)[-80:]
    return place / f"{archive.name[:120]}: {plain}"


def _copied(
    source: IO[bytes] | gzip.GzipFile, target: Path, path: Path, packed: int, left: int
) -> int:
    """Copy within the limits; the bytes that are left of the allowance."""
    allowed = min(left, max(_FREE_BYTES, _LIMIT_RATIO * max(packed, 1)))
    written = 0
    with target.open("wb") as file:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > allowed:
                what = f"unpacks to more than {allowed / 2**20:,.0f} MiB"
                raise _refused(path, what, "unpack it by hand if you trust it")
            file.write(chunk)
    return left - written


def _gunzipped(path: Path, place: Path) -> Path:
    target = _target(place, path, path.stem)
    try:
        with gzip.open(path) as source:
            _copied(source, target, path, path.stat().st_size, LIMIT_BYTES)
    except (OSError, EOFError, zlib.error) as error:
        raise _refused(path, "is damaged", "download or pack it again") from error
    return target


def _plain_text(path: Path, place: Path) -> Path:
    """The file itself; its copy in UTF-8 with line feeds where it is UTF-16 or ends lines oddly."""
    with path.open("rb") as file:
        head = file.read(_CHUNK)
    encoding = _BYTE_ORDERS.get(head[:2])
    if encoding:
        return _recoded(path, place, encoding)
    if b"\r" not in head or b"\x00" in head or head.startswith(b"PAR1"):
        return path
    returns, feeds, pairs = (head.count(mark) for mark in (b"\r", b"\n", b"\r\n"))
    cut = int(len(head) == _CHUNK and head.endswith(b"\r"))
    mixed = pairs != feeds or returns - pairs > cut
    return _recoded(path, place, "utf-8-sig") if mixed else path


def _recoded(path: Path, place: Path, encoding: str) -> Path:
    place.mkdir(parents=True, exist_ok=True)
    target = place / path.name
    try:
        with path.open(encoding=encoding, newline=None) as source, target.open("w") as file:
            shutil.copyfileobj(source, file, _CHUNK)
    except UnicodeError as error:
        where: Any = getattr(error, "start", "?")
        raise BarsError(
            f"Text files are UTF-8 or UTF-16 – {path.name} is neither, from byte {where} on – save "
            "it as UTF-8; nothing was imported.",
            code="E_BARS_ENCODING",
        ) from error
    return target
