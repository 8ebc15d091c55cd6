"""The words of a quality report: findings, checks, coverage, and the report itself as values."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

__all__ = [
    "MOST_FINDINGS",
    "Check",
    "Coverage",
    "Finding",
    "Report",
    "Status",
    "at_most",
    "counted",
]

Array = np.ndarray[Any, Any]
Status = Literal["ok", "look", "bad"]
MOST_FINDINGS = 10
"""Rows that a check names, the worst first."""


def _iso(instant: int | None) -> str | None:
    return None if instant is None else pd.Timestamp(instant, unit="ns", tz="UTC").isoformat()


@dataclass(frozen=True)
class Finding:
    """One place in the bars: its instant (int64 ns), what is there, and where it ends."""

    at: int
    what: str
    until: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Readable instants, JSON-ready."""
        return {"at": _iso(self.at), "until": _iso(self.until), "what": self.what}


@dataclass(frozen=True)
class Check:
    """One question to the bars.

    `n` counts what was found and `share` sets it against all (None where that says nothing);
    `rule` is the whole rule in one sentence, `words` what was found, `worst` the worst places.
    """

    name: str
    title: str
    status: Status
    n: int
    share: float | None
    rule: str
    words: str
    worst: tuple[Finding, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; a share that is not a number is null."""
        shown = {k: getattr(self, k) for k in ("name", "title", "status", "n", "share", "rule",
                                               "words")}  # fmt: skip
        return {**shown, "worst": [one.as_dict() for one in self.worst]}


@dataclass(frozen=True)
class Coverage:
    """What the calendar expects and what is there.

    Attributes
    ----------
    days
        One row per day (week, month for longer bars) between the first bar and the last that the
        calendar expects: `day` datetime64[s], `expected` and `present` bars, int.
    gaps
        One row per hole, the longest first: `start`, `end` (int64 ns), `missing` bars, `note`.
    pause
        A daily pause of the feed that the calendar does not know, in words; "" for none.
    often
        The time of day that is missing most often, in words; "" for none.
    """

    expected: int
    present: int
    days: pd.DataFrame
    gaps: pd.DataFrame
    outside: Array
    closed: Array
    pause: str = ""
    often: str = ""

    @property
    def missing(self) -> int:
        """Expected bars that are not there."""
        return self.expected - self.present

    @property
    def missing_share(self) -> float:
        """Missing bars over expected ones."""
        return self.missing / self.expected if self.expected else 0.0


@dataclass(frozen=True)
class Report:
    """Every check of one symbol and timeframe, in reading order, with the coverage behind them."""

    symbol: str
    timeframe: str
    rows: int
    first: int
    last: int
    checks: tuple[Check, ...]
    coverage: Coverage = field(repr=False)

    def __getitem__(self, name: str) -> Check:
        """The check called `name`."""
        return next(check for check in self.checks if check.name == name)


def counted(n: int, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> counted(1, "bar"), counted(2345, "bar")
    ('1 bar', '2,345 bars')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def at_most(where: Array, badness: Array, times: Array, words: Any) -> tuple[Finding, ...]:
    """Findings at the indices `where`, the highest `badness` first; `words(i)` says what."""
    order = np.argsort(-badness, kind="stable")[:MOST_FINDINGS]
    return tuple(Finding(int(times[i]), words(int(i))) for i in where[order])
