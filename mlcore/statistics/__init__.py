"""Pure statistics: what may be claimed from n outcomes, and for how long.

One idea a file, no state, no frames, no knowledge of markets or models. Sharpe ratios are per
period and kurtosis is not in excess. A wrong argument is a UsageError; what cannot be known is
NaN, what can never be reached is inf.
"""

from mlcore.statistics.bootstrap import (
    block_length,
    bootstrap_ratio,
    circular_block_indices,
    day_sums,
    percentile_interval,
)
from mlcore.statistics.calibration import (
    conformal_quantile,
    estimated_accuracy,
    expected_calibration_error,
)
from mlcore.statistics.comparison import diebold_mariano, population_stability_index
from mlcore.statistics.overfitting import probability_of_backtest_overfitting
from mlcore.statistics.power import minimum_detectable_accuracy, required_outcomes
from mlcore.statistics.sequential import (
    betting_e_process,
    binomial_e_value,
    confidence_sequence_radius,
    required_outcomes_sequential,
)
from mlcore.statistics.sharpe import (
    deflated_sharpe_ratio,
    expected_max_sharpe,
    minimum_backtest_length,
    minimum_track_record_length,
    probabilistic_sharpe_ratio,
)
from mlcore.statistics.uniqueness import average_uniqueness
from mlcore.statistics.verdicts import MINIMUM_OUTCOMES, Verdict, judge

__all__ = [
    "MINIMUM_OUTCOMES",
    "Verdict",
    "average_uniqueness",
    "betting_e_process",
    "binomial_e_value",
    "block_length",
    "bootstrap_ratio",
    "circular_block_indices",
    "confidence_sequence_radius",
    "conformal_quantile",
    "day_sums",
    "deflated_sharpe_ratio",
    "diebold_mariano",
    "estimated_accuracy",
    "expected_calibration_error",
    "expected_max_sharpe",
    "judge",
    "minimum_backtest_length",
    "minimum_detectable_accuracy",
    "minimum_track_record_length",
    "percentile_interval",
    "population_stability_index",
    "probabilistic_sharpe_ratio",
    "probability_of_backtest_overfitting",
    "required_outcomes",
    "required_outcomes_sequential",
]
