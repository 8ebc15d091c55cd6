"""From files to bars: read, place in time, prove sound, sort, leave out exact repeats.

`load` refuses what it would have to guess; `preview` shows the same refusals as questions.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY
from mlcore.config import Market, Settings, load_settings
from mlcore.errors import BarsError
from mlcore.market.identity import doubts_within
from mlcore.market.membership import suggest_market
from mlcore.market.sessions import local_walls
from mlcore.market.soundness import first_fault
from mlcore.market.sources.files import Paths, combined_sha256, expand
from mlcore.market.sources.placing import find_timeframe, needs_zone, place_daily, place_intraday
from mlcore.market.sources.prices import PriceChoice
from mlcore.market.sources.reading import Reading, Source, open_files, read_rows
from mlcore.schema import BAR_COLUMNS, Bars, check_symbol, timeframe_width

__all__ = ["Preview", "load", "preview"]

Array = np.ndarray[Any, Any]
_ASKED = (
    "E_BARS_ZONE", "E_BARS_DATE_ORDER", "E_BARS_TIMEFRAME", "E_BARS_LOCAL_TIME", "E_BARS_QUOTE",
    "E_BARS_MEMBER", "E_BARS_SIDE", "E_BARS_IDENTITY",
)  # fmt: skip
_SAMPLE = 8


@dataclass(frozen=True)
class Preview:
    """What an import would read.

    `columns` is role → the file's own name; `first` and `last` are UTC, or naive as long as the
    zone is a question; `proposed` is the answer that the file itself speaks for, if it does: a
    zone, or `end` or `eve` for the stamp; `sample` holds the first 8 bars, or raw rows while
    something is asked.
    """

    format: str
    columns: dict[str, str]
    timeframe: str | None
    stamp: str
    zone: str | None
    rows: int
    first: pd.Timestamp | None
    last: pd.Timestamp | None
    sample: pd.DataFrame
    questions: tuple[str, ...]
    notes: tuple[str, ...]
    proposed: str | None = None


def load(
    path: Paths,
    *,
    symbol: str,
    timeframe: str | None = None,
    timezone: str | None = None,
    stamp: str | None = None,
    columns: Mapping[str, str] | None = None,
    market: Market | str | None = None,
    settings: Settings | None = None,
    member: str | None = None,
    quote: str | None = None,
    adjusted: bool = False,
    scale: float | None = None,
    accept_doubts: bool = False,
) -> tuple[Bars, str, tuple[str, ...]]:
    """Bars of a file, a folder or several files of one symbol: bars, SHA-256, notes.

    Parameters
    ----------
    timeframe
        Checked against the commonest step between times; None takes that.
    timezone
        Of naive times: an IANA zone or a broker's clock such as `America/New_York+07:00`.
    stamp
        `start`, `end` or, of dates, `eve` (the evening before): what the time of a bar means. None
        takes what the column's name says, else `start` where the market's hours do not object.
    columns
        Role → the file's name for it or its place; `time=NAME:dmy` tells the order of a date.
    market
        Needed for the days of daily bars; None takes what settings or the name suggest.
    member
        The file of an archive to read, by its name or its contract.
    quote, adjusted, scale
        As in `PriceChoice`: the side of a quote, whether to adjust, what divides prices.
    accept_doubts
        Goes on where the file's clock, unit or timeframe seems to change; a note says so.

    Raises
    ------
    BarsError
        What cannot be read, would have to be guessed, or is no sound bar, with file and row.
    """
    check_symbol(symbol)
    belongs, notes = _market(symbol, market, settings)
    paths, choice = expand(path), PriceChoice(quote, adjusted, scale)
    with ThreadPoolExecutor(1) as beside:  # neither hashing nor DuckDB holds the interpreter
        digest = beside.submit(combined_sha256, paths)
        reading = read_rows(open_files(paths, columns, member), choice)
    side = _side(reading, stamp)
    found = find_timeframe(reading.stamp, timeframe or _told(reading))
    start, end, said = _place(reading, found, timezone, belongs, side, accept=accept_doubts)
    _refuse_unsound(reading, belongs)
    bars, left_out = _sorted(reading, symbol, found, start, end)
    left_out += _doubted(reading, bars, start, belongs, accept=accept_doubts)
    daily = timeframe_width(found) >= DAY
    return bars, digest.result(), (
        *(notes if daily else ()), *reading.notes, *said, *left_out
    )  # fmt: skip


def preview(
    path: Paths,
    *,
    timezone: str | None = None,
    stamp: str | None = None,
    columns: Mapping[str, str] | None = None,
    timeframe: str | None = None,
    symbol: str | None = None,
    market: Market | str | None = None,
    settings: Settings | None = None,
    member: str | None = None,
    quote: str | None = None,
    adjusted: bool = False,
    scale: float | None = None,
    accept_doubts: bool = False,
) -> Preview:
    """What `load` would read with these options, and what it would have to ask first.

    Raises
    ------
    BarsError
        A file that is no table of bars, or bars that are not sound.
    """
    choice = PriceChoice(quote, adjusted, scale)
    seen: dict[str, Any] = {
        "format": "", "columns": {}, "timeframe": timeframe, "zone": timezone,
        "stamp": stamp or "start", "rows": 0, "first": None, "last": None,
        "sample": pd.DataFrame(), "questions": (), "notes": (),
    }  # fmt: skip
    try:
        source = open_files(expand(path), columns, member, pieces=True)
        seen |= _shape(source)
        reading = read_rows(source, choice)
        seen |= _raw_view(reading, stamp)
        found = find_timeframe(reading.stamp, timeframe or _told(reading))
        seen |= {"timeframe": found}
        belongs, _ = _market(symbol or "", market, settings)
        side = _side(reading, stamp)
        seen |= _bar_view(reading, found, timezone, belongs, side, accept=accept_doubts)
    except BarsError as error:
        if error.code not in _ASKED:
            raise
        seen |= {"questions": (error.message,), "proposed": error.details.get("proposed")}
    return Preview(**seen)


def _shape(source: Source) -> dict[str, Any]:
    shown = source.roles[0].shown(source.tables[0].names)
    return {"format": source.format, "columns": shown}


def _raw_view(reading: Reading, stamp: str | None) -> dict[str, Any]:
    first, last = pd.Timestamp(int(reading.stamp.min())), pd.Timestamp(int(reading.stamp.max()))
    if reading.stamps.kind == "instant":
        first, last = first.tz_localize("UTC"), last.tz_localize("UTC")
    head = {k: v[:_SAMPLE] for k, v in reading.values.items()}
    sample = pd.DataFrame({"time": pd.to_datetime(reading.stamp[:_SAMPLE]), **head})
    return {
        "rows": reading.source.rows or len(reading.stamp), "first": first, "last": last,
        "sample": sample,
        "stamp": _side(reading, stamp) or "start", "notes": reading.notes,
    }  # fmt: skip


def _bar_view(
    reading: Reading, timeframe: str, zone: str | None, market: Market, side: str | None, *,
    accept: bool,
) -> dict[str, Any]:  # fmt: skip
    rows = reading.source.rows
    in_part = rows is not None
    start, end, said = _place(reading, timeframe, zone, market, side, accept=accept or in_part)
    _refuse_unsound(reading, market)
    bars, left_out = _sorted(reading, "preview", timeframe, start, end)
    if in_part:  # doubts need the whole file
        said = tuple(note for note in said if not note.startswith("accepted: "))
        left_out = (*left_out, f"looked at {len(bars):,} of {rows:,} rows; an import reads all")
    else:
        left_out += _doubted(reading, bars, start, market, accept=accept)
    frame = bars.take(slice(0, _SAMPLE)).frame()[list(BAR_COLUMNS)]
    first, last = (pd.Timestamp(int(bars.time[i]), tz="UTC") for i in (0, -1))
    by_zone = needs_zone(reading, timeframe) or any(f"wall clock of {zone}" in n for n in said)
    return {
        "rows": rows or len(bars), "first": first, "last": last, "sample": frame,
        "zone": zone if by_zone else "UTC" if reading.stamps.kind == "instant" else market.zone,
        "notes": (*reading.notes, *said, *left_out),
    }  # fmt: skip


def _market(
    symbol: str, market: Market | str | None, settings: Settings | None
) -> tuple[Market, tuple[str, ...]]:
    if isinstance(market, Market):
        return market, ()
    known = settings or load_settings()
    name = market or known.symbols.get(symbol)
    if name:
        return known.market(name), ()
    name = suggest_market(symbol, known.markets)
    return known.market(name), (f"market {name}, by the symbol's name; --market names another",)


def _side(reading: Reading, stamp: str | None) -> str | None:
    """What stamps mean, as somebody or the column's name says."""
    if stamp not in (None, "start", "end", "eve"):
        raise BarsError(
            f"A stamp is the bar's start or its end – {ascii(stamp)[:20]} was given – say --stamp "
            "start, --stamp end, or --stamp eve for dates of the evening before.",
            code="E_BARS_STAMP_SIDE",
        )
    return stamp or ("end" if reading.source.roles[0].means_end else None)


