"""What bars are worth: checks against the market's calendar and against themselves.

Pure: bars and a market in, values out. Nothing here reads a store, mends a bar, or knows what a
model needs.
"""

from mlcore.market.quality.assessing import BUDGET, assess
from mlcore.market.quality.report import Check, Coverage, Finding, Report

__all__ = ["BUDGET", "Check", "Coverage", "Finding", "Report", "assess"]
