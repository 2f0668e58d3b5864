"""The words of backups as the graph shows them: each enum and each of its values described."""

from db.backups.vocabulary import BackupJobCause, BackupJobKind, BackupJobState
from schema.fields import enum

__all__ = ["BackupJobCause", "BackupJobKind", "BackupJobState"]

enum(
    BackupJobKind,
    "What is done about backups.",
    CREATE="The database is copied as it stands at one moment, while it is in use.",
    VERIFY="A backup is read from end to end.",
    RESTORE="A backup is put in the place of the database.",
    DELETE="A backup is deleted.",
)
enum(
    BackupJobState,
    "How far it has come.",
    QUEUED="It waits: one is done at a time.",
    RUNNING="It is done now.",
    DONE="It is done.",
    FAILED="It could not be done: see `error`. Nothing was changed by it.",
)
enum(
    BackupJobCause,
    "Why it is done.",
    ASKED="Somebody asked for it.",
    SCHEDULE="It was time: see the settings `backups.every_hours` and `backups.at`.",
)
