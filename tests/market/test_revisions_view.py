"""What was restated, deleted and carried out: both values, the calls that lean on it, no trace."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlcore.clock import DAY, MINUTE, fixed_clock
from mlcore.config import load_settings
from mlcore.errors import StoreError, UsageError
from mlcore.hub import Hub
from mlcore.market.bars import BarStore
from mlcore.market.exporting import export_bars, neutral
from mlcore.schema import Bars
from mlcore.store import HubDB, Lake

START = 1_700_000_100 * 10**9
NOW = START + 40 * DAY
COLUMNS = ("time", "open", "high", "low", "close", "volume", "available_at")


def make(rows=100, *, symbol="BTC-USD", timeframe="5m", first=0, lift=0.0):
    steps = np.arange(first, first + rows)
    time = START + steps * 5 * MINUTE
    close = 100 + np.sin(steps) + lift
    return Bars(
        symbol, timeframe, time, close - 0.1, close + 1, close - 1, close, 1000.0 + steps,
        time + 5 * MINUTE,
    )  # fmt: skip


def add(store, bars, *, sha256="", imported_at=NOW, source="a.csv"):
    return store.append(bars, source=source, sha256=sha256, imported_at=imported_at, options={})


def same(a, b, columns=COLUMNS):
    return all(np.array_equal(getattr(a, c), getattr(b, c), equal_nan=True) for c in columns)


@pytest.fixture
def hub(home):
    return Hub(load_settings(home), fixed_clock(NOW + DAY))


def log_call(hub, name, *, timeframe="5m", first=None, decided, due, logged):
    """A row of the log with what the view reads; the rest is as the table asks."""
    known = {
        "id": name, "symbol": "BTC-USD", "timeframe": timeframe, "first_bar": first,
        "decision_at": decided, "due_at": due, "logged_at": logged,
    }  # fmt: skip
    with hub.home.db.transaction() as connection:
        table = connection.execute("PRAGMA table_info(predictions)").fetchall()
        for _, column, kind, required, default, _ in table:
            if required and default is None and column not in known:
                known[column] = {"INTEGER": 0, "REAL": 0.0, "BLOB": b""}.get(kind, name)
        known |= {"mode": "live", "role": "champion"}
        holes = ", ".join("?" * len(known))
        connection.execute(
            f"INSERT INTO predictions ({', '.join(known)}) VALUES ({holes})",
            list(known.values()),
        )


def bar(i):
    return START + i * 5 * MINUTE


def test_both_values_of_a_restated_bar_are_shown_with_their_import(hub):
    store, bars = hub.home.store, make()
    add(store, bars)
    assert hub.revisions("BTC-USD", "5m").empty
    volume, close = bars.volume.copy(), bars.close.copy()
    volume[3], close[7] = np.nan, 100.25
    second = add(store, replace(bars, volume=volume, close=close), source="b.csv")
    close = close.copy()
    close[7] = 100.5
    third = add(store, replace(bars, volume=volume, close=close), imported_at=NOW + 5, source="c")
    view = hub.revisions("BTC-USD", "5m")
    assert view["time"].astype("int64").tolist() == [bar(3), bar(7), bar(7)]
    assert view["revision"].tolist() == [1, 1, 2]
    assert view["old_close"].tolist() == [bars.close[3], bars.close[7], 100.25]
    assert view["new_close"].tolist() == [bars.close[3], 100.25, 100.5]
    assert view["old_volume"].tolist() == [1003.0, 1007.0, 1007.0]
    assert np.isnan(view["new_volume"][0])
    assert view["new_available_at"].astype("int64").tolist() == [NOW, NOW, NOW + 5]
    assert view["old_available_at"].astype("int64").tolist() == [bar(4), bar(8), NOW]
    assert view["source"].tolist() == ["b.csv", "b.csv", "c"]
    assert view["snapshot"].tolist() == [second.snapshot, second.snapshot, third.snapshot]
    assert view["calls"].tolist() == [0, 0, 0]


def test_merged_files_still_tell_the_import(hub):
    store, bars = hub.home.store, make()
    add(store, bars)
    report = add(store, make(lift=1.0), source="b.csv")
    hub.home.lake.compact(at_least=1)
    view = hub.revisions("BTC-USD", "5m")
    assert set(view["source"]) == {"b.csv"}
    assert set(view["snapshot"]) == {report.snapshot}


def test_calls_that_lean_on_restated_bars_are_named(hub):
    store, bars = hub.home.store, make()
    add(store, bars)
    close = bars.close.copy()
    close[20] = 100.25
    add(store, replace(bars, close=close), source="b.csv")
    spans = {
        "reads": dict(first=bar(10), decided=bar(30), due=bar(40), logged=bar(30)),
        "scored": dict(first=bar(0), decided=bar(15), due=bar(21), logged=bar(15)),
        "due": dict(first=bar(0), decided=bar(15), due=bar(20), logged=bar(15)),
        "after": dict(first=bar(21), decided=bar(30), due=bar(40), logged=bar(30)),
        "knew": dict(first=bar(10), decided=bar(30), due=bar(40), logged=NOW + 1),
        "hourly": dict(timeframe="1h", first=bar(0), decided=bar(18), due=bar(30), logged=bar(18)),
        "inputs": dict(timeframe="1h", first=bar(0), decided=bar(21), due=bar(30), logged=bar(21)),
        "finer": dict(timeframe="1m", first=bar(0), decided=bar(18), due=bar(30), logged=bar(18)),
    }  # fmt: skip
    for name, span in spans.items():
        log_call(hub, name, **span)
    view = hub.revisions("BTC-USD", "5m")
    assert view["call_ids"].tolist() == [["reads", "scored", "hourly"]]
    assert view["calls"].tolist() == [3]


# deleting -------------------------------------------------------------------------------------


def test_deleted_bars_are_gone_from_later_reads_and_come_back_with_an_import(hub, home):
    store = hub.home.store
    before = add(store, make(), sha256="a" * 64)
    add(store, make(symbol="ETH-USD"), sha256="e" * 64)
    log_call(hub, "kept", first=bar(0), decided=bar(9), due=bar(12), logged=bar(9))
    done = hub.delete_bars("BTC-USD", "5m", " silver in a file named gold ")
    assert (done["rows"], done["calls_kept"], done["reason"]) == (
        100, 1, "silver in a file named gold"
    )  # fmt: skip
    for reader in (hub, Hub(load_settings(home), fixed_clock(NOW + DAY))):
        with pytest.raises(UsageError, match="'BTC-USD' was given"):
            reader.bars("BTC-USD", "5m")
        assert reader.symbols()["symbol"].tolist() == ["ETH-USD"]
        assert reader.home.lake.verify() == []
        assert reader.home.lake.orphans() == []
    assert same(store.read("ETH-USD", "5m"), make(symbol="ETH-USD"))
    row = hub.home.db.one("SELECT * FROM deletions")
    assert (row["symbol"], row["rows"], row["reason"]) == ("BTC-USD", 100, done["reason"])
    assert hub.home.db.one("SELECT count(*) AS n FROM predictions")["n"] == 1
    again = add(store, make(), sha256="a" * 64)
    assert (again.added, again.unchanged, again.notes) == (100, 0, ())
    assert same(store.read("BTC-USD", "5m"), make())
    assert same(store.read("BTC-USD", "5m", snapshot=before.snapshot), make())
    assert store.last("BTC-USD", "5m")[0] == 100


def test_bars_in_merged_files_are_deleted_too(hub, home):
    store = hub.home.store
    for symbol in ("A", "B"):
        add(store, make(symbol=symbol))
    hub.home.lake.compact(at_least=1)
    assert hub.delete_bars("A", "5m", "wrong zone")["rows"] == 100
    other = Hub(load_settings(home), fixed_clock(NOW + DAY))
    assert other.verify()["passed"]
    assert other.home.lake.orphans() == []
    assert same(other.home.store.read("B", "5m"), make(symbol="B"))
    add(store, make(50, symbol="A", lift=2.0))
    assert same(other.home.store.read("A", "5m"), make(50, symbol="A", lift=2.0))


def test_one_symbol_after_the_other_can_be_deleted(hub, home):
    store = hub.home.store
    for symbol in ("A", "B", "C"):
        add(store, make(symbol=symbol))
    hub.home.lake.compact(at_least=1)
    hub.delete_bars("A", "5m", "first")
    between = hub.delete_bars("B", "5m", "second")["snapshot"] - 1
    other = Hub(load_settings(home), fixed_clock(NOW + DAY))
    assert other.symbols()["symbol"].tolist() == ["C"]
    assert other.verify()["passed"]
    assert other.home.lake.orphans() == []
    assert same(other.home.store.read("C", "5m"), make(symbol="C"))
    rows = other.home.lake.table(
        f"SELECT DISTINCT symbol FROM lake.bars AT (VERSION => {between}) ORDER BY 1", []
    )
    assert rows.column(0).to_pylist() == ["B", "C"]


def test_a_deletion_another_process_made_is_seen(hub, home):
    add(hub.home.store, make())
    held = hub.home.store.read("BTC-USD", "5m")
    other = Hub(load_settings(home), fixed_clock(NOW + DAY))
    other.delete_bars("BTC-USD", "5m", "test")
    add(other.home.store, make(10, lift=1.0))
    assert len(held) == 100
    assert same(hub.home.store.read("BTC-USD", "5m"), make(10, lift=1.0))


def test_what_is_deleted_has_a_name_and_a_reason(hub):
    with pytest.raises(UsageError, match="'BTC-USD' was given"):
        hub.delete_bars("BTC-USD", "5m", "why not")
    add(hub.home.store, make())
    with pytest.raises(UsageError, match="Bars are deleted for a reason – none was given for BTC"):
        hub.delete_bars("BTC-USD", "5m", "  ")
    hub.delete_bars("BTC-USD", "5m", "test")
    with pytest.raises(StoreError, match="deletions is append-only"), \
            hub.home.db.transaction() as connection:  # fmt: skip
        connection.execute("DELETE FROM deletions")


# carrying out ---------------------------------------------------------------------------------


def test_an_export_is_what_is_read(hub, tmp_path):
    add(hub.home.store, make())
    out = hub.export_bars("BTC-USD", "5m", tmp_path / "b.parquet", end=bar(50))
    assert (out["rows"], out["derived_from"]) == (50, None)
    frame = pd.read_parquet(tmp_path / "b.parquet")
    assert same(Bars.from_frame(frame, "BTC-USD", "5m"), make(50))
    out = hub.export_bars("BTC-USD", "1h", tmp_path / "b.csv")
    assert (out["rows"], out["derived_from"]) == (7, "5m")
    table = pd.read_csv(tmp_path / "b.csv")
    assert table["symbol"].unique().tolist() == ["BTC-USD"]
    again = Bars.from_frame(
        table.assign(**{c: pd.to_datetime(table[c]) for c in ("time", "available_at")}),
        "BTC-USD", "1h",
    )  # fmt: skip
    assert same(again, hub.home.store.read("BTC-USD", "1h"))
    with pytest.raises(UsageError, match=r"exported to .parquet or .csv – b.xlsx was given"):
        hub.export_bars("BTC-USD", "5m", tmp_path / "b.xlsx")
    assert not list(tmp_path.glob("*.part"))


def test_no_cell_is_a_formula(tmp_path):
    """A symbol of ours cannot start one; a name that could is made plain."""
    export_bars(replace(make(2), symbol="=SUM(A1)"), tmp_path / "x.csv")
    assert pd.read_csv(tmp_path / "x.csv")["symbol"].tolist() == ["'=SUM(A1)"] * 2
    assert [neutral(v) for v in ("+1", "@x", "-2", "\tx", "x", -2.0)] == [
        "'+1", "'@x", "'-2", "'\tx", "x", -2.0
    ]  # fmt: skip


# the store a clean import makes ---------------------------------------------------------------


@settings(
    max_examples=6, deadline=None, derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(
    cuts=st.lists(
        st.tuples(st.integers(0, 59), st.integers(1, 60), st.booleans()), min_size=1, max_size=5
    ),
    data=st.data(),
)
def test_late_duplicate_and_restated_bars_end_in_the_store_of_a_clean_import(
    tmp_path_factory, cuts, data
):
    """Pieces in any order, overlapping, some with other values first, then all as it should be."""
    found = load_settings(tmp_path_factory.mktemp("home"))
    store = BarStore(Lake(found.data), HubDB(found.data / "hub.sqlite"), found)
    whole, seen = make(60), {}
    for i, (first, rows, wrong) in enumerate(data.draw(st.permutations(cuts))):
        piece = whole.take(slice(first, first + rows))
        add(store, replace(piece, close=piece.close + 0.5) if wrong else piece, imported_at=NOW + i)
        seen |= dict.fromkeys(range(first, min(60, first + rows)), wrong)
    report = add(store, whole, imported_at=NOW + 100)
    assert report.added == 60 - len(seen)
    assert report.revised == sum(seen.values())
    last = store.read("BTC-USD", "5m")
    assert same(last, whole, COLUMNS[:-1])
    assert store.last("BTC-USD", "5m")[:2] == (60, whole.time[-1])
    restated = [i for i, wrong in seen.items() if wrong]
    assert (last.available_at[restated] == NOW + 100).all()
    assert len(store.revisions("BTC-USD", "5m")) >= len(restated)
