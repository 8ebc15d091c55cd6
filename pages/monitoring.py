"""Monitoring: the log against outcomes, live, late and replay apart, and what that can tell."""

import streamlit as st

from pages import _acts, _ui
from pages import _monitoring_parts as parts

_ui.enters("monitoring")
hub = _ui.hub()
without = "Calls are scored when their time is due; without bars there are no calls."
listed = _ui.bars_or_stop("Monitoring", without)
slots = sorted(set(hub.slots()["slot"]) | set(hub.models(archived=True)["slot"]))
asked = st.query_params.get("slot")
names = dict(zip(listed["symbol"], listed["simulated"], strict=True))
head = st.container()
with st.container(horizontal=True, vertical_alignment="center", gap="small", key="tools"):
    slot = str(
        st.selectbox(
            "Slot", slots, index=slots.index(asked) if asked in slots else 0, key="slot",
            label_visibility="collapsed", width=280,
        )
    )  # fmt: skip
    mode = _ui.choose("Mode", parts.MODES, "mode")
    st.space("stretch")
    if st.button("Tick now", icon=":material/add_task:", key="tick"):
        done = hub.tick()
        st.toast(f"{done['recorded']} calls were logged.", icon=":material/add_task:")
    if st.button("Settle now", icon=":material/fact_check:", key="settle"):
        hub.settle()
        st.toast("Outcomes were attached where bars allow it.", icon=":material/fact_check:")
    served = hub.models(slot)["role"].eq("champion").any()
    days = _acts.REPLAYED_DAYS
    if st.button(
        f"Replay {days} days", icon=":material/history:", key="replay", disabled=not served,
        help="Answers past days by fold models that had not seen them; needs a champion",
    ):  # fmt: skip
        _acts.replay(slot)
st.query_params["slot"] = slot
with head:
    symbol, timeframe = slot.split("-", 1)[1].rsplit("-", 1)
    simulated = bool(names.get(symbol, False))
    fresh = hub.freshness(symbol, timeframe) if symbol in names else None
    _ui.head("Monitoring", simulated=simulated, fresh=fresh)
_acts.follow_replay()
with _ui.boundary():
    report = hub.report(slot, mode)
    parts.banner(report)
    left, right = st.columns([1.9, 1], gap="small")
    with left:
        if report["logged"]:
            parts.funnel(report)
            said, seen = st.columns(2, gap="small")
            with said:
                parts.calibration(report)
            with seen:
                parts.power(report)
        else:
            parts.no_calls(slot, mode)
    with right:
        parts.services(report)
        parts.sessions(report["by_range"])
    if report["logged"]:
        parts.shadow_log(slot, mode, report["verdict"].get("baseline"))
