"""How practice sessions can be changed."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any

import strawberry

from db.practice import sessions
from schema.changes import change, change_one, changed
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


_of_session = partial(
    change_one,
    of=PracticeSession,
    name="session",
    kind="practicesession",
    argument="The session.",
    result="The session after the change.",
)


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

    practice_session_start = _of_session(
        "practice_session_start",
        "Start a session that was planned. One session of an owner may run at a time.",
        sessions.start_session,
    )

    practice_session_pause = _of_session(
        "practice_session_pause", "Stop the clock of a session that runs.", sessions.pause_session
    )

    practice_session_resume = _of_session(
        "practice_session_resume",
        "Go on with a session that is paused. One session of an owner may run at a time.",
        sessions.resume_session,
    )

    practice_session_finish = _of_session(
        "practice_session_finish",
        "End a session, running or paused or, without a time, only planned.",
        sessions.finish_session,
    )

    practice_session_interrupt = _of_session(
        "practice_session_interrupt",
        "Count one more interruption. Concurrent calls add up.",
        sessions.interrupt_session,
    )

    practice_session_delete = _of_session(
        "practice_session_delete",
        "Delete a session with the goals under it. Its clock stops. `practiceSessionRestore` undoes it.",
        sessions.delete_session,
    )

    practice_session_restore = _of_session(
        "practice_session_restore",
        "Bring back a session that was deleted, with the goals that were deleted with it.",
        sessions.restore_session,
    )
