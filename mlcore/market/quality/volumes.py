"""Checks of volumes: missing, zero, and lasting changes of their level."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from mlcore.clock import DAY
from mlcore.config import Market
from mlcore.market.quality.report import Check, Finding, Status, counted
from mlcore.market.sessions import trading_days
from mlcore.schema import Bars

__all__ = ["missing_volume", "volume_level", "zero_volume"]

Array = np.ndarray[Any, Any]
LASTING: Final = 10
LASTING_DAILY: Final = 60
JUMP: Final = 4.0
SURE: Final = 3.0


def missing_volume(bars: Bars) -> Check:
    """Bars without a volume."""
    n = int(np.isnan(bars.volume).sum())
    share = n / len(bars)
    words = "no bar has one" if share == 1 else f"missing in {counted(n, 'bar')}" if n else "none"
    return Check(
        "missing_volume", "Missing volume", "look" if n else "ok", n, share,
        "A volume that the source does not have stays missing; it is never taken for 0.", words,
    )  # fmt: skip


def zero_volume(bars: Bars) -> Check:
    """Bars with a volume of 0."""
    n = int((bars.volume == 0).sum())
    share = n / len(bars)
    status: Status = "bad" if share > 0.5 else "look" if share > 0.01 else "ok"
    words = "every volume is 0" if share == 1 else counted(n, "bar") if n else "none"
    return Check(
        "zero_volume", "Zero volume", status, n, share,
        "A volume of 0 is allowed; above 1 % of bars it is worth a look, above 50 % the column "
        "says nothing.", words,
    )  # fmt: skip


def volume_level(bars: Bars, market: Market) -> Check:
    """Days from which volumes stay at another level."""
    span = LASTING_DAILY if bars.width >= DAY else LASTING
    starts, level = _daily(bars, market)
    where, jump = _changes(level, span)
    n = len(where)
    worst = tuple(
        Finding(
            int(starts[where[i]]),
            f"× {np.exp(jump[i]):,.3g}" if jump[i] > 0 else f"÷ {np.exp(-jump[i]):,.3g}",
        )
        for i in np.argsort(-np.abs(jump), kind="stable").tolist()
    )
    few = len(level) < 2 * span
    words = f"not asked: {len(level):,} days with volume, {2 * span} are needed" if few else "none"
    if n:
        words = f"{counted(n, 'lasting change')}, {'the largest ' * (n > 1)}{worst[0].what}"
    return Check(
        "volume_level", "Volume level", "look" if n else "ok", n, None,
        f"The median of the daily median volumes of {span} days is more than {JUMP:g} times, or "
        f"less than a {JUMP:g}th of, that of the {span} days before, and the difference of their "
        f"logarithms above {SURE:g} × the larger spread (1.4826 × MAD) inside either.",
        words, worst[:10],
    )  # fmt: skip


def _daily(bars: Bars, market: Market) -> tuple[Array, Array]:
    """First bar and log median volume of each trading day that has volume."""
    some = bars.volume > 0
    if not some.any():
        return np.empty(0, np.int64), np.empty(0)
    time, volume = bars.time[some], bars.volume[some]
    day = trading_days(time, market)
    order = np.lexsort((volume, day))
    first = np.flatnonzero(np.diff(day.astype(np.int64), prepend=np.iinfo(np.int64).min) != 0)
    count = np.diff(np.append(first, len(day)))
    sorted_ = volume[order]
    middle = (sorted_[first + (count - 1) // 2] + sorted_[first + count // 2]) / 2
    return time[first], np.log(middle)


def _changes(level: Array, span: int) -> tuple[Array, Array]:
    """Days at which the level of the next `span` days leaves that of the last, and the step."""
    none = np.empty(0, np.int64), np.empty(0)
    if len(level) < 2 * span:
        return none
    windows = np.lib.stride_tricks.sliding_window_view(level, span)
    middle = np.median(windows, axis=1)
    spread = 1.4826 * np.median(np.abs(windows - middle[:, None]), axis=1)
    step = middle[span:] - middle[:-span]
    noise = np.maximum(spread[span:], spread[:-span])
    found = np.flatnonzero((np.abs(step) > np.log(JUMP)) & (np.abs(step) > SURE * noise))
    if not len(found):
        return none
    group = np.concatenate(([0], np.cumsum(np.diff(found) > span)))
    best = [_sharpest(level, found[group == g] + span) for g in range(int(group[-1]) + 1)]
    at = np.array(best, dtype=np.int64)
    return at, step[at - span]


def _sharpest(level: Array, days: Array) -> int:
    """Of neighbouring days the one at which the level itself jumps most."""
    return int(days[np.argmax(np.abs(level[days] - level[days - 1]))])
