"""Openrange's server: the pages of app.py, and a head start on what the first one asks for."""

import streamlit as st

from pages import _warm

app = st.App("app.py", lifespan=_warm.lifespan)
