"""The store of bars: added once, revised without loss, read as known at any instant."""

from dataclasses import replace
from time import perf_counter

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import DAY, MINUTE
from mlcore.config import load_settings
from mlcore.errors import BarsError, HashMismatch, NameRefused, StoreError, UsageError
from mlcore.market.bars import BarStore
from mlcore.market.exporting import export_bars
from mlcore.market.membership import suggest_market
from mlcore.schema import Bars
from mlcore.store import HubDB, Lake

START = 1_700_000_100 * 10**9
NOW = START + 400 * DAY


def make(rows=100, *, symbol="BTC-USD", timeframe="5m", first=0, lift=0.0):
    """Bars `first` … `first + rows` of one fixed walk, so that any two cuts agree."""
    steps = np.arange(first, first + rows)
    time = START + steps * 5 * MINUTE
    close = 100 + np.sin(steps) + lift
    volume = np.where(steps % 7 == 0, np.nan, 1000.0 + steps)
    return Bars(
        symbol, timeframe, time, close - 0.1, close + 1, close - 1, close, volume, time + 5 * MINUTE
    )


def changed(bars, place, close):
    new = bars.close.copy()
    new[place] = close
    return replace(bars, close=new)


@pytest.fixture
def open_store(home):
    """Opens the home as another process would: nothing is shared but the files."""

    def opened():
        settings = load_settings(home)
        return BarStore(Lake(settings.data), HubDB(settings.data / "hub.sqlite"), settings)

    return opened


@pytest.fixture
def store(open_store):
    return open_store()


def add(store, bars, *, sha256="", imported_at=NOW, **options):
    return store.append(
        bars, source="test.csv", sha256=sha256, imported_at=imported_at, options=options
    )


def same(a, b):
    return all(
        np.array_equal(getattr(a, c), getattr(b, c), equal_nan=c == "volume")
        for c in ("time", "open", "high", "low", "close", "volume", "available_at")
    )


def test_bars_come_back_bit_for_bit(store, open_store):
    bars = make()
    report = add(store, bars)
    assert (report.read, report.added, report.revised, report.unchanged) == (100, 100, 0, 0)
    assert (report.first, report.last) == (bars.time[0], bars.time[-1])
    for reader in (store, open_store()):
        back = reader.read("BTC-USD", "5m")
        assert same(back, bars)
        assert back.time.dtype == back.available_at.dtype == np.int64
        assert back.frame()["time"].dtype == "datetime64[ns, UTC]"


def test_the_same_source_twice_changes_nothing(store):
    first = add(store, make(), sha256="a" * 64)
    again = add(store, make(), sha256="a" * 64, imported_at=NOW + 1)
    assert (again.added, again.revised, again.unchanged) == (0, 0, 100)
    assert again.snapshot == first.snapshot
    assert again.notes == ("this source was imported before",)
    assert store.last("BTC-USD", "5m") == (100, make().time[-1], first.snapshot)


def test_the_same_values_from_elsewhere_change_nothing(store):
    first = add(store, make(), sha256="a" * 64)
    again = add(store, make(), sha256="b" * 64)
    assert (again.added, again.unchanged, again.snapshot) == (0, 100, first.snapshot)


def test_an_old_source_does_not_take_a_revision_back(store):
    add(store, make(), sha256="a" * 64)
    add(store, changed(make(), 3, 100.5), sha256="b" * 64)
    add(store, make(), sha256="a" * 64)
    assert store.read("BTC-USD", "5m").close[3] == 100.5


def test_overlapping_sources_end_in_the_store_of_a_clean_import(store):
    add(store, make(60))
    report = add(store, make(60, first=40))
    assert (report.added, report.unchanged) == (40, 20)
    add(store, make(10, first=-10))
    assert same(store.read("BTC-USD", "5m"), make(110, first=-10))
    assert store.last("BTC-USD", "5m")[:2] == (110, make().time[99])


def test_a_revision_keeps_both_values_and_its_own_instant(store):
    bars = make()
    before = add(store, bars)
    report = add(store, changed(bars, 7, 100.25), imported_at=NOW)
    assert (report.added, report.revised, report.unchanged) == (0, 1, 99)
    latest = store.read("BTC-USD", "5m")
    assert latest.close[7] == 100.25
    assert latest.available_at[7] == NOW
    assert same(store.read("BTC-USD", "5m", known_at=NOW - 1), bars)
    assert same(store.read("BTC-USD", "5m", known_at=NOW), latest)
    assert same(store.read("BTC-USD", "5m", snapshot=before.snapshot), bars)
    assert store.revision_instants("BTC-USD", "5m").tolist() == [NOW]


