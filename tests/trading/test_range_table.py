"""The table of opening ranges: against a slow twin, its edges, its clocks, the live calls."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from mlcore.clock import DAY, HOUR, MINUTE, instants
from mlcore.config import ORB, OpeningRange
from mlcore.errors import SessionError, UsageError
from mlcore.schema import Bars
from mlcore.trading.ranges import SESSION_COLUMNS, opening_ranges, range_length
from tests.trading.slow_reference import slow_ranges

STAMPS = ("open_at", "available_at", "due_at", "break_at", "exit_at", "known_at")
NUMBERS = ("high", "low", "close", "entry", "stop", "target", "exit", "r_gross", "r_net", "mfe",
           "mae")  # fmt: skip


def at(text):
    return int(pd.Timestamp(text, tz="UTC").as_unit("ns").value)


def flat_bars(first, last, *, width=5 * MINUTE, timeframe="5m", symbol="FLAT"):
    """A gentle, certain path: every bar a little wider than the one before."""
    time = np.arange(at(first), at(last), width, dtype=np.int64)
    wave = 100 + np.sin(np.arange(len(time)) / 7.0)
    arrays = wave, wave + 0.4, wave - 0.4, wave + 0.1, np.full(len(time), np.nan)
    return Bars(symbol, timeframe, time, *arrays, time + width)


def test_columns_are_the_published_ones(random_bars, markets):
    table = opening_ranges(random_bars(1, days=2), markets["gold"])
    assert tuple(table.columns) == (*SESSION_COLUMNS, "trading_day", "status", "flagged")
    assert {str(table[c].dtype) for c in STAMPS} == {"datetime64[ns, UTC]"}
    assert {str(table[c].dtype) for c in NUMBERS} == {"float64"}


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 2**32 - 1),
    mode=st.sampled_from(["touch", "close"]),
    k=st.sampled_from([0.5, 2.0, 3.0]),
    fraction=st.sampled_from([0.25, 0.5, 1.0]),
    minutes=st.sampled_from([5, 15, 30]),
    market=st.sampled_from(["gold", "crypto", "nse"]),
    step=st.sampled_from([0.2, 0.8]),
)
def test_every_trade_equals_the_slow_twin(
    random_bars, markets, seed, mode, k, fraction, minutes, market, step
):
    orb = ORB(mode=mode, k=k, stop_fraction=fraction, minutes=minutes)
    bars = random_bars(seed, days=4, start="2026-03-06", step=step)
    table = opening_ranges(bars, markets[market], orb)
    expected = slow_ranges(bars, markets[market], orb)
    assert len(table) == len(expected) > 3
    for column in STAMPS:
        slow = [pd.Timestamp(r[column], tz="UTC") if r[column] else pd.NaT for r in expected]
        assert instants(table[column]).tolist() == instants(pd.DatetimeIndex(slow)).tolist()
    for column in NUMBERS:
        np.testing.assert_allclose(table[column], [r[column] for r in expected], atol=1e-9)
    for column in ("range", "side", "exit_reason", "valid", "bars", "flagged"):
        values = table[column].astype(object).where(table[column].notna(), None)
        assert values.tolist() == [r[column] for r in expected], column
    assert table["date"].astype(str).tolist() == [r["date"] for r in expected]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 2**32 - 1), cut=st.integers(400, 1600))
def test_what_comes_after_due_at_changes_nothing(random_bars, markets, seed, cut):
    bars = random_bars(seed, days=6)
    before = opening_ranges(bars, markets["gold"])
    rng = np.random.default_rng(seed)
    later = np.arange(len(bars)) >= cut
    noise = np.where(later, rng.normal(0, 50, len(bars)), 0.0)
    moved = Bars(bars.symbol, bars.timeframe, bars.time, *(getattr(bars, c) + noise for c in
                 ("open", "high", "low", "close")), bars.volume, bars.available_at)  # fmt: skip
    due = instants(before["due_at"]) <= bars.time[cut]
    assert due.any()
    assert not due.all()
    assert_frame_equal(opening_ranges(moved, markets["gold"])[due], before[due])
    assert_frame_equal(opening_ranges(bars.take(slice(0, cut)), markets["gold"])
                       .query("status == 'done'").reset_index(drop=True),
                       before[instants(before["due_at"]) <= bars.end[cut - 1]]
                       .reset_index(drop=True))  # fmt: skip


def test_a_pending_range_has_no_outcome_even_if_it_has_ended(markets):
    bars = flat_bars("2026-01-05 00:00", "2026-01-05 12:00")
    table = opening_ranges(bars, markets["crypto"]).set_index("range")
    assert table.status.to_dict() == {"utc_0000": "done", "utc_0800": "pending"}
    pending = table.loc["utc_0800"]
    assert pending.valid
    assert pending.high > pending.low
    assert pending[["side", "break_at", "exit_at", "known_at", "r_net", "mfe"]].isna().all()


def test_a_range_is_listed_once_its_end_is_inside_the_data(markets):
    short = flat_bars("2026-01-05 00:00", "2026-01-05 08:10")
    assert opening_ranges(short, markets["crypto"])["range"].tolist() == ["utc_0000"]
    longer = flat_bars("2026-01-05 00:00", "2026-01-05 08:15")
    assert opening_ranges(longer, markets["crypto"])["range"].tolist() == ["utc_0000", "utc_0800"]


def test_a_date_without_a_bar_inside_the_range_is_not_listed(markets):
    bars = flat_bars("2026-01-05 00:00", "2026-01-07 00:00")
    gap = (bars.time >= at("2026-01-06 08:00")) & (bars.time < at("2026-01-06 08:15"))
    table = opening_ranges(bars.take(~gap), markets["crypto"])
    listed = table.loc[table["range"] == "utc_0800", "date"].astype(str)
    assert listed.tolist() == ["2026-01-05"]


def test_now_hides_what_could_not_be_read(random_bars, markets):
    bars = random_bars(3, days=4)
    now = int(bars.time[700]) + 2 * MINUTE
    table = opening_ranges(bars, markets["gold"], now=now)
    assert_frame_equal(table, opening_ranges(bars.take(bars.end <= now), markets["gold"], now=now))
    assert (instants(table["available_at"]) <= now).all()


def test_a_window_is_over_when_the_calendar_says_shut(markets):
    """Globex closes at 12:00 Chicago on Thanksgiving, four hours before New York's window ends."""
    market = markets["index_futures"]
    bars = flat_bars("2025-11-26 00:00", "2025-11-27 18:00")

    def status(now):
        table = opening_ranges(bars, market, now=now)
        one = (table["range"] == "new_york_0930") & (table["date"] == "2025-11-27")
        return table[one].status.item()

    assert status(at("2025-11-27 18:00")) == "pending"
    assert status(at("2025-11-27 20:59")) == "pending"
    assert status(at("2025-11-27 21:00")) == "done"
    late = opening_ranges(bars.take(slice(0, -6)), market, now=at("2025-11-27 21:30"))
    assert late.status.iloc[-1] == "pending"


