"""What a symbol's bars are fit for: the quality report, the history a model needs, the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from mlcore.clock import to_timestamp
from mlcore.config import Market
from mlcore.errors import TooFewBars, UsageError
from mlcore.market.quality import BUDGET, Report, assess
from mlcore.market.sessions import bar_ends, trading_days
from mlcore.operations.home import Home
from mlcore.samples.decisions import SIGMA_SPAN
from mlcore.samples.labels import Label, label
from mlcore.samples.splits import WalkForward
from mlcore.schema import TIMEFRAMES, Bars
from mlcore.trading.ranges import opening_ranges
from mlcore.training.readiness import FEWEST_ROWS

__all__ = ["FAMILIES", "RECOMMENDED", "TARGETS", "History", "Quality", "Use", "judge_quality"]

Array = np.ndarray[Any, Any]
State = Literal["fit", "care", "unfit"]
TARGETS = ("orb_direction", "orb_quality", "orb_r", "signal")
FAMILIES = {"trees": FEWEST_ROWS, "Transformer": 126, "LSTM": 252}
"""Labelled rows of a symbol below which a family of models is not trained."""
RECOMMENDED = 500
"""Rows over several regimes below which a result says little."""
VALID_FIT, VALID_LEAST = 0.95, 0.80
_TRAINING = "training "
_MOST_DAYS = 90  # of rows that are split to see whether a first fold fits


@dataclass(frozen=True)
class History:
    """What a target has to learn from: labelled rows, their trading days, and why no run starts.

    `problem` is "" where a walk-forward with the usual windows has at least one fold.
    """

    target: str
    rows: int
    days: int
    problem: str

    @property
    def enough_for(self) -> tuple[str, ...]:
        """The families of models that have the rows they need."""
        return tuple(name for name, least in FAMILIES.items() if self.rows >= least)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"target": self.target, "rows": self.rows, "days": self.days,
                "enough_for": list(self.enough_for), "recommended": RECOMMENDED,
                "problem": self.problem}  # fmt: skip


@dataclass(frozen=True)
class Use:
    """One thing that bars may be used for: whether they can, and the reason with its figures."""

    name: str
    state: State
    reason: str


@dataclass(frozen=True)
class Quality:
    """Report, histories, uses and the verdict in words of one symbol and timeframe."""

    report: Report
    market: str
    histories: tuple[History, ...]
    uses: tuple[Use, ...]
    families: Mapping[str, int] = field(default_factory=lambda: FAMILIES)
    recommended: int = RECOMMENDED

    @property
    def words(self) -> str:
        """The verdict in one sentence: what they are fit for, with care, and not at all."""
        said = [(state, self._named(state)) for state in ("fit", "care", "unfit")]
        lead = {"fit": "fit for", "care": "with care for", "unfit": "not for"}
        text = "; ".join(f"{lead[state]} {names}" for state, names in said if names)
        return text[:1].upper() + text[1:]

    def _named(self, state: str) -> str:
        """The uses of a state; targets of training in one breath."""
        names = [use.name for use in self.uses if use.state == state]
        targets = [n.removeprefix(_TRAINING) for n in names if n.startswith(_TRAINING)]
        rest = [n for n in names if not n.startswith(_TRAINING)]
        return ", ".join([*rest, *([f"training ({', '.join(targets)})"] if targets else [])])

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: `rows`, the verdict, every check, coverage by month, the worst gaps."""
        report, cover = self.report, self.report.coverage
        months = cover.days.groupby(cover.days["day"].dt.strftime("%Y-%m"), sort=True)
        counted = months[["expected", "present"]].sum().reset_index(names="month")
        gaps = cover.gaps.head(20)
        return {
            "symbol": report.symbol, "timeframe": report.timeframe, "market": self.market,
            "rows": report.rows, "first": to_timestamp(report.first).isoformat(),
            "last": to_timestamp(report.last).isoformat(),
            "verdict": {"words": self.words, "uses": [vars(use) for use in self.uses]},
            "checks": [check.as_dict() for check in report.checks],
            "history": [one.as_dict() for one in self.histories],
            "coverage": {
                "expected": cover.expected, "present": cover.present, "pause": cover.pause,
                "months": counted.to_dict("records"),
                "gaps": [
                    {**row, "start": to_timestamp(row["start"]).isoformat(),
                     "end": to_timestamp(row["end"]).isoformat()}
                    for row in gaps.to_dict("records")
                ],
            },
        }  # fmt: skip


