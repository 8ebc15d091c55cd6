"""Coarser bars against pandas: clocks that change, half-days, markets with their own days."""

from dataclasses import replace
from datetime import time as wall

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.clock import DAY, HOUR, MINUTE
from mlcore.config import load_settings
from mlcore.errors import BarsError, UsageError
from mlcore.market.bars import BarStore
from mlcore.market.resampling import resample
from mlcore.market.sessions import bar_ends, calendar_spans
from mlcore.market.sources import load
from mlcore.schema import Bars
from mlcore.store import HubDB, Lake

MARKETS = load_settings().markets
COLUMNS = ("open", "high", "low", "close", "volume")
SUMMARY = {"open": "first", "high": "max", "low": "min", "close": "last", "available_at": "max"}


def at(text):
    return int(pd.Timestamp(text, tz="UTC").value)


def walk(time, *, timeframe="5m", seed=1, width=5 * MINUTE):
    rng = np.random.default_rng(seed)
    close = 100 + np.cumsum(rng.normal(0, 0.1, len(time)))
    volume = np.where(rng.random(len(time)) < 0.1, np.nan, rng.integers(1, 99, len(time)))
    return Bars(
        "X", timeframe, np.asarray(time, dtype=np.int64), close - 0.01, close + 0.2, close - 0.3,
        close, volume, np.asarray(time, dtype=np.int64) + width,
    )  # fmt: skip


def grid(first, last, zone, opens, closes, *, step="5min", days=range(7)):
    """Starts of bars inside `[opens, closes)` on the clocks of `zone`."""
    index = pd.date_range(first, last, freq=step, tz="UTC", inclusive="left").as_unit("ns")
    local = index.tz_convert(zone)
    clock = np.array([t for t in local.time])
    keep = (clock >= opens) & (clock < closes) & np.isin(local.day_of_week, list(days))
    return index[keep].asi8


def summed(frame, keys):
    """The slow oracle: one group at a time, volume NaN where all are."""
    groups = frame.groupby(keys, sort=True)
    made = groups.agg(SUMMARY | {"time": "first"})
    made["volume"] = groups["volume"].sum(min_count=1)
    return made


def check(ours, oracle):
    assert len(ours) == len(oracle)
    for name in COLUMNS:
        np.testing.assert_allclose(getattr(ours, name), oracle[name].to_numpy(), rtol=1e-12)


@pytest.mark.parametrize("timeframe", ["15m", "30m", "1h"])
def test_below_four_hours_bars_are_those_of_pandas(timeframe):
    time = np.arange(at("2026-03-06"), at("2026-03-10"), 5 * MINUTE)
    rng = np.random.default_rng(3)
    bars = walk(time[np.sort(rng.choice(len(time), 900, replace=False))])
    made = resample(bars, timeframe, MARKETS["crypto"])
    rule = pd.Timedelta(timeframe.replace("m", "min"))
    oracle = summed(bars.frame(), bars.frame()["time"].dt.floor(rule))
    oracle = oracle.loc[pd.to_datetime(made.bars.time, utc=True)]
    check(made.bars, oracle)
    late = np.maximum(made.bars.end, oracle["available_at"].astype("int64"))
    assert (made.bars.available_at == late).all()
    assert made.coverage == pytest.approx(made.parts * 5 * MINUTE / made.bars.width)


def test_gold_days_roll_in_new_york_in_the_weeks_when_clocks_change():
    every = np.arange(at("2026-03-01T23:00"), at("2026-03-20T21:00"), 5 * MINUTE)
    local = pd.to_datetime(every, utc=True).tz_convert("America/New_York")
    shut = (local.day_of_week == 5) | ((local.day_of_week == 4) & (local.hour >= 17))
    shut |= (local.day_of_week == 6) & (local.hour < 18) | (local.hour == 17)
    bars = walk(every[~shut])
    made = resample(bars, "1d", MARKETS["gold"], begins=at("2026-03-01T22:00")).bars
    local = bars.frame()["time"].dt.tz_convert("America/New_York")
    days = (local.dt.tz_localize(None) + pd.Timedelta(hours=7)).dt.date
    check(made, summed(bars.frame(), days))
    opened = pd.to_datetime(made.time, utc=True).tz_convert("America/New_York")
    assert set(opened.time) == {wall(17)}
    assert [str(t) for t in pd.to_datetime(made.time[[0, 5]], utc=True)] == [
        "2026-03-01 22:00:00+00:00", "2026-03-08 21:00:00+00:00",
    ]  # fmt: skip
    assert (made.available_at == bar_ends(made, MARKETS["gold"])).all()


