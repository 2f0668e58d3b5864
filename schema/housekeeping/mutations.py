"""How what is not kept is let go of at once."""

from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.backups.target import target_of
from db.housekeeping.checking import check_database
from db.housekeeping.retiring import retire
from db.settings.operations import read_values
from schema.changes import change
from schema.context import Asked
from schema.housekeeping.types import CheckedPart, DatabaseCheck, Housekeeping, RetiredTable

# Less than what an operation has: it is to say how far it has come.
_MOST_SECONDS = 8.0


@strawberry.type
class HousekeepingMutations:
    """How what is not kept is let go of at once."""

    @change(
        DatabaseCheck,
        "check",
        "Look the whole database over: pages or indexes, references, counters. It reads everything, for as long as an "
        "operation may take: what is not done by then is said not to be checked. `ringside database check` takes as "
        "long as it needs.",
        result="What was looked at, and what is wrong.",
        demand=Role.ADMIN,
    )
    async def database_check(self, info: Asked) -> Any:
        """Look it over."""
        found = await check_database(info.context.db, seconds=_MOST_SECONDS)
        parts = [CheckedPart(name=one.name, count=float(one.count), is_checked=one.is_checked) for one in found.parts]
        return DatabaseCheck(is_sound=found.is_sound, parts=parts, wrong=list(found.wrong))

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
