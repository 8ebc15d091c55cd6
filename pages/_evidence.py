"""The evidence bar: one verdict as HTML for pages and as an SVG data address for tables.

Both forms draw from the same geometry and carry the same sentence. The verdict, its words and the
number of outcomes still needed come from the evaluation layer; nothing is judged here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import quote

from pages._format import MIN_OUTCOMES, Html, number, safe, signed, thousands
from pages._theme import MARKS, TOKENS

__all__ = [
    "NET_R",
    "POINTS",
    "SKILL",
    "Measure",
    "VerdictLike",
    "common_span",
    "evidence_bar",
    "evidence_sentence",
    "evidence_svg",
    "shown_kind",
    "verdict_badge",
    "verdict_banner",
    "verdict_chip",
]


class VerdictLike(Protocol):
    """What a verdict must tell: `kind` is few, edge, worse, none, unsure or live (running)."""

    @property
    def kind(self) -> str: ...
    @property
    def words(self) -> str: ...
    @property
    def n(self) -> int: ...
    @property
    def difference(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...
    @property
    def worth(self) -> float: ...
    @property
    def power(self) -> float: ...
    @property
    def more(self) -> float | None: ...


@dataclass(frozen=True, kw_only=True)
class Measure:
    """How a difference is written: unit, factor to it, digits, and the raw value's unit."""

    unit: str
    spoken: str
    factor: float = 1.0
    digits: int = 1
    raw: str = ""

    def figure(self, value: float | None) -> str:
        """A difference in this unit, signed, without the unit."""
        return signed(None if value is None else value * self.factor, self.digits)

    def value(self, value: float | None) -> str:
        """A raw value of model or baseline, with its unit."""
        return f"{number(None if value is None else value * self.factor, self.digits)} {self.raw}"


POINTS = Measure(unit="pp", spoken="points", factor=100, digits=1, raw="%")
SKILL = Measure(unit="%", spoken="percent", factor=100, digits=1, raw="%")
NET_R = Measure(unit="R", spoken="R", digits=2, raw="R")


@dataclass(frozen=True)
class _Geometry:
    """Positions on a bar from 0 (worst) to 100 (best); None where there is nothing to draw."""

    dot: float | None
    low: float | None
    high: float | None
    worth: float | None
    cut_low: bool
    cut_high: bool


_OVER = 10_000


def shown_kind(verdict: VerdictLike) -> str:
    """The kind to draw: below 30 outcomes always *few*, whatever the verdict says."""
    return "few" if verdict.n < MIN_OUTCOMES else verdict.kind


def _finite(*values: float | None) -> bool:
    return all(value is not None and math.isfinite(value) for value in values)


def common_span(verdicts: Iterable[VerdictLike]) -> float:
    """One scale for a group: a round half-width that holds the whiskers of all shown verdicts.

    It never exceeds eight times the largest edge worth having (or the largest difference, if that
    is more), so that one wide interval cannot flatten the others; its whiskers are cut instead.
    """
    shown = [verdict for verdict in verdicts if verdict.n >= MIN_OUTCOMES]
    sizes = [abs(x) for v in shown for x in (v.low, v.high, v.difference, v.worth) if _finite(x)]
    widest = max(sizes, default=0.0)
    anchors = [8 * abs(v.worth) for v in shown if _finite(v.worth)]
    anchors += [1.2 * abs(v.difference) for v in shown if _finite(v.difference)]
    limit = max(anchors, default=widest) or widest
    return _round_up(min(widest * 1.1, limit)) if widest else 1.0


def _round_up(value: float) -> float:
    """The next value whose leading figures read well on an axis."""
    power = 10.0 ** math.floor(math.log10(value))
    steps = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
    return next(step for step in steps if step * power >= value * (1 - 1e-9)) * power


