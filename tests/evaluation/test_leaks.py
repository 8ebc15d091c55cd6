"""The provers against planted leaks: each whole, and each on 5 % of the rows only."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from mlcore.clock import DAY, HOUR, MINUTE
from mlcore.errors import LeakFound, TooFewBars
from mlcore.evaluation.leaks import Table, certify, code_hash, prove_features, prove_pipeline
from mlcore.schema import Bars

N = 40 * 288
HORIZON = 12


def make_bars(n=N, seed=1):
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 1e-3, n)))
    open_ = np.r_[100.0, close[:-1]]
    high = np.maximum(open_, close) * (1 + rng.exponential(3e-4, n))
    low = np.minimum(open_, close) * (1 - rng.exponential(3e-4, n))
    time = 1_700_006_400_000_000_000 + np.arange(n) * 5 * MINUTE
    return Bars("T", "5m", time, open_, high, low, close, rng.gamma(2, 50, n), time + 5 * MINUTE)


def shift(values, by):
    out = np.full(len(values), np.nan)
    if by > 0:
        out[by:] = values[:-by]
    elif by < 0:
        out[:by] = values[-by:]
    else:
        out[:] = values
    return out


def rolling_mean(values, n):
    total = np.cumsum(np.insert(np.nan_to_num(values), 0, 0.0))
    out = np.full(len(values), np.nan)
    out[n - 1 :] = (total[n:] - total[:-n]) / n
    return out


def honest(bars):
    """Position of the close among the last 48 bars' closes: causal, exact."""
    windows = np.lib.stride_tricks.sliding_window_view(bars.close, 48)
    out = np.full(len(bars), np.nan)
    low, high = windows.min(axis=1), windows.max(axis=1)
    out[47:] = (bars.close[47:] - low) / np.where(high > low, high - low, 1.0)
    return out


def day_of(bars):
    return bars.time // DAY


def outcome(bars):
    return shift(np.sign(shift(bars.close, -HORIZON) - bars.close), 0)


def unshifted_outcome_mean(bars):
    windows = np.full(len(bars), np.nan)
    y = outcome(bars)
    view = np.lib.stride_tricks.sliding_window_view(y, 20)
    windows[19:] = view.mean(axis=1)
    return windows


