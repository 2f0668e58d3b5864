"""What can be watched of streams: goals with what just happens to them, and a goal's history as it grows."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from db.batches import Page
from db.bus import Lagged, Listener
from db.errors import Invalid, NotFound
from db.streams import queries
from db.streams.events import StreamGoalChanged as GoalChange
from db.streams.events import StreamGoalDeleted, StreamGoalEvent
from db.streams.vocabulary import StreamGoalChangeKind
from schema.connections import LARGEST_PAGE, read_cursor, write_cursor
from schema.context import Asked, Context
from schema.fields import Demand, value
from schema.ids import decode_id
from schema.streams.types import StreamGoal, StreamGoalChange

_OLDEST = queries.changes_by_goal.order("OLDEST")
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


@strawberry.type
class StreamSubscriptions:
    """What can be watched of streams."""

    @strawberry.subscription(
        description=(
            "A goal, or all goals of a stream, as they are now, then after every change together with the change "
            "itself. Whoever is slow gets the latest, not the backlog."
        ),
        extensions=[Demand(None)],
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
    ) -> AsyncGenerator[StreamGoalChanged, None]:
        """State first, then newer revisions only."""
        context = info.context
        topic, is_stream = await _watched(context, goal_id, stream_id)
        # Listen before reading: a change in between is then heard, not missed.
        with context.db.bus.listen(topic, of=StreamGoalEvent) as heard:
            goals = await _present(context, topic, is_stream=is_stream)
            yield _state(context, goals, [])
            while True:
                try:
                    events = [await anext(heard), *heard.take()]
                    movements = _apply(context, goals, events)
                    if movements is None:
                        continue
                except Lagged:
                    goals, movements = await _present(context, topic, is_stream=is_stream), []
                except StopAsyncIteration:
                    return
                context.renew_loaders()
                yield _state(context, goals, movements)

    @strawberry.subscription(
        description=(
            "Every entry of a goal's history: first those after `after`, from the oldest that is kept if it is null, "
            "then live. Nothing is left out and nothing comes twice. It has no first message of its own."
        ),
        extensions=[Demand(None)],
    )
    async def stream_goal_changes(
        self,
        info: Asked,
        goal_id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        after: Annotated[
            str | None,
            strawberry.argument(description="The cursor of the last entry you have. Null: from the oldest."),
        ] = None,
    ) -> AsyncGenerator[StreamGoalChanges, None]:
        """History from the database, then what is published; back to the database after falling behind."""
        context = info.context
        id = decode_id(goal_id, kind="streamgoal", field="goal_id")
        if await context.loaders.one(queries.goal_by_id, id) is None:
            raise NotFound("There is no such goal.", field="goal_id")
        place = (-1, 0) if after is None else read_cursor(after, queries.changes_by_goal, _OLDEST, field="after")
        async with aclosing(_entries(context, id, place)) as entries:
            async for entry in entries:
                context.renew_loaders()
                yield StreamGoalChanges(change=entry, cursor=write_cursor((entry.revision, entry.part)))


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


async def _present(context: Context, topic: UUID, *, is_stream: bool) -> Goals:
    context.renew_loaders()
    if is_stream:
        return {goal.id: goal for goal in await context.loaders.many(queries.all_goals_by_stream, topic)}
    goal = await context.loaders.one(queries.goal_by_id, topic)
    return {} if goal is None else {topic: goal}


def _apply(context: Context, goals: Goals, events: Iterable[StreamGoalEvent]) -> list[StreamGoalMovement] | None:
    """Bring goals up to date; return what happened to them, `None` if it was no news."""
    changes: dict[UUID, list[Any]] = {}
    is_news = False
    for event in events:
        goal = event.goal
        known = goals.get(goal.id)
        if not _is_seen(context, goal):
            continue
        if isinstance(event, StreamGoalDeleted):
            is_news = goals.pop(goal.id, None) is not None or is_news
        elif isinstance(event, GoalChange) and (known is None or goal.revision > known.revision):
            is_news = True
            goals[goal.id] = goal
            changes.setdefault(goal.id, []).extend(event.changes)
    if not is_news:
        return None
    return [_movement(goals[id], entries) for id, entries in changes.items() if entries and id in goals]


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


def _state(context: Context, goals: Goals, movements: list[StreamGoalMovement]) -> StreamGoalChanged:
    in_order: list[Any] = sorted(goals.values(), key=lambda goal: (goal.position, goal.id))
    return StreamGoalChanged(goals=in_order, movements=movements, sent_at=context.now())


def _is_seen(context: Context, goal: Any) -> bool:
    """Whoever is bound to one goal sees its stream, and not the goals beside it: see `db.streams.visibility`."""
    nodes = context.viewer.nodes
    return nodes is None or not nodes.isdisjoint((goal.id, goal.stream_id))


async def _entries(context: Context, goal_id: UUID, place: tuple[Any, ...]) -> AsyncGenerator[Any, None]:
    is_behind = True
    with context.db.bus.listen(goal_id, of=GoalChange) as heard:
        while is_behind:
            is_behind = False
            async with aclosing(_history(context, goal_id, place)) as history:
                async for entry in history:
                    place = (entry.revision, entry.part)
                    yield entry
            try:
                async with aclosing(_live(heard, place)) as live:
                    async for entry in live:
                        place = (entry.revision, entry.part)
                        yield entry
            except Lagged:
                # The queue ran over while the client was slow. What it missed is in the database.
                is_behind = True


async def _history(context: Context, goal_id: UUID, place: tuple[Any, ...]) -> AsyncGenerator[Any, None]:
    is_full = True
    while is_full:
        page = Page(limit=LARGEST_PAGE, after=place)
        async with context.db.read() as session:
            found = await queries.changes_by_goal.read(session, context.viewer, [goal_id], page, _OLDEST, {})
        window = found.get(goal_id)
        for entry in () if window is None else window.rows:
            place = (entry.revision, entry.part)
            yield entry
        is_full = window is not None and window.has_more


async def _live(heard: Listener[GoalChange], place: tuple[Any, ...]) -> AsyncGenerator[Any, None]:
    """Pass on what is published. Raises `Lagged` also where a revision is missing: it may have been stored unheard."""
    revision: int | None = None
    async for change in heard:
        goal = change.goal
        if revision is not None and goal.revision > revision + 1:
            raise Lagged(1)
        revision = goal.revision
        for entry in change.changes:
            if (entry.revision, entry.part) > place:
                place = (entry.revision, entry.part)
                yield entry
