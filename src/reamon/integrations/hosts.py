"""Hosts: which of those that a request goes to, or comes from, are of your own."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from ipaddress import ip_address
from typing import Final

from reamon.errors import ConfigurationError

_PRIVATE_ENDS: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".svc", ".cluster.local")


class Hosts:
    """Hosts of your own: this machine, those with a private name or address, and those that you list.

    The headers that continue a trace tell the conversation's id, the project and the tags, which are nobody else's
    business: not a model provider's, for one. So a public name is a stranger's until you list it.

    Args:
        listed: More of them: names ("api.example.com"), or patterns ("*.example.com"); "*" is everybody.
        option: What the names were given to; for the message.

    Raises:
        ConfigurationError: One is not the name of a host.

    Example:
        >>> own = Hosts(["*.example.com"])
        >>> [host in own for host in ("localhost", "10.0.0.7", "redis", "crm.example.com", "api.openai.com")]
        [True, True, True, True, False]
    """

    def __init__(self, listed: Iterable[str] = (), option: str = "hosts") -> None:
        if isinstance(listed, str) or not isinstance(listed, Iterable):
            raise ConfigurationError(f"{option}: a sequence of names of hosts, not {listed!r}")
        self.patterns = tuple(_pattern(host, option) for host in listed)

    def __contains__(self, host: object) -> bool:
        name = str(host).rstrip(".").lower()
        return is_private(name) or any(fnmatchcase(name, pattern) for pattern in self.patterns)


def is_private(host: str) -> bool:
    """Whether a host is this machine, or has an address or a name that only a private network knows.

    Example:
        >>> is_private("127.0.0.1"), is_private("crm"), is_private("crm.default.svc.cluster.local")
        (True, True, True)
        >>> is_private("169.254.169.254"), is_private("example.com"), is_private("8.8.8.8")
        (False, False, False)
    """
    try:
        address = ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return bool(host) and ("." not in host or host.endswith(_PRIVATE_ENDS))
    return address.is_loopback or (address.is_private and not address.is_link_local)


def _pattern(host: object, option: str) -> str:
    if not isinstance(host, str) or not host or any(mark in host for mark in "/@ ") or host.count(":") == 1:
        raise ConfigurationError(f"{option}: {host!r} is not the name of a host; give it without scheme, port and path")
    return host.lower()
