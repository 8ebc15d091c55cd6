"""The certificate: both proofs, bound to what was proved and to the code that made it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from mlcore.errors import LeakFound
from mlcore.evaluation.leaks.findings import Proof, chance_of_missing

__all__ = ["Certificate", "certify", "code_hash"]

ROOMS = ("clock.py", "schema.py", "statistics", "market/sessions.py", "features", "models",
         "trading", "samples", "evaluation")  # fmt: skip


@cache
def code_hash() -> str:
    """SHA-256 over the source of every room that touches a row, a label or a fit."""
    root = Path(__file__).resolve().parents[2]
    digest = hashlib.sha256()
    for room in ROOMS:
        place = root / room
        files = [place] if place.is_file() else sorted(place.rglob("*.py"))
        for file in files:
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Certificate:
    """A signed statement that nothing was found, and how hard was looked."""

    subject: dict[str, Any]
    code: str
    proofs: tuple[dict[str, Any], ...]
    passed: bool
    decisions: int
    chance_of_missing_5pct: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self)

    @property
    def id(self) -> str:
        """Content hash of subject, code and proofs: the same proof has the same id."""
        import json

        text = json.dumps(self.as_dict(), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def certify(proofs: Sequence[Proof], subject: dict[str, Any]) -> Certificate:
    """A certificate over `proofs` about `subject` (label, set, market, timeframe, model …).

    Raises
    ------
    LeakFound
        A proof has findings; the message carries their sentences, details the rest.
    """
    found = [f for proof in proofs for f in proof.findings]
    if found:
        said = " ".join(f.sentence() for f in found[:5])
        more = f" And {len(found) - 5} more." if len(found) > 5 else ""
        raise LeakFound(
            f"No input may move when only the future moves – {said}{more} – mend or drop these "
            "inputs, nothing was registered.",
            code="E_LEAK",
            details={"findings": [asdict(f) for f in found]},
        )
    looked = max((p.decisions for p in proofs if p.kind == "features"), default=0)
    return Certificate(
        subject=dict(subject),
        code=code_hash(),
        proofs=tuple(p.as_dict() for p in proofs),
        passed=True,
        decisions=looked,
        chance_of_missing_5pct=chance_of_missing(0.05, looked),
    )
