"""One exam for every kind of model, by reflection over the kinds there are."""

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest

from mlcore.errors import RegistryError, TooFewBars, UsageError
from mlcore.models import MODEL_KINDS, Model, load_model, make_model, model_inputs
from mlcore.models.base import _KINDS, BASELINE_KINDS

TWO, THREE = ("LOSS", "WIN"), ("UP", "DOWN", "NONE")
TASKS = {
    "two": ("classification", TWO),
    "three": ("classification", THREE),
    "value": ("regression", ()),
}


def cases():
    for kind, made in _KINDS.items():
        for name, (task, classes) in TASKS.items():
            if task in made.tasks and not (kind == "mechanical" and classes != THREE):
                yield pytest.param(kind, name, id=f"{kind}-{name}")


def columns_of(kind):
    return list(_KINDS[kind].needs) or [f"x{i}" for i in range(5)]


def rows_for(kind, name, n=400, seed=0):
    """Inputs with missing values, and outcomes that the first column knows a little of."""
    rng = np.random.default_rng(seed)
    names = columns_of(kind)
    X = rng.normal(size=(n, len(names)))
    task, classes = TASKS[name]
    lean = X[:, 0] + rng.normal(size=n)
    if kind == "persistence" and task == "classification":
        X[:, 0] = rng.integers(0, len(classes), n)
    if kind == "side_rate":
        X[:, 0] = rng.choice([-1.0, 1.0], n)
    if kind == "mechanical":
        X[:, 0] = rng.random(n)
    X[rng.random(n) < 0.05, -1 if len(names) > 1 else 0] = np.nan
    if task == "regression":
        y = lean
    else:
        y = (np.digitize(lean, [0.0] if len(classes) == 2 else [-0.7, 0.7])).astype(float)
    return pd.DataFrame(X, columns=names), y


def fit_afresh(kind, name):
    task, classes = TASKS[name]
    X, y = rows_for(kind, name)
    model = make_model(kind, task=task, classes=classes, seed=3)
    model.fit(X[:300], y[:300], None, (X[300:], y[300:]))
    return model, X


fitted = cache(fit_afresh)


def answer(model, X):
    return model.predict(X) if model.task == "regression" else model.predict_proba(X)


