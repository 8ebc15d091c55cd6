"""The shadow log: before anyone sees it, once, in order, and never changed without a trace."""

import dataclasses
import math
import sqlite3
import statistics
import time

import numpy as np
import pytest

from mlcore.clock import DAY, HOUR, MINUTE, to_instant, to_timestamp
from mlcore.config import load_settings
from mlcore.errors import LogError, StoreError
from mlcore.live import chain
from mlcore.live.draft import Draft, Outcome, Prediction, Recommendation
from mlcore.live.logframe import feature_matrix
from mlcore.live.monitor import report
from mlcore.live.shadow import ShadowLog
from mlcore.schema import Slot
from mlcore.store.hubdb import HubDB

T = to_instant("2026-01-05T08:15:00Z")
SLOT = "orb_direction-XAUUSD-5m"


class World:
    """A log whose clock, calendar and newest bar are set by the test."""

    def __init__(self, path):
        self.now = T + MINUTE
        self.opens = None
        self.newest = T
        self.db = HubDB(path)
        self.log = ShadowLog(
            self.db,
            lambda: to_timestamp(self.now),
            next_bar_start=lambda symbol, timeframe, instant: self.opens,
            newest_readable=lambda symbol, timeframe: self.newest,
        )


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "hub.sqlite")


@pytest.fixture
def log(world):
    return world.log


def draft(item="london_0800/2026-01-05", **changed):
    values = {
        "slot": SLOT, "version": "20260104T000000Z-abcde", "symbol": "XAUUSD",
        "timeframe": "5m", "item": item, "decision_at": T, "due_at": T + 8 * HOUR,
        "available_cutoff": T, "trading_day": 20_458, "feature_set": "opening_range",
        "feature_hash": "f" * 64, "config_hash": "a" * 64, "code_hash": "b" * 64,
        "features": (1.5, float("nan"), -2.25), "raw": {"UP": 0.7, "DOWN": 0.3},
        "probabilities": {"UP": 0.625, "DOWN": 0.375}, "answer": "UP", "confidence": 0.625,
        "level": "LOW", "baselines": {"mechanical": {"UP": 0.61, "DOWN": 0.39}},
        "votes": {"lightgbm": "UP"}, "conformal": ("UP", "DOWN"), "stop": 4_500.5,
        "target": 4_512.0, "cost_points": 0.3, "cost_bp": 0.0, "session": "london",
        "reasons": ({"feature": "rsi_14", "value": 61.0, "text": "momentum is up"},),
    }  # fmt: skip
    return Draft(**{**values, **changed})


def drafts(n, **changed):
    return [draft(f"london_0800/day {i}", **changed) for i in range(n)]


def settled_as(answer="UP", **changed):
    def outcome_of(predictions):
        return [
            Outcome(prediction_id=p.id, y=1.0, answer=answer, r_taken=0.5, **changed)
            for p in predictions
        ]

    return outcome_of


# a row -----------------------------------------------------------------------------------------


def test_a_row_gives_back_every_field_that_was_logged(log):
    given = draft(side=1, snapshot=4, first_bar=T - HOUR, taken=True, threshold=0.55, value=-0.0)
    logged = log.record(given)
    assert isinstance(logged, Prediction)
    for field in dataclasses.fields(Draft):
        want, got = getattr(given, field.name), getattr(logged, field.name)
        if field.name == "features":
            assert np.array_equal(want, got, equal_nan=True)
        else:
            assert got == want, field.name
    assert (logged.sequence, logged.logged_at, logged.mode) == (1, T + MINUTE, "live")
    assert logged.previous_hash == chain.GENESIS
    assert logged == log.get(logged.id) or math.isnan(logged.features[1])
    assert log.get(logged.id).hash == logged.hash


def test_every_field_has_a_column_and_every_column_a_field(world):
    columns = {r["name"] for r in world.db.query("PRAGMA table_info(predictions)")}
    assert columns == {f.name for f in dataclasses.fields(Prediction)} - {"replay"}
    assert columns == set(chain.PREDICTION_COLUMNS)
    columns = {r["name"] for r in world.db.query("PRAGMA table_info(outcomes)")}
    assert columns == {f.name for f in dataclasses.fields(Outcome)} == set(chain.OUTCOME_COLUMNS)


