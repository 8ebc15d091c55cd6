"""Tables of runs, versions and logged calls: frames of the hub in, frames to show out. Pure.

Versions of different targets are judged by different measures; each measure has one scale.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from pages import _parts
from pages._cards import (
    MEASURES,
    baseline_title,
    model_title,
    short_version,
    told,
)
from pages._format import dated, number, percent, signed

__all__ = ["Judged", "differing", "evidence", "log_table", "model_table", "run_table", "spans_of"]

Judged = Mapping[str, Any]
"""A verdict as cards and reports carry it, with its measure and baseline."""

_STATES: Final = {
    "running": "● running",
    "queued": "○ queued",
    "done": "✓ done",
    "failed": "× failed",
    "cancelled": "■ stopped",
}
_SIGNS: Final = {"UP": "▲ UP", "DOWN": "▼ DOWN", "BUY": "▲ BUY", "SELL": "▼ SELL"}


def spans_of(verdicts: Iterable[Judged]) -> dict[str, float]:
    """One half-width for the bars of each measure."""
    found = list(verdicts)
    return {
        name: _parts.common_span([told(v) for v in found if v["measure"] == name])
        for name in MEASURES
    }


def evidence(verdict: Judged | None, spans: Mapping[str, float]) -> dict[str, Any]:
    """The cells of a verdict: chip, bar, difference with its unit, n."""
    if verdict is None:
        return {"verdict": [], "evidence": None, "difference": None, "n": None}
    shown, (title, measure) = told(verdict), MEASURES[verdict["measure"]]
    base = baseline_title(verdict.get("baseline"))
    few = _parts.shown_kind(shown) == "few"
    return {
        "verdict": _parts.verdict_chip(shown),
        "evidence": _parts.evidence_svg(
            shown, title, span=spans[verdict["measure"]], measure=measure, baseline=base
        ),
        "difference": None if few else f"{measure.figure(shown.difference)} {measure.unit}",
        "n": shown.n,
    }


def run_table(runs: pd.DataFrame, verdicts: Mapping[tuple[str, str], Judged]) -> pd.DataFrame:
    """Past runs: when, what, state, evidence, and why a failed one failed."""
    spans = spans_of(verdicts.values())
    return _wall([_run_row(run, verdicts, spans) for run in runs.to_dict("records")])


def _run_row(
    run: Mapping[str, Any], verdicts: Mapping[tuple[str, str], Judged], spans: Mapping[str, float]
) -> dict[str, Any]:
    asked = json.loads(run["specification"])
    ended = run["ended_at"]
    known = not _parts.is_missing(ended)
    why = None if _parts.is_missing(run["error"]) else json.loads(run["error"])["message"]
    at = int(run["started_at"])
    return {
        "ended": pd.Timestamp(int(ended), unit="ns", tz="UTC") if known else pd.NaT,
        "run": f"{run['slot']} · {model_title(asked.get('model', 'lightgbm'))}",
        "state": [_STATES.get(run["state"], str(run["state"]))],
        **evidence(verdicts.get((run["slot"], run["version"])), spans),
        "seconds": (int(ended) - at) / 1e9 if known else None,
        "why": None if why is None else why.replace(" – ", ": ", 1),
        "job": run["job_id"],
    }


_FIGURES: Final = {
    "accuracy": lambda x: percent(x, 1),
    "net_r": lambda x: f"{signed(x, 3)} R",
    "skill": lambda x: f"{number(x, 3)} R",
}


def model_table(versions: pd.DataFrame, cards: Sequence[Mapping[str, Any] | None]) -> pd.DataFrame:
    """Versions with what their cards say; a version whose files are damaged has no card."""
    spans = spans_of(card["verdict"] for card in cards if card is not None)
    rows = versions.to_dict("records")
    return _wall([_model_row(*pair, spans) for pair in zip(rows, cards, strict=True)])


def _model_row(
    version: Mapping[str, Any], card: Mapping[str, Any] | None, spans: Mapping[str, float]
) -> dict[str, Any]:
    name = f"{version['slot']} · {model_title(version['model_kind'])}"
    verdict = None if card is None else card["verdict"]
    figures: dict[str, Any] = {}
    if card is not None and verdict is not None and verdict["kind"] != "few":
        said = _FIGURES[verdict["measure"]]
        value, base = verdict.get("value"), verdict.get("baseline_value")
        figures = {
            "value": None if value is None else said(value),
            "baseline": None if base is None else said(base),
            "against": baseline_title(verdict.get("baseline")),
            "ece": (card.get("calibration") or {}).get("ece"),
        }
    facts = {} if card is None else _facts(card)
    return {
        "model": name, **evidence(verdict, spans), **figures, **facts,
        "version": short_version(str(version["version"])), "role": [version["role"]],
        "created": version["created_at"],
    }  # fmt: skip


def _facts(card: Mapping[str, Any]) -> dict[str, Any]:
    """Trials, how the difference went on from fold to fold, and how the model was made."""
    course = [fold.get("pooled_difference") for fold in card["folds"]]
    known = [100 * value for value in course if value is not None]
    made = card["procedure"]
    return {
        "trials": card["trials"]["n"],
        "course": known[:: max(1, len(known) // 30)],
        "inputs": made["features"],
        "windows": "/".join(str(made["windows"].get(k, "")) for k in ("train", "test", "step")),
        "parameters": ", ".join(f"{k} {v}" for k, v in made["params"].items()) or "standard",
        "seed": card["seed"],
    }


def differing(table: pd.DataFrame, keep: Sequence[str]) -> list[str]:
    """Columns to keep, and those of the others whose cells are not all the same."""
    return [
        name for name in table
        if name in keep or table[name].map(lambda cell: str(cell)).nunique() > 1
    ]  # fmt: skip


def log_table(rows: pd.DataFrame, baseline: str | None, now: pd.Timestamp) -> pd.DataFrame:
    """Logged calls beside their outcomes as of `now`, in the order given."""
    return _wall([_log_row(row, baseline, now) for row in rows.to_dict("records")])


def _wall(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a frame; instants as UTC wall clock, as the heads of their columns say."""
    frame = pd.DataFrame(rows)
    aware = frame.select_dtypes("datetimetz").columns
    return frame.assign(**{name: frame[name].dt.tz_convert(None) for name in aware})


