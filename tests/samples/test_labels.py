"""Labels: their grammar, the triple barrier, and the decisions and answers they make."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from pandas.testing import assert_frame_equal

from mlcore.clock import DAY, HOUR, MINUTE, NAT
from mlcore.config import ORB, load_settings
from mlcore.errors import NameRefused, UsageError
from mlcore.samples.decisions import DECISION_COLUMNS, decisions, ewma_sigma
from mlcore.samples.labels import Horizon, Label, label, orb_label, parse_horizon, triple_barrier
from mlcore.schema import Bars
from mlcore.trading.ranges import opening_ranges


@pytest.fixture(scope="module")
def markets(tmp_path_factory):
    return load_settings(tmp_path_factory.mktemp("home")).markets


def at(text):
    return int(pd.Timestamp(text, tz="UTC").as_unit("ns").value)


def walk(seed, *, days=5, start="2026-01-05", width=5 * MINUTE, timeframe="5m", step=0.5):
    rng = np.random.default_rng(seed)
    time = np.arange(at(start), at(start) + days * DAY, width, dtype=np.int64)
    path = 500 + rng.normal(0, step, (len(time), 6)).reshape(-1).cumsum().reshape(-1, 6)
    prices = path[:, 0], path.max(axis=1), path.min(axis=1), path[:, -1]
    return Bars("WALK", timeframe, time, *prices, rng.random(len(time)), time + width)


# names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("orb_direction", Label("orb_direction")),
        ("orb_direction_close", Label("orb_direction", mode="close")),
        ("orb_direction_m30_close", Label("orb_direction", mode="close", minutes=30)),
        ("orb_r_close_k3", Label("orb_r", mode="close", k=3.0)),
        ("orb_quality_f05", Label("orb_quality", stop_fraction=0.5)),
        ("orb_r_m5_close_k1p5_f025",
         Label("orb_r", mode="close", k=1.5, stop_fraction=0.25, minutes=5)),
        ("orb_r_k05", Label("orb_r", k=0.5)),
        ("signal", Label("signal")),
        ("signal_24", Label("signal", horizon="24")),
        ("signal_24h", Label("signal", horizon="24h")),
        ("signal_5d", Label("signal", horizon="5d")),
    ],
)  # fmt: skip
def test_names_and_labels_are_inverse(name, value):
    assert label(name) == value
    assert value.name == name


@settings(max_examples=100, deadline=None)
@given(
    base=st.sampled_from(["orb_quality", "orb_r"]),
    mode=st.sampled_from(["touch", "close"]),
    k=st.integers(1, 1000).map(lambda n: n / 100),
    fraction=st.integers(1, 100).map(lambda n: n / 100),
    minutes=st.integers(1, 240),
)
def test_every_parameter_comes_back(base, mode, k, fraction, minutes):
    made = Label(base, mode=mode, k=k, stop_fraction=fraction, minutes=minutes)
    assert label(made.name) == made


@pytest.mark.parametrize(
    "name",
    ["orb_x", "orb_r_k3_close", "orb_r_touch", "orb_r_k2", "orb_direction_k3", "signal_0",
     "signal_k3", "orb_r_f1p5", "orb_r_f0", "orb_r_k0", "orb_r_24h", "orb_quality_f0p5", "orb_r_"],
)  # fmt: skip
def test_other_names_are_refused(name):
    with pytest.raises(UsageError, match=r"A target is one of orb_direction.*was given") as caught:
        label(name)
    assert caught.value.code == "E_TARGET"


def test_a_refusal_says_what_was_meant():
    with pytest.raises(UsageError, match=r"did you mean orb_direction\?"):
        label("orb_directon")
    with pytest.raises(UsageError, match=r"did you mean orb_quality_f05\?"):
        label("orb_quality_f0p5")
    with pytest.raises(NameRefused, match="A target consists of"):
        label("../orb_r")


def test_what_a_label_is():
    direction, quality, r, signal = map(label, ("orb_direction", "orb_quality", "orb_r", "signal"))
    assert direction.classes == ("UP", "DOWN", "NONE")
    assert signal.classes == ("BUY", "SELL", "HOLD")
    assert (quality.task, r.task, r.classes) == ("classification", "regression", ())
    assert [x.traded for x in (direction, quality, r, signal)] == [False, True, True, True]
    assert [x.sided for x in (direction, quality, r, signal)] == [False, True, True, False]
    assert [x.of_ranges for x in (direction, signal)] == [True, False]


def test_settings_become_a_label_and_back():
    home = ORB(mode="close", k=3, stop_fraction=0.5, minutes=30, coverage=0.9)
    assert orb_label("orb_r", home).name == "orb_r_m30_close_k3_f05"
    assert orb_label("orb_direction", home).name == "orb_direction_m30_close"
    assert orb_label("orb_r", home).orb(ORB(coverage=0.9)) == home
    assert label("orb_r").orb(home) == ORB(coverage=0.9)


def test_horizons():
    assert parse_horizon("12") == Horizon(12, "bars")
    assert parse_horizon("24h") == Horizon(24, "hours")
    assert parse_horizon("5d") == Horizon(5, "days")
    assert label("signal").horizon_for("5m") == Horizon(12, "bars")
    assert label("signal").horizon_for("1d") == Horizon(5, "bars")
    assert label("signal", horizon="24h").name == "signal_24h"
    for text in ("0", "-3", "24m", "", "1.5h"):
        with pytest.raises(UsageError, match="A horizon is a number of bars") as caught:
            parse_horizon(text)
        assert caught.value.code == "E_HORIZON"
    with pytest.raises(UsageError, match="An opening range's horizon is its window"):
        label("orb_r", horizon="5d")


# the triple barrier ---------------------------------------------------------------------------


def test_the_first_touch_decides():
    labels, ends = triple_barrier([100, 105, 111, 80], 0.1, 0.1, 3)
    assert labels[0] == 1
    assert ends[0] == 2
    labels, ends = triple_barrier([100, 105, 89, 120], 0.1, 0.1, 3)
    assert (labels[0], ends[0]) == (-1, 2)


def test_a_touch_by_equality_counts():
    labels, ends = triple_barrier([100, 110, 100], 0.1, 0.1, 2)
    assert (labels[0], ends[0]) == (1, 1)
    labels, ends = triple_barrier([100, 93, 100], 0.07, 0.07, 2)
    assert (labels[0], ends[0]) == (-1, 1)
    assert triple_barrier([100, 109.999, 100], 0.1, 0.1, 2)[0][0] == 0


def test_the_vertical_barrier():
    close = [100, 101, 102, 103]
    assert triple_barrier(close, 0.1, 0.1, 2)[0][:2].tolist() == [0, 0]
    assert triple_barrier(close, 0.1, 0.1, 2, vertical="sign")[0][:2].tolist() == [1, 1]
    assert triple_barrier([100, 101, 99, 100], 0.1, 0.1, 3, vertical="sign")[0][0] == 0
    assert triple_barrier(close, 0.1, 0.1, 2)[1][:2].tolist() == [2, 3]


def test_untouched_and_incomplete_is_missing():
    labels, ends = triple_barrier([100, 100, 100, 120], 0.1, 0.1, 3)
    assert (labels[0], ends[0]) == (1, 3)
    assert labels[2] == 1  # touched, though its horizon is incomplete
    assert np.isnan(labels[3])
    assert ends[3] == -1
    labels, ends = triple_barrier([100, 101, 102], 0.1, 0.1, 5)
    assert np.isnan(labels).all()
    assert (ends == -1).all()


def test_barriers_may_differ_by_bar_and_side():
    labels, _ = triple_barrier([100, 104, 100, 104], [0.05, 0.01, 0.03, 0.01], 0.01, 1)
    assert labels[:3].tolist() == [0, -1, 1]
    labels, _ = triple_barrier([100, 104, 100], [np.nan, 0.01, 0.01], 0.01, 1)
    assert np.isnan(labels[0])


def test_wrong_barriers_are_refused():
    for upper, lower in ((0, 0.1), (0.1, -1), ([0.1, 0.0], 0.1)):
        with pytest.raises(UsageError, match="A barrier is a positive fraction of the close"):
            triple_barrier([100.0, 101.0], upper, lower, 1)
    with pytest.raises(UsageError, match="The horizon is at least 1 bar – 0 was given"):
        triple_barrier([100.0], 0.1, 0.1, 0)
    with pytest.raises(UsageError, match="zero or sign – 'drop' was given"):
        triple_barrier([100.0], 0.1, 0.1, 1, vertical="drop")


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    count=st.integers(0, 80),
    horizon=st.integers(1, 100),
    vertical=st.sampled_from(["zero", "sign"]),
)
def test_the_barrier_equals_its_slow_twin(seed, count, horizon, vertical):
    rng = np.random.default_rng(seed)
    close = 100 + rng.normal(0, 1, count).cumsum()
    upper, lower = rng.uniform(0.005, 0.04, (2, count))
    labels, ends = triple_barrier(close, upper, lower, horizon, vertical=vertical)
    for i in range(count):
        label_, end = np.nan, -1
        for j in range(i + 1, min(i + horizon, count - 1) + 1):
            move = close[j] / close[i] - 1
            if move >= upper[i] or move <= -lower[i]:
                label_, end = (1.0 if move > 0 else -1.0), j
                break
        if end < 0 and i + horizon < count:
            end = i + horizon
            label_ = 0.0 if vertical == "zero" else np.sign(close[end] - close[i])
        assert_array_equal([labels[i], ends[i]], [label_, end])


# opening-range answers ------------------------------------------------------------------------


def test_direction_has_one_row_a_range(markets):
    bars = walk(1)
    table = opening_ranges(bars, markets["crypto"])
    rows = decisions(bars, markets["crypto"], label("orb_direction"))
    assert tuple(rows.columns) == DECISION_COLUMNS
    assert len(rows) == len(table)
    assert rows.item[0] == "utc_0000/2026-01-05"
    assert set(rows.side) == {0}
    index = {"UP": 0.0, "DOWN": 1.0, "NONE": 2.0}
    assert_array_equal(rows.y, [index.get(s, np.nan) for s in table.side])
    done = rows[rows.settled]
    assert (done.decision_at < done.known_at).all()
    assert (done.known_at <= done.due_at).all()
    broken = table.break_at.notna()
    first = table.break_at[broken] + pd.Timedelta(minutes=5)
    assert pd.to_datetime(rows.known_at[broken], utc=True).tolist() == first.tolist()


def test_quality_and_r_have_a_row_for_each_side(markets):
    bars = walk(2, days=40, step=2.0)
    table = opening_ranges(bars, markets["crypto"])
    quality = decisions(bars, markets["crypto"], label("orb_quality"))
    r = decisions(bars, markets["crypto"], label("orb_r"))
    assert len(quality) == len(r) == 2 * len(table)
    assert quality.side.tolist() == [1, -1] * len(table)
    assert quality.range_id.nunique() == len(table)
    for i, row in table.iterrows():
        pair, own = quality.iloc[2 * i : 2 * i + 2], r.iloc[2 * i : 2 * i + 2]
        if row.side in ("UP", "DOWN"):
            mine, other = (0, 1) if row.side == "UP" else (1, 0)
            assert own.y.iloc[mine] == own.r_taken.iloc[mine] == row.r_net
            assert pair.y.iloc[mine] == float(row.r_net > 0)
            assert np.isnan([pair.y.iloc[other], own.y.iloc[other]]).all()
            assert own.r_taken.iloc[other] == own.r_gross.iloc[other] == 0
        elif row.side == "AMBIGUOUS":
            assert (own.y == row.r_net).all()
            assert (pair.y == 0).all()
        else:
            assert own.y.isna().all()
    assert {"UP", "DOWN", "AMBIGUOUS"} <= set(table.side.dropna())


def test_a_break_without_a_trade_has_no_answer(markets):
    """A close beyond the range in the window's last bar: there is no next bar to enter."""
    flat = walk(1, days=1)
    flat.open[:], flat.close[:], flat.high[:], flat.low[:] = 100, 100, 100.5, 99.5
    flat.close[95], flat.high[95] = 103, 103
    for name in ("orb_quality_close", "orb_r_close"):
        rows = decisions(flat, markets["crypto"], label(name))
        first = rows[rows["range"] == "utc_0000"]
        assert first.broke.tolist() == [1, 1]
        assert first.settled.all()
        assert first.y.isna().all()
        assert first.r_taken.tolist() == [0, 0]


