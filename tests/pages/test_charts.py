"""Charts: every one builds on nothing, on one row and on plenty; time has no gaps; text is text."""

import json
import re
import time

import numpy as np
import pandas as pd
import plotly.io as pio
import pytest

from pages import _charts as charts
from pages._charts_base import difference_ticks, plain, round_ticks, thin_rows
from pages._charts_marks import BarView, ranges_in
from pages._charts_time import nanoseconds
from pages._evidence import NET_R, POINTS
from pages._theme import TOKENS

HOSTILE = '<a href="https://example.org">x</a><script>alert(1)</script>'
NEW_YORK = ("New York", "America/New_York")


def bars(count: int, *, start="2026-11-16", step="5min", seed=7) -> pd.DataFrame:
    """A week-day market: weekends are left out, as a source would leave them out."""
    draw = np.random.default_rng(seed)
    at = pd.date_range(start, periods=3 * count + 10, freq=step, tz="UTC").as_unit("ns")
    at = at[at.day_of_week < 5][:count]
    close = 4000 + draw.normal(0, 1, count).cumsum().round(2)
    open_ = np.r_[4000.0, close[:-1]][:count]
    return pd.DataFrame(
        {
            "time": at,
            "open": open_,
            "high": np.maximum(open_, close) + 0.5,
            "low": np.minimum(open_, close) - 0.5,
            "close": close,
            "volume": draw.gamma(3, 90, count).round(),
        }
    )


