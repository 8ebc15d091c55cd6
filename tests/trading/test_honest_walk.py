"""What opening ranges show on a driftless walk and on a year of real gold.

The walk's highs and lows are those of the continuous path between its steps (the maximum of a
Brownian bridge), so that fills at a level neither gain nor lose by the step's size.
"""

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import DAY, HOUR, MINUTE, instants
from mlcore.config import ORB, Cost
from mlcore.schema import Bars
from mlcore.trading.ranges import mechanical_up, opening_ranges

DAYS, BARS, STEPS = 20_000, 63, 6


def bridge_extreme(rng, first, last, sign):
    """The highest (sign 1) or lowest (−1) point of unit-variance bridges between two ends."""
    spread = np.sqrt((last - first) ** 2 - 2 * np.log(rng.random(first.shape)))
    return (first + last + sign * spread) / 2


@pytest.fixture(scope="module")
def walk():
    """20,000 days of 63 five-minute bars, each day a driftless walk from 10,000."""
    rng = np.random.default_rng(20260105)
    path = rng.standard_normal((DAYS, BARS * STEPS)).cumsum(axis=1)
    path = 10_000 + np.concatenate([np.zeros((DAYS, 1)), path], axis=1)
    first, last = path[:, :-1], path[:, 1:]
    high = bridge_extreme(rng, first, last, 1).reshape(DAYS, BARS, STEPS).max(axis=2).ravel()
    low = bridge_extreme(rng, first, last, -1).reshape(DAYS, BARS, STEPS).min(axis=2).ravel()
    opened, closed = path[:, :-1:STEPS].ravel(), path[:, STEPS::STEPS].ravel()
    day = DAY * np.arange(DAYS, dtype=np.int64)[:, None]
    time = (day + 5 * MINUTE * np.arange(BARS)).ravel()
    volume = np.full(len(time), np.nan)
    return Bars("WALK", "5m", time, opened, high, low, closed, volume, time + 5 * MINUTE).checked()


@pytest.fixture(scope="module")
def walk_market(plain_market):
    one = plain_market.ranges[0].model_copy(update={"window_end": "05:15"})
    return plain_market.model_copy(update={"ranges": (one,), "cost": Cost(points=0.5)})


@pytest.fixture(scope="module")
def walk_table(walk, walk_market):
    table = opening_ranges(walk, walk_market)
    assert len(table) == DAYS
    assert table.valid.all()
    return table


def standard_error(values):
    return values.std() / np.sqrt(len(values))


@pytest.mark.slow
@pytest.mark.parametrize("orb", [ORB(), ORB(mode="close"), ORB(k=1.0), ORB(mode="close", k=3.0)])
def test_gross_r_is_zero_within_two_standard_errors(walk, walk_market, orb):
    gross = opening_ranges(walk, walk_market, orb)["r_gross"].dropna()
    assert len(gross) > 0.9 * DAYS
    assert abs(gross.mean()) < 2 * standard_error(gross)


@pytest.mark.slow
def test_ambiguous_bars_are_part_of_the_balance(walk_table):
    """Left out, the same trades would seem to earn."""
    decided = walk_table[walk_table.side.isin(["UP", "DOWN"])]
    assert (walk_table.side == "AMBIGUOUS").sum() > 50
    assert decided.r_gross.mean() > walk_table.r_gross.mean()


@pytest.mark.slow
def test_the_mechanical_baseline_is_calibrated_on_the_walk(walk_table):
    decided = walk_table[walk_table.side.isin(["UP", "DOWN"])]
    p = mechanical_up(decided.close, decided.high, decided.low)
    up = (decided.side == "UP").to_numpy(dtype=float)
    for group in np.array_split(np.argsort(p), 10):
        se = np.sqrt(max(up[group].mean() * (1 - up[group].mean()), 0.002) / len(group))
        assert abs(up[group].mean() - p[group].mean()) < 3.5 * se
    right = np.mean((p > 0.5) == (up == 1))
    assert right == pytest.approx(np.maximum(p, 1 - p).mean(), abs=0.01)
    assert right > 0.7


@pytest.mark.slow
def test_early_settlement_is_a_bias(walk_table):
    took = instants(walk_table["known_at"]) - instants(walk_table["available_at"])
    gross = walk_table["r_gross"]
    early = gross[(took <= HOUR / 2) & gross.notna()]
    assert early.mean() < -10 * standard_error(early)
    later = gross[(took <= 2 * HOUR) & gross.notna()]
    assert early.mean() < later.mean() < -2 * standard_error(later)


@pytest.fixture(scope="module")
def gold_table(shared_data, markets):
    raw = pd.read_csv(shared_data / "gold" / "xauusd_5m_mt5.csv", sep="\t")
    text = raw["<DATE>"] + " " + raw["<TIME>"]
    stamp = pd.to_datetime(text, format="%Y.%m.%d %H:%M:%S").dt.tz_localize("Europe/Athens")
    columns = {c: raw[f"<{c.upper()}>"] for c in ("open", "high", "low", "close")}
    frame = pd.DataFrame({"time": stamp, **columns})
    return opening_ranges(Bars.from_frame(frame, "XAUUSD", "5m"), markets["gold"])


def test_a_year_of_gold(gold_table):
    """The count of ranges, and the mechanical baseline: right in 77 of 100, earning about 0."""
    decided = gold_table[gold_table.side.isin(["UP", "DOWN"])]
    assert (len(gold_table), gold_table.valid.sum(), len(decided)) == (1516, 1497, 1478)
    p = mechanical_up(decided.close, decided.high, decided.low)
    right = np.where(p == 0.5, 0.5, (p > 0.5) == (decided.side == "UP"))
    assert right.mean() == pytest.approx(0.770, abs=0.0005)
    assert decided.r_gross.mean() == pytest.approx(0.02, abs=0.005)


def test_gold_settles_badly_when_it_settles_early(gold_table):
    took = instants(gold_table["known_at"]) - instants(gold_table["available_at"])
    traded = gold_table.side.isin(["UP", "DOWN"]).to_numpy()
    gross = gold_table["r_gross"]
    assert gross[traded & (took <= HOUR / 2)].mean() == pytest.approx(-0.30, abs=0.005)
    assert gross[traded & (took <= 2 * HOUR)].mean() == pytest.approx(-0.14, abs=0.005)
