"""What a client may ask of lists of fights and their entries: orders and filters."""

from enum import StrEnum

import strawberry

from schema.fields import enum
from schema.matches.vocabulary import MatchEventKind, MatchState


class NameOrder(StrEnum):
    """How mats and tournaments may be ordered."""

    NAME = "NAME"


class NewestOrder(StrEnum):
    """How things may be ordered that are asked for newest first."""

    NEWEST = "NEWEST"


class MatchOrder(StrEnum):
    """How fights may be ordered."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


class MatchEventOrder(StrEnum):
    """How entries of a log may be ordered."""

    OLDEST = "OLDEST"
    NEWEST = "NEWEST"


enum(NameOrder, "How things with names are ordered.", NAME="By name.")
enum(NewestOrder, "How things are ordered that come newest first.", NEWEST="The newest first.")
enum(MatchOrder, "How fights are ordered.", NEWEST="The last loaded first.", OLDEST="The first loaded first.")
enum(MatchEventOrder, "How entries are ordered.", OLDEST="As they came.", NEWEST="The newest first.")


@strawberry.input(description="Which fights.")
class MatchFilter:
    """Which fights."""

    states: list[MatchState] | None = strawberry.field(
        default=None, description="In one of these states. Null: in any."
    )


@strawberry.input(description="Which entries.")
class MatchEventFilter:
    """Which entries."""

    kinds: list[MatchEventKind] | None = strawberry.field(
        default=None, description="Of one of these kinds. Null: of any."
    )
