"""What all charts share: the plotly template `openrange`, axes, labels and configurations.

Figures are pure: frames or arrays in, a figure out. They are drawn with ``theme=None``, so that the
template alone decides their look. Texts that come from data go through `plain`, since plotly reads
markup in labels.
"""

from __future__ import annotations

import math
from html import escape
from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import plotly.io as pio

from pages._evidence import Measure
from pages._format import signed
from pages._theme import FONT, TOKENS, rgba

__all__ = [
    "INTERACTIVE",
    "STATIC",
    "Drawing",
    "add_band",
    "add_boxes",
    "add_label",
    "add_level",
    "add_line",
    "decimals",
    "difference_ticks",
    "empty_figure",
    "new_figure",
    "numbers",
    "plain",
    "round_ticks",
    "span",
    "thin_rows",
    "whiskers_of",
]

INTERACTIVE: Final = {
    "displayModeBar": False,
    "scrollZoom": True,
    "doubleClick": "reset",
    "responsive": True,
}
"""For the Market chart: the wheel zooms, dragging pans, a double click returns."""

STATIC: Final = {"staticPlot": True, "responsive": True}
"""For every other chart: it neither moves nor swallows the page's scrolling."""

COLORWAY: Final = ("brand", "up", "down", "edge", "sim", "unsure", "worse", "muted")


def _axis() -> dict[str, Any]:
    small = {"size": 11, "color": TOKENS["muted"]}
    return {
        "gridcolor": TOKENS["grid"],
        "linecolor": TOKENS["line"],
        "tickfont": small,
        "title": {"font": small, "standoff": 4},
        "automargin": False,
        "ticks": "",
        "showline": False,
        "zeroline": False,
    }


def _template() -> go.layout.Template:
    words = {"family": FONT, "size": 12, "color": TOKENS["text"]}
    box = {"bgcolor": TOKENS["raised"], "bordercolor": TOKENS["line"], "font": words}
    return go.layout.Template(
        layout={
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": words,
            "colorway": [TOKENS[name] for name in COLORWAY],
            "xaxis": {**_axis(), "tickangle": 0},
            "yaxis": _axis(),
            "margin": {"l": 52, "r": 12, "t": 10, "b": 34},
            "hovermode": "x unified",
            "dragmode": "pan",
            "separators": ".,",
            "showlegend": False,
            "hoverlabel": {**box, "align": "left"},
        }
    )


pio.templates["openrange"] = _template()


def plain(text: object) -> str:
    """Text from data, made safe for plotly, which would read its markup and its links."""
    return escape(str(text), quote=False)


def new_figure(height: int, **layout: Any) -> go.Figure:
    """A figure of this height in the hub's template."""
    figure = go.Figure()
    figure.update_layout(template="openrange", height=height, **layout)
    return figure


class Drawing:
    """A figure in the making: plain parts, checked by plotly once, when it is finished.

    A plotly figure checks all of its parts again with each one added: 93 ms against 7 ms for
    the candles of a day with their marks.
    """

    def __init__(self, height: int, **layout: Any) -> None:
        self._layout: dict[str, Any] = {"template": "openrange", "height": height, **layout}
        self._parts: dict[str, list[dict[str, Any]]] = {"data": [], "annotations": [], "shapes": []}

    def add_trace(self, **trace: Any) -> None:
        """A trace, its `type` among the words."""
        self._parts["data"].append(trace)

    def add_annotation(self, **label: Any) -> None:
        """A text."""
        self._parts["annotations"].append(label)

    def add_shape(self, **shape: Any) -> None:
        """A line or a box."""
        self._parts["shapes"].append(shape)

    def update_layout(self, **layout: Any) -> None:
        """Parts of the layout, each of them whole."""
        self._layout |= layout

    def figure(self) -> go.Figure:
        """The finished figure."""
        marks = {name: self._parts[name] for name in ("annotations", "shapes")}
        return go.Figure({"data": self._parts["data"], "layout": self._layout | marks})


def empty_figure(text: str, height: int) -> go.Figure:
    """A chart without data: what is missing, in words, in the room the chart will take."""
    figure = new_figure(height, hovermode=False)
    figure.update_xaxes(visible=False, range=[0, 1])
    figure.update_yaxes(visible=False, range=[0, 1])
    place = {"x": 0.5, "y": 0.5, "xref": "paper", "yref": "paper"}
    font = {"size": 12, "color": TOKENS["faint"]}
    figure.add_annotation(text=plain(text), showarrow=False, font=font, **place)
    return figure


def numbers(values: Any) -> np.ndarray:
    """Any column as float64, missing values as NaN."""
    return np.asarray(values, dtype=np.float64).ravel()


def add_label(
    figure: go.Figure | Drawing, x: Any, y: Any, text: str, colour: str = "muted", **place: Any
) -> None:
    """A direct label beside a line or mark; the hub's charts have no legends."""
    figure.add_annotation(
        x=x,
        y=y,
        text=text,
        showarrow=False,
        xanchor=place.pop("xanchor", "left"),
        yanchor=place.pop("yanchor", "middle"),
        font={"size": 11, "color": TOKENS[colour]},
        **place,
    )


