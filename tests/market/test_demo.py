"""The demonstration markets: the same bars at any cut, an edge in one and none in the other."""

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import DAY, HOUR, MINUTE, to_instant
from mlcore.config import ORB, load_settings
from mlcore.errors import UsageError
from mlcore.market import demo, simulation
from mlcore.market.demo import DEMO, ORIGIN, real_daily, simulate
from mlcore.schema import BAR_COLUMNS, PRICE_COLUMNS, check_symbol
from mlcore.trading.ranges import mechanical_up, opening_ranges

NAMES = sorted(DEMO)
FIELDS = [c for c in BAR_COLUMNS if c != "time"]
NEW_YORK = "America/New_York"
END = to_instant("2026-11-20T14:03:00Z")
SOON = to_instant("2024-06-28T14:03:00Z")


def settings():
    return load_settings()


def market(name):
    return settings().market(DEMO[name].market)


@pytest.fixture(scope="module")
def short():
    """Two months of each market."""
    return {name: simulate(name, seed=7, start=0, end=SOON) for name in NAMES}


@pytest.fixture(scope="module")
def edge():
    """The whole history of SIM-EDGE for two seeds, as a table of ranges with volume ratios."""
    return pd.concat([edge_ranges(seed) for seed in (0, 1)], ignore_index=True)


def done_ranges(bars):
    table = opening_ranges(bars, market(bars.symbol), ORB())
    table = table[table["status"] == "done"]
    return table.assign(day=pd.to_datetime(table["trading_day"]), symbol=bars.symbol)


def edge_ranges(seed, end=END):
    bars = simulate("SIM-EDGE", seed=seed, start=0, end=end)
    table = done_ranges(bars)
    first = np.searchsorted(bars.time, pd.DatetimeIndex(table["open_at"]).as_unit("ns").asi8)
    table["volume"] = bars.volume[first[:, None] + np.arange(3)].sum(axis=1)
    usual = table.groupby("range")["volume"].transform(lambda v: v.rolling(20).mean().shift(1))
    table["ratio"] = table["volume"] / usual
    return table[table["ratio"].notna()].assign(seed=seed)


def columns_of(bars):
    """Times and every column as bytes, so that two series of bars compare with ==."""
    return {field: getattr(bars, field).tobytes() for field in ("time", *FIELDS)}


def mean_and_error(values, groups):
    """Mean, and its standard error with whole groups (days) as the units."""
    sums = values.groupby(groups).agg(["sum", "size"])
    mean = values.mean()
    spread = np.sqrt(((sums["sum"] - mean * sums["size"]) ** 2).sum())
    return mean, spread / sums["size"].sum()


# --- one path, any cut


@pytest.mark.parametrize("name", NAMES)
def test_a_cut_shows_the_bars_of_the_whole(name, short):
    whole = short[name]
    start, end = to_instant("2024-05-17T03:10:00Z"), to_instant("2024-06-04T20:59:59Z")
    inside = (whole.time >= start) & (whole.available_at <= end)
    cut = simulate(name, seed=7, start=start, end=end)
    assert len(cut) == inside.sum() > 0
    assert columns_of(cut) == columns_of(whole.take(inside))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "start",
    [
        "2024-05-02T00:00:00Z",  # a day's first bar in UTC
        "2024-05-01T21:00:00Z",  # a day's first bar in New York
        "2024-05-14T13:37:00Z",  # between two bars
        "2024-06-03T11:25:00Z",  # inside a window
        "2024-06-08T12:00:00Z",  # a Saturday
        "2024-06-28T14:00:00Z",  # the end
    ],
)
def test_an_extension_from_the_stored_close_equals_one_go(name, start, short):
    whole, at = short[name], to_instant(start)
    before = whole.take(whole.time < at)
    more = simulate(name, seed=7, start=at, end=SOON, start_price=float(before.close[-1]))
    assert columns_of(type(whole).concat([before, more])) == columns_of(whole)


@pytest.mark.parametrize("name", NAMES)
def test_bar_by_bar_equals_one_go(name, short):
    whole = short[name]
    last = len(whole) - 40
    for i in range(last, len(whole)):
        now, close = int(whole.available_at[i]), float(whole.close[i - 1])
        bar = simulate(name, seed=7, start=int(whole.time[i]), end=now, start_price=close)
        assert columns_of(bar) == columns_of(whole.take(slice(i, i + 1)))


