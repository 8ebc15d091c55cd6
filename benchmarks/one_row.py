"""One LightGBM row through the engine's model, validation included, against the bare Booster.

Ours checks shape and finiteness, scores, takes the class weights out again and calibrates; the
peer gives its own probabilities of a numpy row, on one thread, its fastest way for one row.
Goal: at most 2 × `Booster.predict`; p99/p50 at most 5 with both cores busy.
"""

import multiprocessing
import os
import sys
import time

import numpy as np

from benchmarks._compare import Result, compare, tell
from benchmarks._home import DIRECTION, trained_home


def spin(stop):
    while not stop.is_set():
        sum(i * i for i in range(10_000))


def spread(act, calls=3000):
    """Quantile 0.99 over the median, and the median in milliseconds."""
    took = np.empty(calls)
    for i in range(calls):
        begun = time.perf_counter_ns()
        act()
        took[i] = time.perf_counter_ns() - begun
    return np.quantile(took, 0.99) / np.median(took), 1e-6 * np.median(took)


def tails(act, peer, rounds=7):
    """`spread` while every core is kept busy by another process, median and range of rounds.

    The peer's own spread is told beside it: a scheduler that takes the core away hits both.
    """
    stop = multiprocessing.Event()
    busy = [
        multiprocessing.Process(target=spin, args=(stop,), daemon=True)
        for _ in range(os.cpu_count() or 1)
    ]
    for process in busy:
        process.start()
    try:
        pairs = [(spread(act), spread(peer)) for _ in range(rounds)]
    finally:
        stop.set()
        for process in busy:
            process.join()
    found, others = sorted(a for a, _ in pairs), sorted(b for _, b in pairs)
    ratio, middle = found[rounds // 2]
    note = f"Booster.predict alone {others[rounds // 2][0]:.2f}"
    return Result("one row, p99 / p50, every core busy", ratio, found[0][0], found[-1][0],
                  middle, others[rounds // 2][1], 5.0, rounds, note)  # fmt: skip


def main():
    home = trained_home()
    package = home.engine.versions.get(DIRECTION, home.engine.champion(DIRECTION)).package
    fitted = package.shipped
    model, booster = fitted.model, fitted.model._booster
    rows = np.random.default_rng(0).normal(size=(200, len(package.features)))
    ours = np.array([model._scores(row[None])[0] for row in rows])
    gap = np.abs(ours - booster.predict(rows, raw_score=True, num_threads=1)).max()
    row = rows[:1]
    first = compare(
        "one row against Booster.predict on numpy", lambda: fitted.answer(row, {}),
        lambda: booster.predict(row, num_threads=1), limit=2.0, repeat=2000,
        note=f"scores of {len(rows)} rows differ by {gap:.0e}",
    )  # fmt: skip
    last = tails(lambda: fitted.answer(row, {}), lambda: booster.predict(row, num_threads=1))
    return tell(first, last) or int(gap > 0)


if __name__ == "__main__":
    sys.exit(main())
