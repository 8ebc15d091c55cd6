"""Import: read files, check them, append them to the lake as one snapshot, look again at the past.

A call keeps the outcome it was scored by; where restated bars would give another, a flagged one is
added beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mlcore.clock import DAY, to_timestamp
from mlcore.errors import BarsError, OpenrangeError, UsageError
from mlcore.live.outcomes import reach
from mlcore.market.bars import ImportReport
from mlcore.market.identity import doubts_against
from mlcore.market.sources import contracts_in, expand, load, symbol_of
from mlcore.operations.home import Home
from mlcore.schema import TIMEFRAMES, Bars, timeframe_width

__all__ = ["FileReport", "ingest", "ingest_each", "parse_columns"]


@dataclass(frozen=True)
class FileReport:
    """What became of one file of many: bars read, added and revised, or a refusal's code."""

    file: str
    symbol: str
    timeframe: str = ""
    read: int = 0
    added: int = 0
    revised: int = 0
    code: str = ""
    message: str = ""


def ingest(
    home: Home, paths: Sequence[Path], *, symbol: str, timeframe: str | None = None,
    timezone: str | None = None, stamp: str | None = None, market: str | None = None,
    columns: Mapping[str, str] | None = None, **choices: Any,
) -> ImportReport:  # fmt: skip
    """Files of one symbol into the lake, all or nothing; the same files twice change nothing.

    Parameters
    ----------
    choices
        `member`, `quote`, `adjusted`, `scale` and `accept_doubts`, as `mlcore.market.sources.load`
        takes them; the last goes on, too, where bars look like another instrument than stored.

    Raises
    ------
    BarsError
        What `load` refuses, and bars unlike those that are stored (E_BARS_IDENTITY).
    """
    known = home.store.market_name(symbol)
    bars, sha256, notes = load(
        paths, symbol=symbol, timeframe=timeframe, timezone=timezone, stamp=stamp,
        columns=columns, market=market or known,
        settings=home.settings, **choices,
    )  # fmt: skip
    _refuse_future(home, bars, paths, accept=bool(choices.get("accept_doubts")))
    if known:  # a market is known of every symbol that has bars
        notes = (*notes, *_doubted(home, bars, paths, accept=bool(choices.get("accept_doubts"))))
    options = {
        "timezone": timezone, "stamp": stamp, "market": market,
        "columns": dict(columns or {}), "notes": list(notes),
    } | {name: value for name, value in choices.items() if value}  # fmt: skip
    source = ", ".join(path.name for path in paths[:3]) + (" …" if len(paths) > 3 else "")
    report = home.store.append(
        bars, source=source, sha256=sha256, imported_at=home.now(), options=options
    )
    report = replace(report, notes=tuple(dict.fromkeys((*notes, *report.notes))))
    return _rechecked(home, report) if known else report


def _refuse_future(home: Home, bars: Bars, paths: Sequence[Path], *, accept: bool) -> None:
    """Refuse bars that begin later than tomorrow by this home's clock."""
    last, now = int(bars.time[-1]), home.now()
    if accept or last <= now + DAY:
        return
    first = to_timestamp(int(bars.time[np.argmax(bars.time > now)])).isoformat()
    raise BarsError(
        f"A bar has happened – {paths[0].name} has bars from {first} on, and it is "
        f"{to_timestamp(now).isoformat(timespec='seconds')} – look at how its dates are written, "
        "or go on with --accept-doubts; nothing was imported.",
        code="E_BARS_FUTURE",
        details={"file": paths[0].name, "from": first},
    )


def _doubted(home: Home, bars: Bars, paths: Sequence[Path], *, accept: bool) -> tuple[str, ...]:
    """Notes of doubts about stored bars of the same symbol that were accepted; others stop."""
    held = home.store.symbols()
    names = held.loc[held["symbol"] == bars.symbol, "timeframe"].astype(str).tolist()
    if not names:
        return ()
    nearest = min(names, key=lambda n: (n != bars.timeframe, abs(timeframe_width(n) - bars.width)))
    found = doubts_against(bars, _around(home, bars, nearest))
    if found and not accept:
        first = found[0]
        at = to_timestamp(int(bars.time[first.bar])).isoformat()
        raise BarsError(
            f"Bars under one name are of one instrument – {paths[0].name}, from {at}, is not like "
            f"the {nearest} bars of {bars.symbol} that are stored: {first.said} – choose another "
            "symbol, or go on with --accept-doubts; nothing was imported.",
            code="E_BARS_IDENTITY",
            details={"file": paths[0].name, "symbol": bars.symbol, "at": at},
        )
    return tuple(f"accepted: {doubt.said}" for doubt in found)


