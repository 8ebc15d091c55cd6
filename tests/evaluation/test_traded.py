"""What is taken, what it earned, and what that is worth: against slow loops and by hand."""

import math

import numpy as np
import pytest

from mlcore import metrics
from mlcore.evaluation.traded import (
    RISK,
    Series,
    best_side,
    find_threshold,
    first_free,
    take,
    take_every,
    traded_block,
    traded_series,
)
from mlcore.samples.labels import label
from mlcore.statistics import deflated_sharpe_ratio, probabilistic_sharpe_ratio
from tests.synthetic import ranges, signals


def frame_of(broke, r_up, r_down):
    """Ranges with two rows each, UP first."""
    n = len(broke)
    net = np.column_stack([r_up, r_down]).ravel().astype(float)
    side = np.tile([1.0, -1.0], n)
    return {
        "day": np.repeat(np.arange(n), 2), "range_id": np.repeat(np.arange(n), 2),
        "side": side, "broke": np.repeat(np.asarray(broke, float), 2), "r_taken": net,
        "r_gross": np.where(net != 0, net + 0.1, 0.0), "valid": np.ones(2 * n, bool),
    }  # fmt: skip


QUALITY, R, SIGNAL = label("orb_quality"), label("orb_r"), label("signal")


def values(*pairs):
    return np.array(pairs, dtype=float).ravel()


class TestTaking:
    def test_the_first_break_decides_and_cancels_the_other(self):
        frame = frame_of([1, -1], r_up=[2, 0], r_down=[0, -1.1])
        taken = take(R, frame, values((0.5, 0.5), (0.5, 0.5)), np.full(4, np.nan))
        assert taken.flags.all()
        assert taken.net.tolist() == [2, 0, 0, -1.1]
        assert taken.entered.tolist() == [True, False, False, True]
        assert traded_series(frame["day"], taken).trades == 2

    def test_a_side_whose_opposite_breaks_first_is_zero(self):
        frame = frame_of([1], r_up=[2], r_down=[0])
        taken = take(R, frame, values((-0.5, 0.5)), np.full(2, np.nan))
        assert taken.flags.tolist() == [False, True]
        series = traded_series(frame["day"], taken)
        assert (series.net.tolist(), series.trades, series.chances) == ([0.0], 0, 1)

    @pytest.mark.parametrize("said", [(0.5, 0.4), (0.4, 0.5), (0.5, -0.1), (-0.1, 0.5)])
    def test_an_ambiguous_range_is_one_loss_if_any_side_was_taken(self, said):
        frame = frame_of([2], r_up=[-1.1], r_down=[-1.1])
        taken = take(R, frame, values(said), np.full(2, np.nan))
        assert taken.net.sum() == pytest.approx(-1.1)
        assert taken.entered.sum() == 1

    def test_no_break_and_no_side_are_nothing(self):
        frame = frame_of([0, 1], r_up=[0, 2], r_down=[0, 0])
        taken = take(R, frame, values((1, 1), (-1, -1)), np.full(4, np.nan))
        assert taken.net.tolist() == [0, 0, 0, 0]
        assert taken.chances.sum() == 2

    def test_quality_takes_from_its_threshold_on(self):
        frame = frame_of([1, 1, 1], r_up=[2, -1, 2], r_down=[0, 0, 0])
        p = values((0.6, 0), (0.5, 0), (0.4, 0))
        table = np.column_stack([1 - p, p])
        limit = np.array([0.5, 0.5, 0.5, 0.5, np.inf, np.inf])
        assert take(QUALITY, frame, table, limit).net.tolist() == [2, 0, -1, 0, 0, 0]

    def test_every_trade_is_each_range_s_first_break_once(self):
        frame = frame_of([1, -1, 2, 0], r_up=[2, 0, -1.1, 0], r_down=[0, 1, -1.1, 0])
        assert take_every(R, frame).net.tolist() == [2, 0, 0, 1, -1.1, 0, 0, 0]

    def test_rows_without_a_result_or_not_valid_do_not_count(self):
        frame = frame_of([1, 1], r_up=[2, np.nan], r_down=[0, np.nan])
        frame["valid"] = np.array([False, False, True, True])
        taken = take(R, frame, np.ones(4), np.full(4, np.nan))
        assert not taken.flags.any()
        assert taken.chances.sum() == 0

    def test_a_part_is_the_part(self):
        data = ranges("orb_r", days=30)
        taken = take(data.label, data.rows, data.X["x0"].to_numpy(), np.full(len(data.y), np.nan))
        half = np.arange(len(data.y)) < 60
        assert taken.take(half).net.tolist() == taken.net[:60].tolist()
        assert taken.take(np.arange(60)).chances.sum() == taken.chances[:60].sum() == 30


