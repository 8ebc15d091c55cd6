"""Today: rows of logged calls, their detail, and what is said where there is no call."""

from dataclasses import replace

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mlcore.clock import HOUR, MINUTE
from mlcore.errors import LogError, StoreError
from mlcore.hub import Call, Hub
from pages import _parts as parts
from pages import _today_parts as today
from pages._reasons import reason_table
from tests.pages.conftest import fill, text_of

AT = pd.Timestamp("2026-11-20 13:41", tz="UTC")
CALL = Call(
    id="p-0001", recommendation_id="r-1", slot="orb_direction-SIM-EDGE-5m", label="orb_direction",
    symbol="SIM-EDGE", timeframe="5m", simulated=True, item="utc_0800/2026-11-20",
    title="UTC 08:00", side=0, answer="UP", what="first break", probability=0.64, baseline=0.61,
    baseline_name="mechanical", value=None, baseline_value=None, confidence=0.64, level="LOW",
    taken=None, decision_at=AT.value - 5 * HOUR, due_at=AT.value - 11 * MINUTE + HOUR,
    logged_at=AT.value - 5 * HOUR + 2 * 10**9, mode="live", role="champion",
    version="20261117T022937Z-1f3ac", phase=2, certified=True, abstained=False, why=None,
    reasons=(("London range broke up", 2.6), ("9 other inputs and the average", 0.4)),
    would_change="nothing: decided once", stop=930.0, target=960.0, status="open", outcome=None,
    right=None, brier_gain=None, r=None, probabilities={"UP": 0.64, "DOWN": 0.36},
)  # fmt: skip
QUALITY = replace(
    CALL, id="p-0002", slot="orb_quality-SIM-EDGE-5m", label="orb_quality", side=1, answer="LOSS",
    probability=0.58, baseline=0.6, taken=False, probabilities={"WIN": 0.42, "LOSS": 0.58},
)  # fmt: skip
VALUE = replace(
    CALL, id="p-0003", slot="orb_r-SIM-EDGE-5m", label="orb_r", side=-1, answer="no call",
    probability=None, baseline=None, value=0.12, baseline_value=-0.1, taken=True, probabilities={},
)  # fmt: skip
ABSTAINED = replace(
    CALL, id="p-0004", symbol="SIM-WALK", abstained=True, why="30% of the inputs are missing"
)


def test_an_empty_home_says_what_is_missing_and_offers_one_way_on(run_page, tmp_path):
    at = run_page("today", tmp_path)
    assert "No bars yet" in text_of(at)
    assert at.button(key="demo").label == "Make demo data"


def test_the_demo_button_makes_the_demo(run_page, tmp_path, monkeypatch):
    asked = []

    def demo(self, *, if_empty=False, in_background=False):
        asked.append(in_background)
        fill(tmp_path, days=3)
        return {"bars": {"SIM-EDGE": 864}}

    monkeypatch.setattr(Hub, "demo", demo)
    at = run_page("today", tmp_path)
    at.button(key="demo").click().run()
    assert asked == [True]
    assert "No bars yet" not in text_of(at)


def test_without_a_watch_the_page_logs_before_it_shows(run_page, bars_home):
    at = run_page("today", bars_home)
    text = text_of(at)
    log = Hub.open(bars_home).log()
    assert set(log["symbol"]) == {"SIM-EDGE", "SIM-WALK"}
    assert set(log["role"]) == {"baseline"}
    assert "SIM-EDGE" in text
    assert "SIM-WALK" in text
    assert "The rule answers" in text
    assert "No model answers orb_direction-SIM-" in text
    assert "before it was shown" in text or "late: " in text
    assert "Next decisions, UTC" in text


def test_a_row_opens_its_detail_and_the_url_keeps_it(run_page, bars_home):
    at = run_page("today", bars_home)
    keys = [b.key for b in at.button if b.key.startswith("open_")]
    assert len(keys) == 3  # one open call of SIM-EDGE, two of SIM-WALK
    at.button(key=keys[-1]).click().run()
    assert at.query_params["call"] == keys[-1].removeprefix("open_")
    again = run_page("today", bars_home, call=keys[-1].removeprefix("open_"))
    assert text_of(again).count("or-pairs") == text_of(at).count("or-pairs") == 1
    symbol = keys[-1].split("_")[1][:8]
    assert f"<h2>{symbol}</h2>" in text_of(again)


def test_the_filter_counts_and_filters(run_page, bars_home, monkeypatch):
    monkeypatch.setattr(Hub, "calls", lambda self: [CALL, ABSTAINED])
    monkeypatch.setattr(Hub, "report", lambda self, slot, mode: REPORT)
    at = run_page("today", bars_home)
    assert "— no call" in text_of(at)
    only = run_page("today", bars_home, show="none")
    rows = [b.label for b in only.button if b.key.startswith("open_")]
    assert rows == ["Open SIM-WALK UTC 08:00: no call"]


