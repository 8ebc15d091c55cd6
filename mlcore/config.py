"""Typed configuration: packaged markets, then a home's `openrange.toml`, then the environment.

A `Settings` value is made once and passed in; nothing in the product reads the environment
after that. Environment variables are `OPENRANGE_HOME` and `OPENRANGE_<SECTION>__<FIELD>`.
"""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from mlcore.errors import ConfigError, UsageError
from mlcore.schema import check_symbol

__all__ = [
    "ORB",
    "Cost",
    "Edge",
    "Market",
    "OpeningRange",
    "Session",
    "Settings",
    "load_settings",
]

_NO_NUMBER = {"home", "watch", "watch_seconds", "threads", "universes"}
_UNIVERSE = r"^[A-Za-z][A-Za-z0-9_]{0,31}$"
_CLOCK = r"^([01]\d|2[0-3]):[0-5]\d$|^24:00$"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _check_zone(zone: str) -> str:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{zone!r} is not an IANA zone, like Asia/Tokyo") from error
    return zone


class Session(_Value):
    """A wall-clock window `[start, end)` in an IANA zone, converted to UTC per date."""

    name: str
    zone: str
    start: str = Field(pattern=_CLOCK)
    end: str = Field(pattern=_CLOCK)
    _zone = field_validator("zone")(_check_zone)


class OpeningRange(_Value):
    """An opening range: where it opens, and when the trade's window ends, on the wall clock."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    zone: str
    open: str = Field(pattern=_CLOCK)
    window_end: str = Field(pattern=_CLOCK)
    _zone = field_validator("zone")(_check_zone)


class Cost(_Value):
    """Round-trip cost: price points plus basis points of the entry price."""

    points: float = Field(default=0.0, ge=0.0)
    bp: float = Field(default=0.0, ge=0.0)


ASIA = Session(name="asia", zone="Asia/Tokyo", start="09:00", end="17:00")
LONDON = Session(name="london", zone="Europe/London", start="08:00", end="16:30")
NEW_YORK = Session(name="new_york", zone="America/New_York", start="09:30", end="16:00")


def _range(name: str, zone: str, open_: str, end: str) -> OpeningRange:
    return OpeningRange(name=name, zone=zone, open=open_, window_end=end)


DAY_RANGES = (
    _range("asia_0800", "Asia/Tokyo", "08:00", "17:00"),
    _range("asia_0900", "Asia/Tokyo", "09:00", "17:00"),
    _range("asia_1000", "Asia/Tokyo", "10:00", "17:00"),
    _range("london_0800", "Europe/London", "08:00", "16:30"),
    _range("new_york_0800", "America/New_York", "08:00", "16:00"),
    _range("new_york_0930", "America/New_York", "09:30", "16:00"),
)


class Market(_Value):
    """What a market's bars need to be read right: zone, calendar, sessions, ranges, cost."""

    name: str
    title: str
    zone: str
    calendar: str
    roll: str = Field(pattern=_CLOCK)
    hours: Literal["24h", "regular"]
    currency: str = "USD"
    tick: float = Field(gt=0)
    cost: Cost
    simulated: bool = False
    negative_prices: bool = False
    regular: Session | None = None
    sessions: tuple[Session, ...] = (ASIA, LONDON, NEW_YORK)
    ranges: tuple[OpeningRange, ...] = DAY_RANGES
    _zone = field_validator("zone")(_check_zone)


class ORB(_Value):
    """Opening-range parameters: length in minutes, break mode, target multiple, stop fraction."""

    minutes: int = Field(default=15, gt=0)
    mode: Literal["touch", "close"] = "touch"
    k: float = Field(default=2.0, gt=0)
    stop_fraction: float = Field(default=1.0, gt=0, le=1)
    coverage: float = Field(default=0.8, gt=0, le=1)


class Edge(_Value):
    """The smallest edge worth having per kind of score, frozen with the gate."""

    accuracy: float = 0.02
    net_r: float = 0.05
    skill: float = 0.01


class Settings(BaseSettings):
    """Everything a home can be told; a value, hashed into cards and log rows."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix="OPENRANGE_", env_nested_delimiter="__"
    )

    home: Path
    seed: int = 7
    watch: bool = True
    watch_seconds: float = Field(default=20.0, gt=0)
    threads: int = Field(default=2, gt=0)
    upload_mb: int = Field(default=400, gt=0)
    orb: ORB = ORB()
    worth: Edge = Edge()
    markets: dict[str, Market]
    symbols: dict[str, str] = Field(default_factory=dict)
    universes: dict[Annotated[str, Field(pattern=_UNIVERSE)], tuple[str, ...]] = Field(
        default_factory=dict
    )

    @field_validator("markets", mode="before")
    @classmethod
    def _name(cls, markets: Any) -> Any:
        """A market is named by its section."""
        if not isinstance(markets, dict):
            return markets
        return {k: {**v, "name": k} if isinstance(v, dict) else v for k, v in markets.items()}

    @property
    def data(self) -> Path:
        """The folder of the lake and hub.sqlite."""
        return self.home / "data"

    @property
    def registry(self) -> Path:
        """The folder of model versions."""
        return self.home / "registry"

    def market(self, name: str) -> Market:
        """The market called `name`.

        Raises
        ------
        UsageError
            No such market; the message lists those there are.
        """
        if name not in self.markets:
            known = ", ".join(sorted(self.markets))
            raise UsageError(
                f"A market is one of {known} – {name!r} was given – choose one or add a "
                f"[markets.{name}] section to openrange.toml.",
                code="E_MARKET",
                details={"known": sorted(self.markets)},
            )
        return self.markets[name]

    def fingerprint(self) -> str:
        """SHA-256 over everything that changes a number (the home's place does not)."""
        kept = self.model_dump(mode="json", exclude=_NO_NUMBER)
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()


class _TomlFile(TomlConfigSettingsSource):
    """One TOML file; a broken one is an error with its line, not a silence."""

    def _read_file(self, file_path: Path | Traversable) -> dict[str, Any]:
        try:
            return tomllib.loads(file_path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"{file_path.name} is TOML – it cannot be read: {error} – mend that line, "
                "nothing was changed.",
                code="E_CONFIG_TOML",
            ) from error


def _root(home: Path | str | None) -> Path:
    project = Path(__file__).resolve().parent.parent
    return Path(home or os.environ.get("OPENRANGE_HOME") or project).expanduser().resolve()


def load_settings(home: Path | str | None = None) -> Settings:
    """Settings of a home: defaults, its `openrange.toml`, then `OPENRANGE_*` variables.

    Parameters
    ----------
    home
        Folder with `data/` and `registry/`; default `OPENRANGE_HOME`, then the project folder.

    Raises
    ------
    ConfigError
        A value that does not fit; the message names the field.
    """
    root = _root(home)
    files = (root / "openrange.toml", Path(__file__).with_name("markets.toml"))

    class _Here(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (init_settings, env_settings, *(_TomlFile(settings_cls, f) for f in files))

    try:
        settings = _Here(home=root)  # type: ignore[call-arg]  # the rest comes from files
    except (ValidationError, SettingsError) as error:
        raise ConfigError(
            f"The configuration holds together – it does not: {error} – mend openrange.toml or "
            "the OPENRANGE_ variable named above.",
            code="E_CONFIG_VALUE",
        ) from error
    for symbol, market in settings.symbols.items():
        check_symbol(symbol)
        settings.market(market)
    for patterns in settings.universes.values():
        for market in (p.partition(":")[0] for p in patterns if ":" in p):
            settings.market(market)
    return settings
