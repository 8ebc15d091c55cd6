"""The pages of the hub, and the parts and charts they are made of.

A page reads as a story: pick, ask the hub, draw. Files with a leading underscore are not pages:
they turn numbers into HTML or figures, purely, and know neither Streamlit's state nor the hub.
"""
