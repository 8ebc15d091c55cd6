"""Hub: the façade that pages and commands call. Every method is a screenful, none has logic.

Nouns that come out of it are re-exported here, so that a page imports `mlcore.hub` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from mlcore.clock import Clock, system_clock, to_instant
from mlcore.config import Market, Settings, load_settings
from mlcore.errors import OpenrangeError, UsageError
from mlcore.jobs import Job
from mlcore.live.calls import Call, Freshness
from mlcore.operations.home import Home
from mlcore.schema import CALENDAR_TIMEFRAMES, Slot
from mlcore.schema import TIMEFRAMES as CLOCK_TIMEFRAMES

__all__ = [
    "TIMEFRAMES", "Call", "Freshness", "Hub", "Job", "Market", "OpenrangeError", "Settings", "Slot",
]  # fmt: skip

TIMEFRAMES = CLOCK_TIMEFRAMES | CALENDAR_TIMEFRAMES
Progress = Callable[[Mapping[str, Any]], None]


def _instant(value: Any) -> int | None:
    return None if value is None else to_instant(value)


class Hub:
    """One home, seen by a person.

    Parameters
    ----------
    settings
        Configuration of the home.
    clock
        What time it is.
    """

    def __init__(self, settings: Settings, clock: Clock = system_clock) -> None:
        self.home = Home(settings, clock)

    @classmethod
    def open(cls, home: Path | str | None = None, clock: Clock = system_clock) -> Hub:
        """The hub of a folder (default: OPENRANGE_HOME, then the project)."""
        return cls(load_settings(home), clock)

    @property
    def settings(self) -> Settings:
        """The configuration in force."""
        return self.home.settings

    def now(self) -> pd.Timestamp:
        """The present instant, UTC."""
        return self.home.clock()

    # --- bars -----------------------------------------------------------------------------
    def symbols(self) -> pd.DataFrame:
        """Everything that has bars: one row per symbol and timeframe."""
        return self.home.store.symbols()

    def universes(self) -> pd.DataFrame:
        """Named universes: universe, patterns, symbols (those that have bars), n."""
        from mlcore.operations.tables import universe_frame

        return universe_frame(self.home)

    def symbols_of(self, names: str) -> tuple[str, ...]:
        """The symbols that `A,B,UNIVERSE` stands for."""
        from mlcore.operations.tables import symbols_of

        return symbols_of(self.home, names)

    def market(self, symbol: str) -> Market:
        """The market settings of a symbol."""
        return self.home.store.market_of(symbol)

    def bars(
        self, symbol: str, timeframe: str, *, last: int | None = None,
        start: Any = None, end: Any = None,
    ) -> pd.DataFrame:  # fmt: skip
        """Stored bars, the latest revision: all, the newest `last`, or `[start, end)`."""
        store = self.home.store
        if last is not None:
            return store.tail(symbol, timeframe, last).frame()
        return store.read(symbol, timeframe, start=_instant(start), end=_instant(end)).frame()

    def derived_from(self, symbol: str, timeframe: str) -> str | None:
        """The stored timeframe that these bars are made of; None where they are stored."""
        return self.home.store.derived_from(symbol, timeframe)

    def revisions(self, symbol: str, timeframe: str) -> pd.DataFrame:
        """Restated bars: old and new values, since when, by which import, which calls lean on."""
        from mlcore.operations.restating import revision_frame

        return revision_frame(self.home, symbol, timeframe)

    def delete_bars(self, symbol: str, timeframe: str, reason: str) -> dict[str, Any]:
        """Take a symbol's bars out of later reads; older snapshots and logged calls stay."""
        from mlcore.operations.restating import delete_bars

        return delete_bars(self.home, symbol, timeframe, reason)

    def export_bars(
        self, symbol: str, timeframe: str, path: Path | str, *, start: Any = None, end: Any = None
    ) -> dict[str, Any]:
        """Write bars to a Parquet or CSV file, by its ending."""
        from mlcore.operations.restating import write_bars

        return write_bars(
            self.home, symbol, timeframe, Path(path), start=_instant(start), end=_instant(end)
        )

    def quality(self, symbol: str, timeframe: str) -> Any:
        """What stored bars are worth: every check, coverage, history, and what they are fit for."""
        from mlcore.operations.judging import judge_quality

        return judge_quality(self.home, symbol, timeframe)

    def sessions(
        self, symbol: str, timeframe: str, *, mode: str = "touch", days: int | None = None
    ) -> pd.DataFrame:
        """Opening ranges with their breaks and trades, pending ones without outcome."""
        from mlcore.operations.tables import session_frame

        return session_frame(self.home, symbol, timeframe, mode=mode, days=days)

    def session_bands(self, symbol: str, start: Any, end: Any) -> pd.DataFrame:
        """Sessions of a symbol's market between two instants: session, date, start, end."""
        from mlcore.operations.tables import band_frame

        return band_frame(self.home, symbol, to_instant(start), to_instant(end))

    def indicator(self, symbol: str, timeframe: str, name: str, last: int) -> pd.DataFrame:
        """A catalogued bar feature over the newest bars: time, value."""
        from mlcore.operations.tables import indicator_frame

        return indicator_frame(self.home, symbol, timeframe, name, last)

    def overlay(self, symbol: str, timeframe: str, name: str, last: int) -> pd.DataFrame:
        """A line on the candles over the newest bars (`ema_20`, `vwap_50` …): time, value."""
        from mlcore.operations.views import overlay

        return overlay(self.home, symbol, timeframe, name, last)

    def range_view(
        self, symbol: str, timeframe: str, *, mode: str, start: Any, end: Any = None
    ) -> pd.DataFrame:
        """Opening ranges from an instant on; pending ones with the break seen so far."""
        from mlcore.operations.views import range_view

        return range_view(
            self.home, symbol, timeframe, mode=mode, start=to_instant(start), end=_instant(end)
        )

    def break_evidence(self, symbol: str, timeframe: str, *, mode: str) -> tuple[Any, ...]:
        """Net R per range of following breaks in the last two years, against no trade."""
        from mlcore.operations.views import break_evidence

        return break_evidence(self.home, symbol, timeframe, mode=mode)

    def view_facts(self, symbol: str, timeframe: str, *, start: Any) -> Any:
        """The bars from an instant on: newest, missing, revised, source."""
        from mlcore.operations.views import view_facts

        return view_facts(self.home, symbol, timeframe, start=to_instant(start))

    def features(self, symbol: str, timeframe: str, feature_set: str) -> pd.DataFrame:
        """The feature table of a set: time, available_at, one column a feature."""
        from mlcore.operations.tables import feature_frame

        return feature_frame(self.home, symbol, timeframe, feature_set)

    def dataset(self, target: str, symbol: str, timeframe: str) -> pd.DataFrame:
        """The training table of a target: decision_at, due_at, known_at, y, features."""
        from mlcore.operations.tables import dataset_frame

        return dataset_frame(self.home, target, symbol, timeframe)

    def freshness(self, symbol: str, timeframe: str) -> Freshness:
        """Whether the newest bar is the one that should be there, in words."""
        from mlcore.live.calls import freshness

        return freshness(self.home.store, symbol, timeframe, self.home.now())

    def preview(self, path: Path | str | Sequence[Path | str], **options: Any) -> Any:
        """What an import of one or several files would read, and what it would have to ask."""
        from mlcore.market.sources import preview

        return preview(path, settings=self.settings, **options)

    def ingest(
        self, paths: Sequence[Path | str] | Path | str, *, symbol: str,
        timeframe: str | None = None, timezone: str | None = None, stamp: str | None = None,
        market: str | None = None, columns: Mapping[str, str] | str | None = None, **choices: Any,
    ) -> Any:  # fmt: skip
        """Import files of one symbol, all or nothing; `choices` as `importing.ingest` has them."""
        from mlcore.operations.importing import ingest, parse_columns

        files = [paths] if isinstance(paths, str | Path) else list(paths)
        return ingest(
            self.home, [Path(p) for p in files], symbol=symbol, timeframe=timeframe,
            timezone=timezone, stamp=stamp, market=market,
            columns=parse_columns(columns) if isinstance(columns, str) else columns, **choices,
        )  # fmt: skip

    def ingest_each(self, paths: Sequence[Path | str], **options: Any) -> Any:
        """Import many files, each under the symbol its name tells: an iterator of reports."""
        from mlcore.operations.importing import ingest_each, parse_columns

        columns = options.get("columns")
        if isinstance(columns, str):
            options = options | {"columns": parse_columns(columns)}
        return ingest_each(self.home, [Path(p) for p in paths], **options)

    def imports(self, limit: int = 50) -> pd.DataFrame:
        """Past imports, newest first."""
        return self.home.db.frame("SELECT * FROM imports ORDER BY id DESC LIMIT ?", (limit,))

    def demo(
        self, *, if_empty: bool = False, in_background: bool = False, bars_only: bool = False
    ) -> dict[str, Any]:
        """Demo markets; trained and promoted in SIMULATED slots only."""
        from mlcore.operations.demo import make_bars, make_demo
        from mlcore.operations.work import start_job

        if bars_only:
            return {"bars": make_bars(self.home)}
        later = partial(start_job, self.home, "demo", {}) if in_background else None
        return make_demo(self.home, if_empty=if_empty, train_later=later)

    # --- calls ----------------------------------------------------------------------------
    def tick(self) -> dict[str, Any]:
        """Log a call for every open decision that has none."""
        from mlcore.operations.shadowing import tick

        return tick(self.home)

    def settle(self) -> dict[str, Any]:
        """Attach outcomes to the calls that are due."""
        from mlcore.operations.shadowing import settle

        return settle(self.home)

    def replay(self, slot: str | None, days: int) -> dict[str, Any]:
        """Answer past days by fold models that could not have known them."""
        from mlcore.operations.shadowing import replay_all

        return replay_all(self.home, slot, days)

    def start_replay(self, slot: str, days: int) -> str:
        """Start a replay of a slot in a child; its job id."""
        from mlcore.operations.work import start_job

        return start_job(self.home, "replay", {"slot": slot, "days": days})

    def calls(self) -> list[Call]:
        """Logged calls of the present trading day, or of the last one there is."""
        from mlcore.live.calls import read_calls

        return read_calls(self.home.log, self.home.now())

    def settled(self, hours: float = 36.0) -> list[Call]:
        """Calls whose time was due within the last hours, with their outcomes."""
        from mlcore.live.calls import read_settled

        return read_settled(self.home.log, self.home.now(), hours)

    def log_mark(self) -> tuple[int, int]:
        """Last sequence of predictions and of outcomes: what was read before it is still true."""
        return self.home.log.head("predictions")[0], self.home.log.head("outcomes")[0]

    def next_decisions(self, n: int = 4) -> list[dict[str, Any]]:
        """The next instants at which something is decided or due."""
        from mlcore.live.calls import next_decisions

        return next_decisions(self.home.store, self.settings, self.home.now(), n)

    def predict(
        self, symbol: str, timeframe: str, *, target: str | None = None, at: Any = None
    ) -> Any:
        """The latest call, in the log before it is returned."""
        from mlcore.operations.answering import predict

        return predict(self.home, symbol, timeframe, target=target, at=_instant(at))

    def explain(self, symbol: str, timeframe: str, *, target: str | None = None) -> dict[str, Any]:
        """Every input's share in the latest call."""
        from mlcore.operations.answering import explain

        return explain(self.home, symbol, timeframe, target=target)

    def explain_call(self, prediction_id: str) -> dict[str, Any]:
        """Every input's share in a logged call, from the inputs that were logged."""
        from mlcore.operations.answering import explain_call

        return explain_call(self.home, prediction_id)

    def report(self, slot: str, mode: str = "live") -> dict[str, Any]:
        """The log of a slot against outcomes and baselines, by due time; modes never pooled."""
        from mlcore.live.monitor import report

        return report(self.home.log, Slot.parse(slot), mode, self.settings, self.home.now())

    def log(
        self, *, slot: str | None = None, symbol: str | None = None, mode: str | None = None,
        limit: int = 200,
    ) -> pd.DataFrame:  # fmt: skip
        """Rows of the shadow log with their outcomes, newest first."""
        frame = self.home.log.frame(slot=slot, mode=mode)
        if symbol is not None:
            frame = frame[frame["symbol"] == symbol]
        return frame.sort_values("decision_at", ascending=False).head(limit)

    # --- models ---------------------------------------------------------------------------
    def slots(self) -> pd.DataFrame:
        """Slots that have a version or bars to answer: slot, version, role."""
        from mlcore.operations.shadowing import active_slots

        return active_slots(self.home)

    def models(self, slot: str | None = None, *, archived: bool = False) -> pd.DataFrame:
        """Versions with verdict and role."""
        versions = self.home.registry.versions(None if slot is None else Slot.parse(slot))
        return versions if archived else versions[~versions["archived"].astype(bool)]

    def card(self, slot: str, version: str = "champion") -> dict[str, Any]:
        """A version's card."""
        return self.home.registry.card(Slot.parse(slot), version)

    def promote(self, slot: str, version: str, reason: str) -> dict[str, Any]:
        """Make a version (or the `newest`) the champion; only a missing certificate refuses."""
        where = Slot.parse(slot)
        if version == "newest":
            version = self.home.registry.newest(where)
        self.home.registry.promote(where, version, reason, actor="person")
        return {"slot": slot, "champion": version, "reason": reason}

    def roll_back(self, slot: str, reason: str) -> dict[str, Any]:
        """Make the previous champion the champion again."""
        where = Slot.parse(slot)
        self.home.registry.roll_back(where, reason, actor="person")
        return {"slot": slot, "champion": self.home.registry.champion(where), "reason": reason}

    def archive(
        self, slot: str, version: str | None, reason: str, *, keep_best: int | None = None
    ) -> dict[str, Any]:
        """Take a version, or all but the best, out of the lists; never the champion."""
        if (version is None) == (keep_best is None):
            raise UsageError(
                "Archiving names one version, or how many of the best are kept – "
                f"{'both' if version else 'neither'} was given – write VERSION or --keep-best N.",
                code="E_USAGE_ARCHIVE",
            )
        where, registry = Slot.parse(slot), self.home.registry
        if keep_best is not None:
            done = registry.keep_best(where, keep_best, reason, actor="person")
            return {"slot": slot, "archived": done, "kept": keep_best, "reason": reason}
        registry.archive(where, str(version), reason, actor="person")
        return {"slot": slot, "archived": version, "reason": reason}

    def history(self, slot: str) -> pd.DataFrame:
        """Promotions, roll-backs and archivings of a slot."""
        return self.home.registry.history(Slot.parse(slot))

    def compare(self, slot: str, a: str, b: str) -> dict[str, Any]:
        """Two versions side by side: what differs in specification and scores."""
        from mlcore.operations.retraining import compare

        return compare(self.home, slot, a, b)

    # --- work -----------------------------------------------------------------------------
    def readiness(
        self, target: str, symbol: str, timeframe: str, model: str = "lightgbm",
        walk_forward: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """What a training run would have to work with, before it starts."""
        from mlcore.operations.retraining import readiness

        return readiness(self.home, target, symbol, timeframe, model, walk_forward)

    def train(self, target: str, **options: Any) -> str:
        """Start a training run in a child; its job id."""
        from mlcore.operations.work import start_job

        return start_job(self.home, "train", {"target": target, **options})

    def train_now(
        self, target: str, *, progress: Progress | None = None, **options: Any
    ) -> dict[str, Any]:
        """Train in this process; what the run made."""
        from mlcore.operations.retraining import run_training

        arguments = {"target": target, **{k: v for k, v in options.items() if v is not None}}
        return run_training(self.home, arguments, progress=progress)

    def retrain(self, slot: str) -> str:
        """Start a challenger for a slot in a child; its job id."""
        from mlcore.operations.work import start_job

        return start_job(self.home, "retrain", {"slot": slot})

    def retrain_now(self, slot: str, *, progress: Progress | None = None) -> dict[str, Any]:
        """Train a challenger in this process."""
        from mlcore.operations.retraining import run_retraining

        return run_retraining(self.home, slot, progress=progress)

    def prove(
        self, symbol: str, timeframe: str, *, target: str | None = None,
        feature_set: str | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """Run the leak prover; the report, findings included."""
        from mlcore.operations.retraining import run_proof

        asked = {"symbol": symbol, "timeframe": timeframe, "target": target, "set": feature_set}
        return run_proof(self.home, {k: v for k, v in asked.items() if v is not None})

    def job(self, job_id: str) -> Job:
        """A job's row."""
        return self.home.jobs.get(job_id)

    def jobs(self, n: int = 20) -> list[Job]:
        """The newest jobs."""
        return self.home.jobs.recent(n)

    def job_events(self, job_id: str, after: int = 0) -> list[dict[str, Any]]:
        """A job's progress after an event number."""
        return self.home.jobs.events(job_id, after)

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop."""
        return self.home.jobs.cancel(job_id)

    def runs(self, n: int = 20) -> pd.DataFrame:
        """Past training runs, failed ones included, newest first."""
        return self.home.db.frame("SELECT * FROM runs ORDER BY started_at DESC LIMIT ?", (n,))

    def beat(self) -> None:
        """Say that somebody looks, and start the watch where none runs."""
        from mlcore.operations.watch import beat
        from mlcore.operations.work import start_watch

        beat(self.home)
        start_watch(self.home)

    def health(self) -> dict[str, Any]:
        """What runs, what is stale, what waits."""
        from mlcore.operations.checks import health

        return health(self.home)

    def verify(self) -> dict[str, Any]:
        """Hash-check lake, log and registry."""
        from mlcore.operations.checks import verify

        return verify(self.home)

    def export(self, folder: Path | str) -> dict[str, Any]:
        """The log as Parquet, with the chain's head sealed beside it."""
        from mlcore.operations.checks import export_log

        return export_log(self.home, Path(folder))
