"""What the README says works: its tour runs line by line, its files and commands exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tour():
    block = re.search(r"## Five-minute tour\n```sh\n(.*?)```", README, re.DOTALL)
    assert block is not None
    return block[1].splitlines()


def test_every_picture_and_file_it_names_is_there():
    for name in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / name).is_file(), f"{name} is missing"
    for name in ("CONTRIBUTING.md", "requirements.txt", "server.py"):
        assert name in README
        assert (ROOT / name).is_file()


def test_make_knows_the_commands_it_names():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert f"\n{target}:" in makefile


@pytest.mark.slow
def test_the_tour_runs_as_written(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENRANGE_HOME", str(tmp_path))
    monkeypatch.setenv("OPENRANGE_WATCH", "false")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    said = {}
    for line in tour():
        words = shlex.split(line)
        assert words[:3] == ["python", "-m", "mlcore"]
        done = subprocess.run(
            [sys.executable, *words[1:]], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
        said[words[3]] = done.stdout
    assert "SIM-EDGE" in said["symbols"]
    assert "words" in said["shadow"] or "recorded" in said["shadow"]
