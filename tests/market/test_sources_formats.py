"""A small twin of every vendor's layout: archives, JSON, quotes, Lean, downloads."""

import gzip
import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from mlcore.config import load_settings
from mlcore.errors import BarsError
from mlcore.market.sources import load, preview, symbol_of, unpacking


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return load_settings(tmp_path_factory.mktemp("home"))


@pytest.fixture
def read(tmp_path, settings):
    """Writes a file and loads it: (text or bytes, name, options) → bars, hash, notes."""

    def reader(content, name="bars.csv", *, symbol="XAUUSD", **options):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load(path, symbol=symbol, settings=settings, **options)

    return reader


def times(*texts):
    return [pd.Timestamp(t, tz="UTC").value for t in texts]


def packed(members, **options):
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return held.getvalue()


def refusal(read, content, name="bars.csv", **options):
    with pytest.raises(BarsError) as caught:
        read(content, name, **options)
    assert caught.value.message.endswith(".")
    return caught.value


PLAIN = "time,open,high,low,close,volume\n"
ROWS = "2026-01-05T10:00:00Z,10,12,9,11,1\n2026-01-05T10:05:00Z,11,13,10,12,2\n"
UTC_TWO = times("2026-01-05 10:00", "2026-01-05 10:05")


# -- archives ------------------------------------------------------------------------------


def test_a_zip_of_one_and_a_gzip_are_their_file(read):
    clean, *_ = read(PLAIN + ROWS)
    for name, content in {
        "bars.zip": packed(
            {"folder/bars.csv": PLAIN + ROWS, "__MACOSX/._bars.csv": "x", "README.txt": "Hello"}
        ),
        "bars.csv": packed({"bars.csv": PLAIN + ROWS}),
        "bars.csv.gz": gzip.compress((PLAIN + ROWS).encode()),
    }.items():
        bars, *_ = read(content, name)
        assert bars.time.tolist() == clean.time.tolist() == UTC_TWO
        assert bars.close.tolist() == [11, 12]


def test_a_zip_of_several_months_is_one_import(read):
    first, second = ROWS.splitlines()
    archive = packed({"b/feb.csv": f"{PLAIN}{second}\n", "b/jan.csv": f"{PLAIN}{first}\n"})
    bars, _, notes = read(archive, "year.zip", timeframe="5m")
    assert bars.time.tolist() == UTC_TWO
    assert "rows were not in order of time: sorted" in notes
    error = refusal(read, packed({"jan.csv": PLAIN + first.replace("12", "1")}), "year.zip",
                    timeframe="5m")  # fmt: skip
    assert "year.zip: jan.csv row 2 has high 1, low 9" in error.message


def test_a_member_by_its_name(read):
    archive = packed({"jan.csv": PLAIN + ROWS, "feb.csv": PLAIN + ROWS.replace("-01-", "-02-")})
    bars, *_ = read(archive, "year.zip", member="FEB")
    assert bars.time.tolist()[0] == times("2026-02-05 10:00")[0]
    error = refusal(read, archive, "year.zip", member="march.csv")
    assert error.message == (
        "--member names one file of the archive – year.zip has no 'march.csv' – it has jan.csv, "
        "feb.csv."
    )


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (packed({}), "bars.zip is an empty zip archive"),
        (packed({"photo.png": "x", "a.exe": "x"}), "bars.zip holds no file of bars (photo.png, a"),
        (packed({"a.csv": PLAIN + ROWS})[:-30], "bars.zip is damaged – download or pack it again"),
        (packed({"a.csv": packed({"b.csv": ROWS})}), "is a zip archive inside another"),
        (packed({"a.csv": "0" * (40 << 20)}), "bars.zip unpacks to more than 16 MiB – unpack it"),
    ],
)
def test_archives_that_are_refused(read, content, text):
    error = refusal(read, content, "bars.zip")
    assert error.code in ("E_BARS_ARCHIVE", "E_BARS_FORMAT")
    assert text in error.message


