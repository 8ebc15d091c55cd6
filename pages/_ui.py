"""What every page shares: the cached hub, the head, pickers bound to the URL, the error boundary.

This file knows Streamlit and the hub; it draws with the pure parts beside it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pandas as pd
import streamlit as st

from mlcore.errors import OpenrangeError
from mlcore.hub import Freshness, Hub
from pages import _parts
from pages._format import Html
from pages._theme import style_sheet

__all__ = [
    "at_utc",
    "bars_or_stop",
    "boundary",
    "choose",
    "csv_button",
    "demo_button",
    "dress",
    "enters",
    "freshness_badge",
    "head",
    "hub",
    "is_phone",
    "keep_watch",
    "live_head",
    "look_after",
    "mount_viewport",
    "offer_newer",
    "pick_bars",
    "show",
    "show_error",
    "stale_note",
    "table_panel",
    "zone_of",
]

POLL: Final = 20
"""Seconds between two looks at how fresh the bars are."""


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


def at_utc(instant: int) -> pd.Timestamp:
    """An instant of a noun (int64 ns) as a UTC Timestamp."""
    return pd.Timestamp(int(instant), unit="ns", tz="UTC")


# --- errors and states


def _shown(error: Exception) -> tuple[str, str, str]:
    """Title, text and code of an error, without paths of this machine."""
    if not isinstance(error, OpenrangeError):
        text = "The page could not be drawn. Nothing was changed. Reload it, or look at another."
        return "Something unexpected happened", text, type(error).__name__
    rule, _, rest = error.message.partition(" – ")
    return rule, rest or rule, error.code


def show_error(error: Exception, home: Path | None = None) -> None:
    """An error box: what happened, what holds, what to do next, the code in small type."""
    title, text, code = _shown(error)
    root = str(hub().settings.home if home is None else home)
    show(_parts.error_box(*(part.replace(root, "…") for part in (title, text)), code))


@contextmanager
def boundary(home: Path | None = None) -> Iterator[None]:
    """Turn an error inside into what happened, what holds, and what to do next."""
    try:
        yield
    except OpenrangeError as error:
        show_error(error, home)
    except Exception as error:
        if type(error).__module__.startswith("streamlit"):
            raise
        import traceback

        traceback.print_exc()
        show(_parts.error_box(*_shown(error)))


def bars_or_stop(title: str, what: str) -> pd.DataFrame:
    """Symbols that have bars; without any the page (headed by `title`) ends with one way on."""
    listed = hub().symbols()
    if not listed.empty:
        return listed
    text = (
        f"{what} The demo brings two simulated markets and two real daily series; it takes about "
        "ten seconds, and models are trained meanwhile."
    )
    head(title)
    show(_parts.empty_state("No bars yet", text))
    with st.container(horizontal=True, horizontal_alignment="center", gap="small", key="ways_on"):
        demo_button()
        if st.button("Import bars", icon=":material/upload:", type="tertiary", key="to_data"):
            st.switch_page("pages/data.py")
    st.stop()


def demo_button() -> None:
    """One button that makes the demo markets, and says how far it is."""
    if not st.button("Make demo data", type="primary", icon=":material/bolt:", key="demo"):
        return
    with st.status("Simulating two markets, reading two daily series …", expanded=False) as said:
        made = hub().demo(in_background=True)
        rows = sum(made.get("bars", {}).values())
        said.update(label=f"{_parts.thousands(rows)} bars added", state="complete")
    st.toast(f"{_parts.thousands(rows)} bars added. Models are being trained in the background.")
    st.rerun()


# --- keeping up to date


@st.fragment(run_every=POLL)
def keep_watch() -> None:
    """Tell the hub that somebody looks, so that it keeps pulling, logging and settling."""
    with boundary():
        hub().beat()


@st.cache_data(ttl=POLL, show_spinner=False, max_entries=4)
def _looked_after(home: str, bars: int) -> list[dict[str, Any]]:
    ticked = hub().tick()
    hub().settle()
    return list(ticked.get("problems", []))


def look_after() -> list[dict[str, Any]]:
    """Where no watch is configured, log what is open and settle what is due; what failed."""
    if hub().settings.watch:
        return []
    return _looked_after(str(hub().settings.home), int(hub().symbols()["rows"].sum()))


def _run_through_app() -> None:
    """Run a page inside app.py even where a deep link is all that a fresh server was asked for.

    Until `st.navigation` was called once, Streamlit runs each file of a folder called pages alone.
    """
    from streamlit.runtime.pages_manager import PagesManager

    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def enters(page: str) -> bool:
    """Whether this run is the first one since another page was shown."""
    _run_through_app()
    came = st.session_state.get("page_shown") != page
    st.session_state["page_shown"] = page
    return came


@st.fragment(run_every=POLL)
def offer_newer(symbol: str, timeframe: str, shown: int) -> None:
    """Offer a bar that came in after the one shown; nothing is redrawn unasked."""
    fresh = hub().freshness(symbol, timeframe)
    if fresh.last_time <= shown:
        return
    at = f"{at_utc(fresh.last_time):{'%d %b' if timeframe == '1d' else '%H:%M'}}"
    if st.button(f"bar {at} is in: show", icon=":material/refresh:", key="show_newer"):
        st.session_state["show_newest"] = True
        st.rerun()


def freshness_badge(fresh: Freshness) -> Html:
    """The badge of a symbol's freshness."""
    if fresh.state == "fresh":
        return _parts.fresh_badge(fresh.text.removeprefix("fresh · "))
    if fresh.state == "stale":
        return _parts.stale_badge(fresh.text.removeprefix("stale · "))
    return _parts.badge("plain", fresh.text)


