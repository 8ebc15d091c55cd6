"""Bars of a timeframe that is not stored, made of stored finer ones as they were known then.

What a reader gets does not depend on where their window begins: parts are read as far to both
sides as a coarser bar reaches, and the edges of the data are those of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from mlcore.clock import DAY, HOUR
from mlcore.config import Market
from mlcore.market.holdings import Holding
from mlcore.market.resampling import resample
from mlcore.market.sessions import bar_ends
from mlcore.schema import Bars, timeframe_width

__all__ = ["coarser_bars"]

Limits = Mapping[str, int]
_REACH = {"1w": 7 * DAY, "1M": 31 * DAY}


def coarser_bars(
    fetch: Callable[[dict[str, int]], Bars],
    timeframe: str,
    market: Market,
    limits: Limits,
    held: Holding | None,
) -> Bars:
    """Bars of `timeframe` within `limits`, each complete, out of what `fetch` reads.

    Parameters
    ----------
    fetch
        Reads the finer bars within limits on `time` and `available_at`.
    limits
        `time >=`, `time <` (starts) and `available_at <=`, int64 ns; each may be absent.
    held
        The finer bars' holding; None where a past snapshot is read, whose edges are then read too.
    """
    start, end = limits.get("time >="), limits.get("time <")
    known_at = limits.get("available_at <=")
    width = timeframe_width(timeframe)
    wide = {k: v for k, v in limits.items() if k == "available_at <="}
    if start is not None and held is not None:  # stray weekend bars are Monday's
        wide["time >="] = start - (3 * DAY if width >= 4 * HOUR else 0)
    if end is not None and held is not None:
        wide["time <"] = end + _REACH.get(timeframe, 25 * HOUR if width >= 4 * HOUR else width)
    parts = fetch(wide)
    made = resample(parts, timeframe, market, begins=held.first if held else None,
                    ends=_reached(parts, market, held, known_at)).bars  # fmt: skip
    keep = np.ones(len(made), dtype=bool)
    if start is not None:
        keep &= made.time >= start
    if end is not None:
        keep &= made.time < end
    if known_at is not None:
        keep &= made.available_at <= known_at
    return made if keep.all() else made.take(keep)


def _reached(
    parts: Bars, market: Market, held: Holding | None, known_at: int | None
) -> int | None:  # fmt: skip
    """Up to where the store's bars reach, or did as far as was known."""
    if held is None or not len(parts):
        return None
    edge = replace(parts.take(slice(-1, None)), time=np.array([held.last]))
    end = int(bar_ends(edge, market)[0])
    return end if known_at is None else min(end, known_at)