def test_a_gzip_bomb_is_refused_before_it_is_unpacked(read, tmp_path):
    error = refusal(read, gzip.compress(b"0" * (40 << 20)), "bars.csv.gz")
    assert "bars.csv.gz unpacks to more than 16 MiB" in error.message


def test_an_archive_of_too_many_members(read, monkeypatch):
    monkeypatch.setattr(unpacking, "_LIMIT_MEMBERS", 2)
    archive = packed({f"{i}.csv": PLAIN + ROWS for i in range(3)})
    error = refusal(read, archive, "bars.zip")
    assert error.message == (
        "An archive holds files of bars, within limits – bars.zip has 3 members – at most 2 are "
        "read; nothing was imported."
    )


def test_a_member_that_points_outside_stays_inside(read, tmp_path):
    bars, *_ = read(packed({"../../outside.csv": PLAIN + ROWS}), "bars.zip")
    assert len(bars) == 2
    assert not list(tmp_path.parent.parent.glob("outside*"))


# -- Lean ----------------------------------------------------------------------------------


def test_lean_prices_of_shares_are_ten_thousandths(read):
    text = "19980102 09:00,136300,137500,135000,136300,540700\n" \
        "19980102 10:00,136300,148100,135600,144400,1974100\n"  # fmt: skip
    bars, _, notes = read(packed({"aapl.csv": text}), "aapl.zip", symbol="AAPL", stamp="start",
                          timezone="America/New_York")  # fmt: skip
    assert bars.timeframe == "1h"
    assert bars.time.tolist()[0] == times("1998-01-02 14:00")[0]
    assert bars.high.tolist() == [13.75, 14.81]
    assert bars.volume.tolist() == [540700, 1974100]
    assert notes[0].startswith("prices are whole ten-thousandths, as Lean writes those of shares")
    bars, *_ = read(packed({"aapl.csv": text}), "aapl.zip", symbol="AAPL", stamp="start",
                    timezone="America/New_York", scale=1)  # fmt: skip
    assert bars.high.tolist() == [137500, 148100]


def test_lean_days(read):
    text = "20130701 00:00,287700,298700,287700,294000,11616553\n" \
        "20130702 00:00,297500,297500,291300,292100,16175393\n"  # fmt: skip
    bars, *_ = read(packed({"foxa.csv": text}), "foxa.zip", symbol="FOXA")
    assert (bars.timeframe, bars.open.tolist()) == ("1d", [28.77, 29.75])
    assert bars.time.tolist()[0] == times("2013-07-01 13:30")[0]


QUOTE = "20060320 00:00,552.8,554.7,552.4,554.2,0,555.3,557.2,554.9,556.7,0\n" \
    "20060320 01:00,554.2,554.8,554.2,554.6,0,556.7,557.3,556.7,557.1,0\n"  # fmt: skip


def test_a_quote_asks_for_its_side(read, tmp_path, settings):
    archive = packed({"xauusd.csv": QUOTE})
    error = refusal(read, archive, "xauusd.zip", timezone="UTC")
    assert error.code == "E_BARS_QUOTE"
    assert error.message == (
        "A bar has one price – xauusd.zip: xauusd.csv has bid and ask – say --quote bid, ask or "
        "mid; nothing was imported."
    )
    seen = preview(tmp_path / "xauusd.zip", settings=settings)
    assert seen.questions == (error.message,)
    assert seen.columns["ask close"] == "10"
    for side, opened in {"bid": 552.8, "ask": 555.3, "mid": 554.05}.items():
        bars, _, notes = read(archive, "xauusd.zip", timezone="UTC", quote=side)
        assert bars.open[0] == pytest.approx(opened)
        assert np.isnan(bars.volume).all()
        assert notes[0].startswith("prices are the ")
    assert "A quote is read as bid, ask or mid – 'last'" in refusal(
        read, archive, "xauusd.zip", quote="last"
    ).message  # fmt: skip