@pytest.mark.parametrize(("kind", "name"), list(cases()))
class TestEveryKind:
    def test_it_is_a_model(self, kind, name):
        model, _ = fitted(kind, name)
        assert isinstance(model, Model)
        assert model.kind == kind
        assert model.feature_names == tuple(columns_of(kind))

    def test_probabilities_sum_to_one_in_class_order(self, kind, name):
        model, X = fitted(kind, name)
        task, classes = TASKS[name]
        said = answer(model, X)
        assert np.isfinite(said).all()
        if task == "regression":
            assert said.shape == (len(X),)
            return
        assert model.classes_ == classes
        assert said.shape == (len(X), len(classes))
        assert (said >= 0).all()
        np.testing.assert_allclose(said.sum(axis=1), 1.0, atol=1e-12)

    def test_save_and_load_answer_identically(self, kind, name, tmp_path):
        model, X = fitted(kind, name)
        model.save(tmp_path / "m")
        again = load_model(tmp_path / "m")
        assert type(again) is type(model)
        assert again.params == model.params
        np.testing.assert_array_equal(answer(again, X), answer(model, X))
        assert sum(f.stat().st_size for f in (tmp_path / "m").iterdir()) < 1_000_000

    def test_same_seed_same_bytes(self, kind, name, tmp_path):
        for place in ("a", "b"):
            fit_afresh(kind, name)[0].save(tmp_path / place)
        names = sorted(f.name for f in (tmp_path / "a").iterdir())
        assert names == sorted(f.name for f in (tmp_path / "b").iterdir())
        for file in names:
            assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()

    def test_saving_what_was_loaded_gives_the_same_bytes(self, kind, name, tmp_path):
        fitted(kind, name)[0].save(tmp_path / "a")
        load_model(tmp_path / "a").save(tmp_path / "b")
        for file in (tmp_path / "a").iterdir():
            assert (tmp_path / "b" / file.name).read_text() == file.read_text()

    def test_another_number_of_columns_is_refused(self, kind, name):
        model, X = fitted(kind, name)
        wide = np.zeros((3, X.shape[1] + 1))
        with pytest.raises(UsageError, match="columns in its order") as error:
            answer(model, wide)
        assert error.value.code == "E_MODEL_COLUMNS"

    def test_another_order_of_columns_is_refused(self, kind, name):
        model, X = fitted(kind, name)
        other = (
            X[list(X.columns)[::-1]] if X.shape[1] > 1 else X.rename(columns={X.columns[0]: "z"})
        )
        with pytest.raises(UsageError, match="columns in its order"):
            answer(model, other)

    def test_missing_inputs_are_answered_infinite_ones_refused(self, kind, name):
        model, X = fitted(kind, name)
        missing = pd.DataFrame(np.full((2, X.shape[1]), np.nan), columns=X.columns)
        assert np.isfinite(answer(model, missing)).all()
        with pytest.raises(UsageError, match="is infinite"):
            answer(model, missing.fillna(np.inf))

    def test_a_constant_target_is_learnt(self, kind, name):
        task, classes = TASKS[name]
        X, y = rows_for(kind, name)
        constant = np.full(len(y), 1.0)
        model = make_model(kind, task=task, classes=classes).fit(X, constant)
        said = answer(model, X)
        if task == "regression":
            if kind != "persistence":
                np.testing.assert_allclose(said, 1.0, atol=1e-6)
        elif kind not in ("persistence", "mechanical"):
            assert (said.argmax(axis=1) == 1).all()
        assert np.isfinite(said).all()

    def test_weight_zero_equals_absence(self, kind, name):
        task, classes = TASKS[name]
        X, y = rows_for(kind, name)
        weight = (np.arange(len(y)) % 3 > 0).astype(float)
        some = make_model(kind, task=task, classes=classes).fit(X, y, weight)
        kept = weight > 0
        none = make_model(kind, task=task, classes=classes).fit(X[kept], y[kept])
        np.testing.assert_array_equal(answer(some, X), answer(none, X))

    def test_contributions_add_up_to_the_margin(self, kind, name):
        model, X = fitted(kind, name)
        parts = model.contributions(X)
        if kind in BASELINE_KINDS:
            assert parts is None
            return
        assert parts.shape == (len(X), X.shape[1] + 1)
        np.testing.assert_allclose(parts.sum(axis=1), model.margin(X), atol=1e-9)

    def test_outcomes_that_are_missing_or_of_no_class_are_refused(self, kind, name):
        task, classes = TASKS[name]
        X, y = rows_for(kind, name)
        model = make_model(kind, task=task, classes=classes)
        with pytest.raises(UsageError, match="leave unlabelled rows out"):
            model.fit(X, np.where(np.arange(len(y)) == 7, np.nan, y))
        if task == "classification":
            with pytest.raises(UsageError, match="encode them first"):
                model.fit(X, y + 0.5)

    def test_bad_weights_and_no_rows_are_refused(self, kind, name):
        task, classes = TASKS[name]
        X, y = rows_for(kind, name)
        model = make_model(kind, task=task, classes=classes)
        with pytest.raises(UsageError, match="at least 0, one a row"):
            model.fit(X, y, np.full(len(y), -1.0))
        with pytest.raises(TooFewBars, match="at least one labelled row"):
            model.fit(X, y, np.zeros(len(y)))

    def test_it_answers_only_once_fitted_and_only_its_task(self, kind, name):
        task, classes = TASKS[name]
        X, _ = rows_for(kind, name)
        model = make_model(kind, task=task, classes=classes)
        with pytest.raises(UsageError, match="once it is fitted"):
            answer(model, X)
        wrong = model.predict if task == "classification" else model.predict_proba
        with pytest.raises(UsageError, match=f"A {task} answers with"):
            wrong(X)

    def test_an_unknown_parameter_is_refused(self, kind, name):
        task, classes = TASKS[name]
        with pytest.raises(UsageError, match="learning_speed was given") as error:
            make_model(kind, task=task, classes=classes, params={"learning_speed": 1})
        assert error.value.code == "E_MODEL_PARAM"

    def test_one_row_answers_as_many(self, kind, name):
        model, X = fitted(kind, name)
        many = answer(model, X[:20])
        one = np.concatenate([answer(model, X[i : i + 1].to_numpy()) for i in range(20)])
        np.testing.assert_allclose(one, many, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", [k for k in MODEL_KINDS if "classification" in _KINDS[k].tasks])
def test_a_missing_class_keeps_a_small_probability(kind):
    task, classes = TASKS["three"]
    X, y = rows_for(kind, "three")
    kept = y != 2
    model = make_model(kind, task=task, classes=classes).fit(X[kept], y[kept])
    said = answer(model, X[kept])
    assert (said[:, 2] > 0).all()
    if kind != "persistence":
        assert (said[:, 2] < 0.05).all()
    np.testing.assert_allclose(said.sum(axis=1), 1.0, atol=1e-12)


def test_the_kinds_are_the_promised_ones():
    promised = {"lightgbm", "logistic", "majority", "persistence", "mechanical"}
    assert promised <= set(MODEL_KINDS)


def test_an_unknown_kind_is_refused_with_a_hint():
    with pytest.raises(UsageError, match="Did you mean lightgbm"):
        make_model("lightgbn", task="regression")


def test_the_logistic_of_a_regression_is_its_ridge():
    assert make_model("logistic", task="regression").kind == "ridge"
    with pytest.raises(UsageError, match="A ridge model does regression"):
        make_model("ridge", task="classification", classes=TWO)


@pytest.mark.parametrize("kind", ["lightgbm", "logistic"])
@pytest.mark.parametrize("name", ["two", "three", "value"])
def test_a_planted_signal_is_found(kind, name):
    model, _ = fitted(kind, name)
    share = model.importance()
    assert max(share, key=share.get) == "x0"
    assert sum(share.values()) == pytest.approx(1.0)


@pytest.mark.parametrize("kind", ["lightgbm", "logistic"])
def test_random_labels_teach_nothing(kind):
    rng = np.random.default_rng(5)
    X, y = rng.normal(size=(1_500, 10)), rng.integers(0, 2, 1_500).astype(float)
    model = make_model(kind, task="classification", classes=TWO)
    model.fit(X[:900], y[:900], None, (X[900:1_100], y[900:1_100]))
    right = int((model.predict_proba(X[1_100:]).argmax(axis=1) == y[1_100:]).sum())
    assert abs(right - 200) < 3.3 * np.sqrt(400 / 4)


def test_splits_must_gain_more_than_noise_does():
    rng = np.random.default_rng(8)
    X, y = rng.normal(size=(600, 60)), rng.normal(size=600)
    spread = {
        gain: np.ptp(
            make_model("lightgbm", task="regression", params={"noise_gain": gain})
            .fit(X, y)
            .predict(X)
        )
        for gain in (0.0, 8.0, 30.0)
    }
    assert spread[30.0] == 0.0
    assert spread[8.0] < 0.8 * spread[0.0]


def test_class_weights_do_not_move_the_stated_shares():
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(3_000, 4)), (rng.random(3_000) < 0.15).astype(float)
    plain, balanced = (
        make_model("lightgbm", task="classification", classes=TWO, params={"balance": b}).fit(X, y)
        for b in (0.0, 1.0)
    )
    assert plain.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.02)
    assert balanced.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.02)


