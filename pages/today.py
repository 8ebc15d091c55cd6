"""Today: the calls that are open, what moved them, what they stand against, what comes next."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from mlcore.errors import OpenrangeError
from pages import _charts as charts
from pages import _market_parts as market_parts
from pages import _parts as parts
from pages import _today_parts as today
from pages import _ui
from pages._reasons import all_reasons

__all__: list[str] = []

MOST_ROWS = 12
LEAST_LAST, MOST_LAST = 120, 480  # bars shown of a file that does not grow: its last session
hub = _ui.hub()
_ui.enters("today")


@st.cache_data(ttl=60, show_spinner=False, max_entries=16)
def logged(home: str, mark: tuple[int, int]) -> tuple[list[Any], list[Any]]:
    """Calls shown and calls settled, read again when the log has grown, and once a minute."""
    return hub.calls(), hub.settled()


@st.cache_data(ttl=60, show_spinner=False, max_entries=64)
def report_of(home: str, slot: str, mode: str, mark: tuple[int, int]) -> dict[str, Any]:
    """What the log says about a slot's calls of one mode."""
    return hub.report(slot, mode=mode)


@st.cache_data(ttl=60, show_spinner=False, max_entries=4)
def coming(home: str) -> list[dict[str, Any]]:
    """The next decisions."""
    return hub.next_decisions(4)


def select(key: str) -> None:
    """Choose a row; the URL keeps it."""
    st.query_params["call"] = key


def show_banner(row: today.Row) -> None:
    """The verdict on the chosen row's slot, or that no model answers it yet."""
    if row.head.role == "baseline":
        text = (
            "Its calls are the mechanical baseline itself, logged so that a model can be compared."
        )
        _ui.show(parts.callout(f"No model answers {row.head.slot} yet: the rule does.", text))
        return
    slot = row.head.slot
    live, replay = (report_of(home, slot, mode, mark) for mode in ("live", "replay"))
    _ui.show(today.banner(live, slot, replayed=replay["settled"]))


def show_chart(row: today.Row, place: str) -> None:
    """Bars around the decision, with the range it is about."""
    call = row.head
    decided, due = _ui.at_utc(call.decision_at), _ui.at_utc(call.due_at)
    end = min(hub.now(), due)
    long = call.timeframe == "1d"
    start = end - pd.Timedelta(days=110) if long else min(end, decided) - pd.Timedelta(hours=6)
    bars = hub.bars(call.symbol, call.timeframe, start=start, end=end)
    name, _, date = call.item.partition("/")
    boxes = None
    if date and len(bars):
        mode = "close" if "_close" in call.label else "touch"
        found = hub.range_view(call.symbol, call.timeframe, mode=mode, start=start)
        mine = (found["range"] == name) & (found["date"].astype(str) == date)
        boxes = found[mine].assign(side=found["so_far"], break_at=found["so_far_at"])
    seen = max(72, int((bars["time"] >= decided - pd.Timedelta(hours=1)).sum()))
    figure = charts.range_chart(bars, boxes, zone=_ui.zone_of(call.symbol), visible=seen)
    alt = f"Bars of {call.symbol} up to {end:%d %b %H:%M} UTC with {call.title}"
    st.plotly_chart(figure, theme=None, config=charts.STATIC, key=f"range{place}", alt=alt)


def show_last_session(symbol: str, timeframe: str, last: pd.Timestamp) -> None:
    """The end of a file that does not grow: its last bars, and its last opening ranges."""
    ranges = hub.range_view(symbol, timeframe, mode="touch", start=last - pd.Timedelta(days=4))
    day = market_parts.newest_day(ranges)
    bars = hub.bars(symbol, timeframe, last=MOST_LAST)
    session = int((bars["time"] >= day["open_at"].min()).sum()) if len(day) else 0
    bars = bars.tail(max(LEAST_LAST, session))
    left, right = st.columns([1.72, 1], gap="medium")
    with left, st.container(border=True, key="pn_last", gap="small"):
        _ui.show(parts.section_title(f"The last {len(bars)} bars", f"{symbol} {timeframe}"))
        boxes = day.assign(side=day["so_far"], break_at=day["so_far_at"])
        figure = charts.range_chart(
            bars, boxes, zone=_ui.zone_of(symbol), visible=len(bars), height=300
        )
        alt = f"The last bars of {symbol}, up to {last:%d %b %Y %H:%M} UTC"
        st.plotly_chart(figure, theme=None, config=charts.STATIC, key="last", alt=alt)
    with right:
        digits = charts.price_digits(bars["close"])
        _ui.show(market_parts.ranges_panel(ranges, "TOUCH", hub.settings.orb.minutes, digits))


