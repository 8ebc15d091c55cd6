"""An import that restates bars: settled calls are looked at again, and scores keep the first."""

import pandas as pd
import pytest

from mlcore.errors import StoreError
from mlcore.operations.importing import ingest
from mlcore.operations.shadowing import settle, tick
from tests.homes import SYMBOL, TIMEFRAME, add_bars, home_at

NOW = pd.Timestamp("2026-10-09 08:16:10", tz="UTC")
LATER = pd.Timestamp("2026-10-09 14:00", tz="UTC")
ITEM = "utc_0800/2026-10-09"


@pytest.fixture
def settled(tmp_path, monkeypatch):
    """A home without a model whose one open call has settled."""
    monkeypatch.setenv("OPENRANGE_WATCH", "false")
    home = home_at(tmp_path / "home", NOW)
    add_bars(home, NOW, start=NOW - pd.Timedelta(days=8))
    tick(home)
    later = home_at(tmp_path / "home", LATER)
    add_bars(later, LATER)
    settle(later)
    return later


def call_of(home):
    frame = home.log.frame()
    return frame[frame["item"] == ITEM].iloc[0]


def restate(home, tmp_path, *, since, name="again.csv", **changed):
    """Import the stored bars from `since` on again, with other values in the first of them."""
    frame = home.store.read(SYMBOL, TIMEFRAME, start=since, end="2026-10-09T13:30:00Z").frame()
    frame = frame[["time", "open", "high", "low", "close", "volume"]].reset_index(drop=True)
    for column, value in changed.items():
        frame.loc[0, column] = value
    path = tmp_path / name
    frame.assign(time=frame["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ")).to_csv(path, index=False)
    return ingest(
        home, [path], symbol=SYMBOL, timeframe=TIMEFRAME, timezone="UTC", stamp="start",
        market=None, columns=None,
    )  # fmt: skip


def opposite(home, call):
    """A price for the first bar of the window that breaks the other side first."""
    bars = home.store.read(SYMBOL, TIMEFRAME, start="2026-10-09T08:00:00Z",
                           end="2026-10-09T08:15:00Z")  # fmt: skip
    up = call["outcome"] == "UP"
    return {"low": bars.low.min() - 1} if up else {"high": bars.high.max() + 1}


def test_a_restated_bar_that_turns_a_break_adds_a_flagged_outcome(settled, tmp_path):
    before = call_of(settled)
    price = opposite(settled, before)
    report = restate(settled, tmp_path, since="2026-10-09T08:15:00Z", **price)
    assert (report.added, report.revised) == (0, 1)
    assert report.first_revised == report.last_revised == before["decision_at"].value
    assert report.rechecked >= 1
    assert report.outcomes_changed == 1
    assert f"1 restated bars: {report.rechecked} settled calls looked at again" in report.notes[-1]
    after = call_of(settled)
    assert after["outcome"] == before["outcome"]
    assert after["revised"]
    told = settled.log.outcomes(before["id"])
    assert [o.revision for o in told] == [0, 1]
    assert told[1].answer not in (before["outcome"], None)
    assert settled.log.get(before["id"]).probabilities == before["probabilities"]
    assert settled.log.verify() == []


def test_the_same_file_twice_and_a_bar_that_changes_no_outcome_add_nothing(settled, tmp_path):
    before = call_of(settled)
    assert restate(settled, tmp_path, since="2026-10-09T08:15:00Z").rechecked == 0
    report = restate(settled, tmp_path, since="2026-10-09T08:15:00Z", volume=1.0, name="b.csv")
    assert report.revised == 1
    assert report.rechecked >= 1
    assert report.outcomes_changed == 0
    assert len(settled.log.outcomes(before["id"])) == 1


def test_bars_before_every_call_touch_none(settled, tmp_path):
    old = settled.store.read(SYMBOL, TIMEFRAME, start="2026-10-02T00:00:00Z")
    report = restate(
        settled, tmp_path, since="2026-10-02T00:00:00Z", high=old.high[0] + 5, name="old.csv"
    )
    assert report.revised == 1
    assert report.outcomes_changed == 0


def test_a_failing_look_is_a_note_and_the_bars_are_stored(settled, tmp_path, monkeypatch):
    def broken(asked):
        raise StoreError("The lake is free – it is locked – try again.")

    price = opposite(settled, call_of(settled))
    monkeypatch.setattr(settled.engine, "outcomes", broken)
    report = restate(settled, tmp_path, since="2026-10-09T08:15:00Z", **price)
    assert report.revised == 1
    assert "settled calls were not looked at again: The lake is free" in report.notes[-1]
    assert not call_of(settled)["revised"]
