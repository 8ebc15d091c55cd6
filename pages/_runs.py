"""A training run as its events tell it: progress, folds, loss and log. Pure: events in, parts out.

No verdict is drawn here: a look before the last fold is not a test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pandas as pd
import plotly.graph_objects as go

from pages import _charts, _parts
from pages._cards import MEASURES, baseline_title, fold_frame, live_verdict
from pages._format import Html, moment, thousands

__all__ = ["RunView", "folds_figure", "log_text", "loss_figure", "pooled_bar", "progress"]

_BORN: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _date(day: int) -> str:
    return f"{_BORN + timedelta(days=int(day)):%Y-%m-%d}"


@dataclass
class RunView:
    """What a run has told so far; `read` takes what is new, so that nothing is parsed twice."""

    seq: int = 0
    stage: str = ""
    stage_at: int | None = None
    folds: list[Mapping[str, Any]] = field(default_factory=list)
    loss: Mapping[str, Any] | None = None
    log: list[tuple[int, str, str]] = field(default_factory=list)
    _said: set[str] = field(default_factory=set)

    def read(self, events: Iterable[Mapping[str, Any]]) -> RunView:
        """Take in new events, oldest first: seq, at (int64 ns), kind, payload."""
        for event in events:
            self.seq = int(event["seq"])
            self._take(str(event["kind"]), event["payload"], int(event["at"]))
        return self

    def _take(self, kind: str, payload: Mapping[str, Any], at: int) -> None:
        if kind == "fold":
            self.folds.append(payload)
            self.log.append((at, f"fold {payload['index'] + 1}", _fold_line(payload)))
        elif kind == "loss":
            self.loss = payload
        else:
            text = str(payload.get("text", ""))
            if kind == "stage":
                self.stage, self.stage_at = text, at
            if text not in self._said:  # a note that every fold repeats is said once
                self.log.append((at, kind, text))
            self._said.add(text)

    @property
    def total(self) -> int:
        """Folds planned; 0 before the first one has said so."""
        return int(self.folds[-1]["total"]) if self.folds else 0

    @property
    def is_whole(self) -> bool:
        """Whether the last fold is in."""
        return bool(self.total) and len(self.folds) == self.total


def _fold_line(fold: Mapping[str, Any]) -> str:
    measure = MEASURES[fold["measure"]][1]
    if fold["difference"] is None:
        return f"done   too few outcomes for a figure   n {fold['n']}"
    against = baseline_title(fold["baseline"])
    return (
        f"done   {measure.figure(fold['difference'])} {measure.unit} vs {against}   n {fold['n']}"
    )


def progress(view: RunView, started: int | None, now: int) -> Html:
    """The bar with the fold at hand, its dates, and the time gone and left."""
    gone = None if started is None else max(0.0, (now - started) / 1e9)
    if not view.folds:
        return _before_folds(view.stage or "starting a process of its own", gone)
    done, total, last = len(view.folds), view.total, view.folds[-1]
    dates = f"tested {_date(last['test_start'])} … {_date(last['test_end'])}"
    stage = view.stage if view.is_whole else "fitting the next"
    return _parts.progress_track(
        done, total, stage=stage, dates=dates, gone=gone, left=_left(view, now)
    )


def _before_folds(stage: str, gone: float | None) -> Html:
    """The bar while rows are built and proved: no fold to count yet."""
    spent = "" if gone is None else f"{_parts.duration(gone)} gone"
    return Html(
        '<div class="or"><div class="or-progress" role="progressbar" aria-label="Preparing">'
        '</div><div class="or-spread"><span><b>Preparing</b><span class="or-muted"> · '
        f'{_parts.safe(stage)}</span></span><span class="or-muted">{spent}</span></div></div>'
    )


def _left(view: RunView, now: int) -> float | None:
    """Seconds left at the pace of the folds so far."""
    if view.is_whole or view.stage_at is None:
        return None
    pace = (now - view.stage_at) / 1e9 / len(view.folds)
    return max(0.0, pace * (view.total - len(view.folds)))


def folds_figure(view: RunView, worth: Mapping[str, float], *, height: int = 270) -> go.Figure:
    """Every fold against the best baseline, and what all of them say so far."""
    if not view.folds:
        return _charts.empty_figure("The first fold is still being fitted.", height)
    name = view.folds[-1]["measure"]
    return _charts.fold_chart(
        fold_frame(view.folds), total=view.total, worth=worth[name], measure=MEASURES[name][1],
        height=height,
    )  # fmt: skip


def pooled_bar(view: RunView, worth: Mapping[str, float]) -> Html:
    """All folds so far in one bar, in brand colour: no verdict before the last fold."""
    if not view.folds:
        return _parts.note("No fold has been tested yet.")
    last = view.folds[-1]
    title, measure = MEASURES[last["measure"]]
    bar = _parts.evidence_bar(
        live_verdict(last, worth[last["measure"]]), title, measure=measure,
        baseline=baseline_title(last["baseline"]), axis=True, brief=False,
    )  # fmt: skip
    said = f"No verdict before fold {thousands(view.total)}: a look in between is not a test."
    return _parts.stack([bar, _parts.note(said)])


def loss_figure(view: RunView, *, height: int = 210) -> go.Figure:
    """Loss by boosting round of the newest fold that has any."""
    curve = view.loss
    if curve is None or not curve.get("train"):
        waits = "The first fold is still being fitted."
        text = "This model tells no loss by round." if view.folds else waits
        return _charts.empty_figure(text, height)
    train: Sequence[float] = curve["train"]
    known = curve.get("valid") or []
    rounds = pd.DataFrame(
        {
            "round": range(1, len(train) + 1),
            "train": train,
            "validation": pd.Series(known, dtype="float64").reindex(range(len(train))).to_numpy(),
        }
    )
    return _charts.loss_chart(rounds, kept=curve.get("kept"), height=height)


def log_text(view: RunView, *, most: int = 200) -> str:
    """The log, newest line first: time in UTC, what, and what it says."""
    newest = view.log[: -most - 1 : -1]
    return "\n".join(
        f"{moment(_BORN + timedelta(microseconds=at // 1000), seconds=True, day=False)}  "
        f"{what:<9} {text}"
        for at, what, text in newest
    )
