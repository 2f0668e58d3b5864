"""What can be watched of streams: goals with what just happens to them, and a goal's history as it grows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.errors import Invalid, NotFound
from db.streams import queries
from db.streams.events import StreamGoalChanged as GoalChange
from db.streams.events import StreamGoalDeleted, StreamGoalEvent
from db.streams.vocabulary import StreamGoalChangeKind
from schema.context import Asked, Context
from schema.fields import Demand, value
from schema.ids import decode_id
from schema.live.sources import Feed, Merged, State, feed, state
from schema.streams.types import StreamGoal, StreamGoalChange

Goals = dict[UUID, Any]


@value
class StreamGoalPassed:
    """A milestone that was passed."""

    threshold: int = strawberry.field(description="The count it stands at.")
    label: str = strawberry.field(description="What is said of it. Empty if nothing is.")


@value
class StreamGoalMovement:
    """What just happened to one goal. Animate this, and never the goals as they are."""

    goal: StreamGoal = strawberry.field(description="The goal after it.")
    delta: int = strawberry.field(description="By how much the count moved; of a test, by how much it would.")
    has_reached: bool = strawberry.field(description="Whether a target was reached by it; of a test, would be.")
    is_test: bool = strawberry.field(description="Whether somebody tried the overlay out. Then nothing was counted.")
    milestones: list[StreamGoalPassed] = strawberry.field(description="The milestones that were passed, in order.")
    changes: list[StreamGoalChange] = strawberry.field(description="The entries of its history that tell of it.")


@strawberry.type(description="Goals as they are, and what just happened to them.")
class StreamGoalChanged:
    """Goals as they are, and what just happened to them."""

    goals: list[StreamGoal] = strawberry.field(
        description="All that is watched, as it is now, in order: the one goal, or all goals of the stream."
    )
    movements: list[StreamGoalMovement] = strawberry.field(
        description=(
            "What just happened. Empty in the first message, and wherever only the present state is known, as after "
            "falling behind."
        )
    )
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@strawberry.type(description="An entry of a goal's history.")
class StreamGoalChanges:
    """An entry of a goal's history."""

    change: StreamGoalChange = strawberry.field(description="The entry.")
    cursor: str = strawberry.field(
        description="Its place: give it to `after` to go on from here, after any interruption."
    )


@dataclass(frozen=True, kw_only=True)
class Watched:
    """Goals as they are, by their ids, and what just happened to them."""

    goals: Goals
    movements: Sequence[StreamGoalMovement] = ()

    def at_rest(self) -> "Watched":
        """Return the goals without what just happened, for those who were not there."""
        return Watched(goals=self.goals) if self.movements else self


@dataclass(frozen=True, kw_only=True)
class GoalState(Merged[StreamGoalEvent, Watched]):
    """Goals, each event's news merged into how they were. `nodes` are what an overlay is bound to."""

    nodes: frozenset[UUID] | None

    def merged(self, shown: Watched, events: Sequence[StreamGoalEvent]) -> Watched | None:
        """See `Merged`."""
        return _changed(shown.goals, [event for event in events if _is_seen(self.nodes, event.goal)])


@strawberry.type
class StreamSubscriptions:
    """What can be watched of streams."""

    @state(
        StreamGoalChanged,
        "A goal, or all goals of a stream, as they are now, then after every change together with the change "
        "itself. Whoever is slow gets the latest, not the backlog.",
        demand=Demand(None),
    )
    async def stream_goal_changed(
        self,
        info: Asked,
        goal_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The goal. Null if `streamId` is given.")
        ] = None,
        stream_id: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="The stream whose goals they are. Null if `goalId` is given."),
        ] = None,
    ) -> State[StreamGoalEvent, Watched]:
        """A goal, or those of a stream."""
        topic, is_stream = await _watched(info.context, goal_id, stream_id)
        return GoalState(
            topic=topic,
            of=StreamGoalEvent,
            read=partial(_present, topic=topic, is_stream=is_stream),
            at_rest=Watched.at_rest,
            show=_payload,
            nodes=info.context.viewer.nodes,
        )

    @feed(
        StreamGoalChanges,
        "Every entry of a goal's history: first those after `after`, from the oldest that is kept if it is null, then "
        "live. Nothing is left out and nothing comes twice. It has no first message of its own. Whoever falls behind "
        "is told so by an error with the code LAGGED, and goes on from the cursor in its `after`.",
        demand=Demand(None),
    )
    async def stream_goal_changes(
        self,
        info: Asked,
        goal_id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
    ) -> Feed[GoalChange, Any]:
        """The history of a goal."""
        id = decode_id(goal_id, kind="streamgoal", field="goal_id")
        if await info.context.loaders.one(queries.goal_by_id, id) is None:
            raise NotFound("There is no such goal.", field="goal_id")
        return Feed(
            topic=id,
            of=GoalChange,
            batch=queries.changes_by_goal,
            order="OLDEST",
            entries=lambda change: change.changes,
            happened_at=lambda entry: entry.changed_at,
            show=lambda entry, cursor: StreamGoalChanges(change=entry, cursor=cursor),
        )


