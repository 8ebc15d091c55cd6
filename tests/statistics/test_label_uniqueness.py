"""Average uniqueness against the book's example and a bar-by-bar reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlcore.errors import UsageError
from mlcore.statistics import average_uniqueness

SPANS = st.lists(st.tuples(st.integers(0, 40), st.integers(1, 15)), min_size=1, max_size=30)


def slow_uniqueness(starts: np.ndarray, ends: np.ndarray) -> list[float]:
    alive = np.zeros(ends.max())
    for start, end in zip(starts, ends, strict=True):
        alive[start:end] += 1
    return [float(np.mean(1 / alive[s:e])) for s, e in zip(starts, ends, strict=True)]


def test_example_of_the_book() -> None:
    # AFML ch. 4.5.3: labels on bars 1-3, 3-4 and 5-6
    found = average_uniqueness([0, 2, 4], [3, 4, 6])
    assert found == pytest.approx([5 / 6, 3 / 4, 1.0])


@given(SPANS)
def test_equals_the_slow_reference(spans: list[tuple[int, int]]) -> None:
    starts = np.array([s for s, _ in spans])
    ends = starts + np.array([w for _, w in spans])
    found = average_uniqueness(starts, ends)
    assert found == pytest.approx(slow_uniqueness(starts, ends))
    assert np.all((found > 0) & (found <= 1 + 1e-12))


@given(SPANS)
def test_weights_add_up_to_the_bars_covered(spans: list[tuple[int, int]]) -> None:
    starts = np.array([s for s, _ in spans])
    ends = starts + np.array([w for _, w in spans])
    covered = len({bar for s, e in zip(starts, ends, strict=True) for bar in range(s, e)})
    assert np.sum(average_uniqueness(starts, ends) * (ends - starts)) == pytest.approx(covered)


def test_instants_in_nanoseconds_are_spans_too() -> None:
    base, hour = 1_700_000_000_000_000_000, 3_600_000_000_000
    starts = base + hour * np.array([0, 2, 4])
    ends = base + hour * np.array([3, 4, 6])
    assert average_uniqueness(starts, ends) == pytest.approx([5 / 6, 3 / 4, 1.0])


def test_no_labels() -> None:
    assert average_uniqueness([], []).shape == (0,)


@pytest.mark.parametrize("end", [4, 3])
def test_an_empty_or_reversed_span_is_an_error(end: int) -> None:
    with pytest.raises(UsageError, match=rf"span at least one bar – \[4, {end}\) given in row 1"):
        average_uniqueness([0, 4], [2, end])


def test_arrays_that_do_not_pair() -> None:
    with pytest.raises(UsageError, match="starts and ends must pair row by row – 2 and 1 rows"):
        average_uniqueness([0, 1], [2])
