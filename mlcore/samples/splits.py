"""Splits over time: whole trading days, purged, each row scored once.

A training row is dropped where its span from decision to due date reaches into the test span; in
a walk-forward an embargo is a gap of whole trading days before it, as nothing is trained on days
that follow a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from mlcore.errors import TooFewBars, UsageError

__all__ = [
    "LEAST_DAYS",
    "Fold",
    "Holdout",
    "Split",
    "Timed",
    "WalkForward",
    "everything",
    "holdout",
    "inner_parts",
    "purge",
]

Index = NDArray[np.int64]
LEAST_DAYS = 20
_LEAST = (60, 10, 5)  # days of training, test and step below which rows are not asked


class Timed(Protocol):
    """What a split reads of a dataset; `rows` has `day` (int) and may have `settled` (bool)."""

    @property
    def decision_at(self) -> Index:
        """Instants of the decisions, int64 ns."""

    @property
    def due_at(self) -> Index:
        """Instants at which the answers are known at the latest, int64 ns."""

    @property
    def rows(self) -> pd.DataFrame:
        """The rows frame."""


class Split(Protocol):
    """Anything that turns a dataset into folds."""

    def split(self, dataset: Timed) -> list[Fold]:
        """The folds, in time order."""

    def describe(self) -> dict[str, Any]:
        """JSON-ready parameters."""


@dataclass(frozen=True)
class Fold:
    """Positions of rows, ascending; `score` is the part of `test` this fold's model answers for.

    `cut` is the latest `due_at` of a training row (int64 ns), `valid` an own block for stopping
    and calibration, None where the training rows hold it.
    """

    index: int
    train: Index
    test: Index
    score: Index
    train_days: tuple[int, ...]
    test_days: tuple[int, ...]
    cut: int
    valid: Index | None = None


@dataclass(frozen=True)
class WalkForward:
    """Train on a window, test on the days after it, step on.

    Sizes are decision rows rounded up to whole trading days (`unit="rows"`), trading days
    (`"days"`), or rows but never less than 60/10/5 days (`"longest"`, the default).
    `embargo` is in trading days. The training window grows from the first day on (`expand`, the
    default: rare edges need rows) until it holds `most` rows, or rolls with its size.
    """

    train: int = 500
    test: int = 100
    step: int = 50
    embargo: int = 0
    expand: bool = True
    most: int = 20_000
    unit: Literal["longest", "rows", "days"] = "longest"

    def __post_init__(self) -> None:
        sizes = (self.train, self.test, self.step)
        if min(sizes) < 1 or self.embargo < 0 or self.unit not in ("longest", "rows", "days"):
            raise UsageError(
                "A walk-forward has sizes of at least 1 in rows or days, and no negative embargo "
                f"– {self.train},{self.test},{self.step} {self.unit}, embargo {self.embargo} was "
                "given – write 500,100,50 or 60d,10d,5d.",
                code="E_SPLIT",
            )

    def split(self, dataset: Timed) -> list[Fold]:
        """Folds in time order; every row after the first training window is scored once.

        The last folds may test fewer rows than asked for, so that no row is left unscored.

        Raises
        ------
        TooFewBars
            The data cannot hold one training window of 20 days or more and one test; `details`
            carry `needed` and `got` in days and rows. Nothing has been fitted then.
        """
        calendar = _Calendar.of(dataset)
        starts = self._starts(calendar)
        folds = []
        for number, start in enumerate(starts):
            end = self._end(calendar, start)
            last = starts[number + 1] if number + 1 < len(starts) else end
            first = self._first(calendar, start)
            if self.expand:
                first = min(first, max(0, calendar.back(start - self.embargo, self.most, 0)))
            span = (first, start - self.embargo, start, end)
            folds.append(_fold(dataset, calendar, number, span, min(last, end)))
        return folds

    def describe(self) -> dict[str, Any]:
        """JSON-ready parameters."""
        return {"kind": "walk_forward", **asdict(self)}

    def _size(self, which: int) -> tuple[int, int]:
        """Rows and days that the training window, test or step must both reach."""
        size = (self.train, self.test, self.step)[which]
        if self.unit == "days":
            return 0, size
        return size, _LEAST[which] if self.unit == "longest" else 1

    def _first(self, calendar: _Calendar, start: int) -> int:
        """First training day for a test from day `start` on; below 0 where there are too few."""
        rows, days = self._size(0)
        return calendar.back(start - self.embargo, rows, days)

    def _end(self, calendar: _Calendar, start: int) -> int:
        return min(calendar.forward(start, *self._size(1)), calendar.days)

    def _starts(self, calendar: _Calendar) -> list[int]:
        days = range(self.embargo, calendar.days)
        first = next((s for s in days if self._first(calendar, s) >= 0), calendar.days)
        if calendar.forward(first, *self._size(1)) > calendar.days:
            raise self._too_few(calendar)
        starts = []
        while first < calendar.days:
            starts.append(first)
            first = calendar.forward(first, *self._size(2))
        rolled = starts[:1] if self.expand else starts
        shortest = min(s - self.embargo - self._first(calendar, s) for s in rolled)
        if shortest < LEAST_DAYS:
            raise TooFewBars(
                f"A model is trained on at least {LEAST_DAYS} trading days – {self.train} "
                f"{'days' if self.unit == 'days' else 'rows'} are {shortest} here – widen the "
                f"window, for instance to {LEAST_DAYS}d.",
                code="E_TRAIN_DAYS",
                details={"needed": LEAST_DAYS, "got": int(shortest), "unit": "days"},
            )
        return starts

    def _too_few(self, calendar: _Calendar) -> TooFewBars:
        (rows, days), (test_rows, test_days) = self._size(0), self._size(1)
        rate = max(calendar.rows / calendar.days, 1e-9) if calendar.days else 1.0
        train = max(days, LEAST_DAYS, int(np.ceil(rows / rate)))
        test = max(test_days, int(np.ceil(test_rows / rate)))
        needed = max(train + test + self.embargo, calendar.days + 1)
        return TooFewBars(
            f"A walk-forward of {self.train},{self.test},{self.step} "
            f"{'days' if self.unit == 'days' else 'rows'} needs about {needed} trading days here "
            f"– {calendar.days} days with {calendar.rows} decision rows were given – add "
            f"{needed - calendar.days} days of bars, or ask for a shorter window.",
            code="E_TRAIN_TOO_FEW",
            details={
                "needed": needed, "got": calendar.days, "unit": "days", "rows": calendar.rows,
            },
        )  # fmt: skip


@dataclass(frozen=True)
class Holdout:
    """One cut: shares of trading days for training, validation, and a last untouched block."""

    shares: tuple[float, float, float] = (0.6, 0.2, 0.2)
    embargo: int = 0

    def __post_init__(self) -> None:
        if min(self.shares) <= 0 or abs(sum(self.shares) - 1.0) > 1e-9 or self.embargo < 0:
            raise UsageError(
                "Shares of training, validation and test are above 0 and sum to 1 – "
                f"{self.shares} was given – write 0.6, 0.2, 0.2.",
                code="E_SPLIT",
            )

    def split(self, dataset: Timed) -> list[Fold]:
        """One fold; validation stops and calibrates, the test block is looked at once.

        Raises
        ------
        TooFewBars
            Fewer than 20 days of training, or an empty block.
        """
        calendar = _Calendar.of(dataset)
        train = int(np.floor(calendar.days * self.shares[0] + 1e-9))
        valid = train + int(np.floor(calendar.days * self.shares[1] + 1e-9))
        start = valid + self.embargo
        if train < LEAST_DAYS or valid <= train or start >= calendar.days:
            needed = int(np.ceil(LEAST_DAYS / self.shares[0])) + self.embargo
            needed = max(needed, calendar.days + 1)
            raise TooFewBars(
                f"A holdout trains on at least {LEAST_DAYS} trading days, about {needed} in all "
                f"– {calendar.days} were given – add {needed - calendar.days} days of bars.",
                code="E_TRAIN_TOO_FEW",
                details={"needed": needed, "got": calendar.days, "unit": "days"},
            )
        fold = _fold(dataset, calendar, 0, (0, valid, start, calendar.days), calendar.days)
        held = np.isin(calendar.day[fold.train], calendar.names[train:valid])
        learnt = purge(dataset, fold.train[~held], fold.train[held])
        cut = int(np.max(dataset.due_at[np.concatenate([learnt, fold.train[held]])]))
        return [
            Fold(
                0, learnt, fold.test, fold.score, tuple(calendar.names[:train].tolist()),
                fold.test_days, cut, fold.train[held],
            )
        ]  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """JSON-ready parameters."""
        return {"kind": "holdout", "shares": list(self.shares), "embargo": self.embargo}


def holdout(train: float = 60, valid: float = 20, test: float = 20, *, embargo: int = 0) -> Holdout:
    """The preset `train`/`valid`/`test` in percent: 60/20/20, or 70/15/15."""
    total = train + valid + test
    return Holdout((train / total, valid / total, test / total), embargo)


def everything(dataset: Timed) -> Fold:
    """The fold of the shipped fit: all settled rows are training, none is tested."""
    calendar = _Calendar.of(dataset)
    nothing = np.empty(0, dtype=np.int64)
    cut = int(np.max(dataset.due_at[calendar.at])) if len(calendar.at) else 0
    days = tuple(calendar.names.tolist())
    return Fold(-1, calendar.at, nothing, nothing, days, (), cut)


def purge(dataset: Timed, train: Index, test: Index, *, embargo: int = 0) -> Index:
    """Training rows whose span from decision to due date stays clear of the test's span.

    A row due at the very instant of the first test decision overlaps it. Rows decided after the
    test span come back only `embargo` (ns) later.

    References
    ----------
    López de Prado, M. (2018), Advances in Financial Machine Learning, ch. 7.
    """
    if not len(test) or not len(train):
        return train
    start, end = int(dataset.decision_at[test].min()), int(dataset.due_at[test].max())
    before = dataset.due_at[train] < start
    after = dataset.decision_at[train] > end + embargo
    return train[before | after]


def inner_parts(
    dataset: Timed, fold: Fold, shares: Sequence[float] = (0.7, 0.15, 0.15)
) -> tuple[Index, Index, Index]:
    """Rows that fit, that stop and that calibrate: whole trading days in this order, purged.

    Where the fold has its own validation block, its first half stops and its second calibrates.

    Raises
    ------
    TooFewBars
        A part would have no day.
    """
    day = np.asarray(dataset.rows["day"], dtype=np.int64)
    if fold.valid is not None:
        days, middle = np.unique(day[fold.valid]), 0
        borders = [0, len(days) // 2]
        fit, rest = fold.train, fold.valid
    else:
        days = np.unique(day[fold.train])
        middle = max(1, round(len(days) * shares[1])) if shares[1] else 0
        last = max(1, round(len(days) * shares[2])) if shares[2] else 0
        borders = [len(days) - middle - last, len(days) - last]
        fit = rest = fold.train
    place = np.searchsorted(days, day[rest])
    if fold.valid is None:
        fit = rest[place < borders[0]]
    stop = rest[(place >= borders[0]) & (place < borders[1])]
    calibrate = rest[place >= borders[1]]
    if not len(fit) or borders[0] < 0 or (fold.valid is None and borders[0] < 1):
        raise TooFewBars(
            "Fitting, stopping and calibrating each need a trading day – "
            f"{len(days)} days were given – widen the training window.",
            code="E_TRAIN_DAYS",
            details={"needed": 3, "got": len(days), "unit": "days"},
        )
    stop = purge(dataset, stop, calibrate)
    fit = purge(dataset, purge(dataset, fit, stop), calibrate)
    return fit, stop, calibrate


@dataclass(frozen=True)
class _Calendar:
    """Trading days with settled rows: names, rows before each, and the rows themselves."""

    names: Index
    before: Index
    day: Index
    at: Index

    @classmethod
    def of(cls, dataset: Timed) -> _Calendar:
        day = np.asarray(dataset.rows["day"], dtype=np.int64)
        settled = dataset.rows["settled"] if "settled" in dataset.rows else np.ones(len(day), bool)
        at = np.flatnonzero(np.asarray(settled, dtype=bool))
        names, counts = np.unique(day[at], return_counts=True)
        before = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        return cls(names.astype(np.int64), before, day, at.astype(np.int64))

    @property
    def days(self) -> int:
        return len(self.names)

    @property
    def rows(self) -> int:
        return int(self.before[-1])

    def back(self, end: int, rows: int, days: int) -> int:
        """First day of the shortest span before day `end` with both sizes; −1 if there is none."""
        if end < 0 or self.before[end] < rows or end < days:
            return -1
        reach = int(np.searchsorted(self.before, self.before[end] - rows, side="right")) - 1
        return min(reach, end - days)

    def forward(self, start: int, rows: int, days: int) -> int:
        """Day after the shortest span from day `start` on with both sizes; beyond the end: none."""
        if start >= self.days or self.rows - self.before[start] < rows:
            return self.days + 1
        reach = int(np.searchsorted(self.before, self.before[start] + rows, side="left"))
        return max(reach, start + days)

    def positions(self, first: int, last: int) -> Index:
        """Rows of the days [first, last)."""
        inside = np.isin(self.day[self.at], self.names[first:last])
        return self.at[inside]


def _fold(
    dataset: Timed, calendar: _Calendar, index: int, span: tuple[int, int, int, int], last: int
) -> Fold:
    first, stop, start, end = span
    test = calendar.positions(start, end)
    train = purge(dataset, calendar.positions(first, stop), test)
    return Fold(
        index=index,
        train=train,
        test=test,
        score=calendar.positions(start, last),
        train_days=tuple(calendar.names[first:stop].tolist()),
        test_days=tuple(calendar.names[start:end].tolist()),
        cut=int(dataset.due_at[train].max()) if len(train) else 0,
    )
