"""Training tables: revisions as they were known, answers from the latest, nothing unsettled."""

from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import DAY, MINUTE, NAT, to_instant
from mlcore.config import Market, load_settings
from mlcore.errors import TooFewBars, UsageError
from mlcore.features import feature_set
from mlcore.samples.dataset import build_dataset, rows_at
from mlcore.samples.labels import label
from mlcore.schema import Bars
from tests.synthetic import walk

AROUND = feature_set("opening_range")
CORE = feature_set("core40")


@dataclass
class MemoryStore:
    """A store of one symbol: first bars, then revisions, each with its own `available_at`."""

    market: Market
    parts: tuple[Bars, ...]
    finest: Bars | None = None

    def inside(self, starts, width):
        return () if self.finest is None else (self.finest,)

    def read(self, symbol, timeframe, *, known_at=None, snapshot=None):
        cut = np.iinfo(np.int64).max if known_at is None else known_at
        told = [p.take(np.flatnonzero(p.available_at <= cut)) for p in self.parts]
        columns = [f.name for f in fields(Bars)[2:]]
        rows = {c: np.concatenate([getattr(p, c) for p in told]) for c in columns}
        order = np.lexsort((np.arange(len(rows["time"])), rows["time"]))
        last = np.append(np.diff(rows["time"][order]) > 0, True)
        return Bars("SIM-WALK", "5m", **{c: v[order[last]] for c, v in rows.items()})

    def revision_instants(self, symbol, timeframe):
        later = [p.available_at for p in self.parts[1:]]
        return np.unique(np.concatenate([np.empty(0, np.int64), *later]))

    def market_of(self, symbol):
        return self.market

    def pin(self, symbol, timeframe):
        return 3

    def finer(self, symbol, timeframe, *, snapshot=None):
        return self.inside


@pytest.fixture(scope="module")
def bars():
    return walk("2026-02-09T00:00Z", "2026-03-27T18:00Z", seed=5)


@pytest.fixture(scope="module")
def store(market, bars):
    return MemoryStore(market, (bars,))


@pytest.fixture(scope="module")
def orb_r(store, settings):
    return build_dataset(store, "SIM-WALK", "5m", label("orb_r"), settings, features=AROUND)


def test_a_dataset_is_the_settled_part_of_the_rows(orb_r, bars, market):
    rows = rows_at(bars, market, label("orb_r"), features=AROUND)
    settled = rows.frame["settled"].to_numpy()
    assert 0 < (~settled).sum() < 12
    assert len(orb_r) == settled.sum()
    assert (orb_r.due_at <= bars.available_at[-1]).all()
    np.testing.assert_array_equal(orb_r.X.to_numpy(), rows.X[settled])
    assert orb_r.names == AROUND == tuple(orb_r.X.columns)
    assert (orb_r.symbol, orb_r.timeframe, orb_r.snapshot) == ("SIM-WALK", "5m", 3)
    assert (orb_r.weight == 1).all()
    assert (np.diff(orb_r.decision_at) >= 0).all()


def test_rows_without_an_answer_stay_to_be_traded(orb_r):
    frame = orb_r.rows
    other = frame["broke"].to_numpy() == -frame["side"].to_numpy()
    assert other.sum() > 50
    assert np.isnan(orb_r.y[other]).all()
    assert (frame["r_taken"].to_numpy()[other] == 0).all()
    assert np.isfinite(frame["r_taken"].to_numpy()).all()
    assert (orb_r.known_at[np.isfinite(orb_r.y)] <= orb_r.due_at[np.isfinite(orb_r.y)]).all()
    assert (orb_r.known_at != NAT).all()


def test_last_answers_were_due_before_they_were_used(orb_r):
    frame = orb_r.rows
    for row in (60, 200, 301):
        one = frame.iloc[row]
        same = frame[
            (frame["range"] == one["range"])
            & (frame["side"] == one["side"])
            & (frame["due_at"] <= one["decision_at"])
            & frame["y"].notna()
        ]
        assert one["last_y"] == same["y"].iloc[-1]


def _in_doubt(bars, frame, number):
    """The bars with one that breaks both sides right after a range, and the minutes inside it."""
    at = np.unique(frame["decision_at"])[number]
    one = frame[frame["decision_at"] == at].iloc[0]
    here = int(np.searchsorted(bars.time, at))
    high, low = bars.high.copy(), bars.low.copy()
    top, bottom = one["high"], one["low"]
    high[here] = max(high[here], top + 1.0)
    low[here] = min(low[here], bottom - 1.0)
    first, last = bars.open[here], bars.close[here]
    path = np.array([first, first, (top + bottom) / 2, low[here], high[here], last])
    time = at + MINUTE * np.arange(5, dtype=np.int64)
    ends = np.minimum(path[:-1], path[1:]), np.maximum(path[:-1], path[1:])
    minutes = Bars("SIM-WALK", "1m", time, path[:-1], ends[1], ends[0], path[1:],
                   np.full(5, np.nan), time + MINUTE).checked()  # fmt: skip
    return replace(bars, high=high, low=low), minutes, at


