"""Every command on a small trained home: answers, JSON shapes, exit codes, refusals in words."""

import json

import pandas as pd
import pytest

from mlcore.__main__ import main
from tests.homes import DIRECTION, QUALITY, SYMBOL

pytestmark = pytest.mark.slow


@pytest.fixture
def run(trained, capsys):
    """Run a command on the home; its exit code and parsed answer."""

    def call(*words, code=0, plain=False):
        words = ["--home", str(trained), *words] + ([] if plain else ["--json"])
        done = main([str(w) for w in words])
        said = capsys.readouterr()
        assert done == code, said.out + said.err
        return said.out + said.err if plain else json.loads(said.out)

    return call


def test_symbols_and_bars_carry_their_number_of_rows(run, tmp_path):
    assert run("symbols")["rows"][0]["symbol"] == SYMBOL
    told = run("bars", SYMBOL, "5m", "--out", tmp_path / "b.parquet")
    assert told["rows"] == len(pd.read_parquet(tmp_path / "b.parquet")) > 30_000
    part = run("bars", SYMBOL, "5m", "--start", "2026-10-01T00:00Z", "--end", "2026-10-02T00:00Z")
    assert part["rows"] == 288
    assert "SIM-EDGE" in run("symbols", plain=True)


def test_sessions_features_and_dataset_write_parquet(run, tmp_path):
    out = tmp_path / "x.parquet"
    told = run("sessions", SYMBOL, "5m", "--out", out)
    frame = pd.read_parquet(out)
    assert told["rows"] == len(frame)
    assert list(frame.columns)[:8] == [
        "symbol", "range", "date", "open_at", "available_at", "due_at", "high", "low",
    ]  # fmt: skip
    assert set(frame["side"].dropna()) <= {"UP", "DOWN", "NONE", "AMBIGUOUS"}
    run("features", SYMBOL, "5m", "--set", "core40", "--out", out)
    assert list(pd.read_parquet(out).columns)[:2] == ["time", "available_at"]
    run("dataset", "orb_quality", "--symbols", SYMBOL, "--timeframe", "5m", "--out", out)
    table = pd.read_parquet(out)
    assert {"decision_at", "due_at", "known_at", "y"} <= set(table.columns)
    assert (table["decision_at"] < table["due_at"]).all()


def test_a_model_can_be_listed_shown_promoted_compared_rolled_back(run):
    versions = run("models", DIRECTION)["rows"]
    assert [v["role"] for v in versions] == ["champion"]
    first = versions[0]["version"]
    card = run("show", DIRECTION)
    assert card["verdict"]["words"]
    assert card["scores"]["accuracy"]["n"] >= 30
    assert card["scores"]["accuracy"]["baseline"] in card["scores"]["accuracy"]["baselines"]
    made = run(
        "train", "orb_direction", "--symbols", SYMBOL, "--timeframe", "5m", "--model", "logistic",
        "--walk-forward", "40d,10d,10d",
    )  # fmt: skip
    assert made["version"] > first
    assert run("models", DIRECTION)["rows"][0]["version"] in {first, made["version"]}
    told = run("compare", DIRECTION, first, made["version"])
    assert told["changed"]["model"] == ["lightgbm", "logistic"]
    assert (
        run("promote", DIRECTION, made["version"], "--reason", "try")["champion"] == made["version"]
    )
    assert run("roll-back", DIRECTION)["champion"] == first
    run("archive", DIRECTION, made["version"])
    assert len(run("models", DIRECTION)["rows"]) == 1
    told = run("archive", DIRECTION, "--keep-best", "1", "--reason", "tidy")
    assert told == {"slot": str(DIRECTION), "archived": [], "kept": 1, "reason": "tidy"}


def test_predict_logs_before_it_answers(run):
    said = run("predict", SYMBOL, "5m")
    assert {c["slot"] for c in said["calls"]} == {str(DIRECTION), str(QUALITY)}
    for call in said["calls"]:
        assert call["logged_at"]
        assert sum(call["probabilities"].values()) == pytest.approx(1)
    assert run("shadow", "report", "--slot", DIRECTION, "--mode", call["mode"])["logged"] >= 1
    told = run("explain", SYMBOL, "5m")
    name = "mechanical"
    gap = 100 * (told["probabilities"][told["answer"]] - told["baselines"][name][told["answer"]])
    assert sum(r["points"] for r in told["reasons"]) == pytest.approx(gap, abs=1e-6)


def test_shadow_commands(run):
    told = run("shadow", "replay", "--days", "30", "--slot", DIRECTION)
    assert told["recorded"] > 50
    report = run("shadow", "report", "--slot", DIRECTION, "--mode", "replay")
    assert report["n"] > 50
    assert report["verdict"]["words"]
    assert report["counts"]["replay"]["logged"] == report["logged"]
    assert {mode: told["logged"] for mode, told in report["counts"].items()}["live"] == 0
    assert run("shadow", "settle")["settled"] == 0
    assert run("shadow", "tick")["problems"] == []


def test_prove_passes_and_says_how_hard_it_looked(run):
    report = run("prove", SYMBOL, "5m")
    assert report["passed"]
    assert report["decisions"] >= 120
    assert report["edges"] >= 10
    assert report["chance_of_missing_5pct"] < 0.003


def test_verify_and_health_and_export(run, tmp_path, trained):
    assert run("verify")["passed"]
    assert run("health")["symbols"][0]["symbol"] == SYMBOL
    run("shadow", "replay", "--days", "10", "--slot", DIRECTION)
    told = run("export", tmp_path / "out")
    assert told["rows"] == len(pd.read_parquet(told["out"])) > 10
    lake = next((trained / "data").rglob("*.parquet"))
    content = bytearray(lake.read_bytes())
    content[len(content) // 2] ^= 1
    lake.chmod(0o644)
    lake.write_bytes(bytes(content))
    assert run("verify", code=1)["problems"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("predict", "NOPE", "5m"), 2, "NOPE"),
        (("predict", SYMBOL, "7m"), 2, "A timeframe is one of"),
        (("train", "nonsense", "--symbols", SYMBOL, "--timeframe", "5m"), 2, "nonsense"),
        (("show", str(DIRECTION), "20200101T000000Z-abcde"), 2, "20200101T000000Z-abcde"),
        (("archive", DIRECTION), 2, "neither was given – write VERSION or --keep-best N"),
        (("archive", DIRECTION, "x", "--keep-best", "2"), 2, "both was given"),
        (("archive", DIRECTION, "--keep-best", "0"), 2, "At least one version is kept"),
        (("predict", "../x", "5m"), 1, "A symbol consists of"),
        (("bars", SYMBOL, "5m", "--start", "2026-01-01"), 2, "A time must carry its zone"),
    ],
)
def test_refusals_say_the_rule_in_json_and_in_words(run, words, code, said):
    told = run(*words, code=code)["error"]
    assert told["code"].startswith("E_")
    assert said in told["message"]
    assert " – " in told["message"]
    assert said in run(*words, code=code, plain=True)


def test_too_few_days_are_told_before_training(run):
    told = run(
        "train", "orb_r", "--symbols", SYMBOL, "--timeframe", "5m", "--days", "15", code=1
    )  # fmt: skip
    assert "days" in told["error"]["message"]
    assert told["error"]["code"] == "E_TRAIN_TOO_FEW"
