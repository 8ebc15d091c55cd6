"""Splits: whole trading days, purged, embargoed, every row scored once."""

from dataclasses import replace

import numpy as np
import pytest

from mlcore.clock import DAY, HOUR
from mlcore.errors import TooFewBars, UsageError
from mlcore.samples.splits import (
    Holdout,
    WalkForward,
    everything,
    holdout,
    inner_parts,
    purge,
)
from tests.synthetic import FIRST_DAY, calendar, ranges


@pytest.fixture(scope="module")
def sample():
    return ranges("orb_direction", days=150, per_day=3)


def uneven(seed=0, days=200):
    """Between 0 and 9 rows a day, answers due up to two days later."""
    rng = np.random.default_rng(seed)
    base = ranges("orb_direction", days=days, per_day=9)
    keep = np.flatnonzero(rng.random(len(base.y)) < np.repeat(rng.random(days), 9))
    due = base.decision_at[keep] + (rng.random(len(keep)) * 48 * HOUR).astype(np.int64)
    rows = base.rows.iloc[keep].reset_index(drop=True)
    return replace(
        base, X=base.X.iloc[keep], y=base.y[keep], decision_at=base.decision_at[keep],
        due_at=due, weight=base.weight[keep], rows=rows,
    )  # fmt: skip


SPLITS = [
    WalkForward(),
    WalkForward(expand=False),
    WalkForward(200, 30, 10, unit="rows"),
    WalkForward(200, 30, 10, unit="rows", expand=False),
    WalkForward(40, 10, 5, unit="days"),
    WalkForward(40, 10, 5, embargo=3, unit="days", expand=False),
]


@pytest.mark.parametrize("split", SPLITS, ids=str)
@pytest.mark.parametrize("seed", [0, 1])
class TestEveryWalkForward:
    def test_no_training_row_reaches_into_a_test(self, split, seed):
        data = uneven(seed)
        for fold in split.split(data):
            start = data.decision_at[fold.test].min()
            assert data.due_at[fold.train].max() < start
            assert fold.cut == data.due_at[fold.train].max()

    def test_days_are_never_cut(self, split, seed):
        data = uneven(seed)
        day = data.rows["day"].to_numpy()
        for fold in split.split(data):
            assert set(fold.train_days).isdisjoint(fold.test_days)
            for part, days in ((fold.test, fold.test_days), (fold.train, fold.train_days)):
                assert set(day[part]) <= set(days)
            whole = np.flatnonzero(np.isin(day, fold.test_days))
            np.testing.assert_array_equal(fold.test, whole)
            assert set(day[fold.score]).isdisjoint(set(day[np.setdiff1d(fold.test, fold.score)]))

    def test_each_row_is_scored_once_by_the_latest_model(self, split, seed):
        data = uneven(seed)
        folds = split.split(data)
        scored = np.concatenate([fold.score for fold in folds])
        assert len(np.unique(scored)) == len(scored)
        first = folds[0].test.min()
        np.testing.assert_array_equal(np.sort(scored), np.arange(first, len(data.y)))
        for fold in folds:
            later = [f for f in folds if f.index > fold.index]
            assert not any(np.isin(fold.score, f.test).any() for f in later)

    def test_windows_hold_what_was_asked(self, split, seed):
        data = uneven(seed)
        day = data.rows["day"].to_numpy()
        for fold in split.split(data):
            rows = int(np.isin(day, fold.train_days).sum())
            if split.unit == "days":
                assert len(fold.train_days) >= split.train
            else:
                assert rows >= split.train
                if not split.expand and split.unit == "rows":
                    assert int(np.isin(day, fold.train_days[1:]).sum()) < split.train
            assert len(fold.train_days) >= 20


