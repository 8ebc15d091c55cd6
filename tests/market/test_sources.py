"""Files into bars: a small twin of every vendor's format, and every refusal by its words."""

import hashlib

import numpy as np
import pandas as pd
import pytest

from mlcore.clock import DAY, HOUR, MINUTE
from mlcore.config import load_settings
from mlcore.errors import BarsError, NameRefused
from mlcore.market.sources import load, preview
from mlcore.store import sha256_file

NS = "datetime64[ns, UTC]"


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


def prices(rows=3):
    return [(10 + i, 12 + i, 9 + i, 11 + i) for i in range(rows)]


def table(stamps, header="datetime,open,high,low,close,volume", mark=",", volumes=None):
    volumes = volumes or [str(100 + i) for i in range(len(stamps))]
    rows = [
        mark.join([stamp, *map(str, ohlc), volume])
        for stamp, ohlc, volume in zip(stamps, prices(len(stamps)), volumes, strict=True)
    ]
    return "\n".join([header, *rows]) + "\n" if header else "\n".join(rows) + "\n"


def times(*texts):
    return [pd.Timestamp(t, tz="UTC").value for t in texts]


FIVE = ["2026-01-05 10:00:00", "2026-01-05 10:05:00", "2026-01-05 10:10:00"]
FIVE_UTC = times(*FIVE)


# -- twins of the vendors' formats ---------------------------------------------------------


def test_metatrader_export(read):
    text = (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\r\n"
        "2026.01.05\t10:00:00\t10\t12\t9\t11\t134\t0\t8\r\n"
        "2026.01.05\t10:05:00\t11\t13\t10\t12\t81\t0\t13\r\n"
        "2026.07.06\t10:05:00\t12\t14\t11\t13\t82\t0\t13\r\n"
    )
    bars, _, notes = read(text, "mt5.csv", timeframe="5m", timezone="Europe/Athens")
    assert bars.time.tolist() == times(
        "2026-01-05 08:00", "2026-01-05 08:05", "2026-07-06 07:05"
    )  # two hours in winter, three in summer
    assert bars.volume.tolist() == [134, 81, 82]
    assert (bars.open.tolist(), bars.close.tolist()) == ([10, 11, 12], [11, 12, 13])
    assert (bars.available_at - bars.time).tolist() == [5 * MINUTE] * 3
    assert notes == ("<VOL> is 0, volume is <TICKVOL>", "times read as Europe/Athens")


def test_metatrader_with_a_real_volume_keeps_it(read):
    text = (
        "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2026.01.05\t10:00:00\t10\t12\t9\t11\t134\t0\t8\n"
        "2026.01.05\t10:05:00\t11\t13\t10\t12\t81\t7\t13\n"
    )
    assert read(text, timezone="UTC")[0].volume.tolist() == [0, 7]


def test_metatrader_parquet_with_unsigned_integers(tmp_path, settings):
    frame = pd.DataFrame(
        {
            "time": pd.to_datetime(FIVE).astype("datetime64[ms]"),
            **dict(zip(("open", "high", "low", "close"), np.array(prices(), float).T, strict=True)),
            "tick_volume": np.array([5, 6, 7], np.uint64),
            "spread": np.array([1, 1, 0], np.int32),
            "real_volume": np.zeros(3, np.uint64),
        }
    )
    frame.to_parquet(tmp_path / "gold.parquet")
    bars, _, notes = load(
        tmp_path / "gold.parquet", symbol="XAUUSD", timezone="Europe/Athens", settings=settings
    )
    assert bars.time.tolist() == [t - 2 * HOUR for t in FIVE_UTC]
    assert bars.volume.tolist() == [5, 6, 7]
    assert "real_volume is 0, volume is tick_volume" in notes