FEW = {
    "kind": "few", "words": "12 of 30 outcomes: too few for a figure", "n": 12,
    "difference": None, "low": None, "high": None, "worth": 0.02, "power": None, "more": None,
    "measure": "accuracy", "baseline": None, "value": None, "baseline_value": None,
}  # fmt: skip
REPORT = {"verdict": FEW, "due_unsettled": 2, "settled": 12}


def test_below_thirty_outcomes_the_banner_has_no_figure():
    html = today.banner(REPORT, CALL.slot)
    assert "12 of 30 outcomes" in html
    assert " %" not in html
    assert "2 due and not settled yet" in html
    assert "replayed" not in html
    assert "264 replayed calls are scored apart" in today.banner(REPORT, CALL.slot, replayed=264)


def test_the_banner_says_the_verdict_letter_by_letter():
    words = "Inconclusive: about 3,990 more outcomes would tell"
    told = {**FEW, "kind": "unsure", "words": words, "n": 213, "difference": 0.019, "low": -0.031,
            "high": 0.069, "power": 0.3, "more": 3990, "baseline": "mechanical", "value": 0.582,
            "baseline_value": 0.563}  # fmt: skip
    html = today.banner({"verdict": told, "due_unsettled": 0}, CALL.slot)
    assert words in html
    assert "+1.9" in html
    assert "58.2 % vs 56.3 %" in html
    assert "Nothing here places an order." in html


def test_calls_of_one_range_are_one_row_headed_by_its_direction():
    rows = today.rows_of([QUALITY, VALUE, CALL, ABSTAINED])
    assert [row.head.id for row in rows] == ["p-0001", "p-0004"]
    assert [call.id for call in rows[0].given] == ["p-0002", "p-0003"]


def test_open_calls_come_first_then_the_newest():
    old = replace(CALL, id="p-9", item="a/2026-11-19", status="settled")
    late = replace(CALL, id="p-8", item="b/2026-11-20", decision_at=CALL.decision_at + HOUR)
    assert [r.head.id for r in today.rows_of([old, CALL, late])] == ["p-8", "p-0001", "p-9"]


def test_quality_is_the_chance_to_win_whatever_was_called():
    row = today.rows_of([CALL, QUALITY, VALUE])[0]
    html = today.given_table(row)
    assert "42 %" in html
    assert "40 %" in html
    assert "quality no" in html
    assert "R yes" in html
    assert "+0.12" in html
    assert "−0.10" in html
    assert today.given_table(today.Row(CALL)) is None


def test_an_abstained_call_hides_model_and_baseline():
    signal = today.signal_of(today.Row(ABSTAINED), AT)
    assert signal.side is None
    assert "64" not in parts.signal_row(signal)
    assert "30% of the inputs are missing." in parts.signal_row(signal)
    assert "Why there is no call" in today.reasons(today.Row(ABSTAINED))


def test_reasons_lead_from_the_baseline_to_the_call():
    html = today.reasons(today.Row(CALL))
    for piece in ("from the baseline 61 %", "London range broke up", "+2.6", "64 %", "+3.0 pp"):
        assert piece in html


def test_provenance_says_live_late_and_replay_apart():
    assert "2 s after the decision, before it was shown" in today.provenance(today.Row(CALL))
    late = replace(CALL, mode="late", logged_at=CALL.decision_at + HOUR)
    assert "late: 60 min after the decision" in today.provenance(today.Row(late)) or (
        "late: 1 h after the decision" in today.provenance(today.Row(late))
    )
    assert "replay of 20 Nov 2026" in today.provenance(today.Row(replace(CALL, mode="replay")))
    assert "late" in today.heading(today.Row(late))
    assert "certificate void" in today.heading(today.Row(replace(CALL, certified=False)))


def test_settled_calls_show_what_was_said_and_what_came():
    done = replace(
        CALL, status="settled", outcome="DOWN", right=False, brier_gain=-0.076,
        reasons=(), mode="late",
    )  # fmt: skip
    html = today.settled_panel([done], 3)
    for piece in ("64 %", "61 %", "× DOWN", "−0.076", "1 settled · 1 late · 3 waiting"):
        assert piece in html
    assert "None of the calls" in today.settled_panel([], 0)
    silent = today.settled_panel([replace(done, abstained=True)], 0)
    assert "× DOWN" not in silent
    assert ">DOWN<" in silent


def test_text_from_the_log_is_escaped():
    hostile = "<script>alert(1)</script>"
    call = replace(CALL, title=hostile, reasons=((hostile, 3.0),), would_change=hostile)
    row = today.Row(call)
    shown = (
        parts.signal_row(today.signal_of(row, AT)), today.reasons(row), today.provenance(row),
        today.heading(replace(row, head=replace(call, symbol=hostile))),
    )  # fmt: skip
    assert not any("<script" in html for html in shown)
    assert row.key.replace("-", "").isalnum()


def test_the_export_is_flat_and_says_simulated():
    table = today.exported([CALL, VALUE])
    assert table["simulated"].all()
    assert table["reasons"][0].startswith("London range broke up +2.60")
    assert table["decision_at"][0].endswith("+00:00")


