"""Parts of a call: its mark, its probability against the baseline, its row, its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pages._evidence import POINTS, Measure
from pages._format import MISSING, Html, is_missing, percent, points, safe, thousands

__all__ = [
    "Decision",
    "Signal",
    "call_mark",
    "next_decisions",
    "probability_pair",
    "reasons_list",
    "signal_head",
    "signal_row",
]

_SIDES = {"UP": ("▲", "up"), "BUY": ("▲", "up"), "DOWN": ("▼", "down"), "SELL": ("▼", "down")}


def _side_class(side: str | None) -> str:
    return _SIDES.get(side or "", ("", "muted"))[1]


def call_mark(side: str | None, *, suffix: str = "") -> Html:
    """A call with its shape and colour: ▲ UP, ▼ SELL; None is *no call*, others plain text."""
    symbol, name = _SIDES.get(side or "", ("", "muted"))
    text = f"{symbol} {side}{suffix}" if symbol else f"{MISSING} no call" if side is None else side
    return Html(f'<span class="or-call or-{name}">{safe(text)}</span>')


def probability_pair(probability: float, baseline: float, side: str | None) -> Html:
    """Model ● against baseline |, their gap in the colour of the side, 50 % dashed.

    Probabilities lie between 0 and 1 and belong to the called class.
    """
    model, base = (min(1.0, max(0.0, value)) * 100 for value in (probability, baseline))
    start, width = min(model, base), abs(model - base)
    spoken = f"model {model:.0f} percent, baseline {base:.0f} percent"
    return Html(
        f'<div class="or-pair" style="--c:var(--{_side_class(side)})" role="img" '
        f'aria-label="{spoken}"><i class="or-pair-line"></i><i class="or-pair-half"></i>'
        f'<i class="or-pair-gap" style="left:{start:.1f}%;width:{width:.1f}%"></i>'
        f'<i class="or-pair-base" style="left:{base:.1f}%"></i>'
        f'<i class="or-pair-dot" style="left:{model:.1f}%"></i></div>'
    )


@dataclass(frozen=True, kw_only=True)
class Signal:
    """One row of Today: a call, or the absence of one, which is a row like the others.

    `figure` stands in for the probabilities where there are none: a forecast's value and interval.
    """

    symbol: str
    detail: str
    side: str | None
    what: str
    probability: float | None = None
    baseline: float | None = None
    level: str | None = None
    figure: str = "model and baseline hidden: no call"
    why: str = ""
    due: str = MISSING
    source: str = ""


def signal_head() -> Html:
    """Column heads above the signal rows; phones show cards and need none."""
    names = ("Market", "Call", "Model ● against baseline |", "Main reasons")
    cells = "".join(f"<span>{name}</span>" for name in names)
    due = '<span class="or-right">Due, UTC</span>'
    return Html(f'<div class="or or-signal-head">{cells}{due}</div>')


def signal_row(signal: Signal) -> Html:
    """A call in one row: market, call, model against baseline, reasons, when it is due."""
    return Html(
        f'<div class="or or-signal"><div><b>{safe(signal.symbol)}</b>'
        f"<small>{safe(signal.detail)}</small></div>"
        f"<div><b>{call_mark(signal.side)}</b><small>{safe(signal.what)}</small></div>"
        f'<div>{_signal_figures(signal)}</div><div class="or-why">{safe(signal.why)}</div>'
        f'<div class="or-right"><div><span class="or-phone">Due </span>{safe(signal.due)}'
        f'<span class="or-phone"> UTC</span></div><small>{safe(signal.source)}</small>'
        "</div></div>"
    )


def _signal_figures(signal: Signal) -> str:
    model, base = signal.probability, signal.baseline
    if signal.side is None or model is None or base is None or is_missing(model):
        return f"<small>{safe(signal.figure)}</small>"
    level = f" &nbsp;·&nbsp; confidence {safe(signal.level)}" if signal.level else ""
    return (
        f"{probability_pair(model, base, signal.side)}<small><b>{percent(model)}</b> vs "
        f"{percent(base)} &nbsp;·&nbsp; {points(model - base)}{level}</small>"
    )


@dataclass(frozen=True)
class _Scale:
    """Maps values to 0 … 100 of a waterfall's width."""

    low: float
    high: float

    def place(self, value: float) -> float:
        return 100 * (value - self.low) / (self.high - self.low)


