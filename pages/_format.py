"""How a figure becomes text: minus sign, thousands, points, and no percentage below 30 outcomes."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from html import escape
from typing import Final

from pandas import NA

__all__ = [
    "MINUS",
    "MIN_OUTCOMES",
    "MISSING",
    "Html",
    "dated",
    "duration",
    "is_missing",
    "moment",
    "number",
    "percent",
    "points",
    "range_title",
    "rate",
    "safe",
    "signed",
    "thousands",
]

MINUS: Final = "\u2212"
MISSING: Final = "—"
MIN_OUTCOMES: Final = 30
"""Below this many outcomes no percentage and no difference is shown."""


class Html(str):
    """Text that is HTML already: every part returns it, and no part escapes it again."""

    __slots__ = ()


def is_missing(value: object) -> bool:
    """Whether a value is None, NaN or NaT: the last two are unequal even to themselves."""
    return value is None or value is NA or bool(value != value)


def safe(value: object) -> Html:
    """Any value as HTML: markup of ours as it is, everything else escaped, missing as a dash."""
    if isinstance(value, Html):
        return value
    return Html(MISSING if is_missing(value) else escape(str(value)))


def _figure(value: float, digits: int) -> tuple[str, bool]:
    """Absolute value with thousands separators, and whether it shows as zero."""
    text = f"{abs(value):,.{digits}f}"
    return text, not any(digit in text for digit in "123456789")


def number(value: float | None, digits: int = 0) -> str:
    """A plain figure: thousands with commas, a true minus sign, a dash where it is missing."""
    if value is None or math.isnan(value):
        return MISSING
    text, is_zero = _figure(value, digits)
    return f"{MINUS}{text}" if value < 0 and not is_zero else text


def signed(value: float | None, digits: int = 1, unit: str = "") -> str:
    """A difference: always with + or −, except where it rounds to zero.

    >>> signed(-3.14), signed(0.04), signed(1.9, unit="pp")
    ('−3.1', '0.0', '+1.9 pp')
    """
    if value is None or math.isnan(value):
        return MISSING
    text, is_zero = _figure(value, digits)
    sign = "" if is_zero else "+" if value > 0 else MINUS
    return f"{sign}{text} {unit}".rstrip()


def thousands(count: float | None) -> str:
    """A count with separators: 12,345."""
    return number(count, 0)


def percent(share: float | None, digits: int = 0) -> str:
    """A probability between 0 and 1 as a percentage. For an observed rate use `rate`."""
    return MISSING if share is None or math.isnan(share) else f"{number(share * 100, digits)} %"


def rate(share: float | None, n: int, digits: int = 1) -> str:
    """An observed rate over `n` outcomes; with fewer than 30 the count stands in for it.

    >>> rate(0.582, 213), rate(0.75, 12)
    ('58.2 %', '12 of 30 outcomes')
    """
    return percent(share, digits) if n >= MIN_OUTCOMES else f"{n} of {MIN_OUTCOMES} outcomes"


def points(share: float | None, digits: int = 1) -> str:
    """A difference between two shares, in percentage points."""
    return signed(None if share is None else share * 100, digits, "pp")


def duration(seconds: float | None) -> str:
    """A span of time in its two largest units: 28 s, 4 min, 1 h 05 min, 3 d 4 h."""
    if seconds is None or math.isnan(seconds):
        return MISSING
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    minutes = round(whole / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes:02d} min" if minutes else f"{hours} h"
    return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"


def moment(at: datetime | None, *, seconds: bool = False, day: bool = True) -> str:
    """An instant as it reads in tables: ``20 Nov 13:15``; the caller names the zone once."""
    if at is None or is_missing(at):
        return MISSING
    clock = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
    return f"{at.day} {at:%b} {clock}" if day else clock


def dated(at: datetime, now: datetime | None = None) -> str:
    """A day as it reads in titles and tables: with its year where that is not the present one.

    >>> dated(datetime(2014, 6, 30), datetime(2026, 11, 20)), dated(*[datetime(2026, 11, 20)] * 2)
    ('30 Jun 2014', '20 Nov')
    """
    present = datetime.now(UTC) if now is None else now
    return f"{at:%d %b}" if at.year == present.year else f"{at:%d %b %Y}"


_CAPITALS: Final = {"utc": "UTC", "nse": "NSE", "rth": "RTH"}


def range_title(name: str) -> str:
    """A range's or session's name as people write it; a range in Asia opens by Tokyo's clock.

    >>> range_title("new_york_0930"), range_title("utc_0000"), range_title("asia_0900")
    ('New York 09:30', 'UTC 00:00', 'Tokyo 09:00')
    >>> range_title("asia")
    'Asia'
    """
    *words, last = name.split("_")
    if last.isdigit() and len(last) == 4 and words:
        last = f"{last[:2]}:{last[2:]}"
        words = ["tokyo" if word == "asia" else word for word in words]
    return " ".join(_CAPITALS.get(word, word[:1].upper() + word[1:]) for word in [*words, last])
