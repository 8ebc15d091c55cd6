"""The time axis of bar charts: every bar takes the same room, so nights and weekends leave no gap.

Bars stand at 0, 1, 2 …; instants are placed between them. This stays exact for any calendar, and
it is fast, where a date axis with cut-out breaks would be slow. Ticks and hover carry two clocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import pandas as pd

from pages._charts_base import plain
from pages._format import thousands
from pages._theme import TOKENS

__all__ = ["MOST_BARS", "ThinnedBars", "TimeAxis", "Zone", "nanoseconds", "thin_bars"]

MOST_BARS: Final = 3000
"""A page never sends more candles than this to a browser."""

Zone = tuple[str, str]
"""A name to show and an IANA zone: ``("New York", "America/New_York")``."""

_MINUTE: Final = 60 * 10**9
_STEPS: Final[tuple[int, ...]] = tuple(
    _MINUTE * m for m in (1, 5, 10, 15, 30, 60, 120, 240, 360, 720, 1440)
)
_CALENDAR: Final[tuple[str, ...]] = ("7D", "M", "3M", "Y", "5Y")
_NAT: Final = np.iinfo(np.int64).min


def nanoseconds(values: Any) -> np.ndarray:
    """Instants as int64 nanoseconds since 1970 UTC; integers pass as they are, NaT as its own."""
    array = np.asarray(values)
    if array.dtype.kind in "iu":
        return array.astype(np.int64).ravel()
    index = pd.DatetimeIndex(pd.to_datetime(pd.Series(values), utc=True))
    return np.asarray(index.as_unit("ns").asi8, dtype=np.int64)


@dataclass(frozen=True)
class ThinnedBars:
    """Bars for display: at most so many candles, each of them `step` bars wide."""

    frame: pd.DataFrame
    step: int
    bars: int

    @property
    def note(self) -> str:
        """What a page must say when candles were merged; empty when none were."""
        if self.step == 1:
            return ""
        return f"{thousands(self.bars)} bars drawn as candles of {self.step} bars each"


def thin_bars(frame: pd.DataFrame, most: int = MOST_BARS) -> ThinnedBars:
    """Merge neighbouring bars until at most `most` candles are left.

    Parameters
    ----------
    frame
        Columns time, open, high, low, close, volume; sorted by time.
    most
        At least 1.

    Returns
    -------
    ThinnedBars
        The first open, highest high, lowest low, last close and summed volume of each group, at
        the time of its first bar. Volume is NaN only where all of a group's volumes are. Groups
        are counted from the first bar, so that a new bar changes the last candle alone.
    """
    count = len(frame)
    step = -(-count // most) if count else 1
    if step <= 1:
        return ThinnedBars(frame, 1, count)
    starts = np.arange(0, count, step)
    ends = np.minimum(starts + step, count) - 1
    volume = frame["volume"].to_numpy(np.float64)
    known = np.add.reduceat(np.isfinite(volume).astype(np.int64), starts)
    total = np.add.reduceat(np.nan_to_num(volume), starts)
    merged = pd.DataFrame(
        {
            "time": frame["time"].iloc[starts].to_numpy(),
            "open": frame["open"].to_numpy(np.float64)[starts],
            "high": np.fmax.reduceat(frame["high"].to_numpy(np.float64), starts),
            "low": np.fmin.reduceat(frame["low"].to_numpy(np.float64), starts),
            "close": frame["close"].to_numpy(np.float64)[ends],
            "volume": np.where(known > 0, total, np.nan),
        }
    )
    merged["time"] = frame["time"].iloc[starts].reset_index(drop=True)
    return ThinnedBars(merged, step, count)


@dataclass(frozen=True)
class TimeAxis:
    """Starts of the bars in UTC nanoseconds, ascending, and the exchange's clock."""

    starts: np.ndarray
    zone: Zone | None = None

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def width(self) -> int:
        """The usual distance between two bars, in nanoseconds; a day where there is one bar."""
        return int(np.median(np.diff(self.starts))) if len(self) > 1 else 1440 * _MINUTE

    @property
    def is_daily(self) -> bool:
        """Whether bars are a day or longer, so that clock times say nothing."""
        return self.width >= 1440 * _MINUTE

    def edge(self, instants: Any) -> np.ndarray:
        """Positions of instants on the borders between bars; after the last bar, beyond it."""
        at = nanoseconds(instants)
        inside = np.searchsorted(self.starts, at, side="left") - 0.5
        if not len(self):
            return inside
        beyond = len(self) - 0.5 + (at - self.starts[-1] - self.width) / self.width
        return np.where(at > self.starts[-1] + self.width, beyond, inside)

    def bar(self, instants: Any) -> np.ndarray:
        """Index of the bar an instant falls into; −1 before the first and for a missing one."""
        at = nanoseconds(instants)
        return np.where(at == _NAT, -1, np.searchsorted(self.starts, at, side="right") - 1)

    @cached_property
    def _utc(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.starts.astype("datetime64[ns]")).tz_localize("UTC")

    @cached_property
    def _local(self) -> np.ndarray:
        name = self.zone[1] if self.zone else "UTC"
        return self._utc.tz_convert(name).tz_localize(None).to_numpy()

    def labels(self) -> dict[str, str]:
        """Hover titles by position: date and UTC clock, then the exchange's clock."""
        if self.is_daily:
            days = np.datetime_as_string(self.starts.astype("datetime64[ns]"), unit="D").tolist()
            return dict(zip(map(str, range(len(self))), days, strict=True))
        utc = np.datetime_as_string(self.starts.astype("datetime64[ns]"), unit="m").tolist()
        texts = [f"{text[:10]} {text[11:]} UTC" for text in utc]
        if self.zone:
            local = np.datetime_as_string(self._local, unit="m").tolist()
            name = plain(self.zone[0])
            texts = [f"{a} · {b[11:]} {name}" for a, b in zip(texts, local, strict=True)]
        return dict(zip(map(str, range(len(self))), texts, strict=True))

    def ticks(self, visible: int, most: int) -> tuple[list[float], list[str]]:
        """Positions and texts of ticks, about `most` within `visible` bars, over the whole axis.

        A tick stands where the first bar of each step of the clock begins, so that after a gap it
        moves to the next bar there is; one too close to its successor is left out.
        """
        if not len(self):
            return [], []
        tail = slice(max(0, len(self) - visible), None)
        steps: list[int | str] = [*_STEPS, *_CALENDAR]
        fits = (s for s in steps if np.count_nonzero(np.diff(self._units(s)[tail])) <= most)
        step = next(fits, steps[-1])
        units = self._units(step)
        changes = np.flatnonzero(np.diff(units, prepend=units[0]))
        few = most <= 3
        at = _apart(changes, max(1, int(visible / most * (0.8 if few else 0.6))))
        at = at if len(at) else np.zeros(1, dtype=np.int64)
        edge = (tail.start, tail.start + visible // (9 if few else 30))
        return (at - 0.5).tolist(), self._texts(at, step, edge)

    def _units(self, step: int | str) -> np.ndarray:
        if isinstance(step, int):
            return self.starts // step
        if step == "7D":
            return (self.starts // (1440 * _MINUTE) + 3) // 7
        months = self.starts.astype("datetime64[ns]").astype("datetime64[M]").astype(np.int64)
        return months // {"M": 1, "3M": 3, "Y": 12, "5Y": 60}[step]

    def _texts(self, at: np.ndarray, step: int | str, edge: tuple[int, int]) -> list[str]:
        utc = self._utc[at]
        if step in ("Y", "5Y"):
            return [f"{day.year}" for day in utc]
        if step in ("M", "3M"):
            return [_two(f"{day:%b}", f"{day.year}") for day in utc]
        if step == "7D" or step == _STEPS[-1] or self.is_daily:
            return [_two(f"{day.day} {day:%b}", f"{day.year}") for day in utc]
        return self._clocks(at, utc, edge)

    def _clocks(self, at: np.ndarray, utc: pd.DatetimeIndex, edge: tuple[int, int]) -> list[str]:
        """Both clocks; the date too where it changes and at the first tick well in sight.

        Of ticks on the view's left edge, where a date would be cut, that one takes the date over.
        """
        dates = utc.normalize().asi8
        new = np.diff(dates, prepend=0) != 0
        first = min(int(np.searchsorted(at, edge[1])), len(at) - 1)
        new[(at >= edge[0]) & (at < edge[1]) & (dates == dates[first])] = False
        new[first] = True
        local = pd.DatetimeIndex(self._local[at])
        days = [f"{day.day} {day:%b}" for day in utc]
        out = []
        for day, moment, there, is_new in zip(days, utc, local, new, strict=True):
            top = f"<b>{day}</b> {moment:%H:%M}" if is_new else f"{moment:%H:%M}"
            out.append(_two(top, f"{there:%H:%M}" if self.zone else ""))
        return out


def _apart(at: np.ndarray, least: int) -> np.ndarray:
    """Positions thinned from the right so that neighbours are at least so far apart."""
    kept: list[int] = []
    for place in at[::-1].tolist():
        if not kept or kept[-1] - place >= least:
            kept.append(place)
    return np.array(kept[::-1], dtype=np.int64)


def _two(top: str, below: str) -> str:
    return f"{top}<br><span style='color:{TOKENS['faint']}'>{below}</span>" if below else top
