"""The registry: immutable version folders, and append-only acts that say which one serves.

It knows files, hashes and who promoted what; not what a model is, nor how it was trained.
"""

from mlcore.registry.champions import Registry
from mlcore.registry.versions import VERSION_COLUMNS

__all__ = ["VERSION_COLUMNS", "Registry"]
