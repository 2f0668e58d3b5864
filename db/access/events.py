"""What happened to who may ask."""

from dataclasses import dataclass
from uuid import UUID

from db.access.tables import Token
from db.bus import Event

# Whoever counts what tokens spend watches this.
ALL_SPENDING = UUID(int=0x5350_454E_44)


@dataclass(frozen=True, kw_only=True)
class BudgetsSpent(Event):
    """Tokens have spent something at one process: of the budget of that name each as much as stands at its place."""

    # The process that tells of it.
    teller: UUID
    budgets: tuple[str, ...]
    tokens: tuple[UUID, ...]
    amounts: tuple[int, ...]

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All spending."""
        return (ALL_SPENDING,)


@dataclass(frozen=True, kw_only=True)
class TokenRevoked(Event):
    """A token stopped working."""

    token: Token

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The token."""
        return (self.token.id,)
