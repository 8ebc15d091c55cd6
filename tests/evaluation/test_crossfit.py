"""Cross-fit: nothing learns from what it answers, and what is there is found."""

import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlcore.errors import JobError, TooFewBars
from mlcore.evaluation.crossfit import compare, crossfit, fit_fold
from mlcore.models import make_model
from mlcore.models.contract import BaseModel
from mlcore.samples.splits import WalkForward, everything, holdout
from tests.synthetic import ranges, signals

SPLIT = WalkForward(60, 20, 10, unit="days")
QUICK = {"rounds": 60, "learning_rate": 0.1}


class Memory(BaseModel):
    """One nearest neighbour: it knows every row it has seen by heart."""

    kind = "memory"

    def _fit(self, X, y, weight, valid):
        self.X, self.y = X, y

    def _answer(self, X):
        near = ((X[:, None, :] - self.X[None]) ** 2).sum(axis=2).argmin(axis=1)
        return np.eye(len(self.classes_))[self.y[near].astype(int)]

    def _state(self, directory):
        return {}

    def _restore(self, state, directory):
        raise NotImplementedError


def maker(data, kind="lightgbm", params=None):
    task, classes = data.label.task, data.label.classes
    if kind == "memory":
        return lambda seed: Memory(task=task, classes=classes, seed=seed)
    params = QUICK if kind == "lightgbm" and params is None else params
    return lambda seed: make_model(kind, task=task, classes=classes, params=params, seed=seed)


def run(data, *, split=SPLIT, kind="lightgbm", **options):
    options = {"seed": 1, "threads": 1, "beside": (), **options}
    return crossfit(data, split, maker(data, kind), **options)


def paired(data, found):
    part = data.rows.iloc[found.rows]
    y = data.y[found.rows]
    return compare(data.label, part, y, found.answer, found.baselines, found.taken, found.every)


@pytest.fixture(scope="module")
def quality():
    data = ranges("orb_quality", days=160)
    return data, run(data)


class TestHonesty:
    def test_a_model_that_memorises_is_at_chance_out_of_fold(self):
        data = ranges("orb_quality", days=200, planted=False, seed=4)
        rng = np.random.default_rng(0)
        y = np.where(np.isfinite(data.y), rng.integers(0, 2, len(data.y)), np.nan)
        data = replace(data, y=y)
        found = run(data, kind="memory")
        known = np.isfinite(data.y[found.rows])
        truth = data.y[found.rows][known]
        right = int((found.p[known].argmax(axis=1) == truth).sum())
        assert abs(right - len(truth) / 2) < 3.3 * np.sqrt(len(truth) / 4)
        fold = everything(data)
        seen = fit_fold(data, fold, maker(data, "memory"), seed=1, parts=(1.0, 0.0, 0.0))
        inside = np.flatnonzero(np.isfinite(data.y))
        p = seen.raw(data.X.to_numpy()[inside], {})
        assert (p.argmax(axis=1) == data.y[inside]).mean() > 0.99

    def test_random_labels_stay_inside_the_binomial_band(self):
        data = signals(days=120, planted=False, seed=2)
        rng = np.random.default_rng(3)
        data = replace(data, y=rng.integers(0, 3, len(data.y)).astype(float))
        found = run(data)
        right = int((found.p.argmax(axis=1) == data.y[found.rows]).sum())
        n = len(found.rows)
        assert abs(right - n / 3) < 3.3 * np.sqrt(n * 2 / 9)

    @pytest.mark.parametrize("base", ["orb_quality", "orb_r"])
    def test_a_planted_edge_is_found(self, base):
        data = ranges(base, days=250, seed=1)
        result = paired(data, run(data))
        figure = result.difference(horizon=0.2, seed=0, draws=500)
        assert result.measure == "net_r"
        assert figure.low > 0
        assert result.value > max(result.values.values())

    def test_a_planted_signal_is_found(self):
        data = signals(days=100)
        result = paired(data, run(data))
        assert result.value - result.values[result.best] > 0.1

    def test_rows_outside_the_training_window_change_nothing(self, quality):
        data, found = quality
        fold = found.folds[0].fold
        rng = np.random.default_rng(9)
        X, y = data.X.to_numpy().copy(), data.y.copy()
        outside = np.setdiff1d(np.arange(len(y)), fold.train)
        X[outside] = rng.normal(5, 9, X[outside].shape)
        y[outside] = rng.permutation(y[outside])
        other = replace(data, X=pd.DataFrame(X, columns=data.X.columns), y=y)
        again = fit_fold(other, fold, maker(data), seed=1)
        probe = data.X.to_numpy()[fold.score]
        frame = data.rows.iloc[fold.score]
        first = found.folds[0].fitted
        np.testing.assert_array_equal(first.answer(probe, frame)[1], again.answer(probe, frame)[1])
        assert first.threshold == again.threshold
        for name, stated in first.stated(probe, frame).items():
            np.testing.assert_array_equal(stated, again.stated(probe, frame)[name])

    def test_stopping_and_calibration_days_do_not_fit_trees(self, quality):
        data, found = quality
        fit, stop, settle = found.folds[0].fitted.rows
        labelled = int(np.isfinite(data.y[found.folds[0].fold.train]).sum())
        assert fit + stop + settle == labelled
        assert fit > 2 * stop > 0
        assert settle > 0


