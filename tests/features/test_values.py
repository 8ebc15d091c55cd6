"""Values against independent oracles: DuckDB's window SQL, and arithmetic on paper."""

import duckdb
import numpy as np
import pytest

from mlcore.features import bar_table
from mlcore.features.windows import (
    lag,
    log_ratio,
    moments,
    ratio,
    rolling_max,
    rolling_min,
    rolling_sum,
)

N = "ROWS BETWEEN {} PRECEDING AND CURRENT ROW"
SQL = {
    "sma_distance_50": "close / avg(close) OVER w50 - 1",
    "bollinger_b_20": "(close - avg(close) OVER w20) / (4 * stddev_pop(close) OVER w20) + 0.5",
    "bollinger_width_20": "4 * stddev_pop(close) OVER w20 / avg(close) OVER w20",
    "williams_r_14": "-100 * (max(high) OVER w14 - close)"
    " / (max(high) OVER w14 - min(low) OVER w14)",
    "stochastic_k_14": "100 * (close - min(low) OVER w14)"
    " / (max(high) OVER w14 - min(low) OVER w14)",
    "roc_10": "ln(close / lag(close, 10) OVER o)",
    "volatility_20": "sqrt(avg(r * r) OVER w20)",
    "skew_20": "(avg(r*r*r) OVER w20 - 3 * avg(r) OVER w20 * avg(r*r) OVER w20"
    " + 2 * pow(avg(r) OVER w20, 3)) / pow(var_pop(r) OVER w20, 1.5)",
    "volume_ratio_20": "volume / avg(volume) OVER w20",
    "vwap_distance_20": "close / (sum((high+low+close)/3 * volume) OVER w20"
    " / sum(volume) OVER w20) - 1",
    "obv_slope_20": "sum(sign(close - before) * volume) OVER w20 / sum(volume) OVER w20",
    "money_flow_14": "100 * sum(CASE WHEN typical > typical_before THEN typical * volume ELSE 0"
    " END) OVER w14 / sum(CASE WHEN typical <> typical_before THEN typical * volume ELSE 0 END)"
    " OVER w14",
    "channel_50": "(close - min(low) OVER w50) / (max(high) OVER w50 - min(low) OVER w50)",
    "efficiency_10": "(close - lag(close, 10) OVER o) / sum(abs(close - before)) OVER w10",
    "parkinson_20": "sqrt(sum(pow(ln(high / low), 2)) OVER w20 / (80 * ln(2)))",
    "gap": "ln(open / before)",
}


@pytest.fixture(scope="module")
def oracle(walk):
    bars = walk.frame()
    windows = ", ".join(f"w{n} AS (ORDER BY time {N.format(n - 1)})" for n in (10, 14, 20, 50))
    columns = ", ".join(f"{text} AS {name}" for name, text in SQL.items())
    with duckdb.connect() as base:
        base.register("bars", bars)
        return base.sql(f"""
            WITH a AS (SELECT *, (high + low + close) / 3 AS typical,
                              lag(close) OVER (ORDER BY time) AS before FROM bars),
                 b AS (SELECT *, lag(typical) OVER (ORDER BY time) AS typical_before,
                              ln(close / before) AS r FROM a)
            SELECT {columns} FROM b
            WINDOW o AS (ORDER BY time), {windows} ORDER BY time
        """).fetchnumpy()


@pytest.mark.parametrize("name", SQL)
def test_window_features_equal_sql(name, walk, oracle):
    ours = bar_table([name], walk)[:, 0]
    theirs = np.ma.filled(oracle[name].astype(float), np.nan)
    seen = np.isfinite(ours)
    assert seen.sum() > 2900
    np.testing.assert_allclose(ours[seen], theirs[seen], rtol=1e-7, atol=1e-9)


def wilder(values, n):
    """Wilder's mean by its recursion, seeded with the first n values' simple mean."""
    out = np.full(len(values), np.nan)
    out[n - 1] = values[:n].mean()
    for i in range(n, len(values)):
        out[i] = (out[i - 1] * (n - 1) + values[i]) / n
    return out


def test_rsi_is_wilders(walk):
    change = np.diff(walk.close)
    up, down = wilder(np.maximum(change, 0), 14), wilder(np.maximum(-change, 0), 14)
    expected = np.concatenate([[np.nan], 100 * up / (up + down)])
    ours = bar_table(["rsi_14"], walk)[:, 0]
    np.testing.assert_allclose(ours[168:], expected[168:], rtol=1e-10)


def test_atr_percent_is_wilders_range_over_price(walk):
    before = walk.close[:-1]
    reach = np.maximum(walk.high[1:], before) - np.minimum(walk.low[1:], before)
    expected = np.concatenate([[np.nan], wilder(reach, 14)]) / walk.close
    ours = bar_table(["atr_percent_14"], walk)[:, 0]
    np.testing.assert_allclose(ours[168:], expected[168:], rtol=1e-10)


def test_a_bar_on_paper(bars_of):
    bars = bars_of([100.0, 102.0, 101.0])
    bars.high[:] = [101, 104, 103]
    bars.low[:] = [99, 100, 100]
    got = bar_table(["body", "upper_shadow", "lower_shadow", "return_lag_1"], bars)
    np.testing.assert_allclose(got[2, :3], [-1 / 3, 1 / 3, 1 / 3])
    np.testing.assert_allclose(got[1], [2 / 4, 2 / 4, 0, np.nan])
    assert got[2, 3] == pytest.approx(np.log(1.02))


def test_runs_are_counted_and_signed(bars_of):
    close = np.concatenate([np.full(20, 10.0), [11, 12, 13, 12, 11, 11, 12]])
    got = bar_table(["run_length"], bars_of(close))[:, 0]
    assert got[-7:].tolist() == [1, 2, 3, -1, -2, 0, 1]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 7, 8, 20, 50, 63])
def test_moving_windows_equal_the_slow_way(n):
    x = np.random.default_rng(n).normal(size=200)
    for fast, slow in ((rolling_sum, np.sum), (rolling_max, np.max), (rolling_min, np.min)):
        got = fast(x, n)
        assert np.isnan(got[: n - 1]).all()
        expected = [slow(x[i - n + 1 : i + 1]) for i in range(n - 1, 200)]
        np.testing.assert_allclose(got[n - 1 :], expected, rtol=1e-12, atol=1e-12)


def test_a_window_has_the_same_bits_over_any_history():
    x = np.random.default_rng(1).normal(size=500)
    assert np.array_equal(rolling_sum(x, 37)[300:], rolling_sum(x[264:], 37)[36:])
    assert np.isnan(rolling_sum(x[:5], 37)).all()


def test_quotients_are_missing_where_undefined():
    np.testing.assert_array_equal(ratio([1.0, 0.0, np.nan], [0.0, 2.0, 1.0]), [np.nan, 0, np.nan])
    got = log_ratio(np.array([1.0, -1.0, 1.0]), np.array([1.0, 1.0, 0.0]))
    np.testing.assert_array_equal(got, [0, np.nan, np.nan])
    np.testing.assert_array_equal(lag(np.arange(3.0), 5), [np.nan] * 3)


def test_moments_on_paper():
    spread, third, fourth = moments(np.array([1.0, 1.0, 4.0]), 3, 4)
    assert spread[2] == pytest.approx(2.0)
    assert third[2] == pytest.approx(2.0)
    assert fourth[2] == pytest.approx(6.0)
    assert np.isnan(moments(np.full(5, 3.0), 3, 2)[0]).all()
