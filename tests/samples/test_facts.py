"""Facts of ranges, sessions and days against a slow twin and against the calendar."""

from dataclasses import replace

import numpy as np
import pytest
from slow_facts import slow_features

from mlcore.clock import DAY, HOUR, MINUTE, to_instant
from mlcore.config import ORB
from mlcore.features import feature_set
from mlcore.samples.dataset import rows_at
from mlcore.samples.facts import calendar_facts, session_at
from mlcore.samples.labels import label
from mlcore.samples.periods import Bounds, merge, session_bounds, spans, summarise
from mlcore.schema import Bars
from mlcore.trading.ranges import opening_ranges
from tests.synthetic import walk


@pytest.fixture(scope="module")
def bars():
    return walk("2026-02-16T00:00Z", "2026-04-03T12:00Z", seed=8)


def test_every_fact_equals_the_slow_twin(bars, market):
    features = feature_set("opening_range_unsided")
    rows = rows_at(bars, market, label("orb_direction"), features=features)
    table = opening_ranges(bars, market, ORB())
    items = table["range"] + "/" + table["date"].dt.strftime("%Y-%m-%d")
    late = np.flatnonzero(rows.frame["decision_at"].to_numpy() > to_instant("2026-03-18T00:00Z"))
    for row in np.random.default_rng(1).choice(late, 8, replace=False).tolist():
        asked = table[items == rows.frame["item"].iloc[row]].iloc[0]
        expected = slow_features(bars, market, table, asked)
        for name, value in expected.items():
            got = rows.X[row, features.index(name)]
            value = np.nan if value is None else value
            assert got == pytest.approx(value, rel=1e-9, abs=1e-9, nan_ok=True), (asked, name)
        assert len(expected) > 55


def flat(count, start="2026-01-05T00:00Z", width=5 * MINUTE):
    time = to_instant(start) + width * np.arange(count, dtype=np.int64)
    price = 100.0 + np.arange(count)
    timeframe = {5 * MINUTE: "5m", HOUR: "1h"}[width]
    return Bars("X", timeframe, time, price, price + 0.5, price - 0.5, price, price, time + width)


def test_the_last_session_goes_by_the_clock_not_by_its_name(market):
    bars = flat(288 * 3)
    table = session_bounds(market, int(bars.time[0]), int(bars.time[-1]))
    assert set(table) == {"asia", "london", "new_york"}
    by_name = {n: summarise(bars, bars.available_at, b) for n, b in sorted(table.items())}
    sequence = merge(list(by_name.values()))
    assert (np.diff(sequence.known) >= 0).all()
    noon = np.array([to_instant("2026-01-06T12:00Z")])
    assert sequence.end[sequence.last(noon)][0] == to_instant("2026-01-06T08:00Z")  # asia
    evening = np.array([to_instant("2026-01-06T22:00Z")])
    assert sequence.end[sequence.last(evening)][0] == to_instant("2026-01-06T21:00Z")  # new york


def test_a_period_holds_whole_bars_and_is_known_at_its_end():
    bars = flat(30, width=HOUR)
    zero = int(bars.time[0])
    bounds = Bounds(
        zero + np.array([HOUR, 5 * HOUR, -HOUR]),
        zero + np.array([3 * HOUR + HOUR // 2, 7 * HOUR, HOUR]),
    )
    found = summarise(bars, bars.available_at, bounds)
    assert len(found.start) == 2  # the third begins before the data
    assert found.prices[0].tolist() == [101.0, 102.5, 100.5, 102.0]
    assert found.known.tolist() == bounds.end[:2].tolist()
    assert found.last(bounds.end[:2] - 1).tolist() == [-1, 0]
    assert found.last(bounds.end[:2]).tolist() == [0, 1]


def test_a_period_with_a_late_bar_is_known_late():
    bars = flat(10)
    known = bars.available_at.copy()
    known[2:] = np.maximum(known[2:], known[2] + HOUR)
    one = Bounds(bars.time[:1], bars.time[3:4])
    assert summarise(bars, known, one).known[0] == bars.available_at[2] + HOUR


def test_old_periods_are_missing_not_stale():
    bars = flat(20)
    found = summarise(bars, bars.available_at, Bounds(bars.time[:1], bars.time[3:4]))
    at = found.end + np.array([10 * DAY, 10 * DAY + 1])
    facts = found.facts("asia", at)
    assert facts["asia_age"][0] == 240
    assert np.isnan([v[1] for v in facts.values()]).all()


def test_spans_reach_the_last_bar():
    values = np.array([3.0, 1.0, 4.0, 1.0, 5.0])
    got = spans(np.maximum, values, np.array([0, 1, 4, 0]), np.array([2, 4, 5, 5]))
    assert got.tolist() == [3.0, 4.0, 5.0, 5.0]
    assert len(spans(np.add, values, np.array([], int), np.array([], int))) == 0


def test_the_clock_is_the_markets(settings):
    gold, nse = settings.market("gold"), settings.market("nse")
    at = np.array([to_instant("2026-07-05T22:30Z"), to_instant("2026-12-31T20:00Z")])
    here = calendar_facts(at, gold)
    assert here["local_hour"].tolist() == [18.5, 15.0]
    assert here["local_weekday"].tolist() == [6.0, 3.0]
    assert here["local_month"].tolist() == [7.0, 12.0]
    assert calendar_facts(at, nse)["local_hour"].tolist() == [4.0, 1.5]
    assert calendar_facts(at, nse)["local_month"].tolist() == [7.0, 1.0]


def test_the_session_is_the_one_opened_last(settings):
    gold, shares = settings.market("gold"), settings.market("us_equity")
    times = ("2026-07-06T06:00Z", "2026-07-06T07:30Z", "2026-07-06T14:00Z", "2026-07-06T21:00Z")
    at = np.array([to_instant(t) for t in times])
    assert session_at(at, gold).tolist() == ["asia", "london", "new_york", "off"]
    assert session_at(at, shares).tolist() == ["off", "off", "new_york", "off"]
    early = np.array([to_instant("2026-11-27T17:59Z"), to_instant("2026-11-27T18:00Z")])
    assert session_at(early, shares).tolist() == ["new_york", "off"]


def test_equities_look_at_regular_hours_alone(settings):
    shares = settings.market("us_equity")
    days = np.arange(np.datetime64("2026-01-05"), np.datetime64("2026-03-06"))
    days = days[np.is_busday(days)].astype("datetime64[ns]").astype(np.int64)
    slots = 9 * HOUR + 5 * MINUTE * np.arange(16 * 12)
    time = (days[:, None] + slots).ravel()
    close = 100 + np.cumsum(np.random.default_rng(0).normal(0, 0.1, len(time)))
    bars = Bars("SPY", "5m", time, close, close + 0.1, close - 0.1, close, close, time + 5 * MINUTE)
    names = (
        "day_size_atr",
        "close_in_day",
        "new_york_size_atr",
        "asia_size_atr",
        "session_size_atr",
    )
    lab = label("orb_r")
    rows = rows_at(bars, shares, lab, features=names)
    regular = (time - time // DAY * DAY >= 14.5 * HOUR) & (time - time // DAY * DAY < 21 * HOUR)
    wild = np.where(regular, 1.0, 3.0)
    changed = replace(bars, high=bars.high * wild, close=bars.close * wild)
    again = rows_at(changed, shares, lab, features=names)
    np.testing.assert_array_equal(rows.X, again.X)
    assert np.isfinite(rows.X[-1, [0, 1, 2, 4]]).all()
    assert np.isnan(rows.X[:, 3]).all()
    np.testing.assert_array_equal(rows.X[:, 2], rows.X[:, 4])