async def _watched(context: Context, goal_id: str | None, stream_id: str | None) -> tuple[UUID, bool]:
    """Return the id to watch and whether it is a stream's. Raises `Invalid` and `NotFound`."""
    if (goal_id is None) == (stream_id is None):
        raise Invalid("Give either `goalId` or `streamId`.", field="goal_id")
    if goal_id is not None:
        id = decode_id(goal_id, kind="streamgoal", field="goal_id")
        if await context.loaders.one(queries.goal_by_id, id) is None:
            raise NotFound("There is no such goal.", field="goal_id")
        return id, False
    id = decode_id(str(stream_id), kind="stream", field="stream_id")
    if await context.loaders.one(queries.stream_by_id, id) is None:
        raise NotFound("There is no such stream.", field="stream_id")
    return id, True


async def _present(context: Context, topic: UUID, *, is_stream: bool) -> Watched:
    context.renew_loaders()
    if is_stream:
        return Watched(goals={goal.id: goal for goal in await context.loaders.many(queries.all_goals_by_stream, topic)})
    goal = await context.loaders.one(queries.goal_by_id, topic)
    return Watched(goals={} if goal is None else {topic: goal})


def _changed(before: Goals, events: Iterable[StreamGoalEvent]) -> Watched | None:
    """Return the goals after some events and what happened to them, `None` if it was no news."""
    goals = dict(before)
    changes: dict[UUID, list[Any]] = {}
    is_news = False
    for event in events:
        known = goals.get(event.goal.id)
        if isinstance(event, StreamGoalDeleted):
            is_news = goals.pop(event.goal.id, None) is not None or is_news
        elif isinstance(event, GoalChange) and (known is None or event.goal.revision > known.revision):
            is_news = True
            goals[event.goal.id] = event.goal
            changes.setdefault(event.goal.id, []).extend(event.changes)
    if not is_news:
        return None
    movements = [_movement(goals[id], entries) for id, entries in changes.items() if entries and id in goals]
    return Watched(goals=goals, movements=movements)


def _movement(goal: Any, changes: Sequence[Any]) -> StreamGoalMovement:
    tested = sum(one.delta for one in changes if one.kind is StreamGoalChangeKind.TEST)
    is_test = all(one.kind is StreamGoalChangeKind.TEST for one in changes)
    reached = any(one.kind is StreamGoalChangeKind.REACHED for one in changes)
    return StreamGoalMovement(
        goal=goal,
        delta=tested if is_test else sum(one.delta for one in changes if one.kind is StreamGoalChangeKind.PROGRESS),
        has_reached=reached or (is_test and goal.current + tested >= goal.target),
        is_test=is_test,
        milestones=[
            StreamGoalPassed(threshold=one.threshold, label=one.label)
            for one in changes
            if one.kind is StreamGoalChangeKind.MILESTONE
        ],
        changes=list(changes),
    )


def _payload(watched: Watched, at: datetime) -> StreamGoalChanged:
    in_order: list[Any] = sorted(watched.goals.values(), key=lambda goal: (goal.position, goal.id))
    return StreamGoalChanged(goals=in_order, movements=list(watched.movements), sent_at=at)


def _is_seen(nodes: frozenset[UUID] | None, goal: Any) -> bool:
    """Whoever is bound to one goal sees its stream, and not the goals beside it: see `db.streams.visibility`."""
    return nodes is None or not nodes.isdisjoint((goal.id, goal.stream_id))
