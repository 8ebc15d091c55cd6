"""What all tests share: a home of their own, and the real bars where they are."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data():
    """The folder of real vendor files; they carry no licence, so a clone does not have them."""
    place = Path(os.environ.get("OPENRANGE_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (place / "README.md").is_file():
        pytest.skip(f"the real bar files are not here ({place.name}/ beside the project)")
    return place


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty home that no watch keeps busy."""
    monkeypatch.setenv("OPENRANGE_WATCH", "false")
    return tmp_path / "home"


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory):
    """A small trained home that nobody may change."""
    from tests.homes import make_trained

    os.environ["OPENRANGE_WATCH"] = "false"
    return make_trained(tmp_path_factory.mktemp("trained") / "home")


@pytest.fixture
def trained(trained_once, tmp_path, monkeypatch):
    """A copy of the small trained home."""
    from tests.homes import copy_of

    monkeypatch.setenv("OPENRANGE_WATCH", "false")
    return copy_of(trained_once, tmp_path / "home")
