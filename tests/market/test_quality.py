"""Quality: every check finds the fault planted for it, where it was planted, and clean bars show
none."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import DAY, HOUR, MINUTE, to_instant
from mlcore.config import load_settings
from mlcore.market.demo import simulate
from mlcore.market.quality import assess
from mlcore.market.quality.hours import open_time
from mlcore.market.sessions import is_open
from mlcore.schema import Bars

MARKETS = load_settings().markets
WALK, EDGE = MARKETS["simulated_24_5"], MARKETS["simulated_24_7"]


@pytest.fixture(scope="module")
def clean():
    """Three months of a simulated market that rests at weekends."""
    return simulate("SIM-WALK", seed=7, start=to_instant("2026-06-01T00:00Z"),
                    end=to_instant("2026-09-01T00:00Z"))  # fmt: skip


def changed(bars, where, **values):
    """Bars with other values at some places."""
    arrays = {}
    for name, new in values.items():
        arrays[name] = getattr(bars, name).copy()
        arrays[name][where] = new
    return replace(bars, **arrays)


def scaled(bars, since, factor):
    """All prices from an index on times a factor."""
    prices = {
        name: getattr(bars, name)[since:] * factor for name in ("open", "high", "low", "close")
    }
    return changed(bars, slice(since, None), **prices)


def without(bars, first, last):
    """Bars without those between two positions, the second left in."""
    keep = np.ones(len(bars), dtype=bool)
    keep[first:last] = False
    return bars.take(keep)


def walk_of(times, width, *, seed=0, spread=5e-4, symbol="X", timeframe="5m"):
    """A random walk at these times."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, spread, len(times))))
    opening = np.r_[close[0], close[:-1]]
    high, low = np.maximum(opening, close) * 1.0001, np.minimum(opening, close) * 0.9999
    volume = rng.integers(50, 150, len(times)).astype(float)
    return Bars(symbol, timeframe, times, opening, high, low, close, volume, times + width)


def hours_of(market, first, last, width):
    """Every bar of a market's open hours between two instants."""
    grid = np.arange(to_instant(first), to_instant(last), width)
    return grid[is_open(market, grid)]


@pytest.mark.parametrize(("name", "market"), [("SIM-WALK", WALK), ("SIM-EDGE", EDGE)])
def test_clean_bars_show_nothing(name, market):
    start, end = to_instant("2026-05-01T00:00Z"), to_instant("2026-11-01T00:00Z")
    report = assess(simulate(name, seed=3, start=start, end=end), market)
    assert {check.name: check.status for check in report.checks if check.status != "ok"} == {}
    assert [check.name for check in report.checks if check.n and check.name not in
            ("returns", "close")] == []  # fmt: skip
    assert report.coverage.missing_share == 0
    assert (report.coverage.days["expected"] == report.coverage.days["present"]).all()


def test_a_gap_is_measured_in_the_markets_hours(clean):
    friday = int(np.searchsorted(clean.time, to_instant("2026-07-10T20:30Z")))
    bars = without(
        clean, friday, friday + 12
    )  # half an hour of Friday, then half an hour of Sunday
    report = assess(bars, WALK)
    gaps = report["gaps"]
    assert gaps.n == 1
    assert report["missing"].n == 12
    assert gaps.worst[0].what == "12 bars"
    assert gaps.worst[0].at == to_instant("2026-07-10T20:30Z")
    assert gaps.worst[0].until == to_instant("2026-07-12T21:30Z")
    days = report.coverage.days
    short = days[days["present"] < days["expected"]]
    assert (short["expected"] - short["present"]).tolist() == [6, 6]
    assert short["day"].dt.strftime("%a %d %b").tolist() == ["Fri 10 Jul", "Mon 13 Jul"]


def test_missing_bars_have_a_budget(clean):
    assert assess(without(clean, 500, 600), WALK)["missing"].status == "ok"
    assert assess(without(clean, 500, 1000), WALK)["missing"].status == "look"
    over = assess(without(clean, 500, 3500), WALK)["missing"]
    assert over.status == "bad"
    assert over.share == pytest.approx(3000 / len(clean))