def test_parquet_with_an_aware_nameless_index(tmp_path, settings):
    index = pd.DatetimeIndex(FIVE, tz="America/New_York").as_unit("ns")
    values = dict(zip(("open", "high", "low", "close"), np.array(prices(), float).T, strict=True))
    pd.DataFrame({**values, "volume": [1, 2, 3]}, index=index).to_parquet(tmp_path / "es.parquet")
    bars, _, notes = load(tmp_path / "es.parquet", symbol="ES=F", settings=settings)
    assert bars.time.tolist() == [t + 5 * HOUR for t in FIVE_UTC]
    assert notes == ()


def test_feather_in_utc(tmp_path, settings):
    values = dict(zip(("open", "high", "low", "close"), np.array(prices(), float).T, strict=True))
    frame = pd.DataFrame({"date": pd.to_datetime(FIVE, utc=True), **values, "volume": [1.0, 2, 3]})
    frame.to_feather(tmp_path / "btc.feather")
    path = tmp_path / "btc.feather"
    bars, _, notes = load(path, symbol="BTCUSDT", timezone="UTC", settings=settings)
    assert bars.time.tolist() == FIVE_UTC
    assert notes == ("stamps carry their own zone; UTC was not needed",)


def test_headerless_months_that_stamp_the_end(tmp_path, settings):
    (tmp_path / "2013 FEB.txt").write_text(
        "NIFTY,20130201,09:16,10,12,9,11,0\r\nNIFTY,20130201,09:17,11,13,10,12,0\r\n"
    )
    (tmp_path / "2013 JAN.txt").write_text(
        "NIFTY,20130101,09:16,10,12,9,11\r\nNIFTY,20130101,09:17,11,13,10,12\r\n"
    )
    bars, digest, notes = load(
        tmp_path, symbol="NIFTY", timeframe="1m", timezone="Asia/Kolkata", stamp="end",
        settings=settings,
    )  # fmt: skip
    assert bars.time.tolist() == times(
        "2013-01-01 03:45", "2013-01-01 03:46", "2013-02-01 03:45", "2013-02-01 03:46"
    )
    assert bars.volume.tolist()[2:] == [0, 0]
    assert np.isnan(bars.volume[:2]).all()
    assert (bars.available_at - bars.time == MINUTE).all()
    hashes = sorted(sha256_file(p) for p in tmp_path.iterdir())
    assert digest == hashlib.sha256("\n".join(hashes).encode()).hexdigest()
    assert notes == (
        "volume is 0 in every row (in 1 of 2 files)", "times read as Asia/Kolkata",
        "stamps mean the bar's end: moved back by 1m", "rows were not in order of time: sorted",
    )  # fmt: skip


def test_day_first_dates_are_told_by_a_day_after_the_twelfth(read):
    text = table(["01-04-2021 09:15", "01-04-2021 09:30", "13-04-2021 09:15"])
    bars, *_ = read(text, symbol="NIFTY", timezone="Asia/Kolkata", timeframe="15m")
    assert bars.time.tolist() == times("2021-04-01 03:45", "2021-04-01 04:00", "2021-04-13 03:45")


def test_month_first_dates_too(read):
    text = table(["04/01/2021 09:15", "04/01/2021 09:30", "04/13/2021 09:15"])
    bars, *_ = read(text, timezone="UTC", timeframe="15m")
    assert bars.time.tolist() == times("2021-04-01 09:15", "2021-04-01 09:30", "2021-04-13 09:15")


def test_yahoo_days_run_from_open_to_close(read):
    header = "Date,Open,High,Low,Close,Adj Close,Volume"
    text = (
        f"{header}\n2024-07-02,10,12,9,11,5.5,100\n2024-07-03,11,13,10,12,6,101\n"
        "2024-07-05,12,14,11,13,6.5,102\n"
    )
    bars, _, notes = read(text, symbol="SPY", timeframe="1d")
    assert bars.time.tolist() == times("2024-07-02 13:30", "2024-07-03 13:30", "2024-07-05 13:30")
    assert bars.available_at.tolist() == times(
        "2024-07-02 20:00", "2024-07-03 17:00", "2024-07-05 20:00"
    )  # the third of July is a half day
    assert bars.close.tolist() == [11, 12, 13]
    assert notes == (
        "market us_equity, by the symbol's name; --market names another",
        "Adj Close is there and was not applied; --adjusted applies it",
        "days from open to close of XNYS",
    )


