"""Vendors' own files in a real browser: import, chart, training, promotion, log, retrain, diff.

Gold comes on a broker's clock and has ended; NIFTY comes as one file a month, without a header,
its stamps at the end of a minute on India's clock, and without volume.
"""

import re
from dataclasses import dataclass

import pytest

from mlcore.hub import Hub
from tests.browser.conftest import serving, settle, sideways
from tests.browser.test_loop import LONG, watch_folds

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Case:
    """Files of one symbol, what a person knows of them, and what the pages must say."""

    symbol: str
    timeframe: str
    files: tuple[str, ...]
    header: int
    zone: str
    market: str | None
    stamp: str
    windows: str
    first: str
    ended: str
    close: str
    range: str
    clock: str

    @property
    def slot(self):
        return f"orb_direction-{self.symbol}-{self.timeframe}"

    def rows(self, folder):
        """Bars of the files, by their lines."""
        return sum((folder / name).read_bytes().count(b"\n") - self.header for name in self.files)


GOLD = Case(
    "XAUUSD", "5m", ("gold/xauusd_5m_mt5.csv",), 1, "Europe/Athens", None, "start",
    "120 / 20 / 10 days", "31 Jul 2025 22:05", "27 Jul 2026", "4,100.13", "Tokyo 09:00", "New York",
)  # fmt: skip
NIFTY = Case(
    "NIFTY", "1m",
    tuple(f"india/nifty_1m/2014 {month} NIFTY.txt" for month in "JAN FEB MARCH APR MAY".split()),
    0, "Asia/Kolkata", "NSE, India", "end", "60 / 10 / 5 days", "01 Jan 2014 03:45",
    "30 May 2014", "7,223.45", "NSE 09:15", "Kolkata",
)  # fmt: skip


def is_sound(page):
    """No error, no sideways scroll, and nothing called simulated."""
    settle(page)
    assert page.locator(".or-error, [data-testid=stException]").count() == 0
    assert page.get_by_text("SIMULATED").count() == 0
    assert sideways(page) <= 0


def look_at(page, address):
    page.goto(address)
    is_sound(page)


def bring_in(page, case, folder):
    """Answer what the files leave open, and import them."""
    chooser = page.locator("[data-testid=stFileUploader] input[type=file]")
    chooser.set_input_files([folder / name for name in case.files])
    page.get_by_text("One question: Times without an offset need a zone").wait_for()
    zone = page.get_by_label("Clock of the stamps").first
    zone.fill(case.zone)
    zone.press("Enter")
    if case.stamp == "end":  # the hours of the market say so, and nothing is chosen beforehand
        page.get_by_text("One question: A stamp is the bar's start or its end").wait_for()
    else:
        page.get_by_text(f"times read as {case.zone}").wait_for()
    assert page.get_by_label("Symbol", exact=True).input_value() == case.symbol
    asked = page.locator(".st-key-asked")
    if case.market:
        asked.locator("[data-testid=stSelectbox]").first.locator("input").click()
        page.get_by_role("option", name=case.market).click()
        settle(page)
    asked.get_by_text(case.stamp, exact=True).click()
    page.get_by_text(f"the {case.stamp} of a bar").wait_for()
    page.get_by_text(f"{case.first} UTC").wait_for()
    rows = f"{case.rows(folder):,}"
    page.get_by_role("button", name=f"Import {rows} bars").click()
    page.get_by_text(f"{case.symbol} {case.timeframe}: {rows} bars imported").wait_for()
    page.get_by_text(f"data end {case.ended}").wait_for()


def look_at_market(page, address, case):
    """The last price, both clocks, the day's ranges, and a volume pane where there is volume."""
    look_at(page, f"{address}/market")
    page.locator(".js-plotly-plot .main-svg").first.wait_for(state="attached")
    assert page.locator(".or-quote b").nth(1).inner_text() == case.close
    assert page.get_by_text(f"times UTC, {case.clock} below").is_visible()
    assert page.get_by_text(case.range).first.is_visible()
    page.get_by_text("Net R per range, every break").wait_for()
    names = page.locator(".js-plotly-plot .annotation-text").all_text_contents()
    assert ("Volume" in names) is (case is GOLD)


def train(page, address, case):
    """Choose a fast model and windows that fit, and watch the folds come in."""
    look_at(page, f"{address}/training?symbol={case.symbol}&timeframe={case.timeframe}")
    page.locator(".st-key-model").get_by_text("Logistic").click()
    settle(page)
    page.locator(".st-key-windows input").click()
    page.get_by_role("option", name=case.windows).click()
    page.get_by_text("This run could show a difference of").wait_for()
    settle(page)
    page.get_by_role("button", name="Start training").click()
    page.wait_for_url(re.compile(r"job="))
    watch_folds(page)
    page.get_by_text("clean", exact=True).wait_for()  # its certificate is read again


def promote(page, case):
    """With a reason; the past days are answered at once, apart from live calls."""
    page.get_by_role("button", name="Promote…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Reason").fill("first model on real bars")
    dialog.get_by_label("Reason").press("Tab")
    dialog.get_by_role("button", name="Promote").click()
    page.get_by_text(f"is the champion of {case.slot}").wait_for()
    page.get_by_text("replayed calls were added").wait_for(timeout=LONG)


def look_at_log(page, address, home, case):
    """Today says where the file ends; Monitoring says what the replay says, and settles."""
    look_at(page, address)
    assert page.get_by_text(re.compile(rf"Data end {case.ended} \d\d:\d\d UTC")).is_visible()
    assert page.get_by_text("replay", exact=True).first.is_visible()
    look_at(page, f"{address}/monitoring?slot={case.slot}&mode=replay")
    report = Hub.open(home).report(case.slot, "replay")
    assert report["settled"] >= 15
    assert page.locator(".or-verdict h2").inner_text().endswith(report["verdict"]["words"])
    page.get_by_role("button", name="Settle now").click()
    page.get_by_text("Outcomes were attached").wait_for()


def retrain_and_compare(page, address, home, case):
    """One click makes a challenger; both versions stand side by side on Models."""
    look_at(page, f"{address}/training")
    page.get_by_role("button", name=re.compile(rf"{case.slot} · champion is")).click()
    page.get_by_text("Against the present champion").wait_for(timeout=LONG)
    assert sorted(Hub.open(home).models(case.slot)["role"]) == ["challenger", "champion"]
    look_at(page, f"{address}/models")
    table = page.locator("[data-testid=stDataFrame] .dvn-scroller").first
    for row in (0, 1):
        table.click(position={"x": 16, "y": 36 + 34 * row + 17})
        settle(page)
    page.get_by_role("button", name="Compare 2").click()
    page.get_by_role("dialog").get_by_text("Balanced accuracy").wait_for()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", [GOLD, NIFTY], ids=["gold", "nifty"])
def test_real_files_go_the_whole_way(chromium, open_page, shared_data, tmp_path, case):
    home = tmp_path / "home"
    home.mkdir()
    with serving(home) as address:
        page, seen = open_page(f"{address}/data")
        bring_in(page, case, shared_data)
        look_at_market(page, address, case)
        look_at(page, address)
        assert page.get_by_text("so no decision is open").is_visible()
        assert page.get_by_text(f"Opening ranges, {case.ended}"[:22]).is_visible()
        train(page, address, case)
        promote(page, case)
        look_at_log(page, address, home, case)
        retrain_and_compare(page, address, home, case)
        for name in ("", "market", "monitoring"):
            small, told = open_page(f"{address}/{name}", "phone")
            is_sound(small)
            assert told.complaints == []
        assert seen.foreign(address) == []
        assert seen.complaints == []
