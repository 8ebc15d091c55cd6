"""Pieces of the Models page: the table of versions and the chosen one in full."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import streamlit as st

from mlcore.errors import OpenrangeError
from pages import _acts, _charts, _parts, _ui
from pages._cards import (
    MEASURES,
    calibration_frame,
    compare_table,
    fold_frame,
    headline_bar,
    headline_sentence,
    model_title,
    score_bars,
    short_version,
    told,
    version_head,
)
from pages._tables import differing, model_table

__all__ = ["choose_version", "history", "show_version", "versions_table"]

CC = st.column_config
COLUMNS: Final = {
    "model": CC.TextColumn("Model", width=230),
    "verdict": CC.MultiselectColumn("Verdict", width=120, **_parts.chip_options("verdict")),
    "evidence": CC.ImageColumn(
        "worse ◂ baseline ▸ better", width=240,
        help="95 % interval of the difference to the best baseline on the same rows; versions "
        "judged by the same measure share a scale",
    ),
    "difference": CC.TextColumn("Δ", alignment="right", width=75),
    "n": CC.NumberColumn("n", alignment="right", format="localized", width=60),
    "value": CC.TextColumn("Model’s", alignment="right", width=80),
    "baseline": CC.TextColumn("Baseline’s", alignment="right", width=80),
    "against": CC.TextColumn("Best baseline", width=110),
    "ece": CC.NumberColumn("ECE", alignment="right", format="%.3f", width=60),
    "trials": CC.NumberColumn("Trials", alignment="right", width=55),
    "course": CC.LineChartColumn("Pooled Δ by fold", width=110),
    "inputs": CC.NumberColumn("Inputs", alignment="right", width=60),
    "windows": CC.TextColumn("Train/test/step", width=110),
    "parameters": CC.TextColumn("Parameters", width=150),
    "seed": CC.NumberColumn("Seed", alignment="right", width=50),
    "version": CC.TextColumn("Version", width=75),
    "role": CC.MultiselectColumn("Role", width=95, **_parts.chip_options("role")),
    "created": CC.DatetimeColumn("Made, UTC", format="DD MMM HH:mm", width=100),
}  # fmt: skip
KEPT: Final = ("model", "verdict", "evidence", "difference", "n", "version", "role")
USUAL: Final = (
    "model", "verdict", "evidence", "difference", "n", "value", "baseline", "ece", "trials",
    "course", "version", "role",
)  # fmt: skip


@st.cache_data(show_spinner=False, max_entries=500)
def _card(home: str, slot: str, version: str, manifest: str) -> dict[str, Any] | None:
    """A card for the table; a version never changes, so it is read once."""
    try:
        return _ui.hub().card(slot, version)
    except OpenrangeError:
        return None


def versions_table(versions: pd.DataFrame, *, only_differing: bool, tools: Any) -> list[int]:
    """The table of versions, its tools in their own place; positions of the ticked rows."""
    home = str(_ui.hub().settings.home)
    facts = versions[["slot", "version", "manifest_hash"]].itertuples(index=False, name=None)
    cards = [_card(home, *map(str, row)) for row in facts]
    table = model_table(versions, cards)
    names = differing(table, KEPT) if only_differing else list(USUAL)
    chosen = st.dataframe(
        table, hide_index=True, row_height=36, height="content", key="versions",
        placeholder="—", alt="Versions with their evidence against the best baseline",
        column_order=[n for n in COLUMNS if n in names and n in table],
        column_config=COLUMNS, on_select="rerun", selection_mode="multi-row",
    )  # fmt: skip
    picked = list(chosen["selection"]["rows"])
    pair = versions.iloc[picked]
    alike = len(pair) == 2 and pair["slot"].nunique() == 1
    with tools:
        if st.button(
            "Compare 2", icon=":material/compare_arrows:", key="compare", disabled=not alike,
            help="Tick two versions of one slot",
        ):  # fmt: skip
            first, second = (str(v) for v in pair.sort_values("created_at")["version"])
            _compare(str(pair["slot"].iloc[0]), first, second)
        _ui.csv_button(table.drop(columns="evidence"), "models")
    return picked


@st.dialog("Compare two versions", width="large")
def _compare(slot: str, first: str, second: str) -> None:
    with _ui.boundary():
        _ui.show(version_head(slot, []))
        _ui.show(compare_table(_ui.hub().compare(slot, first, second)))


def choose_version(versions: pd.DataFrame, picked: list[int]) -> tuple[str, str]:
    """The ticked version, else the one in the URL, else the first champion; kept in the URL."""
    if picked:
        at = versions.iloc[picked[-1]]
    else:
        asked = (versions["slot"] == st.query_params.get("slot", "")) & (
            versions["version"] == st.query_params.get("version", "")
        )
        serving = versions["role"] == "champion"
        chosen = next((mask for mask in (asked, serving) if mask.any()), serving | True)
        at = versions[chosen].iloc[0]
    slot, version = str(at["slot"]), str(at["version"])
    st.query_params.update(slot=slot, version=version)
    return slot, version


def show_version(slot: str, version: str, role: str) -> None:
    """Verdict, evidence, calibration, folds, provenance and acts of one version."""
    card = _ui.hub().card(slot, version)
    verdict = told(card["verdict"])
    badges = [_parts.badge("phase", role.upper())]
    badges += [_parts.simulated_badge()] * bool(card["simulated"])
    badges += [_parts.proof_badge("unproven")] * (verdict.kind != "edge")
    checked = f"files verified {_ui.hub().now():%H:%M} UTC"
    badges.append(_parts.badge("fresh", checked, lamp=True))
    title = f"{slot} · {model_title(card['model'].get('kind'))} · {short_version(version)}"
    _ui.show(version_head(title, badges))
    bar = headline_bar(verdict, card["verdict"], where="walk-forward")
    _ui.show(_parts.verdict_banner(verdict, headline_sentence(verdict, card["verdict"]), bar))
    evidence, charts, facts = st.columns([1.05, 1, 1], gap="small")
    with evidence:
        said = "one is judged, in the banner"
        bars = score_bars(card["scores"], skip=card["verdict"]["measure"])
        _ui.show(_parts.panel("Against the best baseline, 95 %", _parts.stack(bars), remark=said))
        _importance(card)
    with charts:
        _calibration(card)
        _folds(card)
    with facts:
        _ui.show(_parts.panel("Provenance", _parts.key_values(provenance(card))))
        if card["net_r"]:
            _ui.show(_parts.panel("Trades of the walk-forward", _parts.key_values(traded(card))))
        _ui.show(_parts.panel("Not computed yet", _parts.key_values(_missing(card))))
        _acts_row(slot, version, role)


def _importance(card: Mapping[str, Any]) -> None:
    """The inputs that the folds leaned on most."""
    shares = pd.DataFrame(card["model"]["importance"].items(), columns=["feature", "importance"])
    with st.container(border=True, key="pn_importance", gap=None):
        _ui.show(_parts.section_title("Inputs that move it most", "mean over the folds"))
        figure = _charts.importance_chart(shares, most=8, unit="share of all importance")
        st.plotly_chart(
            figure, theme=None, config=_charts.STATIC, key="importance",
            alt="Inputs by importance, mean over the folds",
        )  # fmt: skip


def _calibration(card: Mapping[str, Any]) -> None:
    curve = card.get("calibration")
    with st.container(border=True, key="pn_calibration", gap=None):
        if curve is None:
            _ui.show(_parts.section_title("Calibration"))
            _ui.show(_parts.note("A regression states no probabilities."))
            return
        ece = _parts.number(curve["ece"], 3)
        remark = f"of {curve['of']} · ECE {ece} · n {_parts.thousands(curve['n'])}"
        _ui.show(_parts.section_title("Calibration", remark))
        figure = _charts.calibration_chart(calibration_frame(curve))
        st.plotly_chart(
            figure, theme=None, config=_charts.STATIC, key="calibration",
            alt="Stated probability against how often it came true",
        )  # fmt: skip


def _folds(card: Mapping[str, Any]) -> None:
    title, measure = MEASURES[card["verdict"]["measure"]]
    with st.container(border=True, key="pn_folds", gap=None):
        _ui.show(_parts.section_title(f"Walk-forward folds: {title} − best baseline"))
        figure = _charts.fold_chart(
            fold_frame(card["folds"]), total=len(card["folds"]), worth=card["verdict"]["worth"],
            measure=measure, height=240,
        )  # fmt: skip
        st.plotly_chart(
            figure,
            theme=None,
            config=_charts.STATIC,
            key="folds",
            alt="Difference to the best baseline by fold, and pooled",
        )


def _missing(card: Mapping[str, Any]) -> list[tuple[str, str]]:
    names = {"pbo": "Overfitting probability", "paths": "Purged paths", "placebo": "Placebo"}
    absent = card["not_computed"].items()
    return [(names.get(name, name), fact["why"]) for name, fact in absent]


def provenance(card: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Where a version comes from: data, dates, procedure, trials, seed, certificate, hashes."""
    dates, made, proof = card["dates"], card["procedure"], card["certificate"]
    windows = made["windows"]
    sizes = " / ".join(str(windows[k]) for k in ("train", "test", "step") if k in windows)
    chance = proof.get("chance_of_missing_5pct")
    looked = f"{proof['id'][:8]}… · {_parts.thousands(proof.get('decisions'))} decisions"
    return [
        ("Snapshot", _parts.thousands(card["snapshot"])),
        ("Rows decided", f"{dates['first_decision'][:10]} … {dates['last_decision'][:10]}"),
        ("Scored out of sample", f"{_day(dates['first_scored'])} … {_day(dates['last_scored'])}"),
        ("Shipped fit’s cut", f"{dates['cut'][:16].replace('T', ' ')} UTC"),
        ("Walk-forward", f"{sizes} · {len(card['folds'])} folds"),
        ("Inputs", f"{made['feature_set']} · {_parts.thousands(made['features'])}"),
        ("Trials on this slot", _parts.thousands(card["trials"]["n"])),
        ("Seed", card["seed"]),
        ("Cost assumed", f"{card['cost']['points']:g} points + {card['cost']['bp']:g} bp"),
        ("Leak certificate", looked),
        ("Misses a leak in 5 % of rows", _parts.percent(chance, 2)),
        ("Data hash", f"{card['fingerprint'][:12]}…"),
        ("Code hash", f"{card['code_hash'][:12]}…"),
        ("Configuration hash", f"{card['config_hash'][:12]}…"),
    ]  # fmt: skip


