"""Why a call is what it is: native contributions, put into words with their values.

Reasons start at the best baseline and add up to the call. What *is* the baseline (for the first
break: where the close stands in the range) is never listed as a reason; its share, and that of
all inputs too small to list, stands in the last row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mlcore.features.base import catalogue

__all__ = ["BASELINE_INPUTS", "put_into_words", "reasons_from"]

LISTED = 4
LEAST = 0.005
START = "Where the model starts from, against the baseline"
START_OWN = "How the model weighs what the baseline is made of, against the baseline"
BASELINE_INPUTS = {
    "orb_direction": frozenset({"close_position"}),
}
"""Per target, the inputs from which its baseline is made."""


def put_into_words(name: str, value: float) -> str:
    """An input and its value as an analyst would say it: `Range size against daily ATR 0.41`."""
    known = catalogue().get(name)
    text = (known.doc.rstrip(".") if known else name.replace("_", " ")) or name
    if not np.isfinite(value):
        return f"{text}: missing"
    unit = known.unit if known else ""
    shown = f"{value:,.2f}" if abs(value) < 1000 else f"{value:,.0f}"
    shown = shown.replace("-", "\u2212")
    return f"{text}: {shown}" + (" R" if unit == "R" else " %" if unit in ("percent", "%") else "")


def _slope(start: np.ndarray, margin: np.ndarray) -> np.ndarray:
    """Points of probability per unit of log odds, between the start and the call."""
    low, high = 1 / (1 + np.exp(-start)), 1 / (1 + np.exp(-margin))
    gap = margin - start
    flat = np.abs(gap) < 1e-9
    slope = np.where(flat, high * (1 - high), (high - low) / np.where(flat, 1.0, gap))
    return np.asarray(100.0 * slope)


def reasons_from(
    names: Sequence[str],
    inputs: np.ndarray,
    contributions: np.ndarray | None,
    difference: np.ndarray,
    *,
    label: str,
    regression: bool,
    listed: int = LISTED,
    least: float = LEAST,
) -> list[tuple[dict[str, Any], ...]]:
    """Reasons of many calls: per call rows of text, points, input and value.

    Parameters
    ----------
    names, inputs
        Input names and values (n, f).
    contributions
        (n, f + 1) parts of the margin toward the called class, the last column the start.
    difference
        (n,) call less baseline: percentage points, or R for a regression. The rows of a call
        add up to it.
    listed, least
        The most inputs that a call lists, and the smallest share that is listed.
    """
    if contributions is None:
        text = "the model says no more than its number"
        return [({"text": text, "points": float(d)},) for d in np.nan_to_num(difference)]
    parts, start = contributions[:, :-1], contributions[:, -1]
    scale = np.ones(len(parts)) if regression else _slope(start, start + parts.sum(axis=1))
    points = parts * scale[:, None]
    own = [i for i, n in enumerate(names) if n in BASELINE_INPUTS.get(label, frozenset())]
    sized = np.abs(points)
    sized[:, own] = -1.0
    top = np.argsort(-sized, axis=1, kind="stable")[:, :listed]
    return [
        _rows(names, inputs[i], points[i], top[i], own, float(difference[i]), least)
        for i in range(len(parts))
    ]


def _rows(
    names: Sequence[str], values: np.ndarray, points: np.ndarray, top: np.ndarray,
    own: list[int], total: float, least: float,
) -> tuple[dict[str, Any], ...]:  # fmt: skip
    """Listed inputs, all others together, and what the model starts from against the baseline."""
    kept = [int(j) for j in top if abs(points[j]) >= least and int(j) not in own]
    said: list[dict[str, Any]] = [
        {"text": put_into_words(names[j], float(values[j])), "points": float(points[j]),
         "input": names[j], "value": float(values[j]) if np.isfinite(values[j]) else None}
        for j in kept
    ]  # fmt: skip
    listed = sum(float(points[j]) for j in kept)
    others = float(points.sum()) - listed - sum(float(points[j]) for j in own)
    count = len(names) - len(kept) - len(own)
    told = count > 0 and abs(others) >= LEAST
    if told:
        said.append({"text": f"{count} other inputs", "points": others})
    start = total - listed - (others if told else 0.0)
    return (*said, {"text": START_OWN if own else START, "points": start})
