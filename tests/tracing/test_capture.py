"""Capture: whatever the value is, there is a payload, it is valid JSON, it is small, and it took no time."""

import array
import asyncio
import collections
import dataclasses
import enum
import gc
import io
import itertools
import json
import math
import random
import sys
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, NamedTuple

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reamon.tracing import forget_capture, register_capture, snapshot
from reamon.tracing.capture import DEFAULT_LIMIT

texts = st.text(st.characters(exclude_categories=["Cs"]))
json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts,
    lambda inner: st.lists(inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)
anything = st.recursive(
    json_like
    | st.text()
    | st.floats()
    | st.integers()
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
    | st.complex_numbers()
    | st.just(object()),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.floats() | st.none() | st.binary(), inner)
        | inner.map(lambda value: collections.deque([value]))
    ),
    max_leaves=20,
)


def captured(value: Any, limit: int = DEFAULT_LIMIT) -> Any:
    """The payload of `value`, which has to be strict JSON within the limit."""
    raw = snapshot(value, limit)
    assert len(raw) <= limit
    return json.loads(raw, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


# -- properties ------------------------------------------------------------------------------------------------------


@given(json_like)
def test_what_is_small_and_plain_comes_back_as_it_was(value: Any) -> None:
    assert captured(value) == value


@given(anything, st.integers(256, 2000))
def test_anything_becomes_json_within_the_limit(value: Any, limit: int) -> None:
    captured(value, limit)


@given(st.integers(256, 5000), st.integers(0, 60), st.text(min_size=1, max_size=3))
def test_what_is_too_large_says_so(limit: int, keys: int, letter: str) -> None:
    value = {f"key {number}": letter * limit for number in range(keys + 1)}
    captured(value, limit)
    assert b"[reamon]" in snapshot(value, limit)


@given(st.lists(st.just("") | st.none() | st.integers(0, 9) | st.just([]), min_size=1), st.integers(1500, 3000))
def test_a_list_says_how_many_of_its_items_are_missing(pattern: list[Any], length: int) -> None:
    items = (pattern * length)[:length]
    shown = captured(items, 1000)
    note = shown.pop()
    assert note == f"[reamon] {len(items) - len(shown)} of {len(items)} items cut"
    assert shown == items[: len(shown)]


@pytest.mark.parametrize("number", [600, 5_000, 100_000])
def test_a_dict_says_how_many_of_its_keys_are_missing(number: int) -> None:
    shown = captured({str(key): key for key in range(number)}, 1000)
    note = shown.pop("[reamon]")
    assert note == f"[reamon] {number - len(shown)} of {number} keys cut"
    assert shown == {str(key): key for key in range(len(shown))}


def test_a_text_says_how_many_of_its_characters_are_missing() -> None:
    shown, _, note = captured("x" * 10_000, 1000).partition("…")
    assert note == f" [reamon] {10_000 - len(shown)} of 10000 characters cut"


@pytest.mark.parametrize("letter", ["x", "é", "名", "🎈", "\x00", '"', "\ud800", "\\"])
def test_the_limit_is_in_bytes_whatever_the_letters(letter: str) -> None:
    for shape in (letter * 5000, [letter * 500] * 20, {letter * 3000: letter * 3000}, [letter] * 3000):
        captured(shape, 1000)


# -- hostile values --------------------------------------------------------------------------------------------------


class Hostile:
    """Raises whatever one does with it."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparing")

    def __hash__(self) -> int:
        return 1

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __len__(self) -> int:
        raise RuntimeError("no length")

    def __iter__(self) -> Iterator[object]:
        raise RuntimeError("no items")

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(f"no {name}")


class HostileType(type):
    """A metaclass whose classes tell nothing."""

    def __getattr__(cls, name: str) -> object:
        raise RuntimeError(f"no {name}")

    def __hash__(cls) -> int:
        raise RuntimeError("no hash")


class OfHostileType(metaclass=HostileType):
    """Its own class is hostile."""


class NamelessType(type):
    """A metaclass that hides its classes' module."""

    def __getattribute__(cls, name: str) -> Any:
        if name in ("__module__", "__qualname__", "__mro__"):
            raise RuntimeError("no name")
        return super().__getattribute__(name)


class OfNamelessType(metaclass=NamelessType):
    """Its class has no name."""


class Shadowed:
    """Its class has an odd module."""


Shadowed.__module__ = None  # type: ignore[assignment]


class Model(pydantic.BaseModel):
    """A model."""

    name: str
    score: float | None = None


class OpenModel(pydantic.BaseModel, extra="allow"):
    """A model that takes further fields."""

    name: str


class FailingModel(pydantic.BaseModel):
    """A model that fails to dump."""

    name: str

    @pydantic.model_serializer
    def refuse(self) -> dict[str, str]:
        raise RuntimeError("no dump")


@dataclasses.dataclass
class Lead:
    """A dataclass."""

    count: ClassVar[int] = 7
    name: str
    extra: Any = None
    late: int = dataclasses.field(init=False)


@dataclasses.dataclass(slots=True)
class Slotted:
    """A dataclass with slots."""

    name: str


@dataclasses.dataclass
class Lazy:
    """One of its fields runs code, which fails."""

    name: str
    lead: int = 0

    def __getattribute__(self, name: str) -> Any:
        if name == "lead":
            raise ConnectionError("the session is closed")
        return super().__getattribute__(name)


class Struct(msgspec.Struct):
    """A msgspec struct."""

    name: str


class Attrs:
    """What attrs makes of a class, as far as it can be seen from outside."""

    __attrs_attrs__ = (SimpleNamespace(name="name"), SimpleNamespace(name="unset"))

    def __init__(self, name: str) -> None:
        self.name = name


class Point(NamedTuple):
    """A named tuple."""

    x: int
    y: int


class Colour(enum.Enum):
    """An enum."""

    RED = "red"


class Level(enum.IntEnum):
    """An enum of integers."""

    HIGH = 3


class Word(str):
    """A kind of string."""

    __slots__ = ()


class Count(int):
    """A kind of integer that refuses to be one."""

    def __int__(self) -> int:
        raise RuntimeError("no int")


class Endless(list[int]):
    """A list that never ends."""

    def __iter__(self) -> Iterator[int]:
        while True:
            yield 1


def circular_list() -> list[Any]:
    items: list[Any] = [1]
    items.append(items)
    return items


def circular_dict() -> dict[str, Any]:
    keys: dict[str, Any] = {"a": 1}
    keys["self"] = [keys]
    return keys


def circular_dataclass() -> Lead:
    lead = Lead("Ada")
    lead.extra = {"lead": lead}
    return lead


def nested(depth: int, kind: type[list[Any]] | type[dict[str, Any]]) -> Any:
    value: Any = "bottom"
    for _ in range(depth):
        value = [value] if kind is list else {"deeper": value}
    return value


def generator() -> Iterator[int]:
    yield pytest.fail("a generator was consumed")


async def coroutine() -> None:
    pytest.fail("a coroutine was run")


def awaiting() -> Any:
    pending = coroutine()
    pending.close()
    return pending


def looped_error() -> ValueError:
    error = ValueError()
    error.args = (error,)
    return error


def future() -> asyncio.Future[None]:
    loop = asyncio.new_event_loop()
    loop.close()
    return asyncio.Future(loop=loop)


HOSTILE: dict[str, Callable[[], Any]] = {
    "an object whose every method raises": Hostile,
    "an object of a hostile class": OfHostileType,
    "an object of a class without a name": OfNamelessType,
    "an object of a class with an odd module": Shadowed,
    "a hostile class": lambda: OfHostileType,
    "a circular list": circular_list,
    "a circular dict": circular_dict,
    "a circular dataclass": circular_dataclass,
    "a dict 3000 deep": lambda: nested(3000, dict),
    "a list 20000 deep": lambda: nested(20_000, list),
    "NaN": lambda: math.nan,
    "infinities": lambda: [math.inf, -math.inf],
    "bytes": lambda: b"\xff\x00" * 10,
    "a lone surrogate": lambda: "lone \ud800",
    "10 MB of text": lambda: "x" * 10_000_000,
    "a generator": generator,
    "a coroutine": awaiting,
    "a lock": threading.Lock,
    "an open file": lambda: io.StringIO("content"),
    "keys that are no strings": lambda: {1: "a", None: "b", (1, 2): "c", b"k": "d", 1.5: "e", Colour.RED: "f"},
    "keys that are hostile": lambda: {Hostile(): 1, "sound": 2},
    "keys with lone surrogates": lambda: {"\ud800": 1},
    "a pydantic model": lambda: Model(name="Ada"),
    "a pydantic model that fails to dump": lambda: FailingModel(name="Ada"),
    "a dataclass": lambda: Lead("Ada"),
    "a dataclass with a field that raises": lambda: Lazy("Ada"),
    "an enum": lambda: Colour.RED,
    "a decimal": lambda: Decimal("0.10"),
    "a decimal NaN": lambda: Decimal("sNaN"),
    "a datetime": lambda: datetime(2026, 1, 1, tzinfo=UTC),
    "an integer of 100000 digits": lambda: 10**100_000,
    "an integer that refuses to be one": lambda: Count(5),
    "a list that never ends": Endless,
    "an exception": lambda: ValueError("x", Hostile()),
    "an exception that holds itself": looped_error,
    "a module": lambda: sys,
    "a type": lambda: int,
    "a recursive function": lambda: nested,
    "a weak dict": weakref.WeakValueDictionary,
    "an event loop's future": future,
    "a random generator": lambda: random.Random(7),
    "a memory view": lambda: memoryview(b"1234"),
    "a complex number": lambda: 1j,
}


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_value_becomes_json_alone_and_deep_inside(make: Callable[[], Any]) -> None:
    for limit in (256, DEFAULT_LIMIT):
        captured(make(), limit)
        captured([make()], limit)
        captured(Lead("Ada", extra=[make()]), limit)
        captured({"a": [{"b": (make(),)}]}, limit)


LARGE: dict[str, Callable[[int], Any]] = {
    "a list": lambda size: list(range(size)),
    "a tuple": lambda size: tuple(range(size)),
    "a set": lambda size: set(range(size)),
    "a deque": lambda size: collections.deque(range(size)),
    "a dict": lambda size: dict.fromkeys(range(size)),
    "a dict of text": lambda size: dict.fromkeys(map(str, range(size))),
    "a dict in a dict": lambda size: {"inside": dict.fromkeys(map(str, range(size)))},
    "a counter": lambda size: collections.Counter(range(size)),
    "text": lambda size: "x" * size,
    "text beyond ASCII": lambda size: "ů" * size,
    "bytes": bytes,
}


def least_time(value: Any) -> float:
    """Seconds of this thread that a snapshot takes, the best of some."""

    def once() -> float:
        begun = time.thread_time()
        captured(value)
        return time.thread_time() - begun

    return min(once() for _ in range(5))


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE.keys())
def test_what_is_twenty_times_too_large_takes_no_longer_than_what_is_a_little_too_large(
    make: Callable[[int], Any],
) -> None:
    assert least_time(make(1_000_000)) < 5 * least_time(make(50_000)) + 0.001


