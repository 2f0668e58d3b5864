"""What a client says of streams, goals and sources. What is absent stays; null brings the default back."""

from datetime import datetime
from typing import Any

import strawberry
from strawberry import Maybe

from db.errors import Invalid
from db.streams.rules import THOUSAND, Milestone
from db.streams.vocabulary import StreamGoalKind
from schema.inputs import given
from schema.streams.vocabulary import (
    GoalAnimation,
    GoalCelebration,
    GoalLook,
    NumberFormat,
    StreamGoalMode,
    StreamGoalPeriod,
)

_LARGEST_POINTS = 1_000_000.0


@strawberry.input(description="A stream to be set up or changed. What is absent stays; null brings the default back.")
class StreamInput:
    """A stream to be set up or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None,
        description="What it is called: 1 to 200 characters, no two alike of one owner. A new one needs it.",
    )
    channel_key: Maybe[str | None] = strawberry.field(
        default=None,
        description="The channel's name or number on the platform, to refuse news of others. Default: any news counts.",
    )
    host: Maybe[str | None] = strawberry.field(
        default=None, description="The host's number on the platform, to leave out gifts to guests. Default: none."
    )
    time_zone: Maybe[str | None] = strawberry.field(
        default=None, description="Where its days begin at midnight, such as `Asia/Seoul`. Default: `UTC`."
    )


@strawberry.input(description="What one of a kind is worth.")
class StreamGoalWeightInput:
    """What one of a kind is worth."""

    kind: StreamGoalKind = strawberry.field(description="What is counted: not VIEWERS, and not POINTS.")
    points: float = strawberry.field(description="What one of it is worth: 0.001 to 1,000,000, to the thousandth.")


@strawberry.input(description="A count on the way that is worth celebrating.")
class StreamGoalMilestoneInput:
    """A count on the way that is worth celebrating."""

    threshold: int = strawberry.field(description="The count: above the start.")
    label: str = strawberry.field(default="", description="What is said of it: at most 100 characters.")


@strawberry.input(description="How a goal is drawn. What is absent stays; null brings the default back.")
class StreamGoalStyleInput:
    """How a goal is drawn."""

    look: Maybe[GoalLook | None] = strawberry.field(default=None, description="The shape of it. Default: BAR.")
    template: Maybe[str | None] = strawberry.field(
        default=None,
        description=(
            "The text on it: 1 to 200 characters with `{name}`, `{current}`, `{target}`, `{percent}`, `{remaining}` "
            "and `{unit}` where they are wanted."
        ),
    )
    fill_color: Maybe[str | None] = strawberry.field(
        default=None, description="The colour of what is filled, where it begins: `#rrggbb` or `#rrggbbaa`."
    )
    fill_end_color: Maybe[str | None] = strawberry.field(default=None, description="The same, where it ends.")
    track_color: Maybe[str | None] = strawberry.field(default=None, description="The colour of what is not filled.")
    text_color: Maybe[str | None] = strawberry.field(default=None, description="The colour of the text.")
    animation: Maybe[GoalAnimation | None] = strawberry.field(
        default=None, description="How it moves when it is changed. Default: SMOOTH."
    )
    animation_ms: Maybe[int | None] = strawberry.field(
        default=None, description="How long that takes: 0 to 20,000 milliseconds. Default: 600."
    )
    celebration: Maybe[GoalCelebration | None] = strawberry.field(
        default=None, description="What is shown when a target is reached. Default: CONFETTI."
    )
    celebration_ms: Maybe[int | None] = strawberry.field(
        default=None, description="How long that takes: 0 to 20,000 milliseconds. Default: 4000."
    )
    number_format: Maybe[NumberFormat | None] = strawberry.field(
        default=None, description="How its numbers are written. Default: GROUPED."
    )
    shown_seconds: Maybe[int | None] = strawberry.field(
        default=None, description="How long it shows after a change: 0 to 3600 seconds. Default: 0, which is always."
    )


@strawberry.input(description="A goal to be set or changed. What is absent stays; null brings the default back.")
class StreamGoalInput:
    """A goal to be set or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None, description="What viewers read: 1 to 60 characters. A new one needs it."
    )
    unit: Maybe[str | None] = strawberry.field(
        default=None, description="What its numbers are of: at most 20 characters. Default: nothing."
    )
    start: Maybe[int | None] = strawberry.field(
        default=None, description="The count it begins with, and goes back to. Default: 0."
    )
    target: Maybe[int | None] = strawberry.field(
        default=None, description="The count that reaches it: above the start. A new one needs it."
    )
    mode: Maybe[StreamGoalMode | None] = strawberry.field(
        default=None, description="What becomes of it when its target is reached. Default: FIXED."
    )
    step: Maybe[int | None] = strawberry.field(
        default=None, description="By how much ADD moves the target on. Default: from the start to the target."
    )
    weights: Maybe[list[StreamGoalWeightInput] | None] = strawberry.field(
        default=None, description="What each kind is worth. A goal of POINTS needs it, others have none."
    )
    milestones: Maybe[list[StreamGoalMilestoneInput] | None] = strawberry.field(
        default=None, description="At most 50, no two at one count. Default: none."
    )
    style: Maybe[StreamGoalStyleInput | None] = strawberry.field(default=None, description="How it is drawn.")
    period: Maybe[StreamGoalPeriod | None] = strawberry.field(
        default=None, description="How often it begins anew. Default: NONE."
    )
    ends_at: Maybe[datetime | None] = strawberry.field(
        default=None, description="When viewers stop filling it: ahead of now. Default: never."
    )
    position: Maybe[int | None] = strawberry.field(
        default=None, description="Its place among the goals, 0 to 1,000,000. Default: the last, or where it is."
    )


@strawberry.input(description="A source to be added or changed. What is absent stays; null brings the default back.")
class StreamSourceInput:
    """A source to be added or changed."""

    name: Maybe[str | None] = strawberry.field(
        default=None,
        description="What it is called: 1 to 200 characters, no two alike of a stream. A new one needs it.",
    )
    url: Maybe[str | None] = strawberry.field(
        default=None,
        description="Where it is listened to: `ws://…` or `wss://…`. Default: TikFinity's, on the server's machine.",
    )


def goal_changes(input: StreamGoalInput) -> dict[str, Any]:
    """Return what an input says of a goal, in the words of `db`. Raises `Invalid`."""
    changes = given(input)
    if changes.get("weights") is not None:
        changes["weights"] = _weights(changes["weights"])
    if changes.get("milestones") is not None:
        changes["milestones"] = tuple(Milestone(one.threshold, one.label) for one in changes["milestones"])
    if changes.get("style") is not None:
        changes["style"] = given(changes["style"])
    return changes


def _weights(inputs: list[StreamGoalWeightInput]) -> dict[StreamGoalKind, int]:
    weights = {one.kind: _thousandths(one.points) for one in inputs}
    if len(weights) != len(inputs):
        raise Invalid("A kind is weighed once.", field="weights")
    return weights


def _thousandths(points: float) -> int:
    # Compared as written, so that 0.1 is what it says.
    if not 0 < points <= _LARGEST_POINTS or round(points * THOUSAND) / THOUSAND != points:
        raise Invalid("A kind is worth 0.001 to 1,000,000 points, to the thousandth.", field="weights")
    return round(points * THOUSAND)
