"""Calls to the outside: made only to addresses that anybody may ask, whatever a name or a redirect says.

The address is checked in the step that connects, after the name was resolved, so that no second answer of a name server
and no redirect leads past it.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpcore
import httpx

PORTS = frozenset({80, 443})
USER_AGENT = "Ringside/0.1 (feed reader)"
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# What `is_global` takes for the internet, and is a way into somebody's own network.
_DENIED = tuple(
    ipaddress.ip_network(network)
    for network in (
        "64:ff9b::/96",
        "64:ff9b:1::/48",
        "2002::/16",
        "2001::/32",
        "::/96",
        "192.88.99.0/24",
        "fec0::/10",
    )
)


class ForbiddenAddress(OSError):
    """An address lies where this server does not ask."""


def is_public(address: Address) -> bool:
    """Say whether anybody may ask an address: one of the internet, and of no network of somebody's own."""
    mapped = getattr(address, "ipv4_mapped", None)
    if mapped is not None:
        return is_public(mapped)
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _DENIED if network.version == address.version)


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(one[4][0]) for one in found))


@dataclass(frozen=True, kw_only=True)
class Guard:
    """Which addresses may be asked: public ones at the usual ports, and hosts that were named as `host:port`."""

    allowed: Collection[str] = ()
    resolve: Resolve = field(default=resolve)

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Return the checked addresses of a host. Raises `ForbiddenAddress`, and `OSError` for a name without any."""
        if f"{host}:{port}" in self.allowed:
            return await self.resolve(host, port)
        if port not in PORTS:
            raise ForbiddenAddress(f"Port {port} is not asked: only 80 and 443 are.")
        try:
            found = await self.resolve(host, port)
        except UnicodeError as error:
            raise OSError("This is no name of a host.") from error
        # All of them: whoever answers with one of each kind would otherwise choose which is taken.
        if not found or not all(is_public(ipaddress.ip_address(one.partition("%")[0])) for one in found):
            raise ForbiddenAddress("This address lies in a network that this server does not ask in.")
        return found


class _GuardedBackend(httpcore.AsyncNetworkBackend):
    """Makes connections to checked addresses only."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first address of a host that answers."""
        try:
            async with asyncio.timeout(timeout):
                addresses = await self._guard.addresses(host, port)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout("The name was not resolved in time.") from error
        except ForbiddenAddress:
            raise
        except OSError as error:
            raise httpcore.ConnectError(str(error)) from error
        failure: Exception | None = None
        for address in addresses[:_TRIED]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError("The name has no address.")

    async def sleep(self, seconds: float) -> None:
        """Wait, as httpcore does between tries."""
        await self._inner.sleep(seconds)


_TRIED = 3


def open_client(guard: Guard, *, seconds: float, connections: int = 100) -> httpx.AsyncClient:
    """Make a client that calls where the guard lets it. It follows no redirects, and reads no environment.

    `seconds` is how long it waits for a connection, and for each part of an answer.
    """
    context = _whom_to_trust()
    transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
    # httpx has no argument for the backend: see the tests, which fail if this is not what makes connections.
    transport._pool = _pool(guard, context, connections)  # noqa: SLF001 -- as above
    return httpx.AsyncClient(
        transport=transport,
        trust_env=False,
        timeout=seconds,
        follow_redirects=False,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"},
    )


@cache
def _whom_to_trust() -> ssl.SSLContext:
    """Read whom the world trusts, once for all clients: nothing else is done for 15 ms, and a server opens several."""
    return httpx.create_ssl_context(trust_env=False)


def _pool(guard: Guard, context: ssl.SSLContext, connections: int) -> httpcore.AsyncConnectionPool:
    return httpcore.AsyncConnectionPool(
        ssl_context=context,
        max_connections=connections,
        max_keepalive_connections=min(20, connections),
        keepalive_expiry=5.0,
        network_backend=_GuardedBackend(guard),
    )
