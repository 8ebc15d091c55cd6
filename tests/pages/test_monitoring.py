"""Monitoring: the log against outcomes, modes apart, and no figure below thirty outcomes."""

import re

import pandas as pd
import pytest

from mlcore.errors import LogError
from mlcore.hub import Hub
from mlcore.operations.shadowing import replay
from pages import _tables
from tests.homes import DIRECTION, QUALITY, copy_of, home_at
from tests.pages.conftest import text_of

NOON = pd.Timestamp("2026-11-20 12:00", tz="UTC")

SLOT = str(DIRECTION)


@pytest.fixture(scope="module")
def replayed_once(trained_once, tmp_path_factory):
    """The trained home with 60 replayed days in its log."""
    place = copy_of(trained_once, tmp_path_factory.mktemp("replayed") / "home")
    home = home_at(place)
    for slot in (DIRECTION, QUALITY):
        replay(home, str(slot), 60)
    home.lake.close()
    return place


def logged(**more):
    row = {
        "decision_at": pd.Timestamp("2026-11-20 13:15", tz="UTC"), "session": "new_york_0800",
        "due_at": pd.Timestamp("2026-11-20 21:00", tz="UTC"), "side": 0, "answer": "UP",
        "logged_at": pd.Timestamp("2026-11-20 13:15:02", tz="UTC"), "abstained": False,
        "probabilities": {"UP": 0.64, "DOWN": 0.3, "NONE": 0.06}, "level": "LOW", "taken": None,
        "baselines": {"mechanical": {"UP": 0.61, "DOWN": 0.33, "NONE": 0.06}}, "value": None,
        "settled": True, "outcome": "UP", "y": 0.0, "broke": 1.0, "r_taken": None,
        "version": "20261103T0211Z-9c41e",
    }  # fmt: skip
    return pd.DataFrame([{**row, **more}])


# --- the log in words


def test_a_call_stands_beside_its_baseline_and_its_outcome():
    row = _tables.log_table(logged(), "mechanical", NOON).iloc[0]
    assert (row["call"], row["said"], row["baseline"]) == ("▲ UP", 64.0, 61.0)
    assert row["outcome"] == "✓ UP"
    assert row["session"] == "New York 08:00"
    assert row["version"] == "…9c41e"
    assert row["decided"] == pd.Timestamp("2026-11-20 13:15")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"outcome": "DOWN"}, "× DOWN"),
        ({"settled": False}, "open until 20 Nov 21:00"),
        ({"settled": False, "due_at": NOON}, "due, not settled"),
        ({"outcome": None, "y": None, "broke": 2.0}, "both sides in one bar"),
        ({"outcome": None, "y": None, "broke": 0.0}, "no break"),
        ({"outcome": None, "y": None, "broke": -1.0}, "other side"),
        ({"outcome": None, "y": 1.94}, "+1.94 R"),
    ],
)
def test_an_outcome_is_told_in_words(change, said):
    assert _tables.log_table(logged(**change), None, NOON).iloc[0]["outcome"] == said


def test_no_call_is_a_row_like_the_others():
    row = _tables.log_table(logged(abstained=True), "mechanical", NOON).iloc[0]
    assert row["call"] == "— no call"
    assert row["said"] is None


# --- the page


def test_an_empty_home_says_what_is_missing(run_page, tmp_path):
    at = run_page("monitoring", tmp_path)
    assert "No bars yet" in text_of(at)
    assert [b.label for b in at.button] == ["Make demo data", "Import bars"]


def test_a_slot_without_calls_has_no_figure_and_no_percentage(run_page, trained):
    text = text_of(run_page("monitoring", trained, slot=SLOT))
    assert "0 of 30 outcomes: too few for a figure" in text
    assert f"No live call of {SLOT} yet" in text
    assert not re.search(r"\d %", text)


def test_replayed_calls_are_judged_in_the_words_of_the_report(run_page, replayed_once):
    report = Hub.open(replayed_once).report(SLOT, "replay")
    at = run_page("monitoring", replayed_once, slot=SLOT, mode="replay")
    text = text_of(at)
    assert report["n"] >= 30
    assert report["verdict"]["words"] in text
    assert "answered afterwards by fold models that had not seen them" in text
    assert f"n {report['n']:,}" in text
    for title in ("Calibration", "Power: what could we have seen?", "By session", "Services"):
        assert title in text
    assert len(at.get("plotly_chart")) == 2
    assert len(at.dataframe[0].value) == report["logged"]


def test_power_says_what_the_verdict_says(replayed_once):
    for slot in (DIRECTION, QUALITY):
        report = Hub.open(replayed_once).report(str(slot), "replay")
        told, least = report["verdict"], report["power"][0]
        assert least["true"] == told["worth"]
        assert least["seen_by_now"] == pytest.approx(told["power"])
        if told["more"] is not None:
            assert least["outcomes_for_80"] == pytest.approx(told["n"] + told["more"], abs=1)


def test_modes_are_never_pooled_and_the_other_one_is_offered(run_page, replayed_once):
    at = run_page("monitoring", replayed_once, slot=SLOT)
    count = Hub.open(replayed_once).report(SLOT, "replay")["logged"]
    assert "0 of 30 outcomes" in text_of(at)
    assert not at.dataframe
    at.button(key="other_mode").click().run()
    assert at.query_params["mode"] == "replay"
    assert len(at.dataframe[0].value) == count


def test_the_log_is_filtered_by_session_and_state(run_page, replayed_once):
    at = run_page("monitoring", replayed_once, slot=SLOT, mode="replay")
    rows = Hub.open(replayed_once).log(slot=SLOT, mode="replay")
    session = sorted(rows["session"].unique())[0]
    at.multiselect(key="log_session").select(session).run()
    assert len(at.dataframe[0].value) == (rows["session"] == session).sum()
    at.toggle(key="log_settled").set_value(True).run()
    kept = (rows["session"] == session) & rows["settled"]
    assert len(at.dataframe[0].value) == kept.sum()


def test_trades_of_both_sides_carry_their_net_r(run_page, replayed_once):
    at = run_page("monitoring", replayed_once, slot=str(QUALITY), mode="replay")
    table = at.dataframe[0].value
    assert set(table["side"]) == {"▲ if UP", "▼ if DOWN"}
    assert table["r"].notna().any()
    assert "Net R per range" in text_of(at)


def test_tick_settle_and_replay_are_one_click_each(run_page, trained, monkeypatch):
    asked = []
    monkeypatch.setattr(Hub, "tick", lambda self: asked.append("tick") or {"recorded": 3})
    monkeypatch.setattr(Hub, "settle", lambda self: asked.append("settle") or {})
    at = run_page("monitoring", trained, slot=SLOT)
    at.button(key="tick").click().run()
    at.button(key="settle").click().run()
    assert asked == ["tick", "settle"]
    assert not at.button(key="replay").disabled


def test_a_log_that_cannot_be_read_is_an_error_and_the_head_stays(run_page, trained, monkeypatch):
    def broken(self, slot, mode="live"):
        raise LogError("The log's chain holds – row 7 does not – restore it.", code="E_LOG_CHAIN")

    monkeypatch.setattr(Hub, "report", broken)
    text = text_of(run_page("monitoring", trained, slot=SLOT))
    assert "<h1>Monitoring</h1>" in text
    assert "row 7 does not" in text.lower()
    assert "E_LOG_CHAIN" in text


def test_a_wrong_url_falls_back_to_what_there_is(run_page, trained):
    at = run_page("monitoring", trained, slot="<script>", mode="pooled")
    assert "<script>" not in text_of(at)
    assert at.query_params["slot"] == at.selectbox(key="slot").value