class TestShape:
    def test_each_row_is_answered_once_in_time_order(self, quality):
        data, found = quality
        assert (np.diff(found.rows) > 0).all()
        first = SPLIT.split(data)[0].test[0]
        np.testing.assert_array_equal(found.rows, np.arange(first, len(data.y)))
        assert found.p.shape == found.p_raw.shape == (len(found.rows), 2)
        np.testing.assert_allclose(found.p.sum(axis=1), 1.0)
        assert found.value is None
        for stated in found.baselines.values():
            assert stated.shape == found.p.shape

    def test_the_fold_models_answer_the_same_again(self, quality):
        data, found = quality
        for done in found.folds:
            mine = found.fold == done.fold.index
            at = found.rows[mine]
            np.testing.assert_array_equal(at, done.fold.score)
            raw, said = done.fitted.answer(data.X.to_numpy()[at], data.rows.iloc[at])
            np.testing.assert_array_equal(raw, found.p_raw[mine])
            np.testing.assert_array_equal(said, found.p[mine])

    def test_every_training_due_date_lies_before_the_answers(self, quality):
        data, found = quality
        for done in found.folds:
            assert done.fitted.cut < data.decision_at[done.fold.score].min()

    def test_thresholds_belong_to_folds(self, quality):
        _, found = quality
        for done in found.folds:
            mine = found.fold == done.fold.index
            assert (found.threshold[mine] == done.fitted.threshold).all()
        wanted = found.p[:, 1] >= found.threshold
        np.testing.assert_array_equal(found.taken.flags, wanted)

    def test_a_regression_has_values_and_an_interval(self):
        data = ranges("orb_r", days=160)
        found = run(data)
        assert found.p is None
        assert found.value.shape == (len(found.rows),)
        np.testing.assert_array_equal(found.taken.flags, found.value > 0)
        low, high = found.folds[-1].fitted.residual
        assert low < 0 < high
        assert np.isnan(found.threshold).all()

    def test_direction_is_not_traded_and_has_its_baselines(self):
        data = ranges("orb_direction", days=160)
        found = run(data, kind="mechanical", beside=("logistic",))
        assert found.taken is None
        assert list(found.baselines) == ["majority", "persistence", "mechanical"]
        np.testing.assert_allclose(found.p_raw, found.baselines["mechanical"], atol=0.05)
        assert set(found.beside) == {"logistic"}
        result = paired(data, found)
        assert result.best == "mechanical"
        assert result.n == int((data.y[found.rows] < 2).sum())

    def test_a_holdout_answers_its_last_block(self):
        data = ranges("orb_r", days=160)
        found = run(data, split=holdout())
        assert len(found.folds) == 1
        np.testing.assert_array_equal(found.rows, holdout().split(data)[0].test)


