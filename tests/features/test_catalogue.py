"""The catalogue: declarations, sets, and refusals."""

import numpy as np
import pytest

from mlcore.errors import UsageError
from mlcore.features import (
    bar_table,
    catalogue,
    feature,
    feature_set,
    row_table,
    select,
    warmup_bars,
    warmup_days,
)
from mlcore.features.base import BAR_INPUTS, closure


def test_the_sets_hold_what_they_promise():
    known = catalogue()
    core = feature_set("core40")
    assert len(core) == len(set(core)) == 40
    assert {known[n].scope for n in core} == {"bar"}
    around = feature_set("opening_range")
    assert len(around) == len(set(around))
    own = [n for n in around if known[n].scope == "row" and known[n].family != "calendar"]
    assert len(own) >= 58
    assert "close_position" in around
    assert "side" in around
    plain = feature_set("opening_range_unsided")
    assert set(around) - set(plain) == {n for n in around if known[n].family == "side"}
    assert len(feature_set("calendar")) == 6
    assert len(feature_set("bars")) >= 80


def test_every_input_can_be_had():
    known = catalogue()
    facts = {i for f in known.values() if f.scope == "row" for i in f.inputs} - set(known)
    assert not facts & set(BAR_INPUTS)
    for one in known.values():
        assert len(closure([one.name])) >= 1


def test_one_name_one_feature():
    with pytest.raises(UsageError, match="name of its own") as caught:
        feature("rsi_14", family="x", unit="x", source="x")(lambda close: close)
    assert caught.value.code == "E_FEATURE_DECLARED"


def test_a_feature_says_what_it_is():
    def silent(close):
        return close

    with pytest.raises(UsageError, match="docstring – silent has not"):
        feature("silent", family="x", unit="x", source="x")(silent)
    assert "silent" not in catalogue()


def test_unknown_names_are_answered_with_the_nearest():
    with pytest.raises(UsageError, match=r"'rsi_15' was given – Did you mean rsi_1?") as caught:
        select(["rsi_15"])
    assert caught.value.code == "E_FEATURE"
    with pytest.raises(UsageError, match="feature set is one the catalogue knows – 'core4'"):
        feature_set("core4")


def test_a_row_feature_needs_its_facts(walk):
    with pytest.raises(UsageError, match="or_size_atr needs or_size, which these rows") as caught:
        row_table(["or_size_atr"], {"atr_day": np.ones(3)}, 3)
    assert caught.value.code == "E_FEATURE_INPUT"
    with pytest.raises(UsageError, match="close_position needs or_close"):
        bar_table(["close_position"], walk)


def test_grid_values_stand_in_names_inputs_and_text():
    one = catalogue()["pre_london_size_atr"]
    assert one.inputs == ("pre_london_high", "pre_london_low", "atr_day")
    assert one.doc == "High less low of the last closed pre london."
    assert catalogue()["sma_distance_50"].warmup_bars == 49
    assert catalogue()["london_to_asia_size"].inputs[2:] == ("asia_high", "asia_low")
    assert "asia_to_asia_size" not in catalogue()


def test_warm_up_follows_what_a_feature_reads():
    assert catalogue()["side_rsi_14"].warmup_bars == 0
    assert warmup_bars(["side_rsi_14"]) == catalogue()["rsi_14"].warmup_bars
    assert warmup_days(["side_gap_day"]) == 15
    assert warmup_bars([]) == warmup_days([]) == 0


def test_row_features_read_one_another():
    facts = {
        "side": np.array([1.0, -1.0]), "or_open": np.array([10.0, 10.0]),
        "or_close": np.array([11.0, 11.0]), "or_size": np.array([2.0, 2.0]),
    }  # fmt: skip
    got = row_table(["side_or_body", "or_body"], facts, 2)
    np.testing.assert_allclose(got, [[0.5, 0.5], [-0.5, 0.5]])
