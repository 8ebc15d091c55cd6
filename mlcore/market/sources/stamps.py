"""Time columns: their format, told from samples, as SQL that makes nanoseconds of every row.

A row in another format becomes missing, never another time. Whether 03-04 is March or April is
decided by the whole column: some day after the 12th tells, else it is a question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from mlcore.clock import NAT
from mlcore.errors import BarsError
from mlcore.market.sources.columns import Roles
from mlcore.market.sources.tables import RawTable

__all__ = ["Stamps", "find_stamps"]

_DATE = r"(?P<iso>\d{4}-\d\d-\d\d)|(?P<ymd>\d{4}[./]\d\d[./]\d\d)|(?P<solid>\d{8})|" \
    r"(?P<turned>\d{1,2}(?P<mark>[-./])\d{1,2}(?P=mark)\d{4})|" \
    r"(?P<named>\d{1,2}[- ][A-Za-z]{3}[- ]\d{4})"  # fmt: skip
_TIME = r"(?P<clock>\d{1,2}:\d\d(:(?P<seconds>\d\d)(\.(?P<fraction>\d{1,9}))?)?" \
    r"(?P<half>\s?[AaPp][Mm])?|\d{6})"  # fmt: skip
_STAMP = re.compile(rf"({_DATE})([ T]{_TIME})?\s?(?P<zone>Z|UTC|[+-]\d\d(:?\d\d)?)?")
_DATES = {
    "iso": "%Y-%m-%d", "ymd": "%Y.%m.%d", "solid": "%Y%m%d", "dmy": "%d{0}%m{0}%Y",
    "mdy": "%m{0}%d{0}%Y", "named": "%d{0}%b{0}%Y",
}  # fmt: skip
_EPOCHS = {10: 10**9, 13: 10**6, 16: 10**3, 19: 1}
_ZONED = r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d(\.\d+)?)?\s?(Z|UTC|[+-]\d\d(:?\d\d)?)"


@dataclass(frozen=True)
class Stamps:
    """How to read a time column.

    `kind` is `naive` (a wall clock), `instant` (UTC nanoseconds) or `date`; `sql` gives int64
    nanoseconds, NAT where a row is not of the format; `shown` is the format in words.
    """

    kind: str
    sql: str
    shown: str


def _safe(sql: str) -> str:
    return f"COALESCE({sql}, {NAT})"


def find_stamps(tables: Sequence[RawTable], roles: Sequence[Roles]) -> list[Stamps]:
    """The format of each file's time column; day and month are told apart over all files.

    Raises
    ------
    BarsError
        An unknown format (E_BARS_STAMP), or dates whose day and month could be swapped and no
        day after the 12th (E_BARS_DATE_ORDER).
    """
    order = lru_cache(maxsize=1)(lambda: _order(tables, roles))
    return [_of_file(t, r, order) for t, r in zip(tables, roles, strict=True)]


def _of_file(table: RawTable, role: Roles, order: Callable[[], str]) -> Stamps:
    kind = table.types[role.time]
    if role.clock is None and kind != "VARCHAR":
        return _typed(table, role.time, kind)
    sample = table.sample()
    texts = sample[role.time]
    column = f"CAST(c{role.time} AS VARCHAR)"
    if role.clock is not None:
        texts = [f"{a} {b}" for a, b in zip(texts, sample[role.clock], strict=True)]
        column = f"({column} || ' ' || CAST(c{role.clock} AS VARCHAR))"
        texts, column = _digits(table, role, sample, texts) or (texts, column)
    texts = [text.strip() for text in texts]
    if not texts:
        raise BarsError(
            f"A file of bars has rows – {table.path.name} has only a header – choose another file; "
            "nothing was imported.",
            code="E_BARS_EMPTY",
        )
    if role.of_day:
        return _of_day(f"c{role.time}", role.of_day)
    if role.clock is None and all(re.fullmatch(r"\d{9,19}(\.0+)?", t) for t in texts):
        found = _epoch(column, texts[0])
        if found:
            return found
    return _text(column, texts, table, order)


def _digits(
    table: RawTable, role: Roles, sample: dict[int, list[str]], texts: list[str]
) -> tuple[list[str], str] | None:
    """Times of day without a colon (0905, 905, 93000), given two; None where they have one."""
    clocks = sample[role.clock or 0]
    if not clocks or not all(re.fullmatch(r"\d{1,6}", text) for text in clocks):
        return None
    largest = table.extremes(f"max(TRY_CAST(c{role.clock} AS BIGINT))")[0] or 0
    size = 6 if largest > 2359 else 4
    dates = sample[role.time]
    padded = f"lpad(CAST(c{role.clock} AS VARCHAR), {size}, '0')"
    clock = " || ':' || ".join(f"substr({padded}, {i}, 2)" for i in range(1, size, 2))
    column = f"(CAST(c{role.time} AS VARCHAR) || ' ' || {clock})"
    shown = [":".join(re.findall("..", text.zfill(size))) for text in clocks]
    return [f"{a} {b}" for a, b in zip(dates, shown, strict=True)], column


def _of_day(column: str, day: str) -> Stamps:
    """Milliseconds since the midnight of a day that the file's name tells."""
    midnight = int(datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC).timestamp()) * 10**9
    whole = f"TRY_CAST({column} AS BIGINT)"
    sql = f"CASE WHEN {whole} BETWEEN 0 AND 86399999 THEN {midnight} + {whole} * 1000000 END"
    return Stamps("naive", _safe(sql), f"milliseconds of {day}")


