"""What the Data page shows: symbols with bars, a file before its import, imports that were made."""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import pandas as pd

from pages import _parts as parts
from pages._format import MISSING, Html, is_missing, number, safe, thousands

__all__ = [
    "SUFFIXES",
    "ZONES",
    "NamedBytes",
    "counts_config",
    "facts_panel",
    "guess_symbol",
    "imports_frame",
    "imports_table",
    "keep_upload",
    "previews_table",
    "question_notice",
    "report_line",
    "reports_frame",
    "sample_panel",
    "sweep_uploads",
    "symbols_frame",
    "symbols_table",
]

SUFFIXES: Final = (
    "csv", "tsv", "txt", "json", "parquet", "pq", "feather", "arrow", "zip", "gz",
)  # fmt: skip
ZONES: Final = (
    "UTC", "America/New_York", "America/Chicago", "Europe/London", "Europe/Berlin", "Asia/Kolkata",
    "Asia/Tokyo", "America/New_York+07:00",
)  # fmt: skip
"""Clocks offered for naive stamps; the last is the usual one of MetaTrader servers."""

_FEW: Final = 8
_DATED: Final = re.compile(
    r"[\d.-]+|\d+ ?(M|MIN|H|D|W)|DAILY|HOURLY|MT[45]"
    r"|JAN(UARY)?|FEB(RUARY)?|MAR(CH)?|APR(IL)?|MAY|JUNE?|JULY?|AUG(UST)?|SEPT?(EMBER)?"
    r"|OCT(OBER)?|NOV(EMBER)?|DEC(EMBER)?"
)
_MOST_NAMES: Final = 3
_A_DAY: Final = 86_400


class NamedBytes(Protocol):
    """An uploaded file."""

    name: str
    file_id: str

    def getbuffer(self) -> memoryview: ...


def guess_symbol(*names: str) -> str:
    """A symbol from the names of its files: the first word of all, in capitals.

    Numbers and months say when and not what, so they are passed over.

    >>> guess_symbol("xauusd_5m_mt5.csv"), guess_symbol("ES=F 1h.parquet")
    ('XAUUSD', 'ES=F')
    >>> guess_symbol("2014 JAN NIFTY.txt", "2014 MUHURAT NIFTY.txt")
    'NIFTY'
    """
    words = [re.split(r"[^A-Za-z0-9.^=&-]+", Path(name).stem.upper()) for name in names]
    common = (word for word in words[0] if all(word in other for other in words))
    telling = (word for word in common if word and not _DATED.fullmatch(word))
    return next(telling, "")[:32]


def keep_upload(folder: Path, upload: NamedBytes) -> Path:
    """Write an upload to a folder of its own, under a name without paths; once."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(upload.name).name).lstrip(".")[-80:] or "upload"
    place = folder / re.sub(r"[^A-Za-z0-9-]", "", upload.file_id)[:64] / name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        part = place.with_name(place.name + ".part")
        part.write_bytes(upload.getbuffer())
        part.replace(place)
    return place


def sweep_uploads(folder: Path, *, older_than: float = _A_DAY) -> None:
    """Remove uploads that nobody imported within a day."""
    if not folder.is_dir():
        return
    for place in folder.iterdir():
        if place.is_dir() and time.time() - place.stat().st_mtime > older_than:
            shutil.rmtree(place, ignore_errors=True)


def _moment(value: Any, timeframe: str | None = None) -> str:
    if is_missing(value):
        return MISSING
    stamp = pd.Timestamp(value, unit="ns", tz="UTC") if isinstance(value, int) else value
    return f"{stamp:%d %b %Y}" if timeframe == "1d" else f"{stamp:%d %b %Y %H:%M}"


def _moments(column: pd.Series, timeframes: pd.Series) -> list[str]:
    """A column of instants: dates for daily bars, else dates and times."""
    daily = timeframes.isin(["1d", "1w", "1M"])
    texts = column.dt.strftime("%d %b %Y").where(daily, column.dt.strftime("%d %b %Y %H:%M"))
    return [MISSING if is_missing(text) else str(text) for text in texts]


def symbols_frame(
    listed: pd.DataFrame, titles: Mapping[str, str], fresh: Sequence[str]
) -> pd.DataFrame:
    """Symbols with bars as a table for people and for CSV."""
    marks = listed["simulated"].map({True: "SIMULATED", False: ""})
    return pd.DataFrame(
        {
            "Symbol": listed["symbol"],
            "Timeframe": listed["timeframe"],
            "State": [text.removeprefix("fresh · ") for text in fresh],
            "Bars": listed["rows"],
            "First, UTC": _moments(listed["first"], listed["timeframe"]),
            "Last, UTC": _moments(listed["last"], listed["timeframe"]),
            "Revised": listed["revisions"],
            "Market": [titles.get(name, name) for name in listed["market"]],
            "Source": listed["source"],
            "Simulated": marks,
        }
    )


def counts_config(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Thousands separators for the counts of a table that scrolls."""
    whole = frame.select_dtypes("number").columns
    return {str(name): {"type_config": {"type": "number", "format": "localized"}} for name in whole}


