"""What a client says of goals and sessions. What is absent stays; null brings the default back."""

from datetime import date, datetime
from typing import Any, TypeVar

import strawberry
from strawberry import Maybe

from db.errors import Invalid
from schema.ids import decode_id

T = TypeVar("T")

MOST_IDS = 100


@strawberry.input(description="A goal to be set or changed. What is absent stays; null brings the default back.")
class GoalInput:
    """A goal to be set or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None, description="What it is called: 1 to 255 characters. A new one needs it."
    )
    description: Maybe[str | None] = strawberry.field(
        default=None, description="What is said of it: at most 5,000 characters. Default: nothing."
    )
    deadline: Maybe[date | None] = strawberry.field(
        default=None,
        description=(
            "The day by which it is to be reached, not behind that of any goal above. An earlier one pulls those of "
            "the goals under it along. Default: none."
        ),
    )
    is_completed_with_children: Maybe[bool | None] = strawberry.field(
        default=None, description="Whether it completes once all goals under it are complete. Default: false."
    )


@strawberry.input(description="A session to be planned or changed. What is absent stays; null brings the default back.")
class PracticeSessionInput:
    """A session to be planned or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None, description="What it is called: 1 to 255 characters. A new one needs it."
    )
    description: Maybe[str | None] = strawberry.field(
        default=None, description="What is said of it: at most 5,000 characters. Default: nothing."
    )
    planned_at: Maybe[datetime | None] = strawberry.field(
        default=None, description="When it is to start. Default: that is left open."
    )
    planned_seconds: Maybe[int | None] = strawberry.field(
        default=None, description="How long it is to be: a second to a week. Default: that is left open."
    )
    focus: Maybe[int | None] = strawberry.field(
        default=None, description="How well you kept to it, 1 to 10. Default: that is not said."
    )
    energy: Maybe[int | None] = strawberry.field(
        default=None, description="How much strength there was, 1 to 10. Default: that is not said."
    )
    productivity: Maybe[int | None] = strawberry.field(
        default=None, description="What came of it, 1 to 10. Default: that is not said."
    )
    notes: Maybe[str | None] = strawberry.field(
        default=None, description="What you note: at most 20,000 characters. Default: nothing."
    )
    tags: Maybe[list[str] | None] = strawberry.field(
        default=None, description="Words to find it by, at most 20, in whatever case. Default: none."
    )
    location: Maybe[str | None] = strawberry.field(
        default=None, description="Where it is: at most 255 characters. Default: nothing."
    )


@strawberry.input(description="What you make of a session. What is absent stays; null takes it back.")
class PracticeReviewInput:
    """What one makes of a session."""

    went_well: Maybe[str | None] = strawberry.field(default=None, description="What went well. Default: nothing.")
    went_badly: Maybe[str | None] = strawberry.field(default=None, description="What did not. Default: nothing.")
    next_time: Maybe[str | None] = strawberry.field(default=None, description="What to do next time. Default: nothing.")


def decode_ids(ids: list[strawberry.ID], *, kind: str, field: str) -> list[Any]:
    """Return the rows' ids in opaque ids. Raises `Invalid`, also for too many of them."""
    if len(ids) > MOST_IDS:
        raise Invalid(f"Name {MOST_IDS} at most.", field=field)
    return [decode_id(one, kind=kind, field=field) for one in ids]


def decode_some(id: strawberry.ID | None, *, kind: str, field: str) -> Any:
    """Return the row's id in an opaque id that may be left out. Raises `Invalid`."""
    return None if id is None else decode_id(id, kind=kind, field=field)
