"""The registry: twice is once, other options take the place of the first, and everything can be undone."""

import httpx
import pytest

import reamon
from reamon.integrations.patches import Patches


class Phone:
    """Something to instrument."""

    def dial(self, number: str) -> str:
        return f"dialling {number}"


def test_instrumented_twice_is_instrumented_once() -> None:
    first = reamon.instrument(Phone, methods=("dial",))
    assert reamon.instrument(Phone, methods=("dial",)) is first
    first.uninstrument()
    assert not hasattr(Phone.dial, "__wrapped__")


def test_other_options_take_the_place_of_the_first() -> None:
    first = reamon.instrument(Phone, methods=("dial",))
    with reamon.instrument(Phone, methods={"dial": "telephony"}) as second:
        assert (first.is_active, second.is_active) == (False, True)
    assert not hasattr(Phone.dial, "__wrapped__")


def test_a_handle_says_what_it_is_of_and_whether_it_is_active() -> None:
    handle = reamon.instrument(Phone, methods=("dial",))
    assert repr(handle) == "<Instrumentation of Phone>"
    handle.uninstrument()
    assert repr(handle) == "<Instrumentation of Phone, undone>"


def test_everything_is_undone_at_once() -> None:
    phone = Phone()
    handles = [reamon.instrument(Phone, methods=("dial",)), reamon.instrument(phone, methods=("dial",))]
    reamon.uninstrument()
    assert [handle.is_active for handle in handles] == [False, False]
    assert vars(phone) == {}
    assert not hasattr(Phone.dial, "__wrapped__")


def test_what_is_not_instrumented_stays_as_it_is() -> None:
    reamon.uninstrument(Phone)
    reamon.uninstrument("openai")


def test_an_unknown_library_is_refused_with_what_there_is() -> None:
    with pytest.raises(reamon.ConfigurationError, match="no such instrumentor; did you mean 'langgraph'"):
        reamon.instrument("langgrap")


@pytest.mark.parametrize(
    ("target", "options", "told"),
    [
        ("langgraph", {}, r"instrument\('langgraph'\): .*'color'; the options are agents=, call_id="),
        ("ollama", {}, r"instrument\('ollama'\): .*'color'; it has no options"),
        (Phone, {"methods": ("dial",)}, "unexpected option 'color'; the options are .*capture="),
    ],
)
def test_an_unknown_option_is_refused_by_name_with_those_there_are(
    target: object, options: dict[str, object], told: str
) -> None:
    with pytest.raises(reamon.ConfigurationError, match=told):
        reamon.instrument(target, color="red", **options)


@pytest.mark.parametrize("target", [httpx, httpx.Client])
def test_a_library_that_is_given_as_a_module_or_a_class_of_it_is_to_be_given_by_name(target: object) -> None:
    with pytest.raises(reamon.ConfigurationError, match=r"by its name: instrument\('httpx'\)"):
        reamon.instrument(target)


def test_a_failed_attempt_leaves_nothing_behind() -> None:
    with pytest.raises(reamon.ConfigurationError):
        reamon.instrument("langgraph", agents=3)
    reamon.instrument("langgraph").uninstrument()


def test_a_patch_that_somebody_wrapped_again_stays_and_passes_through() -> None:
    patches, seen = Patches(), []

    def watched(wrapped, phone, args, kwargs):  # type: ignore[no-untyped-def]
        seen.append(args)
        return wrapped(*args, **kwargs)

    original = Phone.dial
    patches.wrap(Phone, "dial", watched)
    ours = Phone.dial
    Phone.dial = lambda self, number: ours.__get__(self)(number)  # type: ignore[method-assign]
    try:
        patches.undo()
        assert Phone().dial("555") == "dialling 555"
        assert seen == []
    finally:
        Phone.dial = original  # type: ignore[method-assign]


class Office:
    """Something else to instrument: an agent by its shape."""

    agent_type = "office"

    def process(self, context: object) -> str:
        return "done"


def test_several_targets_are_instrumented_and_undone_at_once() -> None:
    before = dict(vars(Office))
    with reamon.instrument("langgraph", Office) as both:
        assert repr(both) == "<Instrumentation of 'langgraph', Office>"
        assert hasattr(Office.process, "__wrapped__")
    assert (both.is_active, dict(vars(Office))) == (False, before)


def test_where_one_of_several_cannot_be_instrumented_none_is() -> None:
    with pytest.raises(reamon.ConfigurationError, match="no such instrumentor"):
        reamon.instrument(Office, "langgrap")
    assert not hasattr(Office.process, "__wrapped__")


def test_options_are_for_one_target() -> None:
    with pytest.raises(
        reamon.ConfigurationError, match=r"instrument\(Office, 'langgraph', agents=...\): options are for"
    ):
        reamon.instrument(Office, "langgraph", agents=("a",))
