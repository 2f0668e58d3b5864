"""What can be asked about backups."""

import asyncio
from typing import Annotated

import strawberry

from db.access.viewer import Role
from db.backups import queries
from db.backups.target import Target, target_of
from db.batches import LARGEST_PAGE
from db.errors import Invalid
from schema.backups.types import Backup, BackupJob
from schema.connections import Connection
from schema.context import Asked
from schema.fields import Demand, connection, lookup
from schema.matches.arguments import NewestOrder


@strawberry.type
class BackupQueries:
    """What can be asked about backups."""

    backup_jobs: Connection[BackupJob] = connection(
        "What was done about backups, and what waits, newest first.",
        queries.backup_jobs,
        key=None,
        order=NewestOrder,
        demand=Demand(Role.ADMIN),
    )
    backup_job: BackupJob | None = lookup(
        "One of them. Null if there is none.", "backupjob", queries.backup_job_by_id, demand=Demand(Role.ADMIN)
    )

    @strawberry.field(
        description="The backups that stand at the target, newest first.",
        extensions=[Demand(Role.ADMIN, rows=LARGEST_PAGE)],
    )
    async def backups(
        self,
        info: Asked,
        first: Annotated[int, strawberry.argument(description="How many, at most 100.")] = 20,
    ) -> list[Backup]:
        """Ask the target, which may take its time."""
        if not 0 <= first <= LARGEST_PAGE:
            raise Invalid(f"`first` is 0 to {LARGEST_PAGE}.", field="first")
        async with info.context.db.read() as session:
            target = await target_of(session)
        found = await asyncio.to_thread(_listed, target, first)
        info.context.rows.note(len(found))
        return found


def _listed(target: Target, first: int) -> list[Backup]:
    return [Backup(name=name, size=float(target.size(name))) for name in target.names()[:first]]
