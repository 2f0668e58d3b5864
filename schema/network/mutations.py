"""How listeners can be changed: by those who run the event, while the server runs."""

from typing import Annotated, Any

import strawberry
from strawberry import Maybe

from db.access.viewer import Role
from db.network import operations
from schema.changes import change, change_one, changed
from schema.context import Asked
from schema.ids import decode_id
from schema.inputs import given
from schema.network.types import UDPListener

_LISTENER = "The listener."


@strawberry.input(description="A listener to be added or changed. What is absent stays; null brings the default back.")
class UDPListenerInput:
    """A listener to be added or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None, description="What it is called: 1 to 200 characters, no two alike. A new one needs it."
    )
    mat_id: Maybe[strawberry.ID | None] = strawberry.field(
        default=None, description="The mat that is spoken for. A new one needs it, and none can go without."
    )
    host: Maybe[str | None] = strawberry.field(
        default=None,
        description=(
            "The machine that it listens on, where several serve one database: RINGSIDE_HOST_NAME of its server, or "
            "what the machine calls itself. Default: whichever server does this."
        ),
    )
    address: Maybe[str | None] = strawberry.field(
        default=None,
        description=(
            "The address it is bound to. Default: 127.0.0.1, which nobody but the server's machine reaches. For "
            "another, the server is to be started with it in RINGSIDE_LISTENER_ADDRESSES."
        ),
    )
    port: Maybe[int | None] = strawberry.field(
        default=None, description="The port: 1 to 65535, or 0 for a free one. A new one needs it."
    )
    allowed_senders: Maybe[list[str] | None] = strawberry.field(
        default=None,
        description=(
            "Whom it hears: at most 50 addresses or networks such as `192.168.1.0/24`. Default: whoever reaches it, "
            "which is no answer for an address that other machines reach."
        ),
    )
    largest_packet: Maybe[int | None] = strawberry.field(
        default=None, description="How many bytes a packet may have: 64 to 65507. Default: 2048."
    )


@strawberry.type
class NetworkMutations:
    """How listeners can be changed."""

    @change(
        UDPListener,
        "listener",
        "Add a listener to a mat. It listens at once.",
        result="The listener. Whether its port could be had, its `state` says a moment later.",
        demand=Role.OPERATOR,
    )
    async def listener_create(
        self, info: Asked, input: Annotated[UDPListenerInput, strawberry.argument(description="The listener.")]
    ) -> Any:
        """Add a listener."""
        changes = _changes(input)
        return await changed(
            info,
            operations.create_listener,
            changes.pop("mat_id", None),
            changes=changes,
            open_addresses=info.context.open_addresses,
            most=info.context.most_listeners,
        )

    @change(
        UDPListener,
        "listener",
        "Change a listener while it runs. Another address, port or mat closes its port and opens the new one; whom it "
        "hears and how large packets may be is changed while it stays open.",
        result="The listener after the change.",
        demand=Role.OPERATOR,
    )
    async def listener_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description=_LISTENER)],
        input: Annotated[UDPListenerInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change a listener."""
        return await changed(
            info,
            operations.update_listener,
            decode_id(id, kind="listener"),
            _changes(input),
            open_addresses=info.context.open_addresses,
        )

    listener_start = change_one(
        "listener_start",
        "Let a listener listen, now and whenever the server starts.",
        operations.start_listener,
        of=UDPListener,
        name="listener",
        kind="listener",
        argument=_LISTENER,
        result="The listener after the change.",
        demand=Role.OPERATOR,
    )
    listener_stop = change_one(
        "listener_stop",
        "Let a listener listen no more, until it is started. What has arrived is stored.",
        operations.stop_listener,
        of=UDPListener,
        name="listener",
        kind="listener",
        argument=_LISTENER,
        result="The listener after the change.",
        demand=Role.OPERATOR,
    )
    listener_delete = change_one(
        "listener_delete",
        "Remove a listener with its sessions. What it heard stays in the mat's log.",
        operations.delete_listener,
        of=UDPListener,
        name="listener",
        kind="listener",
        argument=_LISTENER,
        result="The listener as it was.",
        demand=Role.OPERATOR,
    )


def _changes(input: UDPListenerInput) -> dict[str, Any]:
    changes = given(input)
    if changes.get("mat_id") is not None:
        changes["mat_id"] = decode_id(changes["mat_id"], kind="mat", field="mat_id")
    return changes