def test_the_default_is_the_longer_of_rows_and_days(sample):
    dense = ranges("orb_direction", days=150, per_day=20)
    assert len(WalkForward(expand=False).split(dense)[0].train_days) == 60
    assert len(WalkForward(expand=False).split(dense)[0].test_days) == 10
    sparse = WalkForward(200, 40, 20, expand=False).split(sample)[0]
    assert (len(sparse.train_days), len(sparse.test_days)) == (67, 14)


def test_an_expanding_window_keeps_the_first_day(sample):
    folds = WalkForward(90, 30, 15, unit="rows").split(sample)
    assert {fold.train_days[0] for fold in folds} == {FIRST_DAY}
    assert [len(f.train_days) for f in folds] == sorted(len(f.train_days) for f in folds)


def test_an_expanding_window_rolls_once_it_is_full(sample):
    folds = WalkForward(90, 30, 15, unit="rows", most=240).split(sample)
    assert [len(f.train_days) for f in folds[-3:]] == [80, 80, 80]
    assert folds[0].train_days[0] == FIRST_DAY
    assert max(len(f.train_days) for f in folds) == 80
    wide = WalkForward(120, 30, 15, unit="rows", most=60).split(sample)
    assert {len(f.train_days) for f in wide} == {40}


def test_an_embargo_is_a_gap_of_whole_days(sample):
    for fold in WalkForward(40, 10, 5, embargo=4, unit="days").split(sample):
        assert fold.test_days[0] - fold.train_days[-1] == 5


def test_a_planted_overlap_is_purged(sample):
    split = WalkForward(40, 10, 5, unit="days")
    clean = split.split(sample)[0]
    due = sample.due_at.copy()
    due[clean.train[5]] = sample.decision_at[clean.test[0]]
    due[clean.train[9]] = sample.decision_at[clean.test[0]] - 1
    fold = split.split(replace(sample, due_at=due))[0]
    assert set(clean.train) - set(fold.train) == {clean.train[5]}


def test_purge_and_embargo_on_both_sides():
    _, decision, due = calendar(10, 1, due_hours=30)
    data = replace(ranges("orb_direction", days=10, per_day=1), decision_at=decision, due_at=due)
    test, train = np.array([5]), np.array([2, 3, 4, 6, 7, 8])
    assert purge(data, train, test).tolist() == [2, 3, 7, 8]
    assert purge(data, train, test, embargo=18 * HOUR).tolist() == [2, 3, 8]
    assert purge(data, train, test[:0]).tolist() == train.tolist()


def test_rows_that_have_not_settled_are_absent(sample):
    rows = sample.rows.assign(settled=sample.rows["day"] < FIRST_DAY + 140)
    data = replace(sample, rows=rows)
    seen = np.concatenate([f.test for f in WalkForward(40, 10, 5, unit="days").split(data)])
    assert rows["day"].to_numpy()[seen].max() == FIRST_DAY + 139
    assert len(everything(data).train) == 140 * 3


class TestTooFew:
    def test_less_than_twenty_days_of_training_is_refused(self, sample):
        with pytest.raises(TooFewBars, match="at least 20 trading days – 19 days") as error:
            WalkForward(19, 5, 5, unit="days").split(sample)
        assert error.value.details == {"needed": 20, "got": 19, "unit": "days"}
        dense = ranges("orb_direction", days=60, per_day=20)
        with pytest.raises(TooFewBars, match="at least 20 trading days – 100 rows are 5 here"):
            WalkForward(100, 20, 20, unit="rows").split(dense)

    def test_short_data_is_told_how_much_is_needed(self, sample):
        with pytest.raises(TooFewBars, match="add") as error:
            WalkForward(500, 100, 50).split(sample)
        details = error.value.details
        assert details["needed"] == 201
        assert (details["got"], details["rows"]) == (150, 450)
        assert "about 201 trading days" in str(error.value)
        assert "add 51 days of bars" in str(error.value)

    def test_what_was_told_is_enough(self):
        with pytest.raises(TooFewBars) as error:
            WalkForward().split(ranges("orb_direction", days=100, per_day=3))
        enough = ranges("orb_direction", days=error.value.details["needed"], per_day=3)
        assert len(WalkForward().split(enough)) >= 1