def symbols_table(frame: pd.DataFrame) -> Html | None:
    """Up to eight symbols as HTML; None where a table that scrolls is needed."""
    if len(frame) > _FEW:
        return None
    columns = (
        parts.Column("Symbol"), parts.Column("Timeframe"), parts.Column("State", phone=False),
        parts.Column("Bars", number=True), parts.Column("First, UTC", phone=False),
        parts.Column("Last, UTC"), parts.Column("Revised", number=True, phone=False),
        parts.Column("Market", phone=False), parts.Column("Source", phone=False),
    )  # fmt: skip
    rows = []
    for row in frame.to_dict("records"):
        mark = f" &nbsp;{parts.simulated_badge()}" if row["Simulated"] else ""
        name = Html(f"<b>{safe(row['Symbol'])}</b>{mark}")
        counts = {"Bars": thousands(row["Bars"]), "Revised": thousands(row["Revised"])}
        cells = {**row, **counts, "Symbol": name}
        rows.append([cells[column.name] for column in columns])
    return parts.small_table(columns, rows)


def imports_frame(imports: pd.DataFrame) -> pd.DataFrame:
    """Past imports as a table, newest first; the pulls of a feed are summed up in one row."""
    fed = imports["sha256"] == ""
    names = ["symbol", "timeframe", "source"]
    group = imports[names].agg("|".join, axis=1).where(fed, imports["id"].astype(str))
    how = {
        "id": "max", "imported_at": "max", "symbol": "first", "timeframe": "first",
        "source": "first", "read": "sum", "added": "sum", "revised": "sum", "unchanged": "sum",
        "first": "min", "last": "max", "notes": "first", "snapshot": "max",
    }  # fmt: skip
    table = imports.groupby(group).agg(how).assign(pulls=imports.groupby(group).size())
    table = table.sort_values("id", ascending=False)

    def stamps(name: str) -> list[str]:
        pairs = zip(table[name], table["timeframe"], strict=True)
        return [_moment(int(value), frame if name != "imported_at" else None)
                for value, frame in pairs]  # fmt: skip

    said = [_worded("; ".join(json.loads(text or "[]"))) for text in table["notes"]]
    pulled = [f"{n} pulls; " if n > 1 else "" for n in table["pulls"].tolist()]
    return pd.DataFrame(
        {
            "When, UTC": stamps("imported_at"),
            "Symbol": table["symbol"].tolist(),
            "Timeframe": table["timeframe"].tolist(),
            "Source": table["source"].tolist(),
            "Read": table["read"].tolist(),
            "Added": table["added"].tolist(),
            "Revised": table["revised"].tolist(),
            "Unchanged": table["unchanged"].tolist(),
            "First, UTC": stamps("first"),
            "Last, UTC": stamps("last"),
            "Notes": [
                f"{n}{text}".removesuffix("; ") for n, text in zip(pulled, said, strict=True)
            ],
            "Snapshot": table["snapshot"].tolist(),
        }
    )


def imports_table(frame: pd.DataFrame) -> Html | None:
    """Up to eight imports as HTML; None where a table that scrolls is needed."""
    if len(frame) > _FEW:
        return None
    columns = (
        parts.Column("When, UTC", phone=False), parts.Column("Symbol"), parts.Column("Timeframe"),
        parts.Column("Source", phone=False), parts.Column("Added", number=True),
        parts.Column("Revised", number=True), parts.Column("Unchanged", number=True, phone=False),
        parts.Column("Last, UTC", phone=False), parts.Column("Notes", phone=False),
    )  # fmt: skip
    rows = []
    for row in frame.to_dict("records"):
        counts = {name: thousands(row[name]) for name in ("Added", "Revised", "Unchanged")}
        cells = {**row, **counts, "Notes": row["Notes"] or MISSING}
        rows.append([cells[column.name] for column in columns])
    return parts.small_table(columns, rows)


def facts_panel(seen: Any, names: Iterable[str]) -> Html:
    """What an import would read: format, columns, clock and span."""
    listed = list(names)
    columns = ", ".join(
        f"{role} = {f'column {name}' if name.isdigit() else name}"
        for role, name in seen.columns.items()
    )
    clock = _clock(seen)
    side = "the day" if seen.timeframe == "1d" else f"the {seen.stamp} of a bar"
    side = "not known yet" if any("--stamp" in text for text in seen.questions) else side
    facts = [
        _files(listed), ("Format", seen.format), ("Columns", columns),
        ("Timeframe", seen.timeframe or "not known yet"), ("Stamps mean", side),
        ("Clock of the stamps", seen.zone or "not known yet"), ("Rows", thousands(seen.rows)),
        ("First", f"{_moment(seen.first)} {clock}" if seen.first is not None else MISSING),
        ("Last", f"{_moment(seen.last)} {clock}" if seen.last is not None else MISSING),
    ]  # fmt: skip
    notes = [parts.note(_worded(note)) for note in seen.notes]
    return parts.panel("What the file holds", parts.key_values(facts), *notes)


