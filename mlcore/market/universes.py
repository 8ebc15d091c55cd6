"""Universes: names for many symbols, by pattern and market, resolved among those that have bars."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase

from mlcore.errors import UsageError

__all__ = ["members", "resolve"]


def members(patterns: Sequence[str], markets: Mapping[str, str]) -> tuple[str, ...]:
    """Symbols that any of `patterns` names, sorted.

    Parameters
    ----------
    patterns
        `RELIANCE`, `NIFTY*`, `nse:*` or `nse:BANK*`: the part before the colon is a market.
    markets
        Symbol → market of everything that has bars.

    Examples
    --------
    >>> members(["nse:N*", "SPY"], {"NIFTY": "nse", "NFLX": "us_equity", "SPY": "us_equity"})
    ('NIFTY', 'SPY')
    """
    found: set[str] = set()
    for pattern in patterns:
        market, colon, name = pattern.rpartition(":")
        found |= {
            symbol for symbol, belongs in markets.items()
            if (not colon or belongs == market) and fnmatchcase(symbol, name)
        }  # fmt: skip
    return tuple(sorted(found))


def resolve(
    text: str, universes: Mapping[str, Sequence[str]], markets: Mapping[str, str]
) -> tuple[str, ...]:
    """Symbols that `A,B,UNIVERSE` stands for, in this order, each once; a symbol goes first.

    Raises
    ------
    UsageError
        A name that is neither (E_SYMBOL), or a universe without symbols (E_UNIVERSE_EMPTY).
    """
    found: dict[str, None] = {}
    for name in (part.strip() for part in text.split(",") if part.strip()):
        if name not in markets and name not in universes:
            raise _unknown(name, universes, markets)
        some = (name,) if name in markets else members(universes[name], markets)
        if not some:
            raise UsageError(
                f"A universe holds symbols that have bars – {name} is {', '.join(universes[name])} "
                "and nothing here fits – import some of them, or change [universes] in "
                "openrange.toml.",
                code="E_UNIVERSE_EMPTY",
            )
        found |= dict.fromkeys(some)
    return tuple(found)


def _unknown(
    name: str, universes: Mapping[str, Sequence[str]], markets: Mapping[str, str]
) -> UsageError:  # fmt: skip
    near = difflib.get_close_matches(name, [*universes, *markets], n=1)
    hint = f"Did you mean {near[0]}?" if near else "Import its bars, or add it to [universes]."
    return UsageError(
        f"A name is a symbol that has bars or a universe ({', '.join(universes) or 'none yet'}) – "
        f"{name!r} was given – {hint}",
        code="E_SYMBOL",
    )