@pytest.mark.parametrize("revised", [False, True])
def test_finer_bars_decide_answers_and_no_input(market, bars, settings, orb_r, revised):
    doubtful, minutes, at = _in_doubt(bars, orb_r.rows, 30)
    here = np.flatnonzero(bars.time == at)
    later = replace(doubtful.take(here), available_at=np.array([int(bars.available_at[-500])]))
    parts = (bars, later) if revised else (doubtful,)
    told = {}
    for base in ("orb_r", "orb_direction"):
        alone, helped = (
            build_dataset(MemoryStore(market, parts, finest), "SIM-WALK", "5m", label(base),
                          settings, features=AROUND)
            for finest in (None, minutes)
        )  # fmt: skip
        np.testing.assert_array_equal(alone.X.to_numpy(), helped.X.to_numpy())
        np.testing.assert_array_equal(alone.rows["last_y"], helped.rows["last_y"])
        told[base] = alone, helped, np.flatnonzero(alone.decision_at == at)
        others = alone.decision_at != at
        np.testing.assert_array_equal(alone.y[others], helped.y[others])
    alone, helped, rows = told["orb_direction"]
    assert np.isnan(alone.y[rows]).all()
    assert helped.y[rows].tolist() == [1.0]
    assert helped.fingerprint != alone.fingerprint
    alone, helped, rows = told["orb_r"]
    assert np.isfinite(alone.y[rows]).all()
    assert alone.rows["broke"].to_numpy()[rows].tolist() == [2, 2]
    assert helped.rows["broke"].to_numpy()[rows].tolist() == [-1, -1]
    up = helped.rows["side"].to_numpy()[rows] == 1
    assert np.isnan(helped.y[rows][up]).all()
    assert helped.rows["r_taken"].to_numpy()[rows][up].tolist() == [0]
    assert helped.y[rows][~up] < -1
    assert helped.known_at[rows].tolist() == [at + 5 * MINUTE] * 2


def test_overlapping_signals_share_their_weight(store, settings):
    data = build_dataset(store, "SIM-WALK", "5m", label("signal"), settings, features=CORE[:3])
    assert len(data) > 5000
    assert data.weight.min() > 0
    assert data.weight.max() <= 1
    assert 1 / 13 < data.weight.mean() < 0.5
    assert np.isfinite(data.y).all()
    at = np.searchsorted(data.due_at, data.decision_at, side="right") - 1
    told = np.where(at >= 0, data.y[np.maximum(at, 0)], np.nan)
    np.testing.assert_array_equal(data.rows["last_y"].to_numpy(), told)


def test_the_fingerprint_binds_values_names_and_specification(store, settings, orb_r):
    again = build_dataset(store, "SIM-WALK", "5m", label("orb_r"), settings, features=AROUND)
    assert again.fingerprint == orb_r.fingerprint
    others = [
        build_dataset(store, "SIM-WALK", "5m", label(n), settings, features=f).fingerprint
        for n, f in (("orb_r_k3", AROUND), ("orb_r", AROUND[:-1]), ("orb_r", AROUND[::-1]))
    ]
    assert len({orb_r.fingerprint, *others}) == 4


def revised(bars, day, factor, at):
    """The bars of a UTC day again, their prices multiplied, readable from `at` on."""
    start = to_instant(f"{day}T00:00Z")
    part = bars.take((bars.time >= start) & (bars.time < start + DAY))
    prices = {c: getattr(part, c) * factor for c in ("open", "high", "low", "close")}
    return replace(part, available_at=np.full(len(part), to_instant(at)), **prices)


def test_a_decision_sees_what_was_known_and_is_judged_by_the_latest(bars, market, settings):
    before, after = "2026-03-18T10:00Z", "2026-03-20T10:00Z"
    first = revised(bars, "2026-03-16", 1.001, before)
    second = revised(bars, "2026-03-16", 1.003, after)
    store = MemoryStore(market, (bars, first, second))
    lab = label("orb_quality")
    data = build_dataset(store, "SIM-WALK", "5m", lab, settings, features=AROUND)
    edges = [0, to_instant(before), to_instant(after), np.iinfo(np.int64).max]
    parts = [(bars,), (bars, first), (bars, first, second)]
    for known, begin, end in zip(parts, edges, edges[1:], strict=False):
        then = MemoryStore(market, known).read("", "", known_at=None)
        then = replace(then, available_at=then.end)
        rows = rows_at(then, market, lab, features=AROUND)
        mine = (data.decision_at >= begin) & (data.decision_at < end)
        theirs = rows.frame["decision_at"].between(begin, end, inclusive="left").to_numpy()
        theirs = theirs & rows.frame["settled"].to_numpy()
        assert mine.sum() > 15
        np.testing.assert_allclose(data.X[mine], rows.X[theirs], rtol=1e-7, atol=1e-7)
    last = replace(then, available_at=then.end)
    answers = rows_at(last, market, lab, features=()).frame
    answers = answers[answers["settled"]].reset_index(drop=True)
    for column in ("y", "r_taken", "broke", "due_at", "known_at"):
        a, b = data.rows[column], answers[column]
        pd.testing.assert_series_equal(a, b, check_dtype=False)
    day = data.rows["item"].str.endswith("2026-03-16") & (data.rows["side"] == 1)
    first_levels = rows_at(bars, market, lab, features=()).frame.set_index(["item", "side"])
    for one in data.rows[day].to_dict("records"):
        assert one["high"] == first_levels.loc[(one["item"], 1), "high"]  # as it was decided on


