"""The registry: versions that never change, hashes before parsers, acts that are never undone."""

import json
import os
import time

import pytest

from mlcore.clock import fixed_clock, system_clock, to_instant, to_timestamp
from mlcore.errors import (
    CertificateMissing,
    HashMismatch,
    NameRefused,
    RegistryError,
    StoreError,
    UsageError,
)
from mlcore.registry import VERSION_COLUMNS, Registry, folders
from mlcore.schema import Slot, check_version
from mlcore.store.hashing import sha256_file
from mlcore.store.hubdb import HubDB

SLOT = Slot("orb_r", "XAUUSD", "5m")
NOON = to_instant("2026-01-17T02:29:37Z")


class Ticking:
    """A clock that moves on by a second at every look."""

    def __init__(self, at=NOON):
        self.at = at

    def __call__(self):
        self.at += 10**9
        return to_timestamp(self.at)


@pytest.fixture
def registry(tmp_path):
    return Registry(tmp_path / "registry", HubDB(tmp_path / "hub.sqlite"), Ticking())


@pytest.fixture
def certificate(registry):
    return registry.certify(
        SLOT, set_id="opening_range", code_hash="c" * 64, passed=True, report={"rows": 120}
    )


def build(text="tree", card=None):
    def write(folder):
        (folder / "model.txt").write_text(text)
        (folder / "card.json").write_text(json.dumps(card or {"n": 31, "verdict": text}))
        (folder / "folds" / "0").mkdir(parents=True)
        (folder / "folds" / "0" / "model.txt").write_text(f"{text} of fold 0")

    return write


@pytest.fixture
def save(registry, certificate):
    def one(text="tree", **meta):
        return registry.save(SLOT, build(text), certificate_id=certificate, meta=meta)

    return one


# saving ----------------------------------------------------------------------------------------


def test_a_version_is_named_by_its_time_and_content(registry, save, certificate):
    version = save(model_kind="lightgbm", verdict={"words": "no evidence"})
    assert check_version(version)
    assert version.startswith("20260117T0229")
    folder = registry.path(SLOT, version)
    assert folder == registry.root / "orb_r-XAUUSD-5m" / version
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["files"]) == {"model.txt", "card.json", "folds/0/model.txt"}
    assert manifest["files"]["model.txt"] == {
        "size": 4, "sha256": sha256_file(folder / "model.txt"),
    }  # fmt: skip
    assert manifest["certificate_id"] == certificate
    digest = sha256_file(folder / "manifest.json")
    assert version.endswith(digest[:5])
    assert registry.version_hash(SLOT, version) == digest
    assert registry.card(str(SLOT), version) == {"n": 31, "verdict": "tree"}


def test_the_list_says_what_each_version_is(registry, save):
    first, second, third = save("a", model_kind="lightgbm", verdict="no evidence"), save(), save()
    registry.promote(SLOT, second, "better", "ada")
    registry.archive(SLOT, first, "old", "ada")
    frame = registry.versions(SLOT)
    assert tuple(frame.columns) == VERSION_COLUMNS
    assert frame["version"].tolist() == [third, second, first]
    assert frame["role"].tolist() == ["challenger", "champion", "archived"]
    assert frame["archived"].tolist() == [False, False, True]
    assert frame["present"].all()
    assert frame["created_at"].dtype == "datetime64[ns, UTC]"
    assert frame.iloc[2][["model_kind", "verdict"]].tolist() == ["lightgbm", "no evidence"]
    assert frame.iloc[2]["meta"] == {"model_kind": "lightgbm", "verdict": "no evidence"}
    assert registry.versions("orb_r-ES-5m").empty
    assert len(registry.versions()) == 3


