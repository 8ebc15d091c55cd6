"""One proof of the same inputs for every target that asks the same rows; answers apart."""

from dataclasses import replace

import numpy as np
import pytest

import mlcore.training.proof as proving
from mlcore.clock import to_instant
from mlcore.config import ORB, load_settings
from mlcore.features import base
from mlcore.market.demo import simulate
from mlcore.samples.labels import label
from mlcore.training.proof import Subject, prove_inputs

NAMES = ("close_position", "volume_ratio_20", "side_distance_atr", "or_volume_to_mean_20")


@pytest.fixture(scope="module")
def subject(tmp_path_factory):
    market = load_settings(tmp_path_factory.mktemp("home")).market("simulated_24_7")
    days = (to_instant("2026-02-09T00:00Z"), to_instant("2026-03-21T00:00Z"))
    bars = simulate("SIM-EDGE", seed=5, start=days[0], end=days[1])
    return Subject(bars, market, label("orb_quality"), NAMES, ORB())


@pytest.fixture
def moved(monkeypatch):
    """How often the future was really moved, from an empty memory."""
    count = []
    real = proving.prove_features

    def counted(*args, **more):
        count.append(more["seed"])
        return real(*args, **more)

    monkeypatch.setattr(proving, "_SHARED", {})
    monkeypatch.setattr(proving, "prove_features", counted)
    return count


def prove(subject, **changed):
    said = []
    proof = prove_inputs(
        replace(subject, **changed), decisions=8, progress=lambda done, of: said.append((done, of))
    )
    assert said[-1] == (proof.decisions, proof.decisions)
    return proof


def test_targets_of_the_same_rows_share_what_was_moved_and_say_so(subject, moved):
    quality = prove(subject)
    value = prove(subject, label=label("orb_r"))
    assert len(moved) == 1
    assert quality.passed
    assert (value.decisions, value.rows, value.names) == (quality.decisions, quality.rows, NAMES)
    assert value.checks == ("change", "blank", "delete", "truncate", "serve", "recovery")
    assert quality.notes[-1].endswith("answers: orb_quality")
    assert value.notes[-1].endswith("answers: orb_r")
    assert value.notes[-1].startswith("inputs moved: of both sides of all rows")
    alone = subject.rows(subject.bars)
    other = replace(subject, label=label("orb_r")).rows(subject.bars)
    np.testing.assert_array_equal(alone.X, other.X)
    assert alone.columns["y"].tolist() != other.columns["y"].tolist()


def test_a_reused_proof_is_the_one_that_would_have_been_made(subject, moved, monkeypatch):
    prove(subject)
    shared = prove(subject, label=label("orb_r"))
    monkeypatch.setattr(proving, "_SHARED", {})
    fresh = prove(subject, label=label("orb_r"))
    assert len(moved) == 2
    assert shared == fresh


@pytest.mark.parametrize(
    "changed",
    [
        {"label": label("orb_direction")},
        {"label": label("orb_r_k3")},
        {"features": NAMES[:3]},
        {"orb": ORB(coverage=0.5)},
    ],
    ids=["rows of no side", "another trade", "other inputs", "other ranges"],
)
def test_other_rows_are_moved_again(subject, moved, changed):
    prove(subject)
    prove(subject, **changed)
    assert len(moved) == 2


def test_other_bars_code_seed_or_market_are_moved_again(subject, moved, monkeypatch):
    prove(subject)
    close = subject.bars.close.copy()
    close[-1] = (subject.bars.high[-1] + subject.bars.low[-1]) / 2
    prove(subject, bars=replace(subject.bars, close=close))
    prove_inputs(subject, decisions=8, seed=1)
    prove(subject, market=subject.market.model_copy(update={"roll": "01:00"}))
    monkeypatch.setattr(proving, "code_hash", lambda: "other code")
    prove(subject)
    assert len(moved) == 5


def test_a_leak_is_found_for_every_target_that_has_it(subject, moved, monkeypatch):
    prove(subject)
    known = dict(base._FEATURES)
    honest = known[NAMES[0]]

    def peeking(*args):
        values = np.asarray(honest.fn(*args), dtype=np.float64)
        return values + np.nan_to_num(np.roll(values, -1))

    monkeypatch.setitem(base._FEATURES, NAMES[0], replace(honest, fn=peeking))
    for name in ("orb_quality", "orb_r"):
        proof = prove(subject, label=label(name))
        assert not proof.passed
        assert NAMES[0] in {finding.name for finding in proof.findings}
    assert len(moved) == 3


def test_an_input_that_carries_one_target_s_answer_is_found_for_that_target(
    subject, moved, monkeypatch
):
    seen = []
    real = proving.recover_target

    def recover(table):
        seen.append(np.unique(table.y[np.isfinite(table.y)]).size)
        return real(table)

    monkeypatch.setattr(proving, "recover_target", recover)
    prove(subject)
    prove(subject, label=label("orb_r"))
    assert len(moved) == 1
    assert seen[0] == 2
    assert seen[1] > 20
