"""All tables: importing this module makes `metadata` complete."""

from db.access import tables as access
from db.base import Base
from db.matches import tables as matches
from db.practice import tables as practice
from db.social import tables as social
from db.streams import tables as streams

metadata = Base.metadata

__all__ = ["access", "matches", "metadata", "practice", "social", "streams"]