def test_the_same_model_saved_in_the_same_second_is_two_versions(registry, certificate):
    still = Registry(registry.root, registry._db, fixed_clock(NOON))
    names = [still.save(SLOT, build(), certificate_id=certificate, meta={}) for _ in range(3)]
    assert len(set(names)) == 3
    assert [len(still.path(SLOT, name).name) for name in names] == [22, 23, 24]
    assert still.verify() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "there is none"),
        ("0123", "0123 does not exist"),
        ("failed", "names a leak"),
        ("other", "belongs to orb_r-ES-5m"),
    ],
)
def test_registration_needs_a_certificate_that_passed(registry, given, said):
    facts = {"set_id": "s", "code_hash": "c", "report": {}}
    ids = {
        "failed": registry.certify(SLOT, passed=False, **facts),
        "other": registry.certify("orb_r-ES-5m", passed=True, **facts),
    }
    with pytest.raises(CertificateMissing, match=f"{said} – run the prover") as caught:
        registry.save(SLOT, build(), certificate_id=ids.get(given, given), meta={})
    assert caught.value.code == "E_REGISTRY_CERTIFICATE"
    assert not registry.root.exists()


def test_a_certificate_keeps_its_report(registry, certificate):
    found = registry.certificate(certificate)
    assert (found["passed"], found["report"]) == (True, {"rows": 120})
    assert registry.certificate("none") is None


def test_a_certificate_holds_for_its_subject_and_its_code_alone(registry, certificate):
    asked = {"set_id": "opening_range", "code_hash": "c" * 64}
    assert registry.valid_certificate(SLOT, **asked) == certificate
    assert registry.valid_certificate("orb_r-ES-5m", **asked) is None
    assert registry.valid_certificate(SLOT, **{**asked, "set_id": "core40"}) is None
    assert registry.valid_certificate(SLOT, **{**asked, "code_hash": "d" * 64}) is None
    newer = registry.certify(SLOT, **asked, passed=True, report={"rows": 240})
    assert registry.valid_certificate(SLOT, **asked) == newer
    failed = registry.certify(SLOT, **asked, passed=False, report={})
    assert registry.proof_of(SLOT, **asked) == (failed, False)
    assert registry.valid_certificate(SLOT, **asked) is None


def nothing(folder):
    pass


def a_link(folder):
    (folder / "model.txt").symlink_to("/etc/hostname")


def a_pipe(folder):
    os.mkfifo(folder / "model.txt")


def a_hard_link(folder):
    (folder / "model.txt").write_text("x")
    os.link(folder / "model.txt", folder / "again.txt")


def too_large(folder):
    with open(folder / "model.txt", "wb") as file:
        file.truncate(folders.MAX_FILE_BYTES + 1)


@pytest.mark.parametrize(
    ("write", "said"),
    [
        (nothing, "it is empty"),
        (a_link, "model.txt is a link"),
        (a_pipe, "model.txt is no ordinary file"),
        (a_hard_link, "model.txt is linked from elsewhere"),
        (too_large, "model.txt is larger than 100 MB"),
    ],
)
def test_only_plain_files_are_registered(registry, certificate, write, said):
    with pytest.raises(RegistryError, match=said) as caught:
        registry.save(SLOT, write, certificate_id=certificate, meta={})
    assert caught.value.code == "E_REGISTRY_FILES"
    assert os.listdir(registry.root / str(SLOT)) == []
    assert registry.versions(SLOT).empty


def test_a_build_that_fails_leaves_nothing(registry, certificate):
    def half(folder):
        (folder / "model.txt").write_text("half")
        raise ValueError("no more trees")

    with pytest.raises(ValueError, match="no more trees"):
        registry.save(SLOT, half, certificate_id=certificate, meta={})
    assert os.listdir(registry.root / str(SLOT)) == []


@pytest.mark.parametrize(
    "name", ["../x", "/etc", "20260117T022937Z-1f3ac/../x", "latest", "a" * 300]
)
def test_names_stay_inside_the_registry(registry, save, name):
    save()
    with pytest.raises(NameRefused, match="A version consists of"):
        registry.path(SLOT, name)
    with pytest.raises((NameRefused, UsageError)):
        registry.path(name, "20260117T022937Z-1f3ac")


def test_an_unknown_version_is_told_with_those_there_are(registry, save):
    known = save()
    with pytest.raises(UsageError, match=f"the latest are: {known}") as caught:
        registry.path(SLOT, "20200101T000000Z-00000")
    assert caught.value.code == "E_REGISTRY_VERSION"