def test_finer_bars_are_read_only_inside_the_bars_asked_for(store):
    five = make(60)
    add(store, five)
    assert store.finer("BTC-USD", "5m")(five.time[:2], five.width) == ()
    assert store.pin("BTC-USD", "5m") == store.last("BTC-USD", "5m")[2]
    time = five.time[0] + MINUTE * np.arange(300, dtype=np.int64)
    close = 100 + np.sin(np.arange(300))
    fine = Bars("BTC-USD", "1m", time, close, close + 1, close - 1, close, close, time + MINUTE)
    first = add(store, fine)
    assert store.pin("BTC-USD", "5m") == first.snapshot > store.last("BTC-USD", "5m")[2]
    inside = store.finer("BTC-USD", "5m")
    (told,) = inside(five.time[[3, 40]], five.width)
    assert same(told, fine.take(np.r_[15:20, 200:205]))
    assert inside(five.time[:0], five.width) == ()
    changed_at = NOW + DAY
    add(store, changed(fine, 16, 100.25), imported_at=changed_at)
    assert inside(five.time[[3]], five.width)[0].close[1] == 100.25
    pinned = store.finer("BTC-USD", "5m", snapshot=first.snapshot)
    assert pinned(five.time[[3]], five.width)[0].close[1] == fine.close[16]
    assert store.finer("BTC-USD", "1m")(time[:1], MINUTE) == ()


def test_a_missing_volume_that_is_told_later_is_a_revision(store):
    bars = make()
    add(store, bars)
    told = replace(bars, volume=np.where(np.isnan(bars.volume), 5.0, bars.volume))
    assert add(store, told).revised == int(np.isnan(bars.volume).sum())


def test_a_third_revision_follows_the_second_even_if_clocks_jump_back(store):
    bars = make()
    add(store, bars)
    add(store, changed(bars, 7, 100.25), imported_at=NOW)
    add(store, changed(bars, 7, 100.5), imported_at=NOW - DAY)
    assert store.read("BTC-USD", "5m").close[7] == 100.5
    assert store.read("BTC-USD", "5m", known_at=NOW - 1).close[7] == bars.close[7]
    assert store.revision_instants("BTC-USD", "5m").tolist() == [NOW]


def test_what_was_not_known_is_not_read(store):
    bars = make()
    add(store, bars)
    assert len(store.read("BTC-USD", "5m", known_at=int(bars.available_at[49]))) == 50
    assert len(store.read("BTC-USD", "5m", known_at=int(bars.available_at[49]) - 1)) == 49


def test_a_window_is_half_open_and_takes_text(store):
    bars = make()
    add(store, bars)
    start = pd.Timestamp(int(bars.time[10]), tz="UTC")
    cut = store.read("BTC-USD", "5m", start=start.isoformat(), end=int(bars.time[20]))
    assert same(cut, bars.take(slice(10, 20)))
    assert len(store.read("BTC-USD", "5m", start=int(bars.time[-1]) + 1)) == 0


def test_the_tail_is_the_end_of_the_whole(store):
    parts = (make(50), make(50, first=5000))  # a gap of two weeks between them
    for part in parts:
        add(store, part)
    whole = Bars.concat(parts)
    for n in (1, 10, 50, 60, 100, 500):
        assert same(store.tail("BTC-USD", "5m", n), whole.take(slice(max(0, 100 - n), None)))
    earlier = store.tail("BTC-USD", "5m", 10, known_at=int(parts[0].available_at[-1]))
    assert same(earlier, parts[0].take(slice(40, None)))