def test_a_daily_pause_that_the_calendar_does_not_know_is_no_gap():
    gold = MARKETS["gold"]
    times = hours_of(gold, "2026-02-02T00:00Z", "2026-05-01T00:00Z", 5 * MINUTE)
    local = pd.DatetimeIndex(times, tz="UTC").tz_convert("America/New_York")
    report = assess(walk_of(times[local.hour != 17], 5 * MINUTE), gold)
    assert report.coverage.pause == "17:00–18:00 New York"  # across the change of its clocks
    assert report["missing"].n == 0
    assert report["gaps"].words == "none"
    also = (local.hour != 17) & ~(
        (local.hour == 11) & (local.date > pd.Timestamp("2026-04-01").date())
    )
    report = assess(walk_of(times[also], 5 * MINUTE), gold)
    assert report.coverage.pause == "17:00–18:00 New York"
    assert "most often 11:00 New York on" in report["gaps"].words


def test_long_pauses_are_gaps_all_the_same():
    gold = MARKETS["gold"]
    times = hours_of(gold, "2026-06-01T00:00Z", "2026-07-01T00:00Z", 15 * MINUTE)
    local = pd.DatetimeIndex(times, tz="UTC").tz_convert("America/New_York")
    report = assess(walk_of(times[local.hour < 17], 15 * MINUTE, timeframe="15m"), gold)
    assert report.coverage.pause == ""
    assert report["missing"].status == "bad"


