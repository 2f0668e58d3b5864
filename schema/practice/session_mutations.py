"""How practice sessions can be changed."""

from datetime import datetime
from typing import Annotated

import strawberry

from db.access.viewer import Role
from db.practice import sessions
from schema.context import Asked
from schema.errors import RefusalsAsData, UserError
from schema.fields import Demand
from schema.ids import decode_id
from schema.inputs import given
from schema.practice.inputs import PracticeReviewInput, PracticeSessionInput, changed, decode_ids
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


@strawberry.type(description="What came of a change of a session.")
class PracticeSessionPayload:
    """What came of a change of a session."""

    session: PracticeSession | None = strawberry.field(
        description="The session after the change. Null if it was refused."
    )
    errors: list[UserError] = strawberry.field(description="Why it was refused. Empty if it was not.")


@strawberry.type(description="What came of it.")
class PracticeSessionCreatePayload(PracticeSessionPayload):
    """What came of `practiceSessionCreate`."""


@strawberry.type(description="What came of it.")
class PracticeSessionLogPayload(PracticeSessionPayload):
    """What came of `practiceSessionLog`."""


@strawberry.type(description="What came of it.")
class PracticeSessionUpdatePayload(PracticeSessionPayload):
    """What came of `practiceSessionUpdate`."""


@strawberry.type(description="What came of it.")
class PracticeSessionSetGoalsPayload(PracticeSessionPayload):
    """What came of `practiceSessionSetGoals`."""


@strawberry.type(description="What came of it.")
class PracticeSessionStartPayload(PracticeSessionPayload):
    """What came of `practiceSessionStart`."""


@strawberry.type(description="What came of it.")
class PracticeSessionPausePayload(PracticeSessionPayload):
    """What came of `practiceSessionPause`."""


@strawberry.type(description="What came of it.")
class PracticeSessionResumePayload(PracticeSessionPayload):
    """What came of `practiceSessionResume`."""


@strawberry.type(description="What came of it.")
class PracticeSessionFinishPayload(PracticeSessionPayload):
    """What came of `practiceSessionFinish`."""


@strawberry.type(description="What came of it.")
class PracticeSessionInterruptPayload(PracticeSessionPayload):
    """What came of `practiceSessionInterrupt`."""


@strawberry.type(description="What came of it.")
class PracticeSessionReviewPayload(PracticeSessionPayload):
    """What came of `practiceSessionReview`."""


@strawberry.type(description="What came of it.")
class PracticeSessionDeletePayload(PracticeSessionPayload):
    """What came of `practiceSessionDelete`."""


@strawberry.type(description="What came of it.")
class PracticeSessionRestorePayload(PracticeSessionPayload):
    """What came of `practiceSessionRestore`."""


@strawberry.type
class PracticeSessionMutations:
    """How practice sessions can be changed."""

    @strawberry.mutation(
        description="Plan a session of yours, with what is to be reached in it.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_create(
        self,
        info: Asked,
        goal_ids: GoalIds,
        input: Annotated[PracticeSessionInput, strawberry.argument(description="The session.")],
        goal_names: GoalNames = None,
    ) -> PracticeSessionCreatePayload:
        """Plan a session."""
        row = await changed(
            info,
            sessions.create_session,
            owner_id=info.context.viewer.user_id,
            goal_ids=decode_ids(goal_ids, kind="goal", field="goal_ids"),
            changes=given(input),
            goal_names=goal_names or (),
        )
        return PracticeSessionCreatePayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Note down a session of yours that is over. No two of an owner may overlap.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_log(
        self,
        info: Asked,
        goal_ids: GoalIds,
        input: Annotated[PracticeSessionInput, strawberry.argument(description="The session.")],
        started_at: Annotated[datetime, strawberry.argument(description="When it started.")],
        ended_at: Annotated[datetime, strawberry.argument(description="When it ended: not ahead of now.")],
        goal_names: GoalNames = None,
    ) -> PracticeSessionLogPayload:
        """Note down a session."""
        row = await changed(
            info,
            sessions.create_session,
            owner_id=info.context.viewer.user_id,
            goal_ids=decode_ids(goal_ids, kind="goal", field="goal_ids"),
            changes=given(input),
            goal_names=goal_names or (),
            times=(started_at, ended_at),
        )
        return PracticeSessionLogPayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Change some of a session. What is not named stays.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_update(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The session.")],
        input: Annotated[PracticeSessionInput, strawberry.argument(description="What to change.")],
    ) -> PracticeSessionUpdatePayload:
        """Change some of a session."""
        row = await changed(info, sessions.update_session, decode_id(id, kind="practicesession"), given(input))
        return PracticeSessionUpdatePayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Say anew which short-term goals a session is for.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_set_goals(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The session.")],
        goal_ids: GoalIds,
    ) -> PracticeSessionSetGoalsPayload:
        """Say anew what a session is for."""
        goals = decode_ids(goal_ids, kind="goal", field="goal_ids")
        row = await changed(info, sessions.set_session_goals, decode_id(id, kind="practicesession"), goals)
        return PracticeSessionSetGoalsPayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Write what you make of a session, or change it.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_review(
        self,
        info: Asked,
        id: Annotated[strawberry.ID, strawberry.argument(description="The session.")],
        input: Annotated[PracticeReviewInput, strawberry.argument(description="What you make of it.")],
    ) -> PracticeSessionReviewPayload:
        """Review a session."""
        row = await changed(info, sessions.review_session, decode_id(id, kind="practicesession"), given(input))
        return PracticeSessionReviewPayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Start a session that was planned. One session of an owner may run at a time.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_start(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> PracticeSessionStartPayload:
        """Start a session."""
        row = await changed(info, sessions.start_session, decode_id(id, kind="practicesession"))
        return PracticeSessionStartPayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Stop the clock of a session that runs.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_pause(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> PracticeSessionPausePayload:
        """Pause a session."""
        row = await changed(info, sessions.pause_session, decode_id(id, kind="practicesession"))
        return PracticeSessionPausePayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Go on with a session that is paused. One session of an owner may run at a time.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_resume(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> PracticeSessionResumePayload:
        """Resume a session."""
        row = await changed(info, sessions.resume_session, decode_id(id, kind="practicesession"))
        return PracticeSessionResumePayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="End a session, running or paused or, without a time, only planned.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_finish(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> PracticeSessionFinishPayload:
        """Finish a session."""
        row = await changed(info, sessions.finish_session, decode_id(id, kind="practicesession"))
        return PracticeSessionFinishPayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Count one more interruption. Concurrent calls add up.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_interrupt(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> PracticeSessionInterruptPayload:
        """Interrupt a session."""
        row = await changed(info, sessions.interrupt_session, decode_id(id, kind="practicesession"))
        return PracticeSessionInterruptPayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Delete a session with the goals under it. Its clock stops. `practiceSessionRestore` undoes it.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_delete(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> PracticeSessionDeletePayload:
        """Delete a session."""
        row = await changed(info, sessions.delete_session, decode_id(id, kind="practicesession"))
        return PracticeSessionDeletePayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type

    @strawberry.mutation(
        description="Bring back a session that was deleted, with the goals that were deleted with it.",
        extensions=[RefusalsAsData(), Demand(Role.MEMBER)],
    )
    async def practice_session_restore(
        self, info: Asked, id: Annotated[strawberry.ID, strawberry.argument(description="The session.")]
    ) -> PracticeSessionRestorePayload:
        """Restore a session."""
        row = await changed(info, sessions.restore_session, decode_id(id, kind="practicesession"))
        return PracticeSessionRestorePayload(session=row, errors=[])  # type: ignore[arg-type]  # a row stands for its type
