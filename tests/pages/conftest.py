"""Pages without a browser: a home with simulated bars, and a page run by Streamlit's own tester."""

from pathlib import Path

import pandas as pd
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from mlcore.clock import fixed_clock, system_clock
from mlcore.config import load_settings
from mlcore.hub import Hub
from mlcore.market.demo import DEMO, simulate
from pages import _ui
from tests.homes import NOW

ROOT = Path(__file__).resolve().parents[2]
OPEN = pd.Timestamp("2026-11-18 14:10:20", tz="UTC")
"""A Wednesday at which both simulated markets trade and calls of both are open."""
SCRIPT = """
import runpy
from pages import _ui

_ui.dress()
with _ui.boundary():
    runpy.run_path({path!r})
"""


@pytest.fixture(autouse=True)
def _forget():
    st.cache_data.clear()


def fill(home: Path, *, days: int = 45, end: pd.Timestamp | None = None) -> None:
    """Bars of both simulated markets over the last days, ending at a whole five minutes."""
    stop = (system_clock() if end is None else end).floor("5min")
    start = stop - pd.Timedelta(days=days)
    hub = Hub.open(home)
    for name, spec in DEMO.items():
        bars = simulate(name, seed=7, start=start.value, end=stop.value)
        hub.home.store.append(
            bars, source="simulated", sha256="", imported_at=int(stop.value),
            options={"market": spec.market},
        )  # fmt: skip


@pytest.fixture(scope="session")
def bars_home(tmp_path_factory):
    """Bars of both simulated markets up to OPEN; `run_page` shows it at that instant."""
    home = tmp_path_factory.mktemp("bars")
    fill(home, end=OPEN)
    return home


@pytest.fixture
def at_clock(monkeypatch):
    """Pages see a home through a hub whose clock stands still."""

    def use(home: Path, now: pd.Timestamp = NOW) -> Hub:
        monkeypatch.setenv("OPENRANGE_WATCH", "false")
        hub = Hub(load_settings(home), fixed_clock(now))
        monkeypatch.setattr(_ui, "hub", lambda: hub)
        return hub

    return use


@pytest.fixture
def run_page(monkeypatch, bars_home, at_clock):
    """Run a page on a home; what it shows is `text_of`."""

    def run(name: str, home: Path, **query: str) -> AppTest:
        monkeypatch.setenv("OPENRANGE_HOME", str(home))
        monkeypatch.setenv("OPENRANGE_WATCH", "false")
        if home == bars_home:
            at_clock(home, OPEN)
        path = str(ROOT / "pages" / f"{name}.py")
        at = AppTest.from_string(SCRIPT.format(path=path), default_timeout=120)
        for key, value in query.items():
            at.query_params[key] = value
        return at.run()

    return run


def text_of(at: AppTest) -> str:
    """The HTML that a page put out, in order, without the style sheet."""
    assert not at.exception, at.exception
    bodies = [element.proto.body for element in at.get("html")]
    return "\n".join(body for body in bodies if not body.startswith("<style"))