def _geometry(verdict: VerdictLike, span: float) -> _Geometry:
    def place(value: float) -> float | None:
        return min(100.0, max(0.0, 50 + 50 * value / span)) if _finite(value) else None

    whole = _finite(verdict.low, verdict.high)
    return _Geometry(
        dot=place(verdict.difference),
        low=place(verdict.low) if whole else None,
        high=place(verdict.high) if whole else None,
        worth=place(verdict.worth) if _finite(verdict.worth) and verdict.worth > 0 else None,
        cut_low=whole and verdict.low < -span * (1 + 1e-9),
        cut_high=whole and verdict.high > span * (1 + 1e-9),
    )


def _brief(verdict: VerdictLike) -> str:
    """The short form under a small bar: mark, word and the outcomes still needed."""
    kind = shown_kind(verdict)
    text = f"{MARKS[kind].symbol} {MARKS[kind].brief}"
    if kind != "unsure" or verdict.more is None or not math.isfinite(verdict.more):
        return text
    more = f"over {thousands(_OVER)}" if verdict.more > _OVER else thousands(verdict.more)
    return f"{text}: {more} more"


def evidence_sentence(
    verdict: VerdictLike, label: str, *, measure: Measure = POINTS, baseline: str = ""
) -> str:
    """The whole bar in one sentence, for those who do not see it."""
    if shown_kind(verdict) == "few":
        return f"{label}: {verdict.n} of {MIN_OUTCOMES} outcomes, too few for a figure."
    against = f"the {baseline} baseline" if baseline else "the best baseline"
    return (
        f"{label}: {measure.figure(verdict.difference)} {measure.spoken} against {against}, "
        f"95 percent interval {measure.figure(verdict.low)} to {measure.figure(verdict.high)}, "
        f"n {thousands(verdict.n)}. {verdict.words.rstrip('.')}."
    )


def evidence_bar(
    verdict: VerdictLike,
    label: str,
    *,
    measure: Measure = POINTS,
    baseline: str = "",
    values: tuple[float, float] | None = None,
    span: float | None = None,
    big: bool = False,
    axis: bool = False,
    brief: bool = True,
) -> Html:
    """The evidence bar as HTML.

    Parameters
    ----------
    verdict
        Difference, interval and edge worth having in the measure's raw unit (shares, not points),
        better always positive. Below 30 outcomes only their count is shown.
    label, baseline
        What is measured and the name of the baseline it stands against.
    values
        Raw values of model and baseline, shown below the bar.
    span
        Half-width of the scale in raw units; `common_span` gives one for a group.
    big, axis, brief
        Larger bar; a line that explains the scale; the verdict's short form in the foot (left out
        inside a banner, which says it in full).
    """
    kind = shown_kind(verdict)
    sentence = safe(evidence_sentence(verdict, label, measure=measure, baseline=baseline))
    start = f'<div class="or or-ev or-k-{kind}{" or-big" if big else ""}" role="img"'
    start += f' aria-label="{sentence}">'
    if kind == "few":
        return Html(f"{start}{_few_body(verdict, label)}</div>")
    scale = span or common_span([verdict])
    against = f' <span class="or-faint">vs {safe(baseline)}</span>' if baseline else ""
    top = (
        f'<div class="or-ev-top"><span>{safe(label)}{against}</span>'
        f"<b>{measure.figure(verdict.difference)}<small> {safe(measure.unit)}</small></b></div>"
    )
    foot = _foot(verdict, measure, values, brief=brief)
    legend = _axis(verdict, measure, scale) if axis else ""
    return Html(f"{start}{top}{_track(_geometry(verdict, scale))}{legend}{foot}</div>")


def _few_body(verdict: VerdictLike, label: str) -> str:
    width = 100 * max(0, verdict.n) / MIN_OUTCOMES
    return (
        f'<div class="or-ev-top"><span>{safe(label)}</span><b class="or-muted">no figure yet</b>'
        f'</div><div class="or-ev-few"><i style="width:{min(width, 100):.0f}%"></i></div>'
        f'<div class="or-ev-foot"><b>{verdict.n} of {MIN_OUTCOMES} outcomes</b>'
        f"<span>a figure is shown from {MIN_OUTCOMES} on</span></div>"
    )


