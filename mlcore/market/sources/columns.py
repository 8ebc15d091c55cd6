"""Which column is what: by name where there is a header, by place where there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mlcore.errors import BarsError
from mlcore.market.sources.tables import RawTable

__all__ = ["Roles", "assign"]

_PRICES = ("open", "high", "low", "close")
_NAMES = {
    "time": (
        "datetime", "timestamp", "date_time", "time", "date", "open_time", "opentime", "ts", "t",
        "unix", "gmt_time", "local_time", "bar_time", "open_datetime", "index",
        "time_period_start", "start_time", "candle_begin_time",
        "__index_level_0__", "unnamed:_0", "close_time", "closetime", "close_datetime",
    ),
    "open": ("open", "o", "open_price"), "high": ("high", "h", "high_price"),
    "low": ("low", "l", "low_price"), "close": ("close", "c", "close_price", "last", "close/last"),
    "volume": (
        "volume", "vol", "v", "shares_traded", "real_volume", "tick_volume", "tickvol",
        "tickvolume",
    ),
}  # fmt: skip
_SIDES = ("{1}_{0}", "{1}{0}", "{0}_{1}", "{0}{1}")
_ADJUSTED = ("adj_close", "adjclose", "adjusted_close", "adj._close", "close_adj")
_SYMBOLS = ("ticker", "symbol")
_ENDS = ("close_time", "closetime", "close_datetime")
_ORDERS = ("dmy", "mdy", "ymd")
_LEAN_DAY = re.compile(r"(\d{8})_[a-z0-9]+_(?:second|minute)_(?:trade|quote)", re.I)
_LEAN_FUTURE = re.compile(r"_(?:trade|quote)_\d{6}\.", re.I)


@dataclass(frozen=True)
class Roles:
    """Column positions: `time` (and `clock` where date and time are apart), prices, volumes.

    `volumes` are tried in turn: the first with anything but zeros is the volume. `order` is the
    user's word on day and month; `means_end` says the name calls the stamp a close time. `asks`
    are the prices asked where `prices` are those bid; `adjusted` is an adjusted close; `of_day`
    is the day a member's name tells, for times in milliseconds since its midnight; `is_lean` says
    that whole prices are ten-thousandths.
    """

    time: int
    clock: int | None
    prices: tuple[int, int, int, int]
    volumes: tuple[int, ...]
    symbol: int | None = None
    order: str | None = None
    means_end: bool = False
    asks: tuple[int, int, int, int] | None = None
    adjusted: int | None = None
    of_day: str | None = None
    is_lean: bool = False

    def shown(self, names: Sequence[str]) -> dict[str, str]:
        """Role → the file's own name (or place, counted from 1); volumes as they are tried."""
        told = {"time": self.time, "clock": self.clock, "symbol": self.symbol}
        told |= dict(zip(_PRICES, self.prices, strict=True))
        told |= {f"ask {p}": i for p, i in zip(_PRICES, self.asks or (), strict=False)}
        told |= {"adjusted close": self.adjusted}
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
    bids, asks = (_sided(plain, side) for side in ("bid", "ask"))
    if bids and "open" not in plain:
        chosen = dict(zip(_PRICES, bids, strict=True)) | chosen
    found = chosen | {r: _named(table, plain, r) for r in (*_PRICES, "time") if r not in chosen}
    means_end = plain[found["time"]] in _ENDS
    time, clock = _split(plain, found["time"])
    if "time" in chosen or "clock" in chosen:
        time, clock = found["time"], chosen.get("clock")
    volumes = (chosen["volume"],) if "volume" in chosen else _volumes(table, plain)
    return Roles(
        time, clock, tuple(found[p] for p in _PRICES), volumes,  # type: ignore[arg-type]
        order=order, means_end=means_end, symbol=_first(plain, _SYMBOLS),
        asks=asks if "open" not in plain else None, adjusted=_first(plain, _ADJUSTED),
    )  # fmt: skip


def _sided(plain: list[str], side: str) -> tuple[int, int, int, int] | None:
    """The four prices of one side of a quote, by names such as `bid_open` and `BidOpen`."""
    for form in _SIDES:
        names = [form.format(price, side) for price in _PRICES]
        if all(name in plain for name in names):
            return tuple(plain.index(name) for name in names)  # type: ignore[return-value]
    return None


def _first(plain: list[str], names: Sequence[str]) -> int | None:
    return next((plain.index(name) for name in names if name in plain), None)


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
        f"{_listed(table)} – name it, as --columns {role}=NAME.",
        code="E_BARS_COLUMN",
    )


def _listed(table: RawTable) -> str:
    """The file's own names, without signs that would change how a message reads."""
    text = ", ".join(name for name in table.names[:20] if name)
    return "".join(c if c.isprintable() else "\ufffd" for c in text)[:200]


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
    """Roles without a header: [symbol] date [time] open high low close [volume …]."""
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
    roles = Roles(
        chosen.get("time", time), chosen.get("clock", clock), prices,  # type: ignore[arg-type]
        volumes, symbol, order,
    )  # fmt: skip
    return roles if chosen else _lean(table, first, roles)


def _lean(table: RawTable, first: dict[int, str], roles: Roles) -> Roles:
    """The same, where a file is laid out as Lean does: times of a day, quotes, whole prices."""
    told = _LEAN_DAY.match(table.path.name.rpartition(": ")[2])
    if told and re.fullmatch(r"\d{1,8}", first[0]) and roles.clock is None:
        roles = replace(roles, of_day=told[1], is_lean=not _LEAN_FUTURE.search(table.path.name))
    elif re.fullmatch(r"\d{8} \d\d:\d\d", first[0]):
        roles = replace(roles, is_lean=True)
    else:
        return roles
    if len(first) == 11:
        return replace(roles, asks=(6, 7, 8, 9), volumes=())
    return roles
