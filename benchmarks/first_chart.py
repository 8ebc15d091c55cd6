"""From process start to the first chart, beside a bare one-chart Streamlit app.

Goals: at most 1.2 ×; a page of 50,000 bars at most 1.3 × the page of 500; a click at most 1.5 × an
empty page's rerun. A click that only changes what is listed and one that draws another chart are
told apart; pages are left to finish before they are clicked on.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._compare import Result, tell
from benchmarks._home import SYMBOL, TIMEFRAME, trained_home
from benchmarks._server import BARE, ROOT, chromium, serve, wait_up

CHART = ".js-plotly-plot .main-svg"
AT_REST = "[data-test-script-state=notRunning]"
MARKET = f"market?symbol={SYMBOL}&timeframe={TIMEFRAME}"


def start_to_chart(browser, script, home, path):
    begun = time.perf_counter()
    with serve(script, home) as address:
        wait_up(address)
        page = browser.new_page()
        page.goto(f"{address}/{path}")
        page.wait_for_selector(CHART, timeout=60_000)
        took = time.perf_counter() - begun
        page.close()
    return took


def load(browser, address, path):
    page = browser.new_page()
    begun = time.perf_counter()
    page.goto(f"{address}/{path}")
    page.wait_for_selector(CHART, timeout=60_000)
    took = time.perf_counter() - begun
    page.close()
    return took


def rerun(page, words):
    """Seconds from a click until the script has run again."""
    begun = time.perf_counter()
    page.get_by_text(words, exact=True).first.click()
    page.wait_for_function("!document.querySelector('[data-test-script-state=running]')")
    page.wait_for_selector(AT_REST, timeout=30_000)
    return time.perf_counter() - begun


def ready(browser, address, path, what):
    """A page that shows what it is about, and has had nothing to do for a while."""
    page = browser.new_page()
    page.goto(f"{address}/{path}")
    page.wait_for_selector(what, timeout=60_000)
    quiet = time.monotonic()
    while time.monotonic() - quiet < 3:
        if page.query_selector(AT_REST) is None:
            quiet = time.monotonic()
        page.wait_for_timeout(100)
    return page


def clicks(browser, address, empty):
    """A click on Models that lists others, and one on Market that draws another chart."""
    other = ready(browser, empty, "", CHART)
    models = ready(browser, address, "models", ".or-head h1")
    market = ready(browser, address, MARKET, CHART)
    listed = [(rerun(models, "Archived"), rerun(other, "Again")) for _ in range(10)]
    drawn = [(rerun(market, word), rerun(other, "Again")) for word in ("CLOSE", "TOUCH") * 5]
    return (
        measured("a click on Models against a bare page's rerun", listed, 1.5),
        measured("a click that draws another chart against a bare page's rerun", drawn, 1.5),
    )


def said(result):
    """Print a result at once: the next one takes a while."""
    print(f"... {result.claim}: {result.ratio:.3f}", flush=True)
    return result


def measured(claim, pairs, limit):
    ratios = sorted(a / b for a, b in pairs)
    return Result(
        claim, statistics.median(ratios), ratios[0], ratios[-1],
        1e3 * statistics.median(a for a, _ in pairs), 1e3 * statistics.median(b for _, b in pairs),
        limit, len(pairs),
    )  # fmt: skip


def main():
    home = trained_home().settings.home
    bare = Path(tempfile.mkdtemp()) / "bare.py"
    bare.write_text(BARE.format(bars=500))
    with chromium() as browser:
        first = [
            (start_to_chart(browser, ROOT / "server.py", home, MARKET),
             start_to_chart(browser, bare, home, ""))
            for _ in range(7)
        ]  # fmt: skip
        charts = said(measured("process start to first chart, against a bare app", first, 1.2))
        with serve(ROOT / "server.py", home) as address, serve(bare, home) as empty:
            wait_up(address), wait_up(empty)
            load(browser, address, MARKET)
            pages = [
                (load(browser, address, f"{MARKET}&span=all"),
                 load(browser, address, f"{MARKET}&span=3d"))
                for _ in range(7)
            ]  # fmt: skip
            loads = said(measured("page of all bars against that of three days", pages, 1.3))
            both = clicks(browser, address, empty)
    return tell(charts, loads, *both)


if __name__ == "__main__":
    sys.exit(main())
