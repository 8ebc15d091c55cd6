"""What a prover found, and in which words."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["Finding", "Proof", "chance_of_missing"]

CAUSES = {
    "change": "its value depends on bars that could not be read at the decision",
    "blank": "its value depends on bars that could not be read at the decision",
    "delete": "its value, or the row itself, depends on bars after the decision being there",
    "truncate": "its value depends on more history than it declares",
    "serve": "serving computes it otherwise than training does",
    "recovery": "it carries the answer itself",
    "fit": "something was fitted on rows outside the training fold",
    "boundary": "a fold was cut inside a trading day",
    "purge": "a training row's outcome reaches into the test span",
    "rows": "a decision appears, or vanishes, with the future",
}


@dataclass(frozen=True)
class Finding:
    """One guilty input: what, how many of the checked rows, by how much, and why probably."""

    name: str
    check: str
    rows: int
    checked: int
    amount: float
    first: str
    cause: str

    def sentence(self) -> str:
        """The finding in one sentence, for a page or a terminal."""
        by = "" if self.amount != self.amount else f", by up to {self.amount:.3g}"
        return (
            f"{self.name}: {self.rows} of {self.checked} rows moved under '{self.check}'{by} "
            f"(first: {self.first}) – likely cause: {self.cause}."
        )


@dataclass(frozen=True)
class Proof:
    """The result of one prover: what was checked, how often, and every finding."""

    kind: str
    decisions: int
    edges: int
    rows: int
    names: tuple[str, ...]
    findings: tuple[Finding, ...]
    checks: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.findings

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form, with the chance of missing a leak that touches 5 % of rows."""
        plain = asdict(self)
        plain["passed"] = self.passed
        plain["chance_of_missing_5pct"] = chance_of_missing(0.05, self.decisions)
        return plain


def chance_of_missing(share: float, decisions: int) -> float:
    """Probability that a leak touching `share` of the rows hides from `decisions` looks."""
    return float((1.0 - share) ** decisions)
