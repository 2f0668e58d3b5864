"""What happened on a mat."""

from dataclasses import dataclass
from uuid import UUID

from db.bus import Event
from db.matches.tables import Mat, MatchEvent, Scoreboard


@dataclass(frozen=True, kw_only=True)
class MatchEventsLogged(Event):
    """Entries of one fight were added to its mat's log, in the order of their numbers."""

    match_id: UUID
    events: tuple[MatchEvent, ...]

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The match and its mat."""
        return (self.match_id, self.events[0].mat_id)


@dataclass(frozen=True, kw_only=True)
class ScoreboardChanged(Event):
    """What is shown of a fight changed. `is_current`: it is the fight on its mat."""

    scoreboard: Scoreboard
    is_current: bool

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The match, and its mat while the match is on it."""
        match_id, mat_id = self.scoreboard.match_id, self.scoreboard.mat_id
        return (match_id, mat_id) if self.is_current else (match_id,)


@dataclass(frozen=True, kw_only=True)
class MatQueueChanged(Event):
    """The queue of a mat changed."""

    mat: Mat

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The mat."""
        return (self.mat.id,)


@dataclass(frozen=True, kw_only=True)
class MatHeard(Event):
    """Something came from the scoring program of a mat, or nothing where something should have."""

    mat: Mat

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The mat."""
        return (self.mat.id,)
