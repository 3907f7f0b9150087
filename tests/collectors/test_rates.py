"""Rates: what cannot be used is refused before anything is priced, with its place."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from reamon.collectors import PriceBook
from reamon.collectors.rate_files import load_rates, profile_names, profile_rates
from reamon.collectors.rates import RateSheet
from reamon.errors import ConfigurationError, MissingExtraError
from reamon.model import Usage

EVERYTHING = """
version = "summer"

[[rates."acme/large"]]
from = 2026-01-01
per = 1_000_000
input_tokens = 2.5
output_tokens = 10
service_tiers = { batch = 0.5 }
tiers = [{ above = 200_000, input_tokens = 5 }]

[[rates."acme/large"]]
from = 2026-07-01
per = 1_000_000
input_tokens = 0.1
output_tokens = 10

[rates."carrier"]
minutes = 0.0085
increment = 1
minimum = 1

[rates."basement"]
free = true

[aliases]
"big" = "acme/large"
"""

AS_YAML = """
version: summer
rates:
  acme/large:
    - from: 2026-01-01
      per: 1000000
      input_tokens: 2.5
      output_tokens: 10
      service_tiers: {batch: 0.5}
      tiers: [{above: 200000, input_tokens: 5}]
    - from: 2026-07-01
      per: 1000000
      input_tokens: 0.1
      output_tokens: 10
  carrier: {minutes: 0.0085, increment: 1, minimum: 1}
  basement: {free: true}
aliases:
  big: acme/large
