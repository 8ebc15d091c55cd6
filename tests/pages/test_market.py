"""Market: bars, ranges, evidence and layers; a view that stays until somebody asks for more."""

from dataclasses import replace

import pandas as pd
import pytest

from mlcore.clock import system_clock
from mlcore.errors import StoreError
from mlcore.hub import Hub
from pages import _market_parts as market_parts
from tests.pages.conftest import fill, text_of


def figure(at):
    return at.get("plotly_chart")[0]


def test_an_empty_home_says_what_is_missing_and_offers_one_way_on(run_page, tmp_path):
    at = run_page("market", tmp_path)
    assert "No bars yet" in text_of(at)
    assert [b.label for b in at.button] == ["Make demo data", "Import bars"]


def test_bars_ranges_and_evidence_are_shown(run_page, bars_home):
    at = run_page("market", bars_home)
    text = text_of(at)
    assert "SIMULATED" in text
    assert "Opening ranges, " in text
    assert "15 min · TOUCH" in text
    assert "Newest bar known at" in text
    assert at.selectbox(key="symbol").options == ["SIM-EDGE", "SIM-WALK"]
    assert at.query_params["symbol"] == "SIM-EDGE"
    assert len(at.get("plotly_chart")) == 1


def test_evidence_has_n_interval_and_verdict_and_no_figure_below_thirty(run_page, bars_home):
    text = text_of(run_page("market", bars_home))
    assert "Net R per range, every break" in text
    assert "vs no trade" in text
    assert "n 1" in text  # 45 days of three ranges
    short = Hub.open(bars_home).break_evidence("SIM-EDGE", "5m", mode="touch")
    few = [item.verdict for item in short]
    assert {v.kind for v in few} <= {"unsure", "none", "worse"}


def test_the_url_brings_back_symbol_span_and_mode(run_page, bars_home):
    at = run_page("market", bars_home, symbol="SIM-WALK", span="3d", mode="CLOSE")
    assert at.selectbox(key="symbol").value == "SIM-WALK"
    assert "15 min · CLOSE" in text_of(at)
    assert at.query_params["span"] == "3d"
    assert "London" in text_of(at)


def test_a_wrong_url_falls_back_to_what_there_is(run_page, bars_home):
    at = run_page("market", bars_home, symbol="<script>", span="900y", mode="x")
    assert "<script>" not in text_of(at)
    assert at.selectbox(key="symbol").value == "SIM-EDGE"


def test_a_newer_bar_is_offered_and_shown_on_demand_only(run_page, tmp_path):
    now = system_clock().floor("5min")
    fill(tmp_path, days=12, end=now - pd.Timedelta(minutes=30))
    at = run_page("market", tmp_path)
    before = figure(at).proto.spec
    fill(tmp_path, days=12, end=now - pd.Timedelta(minutes=10))
    at.run()
    assert figure(at).proto.spec == before
    offer = at.button(key="show_newer")
    assert offer.label == f"bar {now - pd.Timedelta(minutes=15):%H:%M} is in: show"
    offer.click().run()
    assert figure(at).proto.spec != before
    assert "show_newer" not in {b.key for b in at.button}


def test_a_stale_feed_is_said(run_page, tmp_path):
    fill(tmp_path, days=12, end=system_clock() - pd.Timedelta(hours=3))
    text = text_of(run_page("market", tmp_path))
    assert "Bars are 3 h" in text
    assert "No watch is configured here" in text


def test_an_error_is_a_box_with_a_code_and_no_path(run_page, bars_home, monkeypatch):
    def broken(self, *args, **kwargs):
        raise StoreError(
            f"Lake files stay as they were written – {bars_home}/x.parquet is not – restore it.",
            code="E_STORE_HASH",
        )

    monkeypatch.setattr(Hub, "bars", broken)
    text = text_of(run_page("market", bars_home))
    assert "E_STORE_HASH" in text
    assert "Lake files stay as they were written" in text
    assert str(bars_home) not in text


@pytest.mark.parametrize(
    ("timeframe", "days", "usual"), [("5m", 45, "1d"), ("1d", 7000, "1y"), ("1h", 400, "1mo")]
)
def test_spans_fit_the_bars(timeframe, days, usual):
    last = pd.Timestamp("2026-11-20", tz="UTC")
    names, chosen = market_parts.spans(timeframe, last - pd.Timedelta(days=days), last)
    assert chosen == usual
    assert names[-1] == "all"
    assert len(names) <= 6


