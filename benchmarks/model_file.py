"""Size of a shipped LightGBM model file. Goal: below 1 MB."""

import sys

from benchmarks._compare import Result, tell
from benchmarks._home import DIRECTION, trained_home

if __name__ == "__main__":
    home = trained_home()
    folder = home.registry.path(DIRECTION) / "shipped"
    size = sum(f.stat().st_size for f in folder.glob("*") if f.is_file()) / 1e6
    sys.exit(tell(Result("shipped model in MB", size, size, size, size, 1.0, 1.0, 1)))
