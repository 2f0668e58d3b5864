"""What can be asked about the database itself."""

import strawberry

from db.access.viewer import Role
from db.housekeeping.status import read_status
from schema.context import Asked
from schema.fields import Demand
from schema.housekeeping.types import DatabaseStatus, PendingMigration, TableStatus


@strawberry.type
class HousekeepingQueries:
    """What can be asked about the database itself."""

    @strawberry.field(
        description="What the database holds. On SQLite every row is counted.",
        extensions=[Demand(Role.ADMIN, rows=100)],
    )
    async def database_status(self, info: Asked) -> DatabaseStatus:
        """Ask the database."""
        found = await read_status(info.context.db)
        info.context.rows.note(len(found.tables))
        return DatabaseStatus(
            engine=found.engine,
            version=found.version,
            revision=found.revision,
            size=float(found.size),
            log_size=float(found.log_size),
            tables=[
                TableStatus(name=one.name, row_count=None if one.rows is None else float(one.rows))
                for one in found.tables
            ],
            pending_migrations=[PendingMigration(revision=one.revision, title=one.title) for one in found.pending],
        )
