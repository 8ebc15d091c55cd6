"""Real vendor files: every row arrives, at the right instant, and twice changes nothing."""

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import DAY, MINUTE
from mlcore.config import load_settings
from mlcore.errors import BarsError
from mlcore.market.bars import BarStore
from mlcore.market.sources import load, preview
from mlcore.store import HubDB, Lake


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return load_settings(tmp_path_factory.mktemp("home"))


@pytest.mark.parametrize(
    ("path", "symbol", "options", "rows", "first", "last"),
    [
        ("gold/xauusd_5m_mt5.csv", "XAUUSD", {"timeframe": "5m", "timezone": "Europe/Athens"},
         68_418, "2025-07-31 22:05", "2026-07-27 07:00"),
        ("gold/xauusd_15m.parquet", "XAUUSD", {"timezone": "Europe/Athens"},
         36_917, "2025-01-01 23:00", "2026-07-31 19:45"),
        ("index/es_5m.parquet", "ES=F", {"timeframe": "5m"},
         70_616, "2024-12-03 00:00", "2025-12-15 23:05"),
        ("index/spy_5m.csv", "SPY", {"timezone": "America/New_York"},
         17_463, "2025-05-12 13:30", "2026-03-12 14:30"),
        ("india/nifty_1m", "NIFTY", {"timezone": "Asia/Kolkata", "stamp": "end"},
         230_013, "2013-01-01 03:45", "2015-06-30 09:59"),
        ("crypto/btcusdt_5m.feather", "BTCUSDT", {"timeframe": "5m"},
         140_614, "2024-03-01 00:00", "2025-07-02 05:45"),
        ("crypto/btcusdt_perp_5m.csv", "BTCUSDT", {},
         25_920, "2025-04-03 17:05", "2025-07-02 17:00"),
        ("crypto/btcusdt_15m.csv", "BTCUSDT", {"timezone": "UTC"},
         35_136, "2023-12-30 03:00", "2024-12-30 02:45"),
        ("fx/gbpusd_1m_bid_2012.csv", "GBPUSD", {}, 30_117, "2012-02-01 00:00", "2012-03-01 00:00"),
        ("us_daily/yahoo/SPY.csv", "SPY", {"timeframe": "1d"},
         5_363, "2000-01-03 14:30", "2021-04-27 13:30"),
        ("india/nse_daily/nifty_daily.csv", "NIFTY", {"timeframe": "1d", "timezone": "UTC"},
         876, "2023-01-02 03:45", None),
    ],
)  # fmt: skip
def test_every_row_at_its_instant(shared_data, settings, path, symbol, options, rows, first, last):
    bars, digest, _ = load(shared_data / path, symbol=symbol, settings=settings, **options)
    assert len(bars) == rows
    assert pd.Timestamp(int(bars.time[0]), tz="UTC") == pd.Timestamp(first, tz="UTC")
    if last:
        assert pd.Timestamp(int(bars.time[-1]), tz="UTC") == pd.Timestamp(last, tz="UTC")
    assert (np.diff(bars.time) > 0).all()
    assert len(digest) == 64


def test_gold_agrees_with_a_reader_of_its_own(shared_data, settings):
    path = shared_data / "gold" / "xauusd_5m_mt5.csv"
    bars, _, notes = load(path, symbol="XAUUSD", timezone="Europe/Athens", settings=settings)
    frame = pd.read_csv(path, sep="\t")
    stamps = pd.to_datetime(frame["<DATE>"] + " " + frame["<TIME>"], format="%Y.%m.%d %H:%M:%S")
    utc = stamps.dt.tz_localize("Europe/Athens").dt.tz_convert("UTC").astype("datetime64[ns, UTC]")
    assert np.array_equal(bars.time, utc.astype("int64"))
    assert np.array_equal(bars.close, frame["<CLOSE>"])
    assert np.array_equal(bars.volume, frame["<TICKVOL>"])
    assert notes[0] == "<VOL> is 0, volume is <TICKVOL>"


def test_gold_by_the_brokers_clock_differs_where_europe_and_america_do(shared_data, settings):
    path = shared_data / "gold" / "xauusd_5m_mt5.csv"
    athens, *_ = load(path, symbol="XAUUSD", timezone="Europe/Athens", settings=settings)
    broker, *_ = load(path, symbol="XAUUSD", timezone="America/New_York+07:00", settings=settings)
    apart = broker.time != athens.time
    days = pd.DatetimeIndex(athens.time[apart]).strftime("%m-%d")
    assert 0 < apart.mean() < 0.1
    assert set(days.str[:2]) == {"03", "10"}


def test_the_evening_session_and_the_volume_of_some_months(shared_data, settings):
    bars, _, notes = load(
        shared_data / "india" / "nifty_1m", symbol="NIFTY", timezone="Asia/Kolkata", stamp="end",
        settings=settings,
    )  # fmt: skip
    local = pd.DatetimeIndex(bars.time, tz="UTC").tz_convert("Asia/Kolkata")
    muhurat = local[local.date == pd.Timestamp("2014-10-23").date()]
    assert len(muhurat) == 61
    assert muhurat[0].strftime("%H:%M") == "18:22"
    ordinary = pd.Series(local.strftime("%H:%M")).groupby(local.date).agg(["min", "max"])
    assert ordinary.mode().iloc[0].tolist() == ["09:15", "15:29"]
    assert np.isnan(bars.volume[0])
    assert (bars.volume[local.year == 2014] == 0).all()
    assert "rows were not in order of time: sorted" in notes


