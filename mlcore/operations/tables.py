"""Tables that a person asks for: sessions, bands, indicators, features, datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY
from mlcore.errors import TooFewBars
from mlcore.features.base import bar_table, catalogue, feature_set, select
from mlcore.market.sessions import bar_ends, local_dates, session_table
from mlcore.market.universes import members, resolve
from mlcore.operations.home import Home
from mlcore.samples.dataset import build_dataset
from mlcore.samples.labels import Label, label
from mlcore.schema import Bars
from mlcore.trading.ranges import SESSION_COLUMNS, opening_ranges

__all__ = ["band_frame", "dataset_frame", "default_set", "feature_frame", "indicator_frame",
           "session_frame", "symbols_of", "universe_frame"]  # fmt: skip


def symbols_of(home: Home, names: str) -> tuple[str, ...]:
    """The symbols that `A,B,UNIVERSE` stands for."""
    return resolve(names, home.settings.universes, _markets(home))


def universe_frame(home: Home) -> pd.DataFrame:
    """Named universes: universe, patterns, symbols, n."""
    known = _markets(home)
    rows = [
        (name, ", ".join(patterns), found, len(found))
        for name, patterns in sorted(home.settings.universes.items())
        for found in [members(patterns, known)]
    ]
    return pd.DataFrame(rows, columns=["universe", "patterns", "symbols", "n"])


def _markets(home: Home) -> dict[str, str]:
    listed = home.store.symbols()
    return dict(zip(listed["symbol"], listed["market"], strict=True))


def default_set(question: Label) -> str:
    """The feature set that a target is trained on."""
    return "opening_range" if question.of_ranges else "core40"


def session_frame(
    home: Home, symbol: str, timeframe: str, *, mode: str, days: int | None
) -> pd.DataFrame:
    """The table of opening ranges; `days` limits it to the newest days of bars."""
    bars = _bars(home, symbol, timeframe, days)
    orb = home.settings.orb.model_copy(update={"mode": mode})
    finer = home.store.finer(symbol, timeframe)
    table = opening_ranges(bars, home.store.market_of(symbol), orb, finer=finer)
    columns = [*SESSION_COLUMNS, "status"] if days is not None else list(SESSION_COLUMNS)
    return table[columns].reset_index(drop=True)


def _bars(home: Home, symbol: str, timeframe: str, days: int | None) -> Bars:
    if days is None:
        return home.store.read(symbol, timeframe)
    _, last, _ = home.store.last(symbol, timeframe)
    return home.store.read(symbol, timeframe, start=last - days * DAY)


def band_frame(home: Home, symbol: str, start: int, end: int) -> pd.DataFrame:
    """Sessions between two instants, clipped to nothing: session, date, start, end."""
    market = home.store.market_of(symbol)
    days = local_dates(np.array([start - DAY, end + DAY]), market.zone)
    table = session_table(market, days[0], days[1])
    lo, hi = pd.Timestamp(start, tz="UTC"), pd.Timestamp(end, tz="UTC")
    return table[(table["end"] > lo) & (table["start"] < hi)].reset_index(drop=True)


def indicator_frame(home: Home, symbol: str, timeframe: str, name: str, last: int) -> pd.DataFrame:
    """A bar feature over the newest `last` bars, warmed up before them."""
    warm = select([name])[0].warmup_bars
    bars = home.store.tail(symbol, timeframe, last + warm + 1)
    values = bar_table([name], bars)[:, 0]
    frame = pd.DataFrame({"time": pd.to_datetime(bars.time, utc=True), "value": values})
    return frame.tail(last).reset_index(drop=True)


def feature_frame(home: Home, symbol: str, timeframe: str, name: str) -> pd.DataFrame:
    """Bar features of a set over all bars: time, available_at, one column a feature.

    Raises
    ------
    TooFewBars
        The set has no feature of bars alone; ask for the dataset of a target instead.
    """
    known = catalogue()
    names = [n for n in feature_set(name) if known[n].scope == "bar"]
    if not names:
        raise TooFewBars(
            f"A table of bars holds features of bars – the set {name!r} has none – use the "
            "dataset command for features of a decision.",
            code="E_FEATURES_SCOPE",
        )
    bars = home.store.read(symbol, timeframe)
    ends = np.maximum(bar_ends(bars, home.store.market_of(symbol)), bars.available_at)
    head: dict[str, Any] = {"time": pd.to_datetime(bars.time, utc=True),
                            "available_at": pd.to_datetime(ends, utc=True)}  # fmt: skip
    table = pd.DataFrame(bar_table(names, bars), columns=names)
    return pd.concat([pd.DataFrame(head), table], axis=1)


def dataset_frame(home: Home, target: str, symbol: str, timeframe: str) -> pd.DataFrame:
    """The training table of a target, as a frame with readable instants."""
    question = label(target)
    data = build_dataset(
        home.store, symbol, timeframe, question, home.settings,
        features=feature_set(default_set(question)),
    )  # fmt: skip
    head = {
        "item": data.rows["item"].to_numpy(),
        **{
            name: pd.to_datetime(getattr(data, name), utc=True)
            for name in ("decision_at", "due_at", "known_at")
        },
        "y": data.y,
        "r_taken": data.rows["r_taken"].to_numpy(),
    }
    if "side" not in data.X:
        head["side"] = data.rows["side"].to_numpy()
    return pd.concat([pd.DataFrame(head), data.X.reset_index(drop=True)], axis=1)
