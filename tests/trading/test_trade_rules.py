"""Each rule of a break, a fill and an exit, on bars drawn by hand (range 90 to 100, close 96)."""

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import MINUTE
from mlcore.config import ORB, Cost
from mlcore.trading.ranges import break_outcomes, mechanical_up, offers, opening_ranges
from mlcore.trading.trades import barrier_trades, cost_in_r, find_breaks

MIDNIGHT = 20_000 * 86_400 * 10**9
QUIET = (96, 98, 94, 96)


@pytest.fixture
def trade(draw, plain_market):
    def run(*rows, **orb):
        table = opening_ranges(draw(*rows), plain_market, ORB(**orb))
        assert len(table) == 1
        return table.iloc[0]

    return run


def bar_start(index):
    return pd.Timestamp(MIDNIGHT + 5 * MINUTE * index, tz="UTC")


def test_the_range_and_its_clock(trade):
    row = trade(QUIET)
    assert (row.high, row.low, row.close, row.bars, row.valid) == (100, 90, 96, 3, True)
    assert row.open_at == bar_start(0)
    assert row.available_at == bar_start(3)
    assert row.due_at == bar_start(12)
    assert (row.symbol, row.range, str(row.date.date())) == ("TEST", "utc_0000", "2024-10-04")


def test_no_break_is_none_and_known_at_the_windows_end(trade):
    row = trade(QUIET)
    assert row.side == "NONE"
    assert row.known_at == row.due_at
    assert np.isnan([row.entry, row.r_gross, row.r_net, row.mfe]).all()
    assert pd.isna(row.exit_reason)
    assert pd.isna(row.break_at)


def test_touching_a_level_is_not_a_break(trade):
    assert trade((96, 100, 90, 96)).side == "NONE"


def test_touch_enters_at_the_level_and_leaves_at_the_target(trade):
    row = trade(QUIET, (96, 101, 95, 100.5), (100.5, 121, 100, 119))
    assert (row.side, row.entry, row.stop, row.target) == ("UP", 100, 90, 120)
    assert (row.exit, row.exit_reason, row.r_gross) == (120, "target", 2)
    assert row.r_net == pytest.approx(2 - 1 / 10)
    assert (row.break_at, row.exit_at) == (bar_start(4), bar_start(5))
    assert row.known_at == bar_start(6)
    assert (row.mfe, row.mae) == (pytest.approx(2.1), 0)


def test_a_sale_mirrors_a_purchase(trade):
    row = trade((96, 97, 89, 89.5), (89.5, 90, 69, 75))
    assert (row.side, row.entry, row.stop, row.target) == ("DOWN", 90, 100, 70)
    assert (row.exit, row.r_gross) == (70, 2)
    assert (row.mfe, row.mae) == (pytest.approx(2.1), 0)


def test_a_gap_through_the_level_enters_at_the_open(trade):
    up = trade((103, 104, 102, 103))
    assert (up.entry, up.stop, up.target) == (103, 90, 129)
    down = trade((88, 89, 87, 88))
    assert (down.entry, down.stop, down.target) == (88, 100, 64)


def test_opened_past_the_stop_fills_at_the_open(trade):
    row = trade((96, 101, 95, 100), (86, 130, 85, 125))
    assert (row.exit, row.exit_reason) == (86, "stop")
    assert row.r_gross == pytest.approx(-1.4)
    assert not row.flagged


def test_opened_past_the_target_fills_at_the_open(trade):
    row = trade((96, 101, 95, 100), (125, 126, 80, 85))
    assert (row.exit, row.exit_reason, row.r_gross) == (125, "target", 2.5)
    assert not row.flagged


def test_a_bar_that_touches_both_is_a_loss_and_flagged(trade):
    row = trade((96, 101, 95, 100), (100, 121, 89, 110))
    assert (row.exit, row.exit_reason, row.r_gross, row.flagged) == (90, "stop", -1, True)


def test_the_stop_and_the_target_are_met_by_equality(trade):
    assert trade((96, 101, 95, 100), (100, 105, 90, 95)).exit_reason == "stop"
    assert trade((96, 101, 95, 100), (100, 120, 95, 118)).exit_reason == "target"


def test_the_target_counts_only_after_the_entry_bar(trade):
    row = trade((96, 125, 95, 110), (110, 112, 100, 105), (105, 106, 99, 100))
    assert row.exit_reason == "window"
    assert row.exit == 96
    assert row.exit_at == bar_start(11)
    assert row.known_at == row.due_at


