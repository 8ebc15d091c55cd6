"""The store: what a home keeps, and proof that its bytes are the bytes that were written.

`Lake` holds bars as Parquet files under a DuckLake catalog, `HubDB` everything else in one SQLite
file. This room knows tables, files and hashes; it does not know what a bar or a call means.
"""

from __future__ import annotations

from mlcore.store.hashing import sha256_file, sync_folder
from mlcore.store.hubdb import HubDB, canonical_json
from mlcore.store.lake import Lake

__all__ = ["HubDB", "Lake", "canonical_json", "sha256_file", "sync_folder"]
