"""The whole loop, clicked: import, train, watch folds, promote, predict, settle, retrain."""

import re

import pandas as pd
import pytest

from mlcore.clock import fixed_clock
from mlcore.hub import Hub
from mlcore.market.demo import simulate
from tests.browser.conftest import SIZES, serving, settle, sideways

SLOT = "orb_direction-LOOP-5m"
DAYS = 150
LONG = 180_000  # of a training run on a busy machine, in ms


def write_bars(path, start, end):
    """Simulated bars as a vendor's CSV, stamps in UTC with their offset."""
    bars = simulate("SIM-EDGE", seed=7, start=start.value, end=end.value)
    table = pd.DataFrame(
        {
            "time": pd.DatetimeIndex(bars.time, tz="UTC").strftime("%Y-%m-%dT%H:%M:%S+00:00"),
            **{name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")},
        }
    )
    table.to_csv(path, index=False)
    return len(table)


def import_file(page, address, file, rows):
    """Bring a file in through the Data page; it is simulated, so its market is said."""
    page.goto(f"{address}/data")
    settle(page)
    page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(file)
    button = page.get_by_role("button", name=f"Import {rows:,} bars")
    button.wait_for()
    symbol = page.get_by_label("Symbol", exact=True)
    symbol.fill("LOOP")
    symbol.press("Enter")
    settle(page)
    page.locator(".st-key-asked [data-testid=stSelectbox]").first.locator("input").click()
    page.get_by_role("option", name="Simulated, around the clock").click()
    settle(page)
    button.click()
    page.get_by_text(re.compile(rf"LOOP 5m: {rows:,} bars imported")).wait_for()


def start_training(page, address):
    """Choose windows that fit a short history and a fast model, and start."""
    page.goto(f"{address}/training?symbol=LOOP&timeframe=5m")
    settle(page)
    page.locator(".st-key-model").get_by_text("Logistic").click()
    settle(page)
    page.locator(".st-key-windows input").click()
    page.get_by_role("option", name="60 / 10 / 5 days").click()
    page.get_by_text("This run could show a difference of").wait_for()
    settle(page)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"job="))


def watch_folds(page):
    """Folds arrive one by one, and no verdict before the last."""
    page.locator(".or-progress").wait_for()
    page.wait_for_function(
        "() => +document.querySelector('.or-progress')?.getAttribute('aria-valuenow') >= 1"
        " || document.querySelector('.or-verdict')",
        timeout=LONG,
    )
    seen = page.locator(".or-progress[aria-valuenow]").count()
    page.locator(".or-verdict").wait_for(timeout=LONG)
    return seen


def settled_toast(page):
    page.get_by_role("button", name="Settle now").click()
    page.get_by_text("Outcomes were attached").wait_for()
    settle(page)


@pytest.fixture(scope="module")
def looped(tmp_path_factory):
    """A home for the loop, two files that follow each other, and when the second one starts."""
    place = tmp_path_factory.mktemp("loop")
    (place / "home").mkdir()
    now = pd.Timestamp.now(tz="UTC").floor("5min")
    cut = now.floor("D") - pd.Timedelta(days=2)
    files = [place / "first.csv", place / "second.csv"]
    rows = [
        write_bars(files[0], cut - pd.Timedelta(days=DAYS), cut),
        write_bars(files[1], cut, now),
    ]
    return place / "home", files, rows, cut


@pytest.mark.timeout(900)
def test_the_whole_loop(chromium, open_page, looped):
    home, files, rows, cut = looped
    with serving(home) as address:
        page, seen = open_page(f"{address}/training")  # a deep link into a fresh server
        assert page.get_by_text("No bars yet").is_visible()

        import_file(page, address, files[0], rows[0])
        start_training(page, address)
        running = page.url
        page.goto(running)  # a reload finds the run
        settle(page)
        assert watch_folds(page) == 1
        hub = Hub.open(home)
        version = hub.models(SLOT)["version"].iloc[0]
        words = hub.card(SLOT, version)["verdict"]["words"]
        assert page.locator(".or-verdict h2").inner_text().endswith(words)

        page.get_by_role("button", name="Promote…").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_text("so far its calls come from the rule").wait_for()
        dialog.get_by_role("button", name="Promote").click()
        dialog.get_by_text("is recorded with a reason").wait_for()
        dialog.get_by_label("Reason").fill("first of its slot")
        dialog.get_by_label("Reason").press("Tab")
        dialog.get_by_role("button", name="Promote").click()
        page.get_by_text(f"is the champion of {SLOT}").wait_for()
        assert Hub.open(home).home.registry.champion(hub.home.registry.versions()["slot"][0])
        page.get_by_text("replayed calls were added").wait_for(timeout=LONG)
        settle(page)

        page.get_by_role("button", name="Open card").click()
        page.get_by_text("Provenance").wait_for()
        settle(page)
        assert page.locator(".or-verdict h2").inner_text().endswith(words)
        assert page.get_by_text("first of its slot").is_visible()

        page.goto(f"{address}/monitoring?slot={SLOT}&mode=replay")
        settle(page)
        report = Hub.open(home).report(SLOT, "replay")
        assert report["n"] >= 30
        assert page.locator(".or-verdict h2").inner_text().endswith(report["verdict"]["words"])

        import_file(page, address, files[1], rows[1])
        then = cut + pd.Timedelta(hours=32, minutes=16, seconds=10)  # 08:16, range known at 08:15
        assert Hub.open(home, fixed_clock(then)).tick()["recorded"] >= 1
        page.goto(address)
        settle(page)
        assert page.get_by_text("LOOP").first.is_visible()
        assert page.get_by_text("SIMULATED").first.is_visible()

        logged = Hub.open(home).log(slot=SLOT)
        mode = logged[logged["mode"] != "replay"]["mode"].iloc[0]
        page.goto(f"{address}/monitoring?slot={SLOT}&mode={mode}")
        settle(page)
        settled_toast(page)
        settled = Hub.open(home).log(slot=SLOT, mode=mode)
        assert settled["settled"].any()
        assert page.get_by_text(re.compile(r"of 30 outcomes")).first.is_visible()

        page.goto(f"{address}/training")
        settle(page)
        page.get_by_role("button", name=re.compile(rf"{SLOT} · champion is")).click()
        page.wait_for_url(re.compile(r"job="))
        watch_folds(page)
        page.get_by_text("Against the present champion").wait_for()
        versions = Hub.open(home).models(SLOT)
        assert sorted(versions["role"]) == ["challenger", "champion"]
        assert versions.set_index("version").loc[version, "role"] == "champion"
        assert seen.foreign(address) == []
        assert seen.complaints == []

        for name in ("training", "models", "monitoring"):
            for size in SIZES:
                shown, told = open_page(f"{address}/{name}", size)
                assert shown.locator(".or-error, [data-testid=stException]").count() == 0
                assert sideways(shown) <= 0
                assert shown.get_by_text("SIMULATED").first.is_visible()
                assert told.foreign(address) == []
                assert told.complaints == []
