"""Wall clocks into UTC, against the standard library, minute by minute around clock changes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlcore.clock import DAY, HOUR, MINUTE, NAT
from mlcore.errors import BarsError
from mlcore.market.sources.zones import WallClock, parse_zone, wall_to_utc

ZONES = ("America/New_York", "Europe/Athens", "Asia/Tokyo", "Australia/Lord_Howe", "Asia/Kolkata")


def shown(instants, zone):
    """What the clocks of a zone show, by the standard library, one instant at a time."""
    epoch = datetime(1970, 1, 1)
    rule = ZoneInfo(zone)
    walls = [
        datetime.fromtimestamp(i // 10**9, UTC).astimezone(rule).replace(tzinfo=None)
        for i in instants
    ]
    return np.array([round((w - epoch).total_seconds()) * 10**9 for w in walls], dtype=np.int64)


def instants(start, count, step):
    first = int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp()) * 10**9
    return first + np.arange(count) * step


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("start", ["2024-03-08", "2024-03-29", "2024-10-25", "2024-11-01"])
def test_every_five_minutes_of_a_week_come_back(zone, start):
    time = instants(start, 7 * 288, 5 * MINUTE)
    utc, skipped, undecided = wall_to_utc(shown(time, zone), WallClock(zone))
    assert np.array_equal(utc, time)
    assert not skipped.any()
    assert not undecided.any()


@pytest.mark.parametrize("zone", ["America/New_York", "Europe/Athens"])
def test_hours_told_once_each_pass_and_rows_backwards(zone):
    time = instants("2024-10-25", 10 * 24, HOUR)
    walls = shown(time, zone)
    assert np.array_equal(wall_to_utc(walls, WallClock(zone))[0], time)
    assert np.array_equal(wall_to_utc(walls[::-1], WallClock(zone))[0], time[::-1])


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(ZONES),
    st.integers(0, 2_000_000_000),
    st.sampled_from([MINUTE, 15 * MINUTE, HOUR, DAY]),
)
def test_any_run_of_bars_comes_back_or_is_named(zone, second, step):
    time = second * 10**9 + np.arange(50) * step
    utc, skipped, undecided = wall_to_utc(shown(time, zone), WallClock(zone))
    assert not skipped.any()
    assert np.array_equal(utc[~undecided], time[~undecided])
    assert (utc[undecided] == NAT).all()


def test_a_skipped_hour_is_skipped_to_the_minute():
    clock = WallClock("America/New_York")
    walls = instants("2024-03-10T01:58", 64, MINUTE)
    utc, skipped, _ = wall_to_utc(walls, clock)
    assert np.flatnonzero(skipped).tolist() == list(range(2, 62))
    assert (utc[skipped] == NAT).all()
    assert utc[1] == instants("2024-03-10T06:59", 1, 1)[0]
    assert utc[62] == instants("2024-03-10T07:00", 1, 1)[0]


def test_one_pass_of_a_repeated_hour_does_not_tell_which():
    walls = instants("2024-11-03T00:30", 7, 15 * MINUTE)
    _, skipped, undecided = wall_to_utc(walls, WallClock("America/New_York"))
    assert undecided.tolist() == [False, False, True, True, True, True, False]
    assert not skipped.any()


def test_a_brokers_clock_is_its_zones_moved():
    clock = parse_zone("America/New_York+07:00")
    assert clock == WallClock("America/New_York", 7 * HOUR)
    time = instants("2024-03-11", 2000, HOUR)
    assert np.array_equal(wall_to_utc(shown(time, clock.zone) + 7 * HOUR, clock)[0], time)
    assert parse_zone("UTC-05:30") == WallClock("UTC", -(5 * HOUR + 30 * MINUTE))
    assert parse_zone("Etc/GMT+5") == WallClock("Etc/GMT+5")


@pytest.mark.parametrize("text", ["", "EST5PM", "../../etc/passwd", "Europe/Atlantis", "+07:00"])
def test_what_is_no_zone(text):
    with pytest.raises(BarsError, match="A zone is an IANA name, alone or moved"):
        parse_zone(text)


def test_no_rows_are_no_times():
    utc, skipped, undecided = wall_to_utc(np.empty(0, np.int64), WallClock("Asia/Tokyo"))
    assert len(utc) == len(skipped) == len(undecided) == 0
