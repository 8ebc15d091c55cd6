"""Sample sizes against the exact binomial distribution."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from mlcore.errors import UsageError
from mlcore.statistics import minimum_detectable_accuracy, required_outcomes


def test_the_textbook_coin() -> None:
    # ((1.6449 * 0.5 + 0.8416 * sqrt(0.55 * 0.45)) / 0.05) ** 2 = 616.03
    assert required_outcomes(0.55) == 617.0
    assert required_outcomes(0.6) == 153.0


@pytest.mark.parametrize(("accuracy", "baseline"), [(0.55, 0.5), (0.6, 0.5), (0.58, 0.54)])
def test_size_gives_the_power_in_the_exact_binomial(accuracy: float, baseline: float) -> None:
    n = int(required_outcomes(accuracy, baseline))
    critical = stats.binom.isf(0.05, n, baseline)
    # reject above, and at the border just so often that the level is exactly 5 %
    border = stats.binom.pmf(critical, n, baseline)
    often = (0.05 - stats.binom.sf(critical, n, baseline)) / border
    power = stats.binom.sf(critical, n, accuracy) + often * stats.binom.pmf(critical, n, accuracy)
    assert power == pytest.approx(0.8, abs=0.005)


@given(
    st.integers(20, 200_000),
    st.floats(0.05, 0.9),
    st.floats(0.01, 0.2),
    st.floats(0.3, 0.95),
)
def test_detectable_accuracy_and_size_are_inverse(
    n: int, baseline: float, alpha: float, power: float
) -> None:
    accuracy = minimum_detectable_accuracy(n, baseline, alpha, power)
    assume(not math.isnan(accuracy) and accuracy - baseline > 1e-6)
    assert baseline < accuracy < 1
    assert abs(required_outcomes(accuracy, baseline, alpha, power) - n) <= max(1, 1e-6 * n)


def test_more_outcomes_show_less() -> None:
    shown = [minimum_detectable_accuracy(n) for n in (30, 100, 1000, 10_000)]
    assert shown == sorted(shown, reverse=True)
    assert minimum_detectable_accuracy(617) <= 0.55 < minimum_detectable_accuracy(616)


def test_what_cannot_be_told() -> None:
    assert math.isnan(minimum_detectable_accuracy(1, baseline=0.9))
    assert required_outcomes(0.5) == math.inf
    assert required_outcomes(0.4, 0.5) == math.inf


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(UsageError, match="accuracy must lie between 0 and 1, both excluded – 55"):
        required_outcomes(55)
    with pytest.raises(UsageError, match="n must be a whole number of at least 1 – 0 given"):
        minimum_detectable_accuracy(0)
    with pytest.raises(UsageError, match=r"power must lie .* pass a share, not a percentage"):
        minimum_detectable_accuracy(100, power=80)
