"""The settings of retention: ages as people write them."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.errors import ConfigurationError
from reamon.settings import MonitoringSettings, RetentionSettings
from reamon.settings.retention import Age, age


def test_detail_is_kept_for_a_month_costs_for_a_year_summaries_for_ever_and_nobody_prunes_unasked() -> None:
    settings = MonitoringSettings().retention
    assert (settings.detail, settings.costs) == (timedelta(days=30), timedelta(days=365))
    assert (settings.metrics, settings.alerts) == (timedelta(days=365), timedelta(days=365))
    assert (settings.summaries, settings.every) == (None, None)


def test_ages_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REAMON_RETENTION__DETAIL", "12h")
    monkeypatch.setenv("REAMON_RETENTION__COSTS", "none")
    monkeypatch.setenv("REAMON_RETENTION__EVERY", "90s")
    settings = MonitoringSettings().retention
    assert settings == RetentionSettings(detail=timedelta(hours=12), costs=None, every="90s")


@pytest.mark.parametrize("wrong", ["a month", "30", "0d", 30, "-1d", timedelta(0)])
def test_what_is_no_age_is_refused_by_name(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"retention\.detail"):
        MonitoringSettings(retention={"detail": wrong})


@given(st.integers(1, 10**5), st.sampled_from("smhd"))
def test_an_age_reads_as_it_was_written(number: int, unit: str) -> None:
    given_age = age(f"{number}{unit}")
    assert age(str(given_age)) == given_age
    assert str(Age(days=30)) == "30d"
