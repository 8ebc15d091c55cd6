"""What Today shows of logged calls: rows of one question each, the detail of one, what settled.

Calls come from the log as they are; this file groups and words them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from mlcore.hub import Call
from pages import _parts as parts
from pages._cards import MEASURES, baseline_title, short_version, told
from pages._format import (
    MISSING,
    Html,
    dated,
    duration,
    number,
    percent,
    points,
    safe,
    signed,
    thousands,
)

__all__ = [
    "NOTHING_YET",
    "Row",
    "agenda",
    "banner",
    "exported",
    "given_table",
    "heading",
    "provenance",
    "reasons",
    "rows_of",
    "settled_panel",
    "signal_of",
]

NOTHING_YET: Final = (
    "A call is logged at the end of each opening range, before it is shown; daily markets are "
    "decided at their close. What comes next stands below."
)
_HEADS: Final = ("orb_direction", "signal")
_LABELS: Final = {"1m": "1 min", "5m": "5 min", "15m": "15 min", "30m": "30 min", "1h": "1 hour",
                  "4h": "4 hours", "1d": "1 day"}  # fmt: skip
_SENTENCES: Final = {
    "few": "These calls are logged and shown for study. Below 30 outcomes no figure is given.",
    "edge": "These calls were told apart from the baseline. A person decides what follows.",
    "worse": "These calls were worse than the baseline. They are logged and shown for study.",
    "none": "These calls cannot be told apart from the baseline in any way that would matter.",
    "unsure": "These calls are logged and shown for study. So far they cannot be told apart from "
    "the baseline.",
}


@dataclass(frozen=True)
class Row:
    """One question of one market: the call that heads it, and those given a side beside it."""

    head: Call
    given: tuple[Call, ...] = ()

    @property
    def key(self) -> str:
        """What tells rows apart in the URL and in widget keys."""
        kept = (c if c.isalnum() else "-" for c in f"{self.head.symbol}-{self.head.id[-12:]}")
        return "".join(kept)

    @property
    def side(self) -> str | None:
        """The called class; None where there is no call."""
        absent = self.head.abstained or self.head.answer in ("no call", "")
        return None if absent else self.head.answer


def _rank(call: Call) -> tuple[bool, bool]:
    """Heads first, models before rules."""
    return not call.label.startswith(_HEADS), call.role != "champion"


def rows_of(calls: Sequence[Call]) -> list[Row]:
    """Calls as rows: one per symbol, timeframe and range or bar, newest decision first.

    Open calls stand before those that are over; a row without a direction is headed by what
    there is.
    """
    groups: dict[tuple[str, str, str, int], list[Call]] = {}
    for call in calls:
        groups.setdefault((call.symbol, call.timeframe, call.item, call.decision_at), []).append(
            call
        )
    rows = []
    for group in groups.values():
        head, *others = sorted(group, key=_rank)
        given = sorted((c for c in others if c.side), key=lambda c: (c.label, -c.side))
        rows.append(Row(head, tuple(given)))
    order = {"open": 0, "due": 1, "settled": 2}
    return sorted(rows, key=lambda r: (order.get(r.head.status, 3), -r.head.decision_at))


def _stamp(instant: int) -> pd.Timestamp:
    return pd.Timestamp(int(instant), unit="ns", tz="UTC")


def _due(call: Call, now: pd.Timestamp) -> str:
    due = _stamp(call.due_at)
    return f"{due:%H:%M}" if due.date() == now.date() else f"{dated(due, now)} {due:%H:%M}"


def signal_of(row: Row, now: pd.Timestamp) -> parts.Signal:
    """A row as the list draws it."""
    call = row.head
    named = [text for text, _ in call.reasons if " other inputs" not in text]
    why = call.why if row.side is None else ". ".join(named[:2])
    source = {
        "open": "",
        "due": "not settled",
        "settled": f"came {call.outcome or 'no label'}",
    }
    mode = "" if call.mode == "live" else call.mode
    state = [source.get(call.status, ""), mode, "SIMULATED" if call.simulated else "real"]
    return parts.Signal(
        symbol=call.symbol,
        detail=f"{_LABELS.get(call.timeframe, call.timeframe)} · {call.title}",
        side=row.side,
        what="abstained" if row.side is None else call.what,
        probability=call.probability,
        baseline=call.baseline,
        level=call.level,
        figure=_no_pair(call) if row.side else "model and baseline hidden: no call",
        why=_sentence(why),
        due=_due(call, now),
        source=" · ".join(filter(None, state)),
    )


def _no_pair(call: Call) -> str:
    """Stands in for the pair where a baseline is missing, or where the answer is a value."""
    if call.value is not None:
        return f"{signed(call.value, 2)} R vs {signed(call.baseline_value, 2)} R"
    return "no baseline was logged with this call"


def _sentence(text: str | None) -> str:
    words = (text or "").strip()
    return f"{words[:1].upper()}{words[1:]}." if words and words[-1] not in ".!?" else words


def banner(report: Mapping[str, Any], slot: str, *, replayed: int = 0) -> Html:
    """The verdict on one slot's live calls, in words, with the big evidence bar."""
    judged = report["verdict"]
    verdict, (title, measure) = told(judged), MEASURES[judged["measure"]]
    kind = parts.shown_kind(verdict)
    unsettled = int(report.get("due_unsettled") or 0)
    text = _SENTENCES.get(kind, _SENTENCES["few"])
    text += f" {thousands(unsettled)} due and not settled yet." if unsettled else ""
    kept = f" {thousands(replayed)} replayed calls are scored apart, on Monitoring."
    text += kept if replayed else ""
    text += " Nothing here places an order."
    pair = (judged.get("value"), judged.get("baseline_value"))
    bar = parts.evidence_bar(
        verdict, f"{title}, live calls of {slot}", measure=measure,
        baseline=baseline_title(judged.get("baseline")),
        values=None if None in pair else (float(pair[0]), float(pair[1])),
        big=True, axis=kind != "few", brief=False,
    )  # fmt: skip
    return parts.verdict_banner(verdict, text, bar)


