"""Bars held in memory: the newest of each symbol as last read, for as long as nothing was written.

A page asks for the same bars several times over; the lake answers each in about ten milliseconds,
memory in microseconds. Nothing here decides what is current: whoever asks brings the mark.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np

from mlcore.schema import Bars

__all__ = ["HeldBars"]

Key = tuple[str, str]
MOST = 2_000_000
"""Bars held at most, all symbols together: about 130 MB."""


@dataclass(frozen=True)
class _Held:
    """Every stored bar from `start` on (None: from the first), as of the store's `mark`."""

    bars: Bars
    start: int | None
    mark: int

    def reaches(self, start: int | None) -> bool:
        return self.start is None or (start is not None and self.start <= start)


class HeldBars:
    """The newest bars of the symbols asked for last; safe between threads.

    Parameters
    ----------
    most
        Bars held at most; the symbols not asked for longest go first.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._held: OrderedDict[Key, _Held] = OrderedDict()
        self._guard = threading.Lock()

    def find(self, key: Key, mark: int, start: int | None, end: int | None) -> Bars | None:
        """Bars with `start <= time < end`; None where they are not held, or not as of `mark`.

        The arrays are views that cannot be written to.
        """
        with self._guard:
            held = self._held.get(key)
            if held is None or held.mark != mark or not held.reaches(start):
                return None
            self._held.move_to_end(key)
        time = held.bars.time
        first = 0 if start is None else int(np.searchsorted(time, start))
        last = len(time) if end is None else int(np.searchsorted(time, end))
        return held.bars.take(slice(first, max(first, last)))

    def tail(self, key: Key, mark: int, count: int) -> Bars | None:
        """The last `count` bars (all, if there are fewer); None where they are not held."""
        with self._guard:
            held = self._held.get(key)
            if held is None or held.mark != mark:
                return None
            if len(held.bars) < count and held.start is not None:
                return None
            self._held.move_to_end(key)
        return held.bars.take(slice(max(0, len(held.bars) - count), None))

    def keep(self, key: Key, mark: int, start: int | None, bars: Bars) -> None:
        """Hold every stored bar from `start` on, unless more of them are held already."""
        if len(bars) > self._most:
            return
        for column in ("time", "open", "high", "low", "close", "volume", "available_at"):
            getattr(bars, column).flags.writeable = False
        with self._guard:
            held = self._held.get(key)
            if held is not None and held.mark == mark and held.reaches(start):
                return
            self._held[key] = _Held(bars, start, mark)
            self._held.move_to_end(key)
            while sum(len(one.bars) for one in self._held.values()) > self._most:
                self._held.popitem(last=False)
