"""What can be asked about recordings."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.batches import LARGEST_PAGE, Page
from db.errors import Invalid
from db.recordings import queries
from schema.connections import Connection
from schema.context import Asked
from schema.fields import Demand, connection, lookup
from schema.ids import decode_id
from schema.matches.arguments import NameOrder
from schema.recordings.types import Bookmark, OBSMachine, Recording

_MOST_SECONDS = 86_400


@strawberry.type
class RecordingQueries:
    """What can be asked about recordings."""

    recording: Recording | None = lookup(
        "One recording. Null if there is none.", "recording", queries.recording_by_id, demand=Demand(None)
    )
    bookmark: Bookmark | None = lookup(
        "One bookmark. Null if there is none.", "bookmark", queries.bookmark_by_id, demand=Demand(None)
    )
    obs_machine: OBSMachine | None = lookup(
        "One OBS machine. Null if there is none.",
        "obsmachine",
        queries.machine_by_id,
        demand=Demand(Role.OPERATOR),
    )
    obs_machines: Connection[OBSMachine] = connection(
        "All OBS machines.", queries.machines, key=None, order=NameOrder, demand=Demand(Role.OPERATOR)
    )

    @strawberry.field(
        description="The bookmarks of a mat around a moment, as they happened: the first 100 of them.",
        extensions=[Demand(None)],
    )
    async def bookmarks_around(
        self,
        info: Asked,
        mat_id: Annotated[strawberry.ID, strawberry.argument(description="The mat.")],
        at: Annotated[datetime, strawberry.argument(description="The moment.")],
        seconds: Annotated[
            float, strawberry.argument(description="How long before and after it: 0 to 86,400 seconds.")
        ] = 10.0,
    ) -> list[Bookmark]:
        """Read those between two moments."""
        id = decode_id(mat_id, kind="mat", field="mat_id")
        if not 0 <= seconds <= _MOST_SECONDS:
            raise Invalid(f"Ask for 0 to {_MOST_SECONDS} seconds before and after.", field="seconds")
        try:
            wanted: dict[str, Any] = {
                "from_at": at - timedelta(seconds=seconds),
                "until_at": at + timedelta(seconds=seconds, microseconds=1),
            }
        except OverflowError as error:
            raise Invalid("This moment lies at the end of all time.", field="at") from error
        batch = queries.bookmarks_by_mat
        found = await info.context.loaders.page(batch, id, Page(limit=LARGEST_PAGE), None, wanted)
        return found.rows
