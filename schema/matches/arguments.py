"""What a client may ask of lists of fights and their entries: orders and filters."""

from datetime import datetime
from enum import StrEnum

import strawberry

from schema.fields import enum
from schema.matches.vocabulary import ChallengeState, MatchEventKind, MatchState, PointKind, RejectionReason, Side


class NameOrder(StrEnum):
    """How mats, tournaments and athletes may be ordered."""

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


class QueueOrder(StrEnum):
    """How planned fights may be ordered."""

    POSITION = "POSITION"


class EventTypeOrder(StrEnum):
    """How what was counted may be ordered."""

    CODE = "CODE"
    COUNT = "COUNT"


class UnknownMessageOrder(StrEnum):
    """How messages without effect may be ordered."""

    NEWEST = "NEWEST"
    COUNT = "COUNT"


class TournamentAthleteOrder(StrEnum):
    """How those who fight in a tournament may be ordered."""

    NAME = "NAME"
    POINTS = "POINTS"
    WINS = "WINS"


enum(NameOrder, "How things with names are ordered.", NAME="By name.")
enum(NewestOrder, "How things are ordered that come newest first.", NEWEST="The newest first.")
enum(MatchOrder, "How fights are ordered.", NEWEST="The last loaded first.", OLDEST="The first loaded first.")
enum(MatchEventOrder, "How entries are ordered.", OLDEST="As they came.", NEWEST="The newest first.")
enum(QueueOrder, "How planned fights are ordered.", POSITION="As they are to be fought.")
enum(
    EventTypeOrder,
    "How types of entries are ordered.",
    CODE="By what they begin with.",
    COUNT="Those there are most of first.",
)
enum(
    UnknownMessageOrder,
    "How messages without effect are ordered.",
    NEWEST="Those that came last first.",
    COUNT="Those there are most of first.",
)
enum(
    TournamentAthleteOrder,
    "How those who fight in a tournament are ordered.",
    NAME="By name.",
    POINTS="Those with the most points first.",
    WINS="Those with the most fights won first, then by points.",
)


@strawberry.input(description="Which fights.")
class MatchFilter:
    """Which fights."""

    states: list[MatchState] | None = strawberry.field(
        default=None, description="In one of these states. Null: in any."
    )
    number: str | None = strawberry.field(
        default=None, description="Loaded under this number, which may be several. Null: any."
    )


@strawberry.input(description="Which entries.")
class MatchEventFilter:
    """Which entries."""

    kinds: list[MatchEventKind] | None = strawberry.field(
        default=None, description="Of one of these kinds. Null: of any."
    )
    sides: list[Side] | None = strawberry.field(
        default=None, description="That name one of these sides. Null: whether they name one or not."
    )
    rounds: list[int] | None = strawberry.field(default=None, description="Of one of these rounds. Null: of any.")
    clock_from_ms: int | None = strawberry.field(
        default=None, description="With so many milliseconds or more left on the fight clock. Null: any."
    )
    clock_to_ms: int | None = strawberry.field(
        default=None, description="With so many milliseconds or fewer left on the fight clock. Null: any."
    )
    received_from: datetime | None = strawberry.field(
        default=None, description="That came at this instant or later. Null: whenever."
    )
    received_before: datetime | None = strawberry.field(
        default=None, description="That came before this instant. Null: whenever."
    )
    is_valid: bool | None = strawberry.field(
        default=None, description="Those that could be read, or those that could not. Null: both."
    )
    reasons: list[RejectionReason] | None = strawberry.field(
        default=None, description="With one of these things wrong with them. Null: whether anything is or not."
    )
    bursts: list[int] | None = strawberry.field(
        default=None,
        description="Of one of these bursts, each named by its `burstSeq`. Null: whether they are of one or not.",
    )


@strawberry.input(description="Which points.")
class PointFilter:
    """Which points."""

    kinds: list[PointKind] | None = strawberry.field(default=None, description="Made in one of these ways. Null: any.")
    sides: list[Side] | None = strawberry.field(default=None, description="Of one of these sides. Null: of either.")
    rounds: list[int] | None = strawberry.field(default=None, description="In one of these rounds. Null: in any.")


@strawberry.input(description="Which penalties.")
class PenaltyFilter:
    """Which penalties."""

    sides: list[Side] | None = strawberry.field(default=None, description="Of one of these sides. Null: of either.")
    rounds: list[int] | None = strawberry.field(default=None, description="In one of these rounds. Null: in any.")
    is_taken_back: bool | None = strawberry.field(
        default=None, description="Those that were taken back, or those that count. Null: both."
    )


@strawberry.input(description="Which challenges.")
class ChallengeFilter:
    """Which challenges."""

    states: list[ChallengeState] | None = strawberry.field(
        default=None, description="That have come to one of these. Null: to any."
    )
    sides: list[Side] | None = strawberry.field(
        default=None, description="Asked for by one of these sides. Null: by anybody, the referee too."
    )
    rounds: list[int] | None = strawberry.field(default=None, description="In one of these rounds. Null: in any.")


@strawberry.input(description="Which types of entries.")
class EventTypeFilter:
    """Which types of entries."""

    kinds: list[MatchEventKind] | None = strawberry.field(
        default=None, description="Of one of these kinds. Null: of any."
    )
