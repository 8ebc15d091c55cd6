"""Charts of evidence: calibration, folds, the funnel and e-values.

They draw what the evaluation layer computed and compute nothing but where things stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages._charts_base import (
    add_band,
    add_label,
    add_level,
    add_line,
    difference_ticks,
    empty_figure,
    new_figure,
    numbers,
    round_ticks,
    span,
    thin_rows,
    whiskers_of,
)
from pages._evidence import POINTS, Measure
from pages._format import MIN_OUTCOMES, number, thousands
from pages._theme import TOKENS, rgba

__all__ = [
    "calibration_chart",
    "e_value_chart",
    "fold_chart",
    "funnel_chart",
    "road_ahead",
]

_MOST_POINTS: Final = 800


def calibration_chart(bins: pd.DataFrame, *, height: int = 250) -> go.Figure:
    """What was said against what happened.

    Parameters
    ----------
    bins
        Columns said, was, low, high (shares between 0 and 1) and n. Bins with fewer than 30
        outcomes are hollow and without interval.
    """
    known = bins[np.isfinite(numbers(bins["said"])) & np.isfinite(numbers(bins["was"]))]
    if known.empty:
        return empty_figure("No settled outcomes to compare with.", height)
    many = numbers(known["n"]) >= MIN_OUTCOMES
    full, thin = known[many], known[~many]
    low, high = span(known["said"], known["was"], full["low"], full["high"])
    low, high = max(0.0, low), min(1.0, high)
    figure = new_figure(height, hovermode="closest", margin={"l": 48, "r": 10, "t": 6, "b": 36})
    line = {"dash": "dot"}
    ends = [low, high]
    add_line(figure, ends, ends, colour="faint", name="perfect", width=1, line=line)
    size = np.clip(np.sqrt(numbers(full["n"])) * 0.95, 5, 15)
    _add_points(figure, full, size, whiskers_of(full, "was", rgba("brand", 0.55)))
    ring = {"color": TOKENS["faint"], "width": 1.5}
    hollow = {"size": 8, "color": "rgba(0,0,0,0)", "line": ring}
    figure.add_trace(go.Scatter(x=thin["said"], y=thin["was"], mode="markers", marker=hollow))
    at = round_ticks(low, high, 8)
    texts = [f"{number(tick * 100)} %" for tick in at]
    aside = [t if v - low > 0.05 * (high - low) else "" for v, t in zip(at, texts, strict=True)]
    figure.update_xaxes(range=ends, tickvals=at, ticktext=aside, title_text="said")
    figure.update_yaxes(range=ends, tickvals=at, ticktext=texts, title_text="was")
    paper = {"xref": "x domain", "yref": "y domain"}
    add_label(figure, 0.02, 0.97, "● said and observed, 95 %", "brand", **paper)
    if len(thin):
        add_label(figure, 0.02, 0.88, f"○ n under {MIN_OUTCOMES}", "faint", **paper)
    return figure


def _add_points(
    figure: go.Figure, full: pd.DataFrame, size: np.ndarray, whiskers: dict[str, Any]
) -> None:
    figure.add_trace(
        go.Scatter(
            x=full["said"],
            y=full["was"],
            error_y=whiskers,
            mode="markers",
            marker={"size": size, "color": TOKENS["brand"], "opacity": 1},
            customdata=numbers(full["n"]),
            hovertemplate="said %{x:.0%}, was %{y:.0%}, n %{customdata:,}<extra></extra>",
        )
    )


def fold_chart(
    folds: pd.DataFrame,
    *,
    total: int,
    worth: float,
    measure: Measure = POINTS,
    height: int = 270,
) -> go.Figure:
    """Each walk-forward fold against the best baseline, and what all of them say so far.

    Parameters
    ----------
    folds
        Columns fold (from 1), difference, low, high, pooled, pooled_low, pooled_high, in the
        measure's raw unit; the folds that are done.
    total
        Folds planned; those to come are empty squares on the baseline.
    worth
        The smallest difference worth having, dotted.
    """
    if not total:
        return empty_figure("No folds planned yet.", height)
    figure = new_figure(height, hovermode="closest", margin={"l": 76, "r": 8, "t": 6, "b": 36})
    at = numbers(folds["fold"])
    parts = [folds[name] for name in ("low", "high", "difference", "pooled_low", "pooled_high")]
    low, high = span(*parts, [0.0, 1.3 * worth, -worth], room=0.05)
    high += 0.16 * (high - low)
    bounds = (folds["pooled_low"], folds["pooled_high"])
    add_band(figure, at, *bounds, colour="brand", alpha=0.2)
    add_level(figure, worth, colour="muted", dash="dot")
    add_level(figure, 0)
    figure.add_trace(_fold_marks(at, folds["difference"], whiskers_of(folds, "difference", _GREY)))
    add_line(figure, at, folds["pooled"], colour="brand", name="pooled so far")
    to_come = np.setdiff1d(np.arange(1, total + 1), at)
    figure.add_trace(_fold_marks(to_come, np.zeros(len(to_come)), None))
    values, texts = difference_ticks(low, high, measure, worth=worth)
    figure.update_yaxes(range=[low, high], tickvals=values, ticktext=texts)
    every = max(1, -(-total // 14))
    title = "walk-forward fold, oldest first"
    figure.update_xaxes(range=[0.4, total + 0.6], showgrid=False, title_text=title, dtick=every)
    paper = {"xref": "x domain", "yref": "y domain"}
    add_label(figure, 0.01, 0.97, "■ fold with 95 %", "muted", **paper)
    add_label(figure, 0.01, 0.89, "━ pooled so far", "brand", **paper)
    return figure


_GREY: Final = rgba("none", 0.6)


def _fold_marks(at: Any, difference: Any, whiskers: dict[str, Any] | None) -> Any:
    """Squares: filled with whiskers where a fold is done, open where it is to come."""
    colour, symbol = ("faint", "square-open") if whiskers is None else ("none", "square")
    return go.Scatter(
        x=at,
        y=difference,
        error_y=whiskers,
        mode="markers",
        marker={"size": 9, "symbol": symbol, "color": TOKENS[colour]},
        hoverinfo="skip",
    )


def road_ahead(running: pd.DataFrame, until: int) -> pd.DataFrame:
    """Where the band would go if the last difference stayed: it narrows with the root of n.

    Parameters
    ----------
    running
        Columns n, difference, low, high; only the last row is read.
    until
        Outcomes up to which the road is drawn.

    Returns
    -------
    pandas.DataFrame
        Columns n, low, high; empty where nothing lies ahead.
    """
    if running.empty or until <= float(running["n"].iloc[-1]):
        return pd.DataFrame({"n": [], "low": [], "high": []}, dtype=np.float64)
    now, middle, low, high = (
        float(running[name].iloc[-1]) for name in ("n", "difference", "low", "high")
    )
    ahead = np.geomspace(now, until, 60)
    shrink = np.sqrt(now / ahead)
    return pd.DataFrame(
        {
            "n": ahead,
            "low": middle - (middle - low) * shrink,
            "high": middle + (high - middle) * shrink,
        }
    )


def funnel_chart(
    running: pd.DataFrame,
    *,
    worth: float,
    kind: str = "unsure",
    needed: int | None = None,
    measure: Measure = POINTS,
    road: pd.DataFrame | None = None,
    phone: bool = False,
    height: int = 352,
) -> go.Figure:
    """What is known so far, and the road ahead if the difference stays.

    Parameters
    ----------
    running
        Columns n, difference, low, high: the running difference to the best baseline with a band
        that is valid at every look. Rows below 30 outcomes are not drawn.
    worth
        The smallest difference worth having.
    kind
        The verdict's kind; its colour is the funnel's.
    needed
        Outcomes in all that would tell 4 times in 5; None if that is not known.
    road
        Columns n, low, high; without it the band narrows with the root of n.
    """
    shown = running[numbers(running["n"]) >= MIN_OUTCOMES]
    if shown.empty:
        have = 0 if running.empty else int(running["n"].iloc[-1])
        text = f"{have} of {MIN_OUTCOMES} outcomes: the funnel starts at {MIN_OUTCOMES}."
        return empty_figure(text, height)
    shown = shown.iloc[thin_rows(len(shown), _MOST_POINTS, log=True)]
    now = float(shown["n"].iloc[-1])
    until = max(now * 1.6, min(needed or now * 8, 60 * now) * 1.45)
    ahead = road_ahead(shown, int(until)) if road is None else road
    colour = {"few": "faint", "live": "brand"}.get(kind, kind)
    figure = new_figure(height, margin={"l": 82, "r": 10, "t": 6, "b": 36})
    add_band(figure, shown["n"], shown["low"], shown["high"], colour=colour, alpha=0.16)
    add_band(figure, ahead["n"], ahead["low"], ahead["high"], colour="faint", alpha=0.1, edge=True)
    add_line(figure, numbers(shown["n"]), shown["difference"], colour=colour, name="difference")
    low, high = _funnel_span(shown, worth)
    add_level(figure, worth, colour="muted", dash="dot")
    add_level(figure, 0)
    _mark_moments(figure, now, needed if needed and needed < until else None, colour, phone)
    values, texts = difference_ticks(low, high, measure, worth=worth)
    figure.update_yaxes(range=[low, high], tickvals=values, ticktext=texts)
    _log_axis(figure, float(shown["n"].iloc[0]), until, [now, needed or 0], phone)
    paper = {"xref": "paper", "yref": "y domain"}
    stay = f"if {measure.figure(float(shown['difference'].iloc[-1]))} stays"
    if not phone and len(ahead):
        at = np.log10(now * (until / now) ** 0.2)
        top = float(np.interp(10**at, ahead["n"], ahead["high"])) + 0.06 * (high - low)
        add_label(figure, at, min(top, high), stay, "muted")
    band = "95 % band,<br>any look" if phone else "95 % band, valid at every look"
    add_label(figure, 0.01, 0.05, band, colour, **paper)
    return figure


def _funnel_span(shown: pd.DataFrame, worth: float) -> tuple[float, float]:
    """A scale for the newer half: the wide start of the funnel is cut, not the present."""
    recent = shown.iloc[len(shown) // 3 :]
    low, high = span(recent["low"], recent["high"], [0.0, worth], room=0.22)
    return low, high


def _mark_moments(
    figure: go.Figure, now: float, needed: float | None, colour: str, phone: bool
) -> None:
    add_level(figure, now, colour="muted", axis="x")
    text = " now" if phone else f" now: n {thousands(now)}"
    add_label(figure, np.log10(now), 0.97, text, "text", yref="y domain")
    if needed is None:
        return
    add_level(figure, needed, colour=colour, dash="dash", axis="x")
    long = f"n {thousands(needed)}: would tell 4 times in 5 "
    text = "would tell <br>4 in 5 " if phone else long
    at = np.log10(needed)
    add_label(figure, at, 0.05, text, colour, xanchor="right", yref="y domain")


def _log_axis(
    figure: go.Figure, first: float, until: float, extra: Sequence[float], phone: bool
) -> None:
    """Counts on a log axis; the present n and the needed one are ticks of their own."""
    steps = [m * 10**p for p in range(1, 9) for m in ((1, 5) if phone else (1, 2, 5))]
    own = [value for value in extra if first <= value <= until]
    near = 1.55 if phone else 1.28
    free = [s for s in steps if all(max(s / v, v / s) > near for v in own)]
    ticks = sorted([*own, *(s for s in free if first <= s <= until)])
    figure.update_xaxes(
        type="log",
        range=[np.log10(first), np.log10(until)],
        tickvals=ticks,
        ticktext=[thousands(tick) for tick in ticks],
        title_text="settled outcomes, log scale",
    )


def e_value_chart(running: pd.DataFrame, *, gate: float = 20, height: int = 212) -> go.Figure:
    """Evidence in shadow: the e-process by settled outcome, and the gate it has to reach.

    Parameters
    ----------
    running
        Columns n and e_value, above 0.
    """
    if running.empty:
        return empty_figure("No live outcome has been settled yet.", height)
    shown = running.iloc[thin_rows(len(running), _MOST_POINTS)]
    values = np.log10(np.maximum(numbers(shown["e_value"]), 1e-6))
    figure = new_figure(height, margin={"l": 46, "r": 10, "t": 8, "b": 36})
    top = max(float(np.nanmax(values)), np.log10(gate)) + 0.25
    low = min(float(np.nanmin(values)), -1.0) - 0.1
    add_level(figure, 1)
    add_level(figure, gate, colour="edge", dash="dash")
    add_line(figure, numbers(shown["n"]), 10**values, colour="brand", name="e-value", width=1.8)
    place = {"xref": "x domain", "xanchor": "right", "yanchor": "bottom"}
    add_label(figure, 1, np.log10(gate), f"{number(gate)}: gate", "edge", **place)
    ticks = [10.0**power for power in range(int(np.ceil(low)), int(np.floor(top)) + 1)]
    ticks = [t for t in ticks if max(t / gate, gate / t) > 1.6] + [gate]
    texts = [number(t, max(0, -int(np.floor(np.log10(t))))) for t in ticks]
    figure.update_yaxes(type="log", range=[low, top], tickvals=ticks, ticktext=texts)
    figure.update_xaxes(title_text="settled outcomes", nticks=6)
    return figure