def add_boxes(
    figure: Drawing, left: Any, right: Any, low: Any, high: Any, *, fill: str,
    edge: str | None = None, yref: str = "y",
) -> None:  # fmt: skip
    """Many boxes as one outline behind the traces: one element in the browser, not one a box.

    On a `domain` they lie behind the grid too, since plotly draws none between it and the traces.
    """
    corners = np.column_stack([left, low, right, high, left]).astype(np.float64)
    if not len(corners):
        return
    path = "M%.9g,%.9gH%.9gV%.9gH%.9gZ" * len(corners) % tuple(corners.ravel().tolist())
    line = {"color": edge or "rgba(0,0,0,0)", "width": 1 if edge else 0}
    layer = "below" if yref.endswith("domain") else "between"
    figure.add_shape(type="path", path=path, fillcolor=fill, line=line, layer=layer, yref=yref)


def add_level(
    figure: go.Figure, at: float, *, colour: str = "text", dash: str = "solid", axis: str = "y"
) -> None:
    """A straight line across the plot at a value of one axis: a baseline, a gate, a moment."""
    line = {"color": TOKENS[colour], "width": 1.3 if dash == "solid" else 1, "dash": dash}
    draw = figure.add_hline if axis == "y" else figure.add_vline
    draw(at, line=line)


def add_line(
    figure: go.Figure, x: Any, y: Any, *, colour: str, name: str, width: float = 2, **more: Any
) -> None:
    """A line without point markers, which plotly would otherwise grow below 20 points."""
    line = {"color": TOKENS[colour], "width": width, **more.pop("line", {})}
    figure.add_trace(go.Scatter(x=x, y=y, mode="lines", line=line, name=plain(name), **more))


def add_band(
    figure: go.Figure, x: Any, low: Any, high: Any, *, colour: str, alpha: float, edge: bool = False
) -> None:
    """The area between two lines; rows where a bound is missing are left out."""
    at, bottom, top = numbers(x), numbers(low), numbers(high)
    keep = np.isfinite(bottom) & np.isfinite(top)
    line = {"color": TOKENS[colour], "width": 1 if edge else 0, "dash": "dot"}
    figure.add_trace(
        go.Scatter(
            x=np.r_[at[keep], at[keep][::-1]],
            y=np.r_[top[keep], bottom[keep][::-1]],
            fill="toself",
            fillcolor=rgba(colour, alpha),
            mode="lines",
            line=line,
            hoverinfo="skip",
        )
    )


def thin_rows(count: int, most: int, *, log: bool = False) -> np.ndarray:
    """Indices of at most `most` rows, first and last included, even on a plain or log axis."""
    if count <= most:
        return np.arange(count)
    at = np.geomspace(1, count, most) - 1 if log else np.linspace(0, count - 1, most)
    return np.unique(np.round(at).astype(np.int64))


def round_ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Multiples of 1, 2, 4 or 5 times a power of ten inside a span, roughly `about` of them."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low:
        return [low] if math.isfinite(low) else []
    rough = (high - low) / max(1, about)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(s for s in (1, 2, 4, 5, 10) if s * power >= rough * (1 - 1e-9)) * power
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [index * step for index in range(first, last + 1)]


def difference_ticks(
    low: float,
    high: float,
    measure: Measure,
    *,
    worth: float | None = None,
    zero: str = "baseline",
) -> tuple[list[float], list[str]]:
    """Ticks of a difference axis: zero reads **baseline**, the outermost one carries the unit."""
    at = round_ticks(low * measure.factor, high * measure.factor, 7)
    digits = max([decimals(tick) for tick in at], default=0)
    texts = [f"<b>{zero}</b>" if abs(t) < 1e-12 else signed(t, digits) for t in at]
    if at and abs(at[0]) > 1e-12:
        texts[0] = f"{texts[0]} {measure.unit}"
    values = [tick / measure.factor for tick in at]
    if worth is not None and low < worth < high:
        keep = [i for i, v in enumerate(values) if abs(v - worth) > 0.06 * (high - low) or not v]
        values, texts = [values[i] for i in keep], [texts[i] for i in keep]
        if abs(worth) > 0.06 * (high - low):
            values, texts = [*values, worth], [*texts, "worth having"]
    return values, texts


def decimals(value: float) -> int:
    return next((d for d in range(6) if abs(round(value, d) - value) < 1e-9), 6)


def span(*columns: Any, room: float = 0.08) -> tuple[float, float]:
    """Lowest and highest finite value of some columns, with room around them."""
    values = np.concatenate([numbers(column) for column in columns])
    values = values[np.isfinite(values)]
    if not len(values):
        return -1.0, 1.0
    low, high = float(values.min()), float(values.max())
    extra = room * ((high - low) or abs(high) or 1.0)
    return low - extra, high + extra


def whiskers_of(
    frame: pd.DataFrame, middle: str, colour: str, width: float = 1.6
) -> dict[str, Any]:
    """Error bars from columns low and high around another column."""
    at = numbers(frame[middle])
    return {
        "type": "data",
        "symmetric": False,
        "array": numbers(frame["high"]) - at,
        "arrayminus": at - numbers(frame["low"]),
        "color": colour,
        "thickness": width,
        "width": 0,
    }