def test_open_ranges_have_no_answer(markets):
    bars = walk(3).take(slice(0, 288 + 120))
    rows = decisions(bars, markets["crypto"], label("orb_r"))
    pending = rows[~rows.settled]
    assert pending["range"].tolist() == ["utc_0800", "utc_0800"]
    assert pending[["y", "broke", "r_taken", "r_gross"]].isna().all(axis=None)
    assert (pending.known_at == NAT).all()
    assert pending[["p_up", "stop", "target"]].notna().all(axis=None)


def test_ranges_that_are_not_valid_ask_nothing(markets):
    bars = walk(4)
    gone = bars.time == at("2026-01-06 08:00")
    rows = decisions(bars.take(~gone), markets["crypto"], label("orb_direction"))
    assert "utc_0800/2026-01-06" not in set(rows.item)
    assert "utc_0000/2026-01-06" in set(rows.item)


def test_a_labels_parameters_change_its_trades(markets):
    bars = walk(5, days=10)
    plain = decisions(bars, markets["crypto"], label("orb_r"))
    far = decisions(bars, markets["crypto"], label("orb_r_k3"))
    assert far.y.max() > plain.y.max()
    wide = decisions(bars, markets["crypto"], label("orb_r_m30"), orb=ORB(minutes=5))
    assert (wide.decision_at - plain.decision_at).unique().tolist() == [15 * MINUTE]


