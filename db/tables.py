"""All tables: importing this module makes `metadata` complete."""

from db.access import tables as access
from db.base import Base
from db.matches import tables as matches
from db.practice import tables as practice
from db.recordings import tables as recordings
from db.social import tables as social
from db.streams import tables as streams

metadata = Base.metadata

# What one database has and the other has not: an index of words, and the tables of one.
OF_ONE_DATABASE = ("ix_entries_words", "entry_texts")

__all__ = ["OF_ONE_DATABASE", "access", "matches", "metadata", "practice", "recordings", "social", "streams"]
