"""Many at once, for minutes: sessions on one hub, commands beside it, one home."""

import concurrent.futures
import subprocess
import sys
import time

import pytest

from tests.browser.conftest import chromium, serving
from tests.homes import DIRECTION, SYMBOL, home_at

pytestmark = pytest.mark.soak
MINUTES = 10
__all__ = ["chromium"]


def ask(place, *words):
    done = subprocess.run(
        [sys.executable, "-m", "mlcore", "--home", str(place), *words, "--json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def test_commands_on_one_home_meet_no_lock_and_lose_nothing(trained):
    words = [("predict", SYMBOL, "5m"), ("shadow", "tick"), ("shadow", "settle"), ("models",),
             ("shadow", "replay", "--days", "20", "--slot", str(DIRECTION)),
             ("verify",)]  # fmt: skip
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        told = list(pool.map(lambda i: ask(trained, *words[i % len(words)]), range(48)))
    assert [said for code, said in told if code != 0] == []
    home = home_at(trained)
    assert home.log.verify() == []
    keys = ["slot", "version", "fold", "item", "side", "decision_at", "mode"]
    assert not home.log.frame().duplicated(keys).any()


def click_on(page, turn):
    """Go where the turn says, as a visitor would: by the navigation."""
    name = ("Market", "Training", "Models", "Monitoring", "Data", "Today")[turn % 6]
    page.get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_selector(f".or-head h1:has-text('{name}')")


def test_twenty_sessions_click_for_ten_minutes(trained, chromium):
    trouble, rounds = [], 0
    with serving(trained) as address:
        pages = [chromium.new_context().new_page() for _ in range(20)]
        for page in pages:
            page.on("pageerror", lambda error: trouble.append(str(error)))
            page.goto(address)
            page.wait_for_selector(".or-head h1")
        until = time.monotonic() + MINUTES * 60
        while time.monotonic() < until:
            for number, page in enumerate(pages):
                click_on(page, rounds + number)
                assert page.locator("[data-testid=stException], .or.er").count() == 0
            rounds += 1
    assert trouble == []
    assert rounds >= 1
