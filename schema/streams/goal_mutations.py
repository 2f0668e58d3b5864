"""How the goals of streams can be changed."""

from functools import partial
from typing import Annotated, Any

import strawberry

from db.streams import operations
from schema.changes import change, change_one, changed
from schema.context import Asked
from schema.ids import decode_id
from schema.streams.inputs import StreamGoalInput, goal_changes
from schema.streams.types import Stream, StreamGoal
from schema.streams.vocabulary import StreamGoalKind

_of_goal = partial(
    change_one, of=StreamGoal, name="goal", kind="streamgoal", argument="The goal.", result="The goal after the change."
)


@strawberry.type
class StreamGoalMutations:
    """How the goals of streams can be changed."""

    @change(StreamGoal, "goal", "Set a goal for a stream.", result="The goal.")
    async def stream_goal_create(
        self,
        info: Asked,
        stream_id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")],
        kind: Annotated[StreamGoalKind, strawberry.argument(description="What it counts, for good.")],
        input: Annotated[StreamGoalInput, strawberry.argument(description="The goal.")],
    ) -> Any:
        """Set a goal."""
        id = decode_id(stream_id, kind="stream", field="stream_id")
        return await changed(info, operations.create_goal, id, kind=kind, changes=goal_changes(input))

    @change(
        Stream,
        "stream",
        "Make those of the four goals that every stream begins with that are not there any more.",
        result="The stream with its goals.",
    )
    async def stream_goal_create_defaults(
        self, info: Asked, stream_id: Annotated[strawberry.ID, strawberry.argument(description="The stream.")]
    ) -> Any:
        """Make the goals that are missing."""
        id = decode_id(stream_id, kind="stream", field="stream_id")
        return await changed(info, operations.create_presets, id)

    @change(
        StreamGoal,
        "goal",
        "Change some of a goal. What is not named stays, its count above all.",
        result="The goal after the change.",
    )
    async def stream_goal_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        input: Annotated[StreamGoalInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change some of a goal."""
        return await changed(info, operations.update_goal, decode_id(id, kind="streamgoal"), goal_changes(input))

    @change(StreamGoal, "goal", "Remove a goal with its history.", result="The goal as it was.")
    async def stream_goal_delete(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")]
    ) -> Any:
        """Remove a goal."""
        async with info.context.db.transaction() as tx:
            return await operations.delete_goal(tx, decode_id(id, kind="streamgoal"), viewer=info.context.viewer)

    @change(StreamGoal, "goal", "Move a goal by `delta`. Concurrent calls add up.", result="The goal after the change.")
    async def stream_goal_add_progress(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        delta: Annotated[int, strawberry.argument(description="By how much: less than 0 takes back.")],
    ) -> Any:
        """Move a goal."""
        context = info.context
        async with context.db.transaction() as tx:
            return await operations.add_progress(
                tx, decode_id(id, kind="streamgoal"), delta, viewer=context.viewer, now=context.now()
            )

    @change(
        StreamGoal,
        "goal",
        "Let overlays show what a change by `delta` looks like. It is marked as a test and counts nothing.",
        result="The goal, its count as before.",
    )
    async def stream_goal_test(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        delta: Annotated[int, strawberry.argument(description="By how much.")],
    ) -> Any:
        """Try an overlay out."""
        return await changed(info, operations.test_goal, decode_id(id, kind="streamgoal"), delta)

    stream_goal_reset = _of_goal(
        "stream_goal_reset",
        "Let a goal begin anew: at its start, towards the target it was given, shown.",
        operations.reset_goal,
    )

    stream_goal_show = _of_goal("stream_goal_show", "Show a goal that was hidden.", operations.show_goal, is_shown=True)

    stream_goal_hide = _of_goal(
        "stream_goal_hide", "Hide a goal. It counts all the same.", operations.show_goal, is_shown=False
    )