def _told(reading: Reading) -> str | None:
    """The timeframe that a file's name tells: minutes of a day, as Lean packs them."""
    return "1m" if reading.source.roles[0].of_day else None


def _place(
    reading: Reading, timeframe: str, zone: str | None, market: Market, side: str | None, *,
    accept: bool,
) -> tuple[Array, Array, tuple[str, ...]]:  # fmt: skip
    if timeframe_width(timeframe) >= DAY:
        return place_daily(reading, timeframe, market, zone, side)
    return place_intraday(reading, timeframe, zone, market, side=side, accept=accept)


def _refuse_unsound(reading: Reading, market: Market) -> None:
    fault = first_fault(reading.values, negative_prices=market.negative_prices)
    if fault:
        name, row = reading.origin.where(fault.row)
        more = f" ({fault.rows} such rows)" if fault.rows > 1 else ""
        raise BarsError(
            f"{fault.rule} – {name} row {row} has {fault.given}{more} – mend or remove that row; "
            "nothing was imported.",
            code=fault.code,
            details={"file": name, "row": row, "rows": fault.rows},
        )


def _sorted(
    reading: Reading, symbol: str, timeframe: str, start: Array, end: Array
) -> tuple[Bars, tuple[str, ...]]:
    """Bars in order of time, exact repeats left out.

    Raises
    ------
    BarsError
        Two rows of one time with different values (E_BARS_DUPLICATE).
    """
    bars = Bars(symbol, timeframe, start, available_at=end, **reading.values)
    steps = np.diff(start)
    if bool(np.all(steps > 0)):
        return bars, ()
    order = np.argsort(start, kind="stable")
    notes = () if bool(np.all(steps >= 0)) else ("rows were not in order of time: sorted",)
    bars = bars.take(order)
    repeated = np.append(False, np.diff(bars.time) == 0)
    _refuse_conflict(reading, bars, order, np.flatnonzero(repeated))
    if repeated.any():
        notes = (*notes, f"{int(repeated.sum())} rows repeated with the same values: left out")
    return bars.take(~repeated), notes


