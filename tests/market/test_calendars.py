"""Calendars against what really traded: Diwali evenings, special Saturdays, holidays since 1962."""

import numpy as np
import pandas as pd
import pytest

from mlcore.config import load_settings
from mlcore.errors import SessionError
from mlcore.market.calendars import exchange_sessions
from mlcore.market.resampling import resample
from mlcore.market.sessions import (
    daily_available_at,
    early_closes,
    is_open,
    market_days,
    next_open,
    session_table,
    trading_days,
)
from mlcore.market.sources import load

SETTINGS = load_settings()
NSE, STOCKS, FUTURES = (SETTINGS.market(m) for m in ("nse", "us_equity", "index_futures"))


def at(text):
    return int(pd.Timestamp(text, tz="UTC").value)


def days(market, first, last):
    return market_days(market, first, last).astype(str).tolist()


def shown(instants, zone):
    return [f"{t:%Y-%m-%d %H:%M}" for t in pd.to_datetime(instants, utc=True).tz_convert(zone)]


@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        ("2013-05-11", "11:00", "12:50"),
        ("2014-03-22", "11:00", "12:50"),
        ("2015-02-28", "09:15", "15:30"),
        ("2014-10-23", "18:15", "19:30"),
        ("2023-11-12", "18:15", "19:15"),
        ("2024-01-20", "09:15", "15:30"),
        ("2025-10-21", "13:45", "14:45"),
        ("2026-02-01", "09:15", "15:30"),
    ],
)
def test_nse_holds_special_sessions(day, opens, closes):
    assert days(NSE, day, day) == [day]
    start, end = daily_available_at(NSE, [day])
    assert shown([start[0], end[0]], "Asia/Kolkata") == [f"{day} {opens}", f"{day} {closes}"]
    assert is_open(NSE, [start[0] - 1, start[0], end[0] - 1, end[0]]).tolist() == [
        False, True, True, False
    ]  # fmt: skip


def test_nse_rested_when_it_did():
    assert days(NSE, "2013-11-13", "2013-11-18") == ["2013-11-13", "2013-11-14", "2013-11-18"]
    assert days(NSE, "2014-10-22", "2014-10-27") == ["2014-10-22", "2014-10-23", "2014-10-27"]
    assert days(NSE, "2024-05-17", "2024-05-21") == ["2024-05-17", "2024-05-18", "2024-05-21"]


def test_the_evening_session_is_the_days_own():
    table = session_table(NSE, "2014-10-23", "2014-10-23")
    regular = table[table["session"] == "nse"].iloc[0]
    assert shown([regular["start"], regular["end"]], "Asia/Kolkata") == [
        "2014-10-23 18:15", "2014-10-23 19:30"
    ]  # fmt: skip
    assert next_open(NSE, at("2014-10-23 04:00")) == at("2014-10-23 12:45")


def test_holidays_before_1970_are_holidays():
    """The library asks its rules only from 1970 on."""
    assert days(STOCKS, "1962-02-21", "1962-02-23") == ["1962-02-21", "1962-02-23"]
    assert days(STOCKS, "1968-12-24", "1968-12-26") == ["1968-12-24", "1968-12-26"]
    assert days(STOCKS, "1963-11-22", "1963-11-26") == ["1963-11-22", "1963-11-26"]
    assert days(STOCKS, "1971-02-12", "1971-02-16") == ["1971-02-12", "1971-02-16"]


def test_index_futures_close_a_quarter_after_noon_on_half_days():
    close = early_closes(FUTURES, ["2024-12-24", "2025-11-27", "2025-11-28", "2025-07-04"])
    assert shown(close, "America/Chicago") == [
        "2024-12-24 12:15", "2025-11-27 12:00", "2025-11-28 12:15", "2025-07-04 12:00"
    ]  # fmt: skip


def test_index_futures_traded_into_the_day_of_mourning():
    assert days(FUTURES, "2025-01-09", "2025-01-09") == ["2025-01-09"]
    assert is_open(FUTURES, [at("2025-01-09 14:29"), at("2025-01-09 14:30")]).tolist() == [
        True, False
    ]  # fmt: skip
    assert is_open(FUTURES, [at("2025-01-08 23:00")]).tolist() == [True]