def ranges(frame: pd.DataFrame, *, name="london_0800", side="UP", days=1) -> pd.DataFrame:
    """Opening ranges of 15 minutes at 08:00 UTC of the first days in the frame."""
    rows = []
    for day in pd.unique(frame["time"].dt.normalize())[:days]:
        opens = pd.Timestamp(day) + pd.Timedelta("8h")
        inside = frame[(frame["time"] >= opens) & (frame["time"] < opens + pd.Timedelta("15min"))]
        rows.append(
            {
                "symbol": "SIM-EDGE", "range": name, "date": day, "open_at": opens,
                "available_at": opens + pd.Timedelta("15min"),
                "due_at": opens + pd.Timedelta("8h"), "high": inside["high"].max(),
                "low": inside["low"].min(), "valid": True, "side": side,
                "break_at": opens + pd.Timedelta("30min"), "r_net": 1.98,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def sessions(days: int = 2, name="london") -> pd.DataFrame:
    start = pd.date_range("2026-11-16 08:00", periods=days, freq="D", tz="UTC")
    return pd.DataFrame({"session": name, "start": start, "end": start + pd.Timedelta("8h")})


def patterns(frame: pd.DataFrame, name="hammer") -> pd.DataFrame:
    at = frame["time"].iloc[-min(3, len(frame)) :]
    return pd.DataFrame({"time": at, "name": name, "side": [1, 0, -1][: len(at)]})


def running(count: int) -> pd.DataFrame:
    n = np.arange(1, count + 1)
    band = 0.8 / np.sqrt(n)
    return pd.DataFrame({"n": n, "difference": 0.019, "low": 0.019 - band, "high": 0.019 + band})


def folds(count: int) -> pd.DataFrame:
    at = np.arange(1, count + 1)
    wave = 0.02 * np.sin(at)
    return pd.DataFrame(
        {
            "fold": at, "difference": wave, "low": wave - 0.04, "high": wave + 0.04,
            "pooled": wave / at, "pooled_low": wave / at - 0.02, "pooled_high": wave / at + 0.02,
        }
    )  # fmt: skip


def calibration(count: int, n: int = 120) -> pd.DataFrame:
    said = np.linspace(0.42, 0.7, count)
    return pd.DataFrame({"said": said, "was": said, "low": said - 0.1, "high": said + 0.1, "n": n})


def curve(count: int) -> pd.DataFrame:
    at = pd.date_range("2025-01-01", periods=count, freq="D", tz="UTC")
    return pd.DataFrame({"time": at, "model": np.arange(count) * 0.1, "baseline": 0.0})


def rounds(count: int) -> pd.DataFrame:
    at = np.arange(1, count + 1)
    return pd.DataFrame({"round": at, "train": 0.7 - at * 1e-3, "validation": 0.69})


def inputs(count: int, name="input") -> pd.DataFrame:
    names = [f"{name}{i}" for i in range(count)]
    weight = np.arange(1.0, count + 1)
    return pd.DataFrame(
        {"feature": names, "importance": weight, "low": weight - 0.5, "high": weight + 0.5}
    )


def market(count: int):
    frame = bars(count)
    rsi = charts.Indicator(name="RSI 14", values=frame["close"] * 0 + 50, guides=(30, 70))
    return charts.candle_chart(
        frame,
        symbol="SIM-EDGE",
        ranges=ranges(frame),
        sessions=sessions(),
        lines={"VWAP": frame["close"]},
        patterns=patterns(frame),
        indicator=rsi,
    )


def small(count: int):
    frame = bars(count)
    return charts.range_chart(frame, ranges(frame))


EVERY = {
    "market": market,
    "range": small,
    "calibration": lambda n: charts.calibration_chart(calibration(n)),
    "folds": lambda n: charts.fold_chart(folds(n), total=n, worth=0.02),
    "folds to come": lambda n: charts.fold_chart(folds(n), total=n + 5, worth=0.02),
    "loss": lambda n: charts.loss_chart(rounds(n), kept=1, baseline=0.69),
    "funnel": lambda n: charts.funnel_chart(running(n), worth=0.02, needed=4200),
    "funnel, phone": lambda n: charts.funnel_chart(running(n), worth=0.02, phone=True),
    "e-value": lambda n: charts.e_value_chart(
        pd.DataFrame({"n": np.arange(1, n + 1), "e_value": np.linspace(1, 1.7, n)})
    ),
    "net R": lambda n: charts.net_r_chart(curve(n)),
    "importance": lambda n: charts.importance_chart(inputs(n)),
}


@pytest.mark.parametrize("count", [0, 1, 2, 300])
@pytest.mark.parametrize("name", EVERY)
def test_every_chart_builds_on_nothing_one_row_and_plenty(name, count):
    figure = EVERY[name](count)
    text = figure.to_json()
    assert figure.layout.height >= 70
    assert "//" not in re.sub(r'"bdata":"[^"]*"', "", text)
    assert figure.layout.template.layout.colorway[0] == TOKENS["brand"]
    if count == 0 and name != "folds to come":
        assert not figure.data
        assert figure.layout.annotations[0].text.endswith((".", "30."))


@pytest.mark.parametrize("name", EVERY)
def test_lines_never_grow_markers(name):
    for trace in EVERY[name](10).data:
        if trace.type == "scatter":
            assert trace.mode is not None


def test_charts_leave_their_inputs_alone():
    frame = bars(200)
    marks, before = ranges(frame), frame.copy()
    charts.candle_chart(frame, ranges=marks, sessions=sessions())
    charts.thin_bars(frame, 20)
    pd.testing.assert_frame_equal(frame, before)


def test_the_template_is_the_guides():
    layout = pio.templates["openrange"].layout
    assert layout.paper_bgcolor == "rgba(0,0,0,0)"
    assert layout.hovermode == "x unified"
    assert layout.dragmode == "pan"
    assert layout.separators == ".,"
    assert layout.showlegend is False
    assert charts.STATIC["staticPlot"] is True
    assert charts.INTERACTIVE["displayModeBar"] is False
    assert charts.INTERACTIVE["scrollZoom"] is True


# --- text from data


def texts_of(figure) -> str:
    return json.dumps(figure.to_plotly_json(), default=str)


def test_hostile_names_reach_no_chart_as_markup():
    frame = bars(300)
    marks = ranges(frame, name=HOSTILE)
    figures = [
        charts.candle_chart(
            frame,
            symbol=HOSTILE,
            zone=(HOSTILE, "America/New_York"),
            ranges=marks,
            sessions=sessions(name=HOSTILE),
            lines={HOSTILE: frame["close"]},
            patterns=patterns(frame, HOSTILE),
            indicator=charts.Indicator(name=HOSTILE, values=frame["close"]),
        ),
        charts.range_chart(frame, marks, visible=300),
        charts.importance_chart(inputs(3, HOSTILE), unit=HOSTILE),
        charts.net_r_chart(curve(40), baseline=HOSTILE),
        charts.empty_figure(HOSTILE, 100),
    ]
    for figure in figures:
        text = texts_of(figure)
        assert "<a " not in text
        assert "<script" not in text
        assert "&lt;" in text


def test_plain_escapes_what_plotly_would_read():
    assert plain("<b>&") == "&lt;b&gt;&amp;"


# --- time


def test_bars_stand_side_by_side_over_a_weekend():
    frame = bars(600, start="2026-11-19")
    jump = frame["time"].diff().max()
    assert jump > pd.Timedelta("2D")
    axis = charts.TimeAxis(nanoseconds(frame["time"]))
    assert np.array_equal(axis.edge(frame["time"]), np.arange(600) - 0.5)
    figure = charts.candle_chart(frame)
    (hover,) = [trace for trace in figure.data if trace.customdata is not None]
    assert np.array_equal(hover.x, np.arange(600))
    assert np.array_equal(hover.customdata[:, :4], frame[["open", "high", "low", "close"]])


def test_candles_are_outlines_of_their_prices_hollow_where_they_rose():
    frame = bars(40)
    frame.loc[3, ["open", "close"]] = frame.loc[3, "close"]  # a bar that went nowhere is hollow
    up = (frame["close"] >= frame["open"]).to_numpy()
    figure = charts.candle_chart(frame)
    for mine, fill, edge in ((up, "bg", "up"), (~up, "down", "down")):
        (shape,) = [one for one in figure.layout.shapes if one.fillcolor == TOKENS[fill]]
        assert shape.line.color == TOKENS[edge]
        rows, at = frame[mine], np.flatnonzero(mine)
        top = rows[["open", "close"]].max(axis=1)
        bottom = rows[["open", "close"]].min(axis=1)
        drawn = np.array(re.findall(r"[-\d.]+", shape.path), dtype=np.float64).reshape(-1, 11)
        wicks = np.column_stack([at, rows["high"], top, at, rows["low"], bottom])
        bodies = np.column_stack([at - 0.35, top, at + 0.35, bottom, at - 0.35])
        assert np.allclose(drawn, np.column_stack([wicks, bodies]), rtol=1e-8)
    volume_up, volume_down = [trace for trace in figure.data if trace.yaxis == "y2"]
    for bar, mine in ((volume_up, up), (volume_down, ~up)):
        assert np.allclose(bar.y.reshape(-1, 5)[:, 2], frame["volume"][mine])


def test_a_chart_is_a_few_elements_whatever_its_bars():
    kinds = {len(charts.candle_chart(bars(count)).data) for count in (300, 3000)}
    assert kinds == {3}
    assert {trace.type for trace in charts.candle_chart(bars(300)).data} == {"scatter"}


def test_an_instant_in_a_gap_stands_at_the_gaps_end():
    frame = bars(600, start="2026-11-19")
    axis = charts.TimeAxis(nanoseconds(frame["time"]))
    saturday = pd.Series(pd.to_datetime(["2026-11-21 12:00"], utc=True))
    monday = int(np.flatnonzero(frame["time"].dt.day == 23)[0])
    assert axis.edge(saturday)[0] == monday - 0.5
    assert axis.bar(saturday)[0] == monday - 1


def test_after_the_last_bar_time_goes_on_and_missing_instants_are_no_bar():
    frame = bars(10)
    axis = charts.TimeAxis(nanoseconds(frame["time"]))
    last = frame["time"].iloc[-1]
    later = pd.Series([last + pd.Timedelta("5min"), last + pd.Timedelta("30min")])
    assert axis.edge(later).tolist() == [9.5, 14.5]
    assert axis.bar(
        pd.Series([pd.NaT, last - pd.Timedelta("1D")], dtype=frame["time"].dtype)
    ).tolist() == [-1, -1]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_instants_of_any_resolution_become_nanoseconds(unit):
    at = pd.Series(pd.date_range("2026-11-20", periods=2, freq="h", tz="UTC").as_unit(unit))
    assert np.diff(nanoseconds(at)).tolist() == [3_600_000_000_000]
    assert nanoseconds(np.array([5, 6])).tolist() == [5, 6]


@pytest.mark.parametrize(
    ("step", "count"),
    [("1min", 2000), ("5min", 800), ("15min", 3000), ("1h", 900), ("4h", 700), ("1D", 1500)],
)
@pytest.mark.parametrize(("visible", "most"), [(188, 9), (84, 3)])
def test_ticks_are_few_and_apart_at_every_timeframe(step, count, visible, most):
    axis = charts.TimeAxis(nanoseconds(bars(count, step=step)["time"]), NEW_YORK)
    at, texts = axis.ticks(visible, most)
    seen = [place for place in at if place >= count - visible]
    assert 1 <= len(seen) <= most
    assert len(at) == len(texts)
    assert np.diff(at).min(initial=visible) >= int(visible / most * 0.55)


def test_ticks_carry_two_clocks_across_a_change_of_daylight_saving():
    at = pd.date_range("2026-10-31 22:00", "2026-11-01 12:00", freq="5min", tz="UTC").as_unit("ns")
    axis = charts.TimeAxis(nanoseconds(pd.Series(at)), NEW_YORK)
    _, texts = axis.ticks(len(at), 9)
    clocks = [re.sub("<[^>]+>", " ", text).split() for text in texts]
    pairs = [(words[-2], words[-1]) for words in clocks]
    assert ("04:00", "00:00") in pairs
    assert ("08:00", "03:00") in pairs
    labels = axis.labels()
    assert labels["0"] == "2026-10-31 22:00 UTC · 18:00 New York"
    assert labels[str(len(at) - 1)] == "2026-11-01 12:00 UTC · 07:00 New York"


def test_the_first_date_in_sight_is_said_once():
    at = pd.date_range("2014-06-30 03:45", periods=375, freq="1min", tz="UTC").as_unit("ns")
    axis = charts.TimeAxis(nanoseconds(pd.Series(at)), ("Kolkata", "Asia/Kolkata"))
    for most, place in ((9, 0), (3, 1)):  # where few ticks fit, a date at the edge would be cut
        texts = axis.ticks(375, most)[1]
        assert [i for i, text in enumerate(texts) if "30 Jun" in text] == [place]


def test_ticks_of_daily_bars_are_dates():
    axis = charts.TimeAxis(nanoseconds(bars(400, step="1D")["time"]), NEW_YORK)
    _, texts = axis.ticks(188, 9)
    assert all(re.match(r"[A-Z][a-z]{2}<br>.*20\d\d", text) for text in texts)
    assert axis.labels()["0"] == "2026-11-16"
    figures = charts.candle_chart(bars(400, step="1D")), charts.candle_chart(bars(400))
    named = [any("New York" in n.text for n in f.layout.annotations) for f in figures]
    assert named == [False, True]


# --- thinning


def test_thinning_keeps_extremes_volume_and_ends():
    frame = bars(10_001)
    thin = charts.thin_bars(frame, 3000)
    assert thin.step == 4
    assert len(thin.frame) == 2501
    assert thin.note == "10,001 bars drawn as candles of 4 bars each"
    assert thin.frame["high"].max() == frame["high"].max()
    assert thin.frame["low"].min() == frame["low"].min()
    assert thin.frame["volume"].sum() == pytest.approx(frame["volume"].sum())
    assert thin.frame["close"].iloc[-1] == frame["close"].iloc[-1]
    assert thin.frame["open"].iloc[0] == frame["open"].iloc[0]
    assert thin.frame["time"].tolist() == frame["time"].iloc[::4].tolist()
    assert thin.frame["time"].dtype == frame["time"].dtype


def test_few_bars_are_not_thinned_and_nothing_is_said():
    frame = bars(300)
    thin = charts.thin_bars(frame)
    assert thin.frame is frame
    assert (thin.step, thin.note) == (1, "")
    assert charts.thin_bars(frame.iloc[:0]).frame.empty


def test_a_new_bar_changes_only_the_last_candle():
    frame = bars(100)
    before, after = charts.thin_bars(frame.iloc[:99], 25), charts.thin_bars(frame, 25)
    pd.testing.assert_frame_equal(before.frame.iloc[:-1], after.frame.iloc[: len(before.frame) - 1])


def test_missing_volume_stays_missing_when_candles_are_merged():
    frame = bars(8).assign(volume=[np.nan] * 4 + [1.0, np.nan, 2.0, 3.0])
    volume = charts.thin_bars(frame, 2).frame["volume"]
    assert np.isnan(volume.iloc[0])
    assert volume.iloc[1] == 6.0


def test_fifty_thousand_bars_become_a_light_figure_quickly():
    frame = bars(50_000)
    began = time.perf_counter()
    thin = charts.thin_bars(frame)
    text = charts.candle_chart(thin.frame).to_json()
    assert time.perf_counter() - began < 3
    assert len(thin.frame) <= charts.MOST_BARS
    assert len(text) < 1_000_000


# --- marks


def view_of(figure) -> tuple[float, float]:
    return tuple(figure.layout.xaxis.range)


def outline(figure, fill: str) -> np.ndarray:
    """Left, low, right and high of each box drawn in a colour."""
    (shape,) = [one for one in figure.layout.shapes if one.fillcolor == fill]
    found = re.findall(r"M(\S+?),(\S+?)H(\S+?)V(\S+?)H\S+?Z", shape.path)
    return np.array(found, dtype=np.float64)


def filled(figure) -> set[str]:
    return {one.fillcolor for one in figure.layout.shapes if one.type == "path"}


def test_an_opening_range_is_boxed_where_its_bars_are():
    frame = bars(200)
    marks = ranges(frame)
    figure = charts.candle_chart(frame, ranges=marks)
    (box,) = outline(figure, "rgba(143,166,255,0.27)")
    first = int(np.flatnonzero(frame["time"] == marks["open_at"].iloc[0])[0])
    low, high = marks["low"].iloc[0], marks["high"].iloc[0]
    assert np.allclose(box, [first - 0.5, low, first + 2.5, high], rtol=1e-8)
    (shade,) = outline(figure, "rgba(143,166,255,0.055)")
    due = int(np.flatnonzero(frame["time"] == marks["due_at"].iloc[0])[0])
    assert np.allclose(shade, [first + 2.5, low, due - 0.5, high], rtol=1e-8)
    assert any(note.text == "London 08:00" for note in figure.layout.annotations)


@pytest.mark.parametrize(
    ("side", "symbol", "colour", "level"),
    [
        ("UP", "triangle-up", "up", "high"),
        ("DOWN", "triangle-down", "down", "low"),
        ("AMBIGUOUS", "diamond", "muted", "high"),
    ],
)
def test_a_break_is_marked_at_its_bar_and_level(side, symbol, colour, level):
    frame = bars(200)
    marks = ranges(frame, side=side)
    figure = charts.candle_chart(frame, ranges=marks)
    (mark,) = [t for t in figure.data if t.type == "scatter" and t.marker.symbol == symbol]
    assert mark.marker.color == TOKENS[colour]
    assert frame["time"].iloc[int(mark.x[0])] == marks["break_at"].iloc[0]
    assert mark.y[0] == marks[level].iloc[0]
    assert mark.hovertext[0] == f"London 08:00: break {side}, net R +1.98"


def test_no_break_and_invalid_or_missing_ranges_leave_no_mark():
    frame = bars(200)
    none = ranges(frame).assign(side="NONE", break_at=pd.NaT)
    scatters = charts.candle_chart(frame, ranges=none).select_traces({"type": "scatter"})
    assert "markers" not in {trace.mode for trace in scatters}
    bare = len(charts.candle_chart(frame).data)
    for change in ({"valid": False}, {"high": np.nan}):
        assert len(charts.candle_chart(frame, ranges=ranges(frame).assign(**change)).data) == bare


def test_many_ranges_stay_a_few_traces_and_names_keep_apart():
    frame = bars(2800)
    marks = ranges(frame, days=9)
    figure = charts.candle_chart(frame, ranges=marks, visible=2800)
    assert len(figure.data) < 10
    assert len(figure.layout.shapes) < 10
    names = [n for n in figure.layout.annotations if n.text == "London 08:00"]
    assert 1 <= len(names) <= 6


def test_every_range_of_a_day_is_named_beside_its_own_levels():
    frame = bars(200)
    day = ranges(frame)
    near = [day.assign(range=f"asia_{8 + i:02}00", high=day["high"] + 0.1 * i) for i in range(3)]
    for draw in (charts.candle_chart, charts.range_chart):
        figure = draw(frame, ranges=pd.concat(near, ignore_index=True))
        names = [n for n in figure.layout.annotations if n.text.startswith("Tokyo")]
        assert len({(n.y, n.yanchor) for n in names}) == len(names) >= 2
        levels = {level for part in near for level in part[["high", "low"]].iloc[0]}
        assert {n.y for n in names} <= levels


def test_a_range_before_the_bars_leaves_its_levels_and_no_box():
    frame = bars(200)
    marks = ranges(frame)
    for later, boxes in ((0, 1), (110, 0)):  # the range is known at the 99th bar
        tail = frame.iloc[later:].reset_index(drop=True)
        drawn = charts.candle_chart(tail, ranges=marks).layout.shapes
        assert len([one for one in drawn if one.line.color == TOKENS["brand"]]) == boxes


def test_both_charts_show_the_same_marks():
    frame = bars(140)
    marks = ranges(frame)
    kinds = []
    for figure in (
        charts.candle_chart(frame, ranges=marks),
        charts.range_chart(frame, marks, visible=140),
    ):
        price = [t for t in figure.data if t.yaxis != "y2"]
        kinds.append((filled(figure), {(t.fillcolor, t.marker.symbol) for t in price}))
    assert kinds[0] == kinds[1]


def test_marks_too_narrow_for_the_candles_are_left_out_and_named():
    frame = bars(3000)
    thin = charts.thin_bars(frame, 100).frame
    marks, bands = ranges(frame, days=5), sessions(9)
    figure = charts.candle_chart(thin, ranges=marks, sessions=bands)
    assert len(figure.data) == 3
    assert filled(figure) == {TOKENS["bg"], TOKENS["down"]}
    said = charts.hidden_layers(thin, ranges=marks, sessions=bands)
    assert said == "Not drawn: sessions and opening ranges, too narrow beside candles this wide."
    assert charts.hidden_layers(frame, ranges=marks, sessions=bands) == ""


def test_sessions_that_overlap_take_lanes_of_their_own():
    frame = bars(280)
    both = pd.concat([sessions(1, "london"), sessions(1, "new_york")], ignore_index=True)
    figure = charts.candle_chart(frame, sessions=both)
    heights = {n.text.strip(): n.y for n in figure.layout.annotations if n.yref == "y domain"}
    assert set(heights) == {"London", "New York"}
    assert heights["London"] != heights["New York"]


def test_session_names_neither_touch_nor_leave_their_bands_on_a_phone():
    frame = bars(200)
    both = pd.concat([sessions(1, "london"), sessions(1, "new_york")], ignore_index=True)
    short = sessions(1, "a_name_longer_than_its_band_on_a_phone_by_far")
    figure = charts.candle_chart(frame, sessions=pd.concat([both, short]), phone=True)
    names = sorted(n.y for n in figure.layout.annotations if n.yref == "y domain")
    low, high = figure.layout.yaxis.domain
    assert len(names) == 2
    assert (names[1] - names[0]) * (high - low) * (figure.layout.height - 48) >= 12.5


def test_phones_show_fewer_bars_and_ticks():
    frame = bars(500)
    wide, phone = charts.candle_chart(frame), charts.candle_chart(frame, phone=True)
    seen = [499.5 - view_of(figure)[0] for figure in (wide, phone)]
    assert seen == [188, 84]
    assert phone.layout.height < wide.layout.height
    inside = [t for t in phone.layout.xaxis.tickvals if t > view_of(phone)[0]]
    assert len(inside) <= 3


def test_panes_follow_what_there_is():
    frame = bars(50)
    assert {t.yaxis for t in charts.candle_chart(frame).data} == {None, "y2"}
    for nothing in (np.nan, 0.0):
        silent = charts.candle_chart(frame.assign(volume=nothing))
        assert {t.yaxis for t in silent.data} == {None}
        assert silent.layout.yaxis.domain == (0.0, 1.0)
    full = charts.candle_chart(frame, indicator=charts.Indicator(name="ATR", values=frame["close"]))
    floor = full.layout.yaxis.domain[0]
    assert (
        full.layout.yaxis3.domain[1]
        < full.layout.yaxis2.domain[0]
        < full.layout.yaxis2.domain[1]
        < floor
    )


def test_the_last_price_is_tagged_with_the_digits_it_has():
    frame = bars(60)
    tag = charts.candle_chart(frame).layout.annotations[-1]
    assert tag.text == f"<b>{frame['close'].iloc[-1]:,.2f}</b>"
    assert charts.price_digits([1.08453, 1.08461]) == 5
    assert charts.price_digits([4072.41]) == 2
    assert charts.price_digits([2500.0, 2510.0]) == 0
    assert charts.price_digits([67000.123456]) == 1
    assert charts.price_digits([np.nan]) == 2


def test_a_flat_market_still_has_a_scale():
    frame = bars(5).assign(open=10.0, high=10.0, low=10.0, close=10.0)
    low, high = charts.candle_chart(frame).layout.yaxis.range
    assert low < 10 < high


def test_ranges_outside_the_bars_are_not_in_view():
    frame = bars(30)
    axis = charts.TimeAxis(nanoseconds(frame["time"]))
    later = ranges(bars(200))
    assert ranges_in(axis, later).empty
    assert ranges_in(axis, None) is None
    assert BarView.__dataclass_params__.frozen


# --- evidence


def test_calibration_is_hollow_without_interval_below_thirty():
    frame = pd.concat([calibration(3, 120), calibration(2, 12)], ignore_index=True)
    figure = charts.calibration_chart(frame)
    line, full, hollow = figure.data
    assert line.mode == "lines"
    assert len(full.x) == 3
    assert full.error_y.array is not None
    assert len(hollow.x) == 2
    assert hollow.marker.color == "rgba(0,0,0,0)"
    assert hollow.error_y.array is None
    assert any("n under 30" in n.text for n in figure.layout.annotations)


def test_folds_to_come_are_empty_squares_on_the_baseline():
    figure = charts.fold_chart(folds(7), total=12, worth=0.02)
    (open_,) = [t for t in figure.data if t.marker.symbol == "square-open"]
    assert list(open_.x) == [8, 9, 10, 11, 12]
    assert set(open_.y) == {0}
    assert "<b>baseline</b>" in figure.layout.yaxis.ticktext
    assert "worth having" in figure.layout.yaxis.ticktext
    (done,) = [t for t in figure.data if t.marker.symbol == "square"]
    assert done.error_y.array == pytest.approx(0.04)
    complete = charts.fold_chart(folds(12), total=12, worth=0.02)
    assert not [t for t in complete.data if t.marker.symbol == "square-open" and len(t.x)]


def test_the_funnel_starts_at_thirty_and_says_so():
    early = charts.funnel_chart(running(29), worth=0.02)
    assert not early.data
    assert early.layout.annotations[0].text.startswith("29 of 30 outcomes")
    assert "%" not in early.layout.annotations[0].text
    figure = charts.funnel_chart(running(213), worth=0.02, needed=4200)
    assert min(figure.data[0].x) == 30
    notes = [n.text for n in figure.layout.annotations]
    assert " now: n 213" in notes
    assert any("n 4,200: would tell 4 times in 5" in text for text in notes)
    assert "if +1.9 stays" in notes


def test_the_road_narrows_with_the_root_of_n():
    road = charts.road_ahead(running(100), 400)
    assert road["n"].iloc[[0, -1]].tolist() == pytest.approx([100, 400])
    wide = road["high"] - road["low"]
    assert wide.iloc[-1] / wide.iloc[0] == pytest.approx(0.5)
    assert charts.road_ahead(running(100), 100).empty
    assert charts.road_ahead(running(0), 100).empty


def test_a_given_road_is_drawn_as_it_is():
    road = pd.DataFrame({"n": [213.0, 900.0], "low": [-0.03, 0.0], "high": [0.07, 0.05]})
    figure = charts.funnel_chart(running(213), worth=0.02, road=road)
    assert figure.data[1].x.tolist() == [213, 900, 900, 213]


def test_long_histories_are_thinned_without_losing_their_ends():
    figure = charts.funnel_chart(running(40_000), worth=0.02)
    line = next(t for t in figure.data if t.name == "difference")
    assert len(line.x) <= 800
    assert (line.x[0], line.x[-1]) == (30, 40_000)
    assert thin_rows(5, 10).tolist() == [0, 1, 2, 3, 4]
    assert thin_rows(1000, 10)[[0, -1]].tolist() == [0, 999]


def test_loss_names_its_lines_and_the_round_it_keeps():
    figure = charts.loss_chart(rounds(60), kept=28, baseline=0.6902)
    notes = {n.text.strip() for n in figure.layout.annotations}
    assert {"train", "validation", "baseline", "kept: round 28"} <= notes
    places = sorted(n.y for n in figure.layout.annotations if n.xref == "x domain")
    low, high = figure.layout.yaxis.range
    assert np.diff(places).min() > 0.08 * (high - low)
    alone = charts.loss_chart(rounds(60).assign(validation=np.nan))
    assert "validation" not in {n.text.strip() for n in alone.layout.annotations}


def test_net_r_calls_its_zero_no_trade():
    figure = charts.net_r_chart(curve(200), baseline="every trade")
    assert "<b>no trade</b>" in figure.layout.yaxis.ticktext
    assert {n.text.strip() for n in figure.layout.annotations} == {"model", "every trade"}
    assert len(charts.net_r_chart(curve(200).drop(columns="baseline")).data) == 1


def test_importance_is_ranked_cut_and_skips_what_is_missing():
    frame = inputs(40)
    frame.loc[39, "importance"] = np.nan
    figure = charts.importance_chart(frame, most=10)
    assert figure.data[0].x.tolist() == list(np.arange(30.0, 40.0))
    assert figure.layout.yaxis.ticktext[-1] == "input38"
    long = charts.importance_chart(inputs(1, "a_very_long_name_of_an_input_that_does_not_fit_"))
    assert "…" in long.layout.yaxis.ticktext[0]


def test_the_gate_of_the_e_value_is_always_in_sight():
    frame = pd.DataFrame({"n": [1, 2], "e_value": [1.0, 1.1]})
    figure = charts.e_value_chart(frame)
    assert figure.layout.yaxis.range[1] > np.log10(20)
    assert 20 in figure.layout.yaxis.tickvals


# --- ticks


@pytest.mark.parametrize(("low", "high"), [(-0.08, 0.1), (-3.0, 11.0), (0.001, 0.0017), (-900, 40)])
def test_ticks_are_round_and_inside(low, high):
    ticks = round_ticks(low, high)
    assert 2 <= len(ticks) <= 11
    assert all(low - 1e-12 <= tick <= high + 1e-12 for tick in ticks)
    assert np.ptp(np.diff(ticks)) == pytest.approx(0, abs=1e-9)


def test_the_zero_tick_reads_baseline_and_the_first_carries_the_unit():
    values, texts = difference_ticks(-0.08, 0.1, POINTS)
    assert texts[values.index(0)] == "<b>baseline</b>"
    assert texts[0].endswith(" pp")
    assert texts[0].startswith("−")
    _, figures = difference_ticks(-0.1, 0.2, NET_R, worth=0.05)
    assert "worth having" in figures
    assert round_ticks(1, 1) == [1]
    assert round_ticks(np.nan, 1) == []
