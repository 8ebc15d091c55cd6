"""Quality of stored bars: what they are fit for, with figures, by hub and by command."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlcore.__main__ import main
from mlcore.clock import DAY, fixed_clock
from mlcore.config import load_settings
from mlcore.errors import UsageError
from mlcore.hub import Hub
from mlcore.market.demo import simulate
from mlcore.operations.judging import FAMILIES, TARGETS

NOW = pd.Timestamp("2026-10-09 08:15", tz="UTC")


def hub_of(place, bars, market="simulated_24_7"):
    """A hub whose home holds these bars."""
    hub = Hub(load_settings(place), fixed_clock(NOW))
    hub.home.store.append(
        bars, source="test", sha256="", imported_at=NOW.value, options={"market": market}
    )
    return hub


def simulated(days=220):
    return simulate("SIM-EDGE", seed=7, start=NOW.value - days * DAY, end=NOW.value)


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    return hub_of(tmp_path_factory.mktemp("quality"), simulated())


@pytest.fixture(scope="module")
def told(hub):
    return hub.quality("SIM-EDGE", "5m")


def use(told, name):
    return next(one for one in told.uses if one.name == name)


def test_clean_bars_with_a_long_history_are_fit_for_everything(told):
    assert {one.state for one in told.uses} == {"fit"}
    assert told.words.startswith(
        "Fit for charts, opening ranges, volume inputs, backtests, training ("
    )
    assert "not for" not in told.words
    assert [one.target for one in told.histories] == list(TARGETS)


def test_rows_are_those_that_training_would_have(hub, told):
    rows = {one.target: one.rows for one in told.histories}
    for target in ("orb_direction", "orb_quality"):
        frame = hub.dataset(target, "SIM-EDGE", "5m")
        assert rows[target] == int(np.isfinite(frame["y"]).sum())
    signal = hub.dataset("signal", "SIM-EDGE", "5m")
    assert rows["signal"] == len(signal)


@pytest.mark.parametrize("days", [30, 150])
def test_a_problem_is_the_one_that_training_would_tell(tmp_path, days):
    hub = hub_of(tmp_path, simulated(days=days))
    told = hub.quality("SIM-EDGE", "5m")
    for one in told.histories[:2]:
        problems = hub.readiness(one.target, "SIM-EDGE", "5m")["problems"]
        assert [one.problem] * bool(one.problem) == problems


def test_a_short_history_says_what_is_missing_before_training(tmp_path):
    told = hub_of(tmp_path, simulated(days=30)).quality("SIM-EDGE", "5m")
    history = next(one for one in told.histories if one.target == "orb_direction")
    assert 63 <= history.rows < 126
    assert history.enough_for == ("trees",)
    chance = use(told, "training orb_direction")
    assert chance.state == "unfit"
    assert f"{history.rows:,} labelled rows on" in chance.reason
    assert "add" in chance.reason
    assert "days of bars" in chance.reason
    assert "; not for training (orb_direction" in told.words
    assert FAMILIES == {"trees": 63, "Transformer": 126, "LSTM": 252}


def test_daily_bars_have_no_opening_ranges(tmp_path):
    days = pd.date_range("2023-01-02", periods=900, freq="D", tz="UTC").as_unit("ns").asi8
    base = simulated(days=5)
    bars = replace(base, timeframe="1d", time=days, available_at=days + DAY,
                   **{n: getattr(base, n)[:900] for n in ("open", "high", "low", "close", "volume")}
                   )  # fmt: skip
    told = hub_of(tmp_path, bars).quality("SIM-EDGE", "1d")
    assert use(told, "opening ranges").state == "unfit"
    assert "no range of the market fits into 1d bars" in use(told, "opening ranges").reason
    assert use(told, "training orb_r").reason == "1d bars are too long for opening ranges"
    assert use(told, "training signal").state == "fit"


def test_volume_of_nothing_is_not_for_volume_inputs(tmp_path):
    bars = simulated(days=30)
    told = hub_of(tmp_path, replace(bars, volume=np.zeros(len(bars)))).quality("SIM-EDGE", "5m")
    assert use(told, "volume inputs").state == "unfit"
    assert use(told, "volume inputs").reason == "every volume is 0"
    assert "not for volume inputs" in told.words


def test_a_suspected_split_spoils_backtests(tmp_path):
    bars = simulated(days=30)
    half = {n: np.where(np.arange(len(bars)) >= 3000, getattr(bars, n) / 2, getattr(bars, n))
            for n in ("open", "high", "low", "close")}  # fmt: skip
    told = hub_of(tmp_path, replace(bars, **half)).quality("SIM-EDGE", "5m")
    assert use(told, "backtests").state == "unfit"
    assert use(told, "charts").state == "care"
    assert "1 jump like a split" in use(told, "backtests").reason


def test_restated_and_repeated_bars_are_counted(tmp_path):
    bars = simulated(days=3)
    hub = hub_of(tmp_path, bars)
    other = bars.take(slice(100, 140))
    changed = replace(other, close=np.where(np.arange(40) < 3, other.low, other.close))
    at = NOW.value + 10**9
    hub.home.store.append(changed, source="again", sha256="", imported_at=at,
                          options={"market": "simulated_24_7"})  # fmt: skip
    check = hub.quality("SIM-EDGE", "5m").report["revisions"]
    assert 1 <= check.n <= 3
    assert check.words == (
        f"{check.n} were restated with other values, {40 - check.n} came again with the same values"
    )


def test_unknown_symbols_are_refused(hub):
    with pytest.raises(UsageError, match="SIM-EDG") as told:
        hub.quality("SIM-EDG", "5m")
    assert told.value.code == "E_SYMBOL"


def test_the_command_answers_with_rows(hub, capsys):
    words = ["--home", str(hub.settings.home), "quality", "SIM-EDGE", "5m"]
    assert main([*words, "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["rows"] == hub.home.store.last("SIM-EDGE", "5m")[0]
    assert said["verdict"]["words"].startswith("Fit for charts")
    names = [check["name"] for check in said["checks"]]
    assert names[:3] == ["missing", "gaps", "outside"]
    assert all({"status", "n", "share", "rule", "worst"} <= set(check) for check in said["checks"])
    assert said["coverage"]["months"][0]["month"] == "2026-03"
    assert said["history"][0]["recommended"] == 500
    assert main(words) == 0
    text = capsys.readouterr().out
    assert "SIM-EDGE 5m, " in text
    assert "Suspected splits" in text


def test_the_command_refuses_a_symbol_it_does_not_know(hub, capsys):
    code = main(["--home", str(hub.settings.home), "quality", "NOPE", "5m", "--json"])
    assert code == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "E_SYMBOL"
