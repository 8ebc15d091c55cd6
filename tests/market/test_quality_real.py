"""Quality on vendors' own files: the traps that are known to be in them are found by name."""

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import HOUR
from mlcore.config import load_settings
from mlcore.market.quality import assess
from mlcore.market.sources import load

pytestmark = pytest.mark.slow
MARKETS = load_settings().markets


def report_of(path, timeframe, market, timezone=None):
    bars, *_ = load(path, symbol="X", timeframe=timeframe, timezone=timezone,
                    market=MARKETS[market])  # fmt: skip
    return assess(bars, MARKETS[market])


def test_btcusdt_1h_has_nineteen_outages_of_more_than_an_hour(shared_data):
    report = report_of(shared_data / "crypto/btcusdt_1h.feather", "1h", "crypto")
    gaps = report.coverage.gaps
    assert int((gaps["missing"] > 1).sum()) == 19
    assert (len(gaps), report["missing"].n) == (28, 128)
    assert report["missing"].status == "ok"
    assert pd.Timestamp(report["gaps"].worst[0].at) == pd.Timestamp("2018-02-08 01:00")


def test_nifty_15m_has_no_volume_that_says_anything(shared_data, tmp_path):
    text = (shared_data / "india/nifty_15m.csv").read_text().splitlines(keepends=True)
    path = tmp_path / "nifty_15m.csv"  # without the day whose bars contradict themselves
    path.write_text("".join(line for line in text if "05-08-2021" not in line))
    report = report_of(path, "15m", "nse", "Asia/Kolkata")
    assert report["zero_volume"].status == "bad"
    assert report["zero_volume"].words == "every volume is 0"
    day = report.coverage.days.set_index("day").loc["2021-08-05"]
    assert (day["expected"], day["present"]) == (25, 0)


def test_spy_1m_changes_its_volumes_level_once(shared_data):
    check = report_of(shared_data / "index/spy_1m.csv", "1m", "us_equity", "America/New_York")[
        "volume_level"
    ]
    assert check.n == 1
    assert f"{pd.Timestamp(check.worst[0].at):%Y-%m}" in ("2026-01", "2026-02")
    assert 25 < float(check.worst[0].what[2:]) < 60


def test_spy_5m_has_bars_outside_regular_hours(shared_data):
    report = report_of(shared_data / "index/spy_5m.csv", "5m", "us_equity", "America/New_York")
    assert report["outside"].n == 1256
    assert "outside the hours of an open day" in report["outside"].words


def test_es_5m_has_one_gap_of_more_than_four_days(shared_data):
    report = report_of(shared_data / "index/es_5m.parquet", "5m", "index_futures")
    assert report.coverage.pause == "16:00–17:00 Chicago"
    worst = report["gaps"].worst[0]
    assert pd.Timestamp(worst.until) == pd.Timestamp("2025-12-10 05:05")
    bars, *_ = load(shared_data / "index/es_5m.parquet", symbol="X", timeframe="5m",
                    market=MARKETS["index_futures"])  # fmt: skip
    before = bars.end[np.searchsorted(bars.time, worst.at) - 1]
    assert (worst.until - int(before)) / HOUR / 24 == pytest.approx(4.3, abs=0.1)


def test_wmt_repeats_its_prices_in_its_early_years(shared_data):
    path = shared_data / "us_daily/stooq/Stocks/wmt.us.txt"
    check = report_of(path, "1d", "us_equity")["stale_runs"]
    assert check.status == "bad"
    years = {pd.Timestamp(one.at).year for one in check.worst}
    assert max(years) < 1985


def test_gold_5m_pauses_daily_and_lost_an_hour_a_day_in_spring(shared_data):
    report = report_of(shared_data / "gold/xauusd_5m_mt5.csv", "5m", "gold", "Europe/Athens")
    assert report.coverage.pause == "17:00–18:00 New York"
    assert "most often 16:" in report["gaps"].words
    assert [one.what.partition(" · ")[2] for one in report["gaps"].worst[:3]] == [
        "Christmas", "Good Friday", "New Year"
    ]  # fmt: skip
    assert report["missing"].status == "look"