_VERBS: Final = {"UP": "breaks first", "DOWN": "breaks first", "NONE": "no break"}


def heading(row: Row) -> Html:
    """Symbol, call and badges over the detail."""
    call = row.head
    title = "" if row.side is None else f" {_VERBS.get(row.side, '')}".rstrip()
    marks = [parts.simulated_badge()] * call.simulated
    is_void = call.role == "champion" and not call.certified
    marks += [parts.proof_badge("void" if is_void else "unproven")]
    if call.mode != "live":
        marks.append(parts.badge("stale", call.mode, title=_MODES.get(call.mode, ""), lamp=True))
    badges = "".join(str(mark) for mark in marks)
    return Html(
        f'<div class="or or-head"><h2>{safe(call.symbol)}</h2>'
        f"{parts.call_mark(row.side, suffix=title)}"
        f'<span class="or-gap"></span><span class="or-badges">{badges}</span></div>'
    )


_MODES: Final = {
    "late": "Logged after the time at which it could still have been acted on; not scored as live",
    "replay": "Answered afterwards by a model that could not have known it; not scored as live",
}


def reasons(row: Row) -> Html:
    """What moved the call, from the baseline; or why there is none."""
    call = row.head
    if row.side is None:
        return parts.panel("Why there is no call", parts.note(_sentence(call.why)))
    if call.probability is None or call.baseline is None:
        return parts.panel("What moved it", parts.note("No baseline was logged with this call."))
    head = parts.section_title(f"What moved it, from the baseline {percent(call.baseline)}")
    if call.role == "baseline":
        text = _sentence(call.reasons[0][0] if call.reasons else "The rule answers")
        own = "It is the baseline itself: the close's place in the range, which is no edge."
        return parts.stack([head, parts.note(f"{text} {own}")])
    steps = [(text, value / 100) for text, value in call.reasons]
    listed = parts.reasons_list(
        call.baseline, steps, call.probability, side=row.side,
        name=f"Baseline: {baseline_title(call.baseline_name)}",
    )  # fmt: skip
    gap = points(call.probability - call.baseline, 1)
    note = parts.note(f"Sum {gap}, calibrated {percent(call.probability)}.")
    return parts.stack([head, listed, note])


def given_table(row: Row) -> Html | None:
    """Quality and net R of the same range, given UP and given DOWN; None where none were logged."""
    if not row.given:
        return None
    columns = (
        parts.Column("If it breaks"), parts.Column("Trade wins", number=True),
        parts.Column("Baseline", number=True), parts.Column("Net R", number=True),
        parts.Column("Baseline", number=True), parts.Column("Taken"),
    )  # fmt: skip
    rows = [_given_row(row, side) for side in (1, -1)]
    body = parts.small_table(columns, [r for r in rows if r is not None])
    return parts.stack([parts.section_title("Quality and net R, given the side"), body])


def _given_row(row: Row, side: int) -> list[object] | None:
    mine = [call for call in row.given if call.side == side]
    if not mine:
        return None
    quality = next((c for c in mine if c.label.startswith("orb_quality")), None)
    value = next((c for c in mine if c.label.startswith("orb_r")), None)
    cells: list[object] = [parts.call_mark("UP" if side > 0 else "DOWN")]
    cells += list(_win(quality)) if quality else [MISSING, MISSING]
    cells += [signed(value.value, 2), signed(value.baseline_value, 2)] if value else [MISSING] * 2
    asked = (("quality", quality), ("R", value))
    told = [(name, call.taken) for name, call in asked if call and call.taken is not None]
    said = [f"{name} {'yes' if taken else 'no'}" for name, taken in told]
    return [*cells, ", ".join(said) or MISSING]


def _win(call: Call) -> tuple[str, str]:
    """P(trade wins) of the model and of the baseline, whatever class was called."""
    model = call.probabilities.get("WIN")
    if call.baseline is None:
        return percent(model), MISSING
    return percent(model), percent(call.baseline if call.answer == "WIN" else 1 - call.baseline)


