"""The market of the rows under test: a simulated walk that trades from Sunday to Friday."""

import pytest

from mlcore.config import load_settings


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    """The settings of an empty home."""
    return load_settings(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def market(settings):
    """The market of SIM-WALK."""
    return settings.market("simulated_24_5")
