"""Seconds until the hub serves its first page with 1,000 versions in the registry. Goal: 8 s."""

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks._compare import Result, tell
from benchmarks._home import DIRECTION, NOW, trained_home
from benchmarks._server import ROOT, chromium, serve, wait_up
from mlcore.clock import fixed_clock
from mlcore.config import load_settings
from mlcore.operations.home import Home

VERSIONS = 1000


def crowded():
    """A copy of the trained home with its version saved a thousand times."""
    source = trained_home()
    place = Path(tempfile.mkdtemp()) / "home"
    shutil.copytree(source.settings.home, place)
    home = Home(load_settings(place), fixed_clock(NOW))
    folder = home.registry.path(DIRECTION)
    certificate = home.registry.versions(DIRECTION)["certificate_id"].iloc[0]
    for number in range(VERSIONS):

        def build(target, number=number):
            shutil.copy(folder / "card.json", target / "card.json")
            (target / "number.json").write_text(str(number))

        home.registry.save(
            DIRECTION, build, certificate_id=certificate, meta={"model_kind": "copy"}
        )
    home.lake.close()
    return place


def main():
    place, took = crowded(), []
    with chromium() as browser:
        for _ in range(5):
            begun = time.perf_counter()
            with serve(ROOT / "server.py", place) as address:
                wait_up(address)
                page = browser.new_page()
                page.goto(address)
                page.wait_for_selector(".or-head h1", timeout=60_000)
                took.append(time.perf_counter() - begun)
                page.close()
    middle = statistics.median(took)
    claim = f"first page with {VERSIONS} versions, in units of 8 s"
    low, high = min(took) / 8, max(took) / 8
    return tell(Result(claim, middle / 8, low, high, 1e3 * middle, 8e3, 1.0, len(took)))


if __name__ == "__main__":
    sys.exit(main())