def test_sessions_never_overlap_and_follow_each_other():
    first, last = pd.Timestamp("1960-01-01"), pd.Timestamp("2026-12-31")
    for code in ("XNYS", "NSE", "CMES"):
        found, (start, end) = exchange_sessions(code, first, last)
        assert first <= start < end <= last
        assert (np.diff(found.days) > 0).all()
        assert (found.opens < found.closes).all()
        assert (found.closes[:-1] <= found.opens[1:]).all()


def test_an_unknown_exchange_is_refused():
    with pytest.raises(SessionError, match=r"'XXXX' was given – write it as XNYS, NSE or CMES"):
        exchange_sessions("XXXX", pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01"))


def test_every_market_has_its_section():
    kinds = {m.name: (m.calendar, m.roll, m.zone) for m in SETTINGS.markets.values()}
    assert kinds["index_futures"] == ("CMES", "17:00", "America/Chicago")
    assert kinds["gold"] == kinds["fx"] == ("24/5", "17:00", "America/New_York")
    assert kinds["us_equity"] == ("XNYS", "00:00", "America/New_York")
    assert kinds["nse"] == ("NSE", "00:00", "Asia/Kolkata")
    assert kinds["crypto"] == ("24/7", "00:00", "UTC")
    for market in SETTINGS.markets.values():
        assert market.tick > 0
        assert market.cost.points + market.cost.bp > 0
        assert market.ranges
        assert (market.regular is not None) == (market.hours == "regular")


# real files -----------------------------------------------------------------------------------

REAL = [
    ("india/nifty_1m", "nse", {"timezone": "Asia/Kolkata", "stamp": "end"}, 0.0, 0),
    ("india/nse_daily/nifty50_tcs_daily.csv", "nse", {"timeframe": "1d", "timezone": "UTC"}, 0, 0),
    ("index/es_5m.parquet", "index_futures", {"timeframe": "5m"}, 0.0, 2),
    ("index/spy_1m.csv", "us_equity", {"timezone": "America/New_York"}, 0.0002, 0),
    ("us_daily/yahoo/SPY.csv", "us_equity", {"timeframe": "1d"}, 0.0, 0),
    ("us_daily/stooq/Stocks/ge.us.txt", "us_equity", {"timeframe": "1d"}, 0.0, 6),
    ("us_daily/stooq/Stocks/ibm.us.txt", "us_equity", {"timeframe": "1d"}, 0.0, 5),
    ("gold/xauusd_15m.parquet", "gold", {"timezone": "Europe/Athens"}, 0.0, 4),
    ("fx/gbpusd_1m_bid_2012.csv", "fx", {}, 0.0, 0),
    ("crypto/btcusdt_1h.feather", "crypto", {}, 0.0, 0),
]


@pytest.mark.parametrize(
    ("path", "market", "options", "outside", "without"), REAL, ids=[r[0] for r in REAL]
)
def test_real_bars_lie_inside_the_calendar(shared_data, path, market, options, outside, without):
    """`outside`: share of bars at which the market is shut; `without`: open days without a bar."""
    belongs = SETTINGS.market(market)
    bars, _, _ = load(shared_data / path, symbol="X", market=market, settings=SETTINGS, **options)
    traded = np.unique(trading_days(bars.time, belongs))
    expected = market_days(belongs, traded[0], traded[-1])
    assert np.mean(~is_open(belongs, bars.time)) <= outside
    assert len(np.setdiff1d(expected, traded)) == without
    assert not len(np.setdiff1d(traded, expected))


def test_nifty_days_are_made_of_its_minutes(shared_data):
    """Every trading day of the real minutes is a daily bar, Saturdays and the evening too."""
    bars, _, _ = load(
        shared_data / "india" / "nifty_1m", symbol="NIFTY", timezone="Asia/Kolkata", stamp="end",
        settings=SETTINGS,
    )  # fmt: skip
    made = resample(bars, "1d", NSE).bars
    local = bars.frame()["time"].dt.tz_convert("Asia/Kolkata").dt.date
    oracle = bars.frame().groupby(local).agg({"open": "first", "high": "max", "close": "last"})
    assert len(made) == len(oracle)
    for name in ("open", "high", "close"):
        np.testing.assert_array_equal(getattr(made, name), oracle[name].to_numpy())