def test_early_stopping_keeps_the_best_round():
    model, _ = fitted("lightgbm", "two")
    curves = model.curves
    assert curves["kept"] == int(np.argmin(curves["valid"])) + 1
    assert len(curves["train"]) == len(curves["valid"]) <= curves["kept"] + 15


def test_a_class_with_too_few_members_is_dropped_with_a_note():
    X, y = rows_for("lightgbm", "three")
    y[y == 2] = 1.0
    y[:4] = 2.0
    model = make_model("lightgbm", task="classification", classes=THREE).fit(X, y)
    assert model.notes == ["NONE has 4 training rows, too few to learn: its share stands for it"]
    np.testing.assert_allclose(model.predict_proba(X)[:, 2], 4.5 / 401.5)
    assert model.contributions(X, toward="NONE", against="UP") is None
    parts = model.contributions(X, toward="DOWN", against="UP")
    odds = np.log(model.predict_proba(X)[:, 1] / model.predict_proba(X)[:, 0])
    np.testing.assert_allclose(parts.sum(axis=1), odds, atol=1e-9)


def test_contributions_compare_the_classes_that_are_named():
    model, X = fitted("lightgbm", "three")
    said = model.predict_proba(X)
    usual = model.contributions(X).sum(axis=1)
    np.testing.assert_allclose(usual, np.log(said[:, 0] / said[:, 1]), atol=1e-9)
    other = model.contributions(X, toward="NONE", against="DOWN").sum(axis=1)
    np.testing.assert_allclose(other, np.log(said[:, 2] / said[:, 1]), atol=1e-9)
    with pytest.raises(UsageError, match="compares two of the classes"):
        model.contributions(X, toward="SIDEWAYS")


