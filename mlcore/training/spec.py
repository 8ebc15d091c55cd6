"""What a training run is asked to do, as a value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mlcore.config import Market, Settings
from mlcore.errors import UsageError
from mlcore.features import feature_set
from mlcore.samples.labels import Label, label
from mlcore.samples.splits import Split, WalkForward, holdout
from mlcore.schema import Slot

__all__ = ["TrainSpec", "parse_walk_forward"]

MODELS = ("lightgbm", "logistic", "ridge")


def parse_walk_forward(text: str | None) -> WalkForward:
    """A walk-forward of `TRAIN,TEST,STEP` rows (500,100,50) or days (60d,10d,5d).

    Raises
    ------
    UsageError
        Anything else.
    """
    if text is None:
        return WalkForward()
    found = re.fullmatch(r"(\d+)(d?),(\d+)(d?),(\d+)(d?)", text.replace(" ", ""))
    if found is None or len({found[2], found[4], found[6]}) != 1:
        raise UsageError(
            f"A walk-forward is TRAIN,TEST,STEP in rows or in days – {text!r} was given – write "
            "500,100,50 or 60d,10d,5d.",
            code="E_SPLIT",
        )
    unit = "days" if found[2] else "rows"
    return WalkForward(int(found[1]), int(found[3]), int(found[5]), unit=unit)  # type: ignore[arg-type]


def _parse_holdout(text: str) -> Split:
    shares = text.split("/")
    if len(shares) != 3 or not all(s.isdigit() for s in shares):
        raise UsageError(
            f"A holdout is TRAIN/VALIDATION/TEST in percent – {text!r} was given – write "
            "60/20/20 or 70/15/15.",
            code="E_SPLIT",
        )
    return holdout(*(float(s) for s in shares))


@dataclass(frozen=True)
class TrainSpec:
    """One procedure: target, market, inputs, model, windows, seed.

    `days` keeps only the newest trading days; `feature_set` None means the target's own set.
    """

    target: str
    symbol: str
    timeframe: str
    model: str = "lightgbm"
    params: Mapping[str, Any] = field(default_factory=dict)
    feature_set: str | None = None
    walk_forward: str | None = None
    holdout: str | None = None
    days: int | None = None
    seed: int = 7

    @property
    def label(self) -> Label:
        """The question."""
        return label(self.target)

    @property
    def slot(self) -> Slot:
        """What the version competes for."""
        return Slot(self.label.name, self.symbol, self.timeframe)

    @property
    def set_name(self) -> str:
        """The feature set that is used."""
        return self.feature_set or ("opening_range" if self.label.of_ranges else "core40")

    @property
    def kind(self) -> str:
        """The kind of model: a regression's `logistic` is its ridge."""
        return self.model

    def features(self) -> tuple[str, ...]:
        """Names of the inputs; the side is an input only where a range has two rows."""
        return feature_set(self.set_name)

    def splits(self) -> Split:
        """How rows are split in time."""
        if self.holdout is not None:
            return _parse_holdout(self.holdout)
        return parse_walk_forward(self.walk_forward)

    def trial(self, market: Market, settings: Settings) -> dict[str, Any]:
        """What makes it another trial than others: no seed, no fold, no date."""
        return {
            "target": self.label.name,
            "symbols": [self.symbol],
            "timeframe": self.timeframe,
            "orb": settings.orb.model_dump(mode="json"),
            "cost": market.cost.model_dump(mode="json"),
            "feature_set": self.set_name,
            "model": self.kind,
            "params": dict(self.params),
            "windows": self.splits().describe(),
            "days": self.days,
        }
