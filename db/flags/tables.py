"""What is stored of flags: the codes of countries, the images, and how each image was recognised."""

from typing import Any

from sqlalchemy import Index, LargeBinary

from db.base import UUID, Base, Field, JSONColumn, Stored, datetime, enum_type
from db.flags.vocabulary import CodeKind, FlagState, RecognitionMethod


class FlagMapping(Stored, table=True):
    """A code that a scoring program writes, and whose it is."""

    __tablename__ = "flag_mappings"
    __table_args__ = (Index(None, "ioc_code", "pss_code"),)

    pss_code: str = Field(unique=True)
    # The code whose flag is shown for it.
    ioc_code: str
    # What ISO 3166 writes, alpha-3; "" where it has no code.
    iso_code: str = ""
    country_name: str
    other_names: list[Any] = Field(sa_type=JSONColumn)
    kind: CodeKind = Field(sa_type=enum_type(CodeKind))
    note: str = ""
    is_custom: bool = False
    created_at: datetime
    updated_at: datetime


class Flag(Stored, table=True):
    """An image, and whose flag it is."""

    __tablename__ = "flags"

    file_name: str = Field(unique=True)
    # Whose it is; `None` if that is not known.
    ioc_code: str | None = Field(default=None, index=True)
    # The code that it is shown for: of several images of one flag one is.
    code: str | None = Field(default=None, unique=True)
    country_name: str = ""
    state: FlagState = Field(sa_type=enum_type(FlagState))
    method: RecognitionMethod = Field(sa_type=enum_type(RecognitionMethod))
    confidence: float = 0.0
    content_type: str
    byte_count: int
    checksum: str
    modified_at: datetime
    created_at: datetime


class FlagImage(Base, table=True):
    """The image itself. It stands alone, so that a flag is read without it."""

    __tablename__ = "flag_images"

    flag_id: UUID = Field(foreign_key="flags.id", ondelete="CASCADE", primary_key=True)
    content: bytes = Field(sa_type=LargeBinary)


class RecognitionAttempt(Stored, table=True):
    """One time that it was found out, or not, whose flag an image shows: append-only."""

    __tablename__ = "recognition_attempts"
    __table_args__ = (Index(None, "flag_id", "attempted_at", "id"),)

    flag_id: UUID = Field(foreign_key="flags.id", ondelete="CASCADE")
    method: RecognitionMethod = Field(sa_type=enum_type(RecognitionMethod))
    confidence: float
    recognized_as: str | None = None
    attempted_at: datetime
