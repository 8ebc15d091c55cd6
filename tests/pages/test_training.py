"""Training: what a run has to work with, its folds while it lasts, what came of it."""

from mlcore.hub import Hub
from pages import _runs
from tests.homes import DIRECTION, QUALITY
from tests.pages.conftest import text_of

WORTH = {"accuracy": 0.02, "net_r": 0.05, "skill": 0.01}
NOTE = "NONE has 0 training rows, too few to learn"


def fold(index, total=12, n=100, difference=0.01, pooled_n=None):
    few = n < 30
    return {
        "index": index, "total": total, "test_start": 20514 + 10 * index,
        "test_end": 20523 + 10 * index, "n": n, "difference": None if few else difference,
        "low": None if few else difference - 0.05, "high": None if few else difference + 0.05,
        "pooled_n": n * (index + 1) if pooled_n is None else pooled_n, "pooled_difference": 0.005,
        "pooled_low": -0.023, "pooled_high": 0.033, "baseline": "mechanical",
        "measure": "accuracy", "seconds": 0.4,
    }  # fmt: skip


def events(folds, *, total=12, n=100):
    told = [("stage", {"text": "proving that no input sees the future"})]
    told.append(("stage", {"text": f"{total} folds, 2,380 rows"}))
    for index in range(folds):
        told.append(("note", {"index": index, "text": NOTE}))
        told.append(("loss", {"index": index, "train": [0.7, 0.6], "valid": [0.7, 0.65],
                              "kept": 2}))  # fmt: skip
        told.append(("fold", fold(index, total, n)))
    return told


def view_of(told):
    rows = [
        {"seq": i + 1, "at": i * 10**9, "kind": kind, "payload": payload}
        for i, (kind, payload) in enumerate(told)
    ]
    return _runs.RunView().read(rows)


def start_run(home, told, *, name="train"):
    """A run under way, with what it told so far; this process stands in for its child."""
    jobs = Hub.open(home).home.jobs
    asked = {"target": "orb_direction", "symbol": "SIM-EDGE", "timeframe": "5m",
             "model": "lightgbm"}  # fmt: skip
    job_id = jobs.submit(name, asked)
    jobs.begin(job_id)
    for kind, payload in told:
        jobs.event(job_id, kind, payload)
    return job_id


# --- what the events say


def test_new_events_are_read_once_and_a_repeated_note_is_said_once():
    view = view_of(events(7))
    assert (len(view.folds), view.total, view.is_whole) == (7, 12, False)
    assert _runs.log_text(view).count(NOTE) == 1
    first = _runs.log_text(view).splitlines()[0]
    assert first == "00:00:22  fold 7    done   +1.0 pp vs mechanical rule   n 100"


def test_progress_tells_fold_dates_and_time_left_at_the_pace_so_far():
    html = _runs.progress(view_of(events(7)), 0, 28 * 10**9)
    assert 'aria-valuenow="7"' in html
    assert "<b>Fold 7 of 12</b>" in html
    assert "fitting the next · tested 2026-05-01 … 2026-05-10" in html
    assert "28 s gone, about 19 s left" in html  # 27 s for 7 folds since the second stage


def test_before_the_first_fold_no_fold_is_counted():
    html = _runs.progress(view_of(events(0)), None, 0)
    assert "Preparing" in html
    assert "0 of" not in html
    assert "2,380 rows" in html


def test_running_folds_have_no_verdict_before_the_last():
    html = _runs.pooled_bar(view_of(events(7)), WORTH)
    assert "or-k-live" in html
    assert "No verdict before fold 12: a look in between is not a test." in html
    assert not any(f"or-k-{kind}" in html for kind in ("edge", "none", "unsure", "worse"))


def test_below_thirty_outcomes_a_fold_has_no_figure():
    view = view_of([("fold", fold(0, n=12))])
    assert "too few outcomes for a figure" in _runs.log_text(view)
    assert "%" not in _runs.pooled_bar(view, WORTH).replace("width:40%", "")
    assert "12 of 30 outcomes" in _runs.pooled_bar(view, WORTH)


def test_the_fold_chart_shows_folds_to_come_on_the_baseline():
    figure = _runs.folds_figure(view_of(events(7)), WORTH)
    shapes = [t for t in figure.data if t.mode == "markers" and t.marker.symbol == "square-open"]
    assert list(shapes[0].x) == [8, 9, 10, 11, 12]


# --- the page


def test_an_empty_home_says_what_is_missing_and_offers_one_way_on(run_page, tmp_path):
    at = run_page("training", tmp_path)
    assert "No bars yet" in text_of(at)
    assert [b.label for b in at.button] == ["Make demo data", "Import bars"]