def test_many_tails_are_each_ones_tail(store, open_store, monkeypatch):
    """Hot, cold, short, stale, revised and coarser ones, in one call."""
    keys = [("A", "5m"), ("B", "5m"), ("C", "5m"), ("D", "5m"), ("E", "15m"), ("A", "1h")]
    add(store, make(400, symbol="A"))
    add(store, changed(make(400, symbol="A"), 390, 100.25))
    add(store, make(900, symbol="B", first=-500))
    add(store, make(20, symbol="C"))
    old = make(300, symbol="D", first=-200_000)
    add(store, replace(old, volume=-old.volume))
    apart = make(400, symbol="E")
    kept = np.arange(0, 400, 3)
    add(store, replace(apart.take(kept), timeframe="15m"))
    for count in (1, 50, 300):
        for reader in (store, open_store()):
            reader.tail("B", "5m", 60)
            many = reader.tails([*keys, keys[1]], count)
            assert [(b.symbol, b.timeframe) for b in many] == [*keys, keys[1]]
            other = open_store()
            assert all(same(b, other.tail(*k, count)) for b, k in zip(many, keys, strict=False))
    asked = []
    cold = open_store()
    table = cold._lake.table
    monkeypatch.setattr(cold._lake, "table", lambda *a, **k: asked.append(a) or table(*a, **k))
    cold.tails(keys[:2], 100)
    assert len(asked) == 1
    cold.tails(keys[:2], 100)
    assert len(asked) == 1
    with pytest.raises(UsageError, match="'F' was given"):
        store.tails([("A", "5m"), ("F", "5m")], 5)


def test_a_mark_shows_what_another_process_imported(store, open_store):
    add(store, make())
    seen = store.last("BTC-USD", "5m")
    add(open_store(), make(10, first=100))
    rows, last, snapshot = store.last("BTC-USD", "5m")
    assert (rows, last) == (110, make(1, first=109).time[0])
    assert snapshot > seen[2]


