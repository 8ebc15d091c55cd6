"""Bars that are not what their name says: another unit, another timeframe, another instrument."""

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import DAY, HOUR
from mlcore.config import load_settings
from mlcore.errors import BarsError
from mlcore.market.identity import doubts_against, doubts_within
from mlcore.market.sources import load, preview
from mlcore.schema import Bars, timeframe_width

START = pd.Timestamp("2026-01-05", tz="UTC").value


def walk(rows=500, *, seed=1, level=2000.0, timeframe="1h", start=START, volume=100.0):
    """Driftless bars around a level."""
    rng = np.random.default_rng(seed)
    close = level * np.exp(np.cumsum(rng.normal(0, 0.002, rows)))
    opened = np.append(level, close[:-1])
    width = timeframe_width(timeframe)
    time = start + np.arange(rows) * width
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    return Bars(
        "XAUUSD", timeframe, time, opened, high, low, close, np.full(rows, volume), time + width
    )


def scaled(bars, factor, since=0):
    values = {}
    for name in ("open", "high", "low", "close"):
        column = getattr(bars, name).copy()
        column[since:] *= factor
        values[name] = column
    return Bars(bars.symbol, bars.timeframe, bars.time, **values, volume=bars.volume,
                available_at=bars.available_at)  # fmt: skip


# -- by themselves --------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "shown"), [(100, "× 100"), (0.01, "÷ 100"), (1000, "× 1000")])
def test_a_unit_that_switches(factor, shown):
    bars = scaled(walk(), factor, since=200)
    doubt = doubts_within(bars)[0]
    assert doubt.bar == 200
    given = f"{bars.close[199]:.10g} to {bars.close[200]:.10g}"
    assert doubt.said == f"the price goes from {given} ({shown}) and stays"


def test_what_is_no_other_unit():
    assert doubts_within(walk()) == ()
    assert doubts_within(scaled(walk(), 0.1, since=200)) == ()  # a split, ten for one
    one = walk()
    one.close[200] *= 100
    assert doubts_within(one) == ()  # one bad price, for the quality report
    assert doubts_within(walk(1)) == ()


def test_days_among_hours():
    hours = walk(240, start=START + HOUR)
    day = hours.time // DAY
    keep = hours.time % DAY != 0
    rows = [Bars.take(hours, keep)]
    days = np.unique(day)[1:-1]
    values = {
        "open": [hours.open[day == d][0] for d in days],
        "high": [hours.high[(day == d) & keep].max() for d in days],
        "low": [hours.low[(day == d) & keep].min() for d in days],
        "close": [hours.close[day == d][-1] for d in days],
    }
    rows.append(
        Bars("XAUUSD", "1h", days * DAY, **{k: np.array(v) for k, v in values.items()},
             volume=np.full(len(days), 2400.0), available_at=days * DAY + HOUR)
    )  # fmt: skip
    time = np.concatenate([r.time for r in rows])
    order = np.argsort(time)
    mixed = Bars("XAUUSD", "1h", **{
        name: np.concatenate([getattr(r, name) for r in rows])[order]
        for name in ("time", "open", "high", "low", "close", "volume", "available_at")
    })  # fmt: skip
    doubt = doubts_within(mixed)[0]
    assert doubt.said == f"{len(days)} bars each span all others of their date: daily bars among 1h"
    assert mixed.time[doubt.bar] == days[0] * DAY
    assert doubts_within(hours) == ()


# -- against what is stored -----------------------------------------------------------------


def test_the_same_instrument_raises_no_doubt():
    stored = walk()
    restated = scaled(stored, 1.0004, since=400)
    assert doubts_against(restated, stored) == ()
    assert doubts_against(walk(100, start=START + 500 * HOUR, level=stored.close[-1]), stored) == ()
    assert doubts_against(walk(20, timeframe="1d"), stored) == ()
    assert doubts_against(stored.take(slice(0, 0)), stored) == ()


def test_another_level_at_equal_times():
    stored = walk()
    said = doubts_against(scaled(stored, 0.012), stored)[0].said
    assert said.startswith("prices at 500 equal times are 0.012 times those stored (2")
    assert doubts_against(scaled(stored, 0.5), stored)


