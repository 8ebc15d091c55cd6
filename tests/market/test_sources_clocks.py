"""What the hours of trading tell: a zone, the side of a stamp, a clock that changes."""

import numpy as np
import pandas as pd
import pytest

from mlcore.config import load_settings
from mlcore.errors import BarsError
from mlcore.market.sources import load, preview


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return load_settings(tmp_path_factory.mktemp("home"))


def gold_hours(first, last, minutes=30):
    """Instants at which gold trades: from 18:00 to 17:00 New York, Sunday to Friday."""
    time = pd.date_range(first, last, freq=f"{minutes}min", tz="UTC", inclusive="left")
    local = time.tz_convert("America/New_York")
    opened = (local + pd.Timedelta(hours=6)).normalize()
    return time[(local.hour != 17) & (opened.day_of_week < 5)]


def stock_hours(first, last, minutes=5):
    """Instants at which New York's stocks trade, on weekdays."""
    time = pd.date_range(first, last, freq=f"{minutes}min", tz="UTC", inclusive="left")
    local = time.tz_convert("America/New_York")
    wall = local.hour * 60 + local.minute
    return time[(wall >= 570) & (wall < 960) & (local.day_of_week < 5)]


def write(tmp_path, walls, name="bars.csv", form="%Y-%m-%d %H:%M:%S"):
    text = pd.Index(walls).strftime(form)
    lines = [f"{t},10,12,9,11,1" for t in text]
    path = tmp_path / name
    path.write_text("\n".join(["time,open,high,low,close,volume", *lines]) + "\n")
    return path


def refusal(path, settings, **options):
    with pytest.raises(BarsError) as caught:
        load(path, settings=settings, **options)
    return caught.value


# -- a zone is proposed where the weeks of unequal clocks tell it ----------------------------


def athens(first, last):
    return gold_hours(first, last).tz_convert("Europe/Athens").tz_localize(None)


def test_a_zone_is_proposed_with_its_evidence(tmp_path, settings):
    path = write(tmp_path, athens("2025-09-01", "2026-02-01"))
    error = refusal(path, settings, symbol="XAUUSD")
    assert error.code == "E_BARS_ZONE"
    assert error.message == (
        "Times without an offset need a zone – bars.csv (column time) has none and none was "
        "declared – add --timezone, most likely Europe/Athens: by it trading reopens at 18:00 "
        "America/New_York on 109 of 109 occasions; nothing was imported."
    )
    seen = preview(path, symbol="XAUUSD", settings=settings)
    assert seen.proposed == "Europe/Athens"
    assert seen.questions == (error.message,)


@pytest.mark.parametrize("zone", ["UTC", "Europe/London", "America/Chicago", "Europe/Athens"])
def test_each_zone_is_told_from_the_others(tmp_path, settings, zone):
    walls = gold_hours("2025-09-01", "2026-02-01").tz_convert(zone).tz_localize(None)
    seen = preview(write(tmp_path, walls), symbol="XAUUSD", settings=settings)
    assert seen.proposed == zone


def test_a_brokers_clock_is_told_from_the_zone_beside_it(tmp_path, settings):
    local = gold_hours("2025-09-01", "2026-02-01").tz_convert("America/New_York")
    walls = local.tz_localize(None) + pd.Timedelta(hours=7)
    seen = preview(write(tmp_path, walls), symbol="XAUUSD", settings=settings)
    assert seen.proposed == "America/New_York+07:00"


@pytest.mark.parametrize(("first", "last"), [("2026-04-05", "2026-07-27"),
                                             ("2025-11-10", "2026-03-01")])  # fmt: skip
def test_weeks_of_equal_clocks_tell_no_zone(tmp_path, settings, first, last):
    error = refusal(write(tmp_path, athens(first, last)), settings, symbol="XAUUSD")
    assert "add --timezone, such as America/New_York, Europe/Athens or UTC" in error.message
    assert error.details["proposed"] is None


def test_a_server_that_cuts_its_week_at_midnight_tells_no_zone(tmp_path, settings):
    walls = pd.date_range("2025-09-01", "2026-02-01", freq="30min", inclusive="left")
    path = write(tmp_path, walls[walls.day_of_week < 5])
    assert preview(path, symbol="EURUSD", settings=settings).proposed is None


def test_opening_hours_tell_the_zone_of_stocks(tmp_path, settings):
    walls = stock_hours("2026-01-05", "2026-02-01").tz_convert("America/New_York")
    seen = preview(write(tmp_path, walls.tz_localize(None)), symbol="SPY", settings=settings)
    assert seen.proposed == "America/New_York"
    kolkata = pd.DatetimeIndex(
        np.concatenate([pd.date_range(f"2026-01-{d:02} 09:15", periods=75, freq="5min")
                        for d in (5, 6, 7, 8, 9, 12)])
    )  # fmt: skip
    seen = preview(write(tmp_path, kolkata), symbol="NIFTY", settings=settings)
    assert seen.proposed == "Asia/Kolkata"
    assert "trading reopens at 09:15 Asia/Kolkata on 5 of 5 occasions" in seen.questions[0]


