"""The head start of the server: it reads ahead, and never stands in the way."""

import asyncio
import gc
import threading
from pathlib import Path

from streamlit.web.server.app_discovery import discover_asgi_app

from mlcore.clock import fixed_clock
from mlcore.hub import Hub
from pages import _ui, _warm
from tests.homes import NOW, SYMBOL

ROOT = Path(__file__).resolve().parents[2]


def test_the_server_is_an_app_with_a_head_start():
    found = discover_asgi_app(ROOT / "server.py")
    assert found.is_asgi_app
    assert "lifespan=_warm.lifespan" in (ROOT / "server.py").read_text()


def test_the_newest_market_is_in_memory_after_it(trained, monkeypatch):
    hub = Hub.open(trained, fixed_clock(NOW))
    monkeypatch.setattr(_ui, "hub", lambda: hub)
    asked = []
    fetch = hub.home.store._fetch
    monkeypatch.setattr(hub.home.store, "_fetch", lambda *a: asked.append(a) or fetch(*a))
    _warm.warm()
    assert asked
    before = len(asked)
    hub.freshness(SYMBOL, "5m")
    hub.bars(SYMBOL, "5m", last=200)
    assert len(asked) == before


def test_what_fails_in_it_is_left_to_the_page(monkeypatch):
    def broken():
        raise OSError("no such home")

    monkeypatch.setattr(_ui, "hub", broken)
    _warm.warm()
    _warm._read_evidence()


def test_it_starts_with_the_server_and_leaves_nothing_behind(monkeypatch):
    ran = threading.Event()
    monkeypatch.setattr(_warm, "warm", ran.set)

    async def served():
        async with _warm.lifespan(None) as state:
            assert state == {}
            assert await asyncio.to_thread(ran.wait, 5)

    asyncio.run(served())


def test_the_collector_passes_over_what_was_read(monkeypatch):
    monkeypatch.setattr(_ui, "hub", lambda: (_ for _ in ()).throw(OSError("no such home")))
    gc.unfreeze()
    try:
        _warm.warm()
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
