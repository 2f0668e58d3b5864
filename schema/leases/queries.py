"""What can be asked about leases."""

import strawberry

from db.access.viewer import Role
from db.batches import LARGEST_PAGE
from db.leases.operations import FoundLease, find_leases
from schema.context import Asked
from schema.fields import Demand
from schema.leases.types import Lease


@strawberry.type
class LeaseQueries:
    """What can be asked about leases."""

    @strawberry.field(
        description="Which server does which background work, by the work's name.",
        extensions=[Demand(Role.ADMIN, rows=LARGEST_PAGE)],
    )
    async def leases(self, info: Asked) -> list[Lease]:
        """Ask the database."""
        async with info.context.db.read() as session:
            found = await find_leases(session, now=info.context.now())
        info.context.rows.note(len(found))
        return [_shown(one) for one in found]


def _shown(found: FoundLease) -> Lease:
    lease = found.lease
    return Lease(
        name=lease.name,
        holder=None if lease.holder_id is None else f"{lease.host}/{lease.process}",
        taken_at=lease.taken_at,
        expires_at=lease.until,
        is_over=found.is_over,
        fence=float(lease.fence),
    )
