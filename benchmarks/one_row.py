"""One LightGBM row through the engine's model, validation included, against the bare Booster.

Goal: at most 2 × `Booster.predict` on a numpy row; p99/p50 at most 5 with both cores busy.
"""

import multiprocessing
import statistics
import sys
import time

import numpy as np

from benchmarks._compare import Result, compare, tell
from benchmarks._home import DIRECTION, trained_home


def spin(stop):
    while not stop.is_set():
        sum(i * i for i in range(10_000))


def spread(act, calls=3000):
    took = np.empty(calls)
    for i in range(calls):
        begun = time.perf_counter_ns()
        act()
        took[i] = time.perf_counter_ns() - begun
    return np.quantile(took, 0.99) / np.quantile(took, 0.5), 1e-6 * statistics.median(took)


def main():
    home = trained_home()
    package = home.engine.versions.get(DIRECTION, home.engine.champion(DIRECTION)).package
    model = package.shipped.model
    row = np.random.default_rng(0).normal(size=(1, len(package.features)))
    booster = model._booster
    equal = np.allclose(model.predict_proba(row)[:, : booster.num_model_per_iteration()],
                        booster.predict(row, num_threads=1), atol=1e-2)  # fmt: skip
    first = compare(
        "one row against Booster.predict on numpy", lambda: model.predict_proba(row),
        lambda: booster.predict(row, num_threads=1), limit=2.0, repeat=2000,
        note=f"answers agree: {equal}",
    )  # fmt: skip
    stop = multiprocessing.Event()
    busy = [multiprocessing.Process(target=spin, args=(stop,), daemon=True) for _ in range(2)]
    for process in busy:
        process.start()
    ratio, middle = spread(lambda: model.predict_proba(row))
    stop.set()
    second = Result(
        "one row, p99 / p50, both cores busy", ratio, ratio, ratio, middle, middle, 5.0, 1
    )
    return tell(first, second)


if __name__ == "__main__":
    sys.exit(main())
