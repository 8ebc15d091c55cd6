"""From process start to the first chart, beside a bare one-chart Streamlit app.

Goals: at most 1.2 ×; a page of 50,000 bars at most 1.3 × the page of 500; a click at most 1.5 × an
empty page's rerun.
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


def rerun(page, button):
    """Milliseconds from a click until the script has run again."""
    begun = time.perf_counter()
    page.locator(f"button:has-text('{button}')").first.click()
    page.wait_for_function("!document.querySelector('[data-test-script-state=running]')")
    page.wait_for_selector("[data-test-script-state=notRunning]", timeout=30_000)
    return time.perf_counter() - begun


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
            ours, other = browser.new_page(), browser.new_page()
            ours.goto(f"{address}/{MARKET}"), other.goto(empty)
            ours.wait_for_selector(CHART), other.wait_for_selector(CHART)
            clicks = [(rerun(ours, name), rerun(other, "Again"))
                      for name in ("CLOSE", "TOUCH") * 5]  # fmt: skip
    return tell(
        charts, loads, measured("a click on Market against a bare page's rerun", clicks, 1.5)
    )


if __name__ == "__main__":
    sys.exit(main())
