"""Settings: packaged markets, a home's file, the environment, and what a mistake gets."""

import pytest

from mlcore.config import load_settings
from mlcore.errors import ConfigError, UsageError


def test_defaults_carry_every_market(tmp_path):
    settings = load_settings(tmp_path)
    assert set(settings.markets) >= {"gold", "fx", "index_futures", "us_equity", "nse", "crypto"}
    gold = settings.market("gold")
    assert gold.cost.points == 0.30
    assert [r.name for r in gold.ranges][-1] == "new_york_0930"
    assert settings.market("us_equity").cost.bp == 2.0
    assert settings.market("crypto").ranges[-1].window_end == "24:00"


def test_a_home_changes_one_value_and_keeps_the_rest(tmp_path):
    (tmp_path / "openrange.toml").write_text("seed = 9\n[markets.gold.cost]\npoints = 0.5\n")
    settings = load_settings(tmp_path)
    assert (settings.seed, settings.market("gold").cost.points) == (9, 0.5)
    assert settings.market("gold").roll == "17:00"


def test_the_environment_goes_before_the_file(tmp_path, monkeypatch):
    (tmp_path / "openrange.toml").write_text("seed = 9\n")
    monkeypatch.setenv("OPENRANGE_SEED", "11")
    monkeypatch.setenv("OPENRANGE_MARKETS__GOLD__TICK", "0.1")
    settings = load_settings(tmp_path)
    assert (settings.seed, settings.market("gold").tick) == (11, 0.1)


def test_the_home_may_come_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENRANGE_HOME", str(tmp_path))
    assert load_settings().home == tmp_path.resolve()


def test_the_fingerprint_follows_numbers_not_places(tmp_path, monkeypatch):
    one, two = load_settings(tmp_path / "a"), load_settings(tmp_path / "b")
    assert one.fingerprint() == two.fingerprint()
    monkeypatch.setenv("OPENRANGE_SEED", "11")
    assert load_settings(tmp_path).fingerprint() != one.fingerprint()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed = ", "openrange.toml is TOML – it cannot be read"),
        ("seed = 'x'", "The configuration holds together – it does not"),
        ("nonsense = 1", "The configuration holds together – it does not"),
        ("[markets.gold]\nzone = 'Mars/Base'", "'Mars/Base' is not an IANA zone"),
        ("[markets.gold.cost]\npoints = -1", "greater than or equal to 0"),
    ],
)
def test_a_mistake_is_named(tmp_path, text, said):
    (tmp_path / "openrange.toml").write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_settings(tmp_path)


def test_an_unknown_market_lists_the_known(tmp_path):
    with pytest.raises(UsageError, match=r"A market is one of crypto, .* 'mars' was given"):
        load_settings(tmp_path).market("mars")
