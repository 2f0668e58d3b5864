"""What can be watched of listening: how listeners are doing, with what they hear."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.access.viewer import Role
from db.batches import LARGEST_PAGE, Page
from db.errors import NotFound
from db.network import queries
from db.network.events import ALL_LISTENERS, ListenerEvent
from schema.context import Asked, Context
from schema.fields import Demand
from schema.ids import decode_id
from schema.live.sources import ReadAnew, State, state
from schema.network.types import UDPListener


@strawberry.type(description="Listeners as they are.")
class ListenerStatusChanged:
    """Listeners as they are."""

    listeners: list[UDPListener] = strawberry.field(
        description="All that is watched, by name: the one listener, or the first 100. Empty once it was removed."
    )
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@strawberry.type
class NetworkSubscriptions:
    """What can be watched of listening."""

    @state(
        ListenerStatusChanged,
        "How a listener is doing, or all of them are: as it is now, then whenever its state changes, and at most once "
        "a second while it hears something. Whoever is slow gets the latest, not the backlog.",
        demand=Demand(Role.OPERATOR),
    )
    async def listener_status_changed(
        self,
        info: Asked,
        listener_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The listener. Null: all of them.")
        ] = None,
    ) -> State[ListenerEvent, list[Any]]:
        """A listener, or all."""
        id = None if listener_id is None else decode_id(listener_id, kind="listener", field="listener_id")
        if id is not None and await info.context.loaders.one(queries.listener_by_id, id) is None:
            raise NotFound("There is no such listener.", field="listener_id")
        return ReadAnew(
            topic=ALL_LISTENERS if id is None else id,
            of=ListenerEvent,
            read=partial(_present, listener_id=id),
            show=lambda rows, at: ListenerStatusChanged(listeners=rows, sent_at=at),
        )


async def _present(context: Context, *, listener_id: UUID | None) -> list[Any]:
    context.renew_loaders()
    if listener_id is not None:
        listener = await context.loaders.one(queries.listener_by_id, listener_id)
        return [] if listener is None else [listener]
    page = await context.loaders.page(queries.listeners, None, Page(limit=LARGEST_PAGE), None, {})
    return page.rows
