"""Interleaved measuring: A B A B, the median of the per-round ratios, its range beside it."""

import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass

__all__ = ["Result", "compare", "seconds", "tell"]


@dataclass(frozen=True)
class Result:
    """A claim as measured."""

    claim: str
    ratio: float
    low: float
    high: float
    ours_ms: float
    peer_ms: float
    limit: float
    rounds: int
    note: str = ""

    @property
    def holds(self) -> bool:
        """Whether the ratio is within its limit."""
        return self.ratio <= self.limit


def seconds(act, repeat):
    """Wall seconds of one call, averaged over `repeat`."""
    begun = time.perf_counter()
    for _ in range(repeat):
        act()
    return (time.perf_counter() - begun) / repeat


def compare(claim, ours, peer, *, limit, rounds=9, repeat=1, peer_repeat=None, note=""):
    """Ours against the peer; both are warmed once before."""
    ours(), peer()
    pairs = [(seconds(ours, repeat), seconds(peer, peer_repeat or repeat)) for _ in range(rounds)]
    ratios = sorted(a / b for a, b in pairs)
    return Result(
        claim, statistics.median(ratios), ratios[0], ratios[-1],
        1e3 * statistics.median(a for a, _ in pairs), 1e3 * statistics.median(b for _, b in pairs),
        limit, rounds, note,
    )  # fmt: skip


def tell(*results):
    """Print results, as JSON with --json; the exit code is 1 where a claim does not hold."""
    if "--json" in sys.argv:
        print(json.dumps([{**asdict(r), "holds": r.holds} for r in results], indent=2))
    else:
        for r in results:
            print(
                f"{'ok ' if r.holds else 'NO '} {r.claim}: ratio {r.ratio:.3f} "
                f"[{r.low:.3f}, {r.high:.3f}], limit {r.limit} · ours {r.ours_ms:.3f} ms, "
                f"peer {r.peer_ms:.3f} ms, {r.rounds} rounds{' · ' + r.note if r.note else ''}"
            )
    return 0 if all(r.holds for r in results) else 1