def test_the_stop_counts_from_the_entry_bar(trade):
    row = trade((96, 101, 94, 95), stop_fraction=0.5)
    assert (row.entry, row.stop, row.target) == (100, 95, 110)
    assert (row.exit, row.exit_reason, row.r_gross) == (95, "stop", -1)
    assert row.exit_at == row.break_at
    assert np.isnan(row.mfe)
    assert np.isnan(row.mae)


def test_an_open_before_the_entry_is_no_fill(trade):
    """Opened below the stop, then up through the level: out at the stop, not at that open."""
    row = trade((92, 101, 91, 100), stop_fraction=0.5)
    assert (row.entry, row.exit, row.r_gross) == (100, 95, -1)


def test_both_sides_in_one_touch_bar_are_ambiguous_and_a_loss(trade):
    row = trade(QUIET, (96, 101, 89, 95))
    assert (row.side, row.exit_reason, row.r_gross) == ("AMBIGUOUS", "ambiguous", -1)
    assert row.r_net == pytest.approx(-1.1)
    assert row.flagged
    assert row.known_at == bar_start(5)
    assert np.isnan([row.entry, row.stop, row.target, row.exit]).all()


def test_the_first_break_counts_not_the_second(trade):
    assert trade((96, 101, 95, 96), (96, 97, 80, 85)).side == "UP"


def test_close_mode_enters_at_the_next_open(trade):
    row = trade((96, 105, 80, 97), (97, 103, 96, 102), (101, 102, 100, 101), mode="close")
    assert (row.side, row.break_at) == ("UP", bar_start(4))
    assert (row.entry, row.stop, row.target) == (101, 90, 123)
    assert trade((96, 97, 85, 88), (89, 90, 88, 89), mode="close").entry == 89


def test_a_close_break_in_the_last_bar_has_no_trade(trade):
    row = trade(*[QUIET] * 8, (96, 105, 95, 104), mode="close")
    assert row.side == "UP"
    assert row.break_at == bar_start(11)
    assert np.isnan([row.entry, row.r_gross, row.r_net]).all()
    assert pd.isna(row.exit_reason)
    assert row.known_at == row.due_at


def test_an_entry_at_or_past_its_stop_is_no_trade(trade):
    for opened in (95, 93):
        row = trade((96, 102, 95, 101), (opened, 130, 92, 120), mode="close", stop_fraction=0.5)
        assert row.side == "UP"
        assert np.isnan([row.entry, row.stop, row.target, row.r_gross]).all()


def test_close_mode_looks_for_the_stop_in_its_entry_bar(trade):
    row = trade((96, 102, 95, 101), (101, 130, 89, 120), mode="close")
    assert (row.exit_reason, row.r_gross, row.exit_at) == ("stop", -1, bar_start(4))


def test_an_entry_in_the_last_bar_leaves_at_its_close(trade):
    row = trade(*[QUIET] * 8, (96, 103, 95, 102))
    assert (row.exit_reason, row.exit, row.r_gross) == ("window", 102, pytest.approx(0.2))
    assert np.isnan(row.mfe)


def test_a_window_exit_is_known_at_the_windows_end(trade):
    """The last bar is missing: the exit is the last close there is, known an hour in."""
    row = trade((96, 101, 95, 100), *[(100, 102, 99, 101)] * 7, None, QUIET)
    assert (row.exit_reason, row.exit, row.exit_at) == ("window", 101, bar_start(10))
    assert row.known_at == row.due_at == bar_start(12)


def test_extremes_span_the_bars_after_entry_to_the_exit(trade):
    row = trade((96, 115, 95, 101), (101, 108, 97, 99), (99, 103, 93, 94), (94, 99, 88, 89),
                (89, 140, 60, 100))  # fmt: skip
    assert row.exit_reason == "stop"
    assert (row.mfe, row.mae) == (pytest.approx(0.8), pytest.approx(-1.2))


def test_extremes_are_not_clipped(trade):
    row = trade((96, 101, 95, 99), (97, 99, 96, 98), (85, 86, 84, 85))
    assert row.mfe == pytest.approx(-0.1)
    assert row.mae == pytest.approx(-1.6)


def test_the_window_ends_before_a_bar_that_crosses_its_end(draw, plain_market):
    early = plain_market.model_copy(
        update={"ranges": (plain_market.ranges[0].model_copy(update={"window_end": "00:58"}),)}
    )
    bars = draw(*[QUIET] * 8, (96, 130, 95, 120))
    assert opening_ranges(bars, early).iloc[0].side == "NONE"


def test_k_sets_the_target(trade):
    assert trade((96, 101, 95, 100), (100, 131, 99, 130), k=3.0).r_gross == 3


def test_missing_bars_are_stepped_over(trade):
    row = trade(None, (96, 101, 95, 100), None, (86, 87, 85, 86))
    assert (row.break_at, row.exit_at, row.exit) == (bar_start(4), bar_start(6), 86)