def _track(place: _Geometry) -> str:
    marks = ""
    if place.worth is not None:
        marks += f'<i class="or-ev-worth" style="left:{place.worth:.1f}%"></i>'
    if place.low is not None and place.high is not None:
        cut = (" or-cut-low" if place.cut_low else "") + (" or-cut-high" if place.cut_high else "")
        width = place.high - place.low
        style = f"left:{place.low:.1f}%;width:{width:.1f}%"
        marks += f'<i class="or-ev-span{cut}" style="{style}"></i>'
    marks += '<i class="or-ev-zero"></i>'
    if place.dot is not None:
        marks += f'<i class="or-ev-dot" style="left:{place.dot:.1f}%"></i>'
    return f'<div class="or-ev-track">{marks}</div>'


def _axis(verdict: VerdictLike, measure: Measure, span: float) -> str:
    digits = 0 if span * measure.factor >= 5 else measure.digits
    left, right = (signed(side * span * measure.factor, digits) for side in (-1, 1))
    least = verdict.worth * measure.factor
    worth = signed(least, 0 if abs(least - round(least)) < 1e-9 else measure.digits)
    return (
        f'<div class="or-ev-axis"><span>{left} {safe(measure.unit)}</span>'
        f"<span>worse ◂ baseline ▸ better · ¦ {worth} worth having</span><span>{right}</span></div>"
    )


def _foot(
    verdict: VerdictLike, measure: Measure, values: tuple[float, float] | None, *, brief: bool
) -> str:
    cells = [f"<b>{safe(_brief(verdict))}</b>" if brief else "<span>95 % interval</span>"]
    if _finite(verdict.low, verdict.high):
        interval = f"[{measure.figure(verdict.low)}, {measure.figure(verdict.high)}]"
        cells.append(f"<span>{interval}</span>")
    else:
        cells.append("<span>no interval yet</span>")
    if values is not None:
        model, base = values
        cells.append(f"<span>{measure.value(model)} vs {measure.value(base)}</span>")
    cells.append(f"<span>n {thousands(verdict.n)}</span>")
    return f'<div class="or-ev-foot">{"".join(cells)}</div>'


_WIDTH, _HEIGHT, _PAD = 240, 26, 6


def evidence_svg(
    verdict: VerdictLike,
    label: str,
    *,
    span: float,
    measure: Measure = POINTS,
    baseline: str = "",
) -> str:
    """The same bar as an SVG data address, for an image column of a table.

    Scale, marks, cuts and sentence are those of `evidence_bar`; the figures stand in other columns.
    """
    kind = shown_kind(verdict)
    sentence = safe(evidence_sentence(verdict, label, measure=measure, baseline=baseline))
    body = _svg_few(verdict) if kind == "few" else _svg_marks(kind, _geometry(verdict, span))
    return "data:image/svg+xml;utf8," + quote(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{_HEIGHT}" '
        f'viewBox="0 0 {_WIDTH} {_HEIGHT}" class="or-k-{kind}" role="img" aria-label="{sentence}">'
        f"<title>{sentence}</title>{body}</svg>"
    )


def _svg_few(verdict: VerdictLike) -> str:
    inner, middle = _WIDTH - 2 * _PAD, _HEIGHT / 2
    width = inner * min(1.0, max(0, verdict.n) / MIN_OUTCOMES)
    return (
        '<pattern id="s" width="6" height="6" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="3" height="6" fill="{TOKENS["faint"]}"/>'
        f'</pattern><rect x="{_PAD}" y="{middle - 3}" width="{inner}" height="6" rx="3" '
        f'fill="{TOKENS["grid"]}"/><rect class="or-ev-few" x="{_PAD}" y="{middle - 3}" '
        f'width="{width:.1f}" height="6" rx="3" fill="url(#s)"/>'
    )


def _svg_at(place: float) -> float:
    return _PAD + place / 100 * (_WIDTH - 2 * _PAD)


