"""The house holds: floors, no circles, budgets, nothing heavy at the door.

Imports inside functions count too: a lazy import is still a dependency.
"""

import ast
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = sorted((ROOT / "mlcore").rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))

GROUND = ["errors", "clock", "schema", "statistics", "metrics", "config", "store"]
FLOORS = {
    **dict.fromkeys(GROUND, 0),
    "market": 1,
    "jobs": 1,
    "features": 2,
    "models": 2,
    "trading": 3,
    "registry": 3,
    "ledger": 3,
    "samples": 4,
    "evaluation": 5,
    "live": 6,
    "training": 6,
    "operations": 7,
    "hub": 8,
    "api": 9,
    "commands": 10,
    "__main__": 11,
}
GROUND_ORDER = {name: i for i, name in enumerate(["errors", "clock", "schema"])} | {
    "statistics": 2, "metrics": 3, "config": 4, "store": 5,
}  # fmt: skip


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def room_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == "mlcore" and len(parts) > 1 and parts[1] in FLOORS else None


@pytest.mark.parametrize("path", PRODUCT, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_only_go_down(path):
    here = room_of(module_name(path))
    if here is None:
        assert path == ROOT / "mlcore" / "__init__.py", f"{path} stands in no room of the house"
        return
    for there in {room_of(name) for name in imports_of(path)} - {None, here}:
        down = FLOORS[there] < FLOORS[here]
        ground = FLOORS[here] == FLOORS[there] == 0 and GROUND_ORDER[there] <= GROUND_ORDER[here]
        assert down or ground, f"{module_name(path)} ({here}) imports {there}: not a floor below"


def test_rooms_have_no_import_circle():
    known = {module_name(p): p for p in PRODUCT}
    graph = {m: {n for n in imports_of(p) if n in known and n != m} for m, p in known.items()}
    done, path = set(), []

    def visit(module):
        assert module not in path, f"circle: {' → '.join([*path[path.index(module) :], module])}"
        if module in done:
            return
        path.append(module)
        for other in sorted(graph[module]):
            if not module.startswith(other + "."):
                visit(other)
        path.pop()
        done.add(module)

    for module in graph:
        visit(module)


@pytest.mark.parametrize("path", PRODUCT, ids=lambda p: str(p.relative_to(ROOT)))
def test_the_core_knows_no_page(path):
    roots = {name.split(".")[0] for name in imports_of(path)}
    assert not roots & {"streamlit", "plotly", "pickle", "cloudpickle", "dill", "pages"}


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_pages_know_only_the_hub(path):
    ours = {n for n in imports_of(path) if n == "mlcore" or n.startswith("mlcore.")}
    allowed = ("mlcore.hub", "mlcore.errors")
    assert all(n.startswith(allowed) for n in ours), f"{path.name} imports {sorted(ours)}"


def docstring_lines(tree: ast.Module) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                lines |= set(range(value.lineno, (value.end_lineno or value.lineno) + 1))
    return lines


def code_lines(path: Path) -> int:
    text = path.read_text(encoding="utf-8")
    skip = docstring_lines(ast.parse(text))
    rows = enumerate(text.splitlines(), 1)
    return sum(
        1 for i, row in rows if i not in skip and row.strip() and not row.strip().startswith("#")
    )


def functions(path: Path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skip = docstring_lines(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first, last = node.body[0].lineno, node.end_lineno or node.lineno
            yield node.name, sum(1 for i in range(first, last + 1) if i not in skip)


@pytest.mark.parametrize("path", [*PRODUCT, *PAGES], ids=lambda p: str(p.relative_to(ROOT)))
def test_files_and_functions_stay_small(path):
    is_page = path.parent.name == "pages" and not path.name.startswith("_")
    assert code_lines(path) <= (150 if is_page else 300)
    long = [(name, n) for name, n in functions(path) if n > 40]
    assert not long, f"functions over 40 lines: {long}"


def test_the_median_function_is_short():
    lengths = [n for path in PRODUCT for _, n in functions(path)]
    assert statistics.median(lengths) <= 10


def test_nothing_heavy_is_imported_at_the_door():
    heavy = {"lightgbm", "sklearn", "scipy", "talib", "arch", "statsmodels", "exchange_calendars",
             "torch", "xgboost", "shap", "numba", "streamlit", "plotly"}  # fmt: skip
    code = "import sys, mlcore.hub; print(*{m.split('.')[0] for m in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not heavy & set(done.stdout.split())