@pytest.mark.parametrize(
    ("opening", "valid"),
    [
        (((95, 100, 92, 94), (94, 97, 90, 93), None), False),
        ((None, (94, 97, 90, 93), (93, 98, 92, 96)), False),
        (((95, 95, 95, 95),) * 3, False),
        (((95, 96, 95, 95),) * 3, True),
    ],
)
def test_a_valid_range_has_its_first_bar_enough_bars_and_height(draw, plain_market, opening, valid):
    row = opening_ranges(draw((96, 130, 95, 120), opening=opening), plain_market).iloc[0]
    assert row.valid == valid
    assert pd.isna(row.side) != valid


def test_four_of_five_bars_are_enough(draw, plain_market):
    five = [(95, 100, 92, 94), None, (94, 97, 90, 93), (93, 98, 92, 96), (96, 97, 95, 95)]
    row = opening_ranges(draw(opening=five), plain_market, ORB(minutes=25)).iloc[0]
    assert (row.bars, row.valid, row.close) == (4, True, 95)


def test_cost_has_points_and_basis_points():
    assert cost_in_r(Cost(points=0.3, bp=2), 1000.0, 5.0) == pytest.approx((0.3 + 0.2) / 5)


def test_outcomes_of_a_side_taken(trade, draw, plain_market):
    def taken(*rows, side, **orb):
        table = opening_ranges(draw(*rows), plain_market, ORB(**orb))
        return break_outcomes(table, side)[0]

    won = (96, 101, 95, 100), (100, 121, 99, 120)
    assert taken(*won, side=1) == pytest.approx(1.9)
    assert taken(*won, side=-1) == 0
    assert taken(QUIET, side=1) == 0
    both = (96, 101, 89, 95)
    assert taken(both, side=1) == taken(both, side=-1) == pytest.approx(-1.1)
    last = [*[QUIET] * 8, (96, 105, 95, 104)]
    assert taken(*last, side=1, mode="close") == 0


def test_outcomes_of_pending_and_invalid_ranges_are_missing(draw, plain_market):
    bars = draw((96, 101, 95, 100), (100, 121, 99, 120)).take(slice(0, 8))
    table = opening_ranges(bars, plain_market)
    assert table.status.tolist() == ["pending"]
    assert np.isnan(break_outcomes(table, 1)).all()
    flat = opening_ranges(draw(opening=((95, 95, 95, 95),) * 3), plain_market)
    assert np.isnan(break_outcomes(flat, 1)).all()


def test_offers_and_the_mechanical_baseline():
    offer = offers([100.0, 100.0], [90.0, 90.0], [1, -1], ORB(k=3, stop_fraction=0.5))
    assert offer.entry.tolist() == [100, 90]
    assert offer.stop.tolist() == [95, 95]
    assert offer.target.tolist() == [115, 75]
    given = mechanical_up([96, 100, 90, 90], [100, 100, 100, 90], [90, 90, 90, 90])
    assert given[:3].tolist() == [0.6, 0.99, 0.01]
    assert np.isnan(given[3])


def test_levels_that_are_missing_never_break(draw):
    bars = draw((96, 130, 60, 96))
    found = find_breaks(
        bars, entry_from=np.array([3]), window_end=np.array([12]),
        high=np.array([np.nan]), low=np.array([np.nan]),
    )  # fmt: skip
    assert (found.side[0], found.index[0]) == (0, -1)


def test_barrier_trades_enter_next_and_leave_on_closes(draw):
    bars = draw((97, 120, 80, 99), (99, 99, 99, 101.5), (101, 101, 101, 103), (103, 103, 103, 91))
    distance = np.full(len(bars), np.nan)
    distance[2] = 5.0
    last = np.full(len(bars), -1)
    last[2] = 5
    buy = barrier_trades(bars, side=1, last=last, distance=distance, cost=Cost(points=1))
    assert (buy.entry[2], buy.exit_index[2], buy.exit[2]) == (97, 5, 103)
    assert buy.r_gross[2] == pytest.approx(1.2)
    assert buy.r_net[2] == pytest.approx(1.0)
    sell = barrier_trades(bars, side=-1, last=last, distance=distance, cost=Cost(points=1))
    assert sell.r_gross[2] == pytest.approx(-1.2)
    last[2] = 4
    short = barrier_trades(bars, side=1, last=last, distance=distance, cost=Cost(points=1))
    assert (short.exit_index[2], short.r_gross[2]) == (4, pytest.approx(0.9))
    assert np.isnan(np.delete(short.r_gross, 2)).all()
