"""Pieces of the Training page: the retrain strip, the form, the live run and what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd
import streamlit as st

from mlcore.errors import OpenrangeError
from mlcore.hub import Job
from pages import _acts, _charts, _parts, _runs, _ui
from pages._cards import (
    MEASURES,
    compare_table,
    fold_frame,
    headline_bar,
    headline_sentence,
    model_title,
    target_title,
    told,
)
from pages._tables import run_table

__all__ = [
    "RUNS",
    "choose_run",
    "form",
    "past_runs",
    "retrain_strip",
    "show_newest",
    "show_run",
]

RUNS: Final = ("train", "retrain")
TARGETS: Final = ("orb_direction", "orb_quality", "orb_r", "signal")
MODELS: Final = ("lightgbm", "logistic")
WINDOWS: Final = {
    "500 / 100 / 50 rows": None,
    "120 / 20 / 10 days": "120d,20d,10d",
    "60 / 10 / 5 days": "60d,10d,5d",
}


def _age(at: pd.Timestamp) -> str:
    return _parts.duration((_ui.hub().now() - at).total_seconds())


def open_run(job_id: str) -> None:
    """Show a run, also after a reload: its id stands in the URL."""
    st.query_params["job"] = job_id
    st.rerun()


# --- retrain


def retrain_strip() -> None:
    """A button for every slot that has a champion, the oldest champion first."""
    models = _ui.hub().models()
    served = models[models["role"] == "champion"].sort_values("created_at")
    if served.empty:
        return
    with st.container(border=True, key="pn_one", gap="small"):
        text = "Each makes a challenger. The champion stays until a person promotes."
        _ui.show(_parts.section_title("One-click retrain", text, inline=True))
        with st.container(horizontal=True, gap="small", key="retrain_buttons"):
            for slot, at in served[["slot", "created_at"]].itertuples(index=False):
                words = f"{slot} · champion is {_age(at)} old"
                if st.button(words, icon=":material/autorenew:", key=f"retrain_{slot}"):
                    open_run(_ui.hub().retrain(slot))


# --- a new run


def form(listed: pd.DataFrame) -> None:
    """What to train, what it would have to work with, and the button that starts it."""
    with st.container(border=True, key="pn_form", gap="small"):
        _ui.show(_parts.section_title("New run"))
        newest = listed.sort_values("last", ascending=False, kind="stable")
        pairs = list(newest[["symbol", "timeframe"]].itertuples(index=False, name=None))
        wanted = (st.query_params.get("symbol"), st.query_params.get("timeframe"))
        symbol, timeframe = st.selectbox(
            "Bars", pairs, index=pairs.index(wanted) if wanted in pairs else 0, key="bars",
            format_func=lambda pair: f"{pair[0]} · {pair[1]}",
        )  # fmt: skip
        targets = [t for t in TARGETS if t == "signal" or timeframe != "1d"]
        target = st.selectbox("Target", targets, format_func=target_title, key="target")
        model = st.pills(
            "Model", MODELS, default=MODELS[0], format_func=model_title, key="model", required=True
        )
        windows = st.selectbox(
            "Walk-forward: train, test, step", WINDOWS, key="windows",
            help="Rows are rounded up to whole trading days, and never fewer than 60 / 10 / 5",
        )  # fmt: skip
        asked = {"symbol": symbol, "timeframe": timeframe, "model": str(model),
                 "walk_forward": WINDOWS[windows]}  # fmt: skip
        ready = _before(str(target), **asked)
        if st.button(
            "Start training", type="primary", width="stretch", icon=":material/play_arrow:",
            key="start", disabled=not ready,
        ):  # fmt: skip
            open_run(_ui.hub().train(str(target), **asked))


@st.cache_data(ttl=300, max_entries=32, show_spinner="Counting the rows of this run")
def _readiness(home: str, versions: int, target: str, **asked: Any) -> dict[str, Any]:
    return _ui.hub().readiness(target, **asked)


def _before(target: str, **asked: Any) -> bool:
    """The panel *before you start*; whether the run can start."""
    _ui.show(_parts.section_title("Before you start"))
    try:
        made = len(_ui.hub().models(archived=True))  # each was proved: its certificate is known
        found = _readiness(str(_ui.hub().settings.home), made, target, **asked)
    except OpenrangeError as error:
        _ui.show_error(error)
        return False
    _ui.show(_parts.gate_rows(_conditions(found)))
    if found["problems"]:
        _ui.show(_parts.callout("This run cannot start.", found["problems"][0]))
        return False
    _ui.show(_parts.callout(*_detectable(found)))
    return True


def _conditions(found: Mapping[str, Any]) -> list[tuple[bool | None, str, object]]:
    """Rows, smallest class, missing share and certificate, each with its figure."""
    enough = found["rows"] >= found["needed"]
    missing, budget = found["missing_share"], found["missing_budget"]
    rows: list[tuple[bool | None, str, object]] = [
        (enough, "Rows with a known answer", _parts.thousands(found["rows"])),
        (enough, "Rows the model family needs", _parts.thousands(found["needed"])),
    ]
    if found["smallest_class"] is not None:
        name, n = found["smallest_class"], found["smallest_n"]
        rows.append((n >= 20 or None, f"Smallest class, {name}", _parts.thousands(n)))
    share = f"{_parts.percent(missing, 1)} of {_parts.percent(budget)}"
    rows.append((True if missing <= budget else None, "Missing values", share))
    state = found["certificate"]
    proof = {"clean": "clean", "void": "void: proved again first"}.get(state, "proved first")
    rows.append((state == "clean" or None, "Leak certificate", proof))
    return rows


def _detectable(found: Mapping[str, Any]) -> tuple[str, str]:
    least, about = found["detectable"], f"About {_parts.duration(found['seconds'])}."
    rows = f"{_parts.thousands(found['scored'])} rows in {_parts.thousands(found['folds'])} folds"
    if least is None:
        return "This run could show no difference.", f"{rows} are too few for a figure. {about}"
    traded = found["traded"]
    size = f"{least:.2f} R" if traded else f"{100 * least:.1f} points"
    return (
        f"This run could show a difference of {size} or more.",
        f"Smaller ones stay hidden in {rows}. {about}",
    )


# --- the run at hand


def choose_run() -> Job | None:
    """The run in the URL, else one that is under way, else the newest."""
    asked = st.query_params.get("job")
    if asked:
        return _ui.hub().job(asked)
    found = [job for job in _ui.hub().jobs(50) if job.name in RUNS]
    return next((job for job in found if not job.is_ended), found[0] if found else None)


def _title(job: Job) -> str:
    told_so = job.arguments
    slot = told_so.get("slot") or "-".join(
        str(told_so.get(name, "")) for name in ("target", "symbol", "timeframe")
    )
    return f"{slot} · {model_title(told_so['model'])}" if "model" in told_so else str(slot)


def show_run(job: Job) -> None:
    """The run: live while it lasts, with what came of it afterwards."""
    live = not job.is_ended
    with st.container(border=True, key="pn_run" if live else "pn_ended", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center"):
            kind = "challenger" if job.name == "retrain" else "run"
            title = _parts.quote_line(_title(job), [(kind, job.id)])
            st.html(str(title), width="content")
            st.space("stretch")
            if live and st.button(
                "Stop", icon=":material/stop:", type="tertiary", key="stop",
                disabled=job.cancel_asked,
            ):  # fmt: skip
                _ui.hub().cancel(job.id)
                st.rerun()
        if not live:
            _ended(job)
        st.fragment(_follow, run_every=1 if live else None)(job.id, live)


def _view(job_id: str) -> _runs.RunView:
    """What the run has told, read on from where this session stopped."""
    held = st.session_state.setdefault("runs", {})
    view: _runs.RunView = held.setdefault(job_id, _runs.RunView())
    return view.read(_ui.hub().job_events(job_id, view.seq))


def _follow(job_id: str, live: bool) -> None:
    """Polled every second; draws what changed, and the whole page once the run has ended."""
    hub = _ui.hub()
    job = hub.job(job_id)
    view = _view(job_id)
    if live and job.is_ended:
        st.rerun()
    worth = hub.settings.worth.model_dump()
    if live:
        _ui.show(_runs.progress(view, job.started_at, hub.now().value))
        if job.cancel_asked:
            _ui.show(_parts.note("Stopping at the next look; nothing of this run is registered."))
    folds, pooled = st.columns([1.7, 1], gap="medium")
    with folds:
        name = MEASURES[view.folds[-1]["measure"]][0] if view.folds else "Difference"
        _ui.show(_parts.section_title(f"Folds: {name} − best baseline"))
        figure = _runs.folds_figure(view, worth)
        alt = f"{len(view.folds)} of {view.total} folds against the best baseline"
        st.plotly_chart(figure, theme=None, config=_charts.STATIC, key="run_folds", alt=alt)
    with pooled:
        _ui.show(_parts.section_title(f"Pooled, {len(view.folds)} folds"))
        _ui.show(_runs.pooled_bar(view, worth) if live else _pooled_after(job))
    loss, log = st.columns([1, 1.1], gap="medium")
    with loss:
        at = "" if view.loss is None else f", fold {view.loss['index'] + 1}"
        _ui.show(_parts.section_title(f"Loss{at}"))
        figure = _runs.loss_figure(view)
        st.plotly_chart(
            figure, theme=None, config=_charts.STATIC, key="run_loss",
            alt="Training and validation loss by round",
        )  # fmt: skip
    with log:
        _ui.show(_parts.section_title("Log, UTC"))
        st.code(_runs.log_text(view) or "waiting for the first line", language=None, height=190)


def _made(job: Job) -> tuple[str, str] | None:
    result = job.result or {}
    return (result["slot"], result["version"]) if "version" in result else None


def _pooled_after(job: Job) -> _parts.Html:
    made = _made(job)
    if made is None:
        return _parts.note("No verdict: the run did not reach its last fold.")
    verdict = _ui.hub().card(*made)["verdict"]
    return headline_bar(told(verdict), verdict, big=False)


def _ended(job: Job) -> None:
    """What came of the run: verdict and acts, or the reason why there is none."""
    made = _made(job)
    if made is not None:
        _verdict(*made)
        return
    said = job.error or {"message": "A person stopped it.", "code": job.state}
    title = "The run was stopped" if job.state == "cancelled" else "The run failed"
    text = "Nothing was registered; the champion goes on. " + str(said["message"])
    _ui.show(_parts.error_box(title, text, str(said.get("code", ""))))


def _verdict(slot: str, version: str) -> None:
    """The verdict on a version, what can be done with it, and the present champion beside it."""
    judged = _ui.hub().card(slot, version)["verdict"]
    verdict = told(judged)
    bar = headline_bar(verdict, judged)
    _ui.show(_parts.verdict_banner(verdict, headline_sentence(verdict, judged), bar))
    serving = _acts.champion(slot)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        if serving == version:
            st.html(str(_parts.badge("phase", "CHAMPION")), width="content")
        else:
            st.button(
                "Promote…", icon=":material/upgrade:", key="run_promote", type="primary",
                on_click=_acts.ask, args=("promote", slot, version),
            )  # fmt: skip
        if st.button("Open card", icon=":material/deployed_code:", key="run_card"):
            st.switch_page("pages/models.py", query_params={"slot": slot, "version": version})
    if serving is not None and serving != version:
        with st.expander("Against the present champion", expanded=True):
            pair = _ui.hub().compare(slot, serving, version)
            _ui.show(compare_table(pair, ("Champion", "This run")))


def show_newest(runs: pd.DataFrame) -> None:
    """The newest version that was trained by command, where no run was started here."""
    made = runs[runs["state"] == "done"]
    if made.empty:
        text = (
            "Choose what to learn and start: folds appear here one by one, each against the best "
            "baseline on the same rows."
        )
        _ui.show(_parts.empty_state("No run yet", text))
        return
    slot, version = str(made["slot"].iloc[0]), str(made["version"].iloc[0])
    with st.container(border=True, key="pn_ended", gap="small"):
        _ui.show(_parts.quote_line(slot, [("newest run", version)]))
        _verdict(slot, version)
        card = _ui.hub().card(slot, version)
        title, measure = MEASURES[card["verdict"]["measure"]]
        _ui.show(_parts.section_title(f"Folds: {title} − best baseline"))
        figure = _charts.fold_chart(
            fold_frame(card["folds"]), total=len(card["folds"]), worth=card["verdict"]["worth"],
            measure=measure,
        )  # fmt: skip
        st.plotly_chart(
            figure, theme=None, config=_charts.STATIC, key="newest_folds",
            alt="Difference to the best baseline by fold, and pooled",
        )  # fmt: skip


# --- past runs

CC = st.column_config
RUN_COLUMNS: Final = {
    "ended": CC.DatetimeColumn("Ended, UTC", format="DD MMM YYYY HH:mm", width=130),
    "run": CC.TextColumn("Run", width=250),
    "state": CC.MultiselectColumn("State", width=90, **_parts.chip_options("run")),
    "verdict": CC.MultiselectColumn("Verdict", width=120, **_parts.chip_options("verdict")),
    "evidence": CC.ImageColumn("worse ◂ baseline ▸ better", width=240),
    "difference": CC.TextColumn("Δ", alignment="right", width=80),
    "n": CC.NumberColumn("n", alignment="right", format="localized", width=70),
    "seconds": CC.NumberColumn("Took, s", alignment="right", format="%.0f", width=70),
    "why": CC.TextColumn("Why it failed", width=300),
}


def past_runs() -> None:
    """Runs of this home, newest first, failed ones with their reason; a row opens its run."""
    runs = _settled_states(_ui.hub().runs(50))
    models = _ui.hub().models(archived=True)
    verdicts = {
        (str(slot), str(version)): meta["verdict"]
        for slot, version, meta in models[["slot", "version", "meta"]].itertuples(index=False)
        if "verdict" in meta
    }
    said = f"failed ones included · {len(runs)} shown" if len(runs) else "none yet"
    with st.container(horizontal=True, vertical_alignment="center", key="runs_head"):
        st.html(str(_parts.section_title("Past runs", said, inline=True)), width="content")
        st.space("stretch")
        _ui.csv_button(runs, "training_runs")
    if runs.empty:
        return
    table = run_table(runs, verdicts)
    chosen = st.dataframe(
        table.drop(columns="job"), hide_index=True, row_height=34, height="content",
        key="past_runs", placeholder="—", alt="Past training runs", on_select="rerun",
        selection_mode="single-row", column_config=RUN_COLUMNS,
    )  # fmt: skip
    picked = chosen["selection"]["rows"]
    job = table["job"].iloc[picked[0]] if picked else None
    if job and st.session_state.get("run_picked") != picked[0]:
        st.session_state["run_picked"] = picked[0]
        open_run(str(job))


def _settled_states(runs: pd.DataFrame) -> pd.DataFrame:
    """Runs whose process is gone are failed, whatever their row still says."""
    found = runs.copy()
    for at in found.index[(found["state"] == "running") & found["job_id"].notna()]:
        job = _ui.hub().job(str(found.at[at, "job_id"]))
        if job.is_ended:
            found.loc[at, ["state", "ended_at"]] = [job.state, job.ended_at]
            found.at[at, "error"] = json.dumps(job.error) if job.error else None
    return found
