"""Charts of a model at work: its loss while it learns, its net R, the inputs that move it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages._charts_base import (
    add_label,
    add_level,
    add_line,
    decimals,
    difference_ticks,
    empty_figure,
    new_figure,
    numbers,
    plain,
    round_ticks,
    span,
    thin_rows,
    whiskers_of,
)
from pages._evidence import NET_R
from pages._format import number
from pages._theme import TOKENS, rgba

__all__ = ["importance_chart", "loss_chart", "net_r_chart"]

_MOST_POINTS: Final = 800


def loss_chart(
    rounds: pd.DataFrame,
    *,
    kept: int | None = None,
    baseline: float | None = None,
    unit: str = "boosting round",
    height: int = 210,
) -> go.Figure:
    """Training and validation loss by round, the round that is kept, and the baseline's loss.

    Parameters
    ----------
    rounds
        Columns round, train, validation; validation may be missing altogether.
    """
    if rounds.empty:
        return empty_figure("The first round is still running.", height)
    shown = rounds.iloc[thin_rows(len(rounds), _MOST_POINTS)]
    at = numbers(shown["round"])
    figure = new_figure(height, margin={"l": 52, "r": 64, "t": 8, "b": 36})
    base = [] if baseline is None else [baseline]
    low, high = span(shown["train"], shown["validation"], base)
    if baseline is not None:
        add_level(figure, baseline)
    if kept is not None:
        add_level(figure, kept, colour="unsure", dash="dash", axis="x")
        place = {"yref": "y domain", "yanchor": "top"}
        add_label(figure, kept, 1, f" kept: round {kept}", "unsure", **place)
    add_line(figure, at, shown["train"], colour="muted", name="train", width=1.4)
    add_line(figure, at, shown["validation"], colour="brand", name="validation")
    ends = [("train", "muted", shown["train"]), ("validation", "brand", shown["validation"])]
    rows = [(name, colour, numbers(values)) for name, colour, values in ends]
    finals = [(n, c, float(v[np.isfinite(v)][-1])) for n, c, v in rows if np.isfinite(v).any()]
    if baseline is not None:
        finals.append(("baseline", "text", baseline))
    _label_ends(figure, finals, low, high)
    first = float(at[0]) if len(at) > 1 else float(at[0]) - 1
    figure.update_xaxes(range=[first, float(at[-1])], title_text=unit, nticks=6)
    values = round_ticks(low, high, 4)
    digits = max((decimals(tick) for tick in values), default=3)
    texts = [number(tick, digits) for tick in values]
    figure.update_yaxes(range=[low, high], tickvals=values, ticktext=texts)
    return figure


def _label_ends(
    figure: go.Figure, ends: Sequence[tuple[str, str, float]], low: float, high: float
) -> None:
    """Names at the right of their lines, moved apart where they would cover one another."""
    least = 0.085 * (high - low)
    places: list[float] = []
    for _, _, value in sorted(ends, key=lambda end: end[2]):
        places.append(max(value, places[-1] + least) if places else value)
    over = max(0.0, (places[-1] if places else low) - (high - least / 2))
    named = zip(sorted(ends, key=lambda end: end[2]), places, strict=True)
    for (name, colour, _), place in named:
        add_label(figure, 1, place - over, f" {plain(name)}", colour, xref="x domain")


def net_r_chart(
    curve: pd.DataFrame, *, baseline: str = "every trade", height: int = 260
) -> go.Figure:
    """Cumulative net R of the traded series beside its baselines; zero is *no trade*.

    Parameters
    ----------
    curve
        Columns time, model and, where it is known, baseline; cumulative, in R.
    baseline
        The name of the baseline that trades.
    """
    if curve.empty:
        return empty_figure("No trade has been settled yet.", height)
    shown = curve.iloc[thin_rows(len(curve), 2 * _MOST_POINTS)]
    lines = [("model", "brand", 2.0)]
    if "baseline" in shown and np.isfinite(numbers(shown["baseline"])).any():
        lines.insert(0, ("baseline", "muted", 1.4))
    low, high = span(*[shown[name] for name, _, _ in lines], [0.0])
    figure = new_figure(height, margin={"l": 66, "r": 76, "t": 8, "b": 30})
    add_level(figure, 0)
    time = pd.DatetimeIndex(pd.to_datetime(shown["time"], utc=True)).tz_localize(None)
    ends = []
    for name, colour, width in lines:
        values = numbers(shown[name])
        text = baseline if name == "baseline" else "model"
        hover = f"{plain(text)} %{{y:+.1f}} R<extra></extra>"
        add_line(figure, time, values, colour=colour, name=text, width=width, hovertemplate=hover)
        if np.isfinite(values).any():
            ends.append((text, colour, float(values[np.isfinite(values)][-1])))
    _label_ends(figure, ends, low, high)
    ticks, texts = difference_ticks(low, high, NET_R, zero="no trade")
    figure.update_yaxes(range=[low, high], tickvals=ticks, ticktext=texts)
    figure.update_xaxes(nticks=6)
    return figure


def importance_chart(
    frame: pd.DataFrame, *, most: int = 15, unit: str = "mean effect on the call, points"
) -> go.Figure:
    """The inputs that move the calls most, longest bar on top.

    Parameters
    ----------
    frame
        Columns feature and importance, and low and high where an interval is known.
    most
        Rows shown.
    """
    known = frame[np.isfinite(numbers(frame["importance"]))]
    if known.empty:
        return empty_figure("No importance has been computed for this version.", 160)
    order = np.argsort(-np.abs(numbers(known["importance"])), kind="stable")[:most]
    rows = known.iloc[order[::-1]]
    height = 52 + 22 * len(rows)
    margin = {"l": 196, "r": 46, "t": 4, "b": 36}
    figure = new_figure(height, hovermode="closest", margin=margin)
    has_interval = {"low", "high"} <= set(rows.columns)
    whiskers = whiskers_of(rows, "importance", TOKENS["text"], 1.2) if has_interval else None
    place = np.arange(len(rows))
    figure.add_trace(
        go.Bar(
            x=numbers(rows["importance"]),
            y=place,
            orientation="h",
            width=0.56,
            marker={"color": rgba("brand", 0.75), "line": {"width": 0}},
            error_x=whiskers,
            hoverinfo="skip",
        )
    )
    names = [_short(str(name)) for name in rows["feature"]]
    figure.update_yaxes(
        tickvals=place, ticktext=names, showgrid=False, range=[-0.6, len(rows) - 0.4]
    )
    figure.update_xaxes(title_text=plain(unit), nticks=5)
    add_level(figure, 0, axis="x")
    return figure


def _short(name: str, most: int = 30) -> str:
    """A name that fits its column, its middle left out where it is too long."""
    fits = name if len(name) <= most else f"{name[: most - 9]}…{name[-8:]}"
    return plain(fits)
