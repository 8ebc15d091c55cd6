"""Verdicts of the default procedure on a simulated market of a seed, without a home."""

from functools import lru_cache

import numpy as np
import pandas as pd

from mlcore.config import load_settings
from mlcore.evaluation.card import model_card
from mlcore.evaluation.crossfit import crossfit
from mlcore.market.demo import DEMO, ORIGIN, simulate
from mlcore.models.base import make_model
from mlcore.samples.dataset import build_dataset
from mlcore.samples.labels import label
from mlcore.samples.splits import WalkForward
from mlcore.training.spec import TrainSpec

END = pd.Timestamp("2026-11-20", tz="UTC")
ORB_TARGETS = ("orb_direction", "orb_quality", "orb_r")


class OneSymbol:
    """The part of a bar store that a dataset reads."""

    def __init__(self, bars, market):
        self.bars, self.market = bars, market

    def read(self, *args, **more):
        return self.bars

    def revision_instants(self, *args):
        return np.empty(0, dtype=np.int64)

    def market_of(self, *args):
        return self.market

    def pin(self, *args):
        return 1

    def finer(self, *args, **more):
        return lambda starts, width: ()


@lru_cache(maxsize=2)
def store_of(name, seed, days=None):
    """The market of a seed, or only its last days."""
    start = pd.Timestamp(ORIGIN, tz="UTC") if days is None else END - pd.Timedelta(days=days)
    bars = simulate(name, seed=seed, start=start.value, end=END.value)
    return OneSymbol(bars, load_settings().market(DEMO[name].market))


def verdict(name, seed, target, days=None):
    """The card's verdict of LightGBM on one simulated market."""
    settings, question = load_settings(), label(target)
    spec = TrainSpec(target, name, "5m")
    data = build_dataset(
        store_of(name, seed, days), name, "5m", question, settings, features=spec.features()
    )

    def make(model_seed):
        return make_model(
            "lightgbm", task=question.task, classes=question.classes, seed=model_seed, threads=1
        )

    cross = crossfit(data, WalkForward(), make, seed=7, threads=1, beside=())
    return model_card(data, cross, worth=settings.worth, procedure={}, seed=7)["verdict"]


__all__ = ["ORB_TARGETS", "verdict"]
