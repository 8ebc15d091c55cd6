"""Models: frames in, probabilities or values out.

The room knows inputs, outcomes and files; it does not know bars, sessions, trades or versions.
"""

from mlcore.models.base import (
    BASELINE_KINDS,
    MODEL_KINDS,
    Model,
    load_model,
    make_model,
    model_inputs,
)
from mlcore.models.calibration import Calibrator
from mlcore.models.fitted import Fitted

__all__ = [
    "BASELINE_KINDS",
    "MODEL_KINDS",
    "Calibrator",
    "Fitted",
    "Model",
    "load_model",
    "make_model",
    "model_inputs",
]
