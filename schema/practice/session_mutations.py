"""How practice sessions can be changed."""

from datetime import datetime
from typing import Annotated, Any

import strawberry

from db.practice import sessions
from schema.changes import change, changed
from schema.context import Asked
from schema.ids import decode_id
from schema.inputs import given
from schema.practice.inputs import PracticeReviewInput, PracticeSessionInput, decode_ids
from schema.practice.types import PracticeSession

GoalIds = Annotated[
    list[strawberry.ID], strawberry.argument(description="The short-term goals that it is for, 1 to 10.")
]
GoalNames = Annotated[
    list[str] | None,
    strawberry.argument(
        description="Names of immediate goals to set under it, in order; empty ones are left out. Null: none."
    ),
]


@strawberry.type
class PracticeSessionMutations:
    """How practice sessions can be changed."""

    @change(
        PracticeSession,
        "session",
        "Plan a session of yours, with what is to be reached in it.",
        result="The session after the change.",
    )
    async def practice_session_create(
        self,
        info: Asked,
        goal_ids: GoalIds,
        input: Annotated[PracticeSessionInput, strawberry.argument(description="The session.")],
        goal_names: GoalNames = None,
    ) -> Any:
        """Plan a session."""
        return await changed(
            info,
            sessions.create_session,
            owner_id=info.context.viewer.user_id,
            goal_ids=decode_ids(goal_ids, kind="goal", field="goal_ids"),
            changes=given(input),
            goal_names=goal_names or (),
        )

    @change(
        PracticeSession,
        "session",
        "Note down a session of yours that is over. No two of an owner may overlap.",
        result="The session after the change.",
    )
    async def practice_session_log(
        self,
        info: Asked,
        goal_ids: GoalIds,
        input: Annotated[PracticeSessionInput, strawberry.argument(description="The session.")],
        started_at: Annotated[datetime, strawberry.argument(description="When it started.")],
        ended_at: Annotated[datetime, strawberry.argument(description="When it ended: not ahead of now.")],
        goal_names: GoalNames = None,
    ) -> Any:
        """Note down a session."""
        return await changed(
            info,
            sessions.create_session,
            owner_id=info.context.viewer.user_id,
            goal_ids=decode_ids(goal_ids, kind="goal", field="goal_ids"),
            changes=given(input),
            goal_names=goal_names or (),
            times=(started_at, ended_at),
        )

    @change(
        PracticeSession,
        "session",
        "Change some of a session. What is not named stays.",
        result="The session after the change.",
    )
    async def practice_session_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The session.")],
        input: Annotated[PracticeSessionInput, strawberry.argument(description="What to change.")],
    ) -> Any:
        """Change some of a session."""
        return await changed(info, sessions.update_session, decode_id(id, kind="practicesession"), given(input))

    @change(
        PracticeSession,
        "session",
        "Say anew which short-term goals a session is for.",
        result="The session after the change.",
    )
    async def practice_session_set_goals(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The session.")],
        goal_ids: GoalIds,
    ) -> Any:
        """Say anew what a session is for."""
        goals = decode_ids(goal_ids, kind="goal", field="goal_ids")
        return await changed(info, sessions.set_session_goals, decode_id(id, kind="practicesession"), goals)

    @change(
        PracticeSession,
        "session",
        "Write what you make of a session, or change it.",
        result="The session after the change.",
    )
    async def practice_session_review(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The session.")],
        input: Annotated[PracticeReviewInput, strawberry.argument(description="What you make of it.")],
    ) -> Any:
        """Review a session."""
        return await changed(info, sessions.review_session, decode_id(id, kind="practicesession"), given(input))

    @change(
        PracticeSession,
        "session",
        "Start a session that was planned. One session of an owner may run at a time.",
        result="The session after the change.",
    )
    async def practice_session_start(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> Any:
        """Start a session."""
        return await changed(info, sessions.start_session, decode_id(id, kind="practicesession"))

    @change(
        PracticeSession, "session", "Stop the clock of a session that runs.", result="The session after the change."
    )
    async def practice_session_pause(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> Any:
        """Pause a session."""
        return await changed(info, sessions.pause_session, decode_id(id, kind="practicesession"))

    @change(
        PracticeSession,
        "session",
        "Go on with a session that is paused. One session of an owner may run at a time.",
        result="The session after the change.",
    )
    async def practice_session_resume(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> Any:
        """Resume a session."""
        return await changed(info, sessions.resume_session, decode_id(id, kind="practicesession"))

    @change(
        PracticeSession,
        "session",
        "End a session, running or paused or, without a time, only planned.",
        result="The session after the change.",
    )
    async def practice_session_finish(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> Any:
        """Finish a session."""
        return await changed(info, sessions.finish_session, decode_id(id, kind="practicesession"))

    @change(
        PracticeSession,
        "session",
        "Count one more interruption. Concurrent calls add up.",
        result="The session after the change.",
    )
    async def practice_session_interrupt(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> Any:
        """Interrupt a session."""
        return await changed(info, sessions.interrupt_session, decode_id(id, kind="practicesession"))

    @change(
        PracticeSession,
        "session",
        "Delete a session with the goals under it. Its clock stops. `practiceSessionRestore` undoes it.",
        result="The session after the change.",
    )
    async def practice_session_delete(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> Any:
        """Delete a session."""
        return await changed(info, sessions.delete_session, decode_id(id, kind="practicesession"))

    @change(
        PracticeSession,
        "session",
        "Bring back a session that was deleted, with the goals that were deleted with it.",
        result="The session after the change.",
    )
    async def practice_session_restore(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> Any:
        """Restore a session."""
        return await changed(info, sessions.restore_session, decode_id(id, kind="practicesession"))
