"""What a feature is: a pure function that declares its inputs, warm-up, bounds, unit and source.

Inputs are argument names. A feature of scope `bar` reads the arrays `time open high low close
volume` (or a `@term`, an intermediate computed once for all that ask for it) and returns one
float64 per bar, of which value i uses bars up to i. A feature of scope `row` reads columns of the
facts frame, one value per decision, and works row by row. Nothing here knows where facts come
from, what a label is, or what the time is.

Warm-up is counted in bars (`warmup_bars`, the leading values of a bar feature that are NaN) and,
for row features, in closed trading days that the facts need (`warmup_days`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache, partial
from itertools import product
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mlcore.errors import UsageError
from mlcore.schema import Bars

__all__ = [
    "BAR_INPUTS",
    "Feature",
    "bar_table",
    "catalogue",
    "closure",
    "feature",
    "feature_set",
    "feature_sets",
    "reading",
    "row_table",
    "select",
    "term",
    "warmup_bars",
    "warmup_days",
]

Array = NDArray[np.float64]
Scope = Literal["bar", "row"]
Function = Callable[..., Any]
BAR_INPUTS = ("time", "open", "high", "low", "close", "volume")
_FEW = 4096


@dataclass(frozen=True)
class Feature:
    """One catalogued input of a model, and everything a reader may ask about it.

    `tolerance` bounds the absolute difference between the value over a long history and over one
    that is just longer than the warm-up.
    """

    name: str
    family: str
    scope: Scope
    inputs: tuple[str, ...]
    warmup_bars: int
    warmup_days: int
    unit: str
    bounds: tuple[float, float]
    source: str
    doc: str
    tolerance: float
    fn: Function


_FEATURES: dict[str, Feature] = {}
_TERMS: dict[str, tuple[Function, tuple[str, ...]]] = {}
_SETS: dict[str, Callable[[], tuple[str, ...]]] = {}


def _bind(fn: Function, grid: Mapping[str, Any]) -> tuple[Function, tuple[str, ...]]:
    """`fn` with its grid values fixed, and the names of the inputs that are left.

    A grid key that is no argument stands in argument names: `window_high` reads `asia_high` when
    `window` is "asia".
    """
    arguments = tuple(inspect.signature(fn).parameters)
    fixed = {k: v for k, v in grid.items() if k in arguments}
    prefixes = {k: v for k, v in grid.items() if k not in arguments}
    inputs = []
    for name in (a for a in arguments if a not in fixed):
        head, _, tail = name.partition("_")
        inputs.append(f"{prefixes[head]}_{tail}" if head in prefixes else name)
    return (partial(fn, **fixed) if fixed else fn), tuple(inputs)


def _summary(fn: Function, grid: Mapping[str, Any]) -> str:
    line = (inspect.getdoc(fn) or "").split("\n")[0]
    shown = {k: str(v).replace("_", " ") for k, v in grid.items()}
    return line.format(**shown) if grid else line


def _resolved(value: Any, grid: Mapping[str, Any]) -> Any:
    if not callable(value):
        return value
    wanted = inspect.signature(value).parameters
    return value(**{k: v for k, v in grid.items() if k in wanted})


def feature(
    name: str,
    *,
    family: str,
    unit: str,
    source: str,
    warmup: int | Callable[..., int] = 0,
    days: int = 0,
    bounds: tuple[float, float] = (-np.inf, np.inf),
    scope: Scope = "bar",
    tolerance: float = 1e-9,
    inputs: tuple[str, ...] | None = None,
    where: Callable[..., bool] | None = None,
    **grid: Sequence[Any],
) -> Callable[[Function], Function]:
    """Catalogue a function under `name`, once for every point of the parameter grid.

    Parameters
    ----------
    name
        With the grid's parameters in braces: `rsi_{n}`.
    warmup
        Leading bars without a value, or a function of grid parameters that says so.
    days
        Closed trading days of history the facts of a row feature need.
    inputs
        Names of the inputs where they are not the argument names.
    where
        Which points of the grid exist; default all.
    **grid
        Parameter → values; a string parameter that is no argument stands in argument names.

    Raises
    ------
    UsageError
        The name is taken, or the function has no docstring.
    """

    def register(fn: Function) -> Function:
        for point in product(*grid.values()):
            values = dict(zip(grid, point, strict=True))
            if where is not None and not where(**values):
                continue
            bound, named = _bind(fn, values)
            made = Feature(
                name.format(**values), family, scope, inputs or named,
                int(_resolved(warmup, values)), days, unit, bounds, source,
                _summary(fn, values), tolerance, bound,
            )  # fmt: skip
            if made.name in _FEATURES or not made.doc:
                raise UsageError(
                    f"A feature has a name of its own and a docstring – {made.name} has not – "
                    "rename it or say in one line what it is.",
                    code="E_FEATURE_DECLARED",
                )
            _FEATURES[made.name] = made
        return fn

    return register


def term(fn: Function) -> Function:
    """Let bar features ask for `fn`'s result by its name; it is computed once for all of them."""
    _TERMS[fn.__name__] = (fn, tuple(inspect.signature(fn).parameters))
    return fn


def feature_sets(**sets: Callable[[], tuple[str, ...]]) -> None:
    """Declare named sets; each is a function that returns names of the catalogue."""
    _SETS.update(sets)


def catalogue() -> dict[str, Feature]:
    """Every declared feature by name, in the order of declaration."""
    return dict(_FEATURES)


