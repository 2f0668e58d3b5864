"""What happened to practice."""

from dataclasses import dataclass
from uuid import UUID

from db.bus import Event
from db.practice.tables import Goal, PracticeSession


@dataclass(frozen=True, kw_only=True)
class GoalTreeChanged(Event):
    """Something in a tree changed. `root` is as it was left, `touched` what to look at again, from the top down."""

    root: Goal
    touched: tuple[Goal, ...]

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The goal at the top."""
        return (self.root.id,)


@dataclass(frozen=True, kw_only=True)
class PracticeSessionChanged(Event):
    """A session changed, or is gone, as its row says."""

    session: PracticeSession

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The session."""
        return (self.session.id,)
