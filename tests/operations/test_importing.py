"""An import that restates bars: settled calls are looked at again, and scores keep the first."""

import json
import zipfile
from functools import partial

import pandas as pd
import pytest
from typer.testing import CliRunner

from mlcore.__main__ import app
from mlcore.errors import BarsError, StoreError
from mlcore.features import feature_set
from mlcore.live.outcomes import reach
from mlcore.operations.importing import ingest, ingest_each
from mlcore.operations.shadowing import settle, tick
from mlcore.operations.tables import session_frame
from mlcore.samples.dataset import build_dataset
from mlcore.samples.labels import label
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
    assert report.first_changed == report.last_changed == before["decision_at"].value
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
    same = restate(settled, tmp_path, since="2026-10-09T08:15:00Z")
    assert (same.rechecked, same.first_changed, same.last_changed) == (0, None, None)
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


def test_restated_bars_touch_calls_on_bars_that_are_made_of_them(settled, tmp_path, monkeypatch):
    asked, recheck = {}, settled.log.recheck

    def seen(now, outcome_of, *, timeframe, **more):
        asked[timeframe] = more
        return recheck(now, outcome_of, timeframe=timeframe, **more)

    monkeypatch.setattr(settled.log, "recheck", seen)
    report = restate(settled, tmp_path, since="2026-10-09T08:15:00Z", volume=1.0)
    assert set(asked) == {"5m", "15m", "30m", "1h", "4h", "1d"}  # 5m is stored, the others made
    assert {more["since"] for more in asked.values()} == {report.first_changed}
    assert asked["15m"]["until"] == report.last_changed + reach("15m")


def test_a_failing_look_is_a_note_and_the_bars_are_stored(settled, tmp_path, monkeypatch):
    def broken(asked):
        raise StoreError("The lake is free – it is locked – try again.")

    price = opposite(settled, call_of(settled))
    monkeypatch.setattr(settled.engine, "outcomes", broken)
    report = restate(settled, tmp_path, since="2026-10-09T08:15:00Z", **price)
    assert report.revised == 1
    assert "settled calls were not looked at again: The lake is free" in report.notes[-1]
    assert not call_of(settled)["revised"]


def test_minutes_that_come_later_decide_a_bar_that_broke_both_sides(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENRANGE_WATCH", "false")
    home = home_at(tmp_path / "home", NOW)
    add_bars(home, NOW, start=NOW - pd.Timedelta(days=8))
    tick(home)
    home = home_at(tmp_path / "home", LATER)
    add_bars(home, LATER)
    shape = home.store.read(SYMBOL, TIMEFRAME, start="2026-10-09T08:00:00Z",
                            end="2026-10-09T08:15:00Z")  # fmt: skip
    top, bottom = float(shape.high.max()), float(shape.low.min())
    report = restate(home, tmp_path, since="2026-10-09T08:15:00Z", high=top + 1, low=bottom - 1)
    assert (report.revised, report.rechecked) == (1, 0)
    settle(home)
    assert call_of(home)["outcome"] == "AMBIGUOUS"
    report = ingest(
        home, [minutes(tmp_path, top, bottom)], symbol=SYMBOL, timeframe="1m", timezone="UTC",
        stamp="start", market=None, columns=None,
    )  # fmt: skip
    assert (report.added, report.revised) == (5, 0)
    assert report.outcomes_changed == 1
    call = call_of(home)
    assert (call["outcome"], call["revised"]) == ("AMBIGUOUS", True)
    assert [o.answer for o in home.log.outcomes(call["id"])] == ["AMBIGUOUS", "DOWN"]
    told = home.log.outcomes(call["id"])[1]
    assert told.snapshot == report.snapshot
    assert told.known_at == pd.Timestamp("2026-10-09T08:20:00Z").value
    table = session_frame(home, SYMBOL, TIMEFRAME, mode="touch", days=None)
    assert table[table["available_at"] == call["decision_at"]]["side"].tolist() == ["DOWN"]
    data = build_dataset(
        home.store, SYMBOL, TIMEFRAME, label("orb_direction"), home.settings,
        features=feature_set("opening_range")[:3],
    )  # fmt: skip
    assert data.y[data.decision_at == call["decision_at"].value].tolist() == [1.0]
    assert data.snapshot == report.snapshot


def minutes(tmp_path, top, bottom):
    """Five minutes from 08:15 that fall below the range first and rise above it then."""
    middle = (top + bottom) / 2
    rows = [(middle, middle), (middle, bottom - 1), (bottom - 1, middle), (middle, top + 1),
            (top + 1, middle)]  # fmt: skip
    path = tmp_path / "minutes.csv"
    lines = [
        f"2026-10-09T08:{15 + i}:00Z,{a},{max(a, b)},{min(a, b)},{b},1"
        for i, (a, b) in enumerate(rows)
    ]
    path.write_text("\n".join(["time,open,high,low,close,volume", *lines]) + "\n")
    return path


DAYS = (
    "Date,Open,High,Low,Close,Volume,OpenInt\n"
    "2026-01-05,10,12,9,11,5,0\n2026-01-06,11,13,10,12,6,0\n"
)


def test_many_files_go_under_the_names_they_tell(tmp_path):
    home = home_at(tmp_path / "home", NOW)
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "aapl.us.txt").write_text(DAYS)
    (folder / "accp.us.txt").write_text("")
    (folder / "brk-b.us.txt").write_text(DAYS)
    with zipfile.ZipFile(folder / "20131007_trade.zip", "w") as archive:
        for month in ("201310", "201312"):
            archive.writestr(f"20131007_gc_minute_trade_{month}.csv", "60000,1,1,1,1,1\n")
    told = list(ingest_each(home, [folder], timezone="UTC"))
    assert [(r.file, r.symbol, r.added) for r in told] == [
        ("20131007_trade.zip", "GC-201310", 1), ("20131007_trade.zip", "GC-201312", 1),
        ("aapl.us.txt", "AAPL", 2), ("accp.us.txt", "ACCP", 0), ("brk-b.us.txt", "BRK-B", 2),
    ]  # fmt: skip
    assert [r.code for r in told] == ["", "", "", "E_BARS_EMPTY", ""]
    assert "accp.us.txt is empty" in told[3].message
    assert set(home.store.symbols()["symbol"]) == {"GC-201310", "GC-201312", "AAPL", "BRK-B"}
    again = list(ingest_each(home, [folder], timezone="UTC"))
    assert sum(r.added + r.revised for r in again) == 0


