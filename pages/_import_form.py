"""The import form: files in, what they hold, the few questions they leave open, one button."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import streamlit as st

from mlcore.errors import OpenrangeError
from mlcore.hub import TIMEFRAMES
from pages import _data_parts as data
from pages import _import_each as each
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
        if naive or _open(seen, "--timezone", f"as_zone_{of}"):
            likely = f"most likely {seen.proposed}" if seen.proposed else "choose or type a zone"
            zones = list(dict.fromkeys([*filter(None, [seen.proposed]), *data.ZONES]))
            answers["timezone"] = st.selectbox(
                "Clock of the stamps", zones, index=None, accept_new_options=True,
                placeholder=likely, width=230, key=f"as_zone_{of}",
            )  # fmt: skip
        if seen.timeframe is None:
            answers["timeframe"] = st.selectbox(
                "Timeframe", list(TIMEFRAMES), index=None, placeholder="choose", width=130,
                key=f"as_timeframe_{of}",
            )  # fmt: skip
        answers["stamp"] = ask_stamp(seen, of)
        answers["columns"] = ask_order(seen, of)
        answers |= ask_rest(seen, of)
    return {key: value for key, value in answers.items() if value}


def _open(seen: Any, option: str, key: str) -> bool:
    """Whether a question is about an option, or was and has been answered."""
    return any(option in text for text in seen.questions) or bool(st.session_state.get(key))


def ask_stamp(seen: Any, of: str) -> str | None:
    """What a stamp means; chosen beforehand only where the file leaves no doubt."""
    key, doubt = f"as_stamp_{of}", f"as_doubt_{of}"
    if any("--stamp" in text for text in seen.questions):
        st.session_state[doubt] = True
    if not st.session_state.get(doubt):
        if seen.timeframe == "1d" or seen.first is None or (seen.questions and key not in (
            st.session_state)):  # fmt: skip
            return None  # what is still open may raise a doubt about the stamps too
        sure = st.session_state.setdefault(f"as_seen_{of}", seen.stamp)
        return st.segmented_control(
            "A stamp is a bar's", ["start", "end"], default=sure, required=True, key=key
        )
    daily = seen.timeframe == "1d"
    names = {"start": "the day itself", "eve": "the evening before"} if daily else {
        "start": "start", "end": "end"}  # fmt: skip
    label = "A date means" if daily else "A stamp is a bar's"
    return st.segmented_control(label, list(names), format_func=names.__getitem__, key=key)


def ask_rest(seen: Any, of: str) -> dict[str, Any]:
    """What only some files leave open: the side of a quote, the contract, a doubt."""
    answers: dict[str, Any] = {}
    if _open(seen, "--quote", f"as_quote_{of}"):
        answers["quote"] = st.segmented_control(
            "Prices from", ["bid", "ask", "mid"], key=f"as_quote_{of}"
        )
    if _open(seen, "--member", f"as_member_{of}"):
        answers["member"] = st.text_input("Contract or file", width=170, key=f"as_member_{of}")
    if _open(seen, "--accept-doubts", f"as_sure_{of}") or st.session_state.get(f"as_unlike_{of}"):
        answers["accept_doubts"] = st.checkbox("Go on all the same", key=f"as_sure_{of}")
    return answers


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
            st.session_state[f"as_unlike_{paths[0].parent.name}"] = "--accept-" in error.message
            st.rerun()
    put_away(paths)


def put_away(paths: list[Path]) -> None:
    """Forget uploads that were imported, with every answer, and draw the page anew."""
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
        "CSV, TXT, JSON, Parquet, Feather or a zip of them; many files at once",
        type=list(data.SUFFIXES), accept_multiple_files=True,
        max_upload_size=_ui.hub().settings.upload_mb,
        key=f"upload_{st.session_state.get('upload_round', 0)}",
    )  # fmt: skip
    if not files:
        st.session_state.pop("import_error", None)
        return
    for told in ("import_report", "import_reports"):
        st.session_state.pop(told, None)
    paths = [data.keep_upload(uploads_folder(), file) for file in files]
    kept = (
        st.session_state.get("answers", {}) if st.session_state.get("answers_for") == paths else {}
    )
    if len(paths) > 1 and each.are_many(paths):
        if each.show_each(paths):
            put_away(paths)
        return
    seen = look_into(paths, kept)
    answers = ask(paths, seen)
    if answers != kept:
        st.session_state.update(answers=answers, answers_for=paths)
        st.rerun()
    for question in seen.questions:
        _ui.show(data.question_notice(question))
    if "import_error" in st.session_state:
        _ui.show_error(st.session_state.pop("import_error"))
    facts, sample = st.columns([1, 1.7], gap="small")
    facts.html(str(data.facts_panel(seen, [path.name for path in paths])))
    sample.html(str(data.sample_panel(seen)))
    ready = not seen.questions and bool(answers.get("symbol"))
    label = f"Import {parts.thousands(seen.rows)} bars"
    if st.button(label, type="primary", icon=":material/upload:", disabled=not ready, key="import"):
        bring_in(paths, answers, seen.rows)
