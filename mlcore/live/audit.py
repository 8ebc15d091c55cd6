"""Reading the log's two chains from the first row to the last, and the heads sealed outside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mlcore.live import chain
from mlcore.store.hubdb import HubDB

__all__ = ["audit"]

_CHAINS = {
    "predictions": (chain.PREDICTION_COLUMNS, "logged_at", "mode"),
    "outcomes": (chain.OUTCOME_COLUMNS, "settled_at", "revision"),
}
_BATCH = 5_000
_HIDDEN = "it is listed as open and settled at once, or as neither"
_OPEN_FAULTS = """
SELECT sequence FROM predictions p WHERE (SELECT 1 FROM open_calls c WHERE c.sequence = p.sequence)
  IS NOT NULL = EXISTS (SELECT 1 FROM outcomes o WHERE o.prediction_id = p.id)
"""


def audit(db: HubDB, sealed: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
    """Every fault of both chains as a dict: chain, sequence, problem; empty when sound.

    Parameters
    ----------
    sealed
        Heads read from exports and cards, besides those in the table `seals`.
    """
    rows = [dict(row) for row in db.query("SELECT chain, place, sequence, hash FROM seals")]
    seals = [*rows, *sealed]
    found: list[dict[str, Any]] = []
    for table in _CHAINS:
        wanted = [seal for seal in seals if seal.get("chain", "predictions") == table]
        found += _audit_chain(db, table, wanted)
    return found + [_fault("predictions", row[0], _HIDDEN) for row in db.query(_OPEN_FAULTS)]


def _audit_chain(db: HubDB, table: str, seals: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    columns, at, kind = _CHAINS[table]
    found: list[dict[str, Any]] = []
    hashes: dict[int, str] = {0: chain.GENESIS}
    sealed_at = {int(seal["sequence"]) for seal in seals}
    last, previous = 0, chain.GENESIS
    for row in _rows(db, table):
        sequence = int(row["sequence"])
        if sequence != last + 1:
            found.append(_fault(table, last + 1, f"rows {last + 1} to {sequence - 1} are gone"))
        elif row["previous_hash"] != previous:
            found.append(_fault(table, sequence, "it does not follow the row before it"))
        body = chain.body_hash(row, columns)
        told = chain.row_hash(sequence, row[at], row[kind], row["previous_hash"], body)
        if told != row["hash"]:
            found.append(_fault(table, sequence, "its values are not those that were written"))
        last, previous = sequence, str(row["hash"])
        if sequence in sealed_at:
            hashes[sequence] = previous
    return found + [fault for seal in seals if (fault := _broken(table, seal, hashes, last))]


def _broken(
    table: str, seal: Mapping[str, Any], hashes: Mapping[int, str], last: int
) -> dict[str, Any] | None:
    sequence, place = int(seal["sequence"]), seal.get("place", "a sealed copy")
    if sequence > last:
        said = f"the tail is cut off: {place} names row {sequence}, the last one is {last}"
    elif hashes.get(sequence) != seal["hash"]:
        said = f"it is not the row whose hash {place} names"
    else:
        return None
    return _fault(table, sequence, said)


def _fault(table: str, sequence: int, said: str) -> dict[str, Any]:
    return {"chain": table, "sequence": sequence, "problem": said}


def _rows(db: HubDB, table: str) -> Iterator[chain.Row]:
    after = -(2**62)
    while True:
        page = db.query(
            f"SELECT * FROM {table} WHERE sequence > ? ORDER BY sequence LIMIT ?",  # noqa: S608
            (after, _BATCH),
        )
        if not page:
            return
        after = page[-1]["sequence"]
        yield from page
