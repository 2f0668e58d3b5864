"""What a client may ask of lists of goals and sessions: orders and filters."""

from datetime import date
from enum import StrEnum

import strawberry

from schema.fields import enum
from schema.practice.vocabulary import GoalLevel, PracticeSessionState


class GoalOrder(StrEnum):
    """How goals may be ordered."""

    POSITION = "POSITION"
    NEWEST = "NEWEST"


class OldestOrder(StrEnum):
    """How things may be ordered that are asked for as they happened."""

    OLDEST = "OLDEST"


class GoalTreeOrder(StrEnum):
    """How goals of a tree may be ordered."""

    TREE = "TREE"


enum(GoalOrder, "How goals are ordered.", POSITION="As their owner placed them.", NEWEST="The newest first.")
enum(OldestOrder, "How things are ordered that come as they happened.", OLDEST="The oldest first.")
enum(GoalTreeOrder, "How the goals of a tree are ordered.", TREE="As a tree is read: each before what is under it.")


@strawberry.input(description="Which goals.")
class GoalFilter:
    """Which goals."""

    levels: list[GoalLevel] | None = strawberry.field(default=None, description="Of one of these levels. Null: of any.")
    is_completed: bool | None = strawberry.field(
        default=None, description="Those that are complete, or those that are open. Null: both."
    )
    due_by: date | None = strawberry.field(
        default=None, description="Due on this day or before. Null: whenever, or never."
    )


@strawberry.input(description="Which goals under a goal.")
class GoalDescendantFilter:
    """Which goals under a goal."""

    max_depth: int | None = strawberry.field(
        default=None, description="At most so many steps down: 1 is what stands right under it. Null: any depth."
    )
    levels: list[GoalLevel] | None = strawberry.field(default=None, description="Of one of these levels. Null: of any.")
    is_completed: bool | None = strawberry.field(
        default=None, description="Those that are complete, or those that are open. Null: both."
    )
    due_by: date | None = strawberry.field(
        default=None, description="Due on this day or before. Null: whenever, or never."
    )


@strawberry.input(description="Which sessions.")
class PracticeSessionFilter:
    """Which sessions."""

    states: list[PracticeSessionState] | None = strawberry.field(
        default=None, description="In one of these states. Null: in any."
    )