# bytes -----------------------------------------------------------------------------------------


def change(folder):
    data = bytearray((folder / "model.txt").read_bytes())
    data[0] ^= 1
    (folder / "model.txt").write_bytes(data)


def truncate(folder):
    (folder / "model.txt").write_bytes(b"tr")


def remove(folder):
    (folder / "folds" / "0" / "model.txt").unlink()


def add(folder):
    (folder / "folds" / "extra.txt").write_text("x")


def link(folder):
    (folder / "model.txt").rename(folder.parent / "elsewhere")
    (folder / "model.txt").symlink_to(folder.parent / "elsewhere")


def pipe(folder):
    (folder / "model.txt").unlink()
    os.mkfifo(folder / "model.txt")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (change, "model.txt has other bytes than were saved"),
        (truncate, "model.txt has 2 bytes, not 4"),
        (remove, "folds/0/model.txt is missing"),
        (add, "folds/extra.txt is not in its manifest"),
        (link, "model.txt is a link"),
        (pipe, "model.txt is no ordinary file"),
    ],
)
def test_a_damaged_folder_is_never_read(registry, save, damage, said):
    version = save()
    registry.promote(SLOT, version, "first", "ada")
    damage(registry.root / str(SLOT) / version)
    for read in registry.path, registry.card:
        with pytest.raises(HashMismatch, match=f"{said} – restore it from a copy, or") as caught:
            read(SLOT)
        assert caught.value.code == "E_REGISTRY_HASH"
    assert [(p["version"], said in p["problem"]) for p in registry.verify()] == [(version, True)]


@pytest.mark.parametrize("replacement", [b"", b"{", b"null", None])
def test_a_manifest_that_is_not_the_one_saved_is_refused(registry, save, replacement):
    version = save()
    path = registry.root / str(SLOT) / version / "manifest.json"
    if replacement is None:  # a forger's whole manifest, well-formed
        forged = json.loads(path.read_text())
        forged["files"]["model.txt"]["size"] = 5
        replacement = json.dumps(forged).encode()
    path.write_bytes(replacement)
    with pytest.raises(HashMismatch, match="manifest is as it was saved") as caught:
        registry.path(SLOT, version)
    assert caught.value.code == "E_REGISTRY_MANIFEST"


