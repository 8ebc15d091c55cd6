"""Importing the façade against pandas and duckdb. Goal: at most 2 ×, in fresh processes."""

import subprocess
import sys

from benchmarks._compare import compare, tell


def fresh(code):
    return lambda: subprocess.run([sys.executable, "-c", code], check=True)


if __name__ == "__main__":
    sys.exit(tell(compare(
        "import mlcore.hub against pandas and duckdb", fresh("import mlcore.hub"),
        fresh("import pandas, duckdb"), limit=2.0, rounds=9,
    )))  # fmt: skip