def judge_quality(home: Home, symbol: str, timeframe: str) -> Quality:
    """Everything that can be said of stored bars without training on them.

    Raises
    ------
    UsageError
        Unknown symbol, or no bars of this timeframe.
    """
    store = home.store
    bars, market = store.read(symbol, timeframe), store.market_of(symbol)
    if not len(bars):
        raise UsageError(
            f"A quality report needs bars – {symbol} {timeframe} has none – import some.",
            code="E_NO_BARS",
        )
    instants = store.revision_instants(symbol, timeframe)
    revised = np.isin(bars.available_at, instants) if len(instants) else None
    again = home.db.one(
        "SELECT coalesce(sum(unchanged), 0) AS n FROM imports WHERE symbol = ? AND timeframe = ?",
        (symbol, timeframe),
    )
    report = assess(bars, market, revised=revised, repeated=int(again["n"]) if again else 0)
    ranges = _ranges(home, bars, market)
    histories = tuple(_history(home, bars, market, ranges, label(name)) for name in TARGETS)
    uses = (_charts(report), _opening(ranges, timeframe), _volumes(report), _tests(report),
            *(_training(report, one) for one in histories))  # fmt: skip
    return Quality(report, market.title, histories, uses)


# --- how much there is to learn from


def _ranges(home: Home, bars: Bars, market: Market) -> pd.DataFrame | None:
    """The opening ranges; None where bars are too long for any."""
    if not market.ranges or bars.timeframe not in TIMEFRAMES or bars.timeframe == "1d":
        return None
    try:
        return opening_ranges(bars, market, home.settings.orb)
    except UsageError:
        return None


@dataclass(frozen=True)
class _Rows:
    """What a split reads of a dataset, settled rows alone, and which of them have a label."""

    decision_at: Array
    due_at: Array
    rows: pd.DataFrame
    labelled: Array


def _history(
    home: Home, bars: Bars, market: Market, ranges: pd.DataFrame | None, question: Label
) -> History:
    if question.of_ranges and ranges is None:
        words = f"{bars.timeframe} bars are too long for opening ranges"
        return History(question.name, 0, 0, words)
    if not question.of_ranges and bars.timeframe not in TIMEFRAMES:
        return History(question.name, 0, 0, "models are trained on bars of up to 1d")
    made = (_range_rows(ranges, question) if question.of_ranges and ranges is not None
            else _bar_rows(bars, market, question))  # fmt: skip
    days = len(np.unique(made.rows["day"].to_numpy()))
    return History(question.name, int(made.labelled.sum()), days, _problem(made))


def _range_rows(ranges: pd.DataFrame, question: Label) -> _Rows:
    """A row a valid range that is over, or one per side, of which the first to break has a label.

    A range that broke both sides in one bar labels neither direction, and both sides as a loss.
    """
    kept = ranges[ranges["valid"].to_numpy(bool) & ranges["status"].eq("done").to_numpy()]
    side = kept["side"].to_numpy(object)
    both, one = side == "AMBIGUOUS", np.isin(side.astype(str), ("UP", "DOWN"))
    twice = 1 + int(question.sided)
    label_of = [one | both, both] if question.sided else [one | (side == "NONE")]
    day = kept["trading_day"].to_numpy("datetime64[D]").astype(np.int64)
    decided, due = (pd.DatetimeIndex(kept[name]).as_unit("ns").asi8
                    for name in ("available_at", "due_at"))  # fmt: skip
    return _Rows(
        np.repeat(decided, twice), np.repeat(due, twice),
        pd.DataFrame({"day": np.repeat(day, twice)}), np.column_stack(label_of).ravel(),
    )  # fmt: skip


def _bar_rows(bars: Bars, market: Market, question: Label) -> _Rows:
    """One row a bar whose volatility is known and whose horizon ends inside the data."""
    ahead = question.horizon_for(bars.timeframe).length
    ends, day = bar_ends(bars, market), trading_days(bars.time, market).astype(np.int64)
    rows = slice(SIGMA_SPAN, max(SIGMA_SPAN, len(bars) - ahead))
    due = ends[SIGMA_SPAN + ahead :]
    return _Rows(ends[rows], due, pd.DataFrame({"day": day[rows]}), np.ones(len(due), dtype=bool))


