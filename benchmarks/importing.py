"""Files into the lake: import against bare DuckDB and pandas, memory, preview, a thousand files.

Ours detects, validates, sorts, leaves out repeats and commits to a fresh lake; the peers read the
same CSV with its types given and write Parquet. Goals: at most 1.5 × DuckDB and 1/2 of pandas,
1.5 GB at 5 million rows; a preview of 370 MB in a second; 1,000 Stooq files in a minute.
"""

import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from benchmarks._compare import Result, compare, tell
from mlcore.config import load_settings
from mlcore.market.sources import preview
from mlcore.operations.home import Home
from mlcore.operations.importing import ingest, ingest_each

ROWS = 1_000_000
MANY = 5_000_000
FILES = 1_000
KINDS = {
    "time": "TIMESTAMP", **dict.fromkeys(("open", "high", "low", "close", "volume"), "DOUBLE"),
}  # fmt: skip


def make_csv(path, rows):
    """One-minute bars with prices of many digits, 74 bytes a row."""
    close = "2000 + 50 * sin(i / 5000.0)"
    sql = (
        "SELECT strftime(TIMESTAMP '2015-01-01' + INTERVAL (i) MINUTE, '%Y-%m-%d %H:%M:%S') AS "
        f"time, ({close}) AS open, ({close} + 1.0625) AS high, ({close} - 1.0625) AS low, "
        f"({close} + 0.03125) AS close, 1 + i % 977 AS volume FROM range({rows}) t(i) ORDER BY i"
    )
    duckdb.execute(f"COPY ({sql}) TO '{path}' (HEADER)")
    return path


def ours(folder, path):
    """One import into a home of its own."""
    place = Path(tempfile.mkdtemp(dir=folder))
    report = ingest(Home(load_settings(place)), [path], symbol="XAUUSD", timezone="UTC")
    shutil.rmtree(place, ignore_errors=True)
    return report.added


def bare_duckdb(folder, path):
    source = f"read_csv('{path}', header = true, columns = {KINDS})"
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(f"COPY (FROM {source}) TO '{folder}/d.parquet' (COMPRESSION zstd)")


def bare_pandas(folder, path):
    pd.read_csv(path, parse_dates=["time"]).to_parquet(f"{folder}/p.parquet")


def absolute(claim, value, limit, note):
    return Result(claim, value, value, value, 1e3 * value, 0.0, limit, 1, note)


def memory(folder, path):
    """Gigabytes that an import of a file takes at most, in a process of its own."""
    code = (
        "from benchmarks.importing import ours; from pathlib import Path; "
        f"print(ours(Path({str(folder)!r}), Path({str(path)!r})))"
    )
    begun = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    took = time.perf_counter() - begun
    assert int(done.stdout) == MANY
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return absolute(
        f"import of {MANY:,} rows, GB of memory", peak, 1.5, f"{took:.1f} s with the start"
    )


def looked_at(path):
    """Seconds of a preview, the best of three: what it costs, not what else runs."""
    took = []
    for _ in range(3):
        begun = time.perf_counter()
        seen = preview(path, symbol="XAUUSD", timezone="UTC")
        took.append(time.perf_counter() - begun)
    assert seen.rows == MANY
    size = path.stat().st_size / 2**20
    return absolute(
        "preview of a large file, s", min(took), 1.0, f"{size:.0f} MiB, {max(took):.2f} s at most"
    )


def stooq(folder):
    """A thousand files of four years of days, each under the name it tells."""
    place = folder / "stooq"
    place.mkdir()
    days = pd.bdate_range("2014-01-01", periods=1_000).strftime("%Y-%m-%d")
    rng = np.random.default_rng(7)
    for i in range(FILES):
        close = 50 * np.exp(np.cumsum(rng.normal(0, 0.01, len(days))))
        rows = [f"{d},{c:.4f},{c + 1:.4f},{c - 1:.4f},{c:.4f},1000,0"
                for d, c in zip(days, close, strict=True)]  # fmt: skip
        text = "\n".join(["Date,Open,High,Low,Close,Volume,OpenInt", *rows]) + "\n"
        (place / f"s{i:04}.us.txt").write_text(text)
    begun = time.perf_counter()
    done = list(ingest_each(Home(load_settings(folder / "many")), [place]))
    took = time.perf_counter() - begun
    assert sum(report.added for report in done) == FILES * len(days)
    return absolute(
        f"{FILES:,} Stooq files in one command, s", took, 60.0, f"{len(days)} rows each"
    )


def main():
    """Measure and tell."""
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        some = make_csv(folder / "some.csv", ROWS)
        assert ours(folder, some) == ROWS
        results = [
            compare(f"import of {ROWS:,} rows over {name}", lambda: ours(folder, some),
                    lambda peer=peer: peer(folder, some), limit=limit, rounds=7)
            for name, peer, limit in (("bare DuckDB to Parquet", bare_duckdb, 1.5),
                                      ("pandas to Parquet", bare_pandas, 0.5))
        ]  # fmt: skip
        many = make_csv(folder / "many.csv", MANY)
        results += [looked_at(many), memory(folder, many), stooq(folder)]
    sys.exit(tell(*results))


if __name__ == "__main__":
    main()