"""


@pytest.fixture(params=["toml", "yaml", "yml"])
def sheet(request: pytest.FixtureRequest, tmp_path: Path) -> RateSheet:
    path = tmp_path / f"rates.{request.param}"
    path.write_text(EVERYTHING if request.param == "toml" else AS_YAML)
    return load_rates(path)


def test_toml_and_yaml_say_the_same(sheet: RateSheet) -> None:
    assert sheet.version == "rates@summer"
    assert sheet.keys == ("acme/large", "carrier", "basement", "big")
    first = sheet.find("acme", "large", date(2026, 2, 1))
    assert first is not None
    assert first.units["input_tokens"].price == Decimal("2.5")
    assert first.units["input_tokens"].per == 1_000_000
    assert first.units["input_tokens"].tiers == ((Decimal(200_000), Decimal(5)),)
    batch = sheet.find("acme", "large", date(2026, 2, 1), "batch")
    assert batch is not None
    assert batch.units["input_tokens"].price == Decimal("1.25")
    later = sheet.find("big", "", date(2026, 7, 1))
    assert later is not None
    assert (str(later.units["input_tokens"].price), later.effective_date) == ("0.1", "2026-07-01")
    carrier = sheet.find("carrier", "", date(2020, 1, 1))
    assert carrier is not None
    assert (carrier.units["minutes"].increment, carrier.effective_date) == (1, None)
    basement = sheet.find("basement", "anything", date(2026, 1, 1))
    assert basement is not None
    assert basement.is_free


def test_a_price_in_a_file_is_taken_digit_for_digit(tmp_path: Path) -> None:
    for name, text in (
        ("a.toml", "[rates]\nx = {{ characters = {} }}"),
        ("a.yaml", "rates: {{x: {{characters: {}}}}}"),
    ):
        path = tmp_path / name
        path.write_text(text.format("0.1000000000000000055511151231257827"))
        prices = load_rates(path).find("x", "", date(2026, 1, 1))
        assert prices is not None
        assert str(prices.units["characters"].price) == "0.1000000000000000055511151231257827"


def test_the_edition_is_made_from_what_is_in_it_and_not_from_how_it_is_written() -> None:
    plain = RateSheet("rates", {"x": {"characters": "0.1", "per": 10}})
    other = RateSheet("rates", {"x": {"per": 10, "characters": Decimal("0.1")}})
    assert plain.version == other.version
    assert RateSheet("rates", {"x": {"characters": "0.2", "per": 10}}).version != plain.version


@pytest.mark.parametrize(
    ("rates", "named"),
    [
        ({"openai": {"tokens": 1}}, r"rates\['openai'\]: there is no unit or option 'tokens'"),
        ({"openai": {"input_tokens": "cheap"}}, r"rates\['openai'\]\['input_tokens'\]: 'cheap' is not a number"),
        ({"openai": {"input_tokens": -1}}, "negative"),
        ({"openai": {"input_tokens": float("nan")}}, "nan"),
        ({"openai": {"input_tokens": 1, "per": 0}}, r"per = 0: it has to be more than 0"),
        ({"openai": {}}, "no price of any unit"),
        ({"openai": {"free": True, "input_tokens": 1}}, "free, and has prices too"),
        ({"openai": {"free": "maybe"}}, "true or false"),
        ({"openai": 3}, r"rates\['openai'\]: a table of prices"),
        ({"openai": []}, r"rates\['openai'\]: a table of prices"),
        ({"openai": {"input_tokens": 1, "from": "soon"}}, r"from = 'soon': a day"),
        ({"openai": {"input_tokens": 1, "from": datetime(2026, 1, 1)}}, "a day is needed"),
        ({"openai": [{"input_tokens": 1}, {"input_tokens": 2}]}, "in force from the same day"),
        ({"openai": {"input_tokens": 1, "increment": 1}}, "`increment` is about one unit"),
        ({"x": {"minutes": 1, "messages": 1, "increment": 1}}, "give each a key of its own"),
        ({"x": {"minutes": 1, "tiers": [{"minutes": 1}]}}, r"tiers\[1\]: it does not say `above`"),
        ({"x": {"minutes": 1, "tiers": [{"above": 1, "messages": 1}]}}, "'messages' has no price below it"),
        ({"x": {"minutes": 1, "tiers": 3}}, "a list of tables"),
        ({"x": {"minutes": 1, "service_tiers": "batch"}}, "a table of factors"),
        ({"x": {"minutes": 1, "service_tiers": {"batch": -1}}}, "negative"),
        ({"openai": {"gpt-4o": {"input_tokens": 1}}}, r"'gpt-4o'.*one name, in quotes: \"openai/gpt-4o\""),
        ({"OpenAI/GPT": {"minutes": 1}, "openai/gpt": {"minutes": 2}}, r"\['openai/gpt'\]: .* there twice"),
        ({"": {"minutes": 1}}, r"rates\[''\]: a name is"),
        ({"openai/": {"minutes": 1}}, r"rates\['openai/'\]: a name is"),
        ({"openai/gpt*4": {"minutes": 1}}, r"rates\['openai/gpt\*4'\]: a name is"),
        ({"x": {"minutes": 1, "increment": -1}}, r"increment = -1: it has to be more than 0"),
        ({"x": {"minutes": "1e50"}}, r"\['minutes'\] = '1e50': no price or number"),
        ({"x": {"minutes": 1, "per": "1e-50"}}, r"per = '1e-50': no"),
        ({"x": {"minutes": 1, "tiers": [{"above": 1}]}}, r"tiers\[1\]: it has no price of any unit"),
        (
            {"x": {"minutes": 1, "tiers": [{"above": 1, "minutes": 2}, {"above": 1, "minutes": 3}]}},
            r"tiers: two of them have a price of 'minutes' above 1",
        ),
    ],
)
def test_a_wrong_rate_is_refused_by_name(rates: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        PriceBook(rates)


@pytest.mark.parametrize("rates", [3, [1], {1, 2}])
def test_rates_that_are_no_table_are_refused(rates: Any) -> None:
    with pytest.raises(ConfigurationError, match="a table of providers"):
        PriceBook(rates)


@pytest.mark.parametrize(
    ("name", "text", "named"),
    [
        ("a.toml", "rates = [", "a.toml is not TOML"),
        ("a.yaml", "rates: [", "a.yaml is not YAML"),
        ("a.json", "{}", r"a.json is neither .toml nor .yaml"),
        ("a.toml", "[prices]", "a.toml: it has no table `rates`"),
        ("a.yaml", "- 1", "a.yaml: it has no table `rates`"),
        ("a.toml", "[rates]\n[extras]", "a.toml: there is no 'extras'"),
        ("a.toml", "[rates.x]\nwords = 1", r"a.toml: rates\['x'\]: there is no unit or option 'words'"),
        ("a.toml", '[rates.x]\nminutes = 1\n[aliases]\ny = "z"', r"a.toml: rates.aliases\['y'\] = 'z': there are no"),
        ("a.toml", "aliases = 3\n[rates.x]\nminutes = 1", "a table of names"),
        (
            "a.toml",
            '[rates]\nx.minutes = 1\ny.minutes = 2\n[aliases]\nx = "y"',
            r"aliases\['x'\] = 'y': .* of their own",
        ),
        ("a.toml", '[rates]\nx.minutes = 1\n[aliases]\nZ = "x"\nz = "x"', r"aliases\['z'\] = 'x': .* there twice"),
        ("a.yaml", "rates:\n  x: {minutes: 1}\n  x: {minutes: 2}", "a.yaml: 'x' is there twice, on line 3 again"),
        ("a.yaml", "rates:\n  x: {minutes: 1, minutes: 2}", "a.yaml: 'minutes' is there twice, on line 2 again"),
        ("a.toml", "version = [1]\n[rates.x]\nminutes = 1", r"a.toml: version = \[1\]: a text is needed"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_name_and_the_key(
    tmp_path: Path, name: str, text: str, named: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationError, match=named):
        load_rates(tmp_path / name)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no file .*nowhere\.toml"):
        load_rates(tmp_path / "nowhere.toml")
    (tmp_path / "picture.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read as text"):
        load_rates(tmp_path / "picture.toml")


def test_yaml_needs_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    (tmp_path / "rates.yaml").write_text(AS_YAML)
    with pytest.raises(MissingExtraError, match=r"reamon\[costs\]"):
        load_rates(tmp_path / "rates.yaml")


def test_every_profile_that_comes_with_reamon_can_be_used() -> None:
    assert profile_names() == ["local", "reautomation2"]
    for name in profile_names():
        assert profile_rates(name).version.startswith(f"{name}@")


def test_the_example_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "costs.md").read_text()
    path = tmp_path / "rates.toml"
    path.write_text(page.split("```toml\n")[1].split("```")[0])
    book = PriceBook.load(path, model_prices=False)
    day = date(2026, 9, 1)
    costs = [
        book.price(usage, at=day)[0].amount
        for usage in (
            Usage(provider="acme", model="large-2026-01-31", input_tokens=1000),
            Usage(provider="acme", model="embed-3", input_tokens=1000),
            Usage(provider="deepgram", model="nova-3", audio_seconds=Decimal(60)),
            Usage(provider="speech", characters=1000),
            Usage(provider="twilio", model="voice", minutes=Decimal("1.1")),
            Usage(provider="twilio", model="sms", messages=1),
            Usage(provider="vllm", input_tokens=1),
        )
    ]
    assert costs == [Decimal(cost) for cost in ("0.0025", "0.00002", "0.0043", "0.18", "0.028", "0.0079", "0")]
    assert book.per_call(day)[0].amount == Decimal("0.001")


def test_names_are_found_whatever_stands_around_them() -> None:
    prices = RateSheet("rates", {" Acme/Large ": {"minutes": 1}}, {" Big ": "ACME/large"})
    assert prices.find("acme", "large", date(2026, 1, 1)) is not None
    assert prices.find("big", "", date(2026, 1, 1)) is not None


def test_a_file_may_begin_with_the_mark_that_some_editors_put_there(tmp_path: Path) -> None:
    (tmp_path / "rates.toml").write_text("\ufeff[rates.x]\nminutes = 1", "utf-8")
    assert load_rates(tmp_path / "rates.toml").keys == ("x",)


def test_what_is_named_twice_on_purpose_in_yaml_is_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "rates.yaml").write_text("rates:\n  x: &same {minutes: 1}\n  y: *same\n")
    assert load_rates(tmp_path / "rates.yaml").keys == ("x", "y")
