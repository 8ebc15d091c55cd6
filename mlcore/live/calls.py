"""Calls as a person reads them: rows of the log, with words, freshness and what comes next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from mlcore.clock import DAY, HOUR, MINUTE, SECOND, to_timestamp
from mlcore.config import Market, Settings
from mlcore.live.shadow import ShadowLog
from mlcore.market.bars import BarStore
from mlcore.market.sessions import is_open, local_instants, next_open
from mlcore.schema import timeframe_width

__all__ = [
    "Call",
    "Freshness",
    "call_of",
    "freshness",
    "next_decisions",
    "range_title",
    "read_calls",
    "read_settled",
]

PLACES = {"asia": "Tokyo", "london": "London", "new": "New York", "nse": "NSE", "utc": "UTC"}
WHAT = {
    "orb_direction": "first break",
    "orb_quality": "trade wins",
    "orb_r": "net R of the trade",
    "signal": "triple barrier",
}


def range_title(name: str) -> str:
    """`new_york_0930` as a person says it: New York 09:30."""
    head, _, clock = name.rpartition("_")
    if not (head and clock.isdigit() and len(clock) == 4):
        return name
    place = PLACES.get(head.split("_")[0], head.replace("_", " ").title())
    return f"{place} {clock[:2]}:{clock[2:]}"


@dataclass(frozen=True)
class Freshness:
    """Whether the newest bar is the one that should be there.

    `state` is fresh, stale, closed (the market is shut) or file (old data that does not grow);
    instants int64 ns, `due` the end of the bar that should be there by now.
    """

    state: str
    text: str
    last_time: int
    last_available_at: int
    due: int | None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)


def _ago(nanoseconds: int) -> str:
    seconds = nanoseconds // SECOND
    if seconds < 120:
        return f"{seconds} s"
    if seconds < 2 * 3600:
        return f"{seconds // 60} min"
    return f"{seconds // 3600} h" if seconds < 48 * 3600 else f"{seconds // 86400} days"


def freshness(store: BarStore, symbol: str, timeframe: str, now: int) -> Freshness:
    """Freshness of a symbol's bars at `now`, judged by its market's hours."""
    market = store.market_of(symbol)
    newest = store.tail(symbol, timeframe, 1)
    time, known = int(newest.time[-1]), int(newest.available_at[-1])
    width = timeframe_width(timeframe)
    age, stamp = now - known, to_timestamp(time)
    day = timeframe == "1d"
    shown = f"{stamp:%d %b %Y}" if day or age > DAY else f"{stamp:%H:%M}"
    if age > 7 * DAY:
        return Freshness("file", f"data end {to_timestamp(known):%d %b %Y}", time, known, None)
    if age < width + 2 * MINUTE:
        return Freshness("fresh", f"fresh · bar {shown} closed {_ago(age)} ago", time, known, None)
    if not bool(is_open(market, [now])[0]):
        opens = to_timestamp(next_open(market, now))
        text = f"market shut · last bar {shown} · opens {opens:%a %H:%M} UTC"
        return Freshness("closed", text, time, known, None)
    if day and age < 4 * DAY:
        return Freshness("fresh", f"fresh · day {shown}", time, known, None)
    due = known + (age // width) * width
    text = f"stale · bar {to_timestamp(due - width):%H:%M} was due {_ago(now - due)} ago"
    return Freshness("stale", text, time, known, due)


@dataclass(frozen=True)
class Call:
    """One logged call in words and numbers; probabilities in 0 … 1, instants int64 ns UTC.

    `probability` and `baseline` belong to the same class, the one called; `reasons` are
    (text, points) that lead from the baseline to the probability, in percentage points (R for
    a regression). `status` is open, due or settled.
    """

    id: str
    recommendation_id: str | None
    slot: str
    label: str
    symbol: str
    timeframe: str
    simulated: bool
    item: str
    title: str
    side: int
    answer: str
    what: str
    probability: float | None
    baseline: float | None
    baseline_name: str
    value: float | None
    baseline_value: float | None
    confidence: float | None
    level: str | None
    taken: bool | None
    decision_at: int
    due_at: int
    logged_at: int
    mode: str
    role: str
    version: str
    phase: int
    certified: bool
    abstained: bool
    why: str | None
    reasons: tuple[tuple[str, float], ...]
    would_change: str
    stop: float | None
    target: float | None
    status: str
    outcome: str | None
    right: bool | None
    brier_gain: float | None
    r: float | None
    probabilities: Mapping[str, float]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form; instants as ISO text."""
        plain = asdict(self)
        for name in ("decision_at", "due_at", "logged_at"):
            plain[name] = to_timestamp(plain[name]).isoformat()
        return plain


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)