def _svg_marks(kind: str, place: _Geometry) -> str:
    colour, middle, zero = TOKENS[MARKS[kind].token], _HEIGHT / 2, _svg_at(50)
    marks = (
        f'<rect x="{_PAD}" y="4" width="{_WIDTH - 2 * _PAD}" height="{_HEIGHT - 8}" rx="2" '
        f'fill="{TOKENS["grid"]}"/><rect x="{zero}" y="4" width="{zero - _PAD}" '
        f'height="{_HEIGHT - 8}" rx="2" fill="{TOKENS["line"]}" fill-opacity=".55"/>'
    )
    if place.worth is not None:
        line = f'stroke="{TOKENS["muted"]}" stroke-width="1.5" stroke-dasharray="1.5 2"'
        marks += _svg_line("or-ev-worth", _svg_at(place.worth), 4, _HEIGHT - 4, line)
    if place.low is not None and place.high is not None:
        marks += _svg_span(place, place.low, place.high, colour)
    whole = f'stroke="{TOKENS["text"]}" stroke-width="1.5"'
    marks += _svg_line("or-ev-zero", zero, 1, _HEIGHT - 1, whole)
    return marks + ("" if place.dot is None else _svg_dot(kind, _svg_at(place.dot), middle, colour))


def _svg_line(name: str, x: float, top: float, bottom: float, line: str) -> str:
    return f'<line class="{name}" x1="{x:.1f}" x2="{x:.1f}" y1="{top}" y2="{bottom}" {line}/>'


def _svg_span(place: _Geometry, low: float, high: float, colour: str) -> str:
    left, right, middle = _svg_at(low), _svg_at(high), _HEIGHT / 2
    cut = (" or-cut-low" if place.cut_low else "") + (" or-cut-high" if place.cut_high else "")
    marks = (
        f'<rect class="or-ev-span{cut}" x="{left:.1f}" y="{middle - 3}" '
        f'width="{right - left:.1f}" height="6" fill="{colour}" fill-opacity=".42"/>'
    )
    cap = f'stroke="{colour}" stroke-width="1.5"'
    for at, is_cut in ((left, place.cut_low), (right, place.cut_high)):
        if not is_cut:
            marks += _svg_line("or-ev-cap", at, middle - 5, middle + 5, cap)
    return marks


def _svg_dot(kind: str, x: float, y: float, colour: str) -> str:
    if kind == "none":
        shape = f'<rect x="{x - 4:.1f}" y="{y - 4}" width="8" height="8" rx="1.5" fill="{colour}"/>'
    elif kind == "worse":
        shape = f'<path d="M{x - 5.5:.1f} {y - 4.5}h11l-5.5 10z" fill="{colour}"/>'
    elif kind == "unsure":
        ring = f'fill="{TOKENS["bg"]}" stroke="{colour}" stroke-width="2"'
        shape = f'<circle cx="{x:.1f}" cy="{y}" r="4.3" {ring}/>'
    else:
        shape = f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{colour}"/>'
    return f'<g class="or-ev-dot" data-at="{x:.1f}">{shape}</g>'


def verdict_banner(verdict: VerdictLike, text: str, bar: Html) -> Html:
    """The page's first answer: the verdict in its own words, one sentence, and the big bar."""
    kind = shown_kind(verdict)
    words = verdict.words if kind == verdict.kind else MARKS[kind].words
    return Html(
        f'<div class="or or-verdict or-k-{kind}"><div><h2><i>{MARKS[kind].symbol}</i> '
        f"{safe(words)}</h2><p>{safe(text)}</p></div><div>{safe(bar)}</div></div>"
    )


def verdict_badge(kind: str) -> Html:
    """A verdict as a badge: mark and words."""
    mark = MARKS[kind]
    return Html(f'<span class="or-badge or-k-{kind}">{mark.symbol} {mark.words}</span>')


def verdict_chip(verdict: VerdictLike) -> list[str]:
    """The value of a verdict cell in a `chip_options("verdict")` column."""
    mark = MARKS[shown_kind(verdict)]
    return [f"{mark.symbol} {mark.brief}"]
