"""Tick, settle and replay: the three ways in which rows enter the shadow log."""

from __future__ import annotations

from typing import Any

import pandas as pd

from mlcore.clock import DAY
from mlcore.errors import OpenrangeError, RegistryError
from mlcore.operations.home import Home
from mlcore.operations.problems import unforeseen
from mlcore.schema import Slot

__all__ = ["active_slots", "replay", "replay_all", "settle", "tick"]

DEFAULT_LABELS = {"intraday": "orb_direction", "daily": "signal"}


def active_slots(home: Home) -> pd.DataFrame:
    """Every (slot, version, role) that answers: champions, their newest challenger, and rules.

    Columns slot, version (None: the rule answers), role. A symbol whose default slot has no
    champion is answered by the rule.
    """
    versions = home.registry.versions()
    rows: list[tuple[str, str | None, str]] = []
    for slot, group in versions[~versions["archived"].astype(bool)].groupby("slot"):
        champion = group[group["role"] == "champion"]
        if len(champion):
            rows.append((str(slot), str(champion["version"].iloc[0]), "champion"))
            newer = group[group["version"] > champion["version"].iloc[0]].sort_values("version")
            if len(newer):
                rows.append((str(slot), str(newer["version"].iloc[-1]), "challenger"))
    served = {slot for slot, _, role in rows if role == "champion"}
    for symbol, timeframe in home.store.symbols()[["symbol", "timeframe"]].itertuples(index=False):
        kind = "daily" if timeframe == "1d" else "intraday"
        slot = str(Slot(DEFAULT_LABELS[kind], symbol, timeframe))
        if slot not in served:
            rows.append((slot, None, "baseline"))
    return pd.DataFrame(rows, columns=["slot", "version", "role"])


def tick(home: Home) -> dict[str, Any]:
    """Log a call for every open decision that has none yet; what failed is told, not raised."""
    recorded, modes, problems = 0, {"live": 0, "late": 0}, []
    for slot, version, role in active_slots(home).itertuples(index=False):
        name = None if version is None or pd.isna(version) else str(version)
        try:
            drafts = home.engine.open_drafts(Slot.parse(slot), home.now(), version=name, role=role)
            if not drafts:
                continue
            before = home.log.head()[0]
            for made in home.log.record_many(drafts):
                if made.sequence > before:
                    recorded += 1
                    modes[made.mode] = modes.get(made.mode, 0) + 1
        except OpenrangeError as error:
            problems.append({"slot": slot, **error.as_dict()})
        except Exception as error:  # a model of one slot silences no other
            rule = "A tick asks every slot"
            problems.append({"slot": slot, **unforeseen(error, rule=rule, where=slot)})
    return {"recorded": recorded, **modes, "problems": problems}


def settle(home: Home) -> dict[str, Any]:
    """Attach an outcome to every call whose time is due and whose bars are there."""
    return home.log.settle(home.now(), home.engine.outcomes).as_dict()


def replay(home: Home, slot: str, days: int) -> dict[str, Any]:
    """Answer the last `days` days of a slot's bars by its champion's fold models, and settle them.

    Raises
    ------
    RegistryError
        The slot has no champion.
    """
    where = Slot.parse(slot)
    version = home.registry.champion(where)
    if version is None:
        raise RegistryError(
            f"A replay needs a champion – {slot} has none – train one and promote it.",
            code="E_REGISTRY_NO_CHAMPION",
        )
    newest = home.engine.newest_readable(where.symbol, where.timeframe) or home.now()
    end = min(home.now(), newest)
    drafts, unanswered = home.engine.replay_drafts(where, version, end - days * DAY, end + 1)
    before = home.log.head()[0]
    made = home.log.record_many(drafts)
    new = sum(1 for row in made if row.sequence > before)
    settled = settle(home)
    return {
        "slot": slot, "version": version, "days": days, "answered": len(drafts),
        "recorded": new, "no_model_yet": unanswered, "settled": settled,
    }  # fmt: skip


def replay_all(home: Home, slot: str | None, days: int) -> dict[str, Any]:
    """Replay one slot, or every slot that has a champion."""
    if slot is not None:
        return replay(home, slot, days)
    served = active_slots(home)
    names = served[served["role"] == "champion"]["slot"].tolist()
    return {"slots": [replay(home, str(name), days) for name in names]}