def test_uncorrelated_returns_at_a_like_level():
    said = doubts_against(walk(seed=2), walk(seed=1))[0].said
    assert said.startswith("returns at 500 equal times correlate by ")
    assert doubts_against(walk(20, seed=2), walk(20, seed=1)) == ()  # too few to tell


def test_another_feed_of_the_same_instrument_would_restate_it():
    stored = walk()
    said = doubts_against(scaled(stored, 1.0004), stored)[0].said
    assert said == "500 of 500 closes at equal times differ from those stored: another feed"
    assert doubts_against(scaled(stored, 1 + 1e-9), stored) == ()


def test_a_name_that_was_given_again():
    old, new = walk(50, level=5.0), walk(50, level=60.0, start=START + 900 * DAY)
    assert doubts_within(Bars.concat([old, new]))[0].bar == 50
    assert doubts_within(Bars.concat([old, new]))[0].said == (
        f"nothing is traded for 897 days, and the price goes from {old.close[-1]:.10g} to 60"
    )
    near = walk(50, level=6.0, start=START + 900 * DAY)
    assert doubts_within(Bars.concat([old, near])) == ()


def test_another_level_next_in_time_or_in_another_timeframe():
    stored = walk()
    later = walk(50, start=START + 520 * HOUR, level=30.0)
    said = doubts_against(later, stored)[0].said
    assert said.startswith("prices next to them in time (2026-01-26) are 0.0")
    earlier = walk(50, start=START - 100 * HOUR, level=30.0)
    assert doubts_against(earlier, stored)
    days = walk(15, timeframe="1d", level=30.0)
    assert "times known from 1h are 0.0" in doubts_against(days, stored)[0].said


def test_years_in_between_leave_room():
    later = walk(50, start=START + 2000 * DAY, level=6000.0)
    assert doubts_against(later, walk()) == ()


# -- through a file -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return load_settings(tmp_path_factory.mktemp("home"))


def test_a_file_that_switches_its_unit_is_asked_about(tmp_path, settings):
    frame = scaled(walk(60), 100, since=30).frame().drop(columns="available_at")
    path = tmp_path / "gold.csv"
    frame.assign(time=frame["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_csv(path, index=False)
    with pytest.raises(BarsError) as caught:
        load(path, symbol="XAUUSD", settings=settings)
    assert caught.value.code == "E_BARS_IDENTITY"
    assert caught.value.details == {"file": "gold.csv", "row": 32}
    assert caught.value.message.startswith(
        "Bars under one name are of one instrument, in one unit – at gold.csv row 32 the price goes"
    )
    assert caught.value.message.endswith(
        "(× 100) and stays – split the file there, or go on with --accept-doubts; nothing was "
        "imported."
    )
    assert preview(path, symbol="XAUUSD", settings=settings).questions == (caught.value.message,)
    bars, _, notes = load(path, symbol="XAUUSD", settings=settings, accept_doubts=True)
    assert len(bars) == 60
    assert notes[-1].startswith("accepted: the price goes from")


def test_days_at_a_markets_own_midnight_among_its_hours(tmp_path, settings):
    rng, lines = np.random.default_rng(5), []
    for day in pd.bdate_range("2026-01-05", periods=8):
        level = 2000 + rng.normal(0, 5, 7)
        hours = [f"{day:%Y-%m-%d} {9 + i:02}:15:00,{v:.2f},{v + 1:.2f},{v - 1:.2f},{v:.2f},10"
                 for i, v in enumerate(level)]  # fmt: skip
        high, low = level.max() + 1, level.min() - 1
        daily = f"{day:%Y-%m-%d} 00:15:00,{level[0]:.2f},{high:.2f},{low:.2f},{level[-1]:.2f},70"
        lines += [daily, *hours]
    path = tmp_path / "nifty.csv"
    path.write_text("\n".join(["time,open,high,low,close,volume", *lines]) + "\n")
    with pytest.raises(BarsError, match="8 bars each span all others of their date") as caught:
        load(path, symbol="NIFTY", timezone="Asia/Kolkata", settings=settings)
    assert caught.value.details["row"] == 2
