"""What makes one bar sound: prices finite and positive, high and low around open and close.

The rules stand here once, for files, feeds and simulated bars alike; nothing is clipped or mended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from mlcore.errors import BarsError
from mlcore.schema import PRICE_COLUMNS, Bars, check_symbol, timeframe_width

__all__ = ["Fault", "first_fault", "refuse_unsound"]

Array = np.ndarray[Any, Any]
_PRICES = ("open", "high", "low", "close")


@dataclass(frozen=True)
class Fault:
    """A broken rule: its code, the rule, the row's index, what stands there, how many rows."""

    code: str
    rule: str
    row: int
    given: str
    rows: int


def _fault(code: str, rule: str, bad: Array, values: Mapping[str, Array], *names: str) -> Fault:
    row = int(np.argmax(bad))
    given = ", ".join(f"{name} {values[name][row]:.10g}" for name in names)
    return Fault(code, rule, row, given, int(bad.sum()))


def first_fault(values: Mapping[str, Array], *, negative_prices: bool = False) -> Fault | None:
    """The first broken rule in arrays `open high low close volume`, or None.

    Parameters
    ----------
    values
        float64 arrays of one length; only `volume` may hold NaN.
    negative_prices
        Whether the market has prices at or below zero.
    """
    for name in _PRICES:
        if not np.isfinite(values[name]).all():
            bad = ~np.isfinite(values[name])
            return _fault("E_BARS_PRICE", f"Every bar has a finite {name}", bad, values, name)
    low, high, volume = values["low"], values["high"], values["volume"]
    bad = high < low
    if bad.any():
        rule = "A bar's high is at least its low"
        return _fault("E_BARS_HIGH_LOW", rule, bad, values, "high", "low")
    for name in ("open", "close"):
        bad = (values[name] > high) | (values[name] < low)
        if bad.any():
            rule = f"A bar's {name} lies between its low and its high"
            return _fault("E_BARS_OUTSIDE", rule, bad, values, name, "low", "high")
    bad = low <= 0
    if not negative_prices and bad.any():
        rule = "Prices are above zero, unless the market's negative_prices says otherwise"
        return _fault("E_BARS_NEGATIVE", rule, bad, values, "low")
    bad = (volume < 0) | np.isinf(volume)
    if bad.any():
        return _fault("E_BARS_VOLUME", "A volume is zero or more", bad, values, "volume")
    return None


def refuse_unsound(bars: Bars, *, negative_prices: bool) -> None:
    """Let bars pass that may be stored.

    Raises
    ------
    BarsError
        None at all (E_BARS_EMPTY), out of order (E_BARS_ORDER), or one that is not sound.
    """
    check_symbol(bars.symbol)
    timeframe_width(bars.timeframe)
    if not len(bars):
        raise BarsError(
            f"An import holds at least one bar – {bars.symbol} {bars.timeframe} has none – "
            "choose another source.",
            code="E_BARS_EMPTY",
        )
    if not bool(np.all(bars.time[1:] > bars.time[:-1])):
        bars.checked()  # says so in its own words
    values = {c: getattr(bars, c) for c in (*PRICE_COLUMNS, "volume")}
    fault = first_fault(values, negative_prices=negative_prices)
    if fault:
        at = pd.Timestamp(int(bars.time[fault.row]), tz="UTC").isoformat()
        raise BarsError(
            f"{fault.rule} – {bars.symbol} {bars.timeframe} at {at} has {fault.given} – mend "
            "or leave out that bar; nothing was imported.",
            code=fault.code,
            details={"row": fault.row, "rows": fault.rows},
        )