def test_a_quote_with_a_header(read):
    text = (
        "DateTime,BidOpen,BidHigh,BidLow,BidClose,AskOpen,AskHigh,AskLow,AskClose,Volume\n"
        "2026-01-05T10:00:00Z,1,3,1,2,2,4,2,3,7\n2026-01-05T10:05:00Z,1,3,1,2,2,4,2,3,8\n"
    )
    bars, *_ = read(text, symbol="EURUSD", quote="mid")
    assert bars.close.tolist() == [2.5, 2.5]
    assert bars.volume.tolist() == [7, 8]


def contracts():
    minute = "{0},1313.8,1313.8,1313.8,1313.8,4\n{1},1314,1314,1314,1314,1\n"
    return packed(
        {
            "20131007_gc_minute_trade_201310.csv": minute.format(4_920_000, 4_980_000),
            "20131007_gc_minute_trade_201312.csv": minute.format(60_000, 120_000),
        }
    )


def test_contracts_of_one_zip_are_asked_for(read):
    error = refusal(read, contracts(), "20131007_trade.zip", symbol="GC", timezone="UTC")
    assert error.code == "E_BARS_MEMBER"
    assert error.message == (
        "An import holds one symbol – 20131007_trade.zip holds 2 (GC-201310, GC-201312) – choose "
        "one, as --member GC-201310; without --symbol each goes under its own name."
    )
    bars, *_ = read(contracts(), "20131007_trade.zip", symbol="GC", timezone="UTC",
                    member="201312")  # fmt: skip
    assert bars.time.tolist() == times("2013-10-07 00:01", "2013-10-07 00:02")
    assert bars.close.tolist() == [1313.8, 1314]


def test_symbols_of_one_zip_are_asked_for(read):
    held = {"aapl.us.txt": PLAIN + ROWS, "data/msft.us.txt": PLAIN + ROWS.replace("-01-", "-02-")}
    error = refusal(read, packed(held), "world.zip", symbol="AAPL")
    assert "world.zip holds 2 (AAPL, MSFT) – choose one, as --member AAPL" in error.message
    bars, *_ = read(packed(held), "world.zip", symbol="MSFT", member="MSFT")
    assert bars.time.tolist()[0] == times("2026-02-05 10:00")[0]
    months = {f"BTCUSDT-5m-2026-0{m}.csv": PLAIN + ROWS.replace("-01-", f"-0{m}-") for m in (1, 2)}
    assert len(read(packed(months), "year.zip", symbol="BTCUSDT", timeframe="5m")[0]) == 4


def test_whole_prices_of_a_future_are_left_alone(read):
    archive = packed({"20131007_gc_minute_trade_201310.csv": "0,1306,1306,1306,1306,1\n"})
    bars, *_ = read(archive, "d.zip", symbol="GC", timezone="UTC", timeframe="1m")
    assert bars.close.tolist() == [1306]


# -- JSON ----------------------------------------------------------------------------------

ISO = ["2026-01-05T10:00:00Z", "2026-01-05T10:05:00Z"]
RECORDS = [dict(zip("time open high low close volume".split(), (t, 10, 12.5, 9, 11, 3),
                    strict=True)) for t in ISO]  # fmt: skip


