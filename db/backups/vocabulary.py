"""The words of backups: each enum's value is its name, in the database, in JSON and in the graph."""

from enum import StrEnum


class BackupJobKind(StrEnum):
    """What is to be done."""

    CREATE = "CREATE"
    VERIFY = "VERIFY"
    RESTORE = "RESTORE"
    DELETE = "DELETE"


class BackupJobState(StrEnum):
    """How far it has come."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"


class BackupJobCause(StrEnum):
    """Why it is done."""

    ASKED = "ASKED"
    SCHEDULE = "SCHEDULE"
