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
from mlcore.samples.dataset import rows_at, window_bars
from mlcore.samples.labels import label
from mlcore.schema import Slot, timeframe_width

__all__ = ["outcomes_of"]

BROKE = {1: "UP", -1: "DOWN", 0: "NONE", 2: "AMBIGUOUS"}


def outcomes_of(
    store: BarStore, slot: Slot, predictions: Sequence[Prediction], settings: Settings
) -> list[Outcome]:
    """Outcomes of one slot's predictions; those whose bars are not there yet are left out."""
    question = label(slot.label)
    market = store.market_of(slot.symbol)
    need = max(window_bars(question, (), market, slot.timeframe), 50)
    first = min(p.decision_at for p in predictions)
    start = first - max(3 * need * timeframe_width(slot.timeframe), 3 * DAY)
    bars = store.read(slot.symbol, slot.timeframe, start=start)
    rows = rows_at(bars, market, question, features=(), settings_orb=settings.orb)
    snapshot = store.last(slot.symbol, slot.timeframe)[2]
    settled = rows.frame[rows.frame["settled"].to_numpy(bool)]
    keys = pd.MultiIndex.from_arrays([settled["item"], settled["side"], settled["decision_at"]])
    asked = pd.MultiIndex.from_tuples([(p.item, p.side, p.decision_at) for p in predictions])
    where = keys.get_indexer(asked)
    records = settled.to_dict("records")
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
