"""Run every script, one after the other: `python -m benchmarks`."""

import runpy
import sys
from pathlib import Path

failed = []
for script in sorted(Path(__file__).parent.glob("[a-z]*.py")):
    print(f"--- {script.stem}", flush=True)
    try:
        runpy.run_module(f"benchmarks.{script.stem}", run_name="__main__")
    except SystemExit as end:
        if end.code:
            failed.append(script.stem)
print("all claims hold" if not failed else f"not within their limits: {', '.join(failed)}")
sys.exit(1 if failed else 0)