def test_days_stamped_the_evening_before_move_to_their_day(read):
    text = table(["2023-01-01 18:30:00", "2023-01-02 18:30:00", "2023-01-03 18:30:00"])
    bars, _, notes = read(text, symbol="NIFTY", timeframe="1d", timezone="UTC", market="nse")
    assert bars.time.tolist() == times("2023-01-02 03:45", "2023-01-03 03:45", "2023-01-04 03:45")
    assert "stamps moved to the trading day they belong to" in notes


def test_a_day_of_gold_runs_from_roll_to_roll(read):
    text = table(["2026.01.05", "2026.01.06", "2026.01.07"], "date,open,high,low,close,volume")
    bars, *_ = read(text, timeframe="1d")
    assert bars.time.tolist()[0] == times("2026-01-04 22:00")[0]
    assert (bars.available_at - bars.time == DAY).all()


def test_offsets_across_a_clock_change_are_instants(read):
    text = table(
        ["2024-03-10 01:30:00-05:00", "2024-03-10 03:00:00-04:00", "2024-03-10 03:30:00-04:00"]
    )
    bars, *_ = read(text, symbol="SPY", timeframe="30m")
    assert bars.time.tolist() == times("2024-03-10 06:30", "2024-03-10 07:00", "2024-03-10 07:30")


