"""The fixed names of `mlcore.statistics`, for those who look for them beside the card."""

from mlcore.statistics import *  # noqa: F403
from mlcore.statistics import __all__ as _names

__all__ = list(_names)
