"""Files of rates: TOML, or YAML where PyYAML is installed."""

import importlib
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from reamon.collectors.rates import RateSheet
from reamon.errors import ConfigurationError, MissingExtraError

_TABLES: Final = ("rates", "aliases", "version")
_YAML: Final = (".yaml", ".yml")


def load_rates(path: Path, name: str = "rates") -> RateSheet:
    """The rates in a file.

    Raises:
        ConfigurationError: It is not there, cannot be read, or something in it cannot be used; the message names the
            file and the key.
        MissingExtraError: It is YAML, and PyYAML is not installed.
    """
    try:
        text = path.read_text("utf-8-sig")  # some editors put a mark there
    except FileNotFoundError:
        raise ConfigurationError(f"rates: there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"rates: {path} cannot be read as text in UTF-8: {error}") from None
    if path.suffix.lower() in _YAML:
        return _sheet(_yaml(text, path), name, str(path))
    if path.suffix.lower() != ".toml":
        raise ConfigurationError(f"rates: {path} is neither .toml nor .yaml")
    return _sheet(_toml(text, str(path)), name, str(path))


@cache
def profile_rates(name: str) -> RateSheet:
    """The rates that come with reamon under a name.

    Raises:
        ConfigurationError: There are none of that name.
    """
    if name not in profile_names():
        raise ConfigurationError(
            f"costs.profile = {name!r}: there is no such profile; there are: {', '.join(profile_names())}"
        )
    text = (_profiles() / f"{name}.toml").read_text("utf-8")
    return _sheet(_toml(text, name), name, name)


def profile_names() -> list[str]:
    """The profiles that come with reamon."""
    return sorted(entry.name.removesuffix(".toml") for entry in _profiles().iterdir() if entry.name.endswith(".toml"))


def _profiles() -> Any:
    return files("reamon.collectors") / "profiles"


def _toml(text: str, where: str) -> Any:
    try:
        return tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is not TOML: {error}") from None


def _yaml(text: str, path: Path) -> Any:
    try:
        yaml: Any = importlib.import_module("yaml")  # most rates are TOML
    except ImportError:
        raise MissingExtraError(f"{path} (rates in YAML)", "costs", "PyYAML") from None
    try:
        _refuse_twins(yaml.compose(text, yaml.BaseLoader), path)  # YAML would take the last of them and say nothing
        return yaml.load(text, yaml.BaseLoader)  # the loader that leaves everything text: no float comes in
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path} is not YAML: {error}") from None


def _refuse_twins(document: Any, path: Path) -> None:
    """Refuse a table in YAML that has a key twice."""
    pending, seen = [document], {id(None)}
    while pending:
        node = pending.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.id == "sequence":
            pending += node.value
        elif node.id == "mapping":
            names: set[Any] = set()
            for key, value in node.value:
                if key.id == "scalar" and key.value in names:
                    line = key.start_mark.line + 1
                    raise ConfigurationError(
                        f"{path}: {key.value!r} is there twice, on line {line} again; leave one out"
                    )
                names.add(key.value if key.id == "scalar" else id(key))
                pending.append(value)


def _sheet(document: Any, name: str, where: str) -> RateSheet:
    if not isinstance(document, Mapping) or "rates" not in document:
        raise ConfigurationError(f"{where}: it has no table `rates`")
    for key in document:
        if key not in _TABLES:
            raise ConfigurationError(f"{where}: there is no {key!r}; there are: {', '.join(_TABLES)}")
    version = document.get("version")
    if isinstance(version, Mapping | list):
        raise ConfigurationError(f"{where}: version = {version!r}: a text is needed")
    return RateSheet(
        name,
        document["rates"],
        document.get("aliases"),
        None if version is None else str(version),
        where=f"{where}: rates",
    )