def test_no_span_sends_more_than_a_few_thousand_candles(bars_home):
    hub = Hub.open(bars_home)
    for span in ("1d", "3d", "1w", "1mo", "all"):
        view = market_parts.view_of(hub, "SIM-EDGE", "5m", span, None)
        assert len(view.drawn.frame) <= 3000
        assert view.visible <= len(view.drawn.frame)
    month = market_parts.view_of(hub, "SIM-EDGE", "5m", "1mo", None)
    assert month.drawn.step == 3
    assert "candles of 3 bars" in month.drawn.note


def test_a_view_ends_at_the_bar_it_is_told(bars_home):
    hub = Hub.open(bars_home)
    times = hub.bars("SIM-WALK", "5m", last=400)["time"]
    view = market_parts.view_of(hub, "SIM-WALK", "5m", "1d", int(times.iloc[300].value))
    assert view.newest == times.iloc[300].value
    assert view.bars["time"].is_monotonic_increasing


def test_an_overlay_follows_the_bars_it_is_drawn_on(bars_home):
    hub = Hub.open(bars_home)
    view = market_parts.view_of(hub, "SIM-WALK", "5m", "1d", None)
    line = view.along(hub.overlay("SIM-WALK", "5m", "sma_20", len(view.bars)))
    expected = view.bars["close"].rolling(20).mean().to_numpy()
    assert line[-50:] == pytest.approx(expected[-50:], rel=1e-9)


@pytest.mark.parametrize(("span", "drawn"), [("1d", True), ("1mo", False)])
def test_ranges_are_drawn_where_they_can_be_told_apart(bars_home, span, drawn):
    hub = Hub.open(bars_home)
    view = market_parts.view_of(hub, "SIM-EDGE", "5m", span, None)
    ranges = hub.range_view(
        "SIM-EDGE", "5m", mode="touch", start=market_parts.range_start(view), end=None
    )
    figure, said = market_parts.figure_of(hub, view, ranges, ["Ranges"], None, None, phone=False)
    names = [note.text for note in figure.layout.annotations]
    assert any("UTC 08:00" in (name or "") for name in names) is drawn
    assert ("told apart" in said) is not drawn


def test_a_pending_range_shows_the_break_seen_so_far(bars_home):
    hub = Hub.open(bars_home)
    bars = hub.bars("SIM-EDGE", "5m", last=2000)
    done = hub.range_view("SIM-EDGE", "5m", mode="touch", start=bars["time"].iloc[0])
    done = done[(done["status"] == "done") & done["side"].isin(["UP", "DOWN"])].iloc[-1]
    after = done["break_at"] + pd.Timedelta(minutes=5)
    then = hub.range_view(
        "SIM-EDGE", "5m", mode="touch", start=done["open_at"], end=after
    ).set_index("range")
    row = then.loc[done["range"]]
    assert row["status"] == "pending"
    assert pd.isna(row["r_net"])
    assert row["so_far"] == done["side"]
    assert row["so_far_at"] == done["break_at"]
    html = market_parts.ranges_panel(then.reset_index(), "TOUCH", 15, 2)
    assert "open" in html
    assert done["side"] in html


def test_missing_and_revised_bars_are_counted(tmp_path):
    end = pd.Timestamp("2026-03-06 20:00", tz="UTC")
    fill(tmp_path, days=2, end=end)
    hub = Hub.open(tmp_path)
    bars = hub.home.store.read("SIM-EDGE", "5m")
    holed = bars.take([*range(100), *range(110, 200)])
    options = {"market": "simulated_24_7"}
    facts = {"source": "x", "sha256": "", "imported_at": hub.home.now(), "options": options}
    hub.home.store.append(replace(holed, symbol="SIM-HOLE"), **facts)
    changed = replace(holed.take(slice(0, 3)), symbol="SIM-HOLE")
    higher = replace(changed, high=changed.high + 1.0)
    hub.home.store.append(higher, **facts)
    seen = hub.view_facts("SIM-HOLE", "5m", start=pd.Timestamp(int(bars.time[0]), tz="UTC"))
    assert (seen.bars, seen.missing, seen.gaps, seen.revised) == (190, 10, 1, 3)


def test_exported_bars_say_what_they_are(bars_home):
    hub = Hub.open(bars_home)
    view = market_parts.view_of(hub, "SIM-WALK", "5m", "1d", None)
    table = market_parts.exported(view, True)
    assert list(table.columns[:3]) == ["symbol", "timeframe", "simulated"]
    assert table["simulated"].all()
    assert len(table) == len(view.in_sight)
