"""Openrange in the browser: page set-up and navigation, nothing else."""

import streamlit as st

from pages import _ui

st.set_page_config("Openrange", "static/logo.svg", layout="wide")
st.logo("static/logo.svg", size="medium")

PAGES = (
    ("today", "Today", "today"),
    ("market", "Market", "candlestick_chart"),
    ("training", "Training", "model_training"),
    ("models", "Models", "deployed_code"),
    ("monitoring", "Monitoring", "monitor_heart"),
    ("data", "Data", "database"),
)

navigation = st.navigation(
    [
        st.Page(
            f"pages/{name}.py", title=title, icon=f":material/{icon}:", default=name == "today",
            url_path="" if name == "today" else name,
        )
        for name, title, icon in PAGES
    ],
    position="top",
)  # fmt: skip
_ui.dress()
try:
    with _ui.boundary():
        navigation.run()
finally:  # after the page, which may stop early, so that a first look does not wait for it
    _ui.keep_watch()
_ui.mount_viewport()
