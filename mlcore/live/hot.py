"""Hot windows: the newest bars of a symbol in memory, checked against the store's mark."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from mlcore.market.bars import BarStore
from mlcore.schema import Bars

__all__ = ["HotWindow", "HotWindows"]


@dataclass(frozen=True)
class HotWindow:
    """The newest bars, and the store's mark they were read at (rows, last time, snapshot).

    Without `is_newest` they are the bars before some past instant.
    """

    bars: Bars
    mark: tuple[int, int | None, int | None]
    is_newest: bool = True

    @property
    def snapshot(self) -> int | None:
        """Lake snapshot the bars were read from."""
        return self.mark[2]


class HotWindows:
    """Windows of one process; a changed mark always reads anew, so a new bar is never missed."""

    def __init__(self, store: BarStore) -> None:
        self._store = store
        self._held: dict[tuple[str, str], HotWindow] = {}
        self._lock = threading.Lock()
        self.hits = 0
        self.reads = 0

    def get(self, symbol: str, timeframe: str, bars: int) -> HotWindow:
        """At least the newest `bars` bars (fewer where there are no more)."""
        key, mark = (symbol, timeframe), self._store.last(symbol, timeframe)
        held = self._held.get(key)
        if held is not None and held.mark == mark and len(held.bars) >= min(bars, mark[0]):
            self.hits += 1
            return held
        with self._lock:
            self.reads += 1
            read = self._store.tail(symbol, timeframe, bars)
            window = HotWindow(read, mark)
            self._held[key] = window
        return window

    def at(self, symbol: str, timeframe: str, bars: int, instant: int) -> HotWindow:
        """At least `bars` bars that could be read at `instant` (fewer where there are no more).

        An instant before the held window is read from the store each time.
        """
        held = self.get(symbol, timeframe, bars)
        known = held.bars.available_at
        there = len(known) >= held.mark[0] or not len(known) or int(known[-1]) <= instant
        if there or int((known <= instant).sum()) >= bars:
            return held
        read = self._store.tail(symbol, timeframe, bars, known_at=instant)
        return HotWindow(read, held.mark, is_newest=False)
