"""What happened to listeners."""

from dataclasses import dataclass
from uuid import UUID

from db.bus import Event

# Whoever runs or watches all listeners watches this.
ALL_LISTENERS = UUID(int=0x4C49_5354_454E)


@dataclass(frozen=True, kw_only=True)
class ListenerEvent(Event):
    """Something happened to a listener: what it should do, how it is doing, or what came of it."""

    listener_id: UUID

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The listener, and all of them."""
        return (self.listener_id, ALL_LISTENERS)


@dataclass(frozen=True, kw_only=True)
class ListenerConfigured(ListenerEvent):
    """What a listener should do was changed, or there is another one, or one less."""


@dataclass(frozen=True, kw_only=True)
class ListenerChanged(ListenerEvent):
    """How a listener is doing changed, or it has heard something."""