def days_of(path, level, first="2026-01-05", rows=40):
    """A file of daily bars around a level."""
    days = pd.bdate_range(first, periods=rows)
    lines = [f"{d:%Y-%m-%d},{level},{level * 1.02},{level * 0.98},{level * (1 + (i % 7) / 500)},9"
             for i, d in enumerate(days)]  # fmt: skip
    path.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *lines]) + "\n")
    return path


def test_silver_under_the_name_of_gold_stops_and_asks(tmp_path):
    home = home_at(tmp_path / "home", NOW)
    ingest(home, [days_of(tmp_path / "gold.csv", 2000.0)], symbol="XAUUSD", market="gold")
    silver = days_of(tmp_path / "silver.csv", 24.0, rows=50)
    before = home.store.last("XAUUSD", "1d")
    with pytest.raises(BarsError) as caught:
        ingest(home, [silver], symbol="XAUUSD")
    assert caught.value.code == "E_BARS_IDENTITY"
    assert caught.value.message == (
        "Bars under one name are of one instrument – silver.csv, from 2026-01-04T22:00:00+00:00, "
        "is not like the 1d bars of XAUUSD that are stored: prices at 40 equal times are 0.012 "
        "times those stored (24.144 against 2012) – choose another symbol, or go on with "
        "--accept-doubts; nothing was imported."
    )
    assert home.store.last("XAUUSD", "1d") == before
    report = ingest(home, [silver], symbol="XAUUSD", accept_doubts=True)
    assert (report.added, report.revised) == (10, 40)
    said = "accepted: prices at 40 equal times are 0.012 times those stored (24.144 against 2012)"
    assert said in report.notes
    kept = home.db.frame("SELECT options FROM imports ORDER BY id DESC LIMIT 1")["options"][0]
    assert said in kept
    assert '"accept_doubts":true' in kept


def test_more_of_the_same_and_another_timeframe_raise_no_doubt(tmp_path):
    home = home_at(tmp_path / "home", NOW)
    ingest(home, [days_of(tmp_path / "a.csv", 2000.0)], symbol="XAUUSD", market="gold")
    more = ingest(home, [days_of(tmp_path / "b.csv", 2010.0, first="2026-03-02")], symbol="XAUUSD")
    assert more.added == 40
    rows = [f"2026-01-06 {h:02}:00:00,2001,2003,1999,2002,1" for h in range(12)]
    (tmp_path / "c.csv").write_text("\n".join(["time,open,high,low,close,volume", *rows]) + "\n")
    hours = ingest(home, [tmp_path / "c.csv"], symbol="XAUUSD", timezone="UTC")
    assert (hours.timeframe, hours.added) == ("1h", 12)


def test_bars_of_the_future_are_refused_by_the_homes_clock(tmp_path):
    home = home_at(tmp_path / "home", NOW)
    late = days_of(tmp_path / "late.csv", 2000.0, first="2026-10-05")
    with pytest.raises(BarsError) as caught:
        ingest(home, [late], symbol="XAUUSD")
    assert caught.value.code == "E_BARS_FUTURE"
    assert caught.value.message == (
        "A bar has happened – late.csv has bars from 2026-10-11T21:00:00+00:00 on, and it is "
        "2026-10-09T08:16:10+00:00 – look at how its dates are written, or go on with "
        "--accept-doubts; nothing was imported."
    )
    assert not len(home.store.symbols())


def test_the_command_imports_each_file_and_previews(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENRANGE_WATCH", "false")
    (tmp_path / "aapl.us.txt").write_text(DAYS)
    (tmp_path / "accp.us.txt").write_text("")
    run = partial(CliRunner().invoke, app)
    place = ["--home", str(tmp_path / "home")]
    done = run([*place, "ingest", str(tmp_path / "aapl.us.txt"), str(tmp_path / "accp.us.txt")])
    assert done.exit_code == 1
    assert "aapl.us.txt                  AAPL           1d 2 read, 2 added" in done.output
    assert "accp.us.txt is empty – choose another file; nothing was imported." in done.output
    assert done.output.endswith("1 imported, 1 refused\n")
    done = run([*place, "ingest", str(tmp_path / "aapl.us.txt"), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.output)["files"][0]["added"] == 0
    naive = tmp_path / "naive.csv"
    naive.write_text(
        "time,open,high,low,close\n2026-01-05 10:00,1,2,1,2\n2026-01-05 10:05,1,2,1,2\n"
    )
    seen = json.loads(run([*place, "preview", str(naive), "--json"]).output)
    assert seen["questions"][0].startswith("Times without an offset need a zone – naive.csv")
    assert (seen["rows"], seen["timeframe"], seen["proposed"]) == (2, "5m", None)
