"""What is asked of a decision, and when its answer is due and known.

A label's name carries every parameter that is not the default, in this order:

    orb_direction [_m30] [_close]                  which side of the opening range breaks first
    orb_quality   [_m30] [_close] [_k3] [_f05]     does the trade of a given side win, net
    orb_r         [_m30] [_close] [_k3] [_f05]     its net R
    signal        [_24 | _24h | _5d]               BUY, SELL or HOLD by a triple barrier

`m` minutes of the range, `close` the break mode, `k` the target's multiple, `f` the stop's
fraction. Numbers are written without a point: `3` is 3, `1p5` is 1.5, `05` is 0.5, `025` 0.25.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Literal, NamedTuple

import numpy as np

from mlcore.config import ORB
from mlcore.errors import UsageError
from mlcore.schema import check_label_name
from mlcore.trading.trades import windows

__all__ = [
    "BASES",
    "Horizon",
    "Label",
    "barrier_labels",
    "label",
    "orb_label",
    "parse_horizon",
    "triple_barrier",
]

Array = np.ndarray[Any, Any]
_STANDARD = ORB()


class _Base(NamedTuple):
    task: Literal["classification", "regression"]
    classes: tuple[str, ...]
    traded: bool
    sided: bool
    parameters: str


BASES: dict[str, _Base] = {
    "orb_direction": _Base("classification", ("UP", "DOWN", "NONE"), False, False, "mc"),
    "orb_quality": _Base("classification", ("LOSS", "WIN"), True, True, "mckf"),
    "orb_r": _Base("regression", (), True, True, "mckf"),
    "signal": _Base("classification", ("BUY", "SELL", "HOLD"), True, False, "h"),
}
"""What each kind of label is: task, classes in the order of their index, traded, two sides."""


class Horizon(NamedTuple):
    """A length in bars, hours of elapsed time, or trading days."""

    length: int
    unit: Literal["bars", "hours", "days"]


def parse_horizon(text: str) -> Horizon:
    """`12` bars, `24h` elapsed hours, `5d` trading days.

    Raises
    ------
    UsageError
        Anything else, or zero.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})([hd]?)", str(text))
    if match is None:
        raise UsageError(
            f"A horizon is a number of bars, hours or trading days – {text!r} was given – write "
            "it as 12, 24h or 5d.",
            code="E_HORIZON",
        )
    units: dict[str, Literal["bars", "hours", "days"]] = {"": "bars", "h": "hours", "d": "days"}
    return Horizon(int(match[1]), units[match[2]])


@dataclass(frozen=True)
class Label:
    """One question, with all its parameters; `name` is its inverse of `label`."""

    base: str
    mode: Literal["touch", "close"] = "touch"
    k: float = 2.0
    stop_fraction: float = 1.0
    minutes: int = 15
    horizon: str = ""

    @property
    def name(self) -> str:
        """The name that `label` reads."""
        said = [
            (self.minutes != _STANDARD.minutes, f"m{self.minutes}"),
            (self.mode != _STANDARD.mode, self.mode),
            (self.k != _STANDARD.k, f"k{_number(self.k)}"),
            (self.stop_fraction != _STANDARD.stop_fraction, f"f{_number(self.stop_fraction)}"),
            (bool(self.horizon), self.horizon),
        ]
        return "_".join([self.base, *(text for unusual, text in said if unusual)])

    @property
    def task(self) -> Literal["classification", "regression"]:
        """Classification or regression."""
        return BASES[self.base].task

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in the order of their index; none for a regression."""
        return BASES[self.base].classes

    @property
    def traded(self) -> bool:
        """Whether its calls have a traded series."""
        return BASES[self.base].traded

    @property
    def sided(self) -> bool:
        """Whether a range has two rows, one per hypothetical side."""
        return BASES[self.base].sided

    @property
    def of_ranges(self) -> bool:
        """Whether its rows are opening ranges (else bars)."""
        return self.base.startswith("orb_")

    def orb(self, settings: ORB) -> ORB:
        """The opening-range parameters it names; the coverage asked for is the home's."""
        return settings.model_copy(
            update={
                "minutes": self.minutes, "mode": self.mode, "k": self.k,
                "stop_fraction": self.stop_fraction,
            }
        )  # fmt: skip

    def horizon_for(self, timeframe: str) -> Horizon:
        """Its horizon; by default 12 bars, 5 of daily bars."""
        return parse_horizon(self.horizon or ("5" if timeframe == "1d" else "12"))


def _number(value: float) -> str:
    text = f"{value:.10g}"
    return text.replace("0.", "0", 1) if text.startswith("0.") else text.replace(".", "p")


def _value(text: str) -> float:
    small = text.startswith("0") and "p" not in text
    return float("0." + text[1:]) if small else float(text.replace("p", "."))


_SUFFIX = re.compile(
    r"(?:_m(?P<m>[1-9]\d*))?(?P<c>_close)?(?:_k(?P<k>\d+(?:p\d+)?))?(?:_f(?P<f>\d+(?:p\d+)?))?"
    r"(?:_(?P<h>[1-9]\d*[hd]?))?"
)


