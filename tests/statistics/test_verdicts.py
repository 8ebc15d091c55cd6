"""The five verdicts, their borders and their words."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from mlcore.errors import UsageError
from mlcore.statistics import Verdict, judge

WORTH = 0.02
BOUND = st.floats(-0.3, 0.3)


def test_few_shows_no_figure() -> None:
    verdict = judge(0.2, 0.1, 0.3, 12, WORTH)
    assert (verdict.kind, verdict.words) == ("few", "12 of 30 outcomes: too few for a figure")
    assert all(map(math.isnan, (verdict.difference, verdict.low, verdict.high, verdict.power)))
    assert verdict.more is None
    assert judge(0.2, 0.1, 0.3, 29, WORTH).kind == "few"
    assert judge(0.2, 0.1, 0.3, 30, WORTH).kind == "edge"
    assert judge(math.nan, math.nan, math.nan, 0, WORTH).words.startswith("0 of 30")


def test_edge() -> None:
    verdict = judge(0.03, 0.001, 0.059, 500, WORTH)
    assert (verdict.kind, verdict.words) == ("edge", "Evidence of an edge")
    assert (verdict.difference, verdict.low, verdict.high) == (0.03, 0.001, 0.059)
    assert verdict.more is None


def test_an_edge_needs_a_lower_bound_above_zero() -> None:
    assert judge(0.03, math.ulp(0.0), 0.06, 500, WORTH).kind == "edge"
    assert judge(0.03, 0.0, 0.06, 500, WORTH).kind == "unsure"


def test_an_edge_below_what_is_worth_having_is_still_an_edge() -> None:
    assert judge(0.005, 0.001, 0.009, 9000, WORTH).kind == "edge"


@pytest.mark.parametrize(("dsr", "kind"), [(0.95, "edge"), (0.9499, "unsure"), (1.0, "edge")])
def test_a_traded_series_must_beat_its_trials(dsr: float, kind: str) -> None:
    verdict = judge(0.1, 0.05, 0.15, 500, 0.05, deflated_sharpe=dsr, traded=True, trials=12)
    assert verdict.kind == kind


def test_words_where_only_the_trials_stand_in_the_way() -> None:
    def words(trials: int | None, dsr: float | None = 0.5) -> str:
        verdict = judge(0.1, 0.05, 0.15, 500, 0.05, deflated_sharpe=dsr, traded=True, trials=trials)
        assert verdict.kind == "unsure"
        assert verdict.more is None
        return verdict.words

    assert words(12) == "Inconclusive: not yet beyond 12 trials"
    assert words(1) == "Inconclusive: not yet beyond 1 trial"
    assert words(1200) == "Inconclusive: not yet beyond 1,200 trials"
    assert words(None) == "Inconclusive: not yet beyond the trials"
    assert words(12, dsr=None) == words(12, dsr=math.nan) == words(12)


def test_a_small_sure_gain_is_never_no_evidence() -> None:
    # high < worth and full power, but the lower bound is above zero
    verdict = judge(0.005, 0.001, 0.009, 9000, 0.05, deflated_sharpe=0.2, traded=True, trials=3)
    assert verdict.words == "Inconclusive: not yet beyond 3 trials"


def test_a_given_ratio_counts_even_if_the_caller_forgot_to_say_traded() -> None:
    assert judge(0.1, 0.05, 0.15, 500, 0.05, deflated_sharpe=0.2).kind == "unsure"


def test_worse() -> None:
    verdict = judge(-0.03, -0.06, -0.001, 500, WORTH)
    assert (verdict.kind, verdict.words) == ("worse", "Worse than the baseline")
    assert judge(-0.03, -0.06, 0.0, 500, WORTH).kind == "none"  # high = 0 < worth


def test_none_because_the_interval_ends_below_worth() -> None:
    verdict = judge(-0.02, -0.06, 0.0199, 500, WORTH)
    assert (verdict.kind, verdict.words) == ("none", "No evidence of an edge")
    assert verdict.power < 0.8
    assert verdict.more is None
    assert judge(-0.02, -0.06, 0.02, 500, WORTH).kind == "unsure"


def test_none_because_the_edge_would_have_been_seen() -> None:
    # worth/se = 1.96 + 0.8416 is the border; both intervals reach above worth
    ratio = 1.96 + norm.ppf(0.8)
    for stretch, kind in ((0.9999, "none"), (1.0001, "unsure")):
        width = 3.92 * WORTH / ratio * stretch
        verdict = judge(width / 2 - 1e-5, -1e-5, width - 1e-5, 4000, WORTH)
        assert verdict.high > WORTH
        assert verdict.kind == kind
        assert verdict.power == pytest.approx(0.8, abs=1e-3)


def test_unsure_says_how_many_more() -> None:
    verdict = judge(0.01, -0.03, 0.05, 1000, WORTH)
    error = 0.08 / 3.92
    needed = math.ceil(1000 * ((2.80 * error / WORTH) ** 2 - 1))
    assert verdict.more == needed == 7164
    assert verdict.words == "Inconclusive: about 7,164 more outcomes would tell"
    assert verdict.power == pytest.approx(norm.cdf(WORTH / error - 1.96))


def test_more_than_ten_thousand_is_said_so() -> None:
    verdict = judge(0.01, -0.3, 0.32, 1000, WORTH)
    assert verdict.more is not None
    assert verdict.more > 10_000
    assert verdict.words == "Inconclusive: over 10,000 more outcomes would tell"


def test_the_border_of_ten_thousand() -> None:
    error = WORTH / 2.80 * math.sqrt(11.0)  # n * 10 more
    low, high = -0.03, -0.03 + 3.92 * error
    assert high > WORTH
    below, above = judge(0.0, low, high, 999, WORTH), judge(0.0, low, high, 1002, WORTH)
    assert below.words == f"Inconclusive: about {below.more:,} more outcomes would tell"
    assert above.words == "Inconclusive: over 10,000 more outcomes would tell"


def test_at_least_one_more() -> None:
    # between the rounded 2.80 and the exact 2.8016 the formula turns negative
    error = WORTH / 2.801
    verdict = judge(0.01, -1e-6, 3.92 * error - 1e-6, 1000, WORTH)
    assert verdict.kind == "unsure"
    assert verdict.more == 1
    assert verdict.words == "Inconclusive: about 1 more outcome would tell"


def test_an_unknown_interval_is_unsure() -> None:
    for low, high in ((math.nan, 0.1), (0.1, math.nan), (-math.inf, math.inf)):
        verdict = judge(0.1, low, high, 100, WORTH)
        assert verdict.kind == "unsure"
        assert verdict.words == "Inconclusive: no interval could be computed"
        assert verdict.more is None


def test_an_interval_without_width() -> None:
    assert judge(0.0, 0.0, 0.0, 100, WORTH).kind == "none"
    assert judge(0.01, 0.01, 0.01, 100, WORTH).power == 1.0
    assert judge(0.0, -1e300, 1e300, 100, 1e-300).words.endswith(
        "over 10,000 more outcomes would tell"
    )


@given(BOUND, BOUND, st.integers(0, 5000), st.floats(0.001, 0.2), st.none() | st.floats(0, 1))
def test_follows_the_rule_in_its_order(
    one: float, other: float, n: int, worth: float, dsr: float | None
) -> None:
    low, high = min(one, other), max(one, other)
    verdict = judge(
        (low + high) / 2, low, high, n, worth, deflated_sharpe=dsr, traded=dsr is not None
    )
    error = max((high - low) / 3.92, 1e-300)
    power = norm.cdf(worth / error - 1.96)
    if n < 30:
        kind = "few"
    elif low > 0 and (dsr is None or dsr >= 0.95):
        kind = "edge"
    elif high < 0:
        kind = "worse"
    elif low <= 0 and (high < worth or power >= 0.8):
        kind = "none"
    else:
        kind = "unsure"
    assert verdict.kind == kind
    assert (verdict.more is not None) == (kind == "unsure" and low <= 0)
    assert ("%" in verdict.words) is False


@given(BOUND, BOUND, st.integers(30, 5000))
def test_the_unit_does_not_matter(one: float, other: float, n: int) -> None:
    low, high = min(one, other), max(one, other)
    share = judge(0.0, low, high, n, 2.0**-6)
    scaled = judge(0.0, low * 64, high * 64, n, 1.0)
    assert (share.kind, share.words, share.more) == (scaled.kind, scaled.words, scaled.more)


def test_a_verdict_cannot_be_changed() -> None:
    verdict = judge(0.1, 0.05, 0.15, 100, WORTH)
    assert isinstance(verdict, Verdict)
    with pytest.raises(FrozenInstanceError):
        verdict.kind = "worse"  # type: ignore[misc]


def test_refusals_say_what_to_do() -> None:
    with pytest.raises(UsageError, match="worth having must be above 0 – 0 given – set it in the"):
        judge(0.1, 0.0, 0.2, 100, 0)
    with pytest.raises(UsageError, match=r"low must not exceed its high – 0\.2 and 0\.0 given"):
        judge(0.1, 0.2, 0.0, 100, WORTH)
    with pytest.raises(UsageError, match="n must be a whole number of at least 0 – -1 given"):
        judge(0.1, 0.0, 0.2, -1, WORTH)