def _typed(table: RawTable, place: int, kind: str) -> Stamps:
    column = f"c{place}"
    if kind == "TIMESTAMP WITH TIME ZONE":
        return Stamps("instant", _safe(f"epoch_ns({column})"), "aware timestamps")
    if kind.startswith("TIMESTAMP"):
        return Stamps("naive", _safe(f"epoch_ns(CAST({column} AS TIMESTAMP_NS))"), "timestamps")
    if kind == "DATE":
        return Stamps("date", _safe(f"epoch_ns(CAST({column} AS TIMESTAMP_NS))"), "dates")
    largest = table.extremes(f"max(CAST({column} AS BIGINT))")[0] if _is_integer(kind) else None
    found = _epoch(f"CAST({column} AS VARCHAR)", str(largest)) if largest else None
    if found is None:
        raise _unknown(table, f"a column of type {kind}", 1)
    return found


def _is_integer(kind: str) -> bool:
    return kind.endswith("INT") or kind.endswith("INTEGER")


def _epoch(column: str, text: str) -> Stamps | None:
    """Seconds, milli-, micro- or nanoseconds since 1970, by the number of digits."""
    digits = len(text.partition(".")[0])
    digits += digits in (9, 12, 15, 18)
    if digits not in _EPOCHS:
        return None
    scale = _EPOCHS[digits]
    unit = {10**9: "s", 10**6: "ms", 10**3: "µs", 1: "ns"}[scale]
    whole = f"TRY_CAST(split_part({column}, '.', 1) AS BIGINT)"
    low, high = 10 ** (digits - 2), min(10**digits, NAT // -scale) - 1  # other units lie outside
    sql = f"CASE WHEN {whole} BETWEEN {low} AND {high} THEN {whole} * {scale} END"
    return Stamps("instant", _safe(sql), f"epoch {unit}")


def _text(column: str, texts: list[str], table: RawTable, order: Callable[[], str]) -> Stamps:
    matches = [_STAMP.fullmatch(text) for text in texts]
    odd = next((i for i, match in enumerate(matches) if not match), None)
    found = matches[0]
    if odd is not None or found is None:
        raise _unknown(table, ascii(texts[odd or 0])[:40], odd or 0)
    if found["zone"]:
        return _zoned(column, table, found)
    style = next(k for k in ("iso", "ymd", "solid", "turned", "named") if found[k])
    if style == "turned":
        style = order()
    kind = "naive" if found["clock"] else "date"
    if style in ("iso", "ymd") and re.fullmatch(r"[\d:.]*:[\d:.]*|", found["clock"] or ""):
        return _sorted_fields(column, texts, found, kind)
    mark = found["mark"] or (found["named"] or " " * 5)[-5]
    date = _DATES[style].format(mark)
    form = date + _clock_format(found, "T" if "T" in texts[0] else " ")
    return Stamps(kind, _safe(f"epoch_ns(TRY_STRPTIME({column}, '{form}'))"), form)


def _clock_format(found: re.Match[str], between: str) -> str:
    if not found["clock"]:
        return ""
    if ":" not in found["clock"]:
        return between + "%H%M%S"
    fraction = {0: "", 3: ".%g", 6: ".%f"}.get(len(found["fraction"] or ""), ".%n")
    rest = (":%S" if found["seconds"] else "") + fraction
    if found["half"]:
        return between + "%I:%M" + rest + (" %p" if found["half"][0] == " " else "%p")
    return between + "%H:%M" + rest


def _sorted_fields(column: str, texts: list[str], found: re.Match[str], kind: str) -> Stamps:
    """Year, month, day: a cast reads them, faster than a format; one length guards the rest."""
    plain = f"replace(replace({column}, '.', '-'), '/', '-')" if found["ymd"] else column
    if found["ymd"] and found["fraction"]:
        plain = f"replace(substr({column}, 1, 10), '.', '-') || substr({column}, 11)"
    lengths = {len(text) for text in texts}
    sql = f"epoch_ns(TRY_CAST({plain} AS TIMESTAMP_NS))"
    shown = "YYYY-MM-DD" if found["iso"] else "YYYY.MM.DD"
    if len(lengths) == 1:
        guard = f"strlen({column}) = {lengths.pop()}"
    else:
        guard = f"regexp_full_match({column}, '[-./0-9]+([ T][0-9:.]+)?')"
    return Stamps(kind, _safe(f"CASE WHEN {guard} THEN {sql} END"), shown)


def _zoned(column: str, table: RawTable, found: re.Match[str]) -> Stamps:
    if not found["iso"] or not found["clock"]:
        raise _unknown(table, ascii(found.group())[:40], 0)
    guard = f"regexp_full_match({column}, '{_ZONED}')"
    sql = f"epoch_ns(TRY_CAST({column} AS TIMESTAMPTZ))"
    return Stamps("instant", _safe(f"CASE WHEN {guard} THEN {sql} END"), "ISO with offset")


def _order(tables: Sequence[RawTable], roles: Sequence[Roles]) -> str:
    """`dmy` or `mdy`: the user's word, or some field above 12 anywhere in the files."""
    if roles[0].order:
        return roles[0].order
    largest = [0, 0]
    for table, role in zip(tables, roles, strict=True):
        column = f"CAST(c{role.time} AS VARCHAR)"
        fields = [
            f"max(TRY_CAST(regexp_split_to_array({column}, '[-./ ]')[{i}] AS INT))" for i in (1, 2)
        ]
        found = table.extremes(", ".join(fields))
        largest = [max(a, b or 0) for a, b in zip(largest, found, strict=True)]
    if largest[0] > 12 >= largest[1]:
        return "dmy"
    if largest[1] > 12 >= largest[0]:
        return "mdy"
    first = tables[0].sample(1)[roles[0].time][0]
    why = "no day after the 12th tells" if max(largest) <= 12 else "days after the 12th in both"
    raise BarsError(
        f"A date says which is the day – {first} in {tables[0].path.name} could be day or month "
        f"first, {why} – add --columns time=NAME:dmy (day first) or time=NAME:mdy.",
        code="E_BARS_DATE_ORDER",
        details={"file": tables[0].path.name},
    )


def _unknown(table: RawTable, given: str, index: int) -> BarsError:
    row = table.first_row + index
    return BarsError(
        "A time is written as 2026-11-20 14:00, 2026.11.20, 20261120, 20-11-2026 or seconds since "
        f"1970 – {table.path.name} row {row} has {given} – write it so, or name the column with "
        "--columns time=NAME.",
        code="E_BARS_STAMP",
        details={"file": table.path.name, "row": row},
    )