def label(name: str, *, horizon: str | None = None) -> Label:
    """The label called `name`; `horizon` replaces the one in its name.

    Raises
    ------
    UsageError
        Not a target, or not written as `Label.name` would write it.

    Examples
    --------
    >>> label("orb_r_close_k3").k, label("orb_quality_f05").stop_fraction
    (3.0, 0.5)
    """
    check_label_name(name)
    base = next((b for b in BASES if name == b or name.startswith(b + "_")), None)
    match = _SUFFIX.fullmatch(name[len(base) :]) if base else None
    if base is None or match is None:
        raise _unknown(name)
    given = {key: text for key, text in match.groupdict().items() if text is not None}
    if set(given) - set(BASES[base].parameters):
        raise _unknown(name)
    found = Label(
        base,
        mode="close" if "c" in given else "touch",
        k=_value(given.get("k", "2")),
        stop_fraction=_value(given.get("f", "1")),
        minutes=int(given.get("m", _STANDARD.minutes)),
        horizon=given.get("h", ""),
    )
    if found.name != name or not (found.k > 0 and 0 < found.stop_fraction <= 1):
        raise _unknown(name, found.name)
    return found if horizon is None else _at_horizon(found, horizon)


def _at_horizon(found: Label, horizon: str) -> Label:
    if found.of_ranges:
        raise UsageError(
            f"An opening range's horizon is its window – {horizon!r} was given for {found.name} "
            "– leave the horizon out.",
            code="E_HORIZON",
        )
    parse_horizon(horizon)
    return replace(found, horizon=str(horizon))


def _unknown(name: str, meant: str | None = None) -> UsageError:
    near = [meant] if meant and meant != name else get_close_matches(name, list(BASES), 1, 0.5)
    hint = f"did you mean {near[0]}?" if near else "choose one of these."
    return UsageError(
        f"A target is one of {', '.join(BASES)}, with parameters as in orb_r_close_k3 or "
        f"signal_24h – {name!r} was given – {hint}",
        code="E_TARGET",
        details={"given": name, "known": list(BASES)},
    )


def orb_label(base: str, orb: ORB) -> Label:
    """The label of `base` with the opening-range parameters of `orb` that concern it."""
    kept = BASES[base].parameters
    found = Label(base, minutes=orb.minutes, mode=orb.mode)
    if "k" in kept:
        found = replace(found, k=orb.k, stop_fraction=orb.stop_fraction)
    return found


def triple_barrier(
    close: Any,
    upper: Any,
    lower: Any,
    horizon: int,
    vertical: Literal["zero", "sign"] = "zero",
) -> tuple[Array, Array]:
    """Which of three barriers each close meets first, and at which bar.

    Parameters
    ----------
    close
        Shape (n,), finite.
    upper, lower
        Barriers as fractions of close[i], > 0: scalars or one a bar; NaN is no label.
    horizon
        Bars to the vertical barrier, at least 1.
    vertical
        The label there: 0 ("zero") or the sign of the return ("sign").

    Returns
    -------
    labels
        float64 (n,): 1 the upper barrier first, −1 the lower, the vertical's label, NaN where
        neither is met and the horizon is incomplete. Touch is ≥ and ≤ on closes.
    ends
        int64 (n,): index of the bar that ended it, −1 where the label is NaN.

    Raises
    ------
    UsageError
        A barrier that is not positive, a horizon below 1, an unknown vertical.

    References
    ----------
    López de Prado 2018, Advances in Financial Machine Learning, section 3.4.
    """
    prices = np.asarray(close, dtype=np.float64)
    if int(horizon) < 1:
        raise _bad_barrier("The horizon is at least 1 bar", horizon)
    if vertical not in ("zero", "sign"):
        raise _bad_barrier("The vertical barrier's label is zero or sign", vertical)
    last = np.arange(len(prices)) + int(horizon)
    return barrier_labels(prices, _widths(upper, prices), _widths(lower, prices), last, vertical)


def barrier_labels(
    close: Array, upper: Array, lower: Array, last: Array, vertical: Literal["zero", "sign"]
) -> tuple[Array, Array]:
    """`triple_barrier` with a horizon of its own per bar: `last` is the index of its last bar.

    A `last` beyond the data is an incomplete horizon; one at or before the bar itself, none.
    """
    count = len(close)
    labels, ends = np.full(count, np.nan), np.full(count, -1, dtype=np.int64)
    rows = np.flatnonzero(~(np.isnan(upper) | np.isnan(lower)) & (last > np.arange(count)))
    # A few units in the last place, so that a barrier computed as 100 × 1.1 is met by 110.
    room = 4 * np.finfo(np.float64).eps * np.abs(close)
    top = close + np.abs(close) * upper - room
    bottom = close - np.abs(close) * lower + room
    for piece, cells, inside in windows(rows + 1, np.minimum(last[rows], count - 1) + 1):
        row = rows[piece]
        later = close[cells]
        above = (later >= top[row, None]) & inside
        met = above | ((later <= bottom[row, None]) & inside)
        at = met.argmax(axis=1)
        line = np.arange(len(row))
        touched, whole = met[line, at], last[row] < count
        end = np.where(touched, row + 1 + at, np.minimum(last[row], count - 1))
        side = np.where(above[line, at], 1.0, -1.0)
        flat = np.sign(close[end] - close[row]) if vertical == "sign" else 0.0
        labels[row] = np.where(touched, side, np.where(whole, flat, np.nan))
        ends[row] = np.where(touched | whole, end, -1)
    return labels, ends


def _widths(barrier: Any, prices: Array) -> Array:
    widths = np.broadcast_to(np.asarray(barrier, dtype=np.float64), prices.shape)
    if bool((widths <= 0).any()):
        raise _bad_barrier(
            "A barrier is a positive fraction of the close", float(np.nanmin(widths))
        )
    return widths


def _bad_barrier(rule: str, given: object) -> UsageError:
    return UsageError(f"{rule} – {given!r} was given – change it.", code="E_BARRIER")
