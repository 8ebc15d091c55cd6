"""What every command shares: the home it works on, its options, and how an answer is printed."""

from __future__ import annotations

import json
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "HOME", "Json", "Out", "SlotName", "Symbol", "Timeframe", "app", "open_hub", "say", "shadow",
    "write",
]  # fmt: skip

app = typer.Typer(
    add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False,
    help="Openrange: bars in, honest calls out. It places no orders.",
)  # fmt: skip
shadow = typer.Typer(no_args_is_help=True, help="The shadow log: tick, settle, replay, report.")
app.add_typer(shadow, name="shadow")

HOME: dict[str, Path | None] = {"home": None}

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
    HOME["home"] = home


def open_hub() -> Any:
    """The hub of the home that was asked for."""
    from mlcore.hub import Hub

    return Hub.open(HOME["home"])


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


def say(answer: Any, as_json: bool) -> None:
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


def write(frame: Any, out: Path, as_json: bool) -> None:
    """Write a table as Parquet, and say what was written."""
    frame.to_parquet(out, index=False)
    say({"rows": len(frame), "columns": list(frame.columns), "out": str(out)}, as_json)
