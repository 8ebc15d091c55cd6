"""The trial ledger: what counts as a trial, and how much the trials differ."""

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import fixed_clock
from mlcore.errors import StoreError, TooFewBars, UsageError
from mlcore.ledger import Ledger, specification_hash
from mlcore.store.hubdb import HubDB

SLOT = "orb_r-XAUUSD-5m"
SPEC = {"label": "orb_r", "symbols": ["XAUUSD"], "timeframe": "5m", "model": "lightgbm"}


@pytest.fixture
def db(tmp_path):
    return HubDB(tmp_path / "hub.sqlite")


@pytest.fixture
def ledger(db):
    return Ledger(db, fixed_clock("2026-01-05T12:00:00Z"))


def spec(**changed):
    return {**SPEC, **changed}


def test_n_counts_specifications_not_fits(ledger):
    for fold in range(5):
        ledger.add(SLOT, spec(leaves=31), fold=fold, seed=7)
    ledger.add(SLOT, spec(leaves=31), seed=8)  # a scheduled refit
    ledger.add(SLOT, spec(leaves=63), kind="tuning")
    ledger.add(SLOT, {**dict(reversed(spec(leaves=63).items()))}, kind="normal")
    trials = ledger.trials(SLOT)
    assert (trials.n, trials.rows, trials.failures) == (2, 8, 0)


@pytest.mark.parametrize("kind", ["placebo", "baseline", "look"])
def test_placebos_baselines_and_looks_are_rows_but_no_trials(ledger, kind):
    ledger.add(SLOT, spec(), kind=kind, daily=([1, 2, 3], [0.1, 0.2, 0.0]))
    assert ledger.trials(SLOT).n == 0
    assert ledger.rows(SLOT)["kind"].tolist() == [kind]
    assert ledger.series(SLOT).empty


def test_failed_fits_are_trials_with_their_error(ledger):
    ledger.add(SLOT, spec(), error=TooFewBars("Too few – 3 – bring more."), fold=2)
    trials = ledger.trials(SLOT)
    assert (trials.n, trials.failures) == (1, 1)
    assert ledger.rows(SLOT)["error"].tolist() == ["Too few – 3 – bring more."]


def test_the_family_is_every_slot_of_the_label_and_timeframe(ledger):
    ledger.add(SLOT, spec())
    ledger.add("orb_r-ES-5m", spec(symbols=["ES"]))
    ledger.add("orb_r-ES-15m", spec(symbols=["ES"], timeframe="15m"))
    ledger.add("orb_quality-ES-5m", spec(label="orb_quality"))
    trials = ledger.trials(SLOT)
    assert (trials.n, trials.n_family) == (1, 2)


def test_the_variance_is_that_of_daily_sharpe_over_common_dates(ledger):
    rng = np.random.default_rng(5)
    table = pd.DataFrame(rng.normal(0.01, 1.0, (60, 3)), index=np.arange(20_000, 20_060))
    starts = {0: 0, 1: 10, 2: 5}
    for column, start in starts.items():
        part = table[column].iloc[start:]
        cut = 25  # two folds, one after the other
        for piece in part.iloc[:cut], part.iloc[cut:]:
            ledger.add(SLOT, spec(leaves=column), daily=(piece.index, piece.to_numpy()))
    common = table.iloc[10:]
    expected = np.var(common.mean() / common.std(ddof=1), ddof=1)
    assert ledger.variance(SLOT) == pytest.approx(expected, rel=1e-12)
    assert ledger.trials(SLOT).variance_family == pytest.approx(expected, rel=1e-12)
    series = ledger.series(SLOT)
    assert series.shape == (60, 3)
    assert series.notna().sum().tolist() == [60, 50, 55]
    assert series[specification_hash(spec(leaves=0))].tolist() == table[0].tolist()


def test_of_a_day_scored_twice_the_latest_stays(ledger):
    ledger.add(SLOT, spec(), daily=([10, 11], [1.0, 2.0]))
    ledger.add(SLOT, spec(), daily=(np.array([11, 12], "datetime64[D]"), [5.0, 6.0]))
    series = ledger.series(SLOT)
    assert series.index.tolist() == [10, 11, 12]
    assert series.iloc[:, 0].tolist() == [1.0, 5.0, 6.0]


def test_what_cannot_be_known_is_nan(ledger):
    assert np.isnan(ledger.variance(SLOT))
    ledger.add(SLOT, spec(leaves=1), daily=([1, 2, 3], [0.1, 0.2, 0.0]))
    assert np.isnan(ledger.variance(SLOT))
    ledger.add(SLOT, spec(leaves=2), daily=([7, 8, 9], [0.1, 0.2, 0.0]))
    assert np.isnan(ledger.variance(SLOT))  # no date in common


def test_a_trial_that_never_trades_has_a_sharpe_ratio_of_zero(ledger):
    ledger.add(SLOT, spec(leaves=1), daily=([1, 2, 3], [0.0, 0.0, 0.0]))
    ledger.add(SLOT, spec(leaves=2), daily=([1, 2, 3], [1.0, 2.0, 3.0]))
    assert ledger.variance(SLOT) == pytest.approx(np.var([0.0, 2.0], ddof=1))


def test_scores_keep_missing_as_missing(ledger):
    ledger.add(SLOT, spec(), scores={"auc": float("nan"), "brier": np.float64(0.25)}, fold=1)
    assert ledger.rows()["scores"].tolist() == [{"auc": None, "brier": 0.25}]
    assert ledger.rows()["at"].dtype == "datetime64[ns, UTC]"


@pytest.mark.parametrize(
    ("days", "returns"),
    [([1, 2], [0.1]), ([2, 1], [0.1, 0.1]), ([1, 1], [0.1, 0.1]), ([1, 2], [0.1, float("nan")])],
)
def test_a_series_is_one_finite_return_a_day(ledger, days, returns):
    with pytest.raises(UsageError, match="in order, each day once") as caught:
        ledger.add(SLOT, spec(), daily=(days, returns))
    assert caught.value.code == "E_LEDGER_SERIES"
    assert ledger.trials(SLOT).rows == 0


def test_the_ledger_cannot_be_made_shorter(ledger, db):
    ledger.add(SLOT, spec())
    with pytest.raises(StoreError, match="ledger is append-only"), db.transaction() as connection:
        connection.execute("DELETE FROM ledger")
    assert ledger.trials(SLOT).n == 1
