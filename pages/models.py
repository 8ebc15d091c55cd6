"""Models: every version with its evidence, one of them in full, and who serves."""

import streamlit as st

from pages import _acts, _parts, _ui
from pages import _models_parts as parts

_ui.enters("models")
hub = _ui.hub()
everything = hub.models(archived=True)
listed = hub.symbols()
simulated = bool(listed["simulated"].any()) if len(listed) else False
_ui.head("Models", simulated=simulated)
if everything.empty:
    text = (
        "Calls come from the rule until a model is trained. Training proves first that no input "
        "sees the future, then walks forward through the history."
    )
    _ui.show(_parts.empty_state("No models yet", text))
    with st.container(horizontal=True, horizontal_alignment="center", key="ways_on"):
        if st.button("Train a first model", type="primary", icon=":material/model_training:"):
            st.switch_page("pages/training.py")
    st.stop()
_acts.follow_replay()
with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tools"):
    slots = sorted(everything["slot"].unique())
    chosen = st.multiselect(
        "Slots", slots, key="slots", label_visibility="collapsed", placeholder="All slots",
        width=340, bind="query-params",
    )  # fmt: skip
    archived = st.toggle("Archived", key="archived", bind="query-params")
    differing = st.toggle("Only what differs", key="differing", bind="query-params")
    st.space("stretch")
    tools = st.container(horizontal=True, gap="small", width="content", key="more_tools")
shown = everything[everything["slot"].isin(chosen or slots)]
shown = shown if archived else shown[~shown["archived"].astype(bool)]
if shown.empty:
    _ui.show(_parts.note("Every version of these slots is archived: switch Archived on."))
    st.stop()
picked = parts.versions_table(shown, only_differing=differing, tools=tools)
slot, version = parts.choose_version(shown, picked)
at = (shown["slot"] == slot) & (shown["version"] == version)
with _ui.boundary():
    parts.show_version(slot, version, str(shown.loc[at, "role"].iloc[0]))
with _ui.boundary():
    parts.history(slot)
_acts.asked()
