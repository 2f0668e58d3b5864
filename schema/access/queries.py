"""What can be asked about who asks, and about any node."""

from asyncio import gather
from typing import Annotated

import strawberry

from db.access.queries import user_by_id
from db.batches import LARGEST_PAGE
from db.errors import Invalid
from schema.access.types import Viewer
from schema.context import Asked
from schema.fields import Demand, Node, find_node
from schema.ids import decode_id, kind_of


@strawberry.type
class AccessQueries:
    """Who asks."""

    @strawberry.field(description="Who you are to this server.", extensions=[Demand(None)])
    async def viewer(self, info: Asked) -> Viewer:
        """Say what the token stands for."""
        viewer = info.context.viewer
        if viewer.is_overlay:
            return Viewer(is_overlay=True, role=None, user=None)
        user = await info.context.loaders.one(user_by_id, viewer.user_id)
        return Viewer(is_overlay=False, role=viewer.role, user=user)


@strawberry.type
class NodeQueries:
    """Anything, by its id."""

    @strawberry.field(
        description="Anything that has an id. Null if it is gone or not for you.", extensions=[Demand(None)]
    )
    async def node(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="Its id, of whatever kind.")]
    ) -> Node | None:
        """Find a node."""
        (found,) = await _find_all(info, [id], field="id")
        return found

    @strawberry.field(
        description="Several nodes, in the order of their ids, null where one is gone or not for you.",
        extensions=[Demand(None)],
    )
    async def nodes(
        self,
        info: Asked,
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="At most 100 ids.")],
    ) -> list[Node | None]:
        """Find nodes, those of a kind in one read."""
        if len(ids) > LARGEST_PAGE:
            raise Invalid(f"Ask for at most {LARGEST_PAGE} nodes; {len(ids)} were asked for.", field="ids")
        return await _find_all(info, ids, field="ids")


async def _find_all(info: Asked, ids: list[strawberry.ID], *, field: str) -> list[Node | None]:
    """Return the node of each id, those of a kind read together. Raises `Invalid` for what cannot be an id."""
    for id in ids:
        decode_id(id, field=field)
    return list(await gather(*(find_node(info.context, id, kind_of(id)) for id in ids)))
