"""Data: what bars there are, what they are worth, an import with its few questions."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from pages import _bars_acts as acts
from pages import _charts_quality as charts
from pages import _data_parts as data
from pages import _import_form as form
from pages import _parts as parts
from pages import _quality_parts as quality
from pages import _ui
from pages._charts import STATIC

__all__: list[str] = []

hub = _ui.hub()
MOST_FRESH = 200
if _ui.enters("data"):
    for told in ("import_report", "import_reports"):
        st.session_state.pop(told, None)


def show_symbols(listed: pd.DataFrame) -> None:
    """Every symbol and timeframe, how fresh, how much, from where."""
    if listed.empty:
        text = "Import a file below, or make demo data: two simulated markets, two daily series."
        _ui.show(parts.empty_state("No bars yet", text))
        with st.container(horizontal=True, horizontal_alignment="center", key="ways_on"):
            _ui.demo_button()
        return
    if len(listed) <= MOST_FRESH:
        pairs = listed[["symbol", "timeframe"]].itertuples(index=False)
        fresh = [hub.freshness(symbol, timeframe).text for symbol, timeframe in pairs]
    else:  # a whole universe: how fresh each is stands on its own pages
        fresh = ("last bar " + listed["last"].dt.strftime("%d %b %Y")).tolist()
    titles = {name: market.title for name, market in hub.settings.markets.items()}
    frame = data.symbols_frame(listed, titles, fresh)
    with _ui.table_panel("Symbols with bars", frame, "symbols"):
        show_table(frame, data.symbols_table(frame))


def show_reports() -> None:
    """What became of each of many files that were imported just now."""
    reports = st.session_state.get("import_reports")
    if not reports:
        return
    frame = data.reports_frame(reports)
    refused = int(frame["State"].eq("× refused").sum())
    counts = [("bars added", parts.thousands(int(frame["Added"].sum()))), ("refused", refused)]
    _ui.show(parts.quote_line(f"✓ {len(frame) - refused} of {len(frame)} files imported", counts))
    tall = min(320, 36 + 35 * len(frame))
    shown = data.counts_config(frame)
    st.dataframe(frame, hide_index=True, key="reports", height=tall, column_config=shown)


def show_imports() -> None:
    """Every import, newest first."""
    imports = hub.imports(limit=500)
    if imports.empty:
        return
    frame = data.imports_frame(imports)
    with _ui.table_panel("Imports", frame, "imports"):
        show_table(frame, data.imports_table(frame))


def show_table(frame: Any, drawn: Any) -> None:
    """A small table as HTML, a long one as a table that scrolls."""
    if drawn is not None:
        _ui.show(drawn)
    else:
        st.dataframe(frame, hide_index=True, column_config=data.counts_config(frame))


@st.cache_resource(max_entries=8, show_spinner=False)
def judged(_hub: Any, home: str, symbol: str, timeframe: str, mark: tuple[Any, ...]) -> Any:
    """The quality of bars as of a mark of theirs, made once for all sessions."""
    return _hub.quality(symbol, timeframe)


def show_quality(listed: pd.DataFrame) -> None:
    """One symbol's verdict, checks, coverage and history; what can be done with its bars."""
    with st.container(border=True, key="pn_quality", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", key="head_quality"):
            _ui.show(parts.section_title("Quality", inline=True))
            symbol, timeframe = _ui.pick_bars(listed, label="Symbol to judge")
            where = listed[(listed["symbol"] == symbol) & (listed["timeframe"] == timeframe)]
            mark = tuple(where[["rows", "last", "revisions", "market"]].iloc[0].astype(str))
            with st.spinner(f"Judging {parts.thousands(int(where['rows'].iloc[0]))} bars …"):
                told = judged(hub, str(hub.settings.home), symbol, timeframe, mark)
            _ui.csv_button(quality.checks_frame(told), f"quality_{symbol}_{timeframe}")
            acts.buttons(symbol, timeframe)
        show_verdict(told)
        show_coverage(told)
        show_checks(told)
    if int(where["revisions"].iloc[0]):
        show_revisions(symbol, timeframe)
    acts.asked()


def show_revisions(symbol: str, timeframe: str) -> None:
    """What was restated, and how many logged calls lean on the values before."""
    frame = quality.revisions_frame(hub.revisions(symbol, timeframe))
    leaning = int(frame["Calls that lean on it"].gt(0).sum())
    remark = f"{leaning} of {len(frame)} restated bars have logged calls that lean on them"
    with _ui.table_panel(f"Revisions of {symbol} {timeframe}", frame, "revisions", remark):
        st.dataframe(frame, hide_index=True, key="revised", height=min(320, 36 + 35 * len(frame)))


def show_verdict(told: Any) -> None:
    """The verdict, then why for each use, beside what each target could learn from."""
    _ui.show(quality.verdict(told))
    uses, history = st.columns(2, gap="medium")
    uses.html(str(parts.section_title("What they can be used for")))
    uses.html(str(quality.uses_table(told)))
    history.html(str(parts.section_title("History to learn from")))
    history.html(str(quality.history_table(told)))


def show_coverage(told: Any) -> None:
    """Which expected bars are there, day by day, beside the longest gaps."""
    cover = told.report.coverage
    remark = f"the daily pause {cover.pause} is not counted" if cover.pause else ""
    chart, gaps = st.columns([1.5, 1], gap="medium")
    with chart:
        _ui.show(parts.section_title("Coverage, share of expected bars", remark))
        st.plotly_chart(
            charts.coverage_chart(cover.days, phone=_ui.is_phone()), theme=None, config=STATIC,
            key="coverage", alt=charts.coverage_words(cover.days),
        )  # fmt: skip
        _ui.show(parts.note(charts.coverage_words(cover.days)))
    gaps.html(str(parts.section_title("Longest gaps")))
    gaps.html(str(quality.gaps_table(told)))


def show_checks(told: Any) -> None:
    """Every check with its rule, and the worst places of all of them."""
    _ui.show(parts.section_title("Checks", "a name opens its rule"))
    _ui.show(quality.checks_table(told))
    found = quality.findings_frame(told)
    if found.empty:
        return
    with st.container(horizontal=True, vertical_alignment="center", key="head_findings"):
        _ui.show(parts.section_title("Worst places of each check", inline=True))
        _ui.csv_button(found, "worst_places")
    st.dataframe(found, hide_index=True, key="findings", height=min(320, 36 + 35 * len(found)))


_ui.head("Data")
data.sweep_uploads(form.uploads_folder())
all_bars = hub.symbols()
show_symbols(all_bars)
with st.container(border=True, key="pn_import", gap="small"), _ui.boundary():
    _ui.show(parts.section_title("Import"))
    if "import_report" in st.session_state:
        _ui.show(data.report_line(st.session_state["import_report"]))
    show_reports()
    form.show_import()
if not all_bars.empty:
    with _ui.boundary():
        show_quality(all_bars)
show_imports()
