"""What happened to backups."""

from dataclasses import dataclass
from uuid import UUID

from db.backups.tables import BackupJob
from db.bus import Event

# Whoever does what is asked, or watches all of it, watches this.
ALL_JOBS = UUID(int=0x4241_434B_5550)


@dataclass(frozen=True, kw_only=True)
class BackupJobChanged(Event):
    """Something was asked for, goes on, or is over."""

    job: BackupJob

    @property
    def topics(self) -> tuple[UUID, ...]:
        """The job, and all of them."""
        return (self.job.id, ALL_JOBS)


@dataclass(frozen=True, kw_only=True)
class RestorationBegun(Event):
    """A server is about to put a backup in place of this database: whoever serves it leaves until that is done."""

    job: BackupJob

    @property
    def topics(self) -> tuple[UUID, ...]:
        """All jobs."""
        return (ALL_JOBS,)
