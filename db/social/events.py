"""What happened among users and their entries."""

from dataclasses import dataclass
from uuid import UUID

from db.access.tables import User
from db.bus import Event
from db.social.tables import Entry

# Whoever follows all new entries watches this.
ALL_ENTRIES = UUID(int=0x454E_5452_4945_53)


@dataclass(frozen=True, kw_only=True)
class EntryAdded(Event):
    """Somebody wrote an entry."""

    entry: Entry

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All entries."""
        return (ALL_ENTRIES,)


@dataclass(frozen=True, kw_only=True)
class EntryChanged(Event):
    """An entry changed, or what is counted of it. `topic` is the entry's id."""

    entry: Entry

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The entry."""
        return (self.entry.id,)


@dataclass(frozen=True, kw_only=True)
class UserCountsChanged(Event):
    """What is counted of a user changed. `topic` is the user's id."""

    user: User

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The user."""
        return (self.user.id,)
