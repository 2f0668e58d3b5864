"""Roots that are chosen by indexes alone, words under the numbers of entries, and what tags and threads go by."""

# ruff: noqa: S608 -- the statements are put together here, of our own words alone
import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
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
    if op.get_bind().dialect.name == "sqlite":
        _number_words_on_sqlite()
    else:
        _part_words_on_postgresql()


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        _name_words_on_sqlite()
    else:
        _join_words_on_postgresql()
    op.drop_index("ix_entry_tags_of_entry", "entry_tags")
    for name in ("root_author_id", "roots_by_time", "roots"):
        op.drop_index(f"ix_entries_{name}", "entries")
    _index("ix_entries_roots", ["author_id", *_BY_TIME], _ROOTS)
    _index("ix_entries_feed_created_at", _BY_TIME, f"{_ROOTS} AND privacy = 'PUBLIC'")


def _index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "entries", columns, sqlite_where=where, postgresql_where=where)


def _number_words_on_sqlite() -> None:
    """Index the texts where they stand, in the entries, under the numbers of these."""
    _drop_words_on_sqlite()
    op.execute(
        "CREATE VIRTUAL TABLE entry_texts USING fts5(title, content, content = 'entries', content_rowid = 'seq', "
        "tokenize = 'unicode61 remove_diacritics 0')"
    )
    op.execute("INSERT INTO entry_texts (entry_texts) VALUES ('rebuild')")
    insert = "INSERT INTO entry_texts (rowid, title, content) VALUES (NEW.seq, NEW.title, NEW.content); "
    delete = (
        "INSERT INTO entry_texts (entry_texts, rowid, title, content) "
        "VALUES ('delete', OLD.seq, OLD.title, OLD.content); "
    )
    _note_words_on_sqlite(insert, delete)


def _name_words_on_sqlite() -> None:
    """Copy the texts beside the ids of their entries, which are words, too."""
    _drop_words_on_sqlite()
    op.execute(
        "CREATE VIRTUAL TABLE entry_texts USING fts5(entry_id, title, content, "
        "tokenize = 'unicode61 remove_diacritics 0')"
    )
    op.execute("INSERT INTO entry_texts (entry_id, title, content) SELECT id, title, content FROM entries ORDER BY seq")
    insert = "INSERT INTO entry_texts (entry_id, title, content) VALUES (NEW.id, NEW.title, NEW.content); "
    delete = (
        "DELETE FROM entry_texts "
        "WHERE rowid IN (SELECT rowid FROM entry_texts WHERE entry_texts MATCH 'entry_id : ' || OLD.id); "
    )
    _note_words_on_sqlite(insert, delete)


def _drop_words_on_sqlite() -> None:
    for event in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER entries_words_{event}")
    op.drop_table("entry_texts")


def _note_words_on_sqlite(insert: str, delete: str) -> None:
    for event, work in (
        ("INSERT", insert),
        ("UPDATE OF title, content", delete + insert),
        ("DELETE", delete),
    ):
        name = event.partition(" ")[0].lower()
        op.execute(f"CREATE TRIGGER entries_words_{name} AFTER {event} ON entries BEGIN {work} END")


def _part_words_on_postgresql() -> None:
    """Take the words out of the entry's own indexes, which are written at every mark."""
    op.drop_index("ix_entries_words", "entries")
    op.create_table(
        "entry_texts",
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(["seq"], ["entries.seq"], name="fk_entry_texts_seq_entries", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name="pk_entry_texts"),
    )
    words = "to_tsvector('simple', {0}title || ' ' || {0}content)"
    op.execute(f"INSERT INTO entry_texts (seq, words) SELECT seq, {words.format('')} FROM entries ORDER BY seq")
    op.create_index("ix_entry_texts_words", "entry_texts", ["words"], postgresql_using="gin")
    op.execute(
        "CREATE FUNCTION note_entry_words() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"INSERT INTO entry_texts (seq, words) VALUES (NEW.seq, {words.format('NEW.')}) "
        "ON CONFLICT (seq) DO UPDATE SET words = excluded.words; RETURN NULL; END $$"
    )
    op.execute(
        "CREATE TRIGGER entries_words AFTER INSERT OR UPDATE OF title, content ON entries "
        "FOR EACH ROW EXECUTE FUNCTION note_entry_words()"
    )


def _join_words_on_postgresql() -> None:
    op.execute("DROP TRIGGER entries_words ON entries")
    op.execute("DROP FUNCTION note_entry_words()")
    op.drop_table("entry_texts")
    op.execute("CREATE INDEX ix_entries_words ON entries USING gin (to_tsvector('simple', title || ' ' || content))")
