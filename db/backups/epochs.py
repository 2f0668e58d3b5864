"""Epochs: by which it is known whether a database is still the one that somebody has seen.

Numbers and revisions say how far something has come. When an older backup is put in place of a database, they come to
the same again with other things behind them. So every database has an epoch, which is in no backup: the first server
that opens a database without one gives it another, and whoever was told of one can ask for what came after in that.
"""

from datetime import datetime
from secrets import token_hex
from typing import cast

from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.backups.tables import Epoch
from db.session import Transaction

_BYTES = 4
_ONLY = "database"


async def prepare_epoch(tx: Transaction, *, now: datetime) -> str:
    """Return the epoch of a database, given to it if it has none: the same one to all who ask at once."""
    made = upsert(Epoch).values(name=_ONLY, epoch=token_hex(_BYTES), began_at=now)
    await tx.execute(made.on_conflict_do_nothing())
    return cast("str", await tx.scalar(select(col(Epoch.epoch)).where(col(Epoch.name) == _ONLY)))
