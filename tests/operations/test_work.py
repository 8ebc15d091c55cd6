"""Jobs in children: progress, cancel, failure, and the watch that pulls, ticks and settles."""

import time

import pandas as pd
import pytest

from mlcore.errors import JobError
from mlcore.jobs import Lease
from mlcore.operations.retraining import run_retraining, run_training
from mlcore.operations.watch import beat, pull, watch_once
from mlcore.operations.work import run_job, start_job
from tests.homes import DIRECTION, NOW, QUALITY, SYMBOL, TIMEFRAME, add_bars, home_at

pytestmark = pytest.mark.slow
ASKED = {"target": "orb_direction", "symbol": SYMBOL, "timeframe": TIMEFRAME, "model": "logistic",
         "walk_forward": "40d,10d,10d"}  # fmt: skip


def wait_for(home, job, seconds=150):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = home.jobs.get(job)
        if found.is_ended:
            for child in home.jobs._children.values():
                child.wait(30)
            return found
        time.sleep(0.2)
    raise AssertionError(f"{job} did not end")


def test_a_training_child_tells_its_folds_and_leaves_a_version(trained):
    home = home_at(trained)
    job = start_job(home, "train", ASKED)
    done = wait_for(home, job)
    assert done.state == "done", done.error
    events = home.jobs.events(job)
    folds = [e["payload"] for e in events if e["kind"] == "fold"]
    assert [f["index"] for f in folds] == list(range(folds[0]["total"]))
    assert {"n", "difference", "low", "high", "baseline"} <= set(folds[-1])
    assert home.registry.champion(DIRECTION) != done.result["version"]
    assert done.result["version"] in set(home.registry.versions(DIRECTION)["version"])
    assert home.db.one("SELECT state FROM runs WHERE job_id = ?", (job,))["state"] == "done"


def test_a_cancelled_run_leaves_nothing_and_the_champion_serves(trained):
    home = home_at(trained)
    before = home.registry.versions(DIRECTION)
    job = home.jobs.submit("train", ASKED)
    home.jobs.start(job, trained)
    time.sleep(1.0)
    home.jobs.cancel(job)
    assert wait_for(home, job).state in ("cancelled", "done")
    if home.jobs.get(job).state == "cancelled":
        assert len(home.registry.versions(DIRECTION)) == len(before)
    assert home.registry.champion(DIRECTION) == before["version"].iloc[0]


def test_a_failing_run_is_written_down_with_its_reason(trained):
    home = home_at(trained)
    job = home.jobs.submit("train", {**ASKED, "days": 12})
    run_job(job, trained)
    done = home.jobs.get(job)
    assert done.state == "failed"
    assert done.error["code"] == "E_TRAIN_TOO_FEW"
    row = home.db.one("SELECT state, error FROM runs WHERE job_id = ?", (job,))
    assert row["state"] == "failed"
    assert "E_TRAIN_TOO_FEW" in row["error"]


def test_two_runs_of_one_slot_one_is_told_who_holds_it(trained):
    home = home_at(trained)
    with (
        Lease(home.db, home.clock, f"train-{DIRECTION}", "training run of Ada"),
        pytest.raises(JobError, match="training run of Ada holds it"),
    ):
        run_training(home, ASKED)


def test_retraining_makes_a_challenger_with_a_difference_and_promotes_nothing(trained):
    home = home_at(trained)
    champion = home.registry.champion(DIRECTION)
    made = run_retraining(home, str(DIRECTION))
    assert made["champion"] == champion == home.registry.champion(DIRECTION)
    assert made["difference"]["versions"] == [champion, made["version"]]
    assert len(home.ledger.rows(DIRECTION)) > 0
    assert home.ledger.trials(DIRECTION).n == 1


def test_the_watch_pulls_ticks_and_settles(trained):
    later = NOW + pd.Timedelta(hours=6)
    home = home_at(trained, later)
    assert pull(home) == 72
    assert pull(home) == 0
    said = watch_once(home)
    assert said["tick"]["recorded"] >= 3
    assert said["settle"]["waiting"] == 0
    fresh = home.store.read(SYMBOL, TIMEFRAME)
    other = home_at(trained.parent / "other", later)
    again = add_bars(other, later)
    assert (fresh.close[-500:] == again.close[-500:]).all()


def test_the_watch_ends_when_nobody_looks(trained, monkeypatch):
    import mlcore.operations.watch as watching

    monkeypatch.setattr(watching, "PATIENCE", 0)
    home = home_at(trained)
    beat(home)
    assert watching.watch(home, lambda: False) == {"rounds": 0}


def test_a_certificate_that_new_code_voids_is_renewed(trained, monkeypatch):
    import mlcore.live.versions as versions
    import mlcore.operations.retraining as retraining
    import mlcore.training.run as run

    home = home_at(trained)
    assert retraining.void_champions(home) == []
    for module in (versions, run, retraining):
        monkeypatch.setattr(module, "code_hash", lambda: "other code")
    home = home_at(trained)
    assert set(retraining.void_champions(home)) == {str(DIRECTION), str(QUALITY)}
    champion = home.registry.champion(DIRECTION)
    draft = home.engine.open_drafts(DIRECTION, home.now(), version=champion)[0]
    assert draft.certificate_id is None
    monkeypatch.setattr(retraining, "prove", lambda *_: home.registry.certify(
        DIRECTION, set_id=run.set_id_of(retraining._spec(home, _spec_of(home))),
        code_hash="other code", passed=False, report={},
    ))  # fmt: skip
    monkeypatch.setattr(retraining, "void_champions", lambda _: [str(DIRECTION)])
    retraining.renew_certificates(home)
    failed = home_at(trained).engine.open_drafts(DIRECTION, home.now(), version=champion)
    assert {d.version for d in failed} == {"rule"}
    assert "fails the leak prover" in failed[0].reasons[0]["text"]


def _spec_of(home):
    from mlcore.models.package import Package

    return Package.read(home.registry.path(DIRECTION)).spec