def test_futures_days_roll_in_chicago():
    time = grid("2026-03-02T23:00", "2026-03-12T22:00", "America/Chicago", wall(0), wall(23, 59))
    made = resample(walk(time), "1d", MARKETS["index_futures"]).bars
    opened = pd.to_datetime(made.time, utc=True).tz_convert("America/Chicago")
    assert set(opened.time) == {wall(17)}


def test_regular_days_are_the_exchange_sessions_half_days_included():
    time = grid("2025-11-24", "2025-12-03", "America/New_York", wall(4), wall(20), days=range(5))
    bars = walk(time)
    made = resample(bars, "1d", MARKETS["us_equity"])
    local = bars.frame()["time"].dt.tz_convert("America/New_York")
    clock, day = local.dt.time, local.dt.date.astype(str)
    closes = np.where(day == "2025-11-28", wall(13), wall(16))
    inside = (clock >= wall(9, 30)) & (clock < closes)
    inside &= day != "2025-11-27"  # Thanksgiving: no session, ordinary hours do not count as one
    kept = made.bars.take(pd.to_datetime(made.bars.time, utc=True).strftime("%m-%d") != "11-27")
    check(kept, summed(bars.frame()[inside], day[inside]))
    half = list(pd.to_datetime(kept.available_at, utc=True).astype(str)).count
    assert half("2025-11-28 18:00:00+00:00") == 1
    assert made.coverage == pytest.approx(1.0)


def test_four_hour_bars_end_with_the_session():
    time = grid("2026-06-01", "2026-06-06", "Asia/Kolkata", wall(9, 15), wall(15, 30))
    bars = walk(time)
    made = resample(bars, "4h", MARKETS["nse"]).bars
    opened = pd.to_datetime(made.time, utc=True).tz_convert("Asia/Kolkata")
    shut = pd.to_datetime(made.available_at, utc=True).tz_convert("Asia/Kolkata")
    assert list(opened.time[:2]) == [wall(9, 15), wall(13, 15)]
    assert list(shut.time[:2]) == [wall(13, 15), wall(15, 30)]
    local = bars.frame()["time"].dt.tz_convert("Asia/Kolkata")
    check(made, summed(bars.frame(), [local.dt.date, local.dt.time >= wall(13, 15)]))


def test_around_the_clock_weeks_start_on_monday_and_months_on_the_first():
    time = np.arange(at("2026-01-01"), at("2026-04-06"), HOUR)
    bars = walk(time, timeframe="1h", width=HOUR)
    frame = bars.frame()
    naive = frame["time"].dt.tz_localize(None)
    weeks = resample(bars, "1w", MARKETS["crypto"])
    oracle = summed(frame, naive.dt.to_period("W-SUN")).iloc[1:]  # the first begins on a Thursday
    check(weeks.bars, oracle)
    assert set(pd.to_datetime(weeks.bars.time, utc=True).day_of_week) == {0}
    assert (np.diff(weeks.bars.time) == 7 * DAY).all()
    months = resample(bars, "1M", MARKETS["crypto"])
    check(months.bars, summed(frame, naive.dt.to_period("M")).iloc[:3])  # April is not over
    assert months.coverage == pytest.approx(1.0)


def test_a_week_runs_from_its_first_open_to_its_last_close():
    """Labour Day on Monday 2026-09-07, Good Friday on 2026-04-03."""
    spans = calendar_spans(MARKETS["us_equity"], "1w", ["2026-09-09", "2026-03-31"])
    shown = [[str(t)[:16] for t in pd.to_datetime(side, utc=True)] for side in spans]
    assert shown == [
        ["2026-09-08 13:30", "2026-03-30 13:30"], ["2026-09-11 20:00", "2026-04-02 20:00"],
    ]  # fmt: skip


