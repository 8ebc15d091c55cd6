import numpy as np
import pytest

from mlcore.clock import MINUTE
from mlcore.schema import Bars


def make_bars(close, *, seed=0, volume=None, start=1_767_600_000_000_000_000):
    """Bars of 5 minutes around a path of closes, with ranges and volumes drawn from `seed`."""
    rng = np.random.default_rng(seed)
    close = np.asarray(close, dtype=np.float64)
    n = len(close)
    opened = np.concatenate([close[:1], close[:-1]]) if n else close
    reach = np.abs(rng.normal(0, 0.003, (2, n)) * close) * (np.ptp(close) > 0 if n else 0)
    time = start + 5 * MINUTE * np.arange(n, dtype=np.int64)
    drawn = rng.integers(1, 1000, n).astype(np.float64)
    return Bars(
        "TEST", "5m", time, opened, np.maximum(opened, close) + reach[0],
        np.minimum(opened, close) - reach[1], close, drawn if volume is None else volume,
        time + 5 * MINUTE,
    )  # fmt: skip


@pytest.fixture(scope="session")
def walk():
    rng = np.random.default_rng(11)
    return make_bars(100 + np.cumsum(rng.normal(0, 0.2, 3000)), seed=12)


@pytest.fixture(scope="session")
def bars_of():
    return make_bars
