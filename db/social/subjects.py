"""What entries may be about: one list, to which a domain adds a line when it can be written about."""

from typing import Any
from uuid import UUID

from db.access.viewer import Viewer
from db.batches import ToOne
from db.errors import Invalid, NotFound
from db.matches.queries import match_by_id, tournament_by_id
from db.practice.queries import goal_by_id as practice_goal_by_id
from db.practice.queries import session_by_id
from db.session import Session
from db.social.vocabulary import EntrySubjectKind
from db.streams.queries import goal_by_id, stream_by_id

SUBJECTS: dict[EntrySubjectKind, ToOne[Any]] = {
    EntrySubjectKind.STREAM: stream_by_id,
    EntrySubjectKind.STREAM_GOAL: goal_by_id,
    EntrySubjectKind.MATCH: match_by_id,
    EntrySubjectKind.TOURNAMENT: tournament_by_id,
    EntrySubjectKind.GOAL: practice_goal_by_id,
    EntrySubjectKind.PRACTICE_SESSION: session_by_id,
}


async def check_subject(
    session: Session,
    kind: EntrySubjectKind | None,
    id: UUID | None,  # noqa: A002 -- an id is called id
    *,
    viewer: Viewer,
) -> None:
    """Raise `NotFound` for a subject that is not there, or not for who writes about it."""
    if (kind is None) != (id is None):
        raise Invalid("A subject is of a kind and has an id.", field="subject_id")
    if kind is not None and not await SUBJECTS[kind].read(session, viewer, [id]):
        raise NotFound("There is nothing of this id that an entry could be about.", field="subject_id")
