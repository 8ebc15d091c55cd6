"""Whether log returns and closes are stationary: two tests with opposite hypotheses."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np

from mlcore.market.quality.report import Check, Status
from mlcore.schema import Bars

__all__ = ["SAMPLE", "stationarity"]

Array = np.ndarray[Any, Any]
SAMPLE: Final = 3000
LEAST: Final = 100
LEVEL: Final = 0.05


def stationarity(bars: Bars) -> tuple[Check, Check]:
    """ADF and KPSS of the newest log returns and of the newest closes.

    ADF supposes a unit root, KPSS a stationary level: they agree where the one is rejected and
    the other is not. At most `SAMPLE` newest bars are tested, so that the cost has a bound.

    References
    ----------
    Dickey and Fuller (1979); Kwiatkowski, Phillips, Schmidt and Shin (1992).
    """
    close = bars.close[-SAMPLE - 1 :]
    returns = np.diff(np.log(close)) if close.min() > 0 else np.diff(close)
    return (
        _check("returns", "Returns, stationary", returns, wanted=True),
        _check("close", "Close, a level", close[-SAMPLE:], wanted=False),
    )


def _check(name: str, title: str, values: Array, *, wanted: bool) -> Check:
    rule = (
        f"ADF with constant and 12·(n/100)^¼ lags rejects a unit root and KPSS does not reject "
        f"stationarity, both at {100 * LEVEL:g} %, on the newest {SAMPLE:,} "
        f"{'log returns' if wanted else 'closes'}"
        + ("." if wanted else "; a level need not be stationary, and is no input of a model.")
    )
    if len(values) < LEAST or np.ptp(values) == 0:
        why = f"{len(values):,} values" if len(values) < LEAST else "a constant"
        status: Status = "look" if wanted else "ok"
        return Check(name, title, status, 0, None, rule, f"not asked of {why}")
    adf, kpss = _p_values(values)
    is_stationary = adf < LEVEL <= kpss
    words = f"ADF p {_p(adf)}, KPSS p {_p(kpss, 0.01, 0.1)}: " + _words(adf, kpss)
    return Check(
        name, title, "ok" if is_stationary or not wanted else "look", len(values), None, rule, words
    )


def _words(adf: float, kpss: float) -> str:
    if adf < LEVEL <= kpss:
        return "stationary"
    if adf >= LEVEL > kpss:
        return "not stationary"
    return "a unit root is rejected, a steady level too" if adf < LEVEL else "undecided"


def _p(value: float, low: float = 0.001, high: float = 1.0) -> str:
    """A p value, or the bound behind which the test's table ends."""
    if value <= low:
        return f"≤ {low:g}"
    return f"≥ {high:g}" if value >= high else f"{value:.3f}"


def _p_values(values: Array) -> tuple[float, float]:
    from statsmodels.tsa.stattools import adfuller, kpss

    scaled = (values - values.mean()) / values.std()
    lags = int(12 * (len(values) / 100) ** 0.25)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # p values beyond the table, which `_p` says
        first = adfuller(scaled, maxlag=lags, autolag=None)
        second = kpss(scaled, regression="c", nlags="auto")
    return float(first[1]), float(second[1])