class TestSignals:
    def test_one_trade_at_a_time(self):
        start = np.array([0, 1, 2, 3, 4, 5])
        end = np.array([3, 9, 9, 4, 7, 8])
        wanted = np.array([True, True, False, True, True, True])
        assert first_free(start, end, wanted).tolist() == [True, False, False, True, True, False]
        assert not first_free(start, end, np.zeros(6, bool)).any()

    def test_it_is_the_slow_loop(self):
        rng = np.random.default_rng(0)
        start = np.sort(rng.integers(0, 500, 300))
        end = start + rng.integers(1, 30, 300)
        wanted = rng.random(300) < 0.5
        free, slow = -1, np.zeros(300, bool)
        for i in range(300):
            if wanted[i] and start[i] >= free:
                slow[i], free = True, end[i]
        np.testing.assert_array_equal(first_free(start, end, wanted), slow)

    def test_buy_and_sell_earn_their_own_side(self):
        data = signals(days=5)
        p = np.eye(3)[data.y.astype(int)]
        taken = take(SIGNAL, data.rows, p, np.full(len(p), np.nan))
        assert (taken.net[taken.flags] == 0.95).all()
        assert not taken.flags[data.y == 2].any()
        every = take_every(SIGNAL, data.rows)
        bought = data.rows["r_buy"].to_numpy()[every.flags]
        np.testing.assert_array_equal(every.net[every.flags], bought)


class TestThreshold:
    def test_it_earns_most_on_the_grid(self):
        data = ranges("orb_quality", days=200, seed=3)
        score = 1 / (1 + np.exp(-data.X["x0"].to_numpy()))
        found = find_threshold(data.rows, score)
        p = np.column_stack([1 - score, score])

        def total(limit):
            return take(QUALITY, data.rows, p, np.full(len(score), limit)).net.sum()

        grid = np.quantile(score, np.arange(20) / 20, method="lower")
        assert total(found) == pytest.approx(max(total(limit) for limit in grid))
        assert total(found) > 0
        assert 0.4 < found < 0.6

    def test_where_nothing_earns_it_takes_none(self):
        frame = frame_of([1, -1] * 30, r_up=[-1.1, 0] * 30, r_down=[0, -1.1] * 30)
        score = np.random.default_rng(0).random(120)
        assert find_threshold(frame, score) == math.inf
        frame["r_taken"] = np.full(120, np.nan)
        assert find_threshold(frame, score) == math.inf

    def test_an_ambiguous_range_counts_once(self):
        frame = frame_of([2, 1], r_up=[-1.0, 1.5], r_down=[-1.0, 0])
        assert find_threshold(frame, values((0.6, 0.6), (0.5, 0.1))) == pytest.approx(0.5)

    def test_the_best_side_is_the_higher_and_the_earlier(self):
        group = np.array([0, 0, 1, 1, 2])
        assert best_side(group, np.array([0.2, 0.3, 0.5, 0.5, 0.1])).tolist() == [
            False, True, True, False, True,
        ]  # fmt: skip


class TestBlock:
    def series(self, n=300, mean=0.1, seed=0):
        rng = np.random.default_rng(seed)
        net = rng.normal(mean, 1.0, n)
        return Series(np.arange(n), net, net + 0.05, trades=n, chances=2 * n)

    def test_it_is_the_library_s_figures_on_one_percent(self):
        series = self.series()
        block = traded_block(series, n_trials=12, variance=0.01)
        returns = RISK * series.net
        sharpe = metrics.sharpe(returns)
        skew, kurtosis = metrics.skew_kurtosis(returns)
        assert block["sharpe"] == sharpe
        assert block["psr"] == probabilistic_sharpe_ratio(sharpe, 300, skew, kurtosis)
        expected = deflated_sharpe_ratio(sharpe, 300, skew, kurtosis, 12, 0.01)
        assert block["dsr"] == expected
        assert block["max_drawdown"] == metrics.max_drawdown(returns)
        assert block["profit_factor"] == metrics.profit_factor(returns)

    def test_more_trials_deflate_more_and_one_trial_is_the_psr(self):
        series = self.series()
        found = [traded_block(series, n_trials=n, variance=0.005)["dsr"] for n in (1, 2, 20, 200)]
        assert found == sorted(found, reverse=True)
        assert found[0] == traded_block(series)["psr"]

    def test_break_even_cost_is_what_the_gross_can_bear(self):
        series = Series(np.arange(4), np.full(4, 0.1), np.full(4, 0.15), trades=4, chances=4)
        block = traded_block(series)
        assert block["break_even_cost_r"] == pytest.approx(0.15)
        assert block["break_even_cost_multiple"] == pytest.approx(3.0)
        assert math.isnan(block["sharpe"])

    def test_no_trade_has_no_figure(self):
        block = traded_block(Series(np.arange(5), np.zeros(5), np.zeros(5), 0, 5))
        assert block["net_r"] == 0.0
        for name in ("sharpe", "psr", "dsr", "profit_factor", "break_even_cost_r"):
            assert math.isnan(block[name])

    def test_days_without_a_trade_are_zeros(self):
        data = ranges("orb_r", days=20)
        none = take(data.label, data.rows, np.full(len(data.y), -1.0), np.full(len(data.y), np.nan))
        series = traded_series(data.rows["day"].to_numpy(), none)
        assert len(series.day) == 20
        assert not series.net.any()
