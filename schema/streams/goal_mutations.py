"""How the goals of streams can be changed."""

from typing import Annotated

import strawberry

from db.access.viewer import Role
from db.streams import operations
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand
from schema.ids import decode_id
from schema.streams.inputs import StreamGoalInput, goal_changes
from schema.streams.types import Stream, StreamGoal
from schema.streams.vocabulary import StreamGoalKind


@strawberry.type(description="What came of it.")
class StreamGoalCreatePayload:
    """What came of `streamGoalCreate`."""

    goal: StreamGoal | None = strawberry.field(description="The goal. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamGoalCreateDefaultsPayload:
    """What came of `streamGoalCreateDefaults`."""

    stream: Stream | None = strawberry.field(description="The stream with its goals. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamGoalUpdatePayload:
    """What came of `streamGoalUpdate`."""

    goal: StreamGoal | None = strawberry.field(description="The goal after the change. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamGoalDeletePayload:
    """What came of `streamGoalDelete`."""

    goal: StreamGoal | None = strawberry.field(description="The goal as it was. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamGoalAddProgressPayload:
    """What came of `streamGoalAddProgress`."""

    goal: StreamGoal | None = strawberry.field(description="The goal after the change. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamGoalTestPayload:
    """What came of `streamGoalTest`."""

    goal: StreamGoal | None = strawberry.field(description="The goal, its count as before. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamGoalResetPayload:
    """What came of `streamGoalReset`."""

    goal: StreamGoal | None = strawberry.field(description="The goal after the change. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamGoalShowPayload:
    """What came of `streamGoalShow`."""

    goal: StreamGoal | None = strawberry.field(description="The goal after the change. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class StreamGoalHidePayload:
    """What came of `streamGoalHide`."""

    goal: StreamGoal | None = strawberry.field(description="The goal after the change. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type
class StreamGoalMutations:
    """How the goals of streams can be changed."""

    @strawberry.mutation(description="Set a goal for a stream.", extensions=[RefusalsAsData(), Demand(Role.MEMBER)])
    async def stream_goal_create(
        self,
        info: Asked,
        stream_id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")],
        kind: Annotated[StreamGoalKind, strawberry.argument(description="What it counts, for good.")],
        input: Annotated[StreamGoalInput, strawberry.argument(description="The goal.")],
    ) -> StreamGoalCreatePayload:
        """Set a goal."""
        context = info.context
        id = decode_id(stream_id, kind="stream", field="stream_id")
        async with context.db.transaction() as tx:
            row = await operations.create_goal(
                tx, id, kind=kind, changes=goal_changes(input), viewer=context.viewer, now=context.now()
            )
        return StreamGoalCreatePayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Make those of the four goals that every stream begins with that are not there any more.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def stream_goal_create_defaults(
        self, info: Asked, stream_id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")]
    ) -> StreamGoalCreateDefaultsPayload:
        """Make the goals that are missing."""
        context = info.context
        id = decode_id(stream_id, kind="stream", field="stream_id")
        async with context.db.transaction() as tx:
            row = await operations.create_presets(tx, id, viewer=context.viewer, now=context.now())
        return StreamGoalCreateDefaultsPayload(stream=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Change some of a goal. What is not named stays, its count above all.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def stream_goal_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        input: Annotated[StreamGoalInput, strawberry.argument(description="What to change.")],
    ) -> StreamGoalUpdatePayload:
        """Change some of a goal."""
        context = info.context
        async with context.db.transaction() as tx:
            row = await operations.update_goal(
                tx, decode_id(id, kind="streamgoal"), goal_changes(input), viewer=context.viewer, now=context.now()
            )
        return StreamGoalUpdatePayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Remove a goal with its history.", extensions=[RefusalsAsData(), Demand(Role.MEMBER)]
    )
    async def stream_goal_delete(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")]
    ) -> StreamGoalDeletePayload:
        """Remove a goal."""
        async with info.context.db.transaction() as tx:
            row = await operations.delete_goal(tx, decode_id(id, kind="streamgoal"), viewer=info.context.viewer)
        return StreamGoalDeletePayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Move a goal by `delta`. Concurrent calls add up.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def stream_goal_add_progress(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        delta: Annotated[int, strawberry.argument(description="By how much: less than 0 takes back.")],
    ) -> StreamGoalAddProgressPayload:
        """Move a goal."""
        context = info.context
        async with context.db.transaction() as tx:
            row = await operations.add_progress(
                tx, decode_id(id, kind="streamgoal"), delta, viewer=context.viewer, now=context.now()
            )
        return StreamGoalAddProgressPayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Let overlays show what a change by `delta` looks like. It is marked as a test and counts nothing.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def stream_goal_test(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        delta: Annotated[int, strawberry.argument(description="By how much.")],
    ) -> StreamGoalTestPayload:
        """Try an overlay out."""
        context = info.context
        async with context.db.transaction() as tx:
            row = await operations.test_goal(
                tx, decode_id(id, kind="streamgoal"), delta, viewer=context.viewer, now=context.now()
            )
        return StreamGoalTestPayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Let a goal begin anew: at its start, towards the target it was given, shown.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def stream_goal_reset(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
    ) -> StreamGoalResetPayload:
        """Begin anew."""
        context = info.context
        async with context.db.transaction() as tx:
            row = await operations.reset_goal(
                tx, decode_id(id, kind="streamgoal"), viewer=context.viewer, now=context.now()
            )
        return StreamGoalResetPayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Show a goal that was hidden.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def stream_goal_show(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
    ) -> StreamGoalShowPayload:
        """Show a goal."""
        context = info.context
        async with context.db.transaction() as tx:
            row = await operations.show_goal(
                tx, decode_id(id, kind="streamgoal"), is_shown=True, viewer=context.viewer, now=context.now()
            )
        return StreamGoalShowPayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Hide a goal. It counts all the same.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def stream_goal_hide(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
    ) -> StreamGoalHidePayload:
        """Hide a goal."""
        context = info.context
        async with context.db.transaction() as tx:
            row = await operations.show_goal(
                tx, decode_id(id, kind="streamgoal"), is_shown=False, viewer=context.viewer, now=context.now()
            )
        return StreamGoalHidePayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type