def test_a_row_is_json_with_iso_times_and_missing_as_none(log):
    told = log.record(draft(novelty=float("nan"))).as_dict()
    assert told["decision_at"] == "2026-01-05T08:15:00+00:00"
    assert told["features"] == [1.5, None, -2.25]
    assert told["novelty"] is None
    assert told["first_bar"] is None
    shown = Recommendation(
        id="r", symbol="XAUUSD", timeframe="5m", item="x", decision_at=T, due_at=None,
        calls=(draft(),),
    ).as_dict()  # fmt: skip
    assert shown["calls"][0]["probabilities"] == {"UP": 0.625, "DOWN": 0.375}
    assert shown["due_at"] is None


def test_the_hash_is_the_documented_one(log):
    log.record(draft("first"))
    second = log.record(draft("second"))
    import hashlib
    import json

    row = dict(log._db.one("SELECT * FROM predictions WHERE sequence = 2"))
    outer = ("sequence", "logged_at", "mode", "previous_hash", "hash")
    body = [row[name] for name in chain.PREDICTION_COLUMNS if name not in outer]
    body = [cell.hex() if isinstance(cell, bytes) else cell for cell in body]

    def sha(values):
        text = json.dumps(values, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    told = sha([2, row["logged_at"], "live", row["previous_hash"], sha(body)])
    assert second.hash == told
    assert row["previous_hash"] == log._db.one("SELECT hash FROM predictions")["hash"]


def test_same_drafts_and_clock_make_the_same_bytes(tmp_path):
    heads = []
    for name in "ab":
        world = World(tmp_path / f"{name}.sqlite")
        world.log.record_many(drafts(5))
        heads.append(world.log.head())
    assert heads[0] == heads[1]
    assert heads[0][0] == 5


# once ------------------------------------------------------------------------------------------


def test_a_second_look_returns_the_first_row(world):
    first = world.log.record(draft())
    world.now += MINUTE
    again = world.log.record(draft(confidence=0.99, role="challenger", regime="BULL"))
    assert (again.id, again.sequence, again.hash) == (first.id, 1, first.hash)
    assert (again.confidence, again.role, again.logged_at) == (0.625, "champion", T + MINUTE)
    assert world.log.head()[0] == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"slot": "orb_direction-XAUUSD-15m"},
        {"version": "20260105T000000Z-abcde"},
        {"fold": 3},
        {"symbol": "XAGUSD"},
        {"item": "london_0800/2026-01-06"},
        {"side": 1},
        {"side": -1},
        {"decision_at": T + 1},
        {"replay": True},
    ],
)
def test_another_question_is_another_row(log, changed):
    first, second = log.record(draft()), log.record(draft(**changed))
    assert first.id != second.id
    assert second.sequence == 2
    assert log.record(draft(**changed)).sequence == 2


def test_live_and_late_share_a_key_and_replay_has_its_own(world):
    world.now = T + HOUR
    late = world.log.record(draft())
    replayed = world.log.record(draft(replay=True, fold=2))
    assert [late.mode, replayed.mode] == ["late", "replay"]
    world.now = T + MINUTE
    assert world.log.record(draft()).mode == "late"
    assert world.log.record(draft(replay=True, fold=2)).id == replayed.id


def test_a_batch_may_ask_twice_and_holds_what_was_there(log):
    old = log.record(draft("old"))
    made = log.record_many([draft("new"), draft("old"), draft("new"), draft("other")])
    assert [p.sequence for p in made] == [2, 1, 2, 3]
    assert made[1].hash == old.hash
    assert log.verify() == []


# live, late ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timeframe", "after", "mode"),
    [
        ("1m", MINUTE, "live"),
        ("1m", MINUTE + 1, "late"),
        ("5m", 5 * MINUTE, "live"),
        ("5m", 5 * MINUTE + 1, "late"),
        ("1h", 5 * MINUTE, "live"),
        ("1h", 5 * MINUTE + 1, "late"),
        ("1d", 5 * MINUTE + 1, "late"),
    ],
)
def test_live_is_within_one_bar_and_five_minutes(world, timeframe, after, mode):
    world.now = T + after
    slot = f"orb_direction-XAUUSD-{timeframe}"
    assert world.log.record(draft(slot=slot, timeframe=timeframe)).mode == mode


