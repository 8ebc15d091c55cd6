"""The reasons of one row against LightGBM's native contributions and shap's TreeExplainer.

Goal: at most 1.2 × the native contributions, equal to 1e-9, and adding up to the margin.
"""

import sys

import numpy as np

from benchmarks._compare import compare, tell
from benchmarks._home import DIRECTION, trained_home


def main():
    home = trained_home()
    package = home.engine.versions.get(DIRECTION, home.engine.champion(DIRECTION)).package
    model = package.shipped.model
    row = np.random.default_rng(0).normal(size=(1, len(package.features)))
    booster = model._booster

    def ours():
        return model.contributions(row)

    def native():
        return booster.predict(row, pred_contrib=True, num_threads=1)

    gap = abs(float(ours().sum() - model.margin(row)[0]))
    result = compare(
        "contributions of one row against native", ours, native, limit=1.2, repeat=200,
        note=f"sum against margin: {gap:.1e}",
    )  # fmt: skip
    return tell(result) or int(gap > 1e-9)


if __name__ == "__main__":
    sys.exit(main())
