"""Market: one symbol's candles, its sessions and opening ranges, and what their past says."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from mlcore.errors import OpenrangeError
from pages import _charts as charts
from pages import _market_parts as market_parts
from pages import _parts as parts
from pages import _ui

__all__: list[str] = []

DRAWN = 6
"""Charts kept a session, so that going back and forth between two costs nothing."""

hub = _ui.hub()
entered = _ui.enters("market")


@st.cache_data(show_spinner=False, max_entries=64)
def break_evidence(home: str, symbol: str, timeframe: str, mode: str, newest_day: int) -> Any:
    """Evidence after breaks: a new look once a day, since it speaks of two years."""
    return hub.break_evidence(symbol, timeframe, mode=mode)


def shown_until(symbol: str, timeframe: str) -> int:
    """The bar the chart ends at: it moves only when somebody asks, so that zoom survives."""
    mark = st.session_state.setdefault("market_until", {})
    if entered or st.session_state.pop("show_newest", False):
        mark.clear()
    newest = int(hub.bars(symbol, timeframe, last=1)["time"].iloc[-1].value)
    return int(mark.setdefault((symbol, timeframe), newest))


def layers() -> tuple[list[str], str | None]:
    """What is drawn on and below the candles."""
    on = st.session_state.get("layers", ["Sessions", "Ranges", "VWAP 50"])
    with st.popover(f"Layers · {len(on)}", icon=":material/layers:"):
        drawn = st.pills(
            "On the candles", list(market_parts.LAYERS), selection_mode="multi",
            default=["Sessions", "Ranges", "VWAP 50"], key="layers", bind="query-params",
        )  # fmt: skip
        below = st.selectbox(
            "Pane below", ["none", *market_parts.PANES], index=1, key="pane", bind="query-params"
        )
    return list(drawn or []), below


def drawn(asked: tuple[Any, ...], view: Any, ranges: pd.DataFrame) -> tuple[Any, str]:
    """The chart asked for, the same as long as the same is asked: redrawing loses the zoom."""
    kept: dict[tuple[Any, ...], Any] = st.session_state.setdefault("market_drawn", {})
    if asked not in kept:
        *_, on, below, phone = asked
        kept[asked] = market_parts.figure_of(hub, view, ranges, on, below, zone, phone=phone)
        while len(kept) > DRAWN:
            kept.pop(next(iter(kept)))
    figure, unseen = kept[asked]
    return figure, unseen


listed = _ui.bars_or_stop("Market", "The chart needs bars.")
place = st.container()
with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tools"):
    symbol, timeframe = _ui.pick_bars(listed)
    held = listed[(listed["symbol"] == symbol) & (listed["timeframe"] == timeframe)].iloc[0]
    options, usual = market_parts.spans(timeframe, held["first"], held["last"])
    span = _ui.choose("Span", options, "span", default=usual, per=f"_{timeframe}_{len(options)}")
    mode = _ui.choose("Break mode", ["TOUCH", "CLOSE"], "mode")
    chosen, pane = layers()
    st.space("stretch")
    until = shown_until(symbol, timeframe)
    _ui.offer_newer(symbol, timeframe, until)
    tail = st.container(width="content")
with place:
    _ui.live_head("Market", symbol, timeframe, files=False)

market, zone = hub.market(symbol), _ui.zone_of(symbol)
view = market_parts.view_of(hub, symbol, timeframe, span, until)
since = market_parts.range_start(view)
ranges = hub.range_view(
    symbol, timeframe, mode=mode.lower(), start=since, end=pd.Timestamp(until + 1, tz="UTC")
)
with tail:
    name = f"{symbol}_{timeframe}_{span}"
    _ui.csv_button(market_parts.exported(view, market.simulated), name, key="csv_bars")

chart_side, rail = st.columns([3.3, 1], gap="small")
with chart_side:
    _ui.show(market_parts.last_quote(view, market.currency, zone))
    asked = (symbol, timeframe, span, mode, until, tuple(chosen), pane, _ui.is_phone())
    figure, unseen = drawn(asked, view, ranges)
    alt = (
        f"Candles of {symbol}, {timeframe}, {len(view.in_sight)} bars up to "
        f"{_ui.at_utc(until):%d %b %Y %H:%M} UTC, with {', '.join(chosen) or 'no layer'}"
    )
    st.plotly_chart(figure, theme=None, config=charts.INTERACTIVE, key="candles", alt=alt)
    if unseen:
        _ui.show(parts.note(unseen))
with rail:
    digits = charts.price_digits(view.bars["close"])
    minutes = max(hub.settings.orb.minutes, market_parts.TIMEFRAMES[timeframe] // 60_000_000_000)
    _ui.show(market_parts.ranges_panel(ranges, mode, minutes, digits))
    waits = st.skeleton(height=220)
    try:
        facts = hub.view_facts(symbol, timeframe, start=view.in_sight["time"].iloc[0])
        _ui.show(market_parts.bars_panel(facts))
        day = int(held["last"].value // 86_400_000_000_000)
        evidence = break_evidence(str(hub.settings.home), symbol, timeframe, mode.lower(), day)
        title = market_parts.evidence_title(evidence, held["first"], held["last"])
        remark = f"{mode} · k = {hub.settings.orb.k:g}"
        waits.html(str(market_parts.evidence_panel(title, evidence, remark)))
    except OpenrangeError as error:
        waits.empty()
        _ui.show_error(error)
