"""Universes: names for many symbols, resolved among those that have bars, also by command."""

import json

import numpy as np
import pandas as pd
import pytest

from mlcore.__main__ import main
from mlcore.clock import MINUTE, fixed_clock
from mlcore.config import load_settings
from mlcore.errors import ConfigError, UsageError
from mlcore.hub import Hub
from mlcore.market.universes import members, resolve
from mlcore.schema import Bars

START = 1_700_006_400 * 10**9
KNOWN = {"NIFTY": "nse", "BANKNIFTY": "nse", "SPY": "us_equity", "NFLX": "us_equity", "FX": "fx"}
CONFIG = """
[universes]
NIFTY50 = ["nse:*"]
LETTERS = ["N*", "SPY"]
FX = ["fx:*"]
METALS = ["gold:*"]
"""


@pytest.mark.parametrize(
    ("patterns", "found"),
    [
        (["nse:*"], ("BANKNIFTY", "NIFTY")),
        (["N*"], ("NFLX", "NIFTY")),
        (["us_equity:N*", "SPY", "nse:SPY"], ("NFLX", "SPY")),
        (["nifty"], ()),
        ([], ()),
    ],
)
def test_patterns_name_symbols_of_a_market(patterns, found):
    assert members(patterns, KNOWN) == found


def test_names_are_symbols_first_then_universes():
    universes = {"FX": ["nse:*"], "NSE": ["nse:*"]}
    assert resolve("SPY, NSE,NIFTY", universes, KNOWN) == ("SPY", "BANKNIFTY", "NIFTY")
    assert resolve("FX", universes, KNOWN) == ("FX",)
    with pytest.raises(UsageError, match=r"'NSR' was given – Did you mean NSE\?") as caught:
        resolve("NSR", universes, KNOWN)
    assert caught.value.code == "E_SYMBOL"
    with pytest.raises(UsageError, match=r"GOLD is gold:\* and nothing here fits") as caught:
        resolve("GOLD", {"GOLD": ["gold:*"]}, KNOWN)
    assert caught.value.code == "E_UNIVERSE_EMPTY"


@pytest.fixture
def hub(home):
    home.mkdir()
    (home / "openrange.toml").write_text(CONFIG, encoding="utf-8")
    found = Hub(load_settings(home), fixed_clock(START + 10**15))
    time = START + np.arange(30) * 5 * MINUTE
    close = np.full(30, 100.0)
    for symbol, market in KNOWN.items():
        bars = Bars(symbol, "5m", time, close, close, close, close, close, time + 5 * MINUTE)
        found.home.store.append(
            bars, source="x", sha256="", imported_at=0, options={"market": market}
        )
    return found


def test_a_home_lists_its_universes_beside_the_delivered_ones(hub):
    found = hub.universes().set_index("universe")
    assert found.loc["NIFTY50", "symbols"] == ("BANKNIFTY", "NIFTY")
    assert found.loc["LETTERS", "n"] == 3
    assert found.loc["METALS", "n"] == 0
    assert found.loc["US_STOCKS", "symbols"] == ("NFLX", "SPY")
    assert hub.symbols_of("FX,NIFTY50") == ("FX", "BANKNIFTY", "NIFTY")


def test_universes_change_no_number(hub, home):
    before = load_settings(home).fingerprint()
    (home / "openrange.toml").write_text("[universes]\nA = ['SPY']\n", encoding="utf-8")
    assert load_settings(home).fingerprint() == before


@pytest.mark.parametrize(
    ("text", "said"),
    [('A = ["nope:*"]', "A market is one of"), ('"1 A" = ["SPY"]', "universes")],
)
def test_a_universe_that_cannot_be_is_refused(home, text, said):
    home.mkdir()
    (home / "openrange.toml").write_text(f"[universes]\n{text}\n", encoding="utf-8")
    with pytest.raises((ConfigError, UsageError), match=said):
        load_settings(home)


def run(capsys, home, *arguments):
    code = main(["--home", str(home), *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_commands_know_universes_coarser_bars_and_deletion(hub, home, capsys, tmp_path):
    code, told = run(capsys, home, "universes")
    assert code == 0
    assert {"universe": "LETTERS", "patterns": "N*, SPY", "symbols": ["NFLX", "NIFTY", "SPY"],
            "n": 3} in told["rows"]  # fmt: skip
    code, told = run(capsys, home, "symbols", "--universe", "NIFTY50")
    assert [row["symbol"] for row in told["rows"]] == ["BANKNIFTY", "NIFTY"]
    code, told = run(capsys, home, "bars", "SPY", "15m")
    assert (told["rows"], told["derived_from"], len(told["bars"])) == (10, "5m", 10)
    code, told = run(capsys, home, "bars", "SPY", "5m", "--out", str(tmp_path / "spy.csv"))
    assert (told["rows"], told["derived_from"]) == (30, None)
    code, told = run(capsys, home, "revisions", "SPY", "5m")
    assert (code, told["n"]) == (0, 0)
    code, told = run(capsys, home, "delete-bars", "SPY", "5m", "--reason", "test")
    assert (code, told["rows"]) == (0, 30)
    code, told = run(capsys, home, "bars", "SPY", "5m")
    assert (code, told["error"]["code"]) == (2, "E_SYMBOL")
    assert main(["--home", str(home), "bars", "FX", "30m"]) == 0
    assert "made of 5m bars; 30m bars are not stored" in capsys.readouterr().out


def test_a_dataset_of_a_universe_names_its_symbols(hub, home, capsys, tmp_path):
    rng = np.random.default_rng(5)
    time = START + np.arange(400) * 5 * MINUTE
    for symbol in ("AAA", "BBB"):
        close = 100 + np.cumsum(rng.normal(0, 0.1, 400))
        bars = Bars(
            symbol, "5m", time, close, close + 0.1, close - 0.1, close, np.ones(400),
            time + 5 * MINUTE,
        )  # fmt: skip
        hub.home.store.append(
            bars, source="x", sha256="", imported_at=0, options={"market": "crypto"}
        )
    out = tmp_path / "d.parquet"
    words = ("dataset", "signal", "--timeframe", "5m", "--out", str(out), "--symbols")
    code, told = run(capsys, home, *words, "CRYPTO")
    frame = pd.read_parquet(out)
    assert (code, told["rows"], frame.columns[0]) == (0, len(frame), "symbol")
    assert frame["symbol"].unique().tolist() == ["AAA", "BBB"]
    _, alone = run(capsys, home, *words, "BBB")
    assert alone["rows"] == (frame["symbol"] == "BBB").sum()
    assert "symbol" not in pd.read_parquet(out)
    code, told = run(capsys, home, "train", "signal", "--timeframe", "5m", "--symbols", "NIFTY50")
    assert (code, told["n"]) == (1, 2)
    assert [r["symbol"] for r in told["runs"]] == ["BANKNIFTY", "NIFTY"]
    assert all(r["error"]["message"] for r in told["runs"])
