"""The engine and the log around it: live, late, replay; cache; fallback; honest running scores."""

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import HOUR, MINUTE
from mlcore.config import load_settings
from mlcore.live.monitor import report
from mlcore.market.demo import simulate
from mlcore.operations.shadowing import replay, settle, tick
from mlcore.samples.dataset import rows_at
from mlcore.samples.labels import label
from mlcore.schema import Slot
from mlcore.trading.ranges import opening_ranges
from tests.homes import DIRECTION, NOW, QUALITY, SYMBOL, TIMEFRAME, add_bars, home_at

pytestmark = pytest.mark.slow


def test_a_call_logged_right_after_its_decision_is_live(trained):
    home = home_at(trained)
    said = tick(home)
    assert said["problems"] == []
    frame = home.log.frame(slot=str(DIRECTION))
    now = frame[frame["item"] == "utc_0800/2026-10-09"].iloc[0]
    assert now["mode"] == "live"
    assert now["decision_at"] == pd.Timestamp("2026-10-09 08:15", tz="UTC")
    assert now["due_at"] == pd.Timestamp("2026-10-09 13:30", tz="UTC")
    assert abs(sum(now["probabilities"].values()) - 1) < 1e-9
    assert set(now["baselines"]) == {"majority", "persistence", "mechanical"}
    sides = home.log.frame(slot=str(QUALITY)).query("item == 'utc_0800/2026-10-09'")
    assert sorted(sides["side"]) == [-1, 1]
    assert len({*sides["recommendation_id"], now["recommendation_id"]}) == 1


def test_a_second_look_changes_nothing(trained):
    home = home_at(trained)
    tick(home)
    head = home.log.head()
    assert tick(home)["recorded"] == 0
    assert home.log.head() == head
    assert home.log.verify() == []


def test_a_call_made_after_the_break_is_late(trained):
    later = NOW + pd.Timedelta(hours=2)
    home = home_at(trained, later)
    add_bars(home, later)
    tick(home)
    frame = home.log.frame(slot=str(DIRECTION))
    assert set(frame[frame["item"] == "utc_0800/2026-10-09"]["mode"]) == {"late"}


def test_an_open_call_answers_with_what_was_known_at_its_decision(trained):
    first = home_at(trained)
    now = first.engine.open_drafts(DIRECTION, first.now(), version=first.engine.champion(DIRECTION))
    later = NOW + pd.Timedelta(hours=2)
    home = home_at(trained, later)
    add_bars(home, later)
    then = home.engine.open_drafts(DIRECTION, home.now(), version=home.engine.champion(DIRECTION))
    a = next(d for d in now if d.item == "utc_0800/2026-10-09")
    b = next(d for d in then if d.item == "utc_0800/2026-10-09")
    np.testing.assert_allclose(a.features, b.features, rtol=1e-6, atol=1e-9)
    assert a.answer == b.answer
    assert a.confidence == pytest.approx(b.confidence, abs=1e-9)


def test_reasons_lead_from_the_baseline_to_the_call(trained):
    home = home_at(trained)
    version = home.engine.champion(DIRECTION)
    drafts = home.engine.open_drafts(DIRECTION, home.now(), version=version)
    assert drafts
    for draft in drafts:
        told = sum(reason["points"] for reason in draft.reasons)
        baseline = home.engine.versions.get(DIRECTION, version).who.baseline
        gap = 100 * (draft.confidence - draft.baselines[baseline][draft.answer])
        assert told == pytest.approx(gap, abs=1e-6)
        assert "close_position" not in {r.get("input") for r in draft.reasons}


def test_a_settled_call_keeps_its_first_outcome(trained):
    home = home_at(trained)
    tick(home)
    later = home_at(trained, NOW + pd.Timedelta(hours=6))
    assert settle(later)["settled"] == 0
    assert settle(later)["waiting"] >= 1
    add_bars(later, NOW + pd.Timedelta(hours=6))
    assert settle(later)["settled"] >= 3
    frame = later.log.frame(slot=str(DIRECTION)).query("item == 'utc_0800/2026-10-09'")
    bars = later.store.read(SYMBOL, TIMEFRAME)
    table = opening_ranges(bars, later.store.market_of(SYMBOL), later.settings.orb)
    row = table[(table["range"] == "utc_0800") & (table["date"].astype(str) == "2026-10-09")]
    assert frame["outcome"].iloc[0] == row["side"].iloc[0]


def test_replay_never_asks_a_model_that_could_have_known(trained):
    home = home_at(trained)
    said = replay(home, str(DIRECTION), 60)
    frame = home.log.frame(slot=str(DIRECTION), mode="replay")
    package = home.engine.versions.get(DIRECTION, said["version"]).package
    cuts = np.array([fold.cut for fold in package.folds])
    decided = frame["decision_at"].astype("int64").to_numpy()
    assert said["answered"] == len(frame) > 100
    assert (cuts[frame["fold"].to_numpy()] < decided).all()
    newer = np.minimum(frame["fold"].to_numpy() + 1, len(cuts) - 1)
    is_last = frame["fold"].to_numpy() == len(cuts) - 1
    assert (is_last | (cuts[newer] >= decided)).all()
    told = report(home.log, DIRECTION, "replay", home.settings, home.now())
    assert told["n"] > 30
    counts = told["counts"]
    assert list(counts) == ["live", "late", "replay"]
    assert counts["replay"]["logged"] == told["logged"] == len(frame)
    assert counts["replay"]["settled"] == told["settled"]
    assert counts["live"] == dict.fromkeys(counts["live"], 0)
    assert told["verdict"]["baseline"] in {"majority", "persistence", "mechanical"}
    assert report(home.log, DIRECTION, "live", home.settings, home.now())["logged"] == 0


