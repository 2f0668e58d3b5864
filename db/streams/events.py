"""What happened to streams."""

from dataclasses import dataclass
from uuid import UUID

from db.bus import Event
from db.streams.tables import StreamGoal, StreamGoalChange, StreamSource

# Whoever runs all sources watches this.
ALL_SOURCES = UUID(int=0x5354_5245_414D)


@dataclass(frozen=True, kw_only=True)
class StreamGoalEvent(Event):
    """Something happened to a goal, which is as it was left."""

    goal: StreamGoal

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The goal and its stream."""
        return (self.goal.id, self.goal.stream_id)


@dataclass(frozen=True, kw_only=True)
class StreamGoalChanged(StreamGoalEvent):
    """A goal changed: these are the entries of its history that tell of it, in order."""

    changes: tuple[StreamGoalChange, ...]


@dataclass(frozen=True, kw_only=True)
class StreamGoalDeleted(StreamGoalEvent):
    """A goal is gone."""


@dataclass(frozen=True, kw_only=True)
class StreamSourceConfigured(Event):
    """What a source should do was changed, or there is another one, or one less."""

    source_id: UUID

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All sources."""
        return (ALL_SOURCES,)


@dataclass(frozen=True, kw_only=True)
class StreamSourceChanged(Event):
    """How a source is doing changed."""

    source: StreamSource

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The source and its stream."""
        return (self.source.id, self.source.stream_id)
