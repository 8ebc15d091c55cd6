"""Models: evidence first, every figure with its n, acts only with a reason."""

import json
import shutil
from urllib.parse import unquote

import pytest

from mlcore.hub import Hub
from pages import _cards, _tables
from pages import _models_parts as models_parts
from tests.homes import DIRECTION, QUALITY
from tests.pages.conftest import text_of

SLOT = str(QUALITY)
WORDS = "Inconclusive: about 2,900 more outcomes would tell"


def verdict(kind="unsure", n=213, measure="accuracy", **more):
    return {
        "kind": kind, "words": WORDS, "n": n, "difference": 0.019, "low": -0.031, "high": 0.069,
        "worth": 0.02, "power": 0.14, "more": 2900, "measure": measure, "value": 0.582,
        "baseline": "mechanical", "baseline_value": 0.563, **more,
    }  # fmt: skip


def challenger(home):
    """A second version of a slot: the champion's files under a name of their own."""
    hub = Hub.open(home)
    registry = hub.home.registry
    folder = registry.path(SLOT)
    row = hub.models(SLOT).iloc[0]

    def build(place):
        shutil.copytree(
            folder, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json")
        )
        facts = json.loads((place / "metadata.json").read_bytes())
        (place / "metadata.json").write_text(json.dumps({**facts, "seed": 8}))

    return registry.save(SLOT, build, certificate_id=row["certificate_id"], meta=row["meta"])


# --- cards in words


def test_missing_figures_of_a_verdict_are_nan_and_its_words_are_kept():
    told = _cards.told(verdict("few", 12, difference=None, low=None, high=None, power=None))
    assert (told.kind, told.words, told.n) == ("few", WORDS, 12)
    assert all(x != x for x in (told.difference, told.low, told.high, told.power))


@pytest.mark.parametrize(
    ("measure", "pair", "said"),
    [
        (
            "accuracy",
            (0.582, 0.563),
            "right 58.2 % of the time; the baseline mechanical rule 56.3 %",
        ),
        ("net_r", (-0.017, 0.0), "makes −0.017 R per range after costs; the baseline mechanical"),
        ("skill", (1.301, 1.322), "errs by 1.301 R on average; the baseline mechanical rule by"),
    ],
)
def test_a_headline_says_both_values_n_and_what_could_have_been_seen(measure, pair, said):
    row = verdict(measure=measure, value=pair[0], baseline_value=pair[1])
    text = _cards.headline_sentence(_cards.told(row), row)
    assert said in text
    assert "on the same 213 outcomes." in text
    assert "seen 14 % of the time." in text


def test_below_thirty_outcomes_a_headline_has_no_figure():
    row = verdict("few", 12, value=None, baseline_value=None)
    assert "%" not in _cards.headline_sentence(_cards.told(row), row)


def test_scores_beside_the_headline_are_drawn_but_not_judged():
    row = {"n": 213, "value": 0.24, "baseline": "majority", "baseline_value": 0.25,
           "difference": 0.01, "difference_low": 0.002, "difference_high": 0.018}  # fmt: skip
    bars = _cards.score_bars({"accuracy": row, "brier": row}, skip="accuracy")
    assert len(bars) == 1
    assert "Brier score, lower is better" in bars[0]
    assert "or-k-live" in bars[0]
    assert _cards.JUDGED_ONCE in bars[0]
    assert "[+0.0020, +0.0180]" in bars[0]


def test_a_comparison_is_side_by_side_and_never_subtracted():
    row = {"n": 213, "value": 0.582}
    html = _cards.compare_table(
        {
            "versions": ["20261103T0211Z-9c41e", "20261120T1340Z-1f3ac"],
            "verdicts": [verdict(), verdict(words="<b>Evidence</b>")],
            "scores": {"accuracy": [row, {**row, "value": 0.594}]},
            "changed": {"seed": [7, 8], "code_hash": ["a" * 64, "b" * 64], "cut": [0, None]},
        }
    )
    assert "58.2 % · n 213" in html
    assert "59.4 % · n 213" in html
    assert "&lt;b&gt;Evidence" in html
    assert "aaaaaaaa…" in html
    assert "1970-01-01 00:00" in html
    assert "side by side, not paired" in html


def test_only_what_differs_keeps_name_and_verdict_first():
    import pandas as pd

    table = pd.DataFrame({"model": ["a", "a"], "seed": [7, 7], "inputs": [58, 151]})
    assert _tables.differing(table, ["model"]) == ["model", "inputs"]


def test_versions_of_one_measure_share_a_scale():
    wide, narrow = verdict(low=-0.11, high=0.15), verdict()
    spans = _tables.spans_of([wide, narrow, verdict(measure="net_r")])
    bars = [unquote(_tables.evidence(v, spans)["evidence"]) for v in (wide, narrow)]
    assert spans["accuracy"] >= 0.11
    dots = [bar.split('data-at="')[1].split('"')[0] for bar in bars]
    assert dots[0] == dots[1]
    few = _tables.evidence(verdict("few", 12), spans)
    assert few["difference"] is None
    assert few["verdict"] == ["… too few"]


# --- the page


def test_an_empty_home_offers_to_train_a_first_model(run_page, tmp_path):
    at = run_page("models", tmp_path)
    assert "No models yet" in text_of(at)
    assert [b.label for b in at.button] == ["Train a first model"]


