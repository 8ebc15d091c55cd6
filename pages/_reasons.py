"""Every input's share in a call, computed only when somebody opens it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd
import streamlit as st

from mlcore.hub import Call
from pages import _parts as parts
from pages import _ui

__all__ = ["all_reasons", "reason_table"]

CC = st.column_config


@st.cache_data(show_spinner=False, max_entries=64)
def _explained(home: str, call_id: str) -> dict[str, Any]:
    """A logged call never changes, so it is explained once."""
    return _ui.hub().explain_call(call_id)


def reason_table(reasons: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Reasons as a frame: text, share, the input's name and its value; largest share first."""
    rows = [(r["text"], r["points"], r.get("input"), r.get("value")) for r in reasons]
    return pd.DataFrame(rows, columns=["reason", "share", "input", "value"])


COLUMNS: Final = ("reason", "share")
FORMATS: Final = {"pp": "%+.2f", "R": "%+.3f"}


def all_reasons(call: Call, place: str = "") -> None:
    """An expander with every input's share; nothing where no model called."""
    if call.role == "baseline" or call.abstained:
        return
    box = st.expander("All reasons", key=f"all_reasons{place}", on_change="rerun")
    if not box.open:
        return
    unit = "pp" if call.value is None else "R"
    with box, _ui.boundary():
        found = _explained(str(_ui.hub().settings.home), call.id)
        table = reason_table(found["reasons"])
        total = parts.signed(table["share"].sum(), 1 if unit == "pp" else 3, unit)
        count = int(table["input"].notna().sum())
        _ui.show(parts.note(f"{count} inputs as they were logged; together {total}."))
        st.dataframe(
            table, hide_index=True, height=320, key=f"reasons{place}", column_order=COLUMNS,
            column_config={
                "reason": CC.TextColumn("Input", width=310),
                "share": CC.NumberColumn(f"Share, {unit}", format=FORMATS[unit], width=80),
            },
            alt="Every input of this call with its share",
        )  # fmt: skip
        _ui.csv_button(table, f"reasons_{call.id}", key=f"csv_reasons{place}")
