"""All tables: importing this module makes `metadata` complete."""

from db.access import tables as access
from db.accounts import tables as accounts
from db.backups import tables as backups
from db.base import Base
from db.flags import tables as flags
from db.leases import tables as leases
from db.matches import tables as matches
from db.network import tables as network
from db.practice import tables as practice
from db.recordings import tables as recordings
from db.settings import tables as settings
from db.social import tables as social
from db.streams import tables as streams

metadata = Base.metadata

# What each database has in its own way: the words of entries and the tables that SQLite makes for them, and what the
# bus of PostgreSQL keeps.
OF_ONE_DATABASE = ("entry_texts", "bus_messages")

# What holds only while servers run, or of one database alone, and is in no backup.
OF_SERVERS = ("leases", "epochs")

# How triggers are called that fill such tables: they work when a backup is put back, which does not hold them.
FILLING_TRIGGERS = ("entries_words_",)

__all__ = [
    "FILLING_TRIGGERS",
    "OF_ONE_DATABASE",
    "OF_SERVERS",
    "access",
    "accounts",
    "backups",
    "flags",
    "leases",
    "matches",
    "metadata",
    "network",
    "practice",
    "recordings",
    "settings",
    "social",
    "streams",
]
