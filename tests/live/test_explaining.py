"""Every input's share in a logged call: from logged inputs, by the model that made it."""

from types import SimpleNamespace

import numpy as np
import pytest

from mlcore.clock import HOUR, to_instant
from mlcore.errors import RegistryError, UsageError
from mlcore.live.draft import Prediction
from mlcore.live.explaining import every_reason

T = to_instant("2026-01-05T08:15:00Z")
NAMES = ("rsi_14", "close_position", "or_size_atr", "tiny")
HASH = "f" * 16


def call(**changed):
    values = {
        "slot": "orb_direction-XAUUSD-5m", "version": "20260104T000000Z-abcde",
        "symbol": "XAUUSD", "timeframe": "5m", "item": "london_0800/2026-01-05", "side": 0,
        "horizon": "window", "decision_at": T, "due_at": T + HOUR, "available_cutoff": T,
        "trading_day": 20_458, "feature_set": "opening_range", "feature_hash": HASH,
        "config_hash": "a", "code_hash": "b", "features": (61.0, 0.7, 0.4, float("nan")),
        "answer": "UP", "role": "champion",
        "reasons": ({"text": "x", "points": 5.0}, {"text": "y", "points": -1.5}),
        "id": "p", "sequence": 1, "logged_at": T, "mode": "live", "previous_hash": "", "hash": "",
    }  # fmt: skip
    return Prediction(**{**values, **changed})


class Model:
    """Contributions that name the model and the class asked about."""

    task = "classification"

    def __init__(self, scale):
        self.scale, self.asked = scale, []

    def contributions(self, X, toward=None):
        self.asked.append((X.copy(), toward))
        return self.scale * np.array([[0.4, 0.3, -0.2, 1e-7, 0.1]])


def versions(shipped, folds=(), *, feature_hash=HASH, package=True):
    def get(slot, version, role):
        who = SimpleNamespace(features=NAMES, feature_hash=feature_hash)
        held = SimpleNamespace(
            shipped=SimpleNamespace(model=shipped),
            folds=[SimpleNamespace(model=m) for m in folds],
        )
        why = "" if package else f"{version} could not be loaded: a file is missing"
        return SimpleNamespace(who=who, package=held if package else None, why=why)

    return SimpleNamespace(get=get)


def test_every_input_is_listed_from_what_was_logged_and_adds_up():
    model = Model(1.0)
    rows = every_reason(call(), versions(model))
    X, toward = model.asked[0]
    np.testing.assert_array_equal(X, [[61.0, 0.7, 0.4, np.nan]])
    assert toward == "UP"
    assert [r.get("input") for r in rows] == ["rsi_14", "or_size_atr", "tiny", None]
    assert sum(r["points"] for r in rows) == pytest.approx(3.5)
    assert abs(rows[0]["points"]) > abs(rows[1]["points"]) > abs(rows[2]["points"]) > 0
    assert rows[2]["value"] is None
    assert rows[2]["text"].endswith(": missing")


def test_a_replayed_call_is_explained_by_the_model_of_its_fold():
    shipped, folds = Model(1.0), [Model(1.0), Model(2.0)]
    every_reason(call(replay=True, fold=1, mode="replay"), versions(shipped, folds))
    assert [len(m.asked) for m in (shipped, *folds)] == [0, 0, 1]


def test_the_rule_and_a_lost_version_explain_nothing():
    with pytest.raises(UsageError, match="needs a call by a model – the rule answered") as ruled:
        every_reason(call(role="baseline", version="rule"), versions(Model(1.0)))
    assert ruled.value.code == "E_EXPLAIN_NO_MODEL"
    with pytest.raises(RegistryError, match="could not be loaded: a file is missing") as lost:
        every_reason(call(), versions(Model(1.0), package=False))
    assert lost.value.code == "E_EXPLAIN_NO_VERSION"
    with pytest.raises(RegistryError, match="reads other inputs than were logged"):
        every_reason(call(), versions(Model(1.0), feature_hash="other"))
