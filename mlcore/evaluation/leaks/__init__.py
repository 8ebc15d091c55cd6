"""The leak provers: change the future, rebuild everything, and see whether the past moved.

`prove_features` works on whatever makes rows from bars; `prove_pipeline` on whatever fits a
fold from rows. Both judge by perturbation, never by scores: a scaler fitted on all rows hardly
moves a score, but it moves a fit. What they find is a `Finding`; what they sign is a
`Certificate`, bound to the code's hash.
"""

from mlcore.evaluation.leaks.certificate import Certificate, certify, code_hash
from mlcore.evaluation.leaks.features import Build, prove_features
from mlcore.evaluation.leaks.findings import Finding, Proof
from mlcore.evaluation.leaks.pipeline import prove_pipeline
from mlcore.evaluation.leaks.recovery import recover_target
from mlcore.evaluation.leaks.table import Table

__all__ = [
    "Build",
    "Certificate",
    "Finding",
    "Proof",
    "Table",
    "certify",
    "code_hash",
    "prove_features",
    "prove_pipeline",
    "recover_target",
]