def test_a_readable_later_bar_makes_it_late(world):
    world.newest = T + 1
    assert world.log.record(draft()).mode == "late"
    world.newest = None
    assert world.log.record(draft("other")).mode == "live"


@pytest.mark.parametrize(
    ("after", "mode"), [(17 * HOUR - 1, "live"), (17 * HOUR, "late"), (3 * DAY, "late")]
)
def test_where_the_market_is_shut_live_lasts_until_the_next_bar(world, after, mode):
    world.opens = T + 17 * HOUR
    world.now = T + after
    daily = draft(slot="signal-SP500-1d", timeframe="1d", due_at=T + 7 * DAY)
    assert world.log.record(daily).mode == mode


def test_a_market_that_opens_in_a_minute_still_has_its_five(world):
    world.opens = T + MINUTE
    world.now = T + 4 * MINUTE
    assert world.log.record(draft()).mode == "live"


def test_a_call_is_not_logged_before_its_decision_nor_after_its_due(world):
    world.now = T - 1
    with pytest.raises(LogError, match="is not decided yet – check the machine's clock") as early:
        world.log.record(draft())
    world.now = T + 8 * HOUR
    with pytest.raises(LogError, match="is due already – past days are answered by replay") as past:
        world.log.record_many([draft("fine", due_at=T + 9 * HOUR), draft()])
    assert (early.value.code, past.value.code) == ("E_LOG_EARLY", "E_LOG_PAST")
    assert world.log.head() == (0, chain.GENESIS)
    assert world.log.record(draft(replay=True)).mode == "replay"


def test_a_call_that_used_the_future_is_refused(log):
    with pytest.raises(LogError, match="A call uses what was known at its decision") as caught:
        log.record(draft(available_cutoff=T + 1))
    assert caught.value.code == "E_LOG_TIMES"
    with pytest.raises(LogError, match="its due time, are wrong"):
        log.record(draft(due_at=T - 1))
    with pytest.raises(LogError, match="champion, challenger, baseline – 'hero' was given"):
        log.record(draft(role="hero"))


# outcomes --------------------------------------------------------------------------------------


def test_only_what_is_due_is_settled(world):
    soon, later = world.log.record_many(
        [draft("soon", due_at=T + HOUR), draft("later", due_at=T + 2 * HOUR)]
    )
    asked = []

    def outcome_of(predictions):
        asked.extend(p.id for p in predictions)
        return settled_as()(predictions)

    assert world.log.settle(T + HOUR - 1, outcome_of).outcomes == ()
    done = world.log.settle(T + HOUR, outcome_of)
    assert asked == [soon.id]
    assert [o.prediction_id for o in done.outcomes] == [soon.id]
    assert (done.waiting, done.as_dict()) == (0, {"settled": 1, "revised": 0, "waiting": 0})
    assert world.log.settle(T + HOUR, outcome_of).outcomes == ()
    assert world.log.outcomes(later.id) == []


def test_what_is_due_but_has_no_bars_yet_waits_and_is_counted(log):
    log.record_many(drafts(3, due_at=T + HOUR))
    first = log.settle(T + HOUR, lambda predictions: settled_as()(predictions[:1]))
    assert (len(first.outcomes), first.waiting) == (1, 2)
    assert log.unsettled(T + HOUR, slot=SLOT, mode="live") == 2
    assert log.unsettled(T + HOUR, mode="replay") == 0
    assert [p.item for p in log.due(T + HOUR)] == ["london_0800/day 1", "london_0800/day 2"]
    assert log.due(T + HOUR - 1) == []
    assert log.settle(T + HOUR, settled_as()).waiting == 0