def stale_note(fresh: Freshness) -> Html | None:
    """A notice over figures that are older than they should be; None where they are not."""
    newest = f"{at_utc(fresh.last_available_at):%d %b %Y %H:%M} UTC"
    if fresh.state == "file":
        text = (
            "These bars come from a file that does not grow, so no decision is open. The last "
            "session is shown; import newer bars to go on."
        )
        return _parts.stale_notice(f"Data end {newest}", text)
    if fresh.state != "stale":
        return None
    again = f"The watch tries again every {hub().settings.watch_seconds:g} s."
    off = "No watch is configured here: import newer bars, or switch the watch on."
    text = f"What follows was made with bars up to {newest} and stays as it is until then. "
    seconds = (hub().now() - at_utc(fresh.last_available_at)).total_seconds()
    title = f"Bars are {_parts.duration(seconds)} old"
    return _parts.stale_notice(title, text + (again if hub().settings.watch else off))


# --- head


def zone_of(symbol: str) -> tuple[str, str] | None:
    """The market's clock beside UTC: the name of its city and its zone; New York for UTC ones."""
    zone = hub().market(symbol).zone
    zone = "America/New_York" if zone == "UTC" else zone
    return zone.split("/")[-1].replace("_", " "), zone


def head(
    title: str,
    *,
    simulated: bool = False,
    phase: int | None = None,
    fresh: Freshness | None = None,
    zone: str | None = None,
    badges: Sequence[Html] = (),
) -> None:
    """Title, badges and both clocks."""
    marks = [] if phase is None else [_parts.phase_badge(phase)]
    marks += [_parts.simulated_badge()] * simulated
    marks += [] if fresh is None else [freshness_badge(fresh)]
    now = hub().now().to_pydatetime()
    zones = [(zone.split("/")[-1].replace("_", " "), zone)] if zone and zone != "UTC" else []
    clock = _parts.clock_line(now, zones)
    show(_parts.page_head(title, [*marks, *badges], clock=clock))


@st.fragment(run_every=POLL)
def live_head(
    title: str, symbol: str, timeframe: str, *, phase: int | None = None, files: bool = True
) -> None:
    """The head of a page about one symbol, kept up to date; a notice where its bars are old."""
    fresh, market = hub().freshness(symbol, timeframe), hub().market(symbol)
    zone = zone_of(symbol)
    head(title, simulated=market.simulated, phase=phase, fresh=fresh, zone=zone and zone[1])
    said = stale_note(fresh) if files or fresh.state == "stale" else None
    if said is not None:
        show(said)


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


# --- pickers and downloads


def choose(
    label: str, options: Sequence[str], name: str, *, default: str | None = None, per: str = "",
    words: Callable[[str], str] = str,
) -> str:  # fmt: skip
    """One of a few options as a segmented control, kept in the URL as `name`."""
    asked, usual = st.query_params.get(name), options[0] if default is None else default
    start = asked if asked in options else usual
    chosen = st.segmented_control(
        label, options, default=start, key=f"{name}{per}", label_visibility="collapsed",
        required=True, format_func=words,
    )  # fmt: skip
    if chosen == usual:
        st.query_params.pop(name, None)
    else:
        st.query_params[name] = str(chosen)
    return str(chosen)


def pick_bars(listed: pd.DataFrame, *, key: str = "", label: str = "Symbol") -> tuple[str, str]:
    """A symbol and one of its timeframes, both kept in the URL; at first one with new bars."""
    symbols: Sequence[str] = list(dict.fromkeys(listed["symbol"]))
    asked = st.query_params.get("symbol")
    newest = listed["symbol"][listed["last"].idxmax()]
    start = symbols.index(asked if asked in symbols else newest)
    symbol = st.selectbox(
        label, symbols, index=start, key=f"symbol{key}", label_visibility="collapsed", width=180
    )
    frames = list(listed[listed["symbol"] == symbol]["timeframe"])
    timeframe = choose("Timeframe", frames, "timeframe", per=f"{key}_{symbol}")
    st.query_params["symbol"] = symbol
    return symbol, timeframe


def _neutral(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    risky = isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r")
    return f"'{value}" if risky else value


@contextmanager
def table_panel(title: str, frame: pd.DataFrame, name: str, remark: str = "") -> Iterator[None]:
    """A panel whose heading carries the CSV button of the table inside."""
    with st.container(border=True, key=f"pn_{name}", gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", key=f"head_{name}"):
            show(_parts.section_title(title, remark, inline=True))
            csv_button(frame, name)
        yield


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