def test_an_old_file_says_where_its_data_end(run_page, tmp_path):
    fill(tmp_path, days=4, end=pd.Timestamp("2025-03-07 21:00", tz="UTC"))
    at = run_page("today", tmp_path)
    text = text_of(at)
    assert "Data end 07 Mar 2025" in text
    assert "last session is shown" in text
    assert "The last 252 bars" in text
    assert "Opening ranges, 07 Mar 2025" in text
    assert len(at.get("plotly_chart")) == 1


def test_an_error_is_a_box_with_its_code(run_page, bars_home, monkeypatch):
    def broken(self):
        raise LogError(
            "The log is a chain – row 7 does not follow row 6 – run verify.", code="E_LOG"
        )

    monkeypatch.setattr(Hub, "calls", broken)
    text = text_of(run_page("today", bars_home))
    assert "The log is a chain" in text
    assert "E_LOG" in text
    assert "No call is logged" not in text


def test_a_failing_tick_hides_no_call(run_page, bars_home, monkeypatch):
    def broken(self):
        raise KeyError("set_id")

    run_page("today", bars_home)
    st.cache_data.clear()
    monkeypatch.setattr(Hub, "tick", broken)
    text = text_of(run_page("today", bars_home))
    assert "Something unexpected happened" in text
    assert "SIM-EDGE" in text
    assert "Would change it" in text


def test_a_failing_watch_is_said_on_the_page(monkeypatch, tmp_path):
    def broken(self):
        raise StoreError("The lake is free – it is locked – try again.", code="E_STORE_LOCKED")

    monkeypatch.setenv("OPENRANGE_HOME", str(tmp_path))
    monkeypatch.setattr(Hub, "beat", broken)
    at = AppTest.from_string("from pages import _ui\n_ui.keep_watch()\n").run()
    assert "E_STORE_LOCKED" in text_of(at)


@pytest.mark.slow
def test_a_trained_home_shows_model_calls_with_reasons(run_page, trained, at_clock):
    at_clock(trained)
    text = text_of(run_page("today", trained))
    assert "What moved it, from the baseline" in text
    assert "Quality and net R, given the side" in text
    assert "0 of 30 outcomes" in text
    assert "before it was shown" in text


def test_a_table_of_reasons_keeps_every_row_and_its_order():
    rows = [{"text": "Range size", "points": 1.5, "input": "range_size", "value": 0.4},
            {"text": "Where the model starts from", "points": -0.5}]  # fmt: skip
    table = reason_table(rows)
    assert table["share"].tolist() == [1.5, -0.5]
    assert table["input"].tolist()[0] == "range_size"
    assert table["input"].isna().tolist() == [False, True]


def test_all_reasons_are_computed_only_when_they_are_opened(run_page, bars_home, monkeypatch):
    asked = []

    def explained(self, prediction_id):
        asked.append(prediction_id)
        return {"reasons": [{"text": f"Input {i}", "points": 0.1, "input": f"x{i}", "value": 1.0}
                            for i in range(30)]}  # fmt: skip

    monkeypatch.setattr(Hub, "calls", lambda self: [CALL, ABSTAINED])
    monkeypatch.setattr(Hub, "report", lambda self, slot, mode: REPORT)
    monkeypatch.setattr(Hub, "explain_call", explained)
    at = run_page("today", bars_home)
    assert [e.label for e in at.expander] == ["All reasons"]
    assert asked == []
    at.session_state["all_reasons"] = True
    at.run()
    assert asked == [CALL.id]
    assert "30 inputs as they were logged; together +3.0 pp." in text_of(at)
    assert at.dataframe[0].value["reason"].tolist()[-1] == "Input 29"
    at.run()
    assert asked == [CALL.id]


def test_where_no_model_called_there_are_no_reasons_to_open(run_page, bars_home, monkeypatch):
    ruled = replace(CALL, role="baseline")
    for call in (ruled, ABSTAINED):
        monkeypatch.setattr(Hub, "calls", lambda self, call=call: [call])
        monkeypatch.setattr(Hub, "report", lambda self, slot, mode: REPORT)
        st.cache_data.clear()
        assert not run_page("today", bars_home).expander


@pytest.mark.slow
def test_opened_reasons_of_a_logged_call_add_up_to_it(run_page, trained, at_clock):
    hub = at_clock(trained)
    run_page("today", trained)
    made = next(c for c in hub.calls() if c.label == "orb_direction" and c.role == "champion")
    told = hub.explain_call(made.id)
    logged = dict(made.reasons)
    points = {r["text"]: r["points"] for r in told["reasons"]}
    assert len(points) > len(logged)
    assert sum(points.values()) == pytest.approx(sum(logged.values()), abs=1e-9)
    named = [text for text in logged if "other inputs" not in text]
    assert len(named) >= 4
    for text in named:
        assert points[text] == pytest.approx(logged[text], abs=1e-9)
    sizes = [abs(r["points"]) for r in told["reasons"] if r.get("input")]
    assert sizes == sorted(sizes, reverse=True)
    at = run_page("today", trained)
    at.session_state["all_reasons"] = True
    at.run()
    assert "inputs as they were logged" in text_of(at)
    with pytest.raises(LogError, match="is none – list the recent ones"):
        hub.explain_call("nothing")