def _doubted(
    reading: Reading, bars: Bars, start: Array, market: Market, *, accept: bool
) -> tuple[str, ...]:
    """Notes of doubts that were accepted.

    Raises
    ------
    BarsError
        A doubt that was not (E_BARS_IDENTITY).
    """
    first_bar = bars.time[:1]
    ahead = int((local_walls(first_bar, market.zone) - first_bar)[0])
    found = doubts_within(bars, offset=ahead)
    if found and not accept:
        first = found[0]
        name, row = reading.origin.where(int(np.argmax(start == bars.time[first.bar])))
        raise BarsError(
            f"Bars under one name are of one instrument, in one unit – at {name} row {row} "
            f"{first.said} – split the file there, or go on with --accept-doubts; nothing was "
            "imported.",
            code="E_BARS_IDENTITY",
            details={"file": name, "row": row},
        )
    return tuple(f"accepted: {doubt.said}" for doubt in found)


def _refuse_conflict(reading: Reading, bars: Bars, order: Array, places: Array) -> None:
    differs = np.zeros(len(places), dtype=bool)
    for name in reading.values:
        new, old = getattr(bars, name)[places], getattr(bars, name)[places - 1]
        differs |= (new != old) & ~(np.isnan(new) & np.isnan(old))
    if not differs.any():
        return
    place = int(places[np.argmax(differs)])
    first, second = (reading.origin.shown(int(order[i])) for i in (place - 1, place))
    at = pd.Timestamp(int(bars.time[place]), tz="UTC").isoformat()
    raise BarsError(
        f"A time has one bar – {first} and {second} both are {at}, with different values – keep "
        "one of them; nothing was imported.",
        code="E_BARS_DUPLICATE",
        details={"rows": [first, second], "count": int(differs.sum())},
    )
