"""Variables of the environment: which are settings, and which only look like it."""

from reamon.settings import unknown_variables, variable_names


def test_unknown_variables_are_told_with_the_one_that_may_be_meant() -> None:
    environment = {"REAMON_EXPORTRES": "x", "REAMON_HOME": "x", "REAMON_ZZZZZZ": "x", "HOME": "x"}
    assert unknown_variables(environment) == {"REAMON_EXPORTRES": "REAMON_EXPORTERS", "REAMON_ZZZZZZ": None}
    assert unknown_variables(dict.fromkeys(variable_names(), "x")) == {}


def test_nested_variables_are_known() -> None:
    environment = {"REAMON_LANGSMITH__APIKEY": "x", "REAMON_LANGSMITH__LIVE": "x", "REAMON_EXPORTER_OPTIONS__CRM": "x"}
    assert unknown_variables(environment) == {"REAMON_LANGSMITH__APIKEY": "REAMON_LANGSMITH__API_KEY"}


def test_what_belongs_to_others_is_no_concern_of_ours() -> None:
    assert unknown_variables({"LANGSMITH_APIKEY": "x", "REAMON_TEST_X": "x"}) == {}
