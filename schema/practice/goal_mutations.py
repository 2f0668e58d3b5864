"""How goals can be changed."""

from functools import partial
from typing import Annotated, Any

import strawberry

from db.practice import operations
from schema.changes import change, change_one, changed
from schema.context import Asked
from schema.ids import decode_id
from schema.inputs import given
from schema.practice.inputs import GoalInput, decode_some
from schema.practice.types import Goal
from schema.practice.vocabulary import GoalLevel

_of_goal = partial(
    change_one, of=Goal, name="goal", kind="goal", argument="The goal.", result="The goal after the change."
)


@strawberry.type
class GoalMutations:
    """How goals can be changed."""

    @change(
        Goal,
        "goal",
        "Set a goal of yours: at the top of a tree, under another goal or under a session, as the last.",
        result="The goal after the change.",
    )
    async def goal_create(
        self,
        info: Asked,
        level: Annotated[GoalLevel, strawberry.argument(description="How far away it is.")],
        input: Annotated[GoalInput, strawberry.argument(description="The goal.")],
        parent_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The goal it is to stand under. Null: none.")
        ] = None,
        session_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The session it is to stand under. Null: none.")
        ] = None,
    ) -> Any:
        """Set a goal."""
        return await changed(
            info,
            operations.create_goal,
            owner_id=info.context.viewer.user_id,
            level=level,
            changes=given(input),
            parent_id=decode_some(parent_id, kind="goal", field="parent_id"),
            session_id=decode_some(session_id, kind="practicesession", field="session_id"),
        )

    @change(Goal, "goal", "Change some of a goal. What is not named stays.", result="The goal after the change.")
    async def goal_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        input: Annotated[GoalInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change some of a goal."""
        return await changed(info, operations.update_goal, decode_id(id, kind="goal"), given(input))

    @change(
        Goal,
        "goal",
        "Move a goal with all that is under it: under a goal or a session as the last, or beside a goal, wherever "
        "that stands. Name one of the places; with none it goes to the top.",
        result="The goal after the change.",
    )
    async def goal_move(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        parent_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The goal to stand under. Null: another place.")
        ] = None,
        session_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The session to stand under. Null: another place.")
        ] = None,
        before_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The goal to stand before. Null: another place.")
        ] = None,
        after_id: Annotated[
            strawberry.ID | None, strawberry.argument(description="The goal to stand behind. Null: another place.")
        ] = None,
    ) -> Any:
        """Move a goal."""
        return await changed(
            info,
            operations.move_goal,
            decode_id(id, kind="goal"),
            under=decode_some(parent_id, kind="goal", field="parent_id"),
            under_session=decode_some(session_id, kind="practicesession", field="session_id"),
            before=decode_some(before_id, kind="goal", field="before_id"),
            after=decode_some(after_id, kind="goal", field="after_id"),
        )

    @change(
        Goal,
        "goal",
        "Give a goal another level: nearer than that of the goal above it, farther than those below.",
        result="The goal after the change.",
    )
    async def goal_convert(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        level: Annotated[GoalLevel, strawberry.argument(description="How far away it is to be.")],
    ) -> Any:
        """Give a goal another level."""
        return await changed(info, operations.convert_goal, decode_id(id, kind="goal"), level)

    goal_complete = _of_goal(
        "goal_complete",
        "Complete a goal. Those above that complete with the goals under them follow.",
        operations.complete_goal,
    )

    goal_reopen = _of_goal(
        "goal_reopen",
        "Open a goal again. Those above that were complete because all under them was follow.",
        operations.reopen_goal,
    )

    goal_delete = _of_goal(
        "goal_delete",
        "Delete a goal with all that is under it. Its sessions stay, and are for it no longer. `goalRestore` "
        "undoes it.",
        operations.delete_goal,
    )

    goal_restore = _of_goal(
        "goal_restore",
        "Bring back a goal that was deleted, with all that was deleted with it, to where it stood.",
        operations.restore_goal,
    )
