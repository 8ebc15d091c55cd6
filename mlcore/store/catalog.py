"""The DuckLake catalog: latest snapshot, files, notes of the snapshots. Nothing here writes.

The catalog is a SQLite file that only DuckDB's own SQLite opens: a second SQLite library in the
process (Python's) would drop its locks when it closes the file. The latest snapshot is asked
again only if the file or its write-ahead log has changed, so that asking costs microseconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["Catalog", "is_complete"]

_OF = "__ducklake_metadata_lake"
_FILES = f"""
WITH f AS (
  SELECT data_file_id, table_id, path FROM {_OF}.ducklake_data_file UNION ALL
  SELECT -delete_file_id, table_id, path FROM {_OF}.ducklake_delete_file
)
SELECT s.path || t.path || f.path AS name,
  first(v.min_value) FILTER (c.column_name = 'symbol' AND v.min_value = v.max_value) AS symbol,
  first(v.min_value) FILTER (c.column_name = 'timeframe' AND v.min_value = v.max_value) AS timeframe
FROM f JOIN {_OF}.ducklake_table t ON t.table_id = f.table_id
JOIN {_OF}.ducklake_schema s ON s.schema_id = t.schema_id
LEFT JOIN {_OF}.ducklake_file_column_stats v ON v.data_file_id = f.data_file_id
LEFT JOIN {_OF}.ducklake_column c ON c.table_id = v.table_id AND c.column_id = v.column_id
GROUP BY name ORDER BY min(f.data_file_id)
"""  # noqa: S608
_NOTES = f"""
SELECT snapshot_id, commit_extra_info FROM {_OF}.ducklake_snapshot_changes
WHERE snapshot_id > ? AND commit_extra_info IS NOT NULL ORDER BY snapshot_id
"""  # noqa: S608
_SETTLED = 50_000_000  # ns: a file that changed this long ago has no younger change unseen

Mark = tuple[tuple[int, int, int], ...]
Query = Callable[[str, list[Any]], list[tuple[Any, ...]]]


def is_complete(query: Query) -> bool:
    """Whether the lake's tables are there: false for a catalog whose making was cut short."""
    sql = f"SELECT 1 FROM {_OF}.ducklake_table WHERE table_name = 'bars'"  # noqa: S608
    return bool(query(sql, []))


class Catalog:
    """View of the catalog at `path`, asked through `query(sql, params) -> rows`."""

    def __init__(self, path: Path, query: Query) -> None:
        self.path = path
        self._query = query
        self._files = (path, path.with_name(path.name + "-wal"))
        self._latest: tuple[Mark, int] | None = None
        self._listed: tuple[Mark, dict[str, tuple[str, ...]]] | None = None

    def exists(self) -> bool:
        """Whether there is a file with anything in it."""
        return self.path.is_file() and self.path.stat().st_size > 0

    def _mark(self) -> Mark | None:
        """What the files look like now; None while a change is too young to be told apart."""
        stats = [file.stat() for file in self._files if file.exists()]
        if any(time.time_ns() - stat.st_mtime_ns < _SETTLED for stat in stats):
            return None
        return tuple((stat.st_ino, stat.st_size, stat.st_mtime_ns) for stat in stats)

    def snapshot(self) -> int:
        """The latest snapshot's number."""
        mark, latest = self._mark(), self._latest
        if latest and latest[0] == mark:
            return latest[1]
        sql = f"SELECT max(snapshot_id) FROM {_OF}.ducklake_snapshot"  # noqa: S608
        found = int(self._query(sql, [])[0][0])
        self._latest = (mark, found) if mark else None
        return found

    def files(self) -> dict[str, tuple[str, ...]]:
        """Every Parquet file a snapshot can see, and the (symbol, timeframe) of all its rows.

        A file whose rows differ in these, or that lists deleted rows, has () instead.
        """
        mark, listed = self._mark(), self._listed
        if listed and listed[0] == mark:
            return listed[1]
        rows = self._query(_FILES, [])
        found = {name: () if None in of else tuple(of) for name, *of in rows}
        self._listed = (mark, found) if mark else None
        return found

    def count_below(self, size: int) -> int:
        """How many visible files have fewer bytes than `size`."""
        sql = f"SELECT count(*) FROM {_OF}.ducklake_data_file WHERE file_size_bytes < ?"  # noqa: S608
        return int(self._query(sql, [size])[0][0])

    def retired(self) -> set[str]:
        """Names (without folder) of files that were merged into others and wait to be deleted."""
        sql = f"SELECT path FROM {_OF}.ducklake_files_scheduled_for_deletion"  # noqa: S608
        return {str(row[0]).rsplit("/", 1)[-1] for row in self._query(sql, [])}

    def notes(self, after: int) -> list[tuple[int, str]]:
        """The notes written with the snapshots after number `after`, oldest first."""
        return [(int(number), note) for number, note in self._query(_NOTES, [after])]

    def problems(self) -> list[str]:
        """What SQLite's own check finds wrong with the file."""
        sql = f"SELECT * FROM sqlite_query('{_OF}', 'PRAGMA integrity_check')"  # noqa: S608
        said = [str(row[0]) for row in self._query(sql, [])]
        return [] if said == ["ok"] else said
