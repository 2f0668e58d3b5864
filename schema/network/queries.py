"""What can be asked about listening."""

import asyncio
from dataclasses import asdict

import strawberry

from db.access.viewer import Role
from db.network import queries
from db.network.interfaces import read_interfaces
from schema.connections import Connection
from schema.fields import Demand, connection, lookup
from schema.matches.arguments import NameOrder
from schema.network.types import NetworkInterface, UDPListener


@strawberry.type
class NetworkQueries:
    """What can be asked about listening."""

    listeners: Connection[UDPListener] = connection(
        "All listeners.", queries.listeners, key=None, order=NameOrder, demand=Demand(Role.OPERATOR)
    )
    listener: UDPListener | None = lookup(
        "One listener. Null if there is none.", "listener", queries.listener_by_id, demand=Demand(Role.OPERATOR)
    )

    @strawberry.field(
        description=(
            "The addresses of the server's machine, at most 200: those that are up first, one of them recommended to "
            "be told to a scoring program."
        ),
        extensions=[Demand(Role.OPERATOR)],
    )
    async def network_interfaces(self) -> list[NetworkInterface]:
        """Ask the machine, which may take its time."""
        return [NetworkInterface(**asdict(one)) for one in await asyncio.to_thread(read_interfaces)]
