"""Training: start a run, watch its folds against the best baseline, promote what it made."""

import streamlit as st

from pages import _acts, _ui
from pages import _training_parts as parts

_ui.enters("training")
listed = _ui.bars_or_stop("Training", "A model learns from bars, and there are none here.")
_ui.head("Training", simulated=bool(listed["simulated"].any()))
_acts.follow_replay()
if not _ui.is_phone():
    parts.retrain_strip()
left, right = st.columns([1, 2.15], gap="small")
with right, _ui.boundary():
    run = parts.choose_run()
    if run is None:
        parts.show_newest(_ui.hub().runs(50))
    else:
        parts.show_run(run)
with left, _ui.boundary():
    parts.form(listed)
if _ui.is_phone():
    parts.retrain_strip()
with _ui.boundary():
    parts.past_runs()
_acts.asked()
