"""The command line: `python -m mlcore [--home DIR] COMMAND …`, every command with `--json`.

Exit codes: 0 done, 1 refused or a check failed, 2 usage.
"""

from __future__ import annotations

import json
import sys
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mlcore.errors import OpenrangeError, UsageError

__all__ = ["app", "main"]

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="Openrange: bars in, honest calls out. It places no orders.",
)  # fmt: skip
shadow = typer.Typer(no_args_is_help=True, help="The shadow log: tick, settle, replay, report.")
app.add_typer(shadow, name="shadow")

_HOME: dict[str, Path | None] = {"home": None}

Json = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
Symbol = Annotated[str, typer.Argument(help="Symbol, like XAUUSD.")]
Timeframe = Annotated[str, typer.Argument(help="Timeframe, like 5m.")]
SlotName = Annotated[str, typer.Argument(help="TARGET-SYMBOL-TIMEFRAME")]
Out = Annotated[Path, typer.Option("--out", help="Parquet file to write.")]


@app.callback()
def _home(
    home: Annotated[
        Path | None, typer.Option(help="Folder with data/ and registry/ (or OPENRANGE_HOME).")
    ] = None,
) -> None:
    _HOME["home"] = home


def _hub() -> Any:
    from mlcore.hub import Hub

    return Hub.open(_HOME["home"])


def _plain(value: Any) -> Any:
    """JSON-ready form of what the hub answers: frames as records, instants as ISO text."""
    import pandas as pd

    if isinstance(value, pd.DataFrame):
        return json.loads(value.to_json(orient="records", date_format="iso", date_unit="ms"))
    if hasattr(value, "as_dict"):
        return _plain(value.as_dict())
    if is_dataclass(value) and not isinstance(value, type):
        return _plain({f.name: _instant(f.name, getattr(value, f.name)) for f in fields(value)})
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _instant(name: str, value: Any) -> Any:
    """Instants of a report as text; everything else as it is."""
    from mlcore.clock import to_timestamp

    known = name.startswith(("first", "last")) and isinstance(value, int)
    return to_timestamp(value).isoformat() if known else value


def _line(key: str, value: Any) -> str:
    return f"{key:<22} {value}"


def _say(answer: Any, as_json: bool) -> None:
    """Print an answer: JSON, a table, or one line a field."""
    import pandas as pd

    if as_json:
        plain = _plain(answer)
        if isinstance(answer, pd.DataFrame):
            plain = {"rows": plain, "n": len(answer)}
        typer.echo(json.dumps(plain, indent=2, default=str))
    elif isinstance(answer, pd.DataFrame):
        typer.echo(answer.to_string(index=False) if len(answer) else "nothing yet")
    elif isinstance(answer, str):
        typer.echo(answer)
    else:
        plain = _plain(answer)
        for key, value in plain.items() if isinstance(plain, dict) else enumerate(plain):
            text = json.dumps(value, default=str) if isinstance(value, dict | list) else value
            typer.echo(_line(str(key), text))


@app.command()
def demo(
    if_empty: Annotated[bool, typer.Option(help="Only where no bars are yet.")] = False,
    in_background: Annotated[bool, typer.Option(help="Bars now, training in a child.")] = False,
    bars_only: Annotated[bool, typer.Option(help="Bars, and no training.")] = False,
    as_json: Json = False,
) -> None:
    """Make the demo markets, train on them and promote, in SIMULATED slots only."""
    made = _hub().demo(if_empty=if_empty, in_background=in_background, bars_only=bars_only)
    _say(made, as_json)


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
        _say(_hub().ingest(paths, symbol=symbol, **options), as_json)
        return
    _say_each(_hub().ingest_each(paths, **options), as_json)


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
        _say({"files": done, "n": len(done), "refused": refused}, True)
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

    seen = _hub().preview(
        paths, symbol=symbol, timeframe=timeframe, timezone=timezone, stamp=stamp, market=market,
        columns=parse_columns(columns), member=member, quote=quote, adjusted=adjusted, scale=scale,
        accept_doubts=accept_doubts,
    )  # fmt: skip
    _say(seen, as_json)


@app.command()
def bars(
    symbol: Symbol,
    timeframe: Timeframe,
    start: Annotated[str | None, typer.Option(help="From this instant, with its zone.")] = None,
    end: Annotated[str | None, typer.Option(help="Before this instant, with its zone.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write Parquet instead of printing.")] = None,
    as_json: Json = False,
) -> None:
    """Stored bars of a symbol."""
    frame = _hub().bars(symbol, timeframe, start=start, end=end)
    if out is not None:
        frame.to_parquet(out, index=False)
        _say(
            {"symbol": symbol, "timeframe": timeframe, "rows": len(frame), "out": str(out)}, as_json
        )
    elif as_json:
        _say({"symbol": symbol, "timeframe": timeframe, "rows": len(frame),
              "bars": frame.tail(500)}, True)  # fmt: skip
    else:
        _say(frame.tail(20), False)


