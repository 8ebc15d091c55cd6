"""The import form: files in, what they hold, the few questions they leave open, one button."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import streamlit as st

from mlcore.errors import OpenrangeError
from mlcore.hub import TIMEFRAMES
from pages import _data_parts as data
from pages import _parts as parts
from pages import _ui

__all__ = ["show_import", "uploads_folder"]

BY_NAME: Final = "by the symbol's name"


def uploads_folder() -> Path:
    """Where uploads wait for their import."""
    return _ui.hub().settings.data / "uploads"


def ask(paths: list[Path], seen: Any) -> dict[str, Any]:
    """The questions that the file leaves open, and what only a person knows."""
    answers: dict[str, Any] = {}
    of = paths[0].parent.name
    stamp = st.session_state.setdefault(f"as_seen_{of}", seen.stamp)
    naive = seen.first is not None and seen.first.tzinfo is None
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="asked"):
        guess = data.guess_symbol(*(path.name for path in paths))
        answers["symbol"] = st.text_input(
            "Symbol", guess, max_chars=32, width=170, key=f"as_name_{of}"
        )
        markets = [BY_NAME, *sorted(_ui.hub().settings.markets)]
        market = st.selectbox(
            "Market", markets, format_func=market_title, width=240, key=f"as_market_{of}"
        )
        answers["market"] = None if market == BY_NAME else market
        if naive or st.session_state.get(f"as_zone_{of}"):
            answers["timezone"] = st.selectbox(
                "Clock of the stamps", data.ZONES, index=None, accept_new_options=True,
                placeholder="choose or type a zone", width=230, key=f"as_zone_{of}",
            )  # fmt: skip
        if seen.timeframe is None:
            answers["timeframe"] = st.selectbox(
                "Timeframe", list(TIMEFRAMES), index=None, placeholder="choose", width=130,
                key=f"as_timeframe_{of}",
            )  # fmt: skip
        if seen.timeframe != "1d" and seen.first is not None:
            answers["stamp"] = st.segmented_control(
                "A stamp is a bar's", ["start", "end"], default=stamp, required=True,
                key=f"as_stamp_{of}",
            )  # fmt: skip
        answers["columns"] = ask_order(seen, of)
    return {key: value for key, value in answers.items() if value}


def ask_order(seen: Any, of: str) -> dict[str, str] | None:
    """Day first or month first, where the dates of a file could be read both ways."""
    if (seen.first is not None or "time" not in seen.columns) and f"as_order_{of}" not in (
        st.session_state
    ):
        return None
    orders = {"day first": "dmy", "month first": "mdy"}
    order = st.segmented_control("Dates are written", list(orders), key=f"as_order_{of}")
    return {"time": f"{seen.columns['time']}:{orders[order]}"} if order else None


def market_title(name: str) -> str:
    """A market as people call it."""
    return name if name == BY_NAME else _ui.hub().settings.market(name).title


def bring_in(paths: list[Path], answers: dict[str, Any], rows: int) -> None:
    """Import the files, all or nothing, and keep the report for the next run."""
    with st.status(f"Importing {parts.thousands(rows)} rows …") as said:
        try:
            st.session_state["import_report"] = _ui.hub().ingest(paths, **answers)
        except OpenrangeError as error:
            said.update(label="Nothing was imported", state="error", expanded=False)
            st.session_state["import_error"] = error
            st.rerun()
    for path in paths:
        shutil.rmtree(path.parent, ignore_errors=True)
    st.session_state["upload_round"] = st.session_state.get("upload_round", 0) + 1
    for name in [key for key in st.session_state if str(key).startswith("as_")]:
        del st.session_state[name]
    st.rerun()


def look_into(paths: list[Path], answers: dict[str, Any]) -> Any:
    """What the files hold with these answers; an answer that does not fit is said and left out."""
    if answers:
        try:
            return _ui.hub().preview(paths, **answers)
        except OpenrangeError as error:
            _ui.show_error(error)
    return _ui.hub().preview(paths)


def show_import() -> None:
    """Choose files, see what they hold, answer what is open, import."""
    files = st.file_uploader(
        "CSV, TSV, Parquet or Feather; several files of one symbol at once",
        type=list(data.SUFFIXES), accept_multiple_files=True,
        max_upload_size=_ui.hub().settings.upload_mb,
        key=f"upload_{st.session_state.get('upload_round', 0)}",
    )  # fmt: skip
    if not files:
        st.session_state.pop("import_error", None)
        return
    st.session_state.pop("import_report", None)
    paths = [data.keep_upload(uploads_folder(), file) for file in files]
    kept = (
        st.session_state.get("answers", {}) if st.session_state.get("answers_for") == paths else {}
    )
    seen = look_into(paths, kept)
    answers = ask(paths, seen)
    if answers != kept:
        st.session_state.update(answers=answers, answers_for=paths)
        st.rerun()
    for question in seen.questions:
        rule, _, rest = question.partition(" – ")
        _ui.show(
            parts.stale_notice(
                f"One question: {rule}", f"{rest.partition(' – ')[0]}. Answer it above."
            )
        )
    if "import_error" in st.session_state:
        _ui.show_error(st.session_state.pop("import_error"))
    facts, sample = st.columns([1, 1.7], gap="small")
    facts.html(str(data.facts_panel(seen, [path.name for path in paths])))
    sample.html(str(data.sample_panel(seen)))
    ready = not seen.questions and bool(answers.get("symbol"))
    label = f"Import {parts.thousands(seen.rows)} bars"
    if st.button(label, type="primary", icon=":material/upload:", disabled=not ready, key="import"):
        bring_in(paths, answers, seen.rows)
