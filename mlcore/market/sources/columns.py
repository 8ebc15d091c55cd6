"""Which column is what: by name where there is a header, by place where there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlcore.errors import BarsError
from mlcore.market.sources.tables import RawTable

__all__ = ["Roles", "assign"]

_PRICES = ("open", "high", "low", "close")
_NAMES = {
    "time": (
        "datetime", "timestamp", "date_time", "time", "date", "open_time", "opentime", "ts",
        "gmt_time", "local_time", "bar_time", "index", "__index_level_0__", "unnamed:_0",
        "close_time", "closetime", "close_datetime",
    ),
    "open": ("open", "o", "open_price"), "high": ("high", "h", "high_price"),
    "low": ("low", "l", "low_price"), "close": ("close", "c", "close_price", "last"),
    "volume": ("volume", "vol", "v", "real_volume", "tick_volume", "tickvol", "tickvolume"),
}  # fmt: skip
_ENDS = ("close_time", "closetime", "close_datetime")
_ORDERS = ("dmy", "mdy", "ymd")


@dataclass(frozen=True)
class Roles:
    """Column positions: `time` (and `clock` where date and time are apart), prices, volumes.

    `volumes` are tried in turn: the first with anything but zeros is the volume. `order` is the
    user's word on day and month; `means_end` says the name calls the stamp a close time.
    """

    time: int
    clock: int | None
    prices: tuple[int, int, int, int]
    volumes: tuple[int, ...]
    symbol: int | None = None
    order: str | None = None
    means_end: bool = False

    def shown(self, names: Sequence[str]) -> dict[str, str]:
        """Role → the file's own name (or place, counted from 1); volumes as they are tried."""
        told = {"time": self.time, "clock": self.clock, "symbol": self.symbol}
        told |= dict(zip(_PRICES, self.prices, strict=True))
        shown = {k: names[i] or str(i + 1) for k, i in told.items() if i is not None}
        volumes = [names[i] or str(i + 1) for i in self.volumes]
        return {**shown, "volume": ", else ".join(volumes)} if volumes else shown


def assign(table: RawTable, columns: Mapping[str, str] | None) -> Roles:
    """The roles of a table's columns; `columns` (role → name, place or name:dmy) goes first.

    Raises
    ------
    BarsError
        A role without a column, or with two of the same name (E_BARS_COLUMN).
    """
    chosen, order = _chosen(table, dict(columns or {}))
    if not any(table.names):
        return _by_place(table, chosen, order)
    plain = [_plain(name) for name in table.names]
    found = chosen | {r: _named(table, plain, r) for r in (*_PRICES, "time") if r not in chosen}
    means_end = plain[found["time"]] in _ENDS
    time, clock = _split(plain, found["time"])
    if "time" in chosen or "clock" in chosen:
        time, clock = found["time"], chosen.get("clock")
    volumes = (chosen["volume"],) if "volume" in chosen else _volumes(table, plain)
    return Roles(
        time, clock, tuple(found[p] for p in _PRICES), volumes,  # type: ignore[arg-type]
        order=order, means_end=means_end,
    )  # fmt: skip


def _plain(name: str) -> str:
    return re.sub(r"\s+", "_", name.strip().strip("<>").strip().lower())


def _chosen(table: RawTable, columns: dict[str, str]) -> tuple[dict[str, int], str | None]:
    """The user's choices as positions, and the order of day and month if they gave one."""
    order, found = None, {}
    roles = {"clock", *_NAMES}
    for key, value in columns.items():
        role, name = (key, value) if key in roles or value not in roles else (value, key)
        head, _, tail = name.rpartition(":")
        if role == "time" and tail in _ORDERS and head:
            order, name = tail, head
        if role not in roles:
            raise _unknown_role(role)
        found[role] = _position(table, name)
    return found, order


def _unknown_role(role: str) -> BarsError:
    return BarsError(
        f"--columns names time, clock, open, high, low, close or volume – {ascii(role)[:40]} is "
        "none of these – write it as close=Last,volume=Vol.",
        code="E_BARS_COLUMN",
    )


def _position(table: RawTable, name: str) -> int:
    for i, own in enumerate(table.names):
        if own and (own == name or _plain(own) == _plain(name)):
            return i
    if name.isdigit() and 1 <= int(name) <= len(table.names):
        return int(name) - 1
    raise BarsError(
        f"--columns names columns the file has – {table.path.name} has no {ascii(name)[:60]} – it "
        f"has {', '.join(filter(None, table.names)) or f'{len(table.names)} without names'}.",
        code="E_BARS_COLUMN",
    )


def _named(table: RawTable, plain: list[str], role: str) -> int:
    for name in _NAMES[role]:
        places = [i for i, own in enumerate(plain) if own == name]
        if len(places) > 1:
            raise BarsError(
                f"A column is there once – {table.path.name} has {name} {len(places)} times – say "
                f"which by its place, as --columns {role}={places[0] + 1}.",
                code="E_BARS_COLUMN",
            )
        if places:
            return places[0]
    stamped = [i for i, kind in enumerate(table.types) if kind.startswith("TIMESTAMP")]
    if role == "time" and len(stamped) == 1:
        return stamped[0]
    raise BarsError(
        f"Bars need the columns time open high low close – {table.path.name} has no {role} among "
        f"{', '.join(table.names)[:200]} – name it, as --columns {role}=NAME.",
        code="E_BARS_COLUMN",
    )


def _split(plain: list[str], time: int) -> tuple[int, int | None]:
    """The columns of the date and of the time of day, where these are two."""
    if plain[time] in ("date", "time") and "date" in plain and "time" in plain:
        return plain.index("date"), plain.index("time")
    return time, None


def _volumes(table: RawTable, plain: list[str]) -> tuple[int, ...]:
    there = [name for name in _NAMES["volume"] if name in plain]
    return tuple(_named_once(table, plain, name) for name in there)


def _named_once(table: RawTable, plain: list[str], name: str) -> int:
    if plain.count(name) > 1:
        raise BarsError(
            f"A column is there once – {table.path.name} has {name} {plain.count(name)} times – "
            f"say which by its place, as --columns volume={plain.index(name) + 1}.",
            code="E_BARS_COLUMN",
        )
    return plain.index(name)


def _by_place(table: RawTable, chosen: dict[str, int], order: str | None) -> Roles:
    """Roles without a header: [symbol] date [time] open high low close [volume]."""
    first = {i: values[0] if values else "" for i, values in table.sample(1).items()}
    place = 0
    symbol = None
    if re.search("[A-Za-z^]", first[0]) and not re.match(r"\d", first[0]):
        symbol, place = 0, 1
    time, clock = place, None
    if re.fullmatch(r"\d{1,2}:\d{2}(:\d{2})?", first.get(place + 1, "")):
        clock = place + 1
    after = time + (2 if clock is not None else 1)
    if len(first) < after + 4:
        raise BarsError(
            "A file without a header holds [symbol] date [time] open high low close [volume] – "
            f"{table.path.name} has {len(first)} columns – name them, as --columns time=1,open=2.",
            code="E_BARS_COLUMN",
        )
    prices = tuple(chosen.get(p, after + i) for i, p in enumerate(_PRICES))
    volume = (after + 4,) if len(first) > after + 4 else ()
    volumes = (chosen["volume"],) if "volume" in chosen else volume
    return Roles(
        chosen.get("time", time), chosen.get("clock", clock), prices,  # type: ignore[arg-type]
        volumes, symbol, order,
    )  # fmt: skip
