"""Addresses: where a listener may be bound, and whom it hears. Pure."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from db.errors import Invalid

LOOPBACK = "127.0.0.1"
# Everybody, on either version of the protocol.
EVERYBODY = ("0.0.0.0/0", "::/0")
MOST_SENDERS = 50

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


def checked_address(text: str, *, open_addresses: Collection[str]) -> str:
    """Return the address that a listener is bound to, as it is written usually.

    Loopback may always be bound, other addresses if `open_addresses` has them, or has the one that stands for all of
    its version. Raises `Invalid`, saying what to do.
    """
    text = text.strip()
    address = read_address(LOOPBACK if text == "localhost" else text)
    if address is None:
        raise Invalid(
            f"A listener is bound to an address such as {LOOPBACK}, not to {text.strip()[:50]!r}.", field="address"
        )
    if not is_open(address, open_addresses):
        raise Invalid(
            f"Other machines reach {address}, and this server was not told to let them. Start it with "
            f"RINGSIDE_LISTENER_ADDRESSES={address}, or bind the listener to {LOOPBACK}.",
            field="address",
        )
    return str(address)


def is_open(address: Address, open_addresses: Iterable[str]) -> bool:
    """Say whether a listener may be bound to an address."""
    if address.is_loopback:
        return True
    known = {read_address(one) for one in open_addresses}
    every = IPv4Address(0) if address.version == 4 else IPv6Address(0)  # noqa: PLR2004 -- the protocol's version
    return address in known or every in known


def is_loopback(address: str) -> bool:
    """Say whether nobody but this machine reaches an address."""
    return ip_address(address).is_loopback


def checked_senders(texts: Iterable[str], *, address: str) -> list[str]:
    """Return the networks that a listener hears, as they are written usually, each once.

    Raises `Invalid` for one that is none, for too many, and for none at all where other machines reach the listener.
    """
    networks: dict[str, None] = {}
    for text in texts:
        try:
            networks[str(ip_network(text.strip(), strict=False))] = None
        except ValueError as error:
            raise Invalid(
                f"A sender is an address or a network such as 192.168.1.0/24, not {text.strip()[:50]!r}.",
                field="allowed_senders",
            ) from error
    if len(networks) > MOST_SENDERS:
        raise Invalid(f"A listener names at most {MOST_SENDERS} senders.", field="allowed_senders")
    if not networks and not is_loopback(address):
        raise Invalid(
            f"Other machines reach {address}: name those that are heard, or say 0.0.0.0/0 to hear all.",
            field="allowed_senders",
        )
    return list(networks)


@dataclass(frozen=True)
class Allowance:
    """Whom a listener hears: `networks` alone, or anybody if there are none."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def of(cls, senders: Iterable[str]) -> "Allowance":
        """Return the allowance that was stored."""
        return cls(tuple(ip_network(one) for one in senders))

    def hears(self, text: str) -> bool:
        """Say whether a packet from an address is taken in."""
        if not self.networks:
            return True
        address = read_address(text)
        return address is not None and any(address in network for network in self.networks)


def read_address(text: str) -> Address | None:
    """Read an address; one of the old protocol that is written in the new one is what it stands for."""
    try:
        # Where on this machine it was heard is no part of it.
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
