"""Backups: a whole database as one portable file, and such a file as a whole database."""
