"""Twenty seeds: edges seen in at most 2 of 20 where none is, in 18 or more where one is planted."""

import pytest

from tests.acceptance import ORB_TARGETS, verdict

pytestmark = pytest.mark.soak
SEEDS = range(20)


@pytest.mark.parametrize("target", [*ORB_TARGETS, "signal"])
def test_a_driftless_market_rarely_shows_an_edge(target):
    days = 150 if target == "signal" else None
    kinds = [verdict("SIM-WALK", seed, target, days)["kind"] for seed in SEEDS]
    print(target, kinds)
    assert kinds.count("edge") <= 2


def test_a_planted_edge_is_nearly_always_found():
    found = 0
    for seed in SEEDS:
        kinds = {t: verdict("SIM-EDGE", seed, t)["kind"] for t in ("orb_quality", "orb_r")}
        print(seed, kinds)
        found += "edge" in kinds.values()
    assert found >= 18
