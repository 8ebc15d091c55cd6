"""Streamlit on a hub whose clock stands still: `python -m tests.browser.at_instant WHEN run …`."""

import sys

from streamlit.web import cli

from mlcore.clock import fixed_clock
from mlcore.hub import Hub
from pages import _ui

if __name__ == "__main__":
    hub = Hub.open(None, fixed_clock(sys.argv.pop(1)))
    _ui.hub = lambda: hub
    cli.main()