@pytest.mark.parametrize(("width", "timeframe"), [
    (MINUTE, "1m"), (15 * MINUTE, "15m"), (HOUR, "1h"), (4 * HOUR, "4h"),
])  # fmt: skip
def test_half_days_and_clock_changes_leave_no_gap(width, timeframe):
    shares = MARKETS["us_equity"]
    hours = open_time(shares, to_instant("2025-10-20T00:00Z"), to_instant("2025-12-31T00:00Z"))
    counts = -(-(hours.closes - hours.opens) // width)
    nth = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    times = np.repeat(hours.opens, counts) + nth * width
    report = assess(walk_of(times, width, timeframe=timeframe), shares)
    assert report["missing"].n == 0
    assert report["outside"].n == 0
    assert (report.coverage.days["expected"] == counts[: len(report.coverage.days)]).all()


def test_open_time_runs_on_and_back():
    shares = MARKETS["us_equity"]
    hours = open_time(shares, to_instant("2026-07-01T00:00Z"), to_instant("2026-07-10T00:00Z"))
    at = np.array([to_instant("2026-07-01T13:30Z"), to_instant("2026-07-01T14:00Z"),
                   to_instant("2026-07-01T22:00Z"), to_instant("2026-07-02T13:31Z")])  # fmt: skip
    passed = hours.elapsed(at)
    assert (np.diff(passed) / MINUTE).tolist() == [30, 360, 1]
    assert hours.instant(passed)[[0, 1, 3]].tolist() == at[[0, 1, 3]].tolist()
    assert hours.instant(passed)[2] == to_instant("2026-07-02T13:30Z")


def test_bars_outside_the_calendar_are_told_apart():
    shares = MARKETS["us_equity"]
    times = hours_of(shares, "2026-06-01T00:00Z", "2026-07-01T00:00Z", 5 * MINUTE)
    early = to_instant("2026-06-10T12:00Z") + np.arange(3) * 5 * MINUTE
    sunday = to_instant("2026-06-14T15:00Z") + np.arange(2) * 5 * MINUTE
    bars = walk_of(np.sort(np.r_[times, early, sunday]), 5 * MINUTE)
    outside = assess(bars, shares)["outside"]
    assert (outside.n, outside.status) == (5, "look")
    assert outside.words == (
        "2 on days on which the market is shut, 3 outside the hours of an open day"
    )
    assert {one.at for one in outside.worst} == set(sunday.tolist())


def test_days_are_held_against_the_calendar():
    shares = MARKETS["us_equity"]
    hours = open_time(shares, to_instant("2024-01-02T15:00Z"), to_instant("2026-01-02T15:00Z"))
    keep = np.ones(len(hours.opens), dtype=bool)
    keep[100:105] = keep[200] = False
    extra = to_instant("2025-07-05T13:30Z")  # a Saturday
    bars = walk_of(np.sort(np.r_[hours.opens[keep], extra]), DAY, timeframe="1d", spread=0.01)
    report = assess(bars, shares)
    assert (report["missing"].n, report["gaps"].n, report["outside"].n) == (6, 2, 1)
    assert report["gaps"].worst[0].what == "5 days"
    day = pd.Timestamp(report["gaps"].worst[0].at)
    assert day == pd.Timestamp(hours.days[100])


def test_christmas_is_named_where_a_calendar_does_not_know_it():
    gold = MARKETS["gold"]
    times = hours_of(gold, "2025-12-01T00:00Z", "2026-01-20T00:00Z", HOUR)
    local = pd.DatetimeIndex(times, tz="UTC").tz_convert("America/New_York")
    report = assess(walk_of(times[local.strftime("%m%d") != "1225"], HOUR, timeframe="1h"), gold)
    assert report["gaps"].worst[0].what == "24 bars · Christmas"


def test_bars_off_the_grid_and_too_near(clean):
    late = clean.time.copy()
    late[1000] += 7 * 10**9
    grid = assess(replace(clean, time=late), WALK)["grid"]
    assert grid.n == 2  # itself, and the one that starts before it has ended
    assert {one.at for one in grid.worst} == {int(late[1000]), int(late[1001])}
    assert grid.status == "look"


def test_revisions_and_repetitions_are_counted_apart(clean):
    revised = np.zeros(len(clean), dtype=bool)
    revised[[5, 9]] = True
    check = assess(clean, WALK, revised=revised, repeated=300)["revisions"]
    assert (check.n, check.status) == (2, "look")
    assert check.words == ("2 were restated with other values, 300 came again with the same values")
    assert [one.at for one in check.worst] == clean.time[[9, 5]].tolist()
    assert assess(clean, WALK, repeated=300)["revisions"].status == "ok"
    assert assess(clean.take(np.r_[0, 0 : len(clean)]), WALK)["revisions"].status == "bad"


@pytest.mark.parametrize("planted", [{"high": 1.0}, {"low": 1e6}, {"close": -1.0, "low": -2.0}])
def test_bars_that_contradict_themselves(clean, planted):
    check = assess(changed(clean, 777, **planted), WALK)["ohlc"]
    assert (check.n, check.status) == (1, "bad")
    assert check.worst[0].at == clean.time[777]


def test_a_move_that_stays_is_an_outlier_and_no_bad_tick(clean):
    report = assess(scaled(clean, 4000, 1.05), WALK)
    assert report["outliers"].worst[0].at == clean.time[4000]
    assert report["outliers"].n == 1
    assert report["bad_ticks"].n == 0
    assert report["splits"].n == 0


@pytest.mark.parametrize("side", ["close", "high", "low"])
def test_a_price_that_is_taken_back_is_a_bad_tick(clean, side):
    price = clean.close[4000] * (0.95 if side == "low" else 1.05)
    values = {"high": price} if side == "close" else {}
    bars = changed(clean, 4000, **{side: price}, **values)
    check = assess(bars, WALK)["bad_ticks"]
    assert (check.n, check.status) == (1, "look")
    assert check.worst[0].at == clean.time[4000]


def test_moves_over_pauses_are_held_against_one_another():
    shares = MARKETS["us_equity"]
    times = hours_of(shares, "2026-01-05T00:00Z", "2026-10-01T00:00Z", 5 * MINUTE)
    bars = walk_of(times, 5 * MINUTE)
    opens = np.flatnonzero(np.diff(times, prepend=times[0] - DAY) > 5 * MINUTE)
    jumps = np.ones(len(times))
    jumps[opens] = np.exp(np.random.default_rng(1).normal(0, 0.012, len(opens)))
    level = np.cumprod(jumps)
    bars = replace(bars, **{n: getattr(bars, n) * level for n in ("open", "high", "low", "close")})
    assert assess(bars, shares)["outliers"].n == 0  # each night moves 24 times what a bar does
    assert assess(scaled(bars, int(opens[50]), 1.9), shares)["outliers"].n == 1


@pytest.mark.parametrize(("factor", "said"), [
    (1 / 2, "2 for 1"), (1 / 1.5, "1.5 for 1"), (10.0, "1 for 10"), (1 / 100, "100 for 1"),
])  # fmt: skip
def test_a_split_is_suspected_where_the_jump_stays(clean, factor, said):
    check = assess(scaled(clean, 6000, factor), WALK)["splits"]
    assert (check.n, check.status) == (1, "bad")
    assert check.worst[0].at == clean.time[6000]
    assert check.worst[0].what.startswith(said)


def test_a_fall_by_half_that_comes_back_is_no_split(clean):
    bars = scaled(scaled(clean, 6000, 0.5), 6003, 2.0)
    assert assess(bars, WALK)["splits"].n == 0


@pytest.mark.parametrize(("length", "found"), [(9, 0), (10, 10), (500, 500)])
def test_runs_of_the_same_prices(clean, length, found):
    price = float(clean.close[3000])
    where = slice(3001, 3001 + length)
    bars = changed(clean, where, open=price, high=price, low=price, close=price)
    check = assess(bars, WALK)["stale_runs"]
    assert check.n == found
    assert check.status == ("ok" if not found else "look" if found == 10 else "bad")
    if found:
        assert check.worst[0].at == clean.time[3001]
        assert check.worst[0].until == clean.end[3000 + length]


def test_volumes_that_are_missing_and_that_are_zero(clean):
    none = assess(replace(clean, volume=np.full(len(clean), np.nan)), WALK)
    assert none["missing_volume"].words == "no bar has one"
    assert none["zero_volume"].n == 0  # missing is not 0
    assert "not asked" in none["volume_level"].words
    zero = assess(replace(clean, volume=np.zeros(len(clean))), WALK)
    assert (zero["zero_volume"].status, zero["zero_volume"].words) == ("bad", "every volume is 0")
    some = assess(changed(clean, slice(0, 300), volume=0.0), WALK)["zero_volume"]
    assert (some.n, some.status) == (300, "look")


@pytest.mark.parametrize(("factor", "said"), [(50.0, "× "), (1 / 50, "÷ ")])
def test_a_lasting_change_of_the_volumes_level(clean, factor, said):
    since = int(np.searchsorted(clean.time, to_instant("2026-07-20T21:00Z")))
    bars = changed(clean, slice(since, None), volume=clean.volume[since:] * factor)
    check = assess(bars, WALK)["volume_level"]
    assert (check.n, check.status) == (1, "look")
    assert check.worst[0].at == clean.time[since]
    assert check.worst[0].what.startswith(said)
    assert 35 < float(check.worst[0].what[2:]) < 70


def test_a_few_loud_days_are_no_new_level(clean):
    since = int(np.searchsorted(clean.time, to_instant("2026-07-20T21:00Z")))
    where = slice(since, since + 3 * 288)
    bars = changed(clean, where, volume=clean.volume[where] * 50)
    assert assess(bars, WALK)["volume_level"].n == 0


def test_both_stationarity_tests_are_read_together():
    times = to_instant("2026-01-05T00:00Z") + np.arange(3000) * 5 * MINUTE
    walk = walk_of(times, 5 * MINUTE)
    report = assess(walk, MARKETS["crypto"])
    assert report["returns"].words.endswith("stationary")
    assert report["returns"].status == "ok"
    assert report["close"].words.endswith(": not stationary")
    assert report["close"].status == "ok"  # a level need not be
    drifting = 100 * np.exp(np.cumsum(np.linspace(-1e-3, 1e-3, 3000)) + np.cumsum(
        np.random.default_rng(0).normal(0, 5e-4, 3000)))  # fmt: skip
    bars = replace(walk, close=drifting, open=drifting, high=drifting, low=drifting)
    assert assess(bars, MARKETS["crypto"])["returns"].status == "look"


def test_p_values_agree_with_another_library():
    from arch.unitroot import ADF, KPSS

    from mlcore.market.quality.stationarity import _p_values

    for seed in range(3):
        values = np.cumsum(np.random.default_rng(seed).normal(size=800)) if seed else (
            np.random.default_rng(9).normal(size=800))  # fmt: skip
        adf, kpss = _p_values(values)
        assert adf == pytest.approx(ADF(values, lags=int(12 * 8**0.25)).pvalue, abs=1e-6)
        other = KPSS(values, lags=-1).pvalue
        assert kpss == pytest.approx(min(max(other, 0.01), 0.1), abs=0.02)


@pytest.mark.parametrize("count", [1, 2, 30])
def test_a_handful_of_bars_is_told_as_it_is(clean, count):
    report = assess(clean.take(slice(0, count)), WALK)
    assert report.rows == count
    assert "not asked" in report["returns"].words
    assert json.dumps([check.as_dict() for check in report.checks])


def test_prices_below_zero_are_read_where_the_market_has_them():
    market = MARKETS["gold"].model_copy(update={"negative_prices": True})
    times = hours_of(market, "2026-06-01T00:00Z", "2026-06-20T00:00Z", 5 * MINUTE)
    bars = walk_of(times, 5 * MINUTE)
    shift = {name: getattr(bars, name) - 100.0 for name in ("open", "high", "low", "close")}
    report = assess(replace(bars, **shift), market)
    assert report["ohlc"].status == "ok"
    assert "prices below zero" in report["splits"].words
    spike = changed(replace(bars, **shift), 500, close=50.0, high=50.0)
    assert assess(spike, market)["bad_ticks"].worst[0].at == times[500]