def test_every_single_flipped_bit_is_found(registry, save):
    folder = registry.root / str(SLOT) / save()
    for path in (p for p in sorted(folder.rglob("*")) if p.is_file()):
        clean = path.read_bytes()
        for at in range(0, len(clean) * 8, 7):
            flipped = bytearray(clean)
            flipped[at // 8] ^= 1 << (at % 8)
            path.write_bytes(flipped)
            with pytest.raises(HashMismatch):
                registry.path(SLOT, folder.name)
        path.write_bytes(clean)
    assert registry.path(SLOT, folder.name) == folder


def test_a_missing_folder_is_shown_and_told(registry, save):
    version = save()
    os.rename(registry.root / str(SLOT) / version, registry.root / "taken")
    assert registry.versions(SLOT)["present"].tolist() == [False]
    with pytest.raises(HashMismatch, match="cannot be read"):
        registry.path(SLOT, version)
    assert "is missing – restore" in registry.verify()[0]["problem"]


def test_a_folder_from_elsewhere_is_no_version(registry, save):
    version = save()
    strange = registry.root / str(SLOT) / "20260101T000000Z-abcde"
    strange.mkdir()
    (strange / "manifest.json").write_text("{}")
    assert registry.versions(SLOT)["version"].tolist() == [version]
    assert [p["version"] for p in registry.verify()] == [strange.name]


# acts ------------------------------------------------------------------------------------------


def test_promotions_are_acts_and_the_latest_names_the_champion(registry, save):
    a, b = save("a"), save("b")
    assert registry.champion(SLOT) is None
    with pytest.raises(RegistryError, match="has none – promote one of its versions"):
        registry.path(SLOT)
    registry.promote(SLOT, a, "first", "ada")
    registry.promote(SLOT, b, "better on net R", "bob")
    registry.promote(SLOT, b, "clicked twice", "bob")
    assert registry.champion(SLOT) == b
    history = registry.history(SLOT)
    told = history[["act", "version", "previous", "reason", "actor"]].fillna("")
    assert told.values.tolist() == [
        ["promote", a, "", "first", "ada"],
        ["promote", b, a, "better on net R", "bob"],
    ]
    assert history["at"].dtype == "datetime64[ns, UTC]"


def test_roll_back_returns_to_the_one_before_and_the_one_before_that(registry, save):
    a, b, c = save("a"), save("b"), save("c")
    for version in a, b, c:
        registry.promote(SLOT, version, "next", "ada")
    assert registry.roll_back(SLOT, "worse live") == b
    assert registry.roll_back(SLOT, "worse still") == a
    with pytest.raises(RegistryError, match="had none – promote another") as caught:
        registry.roll_back(SLOT, "and again")
    assert caught.value.code == "E_REGISTRY_NO_FORMER"
    registry.promote(SLOT, c, "third time", "ada")
    assert registry.roll_back(SLOT, "no") == a
    assert registry.history(SLOT)["act"].tolist().count("roll_back") == 3


def test_archived_versions_are_passed_over_and_come_back_when_promoted(registry, save):
    a, b, c = save("a"), save("b"), save("c")
    for version in a, b, c:
        registry.promote(SLOT, version, "next", "ada")
    registry.archive(SLOT, b, "unused")
    registry.archive(SLOT, b, "clicked twice")
    assert registry.roll_back(SLOT, "worse") == a
    registry.promote(SLOT, b, "needed after all", "ada")
    assert registry.versions(SLOT).set_index("version").loc[b, "role"] == "champion"


def test_the_best_are_kept_by_their_cards_and_the_champion_in_any_case(registry, save):
    def judged(difference):
        return save(str(difference), verdict={"words": "x", "difference": difference})

    bare, weak = save("no verdict"), judged(-0.02)
    best, second, unknown = judged(0.03), judged(0.01), judged(None)
    aside = judged(0.5)
    registry.archive(SLOT, aside, "before")
    registry.promote(SLOT, weak, "serves", "ada")
    assert registry.keep_best(SLOT, 2, "tidy up", "ada") == [unknown, bare]
    roles = registry.versions(SLOT).set_index("version")["role"]
    assert roles[[best, second, weak]].tolist() == ["challenger", "challenger", "champion"]
    assert roles[[unknown, bare, aside]].tolist() == ["archived"] * 3
    assert registry.versions(SLOT)["present"].all()
    acts = registry.history(SLOT).tail(2)
    assert acts[["version", "act", "reason", "actor"]].to_numpy().tolist() == [
        [unknown, "archive", "tidy up", "ada"], [bare, "archive", "tidy up", "ada"],
    ]  # fmt: skip
    assert registry.keep_best(SLOT, 2, "again") == []
    assert registry.keep_best(SLOT, 1, "fewer") == [second]
    assert registry.champion(SLOT) == weak


def test_of_versions_without_a_figure_the_newest_are_kept(registry, save):
    first, second, third = save("a"), save("b"), save("c")
    assert registry.keep_best(SLOT, 2, "tidy") == [first]
    assert registry.keep_best(SLOT, 5, "tidy") == []
    assert registry.newest(SLOT) == third
    assert registry.versions(SLOT).set_index("version").loc[second, "role"] == "challenger"


def test_keeping_the_best_keeps_one_and_says_why(registry, save):
    save()
    with pytest.raises(UsageError, match="At least one version is kept – 0 was given") as caught:
        registry.keep_best(SLOT, 0, "tidy")
    assert caught.value.code == "E_REGISTRY_KEEP"
    with pytest.raises(UsageError, match="recorded with a reason"):
        registry.keep_best(SLOT, 1, " ")
    assert registry.history(SLOT).empty


def test_the_champion_is_not_archived(registry, save):
    version = save()
    registry.promote(SLOT, version, "first", "ada")
    with pytest.raises(RegistryError, match=r"serves .* – promote another, or roll back") as caught:
        registry.archive(SLOT, version, "tidy")
    assert caught.value.code == "E_REGISTRY_IS_CHAMPION"


def test_every_act_has_a_reason(registry, save):
    version = save()
    for act in (
        lambda: registry.promote(SLOT, version, " ", "ada"),
        lambda: registry.roll_back(SLOT, ""),
        lambda: registry.archive(SLOT, version, ""),
    ):
        with pytest.raises(UsageError, match="is recorded with a reason – none was given"):
            act()
    assert registry.history(SLOT).empty


def test_only_a_missing_certificate_refuses_a_promotion(registry, save, certificate):
    version = save(verdict="no evidence")
    registry.promote(SLOT, version, "because I say so", "ada")  # unproven is allowed
    with registry._db.transaction() as db:  # a home whose certificates were lost
        db.execute("DROP TRIGGER certificates_no_delete")
        db.execute("DELETE FROM certificates")
    with pytest.raises(CertificateMissing, match="A version is promoted with a leak certificate"):
        registry.promote(SLOT, version, "again", "ada")


def test_a_damaged_version_is_not_promoted_and_the_old_champion_serves_on(registry, save):
    a, b = save("a"), save("b")
    registry.promote(SLOT, a, "first", "ada")
    change(registry.root / str(SLOT) / b)
    with pytest.raises(HashMismatch):
        registry.promote(SLOT, b, "better", "ada")
    assert registry.path(SLOT).name == a


def test_history_cannot_be_rewritten(registry, save):
    registry.promote(SLOT, save(), "first", "ada")
    with pytest.raises(StoreError, match="promotions is append-only"):
        with registry._db.transaction() as db:
            db.execute("UPDATE promotions SET reason = 'proven'")


# many ------------------------------------------------------------------------------------------


def test_a_thousand_versions_are_listed_fast(registry, certificate):
    registry.save(SLOT, build(), certificate_id=certificate, meta={"model_kind": "lightgbm"})
    slot_folder = registry.root / str(SLOT)
    original = next(slot_folder.iterdir())
    row = dict(registry._db.one("SELECT * FROM versions"))
    with registry._db.transaction() as db:
        for i in range(999):
            name = f"20260118T{i:06d}Z-00000"
            (slot_folder / name).mkdir()
            os.link(original / "manifest.json", slot_folder / name / "manifest.json")
            db.execute(
                "INSERT INTO versions VALUES (?,?,?,?,?,?,?,?,?)",
                list({**row, "version": name}.values()),
            )
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        frame = registry.versions(SLOT)
        seconds.append(time.perf_counter() - began)
    assert len(frame) == 1000
    assert frame["present"].all()
    assert min(seconds) < 0.05


def test_saves_under_way_are_no_orphans(registry, save):
    seen = []

    def slow(folder):
        build()(folder)
        seen.append((registry.orphans(), registry.versions(SLOT)))

    certificate = registry.certify(SLOT, set_id="s", code_hash="c", passed=True, report={})
    registry.save(SLOT, slow, certificate_id=certificate, meta={})
    orphans, versions = seen[0]
    assert orphans.empty
    assert versions.empty
    left = registry.root / str(SLOT) / ".saving-999999999-1-abcd"
    left.mkdir()
    (left / "model.txt").write_text("half")
    assert registry.orphans().values.tolist() == [[str(SLOT), left.name, 4]]
    assert registry.remove_orphans() == 1
    assert not left.exists()
    assert registry.orphans().empty


def test_the_clock_of_the_machine_names_versions(tmp_path):
    registry = Registry(tmp_path / "r", HubDB(tmp_path / "hub.sqlite"), system_clock)
    facts = {"set_id": "s", "code_hash": "c", "passed": True, "report": {}}
    version = registry.save(SLOT, build(), certificate_id=registry.certify(SLOT, **facts), meta={})
    assert version[:8] == system_clock().strftime("%Y%m%d")