def test_every_library_call_pins_the_thread_count(monkeypatch):
    """The count is the process's: a default next to a fit of another thread has crashed."""
    model, X = fitted("lightgbm", "two")
    seen, real = [], type(model._booster).predict

    def spy(booster, data, **options):
        seen.append(options.get("num_threads"))
        return real(booster, data, **options)

    monkeypatch.setattr(type(model._booster), "predict", spy)
    model.predict_proba(X)
    model.contributions(X)
    assert seen == [1, 1]
    assert model.library_params(2)["num_threads"] == 1


def test_a_stop_sign_ends_a_fit():
    X, y = rows_for("lightgbm", "two")
    model = make_model("lightgbm", task="classification", classes=TWO)
    model.stop = lambda: True
    with pytest.raises(Exception, match="it was stopped") as error:
        model.fit(X, y)
    assert error.value.code == "E_JOB_CANCELLED"


class TestFiles:
    def test_a_missing_or_broken_description_is_named(self, tmp_path):
        with pytest.raises(RegistryError, match=r"readable model\.json"):
            load_model(tmp_path)
        (tmp_path / "model.json").write_text("{")
        with pytest.raises(RegistryError, match=r"readable model\.json"):
            load_model(tmp_path)

    def test_another_format_or_kind_is_refused(self, tmp_path):
        fitted("majority", "two")[0].save(tmp_path)
        found = json.loads((tmp_path / "model.json").read_text())
        (tmp_path / "model.json").write_text(json.dumps({**found, "format": 99}))
        with pytest.raises(RegistryError, match="reads model format 1"):
            load_model(tmp_path)
        (tmp_path / "model.json").write_text(json.dumps({**found, "kind": "oracle"}))
        with pytest.raises(RegistryError, match="This version knows"):
            load_model(tmp_path)
        (tmp_path / "model.json").write_text(json.dumps({**found, "kind": "persistence"}))
        with pytest.raises(RegistryError, match="loaded by the kind that wrote it"):
            _KINDS["majority"].load(tmp_path)

    def test_a_missing_tree_file_is_named(self, tmp_path):
        fitted("lightgbm", "two")[0].save(tmp_path)
        (tmp_path / "model.txt").unlink()
        with pytest.raises(RegistryError, match=r"readable model\.txt"):
            load_model(tmp_path)


class TestBaselines:
    def test_majority_states_the_training_shares(self):
        X, y = np.zeros((10, 1)), np.array([0.0] * 7 + [1.0] * 3)
        model = make_model("majority", task="classification", classes=TWO).fit(X, y)
        np.testing.assert_allclose(model.predict_proba(X[:1]), [[7.5 / 11, 3.5 / 11]])

    def test_persistence_repeats_the_last_known_outcome(self):
        last = np.array([[0.0], [1.0], [2.0], [np.nan]] * 10)
        y = np.array([0.0, 1.0, 2.0, 1.0] * 10)
        model = make_model("persistence", task="classification", classes=THREE).fit(last, y)
        said = model.predict_proba(last[:4])
        assert said[:3].argmax(axis=1).tolist() == [0, 1, 2]
        assert said[0, 0] == pytest.approx(31 / 32)
        assert said[3].argmax() == 1
        wrong = make_model("persistence", task="classification", classes=THREE).fit(last, 2 - y)
        assert wrong.predict_proba(last[:3]).argmax(axis=1).tolist() == [0, 1, 2]

    def test_side_rate_knows_each_side(self):
        side = np.array([[1.0], [-1.0]] * 50)
        y = np.where(side[:, 0] > 0, 0.4, -0.2)
        model = make_model("side_rate", task="regression").fit(side, y)
        np.testing.assert_allclose(model.predict(np.array([[1.0], [-1.0]])), [0.4, -0.2])

    def test_mechanical_is_arithmetic_clipped(self):
        p = np.array([[0.25], [0.0], [1.0], [np.nan]] * 5)
        y = np.array([0.0, 1.0, 2.0, 0.0] * 5)
        model = make_model("mechanical", task="classification", classes=THREE).fit(p, y)
        said = model.predict_proba(p[:4])
        given = said[:, 0] / (said[:, 0] + said[:, 1])
        np.testing.assert_allclose(given, [0.25, 0.01, 0.99, 0.5])
        np.testing.assert_allclose(said[:, 2], 5.5 / 21.5)

    def test_a_frame_without_the_needed_column_is_refused(self):
        model = make_model("persistence", task="classification", classes=TWO)
        with pytest.raises(UsageError, match="last_y is missing"):
            model_inputs(model, np.zeros((2, 3)), {"day": np.zeros(2)})
