"""Coverage of a calendar by bars: how many of the expected ones are there, day by day."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from pages._charts_base import empty_figure, new_figure
from pages._theme import TOKENS

__all__ = ["BINS", "coverage_chart", "coverage_words"]

BINS: Final = ("none", "under 50 %", "50–90 %", "90–99 %", "99–100 %", "all")
_EDGES: Final = (1e-9, 0.5, 0.9, 0.99, 1.0 - 1e-9)
_HUES: Final = ("#FFE3B0", "#FFB84D", "#B98945", "#6F6650", "#3B4653", "#2A3440")
"""From bright to dark, so that holes stand out in any sight and in grey."""
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_MOST_WEEKS: Final = 110


def coverage_words(days: pd.DataFrame) -> str:
    """The chart in one sentence, for those who do not see it."""
    if days.empty:
        return "No day is expected between the first bar and the last."
    share = days["present"] / days["expected"]
    full, none = int((share >= 1).sum()), int((share == 0).sum())
    return (
        f"{len(days):,} expected days from {days['day'].iloc[0]:%d %b %Y} to "
        f"{days['day'].iloc[-1]:%d %b %Y}: {full:,} with every bar, "
        f"{len(days) - full - none:,} with some missing, {none:,} without any."
    )


def coverage_chart(days: pd.DataFrame, *, phone: bool = False) -> go.Figure:
    """Share of expected bars that are there: weeks by weekday, or years by month for long spans.

    Parameters
    ----------
    days
        Columns day (datetime), expected, present: one row per day, week or month.
    """
    if days.empty:
        return empty_figure("No day is expected between the first bar and the last.", 160)
    weeks = (days["day"].iloc[-1] - days["day"].iloc[0]).days / 7
    apart = days["day"].diff().median()
    if weeks > _MOST_WEEKS or (pd.notna(apart) and apart > pd.Timedelta(days=4)):
        return _by_month(days, phone)
    return _by_week(days, phone)


def _level(share: Any) -> Any:
    """Which of `BINS` a share lies in; NaN where nothing is expected."""
    known = np.isfinite(share)
    level = np.digitize(np.nan_to_num(share), _EDGES).astype(float)
    return np.where(known, level, np.nan)


def _by_week(days: pd.DataFrame, phone: bool) -> go.Figure:
    day = days["day"].to_numpy("datetime64[D]")
    weekday = (day.astype(np.int64) + 3) % 7
    week = day - weekday
    weeks = np.arange(week.min(), week.max() + 7, 7)
    share = np.full((7, len(weeks)), np.nan)
    share[weekday, np.searchsorted(weeks, week)] = days["present"] / days["expected"]
    rows = 7 if np.isfinite(share[5:]).any() else 5
    firsts = np.flatnonzero(np.diff(weeks.astype("M8[M]").astype(int), prepend=-1) != 0)
    step = -(-len(firsts) // (4 if phone else 10))
    shown = firsts[::step]
    names = [f"{pd.Timestamp(weeks[i] + 6):%b %Y}" for i in shown]
    figure = _map(share[:rows], np.arange(len(weeks)), list(_DAYS[:rows]), 26 * rows + 82)
    figure.update_xaxes(tickvals=shown, ticktext=names)
    return figure


def _by_month(days: pd.DataFrame, phone: bool) -> go.Figure:
    counted = days.groupby([days["day"].dt.year, days["day"].dt.month])[["expected", "present"]]
    sums = counted.sum()
    years = np.arange(sums.index[0][0], sums.index[-1][0] + 1)
    share = np.full((len(years), 12), np.nan)
    at = np.array(sums.index.to_list())
    share[at[:, 0] - years[0], at[:, 1] - 1] = sums["present"] / sums["expected"]
    tall = max(6, 22 if len(years) <= 16 else 360 // len(years))
    figure = _map(share, np.arange(12), [str(year) for year in years], tall * len(years) + 82)
    figure.update_xaxes(tickvals=np.arange(12)[:: 3 if phone else 1],
                        ticktext=list(_MONTHS)[:: 3 if phone else 1])  # fmt: skip
    if len(years) > 16:
        kept = np.arange(0, len(years), -(-len(years) // 12))
        figure.update_yaxes(tickvals=kept, ticktext=[str(years[i]) for i in kept])
    return figure


def _map(share: Any, x: Any, rows: list[str], height: int) -> go.Figure:
    """The cells, and the key of their colours above them."""
    steps = [(i / len(_HUES), hue) for i, hue in enumerate(_HUES)]
    scale = [part for i, (at, hue) in enumerate(steps) for part in ((at, hue), (
        (i + 1) / len(_HUES), hue))]  # fmt: skip
    figure = new_figure(height, margin={"l": 44, "r": 8, "t": 34, "b": 26}, hovermode=False)
    figure.add_trace(
        go.Heatmap(
            z=_level(share), x=x, y=np.arange(len(rows)), colorscale=scale, zmin=-0.5,
            zmax=len(BINS) - 0.5, xgap=1, ygap=1,
            colorbar={
                "orientation": "h", "x": 0.5, "y": 1, "yanchor": "bottom", "ypad": 4, "len": 1,
                "thickness": 8, "tickvals": list(range(len(BINS))), "ticktext": list(BINS),
                "tickfont": {"size": 11, "color": TOKENS["muted"]}, "outlinewidth": 0, "ticks": "",
                "ticklabelposition": "outside top", "xpad": 0,
            },
        )
    )  # fmt: skip
    figure.update_yaxes(tickvals=np.arange(len(rows)), ticktext=rows, autorange="reversed",
                        showgrid=False, side="left")  # fmt: skip
    figure.update_xaxes(showgrid=False)
    return figure