def _problem(made: _Rows) -> str:
    """Why a walk-forward with the usual windows cannot start; "" where it can."""
    day = made.rows["day"].to_numpy()
    names, first = np.unique(day, return_index=True)
    windows = WalkForward()
    stop = len(day)
    if len(names) > _MOST_DAYS:  # the first fold tells, and a split of all of them would take long
        enough = np.searchsorted(first, windows.train + windows.test + windows.step)
        cut = max(_MOST_DAYS, int(enough) + 1)
        stop = int(first[cut]) if cut < len(names) else stop
    some = replace(made, decision_at=made.decision_at[:stop], due_at=made.due_at[:stop],
                   rows=made.rows.iloc[:stop])  # fmt: skip
    try:
        windows.split(some)
    except TooFewBars as error:
        return error.message
    return ""


# --- what they are fit for


def _charts(report: Report) -> Use:
    share = f"{100 * report.coverage.missing_share:.1f} % of expected bars missing"
    if report["ohlc"].status == "bad":
        return Use("charts", "care", report["ohlc"].words)
    if report["splits"].n:
        return Use("charts", "care", report["splits"].words)
    state: State = "care" if report.coverage.missing_share >= BUDGET else "fit"
    return Use("charts", state, f"{report.rows:,} bars, {share}")


def _opening(ranges: pd.DataFrame | None, timeframe: str) -> Use:
    name = "opening ranges"
    if ranges is None or ranges.empty:
        return Use(name, "unfit", f"no range of the market fits into {timeframe} bars")
    valid, share = int(ranges["valid"].sum()), float(ranges["valid"].mean())
    state: State = "fit" if share >= VALID_FIT else "care" if share >= VALID_LEAST else "unfit"
    why = f"{valid:,} of {len(ranges):,} ranges are valid ({100 * share:.1f} %)"
    return Use(name, state, why)


def _volumes(report: Report) -> Use:
    missing, zero, level = (report[n] for n in ("missing_volume", "zero_volume", "volume_level"))
    name, empty = "volume inputs", (missing.share or 0) + (zero.share or 0)
    if empty > 0.5:
        worse = missing if (missing.share or 0) >= (zero.share or 0) else zero
        what = "missing volume" if worse is missing else "zero volume"
        both = f"; {what} in {100 * (worse.share or 0):.0f} % of bars" if worse.share != 1 else ""
        return Use(name, "unfit", worse.words + both)
    told = [f"{check.title.lower()}: {check.words}" for check in (missing, zero, level)
            if check.status != "ok"]  # fmt: skip
    return Use(name, "care" if told else "fit", "; ".join(told) or "a volume in every bar")


def _tests(report: Report) -> Use:
    """Backtests fill at prices: those that never traded, or changed their unit, spoil them."""
    broken = [report[name] for name in ("ohlc", "splits") if report[name].status == "bad"]
    if broken:
        return Use("backtests", "unfit", "; ".join(check.words for check in broken))
    names = ("missing", "bad_ticks", "stale_runs", "grid")
    told = [f"{report[n].title.lower()}: {report[n].words}" for n in names
            if report[n].status != "ok"]  # fmt: skip
    bad = any(report[n].status == "bad" for n in names)
    why = "; ".join(told) or "no price stands out, none is stale"
    return Use("backtests", "care" if bad else "fit", why)


def _training(report: Report, history: History) -> Use:
    name = f"{_TRAINING}{history.target}"
    rows = f"{history.rows:,} labelled rows on {history.days:,} days"
    if history.problem:
        return Use(name, "unfit", history.problem if history.rows == 0 else
                   f"{rows}: {history.problem}")  # fmt: skip
    checks = ("missing", "ohlc", "splits", "stale_runs", "bad_ticks")
    bad = [report[n].title.lower() for n in checks if report[n].status == "bad"]
    few = [f"{RECOMMENDED} are recommended"] if history.rows < RECOMMENDED else []
    why = "; ".join([rows, *few, *bad])
    return Use(name, "care" if bad or few else "fit", why)
