"""What happened to who may ask."""

from dataclasses import dataclass
from uuid import UUID

from db.access.tables import Token
from db.bus import Event


@dataclass(frozen=True, kw_only=True)
class TokenRevoked(Event):
    """A token stopped working."""

    token: Token

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The token."""
        return (self.token.id,)