def test_days_stamped_in_utc_propose_it(tmp_path, settings):
    days = pd.bdate_range("2026-01-05", periods=8) - pd.Timedelta(hours=5, minutes=30)
    path = write(tmp_path, days)
    seen = preview(path, symbol="NIFTY", settings=settings)
    assert seen.proposed == "UTC"
    assert "most likely UTC: 18:30 UTC is midnight in Asia/Kolkata" in seen.questions[0]
    bars, *_ = load(path, symbol="NIFTY", timezone="UTC", settings=settings)
    assert pd.Timestamp(int(bars.time[0])) == pd.Timestamp("2026-01-05 03:45")


# -- starts and ends ------------------------------------------------------------------------


def test_stamps_that_look_like_ends_are_asked(tmp_path, settings):
    walls = stock_hours("2026-01-05", "2026-01-17").tz_convert("America/New_York")
    path = write(tmp_path, walls.tz_localize(None) + pd.Timedelta(minutes=5))
    error = refusal(path, settings, symbol="SPY", timezone="America/New_York")
    assert error.code == "E_BARS_SIDE"
    assert error.message == (
        "A stamp is the bar's start or its end – bars.csv does not say, and looks like ends: 10 of "
        "10 stretches run from 09:35 to 16:00 in America/New_York – say --stamp end, or --stamp "
        "start; nothing was imported."
    )
    seen = preview(path, symbol="SPY", timezone="America/New_York", settings=settings)
    assert seen.proposed == "end"
    for side, first in (("end", "14:30"), ("start", "14:35")):
        bars, *_ = load(path, symbol="SPY", timezone="America/New_York", stamp=side,
                        settings=settings)  # fmt: skip
        assert pd.Timestamp(int(bars.time[0])).strftime("%H:%M") == first


def test_stamps_just_short_of_a_step_are_asked(tmp_path, settings):
    walls = pd.date_range("2026-01-05 00:04:59", periods=40, freq="5min")
    path = write(tmp_path, walls)
    error = refusal(path, settings, symbol="BTCUSDT", timezone="UTC")
    assert "looks like ends: every stamp is just short of a whole step" in error.message
    bars, *_ = load(path, symbol="BTCUSDT", timezone="UTC", stamp="end", settings=settings)
    assert pd.Timestamp(int(bars.time[0])) == pd.Timestamp("2026-01-05 00:00")


def test_dates_a_day_early_are_asked(tmp_path, settings):
    days = pd.bdate_range("2026-01-05", periods=40) - pd.Timedelta(days=1)
    path = write(tmp_path, days, form="%Y-%m-%d")
    error = refusal(path, settings, symbol="NIFTY")
    assert error.message == (
        "A date is the day that was traded – bars.csv has 8 Sundays and 0 Fridays: its dates are "
        "one day early – say --stamp eve to move them, or --stamp start to leave them; nothing was "
        "imported."
    )
    bars, _, notes = load(path, symbol="NIFTY", stamp="eve", settings=settings)
    assert pd.Timestamp(int(bars.time[0])) == pd.Timestamp("2026-01-05 03:45")
    assert "dates name the evening before: moved to the next day" in notes


# -- a clock that changes in mid-file -------------------------------------------------------


def test_a_clock_that_changes_is_refused_at_its_row(tmp_path, settings):
    time = gold_hours("2026-04-05 22:00", "2026-06-14 22:00", 60)
    later = time >= "2026-05-10"
    walls = pd.DatetimeIndex(
        np.where(later, time.tz_convert("UTC").tz_localize(None),
                 time.tz_convert("Europe/Athens").tz_localize(None))
    )  # fmt: skip
    path = write(tmp_path, walls)
    row = int(np.argmax(later)) + 2
    error = refusal(path, settings, symbol="XAUUSD", timezone="Europe/Athens")
    assert error.code == "E_BARS_CLOCK"
    assert error.message == (
        f"The clock of a file does not change – from bars.csv row {row} (2026-05-10) on trading "
        "reopens at 15:00 America/New_York, before at 18:00 America/New_York – split the file "
        "there and import each part with its own --timezone, or go on with --accept-doubts; "
        "nothing was imported."
    )
    assert error.details["row"] == row
    bars, _, notes = load(path, symbol="XAUUSD", timezone="Europe/Athens", settings=settings,
                          accept_doubts=True)  # fmt: skip
    assert len(bars) == len(time)
    assert notes[-1].startswith("accepted: from bars.csv row")


def test_longer_hours_are_no_other_clock(tmp_path, settings):
    plain = stock_hours("2026-01-05", "2026-02-21")
    early = pd.date_range("2026-02-02", "2026-02-21", freq="5min", tz="UTC")
    local = early.tz_convert("America/New_York")
    early = early[(local.hour >= 4) & (local.hour < 16) & (local.day_of_week < 5)]
    both = plain.union(early).tz_convert("America/New_York").tz_localize(None)
    bars, *_ = load(write(tmp_path, both), symbol="SPY", timezone="America/New_York",
                    settings=settings)  # fmt: skip
    assert len(bars) == len(both)


def test_real_gold_tells_its_zone_before_april_and_not_after(shared_data, tmp_path, settings):
    path = shared_data / "gold" / "xauusd_5m_mt5.csv"
    head, *rows = path.read_text().splitlines()
    for kept, zone in (
        ([r for r in rows if r < "2026.03.30"], "Europe/Athens"),
        ([r for r in rows if r > "2026.03.30"], None),
    ):
        part = tmp_path / "part.csv"
        part.write_text("\n".join([head, *kept]) + "\n")
        assert preview(part, symbol="XAUUSD", settings=settings).proposed == zone
