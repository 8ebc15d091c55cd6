"""A warm prediction with its freshness check; a cache hit; 100 symbols in one call.

Goals: p50 of a warm prediction at most 5 ms; a cache hit at most 1/10 of a cold one; 100 symbols in
one call at most 1/10 of 100 calls.
"""

import sys
from dataclasses import replace

import numpy as np

from benchmarks._compare import Result, compare, seconds, tell
from benchmarks._home import DIRECTION, NOW, SYMBOL, TIMEFRAME, trained_home
from mlcore.market.demo import simulate


def many(home, count):
    """The same market under other names, so that 100 symbols can be asked."""
    names = [f"SIM-B{i:03d}" for i in range(count)]
    have = set(home.store.symbols()["symbol"])
    start = NOW.value - 60 * 86_400 * 10**9
    for i, name in enumerate(names):
        if name not in have:
            bars = replace(simulate(SYMBOL, seed=i, start=start, end=NOW.value), symbol=name)
            home.store.append(
                bars, source="simulated", sha256="", imported_at=home.now(),
                options={"market": "simulated_24_7"},
            )  # fmt: skip
    return names


def main():
    home = trained_home()
    engine, version = home.engine, home.engine.champion(DIRECTION)

    def hit():
        return engine.drafts(DIRECTION, NOW.value, version=version)

    def cold():
        engine.forget()
        return engine.drafts(DIRECTION, NOW.value, version=version)

    drafts = cold()
    same = [d.as_dict() for d in hit()] == [d.as_dict() for d in drafts]
    times = np.array([seconds(cold, 1) for _ in range(200)])
    p50 = float(np.median(times)) * 1e3
    warm = Result("warm prediction, p50 in units of 5 ms", p50 / 5, times.min() * 200,
                  times.max() * 200, p50, 5.0, 1.0, len(times),
                  f"{len(drafts)} decision(s), {len(drafts[0].features)} inputs")  # fmt: skip
    cached = compare("cache hit against a cold prediction", hit, cold, limit=0.1, repeat=5,
                     note=f"equal answers: {same}")  # fmt: skip
    pairs = [(name, TIMEFRAME) for name in many(home, 100)]

    def batch():
        engine.forget()
        return engine.batch(pairs)

    def singly():
        engine.forget()
        return [engine.recommend(s, t) for s, t in pairs]

    equal = batch() == singly()
    together = compare("100 symbols in one call against 100 calls", batch, singly, limit=0.1,
                       rounds=7, note=f"equal answers: {equal}")  # fmt: skip
    return tell(warm, cached, together) or int(not (same and equal))


if __name__ == "__main__":
    sys.exit(main())