class TestHoldout:
    @pytest.mark.parametrize("shares", [(60, 20, 20), (70, 15, 15)])
    def test_blocks_follow_each_other(self, sample, shares):
        fold = holdout(*shares).split(sample)[0]
        day = sample.rows["day"].to_numpy()
        assert day[fold.train].max() < day[fold.valid].min()
        assert day[fold.valid].max() < day[fold.test].min()
        assert len(fold.train_days) == 150 * shares[0] // 100
        assert len(fold.test_days) == np.ceil(150 * shares[2] / 100)
        np.testing.assert_array_equal(fold.score, fold.test)
        assert fold.cut < sample.decision_at[fold.test].min()

    def test_validation_is_halved_to_stop_and_to_calibrate(self, sample):
        fold = holdout().split(sample)[0]
        fit, stop, calibrate = inner_parts(sample, fold)
        np.testing.assert_array_equal(np.concatenate([stop, calibrate]), fold.valid)
        assert len(stop) == len(calibrate) == 45
        assert sample.due_at[fit].max() < sample.decision_at[stop].min()

    def test_short_data_and_bad_shares_are_refused(self):
        short = ranges("orb_direction", days=30, per_day=3)
        with pytest.raises(TooFewBars, match="about 34 in all – 30 were given – add 4 days"):
            holdout().split(short)
        with pytest.raises(UsageError, match="sum to 1"):
            Holdout((0.5, 0.2, 0.2))


class TestInnerParts:
    def test_parts_are_whole_days_in_order_and_purged(self):
        data = uneven()
        day = data.rows["day"].to_numpy()
        for fold in WalkForward(200, 30, 10, unit="rows").split(data):
            fit, stop, calibrate = inner_parts(data, fold)
            assert set(day[fit]).isdisjoint(day[stop])
            assert set(day[stop]).isdisjoint(day[calibrate])
            assert data.due_at[fit].max() < data.decision_at[stop].min()
            assert data.due_at[stop].max() < data.decision_at[calibrate].min()
            assert set(fit) | set(stop) | set(calibrate) <= set(fold.train)

    def test_shares_are_of_days(self, sample):
        fold = WalkForward(100, 10, 10, unit="days").split(sample)[0]
        assert [len(p) // 3 for p in inner_parts(sample, fold)] == [70, 15, 15]
        assert [len(p) // 3 for p in inner_parts(sample, fold, (0.8, 0.2, 0))] == [80, 20, 0]

    def test_two_days_are_too_few(self, sample):
        fold = everything(ranges("orb_direction", days=2, per_day=3))
        with pytest.raises(TooFewBars, match="each need a trading day – 2 days"):
            inner_parts(ranges("orb_direction", days=2, per_day=3), fold)


def test_everything_is_training_up_to_the_cut(sample):
    fold = everything(sample)
    assert len(fold.train) == len(sample.y)
    assert len(fold.test) == len(fold.score) == 0
    assert fold.cut == sample.due_at.max()


def test_sizes_that_make_no_sense_are_refused():
    with pytest.raises(UsageError, match="sizes of at least 1"):
        WalkForward(0, 10, 5)
    with pytest.raises(UsageError, match="no negative embargo"):
        WalkForward(embargo=-1)
    with pytest.raises(UsageError, match="in rows or days"):
        WalkForward(unit="weeks")


def test_a_split_describes_itself():
    assert WalkForward().describe() == {
        "kind": "walk_forward", "train": 500, "test": 100, "step": 50, "embargo": 0,
        "expand": True, "most": 20_000, "unit": "longest",
    }  # fmt: skip
    assert holdout(70, 15, 15).describe()["shares"] == [0.7, 0.15, 0.15]


def test_day_numbers_are_the_calendar_s(sample):
    assert sample.decision_at[0] == FIRST_DAY * DAY
