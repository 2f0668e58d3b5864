"""The types of streams: streams and their live sessions, goals and their histories, sources of news."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from db.access.queries import user_by_id
from db.social import queries as social
from db.streams import queries, rules
from db.streams.style import Style, style_from_json
from schema.access.types import LazyEntry, User
from schema.connections import Connection, write_cursor
from schema.fields import Node, column, computed, connection, node, to_many, to_one, value
from schema.matches.arguments import NewestOrder
from schema.social.arguments import EntryFilter, TimeOrder
from schema.streams.arguments import (
    StreamGoalChangeFilter,
    StreamGoalChangeOrder,
    StreamGoalFilter,
    StreamGoalOrder,
)
from schema.streams.vocabulary import (
    GoalAnimation,
    GoalCelebration,
    GoalLook,
    NumberFormat,
    StreamEventFault,
    StreamEventKind,
    StreamGoalChangeCause,
    StreamGoalChangeKind,
    StreamGoalKind,
    StreamGoalMode,
    StreamGoalPeriod,
    StreamGoalState,
    StreamSourceKind,
    StreamSourceState,
)

_COUNT = ("start", "current", "target")


@node("stream", queries.stream_by_id)
class Stream(Node):
    """A channel that somebody streams on."""

    name: str = column("What it is called. No two streams of an owner share a name.")
    channel_key: str = column(
        "The channel's name or number on the platform: news of another channel is refused. Empty: any news counts."
    )
    host: str = column(
        "The host's own number on the platform: gifts to others do not count. Empty: gifts to anybody count."
    )
    time_zone: str = column("The time zone that its days begin in, such as `Europe/Berlin`.")
    is_live: bool = computed(
        "Whether a live session is on.", ("current_session_id",), lambda session_id: session_id is not None
    )
    last_event_at: datetime | None = column("When news of viewers last came. Null before the first.")
    created_at: datetime = column("When it was set up here.")
    owner: User | None = to_one("Whose it is. Null for an overlay, which sees no users.", user_by_id, key="owner_id")
    current_session: StreamSession | None = to_one(
        "The live session that is on. Null while none is.", queries.session_by_id, key="current_session_id"
    )
    sessions: Connection[StreamSession] = connection(
        "Its live sessions, newest first.", queries.sessions_by_stream, order=NewestOrder
    )
    goals: Connection[StreamGoal] = connection(
        "Its goals, at most 100.", queries.goals_by_stream, order=StreamGoalOrder, filter=StreamGoalFilter
    )
    sources: list[StreamSource] = to_many(
        "Where its news comes from. Empty unless the stream is yours or you run the event.", queries.sources_by_stream
    )
    entries: Connection[LazyEntry] = connection(
        "What was written about it, as far as it is for you.",
        social.entries_by_subject,
        order=TimeOrder,
        filter=EntryFilter,
    )


@node("livesession", queries.session_by_id)
class StreamSession(Node):
    """One time that a stream was live, and what viewers gave in it."""

    started_at: datetime = column("When it began.")
    ended_at: datetime | None = column("When it ended. Null while it is on.")
    coin_count: int = column("What gifts to the host cost their givers, in coins.")
    like_count: int = column("Likes of the room.")
    follower_count: int = column("New followers.")
    share_count: int = column("Viewers who shared it.")
    subscriber_count: int = column("Subscriptions.")
    viewer_count: int = column("How many watched, when that was last told.")
    most_viewers: int = column("The most that ever watched.")
    stream: Stream = to_one("The stream.", queries.stream_by_id, key="stream_id")


@value
class StreamGoalWeight:
    """What one of a kind is worth to a goal of points."""

    kind: StreamGoalKind = strawberry.field(description="What is counted.")
    points: float = strawberry.field(description="What one of it is worth, to the thousandth.")


@value
class StreamGoalMilestone:
    """A count on the way to a target that is worth celebrating."""

    threshold: int = strawberry.field(description="The count.")
    label: str = strawberry.field(description="What is said of it. Empty if nothing is.")
    is_reached: bool = strawberry.field(description="Whether the count stands at it or past it.")


@value
class StreamGoalStyle:
    """How a goal is drawn on an overlay."""

    look: GoalLook = strawberry.field(description="The shape of it.")
    template: str = strawberry.field(
        description=(
            "The text on it, in which `{name}`, `{current}`, `{target}`, `{percent}`, `{remaining}` and `{unit}` are "
            "filled in wherever they stand."
        )
    )
    fill_color: str = strawberry.field(description="The colour of what is filled, where it begins.")
    fill_end_color: str = strawberry.field(description="The colour of what is filled, where it ends.")
    track_color: str = strawberry.field(description="The colour of what is not filled yet.")
    text_color: str = strawberry.field(description="The colour of the text.")
    animation: GoalAnimation = strawberry.field(description="How it moves when it is changed.")
    animation_ms: int = strawberry.field(description="How long that takes, in milliseconds.")
    celebration: GoalCelebration = strawberry.field(description="What is shown when a target is reached.")
    celebration_ms: int = strawberry.field(description="How long that takes, in milliseconds.")
    number_format: NumberFormat = strawberry.field(description="How its numbers are written.")
    shown_seconds: int = strawberry.field(description="How long it shows after a change. 0: always.")


def _style(record: dict[str, Any]) -> StreamGoalStyle:
    style: Style = style_from_json(record)
    return StreamGoalStyle(**{name: getattr(style, name) for name in Style.__slots__})


def _weights(record: dict[str, int]) -> list[StreamGoalWeight]:
    return [
        StreamGoalWeight(kind=StreamGoalKind(kind), points=weight / rules.THOUSAND) for kind, weight in record.items()
    ]


def _milestones(record: list[dict[str, Any]], current: int) -> list[StreamGoalMilestone]:
    return [
        StreamGoalMilestone(threshold=one["at"], label=one["label"], is_reached=one["at"] <= current) for one in record
    ]


@node("streamgoal", queries.goal_by_id)
class StreamGoal(Node):
    """A number that a live stream tries to reach."""

    name: str = column("What viewers read on the overlay.")
    kind: StreamGoalKind = column("What is counted.")
    unit: str = column("What its numbers are of, such as `coins`. Empty if that goes without saying.")
    mode: StreamGoalMode = column("What becomes of it when its target is reached.")
    state: StreamGoalState = column("Whether it is shown and whether it counts.")
    position: int = column("Its place among the stream's goals: the lower comes first.")
    start: int = column("The count it begins with.")
    current: int = column("The count so far.")
    target: int = column("The count that reaches the goal.")
    step: int = column("By how much the target moves on in the mode ADD.")
    weights: list[StreamGoalWeight] = computed(
        "What each kind is worth to a goal of POINTS. Empty for others.", ("weights",), _weights
    )
    milestones: list[StreamGoalMilestone] = computed(
        "Counts on the way that are worth celebrating, the lowest first.", ("milestones", "current"), _milestones
    )
    style: StreamGoalStyle = computed("How it is drawn.", ("style",), _style)
    period: StreamGoalPeriod = column("How often it begins anew.")
    period_ends_at: datetime | None = column("When it begins anew. Null if no clock decides that.")
    ends_at: datetime | None = column("When viewers stop filling it. Null: never.")
    progress: float = computed(
        "Progress from its start, from 0 to 1. More than 1 past the target.", _COUNT, rules.progress
    )
    percent: int = computed(
        "Progress in whole percent, rounded down: never 100 before the target is reached.", _COUNT, rules.percent
    )
    remaining: int = computed("How much is missing. 0 from the target on.", ("current", "target"), rules.remaining)
    is_reached: bool = computed(
        "Whether the count stands at the target or past it.", ("current", "target"), rules.is_reached
    )
    reached_at: datetime | None = column("When a target was first reached, since it last began anew. Null until then.")
    times_reached: int = column("How many targets were reached since it was made.")
    revision: int = column("Raised by one at every change: the higher is the newer.")
    created_at: datetime = column("When it was made.")
    changed_at: datetime = column("When it last changed.")
    stream: Stream = to_one("The stream it belongs to.", queries.stream_by_id, key="stream_id")
    changes: Connection[StreamGoalChange] = connection(
        "Its history.", queries.changes_by_goal, order=StreamGoalChangeOrder, filter=StreamGoalChangeFilter
    )
    entries: Connection[LazyEntry] = connection(
        "What was written about it, as far as it is for you.",
        social.entries_by_subject,
        order=TimeOrder,
        filter=EntryFilter,
    )


@node("streamchange", queries.change_by_id)
class StreamGoalChange(Node):
    """An entry of a goal's history. Entries are never changed."""

    revision: int = column("The goal's revision after it; entries of one change share it.")
    kind: StreamGoalChangeKind = column("What it tells of.")
    old_value: int = column("The count before; of TARGET, the target before.")
    new_value: int = column("The count after; of TARGET, the target after.")
    delta: int = column("What the change came to, after the count was kept within its bounds; of TEST, what was tried.")
    threshold: int | None = column("The target or the milestone that was reached. Null for other entries.")
    label: str = column("What the milestone says, or the terms that were changed. Empty for other entries.")
    cause: StreamGoalChangeCause = column("Who or what did it.")
    viewer_name: str = column("The viewer whose doing it was, by his name on the platform. Empty if it was nobody's.")
    event_key: str = column("What the source calls the news that did it. Empty if it was no news.")
    changed_at: datetime = column("When it happened.")
    cursor: str = computed(
        "Its place in the feed: give it to `streamGoalChanges(after:)` to go on from here.",
        ("revision", "part"),
        lambda revision, part: write_cursor((revision, part)),
    )
    user: User | None = to_one(
        "Who did it by hand. Null if nobody did, or you are an overlay.", user_by_id, key="user_id"
    )
    source: StreamSource | None = to_one(
        "The source that told of it. Null if none did, it is gone, or it is not for you.",
        queries.source_by_id,
        key="source_id",
    )
    goal: StreamGoal = to_one("The goal.", queries.goal_by_id, key="goal_id")


