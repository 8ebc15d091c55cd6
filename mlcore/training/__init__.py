"""Training: specification → dataset → proof → walk-forward → fit → card → version.

It knows everything below it and nothing of live calls; it promotes nothing.
"""

from mlcore.training.readiness import readiness
from mlcore.training.run import Run, train
from mlcore.training.spec import TrainSpec, parse_walk_forward

__all__ = ["Run", "TrainSpec", "parse_walk_forward", "readiness", "train"]
