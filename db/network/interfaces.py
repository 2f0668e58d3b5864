"""The network interfaces of this machine, and which of them a scoring program would be told of."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psutil

from db.network.addresses import Address, read_address

MOST_INTERFACES = 200
# Names that no cable hangs on: bridges and tunnels of containers, machines within machines, and private networks.
_VIRTUAL = ("docker", "br-", "veth", "virbr", "vmnet", "vbox", "tun", "tap", "wg", "utun", "zt", "tailscale", "awdl")


@dataclass(frozen=True, kw_only=True)
class NetworkInterface:
    """One address of one interface."""

    name: str
    address: str
    netmask: str
    hardware_address: str
    is_up: bool
    is_loopback: bool
    speed_megabits: int
    is_recommended: bool = False


def read_interfaces() -> list[NetworkInterface]:
    """Ask this machine."""
    return describe(psutil.net_if_addrs(), psutil.net_if_stats())


def describe(addresses: Mapping[str, Sequence[Any]], stats: Mapping[str, Any]) -> list[NetworkInterface]:
    """Return the addresses of all interfaces, those that are up first, one of them recommended. Pure."""
    found = [
        NetworkInterface(
            name=name,
            address=str(address),
            netmask=one.netmask or "",
            hardware_address=_hardware_address(of_name),
            is_up=name in stats and bool(stats[name].isup),
            is_loopback=address.is_loopback,
            speed_megabits=stats[name].speed if name in stats else 0,
        )
        for name, of_name in addresses.items()
        for one in of_name
        if one.family in {socket.AF_INET, socket.AF_INET6} and (address := read_address(one.address)) is not None
    ]
    found.sort(key=lambda one: (not one.is_up, one.is_loopback, one.name, ":" in one.address, one.address))
    best = recommended(found)
    return [replace(one, is_recommended=one is best) for one in found[:MOST_INTERFACES]]


def recommended(interfaces: Sequence[NetworkInterface]) -> NetworkInterface | None:
    """Return the interface that a scoring program on another machine most likely reaches; else loopback."""
    up = [one for one in interfaces if one.is_up]
    return max(up, key=_worth, default=None)


def _worth(interface: NetworkInterface) -> tuple[bool, bool, bool, int]:
    address = read_address(interface.address)
    is_local = address is not None and _is_of_a_hall(address)
    return is_local, not interface.is_loopback, not _is_virtual(interface.name), interface.speed_megabits


def _is_of_a_hall(address: Address) -> bool:
    """Say whether it is an address as routers give them out: private, of the old protocol, and not self-given."""
    return address.version == 4 and address.is_private and not address.is_loopback and not address.is_link_local  # noqa: PLR2004 -- as above


def _is_virtual(name: str) -> bool:
    return name.lower().startswith(_VIRTUAL)


def _hardware_address(addresses: Sequence[Any]) -> str:
    return next((one.address or "" for one in addresses if one.family == psutil.AF_LINK), "")