@pytest.mark.parametrize(
    "held",
    [
        RECORDS,
        {"data": {"candles": RECORDS}, "status": "ok"},
        [[t // 10**6, "10", "12.5", "9", "11", 3] for t in UTC_TWO],
        {"t": [t // 10**9 for t in UTC_TWO], "o": [10, 10], "h": [12.5] * 2, "l": [9, 9],
         "c": [11, 11], "v": [3, 3], "s": "ok"},
    ],
)  # fmt: skip
def test_json_of_every_shape(read, held):
    bars, *_ = read(json.dumps(held), "bars.json")
    assert bars.time.tolist() == UTC_TWO
    assert bars.high.tolist() == [12.5, 12.5]
    assert bars.volume.tolist() == [3, 3]


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        ("[]", "E_BARS_EMPTY", "bars.json is empty"),
        ("[[1,2", "E_BARS_FORMAT", "A JSON file is whole – bars.json cannot be read"),
        ("{}", "E_BARS_JSON", "bars.json is of another shape (dict)"),
        ("[1, 2]", "E_BARS_JSON", "bars.json row 1 is of another shape (int)"),
        ("[[1,2,3,4,5],[1,2]]", "E_BARS_ROW", "bars.json row 2 has 2 where the first has 5"),
        ("[" * 100_000, "E_BARS_FORMAT", "A JSON file is whole"),
        (json.dumps([RECORDS[0] | {"close": "x"}]), "E_BARS_VALUE", "bars.json row 1 has 'x'"),
        (json.dumps([RECORDS[0] | {"close": [1]}]), "E_BARS_VALUE", "bars.json row 1 has '[1]'"),
        (json.dumps([RECORDS[0] | {"close": None}]), "E_BARS_PRICE", "bars.json row 1 has close"),
    ],
)
def test_json_that_is_no_bars(read, content, code, text):
    error = refusal(read, content, "bars.json", timeframe="5m")
    assert error.code == code
    assert text in error.message


# -- downloads -----------------------------------------------------------------------------


def test_an_adjusted_close_is_applied_when_asked(read):
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n" \
        "2024-07-02,10,12,9,11,5.5,100\n2024-07-03,11,13,10,12,12,101\n"  # fmt: skip
    plain, _, notes = read(text, symbol="SPY")
    assert plain.close.tolist() == [11, 12]
    assert "Adj Close is there and was not applied; --adjusted applies it" in notes
    bars, _, notes = read(text, symbol="SPY", adjusted=True)
    assert bars.close.tolist() == [5.5, 12]
    assert bars.high.tolist() == [6, 13]
    assert "prices adjusted by Adj Close / close" in notes
    error = refusal(read, text.replace("Adj Close", "X"), symbol="SPY", adjusted=True)
    assert error.message == (
        "An adjustment comes from a column of adjusted closes – bars.csv has none – leave "
        "--adjusted out; nothing was imported."
    )


def test_a_download_with_three_lines_of_header(read):
    text = "Price,Close,High,Low,Open,Volume\nTicker,KO,KO,KO,KO,KO\nDate,,,,,\n" \
        "2024-07-02,11,12,9,10,100\n2024-07-03,12,13,10,11,101\n"  # fmt: skip
    bars, *_ = read(text, symbol="KO")
    assert bars.open.tolist() == [10, 11]
    error = refusal(read, text.replace("12,13,10", "12,13,14"), symbol="KO")
    assert "row 5 has high 13, low 14" in error.message


def test_stooq_with_ticker_and_time(read):
    text = (
        "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
        "AAPL.US,5,20260105,093000,10,12,9,11,5,0\nAAPL.US,5,20260105,093500,11,13,10,12,6,0\n"
    )
    bars, *_ = read(text, "aapl.us.txt", symbol="AAPL", timezone="America/New_York")
    assert bars.time.tolist() == times("2026-01-05 14:30", "2026-01-05 14:35")
    error = refusal(read, text.replace("AAPL.US,5,20260105,093500", "KO.US,5,20260105,093500"),
                    symbol="AAPL", timezone="UTC")  # fmt: skip
    assert "A file holds one symbol – bars.csv has 'AAPL.US' and 'KO.US'" in error.message


def test_metatrader_4_without_a_header(read):
    text = "2026.01.05,10:00,1.1,1.2,1.0,1.15,100\n2026.01.05,10:05,1.15,1.2,1.1,1.2,90\n"
    bars, *_ = read(text, "EURUSD5.csv", symbol="EURUSD", timezone="Europe/Athens")
    assert bars.time.tolist() == times("2026-01-05 08:00", "2026-01-05 08:05")
    assert bars.volume.tolist() == [100, 90]


@pytest.mark.parametrize("unit", [10**6, 10**3])
def test_binance_klines(read, unit):
    rest = "1,2,3,0"
    rows = [f"{t // unit},10,12,9,11,5.5,{(t + 300 * 10**9) // unit - 1},60,{rest}\n"
            for t in UTC_TWO]  # fmt: skip
    archive = packed({"BTCUSDT-5m-2026-01.csv": "".join(rows)})
    bars, *_ = read(archive, "BTCUSDT-5m-2026-01.zip", symbol="BTCUSDT")
    assert bars.time.tolist() == UTC_TWO
    assert bars.volume.tolist() == [5.5, 5.5]
    named = "open_time,open,high,low,close,volume,close_time,quote_volume,count,tb,tq,ignore\n"
    assert read(named + "".join(rows), symbol="BTCUSDT")[0].time.tolist() == UTC_TWO


@pytest.mark.parametrize(
    ("rows", "first"),
    [
        (["20260105 100000;10;12;9;11;0", "20260105 100500;11;13;10;12;0"], "10:00"),
        (["01/15/2026,0905,10,12,9,11,1", "01/15/2026,0910,11,13,10,12,1"], "09:05"),
        (["15-Jan-2026 10:00,10,12,9,11,1", "15-Jan-2026 10:05,11,13,10,12,1"], "10:00"),
    ],
)
def test_other_ways_to_write_a_time(read, rows, first):
    header = "Date,Time,Open,High,Low,Close,Vol\n" if "0905" in rows[0] else ""
    bars, *_ = read(header + "\n".join(rows) + "\n", timezone="UTC")
    assert pd.Timestamp(int(bars.time[0])).strftime("%H:%M") == first
    assert bars.timeframe == "5m"
    assert bars.close.tolist() == [11, 12]


def test_times_of_day_that_lost_their_zero(read):
    text = "Date,Time,Open,High,Low,Close\n2026-01-05,95500,1,1,1,1\n2026-01-05,100000,1,1,1,1\n"
    bars, *_ = read(text, timezone="UTC")
    assert bars.time.tolist() == times("2026-01-05 09:55", "2026-01-05 10:00")


def test_utf_16_old_line_ends_and_lines_before_the_header(read):
    for content in (
        (PLAIN + ROWS).encode("utf-16"),
        (PLAIN + ROWS).replace("\n", "\r").encode(),
        ("# made by hand\nsep=,\n" + PLAIN + ROWS).encode(),
    ):
        assert read(content)[0].time.tolist() == UTC_TWO
    error = refusal(read, "# x\n" + PLAIN + ROWS.replace("13", "1"))
    assert "bars.csv row 4 has high 1, low 10" in error.message


def test_a_thin_contract_is_still_of_its_minutes(read):
    rows = "".join(f"{t * 60_000},1,1,1,1,1\n" for t in (3, 45, 90, 101, 160))
    name = "20131007_gc_minute_trade_201310.csv"
    bars, *_ = read(packed({name: rows}), "d.zip", symbol="GC", timezone="UTC")
    assert (bars.timeframe, len(bars)) == ("1m", 5)


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("aapl.us.txt", "AAPL"), ("SPY.csv", "SPY"), ("nifty50_m&m_daily.csv", "M&M"),
        ("aapl_stock_id_variant.us.txt", "AAPL"), ("NQ_1min_sample.csv", "NQ"),
        ("BTCUSDT-5m-2026-01.zip", "BTCUSDT"), ("2013 JAN NIFTY.txt", "NIFTY"),
        ("bajaj-auto.csv", "BAJAJ-AUTO"), ("brk-b.us.txt", "BRK-B"),
        ("xauusd_5m_mt5.csv", "XAUUSD"),
    ],
)  # fmt: skip
def test_a_name_tells_its_symbol(name, symbol):
    assert symbol_of(name) == symbol
