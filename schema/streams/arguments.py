"""What a client may ask of lists of streams, goals and histories: orders and filters."""

from enum import StrEnum

import strawberry

from schema.fields import enum
from schema.streams.vocabulary import StreamGoalChangeKind, StreamGoalKind, StreamGoalState


class StreamOrder(StrEnum):
    """How streams may be ordered."""

    NAME = "NAME"


class StreamGoalOrder(StrEnum):
    """How goals may be ordered."""

    POSITION = "POSITION"


class StreamGoalChangeOrder(StrEnum):
    """How entries of a goal's history may be ordered."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


enum(StreamOrder, "How streams are ordered.", NAME="By name.")
enum(StreamGoalOrder, "How goals are ordered.", POSITION="As their maker placed them.")
enum(
    StreamGoalChangeOrder,
    "How entries of a history are ordered.",
    NEWEST="The newest first.",
    OLDEST="As they happened.",
)


@strawberry.input(description="Which goals.")
class StreamGoalFilter:
    """Which goals."""

    kinds: list[StreamGoalKind] | None = strawberry.field(
        default=None, description="That count one of these. Null: anything."
    )
    states: list[StreamGoalState] | None = strawberry.field(
        default=None, description="In one of these states. Null: in any."
    )


@strawberry.input(description="Which entries of a history.")
class StreamGoalChangeFilter:
    """Which entries of a history."""

    kinds: list[StreamGoalChangeKind] | None = strawberry.field(
        default=None, description="Of one of these kinds. Null: of any."
    )