def test_shut_time_ends_when_the_market_opens_again(markets):
    """A window over the evening: the bars since the reopening may still arrive."""
    evening = OpeningRange(name="evening", zone="UTC", open="17:00", window_end="02:00")
    bars = flat_bars("2025-11-26 00:00", "2025-11-27 18:00")
    table = opening_ranges(bars, markets["index_futures"], ranges=[evening],
                           now=at("2025-11-28 03:00"))  # fmt: skip
    assert table.status.tolist() == ["done", "pending"]


def test_since_is_the_tail_of_the_whole(random_bars, markets):
    bars = random_bars(4, days=8)
    since = int(bars.time[1500])
    whole = opening_ranges(bars, markets["gold"])
    tail = whole[instants(whole["open_at"]) >= since].reset_index(drop=True)
    assert len(tail) > 5
    assert_frame_equal(opening_ranges(bars, markets["gold"], since=since), tail)


def test_ranges_can_be_chosen(random_bars, markets):
    bars = random_bars(5, days=3)
    table = opening_ranges(bars, markets["gold"], ranges=["london_0800"])
    assert set(table["range"]) == {"london_0800"}
    own = OpeningRange(name="frankfurt", zone="Europe/Berlin", open="09:00", window_end="17:30")
    table = opening_ranges(bars, markets["gold"], ranges=[own])
    assert table.open_at.dt.tz_convert("Europe/Berlin").dt.hour.unique().tolist() == [9]
    with pytest.raises(UsageError, match=r"A range is one of asia_0800.*'paris' was given"):
        opening_ranges(bars, markets["gold"], ranges=["paris"])


def test_a_window_may_cross_midnight(markets):
    night = OpeningRange(name="night", zone="UTC", open="22:00", window_end="06:00")
    bars = flat_bars("2026-01-05 00:00", "2026-01-07 00:00")
    row = opening_ranges(bars, markets["crypto"], ranges=[night]).iloc[0]
    assert row.due_at == pd.Timestamp("2026-01-06 06:00", tz="UTC")