def _best_baseline(baselines: Mapping[str, Any], answer: str | None) -> tuple[str, float | None]:
    """The baseline that gives the called class most: the hardest to beat on this row."""
    found = {
        name: float(p[answer])
        for name, p in baselines.items()
        if isinstance(p, Mapping) and answer in p and p[answer] is not None
    }
    if not found:
        return "", None
    name = "mechanical" if "mechanical" in found else max(found, key=lambda k: found[k])
    return name, found[name]


def _title(item: str, timeframe: str) -> str:
    name, _, date = item.partition("/")
    if date:
        return range_title(name)
    stamp = pd.Timestamp(item)
    return f"{stamp:%d %b %Y}" if timeframe == "1d" else f"bar {stamp:%H:%M}"


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that a Call takes from the log as they are."""
    texts = ("id", "slot", "symbol", "timeframe", "item", "mode", "role", "version")
    moments = {n: int(row[n].value) for n in ("decision_at", "due_at", "logged_at")}
    numbers = {n: _number(row[n]) for n in ("value", "confidence", "stop", "target")}
    return {
        **{name: str(row[name]) for name in texts}, **moments, **numbers,
        "recommendation_id": row["recommendation_id"], "level": row["level"],
        "simulated": bool(row["simulated"]), "side": int(row["side"]), "phase": int(row["phase"]),
        "certified": bool(row["certificate_id"]), "abstained": bool(row["abstained"]),
        "why": row["abstained_why"], "probabilities": row["probabilities"] or {},
        "taken": None if pd.isna(row["taken"]) else bool(row["taken"]),
        "reasons": tuple((str(r["text"]), float(r["points"])) for r in row["reasons"] or ()),
        "r": _number(row["r_taken"]),
    }  # fmt: skip


def call_of(row: Mapping[str, Any], now: int) -> Call:
    """A row of the log's frame, joined with its first outcome, as a Call."""
    facts, answer = _facts(row), row["answer"]
    label = facts["slot"].split("-", 1)[0]
    base = next((k for k in WHAT if label.startswith(k)), label)
    baselines = row["baselines"] or {}
    name, baseline = _best_baseline(baselines, answer)
    settled, outcome = bool(row["settled"]), _text(row["outcome"])
    probability = _number(facts["probabilities"].get(answer)) if answer else None
    values = [v for v in baselines.values() if isinstance(v, int | float)]
    return Call(
        **facts, label=label, title=_title(facts["item"], facts["timeframe"]),
        answer=_said(answer, facts["value"]), what=WHAT.get(base, label),
        probability=probability, baseline=baseline, baseline_name=name,
        baseline_value=float(values[0]) if values else None,
        would_change=_would_change(facts["due_at"], base),
        status="settled" if settled else ("due" if facts["due_at"] <= now else "open"),
        outcome=outcome, right=None if outcome is None or not answer else outcome == answer,
        brier_gain=_brier_gain(probability, baseline, outcome, answer),
    )  # fmt: skip


def _said(answer: Any, value: float | None) -> str:
    if answer:
        return str(answer)
    return "no call" if value is None else f"{value:+.2f} R".replace("-", "\u2212")


def _brier_gain(
    probability: float | None, baseline: float | None, outcome: str | None, answer: str | None
) -> float | None:
    """How much less the call erred than the baseline, in squared probability."""
    if probability is None or baseline is None or outcome is None:
        return None
    came = float(outcome == answer)
    return (baseline - came) ** 2 - (probability - came) ** 2


