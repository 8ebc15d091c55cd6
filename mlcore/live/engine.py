"""The engine: the newest bars in, drafts out. It records nothing and shows nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mlcore.clock import Clock
from mlcore.config import Market, Settings
from mlcore.errors import TooFewBars
from mlcore.live.draft import Draft, Outcome, Prediction, Recommendation
from mlcore.live.drafting import Answerer, Source, draft_rows, recommendation_id, rule_drafts
from mlcore.live.hot import HotWindow, HotWindows
from mlcore.live.outcomes import outcomes_of
from mlcore.live.versions import Loaded, LoadedVersions
from mlcore.market.bars import BarStore
from mlcore.market.sessions import is_open, next_open
from mlcore.registry import Registry
from mlcore.samples.dataset import Rows, rows_at, window_bars
from mlcore.schema import Bars, Slot, timeframe_width

__all__ = ["Engine", "Shared"]

CACHED = 4096
PARTS = ("orb_direction", "orb_quality", "orb_r", "signal")


@dataclass
class Shared:
    """What the answers of one call have in common, each looked up or made once.

    `champions` are those of the whole registry, `memos` what rows of one window share.
    """

    champions: dict[str, str] | None = None
    markets: dict[str, Market] = field(default_factory=dict)
    memos: dict[int, tuple[Bars, dict[Any, Any]]] = field(default_factory=dict)

    def memo(self, bars: Bars) -> dict[Any, Any]:
        """The memo of a window; the window is kept, so that its id stays its own."""
        return self.memos.setdefault(id(bars), (bars, {}))[1]


class Engine:
    """Answers slots from hot windows; every answer is cached until a new bar arrives.

    Parameters
    ----------
    store, registry
        Bars and versions.
    settings
        Markets, costs and opening-range parameters.
    clock
        What time it is when no instant is given.
    """

    def __init__(
        self, store: BarStore, registry: Registry, settings: Settings, clock: Clock
    ) -> None:
        self._store = store
        self._registry = registry
        self._settings = settings
        self._clock = clock
        self.windows = HotWindows(store)
        self.versions = LoadedVersions(store, registry, settings)
        self._drafts: OrderedDict[tuple[Any, ...], list[Draft]] = OrderedDict()
        self.hits = 0
        self.misses = 0

    # --- what the log asks ---------------------------------------------------------------
    def newest_readable(self, symbol: str, timeframe: str) -> int | None:
        """`available_at` of the newest bar that can be read, int64 ns."""
        newest = self.windows.get(symbol, timeframe, 1).bars
        return int(newest.available_at[-1]) if len(newest) else None

    def next_bar_start(self, symbol: str, timeframe: str, instant: int) -> int | None:
        """When the next bar starts if the market is shut at `instant`; None while it is open."""
        market = self._store.market_of(symbol)
        if timeframe != "1d" and bool(is_open(market, [instant])[0]):
            return None
        return int(next_open(market, instant))

    # --- rows ----------------------------------------------------------------------------
    def _market(self, symbol: str, shared: Shared) -> Market:
        if symbol not in shared.markets:
            shared.markets[symbol] = self._store.market_of(symbol)
        return shared.markets[symbol]

    def _window(self, who: Answerer, at: int, market: Market) -> HotWindow:
        """The newest bars, or where these begin too late for `at`, those before it."""
        slot = who.slot
        need = window_bars(who.label, who.features, market, slot.timeframe)
        return self.windows.at(slot.symbol, slot.timeframe, need, at)

    def forget(self) -> None:
        """Drop cached answers; windows and versions stay warm."""
        self._drafts.clear()

    # --- answers -------------------------------------------------------------------------
    def champion(self, slot: Slot) -> str | None:
        """The slot's champion, if any."""
        return self._registry.champion(slot)

    def drafts(
        self, slot: Slot, at: int, *, version: str | None, role: str = "champion",
        listed: int = 4, shared: Shared | None = None,
    ) -> list[Draft]:  # fmt: skip
        """Every decision that is open at `at`, and the latest one, answered by a version.

        Parameters
        ----------
        listed
            How many inputs a reason lists.
        shared
            What other calls at the same `at` have looked up already.
        """
        shared = Shared() if shared is None else shared
        loaded = self.versions.get(slot, version, role)
        market = self._market(slot.symbol, shared)
        window = self._window(loaded.who, at, market)
        key = (slot, loaded.who.version, role, listed, window.mark)
        held = self._drafts.get(key)
        newest = int(window.bars.available_at[-1]) if len(window.bars) else at
        is_newest = window.is_newest and at >= newest
        if held is not None and is_newest:
            self.hits += 1
            return held
        self.misses += 1
        rows = rows_at(
            window.bars, market, loaded.who.label, features=loaded.who.features, at=at,
            settings_orb=self._settings.orb, memo=shared.memo(window.bars),
        )  # fmt: skip
        drafts = self._answer(loaded, rows, window, listed)
        if is_newest:
            self._drafts[key] = drafts
            while len(self._drafts) > CACHED:
                self._drafts.popitem(last=False)
        return drafts

    @staticmethod
    def _answer(loaded: Loaded, rows: Rows, window: HotWindow, listed: int) -> list[Draft]:
        first = int(window.bars.time[0]) if len(window.bars) else None
        source = Source(window.snapshot, first)
        if loaded.package is None:
            return rule_drafts(rows, loaded.who, loaded.why, source)
        return draft_rows(rows, loaded.package.shipped, loaded.who, source, listed=listed)

    def open_drafts(
        self, slot: Slot, now: int, *, version: str | None = None, role: str = "champion"
    ) -> list[Draft]:
        """Answers to the decisions taken by `now` whose time is not due yet."""
        made = self.drafts(slot, now, version=version, role=role)
        return [d for d in made if d.decision_at <= now < d.due_at]

    def answer(
        self, slot: Slot, at: int | None = None, *, listed: int = 4, shared: Shared | None = None
    ) -> list[Draft]:
        """The slot's answers (one, or one a side) to the latest decision at or before `at`.

        A decision that is already due is answered by a fold model that could not have known it.
        """
        now = int(self._clock().value)
        when = now if at is None else at
        known = None if shared is None else shared.champions
        version = self.champion(slot) if known is None else known.get(str(slot))
        made = self.drafts(slot, when, version=version, listed=listed, shared=shared)
        past = [d for d in made if d.decision_at <= when]
        if not past:
            return []
        last = max(d.decision_at for d in past)
        latest = [d for d in past if d.decision_at == last]
        items = {d.item for d in latest}
        if latest[0].due_at > now or latest[0].role == "baseline":
            return [d for d in latest if d.item == max(items)]
        replayed, _ = self.replay_drafts(slot, latest[0].version, last - 1, last + 1)
        return [d for d in replayed if d.item == max(items)]

    def recommend(self, symbol: str, timeframe: str, at: int | None = None) -> Recommendation:
        """Every champion's answer to the latest decision of a symbol, under one id."""
        slots = [Slot(part, symbol, timeframe) for part in PARTS]
        return self._recommend(symbol, timeframe, at, Shared(self._registry.champions(slots)))

    def batch(
        self, requests: Sequence[tuple[str, str]], at: int | None = None
    ) -> list[Recommendation]:
        """Recommendations for many (symbol, timeframe) pairs, in their order."""
        shared = Shared(self._registry.champions())
        when = int(self._clock().value) if at is None else at
        return [self._recommend(s, t, when, shared) for s, t in requests]

    def _recommend(
        self, symbol: str, timeframe: str, at: int | None, shared: Shared
    ) -> Recommendation:
        served = [Slot(part, symbol, timeframe) for part in PARTS]
        slots = [s for s in served if str(s) in (shared.champions or {})]
        if not slots:
            slots = [Slot("signal" if timeframe == "1d" else "orb_direction", symbol, timeframe)]
        calls = [draft for slot in slots for draft in self.answer(slot, at, shared=shared)]
        if not calls:
            return self.silent(symbol, timeframe)
        last = max(c.decision_at for c in calls)
        return self.recommendation([c for c in calls if c.decision_at == last])

    @staticmethod
    def silent(symbol: str, timeframe: str) -> Recommendation:
        """What is said where no decision has been taken yet."""
        return Recommendation(
            id="", symbol=symbol, timeframe=timeframe, item=None, decision_at=None, due_at=None,
            state="no_call", why="no decision has been taken in these bars yet",
        )  # fmt: skip

    @staticmethod
    def recommendation(calls: Sequence[Draft]) -> Recommendation:
        """The calls of one decision as one recommendation; the unsided call leads."""
        head = next((c for c in calls if c.side == 0), calls[0])
        silent = all(c.abstained for c in calls)
        state = "no_call" if silent else ("untrained" if head.role == "baseline" else "call")
        return Recommendation(
            id=recommendation_id(head.symbol, head.timeframe, head.item, head.decision_at),
            symbol=head.symbol, timeframe=head.timeframe, item=head.item,
            decision_at=head.decision_at, due_at=head.due_at, calls=tuple(calls),
            direction=None if head.abstained else head.answer,
            confidence=None if head.abstained else head.confidence,
            level=None if head.abstained else head.level,
            reasoning=tuple(str(r["text"]) for r in head.reasons), state=state,
            why=head.abstained_why,
        )  # fmt: skip

    # --- the past ------------------------------------------------------------------------
    def replay_drafts(
        self, slot: Slot, version: str, since: int, until: int
    ) -> tuple[list[Draft], int]:
        """Past decisions in `(since, until)` by fold models; and how many had no model yet.

        Raises
        ------
        TooFewBars
            The version could not be loaded, or kept no fold models.
        """
        loaded = self.versions.get(slot, version)
        if loaded.package is None or not loaded.package.folds:
            raise TooFewBars(
                f"A replay needs fold models – {version} of {slot} gives none "
                f"({loaded.why or 'it was trained without a walk-forward'}) – train again.",
                code="E_REPLAY_NO_FOLDS",
            )
        package, who = loaded.package, loaded.who
        need = window_bars(
            who.label, who.features, self._store.market_of(slot.symbol), slot.timeframe
        )
        first = since - 3 * need * timeframe_width(slot.timeframe)
        bars = self._store.read(slot.symbol, slot.timeframe, start=first, end=until)
        rows = rows_at(
            bars, self._store.market_of(slot.symbol), who.label, features=who.features,
            settings_orb=self._settings.orb,
        )  # fmt: skip
        decision = rows.columns["decision_at"]
        asked = (decision > since) & (decision < until)
        fold = package.fold_for(decision)
        mark = self._store.last(slot.symbol, slot.timeframe)
        drafts: list[Draft] = []
        for number in np.unique(fold[asked & (fold >= 0)]).tolist():
            where = np.flatnonzero(asked & (fold == number))
            source = Source(mark[2], replay=True, fold=number)
            drafts += draft_rows(rows.take(where), package.folds[number], who, source)
        return drafts, int((asked & (fold < 0)).sum())

    # --- outcomes ------------------------------------------------------------------------
    def outcomes(self, predictions: Sequence[Prediction]) -> list[Outcome]:
        """What came of predictions whose time is due and whose bars are there."""
        groups: dict[str, list[Prediction]] = {}
        for prediction in predictions:
            groups.setdefault(prediction.slot, []).append(prediction)
        return [
            outcome
            for slot, group in groups.items()
            for outcome in outcomes_of(self._store, Slot.parse(slot), group, self._settings)
        ]
