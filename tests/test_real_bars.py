"""Real vendor files, from import to report, by command; skipped where the files are not."""

import json

import pandas as pd
import pytest

from mlcore.__main__ import main

pytestmark = pytest.mark.slow

NEW_YORK = "America/New_York"
FILES = {
    "gold 5m": (["gold/xauusd_5m_mt5.csv"], "XAUUSD", "5m", "gold", "Europe/Athens", None, 68_418),
    "gold 15m": (["gold/xauusd_15m.parquet"], "XAUUSD", "15m", "gold", "Europe/Athens", None, None),
    "ES 5m": (["index/es_5m.parquet"], "ES", "5m", "index_futures", None, None, 70_616),
    "SPY 5m": (["index/spy_5m.csv"], "SPY", "5m", "us_equity", NEW_YORK, None, 17_463),
    "BTC 5m": (["crypto/btcusdt_5m.feather"], "BTCUSDT", "5m", "crypto", None, None, 140_614),
    "NIFTY 1m": (["india/nifty_1m"], "NIFTY", "1m", "nse", "Asia/Kolkata", "end", None),
    "SPY 1d": (["us_daily/yahoo/SPY.csv"], "SPYD", "1d", "us_equity", NEW_YORK, None, None),
}  # fmt: skip


@pytest.fixture
def run(home, capsys):
    def call(*words, code=0):
        done = main(["--home", str(home), *[str(w) for w in words], "--json"])
        said = capsys.readouterr().out
        assert done == code, said
        return json.loads(said)

    return call


def bring(run, shared_data, name):
    paths, symbol, timeframe, market, zone, stamp, rows = FILES[name]
    words = ["ingest", *[shared_data / p for p in paths], "--symbol", symbol, "--timeframe",
             timeframe, "--market", market]  # fmt: skip
    words += ["--timezone", zone] if zone else []
    words += ["--stamp", stamp] if stamp else []
    told = run(*words)
    if rows is not None:
        assert told["read"] == rows
    again = run(*words)
    assert (again["added"], again["revised"]) == (0, 0)
    return symbol, timeframe, told


@pytest.mark.parametrize("name", list(FILES))
def test_real_files_import_right_and_twice_changes_nothing(run, shared_data, name):
    symbol, timeframe, told = bring(run, shared_data, name)
    listed = run("symbols")["rows"]
    assert [(r["symbol"], r["timeframe"], r["rows"]) for r in listed] == [
        (symbol, timeframe, told["added"])
    ]


def test_gold_gives_the_known_ranges_and_mechanical_accuracy(run, shared_data, tmp_path):
    bring(run, shared_data, "gold 5m")
    out = tmp_path / "s.parquet"
    told = run("sessions", "XAUUSD", "5m", "--out", out)
    assert (told["rows"], told["valid"], told["decided"]) == (1516, 1497, 1478)
    frame = pd.read_parquet(out)
    done = frame[frame["valid"] & frame["side"].isin(["UP", "DOWN"])]
    up = (done["close"] - done["low"]) / (done["high"] - done["low"])
    assert round(float(((up > 0.5) == (done["side"] == "UP")).mean()), 3) == 0.770


@pytest.mark.parametrize(("name", "target"), [("gold 5m", "orb_r"), ("NIFTY 1m", "orb_direction")])
def test_the_whole_loop_on_real_bars(run, shared_data, name, target):
    symbol, timeframe, _ = bring(run, shared_data, name)
    slot = f"{target}-{symbol}-{timeframe}"
    assert run("prove", symbol, timeframe, "--target", target)["passed"]
    made = run("train", target, "--symbols", symbol, "--timeframe", timeframe)
    run("promote", slot, made["version"], "--reason", "first")
    call = run("predict", symbol, timeframe, "--target", target)["calls"][0]
    assert call["mode"] == "replay"
    told = run("shadow", "replay", "--slot", slot, "--days", "60")
    assert told["recorded"] > 20
    report = run("shadow", "report", "--slot", slot, "--mode", "replay")
    assert report["settled"] > 20
    assert report["verdict"]["words"]
    assert run("verify")["passed"]


def test_daily_bars_are_served_by_signal(run, shared_data):
    symbol, timeframe, _ = bring(run, shared_data, "SPY 1d")
    made = run("train", "signal", "--symbols", symbol, "--timeframe", timeframe, "--model",
               "logistic", "--days", "700")  # fmt: skip
    slot = f"signal-{symbol}-{timeframe}"
    run("promote", slot, made["version"], "--reason", "first")
    call = run("predict", symbol, timeframe)["calls"][0]
    assert call["answer"] in ("BUY", "SELL", "HOLD")
