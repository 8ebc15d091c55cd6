"""Reading the acts: promote puts a version on top, roll back takes it off, archive sets aside.

Pure functions over the rows of `promotions`, oldest first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Act", "archived_of", "champion_of", "former_of", "roles_of"]


@dataclass(frozen=True)
class Act:
    """One row of `promotions`, as far as roles depend on it."""

    slot: str
    version: str
    act: str


def archived_of(acts: Iterable[Act]) -> set[str]:
    """The versions of one slot that are set aside; promoting one brings it back."""
    found: set[str] = set()
    for act in acts:
        (found.add if act.act == "archive" else found.discard)(act.version)
    return found


def _stack(acts: Iterable[Act]) -> list[str]:
    stack: list[str] = []
    for act in acts:
        if act.act == "promote":
            stack.append(act.version)
        elif act.act == "roll_back":
            while stack and stack[-1] != act.version:
                stack.pop()
            if not stack:
                stack.append(act.version)
    return stack


def champion_of(acts: Iterable[Act]) -> str | None:
    """The version that the latest promotion or roll-back of one slot names."""
    named = [act.version for act in acts if act.act != "archive"]
    return named[-1] if named else None


def former_of(acts: Iterable[Act]) -> str | None:
    """The champion a roll-back returns to: the one before, archived ones passed over."""
    known = list(acts)
    archived, stack = archived_of(known), _stack(known)
    earlier = [v for v in stack[:-1] if v not in archived and v != stack[-1]]
    return earlier[-1] if earlier else None


def roles_of(acts: Iterable[Act]) -> dict[tuple[str, str], str]:
    """(slot, version) → champion or archived; a version that is absent is a challenger."""
    by_slot: dict[str, list[Act]] = {}
    for act in acts:
        by_slot.setdefault(act.slot, []).append(act)
    roles: dict[tuple[str, str], str] = {}
    for slot, own in by_slot.items():
        roles.update(((slot, version), "archived") for version in archived_of(own))
        champion = champion_of(own)
        if champion is not None:
            roles[slot, champion] = "champion"
    return roles
