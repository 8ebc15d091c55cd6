"""Candles with everything the hub knows about them: sessions, opening ranges, breaks, patterns.

One builder draws the Market chart and the small one beside a call, so that a mark seen on one is
seen on the other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages._charts_base import Drawing, add_label, empty_figure, numbers, plain
from pages._charts_candles import draw_candles, draw_volume
from pages._charts_marks import (
    BarView,
    draw_breaks,
    draw_patterns,
    draw_ranges,
    draw_sessions,
    ranges_in,
)
from pages._charts_time import TimeAxis, Zone, nanoseconds
from pages._format import number
from pages._theme import TOKENS, rgba

__all__ = ["Indicator", "candle_chart", "price_digits", "range_chart"]

NEW_YORK: Final = ("New York", "America/New_York")
_LINES: Final = ("sim", "unsure", "text", "muted")
_PHONE_BARS: Final = 84


@dataclass(frozen=True, kw_only=True)
class Indicator:
    """A line in the pane below: one value a bar (NaN before it is known), and its guide levels."""

    name: str
    values: Any
    guides: Sequence[float] = ()


def price_digits(close: Any) -> int:
    """Decimals a price is shown with: those it has, up to six significant figures."""
    values = numbers(close)
    values = values[np.isfinite(values)][-200:]
    if not len(values):
        return 2
    size = int(np.floor(np.log10(max(float(np.median(np.abs(values))), 1e-9))))
    most = max(0, min(6, 5 - size))
    exact = (d for d in range(most) if np.allclose(values, values.round(d), rtol=0, atol=1e-9))
    return next(exact, most)


def candle_chart(
    bars: pd.DataFrame,
    *,
    symbol: str = "",
    zone: Zone | None = NEW_YORK,
    ranges: pd.DataFrame | None = None,
    sessions: pd.DataFrame | None = None,
    lines: Mapping[str, Any] | None = None,
    patterns: pd.DataFrame | None = None,
    indicator: Indicator | None = None,
    visible: int = 188,
    phone: bool = False,
    height: int | None = None,
) -> go.Figure:
    """The Market chart: price, volume and one indicator over a common axis without gaps.

    Parameters
    ----------
    bars
        Columns time (UTC), open, high, low, close, volume; sorted; thinned with `thin_bars` first.
        Without any volume, or with zeros only, its pane is left out.
    symbol, zone
        Name of the market, and the second clock beside UTC.
    ranges
        Opening ranges, columns of the `sessions` command; invalid ones are not drawn.
    sessions
        Columns session, start, end: bands behind the candles, named in a strip on top.
    lines
        Name → one value a bar, drawn over the candles.
    patterns
        Columns time, name, side (+1, 0, −1): marked at the bar that completes them.
    indicator
        The pane at the bottom.
    visible
        Bars in sight at first; the others are reached by panning. Phones show at most 84.
    """
    tall = height or (440 if phone else 690)
    if bars.empty:
        return empty_figure("No bars yet: import a file or start the demo markets.", tall)
    shown = min(visible, _PHONE_BARS) if phone else visible
    view = _view(bars, zone, shown, ranges)
    margin = {"l": 6, "r": 60, "t": 8, "b": 40}  # without its own colour below, the cross-hair
    figure = Drawing(tall, margin=margin, plot_bgcolor=TOKENS["bg"])  # has white edges
    panes = _panes(view, indicator)
    room = (tall - 48) * (panes["price"][1] - panes["price"][0])
    draw_sessions(figure, view, sessions, wide=300 if phone else 930, tall=room)
    draw_candles(figure, view, symbol)
    for colour, (name, values) in zip(_LINES * 4, (lines or {}).items(), strict=False):
        _draw_overlay(figure, view, name, values, colour)
    draw_ranges(figure, view, ranges)
    draw_breaks(figure, view, ranges)
    draw_patterns(figure, view, patterns)
    if "volume" in panes:
        draw_volume(figure, view)
        _pane_name(figure, "Volume", "y2 domain")
    _draw_indicator(figure, view, indicator, panes)
    guides = indicator.guides if indicator else ()
    _layout(figure, view, panes, ticks=3 if phone else 9, guides=guides)
    _draw_last(figure, view)
    return figure.figure()


def range_chart(
    bars: pd.DataFrame,
    ranges: pd.DataFrame | None,
    *,
    zone: Zone | None = NEW_YORK,
    visible: int = 72,
    height: int = 210,
) -> go.Figure:
    """The small chart beside a call: the last bars and the range in question, nothing else."""
    if bars.empty:
        return empty_figure("No bars for this call.", height)
    tail = bars.tail(visible)
    view = _view(tail, zone, visible, ranges)
    figure = Drawing(height, margin={"l": 4, "r": 50, "t": 4, "b": 34}, hovermode=False)
    draw_candles(figure, view, "")
    draw_ranges(figure, view, ranges, beside=True)
    draw_breaks(figure, view, ranges)
    _layout(figure, view, {"price": (0.0, 1.0)}, ticks=3)
    return figure.figure()


def _view(
    bars: pd.DataFrame, zone: Zone | None, visible: int, ranges: pd.DataFrame | None
) -> BarView:
    axis = TimeAxis(nanoseconds(bars["time"]), zone)
    first = max(0, len(bars) - visible)
    last = len(bars) - 0.5 + max(1.0, min(visible, len(bars)) * 0.055)
    seen = bars.iloc[first:]
    low, high = float(seen["low"].min()), float(seen["high"].max())
    near = ranges_in(axis, ranges, first - 0.5)
    if near is not None and len(near):
        low, high = min(low, float(near["low"].min())), max(high, float(near["high"].max()))
    room = (high - low) or abs(high) * 0.01 or 1.0
    digits = price_digits(bars["close"])
    return BarView(axis, bars, first - 0.5, last, low - 0.05 * room, high + 0.11 * room, digits)


def _panes(view: BarView, indicator: Indicator | None) -> dict[str, tuple[float, float]]:
    """Share of the height of each pane that is there, from the bottom."""
    panes, floor = {}, 0.0
    if indicator is not None:
        panes["indicator"], floor = (0.0, 0.17), 0.195
    if view.has_volume:
        panes["volume"], floor = (floor, floor + 0.09), floor + 0.115
    return {**panes, "price": (floor, 1.0)}


def _draw_overlay(figure: Drawing, view: BarView, name: str, values: Any, colour: str) -> None:
    line = {"color": TOKENS[colour], "width": 1.3}
    hover = f"{plain(name)} %{{y:,.{view.digits}f}}<extra></extra>"
    y = numbers(values)
    figure.add_trace(
        type="scatter",
        x=view.places,
        y=y,
        mode="lines",
        line=line,
        hovertemplate=hover,
        zorder=3,
    )


def _draw_indicator(
    figure: Drawing, view: BarView, indicator: Indicator | None, panes: Mapping[str, Any]
) -> None:
    if indicator is None or "indicator" not in panes:
        return
    line = {"color": TOKENS["brand"], "width": 1.3}
    hover = f"{plain(indicator.name)} %{{y:,.4~g}}<extra></extra>"
    y = numbers(indicator.values)
    figure.add_trace(
        type="scatter",
        x=view.places,
        y=y,
        mode="lines",
        line=line,
        yaxis="y3",
        hovertemplate=hover,
    )
    for level in indicator.guides:
        rule = {"color": TOKENS["faint"], "width": 0.7, "dash": "dot"}
        place = {"x0": 0, "x1": 1, "xref": "x domain", "y0": level, "y1": level, "yref": "y3"}
        figure.add_shape(type="line", line=rule, **place)
    _pane_name(figure, indicator.name, "y3 domain")


def _pane_name(figure: Drawing, name: str, pane: str) -> None:
    place = {"xref": "x domain", "yref": pane, "yanchor": "top", "bgcolor": rgba("bg", 0.7)}
    add_label(figure, 0, 1, plain(name), "muted", **place)


def _layout(
    figure: Drawing,
    view: BarView,
    panes: Mapping[str, Any],
    *,
    ticks: int,
    guides: Sequence[float] = (),
) -> None:
    """One time axis below, price scales at the right, panes stacked."""
    at, texts = view.axis.ticks(round(view.last - view.first), ticks)
    spike = {"spikemode": "across", "spikethickness": 1, "spikedash": "dot", "spikesnap": "cursor"}
    lowest = {"indicator": "y3", "volume": "y2"}.get(next(iter(panes)), "y")
    time = {
        "range": [view.first, view.last],
        "tickvals": at,
        "ticktext": texts,
        "showgrid": True,
        "labelalias": view.axis.labels(),
        "hoverformat": "d",
        "rangeslider": {"visible": False},
        "showspikes": True,
        "spikecolor": TOKENS["faint"],
        "anchor": lowest,
        **spike,
    }
    figure.update_layout(xaxis=time)
    side: dict[str, Any] = {"side": "right", "anchor": "x", "separatethousands": True}
    price = {"domain": panes["price"], "range": [view.low, view.high], "nticks": 9}
    figure.update_layout(yaxis={**side, **price})
    if "volume" in panes:
        pane = {"domain": panes["volume"], "nticks": 2, "showgrid": False, "tickformat": "~s"}
        figure.update_layout(yaxis2={**side, **pane, "fixedrange": True, "rangemode": "tozero"})
    if "indicator" in panes:
        ticks_at = {"tickvals": list(guides)} if guides else {"nticks": 4}
        figure.update_layout(yaxis3={**side, "domain": panes["indicator"], **ticks_at})
    if view.axis.zone and any(re.match(r"(<b>.*</b> )?\d\d:", text) for text in texts):
        _name_clocks(figure, view.axis.zone[0])


def _name_clocks(figure: Drawing, exchange: str) -> None:
    """Below the price scale: which clock is which line of the ticks."""
    text = f"UTC<br><span style='color:{TOKENS['faint']}'>{plain(exchange)}</span>"
    place = {"xref": "paper", "yref": "paper", "xshift": 4, "yshift": 1, "align": "left"}
    add_label(figure, 1, 0, text, "muted", yanchor="top", **place)


def _draw_last(figure: Drawing, view: BarView) -> None:
    """A dotted line at the last close, and its price on the scale."""
    last = float(view.bars["close"].iloc[-1])
    if not np.isfinite(last):
        return
    line = {"color": TOKENS["text"], "width": 0.8, "dash": "dot"}
    figure.add_shape(
        type="line", x0=0, x1=1, xref="x domain", y0=last, y1=last, yref="y", line=line
    )
    tag = {"bgcolor": TOKENS["text"], "borderpad": 2}
    text = f"<b>{number(last, view.digits)}</b>"
    add_label(figure, 1, last, text, "bg", xref="x domain", **tag)
