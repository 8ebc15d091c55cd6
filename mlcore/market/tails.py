"""The newest bars of many symbols, read from the lake in one statement a timeframe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mlcore.clock import DAY
from mlcore.market.holdings import Holding
from mlcore.market.revisions import Stored
from mlcore.schema import Bars, timeframe_width
from mlcore.store import Lake

__all__ = ["cold_tails"]

Key = tuple[str, str]
_SQL = """
SELECT epoch_ns(time), open, high, low, close, volume, epoch_ns(available_at), revision,
       list_position(?::VARCHAR[], symbol) AS place
FROM lake.bars WHERE timeframe = ? AND time >= make_timestamp_ns(?) AND symbol IN ({})
ORDER BY place
"""


def cold_tails(
    lake: Lake, wanted: Mapping[Key, Holding], count: int
) -> Iterator[tuple[Key, int, Bars]]:
    """Key, from when on its bars were read (int64 ns), and these bars in their latest revision.

    They are read from twice `count` widths before the newest bar on, so that there may be fewer
    than `count` of them. Symbols whose data ends at quite another time are asked for apart.
    """
    for timeframe in sorted({timeframe for _, timeframe in wanted}):
        reach = 2 * count * timeframe_width(timeframe)
        held = [
            (found.last - reach, key[0]) for key, found in wanted.items() if key[1] == timeframe
        ]
        for group in _close(sorted(held), reach + 7 * DAY):
            yield from _read(lake, timeframe, group)


def _close(starts: list[tuple[int, str]], gap: int) -> Iterator[list[tuple[int, str]]]:
    """Runs of sorted starts that lie no further than `gap` from their first."""
    run: list[tuple[int, str]] = []
    for start in starts:
        if run and start[0] - run[0][0] > gap:
            yield run
            run = []
        run.append(start)
    yield run


def _read(
    lake: Lake, timeframe: str, group: list[tuple[int, str]]
) -> Iterator[tuple[Key, int, Bars]]:
    first, symbols = group[0][0], [symbol for _, symbol in group]
    for symbol in symbols[1:]:
        lake.check((symbol, timeframe))
    sql = _SQL.format(", ".join("?" * len(symbols)))
    given: list[Any] = [symbols, timeframe, first, *symbols]
    table = lake.table(sql, given, part=(symbols[0], timeframe))
    place = np.asarray(table.column(table.num_columns - 1).to_numpy())
    edges = np.searchsorted(place, np.arange(1, len(symbols) + 2))
    for i, symbol in enumerate(symbols):
        part = table.slice(int(edges[i]), int(edges[i + 1] - edges[i]))
        yield (symbol, timeframe), first, Stored.latest(part).bars(symbol, timeframe)
