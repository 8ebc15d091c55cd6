"""What every page shares: the cached hub, the head, pickers bound to the URL, the error boundary.

This file knows Streamlit and the hub; it draws with the pure parts beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from mlcore.errors import OpenrangeError
from mlcore.hub import Freshness, Hub
from pages import _parts
from pages._format import Html
from pages._theme import style_sheet

__all__ = [
    "boundary",
    "csv_button",
    "dress",
    "freshness_badge",
    "head",
    "hub",
    "is_phone",
    "keep_watch",
    "mount_viewport",
    "pick_bars",
    "show",
]


@st.cache_resource(show_spinner=False)
def _hub(home: str | None) -> Hub:
    return Hub.open(home)


def hub() -> Hub:
    """The hub of this home, one for all sessions of the server."""
    return _hub(os.environ.get("OPENRANGE_HOME"))


def show(html: Html) -> None:
    """Put a part on the page."""
    st.html(str(html))


def dress() -> None:
    """Put the style sheet on the page; it takes no room."""
    st.html(style_sheet())


@st.fragment(run_every=20)
def keep_watch() -> None:
    """Tell the hub that somebody looks, so that it keeps pulling, logging and settling."""
    try:
        hub().beat()
    except OpenrangeError:
        return


def _shown(error: Exception) -> tuple[str, str, str]:
    """Title, text and code of an error, without paths of this machine."""
    if not isinstance(error, OpenrangeError):
        text = "The page could not be drawn. Nothing was changed. Reload it, or look at another."
        return "Something unexpected happened", text, type(error).__name__
    rule, _, rest = error.message.partition(" – ")
    return rule, rest or rule, error.code


@contextmanager
def boundary(home: Path | None = None) -> Iterator[None]:
    """Turn an error inside into what happened, what holds, and what to do next."""
    try:
        yield
    except OpenrangeError as error:
        title, text, code = _shown(error)
        root = str(hub().settings.home if home is None else home)
        show(_parts.error_box(title, text.replace(root, "…"), code))
    except Exception as error:
        if type(error).__module__.startswith("streamlit"):
            raise
        import traceback

        traceback.print_exc()
        show(_parts.error_box(*_shown(error)))


_viewport = None


def _viewport_component() -> Callable[..., Any]:
    global _viewport
    if _viewport is None:
        _viewport = st.components.v2.component(
            "openrange_viewport",
            html="<span></span>",
            js="""
export default function ({ setStateValue }) {
  const narrow = window.matchMedia("(max-width: 640px)");
  const tell = () => setStateValue("kind", narrow.matches ? "phone" : "desktop");
  tell();
  narrow.addEventListener("change", tell);
  return () => narrow.removeEventListener("change", tell);
}
""",
        )
    return _viewport


def mount_viewport() -> None:
    """Ask the browser for its width; mounted last, so that it takes no room."""
    with st.container(key="viewport", height=1, border=False):
        _viewport_component()(key="viewport_kind", on_kind_change=lambda: None)


def is_phone() -> bool:
    """Whether the browser said it is narrow; desktop until it has answered."""
    said = st.session_state.get("viewport_kind")
    return bool(said) and said.get("kind") == "phone"


def freshness_badge(fresh: Freshness) -> Html:
    """The badge of a symbol's freshness."""
    if fresh.state == "fresh":
        return _parts.fresh_badge(fresh.text)
    if fresh.state == "stale":
        return _parts.stale_badge(fresh.text.removeprefix("stale · "))
    return _parts.badge("ok", fresh.text)


def head(
    title: str,
    *,
    simulated: bool = False,
    phase: int | None = None,
    fresh: Freshness | None = None,
    zone: str | None = None,
) -> None:
    """Title, badges and both clocks."""
    badges = []
    if phase is not None:
        badges.append(_parts.phase_badge(phase))
    if simulated:
        badges.append(_parts.simulated_badge())
    if fresh is not None:
        badges.append(freshness_badge(fresh))
    now = hub().now().to_pydatetime()
    zones = [(zone.split("/")[-1].replace("_", " "), zone)] if zone and zone != "UTC" else []
    show(_parts.page_head(title, badges, clock=_parts.clock_line(now, zones)))


def pick_bars(listed: pd.DataFrame, *, key: str = "") -> tuple[str, str]:
    """A symbol and one of its timeframes, both kept in the URL."""
    symbols: Sequence[str] = list(dict.fromkeys(listed["symbol"]))
    asked = st.query_params.get("symbol")
    start = symbols.index(asked) if asked in symbols else 0
    symbol = st.selectbox(
        "Symbol", symbols, index=start, key=f"symbol{key}", label_visibility="collapsed", width=180
    )
    frames = list(listed[listed["symbol"] == symbol]["timeframe"])
    wanted = st.query_params.get("timeframe")
    timeframe = st.segmented_control(
        "Timeframe", frames, default=wanted if wanted in frames else frames[0],
        key=f"timeframe{key}_{symbol}", label_visibility="collapsed", required=True,
    )  # fmt: skip
    st.query_params.update(symbol=symbol, timeframe=str(timeframe))
    return symbol, str(timeframe)


def _neutral(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value


def csv_button(frame: pd.DataFrame, name: str, *, key: str | None = None) -> None:
    """A button that downloads a table as CSV, formula cells neutralised."""
    st.download_button(
        "CSV",
        lambda: frame.map(_neutral).to_csv(index=False).encode(),
        f"{name}.csv",
        "text/csv",
        icon=":material/download:",
        type="tertiary",
        on_click="ignore",
        key=key or f"csv_{name}",
        disabled=frame.empty,
    )
