"""A warm prediction with its freshness check; a cache hit; 100 rows in one call.

Goals: p50 of a warm prediction at most 5 ms; a cache hit at most 1/10 of a cold one; 100 symbols in
one call at most 1/10 of 100 calls. That one is about a model's answers (probabilities, baselines,
levels): features and reasons are reckoned row by row whoever asks, and symbols with a slot each
share no model, so that these two are shown beside it and only must not cost more together.
"""

import sys

import numpy as np

from benchmarks._compare import Result, compare, seconds, tell
from benchmarks._home import DIRECTION, NOW, SYMBOL, TIMEFRAME, many, trained_home
from mlcore.live.drafting import Source, draft_rows, row_answers
from mlcore.samples.dataset import rows_at


def rows_of(home, loaded, count):
    """The newest decisions of the market as rows, whole and one by one."""
    bars, market = home.store.read(SYMBOL, TIMEFRAME), home.store.market_of(SYMBOL)
    every = rows_at(
        bars, market, loaded.who.label, features=loaded.who.features, settings_orb=home.settings.orb
    )
    rows = every.take(np.arange(len(every.X) - count, len(every.X)))
    return rows, [rows.take(np.array([i])) for i in range(count)]


def in_one_call(home, version, count=100):
    """Answers of one model to many rows at once, without and with reasons."""
    loaded = home.engine.versions.get(DIRECTION, version)
    fitted, who = loaded.package.shipped, loaded.who
    rows, ones = rows_of(home, loaded, count)

    def answers():
        return row_answers(fitted, rows, who)[0]

    def singly():
        return [row_answers(fitted, one, who)[0][0] for one in ones]

    def drafts():
        return draft_rows(rows, fitted, who, Source())

    def drafts_singly():
        return [draft_rows(one, fitted, who, Source())[0] for one in ones]

    equal = answers() == singly() and drafts() == drafts_singly()
    note = f"equal answers: {equal}"
    claim = f"{count} rows of one model in one call against {count} calls"
    apart = compare(f"{claim}, reasons apart", answers, singly, limit=0.1, note=note)
    whole = compare(f"{claim}, with reasons", drafts, drafts_singly, limit=1.0, note=note)
    return equal, apart, whole


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
    together = compare("100 symbols, a slot each, in one call against 100 calls", batch, singly,
                       limit=1.2, rounds=7, note=f"equal answers: {equal}")  # fmt: skip
    agree, *rows = in_one_call(home, version)
    return tell(warm, cached, *rows, together) or int(not (same and equal and agree))


if __name__ == "__main__":
    sys.exit(main())
