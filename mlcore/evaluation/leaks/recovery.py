"""Target recovery: an input that all but states the answer is guilty, however it got there."""

from __future__ import annotations

import numpy as np

from mlcore.evaluation.leaks.findings import CAUSES, Finding
from mlcore.evaluation.leaks.table import Table

__all__ = ["recover_target"]

THRESHOLD = 0.98


def _rank_agreement(values: np.ndarray, y: np.ndarray) -> float:
    """|AUC − ½|·2 for two classes, |Spearman| otherwise; 0 where undefined."""
    from scipy.stats import rankdata, spearmanr

    if len(y) < 100 or np.ptp(values) == 0 or np.ptp(y) == 0:
        return 0.0
    classes = np.unique(y)
    if len(classes) == 2:
        positive = y == classes[1]
        ranks = rankdata(values)
        n1, n0 = positive.sum(), (~positive).sum()
        auc = (ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
        return float(abs(auc - 0.5) * 2)
    return float(abs(spearmanr(values, y).statistic))


def recover_target(table: Table) -> list[Finding]:
    """Findings for inputs from which, or from whose differences, the label can be read off."""
    if table.y is None:
        return []
    order = np.argsort(table.decision_at, kind="stable")
    y, X = table.y[order], table.X[order]
    found = []
    for column, name in enumerate(table.names):
        values = X[:, column]
        views = {"value": (values, y), "difference": (np.diff(values), y[1:]),
                 "next difference": (np.diff(values), y[:-1])}  # fmt: skip
        for view, (v, t) in views.items():
            ok = np.isfinite(v) & np.isfinite(t)
            agreement = _rank_agreement(v[ok], t[ok])
            if agreement >= THRESHOLD:
                cause = f"{CAUSES['recovery']} ({view}, rank agreement {agreement:.2f})"
                found.append(
                    Finding(name, "recovery", int(ok.sum()), len(y), agreement, "all", cause)
                )
                break
    return found
