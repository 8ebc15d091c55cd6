"""What the Market page shows, put together: spans of time, candles with their layers, the rail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from mlcore.hub import TIMEFRAMES, Hub
from pages import _charts as charts
from pages import _parts as parts
from pages._format import Html, dated, number, range_title, signed, thousands

__all__ = [
    "LAYERS",
    "PANES",
    "View",
    "bars_panel",
    "evidence_panel",
    "evidence_title",
    "exported",
    "figure_of",
    "last_quote",
    "newest_day",
    "range_start",
    "ranges_panel",
    "spans",
    "view_of",
]

LAYERS: Final[Mapping[str, str]] = {
    "Sessions": "",
    "Ranges": "",
    "VWAP 50": "vwap_50",
    "EMA 20": "ema_20",
    "EMA 50": "ema_50",
    "SMA 200": "sma_200",
}
"""Layers on the candles: name → the hub's overlay, empty for sessions and ranges."""

PANES: Final[Mapping[str, tuple[str, tuple[float, ...]]]] = {
    "RSI 14": ("rsi_14", (30, 50, 70)),
    "ADX 14": ("adx_14", (25,)),
    "MACD histogram, in ATR": ("macd_histogram", (0,)),
    "Stochastic %K 14": ("stochastic_k_14", (20, 80)),
    "ATR 14, share of price": ("atr_percent_14", ()),
    "Volatility 20, per bar": ("volatility_20", ()),
    "Volume against 20 bars": ("volume_ratio_20", (1,)),
}
"""Panes below the candles: name → the catalogue's feature and its guide levels."""

_SPANS: Final = (
    ("1d", 1),
    ("3d", 3),
    ("1w", 7),
    ("1mo", 30),
    ("3mo", 91),
    ("1y", 365),
    ("5y", 1826),
)
_DAY: Final = 86_400 * 10**9
_EVERYTHING: Final = "all"
_RANGE_DAYS: Final = 35
_RANGES_APART: Final = 2100
"""Candles in sight above which a range is thinner than a pixel."""


def spans(timeframe: str, first: pd.Timestamp, last: pd.Timestamp) -> tuple[list[str], str]:
    """The spans of time worth offering for bars of this width and history, and the usual one."""
    day_bars = max(1.0, _DAY / TIMEFRAMES[timeframe])
    days = max(1, (last - first).days)
    fit = [(n, d) for n, d in _SPANS if 60 <= d * day_bars <= 12_000 and d < days]
    names = [name for name, _ in fit]
    usual = next((name for name, d in fit if d * day_bars >= 180), names[-1] if names else "")
    return [*names, _EVERYTHING], usual or _EVERYTHING


@dataclass(frozen=True)
class View:
    """The bars of a page: all that were read, what is drawn of them, and how many are in sight."""

    symbol: str
    timeframe: str
    bars: pd.DataFrame
    drawn: charts.ThinnedBars
    visible: int
    start: pd.Timestamp

    @property
    def newest(self) -> int:
        """Start of the newest bar, int64 ns."""
        return int(self.bars["time"].iloc[-1].value)

    @property
    def in_sight(self) -> pd.DataFrame:
        """The bars of the chosen span, without those reached by panning."""
        return self.bars[self.bars["time"] >= self.start]

    def along(self, values: pd.DataFrame) -> np.ndarray:
        """A column `value` by time, brought to the candles: the last bar's of each."""
        lined = values.set_index("time")["value"].reindex(self.bars["time"]).to_numpy(np.float64)
        ends = np.arange(0, len(lined), self.drawn.step) + self.drawn.step
        return lined[np.minimum(ends, len(lined)) - 1]


