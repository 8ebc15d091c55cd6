"""Acts of a person on a version: promote, roll back, archive, each with a reason that is kept."""

from __future__ import annotations

from typing import Any, Final

import streamlit as st

from pages import _parts, _ui
from pages._cards import compare_table, told

__all__ = ["REPLAYED_DAYS", "ask", "asked", "champion", "follow_replay", "replay"]

REPLAYED_DAYS: Final = 60
_REPLAY: Final = "replay_job"
_ASKED: Final = "asked_act"


def ask(act: str, slot: str, version: str) -> None:
    """Open the dialog of an act (promote, roll_back, archive, keep_best); a button's callback."""
    st.session_state[_ASKED] = (act, slot, version)


def _forget() -> None:
    st.session_state.pop(_ASKED, None)


def asked() -> None:
    """Show the dialog that was asked for until it is answered or closed, reruns included."""
    if _ASKED in st.session_state:
        act, slot, version = st.session_state[_ASKED]
        dialogs = {"promote": _promote, "roll_back": _roll_back, "archive": _archive,
                   "keep_best": _keep_best}  # fmt: skip
        dialogs[act](slot, version)


def _done(text: str, icon: str) -> None:
    """Close the dialog, say what was done, draw the page anew."""
    _forget()
    st.toast(text, icon=f":material/{icon}:")
    st.rerun()


def replay(slot: str) -> None:
    """Start a replay in a child; `follow_replay` shows how it goes."""
    st.session_state[_REPLAY] = _ui.hub().start_replay(slot, REPLAYED_DAYS)


@st.fragment(run_every=1)
def _watch_replay(job_id: str) -> None:
    job = _ui.hub().job(job_id)
    slot = str(job.arguments["slot"])
    if not job.is_ended:
        gone = (_ui.hub().now().value - job.submitted_at) / 1e9
        text = f"Replaying {REPLAYED_DAYS} days of {slot} with the models of its folds"
        _ui.show(_parts.note(f"{text} · {_parts.duration(gone)} gone"))
        return
    del st.session_state[_REPLAY]
    if job.state == "done":
        found: dict[str, Any] = dict(job.result)
        st.toast(
            f"{slot}: {_parts.thousands(found['recorded'])} replayed calls were added. They are "
            "shown apart from live ones.",
            icon=":material/history:",
        )
    else:
        said = (job.error or {}).get("message", "it was stopped")
        st.toast(f"The replay of {slot} did not finish: {said}", icon=":material/error:")
    st.rerun()


def follow_replay() -> None:
    """One line about a replay that this session started, as long as it runs."""
    job_id = st.session_state.get(_REPLAY)
    with st.container(key="following"):  # always there, so that nothing below it moves
        if job_id:
            _watch_replay(job_id)


def _reason(act: str, slot: str) -> str:
    return st.text_input(
        "Reason, kept in the history", max_chars=200, key=f"reason_{act}_{slot}",
        placeholder="Why now, in a few words",
    )  # fmt: skip


@st.dialog("Promote this version", width="medium", on_dismiss=_forget)
def _promote(slot: str, version: str) -> None:
    """Ask for a reason beside the comparison with the present champion, then promote."""
    with _ui.boundary():
        card, serving = _ui.hub().card(slot, version), champion(slot)
        verdict = told(card["verdict"])
        badges = [] if verdict.kind == "edge" else [_parts.proof_badge("unproven")]
        _ui.show(_parts.page_head(f"{slot} · {version}", badges))
        if verdict.kind != "edge":
            text = "Its calls carry the badge unproven until evidence says otherwise."
            _ui.show(_parts.callout(verdict.words + ".", text))
        if serving is None:
            _ui.show(_parts.note("The slot has no champion: so far its calls come from the rule."))
        else:
            _ui.show(compare_table(_ui.hub().compare(slot, serving, version)))
        reason = _reason("promote", slot)
        if st.button("Promote", type="primary", icon=":material/upgrade:", key="do_promote"):
            _ui.hub().promote(slot, version, reason)
            replay(slot)
            _done(f"{version} is the champion of {slot}.", "upgrade")


def champion(slot: str) -> str | None:
    """The version that serves a slot; None where the rule does."""
    versions = _ui.hub().models(slot)
    serving = versions[versions["role"] == "champion"]["version"]
    return None if serving.empty else str(serving.iloc[0])


@st.dialog("Roll back to the champion before", on_dismiss=_forget)
def _roll_back(slot: str, version: str) -> None:
    """Ask for a reason, then make the former champion the champion again."""
    with _ui.boundary():
        text = f"{version} of {slot} steps back; the champion before it serves again."
        _ui.show(_parts.note(text))
        reason = _reason("roll_back", slot)
        if st.button("Roll back", type="primary", icon=":material/undo:", key="do_roll_back"):
            done = _ui.hub().roll_back(slot, reason)
            _done(f"{done['champion']} serves {slot} again.", "undo")


@st.dialog("Archive this version", on_dismiss=_forget)
def _archive(slot: str, version: str) -> None:
    """Ask for a reason, then set a version aside."""
    with _ui.boundary():
        _ui.show(_parts.note(f"{version} stays on disk and in the log, out of the lists."))
        reason = _reason("archive", slot)
        if st.button("Archive", type="primary", icon=":material/archive:", key="do_archive"):
            _ui.hub().archive(slot, version, reason)
            _done(f"{version} was archived.", "archive")


@st.dialog("Keep the best versions", on_dismiss=_forget)
def _keep_best(slot: str, version: str) -> None:
    """Ask how many and why, then set the others of the slot aside."""
    with _ui.boundary():
        text = (
            f"The versions of {slot} with the largest difference to the best baseline stay, and "
            "its champion in any case. The others stay on disk and in the log, out of the lists; a "
            "roll-back passes over them."
        )
        _ui.show(_parts.note(text))
        most = max(1, len(_ui.hub().models(slot)))
        keep = st.number_input("Versions to keep", 1, most, min(3, most), key=f"keep_{slot}")
        reason = _reason("keep_best", slot)
        if st.button("Archive the others", type="primary", icon=":material/archive:",
                     key="do_keep_best"):  # fmt: skip
            done = _ui.hub().archive(slot, None, reason, keep_best=int(keep))["archived"]
            said = f"{len(done)} versions of {slot} were archived." if done else (
                f"{slot} has no further version to archive."
            )  # fmt: skip
            _done(said, "archive")
