"""The command line: `python -m mlcore [--home DIR] COMMAND …`, every command with `--json`.

Exit codes: 0 done, 1 refused or a check failed, 2 usage.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

import mlcore.commands.bars  # noqa: F401 – registers its commands
from mlcore.commands.answers import (
    HOME,
    Json,
    Out,
    SlotName,
    Symbol,
    Timeframe,
    app,
    open_hub,
    say,
    shadow,
    write,
)
from mlcore.errors import OpenrangeError, UsageError

__all__ = ["app", "main"]


@app.command()
def features(
    symbol: Symbol,
    timeframe: Timeframe,
    out: Out,
    feature_set: Annotated[str, typer.Option("--set", help="Named set.")] = "core40",
    as_json: Json = False,
) -> None:
    """The feature table: time, available_at and one column a feature."""
    write(open_hub().features(symbol, timeframe, feature_set), out, as_json)


@app.command()
def sessions(symbol: Symbol, timeframe: Timeframe, out: Out, as_json: Json = False) -> None:
    """Opening ranges, their breaks and trades: one row per range and local date."""
    frame = open_hub().sessions(symbol, timeframe)
    frame.to_parquet(out, index=False)
    decided = frame["side"].isin(["UP", "DOWN"]) & frame["valid"]
    counts = {"rows": len(frame), "valid": int(frame["valid"].sum()), "decided": int(decided.sum())}
    say({**counts, "out": str(out)}, as_json)


@app.command()
def dataset(
    target: Annotated[str, typer.Argument(help="orb_direction, orb_quality, orb_r, signal …")],
    symbols: Annotated[str, typer.Option(help="A symbol, or A,B,UNIVERSE.")],
    timeframe: Annotated[str, typer.Option(help="Timeframe, like 5m.")],
    out: Out,
    as_json: Json = False,
) -> None:
    """The training table: decision_at, due_at, known_at, y and the features."""
    import pandas as pd

    hub = open_hub()
    names = _chosen(hub, symbols)
    frames = [hub.dataset(target, name, timeframe) for name in names]
    if len(names) > 1:
        for name, frame in zip(names, frames, strict=True):
            frame.insert(0, "symbol", name)
    write(pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0], out, as_json)


def _chosen(hub: Any, names: str) -> tuple[str, ...]:
    """The symbols of `A,B,UNIVERSE`; a single name is left to whoever reads its bars."""
    many = "," in names or names in hub.settings.universes
    return tuple(hub.symbols_of(names)) if many else (names,)


@app.command()
def prove(
    symbol: Symbol,
    timeframe: Timeframe,
    target: Annotated[str | None, typer.Option(help="Target whose rows are proved.")] = None,
    feature_set: Annotated[str | None, typer.Option("--set", help="Named set.")] = None,
    as_json: Json = False,
) -> None:
    """Change, blank and delete the future, and see whether any input moves."""
    report = open_hub().prove(symbol, timeframe, target=target, feature_set=feature_set)
    say(report, as_json)
    if not report["passed"]:
        raise typer.Exit(1)


@app.command()
def train(
    target: Annotated[str, typer.Argument(help="orb_direction, orb_quality, orb_r, signal …")],
    symbols: Annotated[str, typer.Option(help="A symbol, or A,B,UNIVERSE.")],
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
    hub = open_hub()
    names = _chosen(hub, symbols)
    asked = {
        "model": model, "timeframe": timeframe, "days": days, "walk_forward": walk_forward,
        "holdout": holdout, "seed": seed, "progress": None if as_json else _progress,
    }  # fmt: skip
    if len(names) == 1:
        say(hub.train_now(target, symbol=names[0], **asked), as_json)
        return
    runs = [_trained(hub, target, name, asked) for name in names]
    say({"runs": runs, "n": len(runs)}, as_json)
    if any("error" in run for run in runs):
        raise typer.Exit(1)


def _trained(hub: Any, target: str, symbol: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What a run made, or why it was refused; the other symbols' runs go on."""
    try:
        return {"symbol": symbol, **hub.train_now(target, symbol=symbol, **asked)}
    except OpenrangeError as error:
        return {"symbol": symbol, "error": {"code": error.code, "message": error.message}}


def _progress(event: dict[str, Any]) -> None:
    if event.get("kind") == "fold":
        typer.echo(f"fold {event['index'] + 1} of {event['total']}: n {event.get('n')}", err=True)
    elif event.get("kind") in {"note", "stage"}:
        typer.echo(str(event.get("text", "")), err=True)


@app.command()
def models(slot: Annotated[str | None, typer.Argument()] = None, as_json: Json = False) -> None:
    """Versions, of one slot or of all."""
    say(open_hub().models(slot), as_json)


