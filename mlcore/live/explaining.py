"""Every input's share in a logged call: from its own inputs, by the version that made it.

The inputs are the logged ones, so that a restated bar changes no explanation.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mlcore.errors import RegistryError, UsageError
from mlcore.live.draft import Prediction
from mlcore.live.reasons import reasons_from
from mlcore.live.versions import LoadedVersions
from mlcore.models.fitted import Fitted
from mlcore.samples.labels import label
from mlcore.schema import Slot

__all__ = ["every_reason"]


def every_reason(call: Prediction, versions: LoadedVersions) -> tuple[dict[str, Any], ...]:
    """Rows of text, points, input and value that add up to what the logged reasons add up to.

    Raises
    ------
    UsageError
        The rule answered: it has no inputs (E_EXPLAIN_NO_MODEL).
    RegistryError
        The version that answered cannot be loaded any more (E_EXPLAIN_NO_VERSION).
    """
    if call.role == "baseline":
        raise UsageError(
            f"An explanation needs a call by a model – the rule answered {call.slot} – train a "
            "model and promote it.",
            code="E_EXPLAIN_NO_MODEL",
        )
    loaded = versions.get(Slot.parse(call.slot), call.version, call.role)
    if loaded.package is None or loaded.who.feature_hash != call.feature_hash:
        raise RegistryError(
            "A call is explained by the version that made it – "
            f"{loaded.why or f'{call.version} reads other inputs than were logged'} – restore its "
            "folder from a copy.",
            code="E_EXPLAIN_NO_VERSION",
        )
    fitted = loaded.package.folds[call.fold] if call.replay else loaded.package.shipped
    inputs = np.array([call.features], dtype=np.float64)
    question = label(Slot.parse(call.slot).label)
    gap = sum(float(reason["points"]) for reason in call.reasons)
    (reasons,) = reasons_from(
        loaded.who.features, inputs, _contributions(fitted, inputs, call.answer), np.array([gap]),
        label=question.base, regression=question.task == "regression", listed=inputs.shape[1],
        least=0.0,
    )  # fmt: skip
    return reasons


def _contributions(fitted: Fitted, inputs: np.ndarray, answer: str | None) -> np.ndarray | None:
    if fitted.model.task == "regression" or answer is None:
        return fitted.model.contributions(inputs)
    return fitted.model.contributions(inputs, toward=answer)
