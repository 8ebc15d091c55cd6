"""The Quality panel: verdict first, every check with its rule, coverage, export, deletion."""

import io
import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import streamlit as st

from mlcore.clock import DAY, fixed_clock
from mlcore.config import load_settings
from mlcore.errors import BarsError
from mlcore.hub import Hub
from mlcore.market.demo import simulate
from pages import _bars_acts as acts
from pages import _charts_quality as charts
from pages import _quality_parts as quality
from tests.pages.conftest import OPEN, text_of


@pytest.fixture
def holed(tmp_path):
    """A home whose SIM-EDGE misses a day and a half; its clock stands at OPEN."""
    hub = Hub(load_settings(tmp_path), fixed_clock(OPEN))
    stop = OPEN.floor("5min").value
    bars = simulate("SIM-EDGE", seed=7, start=stop - 40 * DAY, end=stop)
    keep = np.ones(len(bars), dtype=bool)
    keep[4000:4432] = False
    hub.home.store.append(bars.take(keep), source="simulated", sha256="", imported_at=stop,
                          options={"market": "simulated_24_7"})  # fmt: skip
    return hub


@pytest.fixture
def shown(run_page, holed, at_clock):
    at_clock(holed.settings.home, OPEN)
    return run_page("data", holed.settings.home)


def test_an_empty_home_has_no_quality(run_page, tmp_path):
    text = text_of(run_page("data", tmp_path))
    assert "No bars yet" in text
    assert "or-fitness" not in text


def test_the_verdict_comes_first_then_why(shown, holed):
    text = text_of(shown)
    told = holed.quality("SIM-EDGE", "5m")
    assert f"<h2>{told.words}.</h2>" in text
    assert text.index("or-fitness") < text.index("What they can be used for")
    assert text.index("What they can be used for") < text.index("Longest gaps")
    assert text.count("<summary>") == len(told.report.checks) == 15
    assert "432" in text
    assert "labelled rows on" in text


def test_every_check_has_its_rule_and_its_state_in_words(holed):
    html = quality.checks_table(holed.quality("SIM-EDGE", "5m"))
    assert html.count("<details") == 15
    assert "ADF with constant" in html
    assert html.count('aria-hidden="true"') == 15  # the sign repeats the word
    assert "</i>look</span>" in html
    assert "</i>ok</span>" in html


def test_texts_are_escaped(holed):
    told = holed.quality("SIM-EDGE", "5m")
    evil = SimpleNamespace(words="<img src=x>", market="<b>", report=told.report, uses=told.uses)
    assert "<img" not in quality.verdict(evil)
    assert "&lt;img" in quality.verdict(evil)


def test_the_worst_places_name_their_check_gravest_first(holed):
    frame = quality.findings_frame(holed.quality("SIM-EDGE", "5m"))
    assert list(frame.columns) == ["Check", "State", "From, UTC", "To, UTC", "What"]
    gap = frame[frame["Check"] == "Gaps"].iloc[0]
    assert gap["What"] == "432 bars"
    start = pd.Timestamp(gap["From, UTC"])
    assert pd.Timestamp(gap["To, UTC"]) - start == pd.Timedelta(hours=36)
    assert frame["State"].tolist() == sorted(frame["State"], key=["bad", "look", "ok"].index)


def test_the_csv_carries_the_rules(holed):
    frame = quality.checks_frame(holed.quality("SIM-EDGE", "5m"))
    assert len(frame) == 15
    assert frame["Rule"].str.len().min() > 40
    back = pd.read_csv(io.StringIO(frame.to_csv(index=False)))
    assert back["Share"].iloc[0] == pytest.approx(frame["Share"].iloc[0])


def test_an_error_is_said_and_the_rest_of_the_page_stands(run_page, bars_home, monkeypatch):
    def refuse(self, symbol, timeframe):
        raise BarsError("A file is whole – one is not – restore it.", code="E_TEST")

    st.cache_resource.clear()
    monkeypatch.setattr(Hub, "quality", refuse)
    text = text_of(run_page("data", bars_home))
    assert "E_TEST" in text
    assert "Symbols with bars" in text
    assert "Imports" in text


def days(first, count, step="D", present=10):
    day = pd.date_range(first, periods=count, freq=step).as_unit("s")
    return pd.DataFrame({"day": day, "expected": 10, "present": present})