def _day(instant: str | None) -> str:
    return _parts.MISSING if instant is None else instant[:10]


def traded(card: Mapping[str, Any]) -> list[tuple[str, object]]:
    """The traded series: trades, net R, deflated Sharpe ratio, the baseline that takes all."""
    net = card["net_r"]
    every = net["every_trade"]
    few = net["too_few"]
    said = "no figure below 30 trades"
    return [
        ("Trades", f"{_parts.thousands(net['trades'])} of {_parts.thousands(net['chances'])}"),
        ("Net R in all", said if few else _parts.signed(net["net_r"], 1, "R")),
        ("Every trade taken", said if few else _parts.signed(every["net_r"], 1, "R")),
        ("Profit factor", _parts.number(net["profit_factor"], 2)),
        ("Sharpe ratio a day", said if few else _parts.number(net["sharpe"], 3)),
        ("Deflated, to reach 0.95", _parts.number(net["dsr"], 3)),
        ("Break-even cost, multiple", _parts.number(net["break_even_cost_multiple"], 2)),
    ]


def _acts_row(slot: str, version: str, role: str) -> None:
    serves = role == "champion"
    with st.container(horizontal=True, gap="small", key="acts"):
        for act, text, icon, off in (
            ("promote", "Promote…", "upgrade", serves),
            ("roll_back", "Roll back…", "undo", not serves),
            ("archive", "Archive…", "archive", serves),
            ("keep_best", "Keep the best…", "filter_list", False),
        ):
            st.button(
                text, icon=f":material/{icon}:", key=act, disabled=off, on_click=_acts.ask,
                args=(act, slot, version),
            )  # fmt: skip


def history(slot: str) -> None:
    """Promotions, roll-backs and archivings of a slot, newest first."""
    acts = _ui.hub().history(slot).sort_values("at", ascending=False)
    said = "append-only" if len(acts) else "nothing has been decided yet"
    with st.container(horizontal=True, vertical_alignment="center", key="history_head"):
        title = _parts.section_title("History", f"{slot} · {said}", inline=True)
        st.html(str(title), width="content")
        st.space("stretch")
        _ui.csv_button(acts, "history")
    if acts.empty:
        return
    rows = [
        (f"{at:%Y-%m-%d %H:%M}", act.replace("_", " "), version, reason, actor)
        for at, act, version, reason, actor in acts[
            ["at", "act", "version", "reason", "actor"]
        ].head(8).itertuples(index=False)
    ]  # fmt: skip
    column = _parts.Column
    heads = [column("At, UTC"), column("Act"), column("Version"), column("Reason"),
             column("By", phone=False)]  # fmt: skip
    _ui.show(_parts.small_table(heads, rows))
