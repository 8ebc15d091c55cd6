"""Calibration: monotone, close to the truth with many rows, harmless with few."""

import json

import numpy as np
import pytest

from mlcore.errors import UsageError
from mlcore.models import Calibrator
from mlcore.statistics import expected_calibration_error


def overconfident(n, seed=0, factor=3.0):
    """Two-class probabilities whose log odds are `factor` times too large."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(size=n)
    y = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(float)
    said = 1 / (1 + np.exp(-factor * odds))
    return np.column_stack([1 - said, said]), y


def test_a_sigmoid_undoes_overconfidence():
    p, y = overconfident(5_000)
    made = Calibrator.fit(p, y)
    assert made.method == "sigmoid"
    assert made.slope == pytest.approx(1 / 3, abs=0.04)
    fresh, truth = overconfident(5_000, seed=1)
    before = expected_calibration_error(truth, fresh[:, 1])
    after = expected_calibration_error(truth, made.apply(fresh)[:, 1])
    assert after < 0.03 < before
    np.testing.assert_allclose(made.apply(fresh).sum(axis=1), 1.0, atol=1e-12)


def test_a_temperature_undoes_overconfidence_of_three_classes():
    rng = np.random.default_rng(0)
    odds = rng.normal(size=(4_000, 3))
    truth = np.exp(odds) / np.exp(odds).sum(axis=1, keepdims=True)
    y = (truth.cumsum(axis=1) < rng.random((4_000, 1))).sum(axis=1).astype(float)
    said = np.exp(2 * odds) / np.exp(2 * odds).sum(axis=1, keepdims=True)
    made = Calibrator.fit(said, y)
    assert made.method == "temperature"
    assert made.slope == pytest.approx(0.5, abs=0.04)
    np.testing.assert_allclose(made.apply(said), truth, atol=0.05)


def test_a_line_undoes_a_shift_and_a_scale():
    rng = np.random.default_rng(0)
    value = rng.normal(size=4_000)
    y = 0.5 * value - 0.2 + rng.normal(size=4_000)
    made = Calibrator.fit(value, y)
    assert made.method == "line"
    assert made.slope == pytest.approx(0.5, abs=0.06)
    assert made.shift == pytest.approx(-0.2, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_few_rows_cannot_overturn_a_model(seed):
    p, y = overconfident(30, seed=seed, factor=1.0)
    made = Calibrator.fit(p, y)
    assert 0.4 < made.slope < 1.8
    assert abs(made.shift) < 0.7


def test_the_order_of_answers_is_never_reversed():
    p, y = overconfident(2_000)
    made = Calibrator.fit(p, 1 - y)
    assert made.slope == 0.0
    np.testing.assert_allclose(made.apply(p)[:, 1], (1 - y).mean(), atol=0.01)
    value = np.linspace(-1, 1, 500)
    down = Calibrator.fit(value, -value)
    assert down.slope == 0.0
    assert np.ptp(down.apply(value)) == 0.0


def test_too_few_rows_or_one_class_leave_answers_alone():
    p, y = overconfident(19)
    assert Calibrator.fit(p, y).method == "identity"
    p, y = overconfident(200)
    alone = Calibrator.fit(p, np.ones(200))
    assert alone.method == "identity"
    np.testing.assert_array_equal(alone.apply(p), p)


@pytest.mark.parametrize("shape", ["sigmoid", "temperature", "line", "identity"])
def test_json_gives_the_same_answers(shape):
    p, y = overconfident(300)
    given = p[:, 1] if shape == "line" else p
    made = Calibrator.fit(given, y, shape)
    assert made.method == shape
    again = Calibrator.from_json(json.loads(json.dumps(made.to_json())))
    np.testing.assert_array_equal(again.apply(given), made.apply(given))


def test_what_does_not_fit_is_refused():
    p, y = overconfident(50)
    with pytest.raises(UsageError, match="are calibrated by"):
        Calibrator.fit(p, y, "line")
    with pytest.raises(UsageError, match="select the same rows for both"):
        Calibrator.fit(p, y[:-1])
    with pytest.raises(UsageError, match="A calibration is one of"):
        Calibrator.from_json({"method": "magic", "slope": 1, "shift": 0, "n": 0})
