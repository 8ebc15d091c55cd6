"""Marks over candles: session bands, opening ranges, breaks and patterns.

Each kind is one trace or two, however many marks there are, so that a long history stays light.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from pages._charts_base import Drawing, add_boxes, add_label, numbers, plain
from pages._charts_time import TimeAxis, nanoseconds
from pages._format import range_title, signed
from pages._theme import TOKENS, rgba

__all__ = [
    "BarView",
    "draw_breaks",
    "draw_patterns",
    "draw_ranges",
    "draw_sessions",
    "hidden_layers",
    "ranges_in",
]

_NAMED_RANGES: Final = 6
_LANE, _LETTER = 13.0, 6.2
"""Height of a lane of session names, and width of a letter, in pixels."""
_NAME_WIDE, _NAME_TALL = 0.13, 0.05
"""Room of a range's name, as shares of the view."""
_SHADES: Final = ((0.025, 0.15), (0.05, 0.26), (0.075, 0.37))
"""Opacity of a session's band and of its strip, by the order of the sessions; colours mean other
things."""


@dataclass(frozen=True)
class BarView:
    """What the builder's steps share: the axis, prices, what is in sight and the price scale."""

    axis: TimeAxis
    bars: pd.DataFrame
    first: float
    last: float
    low: float
    high: float
    digits: int

    @property
    def has_volume(self) -> bool:
        """Whether any bar has one."""
        return bool((numbers(self.bars["volume"]) > 0).any())

    @property
    def places(self) -> np.ndarray:
        """Where the bars stand: 0, 1, 2 and so on."""
        return np.arange(len(self.axis), dtype=np.int32)


def ranges_in(
    axis: TimeAxis, ranges: pd.DataFrame | None, first: float = -0.5
) -> pd.DataFrame | None:
    """The valid ranges at least a bar long whose window reaches into the bars from a position."""
    if ranges is None or ranges.empty:
        return None
    high, low = numbers(ranges["high"]), numbers(ranges["low"])
    opens = axis.edge(ranges["open_at"])
    length = nanoseconds(ranges["available_at"]) - nanoseconds(ranges["open_at"])
    keep = ranges["valid"].to_numpy(bool) & np.isfinite(high) & np.isfinite(low)
    keep &= length >= axis.width
    keep &= (axis.edge(ranges["due_at"]) > max(first, -0.5)) & (opens < len(axis) - 0.5)
    near: pd.DataFrame = ranges.loc[keep]
    return near


def _is_wide(axis: TimeAxis, starts: Any, ends: Any, visible: float) -> bool:
    """Whether sessions are bands and not stripes: four bars and a fiftieth of the view at least."""
    lengths = nanoseconds(ends) - nanoseconds(starts)
    return bool(len(lengths)) and bool(np.median(lengths) >= max(4.0, visible / 50) * axis.width)


def hidden_layers(
    bars: pd.DataFrame,
    *,
    ranges: pd.DataFrame | None = None,
    sessions: pd.DataFrame | None = None,
    visible: int = 188,
) -> str:
    """What the chart cannot draw at this width of candle, in words; empty if it draws all."""
    axis = TimeAxis(nanoseconds(bars["time"]))
    missing = []
    if sessions is not None and len(sessions):
        seen = min(visible, len(bars))
        missing += ["sessions"] * (not _is_wide(axis, sessions["start"], sessions["end"], seen))
    if ranges is not None and len(ranges):
        length = nanoseconds(ranges["available_at"]) - nanoseconds(ranges["open_at"])
        missing += ["opening ranges"] * bool((length < axis.width).all())
    if not missing:
        return ""
    return f"Not drawn: {' and '.join(missing)}, too narrow beside candles this wide."


def draw_sessions(
    figure: Drawing, view: BarView, sessions: pd.DataFrame | None, *, wide: float, tall: float
) -> None:
    """Bands over the height of the price pane, with names in strips on top, one lane each.

    `wide` and `tall` are about how many pixels the price pane has: a strip is as high as a name,
    and a name that is longer than its band is left out.
    """
    if sessions is None or sessions.empty:
        return
    left = np.maximum(view.axis.edge(sessions["start"]), -0.5)
    right = np.minimum(view.axis.edge(sessions["end"]), view.last)
    keep = (right > left) & (left < len(view.axis) - 0.5)
    if not _is_wide(view.axis, sessions["start"], sessions["end"], view.last - view.first):
        return
    left, right = left[keep], right[keep]
    names = sessions["session"].astype(str).to_numpy()[keep]
    order = {name: place for place, name in enumerate(dict.fromkeys(names))}
    lane, step = _lanes(left, right), _LANE / tall
    for name, place in order.items():
        mine = names == name
        start, end = left[mine], right[mine]
        band, top_strip = _SHADES[place % 3]
        floor, top = np.zeros(len(start)), 1 - step * lane[mine]
        place = {"yref": "y domain"}
        add_boxes(figure, start, end, floor, floor + 1, fill=rgba("muted", band), **place)
        fill = rgba("muted", top_strip)
        add_boxes(figure, start, end, top - 0.9 * step, top, fill=fill, **place)
    for index in np.flatnonzero(right > view.first)[-12:]:
        at = max(left[index], view.first)
        name = range_title(names[index])
        room = (min(right[index], view.last) - at) / (view.last - view.first) * wide
        if room < _LETTER * (len(name) + 1):
            continue
        top = 1 - step * (lane[index] + 0.45)
        add_label(figure, at, top, f" {plain(name)}", "text", yref="y domain")