def test_too_little_history_is_told_before_anything_is_started(run_page, bars_home):
    at = run_page("training", bars_home, symbol="SIM-WALK", timeframe="5m")
    text = text_of(at)
    assert "Rows with a known answer" in text
    assert "This run cannot start." in text
    assert at.button(key="start").disabled
    assert "No run yet" in text


def test_a_champion_is_retrained_by_one_click_and_the_newest_run_is_judged(run_page, trained):
    at = run_page("training", trained)
    text = text_of(at)
    hub = Hub.open(trained)
    newest = hub.runs().iloc[0]
    assert hub.card(newest["slot"], newest["version"])["verdict"]["words"] in text
    labels = [b.label for b in at.button if str(b.key).startswith("retrain_")]
    assert len(labels) == 2
    assert all(str(slot) in " ".join(labels) for slot in (DIRECTION, QUALITY))
    table = at.dataframe[0].value
    assert list(table["state"].map(list)) == [["✓ done"], ["✓ done"]]
    assert all(address.startswith("data:image/svg+xml") for address in table["evidence"])


def test_a_run_says_beforehand_what_it_could_show(run_page, trained):
    at = run_page("training", trained)
    at.selectbox(key="windows").select("60 / 10 / 5 days").run()
    found = Hub.open(trained).readiness(
        "orb_direction", "SIM-EDGE", "5m", walk_forward="60d,10d,5d"
    )
    points = f"{100 * found['detectable']:.1f} points or more."
    assert f"This run could show a difference of {points}" in text_of(at)
    assert f"in {found['scored']:,} rows in {found['folds']} folds" in text_of(at)
    assert not at.button(key="start").disabled


def test_starting_a_run_puts_it_into_the_url(run_page, trained, monkeypatch):
    started = {}

    def train(self, target, **options):
        started.update(target=target, **options)
        return start_run(trained, events(3))

    monkeypatch.setattr(Hub, "train", train)
    at = run_page("training", trained)
    at.selectbox(key="windows").select("60 / 10 / 5 days").run()
    at.button(key="start").click().run()
    assert started == {
        "target": "orb_direction", "symbol": "SIM-EDGE", "timeframe": "5m", "model": "lightgbm",
        "walk_forward": "60d,10d,5d",
    }  # fmt: skip
    assert at.query_params["job"]
    assert "Fold 3 of 12" in text_of(at)


def test_a_reload_finds_the_run_and_stop_asks_it_to_end(run_page, trained):
    job_id = start_run(trained, events(7))
    at = run_page("training", trained, job=job_id)
    text = text_of(at)
    assert "Fold 7 of 12" in text
    assert "No verdict before fold 12" in text
    assert NOTE in at.code[0].value
    at.button(key="stop").click().run()
    assert Hub.open(trained).job(job_id).cancel_asked
    assert "Stopping at the next look" in text_of(at)


def test_a_run_under_way_is_shown_without_being_asked_for(run_page, trained):
    start_run(trained, events(5))
    assert "Fold 5 of 12" in text_of(run_page("training", trained))


def test_a_failed_run_says_why_and_what_goes_on(run_page, trained):
    job_id = start_run(trained, events(0))
    error = {"code": "E_TRAIN_TOO_FEW", "message": "Training needs 63 rows – 12 – import more."}
    Hub.open(trained).home.jobs.finish(job_id, "failed", error=error)
    text = text_of(run_page("training", trained, job=job_id))
    assert "The run failed" in text
    assert "Nothing was registered; the champion goes on." in text
    assert "Training needs 63 rows" in text
    assert "E_TRAIN_TOO_FEW" in text


def test_a_finished_run_has_its_verdict_and_its_acts(run_page, trained):
    hub = Hub.open(trained)
    job_id = start_run(trained, events(12))
    version = hub.models(str(QUALITY))["version"].iloc[0]
    hub.home.jobs.finish(job_id, "done", result={"slot": str(QUALITY), "version": version})
    at = run_page("training", trained, job=job_id)
    assert hub.card(str(QUALITY), version)["verdict"]["words"] in text_of(at)
    assert "CHAMPION" in text_of(at)
    assert at.button(key="run_card").label == "Open card"
    assert not [b for b in at.button if b.key == "run_promote"]


def test_an_unknown_run_is_an_error_and_the_form_stays(run_page, trained):
    at = run_page("training", trained, job="nobody")
    assert "E_JOB_UNKNOWN" in text_of(at)
    assert "Before you start" in text_of(at)
    assert len(at.dataframe) == 1
