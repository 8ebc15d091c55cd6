"""Many files, each under the symbol that its name tells: seen, confirmed, imported with counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import streamlit as st

from mlcore.errors import OpenrangeError
from pages import _data_parts as data
from pages import _parts, _ui

__all__ = ["are_many", "show_each"]

_LOOKED_AT: Final = 24


def are_many(paths: list[Path]) -> bool:
    """Ask whether the files are of one symbol or of one each; their names say what is likely."""
    alike = bool(data.guess_symbol(*(path.name for path in paths)))
    kinds = {"one": "one symbol", "each": "one symbol each"}
    chosen = st.segmented_control(
        f"These {len(paths)} files are of", list(kinds), default="one" if alike else "each",
        format_func=kinds.__getitem__, required=True, key=f"as_many_{paths[0].parent.name}",
    )  # fmt: skip
    return bool(chosen == "each")


def show_each(paths: list[Path]) -> bool:
    """What the first files hold, the questions they share, and one button; True once imported."""
    answers = _ask(paths)
    seen = [_look(path, answers) for path in paths[:_LOOKED_AT]]
    table = data.previews_table(seen)
    if isinstance(table, str):
        _ui.show(table)
    else:
        st.dataframe(table, hide_index=True, key="previews", height=min(320, 36 + 35 * len(table)))
    more = len(paths) - len(seen)
    if more:
        _ui.show(_parts.note(f"{more} more files are read as these are."))
    asked = [one.questions[0] for _, one, _ in seen if one is not None and one.questions]
    for question in list(dict.fromkeys(text.partition(" – ")[0] for text in asked))[:3]:
        _ui.show(_parts.stale_notice(f"One question: {question}", "Answer it above, for all."))
    _ui.show(_parts.note("A file that is refused leaves the others alone, and is told below."))
    label = f"Import {len(paths)} files"
    if st.button(label, type="primary", icon=":material/upload:", key="import_each"):
        _bring_in(paths, answers)
        return True
    return False


def _ask(paths: list[Path]) -> dict[str, Any]:
    """What all of the files share."""
    of, markets = paths[0].parent.name, sorted(_ui.hub().settings.markets)
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small", key="asked_each"):
        answers = {
            "market": st.selectbox(
                "Market of all", markets, index=None, placeholder="by each symbol's name",
                format_func=lambda name: _ui.hub().settings.market(name).title, width=240,
                key=f"as_markets_{of}",
            ),
            "timezone": st.selectbox(
                "Clock of the stamps", data.ZONES, index=None, accept_new_options=True,
                placeholder="where files do not say", width=230, key=f"as_zones_{of}",
            ),
            "stamp": st.segmented_control(
                "A stamp is a bar's", ["start", "end"], key=f"as_stamps_{of}"
            ),
        }  # fmt: skip
    return {name: value for name, value in answers.items() if value}


def _look(path: Path, answers: dict[str, Any]) -> tuple[str, Any, str]:
    """Name, preview or None, and why there is none."""
    try:
        return path.name, _ui.hub().preview(path, **answers), ""
    except OpenrangeError as error:
        return path.name, None, error.message.partition(" – ")[2] or error.message


def _bring_in(paths: list[Path], answers: dict[str, Any]) -> None:
    """Import file after file, with counts; the reports are kept for the next run."""
    reports: list[Any] = []
    bar = st.progress(0.0, text=f"File 1 of {len(paths)} · {paths[0].name}")
    bars = 0
    for report in _ui.hub().ingest_each(paths, **answers):
        reports.append(report)
        bars += report.added
        done = min(len({one.file for one in reports}), len(paths))
        text = f"{done} of {len(paths)} files · {report.file} · {_parts.thousands(bars)} bars added"
        bar.progress(done / len(paths), text=text)
    st.session_state["import_reports"] = reports