def reasons_list(
    baseline: float,
    steps: Sequence[tuple[str, float]],
    call: float,
    *,
    side: str | None,
    others: int = 0,
    name: str = "Baseline",
    result: str = "This call, calibrated",
    measure: Measure = POINTS,
) -> Html:
    """What moved the call: from the baseline, step by step, up to the call.

    Parameters
    ----------
    baseline, call
        Probabilities of the called class (or values, with another `measure`).
    steps
        Text and contribution each; positive ones speak for the call. What is the baseline itself
        is no step.
    side
        The called side: steps for it take its colour, steps against it the other one.
    others
        How many further inputs there are. Their row takes what is left, so that the list always
        adds up; without further inputs a rest is called *not attributed*.
    """
    rest = call - baseline - sum(value for _, value in steps)
    rows = list(steps)
    if others:
        rows.append((f"{thousands(others)} other inputs", rest))
    elif abs(rest) * measure.factor >= 0.5 * 10**-measure.digits:
        rows.append(("not attributed", rest))
    marks, scale = _waterfall(baseline, rows, call, side, measure)
    body = f"<span>{safe(name)}</span>{_end_bar(scale, baseline, baseline, 'base', side)}"
    body += f'<b class="or-right">{_level(baseline, measure)}</b>{marks}<hr>'
    body += f"<b>{safe(result)}</b>{_end_bar(scale, baseline, call, 'call', side)}"
    body += f'<b class="or-right">{_level(call, measure)}</b>'
    return Html(f'<div class="or or-reasons">{body}</div>')


def _level(value: float, measure: Measure) -> str:
    return percent(value) if measure is POINTS else measure.value(value)


def _waterfall(
    start: float, rows: Sequence[tuple[str, float]], call: float, side: str | None, measure: Measure
) -> tuple[str, _Scale]:
    """The steps' rows, and the scale that fits every level between baseline and call."""
    levels = [start]
    for _, value in rows:
        levels.append(levels[-1] + value)
    low, high = min(*levels, call), max(*levels, call)
    room = max(0.08 * (high - low), 0.01 / measure.factor, 1e-12)
    scale = _Scale(low - room, high + room)
    colour = _side_class(side)
    against = {"up": "down", "down": "up"}.get(colour, "faint")
    out = ""
    for (text, value), before in zip(rows, levels, strict=False):
        token = colour if value >= 0 else against
        left, right = sorted((scale.place(before), scale.place(before + value)))
        bar = f'<i style="left:{left:.1f}%;width:{right - left:.1f}%;--c:var(--{token})"></i>'
        base = f'<u style="left:{scale.place(start):.1f}%"></u>'
        figure = f'<b class="or-right" style="color:var(--{token})">{measure.figure(value)}</b>'
        out += f'<span>{safe(text)}</span><span class="or-fall">{base}{bar}</span>{figure}'
    return out, scale


def _end_bar(scale: _Scale, start: float, value: float, end: str, side: str | None) -> str:
    base = f'<u style="left:{scale.place(start):.1f}%"></u>'
    style = f"left:{scale.place(value):.1f}%;--c:var(--{_side_class(side)})"
    return f'<span class="or-fall">{base}<i class="or-fall-{end}" style="{style}"></i></span>'


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One coming decision: when (UTC), which market, what happens, how long until then."""

    when: str
    market: str
    what: str
    wait: str = ""


def next_decisions(decisions: Sequence[Decision]) -> Html:
    """The next four decisions side by side; the first is the next one."""
    cells = "".join(
        f'<div><b>{safe(item.when)}</b> <span class="or-muted">{safe(item.wait)}</span><br>'
        f'{safe(item.market)}<br><span class="or-muted">{safe(item.what)}</span></div>'
        for item in decisions[:4]
    )
    return Html(f'<div class="or or-agenda">{cells or "None is scheduled."}</div>')
