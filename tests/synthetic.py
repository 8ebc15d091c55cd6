"""Small synthetic datasets of known truth: what a feature knows, and nothing else does."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mlcore.clock import DAY, HOUR, to_instant
from mlcore.market.demo import simulate
from mlcore.samples.labels import Label, label

__all__ = ["Sample", "calendar", "ranges", "signals", "walk"]

FIRST_DAY = 19_000


@dataclass(frozen=True)
class Sample:
    """What splits, cross-fit and card read of a dataset."""

    X: pd.DataFrame
    y: np.ndarray
    decision_at: np.ndarray
    due_at: np.ndarray
    weight: np.ndarray
    rows: pd.DataFrame
    label: Label

    def shuffled(self, seed):
        """The same rows with their labels and results shuffled."""
        order = np.random.default_rng(seed).permutation(len(self.y))
        return replace(self, y=self.y[order])


def walk(start, end, *, seed):
    """Bars of the simulated walk without an edge, between two instants."""
    return simulate("SIM-WALK", seed=seed, start=to_instant(start), end=to_instant(end))


def calendar(days, per_day, *, hours=1.0, due_hours=0.5):
    """Day numbers, decisions and due dates of `per_day` evenly spaced decisions a day."""
    day = np.repeat(np.arange(FIRST_DAY, FIRST_DAY + days), per_day)
    step = np.tile(np.arange(per_day), days)
    decision = day * DAY + (step * hours * HOUR).astype(np.int64)
    return day, decision, decision + int(due_hours * HOUR)


def _results(rng, n, mean):
    """R of n trades that hit the target (2) or the stop (−1) with a given mean."""
    return np.where(rng.random(n) < (mean + 1) / 3, 2.0, -1.0)


def ranges(base, *, days=120, per_day=3, features=6, planted=True, seed=0, noise=1.0):
    """Opening ranges; with `planted`, trades earn where the feature x0 is above 0."""
    rng = np.random.default_rng(seed)
    question = label(base)
    n = days * per_day
    day, decision, due = calendar(days, per_day, hours=6, due_hours=5)
    X = rng.normal(size=(n, features))
    p_up = rng.random(n)
    broke = np.where(rng.random(n) < p_up, 1.0, -1.0)
    drawn = rng.random(n)
    broke = np.where(drawn < 0.06, 0.0, np.where(drawn < 0.08, 2.0, broke))
    good = (X[:, 0] > 0) & planted
    result = _results(rng, n, np.where(good, 0.9 * noise, -0.5 * noise))
    copies = 2 if question.sided else 1
    row = np.repeat(np.arange(n), copies)
    side = np.tile([1, -1], n) if question.sided else np.zeros(n)
    hit = (broke[row] == side) & (side != 0)
    loss = (broke[row] == 2) & (side != 0)
    gross = np.where(loss, -1.0, np.where(hit, result[row], 0.0))
    net = np.where(hit | loss, gross - 0.02, 0.0)
    codes = {1.0: 0.0, -1.0: 1.0, 0.0: 2.0, 2.0: np.nan}
    if base == "orb_direction":
        y = pd.Series(broke).map(codes).to_numpy(float)
    else:
        won = (net > 0).astype(float) if base == "orb_quality" else net
        y = np.where(hit | loss, won, np.nan)
    frame = pd.DataFrame({
        "day": day[row], "side": side, "broke": broke[row], "r_taken": net, "r_gross": gross,
        "range_id": row, "valid": True, "settled": True, "p_up": p_up[row], "last_y": np.nan,
        "item": [f"range/{i}" for i in row],
    })  # fmt: skip
    table = pd.DataFrame(X[row], columns=[f"x{j}" for j in range(features)])
    table["p_up"] = p_up[row]
    ones = np.ones(len(row))
    return Sample(table, y, decision[row], due[row], ones, frame, question)


def signals(*, days=90, per_day=8, features=4, planted=True, seed=0):
    """Bars; with `planted`, BUY comes where x0 is high and SELL where it is low."""
    rng = np.random.default_rng(seed)
    n = days * per_day
    day, decision, due = calendar(days, per_day, hours=1, due_hours=2.5)
    X = rng.normal(size=(n, features))
    lean = 1.5 * X[:, 0] if planted else np.zeros(n)
    score = lean + rng.normal(size=n)
    y = np.select([score > 0.8, score < -0.8], [0.0, 1.0], 2.0)
    gain = np.select([y == 0, y == 1], [1.0, -1.0], 0.0)
    frame = pd.DataFrame({
        "day": day, "side": 0.0, "valid": True, "settled": True, "range_id": -1,
        "decision_at": decision, "exit_at": due, "r_buy": gain - 0.05, "r_buy_gross": gain,
        "r_sell": -gain - 0.05, "r_sell_gross": -gain,
        "last_y": np.concatenate([[np.nan] * 3, y[:-3]]),
    })  # fmt: skip
    table = pd.DataFrame(X, columns=[f"x{j}" for j in range(features)])
    return Sample(table, y, decision, due, np.ones(n), frame, label("signal"))
