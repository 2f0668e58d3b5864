"""What an entry may be about, by the kinds of its ids. A domain that can be written about adds a line."""

from db.errors import Invalid
from db.social.vocabulary import EntrySubjectKind
from schema.ids import kind_of

KINDS: dict[str, EntrySubjectKind] = {
    "stream": EntrySubjectKind.STREAM,
    "streamgoal": EntrySubjectKind.STREAM_GOAL,
    "match": EntrySubjectKind.MATCH,
    "tournament": EntrySubjectKind.TOURNAMENT,
}


def kind_of_subject(id: str) -> EntrySubjectKind:
    """Return what sort of subject an opaque id names. Raises `Invalid` for what no entry can be about."""
    kind = KINDS.get(kind_of(id))
    if kind is None:
        raise Invalid(f"An entry is about one of these: {', '.join(KINDS)}.", field="subject_id")
    return kind