def test_days_make_weeks_and_months():
    days = pd.bdate_range("2026-01-01", "2026-03-31")
    start, end = calendar_spans(MARKETS["us_equity"], "1d", days.to_numpy())
    bars = replace(walk(start, timeframe="1d"), available_at=end)
    made = resample(bars, "1M", MARKETS["us_equity"])
    assert len(made.bars) == 3
    assert made.bars.open[1] == bars.open[days.month == 2][0]
    assert made.bars.close[1] == bars.close[days.month == 2][-1]
    assert made.bars.available_at[1] == at("2026-02-27T21:00")


def test_nothing_is_visible_before_it_is_complete():
    time = np.arange(at("2026-01-05"), at("2026-01-05T10:40"), 5 * MINUTE)
    made = resample(walk(time), "1h", MARKETS["crypto"]).bars
    assert made.time[-1] == at("2026-01-05T09:00")
    whole = resample(walk(time), "1h", MARKETS["crypto"], ends=at("2026-01-05T11:00")).bars
    assert whole.time[-1] == at("2026-01-05T10:00")
    assert whole.available_at[-1] == at("2026-01-05T11:00")
    cut = resample(walk(time[3:]), "1h", MARKETS["crypto"]).bars
    assert cut.time[0] == at("2026-01-05T01:00")


def test_a_market_that_is_shut_completes_a_bar():
    """Friday's last bars on a half-day; nothing is traded until Monday."""
    time = grid("2025-11-28", "2025-11-29", "America/New_York", wall(9, 30), wall(13))
    made = resample(walk(time), "1w", MARKETS["us_equity"], begins=at("2025-11-24T14:30")).bars
    assert made.available_at.tolist() == [at("2025-11-28T18:00")]


def test_a_late_part_makes_the_whole_late():
    time = np.arange(at("2026-01-05"), at("2026-01-06"), 5 * MINUTE)
    bars = walk(time)
    late = bars.available_at.copy()
    late[5] = at("2026-02-01")
    made = resample(replace(bars, available_at=late), "1h", MARKETS["crypto"]).bars
    assert made.available_at[0] == at("2026-02-01")
    assert (made.available_at[1:] == made.end[1:]).all()


def test_negative_prices_are_compared_as_numbers():
    time = np.arange(at("2026-01-05"), at("2026-01-06"), 5 * MINUTE)
    bars = walk(time)
    bars = replace(bars, **{c: getattr(bars, c) - 100 for c in ("open", "high", "low", "close")})
    made = resample(bars, "1h", MARKETS["crypto"]).bars
    hours = bars.frame()["time"].dt.floor("1h")
    check(made, summed(bars.frame(), hours))


def test_a_bar_in_two_coarser_ones_is_refused():
    time = np.arange(at("2026-01-05"), at("2026-01-08"), 4 * HOUR)
    bars = walk(time, timeframe="4h", width=4 * HOUR)
    with pytest.raises(BarsError, match=r"4h bar of X at 2026-01-05T20:00Z lies in two 1d") as hit:
        resample(bars, "1d", MARKETS["gold"])
    assert hit.value.code == "E_BARS_ALIGN"
    clock = grid("2026-01-05", "2026-01-08", "America/New_York", wall(9), wall(16), step="60min")
    with pytest.raises(BarsError, match=r"at 2026-01-05T14:00Z lies in two 1d bars"):
        resample(walk(clock, timeframe="1h", width=HOUR), "1d", MARKETS["us_equity"])


