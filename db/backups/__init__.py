"""What was asked of backups and what came of it. The archives stand at their target: see `db.backups.target`."""
