"""What can be done about backups: asked for here, done one at a time, and followed by `backupProgress`."""

from typing import Annotated, Any

import strawberry

from db.access.viewer import Role
from db.backups import operations
from db.backups.vocabulary import BackupJobKind
from schema.backups.types import BackupJob
from schema.changes import change, changed
from schema.context import Asked

_NAME = "The name of a backup, as `backups` lists it."
_RESULT = "What was asked for: follow it with `backupProgress`."


@strawberry.type
class BackupMutations:
    """What can be done about backups."""

    @change(
        BackupJob,
        "job",
        "Back the database up as it stands at one moment. Whoever uses it goes on.",
        result=_RESULT,
        demand=Role.ADMIN,
    )
    async def backup_create(self, info: Asked) -> Any:
        """Ask for a backup."""
        return await changed(info, operations.ask, BackupJobKind.CREATE)

    @change(
        BackupJob,
        "job",
        "Read a backup from end to end. It has failed if a single bit is not as it was written.",
        result=_RESULT,
        demand=Role.ADMIN,
    )
    async def backup_verify(self, info: Asked, name: Annotated[str, strawberry.argument(description=_NAME)]) -> Any:
        """Ask for a backup to be verified."""
        return await changed(info, operations.ask, BackupJobKind.VERIFY, name=name)

    @change(
        BackupJob,
        "job",
        "Put a backup in the place of the database: all of it or nothing. Everybody is sent away for as long as it "
        "takes, sockets with code 1012, and the server goes on with what was in the backup, users and tokens included.",
        result=_RESULT,
        demand=Role.ADMIN,
    )
    async def backup_restore(
        self,
        info: Asked,
        name: Annotated[str, strawberry.argument(description=_NAME)],
        *,
        is_dry_run: Annotated[
            bool, strawberry.argument(description="Change nothing, and say in `tables` what would be.")
        ] = False,
    ) -> Any:
        """Ask for a backup to be put back."""
        return await changed(info, operations.ask, BackupJobKind.RESTORE, name=name, is_dry_run=is_dry_run)

    @change(BackupJob, "job", "Delete a backup.", result=_RESULT, demand=Role.ADMIN)
    async def backup_delete(self, info: Asked, name: Annotated[str, strawberry.argument(description=_NAME)]) -> Any:
        """Ask for a backup to be deleted."""
        return await changed(info, operations.ask, BackupJobKind.DELETE, name=name)
