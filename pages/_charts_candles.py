"""Candles and volume as a handful of outlines, and one unseen line that carries the hover.

A browser draws each of plotly's candles and bars as an element of its own, which takes a second for
a few days; all the bodies of one colour in one outline take as long as a line.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from pages._charts_base import Drawing, numbers, plain
from pages._charts_marks import BarView
from pages._theme import TOKENS, rgba

__all__ = ["draw_candles", "draw_volume"]

_OHLC: Final = (("O", "open"), ("H", "high"), ("L", "low"), ("C", "close"))
_CANDLE: Final = "M%.9g,%.9gV%.9gM%.9g,%.9gV%.9gM%.9g,%.9gH%.9gV%.9gH%.9gZ"
"""The upper wick, the lower one, and the body."""
_BODY, _BAR = 0.35, 0.375
"""Half the width of a body and of a volume bar, in bars."""


def draw_candles(figure: Drawing, view: BarView, symbol: str) -> None:
    """Hollow bodies where the close is at or above the open, filled ones where it is below."""
    at = view.places.astype(np.float64)
    opens, highs, lows, closes = (numbers(view.bars[name]) for _, name in _OHLC)
    top, bottom = np.maximum(opens, closes), np.minimum(opens, closes)
    left, right = at - _BODY, at + _BODY
    parts = [at, highs, top, at, lows, bottom, left, top, right, bottom, left]
    corners, up = np.column_stack(parts), closes >= opens
    for mine, colour, fill in ((up, "up", "bg"), (~up, "down", "down")):
        path = _CANDLE * int(mine.sum()) % tuple(corners[mine].ravel().tolist())
        line = {"color": TOKENS[colour], "width": 1.1}
        if path:
            figure.add_shape(
                type="path", path=path, fillcolor=TOKENS[fill], line=line, layer="between"
            )
    _draw_hover(figure, view, symbol)


def _draw_hover(figure: Drawing, view: BarView, symbol: str) -> None:
    bars, shown = view.bars, [name for _, name in _OHLC]
    quotes = [
        f"{mark} %{{customdata[{place}]:,.{view.digits}f}}" for place, (mark, _) in enumerate(_OHLC)
    ]
    if view.has_volume:
        shown.append("volume")
        quotes.append("volume %{customdata[4]:,.0f}")
    figure.add_trace(
        type="scatter",
        x=view.places,
        y=numbers(bars["close"]),
        customdata=bars[shown].to_numpy(np.float64),
        mode="lines",
        line={"color": "rgba(0,0,0,0)", "width": 0},
        name=plain(symbol),
        hovertemplate=f"{'  '.join(quotes)}<extra></extra>",
        zorder=2,
    )


def draw_volume(figure: Drawing, view: BarView) -> None:
    """Volume from zero up, in the colour of its candle; missing volume has no bar."""
    volume, at = np.nan_to_num(numbers(view.bars["volume"])), view.places
    up = numbers(view.bars["close"]) >= numbers(view.bars["open"])
    floor, gap = np.zeros(len(at)), np.full(len(at), np.nan)
    x = np.column_stack([at - _BAR, at - _BAR, at + _BAR, at + _BAR, gap])
    y = np.column_stack([floor, volume, volume, floor, gap])
    for mine, colour in ((up, "up"), (~up, "down")):
        figure.add_trace(
            type="scatter",
            x=x[mine].astype(np.float32).ravel(),  # a pixel needs no more
            y=y[mine].astype(np.float32).ravel(),
            mode="none",
            fill="toself",
            fillcolor=rgba(colour, 0.5),
            hoverinfo="skip",
            yaxis="y2",
        )
