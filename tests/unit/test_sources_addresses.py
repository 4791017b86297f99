"""Which addresses are of the public internet."""

from __future__ import annotations

import asyncio

import pytest

from wenqu.errors import SourceError
from wenqu.sources.addresses import is_public, resolve


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",  # noqa: S104  # an address to refuse
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1%eth0",
        "fc00::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "2002:7f00:1::",
    ],
)
def test_addresses_of_machines_and_networks_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "::1"])
def test_this_machine_is_not_asked_however_it_is_written(host: str) -> None:
    with pytest.raises(SourceError) as caught:
        asyncio.run(resolve(host, 80, allow_private=False))
    assert caught.value.key in {"source.private", "source.unresolved"}


def test_this_machine_is_asked_where_that_is_allowed() -> None:
    assert asyncio.run(resolve("127.0.0.1", 80, allow_private=True)) == ["127.0.0.1"]


def test_a_name_that_nobody_has_is_said_to_be_unknown() -> None:
    with pytest.raises(SourceError) as caught:
        asyncio.run(resolve("nobody.invalid", 80, allow_private=True))
    assert caught.value.key == "source.unresolved"
    assert "nobody.invalid" in caught.value.message("zh")
