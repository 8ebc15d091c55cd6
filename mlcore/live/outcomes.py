"""What came of a call: computed from the bars readable now, never from what was predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, NAT
from mlcore.config import Settings
from mlcore.live.draft import Outcome, Prediction
from mlcore.market.bars import BarStore
from mlcore.samples.decisions import decisions
from mlcore.samples.labels import label
from mlcore.schema import Slot, timeframe_width

__all__ = ["outcomes_of", "reach"]

BROKE = {1: "UP", -1: "DOWN", 0: "NONE", 2: "AMBIGUOUS"}


def reach(timeframe: str) -> int:
    """How long before its decision a bar may lie that a call's outcome reads, in nanoseconds."""
    # a signal's barriers need a thousand bars before it, a range the day that it opens
    return max(1200 * timeframe_width(timeframe) * 2, 10 * DAY)


def outcomes_of(
    store: BarStore, slot: Slot, predictions: Sequence[Prediction], settings: Settings
) -> list[Outcome]:
    """Outcomes of one slot's predictions; those whose bars are not there yet are left out."""
    question = label(slot.label)
    market = store.market_of(slot.symbol)
    first = min(p.decision_at for p in predictions)
    bars = store.read(slot.symbol, slot.timeframe, start=first - reach(slot.timeframe))
    finer = store.finer(slot.symbol, slot.timeframe)
    frame = decisions(bars, market, question, orb=settings.orb, finer=finer)
    snapshot = store.pin(slot.symbol, slot.timeframe)
    settled = frame[frame["settled"].to_numpy(bool)]
    keys = pd.MultiIndex.from_arrays([settled["item"], settled["side"], settled["decision_at"]])
    asked = pd.MultiIndex.from_tuples([(p.item, p.side, p.decision_at) for p in predictions])
    where = keys.get_indexer(asked)
    records = [{str(k): v for k, v in row.items()} for row in settled.to_dict("records")]
    return [
        _outcome(prediction, records[i], question.classes, snapshot)
        for prediction, i in zip(predictions, where.tolist(), strict=True)
        if i >= 0
    ]


def _number(row: dict[str, Any], name: str) -> float | None:
    value = row.get(name, np.nan)
    return None if value is None or not np.isfinite(value) else float(value)


def _answer(row: dict[str, Any], classes: tuple[str, ...]) -> str | None:
    y = _number(row, "y")
    if y is not None and classes:
        return classes[int(y)]
    broke = _number(row, "broke")
    return BROKE.get(int(broke)) if broke is not None and row["side"] == 0 else None


def _outcome(
    prediction: Prediction, row: dict[str, Any], classes: tuple[str, ...], snapshot: int | None
) -> Outcome:
    known, broke = row.get("known_at", NAT), _number(row, "broke")
    return Outcome(
        prediction_id=prediction.id,
        y=_number(row, "y"),
        known_at=None if known is None or known == NAT else int(known),
        answer=_answer(row, classes),
        broke=None if broke is None else int(broke),
        r_gross=_number(row, "r_gross"),
        r_taken=_number(row, "r_taken"),
        mfe=_number(row, "mfe"),
        mae=_number(row, "mae"),
        exit_reason=row.get("exit_reason") or None,
        snapshot=snapshot,
    )
