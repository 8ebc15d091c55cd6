"""Pieces of a large text file for a preview: its start, its end and some places between.

The pieces keep the file's name and the rows' true numbers, and the newlines of the whole file are
counted, so that a preview tells how much there is without reading it as a table.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

__all__ = ["LARGE_BYTES", "Piece", "sample_of"]

LARGE_BYTES = 32 << 20
_ENDS = 2 << 20
_BETWEEN = 1 << 19
_PLACES = 4
_HEADER_LINES = 3


@dataclass(frozen=True)
class Piece:
    """A part of a file as a file: where it lies, and by how much its rows' numbers fall short."""

    path: Path
    rows_before: int


def sample_of(path: Path, scratch: Path, header: int) -> tuple[list[Piece], int]:
    """Pieces of a text file of `header` leading lines, and the number of its lines."""
    size = path.stat().st_size
    step = (size - 2 * _ENDS) // (_PLACES + 1)
    wanted = [(0, _ENDS)]
    wanted += [(_ENDS + step * (i + 1), _BETWEEN) for i in range(_PLACES)]
    wanted.append((size - _ENDS, _ENDS))
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as held:
        top = _lines(held, header)
        pieces, counted, lines = [], 0, 0
        for number, (place, length) in enumerate(wanted):
            start = 0 if not place else held.find(b"\n", place) + 1
            stop = size if number == len(wanted) - 1 else held.rfind(b"\n", start, start + length)
            lines += _newlines(held, counted, start)
            counted = start
            target = scratch / str(number) / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((b"" if not start else top) + held[start : stop + 1])
            pieces.append(Piece(target, lines - header if start else 0))
        lines += _newlines(held, counted, size) + int(held[size - 1 : size] != b"\n")
    return pieces, lines


def _lines(held: mmap.mmap, count: int) -> bytes:
    """The first lines of a file."""
    place = 0
    for _ in range(min(count, _HEADER_LINES + 50)):
        place = held.find(b"\n", place) + 1
    return held[:place]


def _newlines(held: mmap.mmap, start: int, stop: int) -> int:
    """How many there are between two places, a block at a time."""
    block = 1 << 23
    return sum(held[i : min(i + block, stop)].count(b"\n") for i in range(start, stop, block))
