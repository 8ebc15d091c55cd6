"""Acts of a person on stored bars: carry them out as a file, or delete them with a reason."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, Final

import streamlit as st

from mlcore.errors import OpenrangeError
from pages import _parts, _ui

__all__ = ["asked", "buttons"]

_ASKED: Final = "asked_bars"


def buttons(symbol: str, timeframe: str) -> None:
    """Export as Parquet or CSV, and the way to delete."""
    with st.popover("Export bars", icon=":material/file_save:", key="export_bars"):
        for ending, kind in (("parquet", "application/octet-stream"), ("csv", "text/csv")):
            st.download_button(
                f"{symbol} {timeframe} as {ending.upper() if ending == 'csv' else 'Parquet'}",
                lambda ending=ending: _written(symbol, timeframe, ending),
                f"{symbol}_{timeframe}.{ending}", kind, icon=":material/download:",
                on_click="ignore", key=f"bars_as_{ending}", width="stretch",
            )  # fmt: skip
    if _ui.hub().derived_from(symbol, timeframe) is None:
        st.button(
            "Delete…", icon=":material/delete:", type="tertiary", key="delete_bars",
            on_click=_ask, args=(symbol, timeframe),
        )  # fmt: skip


def _written(symbol: str, timeframe: str, ending: str) -> bytes:
    """The bars as the bytes of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"bars.{ending}"
        _ui.hub().export_bars(symbol, timeframe, path)
        return path.read_bytes()


def _ask(symbol: str, timeframe: str) -> None:
    st.session_state[_ASKED] = (symbol, timeframe)


def _forget() -> None:
    st.session_state.pop(_ASKED, None)


def asked() -> None:
    """Show the dialog that was asked for until it is answered or closed, reruns included."""
    if _ASKED in st.session_state:
        _delete(*st.session_state[_ASKED])


@st.dialog("Delete these bars", on_dismiss=_forget)
def _delete(symbol: str, timeframe: str) -> None:
    """Say what goes and what stays, ask for a reason and for the symbol's name, then delete."""
    hub = _ui.hub()
    listed = hub.symbols()
    mine = listed[(listed["symbol"] == symbol) & (listed["timeframe"] == timeframe)]
    rows = int(mine["rows"].iloc[0]) if len(mine) else 0
    _ui.show(_parts.callout(f"{_parts.thousands(rows)} bars of {symbol} {timeframe} go.", (
        "Charts, sessions and new training runs no longer find them. Logged calls, outcomes and "
        "models stay, and so do older snapshots of the bars.")))  # fmt: skip
    reason = st.text_input("Reason, kept in the history", max_chars=200, key="delete_reason")
    typed = st.text_input(f"Type {symbol} to confirm", key="delete_name")
    ready = bool(reason.strip()) and typed.strip() == symbol
    if not ready:
        _ui.show(_parts.note("A reason and the symbol's name are needed."))
    if st.button("Delete bars", type="primary", icon=":material/delete:", key="do_delete_bars",
                 disabled=not ready):  # fmt: skip
        _done(hub, symbol, timeframe, reason)


def _done(hub: Any, symbol: str, timeframe: str, reason: str) -> None:
    """Delete, say so, and draw the page anew; a refusal stays in the dialog."""
    try:
        told = hub.delete_bars(symbol, timeframe, reason)
    except OpenrangeError as error:
        _ui.show_error(error)
        return
    _forget()
    rows = _parts.thousands(told["rows"])
    st.toast(f"{rows} bars of {symbol} {timeframe} were deleted.", icon=":material/delete:")
    st.rerun()
