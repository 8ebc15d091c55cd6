"""Commands about bars: make, import, preview, list, judge, restate, delete."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mlcore.commands.answers import Json, Symbol, Timeframe, app, open_hub, say

__all__: list[str] = []


@app.command()
def demo(
    if_empty: Annotated[bool, typer.Option(help="Only where no bars are yet.")] = False,
    in_background: Annotated[bool, typer.Option(help="Bars now, training in a child.")] = False,
    bars_only: Annotated[bool, typer.Option(help="Bars, and no training.")] = False,
    as_json: Json = False,
) -> None:
    """Make the demo markets, train on them and promote, in SIMULATED slots only."""
    made = open_hub().demo(if_empty=if_empty, in_background=in_background, bars_only=bars_only)
    say(made, as_json)


Zone = Annotated[str | None, typer.Option(help="IANA zone, or ZONE+HH:MM.")]
StampSide = Annotated[str | None, typer.Option(help="start, end or eve: what a stamp means.")]
MarketName = Annotated[str | None, typer.Option(help="gold, fx, us_equity, nse, crypto …")]
Columns = Annotated[str | None, typer.Option(help="time=Date,close=Last,…")]
Detected = Annotated[str | None, typer.Option(help="Detected where it is not given.")]
Files = Annotated[list[Path], typer.Argument(help="Files or folders.")]
Member = Annotated[str | None, typer.Option(help="The file or contract of a zip.")]
Quote = Annotated[str | None, typer.Option(help="bid, ask or mid, where a file has both.")]
Adjusted = Annotated[bool, typer.Option(help="Apply the file's adjusted close to all prices.")]
Scale = Annotated[float | None, typer.Option(help="What prices are divided by.")]
Accept = Annotated[
    bool, typer.Option(help="Go on where bars look like another instrument, unit or clock.")
]


@app.command()
def ingest(
    paths: Files,
    symbol: Annotated[
        str | None, typer.Option(help="The name to store the bars under; else each file's own.")
    ] = None,
    timeframe: Detected = None,
    timezone: Zone = None,
    stamp: StampSide = None,
    market: MarketName = None,
    columns: Columns = None,
    member: Member = None,
    quote: Quote = None,
    adjusted: Adjusted = False,
    scale: Scale = None,
    accept_doubts: Accept = False,
    as_json: Json = False,
) -> None:
    """Import bar files: all or nothing, and the same file twice changes nothing."""
    options = {
        "timeframe": timeframe, "timezone": timezone, "stamp": stamp, "market": market,
        "columns": columns, "member": member, "quote": quote, "adjusted": adjusted, "scale": scale,
        "accept_doubts": accept_doubts,
    }  # fmt: skip
    if symbol is not None:
        say(open_hub().ingest(paths, symbol=symbol, **options), as_json)
        return
    _say_each(open_hub().ingest_each(paths, **options), as_json)


def _say_each(reports: Any, as_json: bool) -> None:
    """One line a file while it is imported; exit code 1 where one was refused."""
    done = []
    for report in reports:
        done.append(report)
        if not as_json:
            told = report.message or f"{report.timeframe} {report.read} read, {report.added} added"
            typer.echo(f"{report.file:<28} {report.symbol:<14} {told}")
    refused = sum(1 for report in done if report.code)
    if as_json:
        say({"files": done, "n": len(done), "refused": refused}, True)
    else:
        typer.echo(f"{len(done) - refused} imported, {refused} refused")
    if refused:
        raise typer.Exit(1)


@app.command()
def preview(
    paths: Files,
    symbol: Annotated[str | None, typer.Option(help="Its market is looked at.")] = None,
    timeframe: Detected = None,
    timezone: Zone = None,
    stamp: StampSide = None,
    market: MarketName = None,
    columns: Columns = None,
    member: Member = None,
    quote: Quote = None,
    adjusted: Adjusted = False,
    scale: Scale = None,
    accept_doubts: Accept = False,
    as_json: Json = False,
) -> None:
    """What an import would read, and what it would have to ask; nothing is stored."""
    from mlcore.operations.importing import parse_columns

    seen = open_hub().preview(
        paths, symbol=symbol, timeframe=timeframe, timezone=timezone, stamp=stamp, market=market,
        columns=parse_columns(columns), member=member, quote=quote, adjusted=adjusted, scale=scale,
        accept_doubts=accept_doubts,
    )  # fmt: skip
    say(seen, as_json)


@app.command()
def bars(
    symbol: Symbol,
    timeframe: Timeframe,
    start: Annotated[str | None, typer.Option(help="From this instant, with its zone.")] = None,
    end: Annotated[str | None, typer.Option(help="Before this instant, with its zone.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write .parquet or .csv instead.")] = None,
    as_json: Json = False,
) -> None:
    """Bars of a symbol: stored, or made of the finest stored ones that divide the timeframe."""
    hub = open_hub()
    if out is not None:
        say(hub.export_bars(symbol, timeframe, out, start=start, end=end), as_json)
        return
    frame = hub.bars(symbol, timeframe, start=start, end=end)
    made = hub.derived_from(symbol, timeframe)
    if as_json:
        say({"symbol": symbol, "timeframe": timeframe, "rows": len(frame), "derived_from": made,
             "bars": frame.tail(500)}, True)  # fmt: skip
        return
    say(frame.tail(20), False)
    if made:
        typer.echo(f"made of {made} bars; {timeframe} bars are not stored")


@app.command()
def symbols(
    universe: Annotated[str | None, typer.Option(help="Only these: A,B or a universe.")] = None,
    as_json: Json = False,
) -> None:
    """Everything that has bars."""
    hub = open_hub()
    listed = hub.symbols()
    if universe is not None:
        listed = listed[listed["symbol"].isin(hub.symbols_of(universe))]
    say(listed, as_json)


@app.command()
def universes(as_json: Json = False) -> None:
    """Named universes and their symbols that have bars."""
    found = open_hub().universes()
    say(found if as_json else found.drop(columns="symbols"), as_json)


@app.command()
def revisions(symbol: Symbol, timeframe: Timeframe, as_json: Json = False) -> None:
    """Restated bars: old and new values, since when, by which import, which calls lean on them."""
    found = open_hub().revisions(symbol, timeframe)
    short = ["time", "revision", "old_close", "new_close", "new_available_at", "source", "calls"]
    say(found if as_json else found[short].tail(50), as_json)


@app.command("delete-bars")
def delete_bars(
    symbol: Symbol,
    timeframe: Timeframe,
    reason: Annotated[str, typer.Option(help="Why; kept with the lake's snapshot.")],
    as_json: Json = False,
) -> None:
    """Take a symbol's bars out of later reads; older snapshots and logged calls stay."""
    say(open_hub().delete_bars(symbol, timeframe, reason), as_json)


@app.command()
def quality(symbol: Symbol, timeframe: Timeframe, as_json: Json = False) -> None:
    """What stored bars are worth: gaps, faults, history, and what they are fit for."""
    told = open_hub().quality(symbol, timeframe)
    if as_json:
        say(told, True)
        return
    report = told.report
    typer.echo(f"{report.symbol} {report.timeframe}, {report.rows:,} bars: {told.words}")
    for use in told.uses:
        typer.echo(f"  {use.state:<6} {use.name:<24} {use.reason}")
    typer.echo("")
    for check in report.checks:
        share = "" if check.share is None else f"{100 * check.share:.2f} %"
        typer.echo(f"  {check.status:<5} {check.title:<26} {check.n:>9,} {share:>9}  {check.words}")
        for one in check.worst[:3] if check.status != "ok" else ():
            said = one.as_dict()
            until = f" – {said['until'][:16]}" if said["until"] else ""
            typer.echo(f"        {said['at'][:16]}{until} UTC  {one.what}")