def _log_row(row: Mapping[str, Any], baseline: str | None, now: pd.Timestamp) -> dict[str, Any]:
    answer = None if row["abstained"] or _parts.is_missing(row["answer"]) else str(row["answer"])
    stated = (row["baselines"] or {}).get(baseline) if baseline else None
    base = stated.get(answer) if isinstance(stated, Mapping) and answer else None
    said = (row["probabilities"] or {}).get(answer) if answer else None
    value = row["value"]
    return {
        "decided": row["decision_at"],
        "session": _parts.range_title(str(row["session"])) if row["session"] else None,
        "side": {1: "▲ if UP", -1: "▼ if DOWN"}.get(int(row["side"])),
        "call": _call(row, answer),
        "said": None if said is None else 100 * float(said),
        "baseline": None if base is None else 100 * float(base),
        "value": None if _parts.is_missing(value) else float(value),
        "level": row["level"],
        "outcome": _outcome(row, answer, now),
        "r": None if _parts.is_missing(row["r_taken"]) else float(row["r_taken"]),
        "due": row["due_at"],
        "logged": row["logged_at"],
        "version": short_version(str(row["version"])),
    }


def _call(row: Mapping[str, Any], answer: str | None) -> str:
    if row["abstained"]:
        return "— no call"
    if answer is None:
        taken = row["taken"]
        return "—" if _parts.is_missing(taken) else "take it" if taken else "leave it"
    return _SIGNS.get(answer, answer)


def _outcome(row: Mapping[str, Any], answer: str | None, now: pd.Timestamp) -> str:
    """What came of a call, in words: the class with ✓ or ×, the value, or why there is none."""
    if not row["settled"]:
        due = row["due_at"]
        return "due, not settled" if due <= now else f"open until {dated(due, now)} {due:%H:%M}"
    came = row["outcome"]
    if not _parts.is_missing(came):
        mark = "" if answer is None else "✓ " if came == answer else "× "
        return f"{mark}{came}"
    if not _parts.is_missing(row["y"]):
        return signed(float(row["y"]), 2, "R")
    broke = None if _parts.is_missing(row["broke"]) else int(row["broke"])
    return {None: "no outcome", 0: "no break", 2: "both sides in one bar"}.get(broke, "other side")
