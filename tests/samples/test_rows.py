"""The only maker of rows: as of the decision, the same in training and in serving."""

from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest

from mlcore.clock import DAY, HOUR, MINUTE, to_instant
from mlcore.config import ORB
from mlcore.errors import UsageError
from mlcore.features import catalogue, feature_set
from mlcore.samples.dataset import asof, rows_at, window_bars
from mlcore.samples.labels import label
from mlcore.schema import Bars
from tests.synthetic import walk

AROUND = feature_set("opening_range")
OF_BARS = (*feature_set("core40"), *feature_set("calendar"))
SETS = {
    "orb_direction": AROUND,
    "orb_quality": AROUND,
    "orb_r_close_k3": AROUND,
    "signal": OF_BARS,
    "signal_24h": OF_BARS,
}
EDGES = ("2026-03-06T13:00Z", "2026-03-08T23:30Z", "2026-03-09T14:15Z", "2026-03-27T14:30Z",
         "2026-03-30T08:00Z", "2026-03-31T00:30Z")  # fmt: skip
"""Around 8 March, when New York changes its clocks, and 29 March, when London does."""


@pytest.fixture(scope="module")
def bars():
    return walk("2026-01-19T00:00Z", "2026-04-06T00:00Z", seed=4)


@pytest.fixture(scope="module")
def tables(bars, market):
    return {n: rows_at(bars, market, label(n), features=f) for n, f in SETS.items()}


def keys(rows):
    return pd.MultiIndex.from_frame(rows.frame[["item", "side"]])


def matched(rows, table):
    """Positions in `table` of the same decisions."""
    at = keys(table).get_indexer(keys(rows))
    assert (at >= 0).all()
    return at


@pytest.mark.parametrize("seed", range(5))
def test_asof_is_duckdbs(seed):
    rng = np.random.default_rng(seed)
    known = np.sort(rng.integers(0, 60, 40))
    at = rng.integers(-10, 80, 200)
    facts = pd.DataFrame({"known": known, "fact": np.arange(40)})
    facts = facts.drop_duplicates("known", keep="last")
    rows = pd.DataFrame({"at": at, "row": np.arange(200)})
    with duckdb.connect() as base:
        base.register("facts", facts)
        base.register("rows", rows)
        oracle = base.sql(
            "SELECT fact FROM rows ASOF LEFT JOIN facts ON rows.at >= facts.known ORDER BY row"
        ).fetchnumpy()["fact"]
    np.testing.assert_array_equal(asof(known, at), np.ma.filled(oracle.astype(float), -1))


def test_asof_takes_what_is_known_at_that_very_instant():
    assert asof([10, 20, 20, 30], [9, 10, 19, 20, 99]).tolist() == [-1, 0, 0, 2, 3]
    assert asof([], [5]).tolist() == [-1]


def test_facts_sorted_as_text_are_refused():
    known = sorted([90, 100, 1000], key=str)
    with pytest.raises(UsageError, match="sort them by available_at as an instant") as caught:
        asof(known, [95])
    assert caught.value.code == "E_ASOF_ORDER"


