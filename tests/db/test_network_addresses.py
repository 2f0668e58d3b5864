"""Addresses and interfaces: where one may listen, whom one hears, and where a scoring program is told to send."""

import socket
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import Invalid
from db.network.addresses import Allowance, checked_address, checked_senders
from db.network.interfaces import NetworkInterface, describe, read_interfaces

EVERYWHERE = "0.0.0.0"  # noqa: S104 -- nothing is bound to it here


@pytest.mark.parametrize(
    ("text", "open_addresses", "address"),
    [
        ("127.0.0.1", [], "127.0.0.1"),
        (" localhost ", [], "127.0.0.1"),
        ("127.8.9.1", [], "127.8.9.1"),
        ("0:0:0:0:0:0:0:1", [], "::1"),
        ("::ffff:127.0.0.1", [], "127.0.0.1"),
        (EVERYWHERE, [EVERYWHERE], EVERYWHERE),
        ("10.0.0.1", [EVERYWHERE], "10.0.0.1"),
        ("fe80::1", ["::"], "fe80::1"),
    ],
)
def test_an_address_that_may_be_bound_is_written_in_one_way(text: str, open_addresses: list[str], address: str) -> None:
    assert checked_address(text, open_addresses=open_addresses) == address


@pytest.mark.parametrize(
    ("text", "open_addresses"),
    [
        (EVERYWHERE, []),
        ("::", [EVERYWHERE]),
        ("::ffff:0.0.0.0", []),
        ("10.0.0.1", ["10.0.0.2"]),
        ("0x7f.1", []),
        ("2130706433", []),
        ("", []),
        ("127.0.0.1\x00", []),
    ],
)
def test_an_address_that_may_not_be_bound_is_refused(text: str, open_addresses: list[str]) -> None:
    with pytest.raises(Invalid):
        checked_address(text, open_addresses=open_addresses)


@given(st.ip_addresses(), st.text(max_size=20))
def test_no_address_opens_itself(address: Any, text: str) -> None:
    for one in (str(address), text):
        try:
            bound = checked_address(one, open_addresses=[])
        except Invalid:
            continue
        assert bound == "::1" or bound.startswith("127.")


@given(st.lists(st.ip_addresses(), min_size=1, max_size=20), st.ip_addresses())
def test_who_is_named_is_heard_and_nobody_else(named: list[Any], other: Any) -> None:
    allowance = Allowance.of(checked_senders(map(str, named), address="127.0.0.1"))

    assert all(allowance.hears(str(address)) for address in named if getattr(address, "ipv4_mapped", None) is None)
    # An address of four bytes is the same however it is written.
    assert allowance.hears(str(other)) == ((getattr(other, "ipv4_mapped", None) or other) in named)


def test_networks_are_heard_however_their_senders_are_written() -> None:
    allowance = Allowance.of(checked_senders(["192.168.1.0/24", "fe80::/64"], address="10.0.0.1"))

    heard = ["192.168.1.9", "::ffff:192.168.1.9", "fe80::5", "fe80::5%eth0"]
    refused = ["192.168.2.9", "fe81::1", "nonsense", "", "::ffff:10.0.0.1"]
    assert [allowance.hears(one) for one in (*heard, *refused)] == [True] * 4 + [False] * 5
    assert Allowance().hears("8.8.8.8")


def address(text: str, family: Any = socket.AF_INET, netmask: str | None = "255.255.255.0") -> Any:
    return SimpleNamespace(family=family, address=text, netmask=netmask, broadcast=None, ptp=None)


def stats(speed: int = 1000, *, isup: bool = True) -> Any:
    return SimpleNamespace(isup=isup, speed=speed)


def test_the_address_of_the_hall_is_recommended_before_tunnels_bridges_and_loopback() -> None:
    found = describe(
        {
            "lo": [address("127.0.0.1", netmask="255.0.0.0"), address("::1", socket.AF_INET6, None)],
            "docker0": [address("172.17.0.1")],
            "eth0": [
                address("00:1a", psutil.AF_LINK),
                address("192.168.1.20"),
                address("fe80::1%eth0", socket.AF_INET6),
            ],
            "eth1": [address("10.9.9.9")],
            "tun0": [address("10.8.0.2")],
        },
        {"lo": stats(0), "docker0": stats(10_000), "eth0": stats(1000), "eth1": stats(isup=False), "tun0": stats(0)},
    )

    assert [(one.name, one.address, one.is_up, one.is_recommended) for one in found] == [
        ("docker0", "172.17.0.1", True, False),
        ("eth0", "192.168.1.20", True, True),
        ("eth0", "fe80::1", True, False),
        ("tun0", "10.8.0.2", True, False),
        ("lo", "127.0.0.1", True, False),
        ("lo", "::1", True, False),
        ("eth1", "10.9.9.9", False, False),
    ]
    assert found[1] == NetworkInterface(
        name="eth0",
        address="192.168.1.20",
        netmask="255.255.255.0",
        hardware_address="00:1a",
        is_up=True,
        is_loopback=False,
        speed_megabits=1000,
        is_recommended=True,
    )


def test_a_machine_without_a_network_recommends_itself_and_one_that_is_off_nothing() -> None:
    alone = describe({"lo": [address("127.0.0.1")]}, {"lo": stats()})
    off = describe({"lo": [address("127.0.0.1")]}, {"lo": stats(isup=False)})

    assert ([one.is_recommended for one in alone], [one.is_recommended for one in off]) == ([True], [False])
    assert describe({}, {}) == []


def test_this_machine_has_an_interface_that_it_alone_reaches() -> None:
    assert any(one.is_loopback for one in read_interfaces())
