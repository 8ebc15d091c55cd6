"""The card: complete, JSON-ready, honest where there is little or nothing."""

import json
import math
from dataclasses import asdict

import numpy as np
import pytest

from mlcore import metrics
from mlcore.config import Edge
from mlcore.evaluation.card import daily_net_r, model_card, plain
from mlcore.evaluation.crossfit import crossfit
from mlcore.ledger import Trials
from mlcore.models import make_model
from mlcore.samples.splits import WalkForward
from mlcore.statistics import judge
from tests.synthetic import ranges, signals

SPLIT = WalkForward(60, 20, 10, unit="days")
QUICK = {"rounds": 60, "learning_rate": 0.1}


def cross(data, beside=()):
    task, classes = data.label.task, data.label.classes

    def make(seed):
        return make_model("lightgbm", task=task, classes=classes, params=QUICK, seed=seed)

    return crossfit(data, SPLIT, make, seed=1, threads=2, beside=beside)


def card_of(data, found, **options):
    options = {"worth": Edge(), "procedure": SPLIT.describe(), "seed": 3, "draws": 400, **options}
    return model_card(data, found, **options)


@pytest.fixture(scope="module", params=["orb_direction", "orb_quality", "orb_r", "signal"])
def made(request):
    data = signals(days=100) if request.param == "signal" else ranges(request.param, days=200)
    found = cross(data, ("logistic",))
    return data, found, card_of(data, found)


class TestEveryTarget:
    def test_it_is_json_and_complete(self, made):
        card = made[2]
        assert json.loads(json.dumps(card, allow_nan=False)) == card
        keys = {"target", "task", "procedure", "model", "note", "verdict", "n", "dates", "scores",
                "net_r", "folds", "trials", "seed", "bootstrap", "not_computed"}  # fmt: skip
        assert keys <= set(card)

    def test_every_score_has_n_interval_and_best_baseline(self, made):
        for name, row in made[2]["scores"].items():
            assert row["n"] >= 30, name
            assert row["low"] <= row["value"] <= row["high"], name
            best = row["baselines"][row["baseline"]]
            assert row["baseline_value"] == best
            pick = max if row["higher_is_better"] else min
            assert best == pick(v for v in row["baselines"].values() if v is not None)
            assert row["difference_low"] <= row["difference"] <= row["difference_high"], name

    def test_the_scores_are_those_that_apply(self, made):
        data, _, card = made
        wanted = {
            "orb_direction": {"accuracy", "balanced_accuracy", "brier", "log_loss", "auc"},
            "orb_quality": {"accuracy", "balanced_accuracy", "brier", "log_loss", "auc", "net_r"},
            "orb_r": {"mae", "mse", "net_r"},
            "signal": {"accuracy", "balanced_accuracy", "brier", "log_loss", "auc"},
        }
        assert set(card["scores"]) == wanted[data.label.base]
        assert ("calibration" in card) == (data.label.task == "classification")
        assert (card["net_r"] is not None) == data.label.traded

    def test_the_verdict_is_the_judge_s(self, made):
        data, _, card = made
        told = card["verdict"]
        dsr = None if card["net_r"] is None else card["net_r"]["dsr"]
        again = judge(
            told["difference"], told["low"], told["high"], told["n"], told["worth"],
            deflated_sharpe=dsr, traded=data.label.traded, trials=1,
        )  # fmt: skip
        assert plain(asdict(again)).items() <= told.items()
        assert told["measure"] == ("net_r" if data.label.sided else "accuracy")
        assert told["worth"] == (0.05 if data.label.sided else 0.02)

    def test_counts_and_dates_are_those_of_the_rows(self, made):
        data, found, card = made
        y = data.y[found.rows]
        assert card["n"]["scored"] == len(y)
        assert card["n"]["labelled"] == int(np.isfinite(y).sum())
        assert card["n"]["labelled"] + card["n"]["unlabelled"] == card["n"]["scored"]
        assert card["dates"]["first_decision"].endswith("+00:00")
        assert card["dates"]["first_scored"] <= card["dates"]["last_scored"]

    def test_folds_are_listed_without_overlap(self, made):
        _, found, card = made
        assert len(card["folds"]) == len(found.folds)
        assert sum(fold["scored"] for fold in card["folds"]) == len(found.rows)
        for fold in card["folds"]:
            assert fold["train_end"] < fold["test_start"] <= fold["test_end"]
        assert card["folds"][-1]["pooled_n"] == card["verdict"]["n"]

    def test_what_is_not_computed_says_so(self, made):
        assert set(made[2]["not_computed"]) == {"pbo", "paths", "placebo"}
        for entry in made[2]["not_computed"].values():
            assert entry["computed"] is False
            assert len(entry["why"]) > 20

    def test_same_seed_same_card(self, made):
        data, found, card = made
        assert card_of(data, found) == card

    def test_logistic_is_beside_and_not_the_baseline(self, made):
        for name, row in made[2]["scores"].items():
            if name != "net_r":
                assert list(row["beside"]) == ["logistic"]
                assert row["baseline"] != "logistic"