@app.command()
def symbols(as_json: Json = False) -> None:
    """Everything that has bars."""
    _say(_hub().symbols(), as_json)


def _write(frame: Any, out: Path, as_json: bool) -> None:
    frame.to_parquet(out, index=False)
    _say({"rows": len(frame), "columns": list(frame.columns), "out": str(out)}, as_json)


@app.command()
def features(
    symbol: Symbol,
    timeframe: Timeframe,
    out: Out,
    feature_set: Annotated[str, typer.Option("--set", help="Named set.")] = "core40",
    as_json: Json = False,
) -> None:
    """The feature table: time, available_at and one column a feature."""
    _write(_hub().features(symbol, timeframe, feature_set), out, as_json)


@app.command()
def sessions(symbol: Symbol, timeframe: Timeframe, out: Out, as_json: Json = False) -> None:
    """Opening ranges, their breaks and trades: one row per range and local date."""
    frame = _hub().sessions(symbol, timeframe)
    frame.to_parquet(out, index=False)
    decided = frame["side"].isin(["UP", "DOWN"]) & frame["valid"]
    counts = {"rows": len(frame), "valid": int(frame["valid"].sum()), "decided": int(decided.sum())}
    _say({**counts, "out": str(out)}, as_json)


@app.command()
def dataset(
    target: Annotated[str, typer.Argument(help="orb_direction, orb_quality, orb_r, signal …")],
    symbols: Annotated[str, typer.Option(help="One symbol.")],
    timeframe: Annotated[str, typer.Option(help="Timeframe, like 5m.")],
    out: Out,
    as_json: Json = False,
) -> None:
    """The training table: decision_at, due_at, known_at, y and the features."""
    _write(_hub().dataset(target, symbols, timeframe), out, as_json)


@app.command()
def prove(
    symbol: Symbol,
    timeframe: Timeframe,
    target: Annotated[str | None, typer.Option(help="Target whose rows are proved.")] = None,
    feature_set: Annotated[str | None, typer.Option("--set", help="Named set.")] = None,
    as_json: Json = False,
) -> None:
    """Change, blank and delete the future, and see whether any input moves."""
    report = _hub().prove(symbol, timeframe, target=target, feature_set=feature_set)
    _say(report, as_json)
    if not report["passed"]:
        raise typer.Exit(1)


@app.command()
def train(
    target: Annotated[str, typer.Argument(help="orb_direction, orb_quality, orb_r, signal …")],
    symbols: Annotated[str, typer.Option(help="One symbol.")],
    timeframe: Annotated[str, typer.Option(help="Timeframe, like 5m.")],
    model: Annotated[str, typer.Option(help="lightgbm or logistic.")] = "lightgbm",
    days: Annotated[int | None, typer.Option(help="Only the last N days of bars.")] = None,
    walk_forward: Annotated[
        str | None, typer.Option(help="TRAIN,TEST,STEP: 500,100,50 or 60d,10d,5d")
    ] = None,
    holdout: Annotated[str | None, typer.Option(help="60/20/20 or 70/15/15 instead.")] = None,
    seed: Annotated[int | None, typer.Option(help="Default: the configuration's.")] = None,
    as_json: Json = False,
) -> None:
    """Train a version: prove, walk forward, fit, write the card, register. Promotes nothing."""
    hub = _hub()
    done = hub.train_now(
        target, model=model, symbol=symbols, timeframe=timeframe, days=days,
        walk_forward=walk_forward, holdout=holdout, seed=seed,
        progress=None if as_json else _progress,
    )  # fmt: skip
    _say(done, as_json)


def _progress(event: dict[str, Any]) -> None:
    if event.get("kind") == "fold":
        typer.echo(f"fold {event['index'] + 1} of {event['total']}: n {event.get('n')}", err=True)
    elif event.get("kind") in {"note", "stage"}:
        typer.echo(str(event.get("text", "")), err=True)