def test_days_of_new_york_know_half_days_and_clock_changes(shared_data, settings):
    path = shared_data / "us_daily" / "yahoo" / "SPY.csv"
    bars, *_ = load(path, symbol="SPY", timeframe="1d", settings=settings)
    at = {str(pd.Timestamp(int(t)).date()): i for i, t in enumerate(bars.time)}
    half = at["2019-07-03"]
    assert pd.Timestamp(int(bars.available_at[half])) == pd.Timestamp("2019-07-03 17:00")
    assert pd.Timestamp(int(bars.time[at["2019-01-03"]])) == pd.Timestamp("2019-01-03 14:30")
    assert bars.close[0] == 145.4375  # as traded, not the adjusted 97.83
    assert (bars.available_at - bars.time < DAY).all()


def test_four_broken_bars_are_refused_by_row(shared_data, settings):
    path = shared_data / "india" / "nifty_15m.csv"
    with pytest.raises(BarsError, match=r"nifty_15m\.csv row 2127 has open 16289") as caught:
        load(path, symbol="NIFTY", timezone="Asia/Kolkata", settings=settings)
    assert caught.value.code == "E_BARS_OUTSIDE"


def test_a_column_that_is_there_twice_is_asked_for(shared_data, settings):
    path = shared_data / "odd" / "xauusd_5m_duplicate_header.csv"
    with pytest.raises(BarsError, match="has tick_volume 2 times"):
        load(path, symbol="XAUUSD", settings=settings)
    columns = {"volume": "6"}
    bars, *_ = load(
        path, symbol="XAUUSD", columns=columns, timezone="Europe/Berlin", settings=settings
    )
    assert bars.volume[:2].tolist() == [808, 745]


def test_stamps_that_say_utc_and_are_not_are_told_by_the_reopening_hour(shared_data, settings):
    path, columns = shared_data / "odd" / "xauusd_5m_duplicate_header.csv", {"volume": "6"}
    with pytest.raises(BarsError) as caught:
        load(path, symbol="XAUUSD", columns=columns, settings=settings)
    assert caught.value.code == "E_BARS_ZONE"
    assert caught.value.message == (
        "Stamps with a zone are instants – those of xauusd_5m_duplicate_header.csv look like the "
        "wall clock of Europe/Berlin: by it trading reopens at 18:00 America/New_York on 42 of 42 "
        "occasions – add --timezone Europe/Berlin to read them so, or go on with --accept-doubts; "
        "nothing was imported."
    )
    bars, _, notes = load(
        path, symbol="XAUUSD", columns=columns, timezone="Europe/Berlin", settings=settings
    )
    assert "stamps carry a zone, and are the wall clock of Europe/Berlin: read so" in notes
    gold, *_ = load(shared_data / "gold" / "xauusd_5m_mt5.csv", symbol="XAUUSD",
                    timezone="Europe/Athens", settings=settings)  # fmt: skip
    _, mine, theirs = np.intersect1d(bars.time, gold.time, return_indices=True)
    moves = (np.diff(np.log(bars.close[mine])), np.diff(np.log(gold.close[theirs])))
    assert np.corrcoef(*moves)[0, 1] > 0.95  # another broker's gold agrees, so read
    as_said, _, notes = load(
        path, symbol="XAUUSD", columns=columns, accept_doubts=True, settings=settings
    )
    assert (as_said.time[0] - bars.time[0]) == 2 * 3600 * 10**9


def test_a_preview_of_real_gold(shared_data, settings):
    seen = preview(shared_data / "gold" / "xauusd_5m_mt5.csv", settings=settings)
    assert (seen.format, seen.timeframe, seen.rows) == ("tsv", "5m", 68_418)
    assert seen.columns == {
        "time": "<DATE>", "clock": "<TIME>", "open": "<OPEN>", "high": "<HIGH>", "low": "<LOW>",
        "close": "<CLOSE>", "volume": "<VOL>, else <TICKVOL>",
    }  # fmt: skip
    assert seen.first == pd.Timestamp("2025-08-01 01:05")
    assert len(seen.questions) == 1


def test_real_gold_through_the_store_twice(shared_data, home):
    settings = load_settings(home)
    store = BarStore(Lake(settings.data), HubDB(settings.data / "hub.sqlite"), settings)
    path = shared_data / "gold" / "xauusd_5m_mt5.csv"
    for turn in range(2):
        bars, digest, _ = load(path, symbol="XAUUSD", timezone="Europe/Athens", settings=settings)
        report = store.append(
            bars, source=path.name, sha256=digest, imported_at=int(bars.available_at[-1]),
            options={"timezone": "Europe/Athens", "turn": turn},
        )  # fmt: skip
        assert report.added == (0 if turn else 68_418)
    back = store.read("XAUUSD", "5m")
    assert np.array_equal(back.time, bars.time)
    assert np.array_equal(back.close, bars.close)
    assert np.array_equal(back.available_at, bars.time + 5 * MINUTE)
