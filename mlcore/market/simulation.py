"""The law of the simulated markets: one trading day at a time, relative to where it starts.

A day is a pure function of (name, seed, day): its own generator makes minute steps of a
martingale whose volatility follows the sessions, the day and the hour. Highs and lows are those
of the continuous path between the steps (Brownian bridge), so that an order resting at a level
fills neither better nor worse than on a walk without steps. Prices live on a lattice of log
price: a day's bars are integers relative to its first price, and a stored close gives the level
back exactly.

The planted edge acts after the first break of an opening range, never before it: its side stays
what a driftless walk makes it. Where the range's volume is high against the same range's mean
of the last 20 days, the path drifts with the break until the trade's target or stop, elsewhere
slightly against it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np

from mlcore.clock import DAY, MINUTE

__all__ = [
    "EDGE",
    "LATTICE",
    "LOOKBACK",
    "WALK",
    "Burst",
    "Law",
    "RangePlan",
    "Relative",
    "activity",
    "day_bars",
    "heads",
]

STEPS = 5
"""Steps in a bar, one a minute; what happens between them is the bridge's."""
BARS = 288
LATTICE = 1e-6
"""Log price per lattice unit."""
LOOKBACK = 60
"""Days before the first that its volatility and volume look back on."""
VOLUME_DAYS = 20
RANGE_BARS = 3
TARGET = 2.0
_HEAD = {"volatility": slice(0, 1), "hours": slice(1, 26), "bursts": slice(26, 32),
         "volume": slice(32, 32 + BARS)}  # fmt: skip
_HEAD_SIZE = 32 + BARS

Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True)
class Burst:
    """A session's activity: a level while open, more after its open and before its close."""

    zone: str
    start: int
    end: int
    level: float
    height: float


@dataclass(frozen=True)
class RangePlan:
    """An opening range with a planted edge: minutes of the day of its open and its window's end."""

    open: int
    window_end: int


@dataclass(frozen=True)
class Law:
    """What makes a simulated market: calendar, activity, volume and, if any, the planted edge.

    `level` is the first day's first price in lattice units (2000 points). `zone` and `roll_hour`
    begin the trading day, `weekdays` leaves out Saturdays and Sundays. `daily` is the standard
    deviation of a day's log return, `quiet` the activity outside sessions. `coupling` is the
    power with which volume follows a bar's height. A range whose volume is more than
    `share_above` times its mean drifts `with_break`, any other `against_break`: multiples of
    variance over range height.
    """

    name: str
    level: int
    zone: str
    roll_hour: int
    weekdays: bool
    daily: float
    quiet: float
    sessions: tuple[Burst, ...]
    volume: float
    coupling: float
    ranges: tuple[RangePlan, ...] = ()
    share_above: float = 1.0
    with_break: float = 0.0
    against_break: float = 0.0


WALK = Law(
    name="SIM-WALK", level=7_600_902, zone="America/New_York", roll_hour=17, weekdays=True,
    daily=0.013, quiet=0.45, volume=900.0, coupling=0.6,
    sessions=(
        Burst("Asia/Tokyo", 9 * 60, 17 * 60, 0.25, 0.5),
        Burst("Europe/London", 8 * 60, 16 * 60 + 30, 0.45, 0.8),
        Burst("America/New_York", 9 * 60 + 30, 16 * 60, 0.6, 1.1),
    ),
)  # fmt: skip

EDGE = Law(
    name="SIM-EDGE", level=7_600_902, zone="UTC", roll_hour=0, weekdays=False,
    daily=0.024, quiet=0.6, volume=400.0, coupling=0.0,
    sessions=(
        Burst("UTC", 0, 8 * 60, 0.2, 0.3),
        Burst("UTC", 8 * 60, 13 * 60 + 30, 0.4, 0.4),
        Burst("UTC", 13 * 60 + 30, 24 * 60, 0.5, 0.5),
    ),
    ranges=(RangePlan(0, 480), RangePlan(480, 810), RangePlan(810, 1440)),
    share_above=1.12, with_break=0.34, against_break=-0.09,
)  # fmt: skip


@dataclass(frozen=True)
class Relative:
    """A day's 288 bars: prices as lattice units from the day's first price, and volume."""

    open: Array
    high: Array
    low: Array
    close: Array
    volume: Array

    @classmethod
    def empty(cls) -> Relative:
        """A day without bars."""
        none = np.zeros(0, np.int64)
        return cls(none, none, none, none, np.zeros(0))


def _generator(law: Law, seed: int, day: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64([crc32(law.name.encode()), seed, day]))


def heads(law: Law, seed: int, first: int, last: int) -> Array:
    """The day-level noise of the days `first` … `last` (days since 1970), one row a day."""
    days = range(first, last + 1)
    return np.stack([_generator(law, seed, day).standard_normal(_HEAD_SIZE) for day in days])


def activity(law: Law, begins: int, offsets: dict[str, int]) -> Array:
    """Relative volatility of each bar of the day that begins at `begins`, mean square 1.

    Parameters
    ----------
    begins
        Start of the trading day, int64 ns UTC.
    offsets
        Zone → its distance from UTC on that day, ns.
    """
    shape = np.full(BARS, law.quiet)
    for burst in law.sessions:
        first = (begins + offsets[burst.zone]) % DAY // MINUTE
        minute = (first + STEPS * np.arange(BARS)) % (24 * 60)
        into, left = minute - burst.start, burst.end - STEPS - minute
        rise = np.exp(-into / 35.0) + 0.4 * np.exp(-left / 35.0)
        shape += np.where((into >= 0) & (left >= 0), burst.level + burst.height * rise, 0.0)
    return np.asarray(shape / np.sqrt(np.mean(shape**2)))


