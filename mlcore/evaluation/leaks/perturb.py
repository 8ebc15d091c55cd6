"""Three ways to make another future: change it, blank it, delete it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mlcore.schema import Bars

__all__ = ["OPERATIONS", "blank", "change", "delete"]


def change(bars: Bars, at: int, rng: np.random.Generator) -> Bars:
    """Bars in which everything readable only after `at` took another course.

    Prices follow a new walk, ten times as wide as a bar, from the last bar that was readable;
    volumes are drawn anew. Times stay. The contract (high ≥ open, close ≥ low > 0) holds.
    """
    later = bars.available_at > at
    n = int(later.sum())
    if n == 0:
        return bars
    scale = 10.0 * float(np.median(bars.high - bars.low) / np.median(bars.close)) + 1e-4
    factor = np.exp(np.cumsum(rng.normal(0.0, scale, n)) + rng.choice((-1.0, 1.0)) * 5 * scale)
    shift = np.exp(np.abs(rng.normal(0.0, scale, (2, n))))
    price = {c: getattr(bars, c).copy() for c in ("open", "high", "low", "close", "volume")}
    for name in ("open", "high", "low", "close"):
        price[name][later] *= factor
    price["high"][later] *= shift[0]
    price["low"][later] /= shift[1]
    known = bars.volume[np.isfinite(bars.volume)]
    drawn = rng.gamma(2.0, 1.0 + float(known.mean()), n) if len(known) else np.nan
    price["volume"][later] = drawn
    return replace(bars, **price)


def blank(bars: Bars, at: int, rng: np.random.Generator) -> Bars:
    """Bars in which everything readable only after `at` stands still, without volume."""
    later = bars.available_at > at
    if not later.any():
        return bars
    known = np.flatnonzero(~later)
    still = float(bars.close[known[-1]]) if len(known) else float(bars.open[0])
    price = {c: getattr(bars, c).copy() for c in ("open", "high", "low", "close")}
    for values in price.values():
        values[later] = still
    volume = bars.volume.copy()
    volume[later] = np.nan
    return replace(bars, volume=volume, **price)


def delete(bars: Bars, at: int, rng: np.random.Generator) -> Bars:
    """Bars without those that were readable only after `at`."""
    return bars.known_at(at)


OPERATIONS = {"change": change, "blank": blank, "delete": delete}
