"""How what was asked of backups is read."""

from db.backups.tables import BackupJob
from db.backups.visibility import visible_to_admins
from db.batches import Order, Pages, ToOne

backup_job_by_id = ToOne(model=BackupJob, visible=visible_to_admins)
backup_jobs = Pages(
    model=BackupJob,
    orders={"NEWEST": Order(columns=("asked_at", "id"), is_descending=True)},
    visible=visible_to_admins,
)
