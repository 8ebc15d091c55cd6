"""A training table: every settled decision of a label, with its inputs as known when decided."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd

from mlcore.clock import NAT
from mlcore.config import Market, Settings
from mlcore.errors import TooFewBars
from mlcore.features import select
from mlcore.market.sessions import bar_ends
from mlcore.samples.asof import asof
from mlcore.samples.labels import Label
from mlcore.samples.rows import Rows, late_instants, rows_at, rows_in_epochs, window_bars
from mlcore.schema import Bars
from mlcore.statistics import average_uniqueness
from mlcore.trading.finer import Finer

__all__ = ["Dataset", "Rows", "asof", "build_dataset", "rows_at", "window_bars"]

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Dataset:
    """Settled rows of one symbol to learn from and to score; NaN in `y` is a row unlabelled.

    `weight` is the average uniqueness of overlapping labels, 1 where they do not overlap;
    `fingerprint` the SHA-256 of inputs, answers, names and specification.
    """

    X: pd.DataFrame
    y: Array
    decision_at: Array
    due_at: Array
    known_at: Array
    weight: Array
    rows: pd.DataFrame
    fingerprint: str
    snapshot: int | None
    label: Label
    symbol: str
    timeframe: str
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.y)


class Store(Protocol):
    """What a dataset needs of the bar store."""

    def read(
        self, symbol: str, timeframe: str, *, known_at: int | None = None,
        snapshot: int | None = None,
    ) -> Bars: ...  # fmt: skip

    def revision_instants(self, symbol: str, timeframe: str) -> Array: ...

    def market_of(self, symbol: str) -> Market: ...

    def pin(self, symbol: str, timeframe: str) -> int: ...

    def finer(self, symbol: str, timeframe: str, *, snapshot: int | None = None) -> Finer: ...


def build_dataset(
    store: Store,
    symbol: str,
    timeframe: str,
    lab: Label,
    settings: Settings,
    *,
    features: Sequence[str],
    snapshot: int | None = None,
) -> Dataset:
    """Every settled decision of the label with its inputs, as each was known when it was decided.

    Inputs of a decision that precedes a revision use the values before it; answers come from the
    latest revision, and from finer bars where one broke both sides. Rows whose `due_at` lies after
    the data are absent; rows that have settled without an answer (the side that did not break
    first, an ambiguous direction) stay, with NaN.

    Parameters
    ----------
    snapshot
        Of the lake; default the latest.

    Raises
    ------
    TooFewBars
        The bars hold no settled decision.
    UsageError
        An unknown symbol, timeframe or feature.
    """
    names = tuple(f.name for f in select(features))
    pinned = store.pin(symbol, timeframe) if snapshot is None else snapshot
    market, orb = store.market_of(symbol), lab.orb(settings.orb)
    latest = store.read(symbol, timeframe, snapshot=pinned)

    def read(known_at: int) -> Bars:
        return store.read(symbol, timeframe, known_at=known_at, snapshot=pinned)

    instants = np.union1d(store.revision_instants(symbol, timeframe), late_instants(latest))
    finer = store.finer(symbol, timeframe, snapshot=pinned)
    rows = rows_in_epochs(read, latest, market, lab, names, orb, instants, finer)
    rows = rows.take(np.flatnonzero(rows.frame["settled"].to_numpy(dtype=bool)))
    if not len(rows):
        raise TooFewBars(
            f"A dataset needs settled decisions – {symbol} {timeframe} has none of {lab.name} in "
            f"{len(latest)} bars – import more history.",
            code="E_DATASET_EMPTY",
            details={"bars": len(latest), "got": 0},
        )
    frame = rows.frame
    y = frame["y"].to_numpy(dtype=np.float64)
    decided, due, known = (
        frame[c].to_numpy(dtype=np.int64) for c in ("decision_at", "due_at", "known_at")
    )
    spec = json.dumps(
        [symbol, timeframe, lab.name, names, market.model_dump(mode="json"), orb.model_dump()],
        sort_keys=True,
    )
    weight = _weights(lab, decided, due, known, bar_ends(latest, market))
    return Dataset(
        pd.DataFrame(rows.X, columns=list(names)), y, decided, due, known, weight, frame,
        _fingerprint(rows.X, y, spec), pinned, lab, symbol, timeframe, names,
    )  # fmt: skip


def _weights(lab: Label, decided: Array, due: Array, known: Array, ends: Array) -> Array:
    """Average uniqueness of a signal's spans from decision to answer, in bars; else 1."""
    if lab.of_ranges:
        return np.ones(len(decided))
    first = np.searchsorted(ends, decided)
    last = np.searchsorted(ends, np.where(known == NAT, due, known))
    return average_uniqueness(first, np.maximum(last, first + 1))


def _fingerprint(X: Array, y: Array, spec: str) -> str:
    digest = hashlib.sha256(spec.encode())
    digest.update(np.ascontiguousarray(X, dtype="<f8").tobytes())
    digest.update(np.ascontiguousarray(y, dtype="<f8").tobytes())
    return digest.hexdigest()
