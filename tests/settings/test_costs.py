"""The settings of what things cost."""

import pytest

from reamon.errors import ConfigurationError
from reamon.settings import MonitoringSettings


def test_they_are_the_options_of_the_cost_collector_and_of_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_COSTS__PROFILE", "reautomation2")
    monkeypatch.setenv("REAMON_COSTS__MODEL_PRICES", "false")
    settings = MonitoringSettings(costs={"estimate": True})
    assert settings.collector_options_of("cost") == {
        "rates": None,
        "profile": "reautomation2",
        "model_prices": False,
        "estimate": True,
    }
    assert settings.collector_options_of("performance") == {}


def test_one_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ConfigurationError, match="prices"):
        MonitoringSettings(costs={"prices": "cheap"})
