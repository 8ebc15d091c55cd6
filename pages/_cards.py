"""Cards, reports and run events in the words and shapes of the parts; nothing is computed here.

Missing numbers arrive as None from JSON and leave as NaN. A verdict's kind and words are those of
the evaluation layer, letter by letter.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from pages._evidence import NET_R, POINTS, SKILL, Measure, evidence_bar
from pages._format import MISSING, Html, number, percent, safe, signed, thousands
from pages._parts import Column, note, small_table, stack

__all__ = [
    "JUDGED_ONCE",
    "MEASURES",
    "Told",
    "baseline_title",
    "calibration_frame",
    "compare_table",
    "fold_frame",
    "headline_bar",
    "headline_sentence",
    "live_verdict",
    "model_title",
    "score_bars",
    "short_version",
    "target_title",
    "told",
    "version_head",
]


@dataclass(frozen=True)
class Told:
    """A verdict as it is drawn; NaN where a figure is missing."""

    kind: str
    words: str
    n: int
    difference: float = math.nan
    low: float = math.nan
    high: float = math.nan
    worth: float = math.nan
    power: float = math.nan
    more: int | None = None


MEASURES: Final[Mapping[str, tuple[str, Measure]]] = {
    "accuracy": ("Accuracy", POINTS),
    "net_r": ("Net R per range", NET_R),
    "skill": ("Mean error saved", SKILL),
}
"""The measure of a verdict → its title and how its figures are written."""

_RAW_ERROR: Final = Measure(unit="R", spoken="R", digits=3, raw="R")
_PLAIN: Final = Measure(unit="", spoken="", digits=4)
_SCORES: Final[Mapping[str, tuple[str, Measure]]] = {
    "accuracy": ("Accuracy", POINTS),
    "balanced_accuracy": ("Balanced accuracy", POINTS),
    "brier": ("Brier score, lower is better", _PLAIN),
    "log_loss": ("Log loss, lower is better", _PLAIN),
    "auc": ("Area under the ROC curve", _PLAIN),
    "net_r": ("Net R per range", NET_R),
    "mae": ("Mean absolute error", _RAW_ERROR),
    "mse": ("Mean squared error", _PLAIN),
}
JUDGED_ONCE: Final = "Shown beside the headline, not judged"
_TARGETS: Final = {
    "orb_direction": "which side breaks first",
    "orb_quality": "does the trade win",
    "orb_r": "net R of the trade",
    "signal": "buy, sell or hold",
}
_MODELS: Final = {"lightgbm": "LightGBM", "logistic": "Logistic", "ridge": "Ridge"}
_BASELINES: Final = {"side_rate": "rate of the side", "mechanical": "mechanical rule"}


def _figure(value: Any) -> float:
    return math.nan if value is None else float(value)


def told(verdict: Mapping[str, Any]) -> Told:
    """A verdict of a card or report, missing figures as NaN."""
    names = ("difference", "low", "high", "worth", "power")
    figures = {name: _figure(verdict.get(name)) for name in names}
    more = verdict.get("more")
    return Told(
        str(verdict["kind"]), str(verdict["words"]), int(verdict["n"]), **figures,
        more=None if more is None else int(more),
    )  # fmt: skip


def live_verdict(event: Mapping[str, Any], worth: float) -> Told:
    """What all folds so far say together; never a verdict."""
    return Told(
        "live", "No verdict before the last fold", int(event["pooled_n"]),
        _figure(event.get("pooled_difference")), _figure(event.get("pooled_low")),
        _figure(event.get("pooled_high")), worth,
    )  # fmt: skip


def baseline_title(name: str | None) -> str:
    """`no_trade` as a person says it: no trade."""
    return _BASELINES.get(name or "", (name or "").replace("_", " "))


def model_title(kind: str | None) -> str:
    """A kind of model as its makers write it."""
    return _MODELS.get(kind or "", (kind or "rule").capitalize())


def target_title(target: str) -> str:
    """`orb_r_close_k3` with what it asks."""
    base = max((t for t in _TARGETS if target.startswith(t)), key=len, default="")
    return f"{target} · {_TARGETS[base]}" if base else target


def short_version(version: str) -> str:
    """The end of a version's name, which tells it from its neighbours."""
    return f"…{version.rpartition('-')[2]}" if "-" in version else version


def version_head(title: str, badges: Iterable[Html]) -> Html:
    """The name of the chosen version, under the page's own head."""
    marks = "".join(safe(mark) for mark in badges)
    return Html(f'<div class="or or-head"><h2>{safe(title)}</h2>{marks}</div>')


def _values(row: Mapping[str, Any]) -> tuple[float, float] | None:
    model, base = row.get("value"), row.get("baseline_value")
    return None if model is None or base is None else (float(model), float(base))


def headline_bar(
    verdict: Told, headline: Mapping[str, Any], *, where: str = "", big: bool = True
) -> Html:
    """The evidence bar of the comparison a verdict rests on."""
    title, measure = MEASURES[headline["measure"]]
    raw = NET_R if headline["measure"] == "skill" else measure
    values = _values(headline)
    same = raw is measure
    return evidence_bar(
        verdict, f"{title}{f', {where}' if where else ''}", measure=measure,
        baseline=baseline_title(headline.get("baseline")), values=values if same else None,
        big=big, axis=big, brief=not big,
    )  # fmt: skip


