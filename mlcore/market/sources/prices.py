"""The columns a file gives into open, high, low, close and volume: quotes, units, adjustment.

What changes a price is said: a side of a quote and an adjustment are asked for or chosen, and whole
ten-thousandths are divided with a note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mlcore.errors import BarsError
from mlcore.market.sources.columns import Roles
from mlcore.market.sources.tables import RawTable
from mlcore.schema import PRICE_COLUMNS

__all__ = ["PriceChoice", "read_values"]

Array = np.ndarray[Any, Any]
_QUOTES = ("bid", "ask", "mid")
_LEAN_UNIT = 1e-4


@dataclass(frozen=True)
class PriceChoice:
    """What only a person knows: the side of a quote, whether to adjust, the unit of a price.

    `quote` is bid, ask or mid; `adjusted` True applies the file's adjusted close to all four
    prices; `scale` divides prices (None divides whole prices of Lean's layout by 10,000).
    """

    quote: str | None = None
    adjusted: bool = False
    scale: float | None = None

    def __post_init__(self) -> None:
        if self.quote not in (None, *_QUOTES):
            raise BarsError(
                f"A quote is read as bid, ask or mid – {ascii(self.quote)[:20]} was given – choose "
                "one of these.",
                code="E_BARS_QUOTE",
            )
        if self.scale is not None and not (np.isfinite(self.scale) and self.scale > 0):
            raise BarsError(
                f"A scale divides prices and is above zero – {self.scale} was given – say "
                "--scale 10000, or --scale 1 for prices as they stand.",
                code="E_BARS_SCALE",
            )


def read_values(
    table: RawTable, roles: Roles, stamp_sql: str, choice: PriceChoice
) -> tuple[dict[str, Array], list[str]]:
    """Arrays `stamp open high low close volume` of one file, and notes on what was chosen.

    Raises
    ------
    BarsError
        Bid and ask without a choice (E_BARS_QUOTE), an adjustment the file cannot give
        (E_BARS_ADJUSTED), or what `RawTable.fetch` raises.
    """
    _refuse_open_choice(table, roles, choice)
    columns = dict(zip(PRICE_COLUMNS, roles.prices, strict=True))
    volumes = {f"volume{i}": place for i, place in enumerate(roles.volumes)}
    asks = {f"ask {k}": p for k, p in zip(PRICE_COLUMNS, roles.asks or (), strict=False)}
    more = {"adjusted": roles.adjusted} if choice.adjusted and roles.adjusted is not None else {}
    given = columns | volumes | asks | more
    found = table.fetch({"stamp": stamp_sql}, {k.replace(" ", "_"): p for k, p in given.items()})
    tried = [found.pop(name) for name in volumes]
    names = [table.names[place] or "volume" for place in roles.volumes]
    found["volume"], note = _volume(tried, names, len(found["stamp"]))
    notes = [note] if note else []
    notes += _quoted(found, choice) if asks else []
    notes += _scaled(found, roles, choice)
    notes += _adjusted(found, table, roles, choice)
    return found, notes


def _refuse_open_choice(table: RawTable, roles: Roles, choice: PriceChoice) -> None:
    if roles.asks and choice.quote is None:
        raise BarsError(
            f"A bar has one price – {table.path.name} has bid and ask – say --quote bid, ask or "
            "mid; nothing was imported.",
            code="E_BARS_QUOTE",
            details={"file": table.path.name},
        )
    if choice.adjusted and roles.adjusted is None:
        raise BarsError(
            f"An adjustment comes from a column of adjusted closes – {table.path.name} has none – "
            "leave --adjusted out; nothing was imported.",
            code="E_BARS_ADJUSTED",
            details={"file": table.path.name},
        )


def _volume(tried: list[Array], names: list[str], rows: int) -> tuple[Array, str]:
    """The first volume with anything but zeros; NaN where a file has none."""
    if not tried:
        return np.full(rows, np.nan), ""
    busy = next((i for i, v in enumerate(tried) if _is_busy(v)), None)
    if busy is None:
        return tried[0], f"{names[0]} is 0 in every row"
    return tried[busy], f"{names[0]} is 0, volume is {names[busy]}" if busy else ""


def _is_busy(volume: Array) -> bool:
    """Whether it holds anything but zeros and missing values."""
    return bool(np.count_nonzero(volume) > np.count_nonzero(np.isnan(volume)))


def _quoted(found: dict[str, Array], choice: PriceChoice) -> list[str]:
    """Leave one side of the quote, or its middle, in `found`."""
    for name in PRICE_COLUMNS:
        ask = found.pop(f"ask_{name}")
        if choice.quote == "ask":
            found[name] = ask
        elif choice.quote == "mid":
            found[name] = (found[name] + ask) / 2
    if choice.quote != "mid":
        return [f"prices are the {choice.quote}"]
    return ["prices are the middle of bid and ask; of high and low only about"]


def _scaled(found: dict[str, Array], roles: Roles, choice: PriceChoice) -> list[str]:
    """Divide prices by the scale that was given, or whole ones of Lean's layout by 10,000."""
    if choice.scale is not None:
        for name in PRICE_COLUMNS:
            found[name] = found[name] / choice.scale
        return [f"prices divided by {choice.scale:g}"] if choice.scale != 1 else []
    is_whole = all(bool(np.all(found[name] == np.rint(found[name]))) for name in PRICE_COLUMNS)
    if not (roles.is_lean and is_whole):
        return []
    for name in PRICE_COLUMNS:
        found[name] = np.rint(found[name]) / round(1 / _LEAN_UNIT)
    return [
        "prices are whole ten-thousandths, as Lean writes those of shares: divided by 10,000; "
        "--scale 1 leaves them"
    ]


def _adjusted(
    found: dict[str, Array], table: RawTable, roles: Roles, choice: PriceChoice
) -> list[str]:
    """Multiply all prices by adjusted close / close where that was chosen; else say it was not."""
    if roles.adjusted is None:
        return []
    name = table.names[roles.adjusted]
    if not choice.adjusted:
        return [f"{name} is there and was not applied; --adjusted applies it"]
    factor = found.pop("adjusted") / found["close"]
    for price in PRICE_COLUMNS:
        found[price] = found[price] * factor
    return [f"prices adjusted by {name} / close"]
