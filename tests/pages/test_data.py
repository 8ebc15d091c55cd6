"""Data: what there is, an import with its few questions, and errors that lose nothing."""

import io
import os
import time

import pandas as pd
import pytest

from mlcore.errors import BarsError
from mlcore.hub import Hub
from pages import _data_parts as data
from tests.pages.conftest import text_of

NAIVE = "Date,Open,High,Low,Close,Volume\n" + "\n".join(
    f"{stamp:%Y-%m-%d %H:%M},1.0{i % 7},1.1,0.9,1.0{i % 5},{i + 1}"
    for i, stamp in enumerate(pd.date_range("2026-03-02", periods=300, freq="15min"))
)
AWARE = "\n".join(
    [NAIVE.splitlines()[0]]
    + [f"{line[:10]}T{line[11:16]}:00Z{line[16:]}" for line in NAIVE.splitlines()[1:]]
)


class Upload:
    """A file as the uploader hands it over."""

    def __init__(self, name, text, file_id="f-1"):
        self.name, self.file_id, self.text = name, file_id, text

    def getbuffer(self):
        return memoryview(self.text.encode())


@pytest.fixture
def upload(monkeypatch):
    """Let the uploader hold these files, since the page tester cannot choose any."""
    chosen = []
    monkeypatch.setattr("streamlit.file_uploader", lambda *args, **kwargs: list(chosen))
    return chosen


def field(at, name):
    """The input of the import form whose key starts with a name."""
    kinds = (*at.text_input, *at.selectbox, *at.button_group)
    return next(w for w in kinds if w.key and w.key.startswith(name))


def test_an_empty_home_offers_the_demo_and_an_import(run_page, tmp_path):
    at = run_page("data", tmp_path)
    assert "No bars yet" in text_of(at)
    assert at.button(key="demo").label == "Make demo data"
    assert len(at.get("file_uploader")) == 1


def test_symbols_and_imports_are_listed(run_page, bars_home):
    text = text_of(run_page("data", bars_home))
    assert text.count("SIMULATED") == 2
    assert "Simulated, around the clock" in text
    assert "Unchanged" in text


def test_only_the_zone_is_asked_of_naive_stamps(run_page, tmp_path, upload):
    upload.append(Upload("eurusd_15m.csv", NAIVE))
    at = run_page("data", tmp_path)
    text = text_of(at)
    assert "One question: Times without an offset need a zone" in text
    assert field(at, "as_name").value == "EURUSD"
    assert at.button(key="import").disabled
    assert not [w for w in at.selectbox if w.key.startswith("as_timeframe")]
    assert "2026-03-02 00:15" in text


def test_an_answered_question_lets_the_import_through(run_page, tmp_path, upload):
    upload.append(Upload("eurusd_15m.csv", NAIVE))
    at = run_page("data", tmp_path)
    field(at, "as_zone").select("America/New_York").run()
    assert "One question" not in text_of(at)
    assert "02 Mar 2026 05:00 UTC" in text_of(at)
    assert not at.button(key="import").disabled
    upload_kept = list(tmp_path.glob("data/uploads/*/*"))
    assert [path.name for path in upload_kept] == ["eurusd_15m.csv"]
    upload.clear()
    at = again(at, upload, "eurusd_15m.csv", NAIVE)
    text = text_of(at)
    assert "EURUSD 15m: 300 bars imported" in text
    assert not list(tmp_path.glob("data/uploads/*"))
    bars = Hub.open(tmp_path).bars("EURUSD", "15m")
    assert len(bars) == 300
    assert bars["time"].iloc[0] == pd.Timestamp("2026-03-02 05:00", tz="UTC")


def again(at, upload, name, text):
    """Press import while the file is chosen; afterwards the uploader is empty, as in a browser."""
    upload.append(Upload(name, text))
    real = Hub.ingest

    def ingest(self, *args, **kwargs):
        upload.clear()
        return real(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hub, "ingest", ingest)
        return at.button(key="import").click().run()


