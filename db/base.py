"""What every table is made of."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Enum, MetaData
from sqlmodel import Field, SQLModel

from db.ids import new_id

# Constraints carry names, so that a migration can take them back on either database.
_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(SQLModel):
    """The root of all tables."""

    metadata = MetaData(naming_convention=_NAMING)


class Stored(Base):
    """A table of things with an identity."""

    id: UUID = Field(default_factory=new_id, primary_key=True)


def enum_type(of: type[StrEnum]) -> Any:
    """Store an enum as its name, in plain text: a new member then needs no migration."""
    return Enum(of, native_enum=False, length=32, values_callable=lambda members: [member.value for member in members])


JSONColumn: Any = JSON

# What a column says of itself, as its `info`, if it holds a secret: a backup leaves out what is not sealed.
IS_SECRET = {"is_secret": True}
# And if it is nobody's business outside of this process, as a hash that is compared: no event carries it.
IS_UNTOLD = {"is_untold": True}

__all__ = ["IS_SECRET", "IS_UNTOLD", "UUID", "Base", "Field", "JSONColumn", "Stored", "datetime", "enum_type"]