def _text(value: Any) -> str | None:
    return None if value is None or pd.isna(value) else str(value)


def _calls(frame: pd.DataFrame, now: int) -> list[Call]:
    rows = frame.to_dict("records")
    return [call_of({str(k): v for k, v in row.items()}, now) for row in rows]


def read_calls(log: ShadowLog, now: int) -> list[Call]:
    """Logged calls that are open, and where a symbol has none, those of its last logged day.

    Champions' and rules' calls only; newest decision first.
    """
    newest = log.newest()
    if not newest:
        return []
    frame = pd.concat([log.frame(slot=s, due_after=at - DAY) for s, at in newest.items()])
    frame = frame[frame["role"] != "challenger"].reset_index(drop=True)
    parts = []
    for _, group in frame.groupby(["symbol", "timeframe"]):
        last = group["decision_at"].max() - pd.Timedelta(hours=24)
        recent = group[group["decision_at"] > last]
        is_open = recent["due_at"] > pd.Timestamp(now, unit="ns", tz="UTC")
        parts.append(recent[is_open] if is_open.any() else recent)
    shown = pd.concat(parts).sort_values("decision_at", ascending=False)
    return _calls(_one_answer(shown), now)


def _one_answer(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a question: the newest version's, and a live row before a replayed one."""
    order = frame.assign(
        replayed=frame["mode"] == "replay", ruled=frame["role"] == "baseline"
    ).sort_values(["ruled", "replayed", "sequence"], ascending=[True, True, False])
    kept = order.drop_duplicates(["slot", "item", "side", "decision_at"])
    return frame.loc[frame.index.isin(kept.index)]


def read_settled(log: ShadowLog, now: int, hours: float) -> list[Call]:
    """Calls due within the last hours that have an outcome, newest first; replays left out."""
    frame = log.frame(due_before=now, due_after=now - int(hours * HOUR))
    kept = frame["settled"] & (frame["mode"] != "replay")
    kept &= frame["role"] != "challenger"
    return _calls(frame[kept].sort_values("due_at", ascending=False), now)


def _would_change(due_at: int, base: str) -> str:
    due = to_timestamp(due_at)
    if base.startswith("orb"):
        return f"nothing: decided once, at the range's end; the answer is due {due:%H:%M} UTC"
    return f"the next bar brings a call of its own; this answer is due {due:%d %b %H:%M} UTC"


def next_decisions(
    store: BarStore, settings: Settings, now: int, n: int = 4
) -> list[dict[str, Any]]:
    """The next range ends and window ends of fresh symbols: at, symbol, title, what, simulated."""
    found: list[dict[str, Any]] = []
    listed = store.symbols()
    for symbol, timeframe in listed[["symbol", "timeframe"]].itertuples(index=False):
        if timeframe == "1d" or freshness(store, symbol, timeframe, now).state == "file":
            continue
        market = store.market_of(symbol)
        for at, title, what in _coming(market, settings, timeframe, now):
            found.append(
                {"at": at, "symbol": symbol, "title": title, "what": what,
                 "simulated": market.simulated}
            )  # fmt: skip
    return sorted(found, key=lambda row: (row["at"], row["symbol"]))[:n]


def _coming(
    market: Market, settings: Settings, timeframe: str, now: int
) -> list[tuple[int, str, str]]:
    today = pd.Timestamp(now, unit="ns").floor("D").to_datetime64().astype("datetime64[D]")
    dates = today + pd.array([-1, 0, 1, 2, 3], dtype="int64").to_numpy().astype("timedelta64[D]")
    length = max(settings.orb.minutes * MINUTE, timeframe_width(timeframe))
    found = []
    for spec in market.ranges:
        opens = local_instants(dates, spec.open, spec.zone, fold=0)
        for open_at in opens[opens + length > now][:3].tolist():
            if bool(is_open(market, [open_at])[0]):
                title = range_title(spec.name)
                if open_at > now:
                    found.append((open_at, title, "opens"))
                found.append((open_at + length, title, "range known, call logged"))
                break
    return found
