"""The one frame contract, timeframes, slots and the allow-list of names.

Bars are sorted by time, UTC, unique; prices float64; a missing volume is NaN, never 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, HOUR, MINUTE, instants
from mlcore.errors import BarsError, NameRefused, UsageError

__all__ = [
    "BAR_COLUMNS",
    "CALENDAR_TIMEFRAMES",
    "PRICE_COLUMNS",
    "TIMEFRAMES",
    "Bars",
    "Slot",
    "check_label_name",
    "check_symbol",
    "check_version",
    "timeframe_width",
]

PRICE_COLUMNS = ("open", "high", "low", "close")
BAR_COLUMNS = ("time", *PRICE_COLUMNS, "volume", "available_at")
TIMEFRAMES = {
    "1m": MINUTE,
    "5m": 5 * MINUTE,
    "15m": 15 * MINUTE,
    "30m": 30 * MINUTE,
    "1h": HOUR,
    "4h": 4 * HOUR,
    "1d": DAY,
}
"""Name → nominal width in nanoseconds. A daily bar's real end comes from its market's calendar."""
CALENDAR_TIMEFRAMES = {"1w": 7 * DAY, "1M": 30 * DAY}
"""Weeks and months of trading days, made of finer bars; real starts and ends are the calendar's."""

_SYMBOL = re.compile(r"[A-Za-z0-9^][A-Za-z0-9.^=_&-]{0,31}")
_LABEL = re.compile(r"[a-z][a-z0-9_]{0,63}")
_VERSION = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{5,12}")
_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{d}{i}" for d in ("COM", "LPT") for i in range(1, 10))}


def timeframe_width(name: str) -> int:
    """The nominal width of a timeframe, in nanoseconds.

    Raises
    ------
    UsageError
        `name` is not a timeframe; the message lists those that are.
    """
    every = TIMEFRAMES | CALENDAR_TIMEFRAMES
    try:
        return every[name]
    except KeyError:
        known = ", ".join(every)
        raise UsageError(
            f"A timeframe is one of {known} – {name!r} was given – choose one of these.",
            code="E_TIMEFRAME",
            details={"given": name, "known": list(every)},
        ) from None


def _refuse(kind: str, name: object, allowed: str) -> NameRefused:
    shown = ascii(name)[:60]
    return NameRefused(
        f"A {kind} consists of {allowed} – {shown} was given – rename it.",
        code="E_NAME",
        details={"kind": kind, "given": shown},
    )


def check_symbol(name: object) -> str:
    """`name` if it is a symbol this hub accepts (BRK.B, ^GSPC, ES=F, BTC-USD, 005930.KS, M&M).

    Raises
    ------
    NameRefused
        Paths, devices, control and look-alike letters, more than 32 characters.
    """
    ok = isinstance(name, str) and _SYMBOL.fullmatch(name) and ".." not in name
    if not ok or str(name).split(".")[0].upper() in _DEVICES:
        raise _refuse("symbol", name, "up to 32 of the letters A-Z a-z 0-9 . ^ = _ & -")
    return str(name)


def check_label_name(name: object) -> str:
    """`name` if it can be the name of a label (orb_r_close_k3)."""
    if not (isinstance(name, str) and _LABEL.fullmatch(name)):
        raise _refuse("target", name, "up to 64 of the letters a-z 0-9 _")
    return name


def check_version(name: object) -> str:
    """`name` if it is a version id: UTC time and content hash (20260117T022937Z-1f3ac)."""
    if not (isinstance(name, str) and _VERSION.fullmatch(name)):
        raise _refuse("version", name, "a UTC time and a hash, like 20260117T022937Z-1f3ac")
    return name


@dataclass(frozen=True)
class Slot:
    """Label × symbol × timeframe: what versions compete for."""

    label: str
    symbol: str
    timeframe: str

    def __post_init__(self) -> None:
        check_label_name(self.label)
        check_symbol(self.symbol)
        timeframe_width(self.timeframe)

    def __str__(self) -> str:
        return f"{self.label}-{self.symbol}-{self.timeframe}"

    @classmethod
    def parse(cls, text: str) -> Slot:
        """The slot that `str(slot)` wrote; the symbol may itself contain hyphens."""
        label, _, rest = str(text).partition("-")
        symbol, _, timeframe = rest.rpartition("-")
        if not symbol:
            raise UsageError(
                f"A slot is TARGET-SYMBOL-TIMEFRAME – {ascii(text)[:80]} was given – "
                "write it as orb_direction-XAUUSD-5m.",
                code="E_SLOT",
            )
        return cls(label, symbol, timeframe)