def test_a_revision_adds_a_flagged_row_and_scores_keep_the_first(log):
    a, b = log.record_many(drafts(2, due_at=T + HOUR))
    log.settle(T + HOUR, settled_as("UP"))

    def restated(predictions):
        return [
            Outcome(prediction_id=a.id, y=0.0, answer="DOWN", r_taken=-1.0),
            Outcome(prediction_id=b.id, y=1.0, answer="UP", r_taken=0.5 + 1e-12),
        ]

    done = log.recheck(T + DAY, restated, symbol="XAUUSD", timeframe="5m", since=T)
    assert [(o.prediction_id, o.revision, o.answer) for o in done.outcomes] == [(a.id, 1, "DOWN")]
    assert done.as_dict()["revised"] == 1
    assert log.recheck(T + DAY, restated).outcomes == ()
    frame = log.frame()
    assert frame["outcome"].tolist() == ["UP", "UP"]
    assert frame["revised"].tolist() == [True, False]
    assert [o.answer for o in log.outcomes(a.id)] == ["UP", "DOWN"]
    assert log.recheck(T + DAY, restated, symbol="ES").outcomes == ()
    assert log.verify() == []


def test_counts_are_by_mode_and_never_pooled(world, tmp_path):
    log = world.log
    log.record_many(drafts(3, due_at=T + HOUR))
    log.settle(T + HOUR, lambda asked: settled_as()(asked[:2]))
    world.now = T + HOUR
    log.record_many([draft("late one"), draft("late two", abstained=True)])
    log.record(
        draft("past", replay=True, fold=2, due_at=T + HOUR, version="20260105T000000Z-abcde")
    )
    log.record(draft("other", slot="signal-XAUUSD-5m"))
    names = ("logged", "settled", "due_unsettled", "abstained")

    def counted(**asked):
        counts = log.counts(T + 2 * HOUR, SLOT, **asked)
        return {mode: tuple(told[n] for n in names) for mode, told in counts.items()}

    assert counted() == {"live": (3, 2, 1, 0), "late": (2, 0, 0, 1), "replay": (1, 0, 1, 0)}
    mine = counted(version="20260104T000000Z-abcde")
    assert mine == {"live": (3, 2, 1, 0), "late": (2, 0, 0, 1), "replay": (0, 0, 0, 0)}
    told = report(log, Slot.parse(SLOT), "late", load_settings(tmp_path), T + 2 * HOUR)
    assert (told["logged"], told["abstained"]) == (2, 1)
    assert told["counts"]["late"]["logged"] == 2
    assert told["counts"]["live"]["settled"] == 2


def test_an_outcome_belongs_to_a_call_that_was_asked_about(log):
    log.record(draft(due_at=T + HOUR))
    with pytest.raises(LogError, match="nobody was not – answer only those") as caught:
        log.settle(T + HOUR, lambda asked: [Outcome(prediction_id="nobody", y=1.0)])
    assert caught.value.code == "E_LOG_OUTCOME"
    assert log.settle(T + HOUR, settled_as()).waiting == 0


def test_an_unlabelled_side_settles_without_a_value(log):
    logged = log.record(draft(due_at=T + HOUR, side=-1))
    log.settle(T + HOUR, lambda asked: [Outcome(prediction_id=logged.id, broke=1)])
    frame = log.frame()
    assert frame["settled"].tolist() == [True]
    assert frame["y"].isna().all()
    assert frame["broke"].tolist() == [1.0]


def test_many_pages_are_settled(world):
    world.log.record_many(drafts(2_050, due_at=T + HOUR))
    pages = []

    def outcome_of(predictions):
        pages.append(len(predictions))
        return settled_as()(predictions[1:])

    done = world.log.settle(T + HOUR, outcome_of)
    assert pages == [2_000, 50]
    assert (len(done.outcomes), done.waiting) == (2_048, 2)


# reading ---------------------------------------------------------------------------------------


