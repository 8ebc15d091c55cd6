"""JSON into columns of text: a list of lists, a list of records, columns, or one of these inside.

Values stay as they are written; what they mean is decided where text files are read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mlcore.errors import BarsError

__all__ = ["read_records"]

_LIMIT_BYTES = 512 << 20
_SHAPES = "[[time, open, high, low, close, volume], …] or [{“time”: …, “open”: …}, …]"


def read_records(path: Path) -> tuple[tuple[str, ...], list[list[str | None]]]:
    """Column names ("" where the file has none) and columns of text; missing values are None.

    Raises
    ------
    BarsError
        No JSON (E_BARS_FORMAT), or JSON of another shape (E_BARS_JSON).
    """
    if path.stat().st_size > _LIMIT_BYTES:
        raise BarsError(
            f"A JSON file of bars has at most {_LIMIT_BYTES >> 20} MiB – {path.name} has more – "
            "export it as CSV or Parquet; nothing was imported.",
            code="E_BARS_FORMAT",
        )
    try:
        held = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise BarsError(
            f"A JSON file is whole – {path.name} cannot be read: {str(error)[:80]} – export it "
            "again; nothing was imported.",
            code="E_BARS_FORMAT",
        ) from error
    return _columns(path, _rows_of(held, path))


def _rows_of(held: Any, path: Path) -> Any:
    """The list of rows, or the dict of columns, wherever an answer's envelope holds it."""
    for _ in range(4):
        if isinstance(held, list):
            return held
        if not isinstance(held, dict):
            break
        lists = [value for value in held.values() if isinstance(value, list)]
        if len(lists) >= 5 and len({len(value) for value in lists}) == 1:
            return {key: value for key, value in held.items() if isinstance(value, list)}
        inside = [value for value in held.values() if isinstance(value, list | dict) and value]
        if len(inside) != 1:
            break
        held = inside[0]
    raise _other_shape(path, type(held).__name__, None)


def _columns(path: Path, rows: Any) -> tuple[tuple[str, ...], list[list[str | None]]]:
    if isinstance(rows, dict):
        return tuple(map(str, rows)), [[_text(v) for v in column] for column in rows.values()]
    if not rows:
        raise BarsError(
            f"A file of bars has rows – {path.name} is empty – choose another file; nothing was "
            "imported.",
            code="E_BARS_EMPTY",
        )
    kind = dict if isinstance(rows[0], dict) else list
    odd = next((i for i, row in enumerate(rows) if not isinstance(row, kind)), None)
    if odd is not None:
        raise _other_shape(path, type(rows[odd]).__name__, odd + 1)
    if kind is dict:
        names = tuple(dict.fromkeys(str(key) for row in rows[:100] for key in row))
        return names, [[_text(row.get(name)) for row in rows] for name in names]
    width = len(rows[0])
    odd = next((i for i, row in enumerate(rows) if len(row) != width), None)
    if odd is not None:
        raise _ragged(path, odd + 1, width, len(rows[odd]))
    return ("",) * width, [[_text(row[i]) for row in rows] for i in range(width)]


def _text(value: Any) -> str | None:
    return None if value is None or value == "" else str(value)


def _ragged(path: Path, row: int, width: int, got: int) -> BarsError:
    return BarsError(
        f"Every row has the same columns – {path.name} row {row} has {got} where the first has "
        f"{width} – mend or remove that row; nothing was imported.",
        code="E_BARS_ROW",
        details={"file": path.name, "row": row},
    )


def _other_shape(path: Path, got: str, row: int | None) -> BarsError:
    where = path.name if row is None else f"{path.name} row {row}"
    return BarsError(
        f"JSON of bars is {_SHAPES} – {where} is of another shape ({got}) – export it so; nothing "
        "was imported.",
        code="E_BARS_JSON",
        details={"file": path.name, "row": row},
    )
