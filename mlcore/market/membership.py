"""Which market a symbol most likely belongs to, from its name alone.

A suggestion for an import that names no market: it is used, written down and shown, and
`--market` or the Settings page changes it.
"""

from __future__ import annotations

import re
from collections.abc import Container

__all__ = ["suggest_market"]

_MONEY = "USD|EUR|GBP|JPY|CHF|AUD|NZD|CAD|SEK|NOK|DKK|SGD|HKD|CNH|MXN|ZAR|TRY|PLN|HUF|CZK|INR"
_COINS = "BTC|XBT|ETH|SOL|XRP|ADA|DOGE|BNB|LTC|DOT|AVAX|LINK|TRX|MATIC|BCH|UNI|ATOM"
_PATTERNS = (
    ("gold", r"(XAU|XAG|GOLD|SILVER|GC=F|SI=F).*"),
    ("fx", rf"({_MONEY})[-_.]?({_MONEY})(=X)?"),
    ("crypto", rf"({_COINS})([-_.]?(USDT?|USDC|BUSD|EUR|BTC|ETH|PERP).*)?"),
    ("crypto", r".+(USDT|USDC|BUSD)"),
    ("index_futures", r"M?(ES|NQ|YM|RTY|MES|MNQ)([FGHJKMNQUVXZ]\d{1,2}|=F|\d)?"),
    ("nse", r"(BANK|FIN)?NIFTY.*|\^NSE.*|SENSEX|.+\.(NS|BO)"),
)


def suggest_market(symbol: str, known: Container[str]) -> str:
    """The name of the likeliest market among `known`; US equities when nothing else fits.

    Examples
    --------
    >>> suggest_market("XAUUSD", {"gold", "us_equity"})
    'gold'
    """
    upper = symbol.upper()
    fits = (m for m, pattern in _PATTERNS if m in known and re.fullmatch(pattern, upper))
    return next(fits, "us_equity")