def test_the_frame_is_ordered_by_due_at_and_cut_by_it(world):
    log = world.log
    log.record_many(
        [draft("c", due_at=T + 3 * HOUR), draft("a", due_at=T + HOUR), draft("b", due_at=T + HOUR)]
    )
    world.now = T + 2 * HOUR
    log.record(draft("r", replay=True, due_at=T + HOUR, fold=1))
    log.settle(T + HOUR, settled_as(known_at=T + 30 * MINUTE))
    frame = log.frame()
    assert frame["item"].tolist() == ["a", "b", "r", "c"]
    assert frame["settled"].tolist() == [True, True, True, False]
    assert log.frame(mode="live", due_before=T + HOUR)["item"].tolist() == ["a", "b"]
    assert log.frame(due_after=T + HOUR)["item"].tolist() == ["c"]
    assert log.frame(slot="orb_r-ES-5m").empty
    for name in ("decision_at", "due_at", "logged_at", "known_at", "settled_at", "first_bar"):
        assert frame[name].dtype == "datetime64[ns, UTC]", name
    assert frame["known_at"].isna().tolist() == [False, False, False, True]
    assert frame["known_at"].iloc[0] == to_timestamp(T + 30 * MINUTE)
    assert frame["probabilities"].iloc[0] == {"UP": 0.625, "DOWN": 0.375}
    assert frame["y"].dtype == frame["value"].dtype == np.float64
    assert log.frame(slot="orb_r-ES-5m").dtypes["due_at"] == "datetime64[ns, UTC]"
    assert frame["taken"].tolist() == [None] * 4


def test_instants_keep_their_last_nanosecond(world):
    world.now = T + 8 * HOUR - 1
    world.log.record_many([draft(due_at=T + 8 * HOUR + 1), draft("other", first_bar=T - 7)])
    frame = world.log.frame()
    assert frame["due_at"].iloc[1].value == T + 8 * HOUR + 1
    assert frame["first_bar"].iloc[0].value == T - 7


def test_reading_by_recommendation_slot_and_symbol(log):
    pair = log.record_many(
        [draft(recommendation_id="one"), draft("b", recommendation_id="one", symbol="ES")]
    )
    log.record(draft("c"))
    assert [p.id for p in log.recommended("one")] == [p.id for p in pair]
    assert [p.item for p in log.recent(2)] == ["c", "b"]
    assert [p.item for p in log.recent(symbol="ES")] == ["b"]
    with pytest.raises(LogError, match="'nine' is none – list the recent ones"):
        log.get("nine")


def test_feature_values_come_back_bit_for_bit(world):
    rng = np.random.default_rng(3)
    table = rng.normal(size=(20, 7))
    table[3, 2] = np.nan
    logged = world.log.record_many(
        [draft(f"i{i}", features=tuple(row)) for i, row in enumerate(table)]
    )
    ids = [p.id for p in reversed(logged)]
    assert np.array_equal(feature_matrix(world.db, ids), table[::-1], equal_nan=True)
    assert feature_matrix(world.db, []).shape == (0, 0)


# the chain -------------------------------------------------------------------------------------


def tamper(world, *statements):
    """What somebody with the file and without the triggers can do."""
    with world.db.transaction() as db:
        names = [
            r["name"] for r in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        ]
        for name in names:
            db.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            db.execute(statement)


@pytest.fixture
def filled(world):
    world.log.record_many(drafts(6, due_at=T + HOUR))
    world.log.settle(T + HOUR, settled_as())
    world.log.seal("cards/today.json")
    assert world.log.verify() == []
    return world


def found_after(world, *statements):
    """The faults that `verify` finds after a change, which is taken back."""
    with world.db.transaction() as db:
        for statement in statements:
            db.execute(statement)
        found = world.log.verify()
        db.execute("ROLLBACK")
        db.execute("BEGIN")
    return found


@pytest.mark.parametrize("table", ["predictions", "outcomes"])
def test_a_change_in_any_column_shows(filled, table):
    tamper(filled)
    others = {"TEXT": "'x'", "INTEGER": "7", "REAL": "0.123", "BLOB": "x'00'"}
    another_call = "(SELECT id FROM predictions WHERE sequence = 6)"
    special = {
        "mode": "'late'",
        "role": "'baseline'",
        "prediction_id": f"{another_call}, revision = 1",  # the reference still holds
    }
    for column in filled.db.query(f"PRAGMA table_info({table})"):
        name = column["name"]
        value = special.get(name, others[column["type"]])
        change = f"UPDATE {table} SET {name} = {value} WHERE sequence = 3"
        found = found_after(filled, "PRAGMA defer_foreign_keys = ON", change)
        where = {p["sequence"] for p in found if p["chain"] == table}
        assert where & {3, 4}, f"{table}.{name} was changed unseen"
    assert filled.log.verify() == []