def test_net_r_is_per_range_against_the_better_of_none_and_every_trade():
    data = ranges("orb_r", days=200)
    found = cross(data)
    row = card_of(data, found)["scores"]["net_r"]
    n = len(np.unique(data.rows["range_id"].to_numpy()[found.rows]))
    assert row["n"] == n
    assert row["value"] == pytest.approx(found.taken.net.sum() / n)
    every = found.every.net.sum() / n
    assert row["baselines"] == pytest.approx({"no_trade": 0.0, "every_trade": every})
    assert row["difference"] == pytest.approx(row["value"] - max(0.0, every))


def test_the_traded_block_is_of_the_daily_series():
    data = ranges("orb_quality", days=200)
    found = cross(data)
    block = card_of(data, found)["net_r"]
    day, net = daily_net_r(data, found)
    assert block["daily"] == {"days": day.tolist(), "net": net.tolist()}
    assert len(day) == len(np.unique(data.rows["day"].to_numpy()[found.rows]))
    assert block["sharpe"] == metrics.sharpe(0.01 * net)
    assert block["max_drawdown"] == metrics.max_drawdown(0.01 * net)
    assert (
        daily_net_r(ranges("orb_direction", days=90), cross(ranges("orb_direction", days=90)))
        is None
    )


def test_an_edge_needs_to_survive_its_trials():
    data = ranges("orb_r", days=220, seed=1)
    found = cross(data)
    one = card_of(data, found)
    assert one["verdict"]["kind"] == "edge"
    assert one["verdict"]["words"] == "Evidence of an edge"
    many = Trials(400, 0.5, 500, 0.5, 400, 0)
    card = card_of(data, found, trials=many)
    assert card["net_r"]["dsr"] < 0.95
    assert card["verdict"]["words"] == "Inconclusive: not yet beyond 400 trials"
    assert card["trials"]["n_family"] == 500
    assert card["net_r"]["dsr_family"] <= card["net_r"]["dsr"]


def test_a_driftless_market_has_no_edge():
    data = ranges("orb_r", days=250, planted=False, noise=0.0, seed=3)
    assert card_of(data, cross(data))["verdict"]["kind"] in ("none", "worse", "unsure")


def test_few_outcomes_show_no_percentage():
    data = ranges("orb_quality", days=82, per_day=1)
    card = card_of(data, cross(data))
    assert card["verdict"]["kind"] == "few"
    assert card["verdict"]["words"] == "22 of 30 outcomes: too few for a figure"
    assert card["verdict"]["value"] is None
    for row in card["scores"].values():
        assert row["too_few"]
        assert row["value"] is None
        assert row["baseline_value"] is None
    assert card["calibration"]["ece"] is None
    assert card["net_r"]["profit_factor"] is None


def test_direction_is_judged_against_the_mechanical_baseline():
    data = ranges("orb_direction", days=200)
    card = card_of(data, cross(data))
    assert card["verdict"]["baseline"] == "mechanical"
    assert card["scores"]["accuracy"]["n"] == card["verdict"]["n"]
    assert set(card["recall"]) == {"UP", "DOWN"}
    assert card["hindsight"]["class"] in ("UP", "DOWN")


def test_provenance_is_copied():
    data = ranges("orb_r", days=90)
    card = card_of(data, cross(data), provenance={"slot": "orb_r-SIM-5m", "snapshot": 4})
    assert (card["slot"], card["snapshot"]) == ("orb_r-SIM-5m", 4)


def test_plain_is_json():
    assert plain({"a": np.float64(1), "b": (math.nan, math.inf), 3: np.arange(2)}) == {
        "a": 1.0, "b": [None, None], "3": [0, 1],
    }  # fmt: skip
