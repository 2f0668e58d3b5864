"""What an entry may be about. A domain that can be written about adds a line, here and in `db.social.subjects`."""

from typing import Any

from db.batches import ToOne
from db.errors import Invalid
from db.matches.queries import match_by_id, tournament_by_id
from db.social.vocabulary import EntrySubjectKind
from db.streams.queries import goal_by_id, stream_by_id
from schema.ids import kind_of

SUBJECTS: dict[EntrySubjectKind, ToOne[Any]] = {
    EntrySubjectKind.STREAM: stream_by_id,
    EntrySubjectKind.STREAM_GOAL: goal_by_id,
    EntrySubjectKind.MATCH: match_by_id,
    EntrySubjectKind.TOURNAMENT: tournament_by_id,
}


def kind_of_subject(id: str) -> EntrySubjectKind:
    """Return what sort of subject an opaque id names. Raises `Invalid` for what no entry can be about."""
    # The kinds of ids are the words of the graph in small letters.
    kinds = {kind.replace("_", "").lower(): kind for kind in SUBJECTS}
    kind = kinds.get(kind_of(id))
    if kind is None:
        raise Invalid(f"An entry is about one of these: {', '.join(kinds)}.", field="subject_id")
    return kind