def _lanes(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Lane of each band: the first in which its predecessor has ended, so that names stay apart."""
    ends: list[float] = []
    lanes = np.zeros(len(left))
    for index in np.argsort(left, kind="stable"):
        lane = next((i for i, end in enumerate(ends) if end <= left[index] + 1e-9), len(ends))
        ends[lane : lane + 1] = [float(right[index])]
        lanes[index] = lane
    return lanes


def draw_ranges(
    figure: Drawing, view: BarView, ranges: pd.DataFrame | None, *, beside: bool = False
) -> None:
    """Boxes from open to the range's end, their levels and shade until the window ends.

    Names stand at the end of the window, or left of the box (`beside`) where a chart is small.
    """
    near = ranges_in(view.axis, ranges)
    if near is None or near.empty:
        return
    low, high = numbers(near["low"]), numbers(near["high"])
    opens = np.maximum(view.axis.edge(near["open_at"]), -0.5)
    ends = view.axis.edge(near["available_at"])
    known = np.where(ends > opens, np.maximum(ends, np.minimum(opens + 1, view.last)), opens)
    due = np.clip(view.axis.edge(near["due_at"]), known, view.last)
    add_boxes(figure, known, due, low, high, fill=rgba("brand", 0.055))
    boxes = [values[known > opens] for values in (opens, known, low, high)]  # begun in these bars
    add_boxes(figure, *boxes, fill=rgba("brand", 0.27), edge=TOKENS["brand"])
    gap = np.full_like(known, np.nan)
    levels = np.column_stack([known, due, gap, known, due, gap]).ravel()
    prices = np.column_stack([high, high, gap, low, low, gap]).ravel()
    line = {"color": TOKENS["brand"], "width": 1, "dash": "dot"}
    figure.add_trace(type="scatter", x=levels, y=prices, mode="lines", line=line, hoverinfo="skip")
    place = {"xanchor": "right", "bgcolor": rgba("bg", 0.7), "borderpad": 1}
    beside = beside and len(near) == 1
    named: list[tuple[float, float]] = []
    for index in np.flatnonzero(due > view.first + _NAME_WIDE * (view.last - view.first))[::-1]:
        text = plain(range_title(near["range"].iloc[index]))
        if beside and opens[index] > view.first + 0.3 * (view.last - view.first):
            middle = (low[index] + high[index]) / 2
            add_label(figure, opens[index], middle, f"{text} ", "brand", **place)
            continue
        levels = ((high[index], "bottom", 0.5), (low[index], "top", -0.5))
        tall = _NAME_TALL * (view.high - view.low)
        for level, anchor, shift in levels if len(named) < _NAMED_RANGES else ():
            spot = (float(due[index]), float(level + shift * tall))
            if _is_free(spot, named, view):
                named.append(spot)
                add_label(figure, due[index], level, text, "brand", yanchor=anchor, **place)
                break


def _is_free(spot: tuple[float, float], taken: list[tuple[float, float]], view: BarView) -> bool:
    """Whether a name that ends here, at this height, covers none of the others."""
    wide, tall = _NAME_WIDE * (view.last - view.first), _NAME_TALL * (view.high - view.low)
    return all(abs(spot[0] - x) > wide or abs(spot[1] - y) > tall for x, y in taken)


_BREAKS: Final = (
    ("UP", "triangle-up", "up", "high"),
    ("DOWN", "triangle-down", "down", "low"),
    ("AMBIGUOUS", "diamond", "muted", "high"),
)


def draw_breaks(figure: Drawing, view: BarView, ranges: pd.DataFrame | None) -> None:
    near = ranges_in(view.axis, ranges)
    if near is None or near.empty:
        return
    bar = view.axis.bar(near["break_at"])
    for side, symbol, colour, level in _BREAKS:
        mine = near[(near["side"].to_numpy() == side) & (bar >= 0)]
        if mine.empty:
            continue
        names = [plain(range_title(name)) for name in mine["range"]]
        pairs = zip(names, numbers(mine["r_net"]), strict=True)
        texts = [f"{n}: break {side}, net R {signed(r, 2)}" for n, r in pairs]
        edge = {"color": TOKENS["bg"], "width": 1}
        figure.add_trace(
            type="scatter",
            x=view.axis.bar(mine["break_at"]),
            y=numbers(mine[level]),
            mode="markers",
            marker={"symbol": symbol, "size": 11, "color": TOKENS[colour], "line": edge},
            hovertext=texts,
            hovertemplate="%{hovertext}<extra></extra>",
            zorder=4,
        )


def draw_patterns(figure: Drawing, view: BarView, patterns: pd.DataFrame | None) -> None:
    """A lettered square above or below the bar that completes a pattern."""
    if patterns is None or patterns.empty:
        return
    bar = view.axis.bar(patterns["time"])
    side = numbers(patterns["side"])
    names = patterns["name"].astype(str).to_numpy()
    room = 0.03 * (view.high - view.low)
    for sign, colour in ((1, "up"), (0, "muted"), (-1, "down")):
        mine = (np.sign(side) == sign) & (bar >= 0)
        if not mine.any():
            continue
        at = bar[mine]
        below = numbers(view.bars["low"])[at] - room
        above = numbers(view.bars["high"])[at] + room
        figure.add_trace(
            type="scatter",
            x=at,
            y=below if sign > 0 else above,
            mode="markers+text",
            text=[plain(name[:1].upper()) for name in names[mine]],
            textfont={"size": 9, "color": TOKENS["bg"]},
            marker={"symbol": "square", "size": 13, "color": TOKENS[colour]},
            hovertext=[plain(name) for name in names[mine]],
            hovertemplate="%{hovertext}<extra></extra>",
            zorder=4,
        )