def test_stamps_with_a_zone_ask_nothing(run_page, tmp_path, upload):
    upload.append(Upload("abc.csv", AWARE))
    at = run_page("data", tmp_path)
    assert "One question" not in text_of(at)
    assert not [w for w in at.selectbox if w.key.startswith("as_zone")]
    assert at.button(key="import").label == "Import 300 bars"
    assert not at.button(key="import").disabled


def test_a_wrong_answer_is_said_and_the_form_stays(run_page, tmp_path, upload, monkeypatch):
    monkeypatch.setattr(data, "ZONES", ("London",))  # the page tester picks from the list alone
    upload.append(Upload("eurusd_15m.csv", NAIVE))
    at = run_page("data", tmp_path)
    field(at, "as_zone").select("London").run()
    text = text_of(at)
    assert "E_BARS_ZONE_NAME" in text
    assert "What the file holds" in text
    assert at.button(key="import").disabled


def test_a_file_that_is_no_bars_is_an_error_with_a_code_and_nothing_is_lost(
    run_page, bars_home, upload
):
    before = Hub.open(bars_home).symbols()["rows"].tolist()
    upload.append(Upload("notes.csv", "a,b\n1,<script>alert(1)</script>\n"))
    at = run_page("data", bars_home)
    text = text_of(at)
    assert "E_BARS_" in text
    assert "<script>alert" not in text
    assert str(bars_home) not in text
    assert "Symbols with bars" in text
    assert Hub.open(bars_home).symbols()["rows"].tolist() == before


