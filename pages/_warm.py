"""A head start: while a browser still loads its scripts, a thread reads what a page will ask for.

It draws nothing and decides nothing: whatever fails here fails again, and is said, on the page.
"""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

__all__ = ["lifespan", "warm"]

FIRST: Final = ("Sessions", "Ranges", "VWAP 50")
PANE: Final = "RSI 14"
LATER: Final = 10.0
"""Seconds until what only some pages need is read too: by then a first page is drawn."""


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[dict[str, Any]]:
    """Start reading as the server starts; what is slow to read waits for the first page."""
    threading.Thread(target=warm, name="head start", daemon=True).start()
    later = asyncio.get_running_loop().call_later(LATER, _start_evidence)
    try:
        yield {}
    finally:
        later.cancel()


def _start_evidence() -> None:
    threading.Thread(target=_read_evidence, name="later start", daemon=True).start()


def warm() -> None:
    """Read the code of the pages, open the home, and look at its newest market once."""
    with suppress(Exception):  # the page will meet it again, and say it
        from pages import _market_parts, _ui

        hub = _ui.hub()
        listed = hub.symbols()
        if len(listed):
            newest = listed.loc[listed["last"].idxmax()]
            symbol, timeframe = str(newest["symbol"]), str(newest["timeframe"])
            hub.freshness(symbol, timeframe)
            _, span = _market_parts.spans(timeframe, newest["first"], newest["last"])
            view = _market_parts.view_of(hub, symbol, timeframe, span, None)
            since = _market_parts.range_start(view)
            ranges = hub.range_view(symbol, timeframe, mode="touch", start=since)
            _market_parts.figure_of(hub, view, ranges, FIRST, PANE, None, phone=False)
    _settle()


def _read_evidence() -> None:
    """Read what intervals are made with: a second of imports."""
    with suppress(Exception):
        from pages import _ui

        hub = _ui.hub()
        listed = hub.symbols()
        if len(listed):
            newest = listed.loc[listed["last"].idxmax()]
            hub.break_evidence(str(newest["symbol"]), str(newest["timeframe"]), mode="touch")
    _settle()


def _settle() -> None:
    """Let the collector pass over the code that was read: Streamlit runs it after every click.

    With a hub's modules in memory that took 0.1 s a click; frozen, they cost nothing.
    """
    gc.collect()
    gc.freeze()
