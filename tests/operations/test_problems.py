"""An unforeseen error in one slot or part: told, without paths, and nothing else stops."""

import pandas as pd
import pytest

from mlcore.market.demo import simulate
from mlcore.operations.problems import unforeseen
from mlcore.operations.shadowing import tick
from mlcore.operations.watch import watch_once
from tests.homes import SYMBOL, TIMEFRAME, home_at

NOW = pd.Timestamp("2026-10-09 08:16:10", tz="UTC")


@pytest.fixture
def two_markets(tmp_path, monkeypatch):
    """A home with two symbols whose decisions are both open; the first has a planted model."""
    monkeypatch.setenv("OPENRANGE_WATCH", "false")
    home = home_at(tmp_path / "home", NOW)
    start = NOW - pd.Timedelta(days=8)
    bars = simulate(SYMBOL, seed=home.settings.seed, start=start.value, end=NOW.value)
    for name in ("AAA", SYMBOL):
        named = type(bars)(name, *(getattr(bars, f) for f in list(vars(bars))[1:]))
        home.store.append(
            named, source="simulated", sha256="", imported_at=home.now(),
            options={"market": "simulated_24_7"},
        )  # fmt: skip
    return home


class Planted:
    """An engine whose model of one symbol raises what no model should."""

    def __init__(self, engine, error):
        self.engine, self.error = engine, error

    def __getattr__(self, name):
        return getattr(self.engine, name)

    def open_drafts(self, slot, now, **more):
        if slot.symbol == "AAA":
            raise self.error
        return self.engine.open_drafts(slot, now, **more)


def test_a_model_that_raises_leaves_the_other_slots_answered(two_markets, capsys):
    home = two_markets
    error = FileNotFoundError(2, "No such file", "/home/ada/openrange/registry/x/model.txt")
    home.engine = Planted(home.engine, error)
    said = tick(home)
    assert said["recorded"] > 0
    assert set(home.log.frame()["symbol"]) == {SYMBOL}
    (problem,) = said["problems"]
    assert problem["slot"] == f"orb_direction-AAA-{TIMEFRAME}"
    assert problem["code"] == "E_UNFORESEEN"
    assert problem["message"] == (
        f"A tick asks every slot – orb_direction-AAA-{TIMEFRAME} stopped with FileNotFoundError: "
        "[Errno 2] No such file: 'model.txt' – everything else went on; the log has the trace."
    )
    assert problem["details"] == {"where": f"orb_direction-AAA-{TIMEFRAME}",
                                  "type": "FileNotFoundError"}  # fmt: skip
    logged = capsys.readouterr().err
    assert "Traceback" in logged
    assert "/home/ada/openrange" in logged
    home.engine = home.engine.engine
    assert tick(home)["problems"] == []
    assert set(home.log.frame()["symbol"]) == {"AAA", SYMBOL}


def test_a_part_of_the_watch_that_raises_stops_no_other(two_markets, monkeypatch):
    import mlcore.operations.watch as watching

    def pull(home):
        raise ZeroDivisionError

    monkeypatch.setattr(watching, "pull", pull)
    said = watch_once(two_markets)
    assert said["pull"]["details"] == {"where": "the pull", "type": "ZeroDivisionError"}
    assert said["tick"]["recorded"] > 0
    assert said["settle"]["waiting"] == 0


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot open '/srv/a b/c.txt'", "RuntimeError: cannot open 'c.txt' –"),
        ("C:\\Users\\ada\\model.txt is gone", "RuntimeError: model.txt is gone –"),
        ("", "RuntimeError –"),
        ("ratio 3/4\nof 10 at 0.5 / 2", "RuntimeError: ratio 3/4 of 10 at 0.5 / 2"),
        ("x" * 500, "RuntimeError: " + "x" * 200),
    ],
)
def test_text_is_one_short_line_without_paths(text, shown):
    message = unforeseen(RuntimeError(text), rule="Rule", where="here")["message"]
    assert f"stopped with {shown}" in message
    assert "/srv" not in message
    assert "Users" not in message
    assert "\n" not in message
