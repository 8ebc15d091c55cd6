"""Decisions and their answers: for each label the rows it asks about, when, and what came of it.

A row is an opening range (one row for direction, one per hypothetical side for quality and R) or
a bar. Its answer is `y`; `settled` says whether its `due_at` lies inside the data, and nothing
that has not settled has an answer, whatever is already known of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from mlcore.clock import DAY, HOUR, NAT
from mlcore.config import ORB, Market
from mlcore.market.sessions import (
    bar_ends,
    daily_available_at,
    is_open,
    local_walls,
    market_days,
    trading_days,
    wall_nanoseconds,
)
from mlcore.samples.labels import Horizon, Label, barrier_labels
from mlcore.schema import Bars
from mlcore.trading.opening import (
    Ranges,
    break_instants,
    data_end,
    find_ranges,
    known_instants,
    side_outcomes,
)
from mlcore.trading.ranges import Finer, mechanical_up, offers
from mlcore.trading.trades import AMBIGUOUS, DOWN, NONE, UP, barrier_trades, cost_in_r

__all__ = [
    "DECISION_COLUMNS",
    "SIGMA_SPAN",
    "decision_columns",
    "decisions",
    "ewma_sigma",
    "range_columns",
]

Array = np.ndarray[Any, Any]
Columns = dict[str, Array]
SIGMA_SPAN = 100
"""Span of the EWMA behind a signal's barriers; a bar needs as many returns before it."""

DECISION_COLUMNS = (
    "symbol", "item", "range", "date", "day", "side", "decision_at", "due_at", "known_at", "y",
    "settled", "p_up", "broke", "r_taken", "r_gross", "range_id", "valid", "close", "high",
    "low", "entry", "stop", "target",
)  # fmt: skip
"""Columns of every decision frame; `signal` adds R and exit of buying and of selling."""

_DIRECTION = {UP: 0.0, DOWN: 1.0, NONE: 2.0}
"""Class codes of an opening range's first break."""
_SIGNAL = {1.0: 0.0, -1.0: 1.0, 0.0: 2.0}
"""Class codes of the barrier a signal's closes meet first."""


def decisions(
    bars: Bars,
    market: Market,
    lab: Label,
    *,
    orb: ORB | None = None,
    now: int | None = None,
    since: int | None = None,
    finer: Finer | None = None,
) -> pd.DataFrame:
    """All decisions of a label in the bars, by `decision_at`; open ones have no answer yet.

    Parameters
    ----------
    orb
        The home's opening-range settings; the label's own parameters replace them.
    now
        Only bars that could be read at this instant (int64 ns) exist.
    since
        Only ranges that opened, or bars that ended, at or after this instant.
    finer
        Reads finer bars inside a bar that broke both sides of a range, so that they decide.

    Returns
    -------
    `DECISION_COLUMNS`. Instants are int64 ns (`known_at` NAT while unknown); `day` is the
    trading day as days since 1970; `side` +1, −1, or 0 where a row has none; `y` the class's
    index, or the regression's value, NaN without an answer (open, ambiguous for direction, the
    side that did not break first); `broke` +1, −1, 0 none, 2 ambiguous, NaN while open;
    `r_taken` and `r_gross` the R of taking `side` there, net and gross: 0 if cancelled or never
    broken, the loss if ambiguous. Ranges that are not valid ask nothing and have no row.
    """
    columns = decision_columns(bars, market, lab, orb=orb, now=now, since=since, finer=finer)
    return pd.DataFrame(columns)


def decision_columns(
    bars: Bars,
    market: Market,
    lab: Label,
    *,
    orb: ORB | None = None,
    now: int | None = None,
    since: int | None = None,
    finer: Finer | None = None,
) -> Columns:
    """The columns of `decisions` as arrays of one length; there for parameters and errors."""
    if not lab.of_ranges:
        return _bar_decisions(bars, market, lab, now, since)
    if now is not None:
        bars = bars.known_at(now)
    rules = lab.orb(orb or ORB())
    found = find_ranges(bars, market, rules, now=now, since=since, only="valid", finer=finer)
    return range_columns(bars, market, lab, rules, found)