def test_a_range_on_a_skipped_hour_is_refused(markets):
    odd = OpeningRange(name="odd", zone="America/New_York", open="02:30", window_end="16:00")
    bars = flat_bars("2026-03-06 00:00", "2026-03-10 00:00")
    with pytest.raises(SessionError, match="2026-03-08 02:30 America/New_York is skipped"):
        opening_ranges(bars, markets["gold"], ranges=[odd])


def test_openings_follow_each_citys_clock_when_they_disagree(markets):
    """New York changes on 8 March, London on 29 March 2026."""
    bars = flat_bars("2026-03-04 00:00", "2026-04-02 00:00")
    table = opening_ranges(bars, markets["gold"]).set_index(["range", "date"])

    def hour(name, date):
        return table.loc[(name, pd.Timestamp(date)), "open_at"].strftime("%H:%M")

    assert [hour("london_0800", d) for d in ("2026-03-05", "2026-03-12", "2026-03-31")] == [
        "08:00", "08:00", "07:00"]  # fmt: skip
    assert [hour("new_york_0930", d) for d in ("2026-03-05", "2026-03-12", "2026-03-31")] == [
        "14:30", "13:30", "13:30"]  # fmt: skip
    assert hour("asia_0900", "2026-03-12") == hour("asia_0900", "2026-03-31") == "00:00"


def test_gold_before_tokyo_belongs_to_the_next_trading_day(markets):
    bars = flat_bars("2026-01-04 22:00", "2026-01-06 00:00")
    table = opening_ranges(bars, markets["gold"]).set_index("range")
    first = table.loc["asia_0800"].iloc[0]
    assert first.open_at == pd.Timestamp("2026-01-04 23:00", tz="UTC")
    assert str(first.date.date()) == str(first.trading_day.date()) == "2026-01-05"


def test_a_half_day_ends_the_window_of_us_equities(markets):
    bars = flat_bars("2025-11-26 14:30", "2025-11-28 21:00", symbol="SPY")
    hours = (bars.time % DAY >= 14.5 * HOUR) & (bars.time % DAY < 21 * HOUR)
    half = bars.time < at("2025-11-28 18:00")
    table = opening_ranges(bars.take(hours & half), markets["us_equity"])
    due = table.set_index(["range", "date"])["due_at"].dt.strftime("%H:%M")
    assert due["new_york_0930"].tolist()[0] == "21:00"
    assert due[("new_york_0930", pd.Timestamp("2025-11-28"))] == "18:00"
    assert due[("new_york_1000", pd.Timestamp("2025-11-28"))] == "18:00"
    last = table.iloc[-1]
    assert last.status == "done"
    late = last[["exit_at", "known_at"]].dropna()
    assert (late <= pd.Timestamp("2025-11-28 18:00", tz="UTC")).all()


def test_nse_opens_a_quarter_past_nine(markets):
    bars = flat_bars("2026-01-05 03:45", "2026-01-05 10:00", symbol="NIFTY", width=15 * MINUTE,
                     timeframe="15m")  # fmt: skip
    row = opening_ranges(bars, markets["nse"]).iloc[0]
    assert (row["range"], row.bars, row.status) == ("nse_0915", 1, "done")
    assert row.open_at == pd.Timestamp("2026-01-05 03:45", tz="UTC")
    assert row.due_at == pd.Timestamp("2026-01-05 10:00", tz="UTC")


def test_longer_bars_make_ranges_of_one_bar(markets):
    bars = flat_bars("2026-01-05", "2026-01-06", width=HOUR, timeframe="1h")
    assert range_length(bars, ORB()) == HOUR
    assert range_length(flat_bars("2026-01-05", "2026-01-06"), ORB(minutes=12)) == 15 * MINUTE
    table = opening_ranges(bars, markets["gold"]).set_index("range")
    assert table.loc["london_0800"].valid
    assert table.loc["london_0800"].bars == 1
    assert not table.loc["new_york_0930"].valid


def test_daily_bars_have_no_opening_range(markets):
    bars = flat_bars("2026-01-05", "2026-01-20", width=DAY, timeframe="1d")
    with pytest.raises(UsageError, match="need bars shorter than their windows"):
        opening_ranges(bars, markets["gold"])


def test_no_bars_no_ranges(markets):
    empty = flat_bars("2026-01-05", "2026-01-05")
    table = opening_ranges(empty, markets["gold"])
    assert len(table) == 0
    assert tuple(table.columns)[: len(SESSION_COLUMNS)] == SESSION_COLUMNS
