"""Today, Market and Data in a browser: both sizes, keyboard, URL, zoom, no outside host."""

import re
import time

import pandas as pd
import psutil
import pytest

from tests.browser.conftest import SIZES, serving, settle, sideways
from tests.pages.conftest import OPEN, fill

PAGES = ("", "market", "data")


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES, ids=lambda name: name or "today")
def test_a_page_draws_without_error_scroll_or_outside_host(hub_address, open_page, name, size):
    page, seen = open_page(f"{hub_address}/{name}", size)
    if name != "data":
        page.locator(".js-plotly-plot .main-svg").first.wait_for(state="attached")
        settle(page)
    assert page.locator(".or-error, [data-testid=stException]").count() == 0
    assert sideways(page) <= 0
    assert seen.foreign(hub_address) == []
    assert seen.complaints == []
    assert page.get_by_text("SIMULATED").first.is_visible()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PAGES, ids=lambda name: name or "today")
def test_an_empty_home_offers_a_way_on(empty_address, open_page, name, size):
    page, seen = open_page(f"{empty_address}/{name}", size)
    page.get_by_text("No bars yet").wait_for()
    page.get_by_role("button", name="Make demo data").wait_for()
    assert sideways(page) <= 0
    assert seen.complaints == []


def test_a_row_opens_by_mouse_and_by_keyboard(hub_address, open_page):
    page, _ = open_page(hub_address)
    rows = page.locator("[class*=st-key-open_] button")
    assert rows.count() == 3  # one open call of SIM-EDGE, two of SIM-WALK
    head = page.locator(".st-key-pn_detail h2")
    rows.nth(1).focus()
    ring = "e => getComputedStyle(e.closest('[class*=st-key-row_]')).outlineStyle"
    assert rows.nth(1).evaluate(ring) == "solid"
    name = rows.nth(1).inner_text().split()[1]
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"call="))
    settle(page)
    assert head.inner_text() == name
    start = time.monotonic()
    rows.nth(0).click(force=True)
    page.wait_for_function(
        "() => document.querySelector('.st-key-calls > div:first-child [class*=st-key-rowon_],"
        " .st-key-calls > [class*=st-key-rowon_]:first-child') !== null"
    )
    assert time.monotonic() - start < 5  # 0.3 s on an idle machine


def test_the_url_restores_a_call(hub_address, open_page):
    page, _ = open_page(hub_address)
    page.locator("[class*=st-key-open_] button").nth(1).click(force=True)
    page.wait_for_url(re.compile(r"call="))
    settle(page)
    detail = page.locator(".st-key-pn_detail").inner_text()
    again, _ = open_page(page.url)
    again.locator(".st-key-pn_detail dl").wait_for()
    assert again.locator(".st-key-pn_detail h2").inner_text() in detail


def test_on_a_phone_a_card_opens_a_dialog(hub_address, open_page):
    page, _ = open_page(hub_address, "phone")
    assert not page.locator(".st-key-pn_detail").is_visible()
    page.locator("[class*=st-key-opens_] button").first.click(force=True)
    dialog = page.get_by_role("dialog")
    dialog.wait_for()
    dialog.get_by_text("Would change it").wait_for()
    assert sideways(page) <= 0


TARGETS = """() => [...document.querySelectorAll(
    'main button, [data-testid=stMain] button, [data-testid=stMain] [role=group], '
    + '[data-testid=stMain] summary, [data-testid=stCheckbox] label')]
  .filter(e => e.checkVisibility() && !e.parentElement.closest('button, [role=group]'))
  .map(e => [e.innerText || e.getAttribute('aria-label'), e.getBoundingClientRect().height])
  .filter(([name, height]) => height > 1 && height < 43.9)"""


@pytest.mark.parametrize("name", ["market", "training", "models", "monitoring"])
def test_fingers_find_every_target_on_a_phone(hub_address, open_page, name):
    page, _ = open_page(f"{hub_address}/{name}", "phone")
    page.locator(
        "[data-testid=stSelectbox], [data-testid=stMultiSelect], .or-empty"
    ).first.wait_for()
    settle(page)
    assert page.evaluate(TARGETS) == []


RANGE = "() => document.querySelector('.js-plotly-plot')._fullLayout.xaxis.range.map(Number)"


def test_zoom_survives_a_newer_bar_until_it_is_asked_for(chromium, open_page, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    fill(home, days=6, end=OPEN - pd.Timedelta(minutes=30))
    with serving(home, OPEN) as address:
        page, _ = open_page(f"{address}/market?span=1d")
        chart = page.locator(".js-plotly-plot .nsewdrag").first
        chart.wait_for(state="attached")
        settle(page)
        box = chart.bounding_box()
        before = page.evaluate(RANGE)
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3)
        page.mouse.wheel(0, -600)
        page.wait_for_timeout(800)
        zoomed = page.evaluate(RANGE)
        assert zoomed[1] - zoomed[0] < before[1] - before[0]
        fill(home, days=6, end=OPEN - pd.Timedelta(minutes=10))
        offer = page.get_by_role("button", name=re.compile("is in: show"))
        offer.wait_for(timeout=60_000)
        assert page.evaluate(RANGE) == zoomed
        offer.click()
        offer.wait_for(state="detached")
        settle(page)
        assert page.evaluate("() => document.querySelector('.js-plotly-plot').data[0].x !== null")


def test_the_url_restores_a_market_view(hub_address, open_page):
    page, _ = open_page(f"{hub_address}/market?symbol=SIM-WALK&span=3d&mode=CLOSE")
    page.locator(".js-plotly-plot .main-svg").first.wait_for(state="attached")
    settle(page)
    assert page.locator(".or-quote b").first.inner_text() == "SIM-WALK 5m"
    assert page.get_by_text("15 min · CLOSE").is_visible()
    assert "span=3d" in page.url


def test_a_file_is_imported(chromium, open_page, tmp_path):
    home, file = tmp_path / "home", tmp_path / "eurusd_15m.csv"
    home.mkdir()
    rows = [
        f"{at:%Y-%m-%d %H:%M},1.0{i % 7},1.1,0.9,1.0{i % 5},{i + 1}"
        for i, at in enumerate(pd.date_range("2026-03-02", periods=300, freq="15min"))
    ]
    file.write_text("\n".join(["Date,Open,High,Low,Close,Volume", *rows]))
    with serving(home) as address:
        page, _ = open_page(f"{address}/data")
        page.locator("[data-testid=stFileUploader] input[type=file]").set_input_files(file)
        page.get_by_text("One question").wait_for()
        zone = page.get_by_label("Clock of the stamps").first
        zone.click()
        page.get_by_role("option", name="Europe/London").click()
        page.get_by_role("button", name="Import 300 bars").click()
        page.get_by_text("EURUSD 15m: 300 bars imported").wait_for()
        assert not list(home.glob("data/uploads/*"))


def test_the_hub_listens_to_this_machine_alone(hub_address):
    port = int(hub_address.rsplit(":", 1)[1])
    heard = [c.laddr for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert {place.ip for place in heard if place.port == port} == {"127.0.0.1"}
