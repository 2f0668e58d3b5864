"""Indexes from which roots are chosen without a look at them, and by which an entry's tags and a thread's author go."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ROOTS = "depth = 0 AND deleted_at IS NULL"
_BY_TIME = ["created_at", "id"]


def upgrade() -> None:
    op.drop_index("ix_entries_roots", "entries")
    op.drop_index("ix_entries_feed_created_at", "entries")
    _index("ix_entries_roots", ["author_id", *_BY_TIME, "privacy"], _ROOTS)
    _index("ix_entries_roots_by_time", [*_BY_TIME, "author_id", "privacy", "depth", "deleted_at"], _ROOTS)
    op.create_index("ix_entries_root_author_id", "entries", ["root_author_id"])
    op.create_index("ix_entry_tags_of_entry", "entry_tags", ["entry_id"])


def downgrade() -> None:
    op.drop_index("ix_entry_tags_of_entry", "entry_tags")
    for name in ("root_author_id", "roots_by_time", "roots"):
        op.drop_index(f"ix_entries_{name}", "entries")
    _index("ix_entries_roots", ["author_id", *_BY_TIME], _ROOTS)
    _index("ix_entries_feed_created_at", _BY_TIME, f"{_ROOTS} AND privacy = 'PUBLIC'")


def _index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "entries", columns, sqlite_where=where, postgresql_where=where)
