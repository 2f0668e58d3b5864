"""What can be asked about flags."""

from typing import Annotated, cast

import strawberry

from db.flags import queries
from db.flags.codes import code_of
from schema.connections import Connection
from schema.context import Asked
from schema.fields import Demand, connection, lookup
from schema.flags.arguments import FlagFilter, FlagMappingFilter, FlagMappingOrder, FlagOrder
from schema.flags.types import Flag, FlagMapping

_Code = Annotated[
    str,
    strawberry.argument(description="As a scoring program writes it. Small letters and space around it do not matter."),
]


@strawberry.type
class FlagQueries:
    """What can be asked about flags."""

    flags: Connection[Flag] = connection(
        "All images of flags.", queries.flags, key=None, order=FlagOrder, filter=FlagFilter, demand=Demand(None)
    )
    flag: Flag | None = lookup("One image. Null if there is none.", "flag", queries.flag_by_id, demand=Demand(None))
    flag_mappings: Connection[FlagMapping] = connection(
        "All codes that are known.",
        queries.mappings,
        key=None,
        order=FlagMappingOrder,
        filter=FlagMappingFilter,
        demand=Demand(None),
    )

    @strawberry.field(
        description="What is known of a code. Null if nobody knows it: it is kept wherever it stands, and has no flag.",
        extensions=[Demand(None)],
    )
    async def flag_mapping(self, info: Asked, code: _Code) -> FlagMapping | None:
        """Find it by the code."""
        written = code_of(code)
        if written is None:
            return None
        return cast("FlagMapping | None", await info.context.loaders.one(queries.mapping_by_code, written))