# signal ---------------------------------------------------------------------------------------


def test_sigma_is_pandas_ewma_and_needs_its_span():
    close = walk(6).close
    sigma = ewma_sigma(close)
    expected = pd.Series(np.log(close)).diff().ewm(span=100).std()
    assert np.isnan(sigma[:100]).all()
    np.testing.assert_allclose(sigma[100:], expected[100:])
    assert np.isnan(ewma_sigma(np.full(300, 5.0))).all()


def test_signal_rows_clocks_and_classes(markets):
    bars = walk(7)
    rows = decisions(bars, markets["crypto"], label("signal"))
    assert len(rows) == len(bars) - 100
    assert rows.item[0] == "2026-01-05T08:20:00Z"
    assert (rows.decision_at - bars.time[100:] == 5 * MINUTE).all()
    assert (rows.due_at - rows.decision_at == 12 * 5 * MINUTE).all()
    assert rows.settled.sum() == len(rows) - 12
    assert rows.y[rows.settled].notna().all()
    assert rows.y[~rows.settled].isna().all()
    width = ewma_sigma(bars.close)[100:] * np.sqrt(12)
    labels, ends = triple_barrier(bars.close, np.r_[np.full(100, np.nan), width],
                                  np.r_[np.full(100, np.nan), width], 12)  # fmt: skip
    done = rows.settled.to_numpy()
    names = np.array(["HOLD", "BUY", "SELL"])[labels[100:][done].astype(int)]
    assert [label("signal").classes[int(y)] for y in rows.y[done]] == names.tolist()
    held = labels[100:][done] == 0
    known = np.where(held, rows.due_at[done], bars.end[ends[100:][done]])
    assert_array_equal(rows.known_at[done], known)


