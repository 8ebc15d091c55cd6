"""The charts of the hub, from one place: frames in, plotly figures in the template `openrange` out.

Draw them with ``st.plotly_chart(figure, theme=None, config=STATIC, alt=...)``; only the Market
chart takes `INTERACTIVE`.
"""

from __future__ import annotations

from pages._charts_base import INTERACTIVE, STATIC, empty_figure
from pages._charts_evidence import (
    calibration_chart,
    e_value_chart,
    fold_chart,
    funnel_chart,
    road_ahead,
)
from pages._charts_market import Indicator, candle_chart, price_digits, range_chart
from pages._charts_marks import hidden_layers
from pages._charts_models import importance_chart, loss_chart, net_r_chart
from pages._charts_time import MOST_BARS, ThinnedBars, TimeAxis, Zone, thin_bars

__all__ = [
    "INTERACTIVE",
    "MOST_BARS",
    "STATIC",
    "Indicator",
    "ThinnedBars",
    "TimeAxis",
    "Zone",
    "calibration_chart",
    "candle_chart",
    "e_value_chart",
    "empty_figure",
    "fold_chart",
    "funnel_chart",
    "hidden_layers",
    "importance_chart",
    "loss_chart",
    "net_r_chart",
    "price_digits",
    "range_chart",
    "road_ahead",
    "thin_bars",
]
