"""What can be watched of backups: how far one has come."""

from datetime import datetime
from functools import partial
from typing import Annotated, Any, cast
from uuid import UUID

import strawberry

from db.access.viewer import Role
from db.backups import queries
from db.backups.events import BackupJobChanged
from db.errors import NotFound
from schema.backups.types import BackupJob
from schema.context import Asked, Context
from schema.fields import Demand
from schema.ids import decode_id
from schema.live.sources import State, state


@strawberry.type(description="How far something has come that is done about backups.")
class BackupProgress:
    """How far something has come that is done about backups."""

    job: BackupJob = strawberry.field(description="It, as it stands now.")
    sent_at: datetime = strawberry.field(description="The server's clock when this was sent.")


@strawberry.type
class BackupSubscriptions:
    """What can be watched of backups."""

    @state(
        BackupProgress,
        "How far something has come that is done about backups: as it is now, then as it goes on. Whoever is slow gets "
        "the latest, not the backlog.",
        demand=Demand(Role.ADMIN),
    )
    async def backup_progress(
        self,
        info: Asked,
        job_id: Annotated[strawberry.ID, strawberry.argument(description="What was asked for.")],
    ) -> State[BackupJobChanged, Any]:
        """One job."""
        id = decode_id(job_id, kind="backupjob", field="job_id")
        if await info.context.loaders.one(queries.backup_job_by_id, id) is None:
            raise NotFound("There is no such job.", field="job_id")
        return State(
            topic=id,
            of=BackupJobChanged,
            read=partial(_present, job_id=id),
            after=lambda event: event.job,
            is_news=lambda heard, shown: bool(heard.revision > shown.revision),
            show=lambda job, at: BackupProgress(job=cast("BackupJob", job), sent_at=at),
        )


async def _present(context: Context, *, job_id: UUID) -> Any:
    context.renew_loaders()
    return await context.loaders.one(queries.backup_job_by_id, job_id)
