"""What a client may ask of lists of entries and follows: orders and filters."""

from enum import StrEnum

import strawberry

from schema.fields import enum
from schema.social.vocabulary import EntryKind


class EntryOrder(StrEnum):
    """How entries may be ordered."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"
    POPULAR = "POPULAR"
    TRENDING = "TRENDING"


class ReplyOrder(StrEnum):
    """How replies may be ordered."""

    BRANCH = "BRANCH"
    NEWEST = "NEWEST"
    POPULAR = "POPULAR"


class TimeOrder(StrEnum):
    """How things may be ordered that have a time and no rank."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


enum(
    EntryOrder,
    "How entries are ordered.",
    NEWEST="The newest first.",
    OLDEST="The oldest first.",
    POPULAR="Those with the most resonances and amplifications first.",
    TRENDING="As popular, but what is half a day older must have about ten times as many.",
)
enum(
    ReplyOrder,
    "How replies are ordered.",
    BRANCH="As they were written.",
    NEWEST="The newest first.",
    POPULAR="Those with the most resonances and amplifications first.",
)
enum(
    TimeOrder,
    "How things are ordered that have a time and no rank.",
    NEWEST="The newest first.",
    OLDEST="The oldest first.",
)


@strawberry.input(description="Which entries.")
class EntryFilter:
    """Which entries."""

    kinds: list[EntryKind] | None = strawberry.field(default=None, description="Of one of these kinds. Null: of any.")
    tag: str | None = strawberry.field(
        default=None, description="With this tag, in small letters and without `#`. Null: with any or none."
    )


@strawberry.input(description="What to look for.")
class EntrySearchFilter:
    """What to look for."""

    text: str = strawberry.field(
        description="Words that must all stand in the title or the content, whatever their case; the first 20 of them."
    )
    kinds: list[EntryKind] | None = strawberry.field(default=None, description="Of one of these kinds. Null: of any.")
    tag: str | None = strawberry.field(
        default=None, description="With this tag, in small letters and without `#`. Null: with any or none."
    )
