"""What the shadow log refuses: calls that know too much, or come too early or too late."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlcore.errors import LogError
from mlcore.live.draft import Draft, Outcome, Prediction

__all__ = ["ROLES", "demand_honest", "demand_timely", "outcomes_asked"]

ROLES = ("champion", "challenger", "baseline")


def demand_honest(draft: Draft) -> None:
    """Refuse a call that used what was not known at its decision, or whose role is none.

    Raises
    ------
    LogError
        E_LOG_TIMES or E_LOG_ROLE.
    """
    if draft.available_cutoff > draft.decision_at or draft.due_at < draft.decision_at:
        raise LogError(
            "A call uses what was known at its decision and is due later – "
            f"{draft.slot} {draft.item} is not so – its inputs, or its due time, are wrong.",
            code="E_LOG_TIMES",
            details={
                "available_cutoff": draft.available_cutoff,
                "decision_at": draft.decision_at,
                "due_at": draft.due_at,
            },
        )
    if draft.role not in ROLES:
        raise LogError(
            f"A call's role is one of {', '.join(ROLES)} – {draft.role!r} was given – use one.",
            code="E_LOG_ROLE",
        )


def demand_timely(draft: Draft, now: int) -> None:
    """Refuse a call at `now` (int64 ns) that is not decided yet, or is due and no replay.

    Raises
    ------
    LogError
        E_LOG_EARLY or E_LOG_PAST.
    """
    early = draft.decision_at > now
    if not early and (draft.due_at > now or draft.replay):
        return
    raise LogError(
        "A call is logged after its decision and before its due – "
        f"{draft.slot} {draft.item} is {'not decided yet' if early else 'due already'} – "
        + ("check the machine's clock." if early else "past days are answered by replay."),
        code="E_LOG_EARLY" if early else "E_LOG_PAST",
        details={"decision_at": draft.decision_at, "due_at": draft.due_at, "now": now},
    )


def outcomes_asked(asked: Sequence[Prediction], found: Iterable[Outcome]) -> dict[str, Outcome]:
    """Outcomes by prediction, each of one that was asked for.

    Raises
    ------
    LogError
        One of a call that was not (E_LOG_OUTCOME).
    """
    outcomes = {outcome.prediction_id: outcome for outcome in found}
    strange = set(outcomes) - {prediction.id for prediction in asked}
    if strange:
        raise LogError(
            "An outcome belongs to a call that was asked about – "
            f"{sorted(strange)[0]} was not – answer only those handed over.",
            code="E_LOG_OUTCOME",
        )
    return outcomes