@value
class StreamEventCount:
    """How much news came of one kind."""

    kind: StreamEventKind = strawberry.field(description="What it was about.")
    count: int = strawberry.field(description="How much of it came, what was told twice included.")


@value
class StreamFaultCount:
    """How much news was refused for one reason."""

    fault: StreamEventFault = strawberry.field(description="The reason.")
    count: int = strawberry.field(description="How much was refused for it.")


def _event_counts(record: dict[str, int]) -> list[StreamEventCount]:
    return [StreamEventCount(kind=StreamEventKind(kind), count=count) for kind, count in record.items()]


def _fault_counts(record: dict[str, int]) -> list[StreamFaultCount]:
    return [StreamFaultCount(fault=StreamEventFault(fault), count=count) for fault, count in record.items()]


@node("streamsource", queries.source_by_id)
class StreamSource(Node):
    """Where a stream's news comes from."""

    kind: StreamSourceKind = column("What it is, and how its news is written.")
    name: str = column("What it is called. No two sources of a stream share a name.")
    url: str = column("Where it is listened to. Empty for one that calls.")
    is_enabled: bool = column("Whether it is switched on.")
    state: StreamSourceState = column("How it is doing.")
    connection_count: int = column("How often it was reached.")
    last_event_at: datetime | None = column("When it last told of viewers. Null before the first.")
    event_counts: list[StreamEventCount] = computed(
        "How much news came of each kind.", ("event_counts",), _event_counts
    )
    fault_counts: list[StreamFaultCount] = computed(
        "How much news was refused, for each reason.", ("fault_counts",), _fault_counts
    )
    ignored_count: int = column("How much it said that no goal is interested in.")
    duplicate_count: int = column("How much it told twice. It was counted once.")
    last_error: str = column("What last went wrong. Empty if nothing ever did.")
    last_error_at: datetime | None = column("When that was. Null if nothing ever did.")
    created_at: datetime = column("When it was added.")
    stream: Stream = to_one("The stream.", queries.stream_by_id, key="stream_id")