def test_a_failing_import_keeps_the_form_and_says_why(run_page, tmp_path, upload, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise BarsError("A bar's high is its highest – row 7 is not – mend it.", code="E_BARS_HIGH")

    monkeypatch.setattr(Hub, "ingest", refuse)
    upload.append(Upload("abc.csv", AWARE))
    at = run_page("data", tmp_path)
    at.button(key="import").click().run()
    assert "E_BARS_HIGH" in text_of(at)
    assert at.button(key="import").label == "Import 300 bars"


def test_a_hostile_file_name_stays_inside_its_folder_and_is_escaped(tmp_path):
    upload = Upload("../../<img src=x>.csv", "x", file_id="../up")
    place = data.keep_upload(tmp_path / "uploads", upload)
    assert place.is_relative_to(tmp_path / "uploads")
    assert place.name == "_img_src_x_.csv"
    assert place.parent.name == "up"
    assert place.read_text() == "x"


def test_uploads_nobody_imported_are_swept_after_a_day(tmp_path):
    old = data.keep_upload(tmp_path, Upload("a.csv", "x", "old")).parent
    new = data.keep_upload(tmp_path, Upload("b.csv", "x", "new")).parent
    past = time.time() - 90_000
    os.utime(old, (past, past))
    data.sweep_uploads(tmp_path)
    assert not old.exists()
    assert new.exists()


@pytest.mark.parametrize(
    ("name", "symbol"),
    [("xauusd_5m.csv", "XAUUSD"), ("BRK.B daily.parquet", "BRK.B"), ("__.csv", "")],
)
def test_a_symbol_is_guessed_from_the_name(name, symbol):
    assert data.guess_symbol(name) == symbol


def test_months_and_numbers_name_no_symbol_and_several_files_share_it():
    names = ["2014 JAN NIFTY.txt", "2014 MARCH NIFTY.txt", "2014 MUHURAT NIFTY.txt"]
    assert data.guess_symbol(names[0]) == data.guess_symbol(*names) == "NIFTY"
    assert data.guess_symbol("eurusd.csv", "gbpusd.csv") == data.guess_symbol("2014_06.csv") == ""
    assert data.guess_symbol("MARA 5m.csv") == "MARA"  # March it is not


def test_pulls_of_a_feed_are_one_row():
    row = {
        "id": 1, "imported_at": 10**18, "symbol": "SIM-EDGE", "timeframe": "5m",
        "source": "simulated", "sha256": "", "read": 5, "added": 5, "revised": 0, "unchanged": 0,
        "first": 10**18, "last": 10**18, "notes": "[]", "snapshot": 3,
    }  # fmt: skip
    rows = [row, {**row, "id": 2, "read": 1, "added": 1}, {**row, "id": 3, "sha256": "ab"}]
    frame = data.imports_frame(pd.DataFrame(rows))
    assert frame["Added"].tolist() == [5, 6]
    assert frame["Notes"].tolist() == ["", "2 pulls"]


def test_long_tables_scroll():
    row = {name: "x" for name in ("Symbol", "Timeframe")}
    assert data.symbols_table(pd.DataFrame([row] * 9)) is None


def test_missing_volumes_are_dashes_and_decimals_even():
    frame = pd.read_csv(io.StringIO("open,close,volume\n1.5,1.25,\n2,2.125,\n"))
    frame.insert(0, "time", pd.to_datetime(["2026-01-01", "2026-01-02"]))
    html = data._sample(frame, "UTC")
    assert html.count("—") == 2
    assert "1.250" in html
    assert "2.0" in html


LEAN = "\n".join(
    f"{stamp:%Y%m%d %H:%M},1.10,1.12,1.09,1.11,0,1.11,1.13,1.10,1.12,0"
    for stamp in pd.date_range("2026-03-02", periods=200, freq="1h")
)


def test_the_side_of_a_quote_is_asked(run_page, tmp_path, upload):
    upload.append(Upload("eurusd_1h.csv", LEAN))
    at = run_page("data", tmp_path)
    assert "One question: A bar has one price" in text_of(at)
    assert "choose bid, ask or mid" in text_of(at)  # no option of the command
    assert at.button(key="import").disabled
    field(at, "as_quote").select("mid").run()
    assert "A bar has one price" not in text_of(at)


def test_stamps_that_look_like_ends_are_asked_and_nothing_is_chosen_beforehand(
    run_page, tmp_path, upload
):
    lines = [f"{s:%Y-%m-%dT%H:%M:%S}Z,1.0,1.1,0.9,1.05,{i}" for i, s in enumerate(
        pd.date_range("2026-03-02 00:04:59", periods=300, freq="5min"))]  # fmt: skip
    upload.append(Upload("abc.csv", "\n".join(["time,open,high,low,close,volume", *lines])))
    at = run_page("data", tmp_path)
    assert "One question: A stamp is the bar&#x27;s start or its end" in text_of(at)
    assert field(at, "as_stamp").value is None
    assert at.button(key="import").disabled
    field(at, "as_stamp").select("end").run()
    assert "One question" not in text_of(at)
    assert not at.button(key="import").disabled


def scaled(text, factor):
    frame = pd.read_csv(io.StringIO(text))
    frame[["Open", "High", "Low", "Close"]] *= factor
    return frame.to_csv(index=False)


def test_another_instrument_under_a_name_stops_until_a_person_says_so(run_page, tmp_path, upload):
    first = tmp_path / "abc.csv"
    first.write_text(AWARE)
    Hub.open(tmp_path).ingest(first, symbol="ABC")
    upload.append(Upload("abc_new.csv", scaled(AWARE, 50)))
    at = run_page("data", tmp_path)
    assert field(at, "as_name").value == "ABC"
    at.button(key="import").click().run()
    text = text_of(at)
    assert "E_BARS_IDENTITY" in text
    at.checkbox[0].check().run()
    assert at.checkbox[0].label == "Go on all the same"
    assert at.session_state["answers"]["accept_doubts"]


def test_files_of_many_symbols_are_imported_each_under_its_name(run_page, tmp_path, upload):
    good, bad = scaled(AWARE, 1), "a,b\n1,2\n"
    names = [("alpha_15m.csv", good), ("beta_15m.csv", scaled(AWARE, 3)), ("gamma_15m.csv", bad)]
    upload.extend(Upload(name, text, f"f-{i}") for i, (name, text) in enumerate(names))
    at = run_page("data", tmp_path)
    text = text_of(at)
    assert field(at, "as_many").value == "each"
    assert all(name in text for name, _ in names)
    assert "× gamma_15m.csv" in text
    assert at.button(key="import_each").label == "Import 3 files"
    real = Hub.ingest_each

    def ingest_each(self, *args, **kwargs):
        upload.clear()
        return real(self, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Hub, "ingest_each", ingest_each)
        at.button(key="import_each").click().run()
    text = text_of(at)
    assert "✓ 2 of 3 files imported" in text
    assert sorted(Hub.open(tmp_path).symbols()["symbol"]) == ["ALPHA", "BETA"]
    told = next(shown.value for shown in at.dataframe if "Why" in shown.value)
    assert told["State"].tolist() == ["× refused", "✓ imported", "✓ imported"]
    assert told["Read"].tolist() == [0, 300, 300]
    assert told["Why"].iloc[0]
    assert not list(tmp_path.glob("data/uploads/*"))


def test_a_refused_file_is_seen_before_the_import_however_many_there_are(
    run_page, tmp_path, upload
):
    names = [f"{chr(97 + i) * 3}_15m.csv" for i in range(9)]
    upload.extend(Upload(n, AWARE, f"f-{i}") for i, n in enumerate(names))
    upload.append(Upload("zzz_15m.csv", "", "f-9"))
    at = run_page("data", tmp_path)
    told = next(shown.value for shown in at.dataframe if "Left open" in shown.value)
    assert told["File"].tolist() == [*names, "zzz_15m.csv"]
    assert told["Left open"].iloc[-1].startswith("× ")
    assert set(told["Left open"].iloc[:-1]) == {"nothing"}


def test_files_of_one_symbol_stay_one_import(run_page, tmp_path, upload):
    half = AWARE.splitlines()
    upload.append(Upload("abc_2026-03.csv", "\n".join(half[:150]), "f-1"))
    upload.append(Upload("abc_2026-04.csv", "\n".join([half[0], *half[150:]]), "f-2"))
    at = run_page("data", tmp_path)
    assert field(at, "as_many").value == "one"
    assert at.button(key="import").label == "Import 300 bars"
    field(at, "as_many").select("each").run()
    assert at.button(key="import_each").label == "Import 2 files"


def test_options_of_the_command_are_fields_on_the_page():
    from mlcore.market.sources import loading

    question = (
        "Times without an offset need a zone – a.csv (column time) has none and none was declared "
        "– add --timezone, most likely Europe/Athens: trading reopens there; nothing was imported."
    )
    html = data.question_notice(question)
    assert "choose the clock of the stamps, most likely Europe/Athens" in html
    assert "--" not in html
    assert "nothing was imported" not in html
    assert set(loading._ASKED) >= {"E_BARS_ZONE", "E_BARS_QUOTE", "E_BARS_SIDE", "E_BARS_MEMBER"}


def test_a_universe_of_symbols_is_listed_at_once():
    count = 5000
    stamps = pd.date_range("2020-01-01", periods=count, freq="h", tz="UTC")
    listed = pd.DataFrame(
        {
            "symbol": [f"S{i}" for i in range(count)], "timeframe": ["1d", "5m"] * (count // 2),
            "rows": 100, "first": stamps, "last": stamps, "revisions": 0, "market": "us_equity",
            "source": "x.csv", "simulated": False,
        }
    )  # fmt: skip
    begun = time.perf_counter()
    frame = data.symbols_frame(listed, {}, [""] * count)
    assert time.perf_counter() - begun < 1.0
    assert frame["Last, UTC"].tolist()[:2] == ["01 Jan 2020", "01 Jan 2020 01:00"]
    assert data.symbols_table(frame) is None
    assert data.counts_config(frame)["Bars"]["type_config"]["format"] == "localized"