def median(fn, rounds=31):
    taken = []
    for _ in range(rounds):
        start = perf_counter()
        fn()
        taken.append(perf_counter() - start)
    return sorted(taken)[rounds // 2]


def settled(store):
    """Wait until the catalog is remembered: for 50 ms after a change it is asked each time."""
    deadline = perf_counter() + 5
    while median(lambda: store.last("BTC-USD", "5m")) > 0.001 and perf_counter() < deadline:
        pass


def test_a_mark_and_held_bars_cost_far_less_than_a_read(store):
    bars = make(2000)
    add(store, bars)
    settled(store)
    end = int(bars.time[-1])  # the newest bar left out: bars that are not held

    def read():
        store.read("BTC-USD", "5m", start=int(bars.time[1700]), end=end)

    from_lake = median(read)
    store.tail("BTC-USD", "5m", 300)
    assert median(lambda: store.last("BTC-USD", "5m")) < from_lake / 20
    assert median(lambda: store.tail("BTC-USD", "5m", 300)) < from_lake / 20


@pytest.mark.parametrize("whole", [True, False])
def test_held_bars_are_those_of_the_lake(store, open_store, whole):
    bars = make(400)
    add(store, bars)
    first = None if whole else int(bars.time[100])
    store.read("BTC-USD", "5m", start=first)
    fresh = open_store()
    for begin, until in ((150, 300), (100, 399), (399, 400), (300, 200), (120, 400)):
        stop = int(bars.available_at[until - 1])
        span = {"start": int(bars.time[begin]), "end": stop}
        assert same(store.read("BTC-USD", "5m", **span), fresh.read("BTC-USD", "5m", **span))
    with pytest.raises(ValueError, match="read-only"):
        store.read("BTC-USD", "5m", start=first).close[0] = 0.0


def test_held_bars_go_when_anybody_writes(store, open_store):
    add(store, make())
    store.tail("BTC-USD", "5m", 50)
    add(open_store(), make(10, first=100))
    assert same(store.tail("BTC-USD", "5m", 50), make(50, first=60))
    revised = changed(make(1, first=109), 0, 100.0)
    add(open_store(), revised, imported_at=NOW + DAY)
    assert store.tail("BTC-USD", "5m", 1).close[0] == 100.0


def test_a_file_damaged_while_its_bars_are_held_is_said(store):
    add(store, make())
    store.tail("BTC-USD", "5m", 50)
    for file in (store._lake.folder).rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(HashMismatch):
        store.tail("BTC-USD", "5m", 50)


def test_symbols_lists_everything_once(store):
    assert list(store.symbols().columns) == [
        "symbol", "timeframe", "market", "rows", "first", "last", "revisions", "source", "simulated"
    ]  # fmt: skip
    assert len(store.symbols()) == 0
    add(store, make())
    add(store, changed(make(), 1, 100.0), market="simulated_24_7")
    add(store, make(symbol="^GSPC"))
    table = store.symbols()
    assert table["symbol"].tolist() == ["BTC-USD", "^GSPC"]
    assert table["market"].tolist() == ["simulated_24_7", "us_equity"]
    assert table["rows"].tolist() == [100, 100]
    assert table["revisions"].tolist() == [1, 0]
    assert table["simulated"].tolist() == [True, False]
    assert table["first"][0] == pd.Timestamp(START, tz="UTC")
    assert table["first"].dtype == "datetime64[ns, UTC]"


@pytest.mark.parametrize(
    ("symbol", "market"),
    [
        ("XAUUSD", "gold"), ("GC=F", "gold"), ("EURUSD", "fx"), ("USDJPY=X", "fx"),
        ("BTCUSDT", "crypto"), ("BTC-USD", "crypto"), ("PEPEUSDT", "crypto"),
        ("ES=F", "index_futures"), ("MNQ", "index_futures"), ("NIFTY", "nse"),
        ("RELIANCE.NS", "nse"), ("SPY", "us_equity"), ("BRK.B", "us_equity"), ("ESS", "us_equity"),
    ],
)  # fmt: skip
def test_a_market_is_suggested_by_name(symbol, market, home):
    assert suggest_market(symbol, load_settings(home).markets) == market


def test_a_suggested_market_is_said_and_a_chosen_one_stays(store, open_store):
    assert store.market_name("XAUUSD") is None
    report = add(store, make(symbol="XAUUSD"))
    assert store.market_name("XAUUSD") == "gold"
    assert report.notes == ("market gold, by the symbol's name; --market names another",)
    assert store.market_of("XAUUSD").name == "gold"
    store.set_market("XAUUSD", "crypto")
    assert add(store, make(10, symbol="XAUUSD", first=100)).notes == ()
    assert open_store().market_of("XAUUSD").name == "crypto"
    with pytest.raises(UsageError, match="A market is one of"):
        store.set_market("XAUUSD", "moon")


def test_the_settings_word_on_a_market_goes_first(home, monkeypatch):
    monkeypatch.setenv("OPENRANGE_SYMBOLS", '{"XAUUSD": "fx"}')
    settings = load_settings(home)
    store = BarStore(Lake(settings.data), HubDB(settings.data / "hub.sqlite"), settings)
    add(store, make(symbol="XAUUSD"), market="gold")
    assert store.market_of("XAUUSD").name == "fx"
    assert store.symbols()["market"].tolist() == ["fx"]


def test_an_unknown_symbol_is_answered_with_the_nearest(store):
    with pytest.raises(UsageError) as caught:
        store.read("BTC-USD", "5m")
    assert caught.value.code == "E_SYMBOL"
    assert caught.value.message == (
        "A symbol is one that was imported: none yet – 'BTC-USD' was given – Import a file for "
        "it, or run demo."
    )
    add(store, make())
    with pytest.raises(UsageError, match=r"'BTC-USS' was given – Did you mean BTC-USD\?"):
        store.last("BTC-USS", "5m")
    with pytest.raises(UsageError) as caught:
        store.tail("BTC-USD", "1m", 5)
    assert caught.value.code == "E_NO_BARS"
    assert caught.value.message == (
        "A symbol is asked for in a timeframe it has – BTC-USD has 5m, 1m was given – choose one "
        "of these or import 1m bars."
    )
    with pytest.raises(UsageError, match="A timeframe is one of"):
        store.read("BTC-USD", "7m")
    with pytest.raises(NameRefused):
        store.read("../x", "5m")
    with pytest.raises(UsageError, match=r"A snapshot of the lake is a number from 1 to \d+ – 99"):
        store.read("BTC-USD", "5m", snapshot=99)


@pytest.mark.parametrize(
    ("column", "value", "code", "text"),
    [
        ("low", 200.0, "E_BARS_HIGH_LOW", "A bar's high is at least its low – BTC-USD 5m at "),
        ("close", 500.0, "E_BARS_OUTSIDE", "A bar's close lies between its low and its high"),
        ("open", 0.5, "E_BARS_OUTSIDE", "A bar's open lies between its low and its high"),
        ("low", -1.0, "E_BARS_NEGATIVE", "Prices are above zero"),
        ("close", np.nan, "E_BARS_PRICE", "Every bar has a finite close – BTC-USD 5m at "),
        ("volume", -2.0, "E_BARS_VOLUME", "A volume is zero or more"),
    ],
)
def test_one_unsound_bar_refuses_all(store, column, value, code, text):
    bars = make()
    broken = getattr(bars, column).copy()
    broken[42] = value
    with pytest.raises(BarsError, match=text) as caught:
        add(store, replace(bars, **{column: broken}))
    assert caught.value.code == code
    assert len(store.symbols()) == 0


def test_bars_out_of_order_are_refused(store):
    with pytest.raises(BarsError, match="Bars are sorted by time without repeats"):
        add(store, make().take(slice(None, None, -1)))


def test_negative_prices_pass_where_the_market_has_them(home, monkeypatch):
    monkeypatch.setenv("OPENRANGE_MARKETS__FX__NEGATIVE_PRICES", "true")
    settings = load_settings(home)
    store = BarStore(Lake(settings.data), HubDB(settings.data / "hub.sqlite"), settings)
    bars = make(lift=-137.63)
    with pytest.raises(BarsError, match="Prices are above zero"):
        add(store, bars, market="gold")
    assert add(store, bars, market="fx").added == 100


def test_no_bars_are_no_import(store):
    with pytest.raises(BarsError, match="An import holds at least one bar – BTC-USD 5m has none"):
        add(store, make().take(slice(0, 0)))


def test_an_export_holds_the_latest_revision(store, tmp_path):
    add(store, make())
    add(store, changed(make(), 7, 100.25))
    path = tmp_path / "out.parquet"
    assert export_bars(store.read("BTC-USD", "5m"), path) == 100
    frame = pd.read_parquet(path)
    assert list(frame.columns) == [
        "time", "open", "high", "low", "close", "volume", "available_at"
    ]  # fmt: skip
    assert frame["close"][7] == 100.25
    assert frame["time"].dtype == "datetime64[ns, UTC]"
    assert same(Bars.from_frame(frame, "BTC-USD", "5m"), store.read("BTC-USD", "5m"))


def test_every_allowed_letter_makes_a_symbol_that_reads(store):
    for symbol in ("^GSPC", "ES=F", "M&M", "BRK.B", "A_B-C", "005930.KS"):
        add(store, make(5, symbol=symbol))
        assert same(store.read(symbol, "5m"), make(5, symbol=symbol))


def test_damage_to_one_symbol_leaves_the_others_readable(store, open_store, home):
    add(store, make())
    (path,) = (home / "data" / "lake").rglob("*.parquet")
    add(store, make(symbol="XAUUSD"))
    raw = bytearray(path.read_bytes())
    raw[100] ^= 4
    path.write_bytes(raw)
    fresh = open_store()
    assert len(fresh.read("XAUUSD", "5m")) == 100
    with pytest.raises(HashMismatch, match="its SHA-256 differs"):
        fresh.read("BTC-USD", "5m")


def test_the_record_of_an_import_is_complete(store, home):
    report = add(store, make(), sha256="c" * 64, timezone="UTC", market="crypto")
    row = HubDB(home / "data" / "hub.sqlite").one("SELECT * FROM imports")
    assert dict(row) | {"id": 1} == {
        "id": 1, "imported_at": NOW, "symbol": "BTC-USD", "timeframe": "5m", "source": "test.csv",
        "sha256": "c" * 64, "options": '{"market":"crypto","timezone":"UTC"}', "read": 100,
        "added": 100, "revised": 0, "unchanged": 0, "first": report.first, "last": report.last,
        "snapshot": report.snapshot, "notes": "[]",
    }  # fmt: skip


def test_many_small_imports_stay_few_files(store, home):
    for n in range(70):
        add(store, make(1, first=n))
    assert len(store._lake._catalog.files()) < 64
    assert same(store.read("BTC-USD", "5m"), make(70))
    assert store._lake.verify() == []


def test_files_that_could_not_be_merged_are_a_note(store, monkeypatch):
    def locked():
        raise StoreError("One process writes the lake at a time.", code="E_STORE_LOCKED")

    monkeypatch.setattr(store._lake, "compact", locked)
    report = add(store, make(), market="crypto")
    assert report.added == 100
    assert report.notes == ("small files were not merged: One process writes the lake at a time.",)


def test_imports_are_completed_from_the_lake(store, open_store, home):
    """What a kill between the two commits leaves: bars in the lake, no row in hub.sqlite."""
    add(store, make())
    add(store, make(10, first=100))
    db = HubDB(home / "data" / "hub.sqlite")
    expected = [dict(row) for row in db.query("SELECT * FROM imports")]
    with db.transaction() as connection:
        connection.execute("DROP TRIGGER imports_no_delete")
        connection.execute("DELETE FROM imports")
    assert open_store().last("BTC-USD", "5m")[0] == 110
    assert [dict(row) for row in db.query("SELECT * FROM imports")] == expected