class TestRunning:
    def test_same_seed_same_answers_whatever_the_threads(self, quality):
        data, found = quality
        twice = run(data, threads=2)
        np.testing.assert_array_equal(found.p, twice.p)
        np.testing.assert_array_equal(found.threshold, twice.threshold)
        assert [f.fold.index for f in twice.folds] == [f.fold.index for f in found.folds]

    def test_progress_is_told_in_the_order_of_time(self):
        data = ranges("orb_quality", days=120)
        events = []
        found = run(data, threads=2, progress=events.append)
        folds = [e for e in events if e["kind"] == "fold"]
        assert [e["index"] for e in folds] == list(range(len(found.folds)))
        assert {e["total"] for e in folds} == {len(found.folds)}
        expected = {
            "kind", "index", "total", "test_start", "test_end", "n", "difference", "low", "high",
            "pooled_n", "pooled_difference", "pooled_low", "pooled_high", "baseline", "measure",
            "seconds",
        }  # fmt: skip
        assert set(folds[0]) == expected
        last, whole = folds[-1], paired(data, found)
        assert last["pooled_n"] == whole.n
        assert last["baseline"] == whole.best
        assert last["pooled_low"] < last["pooled_difference"] < last["pooled_high"]
        assert folds[0]["test_start"] == found.folds[0].fold.test_days[0]
        losses = [e for e in events if e["kind"] == "loss"]
        assert len(losses) == len(folds)
        assert len(losses[0]["train"]) >= losses[0]["kept"]

    def test_the_first_fold_is_told_before_others_start(self):
        """Libraries are imported on first use; two threads must not do so at once."""
        data, made, seen = ranges("orb_quality", days=120), [], []
        make = maker(data)

        def counting(seed):
            made.append(seed)
            return make(seed)

        def tell(event):
            seen.append((event["kind"], len(made)))

        crossfit(data, SPLIT, counting, seed=1, threads=2, beside=(), progress=tell)
        assert ("fold", 1) in seen
        assert len(made) == len([kind for kind, _ in seen if kind == "fold"])

    def test_few_outcomes_have_no_figure_yet(self):
        data = ranges("orb_r", days=110, per_day=1)
        events = []
        run(data, progress=events.append)
        folds = [e for e in events if e["kind"] == "fold"]
        assert folds[0]["n"] < 30
        assert folds[0]["difference"] is None

    def test_dropped_classes_are_noted(self):
        data = signals(days=90)
        data = replace(data, y=np.where(data.y == 1, 2.0, data.y))
        data.y[:3] = 1.0
        events = []
        run(data, progress=events.append)
        assert any("SELL has" in e["text"] for e in events if e["kind"] == "note")

    def test_it_stops_between_folds(self, quality):
        data, _ = quality
        with pytest.raises(JobError, match="it was stopped") as error:
            run(data, cancelled=lambda: True)
        assert error.value.code == "E_JOB_CANCELLED"

    @pytest.mark.parametrize("threads", [1, 2])
    def test_it_stops_inside_a_fold(self, quality, threads):
        data, _ = quality
        asked, lock = [0], threading.Lock()

        def cancelled():
            with lock:
                asked[0] += 1
                return asked[0] > 5

        with pytest.raises(JobError, match="it was stopped"):
            run(data, threads=threads, cancelled=cancelled)
        assert asked[0] < 40

    def test_too_few_days_are_refused_before_any_fit(self):
        data = ranges("orb_r", days=50)

        def never(seed):
            raise AssertionError("a model was made")

        with pytest.raises(TooFewBars, match="trading days"):
            crossfit(data, WalkForward(), never, seed=0)