@dataclass(frozen=True)
class Bars:
    """Bars of one symbol and timeframe as arrays of one length, oldest first.

    `time` and `available_at` are int64 nanoseconds UTC (start of the bar; instant from which it
    could be read), the rest float64. Only `volume` may hold NaN.
    """

    symbol: str
    timeframe: str
    time: np.ndarray
    open: np.ndarray
    high: np.ndarray
    low: np.ndarray
    close: np.ndarray
    volume: np.ndarray
    available_at: np.ndarray

    def __len__(self) -> int:
        return len(self.time)

    @property
    def width(self) -> int:
        """Nominal width in nanoseconds."""
        return timeframe_width(self.timeframe)

    @cached_property
    def end(self) -> np.ndarray:
        """The nominal end of each bar: `time + width`, int64 ns."""
        return self.time + self.width

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, symbol: str, timeframe: str) -> Bars:
        """Bars of a frame with the columns of the contract; `available_at` defaults to the end.

        Raises
        ------
        BarsError
            Unsorted or repeated times, a missing column, or a price that is not a number.
        """
        missing = [c for c in ("time", *PRICE_COLUMNS) if c not in frame]
        if missing:
            raise BarsError(
                f"Bars need the columns time open high low close – {', '.join(missing)} is "
                "missing – name it with --columns.",
                code="E_BARS_COLUMN",
            )
        time = instants(frame["time"])
        known = (
            instants(frame["available_at"])
            if "available_at" in frame
            else time + timeframe_width(timeframe)
        )
        volume = frame["volume"] if "volume" in frame else np.full(len(frame), np.nan)
        values = {c: np.asarray(frame[c], dtype=np.float64) for c in PRICE_COLUMNS}
        bars = cls(
            symbol, timeframe, time, volume=np.asarray(volume, np.float64), available_at=known,
            **values,
        )  # fmt: skip
        return bars.checked()

    def checked(self) -> Bars:
        """Itself, if times rise strictly and every price is finite."""
        if len(self) and not bool(np.all(np.diff(self.time) > 0)):
            raise BarsError(
                f"Bars are sorted by time without repeats – those of {self.symbol} "
                f"{self.timeframe} are not – sort and deduplicate them.",
                code="E_BARS_ORDER",
            )
        if not all(bool(np.isfinite(getattr(self, c)).all()) for c in PRICE_COLUMNS):
            raise BarsError(
                f"Prices are finite numbers – {self.symbol} {self.timeframe} has others – "
                "remove or mend those rows.",
                code="E_BARS_PRICE",
            )
        return self

    def frame(self) -> pd.DataFrame:
        """A frame with BAR_COLUMNS; times as datetime64[ns, UTC]."""
        stamp = {c: pd.to_datetime(getattr(self, c), utc=True) for c in ("time", "available_at")}
        rest = {c: getattr(self, c) for c in (*PRICE_COLUMNS, "volume")}
        return pd.DataFrame({**stamp, **rest})[list(BAR_COLUMNS)]

    def take(self, where: Any) -> Bars:
        """The bars at `where` (a slice, mask or index array)."""
        arrays: dict[str, Any] = {
            f.name: getattr(self, f.name)[where]
            for f in fields(self)
            if f.name not in ("symbol", "timeframe")
        }
        return replace(self, **arrays)

    def known_at(self, at: int) -> Bars:
        """Only the bars that could be read at the instant `at` (int64 ns)."""
        late = self.available_at > at
        return self.take(~late) if bool(late.any()) else self

    @classmethod
    def concat(cls, parts: Iterable[Bars]) -> Bars:
        """Bars of one symbol and timeframe put one after the other, checked."""
        items = list(parts)
        arrays: dict[str, Any] = {
            f.name: np.concatenate([getattr(p, f.name) for p in items])
            for f in fields(cls)
            if f.name not in ("symbol", "timeframe")
        }
        return replace(items[0], **arrays).checked()
