"""The look in one place: colour tokens and verdict marks; rules in ``static/openrange.css``.

The style sheet addresses only our own classes (``or-…``), the container keys below and Streamlit's
``data-testid`` marks, since its generated class names change with every release.

==============  ====================================================================
container key   what it makes
==============  ====================================================================
``row_<id>``    a card whose whole surface is a button; ``rowon_<id>``: the chosen one
``open_<id>``   that button where there is room for the side panel
``opens_<id>``  that button on phones, where it opens a dialog
``pn_<name>``   a bordered container on the panel's surface; ``pn_detail`` (side panel)
                is hidden on phones, the column of ``pn_run`` comes first there
``viewport``    the probe that tells phone from desktop; takes no room
==============  ====================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

__all__ = ["FONT", "MARKS", "TOKENS", "Mark", "rgba", "style_sheet"]

TOKENS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "bg": "#0E1217",
        "surface": "#151B23",
        "raised": "#1B232D",
        "line": "#28323E",
        "grid": "#1D252F",
        "text": "#E6EBF0",
        "muted": "#A3B0BE",
        "faint": "#8290A2",
        "up": "#45B8D6",
        "down": "#F2914A",
        "brand": "#8FA6FF",
        "edge": "#6FD36B",
        "none": "#A3B0BE",
        "unsure": "#E8C468",
        "worse": "#E85D9E",
        "sim": "#C79BFF",
        "stale": "#FFB84D",
    }
)
"""Name → colour. Each has one meaning: direction, verdict, state or surface, never two of them."""

_RULES: Final = Path(__file__).parent.parent / "static" / "openrange.css"

FONT: Final = '"Source Sans", "Source Sans Pro", sans-serif'


class Mark(NamedTuple):
    """How a verdict is drawn: shape first, colour second, so that colour never speaks alone."""

    symbol: str
    words: str
    brief: str
    token: str
    chip: str


MARKS: Final[Mapping[str, Mark]] = MappingProxyType(
    {
        "edge": Mark("▲", "Evidence of an edge", "edge", "edge", "green"),
        "none": Mark("■", "No evidence of an edge", "no evidence", "none", "gray"),
        "unsure": Mark("◆", "Inconclusive", "inconclusive", "unsure", "yellow"),
        "worse": Mark("▼", "Worse than the baseline", "worse", "worse", "red"),
        "few": Mark("…", "Too few outcomes", "too few", "faint", "gray"),
        "live": Mark("●", "No verdict yet", "running", "brand", "primary"),
    }
)
"""Kind of verdict → mark, generic words, one-word form, token and chip colour."""


def rgba(token: str, alpha: float) -> str:
    """A token's colour with an opacity between 0 and 1, in CSS notation."""
    code = TOKENS[token]
    red, green, blue = (int(code[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha:g})"


@cache
def style_sheet() -> str:
    """The ``<style>`` element that every page mounts once; it takes no room."""
    variables = ";".join(f"--{name}:{code}" for name, code in TOKENS.items())
    kinds = "".join(f".or-k-{kind}{{--c:var(--{mark.token})}}" for kind, mark in MARKS.items())
    rules = _RULES.read_text(encoding="utf-8")
    return f"<style>:root{{{variables}}}{kinds}{rules}</style>"
