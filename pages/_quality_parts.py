"""What the Data page says of bars: verdict, checks, history, the worst places. Pure."""

from __future__ import annotations

from typing import Any, Final

import pandas as pd

from pages import _parts as parts
from pages._format import MISSING, Html, percent, safe, thousands

__all__ = [
    "checks_frame",
    "checks_table",
    "findings_frame",
    "gaps_table",
    "history_table",
    "revisions_frame",
    "status_mark",
    "uses_table",
    "verdict",
]

_MARKS: Final = {
    "fit": ("met", "✓", "fit"),
    "care": ("look", "!", "with care"),
    "unfit": ("unmet", "×", "not fit"),
    "ok": ("met", "✓", "ok"),
    "look": ("look", "!", "look"),
    "bad": ("unmet", "×", "bad"),
}
_GRAVITY: Final = ("bad", "look", "ok")
_MOST_GAPS: Final = 8


def status_mark(state: str) -> Html:
    """A state as sign and word; colour only repeats it."""
    name, sign, word = _MARKS[state]
    return Html(f'<span class="or-state or-{name}"><i aria-hidden="true">{sign}</i>{word}</span>')


def verdict(told: Any) -> Html:
    """What the bars are fit for, in one sentence, with what the calendar says below it."""
    report, cover = told.report, told.report.coverage
    worst = [check for check in report.checks if check.status == "bad"]
    look = [check for check in report.checks if check.status == "look"]
    counts = [
        ("bars", thousands(report.rows)),
        ("expected bars there", percent(1 - cover.missing_share, 2)),
        ("checks", f"{len(report.checks) - len(worst) - len(look)} ok, {len(look)} to look at, "
                   f"{len(worst)} bad"),
        ("market", told.market),
    ]  # fmt: skip
    state = "unfit" if worst else "care" if look else "fit"
    name = _MARKS[state][0]
    said = "".join(f'<span><span class="or-muted">{safe(key)}</span> {safe(value)}</span>'
                   for key, value in counts)  # fmt: skip
    return Html(
        f'<div class="or or-fitness or-{name}"><h2>{safe(told.words)}.</h2>'
        f'<div class="or-quote">{said}</div></div>'
    )


def uses_table(told: Any) -> Html:
    """Each use: whether the bars are fit for it, and why."""
    columns = (parts.Column("Use"), parts.Column("State"), parts.Column("Why"))
    rows = [
        (_capital(use.name), status_mark(use.state), _unbroken(use.reason)) for use in told.uses
    ]
    return parts.small_table(columns, rows)


def _unbroken(text: str) -> str:
    """Figures and their percent sign stay in one line."""
    return text.replace(" %", "\u00a0%")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def checks_table(told: Any) -> Html:
    """Every check; its rule opens below its name."""
    columns = (
        parts.Column("Check"), parts.Column("State"), parts.Column("Count", number=True),
        parts.Column("Share, %", number=True, phone=False), parts.Column("What was found"),
    )  # fmt: skip
    rows = []
    for check in told.report.checks:
        name = Html(
            f'<details class="or-rule-of"><summary>{safe(check.title)}</summary>'
            f"<p>{safe(check.rule)}</p></details>"
        )
        found = (_count(check), _share(check), check.words)
        rows.append([name, status_mark(check.status), *found])
    return parts.small_table(columns, rows)


_TESTED: Final = ("returns", "close")


def _count(check: Any) -> str:
    return MISSING if check.name in _TESTED else thousands(check.n)


def _share(check: Any) -> str:
    if check.share is None:
        return MISSING
    share = 100 * check.share
    return "<0.01" if 0 < share < 0.005 else f"{share:,.2f}"


def checks_frame(told: Any) -> pd.DataFrame:
    """The checks with their rules, for CSV."""
    return pd.DataFrame(
        [
            {
                "Check": check.title, "State": check.status, "Found": check.n,
                "Share": check.share, "What was found": check.words, "Rule": check.rule,
            }
            for check in told.report.checks
        ]
    )  # fmt: skip


def findings_frame(told: Any) -> pd.DataFrame:
    """The worst places of every check, those of bad checks first."""
    order = sorted(told.report.checks, key=lambda check: _GRAVITY.index(check.status))
    rows = [
        {
            "Check": check.title, "State": check.status, "What": one.what,
            "From, UTC": _stamp(one.at, told), "To, UTC": _stamp(one.until, told, end=True),
        }
        for check in order
        for one in check.worst
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["Check", "State", "From, UTC", "To, UTC", "What"])


def _stamp(instant: int | None, told: Any, *, end: bool = False) -> str:
    """An instant; of daily and longer bars its date, the last one where it is an end."""
    if instant is None:
        return MISSING
    if told.report.timeframe not in ("1d", "1w", "1M"):
        return f"{pd.Timestamp(instant, unit='ns', tz='UTC'):%d %b %Y %H:%M}"
    return f"{pd.Timestamp(instant - int(end), unit='ns', tz='UTC'):%d %b %Y}"


def revisions_frame(revised: pd.DataFrame) -> pd.DataFrame:
    """Restated bars, the newest first: since when, close and volume before and after, calls."""
    return pd.DataFrame(
        {
            "Bar, UTC": revised["time"].dt.strftime("%d %b %Y %H:%M"),
            "Known from, UTC": revised["new_available_at"].dt.strftime("%d %b %Y %H:%M"),
            "Close before": revised["old_close"],
            "Close after": revised["new_close"],
            "Volume before": revised["old_volume"],
            "Volume after": revised["new_volume"],
            "Calls that lean on it": revised["calls"],
            "Source": revised["source"],
        }
    ).iloc[::-1]


def gaps_table(told: Any) -> Html:
    """The longest gaps: from, to, bars missing, a holiday's name where one lies in it."""
    gaps = told.report.coverage.gaps
    if gaps.empty:
        return parts.note("No gap: every bar that the calendar expects is there.")
    columns = (
        parts.Column("From, UTC"), parts.Column("To, UTC"),
        parts.Column("Bars missing", number=True), parts.Column("In it", phone=False),
    )  # fmt: skip
    rows = [
        (
            _stamp(row["start"], told),
            _stamp(row["end"], told, end=True),
            thousands(row["missing"]),
            row["note"] or MISSING,
        )
        for row in gaps.head(_MOST_GAPS).to_dict("records")
    ]
    more = len(gaps) - len(rows)
    tail = [parts.note(f"{thousands(more)} shorter ones")] if more else []
    return parts.stack([parts.small_table(columns, rows), *tail])


def history_table(told: Any) -> Html:
    """What each target has to learn from, against what each family of models needs."""
    least = told.families
    columns = (
        parts.Column("Target"), parts.Column("Labelled rows", number=True),
        parts.Column("Days", number=True, phone=False),
        *(parts.Column(f"{name}, {n} rows", phone=False) for name, n in least.items()),
        parts.Column("Walk-forward"),
    )  # fmt: skip
    rows = []
    for one in told.histories:
        enough: list[object] = [MISSING] * len(least)
        start: object = MISSING
        if one.days:
            enough = [status_mark("ok" if name in one.enough_for else "bad") for name in least]
            start = status_mark("bad" if one.problem else "ok")
        days = thousands(one.days) if one.rows else MISSING
        rows.append([one.target, thousands(one.rows), days, *enough, start])
    return parts.stack(
        [
            parts.small_table(columns, rows),
            parts.note(
                f"{told.recommended} rows or more over several regimes are recommended. A "
                "walk-forward is ok where its usual windows (500 rows and 60 days to train, 100 "
                "rows and 10 days to test) have at least one fold."
            ),
        ]
    )