def test_a_model_that_raises_silences_no_other_slot(trained, capsys):
    home = home_at(trained)
    package = home.engine.versions.get(QUALITY, home.engine.champion(QUALITY)).package

    def broken(*args, **more):
        raise ValueError("bad leaf in /srv/openrange/model.txt")

    package.shipped.model.predict_proba = broken
    said = tick(home)
    (problem,) = said["problems"]
    assert (problem["slot"], problem["details"]["type"]) == (str(QUALITY), "ValueError")
    assert "ValueError: bad leaf in model.txt – everything else went on" in problem["message"]
    assert "/srv/openrange/model.txt" in capsys.readouterr().err
    assert said["recorded"] > 0
    assert set(home.log.frame()["slot"]) == {str(DIRECTION)}


def test_a_new_bar_empties_the_cache(trained):
    home = home_at(trained)
    version = home.engine.champion(DIRECTION)
    home.engine.drafts(DIRECTION, home.now(), version=version)
    home.engine.drafts(DIRECTION, home.now(), version=version)
    assert (home.engine.hits, home.engine.misses) == (1, 1)
    add_bars(home, NOW + pd.Timedelta(minutes=10))
    home.engine.drafts(DIRECTION, home.now() + 10 * MINUTE, version=version)
    assert home.engine.misses == 2


def test_without_a_champion_the_rule_answers_and_says_so(trained):
    home = home_at(trained)
    slot = Slot("orb_direction_close", SYMBOL, TIMEFRAME)
    drafts = home.engine.open_drafts(slot, home.now())
    assert {d.role for d in drafts} == {"baseline"}
    assert all("no model is trained" in d.reasons[0]["text"] for d in drafts)
    signal = home.engine.open_drafts(Slot("signal", SYMBOL, TIMEFRAME), home.now())
    assert signal
    assert all(d.abstained for d in signal)


def test_a_version_with_a_changed_byte_is_not_used(trained):
    home = home_at(trained)
    version = home.engine.champion(DIRECTION)
    file = trained / "registry" / str(DIRECTION) / version / "shipped" / "model.json"
    content = bytearray(file.read_bytes())
    content[-20] ^= 1
    file.chmod(0o644)
    file.write_bytes(bytes(content))
    drafts = home.engine.open_drafts(DIRECTION, home.now(), version=version)
    assert {d.version for d in drafts} == {"rule"}
    assert "could not be loaded" in drafts[0].reasons[0]["text"]


def test_the_running_score_is_unbiased_at_every_hour():
    """By due time the mean R of a driftless market stays near 0; by known time it does not."""
    settings = load_settings()
    start, end = pd.Timestamp("2024-05-01", tz="UTC"), pd.Timestamp("2026-11-01", tz="UTC")
    bars = simulate("SIM-WALK", seed=3, start=start.value, end=end.value)
    table = opening_ranges(bars, settings.market("simulated_24_5"), settings.orb)
    table = table[table["r_gross"].notna()]
    opened = table["available_at"]
    r = table["r_gross"].to_numpy()
    due = ((table["due_at"] - opened) / pd.Timedelta(hours=1)).to_numpy()
    known = ((table["known_at"] - opened) / pd.Timedelta(hours=1)).to_numpy()
    early = []
    for hours in range(1, 10):
        by_due = r[due <= hours]
        if len(by_due) > 200:
            error = by_due.std() / np.sqrt(len(by_due))
            assert abs(by_due.mean()) < 3.5 * error
        early.append(r[known <= min(hours, 1)].mean())
    assert np.mean(early) < -0.10
    assert HOUR == 60 * MINUTE


def test_an_instant_before_the_held_window_reads_the_bars_around_it(trained):
    home = home_at(trained)
    at = int(pd.Timestamp("2026-07-20 08:16:10", tz="UTC").value)
    held = home.engine.windows.get(SYMBOL, TIMEFRAME, 100).bars
    assert held.time[0] > at
    [call] = home.engine.answer(DIRECTION, at)
    assert call.item == "utc_0800/2026-07-20"
    assert call.available_cutoff <= at
    assert call.replay
    assert call.fold >= 0
    asked = home.engine.drafts(DIRECTION, at, version=call.version)
    features = home.engine.versions.get(DIRECTION, call.version).who.features
    bars = home.store.read(SYMBOL, TIMEFRAME)
    market = home.store.market_of(SYMBOL)
    whole = rows_at(bars, market, label("orb_direction"), features=features)
    row = whole.frame["item"].tolist().index(call.item)
    np.testing.assert_allclose(asked[-1].features, whole.X[row], rtol=1e-6, atol=1e-6)
    assert home.engine.answer(DIRECTION, int(bars.time[0]) - HOUR) == []


def test_a_recommendation_shares_rows_and_says_what_each_slot_says(trained):
    home = home_at(trained)
    said = home.engine.recommend(SYMBOL, TIMEFRAME)
    alone = [d for slot in (DIRECTION, QUALITY) for d in home_at(trained).engine.answer(slot)]
    assert list(said.calls) == alone
    home.engine.forget()
    assert home.engine.batch([(SYMBOL, TIMEFRAME)] * 2) == [said, said]