def test_a_year_is_drawn_by_week_and_weekday():
    frame = days("2026-01-05", 300)
    frame.loc[8, "present"] = 0  # Tuesday of the second week
    frame.loc[9, "present"] = 8
    figure = charts.coverage_chart(frame)
    z = np.array(figure.data[0].z, dtype=float)
    assert z.shape == (7, 43)
    assert (z[1, 1], z[2, 1], z[0, 0]) == (0, 2, 5)
    assert list(figure.layout.yaxis.ticktext)[:2] == ["Mon", "Tue"]
    assert list(figure.data[0].colorbar.ticktext) == list(charts.BINS)
    assert "2026" in figure.layout.xaxis.ticktext[0]


def test_working_days_have_five_rows():
    figure = charts.coverage_chart(days("2026-01-05", 100, step="B"))
    assert np.array(figure.data[0].z).shape[0] == 5


def test_long_spans_are_drawn_by_year_and_month():
    frame = days("1990-03-01", 30 * 365)
    frame.loc[frame["day"].dt.strftime("%Y-%m") == "1995-06", "present"] = 4
    figure = charts.coverage_chart(frame)
    z = np.array(figure.data[0].z, dtype=float)
    assert z.shape == (31, 12)
    assert np.isnan(z[0, 0])  # nothing is expected before the first bar
    assert z[5, 5] == 1
    assert len(figure.layout.yaxis.ticktext) <= 12


def test_the_colours_rise_evenly_in_brightness():
    from pages._charts_quality import _HUES

    def bright(code):
        parts = [int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    levels = [bright(code) for code in _HUES]
    assert levels == sorted(levels, reverse=True)
    assert all(a / b > 1.2 for a, b in itertools.pairwise(levels))


def test_the_words_beside_the_chart_count_days():
    frame = days("2026-01-05", 10)
    frame.loc[3, "present"] = 0
    frame.loc[4, "present"] = 3
    assert charts.coverage_words(frame) == (
        "10 expected days from 05 Jan 2026 to 14 Jan 2026: 8 with every bar, 1 with some missing, "
        "1 without any."
    )
    assert "No day is expected" in charts.coverage_words(frame.iloc[:0])


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_bars_are_carried_out_as_a_file(holed, at_clock, ending):
    at_clock(holed.settings.home, OPEN)
    data = io.BytesIO(acts._written("SIM-EDGE", "5m", ending))
    frame = pd.read_parquet(data) if ending == "parquet" else pd.read_csv(data)
    assert len(frame) == holed.home.store.last("SIM-EDGE", "5m")[0]


def test_bars_are_deleted_only_with_a_reason_and_the_symbols_name(shown, holed):
    at = shown.button(key="delete_bars").click().run()
    assert at.button(key="do_delete_bars").disabled
    at.text_input(key="delete_reason").input("wrong broker").run()
    assert at.button(key="do_delete_bars").disabled
    at.text_input(key="delete_name").input("SIM-EDG").run()
    assert at.button(key="do_delete_bars").disabled
    assert "bars of SIM-EDGE 5m go" in text_of(at)
    at.text_input(key="delete_name").input("SIM-EDGE").run()
    at.button(key="do_delete_bars").click().run()
    assert "No bars yet" in text_of(at)
    assert Hub.open(holed.settings.home).symbols().empty


def test_restated_bars_are_listed_with_both_values(run_page, holed, at_clock):
    bars = holed.home.store.read("SIM-EDGE", "5m").take(slice(50, 53))
    low = np.nextafter(bars.low, bars.high)
    holed.home.store.append(
        replace(bars, close=bars.low, open=low), source="again.csv", sha256="",
        imported_at=OPEN.value, options={"market": "simulated_24_7"},
    )  # fmt: skip
    at_clock(holed.settings.home, OPEN)
    at = run_page("data", holed.settings.home)
    assert "Revisions of SIM-EDGE 5m" in text_of(at)
    assert "0 of 3 restated bars have logged calls that lean on them" in text_of(at)
    told = next(shown.value for shown in at.dataframe if "Close before" in shown.value)
    assert told["Close after"].tolist() == bars.low[::-1].tolist()
    assert told["Close before"].tolist() == bars.close[::-1].tolist()
    assert set(told["Source"]) == {"again.csv"}
