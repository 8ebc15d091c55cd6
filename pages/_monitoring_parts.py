"""Pieces of the Monitoring page: banner, funnel, calibration, power, sessions, services, log."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from pages import _charts, _parts, _ui
from pages._cards import (
    MEASURES,
    baseline_title,
    calibration_frame,
    headline_bar,
    headline_sentence,
    short_version,
    told,
)
from pages._tables import log_table

__all__ = [
    "MODES",
    "banner",
    "calibration",
    "funnel",
    "no_calls",
    "power",
    "services",
    "sessions",
    "shadow_log",
]

MODES: Final = ("live", "late", "replay")
SAID: Final = {
    "live": "logged in time, before anything later was readable",
    "late": "logged after their time: shown, never counted as live",
    "replay": "answered afterwards by fold models that had not seen them",
}
MOST_ROWS: Final = 500


def banner(report: Mapping[str, Any]) -> None:
    """Verdict in words, one sentence, and the evidence bar."""
    verdict = told(report["verdict"])
    counted = f"{_parts.thousands(report['logged'])} calls {SAID[report['mode']]}"
    if verdict.kind == "few":
        text = f"{counted}; {_parts.thousands(report['settled'])} are settled. "
    else:
        text = headline_sentence(verdict, report["verdict"]) + " "
        text += "" if report["mode"] == "live" else f"These calls were {SAID[report['mode']]}. "
    text += "No alarm below does not mean healthy."
    bar = headline_bar(verdict, report["verdict"], where=report["mode"])
    _ui.show(_parts.verdict_banner(verdict, text, bar))


def no_calls(slot: str, mode: str) -> None:
    """What is missing, what happens meanwhile, and the mode that has calls, if there is one."""
    have = _ui.hub().log(slot=slot, limit=100_000)["mode"].value_counts()
    meanwhile = {
        "live": "While the hub runs, every range and bar that ends is answered and logged here.",
        "late": "Calls that could not be logged in time would stand here.",
        "replay": "A replay answers past days by models that had not seen them.",
    }[mode]
    text = f"{meanwhile} Modes are never pooled."
    _ui.show(_parts.empty_state(f"No {mode} call of {slot} yet", text))
    if have.empty:
        return
    other = str(have.index[0])
    with st.container(horizontal=True, horizontal_alignment="center", key="ways_on"):
        words = f"Show {_parts.thousands(int(have.iloc[0]))} {other} calls"
        st.button(words, key="other_mode", on_click=_show_mode, args=(other,))


def _show_mode(mode: str) -> None:
    st.session_state["mode"] = mode


def funnel(report: Mapping[str, Any]) -> None:
    """The running difference with its anytime band, and the road ahead."""
    verdict = told(report["verdict"])
    title, measure = MEASURES[report["verdict"]["measure"]]
    with st.container(border=True, key="pn_funnel", gap=None):
        base = baseline_title(report["verdict"].get("baseline")) or "the best baseline"
        text = f"What we know so far: {title} − {base}"
        _ui.show(_parts.section_title(text, f"{report['mode']} calls only"))
        figure = _charts.funnel_chart(
            report["running"], worth=verdict.worth, kind=_parts.shown_kind(verdict),
            needed=None if verdict.more is None else verdict.n + verdict.more, measure=measure,
            phone=_ui.is_phone(), height=320,
        )  # fmt: skip
        st.plotly_chart(
            figure,
            theme=None,
            config=_charts.STATIC,
            key="funnel",
            alt="Running difference to the best baseline with its confidence sequence",
        )


def calibration(report: Mapping[str, Any]) -> None:
    """What was said against what came, for targets that state probabilities."""
    curve = report["calibration"]
    n = 0 if curve is None else curve["n"]
    with st.container(border=True, key="pn_calibration", gap=None):
        counted = f"n {_parts.thousands(n)}"
        if curve is not None and n >= 30:
            counted = f"of {curve['of']} · ECE {_parts.number(curve['ece'], 3)} · {counted}"
        _ui.show(_parts.section_title("Calibration", counted))
        figure = _charts.calibration_chart(calibration_frame(curve), height=230)
        st.plotly_chart(
            figure,
            theme=None,
            config=_charts.STATIC,
            key="calibration",
            alt="Stated probability against how often it came true",
        )


def power(report: Mapping[str, Any]) -> None:
    """What could have been seen by now, and what it would take."""
    verdict, rows = report["verdict"], report["power"]
    name, n = verdict["measure"], report["n"]
    measure = MEASURES[name][1]
    if not rows:
        text = f"{n} of 30 outcomes: what could be seen is told from 30 on."
        _ui.show(_parts.panel("Power: what could we have seen?", _parts.note(text)))
        return
    table = _parts.small_table(
        [
            _parts.Column("True difference"),
            _parts.Column("Seen by now", number=True),
            _parts.Column("Outcomes for 80 %", number=True),
        ],
        [_power_row(row, measure) for row in rows],
    )
    said = _parts.note(f"{_parts.thousands(n)} outcomes so far; two-sided at 5 %.")
    _ui.show(_parts.panel("Power: what could we have seen?", said, table))


def _power_row(row: Mapping[str, Any], measure: _parts.Measure) -> tuple[str, str, str]:
    size = f"{measure.figure(row['true'])} {measure.unit}"
    seen, need = _parts.percent(row["seen_by_now"]), _parts.thousands(row["outcomes_for_80"])
    return size, seen, need


def sessions(rows: Sequence[Mapping[str, Any]]) -> None:
    """A bar for every session that calls were made in, on one scale."""
    if not rows:
        return
    verdicts = [told(row) for row in rows]
    span = _parts.common_span(verdicts)
    bars = [
        _parts.evidence_bar(
            verdict, _parts.range_title(str(row["range"])), span=span,
            measure=MEASURES[row["measure"]][1], baseline=baseline_title(row.get("baseline")),
        )
        for verdict, row in zip(verdicts, rows, strict=True)
    ]  # fmt: skip
    _ui.show(_parts.panel("By session", _parts.stack(bars)))


def services(report: Mapping[str, Any]) -> None:
    """What runs and what waits, in words."""
    health = _ui.hub().health()
    off = "off in the configuration" if not _ui.hub().settings.watch else "not running"
    late = report["due_unsettled"]
    waiting = _parts.Html(f'<span class="or-late">{late}</span>') if late else "none"
    hits, jobs = health["cache_hit_rate"], health["jobs"]
    covered = report["coverage"]
    rows: list[tuple[str, object]] = [
        ("Watch: pull, log, settle", "running" if health["watch"] else off),
        (f"Due, not settled, {report['mode']} calls here", waiting),
        ("Due, not settled, all slots and modes", _parts.thousands(health["due_unsettled"])),
        ("Calls made, not abstained", _parts.percent(covered, 1)),
        ("Answered from memory", _parts.percent(hits) if hits is not None else "nothing asked"),
        ("Jobs under way", ", ".join(job["name"] for job in jobs) or "none"),
        ("Version that logged last", short_version(report["version"] or _parts.MISSING)),
        ("Newest call, UTC", (report["last"] or _parts.MISSING)[:16].replace("T", " ")),
    ]
    _ui.show(_parts.panel("Services", _parts.key_values(rows)))


CC = st.column_config
_STAMP: Final = {"format": "DD MMM YYYY HH:mm", "width": 130}
_LOGGED: Final = {"format": "DD MMM YYYY HH:mm:ss", "width": 150}
COLUMNS: Final = {
    "decided": CC.DatetimeColumn("Decided, UTC", **_STAMP),
    "session": CC.TextColumn("Session", width=90),
    "side": CC.TextColumn("Side", width=80),
    "call": CC.TextColumn("Call", width=85),
    "said": CC.NumberColumn("Said", alignment="right", format="%.0f %%", width=60),
    "baseline": CC.NumberColumn("Baseline", alignment="right", format="%.0f %%", width=75),
    "value": CC.NumberColumn("Forecast, R", alignment="right", format="%+.2f", width=85),
    "level": CC.TextColumn("Confidence", width=85),
    "outcome": CC.TextColumn("Outcome", width=130),
    "r": CC.NumberColumn("Net R", alignment="right", format="%+.2f", width=70),
    "due": CC.DatetimeColumn("Due, UTC", **_STAMP),
    "logged": CC.DatetimeColumn("Logged, UTC", **_LOGGED),
    "version": CC.TextColumn("Model", width=75),
}


def shadow_log(slot: str, mode: str, baseline: str | None) -> None:
    """Rows of the log with filters; the CSV holds what the filters leave."""
    rows = _ui.hub().log(slot=slot, mode=mode, limit=5000)
    text = f"append-only · {_parts.thousands(len(rows))} {mode} calls of {slot}"
    _ui.show(_parts.section_title("Shadow log", text, inline=True))
    if rows.empty:
        _ui.show(_parts.note(f"No {mode} call of this slot is in the log yet."))
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small", key="filters"):
        kept = _filtered(rows)
        st.space("stretch")
        flat = kept.drop(columns=["reasons", "votes"], errors="ignore")
        _ui.csv_button(flat, f"shadow_log_{slot}_{mode}")
    table = log_table(kept.head(MOST_ROWS), baseline, _ui.hub().now())
    if table.empty:
        _ui.show(_parts.note("No call passes these filters."))
        return
    st.dataframe(
        table.dropna(axis="columns", how="all"), hide_index=True, row_height=32, key="log",
        height=min(36 + 32 * len(table), 420), placeholder="—", alt="Shadow log",
        column_config=COLUMNS,
    )  # fmt: skip
    if len(kept) > MOST_ROWS:
        said = f"The newest {MOST_ROWS} of {_parts.thousands(len(kept))}; the CSV holds them all."
        _ui.show(_parts.note(said))


def _filtered(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of the chosen sessions, levels and states."""
    kept = rows
    for name, label, title in (
        ("session", "Sessions", _parts.range_title), ("regime", "Regimes", str),
        ("level", "Levels", str),
    ):  # fmt: skip
        options = sorted({str(v) for v in rows[name] if not _parts.is_missing(v)})
        if len(options) > 1:
            chosen = st.multiselect(
                label, options, format_func=title, key=f"log_{name}", width=190,
                placeholder=f"All {label.lower()}", label_visibility="collapsed",
            )  # fmt: skip
            kept = kept[kept[name].isin(chosen)] if chosen else kept
    if st.toggle("Settled only", key="log_settled"):
        kept = kept[kept["settled"]]
    return kept