@pytest.mark.parametrize(("scale", "unit"), [(10**9, "s"), (10**6, "ms"), (10**3, "µs"), (1, "ns")])
def test_epochs_by_their_digits(read, tmp_path, settings, scale, unit):
    text = table([str(t // scale) for t in FIVE_UTC], "timestamp,open,high,low,close,volume")
    assert read(text)[0].time.tolist() == FIVE_UTC
    values = dict(zip(("open", "high", "low", "close"), np.array(prices(), float).T, strict=True))
    frame = pd.DataFrame({"ts": np.array(FIVE_UTC) // scale, **values})
    frame.to_parquet(tmp_path / "epoch.parquet")
    bars, *_ = load(tmp_path / "epoch.parquet", symbol="XAUUSD", settings=settings)
    assert bars.time.tolist() == FIVE_UTC
    assert np.isnan(bars.volume).all()


@pytest.mark.parametrize(
    ("stamps", "header"),
    [
        (["2026-01-05T10:00", "2026-01-05T10:05", "2026-01-05T10:10"], "time"),
        (["2026-01-05 10:00:00.000", "2026-01-05 10:05:00.000", "2026-01-05 10:10:00.000"], "ts"),
        (["2026-01-05T10:00:00Z", "2026-01-05T10:05:00Z", "2026-01-05T10:10:00Z"], "timestamp"),
        (["2026/01/05 10:00", "2026/01/05 10:05", "2026/01/05 10:10"], "Gmt time"),
        (["20260105 10:00", "20260105 10:05", "20260105 10:10"], "Date"),
        (["20260105 10:00:00", "20260105 10:05:00", "20260105 10:10:00"], "Open time"),
        (["15.01.2026 10:00:00.000", "15.01.2026 10:05:00.000", "15.01.2026 10:10:00.000"], "time"),
    ],
)
def test_ways_to_write_a_time(read, stamps, header):
    bars, *_ = read(table(stamps, f"{header},open,high,low,close,volume"), timezone="UTC")
    ten = 10 * DAY if stamps[0].startswith("15.") else 0
    assert bars.time.tolist() == [t + ten for t in FIVE_UTC]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiters(read, mark):
    header = "datetime,open,high,low,close,volume".replace(",", mark)
    assert read(table(FIVE, header, mark), timezone="UTC")[0].close.tolist() == [11, 12, 13]


def test_a_mark_of_byte_order_crlf_and_no_last_newline(read):
    raw = b"\xef\xbb\xbf" + table(FIVE).replace("\n", "\r\n").rstrip().encode()
    assert read(raw, timezone="UTC")[0].time.tolist() == FIVE_UTC


def test_a_file_name_full_of_signs(read):
    assert len(read(table(FIVE), "o'brien [1] *?.csv", timezone="UTC")[0]) == 3


def test_columns_by_hand(read):
    header = "when;bid_o;bid_h;bid_l;bid_c;n;n"
    text = header + "\n" + "".join(f"{t};10;12;9;11;{i};7\n" for i, t in enumerate(FIVE, 1))
    text = text.replace("when", "time")
    chosen = {"open": "bid_o", "high": "bid_h", "low": "bid_l", "bid_c": "close", "volume": "6"}
    bars, *_ = read(text, timezone="UTC", columns=chosen)
    assert bars.close.tolist() == [11, 11, 11]
    assert bars.volume.tolist() == [1, 2, 3]
    text = table(["03/04/2021 09:15", "03/04/2021 09:30", "03/04/2021 09:45"])
    for order, day in (("dmy", "2021-04-03"), ("mdy", "2021-03-04")):
        bars, *_ = read(text, timezone="UTC", columns={"time": f"datetime:{order}"})
        assert bars.time.tolist()[0] == times(f"{day} 09:15")[0]


def test_a_close_time_is_the_end_and_its_last_millisecond_is_made_whole(read):
    stamps = [f"2024-01-01 00:{m}:59.999000+01:00" for m in ("14", "29", "44")]
    bars, _, notes = read(table(stamps, "close_datetime,open,high,low,close,volume"))
    assert bars.timeframe == "15m"
    assert bars.time.tolist()[0] == times("2023-12-31 23:00")[0]
    assert notes == ("stamps mean the bar's end: moved back by 15m",)


def test_shuffled_and_repeated_rows_end_as_the_clean_file(read):
    clean, *_ = read(table(FIVE), timezone="UTC")
    head, *rows = table(FIVE).splitlines()
    mixed = "\n".join([head, rows[2], rows[0], rows[1], rows[0]]) + "\n"
    bars, _, notes = read(mixed, timezone="UTC", timeframe="5m")
    assert bars.time.tolist() == clean.time.tolist()
    assert bars.close.tolist() == clean.close.tolist()
    assert notes[-2:] == (
        "rows were not in order of time: sorted",
        "1 rows repeated with the same values: left out",
    )


def test_a_missing_volume_is_missing_not_zero(read):
    bars, *_ = read(table(FIVE, volumes=["1", "", "N/A"]), timezone="UTC")
    assert np.isnan(bars.volume[1:]).all()


# -- refusals, by their words --------------------------------------------------------------


def refusal(read, content, name="bars.csv", **options):
    with pytest.raises(BarsError) as caught:
        read(content, name, **{"timezone": "UTC", **options})
    assert caught.value.message.endswith(".")
    return caught.value


def test_naive_times_ask_for_a_zone(read):
    error = refusal(read, table(FIVE), timezone=None)
    assert error.code == "E_BARS_ZONE"
    assert error.message == (
        "Times without an offset need a zone – bars.csv (column datetime) has none and none was "
        "declared – add --timezone, such as America/New_York, Europe/Athens or UTC; nothing was "
        "imported."
    )


def test_a_zone_that_is_none(read):
    error = refusal(read, table(FIVE), timezone="Mars/Base")
    assert error.code == "E_BARS_ZONE_NAME"
    assert error.message == (
        "A zone is an IANA name, alone or moved – 'Mars/Base' is not – write it as Europe/Athens, "
        "UTC or America/New_York+07:00."
    )


def test_dates_that_could_be_swapped_ask_for_the_order(read):
    error = refusal(read, table(["03/04/2021 09:15", "03/04/2021 09:30", "04/04/2021 09:15"]))
    assert error.code == "E_BARS_DATE_ORDER"
    assert error.message == (
        "A date says which is the day – 03/04/2021 09:15 in bars.csv could be day or month first, "
        "no day after the 12th tells – add --columns time=NAME:dmy (day first) or time=NAME:mdy."
    )


def test_dates_of_both_orders_are_refused(read):
    error = refusal(read, table(["13/04/2021 09:15", "04/14/2021 09:30", "04/04/2021 09:15"]))
    assert "days after the 12th in both" in error.message


@pytest.mark.parametrize(
    ("row", "code", "text"),
    [
        ("10,12,13,11,1", "E_BARS_HIGH_LOW", "A bar's high is at least its low – bars.csv row 3 "
         "has high 12, low 13 – mend or remove that row; nothing was imported."),
        ("10,12,9,15,1", "E_BARS_OUTSIDE", "A bar's close lies between its low and its high – "
         "bars.csv row 3 has close 15, low 9, high 12 – mend or remove that row; nothing was "
         "imported."),
        ("10,12,9,,1", "E_BARS_PRICE", "Every bar has a finite close – bars.csv row 3 has close "
         "nan – mend or remove that row; nothing was imported."),
        ("10,inf,9,11,1", "E_BARS_PRICE", "Every bar has a finite high – bars.csv row 3 has high "
         "inf – mend or remove that row; nothing was imported."),
        ("10,12,-9,11,1", "E_BARS_NEGATIVE", "Prices are above zero, unless the market's "
         "negative_prices says otherwise – bars.csv row 3 has low -9 – mend or remove that row; "
         "nothing was imported."),
        ("10,12,9,11,-1", "E_BARS_VOLUME", "A volume is zero or more – bars.csv row 3 has volume "
         "-1 – mend or remove that row; nothing was imported."),
        ("10,12,9,abc,1", "E_BARS_VALUE", "A bar's close is a number – bars.csv row 3 has 'abc' – "
         "mend or remove that row; nothing was imported."),
        ("10,12,9,11", "E_BARS_ROW", "Every row has the same columns – bars.csv row 3 has not "
         "(Expected Number of Columns: 6 Found: 5) – mend or remove that row; nothing was "
         "imported."),
    ],
)  # fmt: skip
def test_one_bad_row_refuses_the_file_by_name(read, row, code, text):
    head, first, _, third = table(FIVE).splitlines()
    error = refusal(read, "\n".join([head, first, f"{FIVE[1]},{row}", third]) + "\n")
    assert (error.code, error.message) == (code, text)
    assert error.details["row"] == 3


def test_a_bad_row_of_the_second_file_is_named_there(tmp_path, settings):
    (tmp_path / "a.csv").write_text(table(FIVE))
    (tmp_path / "b.csv").write_text(table(["2026-01-05 11:00:00"]).replace("12", "1"))
    with pytest.raises(BarsError, match=r"b\.csv row 2 has high 1, low 9"):
        load(tmp_path, symbol="XAUUSD", timezone="UTC", settings=settings)


def test_one_time_with_two_values(read):
    text = table(FIVE) + f"{FIVE[1]},11,13,10,12.5,101\n"
    error = refusal(read, text, timeframe="5m")
    assert error.code == "E_BARS_DUPLICATE"
    assert error.message == (
        "A time has one bar – bars.csv row 3 and bars.csv row 5 both are "
        "2026-01-05T10:05:00+00:00, with different values – keep one of them; nothing was imported."
    )


def test_a_time_in_another_format(read):
    many = [f"2026-01-05 10:{m:02}:00" for m in range(60)] * 5
    stamps = [*many[:250], "2026-01-05 10:05:00+02:00"]
    error = refusal(read, table(stamps))
    assert error.code == "E_BARS_STAMP"
    assert error.message == (
        "Every row has a time in the format of the first – bars.csv row 252 has none that can be "
        "read (1 such rows) – mend or remove it; nothing was imported."
    )
    error = refusal(read, table([*FIVE[:2], "yesterday"]))
    assert error.message.startswith("A time is written as 2026-11-20 14:00")
    assert "bars.csv row 4 has 'yesterday'" in error.message


@pytest.mark.parametrize(
    ("content", "code", "text"),
    [
        (b"", "E_BARS_EMPTY", "A file of bars has rows – bars.csv is empty – choose another file"),
        (b"\n \n", "E_BARS_EMPTY", "bars.csv is empty"),
        (b"datetime,open,high,low,close\n", "E_BARS_EMPTY", "bars.csv has only a header"),
        (b"PK\x03\x04\x00\x00", "E_BARS_ARCHIVE", "bars.csv is damaged – download or pack"),
        (b"\x1f\x8b\x00\x00", "E_BARS_ARCHIVE", "bars.csv is damaged – download or pack"),
        (b"%PDF-1.7 x", "E_BARS_FORMAT", "bars.csv is a PDF – unpack or export it"),
        (b"a\x00b,c\n", "E_BARS_FORMAT", "bars.csv is binary"),
        (b"datetime,open,high,low,close\n2026-01-05,1,2,\xff,1\n", "E_BARS_ENCODING",
         "Text files are UTF-8 – bars.csv is not, from byte 44 on"),
        (b"hello world\nthis is prose\n", "E_BARS_DELIMITER", "bars.csv has not – export it"),
        (b"PAR1 broken", "E_BARS_FORMAT", "A parquet file is whole – bars.csv cannot be read"),
        (b"ARROW1\x00\x00 broken", "E_BARS_FORMAT", "A feather file is whole – bars.csv cannot"),
    ],
)  # fmt: skip
def test_what_is_no_table_of_bars(read, content, code, text):
    error = refusal(read, content)
    assert error.code == code
    assert text in error.message


def test_columns_that_are_missing_or_there_twice(read):
    error = refusal(read, table(FIVE, "datetime,open,high,low,settle,volume"))
    assert error.code == "E_BARS_COLUMN"
    assert error.message == (
        "Bars need the columns time open high low close – bars.csv has no close among datetime, "
        "open, high, low, settle, volume – name it, as --columns close=NAME."
    )
    error = refusal(read, table(FIVE, "datetime,open,high,low,close,close"))
    assert error.message == (
        "A column is there once – bars.csv has close 2 times – say which by its place, as "
        "--columns close=5."
    )
    error = refusal(read, table(FIVE), columns={"close": "last"})
    assert "bars.csv has no 'last' – it has datetime, open" in error.message
    error = refusal(read, table(FIVE), columns={"bogus": "last"})
    assert error.message.startswith("--columns names time, clock, open, high, low, close or volume")


def test_another_timeframe_than_the_one_asked_for(read):
    error = refusal(read, table(FIVE), timeframe="15m")
    assert error.code == "E_BARS_TIMEFRAME"
    assert error.message == (
        "Bars of an import are one timeframe apart – the file has 5m bars where 15m was asked – "
        "give --timeframe 5m; nothing was imported."
    )
    odd = ["2026-01-05 10:00:00", "2026-01-05 10:07:00", "2026-01-05 10:14:00"]
    assert "steps of 0 days 00:07:00 – resample to 1m 5m" in refusal(read, table(odd)).message
    assert "a single time – give --timeframe" in refusal(read, table(FIVE[:1])).message


def test_local_times_that_never_were_name_their_rows(read):
    stamps = ["2024-03-10 01:55:00", "2024-03-10 02:00:00", "2024-03-10 02:05:00"]
    error = refusal(read, table(stamps), timezone="America/New_York")
    assert error.code == "E_BARS_LOCAL_TIME"
    assert error.message == (
        "A local time happens once in its zone – 2024-03-10 02:00 is a time that America/New_York "
        "never shows: bars.csv row 3, bars.csv row 4 (2 rows) – check --timezone; nothing was "
        "imported."
    )


def test_a_repeated_hour_without_order_names_its_rows(read):
    stamps = ["2024-11-03 00:55:00", "2024-11-03 01:00:00", "2024-11-03 01:05:00"]
    error = refusal(read, table(stamps), timezone="America/New_York")
    assert error.code == "E_BARS_LOCAL_TIME"
    assert (
        "2024-11-03 01:00 is a time that America/New_York shows twice, and the order does not "
        "tell: bars.csv row 3, bars.csv row 4 (2 rows) – export it in UTC"
    ) in error.message


def test_several_symbols_several_kinds_no_files(read, tmp_path, settings):
    text = "A,20130101,09:16,1,2,1,2\nB,20130101,09:17,1,2,1,2\n"
    error = refusal(read, text)
    assert error.message == (
        "A file holds one symbol – bars.csv has 'A' and 'B' – split it; nothing was imported."
    )
    (tmp_path / "bars.csv").write_text(table(FIVE))
    (tmp_path / "days.csv").write_text(table(["2026-01-06", "2026-01-07"]))
    with pytest.raises(BarsError, match="write their times in one way"):
        load(tmp_path, symbol="XAUUSD", timezone="UTC", settings=settings)
    with pytest.raises(BarsError, match=r"An import reads files – gone\.csv is not there"):
        load(tmp_path / "gone.csv", symbol="XAUUSD", settings=settings)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BarsError, match=r"A folder to import holds files of bars .* empty has"):
        load(tmp_path / "empty", symbol="XAUUSD", settings=settings)
    with pytest.raises(NameRefused):
        load(tmp_path / "bars.csv", symbol="../x", settings=settings)
    with pytest.raises(BarsError, match="A stamp is the bar's start or its end – 'middle'"):
        load(tmp_path / "bars.csv", symbol="X", stamp="middle", settings=settings)


# -- preview -------------------------------------------------------------------------------


def test_a_preview_asks_what_load_would_refuse(tmp_path, settings):
    path = tmp_path / "bars.csv"
    path.write_text(table(FIVE))
    seen = preview(path, settings=settings)
    assert seen.questions[0].startswith("Times without an offset need a zone")
    assert (seen.format, seen.timeframe, seen.stamp, seen.zone, seen.rows) == (
        "csv", "5m", "start", None, 3
    )  # fmt: skip
    assert seen.columns["time"] == "datetime"
    assert seen.columns["volume"] == "volume"
    assert seen.first == pd.Timestamp(FIVE[0])
    assert seen.sample["close"].tolist() == [11, 12, 13]
    told = preview(path, timezone="America/New_York", settings=settings)
    assert told.questions == ()
    assert told.zone == "America/New_York"
    assert told.first == pd.Timestamp("2026-01-05 15:00", tz="UTC")
    assert told.sample["time"].dtype == NS
    assert told.notes == ("times read as America/New_York",)


def test_a_preview_of_swappable_dates_asks_too(tmp_path, settings):
    path = tmp_path / "bars.csv"
    path.write_text(table(["03/04/2021 09:15", "03/04/2021 09:30", "03/04/2021 09:45"]))
    seen = preview(path, settings=settings)
    assert seen.questions[0].startswith("A date says which is the day")
    assert seen.rows == 0
    assert preview(path, columns={"time": "1:dmy"}, timezone="UTC", settings=settings).rows == 3


def test_a_preview_of_an_unsound_file_is_refused(tmp_path, settings):
    path = tmp_path / "bars.csv"
    path.write_text(table(FIVE).replace("12", "1"))
    with pytest.raises(BarsError, match="A bar's high is at least its low"):
        preview(path, timezone="UTC", settings=settings)