def test_a_version_is_shown_with_verdict_evidence_and_provenance(run_page, trained):
    card = Hub.open(trained).card(SLOT)
    at = run_page(
        "models", trained, slot=SLOT, version=Hub.open(trained).models(SLOT)["version"][0]
    )
    text = text_of(at)
    assert card["verdict"]["words"] in text
    assert "CHAMPION" in text
    assert "SIMULATED" in text
    assert "files verified" in text
    for name in ("Snapshot", "Seed", "Trials on this slot", "Leak certificate", "Code hash"):
        assert name in text
    chance = card["certificate"]["chance_of_missing_5pct"]
    assert f"{100 * chance:.2f} %" in text
    assert "the probability of backtest overfitting needs 10 trials" in text
    assert len(at.dataframe[0].value) == 2
    assert "history" in text.lower()
    assert "test" in text


def test_the_table_says_what_the_card_says(trained):
    hub = Hub.open(trained)
    versions = hub.models()
    cards = [hub.card(*pair) for pair in versions[["slot", "version"]].itertuples(index=False)]
    table = _tables.model_table(versions, cards)
    for row, card in zip(table.to_dict("records"), cards, strict=True):
        assert row["n"] == card["verdict"]["n"]
        assert row["trials"] == card["trials"]["n"]
        assert card["verdict"]["words"] in unquote(row["evidence"])
        assert row["role"] == ["champion"]


def test_promotion_asks_for_a_reason_beside_the_present_champion(run_page, trained, monkeypatch):
    version, served = challenger(trained), Hub.open(trained).home.registry.champion(SLOT)
    replayed = []
    monkeypatch.setattr(Hub, "start_replay", lambda self, *asked: replayed.append(asked) or "gone")
    at = run_page("models", trained, slot=SLOT, version=version)
    at.button(key="promote").click().run()
    assert "unproven" in text_of(at)
    assert "side by side, not paired" in text_of(at)
    at.button(key="do_promote").click().run()
    assert "E_REGISTRY_REASON" in text_of(at)
    assert Hub.open(trained).home.registry.champion(SLOT) == served
    at.text_input(key=f"reason_promote_{SLOT}").input("better tested").run()
    at.button(key="do_promote").click().run()
    assert Hub.open(trained).home.registry.champion(SLOT) == version
    assert Hub.open(trained).history(SLOT)["reason"].iloc[-1] == "better tested"
    assert replayed == [(SLOT, 60)]


def test_a_roll_back_returns_to_the_champion_before(run_page, trained):
    version, served = challenger(trained), Hub.open(trained).home.registry.champion(SLOT)
    Hub.open(trained).promote(SLOT, version, "first")
    at = run_page("models", trained, slot=SLOT, version=version)
    at.button(key="roll_back").click().run()
    at.text_input(key=f"reason_roll_back_{SLOT}").input("worse live").run()
    at.button(key="do_roll_back").click().run()
    assert Hub.open(trained).home.registry.champion(SLOT) == served


def test_an_archived_version_leaves_the_list_until_it_is_asked_for(run_page, trained):
    version = challenger(trained)
    at = run_page("models", trained, slot=SLOT, version=version)
    at.button(key="archive").click().run()
    at.text_input(key=f"reason_archive_{SLOT}").input("a copy").run()
    at.button(key="do_archive").click().run()
    assert len(at.dataframe[0].value) == 2
    at.toggle(key="archived").set_value(True).run()
    assert len(at.dataframe[0].value) == 3


def test_keeping_the_best_archives_the_others_and_never_the_champion(run_page, trained):
    hub = Hub.open(trained)
    first = challenger(trained)
    copied = hub.home.registry.path(SLOT, first)

    def build(place):
        shutil.copytree(
            copied, place, dirs_exist_ok=True, ignore=shutil.ignore_patterns("manifest.json")
        )
        facts = json.loads((place / "metadata.json").read_bytes())
        (place / "metadata.json").write_text(json.dumps({**facts, "seed": 9}))

    row = hub.models(SLOT).iloc[0]
    verdict_of = {**row["meta"]["verdict"], "difference": 9.0}
    best = hub.home.registry.save(
        SLOT,
        build,
        certificate_id=row["certificate_id"],
        meta={**row["meta"], "verdict": verdict_of},
    )
    at = run_page("models", trained, slot=SLOT, version=first)
    at.button(key="keep_best").click().run()
    assert "its champion in any case" in text_of(at)
    at.number_input(key=f"keep_{SLOT}").set_value(1).run()
    at.button(key="do_keep_best").click().run()
    assert "recorded with a reason" in text_of(at)
    at.text_input(key=f"reason_keep_best_{SLOT}").input("tidy").run()
    at.button(key="do_keep_best").click().run()
    roles = hub.models(SLOT, archived=True).set_index("version")["role"].to_dict()
    served = hub.home.registry.champion(SLOT)
    assert roles == {served: "champion", first: "archived", best: "challenger"}


def test_a_damaged_version_is_an_error_and_the_others_stay(run_page, trained):
    hub = Hub.open(trained)
    folder = hub.home.registry.path(str(DIRECTION))
    card = folder / "card.json"
    card.write_bytes(card.read_bytes() + b" ")
    at = run_page("models", trained, slot=str(DIRECTION), version=folder.name)
    text = text_of(at)
    assert 'role="alert"' in text
    assert "E_STORE" in text or "E_REGISTRY" in text
    assert str(trained) not in text
    table = at.dataframe[0].value.set_index("model")
    assert len(table) == 2
    assert table["evidence"].isna().sum() == 1


def test_provenance_names_everything_a_run_can_be_repeated_by(trained):
    card = Hub.open(trained).card(SLOT)
    rows = dict(models_parts.provenance(card))
    assert rows["Seed"] == card["seed"]
    assert rows["Data hash"][:12] == card["fingerprint"][:12]
    assert rows["Rows decided"].startswith(card["dates"]["first_decision"][:10])
