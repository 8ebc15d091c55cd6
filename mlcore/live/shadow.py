"""The shadow log: a call is in it before anyone sees it, once, and for good.

Append-only, chained by hashes (`chain.py`), scored by `due_at` from outcomes that are rows of
their own. It knows neither bars nor models: what came of a call is told by a function passed in.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from mlcore.clock import MINUTE, Clock, to_instant
from mlcore.errors import LogError
from mlcore.live import chain
from mlcore.live.audit import audit
from mlcore.live.draft import Draft, Outcome, Prediction
from mlcore.live.logframe import counts_by_mode, log_frame, newest_decisions
from mlcore.live.refusals import demand_honest, demand_timely, outcomes_asked
from mlcore.schema import timeframe_width
from mlcore.store.hubdb import HubDB

__all__ = ["Settlement", "ShadowLog"]

_COLUMNS = {"predictions": chain.PREDICTION_COLUMNS, "outcomes": chain.OUTCOME_COLUMNS}
_INSERT = {
    table: f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608
    for table, names in _COLUMNS.items()
}
_LAST = {
    table: f"SELECT sequence, hash FROM {table} ORDER BY sequence DESC LIMIT 1"  # noqa: S608
    for table in _COLUMNS
}
_ASKED = 500
"""Rows asked for in one statement."""
_UNSETTLED = (
    "p.sequence IN (SELECT sequence FROM open_calls WHERE due_at <= :now) "
    "AND (:slot IS NULL OR slot = :slot) AND (:mode IS NULL OR mode = :mode)"
)
_BATCH = 2_000

OutcomeOf = Callable[[Sequence[Prediction]], Iterable[Outcome]]
"""Outcomes of due predictions; one whose bars are not there yet is left out."""


@dataclass(frozen=True)
class Settlement:
    """What a settling did: outcomes added, due calls still without one, settled ones rechecked."""

    outcomes: tuple[Outcome, ...]
    waiting: int
    rechecked: int = 0

    def as_dict(self) -> dict[str, int]:
        """JSON-ready counts: settled (first outcomes), revised (flagged ones), waiting."""
        revised = sum(outcome.revision > 0 for outcome in self.outcomes)
        return {
            "settled": len(self.outcomes) - revised,
            "revised": revised,
            "waiting": self.waiting,
        }


@dataclass(frozen=True)
class _Entry:
    """A draft made ready outside the lock."""

    draft: Draft
    row: dict[str, Any]
    body: str
    live_until: int


class ShadowLog:
    """The log of one home.

    Parameters
    ----------
    db
        The home's `hub.sqlite`.
    clock
        What time it is when a row is written.
    next_bar_start
        `(symbol, timeframe, instant)` → where the market is shut then, the start of its next
        bar on the calendar, int64 ns; else None (or the instant itself).
    newest_readable
        `(symbol, timeframe)` → `available_at` of the newest bar that can be read now, or None.
    """

    def __init__(
        self,
        db: HubDB,
        clock: Clock,
        *,
        next_bar_start: Callable[[str, str, int], int | None],
        newest_readable: Callable[[str, str], int | None],
    ) -> None:
        self._db = db
        self._clock = clock
        self._next_bar_start = next_bar_start
        self._newest_readable = newest_readable

    # recording ------------------------------------------------------------------------------

    def record(self, draft: Draft) -> Prediction:
        """Log one call; a second look at the same question returns the first row.

        Raises
        ------
        LogError
            It used what was not known yet, or is logged before its decision or after its due.
        """
        return self.record_many([draft])[0]

    def record_many(self, drafts: Sequence[Draft], logged_at: Any = None) -> list[Prediction]:
        """Log calls in one transaction, all or none; in the order given.

        Parameters
        ----------
        drafts
            Answers of the engine; those already in the log are returned as they were logged.
        logged_at
            The instant of writing, default the clock's once the log is locked.
        """
        newest: dict[tuple[str, str], int | None] = {}
        entries = [self._entry(draft, newest) for draft in drafts]
        with self._db.transaction() as db:
            now = to_instant(self._clock() if logged_at is None else logged_at)
            sequence, previous = _head(db, "predictions")
            there = _logged(db, [entry.row["id"] for entry in entries])
            fresh: dict[str, dict[str, Any]] = {}
            for entry in entries:
                name = entry.row["id"]
                if name not in there and name not in fresh:
                    sequence += 1
                    fresh[name] = _chained(entry, sequence, previous, now)
                    previous = fresh[name]["hash"]
            _insert(db, "predictions", fresh.values())
        known: Mapping[str, chain.Row] = there | fresh
        return [chain.prediction(known[entry.row["id"]]) for entry in entries]

    def _entry(self, draft: Draft, newest: dict[tuple[str, str], int | None]) -> _Entry:
        demand_honest(draft)
        row = chain.draft_row(draft)
        body = chain.body_hash(row, chain.PREDICTION_COLUMNS)
        return _Entry(draft, row, body, 0 if draft.replay else self._live_until(draft, newest))

    def _live_until(self, draft: Draft, newest: dict[tuple[str, str], int | None]) -> int:
        """The last instant at which logging this draft is *live*; before its decision if never."""
        series = (draft.symbol, draft.timeframe)
        if series not in newest:
            newest[series] = self._newest_readable(*series)
        last = newest[series]
        if last is not None and last > draft.decision_at:
            return draft.decision_at - 1
        limit = draft.decision_at + min(timeframe_width(draft.timeframe), 5 * MINUTE)
        following = self._next_bar_start(*series, draft.decision_at)
        return limit if following is None else max(limit, following - 1)

    # settling -------------------------------------------------------------------------------

    def due(
        self, now: Any, *, slot: str | None = None, mode: str | None = None
    ) -> list[Prediction]:
        """Calls with `due_at <= now` that have no outcome yet, oldest first."""
        pages = self._pages(_UNSETTLED, {"now": to_instant(now), "slot": slot, "mode": mode})
        return [chain.prediction(row) for page in pages for row in page]

    def unsettled(self, now: Any, *, slot: str | None = None, mode: str | None = None) -> int:
        """How many calls are due and have no outcome: shown beside every score."""
        row = self._db.one(
            f"SELECT count(*) AS n FROM predictions p WHERE {_UNSETTLED}",  # noqa: S608
            {"now": to_instant(now), "slot": slot, "mode": mode},
        )
        return int(row["n"]) if row else 0

    def settle(self, now: Any, outcome_of: OutcomeOf) -> Settlement:
        """Attach outcomes to the calls that are due; one not yet computable waits, counted.

        Parameters
        ----------
        now
            Only calls with `due_at <= now` are asked about, so that early stops do not lean on
            the scores.
        outcome_of
            Gives the outcomes of the predictions it is handed, leaving out those whose bars are
            not there yet.
        """
        instant, added = to_instant(now), []
        for page in self._pages(_UNSETTLED, {"now": instant, "slot": None, "mode": None}):
            asked = [chain.prediction(row) for row in page]
            found = outcomes_asked(asked, outcome_of(asked))
            added += self._attach([(outcome, 0) for outcome in found.values()], instant)
        return Settlement(tuple(added), self.unsettled(instant))

    def recheck(
        self,
        now: Any,
        outcome_of: OutcomeOf,
        *,
        symbol: str | None = None,
        timeframe: str | None = None,
        since: Any = None,
        until: Any = None,
    ) -> Settlement:
        """After bars were restated: add a flagged row where an outcome would now be another.

        Scores keep the first. Calls that were due before `since`, or decided after `until`, are
        left out.
        """
        instant, added, count = to_instant(now), [], 0
        where = (
            "due_at <= :now AND due_at >= :since AND decision_at <= :until "
            "AND (:symbol IS NULL OR symbol = :symbol) "
            "AND (:timeframe IS NULL OR timeframe = :timeframe) "
            "AND EXISTS (SELECT 1 FROM outcomes o WHERE o.prediction_id = p.id)"
        )
        given = {
            "now": instant, "since": 0 if since is None else to_instant(since),
            "until": instant if until is None else to_instant(until),
            "symbol": symbol, "timeframe": timeframe,
        }  # fmt: skip
        for page in self._pages(where, given):
            asked = [chain.prediction(row) for row in page]
            found, count = outcomes_asked(asked, outcome_of(asked)), count + len(asked)
            known = {name: self.outcomes(name)[-1] for name in found}
            changed = [o for name, o in found.items() if chain.differs(known[name], o)]
            added += self._attach(
                [(o, known[o.prediction_id].revision + 1) for o in changed], instant
            )
        return Settlement(tuple(added), self.unsettled(instant), count)

    def _attach(self, found: list[tuple[Outcome, int]], now: int) -> list[Outcome]:
        rows = [{**chain.outcome_row(o), "revision": revision} for o, revision in found]
        bodies = [chain.body_hash(row, chain.OUTCOME_COLUMNS) for row in rows]
        fresh: list[dict[str, Any]] = []
        with self._db.transaction() as db:
            sequence, previous = _head(db, "outcomes")
            for row, body in zip(rows, bodies, strict=True):
                if db.execute(
                    "SELECT 1 FROM outcomes WHERE prediction_id = ? AND revision = ?",
                    (row["prediction_id"], row["revision"]),
                ).fetchone():
                    continue
                sequence += 1
                row |= {"sequence": sequence, "settled_at": now, "previous_hash": previous}
                row["hash"] = previous = chain.row_hash(
                    sequence, now, row["revision"], previous, body
                )
                fresh.append(row)
            _insert(db, "outcomes", fresh)
        return [chain.outcome(row) for row in fresh]

    # reading --------------------------------------------------------------------------------

    def _pages(self, where: str, given: Mapping[str, Any]) -> Iterator[list[sqlite3.Row]]:
        """Rows of `predictions p`, by sequence, a batch at a time."""
        after = 0
        while True:
            rows = self._db.query(
                f"SELECT * FROM predictions p WHERE sequence > :after AND {where} "  # noqa: S608
                "ORDER BY sequence LIMIT :batch",
                {**given, "after": after, "batch": _BATCH},
            )
            if not rows:
                return
            after = rows[-1]["sequence"]
            yield rows

    def get(self, prediction_id: str) -> Prediction:
        """The prediction of an id.

        Raises
        ------
        LogError
            There is none (E_LOG_UNKNOWN).
        """
        row = self._db.one("SELECT * FROM predictions WHERE id = ?", (prediction_id,))
        if row is None:
            raise LogError(
                f"A prediction is one the log holds – {ascii(prediction_id)[:60]} is none – list "
                "the recent ones.",
                code="E_LOG_UNKNOWN",
            )
        return chain.prediction(row)

    def recent(
        self, n: int = 50, *, slot: str | None = None, symbol: str | None = None
    ) -> list[Prediction]:
        """The `n` latest calls of all modes (of a slot, of a symbol), newest first."""
        rows = self._db.query(
            "SELECT * FROM predictions WHERE (:slot IS NULL OR slot = :slot) "
            "AND (:symbol IS NULL OR symbol = :symbol) ORDER BY sequence DESC LIMIT :n",
            {"slot": slot, "symbol": symbol, "n": n},
        )
        return [chain.prediction(row) for row in rows]

    def recommended(self, recommendation_id: str) -> list[Prediction]:
        """The calls of one recommendation, in the order they were logged."""
        rows = self._db.query(
            "SELECT * FROM predictions WHERE recommendation_id = ? ORDER BY sequence",
            (recommendation_id,),
        )
        return [chain.prediction(row) for row in rows]

    def outcomes(self, prediction_id: str) -> list[Outcome]:
        """Every outcome of a prediction: the first, then the flagged ones of later revisions."""
        rows = self._db.query(
            "SELECT * FROM outcomes WHERE prediction_id = ? ORDER BY revision", (prediction_id,)
        )
        return [chain.outcome(row) for row in rows]

    def frame(
        self,
        slot: str | None = None,
        mode: str | None = None,
        due_before: Any = None,
        *,
        due_after: Any = None,
        parsed: bool = True,
    ) -> pd.DataFrame:
        """Predictions joined with their first outcomes, by `due_at`; see `log_frame`."""
        return log_frame(
            self._db, slot=slot, mode=mode, due_before=due_before, due_after=due_after,
            parsed=parsed,
        )  # fmt: skip

    def counts(self, now: Any, slot: str, version: str | None = None) -> dict[str, dict[str, int]]:
        """Calls of a slot by mode, never pooled: logged, settled, due_unsettled, abstained."""
        return counts_by_mode(self._db, slot=slot, version=version, now=to_instant(now))

    def newest(self) -> dict[str, int]:
        """`decision_at` of each slot's newest call that no challenger made, int64 ns."""
        return newest_decisions(self._db)

    # the chain ------------------------------------------------------------------------------

    def head(self, table: str = "predictions") -> tuple[int, str]:
        """Sequence and hash of the last row (0 and 64 zeros before the first)."""
        return _place(self._db.one(_LAST[table]))

    def seal(self, place: str) -> dict[str, dict[str, Any]]:
        """Note that both heads were written to `place` (an exported day, a card); the heads."""
        now = int(self._clock().value)
        heads: dict[str, dict[str, Any]] = {}
        with self._db.transaction() as db:
            for table in _COLUMNS:
                sequence, digest = _head(db, table)
                heads[table] = {"sequence": sequence, "hash": digest}
                db.execute(
                    "INSERT INTO seals (sealed_at, chain, place, sequence, hash) "
                    "VALUES (?,?,?,?,?)",
                    (now, table, place, sequence, digest),
                )
        return heads

    def verify(self, sealed: Iterable[Mapping[str, Any]] = ()) -> list[dict[str, Any]]:
        """Every place where the log is not what was written: changed, deleted, moved, cut off.

        Parameters
        ----------
        sealed
            Heads found outside, in exports and cards: chain, sequence, hash and place.
        """
        return audit(self._db, sealed)


