"""What a client may ask of lists of recordings, bookmarks and commands: orders and filters."""

from datetime import datetime
from enum import StrEnum

import strawberry

from schema.fields import enum
from schema.recordings.vocabulary import OBSCommandState, RecordingKind, RecordingState


class RecordingOrder(StrEnum):
    """How recordings may be ordered."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


class BookmarkOrder(StrEnum):
    """How moments may be ordered."""

    OLDEST = "OLDEST"
    NEWEST = "NEWEST"


class PlaceOrder(StrEnum):
    """How places in a recording may be ordered."""

    OLDEST = "OLDEST"


enum(
    RecordingOrder,
    "How recordings are ordered.",
    NEWEST="The last to begin first.",
    OLDEST="The first to begin first.",
)
enum(BookmarkOrder, "How moments are ordered.", OLDEST="As they happened.", NEWEST="The latest first.")
enum(PlaceOrder, "How places in a recording are ordered.", OLDEST="From its beginning on.")


@strawberry.input(description="Which recordings.")
class RecordingFilter:
    """Which recordings."""

    kinds: list[RecordingKind] | None = strawberry.field(
        default=None, description="Of one of these kinds. Null: of any."
    )
    states: list[RecordingState] | None = strawberry.field(
        default=None, description="In one of these states. Null: in any."
    )
    from_at: datetime | None = strawberry.field(
        default=None,
        description="That began then or later; where the beginning is not known, ended. Null: at any time.",
    )
    until_at: datetime | None = strawberry.field(default=None, description="That began before. Null: at any time.")


@strawberry.input(description="Which bookmarks.")
class BookmarkFilter:
    """Which bookmarks."""

    from_at: datetime | None = strawberry.field(default=None, description="Of moments then or later. Null: of any.")
    until_at: datetime | None = strawberry.field(default=None, description="Of moments before. Null: of any.")


@strawberry.input(description="Which commands.")
class OBSCommandFilter:
    """Which commands."""

    states: list[OBSCommandState] | None = strawberry.field(
        default=None, description="In one of these states. Null: in any."
    )
