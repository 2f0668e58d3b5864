"""What can be asked about streams."""

import strawberry

from db.streams import queries
from schema.connections import Connection
from schema.fields import Demand, connection, lookup
from schema.streams.arguments import StreamOrder
from schema.streams.types import Stream, StreamGoal


@strawberry.type
class StreamQueries:
    """What can be asked about streams."""

    streams: Connection[Stream] = connection(
        "All streams.", queries.streams, key=None, order=StreamOrder, demand=Demand(None)
    )
    stream: Stream | None = lookup(
        "One stream. Null if there is none.", "stream", queries.stream_by_id, demand=Demand(None)
    )
    stream_goal: StreamGoal | None = lookup(
        "One goal of a stream. Null if there is none.", "streamgoal", queries.goal_by_id, demand=Demand(None)
    )
