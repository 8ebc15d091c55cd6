"""A bar that broke both sides, decided by finer bars where they are whole, and only there."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import HOUR, MINUTE
from mlcore.config import ORB
from mlcore.schema import Bars
from mlcore.trading.opening import break_instants, find_ranges, known_instants
from mlcore.trading.ranges import opening_ranges
from tests.trading.conftest import MIDNIGHT

BOTH = (96, 103, 88, 95)
AT = MIDNIGHT + 15 * MINUTE


def minutes(*rows, start=AT, timeframe="1m", known=None):
    """Finer bars from rows (open, high, low, close)."""
    width = {"1m": MINUTE}[timeframe]
    time = start + width * np.arange(len(rows), dtype=np.int64)
    prices = np.array(rows, dtype=np.float64).reshape(-1, 4).T
    ends = time + width if known is None else known
    return Bars("TEST", timeframe, time, *prices, np.full(len(rows), np.nan), ends)


def asked_by(*finer):
    """A reader of these finer bars that keeps what it was asked for."""
    asked = []

    def inside(starts, width):
        asked.append((starts.tolist(), width))
        return finer

    return inside, asked


def row_of(bars, market, finer, orb=None):
    return opening_ranges(bars, market, orb, finer=finer).iloc[0]


UP_THEN_DOWN = ((96, 99, 95, 98), (98, 103, 97, 101), (101, 102, 96, 97), (97, 97, 88, 92),
                (92, 96, 91, 95))  # fmt: skip
DOWN_THEN_UP = ((96, 99, 95, 96), (96, 97, 88, 92), (92, 99, 91, 98), (98, 103, 97, 100),
                (100, 101, 94, 95))  # fmt: skip


def test_the_side_that_broke_first_among_the_minutes_is_the_break(plain_market, draw):
    bars = draw(BOTH)
    up = row_of(bars, plain_market, asked_by(minutes(*UP_THEN_DOWN))[0])
    assert (up.side, up.entry, up.stop, up.target) == ("UP", 100, 90, 120)
    assert (up.exit_reason, up.exit, up.r_gross) == ("stop", 90, -1)
    assert (up.r_net, up.flagged) == (pytest.approx(-1.1), False)
    assert up.break_at == up.exit_at == pd.Timestamp(AT, tz="UTC")
    assert up.known_at == pd.Timestamp(AT + 5 * MINUTE, tz="UTC")
    # two minutes after the entry's: highest 102, lowest 88
    assert (up.mfe, up.mae) == (pytest.approx(0.2), pytest.approx(-1.2))
    down = row_of(bars, plain_market, asked_by(minutes(*DOWN_THEN_UP))[0])
    assert (down.side, down.entry, down.exit_reason, down.exit) == ("DOWN", 90, "stop", 100)


def test_a_target_inside_the_bar_earns_what_it_earned(plain_market, draw):
    rows = ((96, 101, 95, 100), (100, 106, 99, 105), (105, 105, 96, 97), (97, 97, 88, 92),
            (92, 96, 91, 95))  # fmt: skip
    orb = ORB(k=0.5)
    told = row_of(draw((96, 106, 88, 95)), plain_market, asked_by(minutes(*rows))[0], orb)
    assert (told.side, told.exit_reason, told.r_gross) == ("UP", "target", 0.5)


def test_an_open_beyond_the_level_is_the_entry(plain_market, draw):
    rows = ((102, 103, 101, 102), (102, 102, 88, 92), *UP_THEN_DOWN[2:])
    told = row_of(draw((102, 103, 88, 95)), plain_market, asked_by(minutes(*rows))[0])
    assert (told.side, told.entry, told.exit_reason) == ("UP", 102, "stop")
    assert told.r_gross == -1


AMBIGUOUS_MINUTE = ((96, 99, 95, 98), (98, 103, 88, 95), *UP_THEN_DOWN[2:])
ONE_SIDE_ONLY = ((96, 99, 95, 98), (98, 103, 97, 101), (101, 102, 96, 97), (97, 97, 94, 95),
                 (95, 96, 94, 95))  # fmt: skip


@pytest.mark.parametrize(
    "finer",
    [
        (),
        (minutes(*AMBIGUOUS_MINUTE),),
        (minutes(*UP_THEN_DOWN[:4]),),
        (minutes(*UP_THEN_DOWN).take(np.array([0, 1, 3, 4])),),
        (minutes(*ONE_SIDE_ONLY),),
        (minutes(*UP_THEN_DOWN, start=AT + HOUR),),
    ],
    ids=["none", "both in one minute", "cut short", "a hole", "other prices", "elsewhere"],
)
def test_what_finer_bars_do_not_decide_stays_ambiguous(plain_market, draw, finer):
    told = row_of(draw(BOTH), plain_market, asked_by(*finer)[0])
    plain = row_of(draw(BOTH), plain_market, None)
    assert (told.side, told.r_gross, told.flagged) == ("AMBIGUOUS", -1, True)
    pd.testing.assert_series_equal(told, plain)


def test_the_next_coarser_bars_decide_what_the_finest_leave_open(plain_market, draw):
    halves = ((96, 103, 95, 97), (97, 98, 88, 95))
    time = AT + 150 * 10**9 * np.arange(2, dtype=np.int64)

    class Halves(Bars):
        @property
        def width(self):
            return 150 * 10**9

    prices = np.array(halves, dtype=np.float64).T
    middle = Halves("TEST", "1m", time, *prices, np.full(2, np.nan), time + 150 * 10**9)
    finest = minutes(*UP_THEN_DOWN[:3])
    told = row_of(draw(BOTH), plain_market, asked_by(finest, middle)[0])
    assert (told.side, told.exit_reason) == ("UP", "stop")


def test_only_bars_in_doubt_are_asked_for(plain_market, draw):
    inside, asked = asked_by(minutes(*UP_THEN_DOWN))
    opening_ranges(draw((96, 103, 95, 100)), plain_market, finer=inside)
    assert asked == []
    opening_ranges(draw(BOTH), plain_market, finer=inside)
    assert asked == [([AT], 5 * MINUTE)]
    opening_ranges(draw(BOTH), plain_market, ORB(mode="close"), finer=inside)
    assert len(asked) == 1


def test_a_revised_minute_makes_the_outcome_known_when_it_could_be_read(plain_market, draw):
    bars = draw(BOTH)
    known = AT + MINUTE * np.arange(1, 6, dtype=np.int64)
    known[1] = AT + 3 * HOUR
    late = minutes(*UP_THEN_DOWN, known=known)
    found = find_ranges(bars, plain_market, finer=asked_by(late)[0])
    assert known_instants(bars, found).tolist() == [AT + 3 * HOUR]
    assert break_instants(bars, found).tolist() == [AT + 3 * HOUR]
    early = find_ranges(bars, plain_market, now=MIDNIGHT + HOUR, finer=asked_by(late)[0])
    assert early.trades.side.tolist() == [2]
    on_time = replace(late, available_at=AT + MINUTE * np.arange(1, 6, dtype=np.int64))
    found = find_ranges(bars, plain_market, finer=asked_by(on_time)[0])
    assert known_instants(bars, found).tolist() == [AT + 5 * MINUTE]


def test_random_walks_agree_with_bars_that_were_fine_all_along(plain_market, random_bars):
    """A coarse table helped by its own fine bars calls every side as the fine table does."""
    fine = random_bars(3, days=500, missing=0.0, step=2.5)
    parts = [getattr(fine, c).reshape(-1, 3) for c in ("time", "open", "high", "low", "close")]
    time, opened, high, low, close = parts
    start = time[:, 0]
    coarse = Bars(
        "RAND", "15m", start, opened[:, 0], high.max(axis=1), low.min(axis=1), close[:, -1],
        np.full(len(start), np.nan), start + 15 * MINUTE,
    ).checked()  # fmt: skip
    alone = opening_ranges(coarse, plain_market)
    helped = opening_ranges(coarse, plain_market, finer=lambda starts, width: (fine,))
    truth = opening_ranges(fine, plain_market)
    doubt = (alone.side == "AMBIGUOUS") & (truth.side != "AMBIGUOUS")
    assert doubt.sum() > 10
    for column in ("side", "entry", "stop", "exit", "exit_reason", "r_gross", "r_net", "mfe"):
        pd.testing.assert_series_equal(helped.loc[doubt, column], truth.loc[doubt, column])
    same = ~doubt
    pd.testing.assert_frame_equal(helped[same], alone[same])