def range_columns(bars: Bars, market: Market, lab: Label, orb: ORB, found: Ranges) -> Columns:
    """The decision columns of a label about valid ranges found in `bars`, by the rules `orb`."""
    sides = (1, -1) if lab.sided else (0,)
    side = np.tile(np.array(sides, dtype=np.int8), len(found))
    row = np.repeat(np.arange(len(found)), len(sides))
    facts = _range_facts(found, market, bars.symbol)
    facts["known_at"] = (known_instants if lab.sided else break_instants)(bars, found)
    frame = {name: values[row] for name, values in facts.items()}
    offer = offers(frame["high"], frame["low"], np.where(side == 0, np.nan, side), orb)
    frame |= {"side": side, "stop": offer.stop, "target": offer.target}
    frame["entry"] = np.where(side == 0, np.nan, offer.entry)
    trades, asked = found.trades, found.scored[row] & (side != 0)
    for column, of in (("r_taken", trades.r_net), ("r_gross", trades.r_gross)):
        frame[column] = side_outcomes(trades.side[row], of[row], asked, side)
    frame["y"] = _range_answers(lab, frame, trades.r_net[row])
    return {c: frame[c] for c in DECISION_COLUMNS}


def _range_answers(lab: Label, frame: Columns, net: Array) -> Array:
    broke = frame["broke"]
    if not lab.sided:
        return np.select([broke == code for code in _DIRECTION], list(_DIRECTION.values()), np.nan)
    mine = (broke == frame["side"]) | (broke == AMBIGUOUS)
    answer = (net > 0).astype(np.float64) if lab.task == "classification" else net
    return np.where(mine & np.isfinite(net), answer, np.nan)


def _range_facts(found: Ranges, market: Market, symbol: str) -> Columns:
    date = found.date.astype("datetime64[D]")
    name = np.array(found.names or ("",), dtype=object)[found.code]
    prices = {"close": found.close, "high": found.high, "low": found.low}
    return {
        "symbol": np.full(len(found), symbol, dtype=object),
        "item": name + "/" + np.datetime_as_string(date).astype(object),
        "range": name,
        "date": date.astype("datetime64[s]"),
        "day": trading_days(found.open_at, market).astype(np.int64),
        "decision_at": found.available_at,
        "due_at": found.due_at,
        "settled": found.done,
        "p_up": mechanical_up(found.close, found.high, found.low),
        "broke": np.where(found.scored, found.trades.side, np.nan),
        "range_id": found.date * 64 + found.code,
        "valid": found.valid,
        **prices,
    }


def ewma_sigma(close: Any) -> Array:
    """Exponentially weighted standard deviation (span 100) of log returns up to each bar.

    float64, NaN for the first 100 bars and where it is 0.
    """
    prices = pd.Series(np.asarray(close, dtype=np.float64))
    returns = pd.Series(np.log(prices.where(prices > 0))).diff()
    sigma = returns.ewm(span=SIGMA_SPAN, min_periods=SIGMA_SPAN).std().to_numpy(dtype=np.float64)
    return np.where(sigma > 0, sigma, np.nan)


def _bar_decisions(
    bars: Bars, market: Market, lab: Label, now: int | None, since: int | None
) -> Columns:
    if now is not None:
        bars = bars.known_at(now)
    horizon = lab.horizon_for(bars.timeframe)
    ends = bar_ends(bars, market)
    width = ewma_sigma(bars.close) * np.sqrt(_bars_in(horizon, bars, market))
    first = 0 if since is None else int(np.searchsorted(ends, since))
    rows = first + np.flatnonzero(np.isfinite(width[first:]))
    last, due, settled = _horizon_ends(bars, market, horizon, ends, rows, now)
    asked = np.full(len(bars), -1, dtype=np.int64)
    asked[rows] = np.where(settled, last, -1)
    y, met = barrier_labels(bars.close, width, width, asked, "zero")
    known = np.where(y[rows] == 0, due, ends[met[rows]])
    frame = _bar_facts(bars, market, rows) | {
        "decision_at": ends[rows],
        "due_at": due,
        "known_at": np.where(np.isfinite(y[rows]), known, NAT),
        "y": np.select([y[rows] == side for side in _SIGNAL], list(_SIGNAL.values()), np.nan),
        "settled": settled,
    }
    columns = {c: frame[c] for c in DECISION_COLUMNS}
    return columns | _bar_trades(bars, market, asked, width, ends, rows)


def _bar_facts(bars: Bars, market: Market, rows: Array) -> Columns:
    time = bars.time[rows]
    day = trading_days(time, market)
    stamps = np.datetime_as_string(time.view("datetime64[ns]"), unit="s", timezone="UTC")
    prices = {c: getattr(bars, c)[rows] for c in ("close", "high", "low")}
    missing = ("p_up", "broke", "r_taken", "r_gross", "entry", "stop", "target")
    return {
        "symbol": np.full(len(rows), bars.symbol, dtype=object),
        "item": stamps.astype(object),
        "range": np.full(len(rows), None, dtype=object),
        "date": day.astype("datetime64[s]"),
        "day": day.astype(np.int64),
        "side": np.zeros(len(rows), dtype=np.int8),
        "range_id": np.full(len(rows), -1, dtype=np.int64),
        "valid": np.ones(len(rows), dtype=bool),
        **prices,
        **dict.fromkeys(missing, np.full(len(rows), np.nan)),
    }


