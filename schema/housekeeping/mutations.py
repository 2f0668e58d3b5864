"""How what is not kept is let go of at once."""

from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.backups.target import target_of
from db.housekeeping.retiring import retire
from db.settings.operations import read_values
from schema.changes import change
from schema.context import Asked
from schema.housekeeping.types import Housekeeping, RetiredTable


@strawberry.type
class HousekeepingMutations:
    """How what is not kept is let go of at once."""

    @change(
        Housekeeping,
        "housekeeping",
        "Let go of what settings say is not kept, at most 20,000 rows of each table. The server does so too.",
        result="What was let go, or would be.",
        demand=Role.ADMIN,
    )
    async def housekeeping_run(
        self,
        info: Asked,
        *,
        is_dry_run: Annotated[bool, strawberry.argument(description="Change nothing, and say what would be.")] = False,
    ) -> Any:
        """Let go of it."""
        context = info.context
        async with context.db.read() as session:
            values = await read_values(session)
            target = await target_of(session) if values["retention.archive_first"] else None
        found = await retire(context.db, values, target, is_dry_run=is_dry_run, now=context.now())
        tables = [RetiredTable(name=one.name, row_count=one.rows, file=one.file) for one in found]
        return Housekeeping(is_dry_run=is_dry_run, tables=tables)