def _unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    near = get_close_matches(name, list(known), n=1)
    hint = f"Did you mean {near[0]}?" if near else "list them with the features command."
    return UsageError(
        f"A {kind} is one the catalogue knows – {name!r} was given – {hint}",
        code="E_FEATURE",
        details={"given": name},
    )


def feature_set(name: str) -> tuple[str, ...]:
    """The names of a declared set: `core40` (bars) or `opening_range` (decisions of ranges).

    Raises
    ------
    UsageError
        No such set.
    """
    if name not in _SETS:
        raise _unknown("feature set", name, _SETS)
    return _SETS[name]()


def select(names: Iterable[str]) -> tuple[Feature, ...]:
    """The features of these names, in this order.

    Raises
    ------
    UsageError
        A name the catalogue does not know; the message offers the nearest one.
    """
    chosen = []
    for name in names:
        if name not in _FEATURES:
            raise _unknown("feature", name, _FEATURES)
        chosen.append(_FEATURES[name])
    return tuple(chosen)


def closure(names: Iterable[str]) -> tuple[Feature, ...]:
    """These features and those that they read as inputs, each once."""
    return _closure(tuple(names))


@lru_cache(maxsize=256)
def _closure(names: tuple[str, ...]) -> tuple[Feature, ...]:
    found: dict[str, Feature] = {}
    queue = list(select(names))
    for one in queue:
        found[one.name] = one
        queue += [_FEATURES[i] for i in one.inputs if i in _FEATURES and i not in found]
    return tuple(found.values())


def warmup_bars(names: Iterable[str]) -> int:
    """The longest warm-up among these features and what they read, in bars."""
    return _warmups(tuple(names))[0]


def warmup_days(names: Iterable[str]) -> int:
    """The most closed trading days any of these features, or what they read, needs."""
    return _warmups(tuple(names))[1]


@lru_cache(maxsize=256)
def _warmups(names: tuple[str, ...]) -> tuple[int, int]:
    found = closure(names)
    longest = max((f.warmup_bars for f in found), default=0)
    return longest, max((f.warmup_days for f in found), default=0)


@lru_cache(maxsize=256)
def reading(names: tuple[str, ...], fact: str) -> tuple[bool, ...]:
    """Which of these features read `fact`, themselves or through another feature."""
    return tuple(any(fact in f.inputs for f in closure((one,))) for one in names)


def _ask(name: str, memo: dict[str, Any], needed_by: str) -> Any:
    if name not in memo:
        fn, inputs = _source(name, memo, needed_by)
        memo[name] = fn(*[_ask(i, memo, needed_by) for i in inputs])
    return memo[name]


def _source(name: str, memo: dict[str, Any], needed_by: str) -> tuple[Function, tuple[str, ...]]:
    if name in _TERMS and "time" in memo:
        return _TERMS[name]
    if name in _FEATURES and _FEATURES[name].scope == "row":
        return _FEATURES[name].fn, _FEATURES[name].inputs
    raise UsageError(
        f"A feature's inputs are there when it is computed – {needed_by} needs {name}, which "
        "these rows do not carry – leave the feature out.",
        code="E_FEATURE_INPUT",
        details={"feature": needed_by, "input": name, "known": sorted(memo)},
    )


def _without_infinity(columns: Array) -> None:
    infinite = np.isinf(columns)
    if infinite.any():
        columns[infinite] = np.nan


def _as_table(columns: Array) -> Array:
    """(n, f) from (f, n), never infinite; rows are contiguous where they are few."""
    if columns.shape[1] <= _FEW:
        _without_infinity(columns)
        return np.ascontiguousarray(columns.T)
    for column in columns:
        _without_infinity(column)
    return columns.T


def bar_table(names: Sequence[str], bars: Bars, at: Any = None) -> Array:
    """Bar features at the bars `at`, computed over all of `bars`.

    Parameters
    ----------
    names
        Features of scope `bar`.
    bars
        Everything that may be looked at; value i uses bars 0 … i.
    at
        Indices into `bars` (int array); default every bar. −1 gives a row of NaN.

    Returns
    -------
    ndarray, shape (len(at), len(names))
        float64; NaN before a feature's warm-up, where it is undefined, and where an input is
        missing. Never infinite.

    Raises
    ------
    UsageError
        An unknown feature, or one of scope `row`.
    """
    index = None if at is None else np.asarray(at, dtype=np.int64)
    columns: Array = np.full((len(names), len(bars) if index is None else len(index)), np.nan)
    least = 0 if index is None else int(index.min(initial=len(bars)))
    memo: dict[str, Any] = {c: getattr(bars, c) for c in BAR_INPUTS}
    for column, one in zip(columns, select(names), strict=True):
        if len(bars) <= one.warmup_bars:
            continue
        values = one.fn(*[_ask(i, memo, one.name) for i in one.inputs])
        if index is None:
            column[one.warmup_bars :] = values[one.warmup_bars :]
        elif least >= one.warmup_bars:
            column[:] = values[index]
        else:
            ready = index >= one.warmup_bars
            column[ready] = values[index[ready]]
    return _as_table(columns)


def row_table(names: Sequence[str], facts: Mapping[str, Any], rows: int) -> Array:
    """Row features over the columns of `facts`, each an array of `rows` values.

    Returns
    -------
    ndarray, shape (rows, len(names))
        float64; NaN where a fact is missing. Never infinite.

    Raises
    ------
    UsageError
        A feature whose facts this kind of row does not have.
    """
    columns: Array = np.empty((len(names), rows))
    memo = dict(facts)
    for column, one in zip(columns, select(names), strict=True):
        column[:] = _ask(one.name, memo, one.name)
    return _as_table(columns)
