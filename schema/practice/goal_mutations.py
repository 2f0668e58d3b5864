"""How goals can be changed."""

from typing import Annotated

import strawberry

from db.access.viewer import Role
from db.practice import operations
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand
from schema.ids import decode_id
from schema.inputs import given
from schema.practice.inputs import GoalInput, changed, decode_some
from schema.practice.types import Goal
from schema.practice.vocabulary import GoalLevel


@strawberry.type(description="What came of a change of a goal.")
class GoalPayload:
    """What came of a change of a goal."""

    goal: Goal | None = strawberry.field(description="The goal after the change. Null if it was refused.")
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class GoalCreatePayload(GoalPayload):
    """What came of `goalCreate`."""


@strawberry.type(description="What came of it.")
class GoalUpdatePayload(GoalPayload):
    """What came of `goalUpdate`."""


@strawberry.type(description="What came of it.")
class GoalMovePayload(GoalPayload):
    """What came of `goalMove`."""


@strawberry.type(description="What came of it.")
class GoalConvertPayload(GoalPayload):
    """What came of `goalConvert`."""


@strawberry.type(description="What came of it.")
class GoalCompletePayload(GoalPayload):
    """What came of `goalComplete`."""


@strawberry.type(description="What came of it.")
class GoalReopenPayload(GoalPayload):
    """What came of `goalReopen`."""


@strawberry.type(description="What came of it.")
class GoalDeletePayload(GoalPayload):
    """What came of `goalDelete`."""


@strawberry.type(description="What came of it.")
class GoalRestorePayload(GoalPayload):
    """What came of `goalRestore`."""


@strawberry.type
class GoalMutations:
    """How goals can be changed."""

    @strawberry.mutation(
        description="Set a goal of yours: at the top of a tree, under another goal or under a session, as the last.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
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
    ) -> GoalCreatePayload:
        """Set a goal."""
        row = await changed(
            info,
            operations.create_goal,
            owner_id=info.context.viewer.user_id,
            level=level,
            changes=given(input),
            parent_id=decode_some(parent_id, kind="goal", field="parent_id"),
            session_id=decode_some(session_id, kind="practicesession", field="session_id"),
        )
        return GoalCreatePayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Change some of a goal. What is not named stays.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def goal_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        input: Annotated[GoalInput, strawberry.argument(description="What to change.")],
    ) -> GoalUpdatePayload:
        """Change some of a goal."""
        row = await changed(info, operations.update_goal, decode_id(id, kind="goal"), given(input))
        return GoalUpdatePayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description=(
            "Move a goal with all that is under it: under a goal or a session as the last, or beside a goal, wherever "
            "that stands. Name one of the places; with none it goes to the top."
        ),
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
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
    ) -> GoalMovePayload:
        """Move a goal."""
        row = await changed(
            info,
            operations.move_goal,
            decode_id(id, kind="goal"),
            under=decode_some(parent_id, kind="goal", field="parent_id"),
            under_session=decode_some(session_id, kind="practicesession", field="session_id"),
            before=decode_some(before_id, kind="goal", field="before_id"),
            after=decode_some(after_id, kind="goal", field="after_id"),
        )
        return GoalMovePayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Give a goal another level: nearer than that of the goal above it, farther than those below.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def goal_convert(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")],
        level: Annotated[GoalLevel, strawberry.argument(description="How far away it is to be.")],
    ) -> GoalConvertPayload:
        """Give a goal another level."""
        row = await changed(info, operations.convert_goal, decode_id(id, kind="goal"), level)
        return GoalConvertPayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Complete a goal. Those above that complete with the goals under them follow.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def goal_complete(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")]
    ) -> GoalCompletePayload:
        """Complete a goal."""
        row = await changed(info, operations.complete_goal, decode_id(id, kind="goal"))
        return GoalCompletePayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Open a goal again. Those above that were complete because all under them was follow.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def goal_reopen(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")]
    ) -> GoalReopenPayload:
        """Open a goal again."""
        row = await changed(info, operations.reopen_goal, decode_id(id, kind="goal"))
        return GoalReopenPayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description=(
            "Delete a goal with all that is under it. Its sessions stay, and are for it no longer. `goalRestore` "
            "undoes it."
        ),
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def goal_delete(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")]
    ) -> GoalDeletePayload:
        """Delete a goal."""
        row = await changed(info, operations.delete_goal, decode_id(id, kind="goal"))
        return GoalDeletePayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Bring back a goal that was deleted, with all that was deleted with it, to where it stood.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def goal_restore(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The goal.")]
    ) -> GoalRestorePayload:
        """Bring back a goal."""
        row = await changed(info, operations.restore_goal, decode_id(id, kind="goal"))
        return GoalRestorePayload(goal=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type