def test_a_revision_touches_no_earlier_row(bars, market, settings):
    late = revised(bars, "2026-03-16", 1.05, "2026-03-25T00:00Z")
    lab = label("signal")
    plain, changed = (
        build_dataset(MemoryStore(market, p), "S", "5m", lab, settings, features=CORE)
        for p in ((bars,), (bars, late))
    )
    early = plain.decision_at < to_instant("2026-03-25T00:00Z")
    same = np.isclose(plain.X[early], changed.X[early], rtol=1e-7, atol=1e-7, equal_nan=True)
    assert same.all()
    # its answers may change: they come from the latest bars
    assert (plain.y[early] != changed.y[early]).any()


def test_a_real_store_gives_the_same_dataset(tmp_path, bars, orb_r):
    from mlcore.market.bars import BarStore
    from mlcore.store import HubDB, Lake

    home = load_settings(tmp_path)
    lake, hub = Lake(tmp_path / "data"), HubDB(tmp_path / "data" / "hub.sqlite")
    store = BarStore(lake, hub, home)
    given = {"source": "test", "options": {"market": "simulated_24_5"}}
    store.append(bars, sha256="a", imported_at=int(bars.available_at[-1]), **given)
    data = build_dataset(store, "SIM-WALK", "5m", label("orb_r"), home, features=AROUND)
    np.testing.assert_array_equal(data.X, orb_r.X)
    np.testing.assert_array_equal(data.y, orb_r.y)
    fix = revised(bars, "2026-03-16", 1.002, "2026-03-18T10:00Z")
    store.append(fix, sha256="b", imported_at=to_instant("2026-03-28T10:00Z"), **given)
    again = build_dataset(store, "SIM-WALK", "5m", label("orb_r"), home, features=AROUND)
    np.testing.assert_allclose(again.X, orb_r.X, rtol=1e-7, atol=1e-7)
    assert again.snapshot > data.snapshot
    pinned = build_dataset(
        store, "SIM-WALK", "5m", label("orb_r"), home, features=AROUND, snapshot=data.snapshot
    )
    assert pinned.fingerprint == data.fingerprint
    lake.close()


def test_too_few_bars_say_so(bars, market, settings):
    short = MemoryStore(market, (bars.take(slice(0, 10)),))
    with pytest.raises(TooFewBars, match="has none of orb_r in 10 bars – import more") as caught:
        build_dataset(short, "SIM-WALK", "5m", label("orb_r"), settings, features=AROUND)
    assert caught.value.code == "E_DATASET_EMPTY"
    with pytest.raises(UsageError, match="Did you mean"):
        build_dataset(short, "SIM-WALK", "5m", label("orb_r"), settings, features=("adx_41",))


def gold_bars(folder):
    table = pd.read_csv(folder / "gold" / "xauusd_5m_mt5.csv", sep="\t")
    stamp = pd.to_datetime(table["<DATE>"] + " " + table["<TIME>"], format="%Y.%m.%d %H:%M:%S")
    stamp = stamp.dt.tz_localize("Europe/Athens", ambiguous="NaT", nonexistent="NaT")
    prices = {c: table[f"<{c.upper()}>"] for c in ("open", "high", "low", "close")}
    frame = pd.DataFrame(
        {"time": stamp.dt.tz_convert("UTC"), **prices, "volume": table["<TICKVOL>"].astype(float)}
    )
    return Bars.from_frame(frame[stamp.notna()], "XAUUSD", "5m")


def test_real_gold_has_a_full_table_of_inputs(shared_data, settings):
    bars, gold = gold_bars(shared_data), settings.market("gold")
    lab = label("orb_direction")
    rows = rows_at(bars, gold, lab, features=AROUND)
    assert len(rows) > 1400
    assert np.isnan(rows.X[300:]).mean() < 0.001
    decided = rows.frame[rows.frame["broke"].isin([1, -1]).to_numpy()]
    right = (decided["p_up"] > 0.5) == (decided["broke"] == 1)
    assert 0.72 < right.mean() < 0.82  # one line of arithmetic, and no edge
    at = int(rows.frame["decision_at"].iloc[-8])
    served = rows_at(bars, gold, lab, features=AROUND, at=at + MINUTE)
    whole = rows.frame.set_index("item").index.get_indexer(served.frame["item"])
    np.testing.assert_allclose(served.X, rows.X[whole], rtol=1e-9, atol=1e-9)
