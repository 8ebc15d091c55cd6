"""A Streamlit server as a child, and a Chromium that looks at it."""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
BARE = """
import numpy as np, pandas as pd, plotly.graph_objects as go, streamlit as st
st.set_page_config(layout="wide")
n = {bars}
close = 100 + np.cumsum(np.random.default_rng(0).normal(size=n))
time = pd.date_range("2026-01-01", periods=n, freq="5min")
candles = go.Candlestick(x=time, open=close, high=close + 1, low=close - 1, close=close + .5)
figure = go.Figure(candles)
st.plotly_chart(figure, theme=None)
st.button("Again")
"""


LEAN = """
from importlib.machinery import PathFinder
found = PathFinder.find_spec
def find_spec(name, path=None, target=None):
    return None if name.split(".")[0] in {absent!r} else found(name, path, target)
PathFinder.find_spec = find_spec
"""
ABSENT = {"matplotlib", "numba", "polars", "torch", "vectorbt"}
"""Packages of the peers, which others import where they are there; no user's install has them."""


def lean_path():
    """A folder for PYTHONPATH under which a server is as `requirements.txt` alone makes it."""
    folder = Path(tempfile.mkdtemp())
    (folder / "sitecustomize.py").write_text(LEAN.format(absent=ABSENT))
    return folder


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def is_up(address):
    try:
        with urllib.request.urlopen(f"{address}/_stcore/health", timeout=1) as answer:  # noqa: S310
            return answer.status == 200
    except OSError:
        return False


@contextmanager
def serve(script, home):
    """A server of a script; gives its address at once, before it is ready."""
    port = free_port()
    own = {"OPENRANGE_HOME": str(home), "OPENRANGE_WATCH": "false", "PYTHONPATH": str(lean_path())}
    environ = {**os.environ, **own}
    child = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port),
         "--server.address", "127.0.0.1", "--server.headless", "true"],
        cwd=ROOT, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        child.terminate()
        child.wait(20)


def wait_up(address, seconds=60):
    """Until the server answers."""
    until = time.monotonic() + seconds
    while not is_up(address):
        assert time.monotonic() < until, "the server did not start"
        time.sleep(0.02)


@contextmanager
def chromium():
    """A headless browser."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path="/usr/bin/chromium", args=list(FLAGS))
        yield browser
        browser.close()
