"""Three seeds of the acceptance: nothing found where nothing is, the planted edge found."""

import pytest

from tests.acceptance import ORB_TARGETS, verdict

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_planted_edge_is_found(seed):
    found = {target: verdict("SIM-EDGE", seed, target) for target in ("orb_quality", "orb_r")}
    assert "edge" in {v["kind"] for v in found.values()}, found
    assert all(v["n"] > 2000 for v in found.values())


def test_a_driftless_market_shows_no_edge():
    said = [verdict("SIM-WALK", seed, target) for seed in (0, 1, 2) for target in ORB_TARGETS]
    assert sum(v["kind"] == "edge" for v in said) <= 1, said
    assert all(v["n"] > 3000 for v in said)
