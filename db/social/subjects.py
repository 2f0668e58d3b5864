"""What entries may be about: one list, to which a domain adds a line when it can be written about."""

from uuid import UUID

from sqlmodel import SQLModel, col, select

from db.batches import table_of
from db.errors import Invalid, NotFound
from db.matches.tables import Match, Tournament
from db.session import Session
from db.social.vocabulary import EntrySubjectKind
from db.streams.tables import Stream, StreamGoal

SUBJECTS: dict[EntrySubjectKind, type[SQLModel]] = {
    EntrySubjectKind.STREAM: Stream,
    EntrySubjectKind.STREAM_GOAL: StreamGoal,
    EntrySubjectKind.MATCH: Match,
    EntrySubjectKind.TOURNAMENT: Tournament,
}


async def check_subject(session: Session, kind: EntrySubjectKind | None, id: UUID | None) -> None:  # noqa: A002 -- an id is called id
    """Raise `NotFound` for a subject that is not there."""
    if (kind is None) != (id is None):
        raise Invalid("A subject is of a kind and has an id.", field="subject_id")
    if kind is None:
        return
    table = table_of(SUBJECTS[kind])
    if await session.scalar(select(table.c.id).where(col(table.c.id) == id)) is None:
        raise NotFound("There is nothing of this id that an entry could be about.", field="subject_id")