def _day_volatility(rows: Array) -> float:
    """Log of the day's volatility factor: a decaying sum of the last LOOKBACK days' noise."""
    decay = 0.93 ** np.arange(LOOKBACK - 1, -1, -1)
    noise = rows[-LOOKBACK:, _HEAD["volatility"]].ravel()
    return float(0.11 * np.sum(decay * noise))


def _sigma(law: Law, rows: Array, shape: Array) -> Array:
    """Standard deviation of each step's log return."""
    hours = np.interp(np.arange(BARS) / 12.0, np.arange(25), rows[-1, _HEAD["hours"]])
    level = law.daily / np.sqrt(BARS * STEPS) * np.exp(_day_volatility(rows) - 0.06)
    return np.repeat(level * shape * np.exp(0.18 * hours), STEPS)


def _base_volume(law: Law, head: Array, shape: Array) -> Array:
    """A day's volume before prices move it: activity, bursts at planted ranges, noise."""
    bars = np.arange(BARS)
    power = 0.22 * head[_HEAD["volume"]]
    for plan, burst in zip(law.ranges, head[_HEAD["bursts"]], strict=False):
        after = bars - plan.open // STEPS
        fade = np.exp(-np.maximum(after - RANGE_BARS + 1, 0) / 4.0)
        power += np.where((after >= 0) & (bars < plan.window_end // STEPS), 0.42 * burst * fade, 0)
    return np.maximum(np.rint(law.volume * shape**1.5 * np.exp(power)), 1.0)


def _picked(law: Law, rows: Array, shape: Array) -> list[bool]:
    """Per planted range: whether its volume is high against its mean of VOLUME_DAYS days."""
    volumes = [_base_volume(law, row, shape) for row in rows[-VOLUME_DAYS - 1 :]]
    opens = [plan.open // STEPS for plan in law.ranges]
    totals = np.array([[v[o : o + RANGE_BARS].sum() for o in opens] for v in volumes])
    ratio = totals[-1] / totals[:-1].mean(axis=0)
    return [bool(r > law.share_above) for r in ratio]


def _extremes(moves: Array, variance: Array, logs: Array) -> tuple[Array, Array, Array]:
    """Path after each step, and its highest and lowest point within each step.

    The maximum of a Brownian bridge from a to b over variance v is
    (a + b + sqrt((b − a)² − 2 v ln U)) / 2 (Glasserman 2003, section 6.4); the minimum mirrors it.
    """
    end = np.cumsum(moves)
    middle = end - moves / 2
    reach = np.sqrt(moves**2 - 2 * variance * logs) / 2
    return end, middle + reach[0], middle - reach[1]


def _break_drift(moves: Array, variance: Array, logs: Array, strength: float) -> Array:
    """Drift per step of one window: none up to the first break, then until target or stop."""
    drift = np.zeros(len(moves))
    first = RANGE_BARS * STEPS
    _, high, low = _extremes(moves, variance, logs)
    top, bottom = high[:first].max(), low[:first].min()
    up, down = high[first:] > top, low[first:] < bottom
    if not (up | down).any():
        return drift
    at = first + int(np.argmax(up | down))
    side = 1.0 if up[at - first] else -1.0
    height = top - bottom
    drift[at + 1 :] = side * strength / height * variance[at + 1 :]
    _, high, low = _extremes(moves + drift, variance, logs)
    best, worst = (high - top, low - bottom) if side > 0 else (bottom - low, top - high)
    best[: (at // STEPS + 1) * STEPS] = -np.inf  # a target counts from the bar after the entry's
    over = (best >= TARGET * height) | (worst <= 0)
    over[: at + 1] = False
    if over.any():
        drift[int(np.argmax(over)) + 1 :] = 0.0
    return drift


def day_bars(law: Law, seed: int, day: int, rows: Array, shape: Array) -> Relative:
    """The bars of one trading day, whole, relative to its first price.

    Parameters
    ----------
    day
        Days since 1970 of the trading day's date.
    rows
        `heads` of the LOOKBACK days before it and of itself, oldest first.
    shape
        `activity` of the day.
    """
    generator = _generator(law, seed, day)
    generator.standard_normal(_HEAD_SIZE)
    sigma = _sigma(law, rows, shape)
    variance = sigma**2
    moves = sigma * generator.standard_normal(BARS * STEPS) - variance / 2
    logs = np.log1p(-generator.random((2, BARS * STEPS)))
    picks = _picked(law, rows, shape) if law.ranges else []
    for plan, picked in zip(law.ranges, picks, strict=True):
        window = slice(plan.open, plan.window_end)
        strength = law.with_break if picked else law.against_break
        moves[window] += _break_drift(moves[window], variance[window], logs[:, window], strength)
    end, high, low = _extremes(moves, variance, logs)
    top, bottom = high.reshape(BARS, STEPS).max(axis=1), low.reshape(BARS, STEPS).min(axis=1)
    usual = 1.6 * law.daily / np.sqrt(BARS) * shape
    volume = _base_volume(law, rows[-1], shape) * ((top - bottom) / usual) ** law.coupling
    return _on_lattice(end[STEPS - 1 :: STEPS], top, bottom, np.maximum(np.rint(volume), 1.0))


def _on_lattice(close: Array, top: Array, bottom: Array, volume: Array) -> Relative:
    last, high, low = (np.rint(x / LATTICE).astype(np.int64) for x in (close, top, bottom))
    first = np.concatenate([np.zeros(1, np.int64), last[:-1]])
    return Relative(
        open=first,
        high=np.maximum(high, np.maximum(first, last)),
        low=np.minimum(low, np.minimum(first, last)),
        close=last,
        volume=volume,
    )