@pytest.mark.parametrize("make", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_value_does_not_cost_its_neighbours(make: Callable[[], Any]) -> None:
    shown = captured({"before": 1, "hostile": make(), "pair": [make(), "kept"][::-1], "after": "x"}, 2 * DEFAULT_LIMIT)
    assert shown["before"] == 1
    if "after" in shown:  # it may have been cut for size
        assert shown["after"] == "x"
        assert shown["pair"][0] == "kept"
    else:
        assert "[reamon]" in shown


# -- what a payload says ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "NaN"),
        ([math.inf, -math.inf], ["Infinity", "-Infinity"]),
        (b"1234", {"__type__": "bytes", "length": 4}),
        (bytearray(3), {"__type__": "bytearray", "length": 3}),
        (memoryview(b"1234"), {"__type__": "memoryview", "length": 4}),
        (array.array("d", [1.0, 2.0]), {"__type__": "array.array", "length": 2}),
        ("lone \ud800", "lone \\ud800"),
        (Model(name="Ada"), {"name": "Ada", "score": None}),
        (OpenModel(name="Ada", mood="good"), {"name": "Ada", "mood": "good"}),  # type: ignore[call-arg]
        (FailingModel(name="Ada"), {"name": "Ada"}),
        (Lead("Ada"), {"name": "Ada", "extra": None}),
        (Slotted("Ada"), {"name": "Ada"}),
        (Lazy("Ada"), {"name": "Ada", "lead": {"error": "not captured: ConnectionError"}}),
        (Struct("Ada"), {"name": "Ada"}),
        (Attrs("Ada"), {"name": "Ada"}),
        (Point(1, 2), {"x": 1, "y": 2}),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        ({Colour.RED: 1, 2: "two", None: 3, 1.5: 4, True: 5}, {"red": 1, "2": "two", "None": 3, "1.5": 4, "True": 5}),
        ({1: "int", "1": "text"}, {"1": "int", "1 #1": "text"}),
        (Decimal("0.10"), "0.10"),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (time_of_day(3, 4), "03:04:00"),
        (timedelta(minutes=1.5), 90.0),
        (uuid.UUID(int=5), "00000000-0000-0000-0000-000000000005"),
        (Path("a") / "b", "a/b"),
        (Word("text"), "text"),
        (Level, {"__type__": "enum.EnumType", "name": f"{__name__}.Level"}),
        (nested, {"__type__": "function", "name": "nested"}),
        (io.StringIO("x"), {"__type__": "_io.StringIO"}),
        (threading.Lock(), {"__type__": "_thread.lock"}),
        (2**200, str(2**200)),
        (10**5000, {"__type__": "int", "bits": (10**5000).bit_length()}),
        ({3}, [3]),
        (frozenset([3]), [3]),
        (collections.deque([1, 2]), [1, 2]),
        (collections.OrderedDict(a=1), {"a": 1}),
        (collections.Counter("aa"), {"a": 2}),
        (ValueError("x", 5), {"__type__": "ValueError", "args": ["x", 5]}),
        ((1, (2, [3])), [1, [2, [3]]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_payload_says_what_it_can(value: Any, expected: Any) -> None:
    assert captured([math.nan, value]) == ["NaN", expected], "the NaN keeps plain values from being encoded at once"


def test_a_circle_is_cut_where_it_closes() -> None:
    assert captured(circular_list()) == [1, "[reamon] circular reference to list"]
    assert captured(circular_dict())["self"] == ["[reamon] circular reference to dict"]


def test_one_object_in_two_places_is_no_circle() -> None:
    shared = {"a": math.nan}
    assert captured([shared, shared]) == [{"a": "NaN"}, {"a": "NaN"}]


def test_a_deep_value_is_shown_down_to_a_depth() -> None:
    for kind in (list, dict):
        shown = captured(nested(3000, kind))
        depth = 0
        while not isinstance(shown, str):
            shown = shown[0] if kind is list else shown["deeper"]
            depth += 1
        assert depth >= 20
        assert shown == "[reamon] nested deeper than 48 levels"


@given(st.integers(0, 40))
def test_what_is_not_so_deep_is_shown_whole(depth: int) -> None:
    assert captured(nested(depth, list)) == nested(depth, list)


def test_nothing_that_could_be_used_up_is_consumed() -> None:
    iterators = [generator(), iter([1, 2]), map(str, [1]), zip([1], [2], strict=True), (n for n in [1])]
    captured(iterators)
    assert [next(iterator) for iterator in iterators[1:]] == [1, "1", (1, 2), 1]


def test_arrays_and_frames_are_type_shape_and_dtype() -> None:
    class Array:
        """Looks like one of numpy's."""

        shape = (3, 2)
        dtype = "float64"

        def __iter__(self) -> Iterator[float]:
            pytest.fail("an array was iterated")

    class Scalar:
        """Looks like one of numpy's."""

        shape = ()

        def item(self) -> float:
            return 1.5

    class Generator:
        """Looks like one of numpy's."""

    Array.__module__ = Generator.__module__ = "numpy.random"
    Scalar.__module__ = "numpy"
    shown = captured([Array(), Scalar(), Generator()])
    name = test_arrays_and_frames_are_type_shape_and_dtype.__name__
    assert shown == [
        {"__type__": f"numpy.random.{name}.<locals>.Array", "shape": [3, 2], "dtype": "float64"},
        1.5,
        {"__type__": f"numpy.random.{name}.<locals>.Generator"},
    ]


def test_what_cannot_even_be_condensed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("reamon.tracing._condense.Condenser.condense", refuse)
    assert captured([object()]) == {"__type__": "list", "error": "not captured: MemoryError"}


def test_a_limit_that_is_too_small_for_anything_is_said() -> None:
    assert b"not captured" in snapshot([object()] * 50, 20)


# -- time ------------------------------------------------------------------------------------------------------------


class Name(str):
    """A kind of text."""

    __slots__ = ()


LARGE: dict[str, Callable[[int], Any]] = {
    "text": lambda size: "x" * (640_000 * size),
    "text of a class of its own": lambda size: Name("x" * (6_400_000 * size)),
    "a dict of long keys": lambda size: {f"{number} {'x' * (2_000 * size)}": number for number in range(500)},
    "a model with many fields of its own": lambda size: OpenModel(
        name="Ada", **{f"field {number}": number for number in range(40_000 * size)}
    ),
    "text inside": lambda size: {"a": ["x" * (640_000 * size)]},
    "lone surrogates": lambda size: "\ud800" * (640_000 * size),
    "a list": lambda size: [0] * (640_000 * size),
    "a list inside": lambda size: {"a": [0] * (640_000 * size)},
    "a set": lambda size: set(range(40_000 * size)),
    "a dict": lambda size: dict.fromkeys(range(40_000 * size)),
    "empty lists": lambda size: [[]] * (40_000 * size),
    "a list that is long when unfolded": lambda size: folded(5 + size // 4),
    "a deep dict": lambda size: nested(200 * size, dict),
    "bytes": lambda size: b"x" * (6_400_000 * size),
    "an integer": lambda size: 10 ** (6_400 * size),
    "many references to a large list": lambda size: [[0] * (6_400 * size)] * (6_400 * size),
}


def folded(levels: int) -> list[Any]:
    value: list[Any] = ["leaf"]
    for _ in range(levels):
        value = [value] * 10
    return value


def seconds_to_capture(value: Any) -> float:
    """The best of three, in time of this thread alone."""
    times = []
    for _ in range(3):
        begun = time.thread_time()
        captured(value)
        times.append(time.thread_time() - begun)
    return min(times)


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE.keys())
def test_once_a_value_is_too_large_it_does_not_matter_how_large_it_is(make: Callable[[int], Any]) -> None:
    large, sixteen_times_as_large = make(1), make(16)
    assert seconds_to_capture(sixteen_times_as_large) < 4 * seconds_to_capture(large) + 0.002


def test_many_long_integers_take_no_longer_than_one() -> None:
    value = [10**4000] * 8000
    begun = time.thread_time()
    captured(value)
    assert time.thread_time() - begun < 0.2


# -- truth -----------------------------------------------------------------------------------------------------------


def test_a_snapshot_does_not_change_with_the_value() -> None:
    value = {"list": [1]}
    raw = snapshot(value)
    value["list"].append(2)
    assert json.loads(raw) == {"list": [1]}


def test_a_value_that_another_thread_changes_meanwhile_is_captured_somehow() -> None:
    value: dict[str, Any] = {"nan": math.nan, "plain": {}}
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            value[f"key {number % 50}"] = [number]
            value.pop(f"key {(number + 25) % 50}", None)
            value["plain"][number % 50] = number

    interval = sys.getswitchinterval()
    thread = threading.Thread(target=change)
    thread.start()
    sys.setswitchinterval(1e-6)  # so that it gets in between wherever it can
    try:
        for _ in range(1000):
            assert captured(value)["nan"] == "NaN"
            captured(value["plain"])
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()


def test_a_value_that_changes_while_a_garbage_collection_runs_is_captured() -> None:
    value: dict[Any, Any] = {**dict.fromkeys(range(500)), "nan": math.nan}
    changes = iter(range(1000, 1003))

    def change(_phase: str, _facts: dict[str, int]) -> None:
        value.update((number, None) for number in itertools.islice(changes, 1))

    pairs = [(number, None) for number in range(5000)]  # so that Python has none left to use again, and makes new ones
    threshold = gc.get_threshold()
    gc.callbacks.append(change)
    gc.set_threshold(50)
    try:
        shown = captured(value)
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(change)
    assert "499" in shown
    assert len(pairs) == 5000


class Talk(pydantic.BaseModel):
    """A model with much inside that is plain."""

    name: str
    history: list[dict[str, Any]]


def test_what_is_plain_inside_of_a_model_is_taken_as_it_is_and_no_reference_is_kept() -> None:
    lead = Talk(name="Ada", history=[{"role": "user", "colour": Colour.RED}])
    for _ in range(2):  # the second time, the enum is known
        raw = snapshot(lead)
        assert msgspec.json.decode(raw) == {"name": "Ada", "history": [{"role": "user", "colour": "red"}]}
    lead.history[0]["role"] = "assistant"
    assert b'"user"' in raw


def test_a_registered_enum_is_captured_as_registered_even_after_it_was_met() -> None:
    snapshot([object(), Colour.RED])
    register_capture(Colour, lambda colour: colour.name)
    try:
        assert msgspec.json.decode(snapshot({"colour": Colour.RED})) == {"colour": "RED"}
    finally:
        forget_capture(Colour)
    assert msgspec.json.decode(snapshot({"colour": Colour.RED})) == {"colour": "red"}


def test_half_of_a_surrogate_pair_deep_inside_of_a_model_costs_nothing_else() -> None:
    decoded = msgspec.json.decode(snapshot(Talk(name="Ada", history=[{"said": chr(0xD800)}])))
    assert decoded["name"] == "Ada"
    assert decoded["history"][0]["said"].endswith("ud800")