@app.command()
def models(slot: Annotated[str | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """Versions, of one slot or of all."""
    _say(_hub().models(slot), as_json)


@app.command()
def show(
    slot: SlotName, version: Annotated[str, typer.Argument()] = "champion", as_json: Json = False
) -> None:
    """The card of a version."""
    card = _hub().card(slot, version)
    _say(card if as_json else {"slot": slot, "version": card["version"], "verdict":
         card["verdict"]["words"], "n": card["verdict"]["n"]}, as_json)  # fmt: skip


Reason = Annotated[str, typer.Option(help="Why; recorded.")]


@app.command()
def promote(slot: SlotName, version: str, reason: Reason, as_json: Json = False) -> None:
    """Make a version the slot's champion."""
    _say(_hub().promote(slot, version, reason), as_json)


@app.command("roll-back")
def roll_back(
    slot: SlotName, reason: Reason = "rolled back by hand", as_json: Json = False
) -> None:
    """Make the champion before this one the champion again."""
    _say(_hub().roll_back(slot, reason), as_json)


@app.command()
def archive(
    slot: SlotName,
    version: Annotated[str | None, typer.Argument()] = None,
    keep_best: Annotated[int | None, typer.Option(help="All but the best N instead.")] = None,
    reason: Reason = "archived by hand",
    as_json: Json = False,
) -> None:
    """Take a version, or all but the best, out of the lists; the files stay."""
    _say(_hub().archive(slot, version, reason, keep_best=keep_best), as_json)


@app.command()
def compare(slot: SlotName, a: str, b: str, as_json: Json = False) -> None:
    """Two versions of a slot, side by side."""
    _say(_hub().compare(slot, a, b), as_json)


@app.command()
def predict(
    symbol: Symbol,
    timeframe: Timeframe,
    target: Annotated[str | None, typer.Option(help="One target instead of all.")] = None,
    at: Annotated[str | None, typer.Option(help="As of this instant, with its zone.")] = None,
    as_json: Json = False,
) -> None:
    """The latest call, logged before it is printed."""
    _say(_hub().predict(symbol, timeframe, target=target, at=at), as_json)


@app.command()
def explain(
    symbol: Symbol,
    timeframe: Timeframe,
    target: Annotated[str | None, typer.Option(help="Default orb_direction, or signal.")] = None,
    as_json: Json = False,
) -> None:
    """Why the latest call is what it is: every input's share."""
    _say(_hub().explain(symbol, timeframe, target=target), as_json)


@shadow.command("tick")
def shadow_tick(as_json: Json = False) -> None:
    """Log a call for every open decision that has none."""
    _say(_hub().tick(), as_json)


@shadow.command("settle")
def shadow_settle(as_json: Json = False) -> None:
    """Attach outcomes to calls that are due."""
    _say(_hub().settle(), as_json)


@shadow.command("replay")
def shadow_replay(
    days: Annotated[int, typer.Option(help="How many days back.")],
    slot: Annotated[str | None, typer.Option(help="One slot instead of all.")] = None,
    as_json: Json = False,
) -> None:
    """Answer past days by fold models that could not have known them."""
    _say(_hub().replay(slot, days), as_json)


@shadow.command("report")
def shadow_report(
    slot: Annotated[str | None, typer.Option(help="One slot instead of all.")] = None,
    mode: Annotated[str, typer.Option(help="live, late or replay; never pooled.")] = "live",
    as_json: Json = False,
) -> None:
    """The log against outcomes, beside the baselines."""
    hub = _hub()
    slots = [slot] if slot else list(hub.slots()["slot"])
    reports = [hub.report(name, mode=mode) for name in slots]
    _say(reports[0] if len(reports) == 1 else {"reports": reports}, as_json)


@app.command()
def retrain(slot: SlotName, as_json: Json = False) -> None:
    """Train a challenger for a slot, as its champion was trained. Promotes nothing."""
    _say(_hub().retrain_now(slot, progress=None if as_json else _progress), as_json)


@app.command()
def health(as_json: Json = False) -> None:
    """What runs, what is stale, what waits."""
    _say(_hub().health(), as_json)


@app.command()
def verify(as_json: Json = False) -> None:
    """Hash-check the whole home: lake, log, registry. Exit 1 where anything differs."""
    report = _hub().verify()
    _say(report, as_json)
    if report["problems"]:
        raise typer.Exit(1)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="Folder to write to.")], as_json: Json = False
) -> None:
    """Write the log and its outcomes as Parquet, and seal the chain's head beside them."""
    _say(_hub().export(out), as_json)


@app.command(hidden=True)
def job(job_id: str) -> None:
    """Run a queued job in this process."""
    from mlcore.operations.work import run_job

    run_job(job_id, _HOME["home"])


def main(arguments: list[str] | None = None) -> int:
    """Run a command; errors of ours become one message and exit code 1 (2 for usage)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(args=arguments, standalone_mode=False)
    except OpenrangeError as error:
        if "--json" in arguments:
            typer.echo(json.dumps({"error": error.as_dict()}, default=str))
        else:
            typer.echo(f"{error.code}: {error.message}", err=True)
        return 2 if isinstance(error, UsageError) else 1
    except (typer.Abort, KeyboardInterrupt):
        return 1
    except Exception as error:
        if type(error).__module__.startswith(("click", "typer")) and hasattr(
            error, "format_message"
        ):
            typer.echo(f"usage: {error.format_message()}", err=True)
            return 2
        raise
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
