"""What an entry may be about, as ids say it."""

from db.errors import Invalid
from db.social.subjects import SUBJECTS
from db.social.vocabulary import EntrySubjectKind
from schema.ids import kind_of

# The kinds of ids are the words of the list in small letters.
_KINDS = {kind.replace("_", "").lower(): kind for kind in SUBJECTS}


def kind_of_subject(id: str) -> EntrySubjectKind:
    """Return what sort of subject an opaque id names. Raises `Invalid` for what no entry can be about."""
    kind = _KINDS.get(kind_of(id))
    if kind is None:
        raise Invalid(f"An entry is about one of these: {', '.join(_KINDS)}.", field="subject_id")
    return kind
