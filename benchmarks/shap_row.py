"""The contributions of one row, put toward a class, against LightGBM's native ones.

Goal: at most 1.2 × the native contributions, equal to 1e-9, and adding up to the margin.
"""

import sys

import numpy as np

from benchmarks._compare import compare, tell
from benchmarks._home import DIRECTION, trained_home


def main():
    home = trained_home()
    package = home.engine.versions.get(DIRECTION, home.engine.champion(DIRECTION)).package
    model, booster = package.shipped.model, package.shipped.model._booster
    rows = np.random.default_rng(0).normal(size=(200, len(package.features)))
    row = rows[:1]
    native = booster.predict(rows, pred_contrib=True, num_threads=1)
    ours = np.concatenate([model._raw_contributions(one[None]) for one in rows])
    gap = np.abs(ours - native).max()
    told = np.concatenate([model.contributions(one[None]) for one in rows])
    rest = np.abs(told.sum(axis=1) - model.margin(rows)).max()
    result = compare(
        "contributions of one row against native", lambda: model.contributions(row),
        lambda: booster.predict(row, pred_contrib=True, num_threads=1), limit=1.2, repeat=200,
        note=f"{len(rows)} rows differ by {gap:.0e}, their sums from the margin by {rest:.0e}",
    )  # fmt: skip
    return tell(result) or int(max(gap, rest) > 1e-9)


if __name__ == "__main__":
    sys.exit(main())
