"""One exam for every bar feature in the catalogue, by reflection."""

from dataclasses import replace

import numpy as np
import pytest

from mlcore.features import bar_table, catalogue
from mlcore.features.base import BAR_INPUTS
from mlcore.schema import Bars

FEATURES = [f for f in catalogue().values() if f.scope == "bar"]
NAMES = [f.name for f in FEATURES]
COLUMN = {name: j for j, name in enumerate(NAMES)}
CUTS = (700, 1650, 1999, 2400)
VALUES = ("open", "high", "low", "close", "volume")

every_feature = pytest.mark.parametrize("feature", FEATURES, ids=NAMES)


def same(a, b):
    return np.array_equal(a, b, equal_nan=True)


def changed_after(bars: Bars, cut: int, how: str) -> Bars:
    """`bars` with everything after bar `cut` changed, blanked or deleted."""
    if how == "delete":
        return bars.take(slice(0, cut + 1))
    rng = np.random.default_rng(cut)
    later = {}
    for name in VALUES:
        values = getattr(bars, name).copy()
        fresh = 50 + 100 * rng.random(len(values) - cut - 1)
        values[cut + 1 :] = np.nan if how == "blank" else fresh
        later[name] = values
    return replace(bars, **later)


@pytest.fixture(scope="module")
def table(walk):
    return bar_table(NAMES, walk)


@pytest.fixture(scope="module")
def futures(walk):
    return {
        (cut, how): bar_table(NAMES, changed_after(walk, cut, how))
        for cut in CUTS
        for how in ("change", "blank", "delete")
    }


@pytest.fixture(scope="module")
def truncated(walk):
    return {k: bar_table(NAMES, walk.take(slice(k, None))) for k in (1, 137, 800, 1301)}


@every_feature
def test_the_future_moves_nothing(feature, table, futures):
    j = COLUMN[feature.name]
    for (cut, how), other in futures.items():
        assert same(table[: cut + 1, j], other[: cut + 1, j]), f"{how} after bar {cut}"


def test_the_exam_catches_a_leak(walk):
    def centred(close):
        return np.convolve(close, np.ones(5) / 5, mode="same")

    def scaled(close):
        return (close - close.min()) / (close.max() - close.min())

    for leak in (centred, scaled):
        for how in ("change", "delete"):
            other = leak(changed_after(walk, 700, how).close)[:701]
            assert not same(leak(walk.close)[:701], other), (leak.__name__, how)


@every_feature
def test_warm_up_is_enough_and_is_kept(feature, table, truncated):
    j = COLUMN[feature.name]
    assert np.isnan(table[: feature.warmup_bars, j]).all()
    assert np.isfinite(table[feature.warmup_bars :, j]).mean() > 0.99
    for k, other in truncated.items():
        long, short = table[k + feature.warmup_bars :, j], other[feature.warmup_bars :, j]
        assert np.array_equal(np.isnan(long), np.isnan(short))
        assert np.nanmax(np.abs(long - short)) <= feature.tolerance


@every_feature
def test_values_stay_inside_the_declared_bounds(feature, table):
    low, high = feature.bounds
    values = table[:, COLUMN[feature.name]]
    assert np.nanmin(values) >= low
    assert np.nanmax(values) <= high


@every_feature
def test_it_is_documented(feature):
    assert feature.doc.endswith(".")
    assert "{" not in feature.doc + feature.name
    assert all((feature.family, feature.unit, feature.source))
    assert feature.warmup_bars >= 0
    assert feature.tolerance <= 0.05
    assert feature.inputs


def test_features_are_pure(walk, table):
    frozen = replace(walk, **{c: getattr(walk, c).copy() for c in BAR_INPUTS})
    for name in BAR_INPUTS:
        getattr(frozen, name).setflags(write=False)
    assert same(bar_table(NAMES, frozen), table)
    assert same(bar_table(NAMES[::-1], frozen)[:, ::-1], table)
    for name in ("rsi_14", "skew_20", "ema_distance_50"):
        assert same(bar_table([name], frozen)[:, 0], table[:, COLUMN[name]])


def test_values_have_no_scale(walk, table):
    factors = {c: 8.0 if c == "volume" else 4.0 for c in VALUES}
    scaled = replace(walk, **{c: getattr(walk, c) * by for c, by in factors.items()})
    np.testing.assert_allclose(bar_table(NAMES, scaled), table, rtol=1e-9, atol=1e-9)


def test_only_the_asked_bars_are_answered(walk, table):
    at = np.array([2999, 5, -1, 1700])
    got = bar_table(NAMES, walk, at)
    assert np.isnan(got[2]).all()
    assert same(got[[0, 1, 3]], table[[2999, 5, 1700]])


CONSTANT = np.full(1800, 75.5)
HOSTILE = {
    "no bars": np.empty(0),
    "one bar": np.array([10.0]),
    "two bars": np.array([10.0, 11.0]),
    "constant price": CONSTANT,
    "one tick up and down": 75.5 + 0.01 * (np.arange(1800) % 2),
    "a single jump": np.where(np.arange(1800) < 900, 10.0, 1000.0),
    "a gap to a hundredth": np.where(np.arange(1800) < 1000, 5000.0, 50.0),
    "a spike": np.where(np.arange(1800) == 900, 1e9, 100.0),
    "tiny prices": 1e-7 * (1 + 0.001 * np.sin(np.arange(1800))),
    "huge prices": 1e12 * (1 + 0.001 * np.sin(np.arange(1800))),
    "negative prices": 20 * np.sin(np.arange(1800) / 50) - 5,
}


@pytest.mark.parametrize("volume", ["drawn", "zero", "missing"])
@pytest.mark.parametrize("path", HOSTILE)
def test_hostile_bars_give_finite_or_missing(path, volume, bars_of):
    close = HOSTILE[path]
    given = {"drawn": None, "zero": np.zeros(len(close)), "missing": np.full(len(close), np.nan)}
    got = bar_table(NAMES, bars_of(close, volume=given[volume]))
    assert got.shape == (len(close), len(NAMES))
    assert not np.isinf(got).any()
    for j, one in enumerate(FEATURES):
        seen = got[np.isfinite(got[:, j]), j]
        assert ((seen >= one.bounds[0]) & (seen <= one.bounds[1])).all(), one.name


def test_nothing_moves_means_nothing_to_say(bars_of):
    got = bar_table(NAMES, bars_of(CONSTANT, volume=np.full(1800, 5.0)))
    silent = ("rsi_14", "stochastic_k_14", "williams_r_14", "cci_20", "bollinger_b_20", "skew_20",
              "adx_14", "body", "efficiency_10", "volatility_ratio_10", "macd_line")  # fmt: skip
    for name in silent:
        assert np.isnan(got[:, COLUMN[name]]).all(), name


def test_a_missing_volume_blanks_only_its_windows(walk, table):
    volume = walk.volume.copy()
    volume[1500] = np.nan
    got = bar_table(NAMES, replace(walk, volume=volume))
    reads_volume = [f for f in FEATURES if f.family == "volume"]
    assert len(reads_volume) >= 8
    for one in FEATURES:
        j = COLUMN[one.name]
        touched = np.flatnonzero(~((got[:, j] == table[:, j]) | np.isnan(table[:, j])))
        if one in reads_volume:
            assert touched[0] == 1500
            assert touched[-1] <= 1500 + 50
            assert np.isnan(got[touched, j]).all()
        else:
            assert not len(touched)
