"""What is stored of settings: a row for each key, and what it was before."""

from sqlalchemy import Index, UniqueConstraint

from db.base import IS_SECRET, UUID, Field, Stored, datetime, enum_type
from db.settings.vocabulary import SettingCategory


class Setting(Stored, table=True):
    """A key and what it is set to. What is known of the key stands in `db.settings.registry`."""

    __tablename__ = "settings"

    key: str = Field(unique=True)
    category: SettingCategory = Field(sa_type=enum_type(SettingCategory))
    # What it is while nobody set it, as JSON text: its default, or what the server was started with.
    usual: str
    # What it was set to, as JSON text; of a sensitive key, that is `secret`. Both are null while nobody set it.
    value: str | None = None
    secret: str | None = Field(default=None, sa_column_kwargs={"info": IS_SECRET})
    changed_at: datetime | None = None
    changed_by_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL")
    # Raised by one whenever it is set or reset.
    revision: int = 0


class SettingChange(Stored, table=True):
    """One entry of a setting's history: append-only. Of a sensitive one it says that, and never what."""

    __tablename__ = "setting_changes"
    __table_args__ = (UniqueConstraint("setting_id", "revision"), Index(None, "changed_at"))

    setting_id: UUID = Field(foreign_key="settings.id", ondelete="CASCADE")
    # The setting's, that this led to.
    revision: int
    # JSON text; null where it was not set, and of a sensitive key always.
    old_value: str | None = None
    new_value: str | None = None
    was_set: bool
    is_set: bool
    reason: str = ""
    changed_at: datetime
    # Null: the machine's own console.
    changed_by_id: UUID | None = Field(default=None, foreign_key="users.id", ondelete="SET NULL")
