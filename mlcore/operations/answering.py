"""Ask now: the engine answers, the log records, and only then is it said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from mlcore.errors import UsageError
from mlcore.live.draft import Recommendation
from mlcore.live.explaining import every_reason
from mlcore.operations.home import Home
from mlcore.samples.labels import label
from mlcore.schema import Slot

__all__ = ["explain", "explain_call", "predict"]


def predict(
    home: Home, symbol: str, timeframe: str, *, target: str | None, at: int | None
) -> Recommendation:
    """The latest recommendation, or one target's part of it, logged before it is returned."""
    engine = home.engine
    said = engine.recommend(symbol, timeframe, at)
    if target is not None:
        slot = Slot(label(target).name, symbol, timeframe)
        calls = engine.answer(slot, at)
        said = engine.recommendation(calls) if calls else engine.silent(symbol, timeframe)
    logged = tuple(home.log.record_many(list(said.calls)))
    return replace(said, calls=logged)


def explain(home: Home, symbol: str, timeframe: str, *, target: str | None) -> dict[str, Any]:
    """Every input's share in the latest call of a slot.

    Raises
    ------
    UsageError
        No decision has been taken yet, or no model answers the slot.
    """
    default = "signal" if timeframe == "1d" else "orb_direction"
    slot = Slot(label(target or default).name, symbol, timeframe)
    calls = home.engine.answer(slot, listed=10_000)
    if not calls or calls[0].role == "baseline":
        raise UsageError(
            f"An explanation needs a call by a model – {slot} has none – train a model and "
            "promote it.",
            code="E_EXPLAIN_NO_MODEL",
        )
    home.log.record_many(calls)
    call = calls[0]
    return {
        "slot": str(slot), "item": call.item, "answer": call.answer, "value": call.value,
        "probabilities": dict(call.probabilities), "baselines": dict(call.baselines),
        "reasons": [dict(r) for r in call.reasons],
    }  # fmt: skip


def explain_call(home: Home, prediction_id: str) -> dict[str, Any]:
    """Every input's share in a call of the log, computed from the inputs that were logged.

    Raises
    ------
    LogError
        The log holds no such call.
    UsageError, RegistryError
        No model made it, or its version cannot be loaded.
    """
    call = home.log.get(prediction_id)
    reasons = every_reason(call, home.engine.versions)
    return {
        "id": call.id, "slot": call.slot, "version": call.version, "item": call.item,
        "side": call.side, "answer": call.answer, "value": call.value,
        "probabilities": dict(call.probabilities), "reasons": [dict(r) for r in reasons],
    }  # fmt: skip