def _bar_trades(
    bars: Bars, market: Market, asked: Array, width: Array, ends: Array, rows: Array
) -> dict[str, Array]:
    """R of buying and of selling at the next open, and the exit bar's end; a mirror of prices."""
    distance = width * np.abs(bars.close)
    buy = barrier_trades(bars, side=1, last=asked, distance=distance, cost=market.cost)
    cost = cost_in_r(market.cost, buy.entry[rows], distance[rows])
    at = buy.exit_index[rows]
    return {
        "distance": distance[rows],
        "r_buy_gross": buy.r_gross[rows],
        "r_buy": buy.r_net[rows],
        "r_sell_gross": -buy.r_gross[rows],
        "r_sell": -buy.r_gross[rows] - cost,
        "exit_at": np.where(at >= 0, ends[at], NAT),
    }


def _bars_in(horizon: Horizon, bars: Bars, market: Market) -> float:
    """Nominal number of bars in a horizon: what scales σ, the same whatever comes."""
    if horizon.unit == "bars" or (horizon.unit == "days" and bars.width >= DAY):
        return float(horizon.length)
    if horizon.unit == "hours":
        return max(1.0, horizon.length * HOUR / bars.width)
    regular = market.regular
    day = DAY if regular is None else (
        wall_nanoseconds(regular.end) - wall_nanoseconds(regular.start)
    )  # fmt: skip
    return max(1.0, horizon.length * day / bars.width)


def _horizon_ends(
    bars: Bars, market: Market, horizon: Horizon, ends: Array, rows: Array, now: int | None
) -> tuple[Array, Array, Array]:
    """Index of each horizon's last bar, its due instant, and whether it lies in the data."""
    if not len(rows):
        return rows, rows, np.empty(0, dtype=bool)
    if horizon.unit == "bars":
        last = rows + horizon.length
        settled = last < len(bars)
        due = ends[np.minimum(last, len(bars) - 1)]
        late = last[~settled] - (len(bars) - 1)
        due[~settled] = _coming_ends(bars, market, int(late.max(initial=0)))[late - 1]
        return last, due, settled
    if horizon.unit == "hours":
        due = ends[rows] + horizon.length * HOUR
    else:
        due = _day_ends(market, trading_days(bars.time[rows], market), horizon.length)
    settled = due <= data_end(bars, market, due, now)
    return np.searchsorted(ends, due, side="right") - 1, due, settled


def _day_ends(market: Market, day: Array, count: Any) -> Array:
    """The close of the `count`-th trading day after each of `day`."""
    reach = np.timedelta64(2 * int(np.max(count)) + 20, "D")
    open_days = market_days(market, day.min(), day.max() + reach)
    after = np.searchsorted(open_days, day, side="right") + count - 1
    return daily_available_at(market, open_days[after])[1]


def _coming_ends(bars: Bars, market: Market, count: int) -> Array:
    """Where the next `count` bars will end: open slots at times of day that held bars lately.

    The wall clock of the last seven days is compared, so that a daily break is found where no
    calendar lists it; with less than a day of bars every slot that is open counts.
    """
    if count == 0:
        return np.empty(0, dtype=np.int64)
    if bars.width >= DAY:
        day = np.repeat(trading_days(bars.time[-1:], market), count)
        return _day_ends(market, day, np.arange(1, count + 1))
    few = _coming_slots(bars, market, 8 * count + 14 * DAY // bars.width)
    # A symbol that trades once a day needs a reach of days, not of bars.
    slots = few if len(few) >= count else _coming_slots(bars, market, count * 2 * DAY // bars.width)
    return np.asarray(slots[:count] + bars.width)


def _coming_slots(bars: Bars, market: Market, reach: int) -> Array:
    last = int(bars.time[-1])
    slots = last + bars.width * np.arange(1, reach + 1)
    slots = slots[is_open(market, slots)]
    recent = bars.time[np.searchsorted(bars.time, last - 7 * DAY) :]
    if last - int(recent[0]) >= DAY:
        usual = local_walls(recent, market.zone) % DAY
        slots = slots[np.isin(local_walls(slots, market.zone) % DAY, usual)]
    return slots