def provenance(row: Row) -> Html:
    """Where the call comes from, when it was logged, and what would change it."""
    call = row.head
    logged, decided, due = map(_stamp, (call.logged_at, call.decision_at, call.due_at))
    wait = duration((logged - decided).total_seconds())
    said = {
        "live": f"{logged:%H:%M:%S} UTC, {wait} after the decision, before it was shown",
        "late": f"{dated(logged)} {logged:%H:%M:%S} UTC, late: {wait} after the decision",
        "replay": f"{dated(logged)} {logged:%H:%M} UTC, replay of {decided:%d %b %Y}",
    }
    model = (
        "rule, no model"
        if call.role == "baseline"
        else f"{call.label} {short_version(call.version)}"
    )
    rows: list[tuple[str, object]] = [
        ("Logged", said.get(call.mode, f"{dated(logged)} {logged:%H:%M} UTC")),
        ("Decided", f"{dated(decided)} {decided:%H:%M} UTC"),
        ("Due", f"{dated(due)} {due:%H:%M} UTC"),
        ("Model", model),
        ("Leak certificate", "held when logged" if call.certified else "none"),
        ("Prediction set", "not computed yet"),
    ]
    if call.stop is not None and call.target is not None:
        offer = f"{number(call.stop, 4)} / {number(call.target, 4)}"
        rows.append(("Stop / target offered", offer))
    if call.status == "settled":
        rows.append(("Outcome", _outcome(call)))
    rows.append(("Would change it", call.would_change))
    return Html(f'<div class="or or-rule">{parts.key_values(rows)}</div>')


def _outcome(call: Call) -> Html:
    mark = "" if call.abstained else {True: "✓ ", False: "× ", None: ""}[call.right]
    return safe(f"{mark}{call.outcome or 'no label'}")


def agenda(decisions: Sequence[Mapping[str, Any]], now: pd.Timestamp) -> Html:
    """The next decisions, UTC."""
    shown = []
    for item in decisions:
        at = _stamp(item["at"])
        day = "" if at.date() == now.date() else f"{at:%a} "
        wait = f"in {duration((at - now).total_seconds())}"
        what = f"{item['title']} {item['what']}"
        shown.append(parts.Decision(when=f"{day}{at:%H:%M}", market=item["symbol"],
                                    what=what, wait=wait))  # fmt: skip
    return parts.panel("Next decisions, UTC", parts.next_decisions(shown))


_MOST_SETTLED: Final = 8


def settled_panel(calls: Sequence[Call], unsettled: int) -> Html:
    """Calls that became due since yesterday and what came of them."""
    rows = rows_of(calls)
    late = sum(row.head.mode == "late" for row in rows)
    remark = f"{len(rows)} settled · {late} late" + (f" · {unsettled} waiting" * bool(unsettled))
    if not rows:
        text = "None of the calls logged here has become due since yesterday."
        return parts.panel("Settled since yesterday", parts.note(text))
    columns = (
        parts.Column("Call"), parts.Column("Decided, UTC", phone=False),
        parts.Column("Said", number=True), parts.Column("Baseline", number=True),
        parts.Column("Outcome"), parts.Column("Brier gain", number=True, phone=False),
        parts.Column("Net R", number=True),
    )  # fmt: skip
    body = [parts.small_table(columns, [_settled_row(row) for row in rows[:_MOST_SETTLED]])]
    if len(rows) > _MOST_SETTLED:
        body.append(parts.note(f"The newest {_MOST_SETTLED} of {len(rows)}; the CSV holds all."))
    return parts.panel("Settled since yesterday", *body, remark=remark)


def _settled_row(row: Row) -> list[object]:
    call = row.head
    late = " ".join(filter(None, (call.title, "late" if call.mode == "late" else "")))
    name = Html(f"<b>{safe(call.symbol)}</b> {parts.call_mark(row.side)}"
                f'<br><span class="or-muted">{safe(late)}</span>')  # fmt: skip
    said = percent(call.probability) if row.side else MISSING
    base = percent(call.baseline) if row.side else MISSING
    gain = signed(call.brier_gain, 3) if row.side else MISSING
    decided = f"{_stamp(call.decision_at):%a %H:%M}"
    taken = [c.r for c in row.given if c.label.startswith("orb_r") and c.taken and c.r is not None]
    result = (
        signed(sum(taken), 2) if taken else signed(call.r, 2) if call.r is not None else MISSING
    )
    return [name, decided, said, base, _outcome(call), gain, result]


def exported(calls: Sequence[Call]) -> pd.DataFrame:
    """Calls as a flat table for CSV: reasons as one text, instants as ISO text."""
    rows = []
    for call in calls:
        plain = dict(call.as_dict())
        plain["reasons"] = "; ".join(f"{text} {signed(value, 2)}" for text, value in call.reasons)
        plain["probabilities"] = "; ".join(f"{k} {v:.4f}" for k, v in call.probabilities.items())
        rows.append(plain)
    return pd.DataFrame(rows)
