"""hub.sqlite: rules held by the file itself, errors with a cure, one connection a thread."""

import os
import sqlite3
import threading

import pytest

from mlcore.errors import StoreError
from mlcore.store.hubdb import APPEND_ONLY, SCHEMA_VERSION, HubDB, canonical_json

SEAL = (
    "INSERT INTO seals (sealed_at, chain, place, sequence, hash) VALUES (1, 'outcomes', ?, 1, 'h')"
)


@pytest.fixture
def db(tmp_path):
    return HubDB(tmp_path / "data" / "hub.sqlite")


def places(db):
    return [row["place"] for row in db.query("SELECT place FROM seals ORDER BY id")]


def fill(db, table):
    """One row with a value of the right kind in every column, whatever the table."""
    columns = db.query(f"PRAGMA table_info({table})")
    kinds = {"TEXT": "x", "INTEGER": 1, "REAL": 1.0, "BLOB": b""}
    known = {
        "mode": "live", "role": "champion", "chain": "outcomes", "act": "promote",
        "kind": "normal", "prediction_id": "x", "job_id": "x",
    }  # fmt: skip
    row = {c["name"]: known.get(c["name"], kinds[c["type"]]) for c in columns}
    marks = ",".join("?" * len(row))
    return f"INSERT OR REPLACE INTO {table} ({','.join(row)}) VALUES ({marks})", list(row.values())


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("act", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}", "replace"])
def test_append_only_tables_refuse_every_change(db, table, act):
    with db.transaction() as connection:
        connection.execute("PRAGMA defer_foreign_keys = ON")
        for parent in {"outcomes": "predictions", "job_events": "jobs"}.get(table, ""), table:
            if parent == "jobs":
                connection.execute(
                    "INSERT INTO jobs (id, name, arguments, state, submitted_at) "
                    "VALUES ('x', 'x', '{}', 'queued', 1)"
                )
            elif parent:
                connection.execute(*fill(db, parent))
    column = db.query(f"PRAGMA table_info({table})")[0]["name"]
    sql, values = fill(db, table) if act == "replace" else (act.format(table, column), [])
    with pytest.raises(StoreError, match=f"{table} is append-only") as caught:
        with db.transaction() as connection:
            connection.execute(sql, values)
    assert caught.value.code == "E_STORE_RULE"
    assert str(caught.value).endswith("nothing was changed.")


def test_a_transaction_is_all_or_nothing(db):
    def fail():
        with db.transaction() as connection:
            connection.execute(SEAL, ("lost",))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    with db.transaction() as connection:
        connection.execute(SEAL, ("kept",))
    assert places(db) == ["kept"]


def test_a_transaction_inside_another_ends_with_the_outer_one(db):
    def fail():
        with db.transaction():
            with db.transaction() as inner:
                inner.execute(SEAL, ("inner",))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert places(db) == []


def test_writes_are_durable_before_they_are_acknowledged(db):
    with db.transaction() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        assert connection.execute("PRAGMA synchronous").fetchone()[0] == 2  # FULL


def test_threads_write_at_once_and_lose_nothing(db):
    def write(name):
        for i in range(20):
            with db.transaction() as connection:
                connection.execute(SEAL, (f"{name}-{i}",))

    threads = [threading.Thread(target=write, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(places(db)) == sorted(f"{n}-{i}" for n in range(6) for i in range(20))


def test_a_fork_gets_its_own_connection(db):
    db.query("SELECT 1")
    pid = os.fork()
    if pid == 0:
        with db.transaction() as connection:
            connection.execute(SEAL, ("child",))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    with db.transaction() as connection:
        connection.execute(SEAL, ("parent",))
    assert places(db) == ["child", "parent"]


def test_eight_processes_open_a_new_home_at_once(tmp_path):
    pids = []
    for i in range(8):
        pid = os.fork()
        if pid == 0:
            try:
                with HubDB(tmp_path / "new" / "hub.sqlite").transaction() as connection:
                    connection.execute(SEAL, (str(i),))
            except BaseException:
                os._exit(1)
            os._exit(0)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 8
    assert sorted(places(HubDB(tmp_path / "new" / "hub.sqlite"))) == [str(i) for i in range(8)]


def test_a_file_that_is_no_database_is_refused(tmp_path):
    path = tmp_path / "hub.sqlite"
    path.write_bytes(b"these are not the bytes of a database, whatever they are" * 50)
    with pytest.raises(StoreError, match="file is not a database – restore it") as caught:
        HubDB(path)
    assert caught.value.code == "E_STORE_DAMAGED"


def test_a_file_of_a_later_version_is_not_touched(tmp_path):
    path = tmp_path / "hub.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError, match=f"of layout {SCHEMA_VERSION + 1}, .* upgrade") as caught:
        HubDB(path)
    assert caught.value.code == "E_STORE_VERSION"


def test_a_full_disk_is_one_message_and_nothing_half_written(db):
    with db.transaction() as connection:
        connection.execute(SEAL, ("before",))
    pages = db.one("PRAGMA page_count")[0]
    db.query(f"PRAGMA max_page_count = {pages}")
    rows = [(f"{i}" * 50,) for i in range(5_000)]
    with pytest.raises(StoreError, match="free space on the disk; nothing was half") as caught:
        with db.transaction() as connection:
            connection.executemany(SEAL, rows)
    assert caught.value.code == "E_STORE_FULL"
    db.query("PRAGMA max_page_count = 1000000")
    assert places(db) == ["before"]
    assert db.verify() == []


def test_a_damaged_file_is_found(db):
    for _ in range(40):
        with db.transaction() as connection:
            connection.execute(SEAL, ("x" * 900,))
    db.query("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    data = bytearray(db.path.read_bytes())
    for at in range(8192, len(data), 4096):
        data[at : at + 8] = b"\xff" * 8
    db.path.write_bytes(data)
    assert db.verify()


def test_canonical_json_is_one_text_for_one_value():
    import numpy as np

    given = {"b": np.float64("nan"), "a": (1, np.int64(2), 0.1 + 0.2), "ü": [True, None]}
    assert canonical_json(given) == '{"a":[1,2,0.30000000000000004],"b":null,"ü":[true,null]}'
    assert canonical_json({"x": 1, "y": 2}) == canonical_json({"y": 2, "x": 1})


def test_frames_keep_names_and_missing_values(db):
    frame = db.frame("SELECT 1 AS a, NULL AS b UNION ALL SELECT 2, 0.5")
    assert frame.columns.tolist() == ["a", "b"]
    assert frame["b"].isna().tolist() == [True, False]
    assert db.one("SELECT 1 WHERE 0") is None
