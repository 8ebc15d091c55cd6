"""Scores and intervals against plain metrics, slow draws and each other."""

import math

import numpy as np
import pytest

from mlcore import metrics
from mlcore.evaluation import statistics as reexported
from mlcore.evaluation.intervals import Days, auc_figure, rate_figure, ratio_figure
from mlcore.evaluation.paired import paired_accuracy, paired_skill
from mlcore.evaluation.scores import (
    Scored,
    calibration_curve,
    class_recall,
    classification_scores,
    credit,
    decided,
    hindsight,
    regression_scores,
)
from mlcore.statistics import circular_block_indices, expected_calibration_error

DIRECTION = ("UP", "DOWN", "NONE")


def made(k=2, n=900, skill=1.0, seed=0, per_day=3):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, k, n)
    odds = rng.normal(size=(n, k)) + skill * np.eye(k)[y]
    p = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    days = Days.of(np.arange(n) // per_day, horizon=0.2, seed=1, draws=500)
    base = np.full((n, k), 1 / k)
    shifted = np.roll(np.eye(k), 1, axis=0)[y] * 0.6 + 0.4 / k
    classes = ("LOSS", "WIN") if k == 2 else DIRECTION
    return Scored(y, classes, days, p, {"flat": base, "wrong": shifted}, {"twin": p})


@pytest.mark.parametrize("k", [2, 3])
class TestScores:
    def test_values_are_the_plain_metrics(self, k):
        s = made(k)
        found = classification_scores(s)
        called = s.model.argmax(axis=1)
        assert found["accuracy"]["value"] == pytest.approx(metrics.accuracy(s.y, called))
        balanced = metrics.balanced_accuracy(s.y, called)
        assert found["balanced_accuracy"]["value"] == pytest.approx(balanced)
        assert found["brier"]["value"] == pytest.approx(metrics.brier(s.y, s.model))
        assert found["log_loss"]["value"] == pytest.approx(metrics.log_loss(s.y, s.model))
        assert found["auc"]["value"] == pytest.approx(metrics.auc(s.y, s.model))

    def test_intervals_hold_their_value_and_n_is_shown(self, k):
        for row in classification_scores(made(k)).values():
            assert row["low"] < row["value"] < row["high"]
            assert row["difference_low"] < row["difference"] < row["difference_high"]
            assert row["n"] == 900

    def test_a_better_model_is_positive_for_losses_too(self, k):
        for row in classification_scores(made(k)).values():
            assert row["baseline"] == "flat"
            assert row["difference"] > 0
            gap = row["value"] - row["baseline_value"]
            assert row["difference"] == pytest.approx(gap if row["higher_is_better"] else -gap)

    def test_what_is_beside_is_never_the_best_baseline(self, k):
        for row in classification_scores(made(k)).values():
            assert row["beside"]["twin"] == pytest.approx(row["value"])
            assert set(row["baselines"]) == {"flat", "wrong"}

    def test_few_rows_have_no_figure(self, k):
        for row in classification_scores(made(k, n=29)).values():
            assert row["too_few"]
            assert row["n"] == 29
            for name in ("value", "low", "high", "difference", "baseline_value"):
                assert math.isnan(row[name])
        assert not classification_scores(made(k, n=30))["accuracy"]["too_few"]


def test_half_counts_half_right():
    y = np.array([0, 1, 0, 2])
    p = np.array([[0.5, 0.5, 0.0], [0.2, 0.7, 0.1], [0.1, 0.5, 0.4], [1 / 3, 1 / 3, 1 / 3]])
    np.testing.assert_allclose(credit(y, p), [0.5, 1.0, 0.0, 1 / 3])


def test_a_direction_is_up_against_down():
    p = np.array([[0.3, 0.1, 0.6], [0.0, 0.0, 1.0]])
    np.testing.assert_allclose(decided(p, DIRECTION), [[0.75, 0.25], [0.5, 0.5]])


def test_hindsight_and_recall():
    s = made(3)
    assert hindsight(s)["accuracy"] == np.bincount(s.y).max() / 900
    called = s.model.argmax(axis=1)
    for name, row in class_recall(s).items():
        code = DIRECTION.index(name)
        assert row["value"] == pytest.approx((called[s.y == code] == code).mean())
        assert row["n"] == int((s.y == code).sum())


def test_the_calibration_curve_adds_up():
    s = made(2)
    curve = calibration_curve(s)
    assert curve["ece"] == expected_calibration_error(s.y, s.model[:, 1])
    assert sum(part["n"] for part in curve["bins"]) == 900
    gap = sum(part["n"] * abs(part["seen"] - part["stated"]) for part in curve["bins"])
    assert curve["ece"] == pytest.approx(gap / 900)
    assert calibration_curve(made(3))["of"] == "the class called"
    few = calibration_curve(made(2, n=20))
    assert math.isnan(few["ece"])
    assert few["bins"] == []


def test_regression_scores():
    rng = np.random.default_rng(0)
    y, v = rng.normal(size=300), rng.normal(size=300)
    days = Days.of(np.arange(300), horizon=0.1, seed=0, draws=300)
    found = regression_scores(Scored(y, (), days, v, {"mean": np.zeros(300)}, {}))
    assert found["mae"]["value"] == pytest.approx(metrics.mean_absolute_error(y, v))
    assert found["mse"]["value"] == pytest.approx(metrics.mean_squared_error(y, v))
    assert found["mse"]["difference"] < 0


class TestIntervals:
    def test_a_ratio_is_resampled_by_whole_days(self):
        rng = np.random.default_rng(0)
        day = np.repeat(np.arange(60), rng.integers(1, 6, 60))
        values = rng.normal(size=len(day))
        days = Days.of(day, horizon=0.1, seed=4, draws=400)
        figure = ratio_figure(days, values, np.ones(len(day)))
        block = days.block(days.sums(values), days.sums(np.ones(len(day))))
        drawn = circular_block_indices(60, block, 400, 4)
        slow = [np.concatenate([values[day == d] for d in draw]).mean() for draw in drawn]
        low, high = np.quantile(slow, [0.025, 0.975])
        assert (figure.low, figure.high) == pytest.approx((low, high))
        assert figure.value == pytest.approx(values.mean())

    def test_a_horizon_of_days_makes_blocks_as_long(self):
        days = Days.of(np.arange(200), horizon=7.2, seed=0)
        rng = np.random.default_rng(0)
        assert days.block(rng.normal(size=200), np.ones(200)) >= 8

    @pytest.mark.parametrize("k", [2, 3])
    def test_an_auc_interval_is_the_slow_one(self, k):
        s = made(k, n=240)
        days = Days(s.days.codes, 80, 0.2, 1, 60)
        figure = auc_figure(days, s.y, s.model)
        right = (s.model.argmax(axis=1) == s.y).astype(float)
        drawn = circular_block_indices(80, days.block(days.sums(right), np.full(80, 3.0)), 60, 1)
        rows = [(3 * draw[:, None] + np.arange(3)).ravel() for draw in drawn]
        slow = [metrics.auc(s.y[at], s.model[at]) for at in rows]
        assert figure.value == pytest.approx(metrics.auc(s.y, s.model))
        assert (figure.low, figure.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])))
        same = auc_figure(days, s.y, s.model, s.model)
        assert (same.low, same.high) == pytest.approx((0.0, 0.0), abs=1e-12)

    def test_many_distinct_scores_are_binned_finely_enough(self):
        s = made(2, n=6_000)
        exact = metrics.auc(s.y, s.model)
        assert auc_figure(s.days, s.y, s.model).value == pytest.approx(exact, abs=5e-4)

    def test_classes_without_rows_are_left_out(self):
        days = Days.of(np.arange(40), horizon=0.0, seed=0, draws=50)
        hits, none = np.ones(40), np.zeros(40)
        assert rate_figure(days, [hits, none], [np.ones(40), none]).value == 1.0
        assert math.isnan(rate_figure(days, [none], [none]).value)
        assert math.isnan(auc_figure(days, np.zeros(40, int), np.full((40, 2), 0.5)).value)

    def test_same_seed_same_interval(self):
        s = made(2)
        assert classification_scores(s) == classification_scores(made(2))


class TestPaired:
    def test_the_best_baseline_is_chosen_on_the_same_rows(self):
        s = made(2)
        day = s.days.codes
        paired = paired_accuracy(day, s.y, s.model, s.baselines)
        assert paired.best == "flat"
        assert paired.value - paired.values["flat"] == pytest.approx(
            paired.difference(horizon=0.1, seed=0, draws=200).value
        )
        against = paired.difference(horizon=0.1, seed=0, draws=200, against="wrong")
        assert against.value == pytest.approx(paired.value - paired.values["wrong"])

    def test_skill_is_the_share_of_error_saved(self):
        rng = np.random.default_rng(0)
        y = rng.normal(size=400)
        paired = paired_skill(np.arange(400), y, 0.5 * y, {"naive": np.zeros(400), "mad": 9 - y})
        assert paired.best == "naive"
        assert paired.difference(horizon=0.0, seed=0, draws=100).value == pytest.approx(0.5)


def test_the_statistics_are_re_exported():
    import mlcore.statistics as source

    assert set(reexported.__all__) == set(source.__all__)
    assert reexported.deflated_sharpe_ratio is source.deflated_sharpe_ratio
