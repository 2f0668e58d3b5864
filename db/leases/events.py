"""What happened to leases."""

from dataclasses import dataclass
from uuid import UUID

from db.bus import Event
from db.leases.tables import Lease

# Whoever waits for any lease listens to this.
ALL_LEASES = UUID(int=0x4C45_4153_4553)


@dataclass(frozen=True, kw_only=True)
class LeaseReleased(Event):
    """A lease is free again. One whose holder is gone runs out without a word."""

    lease: Lease

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All leases."""
        return (ALL_LEASES,)
