"""A fitted fold: one folder that answers as before."""

import numpy as np
import pytest

from mlcore.errors import RegistryError
from mlcore.models import Calibrator, Fitted, make_model

TWO = ("LOSS", "WIN")


def made(threshold=0.55, residual=None):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    side = rng.choice([-1.0, 1.0], 300)
    y = (X[:, 0] + rng.normal(size=300) > 0).astype(float)
    model = make_model("lightgbm", task="classification", classes=TWO).fit(X, y)
    base = make_model("side_rate", task="classification", classes=TWO).fit(side[:, None], y)
    calibrator = Calibrator.fit(model.predict_proba(X), y)
    fitted = Fitted(
        model, calibrator, 1_234, {"side_rate": base}, threshold, residual, (200, 50, 50)
    )
    return fitted, X, {"side": side}


@pytest.mark.parametrize("threshold", [0.55, None, np.inf])
def test_a_folder_answers_as_before(tmp_path, threshold):
    fitted, X, frame = made(threshold, residual=(-1.0, 2.0))
    fitted.save(tmp_path / "v")
    again = Fitted.load(tmp_path / "v")
    for mine, theirs in zip(fitted.answer(X, frame), again.answer(X, frame), strict=True):
        np.testing.assert_array_equal(mine, theirs)
    stated = again.stated(X, frame)
    np.testing.assert_array_equal(stated["side_rate"], fitted.stated(X, frame)["side_rate"])
    assert (again.threshold, again.residual, again.cut) == (threshold, (-1.0, 2.0), 1_234)
    assert again.rows == (200, 50, 50)


def test_the_calibration_stands_between_raw_and_answer():
    fitted, X, frame = made()
    raw, said = fitted.answer(X, frame)
    np.testing.assert_array_equal(said, fitted.calibrator.apply(raw))
    assert not np.array_equal(raw, said)


def test_same_content_same_bytes(tmp_path):
    for place in ("a", "b"):
        made()[0].save(tmp_path / place)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 4
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.parametrize("damage", ["missing", "not json", "a key gone"])
def test_a_damaged_folder_is_named(tmp_path, damage):
    made()[0].save(tmp_path / "v")
    file = tmp_path / "v" / "fitted.json"
    if damage == "missing":
        file.unlink()
    else:
        file.write_text("{" if damage == "not json" else "{}")
    with pytest.raises(RegistryError, match=r"readable fitted\.json") as error:
        Fitted.load(tmp_path / "v")
    assert error.value.code == "E_MODEL_FILE"