def _files(names: Sequence[str]) -> tuple[str, str]:
    """The file, or how many there are, with the first and the last by name."""
    if len(names) <= _MOST_NAMES:
        return ("File" if len(names) == 1 else "Files"), ", ".join(names)
    return "Files", f"{len(names)}: {names[0]} … {names[-1]}"


def sample_panel(seen: Any) -> Html:
    """The first rows as they would be read."""
    if not len(seen.sample):
        return parts.panel("First rows", parts.note("None can be read before the question above."))
    return parts.panel("First rows", _sample(seen.sample, _clock(seen)))


def _clock(seen: Any) -> str:
    return "UTC" if seen.first is None or seen.first.tzinfo else "file's clock"


def _sample(sample: pd.DataFrame, clock: str) -> Html:
    """The first rows as they would be read."""
    shown = [name for name in sample.columns if name != "available_at"]
    columns = [
        parts.Column(f"Time, {clock}" if name == "time" else str(name).capitalize(),
                     number=name != "time", phone=name in ("time", "open", "close"))
        for name in shown
    ]  # fmt: skip
    digits = {n: max(map(_digits, sample[n]), default=0) for n in shown if n != "time"}
    rows = [
        [f"{row[n]:%Y-%m-%d %H:%M}" if n == "time" else number(float(row[n]), digits[n])
         for n in shown]
        for row in sample.to_dict("records")
    ]  # fmt: skip
    return parts.small_table(columns, rows)


def _digits(value: float) -> int:
    """Decimals a value has, up to six; none where it is missing."""
    return len(f"{float(value):.6f}".rstrip("0").partition(".")[2])


_WORDS: Final = (
    ("--market names another", "the field Market names another"),
    ("add --timezone, ", "choose the clock of the stamps, "),
    ("add --timezone ", "choose the clock "),
    ("with its own --timezone", "with its own clock"),
    ("go on with --accept-doubts", "tick Go on all the same"),
    ("say --quote ", "choose "),
    ("say --stamp ", "choose "),
    ("or --stamp ", "or "),
    ("choose one, as --member ", "name one, as "),
    ("; without --symbol each goes under its own name", ""),
    ("; nothing was imported", ""),
)


def _worded(note: str) -> str:
    """A note of the import in words of the page: options of the command are fields here."""
    for option, field in _WORDS:
        note = note.replace(option, field)
    return note


def question_notice(question: str) -> Html:
    """What a file leaves open: the rule, what is there, and what answers it."""
    rule, _, rest = question.partition(" – ")
    given, _, cure = rest.rpartition(" – ")
    text = f"{given or rest}. Answer it above" + (f": {_worded(cure)}" if given else "")
    return parts.stale_notice(f"One question: {rule}", text.removesuffix(".") + ".")


def previews_table(seen: Sequence[tuple[str, Any, str]]) -> Html | pd.DataFrame:
    """Files as they would be read, each with its question or the reason why it would not be.

    Up to eight are HTML, more a frame for a table that scrolls.
    """
    columns = (
        parts.Column("File"), parts.Column("Format", phone=False), parts.Column("Timeframe"),
        parts.Column("Rows", number=True), parts.Column("First", phone=False),
        parts.Column("Last", phone=False), parts.Column("Left open"),
    )  # fmt: skip
    rows = []
    for name, one, refused in seen:
        if one is None:
            rows.append([name, *[MISSING] * 5, f"× {refused}"])
            continue
        asked = one.questions[0].partition(" – ")[0] if one.questions else "nothing"
        frame = one.timeframe or MISSING
        rows.append([name, one.format, frame, thousands(one.rows), _moment(one.first, frame),
                     _moment(one.last, frame), asked])  # fmt: skip
    if len(rows) > _FEW:
        return pd.DataFrame(rows, columns=[column.name for column in columns])
    return parts.small_table(columns, rows)


def reports_frame(reports: Sequence[Any]) -> pd.DataFrame:
    """What became of each file of many, refused ones first."""
    reports = sorted(reports, key=lambda one: not one.code)
    return pd.DataFrame(
        {
            "File": [one.file for one in reports],
            "State": ["× refused" if one.code else "✓ imported" for one in reports],
            "Symbol": [one.symbol for one in reports],
            "Timeframe": [one.timeframe for one in reports],
            "Read": [one.read for one in reports],
            "Added": [one.added for one in reports],
            "Revised": [one.revised for one in reports],
            "Why": [_worded(one.message) for one in reports],
        }
    )


def report_line(report: Any) -> Html:
    """What an import did, in one line and its notes."""
    counts = [
        ("read", thousands(report.read)), ("added", thousands(report.added)),
        ("revised", thousands(report.revised)), ("unchanged", thousands(report.unchanged)),
        ("first", f"{_moment(report.first, report.timeframe)} UTC"),
        ("last", f"{_moment(report.last, report.timeframe)} UTC"),
        ("snapshot", thousands(report.snapshot)),
    ]  # fmt: skip
    new = report.added + report.revised
    said = f"{thousands(new)} bars imported" if new else "nothing new in this file"
    title = f"✓ {report.symbol} {report.timeframe}: {said}"
    notes = [parts.note(_worded(note)) for note in report.notes]
    return parts.stack([parts.quote_line(title, counts), *notes])