@app.command()
def show(
    slot: SlotName, version: Annotated[str, typer.Argument()] = "champion", as_json: Json = False
) -> None:
    """The card of a version."""
    card = open_hub().card(slot, version)
    say(card if as_json else {"slot": slot, "version": card["version"], "verdict":
         card["verdict"]["words"], "n": card["verdict"]["n"]}, as_json)  # fmt: skip


Reason = Annotated[str, typer.Option(help="Why; recorded.")]


@app.command()
def promote(slot: SlotName, version: str, reason: Reason, as_json: Json = False) -> None:
    """Make a version the slot's champion."""
    say(open_hub().promote(slot, version, reason), as_json)


@app.command("roll-back")
def roll_back(
    slot: SlotName, reason: Reason = "rolled back by hand", as_json: Json = False
) -> None:
    """Make the champion before this one the champion again."""
    say(open_hub().roll_back(slot, reason), as_json)


@app.command()
def archive(
    slot: SlotName,
    version: Annotated[str | None, typer.Argument()] = None,
    keep_best: Annotated[int | None, typer.Option(help="All but the best N instead.")] = None,
    reason: Reason = "archived by hand",
    as_json: Json = False,
) -> None:
    """Take a version, or all but the best, out of the lists; the files stay."""
    say(open_hub().archive(slot, version, reason, keep_best=keep_best), as_json)


@app.command()
def compare(slot: SlotName, a: str, b: str, as_json: Json = False) -> None:
    """Two versions of a slot, side by side."""
    say(open_hub().compare(slot, a, b), as_json)


@app.command()
def predict(
    symbol: Symbol,
    timeframe: Timeframe,
    target: Annotated[str | None, typer.Option(help="One target instead of all.")] = None,
    at: Annotated[str | None, typer.Option(help="As of this instant, with its zone.")] = None,
    as_json: Json = False,
) -> None:
    """The latest call, logged before it is printed."""
    say(open_hub().predict(symbol, timeframe, target=target, at=at), as_json)


@app.command()
def explain(
    symbol: Symbol,
    timeframe: Timeframe,
    target: Annotated[str | None, typer.Option(help="Default orb_direction, or signal.")] = None,
    as_json: Json = False,
) -> None:
    """Why the latest call is what it is: every input's share."""
    say(open_hub().explain(symbol, timeframe, target=target), as_json)


@shadow.command("tick")
def shadow_tick(as_json: Json = False) -> None:
    """Log a call for every open decision that has none."""
    say(open_hub().tick(), as_json)


@shadow.command("settle")
def shadow_settle(as_json: Json = False) -> None:
    """Attach outcomes to calls that are due."""
    say(open_hub().settle(), as_json)


@shadow.command("replay")
def shadow_replay(
    days: Annotated[int, typer.Option(help="How many days back.")],
    slot: Annotated[str | None, typer.Option(help="One slot instead of all.")] = None,
    as_json: Json = False,
) -> None:
    """Answer past days by fold models that could not have known them."""
    say(open_hub().replay(slot, days), as_json)


@shadow.command("report")
def shadow_report(
    slot: Annotated[str | None, typer.Option(help="One slot instead of all.")] = None,
    mode: Annotated[str, typer.Option(help="live, late or replay; never pooled.")] = "live",
    as_json: Json = False,
) -> None:
    """The log against outcomes, beside the baselines."""
    hub = open_hub()
    slots = [slot] if slot else list(hub.slots()["slot"])
    reports = [hub.report(name, mode=mode) for name in slots]
    say(reports[0] if len(reports) == 1 else {"reports": reports}, as_json)


@app.command()
def retrain(slot: SlotName, as_json: Json = False) -> None:
    """Train a challenger for a slot, as its champion was trained. Promotes nothing."""
    say(open_hub().retrain_now(slot, progress=None if as_json else _progress), as_json)


@app.command()
def health(as_json: Json = False) -> None:
    """What runs, what is stale, what waits."""
    say(open_hub().health(), as_json)


@app.command()
def verify(as_json: Json = False) -> None:
    """Hash-check the whole home: lake, log, registry. Exit 1 where anything differs."""
    report = open_hub().verify()
    say(report, as_json)
    if report["problems"]:
        raise typer.Exit(1)


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="Folder to write to.")], as_json: Json = False
) -> None:
    """Write the log and its outcomes as Parquet, and seal the chain's head beside them."""
    say(open_hub().export(out), as_json)


@app.command(hidden=True)
def job(job_id: str) -> None:
    """Run a queued job in this process."""
    from mlcore.operations.work import run_job

    run_job(job_id, HOME["home"])


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