def serving_instants(table, count):
    """Decisions at the clock-change edges, and some drawn from the second half."""
    decided = np.unique(table.frame["decision_at"].to_numpy())
    near = [decided[np.searchsorted(decided, to_instant(e))] for e in EDGES]
    late = decided[len(decided) // 2 : -1]
    drawn = np.random.default_rng(0).choice(late, count, replace=False)
    return np.unique([*near, *drawn, decided[-2]])


@pytest.mark.parametrize("name", SETS)
def test_serving_gives_the_rows_of_the_whole_table(name, tables, bars, market):
    lab, features, table = label(name), SETS[name], tables[name]
    size = window_bars(lab, features, market, "5m")
    tolerance = np.array([max(1e-9, catalogue()[f].tolerance) for f in features])
    seen = 0
    for at in serving_instants(table, 12).tolist():
        end = int(np.searchsorted(bars.available_at, at, side="right"))
        window = bars.take(slice(max(0, end - size), end + 40))
        rows = rows_at(window, market, lab, features=features, at=at)
        where = matched(rows, table)
        ours, theirs = rows.X, table.X[where]
        np.testing.assert_array_equal(np.isnan(ours), np.isnan(theirs))
        far = np.abs(ours - theirs) > tolerance * np.maximum(1, np.abs(theirs))
        assert not far.any(), [features[j] for j in np.unique(np.nonzero(far)[1])]
        for column in ("decision_at", "due_at", "p_up", "session", "regime", "last_y", "stop"):
            a, b = rows.frame[column], table.frame[column].iloc[where]
            pd.testing.assert_series_equal(a, b.reset_index(drop=True), rtol=1e-9)
        assert (rows.frame["decision_at"] == at).any()
        seen += len(rows)
    assert seen >= 18


@pytest.mark.parametrize("name", SETS)
def test_open_decisions_and_the_latest_are_served(name, tables, bars, market):
    lab, table = label(name), tables[name]
    decided, due = (table.frame[c].to_numpy() for c in ("decision_at", "due_at"))
    for at in (decided[-200] + MINUTE, to_instant("2026-03-29T12:00Z")):
        rows = rows_at(bars, market, lab, features=(), at=int(at))
        before = decided <= at
        expected = before & ((due > at) | (decided == decided[before].max()))
        assert set(keys(rows)) == set(keys(table)[expected])
        assert rows.frame["y"][rows.frame["due_at"] > at].isna().all()


def futures(bars, at, rng):
    later = bars.available_at > at
    cut = int(later.argmax())
    size = int(later.sum())
    factor = np.where(later, np.concatenate([np.ones(cut), rng.uniform(0.5, 2, size)]), 1.0)
    prices = {c: getattr(bars, c) * factor for c in ("open", "high", "low", "close")}
    yield "changed", replace(bars, volume=bars.volume * factor, **prices)
    still = {c: np.where(later, bars.close[cut - 1], getattr(bars, c)) for c in prices}
    yield "blanked", replace(bars, volume=np.where(later, np.nan, bars.volume), **still)
    yield "deleted", bars.take(slice(0, cut))


@pytest.mark.parametrize("name", SETS)
def test_the_future_moves_no_row(name, tables, bars, market):
    table, rng = tables[name], np.random.default_rng(2)
    for at in serving_instants(table, 2)[-3:].tolist():
        past = table.frame["decision_at"].to_numpy() <= at
        for how, changed in futures(bars, at, rng):
            rows = rows_at(changed, market, label(name), features=SETS[name])
            kept = rows.frame["decision_at"].to_numpy() <= at
            assert keys(rows)[kept].equals(keys(table)[past]), how
            assert np.array_equal(rows.X[kept], table.X[past], equal_nan=True), how
            for column in ("close", "high", "low", "last_y", "session", "regime", "stop"):
                a, b = rows.frame[column][kept], table.frame[column][past]
                assert a.equals(b), (how, column)


def test_the_exam_catches_a_fact_that_sees_the_day(bars, market, monkeypatch):
    from mlcore.samples import rows as made

    honest = made.range_facts

    def leaking(bars, market, around, past, asked):
        facts = honest(bars, market, around, past, asked)
        whole = pd.Series(bars.high).groupby(bars.time // DAY).max()
        return facts | {"today_high": whole[asked.open_at // DAY].to_numpy()}

    monkeypatch.setattr(made, "range_facts", leaking)
    lab, features = label("orb_direction"), ("high_over_today",)
    table = rows_at(bars, market, lab, features=features)
    moved = set()
    for at in table.frame["decision_at"].iloc[[-30, -44, -58]].tolist():
        past = table.frame["decision_at"].to_numpy() <= at
        for how, changed in futures(bars, at, np.random.default_rng(0)):
            rows = rows_at(changed, market, lab, features=features)
            if not np.array_equal(rows.X[: past.sum()], table.X[past], equal_nan=True):
                moved.add(how)
    assert moved == {"changed", "blanked", "deleted"}


def test_rows_have_no_scale_of_price_or_volume(tables, bars, market):
    prices = {c: getattr(bars, c) * 4.0 for c in ("open", "high", "low", "close")}
    scaled = replace(bars, volume=bars.volume * 8.0, **prices)
    rows = rows_at(scaled, market, label("orb_direction"), features=AROUND)
    np.testing.assert_allclose(rows.X, tables["orb_direction"].X, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", [n for n in AROUND if catalogue()[n].scope == "row"])
def test_row_features_keep_their_bounds_and_speak(name, tables):
    one = catalogue()[name]
    values = tables["orb_r_close_k3"].X[:, AROUND.index(name)]
    seen = values[np.isfinite(values)]
    assert len(seen) > 0.5 * len(values)
    assert seen.min() >= one.bounds[0] - 1e-12
    assert seen.max() <= one.bounds[1] + 1e-12
    assert one.doc.endswith(".")
    assert "{" not in one.doc
    flat = {"or_gap_atr"}  # a simulated bar opens where the last one closed
    assert np.ptp(seen) > 0 or name in flat


def test_a_row_reads_only_its_own_facts(tables, bars, market):
    table = tables["orb_quality"]
    some = np.random.default_rng(0).permutation(len(table))[:40]
    at = np.sort(np.unique(table.frame["decision_at"].to_numpy()[some]))[-1]
    rows = rows_at(bars.known_at(int(at)), market, label("orb_quality"), features=AROUND)
    assert np.array_equal(rows.X, table.X[: len(rows)], equal_nan=True)


def test_two_sides_of_one_range_mirror(tables):
    table = tables["orb_quality"]
    side = table.frame["side"].to_numpy()
    assert (side[::2] == 1).all()
    assert (side[1::2] == -1).all()
    for name in ("side_rsi_14", "side_or_body", "side_gap_day"):
        column = table.X[:, AROUND.index(name)]
        np.testing.assert_array_equal(column[::2], -column[1::2])
    distance = table.X[:, AROUND.index("side_distance")]
    np.testing.assert_allclose(distance[::2] + distance[1::2], 1)
    flat = tables["orb_direction"].X[:, [AROUND.index(n) for n in AROUND if n.startswith("side")]]
    assert (flat[np.isfinite(flat)] == 0).all()


def test_the_mechanical_baseline_is_an_input(tables):
    table = tables["orb_direction"]
    place = table.X[:, AROUND.index("close_position")]
    p = table.frame["p_up"].to_numpy()
    np.testing.assert_allclose(np.clip(place, 0.01, 0.99), p, rtol=1e-12)


def test_bars_known_late_are_late_for_the_rows(tables, bars, market):
    lab = label("orb_direction")
    at = int(tables["orb_direction"].frame["decision_at"].iloc[-40])
    index = int(np.searchsorted(bars.available_at, at, side="right")) - 1
    known = bars.available_at.copy()
    known[index] += 6 * HOUR
    late = rows_at(replace(bars, available_at=known), market, lab, features=AROUND)
    gone = rows_at(bars.take(np.arange(len(bars)) != index), market, lab, features=AROUND)
    then, without = (r.frame["decision_at"].to_numpy() for r in (late, gone))
    mine = (then < known[index]) & (then >= at - DAY)
    theirs = (without < known[index]) & (without >= at - DAY)
    assert mine.sum() >= 4
    np.testing.assert_allclose(late.X[mine], gone.X[theirs], rtol=1e-9, atol=1e-9)
    after = then >= known[index]
    np.testing.assert_allclose(
        late.X[after][-5:], tables["orb_direction"].X[-5:], rtol=1e-6, atol=1e-6
    )


def hostile(bars, how):
    if how == "one bar":
        return bars.take(slice(0, 1))
    if how == "no bars":
        return bars.take(slice(0, 0))
    if how == "no volume":
        return replace(bars, volume=np.full(len(bars), np.nan))
    if how == "zero volume":
        return replace(bars, volume=np.zeros(len(bars)))
    if how == "constant price":
        flat = np.full(len(bars), 80.0)
        return replace(bars, open=flat, high=flat, low=flat, close=flat)
    keep = np.random.default_rng(1).random(len(bars)) > 0.3
    keep[3000:6000] = False
    return bars.take(keep)


@pytest.mark.parametrize("how", ["no bars", "one bar", "no volume", "zero volume",
                                 "constant price", "gaps"])  # fmt: skip
def test_hostile_bars_make_rows_or_none(how, bars, market):
    given = hostile(bars, how)
    for name in ("orb_r_close_k3", "signal"):
        rows = rows_at(given, market, label(name), features=SETS[name])
        assert rows.X.shape == (len(rows.frame), len(SETS[name]))
        assert not np.isinf(rows.X).any()
        assert {"session", "regime", "last_y"} <= set(rows.frame)
        if how in ("no bars", "one bar"):
            assert len(rows) == 0
        if how == "no volume" and name == "signal":
            blank = [j for j, f in enumerate(SETS[name]) if catalogue()[f].family == "volume"]
            assert np.isnan(rows.X[:, blank]).all()
            assert np.isfinite(np.delete(rows.X, blank, axis=1)).mean() > 0.9


def test_unknown_and_unfit_features_are_refused(bars, market):
    with pytest.raises(UsageError, match="Did you mean"):
        rows_at(bars, market, label("signal"), features=("rsi_15",))
    with pytest.raises(UsageError, match="needs or_size, which these rows do not carry"):
        rows_at(bars, market, label("signal"), features=("or_size_atr",))


def test_the_window_covers_every_warm_up(market, settings):
    orb = window_bars(label("orb_r"), AROUND, market, "5m")
    assert orb > 20 * 288
    assert window_bars(label("orb_r"), AROUND, market, "1h") < orb
    assert window_bars(label("signal"), OF_BARS, market, "5m") >= 1000
    assert window_bars(label("signal_5d"), (), market, "1h") >= 2 * 5 * 24
    shares = settings.market("us_equity")
    assert window_bars(label("orb_r"), AROUND, shares, "5m") < orb


def test_a_held_window_gives_what_a_fresh_one_gives(bars, market):
    at = int(bars.available_at[-1])
    windows = [bars.take(slice(k, None)) for k in range(12)]
    for name in ("orb_quality", "orb_r_close_k3"):
        for window in (windows[0], windows[0], *windows, windows[0]):
            held = rows_at(window, market, label(name), features=AROUND, at=at)
            copy = replace(window, close=window.close.copy())
            fresh = rows_at(copy, market, label(name), features=AROUND, at=at)
            assert held.X.tobytes() == fresh.X.tobytes()


def test_equal_bars_give_equal_bytes(tables, bars, market):
    again = rows_at(bars, market, label("orb_quality"), features=AROUND, settings_orb=ORB())
    assert again.X.tobytes() == tables["orb_quality"].X.tobytes()


def test_daily_bars_have_signals(settings):
    time = np.arange(np.datetime64("2015-01-01"), np.datetime64("2018-01-01"))
    time = time[np.is_busday(time)]
    start = time.astype("datetime64[ns]").astype(np.int64) + 14 * HOUR + 30 * MINUTE
    rng = np.random.default_rng(0)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, len(time))))
    shares = settings.market("us_equity")
    bars = Bars("X", "1d", start, close, close * 1.01, close * 0.99, close, close, start + 6 * HOUR)
    rows = rows_at(bars, shares, label("signal"), features=OF_BARS)
    assert len(rows) > 500
    assert np.isfinite(rows.X[-1]).all()
    later = int(bars.available_at[-1]) + DAY
    last = rows_at(bars, shares, label("signal"), features=OF_BARS, at=later)
    np.testing.assert_allclose(last.X[-1], rows.X[-1], rtol=1e-6, atol=1e-6)