def _around(home: Home, bars: Bars, timeframe: str) -> Bars:
    """Stored bars at the times of `bars`; the last ones before, or all, where there are none."""
    start, end = int(bars.time[0]) - 4 * DAY, int(bars.available_at[-1]) + 1
    stored = home.store.read(bars.symbol, timeframe, start=start, end=end)
    return stored if len(stored) else home.store.read(bars.symbol, timeframe)


def ingest_each(home: Home, paths: Sequence[Path], **options: Any) -> Iterator[FileReport]:
    """Every file, and every contract of an archive, under the symbol its own name tells.

    One that is refused leaves the others alone; its report says why. `options` are those of
    `ingest`, the same for all.
    """
    for path in expand(paths):
        for symbol, member in _each(path, options.get("member")):
            try:
                one = ingest(home, [path], symbol=symbol, **(options | {"member": member}))
                yield FileReport(path.name, symbol, one.timeframe, one.read, one.added, one.revised)
            except OpenrangeError as error:
                yield FileReport(path.name, symbol, code=error.code, message=error.message)


def _each(path: Path, member: str | None) -> list[tuple[str, str | None]]:
    """Symbol and member of what one file holds."""
    contracts = contracts_in(path) if member is None else []
    if len(contracts) > 1:
        return [(contract, contract) for contract in contracts]
    return [(symbol_of(path.name), member)]


def _rechecked(home: Home, report: ImportReport) -> ImportReport:
    """The report with what the import changes in settled calls; a failure is a note."""
    try:
        done = [
            home.log.recheck(
                home.now(), home.engine.outcomes, symbol=report.symbol, timeframe=timeframe,
                since=since, until=until,
            )
            for timeframe, since, until in _touched(home, report)
        ]  # fmt: skip
    except OpenrangeError as error:
        said = f"the bars are stored, settled calls were not looked at again: {error.message}"
        return replace(report, notes=(*report.notes, said))
    looked, changed = sum(d.rechecked for d in done), sum(len(d.outcomes) for d in done)
    said = (
        f"{report.revised} restated bars: "
        * bool(report.revised)
        + f"{looked} settled calls looked at again, {changed} would have another outcome; scores "
        "keep the first"
    )
    notes = (said,) if looked and (report.revised or changed) else ()
    return replace(
        report, rechecked=looked, outcomes_changed=changed, notes=(*report.notes, *notes)
    )


def _touched(home: Home, report: ImportReport) -> list[tuple[str, int, int]]:
    """Whose settled calls lean on changed bars: timeframe, due since, decided until.

    Restated bars touch calls of their own timeframe; new and restated ones those of coarser
    timeframes too, inside whose bars they lie, or whose bars are made of them.
    """
    first, last = report.first_changed, report.last_changed
    if first is None or last is None:
        return []
    listed = home.store.symbols()
    held = listed.loc[listed["symbol"] == report.symbol, "timeframe"].astype(str)
    width = timeframe_width(report.timeframe)
    stored = set(held)
    touched = [
        (coarser, first, last if coarser in stored else last + reach(coarser))
        for coarser in TIMEFRAMES
        if timeframe_width(coarser) > width
    ]
    if report.revised:
        touched.append((report.timeframe, first, last + reach(report.timeframe)))
    return touched


def parse_columns(text: str | None) -> dict[str, str] | None:
    """`time=Date,close=Last` as a mapping; None for nothing.

    Raises
    ------
    UsageError
        A part without an equals sign.
    """
    if not text:
        return None
    pairs = [part.split("=", 1) for part in text.split(",")]
    if any(len(pair) != 2 for pair in pairs):
        raise UsageError(
            f"--columns is NAME=COLUMN,… – {text!r} was given – write it as time=Date,close=Last.",
            code="E_USAGE_COLUMNS",
        )
    return {name.strip(): column.strip() for name, column in pairs}