def headline_sentence(verdict: Told, headline: Mapping[str, Any]) -> str:
    """What was measured, against what, on how many rows, and what could have been seen."""
    if verdict.kind == "few":
        return "No figure is shown before 30 outcomes are known."
    base, pair = baseline_title(headline.get("baseline")), _values(headline)
    said = _HEADLINES[headline["measure"]](*pair, base) if pair else ""
    rows = f"on the same {thousands(verdict.n)} outcomes."
    least = MEASURES[headline["measure"]][1]
    seen = f" A true difference of {least.figure(verdict.worth)} {least.spoken} would have been"
    tail = "" if math.isnan(verdict.power) else f"{seen} seen {percent(verdict.power)} of the time."
    return f"{said} {rows}{tail}".strip()


def _said_accuracy(model: float, base: float, name: str) -> str:
    share = f"It is right {percent(model, 1)} of the time; the baseline {name}"
    return f"{share} {percent(base, 1)},"


def _said_net_r(model: float, base: float, name: str) -> str:
    unit = "R per range after costs"
    return f"It makes {signed(model, 3)} {unit}; the baseline {name} {signed(base, 3)},"


def _said_skill(model: float, base: float, name: str) -> str:
    return f"It errs by {number(model, 3)} R on average; the baseline {name} by {number(base, 3)},"


_HEADLINES: Final = {"accuracy": _said_accuracy, "net_r": _said_net_r, "skill": _said_skill}


def score_bars(scores: Mapping[str, Mapping[str, Any]], skip: str = "") -> list[Html]:
    """A bar for every score of a card but the judged one, in brand colour: these are not judged.

    Scores in the same unit share a scale that holds all their whiskers.
    """
    shown = []
    for name, row in scores.items():
        title, measure = _SCORES.get(name, (name.replace("_", " ").capitalize(), _PLAIN))
        if name != skip:
            shown.append((title, measure, row, _unjudged(row)))
    spans: dict[str, float] = {}
    for title, measure, _, verdict in shown:
        sizes = [abs(x) for x in (verdict.low, verdict.high, verdict.difference)]
        scale = measure.unit or title
        spans[scale] = max(spans.get(scale, 0.0), *(1.15 * x for x in sizes if x == x), 1e-9)
    return [
        evidence_bar(
            verdict, title, measure=measure, baseline=baseline_title(row.get("baseline")),
            values=_values(row), span=spans[measure.unit or title], brief=False,
        )
        for title, measure, row, verdict in shown
    ]  # fmt: skip


def _unjudged(row: Mapping[str, Any]) -> Told:
    return Told(
        "live", JUDGED_ONCE, int(row["n"]), _figure(row.get("difference")),
        _figure(row.get("difference_low")), _figure(row.get("difference_high")),
    )  # fmt: skip


def calibration_frame(calibration: Mapping[str, Any] | None) -> pd.DataFrame:
    """Bins of a calibration curve as `calibration_chart` reads them."""
    rows = [
        {"said": b["stated"], "was": b["seen"], "n": b["n"],
         "low": b.get("seen_low"), "high": b.get("seen_high")}
        for b in (calibration or {}).get("bins", [])
    ]  # fmt: skip
    columns = ["said", "was", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns).astype("float64")


_FOLDS: Final = {
    "difference": "difference",
    "low": "low",
    "high": "high",
    "pooled": "pooled_difference",
    "pooled_low": "pooled_low",
    "pooled_high": "pooled_high",
}


def fold_frame(folds: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Folds of a card, or fold events of a run, as `fold_chart` reads them; folds from 1."""
    done: Sequence[Mapping[str, Any]] = list(folds)
    table: dict[str, list[float]] = {"fold": [int(f["index"]) + 1.0 for f in done]}
    for name, source in _FOLDS.items():
        table[name] = [_figure(f.get(source)) for f in done]
    return pd.DataFrame(table, dtype="float64")


def _pair(row: Mapping[str, Any], measure: Measure) -> str:
    figure = row.get("value")
    raw = f"{number(None if figure is None else figure * measure.factor, measure.digits)}"
    return f"{raw} {measure.raw} · n {thousands(row['n'])}".replace("  ", " ")


def compare_table(comparison: Mapping[str, Any], names: tuple[str, str] | None = None) -> Html:
    """Two versions side by side: verdicts, scores with n, and what differs in how they were made.

    Each stands on rows of its own, so nothing is subtracted here.
    """
    first, second = comparison["verdicts"]
    rows: list[tuple[object, ...]] = [("Verdict", first["words"], second["words"])]
    for name, (a, b) in comparison["scores"].items():
        title, measure = _SCORES.get(name, (name, _PLAIN))
        rows.append((title, _pair(a, measure), _pair(b, measure)))
    for name, (a, b) in comparison["changed"].items():
        rows.append((name.replace("_", " ").capitalize(), _brief(name, a), _brief(name, b)))
    heads = names or tuple(short_version(v) for v in comparison["versions"])
    columns = [Column("")] + [Column(name) for name in heads]
    said = "Each on its own rows: side by side, not paired."
    return stack([small_table(columns, rows), note(said)])


_STAMPS: Final = ("cut", "first_decision")


def _brief(name: str, value: Any) -> str:
    """A value of a specification in a cell: hashes by their first letters, instants as dates."""
    if name in _STAMPS and value is not None:
        return f"{pd.Timestamp(int(value), unit='ns'):%Y-%m-%d %H:%M}"
    text = MISSING if value is None else str(value)
    hashed = name.endswith(("hash", "fingerprint"))
    return f"{text[:8]}…" if hashed and len(text) > 12 else text
