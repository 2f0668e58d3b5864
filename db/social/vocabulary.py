"""The words of entries."""

from enum import StrEnum


class EntryKind(StrEnum):
    """What an entry is."""

    LOGBOOK = "LOGBOOK"
    DREAM = "DREAM"


class EntryPrivacy(StrEnum):
    """Who may see an entry, among those who may see the root of its thread."""

    PUBLIC = "PUBLIC"
    FOLLOWERS = "FOLLOWERS"
    PRIVATE = "PRIVATE"


class EntrySubjectKind(StrEnum):
    """What an entry may be about. A domain that can be written about adds a line, here and in `db.social.subjects`."""

    STREAM = "STREAM"
    STREAM_GOAL = "STREAM_GOAL"
    MATCH = "MATCH"
    TOURNAMENT = "TOURNAMENT"
    GOAL = "GOAL"
    PRACTICE_SESSION = "PRACTICE_SESSION"
