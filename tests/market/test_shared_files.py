"""Every real vendor file against a frozen table: rows, first and last instant, clock, or refusal.

The table was made by pandas and the vendors' own words, not by the importer.
"""

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from mlcore.config import load_settings
from mlcore.errors import BarsError
from mlcore.market.sources import load, preview

TABLE = Path(__file__).with_name("shared_files.csv")
with TABLE.open(encoding="utf-8") as held:
    ROWS = list(csv.DictReader(held))
READ = [row for row in ROWS if not row["code"]]
REFUSED = [row for row in ROWS if row["code"]]
QUESTIONS = {"zone": "need a zone", "quote": "say --quote", "member": "as --member"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    return load_settings(tmp_path_factory.mktemp("home"))


def named(row):
    return f"{row['path']} {row['code']}".strip()


def test_the_table_has_every_file(shared_data):
    files = {str(p.relative_to(shared_data)) for p in shared_data.rglob("*") if p.is_file()}
    assert files - {"README.md"} == {row["path"] for row in ROWS}


@pytest.mark.parametrize("row", READ, ids=named)
def test_every_file_is_read_as_the_table_says(shared_data, settings, row):
    path, options = shared_data / row["path"], json.loads(row["options"] or "{}")
    bars, digest, _ = load(path, symbol=row["symbol"], settings=settings, **options)
    first, last = (pd.Timestamp(int(bars.time[i])).strftime("%Y-%m-%dT%H:%M") for i in (0, -1))
    assert (len(bars), first, last) == (int(row["rows"]), row["first"], row["last"])
    assert bars.timeframe == row["timeframe"]
    assert len(digest) == 64


@pytest.mark.parametrize("row", READ, ids=named)
def test_every_preview_shows_what_is_read_and_asks_the_rest(shared_data, settings, row):
    path, options = shared_data / row["path"], json.loads(row["options"] or "{}")
    told = preview(path, symbol=row["symbol"], settings=settings, **options)
    assert told.questions == ()
    assert (told.rows, told.timeframe) == (int(row["rows"]), row["timeframe"])
    assert (told.zone, told.stamp) == (row["zone"], row["stamp"])
    assert told.first.strftime("%Y-%m-%dT%H:%M") == row["first"]
    assert told.last.strftime("%Y-%m-%dT%H:%M") == row["last"]
    asked = row["asks"].split()
    if asked:
        seen = preview(path, symbol=row["symbol"], settings=settings)
        assert QUESTIONS[asked[0]] in seen.questions[0]


@pytest.mark.parametrize("row", REFUSED, ids=named)
def test_every_refusal_is_for_the_right_reason(shared_data, settings, row):
    path, options = shared_data / row["path"], json.loads(row["options"] or "{}")
    with pytest.raises(BarsError) as caught:
        load(path, symbol=row["symbol"], settings=settings, **options)
    assert caught.value.code == row["code"]
    assert row["why"] in caught.value.message
    assert path.name in caught.value.message
