"""Hosts: a stranger gets nothing unless it is listed."""

import pytest

from reamon.errors import ConfigurationError
from reamon.integrations.hosts import Hosts, is_private


@pytest.mark.parametrize(
    "host",
    ["localhost", "127.0.0.1", "::1", "[::1]", "10.1.2.3", "192.168.0.7", "172.16.0.1", "fd00::1", "redis", "crm.local",
     "crm.default.svc", "crm.default.svc.cluster.local", "host.docker.internal", "vm.lan", "app.localhost"],
)  # fmt: skip
def test_a_private_name_or_address_is_ones_own(host: str) -> None:
    assert is_private(host)
    assert host in Hosts()
    assert host.upper() in Hosts()


@pytest.mark.parametrize(
    "host",
    ["", "api.openai.com", "8.8.8.8", "2606:4700::1111", "169.254.169.254", "localhost.example.com", "evil-local.com"],
)  # fmt: skip
def test_a_public_one_is_a_strangers(host: str) -> None:
    assert not is_private(host)
    assert host not in Hosts()


def test_what_is_listed_is_ones_own_and_nothing_that_looks_like_it() -> None:
    own = Hosts(["API.example.com", "*.example.org"])
    inside = ["api.example.com", "API.EXAMPLE.COM.", "a.example.org", "a.b.example.org"]
    outside = ["example.com", "example.org", "api.example.com.evil.com", "api-example.com", "evilexample.org", None]
    assert [host in own for host in inside] == [True] * len(inside)
    assert [host in own for host in outside if host] == [False] * (len(outside) - 1)


def test_everybody_may_be_listed() -> None:
    assert "api.openai.com" in Hosts(["*"])


@pytest.mark.parametrize(
    "hosts", ["example.com", 5, [5], [""], ["https://example.com"], ["a b"], ["example.com:443"], ["u@h"]]
)
def test_what_is_no_host_is_refused_and_named(hosts: object) -> None:
    with pytest.raises(ConfigurationError, match="instrument: hosts"):
        Hosts(hosts, "instrument: hosts")  # type: ignore[arg-type]
