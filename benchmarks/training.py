"""Our training wrapper against LightGBM's own fit, and a walk-forward against a plain loop.

Goals: wrapper at most 1.1 × the library; 20 folds at most 0.85 × the sequential loop that gives
LightGBM both threads, with honest bin edges in each fold.
"""

import sys

import numpy as np

from benchmarks._compare import compare, tell
from mlcore.models.base import make_model

ROWS, FEATURES, FOLDS = 3136, 64, 20


def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(ROWS, FEATURES))
    y = (X[:, 0] + rng.normal(size=ROWS) > 0).astype(float)
    return X, y


def booster(params, X, y, threads, rounds):
    import lightgbm

    settings = {**params, "num_threads": threads, "verbosity": -1, "objective": "binary"}
    return lightgbm.train(settings, lightgbm.Dataset(X, y), rounds)


def main():
    X, y = data()
    ours = make_model("lightgbm", task="classification", classes=("A", "B"), seed=1, threads=1)
    ours.fit(X, y)
    params, rounds = ours.library_params(2), ours._booster.current_iteration()
    wrapper = compare(
        "training wrapper against the library's fit", lambda: ours.fit(X, y),
        lambda: booster(params, X, y, 1, rounds), limit=1.1, rounds=7,
    )  # fmt: skip
    parts = [np.arange(i * 100, i * 100 + 1000) for i in range(FOLDS)]

    def fold(at):
        return make_model("lightgbm", task="classification", classes=("A", "B"), seed=1,
                          threads=1).fit(X[at], y[at])  # fmt: skip

    def folds():
        from joblib import Parallel, delayed

        return Parallel(n_jobs=2, backend="threading")(delayed(fold)(at) for at in parts)

    def loop():
        return [booster(params, X[at], y[at], 2, rounds) for at in parts]

    walk = compare("20 folds, two at a time, against a sequential loop", folds, loop, limit=0.85,
                   rounds=7)  # fmt: skip
    return tell(wrapper, walk)


if __name__ == "__main__":
    sys.exit(main())
