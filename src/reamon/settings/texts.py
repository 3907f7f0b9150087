"""Texts that people copy into settings: what was around them, and whether one is an address."""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from pydantic import SecretStr

_PRINTABLE: Final = re.compile(r"[!-~]+")


def copied(values: Any) -> Any:
    """A group's values without the blanks and quotes that come with copying.

    What is nothing then is left out, since blank means unset. Anything but a mapping is for the validation to refuse.

    Example:
        >>> copied({"project": " 'calls' ", "endpoint": ""})
        {'project': 'calls'}
    """
    if not isinstance(values, Mapping):
        return values
    bare = {name: _bare(value) for name, value in values.items()}
    return {name: value for name, value in bare.items() if value not in ("", SecretStr(""))}


def is_address(text: str) -> bool:
    """Whether a text is the address of a service: http or https, without user, query or fragment.

    Example:
        >>> is_address("http://localhost:4318"), is_address("localhost:4318"), is_address("https://me@host/")
        (True, False, False)
    """
    try:
        parts = urlsplit(text)
        names_a_host = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
    is_plain = _PRINTABLE.fullmatch(text) is not None and not parts.query and not parts.fragment
    return names_a_host and is_plain and "@" not in parts.netloc


def _bare(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return SecretStr(_bare(value.get_secret_value()))
    return value.strip().strip("\"'") if isinstance(value, str) else value
