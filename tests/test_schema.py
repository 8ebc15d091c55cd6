"""Names, slots, instants and the bar contract."""

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import NAT, fixed_clock, instants, to_instant, to_timestamp
from mlcore.errors import BarsError, NameRefused, UsageError
from mlcore.schema import Bars, Slot, check_symbol, check_version, timeframe_width


@pytest.mark.parametrize(
    "name", ["BRK.B", "^GSPC", "ES=F", "BTC-USD", "005930.KS", "M&M", "SIM-WALK"]
)
def test_usual_symbols_pass(name):
    assert check_symbol(name) == name


@pytest.mark.parametrize(
    "name",
    ["../x", "/etc/passwd", "C:\\x", "CON", "nul.txt", "a\0b", "a\nb", "АAPL", "x" * 300, "",
     "a;drop", "$(rm)", "a b", "\u202eabc", "a..b", None, 7],
)  # fmt: skip
def test_dangerous_names_are_refused_in_words(name):
    with pytest.raises(NameRefused, match="A symbol consists of up to 32 of the letters"):
        check_symbol(name)


def test_a_slot_reads_what_it_writes():
    slot = Slot("orb_r_close_k3", "BTC-USD", "5m")
    assert Slot.parse(str(slot)) == slot
    with pytest.raises(UsageError, match="A slot is TARGET-SYMBOL-TIMEFRAME"):
        Slot.parse("orb_direction")


def test_a_version_is_a_time_and_a_hash():
    assert check_version("20260117T022937Z-1f3ac")
    with pytest.raises(NameRefused, match="A version consists of a UTC time and a hash"):
        check_version("../../x")


def test_an_unknown_timeframe_lists_the_known():
    with pytest.raises(UsageError, match=r"A timeframe is one of 1m, 5m, .* '7m' was given"):
        timeframe_width("7m")


def test_naive_times_are_refused():
    with pytest.raises(UsageError, match="A time must carry its zone"):
        to_timestamp("2026-01-01 00:00")
    with pytest.raises(UsageError, match="A time must be readable"):
        to_timestamp("yesterday-ish")
    assert to_instant("2026-01-01T01:00+01:00") == pd.Timestamp("2026-01-01", tz="UTC").value
    assert fixed_clock("2026-01-01T00:00Z")() == pd.Timestamp("2026-01-01", tz="UTC")


def test_instants_keep_nanoseconds_and_missing():
    column = pd.Series(pd.to_datetime(["2026-01-01T00:00:00.000000001Z", None]))
    found = instants(column)
    assert found.dtype == np.int64
    assert found[1] == NAT


def frame(**changes):
    time = pd.date_range("2026-01-05", periods=3, freq="5min", tz="UTC")
    values = dict(time=time, open=[1.0, 2, 3], high=[2.0, 3, 4], low=[0.5, 1, 2], close=[2.0, 3, 3])
    return pd.DataFrame({**values, **changes})


def test_bars_survive_a_round_trip():
    bars = Bars.from_frame(frame(), "X", "5m")
    again = Bars.from_frame(bars.frame(), "X", "5m")
    assert np.isnan(bars.volume).all()
    assert (again.time == bars.time).all()
    assert (again.available_at == bars.time + bars.width).all()
    assert len(bars.known_at(int(bars.available_at[1]))) == 2
    assert len(Bars.concat([bars.take(slice(0, 1)), bars.take(slice(1, None))])) == 3


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (frame().drop(columns="close"), "close is missing"),
        (frame().iloc[::-1], "Bars are sorted by time without repeats"),
        (frame(open=[1.0, np.nan, 3]), "Prices are finite numbers"),
    ],
)
def test_what_breaks_the_contract_is_named(broken, said):
    with pytest.raises(BarsError, match=said):
        Bars.from_frame(broken, "X", "5m")