def test_a_signals_trade_enters_at_the_next_open(markets):
    bars = walk(8)
    rows = decisions(bars, markets["crypto"], label("signal"))
    cost = markets["crypto"].cost.bp * 1e-4
    for i in (0, 57, 300):
        bar, row = 100 + i, rows.iloc[i]
        entry, stop = bars.open[bar + 1], row.distance
        moves = (bars.close[bar + 1 : bar + 13] - entry) / stop
        hit = np.flatnonzero(np.abs(moves) >= 1)
        last = hit[0] if len(hit) else 11
        assert row.r_buy_gross == pytest.approx(moves[last])
        assert row.r_buy == pytest.approx(moves[last] - cost * entry / stop)
        assert row.r_sell == pytest.approx(-moves[last] - cost * entry / stop)
        assert row.exit_at == bars.end[bar + 1 + last]


def test_a_signals_answer_waits_for_its_horizon(markets):
    bars = walk(9)
    whole = decisions(bars, markets["crypto"], label("signal"))
    cut = decisions(bars.take(slice(0, 900)), markets["crypto"], label("signal"))
    settled = cut[cut.settled]
    assert_frame_equal(settled, whole.iloc[: len(settled)])
    moved = walk(9)
    moved.close[900:] *= 1.5
    again = decisions(moved, markets["crypto"], label("signal"))
    assert_frame_equal(again.iloc[: len(settled)], whole.iloc[: len(settled)])