@pytest.mark.parametrize(
    ("statements", "said"),
    [
        (["DELETE FROM outcomes WHERE sequence = 3"], "rows 3 to 3 are gone"),
        (["DELETE FROM outcomes WHERE sequence = 1"], "rows 1 to 1 are gone"),
        (["DELETE FROM outcomes WHERE sequence > 4"], "the tail is cut off: cards/today.json"),
        (["DELETE FROM outcomes"], "the tail is cut off: cards/today.json names row 6"),
        (
            [
                "DELETE FROM outcomes WHERE sequence = 3",
                "UPDATE outcomes SET sequence = sequence - 1 WHERE sequence > 3",
            ],
            "it does not follow the row before it",
        ),
    ],
)
def test_a_row_that_is_gone_shows(filled, statements, said):
    tamper(filled, *statements)
    assert any(said in p["problem"] for p in filled.log.verify())


def test_a_log_rewritten_as_a_whole_shows_against_its_seals(world, tmp_path):
    world.log.record_many(drafts(4))
    sealed = world.log.seal("exports/2026-01-05.parquet")["predictions"]
    forged = World(tmp_path / "forged.sqlite")
    forged.log.record_many(drafts(4, confidence=0.99))
    assert forged.log.verify() == []
    told = forged.log.verify([{**sealed, "chain": "predictions", "place": "exports"}])
    assert told == [
        {
            "chain": "predictions",
            "sequence": 4,
            "problem": "it is not the row whose hash exports names",
        }
    ]


def test_a_copied_database_without_its_tail_shows(world, tmp_path):
    world.log.record_many(drafts(3))
    copy = sqlite3.connect(tmp_path / "copy.sqlite")
    with sqlite3.connect(world.db.path) as source:
        source.backup(copy)
    source.close()
    copy.close()
    world.log.record_many([draft(f"later {i}") for i in range(2)])
    head = world.log.seal("card")["predictions"]
    old = World(tmp_path / "copy.sqlite")
    assert old.log.verify() == []
    assert "the tail is cut off" in old.log.verify([head])[0]["problem"]


def test_a_call_hidden_from_settling_shows(filled):
    filled.log.record(draft("open"))
    with filled.db.transaction() as db:
        db.execute("DELETE FROM open_calls")
    assert [(p["sequence"], p["problem"]) for p in filled.log.verify()] == [
        (7, "it is listed as open and settled at once, or as neither")
    ]


def test_an_export_keeps_structures_as_text(world):
    world.log.record(draft())
    frame = world.log.frame(parsed=False)
    assert frame["probabilities"].tolist() == ['{"DOWN":0.375,"UP":0.625}']


def test_the_log_refuses_changes(world):
    world.log.record(draft())
    with pytest.raises(StoreError, match="predictions is append-only"):
        with world.db.transaction() as db:
            db.execute("UPDATE predictions SET confidence = 1.0")


# speed -----------------------------------------------------------------------------------------


def test_one_durable_row_costs_at_most_three_bare_commits(world, tmp_path):
    world.log.record(draft("first"))
    row = dict(world.db.one("SELECT * FROM predictions"))
    bare = sqlite3.connect(tmp_path / "bare.sqlite", isolation_level=None)
    bare.execute("PRAGMA journal_mode = WAL")
    bare.execute("PRAGMA synchronous = FULL")
    for made in world.db.query(
        "SELECT sql FROM sqlite_master WHERE tbl_name = 'predictions' AND sql IS NOT NULL "
        "AND type != 'trigger'"
    ):
        bare.execute(made["sql"])
    insert = f"INSERT INTO predictions ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})"
    ratios = []
    for i in range(60):
        values = list({**row, "sequence": i + 1, "id": f"{i}", "item": f"{i}"}.values())
        one = draft(f"item {i}")
        began = time.perf_counter()
        bare.execute("BEGIN")
        bare.execute(insert, values)
        bare.execute("COMMIT")
        middle = time.perf_counter()
        world.log.record(one)
        ratios.append((time.perf_counter() - middle) / (middle - began))
    bare.close()
    assert statistics.median(ratios) <= 3.0