def _place(row: sqlite3.Row | None) -> tuple[int, str]:
    return (0, chain.GENESIS) if row is None else (int(row["sequence"]), str(row["hash"]))


def _logged(db: sqlite3.Connection, names: list[str]) -> dict[str, chain.Row]:
    """The rows that are in the log already, by id; an id is made of what may be in it once."""
    found: dict[str, chain.Row] = {}
    for first in range(0, len(names), _ASKED):
        part = names[first : first + _ASKED]
        holes = ",".join("?" * len(part))
        sql = f"SELECT * FROM predictions WHERE id IN ({holes})"  # noqa: S608
        found |= {row["id"]: row for row in db.execute(sql, part)}
    return found


def _head(db: sqlite3.Connection, table: str) -> tuple[int, str]:
    return _place(db.execute(_LAST[table]).fetchone())


def _insert(db: sqlite3.Connection, table: str, rows: Iterable[Mapping[str, Any]]) -> None:
    db.executemany(_INSERT[table], [[row[name] for name in _COLUMNS[table]] for row in rows])


def _chained(entry: _Entry, sequence: int, previous: str, now: int) -> dict[str, Any]:
    draft = entry.draft
    demand_timely(draft, now)
    live = "live" if now <= entry.live_until else "late"
    mode = "replay" if draft.replay else live
    digest = chain.row_hash(sequence, now, mode, previous, entry.body)
    return entry.row | {
        "sequence": sequence, "logged_at": now, "mode": mode, "previous_hash": previous,
        "hash": digest,
    }  # fmt: skip
