"""Wall clocks, trading days and calendars: the weeks when cities disagree, and half-days."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.clock import DAY, MINUTE, NAT
from mlcore.config import load_settings
from mlcore.errors import SessionError
from mlcore.market.sessions import (
    bar_ends,
    daily_available_at,
    early_closes,
    is_open,
    local_dates,
    local_instants,
    local_walls,
    market_days,
    next_open,
    session_table,
    trading_days,
)
from mlcore.schema import Bars

ZONES = ["Asia/Tokyo", "Europe/London", "America/New_York", "America/Chicago", "Asia/Kolkata",
         "UTC", "Australia/Lord_Howe"]  # fmt: skip


def at(text):
    return int(pd.Timestamp(text, tz="UTC").as_unit("ns").value)


def shown(instants):
    return np.asarray(instants).view("datetime64[ns]").astype("datetime64[m]").astype(str).tolist()


@pytest.fixture(scope="module")
def markets(tmp_path_factory):
    return load_settings(tmp_path_factory.mktemp("home")).markets


# wall clocks ----------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(datetime(1975, 1, 2).date(), datetime(2037, 1, 1).date()),
    minute=st.integers(0, 24 * 60 - 1),
    fold=st.sampled_from([0, 1]),
)
def test_wall_times_are_those_of_zoneinfo(zone, day, minute, fold):
    wall = datetime(day.year, day.month, day.day, minute // 60, minute % 60, fold=fold)
    expected = wall.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    got = local_instants([day], f"{minute // 60:02d}:{minute % 60:02d}", zone, fold=fold)[0]
    assert got == at(expected.replace(tzinfo=None))
    back = expected.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert local_walls(np.array([got]), zone)[0] == at(back)
    assert local_dates(np.array([got]), zone)[0] == np.datetime64(back.date())


@pytest.mark.parametrize("fold", [0, 1])
@pytest.mark.parametrize(
    ("day", "wall", "zone"),
    [
        ("2026-03-08", "02:30", "America/New_York"),
        ("2026-11-01", "01:30", "America/New_York"),
        ("2026-03-29", "01:15", "Europe/London"),
        ("2026-10-25", "01:15", "Europe/London"),
    ],
)
def test_the_fold_decides_as_in_pep_495(day, wall, zone, fold):
    local = datetime.fromisoformat(f"{day}T{wall}").replace(tzinfo=ZoneInfo(zone), fold=fold)
    assert local_instants([day], wall, zone, fold=fold)[0] == int(local.timestamp()) * 10**9


def test_a_skipped_local_time_is_refused():
    with pytest.raises(SessionError) as caught:
        local_instants(["2026-03-07", "2026-03-08"], "02:30", "America/New_York")
    assert caught.value.message == (
        "A local time must exist once – 2026-03-08 02:30 America/New_York is skipped by a clock "
        "change – choose another time, or give the fold (0 the first, 1 the second)."
    )
    assert caught.value.code == "E_SESSION_NONEXISTENT"


def test_a_repeated_local_time_is_refused():
    with pytest.raises(
        SessionError, match="2026-10-25 01:30 Europe/London happens twice"
    ) as caught:
        local_instants(["2026-10-25"], "01:30", "Europe/London")
    assert caught.value.code == "E_SESSION_AMBIGUOUS"


def test_midnight_of_24_is_the_next_day():
    assert shown(local_instants(["2026-01-05"], "24:00", "UTC")) == ["2026-01-06T00:00"]
    assert shown(local_instants(["2026-07-01"], "24:00", "Asia/Tokyo")) == ["2026-07-01T15:00"]


# sessions -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "london", "new_york"),
    [
        ("2026-03-05", "08:00", "14:30"),  # both on winter time
        ("2026-03-12", "08:00", "13:30"),  # New York has changed, London not yet
        ("2026-03-31", "07:00", "13:30"),  # both on summer time
        ("2026-10-28", "08:00", "13:30"),  # London back, New York not yet
        ("2026-11-03", "08:00", "14:30"),
    ],
)
def test_sessions_in_the_weeks_when_clocks_disagree(markets, day, london, new_york):
    table = session_table(markets["gold"], day, day).set_index("session")
    assert table.start["asia"].strftime("%H:%M") == "00:00"
    assert table.start["london"].strftime("%H:%M") == london
    assert table.start["new_york"].strftime("%H:%M") == new_york
    assert table.end["new_york"] - table.start["new_york"] == timedelta(hours=6.5)


def test_sessions_are_listed_on_open_days_by_start(markets):
    table = session_table(markets["gold"], "2026-01-02", "2026-01-05")
    assert table.columns.tolist() == ["session", "date", "start", "end"]
    assert table.date.dt.strftime("%d").unique().tolist() == ["02", "05"]
    assert table.start.is_monotonic_increasing
    assert str(table.start.dtype) == "datetime64[ns, UTC]"
    assert len(session_table(markets["crypto"], "2026-01-02", "2026-01-05")) == 12


def test_regular_sessions_end_early_on_half_days(markets):
    table = session_table(markets["us_equity"], "2025-11-26", "2025-12-01")
    ends = table[table.session == "new_york"].set_index("date")["end"].dt.strftime("%H:%M")
    assert ends.to_dict() == {
        pd.Timestamp("2025-11-26"): "21:00",
        pd.Timestamp("2025-11-28"): "18:00",
        pd.Timestamp("2025-12-01"): "21:00",
    }


def test_nse_has_its_own_session(markets):
    table = session_table(markets["nse"], "2026-01-23", "2026-01-27").set_index("session")
    starts = table.start["nse"].dt.strftime("%d %H:%M").tolist()
    assert starts == ["23 03:45", "27 03:45"]  # the 26th is Republic Day


def test_a_session_may_cross_midnight(markets):
    night = markets["gold"].sessions[0].model_copy(update={"start": "20:00", "end": "02:00"})
    market = markets["gold"].model_copy(update={"sessions": (night,)})
    row = session_table(market, "2026-01-05", "2026-01-05").iloc[0]
    assert row.end - row.start == timedelta(hours=6)


# trading days ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("market", "instant", "day"),
    [
        ("gold", "2026-01-05 21:59", "2026-01-05"),
        ("gold", "2026-01-05 22:00", "2026-01-06"),  # 17:00 New York, winter
        ("gold", "2026-07-06 20:59", "2026-07-06"),
        ("gold", "2026-07-06 21:00", "2026-07-07"),  # 17:00 New York, summer
        ("gold", "2026-01-02 22:30", "2026-01-05"),  # after Friday's roll: Monday
        ("gold", "2026-01-04 23:00", "2026-01-05"),
        ("index_futures", "2026-01-05 22:59", "2026-01-05"),
        ("index_futures", "2026-01-05 23:00", "2026-01-06"),  # 17:00 Chicago
        ("crypto", "2026-01-03 23:59", "2026-01-03"),
        ("crypto", "2026-01-04 00:00", "2026-01-04"),
        ("us_equity", "2026-01-05 20:55", "2026-01-05"),
        ("us_equity", "2026-01-06 00:55", "2026-01-05"),  # after hours, New York's date
        ("nse", "2024-01-20 04:00", "2024-01-20"),  # a special Saturday session
    ],
)
def test_trading_days_roll_on_the_markets_clock(markets, market, instant, day):
    got = trading_days(np.array([at(instant)]), markets[market])
    assert got.tolist() == np.array([day], dtype="datetime64[D]").tolist()


def test_daily_bars_start_and_end_with_their_market(markets):
    def span(market, day):
        start, end = daily_available_at(markets[market], [day])
        return shown(start) + shown(end)

    assert span("us_equity", "2025-11-26") == ["2025-11-26T14:30", "2025-11-26T21:00"]
    assert span("us_equity", "2025-11-28") == ["2025-11-28T14:30", "2025-11-28T18:00"]
    assert span("gold", "2026-01-05") == ["2026-01-04T22:00", "2026-01-05T22:00"]
    assert span("index_futures", "2026-07-06") == ["2026-07-05T22:00", "2026-07-06T22:00"]
    assert span("crypto", "2026-01-05") == ["2026-01-05T00:00", "2026-01-06T00:00"]
    assert span("nse", "2026-01-05") == ["2026-01-05T03:45", "2026-01-05T10:00"]
    assert span("nse", "2024-01-20") == ["2024-01-20T03:45", "2024-01-20T10:00"]


def test_a_bars_end_does_not_move_with_a_revision(markets):
    time = np.array([at("2025-11-28 14:30"), at("2025-12-01 14:30")])
    ones = np.ones(2)
    bars = Bars("SPY", "1d", time, ones, ones, ones, ones, ones, time + 900 * DAY)
    assert shown(bar_ends(bars, markets["us_equity"])) == ["2025-11-28T18:00", "2025-12-01T21:00"]
    fine = Bars("SPY", "5m", time, ones, ones, ones, ones, ones, time + 900 * DAY)
    assert (bar_ends(fine, markets["us_equity"]) == time + 5 * MINUTE).all()


# calendars ------------------------------------------------------------------------------------


def test_early_closes_come_from_the_calendar(markets):
    days = ["2025-11-26", "2025-11-27", "2025-11-28", "2024-07-03"]
    assert early_closes(markets["us_equity"], days).tolist() == [
        NAT, NAT, at("2025-11-28 18:00"), at("2024-07-03 17:00")]  # fmt: skip
    assert early_closes(markets["index_futures"], days)[1] == at("2025-11-27 18:00")
    for name in ("gold", "crypto", "nse"):
        assert (early_closes(markets[name], days) == NAT).all()


def test_market_days_leave_out_holidays(markets):
    def days(market, first, last):
        return market_days(markets[market], first, last).astype(str).tolist()

    assert days("us_equity", "2025-11-26", "2025-11-30") == ["2025-11-26", "2025-11-28"]
    assert days("gold", "2026-01-02", "2026-01-05") == ["2026-01-02", "2026-01-05"]
    assert len(days("crypto", "2026-01-02", "2026-01-05")) == 4
    assert days("gold", "2026-01-05", "2026-01-04") == []


def test_history_beyond_a_calendars_own_limits(markets):
    """The library starts 20 years back by default; stocks go back to 1962."""
    assert market_days(markets["us_equity"], "1963-11-22", "1963-11-26").astype(str).tolist() == [
        "1963-11-22", "1963-11-26"]  # fmt: skip
    assert early_closes(markets["us_equity"], ["1995-07-03"])[0] == at("1995-07-03 17:00")


def test_years_no_calendar_knows_have_ordinary_weekdays(markets):
    days = market_days(markets["nse"], "2031-03-07", "2031-03-10").astype(str).tolist()
    assert days == ["2031-03-07", "2031-03-10"]
    assert next_open(markets["nse"], at("2031-03-08 12:00")) == at("2031-03-10 03:45")


@pytest.mark.parametrize(
    ("market", "instant", "opens"),
    [
        ("us_equity", "2025-11-28 17:59", None),
        ("us_equity", "2025-11-28 18:00", "2025-12-01 14:30"),
        ("us_equity", "2025-11-27 15:00", "2025-11-28 14:30"),
        ("gold", "2026-01-02 21:59", None),
        ("gold", "2026-01-02 22:00", "2026-01-04 22:00"),
        ("gold", "2026-03-07 12:00", "2026-03-08 21:00"),  # the clock changes on that Sunday
        ("crypto", "2026-01-03 12:00", None),
        ("index_futures", "2025-11-27 18:00", "2025-11-27 23:00"),
        ("nse", "2026-01-25 04:00", "2026-01-27 03:45"),
    ],
)
def test_open_and_the_next_opening(markets, market, instant, opens):
    now = at(instant)
    assert is_open(markets[market], [now]).tolist() == [opens is None]
    assert next_open(markets[market], now) == (now if opens is None else at(opens))


def test_an_unknown_calendar_is_refused(markets):
    odd = markets["us_equity"].model_copy(update={"calendar": "XXXX"})
    with pytest.raises(SessionError, match="'XXXX' was given – write it as XNYS"):
        is_open(odd, [at("2026-01-05")])


def test_regular_hours_need_a_session(markets):
    odd = markets["us_equity"].model_copy(update={"regular": None})
    with pytest.raises(SessionError, match="us_equity has none – add"):
        daily_available_at(odd, ["2026-01-05"])
