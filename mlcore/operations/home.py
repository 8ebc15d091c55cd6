"""The parts of one home, each opened when first used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from mlcore.clock import Clock, system_clock
from mlcore.config import Settings
from mlcore.jobs import Jobs
from mlcore.market.bars import BarStore
from mlcore.store import HubDB, Lake

if TYPE_CHECKING:
    from mlcore.ledger import Ledger
    from mlcore.live.engine import Engine
    from mlcore.live.shadow import ShadowLog
    from mlcore.registry import Registry

__all__ = ["Home"]


class Home:
    """Bars, log, registry, ledger, jobs and engine of one folder.

    Parameters
    ----------
    settings
        The home's configuration.
    clock
        What time it is; everything below asks this clock.
    """

    def __init__(self, settings: Settings, clock: Clock = system_clock) -> None:
        self.settings = settings
        self.clock = clock

    def now(self) -> int:
        """The present instant, int64 ns."""
        return int(self.clock().value)

    @cached_property
    def db(self) -> HubDB:
        """`data/hub.sqlite`."""
        return HubDB(self.settings.data / "hub.sqlite")

    @cached_property
    def lake(self) -> Lake:
        """The DuckLake."""
        return Lake(self.settings.data)

    @cached_property
    def store(self) -> BarStore:
        """Bars of the lake."""
        return BarStore(self.lake, self.db, self.settings)

    @cached_property
    def jobs(self) -> Jobs:
        """Jobs and their progress."""
        return Jobs(self.db, self.clock)

    @cached_property
    def registry(self) -> Registry:
        """Model versions."""
        from mlcore.registry import Registry

        return Registry(self.settings.registry, self.db, self.clock)

    @cached_property
    def ledger(self) -> Ledger:
        """Every fit."""
        from mlcore.ledger import Ledger

        return Ledger(self.db, self.clock)

    @cached_property
    def engine(self) -> Engine:
        """The maker of drafts."""
        from mlcore.live.engine import Engine

        return Engine(self.store, self.registry, self.settings, self.clock)

    @cached_property
    def log(self) -> ShadowLog:
        """The shadow log."""
        from mlcore.live.shadow import ShadowLog

        return ShadowLog(
            self.db,
            self.clock,
            next_bar_start=self.engine.next_bar_start,
            newest_readable=self.engine.newest_readable,
        )
