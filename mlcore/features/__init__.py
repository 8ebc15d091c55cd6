"""Features: pure functions of declared inputs. Floor 2; it knows bars, not labels or models."""

from mlcore.features import (
    calendar,
    momentum,
    opening_range,
    price,
    sets,
    sides,
    surroundings,
    trend,
    volatility,
    volume,
)
from mlcore.features.base import (
    Feature,
    bar_table,
    catalogue,
    feature,
    feature_set,
    row_table,
    select,
    term,
    warmup_bars,
    warmup_days,
)

__all__ = [
    "Feature",
    "bar_table",
    "calendar",
    "catalogue",
    "feature",
    "feature_set",
    "momentum",
    "opening_range",
    "price",
    "row_table",
    "select",
    "sets",
    "sides",
    "surroundings",
    "term",
    "trend",
    "volatility",
    "volume",
    "warmup_bars",
    "warmup_days",
]