def test_a_timeframe_that_is_not_divided_is_refused():
    bars = walk(np.arange(3) * HOUR, timeframe="1h", width=HOUR)
    with pytest.raises(UsageError, match=r"30m was asked of 1h bars") as caught:
        resample(bars, "30m", MARKETS["crypto"])
    assert caught.value.code == "E_RESAMPLE"
    with pytest.raises(UsageError, match=r"1M was asked of 1w bars"):
        resample(replace(bars, timeframe="1w"), "1M", MARKETS["crypto"])


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    market=st.sampled_from(sorted(MARKETS)),
    timeframe=st.sampled_from(["15m", "1h", "4h", "1d", "1w"]),
    first=st.integers(at("2025-10-20") // HOUR, at("2026-04-01") // HOUR),
    rows=st.integers(1, 3000),
    seed=st.integers(0, 9),
)
def test_row_order_and_later_bars_change_nothing(market, timeframe, first, rows, seed):
    rng = np.random.default_rng(seed)
    steps = np.sort(rng.choice(4 * rows, rows, replace=False))
    bars = walk(first * HOUR + steps * 5 * MINUTE, seed=seed)
    made = resample(bars, timeframe, MARKETS[market])
    mixed = resample(bars.take(rng.permutation(rows)), timeframe, MARKETS[market])
    short = resample(bars.take(slice(0, rows // 2)), timeframe, MARKETS[market])
    for name in ("time", *COLUMNS, "available_at"):
        whole = getattr(made.bars, name)
        np.testing.assert_array_equal(getattr(mixed.bars, name), whole)
        np.testing.assert_array_equal(getattr(short.bars, name), whole[: len(short.bars)])
    assert (made.bars.available_at >= bar_ends(made.bars, MARKETS[market])).all() or (
        timeframe == "4h"
    )
    assert made.coverage.max(initial=0) <= 1


def test_many_pieces_make_the_same_bars_as_one(monkeypatch):
    bars = walk(np.sort(np.random.default_rng(2).choice(40_000, 20_000, False)) * 5 * MINUTE)
    whole = resample(bars, "1h", MARKETS["crypto"]).bars
    monkeypatch.setattr("mlcore.market.resampling._PIECE", 512)
    cut = resample(bars, "1h", MARKETS["crypto"]).bars
    for name in ("time", *COLUMNS, "available_at"):
        np.testing.assert_array_equal(getattr(cut, name), getattr(whole, name))


@pytest.mark.parametrize("timeframe", ["15m", "1h"])
@pytest.mark.parametrize("gone", [[], [700], [0, 1, 2999], list(range(1000, 1100))])
def test_bars_without_a_gap_are_made_as_all_others(monkeypatch, timeframe, gone):
    """Whole pieces are strode through; the same bars come of the way that holes need."""
    time = at("2026-01-05") + np.delete(np.arange(3000), gone) * 5 * MINUTE
    monkeypatch.setattr("mlcore.market.resampling._PIECE", 512)
    quick = resample(walk(time), timeframe, MARKETS["crypto"]).bars
    monkeypatch.setattr("mlcore.market.resampling._is_even", lambda bars, width: False)
    slow = resample(walk(time), timeframe, MARKETS["crypto"]).bars
    for name in ("time", *COLUMNS, "available_at"):
        np.testing.assert_array_equal(getattr(quick, name), getattr(slow, name))


def test_bars_closer_than_their_width_are_not_strode_through():
    time = at("2026-01-05") + np.array([0, 1, 2, 3, 4, 25]) * MINUTE
    made = resample(walk(time), "15m", MARKETS["crypto"])
    assert made.parts.tolist() == [5, 1]
    assert (np.diff(made.bars.time) == 15 * MINUTE).all()


@pytest.mark.parametrize(
    ("fine", "coarse", "timeframe", "market", "zones", "common", "odd"),
    [
        ("crypto/btcusdt_5m.feather", "crypto/btcusdt_1h.feather", "1h", "crypto", (None, None),
         1239, 0),
        ("crypto/btcusdt_5m.feather", "crypto/btcusdt_15m.csv", "15m", "crypto", (None, "UTC"),
         29_196, 1),
        ("gold/xauusd_5m_mt5.csv", "gold/xauusd_15m.parquet", "15m", "gold",
         ("Europe/Athens", "Europe/Athens"), 22_745, 0),
    ],
)  # fmt: skip
def test_real_bars_are_those_the_vendor_made(
    shared_data, fine, coarse, timeframe, market, zones, common, odd
):
    """The vendor's own coarser file is the oracle; `odd` bars of it differ in a value."""
    found = load_settings()
    parts, theirs = (
        load(shared_data / path, symbol="X", market=market, timezone=zone, settings=found)[0]
        for path, zone in zip((fine, coarse), zones, strict=True)
    )
    made = resample(parts, timeframe, MARKETS[market])
    whole = made.bars.take(made.coverage == 1)
    both, i, j = np.intersect1d(whole.time, theirs.time, return_indices=True)
    assert len(both) == common
    for name in COLUMNS:
        same = np.isclose(getattr(whole, name)[i], getattr(theirs, name)[j], rtol=1e-9)
        assert np.sum(~same) <= odd, name


# the store ------------------------------------------------------------------------------------


@pytest.fixture
def store(home):
    found = load_settings(home)
    return BarStore(Lake(found.data), HubDB(found.data / "hub.sqlite"), found)


def add(store, bars, imported_at):
    return store.append(
        bars, source="x", sha256="", imported_at=imported_at, options={"market": "crypto"}
    )


def same(a, b):
    return all(
        np.array_equal(getattr(a, c), getattr(b, c), equal_nan=True)
        for c in ("time", *COLUMNS, "available_at")
    )


def test_the_store_answers_a_coarser_timeframe_from_finer_bars(store):
    bars = walk(np.arange(at("2026-01-05T00:20"), at("2026-01-20T07:25"), 5 * MINUTE))
    add(store, bars, at("2026-02-01"))
    assert store.derived_from("X", "1h") == "5m"
    assert store.derived_from("X", "5m") is None
    for timeframe in ("15m", "1h", "4h", "1d", "1w"):
        whole = store.read("X", timeframe)
        assert same(whole, resample(bars, timeframe, MARKETS["crypto"]).bars)
        assert same(store.tail("X", timeframe, 5), whole.take(slice(-5, None)))
        assert store.last("X", timeframe)[1] == (whole.time[-1] if len(whole) else bars.time[-1])
        middle = int(whole.time[len(whole) // 2]) if len(whole) else at("2026-01-07")
        part = store.read("X", timeframe, start=middle, end=middle + 3 * DAY)
        inside = (whole.time >= middle) & (whole.time < middle + 3 * DAY)
        assert same(part, whole.take(inside))
        known = store.read("X", timeframe, known_at=middle + 10 * HOUR)
        assert same(known, whole.take(whole.available_at <= middle + 10 * HOUR))


def test_what_is_stored_goes_before_what_is_made(store):
    bars = walk(np.arange(at("2026-01-05"), at("2026-01-07"), 5 * MINUTE))
    add(store, bars, at("2026-02-01"))
    hours = replace(resample(bars, "1h", MARKETS["crypto"]).bars)
    add(store, replace(hours, high=hours.high + 1), at("2026-02-01"))
    assert store.derived_from("X", "1h") is None
    assert store.read("X", "1h").high[0] == hours.high[0] + 1
    assert store.derived_from("X", "4h") == "5m"


def test_a_restated_part_is_seen_from_its_own_instant_on(store):
    bars = walk(np.arange(at("2026-01-05"), at("2026-01-07"), 5 * MINUTE))
    before = add(store, bars, at("2026-02-01")).snapshot
    lower = bars.low.copy()
    lower[3] -= 5
    add(store, replace(bars, low=lower), at("2026-02-02"))
    assert store.read("X", "1h").low[0] == lower[3]
    assert store.read("X", "1h").available_at[0] == at("2026-02-02")
    assert store.read("X", "1h", known_at=at("2026-02-01")).low[0] == bars.low[:12].min()
    assert store.read("X", "1h", snapshot=before).low[0] == bars.low[:12].min()
    assert store.revision_instants("X", "1h").tolist() == [at("2026-02-02")]
    assert store.pin("X", "1h") == store.pin("X", "5m")


def test_a_stored_week_is_not_known_before_its_last_close(store):
    start, end = calendar_spans(MARKETS["us_equity"], "1w", ["2026-06-03"])
    week = replace(walk(start, timeframe="1w"), available_at=start + DAY)
    store.append(week, source="x", sha256="", imported_at=0, options={"market": "us_equity"})
    assert store.read("X", "1w").available_at.tolist() == end.tolist()
    assert end[0] == at("2026-06-05T20:00")
