"""Files that are broken, odd or hostile: read right, or refused in words; never a traceback."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as options_of
from hypothesis import strategies as st

from mlcore.clock import MINUTE
from mlcore.config import load_settings
from mlcore.errors import BarsError
from mlcore.market.sources import load, preview, reading, sampling
from mlcore.schema import Bars

HEAD = "time,open,high,low,close,volume\n"
LINES = [f"2026-01-05 10:{5 * i:02}:00,{10 + i},{12 + i},{9 + i},{11 + i},{i + 1}\n"
         for i in range(8)]  # fmt: skip
CLEAN = HEAD + "".join(LINES)
ODD = "mend or remove that row; nothing was imported."


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return load_settings(tmp_path_factory.mktemp("home"))


@pytest.fixture
def read(tmp_path, settings):
    def reader(content, name="bars.csv", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        given = {"symbol": "XAUUSD", "timezone": "UTC", **options}
        return load(path, settings=settings, **given)

    return reader


def refusal(read, content, name="bars.csv", **options):
    with pytest.raises(BarsError) as caught:
        read(content, name, **options)
    return caught.value


def with_row(row, at=2):
    return HEAD + "".join([*LINES[:at], row + "\n", *LINES[at:]])


# -- structure ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (with_row("2026-01-05 11:00:00,1,2,1,2,3,9"),
         "Every row has the same columns – bars.csv row 4 has not (Expected Number of Columns: 6 "
         f"Found: 7) – {ODD}"),
        (with_row("2026-01-05 11:00:00,1,2"), "bars.csv row 4 has not (Expected Number of Columns"),
        (with_row('"2026-01-05 11:00:00,1,2,1,2,3'), "bars.csv row 4 has not – mend or remove"),
        (with_row("2026-01-05 11:00:00;1;2;1;2;3"), "bars.csv row 4 has not (Expected Number of"),
        (with_row("# a comment"), "bars.csv row 4 has not (Expected Number of Columns"),
        (CLEAN + LINES[0][:25], "bars.csv row 10 has not (Expected Number of Columns: 6 Found: 3)"),
        (with_row("2026-01-05 11:00:00," + "1" * 10_000_000 + ",1,1,1,1"),
         "bars.csv row 4 has not – mend or remove that row; nothing was imported."),
        ("x" * 10_000_000 + "\n" + CLEAN,
         "A line of bars is short – the first of bars.csv has more than 65,536 bytes – export one "
         "bar a line; nothing was imported."),
        (",".join(f"c{i}" for i in range(100_000)) + "\n", "the first of bars.csv has more than"),
    ],
)  # fmt: skip
def test_rows_that_are_not_like_the_others(read, content, text):
    error = refusal(read, content)
    assert error.code == "E_BARS_ROW"
    assert text in error.message


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        (with_row("Total,1,2,1,2,3"), "E_BARS_STAMP", "bars.csv row 4 has 'Total' – write it so"),
        (HEAD + LINES[0] + HEAD + LINES[1], "E_BARS_STAMP", "bars.csv row 3 has 'time'"),
        (with_row('"2026-01-05\n11:00:00",1,2,1,2,3'), "E_BARS_STAMP", "bars.csv row 4 has"),
        (CLEAN.encode("utf-32"), "E_BARS_FORMAT", "bars.csv is binary"),
        (b"\xff\xfe\x00\xd8\x00", "E_BARS_ENCODING",
         "Text files are UTF-8 or UTF-16 – bars.csv is neither"),
        (CLEAN.replace("open", "\u202eopen"), "E_BARS_COLUMN",
         "bars.csv has no open among time, \ufffdopen, high, low, close, volume – name it"),
        ("<html><td>,1,2,3,4,5\n", "E_BARS_STAMP", "bars.csv row 1 has '1'"),
        ("<html>,<p>,a,b,c\n", "E_BARS_COLUMN", "bars.csv has no open among <html>, <p>, a, b, c"),
        (b"\xd0\xcf\x11\xe0 workbook", "E_BARS_FORMAT", "bars.csv is an Excel workbook"),
    ],
)  # fmt: skip
def test_what_stands_where_bars_should(read, content, code, text):
    error = refusal(read, content)
    assert error.code == code
    assert text in error.message
    assert "\u202e" not in error.message


@pytest.mark.parametrize(
    "content",
    [
        CLEAN.replace("\n", "\r\n", 3),
        CLEAN.replace("\n", "\r"),
        CLEAN.replace("\n", "\r", 2),
        "\n".join([*CLEAN.splitlines(), "", ""]),
        CLEAN.encode("utf-16"),
        b"\xef\xbb\xbf" + CLEAN.replace(",", ";").encode(),
        "".join(",".join(f'"{x}"' for x in line.split(",")) + "\n" for line in CLEAN.split("\n")
                if line),
        CLEAN.replace(",", ", "),
    ],
)  # fmt: skip
def test_odd_but_whole_files_are_read(read, content):
    clean, *_ = read(CLEAN)
    bars, *_ = read(content)
    assert bars.time.tolist() == clean.time.tolist()
    assert bars.close.tolist() == clean.close.tolist()


def test_a_zip_named_csv_is_read_as_what_it_is(read):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("x.csv", CLEAN)
    assert len(read(held.getvalue())[0]) == 8


# -- time -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamp", "text"),
    [
        ("2300-01-01 00:00:00", "bars.csv row 4 has none that can be read (1 such rows)"),
        ("1600-01-01 00:00:00", "bars.csv row 4 has none that can be read"),
        ("2026-02-30 10:00:00", "bars.csv row 4 has none that can be read"),
        ("05/01/2026 11:00:00", "bars.csv row 4 has none that can be read"),
        ("2026-01-05 11:00:00Z", "bars.csv row 4 has none that can be read"),
        ("", "bars.csv row 4 has ''"),
        ("soon", "bars.csv row 4 has 'soon'"),
    ],
)
def test_a_time_that_is_none(read, stamp, text):
    error = refusal(read, with_row(f"{stamp},1,2,1,2,3"))
    assert error.code == "E_BARS_STAMP"
    assert text in error.message
    assert error.details["row"] == 4


def test_before_1970_and_half_days_of_twelve_hours(read):
    text = HEAD + "1969-12-31 23:55:00,1,2,1,2,3\n1970-01-01 00:00:00,1,2,1,2,3\n"
    assert read(text)[0].time.tolist() == [-5 * MINUTE, 0]
    text = HEAD + "01/15/2026 11:55:00 AM,1,2,1,2,3\n01/15/2026 12:00:00 PM,1,2,1,2,3\n"
    shown = [pd.Timestamp(int(t)).strftime("%H:%M") for t in read(text)[0].time]
    assert shown == ["11:55", "12:00"]


def test_two_units_of_epoch_in_one_file_are_refused(read):
    error = refusal(read, HEAD + "1700000000,1,2,1,2,3\n1700000300000,1,2,1,2,3\n")
    assert "bars.csv row 3 has none that can be read" in error.message
    error = refusal(read, HEAD + "1700000000000,1,2,1,2,3\n1700000300,1,2,1,2,3\n")
    assert "bars.csv row 3 has none that can be read" in error.message


def test_mixed_offsets_are_instants(read):
    text = HEAD + "2026-03-29 02:55:00+02:00,1,2,1,2,3\n2026-03-29 04:00:00+03:00,1,2,1,2,3\n"
    bars, *_ = read(text, timezone=None)
    assert np.diff(bars.time).tolist() == [5 * MINUTE]


def test_a_row_beside_the_grid_is_said(read):
    _, _, notes = read(CLEAN.replace("10:05:00", "10:05:07"))
    assert "1 rows stand off the grid of all others, bars.csv row 3 first" in notes


def test_a_month_that_is_there_twice(read):
    bars, _, notes = read(CLEAN + "".join(LINES))
    assert len(bars) == 8
    assert "8 rows repeated with the same values: left out" in notes
    error = refusal(read, CLEAN + LINES[0].replace(",1\n", ",2\n"))
    assert error.code == "E_BARS_DUPLICATE"


def test_descending_gaps_weekends_and_zero_volume_are_bars(read):
    clean, *_ = read(CLEAN)
    bars, _, notes = read(HEAD + "".join(reversed(LINES)))
    assert bars.close.tolist() == clean.close.tolist()
    assert "rows were not in order of time: sorted" in notes
    bars, *_ = read(HEAD + LINES[0] + LINES[1] + LINES[7] + "2026-01-10 10:00:00,1,2,1,2,0\n")
    assert len(bars) == 4
    assert bars.volume[-1] == 0


# -- values ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        ("N/A", "E_BARS_PRICE", "Every bar has a finite open – bars.csv row 4 has open nan"),
        ("-", "E_BARS_PRICE", "row 4 has open nan"),
        ("NaN", "E_BARS_PRICE", "row 4 has open nan"),
        ("1e400", "E_BARS_PRICE", "row 4 has open inf"),
        ('"1,234.56"', "E_BARS_VALUE", "A bar's open is a number – bars.csv row 4 has '1,234.56' – "
         "write numbers with a point and without a mark of thousands; nothing was imported."),
        ('"1.234,56"', "E_BARS_VALUE", "row 4 has '1.234,56' – write numbers with a point"),
        ('"=HYPERLINK(""http://x"")"', "E_BARS_VALUE", "row 4 has '=HYPERLINK(\"http://x\")'"),
        ("0x10", "E_BARS_VALUE", "row 4 has '0x10'"),
        ("true", "E_BARS_VALUE", "row 4 has 'true'"),
        ("１", "E_BARS_VALUE", r"row 4 has '\uff11'"),
        ("0", "E_BARS_OUTSIDE", "A bar's open lies between its low and its high – bars.csv row 4"),
    ],
)  # fmt: skip
def test_a_price_that_is_none(read, value, code, text):
    error = refusal(read, with_row(f"2026-01-05 11:00:00,{value},2,1,2,3"))
    assert error.code == code
    assert text in error.message
    assert error.details["row"] == 4


def test_decimal_commas_are_told_from_delimiters(read):
    text = "time;open;high;low;close\n2026-01-05 10:00:00;1,5;1,6;1,4;1,5\n"
    error = refusal(read, text, timeframe="5m")
    assert "bars.csv row 2 has '1,5' – write numbers with a point" in error.message


def test_a_negative_price_where_the_market_allows_it(read, settings):
    oil = settings.market("index_futures").model_copy(update={"negative_prices": True})
    row = "2026-01-05 11:00:00,-37,-36,-40,-37.63,3"
    assert read(with_row(row), symbol="CL", market=oil)[0].close.min() == -37.63
    assert refusal(read, with_row(row), symbol="CL").code == "E_BARS_NEGATIVE"


def test_five_hundred_equal_bars_are_bars(read):
    time = pd.date_range("2026-01-05", periods=500, freq="5min").strftime("%Y-%m-%d %H:%M")
    assert len(read(HEAD + "".join(f"{t},10,10,10,10,5\n" for t in time))[0]) == 500


def test_days_without_any_price_are_left_out_and_said(read):
    text = with_row("2026-01-05 11:00:00,null,null,null,null,null")
    bars, _, notes = read(text)
    assert len(bars) == 8
    assert "1 rows have no price at all: left out, bars.csv row 4 first" in notes
    error = refusal(read, text.replace("13,15,12,14", "13,1,12,14"))
    assert "bars.csv row 6 has high 1, low 12" in error.message
    assert refusal(read, HEAD + "2026-01-05 11:00:00,,,,,\n", timeframe="5m").code == "E_BARS_PRICE"


# -- any bytes ------------------------------------------------------------------------------


def is_sound(bars):
    rises = bool(np.all(np.diff(bars.time) > 0))
    inside = bool(np.all((bars.low <= bars.close) & (bars.close <= bars.high)))
    return isinstance(bars, Bars) and len(bars) > 0 and rises and inside


def holds(path, settings):
    """The file is read as sound bars or refused in words, by `load` and by `preview`."""
    said = []
    for read in (load, preview):
        try:
            found = read(path, symbol="XAUUSD", timezone="UTC", settings=settings)
        except BarsError as error:
            said.append(error.message)
        else:
            assert read is preview or is_sound(found[0])
    assert all(text.count(" – ") >= 2 and str(path.parent) not in text for text in said)


SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@options_of(deadline=None, max_examples=60, suppress_health_check=SLOW)
@given(content=st.binary(max_size=400))
def test_any_bytes_are_refused_in_words(tmp_path, settings, content):
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    holds(path, settings)


EDIT = st.tuples(st.integers(0, len(CLEAN)), st.integers(0, 6), st.binary(max_size=6))


@options_of(deadline=None, max_examples=120, suppress_health_check=SLOW)
@given(edits=st.lists(EDIT, min_size=1, max_size=4))
def test_any_damage_is_read_right_or_refused(tmp_path, settings, edits):
    content = CLEAN.encode()
    for place, length, fresh in edits:
        content = content[:place] + fresh + content[place + length :]
    path = tmp_path / "any.csv"
    path.write_bytes(content)
    holds(path, settings)


@options_of(deadline=None, max_examples=40, suppress_health_check=SLOW)
@given(
    edits=st.lists(EDIT, min_size=1, max_size=3),
    kind=st.sampled_from(["parquet", "feather", "zip", "json"]),
)
def test_any_damage_to_other_formats_too(tmp_path, settings, edits, kind):
    frame = pd.read_csv(io.StringIO(CLEAN))
    path = tmp_path / f"any.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("any.csv", CLEAN)
    elif kind == "json":
        frame.to_json(path, orient="records")
    else:
        getattr(frame, f"to_{kind}")(path)
    content = path.read_bytes()
    for place, length, fresh in edits:
        place = place * len(content) // len(CLEAN)
        content = content[:place] + fresh + content[place + length :]
    path.write_bytes(content)
    holds(path, settings)


# -- large files ----------------------------------------------------------------------------


def test_a_preview_of_a_large_file_reads_pieces_of_it(tmp_path, settings, monkeypatch):
    monkeypatch.setattr(sampling, "_ENDS", 4_000)
    monkeypatch.setattr(sampling, "_BETWEEN", 2_000)
    monkeypatch.setattr(reading, "LARGE_BYTES", 50_000)
    time = pd.date_range("2026-01-05", periods=4_000, freq="1min").strftime("%d/%m/%Y %H:%M")
    rows = [f"{t},10,12,9,11,{i + 1}\n" for i, t in enumerate(time)]
    path = tmp_path / "large.csv"
    path.write_text("# made\n" + HEAD + "".join(rows))
    seen = preview(path, symbol="XAUUSD", timezone="UTC", columns={"time": "time:dmy"},
                   settings=settings)  # fmt: skip
    bars, *_ = load(path, symbol="XAUUSD", timezone="UTC", columns={"time": "time:dmy"},
                    settings=settings)  # fmt: skip
    assert (seen.rows, seen.timeframe) == (len(bars), "1m") == (4_000, "1m")
    assert (seen.first.value, seen.last.value) == (bars.time[0], bars.time[-1])
    looked = int(seen.notes[-1].split()[2].replace(",", ""))
    assert seen.notes[-1].endswith("of 4,000 rows; an import reads all")
    assert 100 < looked < 1_000
    rows[3_995] = rows[3_995].replace(",12,9,", ",1,9,")
    path.write_text("# made\n" + HEAD + "".join(rows))
    with pytest.raises(BarsError, match=r"large\.csv row 3998 has high 1, low 9"):
        preview(path, symbol="XAUUSD", timezone="UTC", columns={"time": "time:dmy"},
                settings=settings)  # fmt: skip