def back_fill(bars):
    import pandas as pd

    sparse = np.where((bars.time // (5 * MINUTE)) % 36 == 20, bars.close, np.nan)
    return pd.Series(sparse).bfill().to_numpy() / bars.close


def min_max(bars):
    return (bars.close - bars.close.min()) / max(np.ptp(bars.close), 1e-12)


def z_score(bars):
    return (bars.close - bars.close.mean()) / max(bars.close.std(), 1e-12)


def day_level(bars):
    codes = np.unique(day_of(bars), return_inverse=True)[1]
    top = np.full(codes.max() + 1, -np.inf)
    np.maximum.at(top, codes, bars.high)
    return top[codes] / bars.close


def centred(bars):
    return shift(rolling_mean(bars.close, 11), -5) / bars.close


def right_edge(bars):
    import pandas as pd

    part = bars.time // (4 * HOUR)
    return pd.Series(bars.close).groupby(part).transform("last").to_numpy() / bars.close


def off_by_one(bars):
    return shift(bars.close, -1) / bars.close


def text_sorted(bars):
    """The 'previous' session found by sorting names as text: 10:00 comes before 9:00."""
    hour = (bars.time // HOUR) % 24
    label = np.array(
        [f"{d}/{h}" for d, h in zip(day_of(bars).tolist(), hour.tolist(), strict=True)]
    )
    _, codes = np.unique(label, return_inverse=True)
    total = np.bincount(codes, weights=bars.close) / np.bincount(codes)
    return total[np.maximum(codes - 1, 0)] / bars.close


def stale_then_revised(bars):
    """Reads every bar at its nominal end, also those whose revision came much later."""
    return bars.close / np.nan_to_num(shift(bars.close, 1), nan=1.0)


FEATURE_LEAKS = [
    unshifted_outcome_mean, back_fill, min_max, z_score, day_level, centred, right_edge,
    off_by_one, text_sorted,
]  # fmt: skip


def builder(leak=None, share=1.0):
    """Rows every hour from a causal input and, on a share of the rows, a leaking one."""

    def build(bars):
        rows = np.flatnonzero((bars.time + 5 * MINUTE) % HOUR == 0)
        clean = honest(bars)[rows]
        columns = [clean, bars.close[rows] / np.roll(bars.close, 1)[rows]]
        if leak is not None:
            touched = (bars.time[rows] // HOUR * 2654435761 % 1000) < share * 1000
            columns.append(np.where(touched, leak(bars)[rows], clean))
        names = ("position", "return_1", "planted")[: len(columns)]
        at = bars.time[rows] + 5 * MINUTE
        return Table(at, np.array([str(t) for t in at]), names, np.column_stack(columns))

    return build


def prove(build, bars=None, **more):
    return prove_features(build, bars or make_bars(), context=600, ahead=400, seed=3, **more)


def test_an_honest_table_passes():
    proof = prove(builder())
    assert proof.passed
    assert proof.decisions == 120
    assert proof.as_dict()["chance_of_missing_5pct"] == pytest.approx(0.95**120)


@pytest.mark.parametrize("leak", FEATURE_LEAKS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("share", [1.0, 0.05], ids=["all rows", "5 % of rows"])
def test_every_planted_leak_is_found_and_named(leak, share):
    proof = prove(builder(leak, share))
    assert {f.name for f in proof.findings} == {"planted"}
    assert proof.findings[0].rows >= 1
    assert "planted: " in proof.findings[0].sentence()
    assert "likely cause" in proof.findings[0].sentence()


def test_a_stale_then_revised_bar_is_found():
    bars = make_bars()
    late = bars.available_at.copy()
    late[::23] += 3 * DAY
    revised = replace(bars, available_at=late)

    def build(b):
        rows = np.flatnonzero((b.time + 5 * MINUTE) % HOUR == 0)
        at = b.time[rows] + 5 * MINUTE
        X = stale_then_revised(b)[rows][:, None]
        return Table(at, at.astype(str), ("planted",), X)

    rows_at_revised = prove(build, revised)
    assert not rows_at_revised.passed
    assert rows_at_revised.findings[0].name in ("planted", "the row itself")


def test_an_input_that_needs_more_history_than_declared_is_found():
    def build(b):
        rows = np.flatnonzero((b.time + 5 * MINUTE) % HOUR == 0)
        at = b.time[rows] + 5 * MINUTE
        return Table(at, at.astype(str), ("sum",), np.cumsum(b.close)[rows][:, None])

    found = prove(build, short_history=100, tolerance={"sum": 1e-6}).findings
    assert [f.check for f in found] == ["truncate"]


def test_serving_that_differs_from_training_is_found():
    def serve(bars, at):
        table = builder()(bars.known_at(at))
        last = table.decision_at == at
        X = table.X[last] + [[0.0, 1e-3]]
        return Table(table.decision_at[last], table.key[last], table.names, X)

    found = prove(builder(), serve=serve).findings
    assert [(f.name, f.check) for f in found] == [("return_1", "serve")]


def test_the_answer_among_the_inputs_is_found():
    def build(b):
        table = builder()(b)
        rng = np.random.default_rng(0)
        y = (rng.random(len(table.key)) > 0.5).astype(float)
        X = np.column_stack([table.X[:, 0], np.cumsum(y)])
        return Table(table.decision_at, table.key, ("position", "running"), X, y)

    from mlcore.evaluation.leaks.recovery import recover_target

    found = recover_target(build(make_bars()))
    assert [f.name for f in found] == ["running"]
    assert "difference" in found[0].cause


def test_too_few_decisions_are_refused_in_words():
    with pytest.raises(TooFewBars, match="A proof needs at least 30 decisions after warm-up"):
        prove(builder(), make_bars(300))


@dataclass(frozen=True)
class Fold:
    train: np.ndarray
    test: np.ndarray


def fold_data(seed=0, days=60, per_day=10):
    rng = np.random.default_rng(seed)
    n = days * per_day
    day = np.repeat(np.arange(days), per_day)
    decision = day * DAY + np.tile(np.arange(per_day), days) * HOUR
    X = rng.normal(size=(n, 3))
    y = (X[:, 0] + rng.normal(size=n) > 0).astype(float)
    folds = [
        Fold(np.flatnonzero(day < d), np.flatnonzero((day >= d + 1) & (day < d + 11)))
        for d in (30, 40)
    ]
    return X, y, folds, day, decision, decision + 5 * HOUR


def clean_fit(X, y, fold):
    mean, scale = X[fold.train].mean(axis=0), X[fold.train].std(axis=0)
    w = ((X[fold.train] - mean) / scale).T @ (y[fold.train] - y[fold.train].mean())
    return lambda Z: ((Z - mean) / scale) @ w


def scaler_on_all_rows(X, y, fold):
    mean, scale = X.mean(axis=0), X.std(axis=0)
    w = ((X[fold.train] - mean) / scale).T @ (y[fold.train] - y[fold.train].mean())
    return lambda Z: ((Z - mean) / scale) @ w


def target_encoding(X, y, fold):
    high = X[:, 1] > 0
    code = (y[high].mean(), y[~high].mean())
    return lambda Z: np.where(Z[:, 1] > 0, code[0], code[1])


def prove_folds(fit, data, folds=None):
    X, y, own, day, decision, due = data
    return prove_pipeline(fit, X, y, folds or own, day=day, decision_at=decision, due_at=due)


def test_an_honest_pipeline_passes():
    assert prove_folds(clean_fit, fold_data()).passed


@pytest.mark.parametrize("fit", [scaler_on_all_rows, target_encoding], ids=lambda f: f.__name__)
def test_what_learns_outside_the_fold_is_found(fit):
    assert [f.check for f in prove_folds(fit, fold_data()).findings] == ["fit"]


def test_a_fold_cut_inside_a_day_is_found():
    data = fold_data()
    day = data[3]
    cut = 305
    bad = [Fold(np.arange(cut), np.arange(cut, 400))]
    assert day[cut - 1] == day[cut]
    assert "boundary" in {f.check for f in prove_folds(clean_fit, data, bad).findings}


def test_an_outcome_that_reaches_into_the_test_span_is_found():
    X, y, _, day, decision, _ = fold_data()
    late = decision + 3 * DAY
    folds = [Fold(np.flatnonzero(day < 30), np.flatnonzero((day >= 30) & (day < 40)))]
    found = prove_pipeline(
        clean_fit, X, y, folds, day=day, decision_at=decision, due_at=late
    ).findings
    assert [f.check for f in found] == ["purge"]


def test_a_certificate_is_bound_and_refused_with_findings():
    good = prove(builder())
    certificate = certify([good], {"label": "orb_direction"})
    assert certificate.passed
    assert certificate.code == code_hash()
    assert certificate.id == certify([good], {"label": "orb_direction"}).id
    with pytest.raises(LeakFound, match=r"No input may move when only the future moves – planted"):
        certify([good, prove(builder(z_score))], {"label": "orb_direction"})