def view_of(hub: Hub, symbol: str, timeframe: str, span: str, until: int | None) -> View:
    """The bars of a span up to the bar that starts at `until` (int64 ns; None: the newest).

    Three times the span is read, so that the chart can be panned; a span of more bars than a
    browser is sent is merged into wider candles, and has nothing beside it.
    """
    end = None if until is None else until + 1
    newest = hub.bars(symbol, timeframe, last=1)["time"].iloc[-1].value if end is None else until
    days = dict(_SPANS).get(span)
    if days is None:
        bars = hub.bars(symbol, timeframe, end=end)
        first = bars["time"].iloc[0]
    else:
        first = pd.Timestamp(int(newest or 0) - days * _DAY + 1, tz="UTC")
        bars = hub.bars(symbol, timeframe, start=first - pd.Timedelta(days=2 * days), end=end)
    visible = int((bars["time"] >= first).sum())
    if visible <= charts.MOST_BARS:
        bars = bars.tail(charts.MOST_BARS).reset_index(drop=True)
    else:
        bars = bars.tail(visible).reset_index(drop=True)
    drawn = charts.thin_bars(bars)
    return View(symbol, timeframe, bars, drawn, -(-visible // drawn.step), first)


def figure_of(
    hub: Hub, view: View, ranges: pd.DataFrame, layers: Sequence[str], pane: str | None,
    zone: charts.Zone | None, *, phone: bool,
) -> tuple[Any, str]:  # fmt: skip
    """The chart, and what it cannot show at this width of candle."""
    bars, count = view.drawn.frame, len(view.bars) + 2
    bands = None
    if "Sessions" in layers:
        ends = view.bars["time"].iloc[[0, -1]]
        bands = hub.session_bands(view.symbol, ends.iloc[0], ends.iloc[1])
    boxes, untold = None, ""
    if "Ranges" in layers and view.visible > _RANGES_APART:
        untold = "Opening ranges are drawn where they can be told apart: up to a week of bars."
    elif "Ranges" in layers:
        boxes = ranges.assign(side=ranges["so_far"], break_at=ranges["so_far_at"])
    lines = {
        name: view.along(hub.overlay(view.symbol, view.timeframe, LAYERS[name], count))
        for name in layers
        if LAYERS.get(name)
    }
    below = None
    if pane in PANES:
        feature, guides = PANES[pane]
        values = view.along(hub.indicator(view.symbol, view.timeframe, feature, count))
        below = charts.Indicator(name=pane, values=values, guides=guides)
    figure = charts.candle_chart(
        bars, symbol=view.symbol, zone=zone, ranges=boxes, sessions=bands, lines=lines,
        indicator=below, visible=view.visible, phone=phone, height=440 if phone else 630,
    )  # fmt: skip
    missing = charts.hidden_layers(bars, ranges=boxes, sessions=bands)
    note = f"{view.drawn.note}." if view.drawn.note else ""
    return figure, " ".join(filter(None, (note, missing, untold)))


def last_quote(view: View, currency: str, zone: charts.Zone | None) -> Html:
    """The newest bar's prices, the change over the span, and how to read the chart."""
    bars, seen = view.bars, view.in_sight
    digits = charts.price_digits(bars["close"])
    last = bars.iloc[-1]
    quotes: list[tuple[str, object]] = [
        (mark, number(float(last[name]), digits))
        for mark, name in (("O", "open"), ("H", "high"), ("L", "low"))
    ]
    quotes.append(("C", Html(f"<b>{number(float(last['close']), digits)}</b>")))
    change = float(last["close"]) - float(seen["open"].iloc[0])
    side, mark = ("up", "▲") if change > 0 else ("down", "▼") if change < 0 else ("muted", "■")
    daily = TIMEFRAMES[view.timeframe] >= _DAY
    since = seen["time"].iloc[0]
    from_ = f"{since:%d %b %Y}" if daily or len(seen) > 2000 else f"{dated(since)} {since:%H:%M}"
    moved = f"{mark} {signed(change, digits)} {currency} since {from_}"
    clocks = "" if daily or zone is None else f"times UTC, {zone[0]} below · "
    hint = Html(
        f'<span class="or-faint or-wide">{parts.safe(clocks)}hollow = up, filled = down</span>'
    )
    tail = Html(f'<span class="or-{side}">{parts.safe(moved)}</span>')
    return parts.quote_line(f"{view.symbol} {view.timeframe}", quotes, tail, hint)


def newest_day(ranges: pd.DataFrame) -> pd.DataFrame:
    """The ranges of the newest local date that has one."""
    return ranges[ranges["date"] == ranges["date"].max()] if len(ranges) else ranges


_SIDES: Final = {"UP": ("▲", "up"), "DOWN": ("▼", "down"), "AMBIGUOUS": ("◆", "muted")}


def ranges_panel(ranges: pd.DataFrame, mode: str, minutes: int, digits: int) -> Html:
    """Opening ranges of the newest day: levels, break, and the trade's net R once it is over."""
    day = newest_day(ranges)
    remark = f"{minutes} min · {mode}"
    if day.empty:
        text = "None in these bars: an opening range needs bars of one hour or less inside it."
        return parts.panel("Opening ranges", parts.note(text))
    columns = (
        parts.Column("Range"), parts.Column("H, L", number=True), parts.Column("Break, UTC"),
        parts.Column("Net R", number=True),
    )  # fmt: skip
    rows = [_range_row(row, digits) for row in day.to_dict("records")]
    title = f"Opening ranges, {dated(day['date'].iloc[0])}"
    note = parts.note("Net R is known once the window is over; until then a range is open.")
    shown = [parts.small_table(columns, rows)] + [note] * bool((day["status"] != "done").any())
    return parts.panel(title, *shown, remark=remark)


def _two(top: object, below: object) -> Html:
    return Html(f'{parts.safe(top)}<br><span class="or-muted">{parts.safe(below)}</span>')


def _range_row(row: Mapping[str, Any], digits: int) -> list[object]:
    levels = _two(number(row["high"], digits), number(row["low"], digits))
    until, done = f"{row['due_at']:%H:%M}", row["status"] == "done"
    if not row["valid"]:
        why = _two("not valid", "bars missing")
        return [range_title(row["range"]), levels, why, parts.MISSING]
    mark, colour = _SIDES.get(row["so_far"], ("", "muted"))
    if mark:
        name = "BOTH" if row["so_far"] == "AMBIGUOUS" else row["so_far"]
        broke = _two(
            Html(f'<span class="or-{colour}">{mark} {name}</span>'), f"{row['so_far_at']:%H:%M}"
        )
    else:
        broke = _two("none" if done else "none yet", f"until {until}")
    figure = signed(row["r_net"], 2) if done else _two("open", f"until {until}")
    if done and parts.is_missing(row["r_net"]):
        figure = "no trade"
    return [range_title(row["range"]), levels, broke, figure]


_ABOUT: Final = {"EVERY": "every break", "UP": "upper breaks only", "DOWN": "lower breaks only"}


def evidence_title(evidence: Sequence[Any], first: pd.Timestamp, last: pd.Timestamp) -> str:
    """How much history the panel speaks of."""
    days = min(730, (last - first).days)
    years = round(days / 365)
    return "After the break, " + (f"{years} years" if years > 1 else f"{thousands(days)} days")


def evidence_panel(title: str, evidence: Sequence[Any], remark: str) -> Html:
    """Net R per range of following breaks against not trading, on one scale."""
    if not evidence:
        text = "No opening range has settled in these bars, so nothing can be said about breaks."
        return parts.panel("After the break", parts.note(text))
    span = parts.common_span([item.verdict for item in evidence])
    bars = [
        parts.evidence_bar(
            item.verdict, f"Net R per range, {_ABOUT[item.side]}", measure=parts.NET_R,
            baseline="no trade", span=span,
        )
        for item in evidence
    ]  # fmt: skip
    text = (
        "n = valid ranges, 0 R where no trade was made; after costs; ambiguous breaks are losses."
    )
    return parts.panel(title, *bars, parts.note(text), remark=remark)


def bars_panel(facts: Any) -> Html:
    """The newest bar, where the bars come from, and what is missing or revised in view."""
    known = pd.Timestamp(facts.known_at, unit="ns", tz="UTC")
    recent = facts.known_at > pd.Timestamp.now(tz="UTC").value - _DAY
    whole = facts.bars + facts.missing
    return parts.panel(
        "Bars in view",
        parts.key_values(
            [
                (
                    "Newest bar known at",
                    f"{known:{'%H:%M:%S' if recent else '%d %b %Y %H:%M'}} UTC",
                ),
                ("Source", facts.source),
                ("Bars missing", f"{thousands(facts.missing)} of {thousands(whole)}"),
                ("Gaps", thousands(facts.gaps)),
                ("Revised", thousands(facts.revised)),
            ]
        ),
    )


def exported(view: View, simulated: bool) -> pd.DataFrame:
    """The bars in sight as a table that says what they are."""
    head = {"symbol": view.symbol, "timeframe": view.timeframe, "simulated": simulated}
    return pd.DataFrame(head, index=view.in_sight.index).join(view.in_sight)


def range_start(view: View) -> pd.Timestamp:
    """From when on ranges are read: as far back as boxes can be told apart, at least three days."""
    newest = pd.Timestamp(view.newest, unit="ns", tz="UTC")
    reach = newest - pd.Timedelta(days=_RANGE_DAYS)
    return min(max(view.bars["time"].iloc[0], reach), newest - pd.Timedelta(days=3))