def show_detail(row: today.Row, place: str = "") -> None:
    """All there is about one call: chart, reasons, what follows a side, provenance."""
    _ui.show(today.heading(row))
    show_chart(row, place)
    _ui.show(today.reasons(row))
    all_reasons(row.head, place)
    given = today.given_table(row)
    if given is not None:
        _ui.show(given)
    _ui.show(today.provenance(row))
    if st.button("Open chart", icon=":material/candlestick_chart:", key=f"chart{place}"):
        to = {"symbol": row.head.symbol, "timeframe": row.head.timeframe}
        st.switch_page("pages/market.py", query_params=to)


@st.dialog("Why this call", width="large")
def show_dialog(row: today.Row) -> None:
    """The detail, where there is no room beside the rows."""
    show_detail(row, "_dialog")


def show_rows(rows: list[today.Row], chosen: today.Row) -> None:
    """Every call as a row that opens its detail."""
    _ui.show(parts.signal_head())
    with st.container(gap="xsmall", key="calls"):
        for row in rows[:MOST_ROWS]:
            on = "rowon_" if row == chosen else "row_"
            with st.container(border=True, key=on + row.key, gap=None):
                _ui.show(parts.signal_row(today.signal_of(row, hub.now())))
                name = f"{row.head.symbol} {row.head.title}: {row.side or 'no call'}"
                st.button(f"Open {name}", key=f"open_{row.key}", on_click=select, args=(row.key,))
                if st.button(f"Reasons for {name}", key=f"opens_{row.key}"):
                    show_dialog(row)
    if len(rows) > MOST_ROWS:
        _ui.show(parts.note(f"The first {MOST_ROWS} of {len(rows)} rows; the CSV holds all."))


def show_below(unsettled: int) -> None:
    """What comes next, and what came of yesterday's calls."""
    _ui.show(today.agenda(coming(home), hub.now()))
    _ui.show(today.settled_panel(settled, unsettled))
    if settled:
        _ui.csv_button(today.exported(settled), "settled_calls")


def filtered(rows: list[today.Row]) -> list[today.Row]:
    """The rows of the chosen kind."""
    called = [row for row in rows if row.side is not None]
    counts = {"all": len(rows), "calls": len(called), "none": len(rows) - len(called)}
    words = {"all": "All", "calls": "Calls", "none": "No call"}
    kind = _ui.choose("Show", list(counts), "show", words=lambda k: f"{words[k]} {counts[k]}")
    return {"all": rows, "calls": called}.get(kind, [row for row in rows if row.side is None])


listed = _ui.bars_or_stop("Today", "Calls are made from bars.")
problems: list[dict[str, Any]] = []
with _ui.boundary():
    problems = _ui.look_after()
home, mark = str(hub.settings.home), hub.log_mark()
calls, settled = logged(home, mark)
rows = today.rows_of(calls)
if not rows:
    newest = listed.loc[listed["last"].idxmax()]
    _ui.live_head("Today", newest["symbol"], newest["timeframe"])
    if hub.freshness(newest["symbol"], newest["timeframe"]).state == "file":
        show_last_session(newest["symbol"], newest["timeframe"], newest["last"])
    else:
        _ui.show(parts.empty_state("No call is logged yet", today.NOTHING_YET))
    show_below(0)
    st.stop()

asked = st.query_params.get("call")
chosen = next((row for row in rows if row.key == asked), rows[0])
_ui.live_head("Today", chosen.head.symbol, chosen.head.timeframe, phase=chosen.head.phase)
with _ui.boundary():
    show_banner(chosen)
for problem in problems[:2]:
    _ui.show_error(OpenrangeError(problem["message"], code=problem["code"]))

left, right = st.columns([1.72, 1], gap="medium")
with left:
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tools"):
        shown = filtered(rows)
        st.space("stretch")
        newest_bar = int(hub.freshness(chosen.head.symbol, chosen.head.timeframe).last_time)
        _ui.offer_newer(chosen.head.symbol, chosen.head.timeframe, newest_bar)
        _ui.csv_button(today.exported(calls), "calls")
    show_rows(shown, chosen)
    waiting = sum(row.head.status == "due" for row in rows)
    show_below(waiting)
with right, st.container(border=True, key="pn_detail", gap="small"), _ui.boundary():
    show_detail(chosen)
