"""What a client may ask of lists of accounts, feeds, posts and executions: orders and filters."""

from datetime import datetime
from enum import StrEnum

import strawberry

from schema.accounts.vocabulary import (
    ExecutionCause,
    ExecutionState,
    FeedKind,
    FeedState,
    PollState,
    PostOutcome,
    ScreenshotMoment,
    ScreenshotState,
)
from schema.fields import enum


class PollOrder(StrEnum):
    """How polls and posts may be ordered."""

    NEWEST = "NEWEST"
    OLDEST = "OLDEST"


enum(PollOrder, "How polls and posts are ordered.", NEWEST="The newest first.", OLDEST="As they came.")


@strawberry.input(description="Which accounts.")
class AccountFilter:
    """Which accounts."""

    platforms: list[str] | None = strawberry.field(
        default=None, description="Of one of these platforms, in lower case. Null: of any."
    )
    is_enabled: bool | None = strawberry.field(default=None, description="Switched on, or off. Null: either.")


@strawberry.input(description="Which feeds.")
class FeedFilter:
    """Which feeds."""

    kinds: list[FeedKind] | None = strawberry.field(default=None, description="Of one of these kinds. Null: of any.")
    states: list[FeedState] | None = strawberry.field(default=None, description="In one of these states. Null: in any.")


@strawberry.input(description="Which polls.")
class PollFilter:
    """Which polls."""

    states: list[PollState] | None = strawberry.field(
        default=None, description="That came to one of these. Null: to anything."
    )


@strawberry.input(description="Which posts.")
class PostFilter:
    """Which posts."""

    outcomes: list[PostOutcome] | None = strawberry.field(
        default=None, description="About which one of these was done. Null: anything."
    )


@strawberry.input(description="Which executions.")
class ExecutionFilter:
    """Which executions."""

    states: list[ExecutionState] | None = strawberry.field(
        default=None, description="In one of these states. Null: in any."
    )
    causes: list[ExecutionCause] | None = strawberry.field(
        default=None, description="For one of these causes. Null: for any."
    )
    platforms: list[str] | None = strawberry.field(
        default=None, description="For accounts of one of these platforms, in lower case. Null: of any."
    )
    queued_before: datetime | None = strawberry.field(
        default=None, description="Queued before this instant. Null: whenever."
    )


@strawberry.input(description="Which screenshots.")
class ScreenshotFilter:
    """Which screenshots."""

    states: list[ScreenshotState] | None = strawberry.field(
        default=None, description="In one of these states. Null: in any."
    )
    moments: list[ScreenshotMoment] | None = strawberry.field(
        default=None, description="Of one of these moments. Null: of any."
    )
