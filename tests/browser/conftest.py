"""A real hub in a real browser: Streamlit on a free port, Chromium driven by playwright.

The hub runs on a home prepared by the test; the browser may reach nothing but that hub, and what
it asks for or complains about is kept for the tests to read.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest

from tests.pages.conftest import OPEN, fill

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("OPENRANGE_CHROMIUM") or "/usr/bin/chromium"
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
SIZES = {"desktop": (1440, 900), "phone": (390, 844)}
QUIET_404 = ("_stcore/health", "_stcore/host-config")
"""Deep links ask for these below the page's own address first; Streamlit knows and goes on."""


def pytest_collection_modifyitems(items):
    """Every test in this folder drives a browser."""
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.fspath).parents:
            item.add_marker(pytest.mark.browser)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_up(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=2) as answer:  # noqa: S310
            return answer.status == 200
    except (urllib.error.URLError, OSError):
        return False


@contextmanager
def serving(home: Path, at: pd.Timestamp | None = None) -> Iterator[str]:
    """The hub on a home, as a child process that ends with the block; its address.

    With `at` its clock stands at that instant, so that a test sees the same at any hour.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    start = ["streamlit"] if at is None else ["tests.browser.at_instant", at.isoformat()]
    command = [
        sys.executable, "-m", *start, "run", "server.py", "--server.port", str(port),
        "--server.headless", "true",
    ]  # fmt: skip
    environ = {**os.environ, "OPENRANGE_HOME": str(home), "OPENRANGE_WATCH": "false"}
    said = home / "streamlit.log"
    with said.open("w") as out:
        child = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=out, stderr=out)
    try:
        until = time.monotonic() + 90
        while not _is_up(address):
            assert child.poll() is None, said.read_text()[-2000:]
            assert time.monotonic() < until, "the hub did not start within 90 s"
            time.sleep(0.3)
        yield address
    finally:
        child.terminate()
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()


@dataclass
class Seen:
    """What a browser page asked for and complained about."""

    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def foreign(self, address: str) -> list[str]:
        """Requests to any other host."""
        own = (address, address.replace("http", "ws"), "data:", "blob:")
        return [url for url in self.requests if not url.startswith(own)]


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium for the whole session."""
    if not Path(CHROMIUM).is_file() and shutil.which(CHROMIUM) is None:
        pytest.skip(f"no Chromium at {CHROMIUM}: install it, or set OPENRANGE_CHROMIUM")
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def market_home(tmp_path_factory):
    """A home with six weeks of simulated bars up to OPEN."""
    home = tmp_path_factory.mktemp("browser") / "home"
    home.mkdir()
    fill(home, days=42, end=OPEN)
    return home


@pytest.fixture(scope="session")
def hub_address(chromium, market_home):
    """The hub on that home at that instant, for all tests that only look."""
    with serving(market_home, OPEN) as address:
        yield address


@pytest.fixture(scope="session")
def empty_address(chromium, tmp_path_factory):
    """The hub on a home without anything."""
    with serving(tmp_path_factory.mktemp("empty")) as address:
        yield address


@pytest.fixture
def open_page(chromium):
    """Open an address in one of the two sizes; returns the page and what it has seen."""
    contexts = []

    def go(address: str, size: str = "desktop"):
        width, height = SIZES[size]
        context = chromium.new_context(
            viewport={"width": width, "height": height}, has_touch=size == "phone"
        )
        contexts.append(context)
        page, seen = context.new_page(), Seen()
        page.set_default_timeout(60_000)
        page.on("request", lambda request: seen.requests.append(request.url))
        page.on("pageerror", lambda error: seen.complaints.append(str(error)))
        page.on("response", lambda answer: _note(seen, answer))
        page.goto(address)
        settle(page)
        return page, seen

    yield go
    for context in contexts:
        context.close()


def _note(seen: Seen, answer) -> None:
    if answer.status >= 400 and not answer.url.endswith(QUIET_404):
        seen.complaints.append(f"{answer.status} {answer.url}")


def settle(page) -> None:
    """Wait until the page's head is there and no script runs any more."""
    page.locator(".or-head").first.wait_for()
    for _ in range(2):
        page.wait_for_timeout(400)
        page.wait_for_function(
            "() => document.querySelector('.stApp')?.dataset.testScriptState !== 'running'"
        )


def sideways(page) -> int:
    """By how many pixels the page is wider than its window."""
    return int(
        page.evaluate(
            "() => { const m = document.querySelector('[data-testid=stMain]');"
            " return Math.max(m.scrollWidth - m.clientWidth,"
            " document.documentElement.scrollWidth - window.innerWidth); }"
        )
    )
