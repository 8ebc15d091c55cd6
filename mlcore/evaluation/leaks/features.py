"""Prove that no input of a row moves when only the future moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from mlcore.clock import DAY, to_timestamp
from mlcore.errors import TooFewBars
from mlcore.evaluation.leaks.findings import CAUSES, Finding, Proof
from mlcore.evaluation.leaks.perturb import OPERATIONS
from mlcore.evaluation.leaks.recovery import recover_target
from mlcore.evaluation.leaks.table import Table
from mlcore.schema import Bars

__all__ = ["Build", "prove_features"]

EXACT = 1e-9


Build = Callable[[Bars], Table]
"""Makes every row that the given bars allow; called again on every changed future."""


def _choose(table: Table, count: int, edges: Sequence[int], rng: np.random.Generator) -> np.ndarray:
    """Decision instants to look at: all edges that exist, the rest spread at random."""
    instants = np.unique(table.decision_at)
    usable = instants[len(instants) // 10 :]
    if len(usable) < 30:
        raise TooFewBars(
            f"A proof needs at least 30 decisions after warm-up – these bars give {len(usable)} – "
            "import more history.",
            code="E_LEAK_TOO_FEW",
            details={"needed": 30, "got": len(usable)},
        )
    at_edge = usable[np.isin(usable, np.asarray(edges, dtype=np.int64))][:20]
    rest = np.setdiff1d(usable, at_edge)
    drawn = rng.choice(rest, size=min(max(count - len(at_edge), 0), len(rest)), replace=False)
    return np.sort(np.concatenate([at_edge, drawn]))


class _Tally:
    """Counts, per check and input, the rows that moved."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(names)
        self.moved: dict[tuple[str, str], list[tuple[str, float]]] = {}
        self.checked: dict[str, int] = {}

    def compare(self, check: str, base: Table, other: Table, tolerance: np.ndarray) -> None:
        """Record every cell of `base` that differs in `other`, matched by key."""
        where = pd.Index(other.key).get_indexer(pd.Index(base.key))
        self.checked[check] = self.checked.get(check, 0) + len(where)
        for key in base.key[where < 0]:
            self.moved.setdefault((check, "the row itself"), []).append((str(key), np.nan))
        kept = where >= 0
        a, b = base.X[kept], other.X[where[kept]]
        with np.errstate(invalid="ignore", over="ignore"):
            gap = np.abs(a - b)
            far = gap > tolerance * np.maximum(1.0, np.abs(a))
        differs = np.where(np.isnan(a) | np.isnan(b), np.isnan(a) != np.isnan(b), far)
        for row, column in np.argwhere(differs):
            entry = (str(base.key[kept][row]), float(gap[row, column]))
            self.moved.setdefault((check, self.names[column]), []).append(entry)

    def findings(self) -> list[Finding]:
        """One finding an input: the check that moved most rows speaks for it."""
        worst: dict[str, Finding] = {}
        for (check, name), rows in self.moved.items():
            amounts = [amount for _, amount in rows if amount == amount]
            found = Finding(
                name=name,
                check=check,
                rows=len({key for key, _ in rows}),
                checked=self.checked[check],
                amount=max(amounts, default=float("nan")),
                first=rows[0][0],
                cause=CAUSES["rows" if name == "the row itself" else check],
            )
            if name not in worst or found.rows > worst[name].rows:
                worst[name] = found
        return sorted(worst.values(), key=lambda f: (-f.rows, f.name))


def _part(table: Table, where: np.ndarray) -> Table:
    y = None if table.y is None else table.y[where]
    return Table(table.decision_at[where], table.key[where], table.names, table.X[where], y)


def _window(bars: Bars, at: int, context: int, ahead: int) -> Bars:
    here = int(np.searchsorted(bars.available_at, at, side="right"))
    return bars.take(slice(max(0, here - context), min(len(bars), here + ahead)))


def prove_features(
    build: Build,
    bars: Bars,
    *,
    decisions: int = 120,
    context: int,
    ahead: int = 600,
    look_back: int = 2 * DAY,
    edges: Sequence[int] = (),
    serve: Callable[[Bars, int], Table] | None = None,
    tolerance: dict[str, float] | None = None,
    short_history: int = 0,
    recovery: bool = True,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Proof:
    """Change, blank and delete the future at many decisions; every earlier row must stay.

    Parameters
    ----------
    build
        Makes all rows of the bars it is given, inputs and keys.
    bars
        History to prove on.
    decisions
        How many decision instants to look at (120 or more for a certificate).
    context, ahead
        Bars kept before and after each decision; `context` covers every warm-up.
    look_back
        Nanoseconds before the decision in which rows are compared too.
    edges
        Instants that must be among the decisions where rows exist: session and clock-change
        edges.
    serve
        How serving makes the rows of an instant; must agree with `build`.
    tolerance
        Declared relative tolerance per input for short history and serving; default exact.
    short_history
        Bars of history that all warm-ups declare to be enough; 0 leaves that check out.
    recovery
        Whether to look for the answer in the inputs; what else is looked at knows no answers.

    Raises
    ------
    TooFewBars
        Fewer than 30 decisions after warm-up.

    References
    ----------
    Kaufman, Rosset, Perlich & Stitelman (2012), Leakage in data mining.
    """
    rng = np.random.default_rng(seed)
    whole = build(bars)
    chosen = _choose(whole, decisions, edges, rng)
    tally = _Tally(whole.names)
    exact = np.full(len(whole.names), EXACT)
    declared = np.array([max(EXACT, (tolerance or {}).get(n, EXACT)) for n in whole.names])
    for count, at in enumerate(chosen.tolist()):
        window = _window(bars, at, context, ahead)
        rows = build(window)
        near = (rows.decision_at <= at) & (rows.decision_at > at - look_back)
        base = _part(rows, near)
        for check, operation in OPERATIONS.items():
            tally.compare(check, base, build(operation(window, at, rng)), exact)
        last = _part(rows, rows.decision_at == at)
        if short_history and short_history < context:
            tally.compare(
                "truncate", last, build(_window(bars, at, short_history, ahead)), declared
            )
        if serve is not None:
            tally.compare("serve", last, serve(window, at), declared)
        if progress is not None:
            progress(count + 1, len(chosen))
    found = tally.findings() + (recover_target(whole) if recovery else [])
    return Proof(
        kind="features",
        decisions=len(chosen),
        edges=int(np.isin(chosen, np.asarray(edges, dtype=np.int64)).sum()),
        rows=sum(tally.checked.values()),
        names=whole.names,
        findings=tuple(found),
        checks=(*tally.checked, "recovery") if recovery else tuple(tally.checked),
        notes=(f"decisions from {to_timestamp(int(chosen[0])):%Y-%m-%d} "
               f"to {to_timestamp(int(chosen[-1])):%Y-%m-%d}",),
    )  # fmt: skip