def test_elapsed_hours_and_trading_days(markets):
    bars = walk(10, days=18, width=15 * MINUTE, timeframe="15m")
    is_shut = (trading_week := (bars.time // DAY - 4) % 7) >= 5
    bars = bars.take(~is_shut)
    hours = decisions(bars, markets["gold"], label("signal_24h"))
    assert (hours.due_at - hours.decision_at == 24 * HOUR).all()
    last = bars.end[-1]
    assert_array_equal(hours.settled, hours.due_at <= last)
    days = decisions(bars, markets["gold"], label("signal_5d"))
    first = days.iloc[0]
    assert pd.Timestamp(first.decision_at, tz="UTC") == pd.Timestamp("2026-01-06 01:15", tz="UTC")
    assert pd.Timestamp(first.due_at, tz="UTC") == pd.Timestamp("2026-01-13 22:00", tz="UTC")
    assert set(trading_week) == set(range(7))


def test_daily_signals_are_due_at_the_close_of_a_later_day(markets):
    days = pd.bdate_range("2025-06-02", "2025-11-26")
    path = 100 * np.exp(np.random.default_rng(0).normal(0, 0.01, len(days)).cumsum())
    start = days.tz_localize("America/New_York") + pd.Timedelta(hours=9.5)
    time = start.tz_convert("UTC").as_unit("ns").asi8
    bars = Bars("SPY", "1d", time, path, path, path, path, path, time + 6 * HOUR)
    rows = decisions(bars, markets["us_equity"], label("signal"))
    assert rows.settled.sum() == len(rows) - 5
    due = pd.to_datetime(rows.due_at, utc=True).dt.strftime("%m-%d %H:%M").tolist()
    # Thanksgiving is shut, the Friday after closes at 13:00.
    assert due[-6:] == ["11-26 21:00", "11-28 18:00", "12-01 21:00", "12-02 21:00",
                        "12-03 21:00", "12-04 21:00"]  # fmt: skip


def test_open_signals_are_due_when_the_coming_bars_will_end(markets):
    """Gold rests from 17:00 to 18:00 New York; the calendar does not say so, last week does."""
    bars = walk(11, days=9)
    rest = (bars.time % DAY >= 22 * HOUR) & (bars.time % DAY < 23 * HOUR)
    bars = bars.take(~rest)
    now = at("2026-01-13 21:30")
    rows = decisions(bars, markets["gold"], label("signal"), now=now)
    assert pd.Timestamp(rows.due_at.iloc[-1], tz="UTC") == pd.Timestamp(
        "2026-01-13 23:30", tz="UTC"
    )
    later = decisions(bars, markets["gold"], label("signal"))
    assert_array_equal(rows.due_at, later.due_at[: len(rows)])


def test_a_market_of_one_bar_a_day_still_has_a_due_time(markets):
    bars = walk(13, days=150)
    bars = bars.take(bars.time % DAY == 8 * HOUR)
    rows = decisions(bars, markets["crypto"], label("signal_40"))
    assert (rows.due_at - rows.decision_at == 40 * DAY).all()


def test_since_is_the_tail_of_the_whole(markets):
    bars = walk(12)
    since = int(bars.time[1000])
    for name in ("signal", "orb_r", "signal_24h"):
        whole = decisions(bars, markets["crypto"], label(name))
        opened = whole.decision_at - (15 * MINUTE if name == "orb_r" else 0)
        tail = whole[opened >= since].reset_index(drop=True)
        assert len(tail) > 3
        assert_frame_equal(decisions(bars, markets["crypto"], label(name), since=since), tail)


def test_no_bars_no_rows(markets):
    empty = walk(1).take(slice(0, 0))
    for name in ("signal", "signal_24h", "orb_r", "orb_direction"):
        rows = decisions(empty, markets["gold"], label(name))
        assert len(rows) == 0
        assert tuple(rows.columns)[: len(DECISION_COLUMNS)] == DECISION_COLUMNS