def test_an_extension_by_a_few_bars_makes_one_day_only(short, monkeypatch):
    whole, made = short["SIM-EDGE"], []
    monkeypatch.setattr(demo, "day_bars", lambda *a: made.append(a[2]) or simulation.day_bars(*a))
    close = float(whole.close[-4])
    more = simulate("SIM-EDGE", seed=7, start=int(whole.time[-3]), end=SOON, start_price=close)
    assert len(more) == 3
    assert made == [SOON // DAY]


@pytest.mark.parametrize("name", NAMES)
def test_seeds_and_names_make_different_markets(name, short):
    other = simulate(name, seed=8, start=0, end=SOON)
    moves, others = np.diff(np.log(short[name].close)), np.diff(np.log(other.close))
    assert abs(np.corrcoef(moves, others)[0, 1]) < 0.05


def test_the_path_is_the_one_that_homes_already_hold(short):
    """Homes extend stored bars: the law of a given seed must never change."""
    at = [0, 1000, 5000, -1]
    stored = {
        name: (short[name].close[at].tolist(), short[name].volume[at].tolist()) for name in NAMES
    }
    assert stored == GOLDEN


# --- the contract


@pytest.mark.parametrize("name", NAMES)
def test_bars_keep_the_contract(name, short):
    bars = short[name].checked()
    top, bottom = np.maximum(bars.open, bars.close), np.minimum(bars.open, bars.close)
    assert (bars.symbol, bars.timeframe) == (name, DEMO[name].timeframe)
    assert bars.time.dtype == bars.available_at.dtype == np.int64
    assert np.array_equal(bars.available_at, bars.time + 5 * MINUTE)
    assert np.all(bars.time % (5 * MINUTE) == 0)
    assert np.all(bars.high >= top)
    assert np.all(bars.low <= bottom)
    assert np.mean(bars.high > top) > 0.9
    assert np.all(bars.open[1:] == bars.close[:-1])
    assert np.all(bars.volume >= 1)
    assert np.all(bars.volume == np.rint(bars.volume))
    for column in PRICE_COLUMNS:
        ticks = getattr(bars, column) / market(name).tick
        assert np.allclose(ticks, np.rint(ticks), rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_no_bar_ends_after_the_end(name):
    start = to_instant("2024-05-06T10:00:00Z")
    for end in (start + 34 * MINUTE + 59, start + 35 * MINUTE):
        bars = simulate(name, seed=1, start=start, end=end)
        assert bars.time[0] == start
        assert end - 5 * MINUTE < bars.available_at[-1] <= end


@pytest.mark.parametrize("name", NAMES)
def test_markets_are_the_packaged_simulated_ones(name):
    law = demo._LAWS[name]
    assert market(name).simulated
    assert check_symbol(name).startswith("SIM-")
    assert (law.zone, f"{law.roll_hour:02d}:00") == (market(name).zone, market(name).roll)
    assert law.weekdays == (market(name).calendar == "24/5")


def test_planted_ranges_are_those_of_the_market():
    def minutes(wall):
        return int(wall[:2]) * 60 + int(wall[3:])

    listed = [(minutes(r.open), minutes(r.window_end)) for r in market("SIM-EDGE").ranges]
    assert [(r.open, r.window_end) for r in simulation.EDGE.ranges] == listed
    assert {r.zone for r in market("SIM-EDGE").ranges} == {"UTC"}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_before_the_origin_and_nothing_asked_is_nothing(name):
    origin = to_instant(f"{ORIGIN}T00:00:00Z")
    assert len(simulate(name, seed=7, start=0, end=origin - DAY)) == 0
    assert len(simulate(name, seed=7, start=SOON, end=SOON)) == 0
    first = simulate(name, seed=7, start=0, end=origin + DAY).time[0]
    assert origin - 4 * HOUR < first <= origin


# --- calendars and activity


def test_the_walk_trades_from_sunday_to_friday_evening_new_york():
    start = to_instant("2024-10-25T00:00:00Z")  # London's and New York's clock changes follow
    bars = simulate("SIM-WALK", seed=3, start=start, end=to_instant("2024-11-12T00:00:00Z"))
    wall = pd.DatetimeIndex(pd.to_datetime(bars.time, utc=True)).tz_convert(NEW_YORK)
    weekend = ((wall.day_of_week == 4) & (wall.hour >= 17)) | (wall.day_of_week == 5)
    assert not (weekend | ((wall.day_of_week == 6) & (wall.hour < 17))).any()
    gaps = np.flatnonzero(np.diff(bars.time) != 5 * MINUTE)
    assert [str(wall[i + 1])[:16] for i in gaps] == [
        "2024-10-27 17:00", "2024-11-03 17:00", "2024-11-10 17:00"]  # fmt: skip
    assert [str(wall[i])[11:16] for i in gaps] == ["16:55"] * 3
    days = (wall + pd.Timedelta(hours=7)).normalize().tz_localize(None)
    assert set(pd.Series(days).value_counts().iloc[:-2]) == {288}


def test_the_edge_trades_around_the_clock():
    bars = simulate("SIM-EDGE", seed=3, start=0, end=SOON)
    assert np.all(np.diff(bars.time) == 5 * MINUTE)


def test_activity_follows_the_sessions_on_their_own_clocks():
    bars = simulate("SIM-WALK", seed=4, start=0, end=END)
    height = np.log(bars.high / bars.low)
    for zone, opens, before in (
        ("Asia/Tokyo", "09:00", "07:30"),
        ("Europe/London", "08:00", "06:00"),
        (NEW_YORK, "09:30", "07:00"),
    ):
        clock = pd.DatetimeIndex(pd.to_datetime(bars.time, utc=True)).tz_convert(zone)
        wall = clock.strftime("%H:%M")
        for season in (clock.month <= 2, (clock.month >= 6) & (clock.month <= 8)):
            first, earlier = season & (wall == opens), season & (wall == before)
            assert height[first].mean() > 1.5 * height[earlier].mean()
            assert bars.volume[first].mean() > 1.5 * bars.volume[earlier].mean()
    wall = pd.DatetimeIndex(pd.to_datetime(bars.time, utc=True)).tz_convert(NEW_YORK)
    noon, close = (bars.volume[wall.strftime("%H:%M") == w].mean() for w in ("13:00", "15:55"))
    assert close > 1.2 * noon


def test_volatility_clusters_while_returns_do_not():
    bars = simulate("SIM-WALK", seed=5, start=0, end=END)
    days = np.log(bars.close[: len(bars) // 288 * 288]).reshape(-1, 288)
    size = np.sqrt((np.diff(days, axis=1) ** 2).sum(axis=1))
    assert np.corrcoef(size[:-1], size[1:])[0, 1] > 0.5
    for lag in (1, 12, 288):
        moves = np.diff(np.log(bars.close[::lag]))
        limit = 4 / np.sqrt(len(moves))
        assert abs(np.corrcoef(moves[:-1], moves[1:])[0, 1]) < limit
        assert abs(moves.mean()) < 4 * moves.std() / np.sqrt(len(moves))


# --- refusals


def test_refusals_say_rule_given_and_cure():
    with pytest.raises(UsageError, match=r"one of SIM-WALK, SIM-EDGE – 'SIM-X' was given") as error:
        simulate("SIM-X", seed=1, start=0, end=SOON)
    assert error.value.code == "E_DEMO_NAME"
    with pytest.raises(UsageError, match=r"A seed is 0 or more – -1 was given – choose another"):
        simulate("SIM-WALK", seed=-1, start=0, end=SOON)
    later = to_instant("2024-05-20T12:00:00Z")
    for price in (1999.99991, 0.0, -5.0, float("nan"), float("inf")):
        with pytest.raises(UsageError, match=r"is no price of this market – pass the stored"):
            simulate("SIM-EDGE", seed=1, start=later, end=SOON, start_price=price)
    with pytest.raises(UsageError, match=r"none before 2024-05-01 – leave start_price out"):
        simulate("SIM-EDGE", seed=1, start=0, end=SOON, start_price=1999.9991)


# --- the edge, and its absence


def test_the_planted_edge_is_where_volume_is_high_and_nowhere_else(edge):
    picked = edge["ratio"] > simulation.EDGE.share_above
    net = edge["r_net"].fillna(0.0)
    assert len(edge) / 2 > 2500
    assert 0.28 < picked.mean() < 0.38
    assert net[picked].mean() == pytest.approx(0.6, abs=0.12)
    assert net[~picked].mean() == pytest.approx(-0.2, abs=0.08)
    assert net.mean() == pytest.approx(0.05, abs=0.06)


def test_the_planted_edge_is_in_every_range_and_on_both_sides(edge):
    picked = edge["ratio"] > simulation.EDGE.share_above
    decided = edge["side"].isin(["UP", "DOWN"])
    for _, part in edge[decided].groupby(["range", "side"]):
        above = picked[part.index]
        assert part["r_net"][above].mean() > 0.3
        assert part["r_net"][~above].mean() < 0.0


def test_the_price_inside_a_planted_range_tells_nothing(edge):
    picked = (edge["ratio"] > simulation.EDGE.share_above).to_numpy(float)
    height = np.log(edge["high"] / edge["low"])
    place = (edge["close"] - edge["low"]) / (edge["high"] - edge["low"])
    for known in (height, place, (place - 0.5).abs()):
        assert abs(np.corrcoef(picked, known)[0, 1]) < 4 / np.sqrt(len(edge))


def test_the_first_break_of_a_planted_market_is_driftless(edge):
    decided = edge[edge["side"].isin(["UP", "DOWN"])]
    expected = mechanical_up(decided["close"], decided["high"], decided["low"])
    surprise = (decided["side"] == "UP").astype(float) - expected
    for part in (surprise, *(s for _, s in surprise.groupby(pd.cut(expected, 5)))):
        assert abs(part.mean()) < 3.5 * part.std() / np.sqrt(len(part))
    picked = decided["ratio"] > simulation.EDGE.share_above
    assert abs(surprise[picked].mean()) < 3.5 * surprise[picked].sem()


def test_a_window_without_a_break_or_after_the_exit_has_no_drift():
    moves, variance, logs = np.zeros(60), np.full(60, 1e-8), np.full((2, 60), -1e-9)
    logs[:, :15] = -50.0  # a wide range, then a still path: no break
    assert not simulation._break_drift(moves, variance, logs, 0.4).any()
    moves[20] = 1.0  # far above: a break, and the target is behind it
    drift = simulation._break_drift(moves, variance, logs, 0.4)
    assert np.flatnonzero(drift).tolist() == [21, 22, 23, 24, 25]
    assert np.all(drift[21:26] > 0)


@pytest.mark.slow
def test_twenty_thousand_driftless_ranges_earn_nothing_before_cost():
    tables = [
        done_ranges(simulate("SIM-WALK", seed=seed, start=0, end=END)).assign(seed=seed)
        for seed in range(6)
    ]
    table = pd.concat(tables, ignore_index=True)
    trades = table[table["r_gross"].notna()]
    mean, error = mean_and_error(trades["r_gross"], [trades["seed"], trades["day"]])
    assert len(trades) >= 20_000
    assert error < 0.012
    assert abs(mean) < 2 * error
    assert trades["r_net"].mean() < -3 * error


@pytest.mark.slow
def test_without_the_bridge_fills_at_a_level_would_fake_an_edge(monkeypatch):
    """The test above can fail: endpoints of one-minute steps alone earn money from nothing."""

    def endpoints(moves, variance, logs):
        end = np.cumsum(moves)
        return end, np.maximum(end, end - moves), np.minimum(end, end - moves)

    monkeypatch.setattr(simulation, "_extremes", endpoints)
    tables = [done_ranges(simulate("SIM-WALK", seed=s, start=0, end=END)) for s in range(2)]
    gross = pd.concat(tables, ignore_index=True)["r_gross"].dropna()
    assert gross.mean() > 3 * gross.sem()


# --- real daily bars


# exchange_calendars 4.13 reads `Series.values`, which pandas 3.1 deprecates; not our call
@pytest.mark.filterwarnings("ignore:Series.values returning:DeprecationWarning")
def test_real_daily_bars_come_with_the_calendar_of_their_exchange():
    daily = real_daily(settings().market("us_equity"))
    assert sorted(daily) == ["NASDAQ", "SP500"]
    for symbol, bars in daily.items():
        frame = bars.checked().frame()
        assert (bars.symbol, bars.timeframe, len(bars)) == (symbol, "1d", 5031)
        assert str(frame["time"].dtype) == "datetime64[ns, UTC]"
        assert frame["time"].iloc[0] == pd.Timestamp("1999-01-04T14:30Z")
        assert frame["available_at"].iloc[-1] == pd.Timestamp("2018-12-31T21:00Z")
        assert np.all(bars.available_at > bars.time)
        half = frame[frame["time"] == pd.Timestamp("2018-11-23T14:30Z")]
        assert half["available_at"].tolist() == [pd.Timestamp("2018-11-23T18:00Z")]
    assert daily["SP500"].close[-1] == pytest.approx(2506.85, abs=0.005)
    assert daily["NASDAQ"].close[-1] == pytest.approx(6635.28, abs=0.005)


GOLDEN: dict[str, tuple[list[float], list[float]]] = {
    "SIM-EDGE": ([1999.9771, 2022.5735, 2329.5258, 2334.3669], [562.0, 476.0, 411.0, 666.0]),
    "SIM-WALK": ([1999.8871, 1971.648, 1900.032, 1970.091], [196.0, 949.0, 339.0, 2592.0]),
}
