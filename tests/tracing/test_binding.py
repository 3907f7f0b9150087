"""Binding: arguments by name, as the function itself would see them."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.errors import DecoratorError
from reamon.tracing._binding import Binding

P = inspect.Parameter
KINDS = (P.POSITIONAL_ONLY, P.POSITIONAL_OR_KEYWORD, P.VAR_POSITIONAL, P.KEYWORD_ONLY, P.VAR_KEYWORD)
DEFAULT = object()


@st.composite
def functions(draw: st.DrawFn) -> Callable[..., Any]:
    """A function of any signature, whose body does nothing."""
    counts = [draw(st.integers(0, 2)), draw(st.integers(0, 3)), draw(st.integers(0, 1)), draw(st.integers(0, 2))]
    counts.append(draw(st.integers(0, 1)))
    parameters: list[inspect.Parameter] = []
    letters = iter(draw(st.permutations("abcdefghij")))
    defaulted = False
    for kind, count in zip(KINDS, counts, strict=True):
        for _ in range(count):
            default: Any = P.empty
            if kind in (P.POSITIONAL_ONLY, P.POSITIONAL_OR_KEYWORD):
                defaulted = defaulted or draw(st.booleans())
                default = DEFAULT if defaulted else P.empty
            elif kind is P.KEYWORD_ONLY and draw(st.booleans()):
                default = DEFAULT
            parameters.append(P(next(letters), kind, default=default))
    source = f"def function{inspect.Signature(parameters)}: pass".replace(repr(DEFAULT), "DEFAULT")
    namespace: dict[str, Any] = {"DEFAULT": DEFAULT}
    exec(source, namespace)
    function: Callable[..., Any] = namespace["function"]
    return function


def expected(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    """What `inspect.signature` says, `**kwargs` laid out."""
    signature = inspect.signature(function)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    result = {}
    for name, value in bound.arguments.items():
        if signature.parameters[name].kind is P.VAR_KEYWORD:
            result.update(value)
        else:
            result[name] = value
    return result


@given(
    functions(), st.lists(st.integers(), max_size=6), st.dictionaries(st.sampled_from("abcdefghijxyz"), st.integers())
)
def test_binding_is_what_inspect_says_for_any_signature(
    function: Callable[..., Any], args: list[int], kwargs: dict[str, int]
) -> None:
    positional_only = {
        name for name, p in inspect.signature(function).parameters.items() if p.kind is P.POSITIONAL_ONLY
    }
    for name in positional_only & kwargs.keys():  # f(a, /, **more) may be called with another a
        del kwargs[name]
    bind = Binding(function).bind
    try:
        wanted = expected(function, tuple(args), kwargs)
    except TypeError:
        with pytest.raises(TypeError):
            bind(*args, **kwargs)
    else:
        assert bind(*args, **kwargs) == wanted


@given(functions())
def test_every_parameter_may_be_named_in_an_option(function: Callable[..., Any]) -> None:
    binding = Binding(function)
    kinds = {name: parameter.kind for name, parameter in inspect.signature(function).parameters.items()}
    binding.require([name for name, kind in kinds.items() if kind is not P.VAR_KEYWORD], "ignore", "function")
    if P.VAR_KEYWORD in kinds.values():
        binding.require(["unknown"], "ignore", "function")
    else:
        with pytest.raises(DecoratorError, match="unknown"):
            binding.require(["unknown"], "ignore", "function")


def test_self_and_cls_are_left_out_and_other_first_names_only_if_they_are_bound() -> None:
    def method(self: object, a: int) -> None: ...

    def of_class(klass: type, a: int) -> None: ...

    assert Binding(method).bind("me", 1) == {"a": 1}
    assert Binding(of_class).bind(int, 1) == {"klass": int, "a": 1}
    assert Binding(of_class, bound_first=True).bind(int, 1) == {"a": 1}
    assert "self" not in (Binding(method).names or ())


def test_a_keyword_called_self_is_no_self() -> None:
    def function(*, self: int) -> None: ...

    assert Binding(function).bind(self=1) == {"self": 1}


def test_what_has_no_signature_is_bound_by_position() -> None:
    binding = Binding(max)
    assert binding.names is None
    assert binding.bind(1, 2, key=3) == {"args": (1, 2), "key": 3}
    binding.require(["anything"], "ignore", "max")


def test_a_default_is_the_object_itself() -> None:
    default: list[int] = []

    def function(items: list[int] = default) -> None: ...

    assert Binding(function).bind()["items"] is default


def test_a_refusal_names_the_option_the_function_and_its_parameters() -> None:
    def function() -> None: ...

    with pytest.raises(DecoratorError, match=r"ignore='a': turn\(\) has no such parameter; it has: none"):
        Binding(function).require(["b", "a"], "ignore", "turn")
