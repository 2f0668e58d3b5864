"""Usernames and profiles; entries with their marks, shares and tags; follows; and the triggers that count them."""

# ruff: noqa: S608 -- the statements of triggers are put together here, of our own words alone
import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_FEED = "depth = 0 AND deleted_at IS NULL AND privacy = 'PUBLIC'"
_COUNTS = ("follower_count", "following_count", "entry_count", "dream_count", "revision")
_TEXTS = ("username", "username_key", "bio", "location", "avatar_url")

# What is counted: which column of the entry counts a row of which table, and whether it is part of the score.
_MARKS = {"resonances": "resonance_count", "amplifications": "amplification_count", "shares": "share_count"}
_STEPS = (3, 30, 300, 3_000, 30_000, 300_000)
# Entries that everybody sees, and replies that are seen by whoever sees their thread.
_IS_PUBLIC = "{0}.deleted_at IS NULL AND {0}.privacy = 'PUBLIC' AND {0}.root_privacy = 'PUBLIC'"
_IS_BRANCH = "{0}.parent_id IS NOT NULL AND {0}.deleted_at IS NULL AND {0}.privacy = 'PUBLIC'"
_COUNTED_COLUMNS = "deleted_at, privacy, root_privacy, kind"


def upgrade() -> None:
    _grow_users()
    _name_users()
    _create_entries()
    _create_links("resonances")
    _create_links("amplifications")
    _create_shares_and_tags()
    _create_follows()
    if op.get_bind().dialect.name == "sqlite":
        _count_on_sqlite()
        _index_words_on_sqlite()
    else:
        _count_on_postgresql()
        op.execute(
            "CREATE INDEX ix_entries_words ON entries USING gin (to_tsvector('simple', title || ' ' || content))"
        )


def downgrade() -> None:
    for table in ("follows", "entry_tags", "shares", "amplifications", "resonances", "entries", "numberings"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "sqlite":
        op.drop_table("entry_texts")
    else:
        for name in (*_MARKS, "follows", "entries", "entry_changes"):
            op.execute(f"DROP FUNCTION count_{name}()")
    _name_apart()
    op.drop_index("ix_users_username_key", "users")
    with op.batch_alter_table("users") as users:
        for name in (*_COUNTS, *_TEXTS, "kind"):
            users.drop_column(name)
        users.create_unique_constraint("uq_users_name", ["name"])


def _grow_users() -> None:
    with op.batch_alter_table("users") as users:
        # Two people may have one name now: what tells them apart is the username.
        users.drop_constraint("uq_users_name", type_="unique")
        for name in _TEXTS:
            users.add_column(sa.Column(name, sa.String(), nullable=False, server_default=""))
        users.add_column(sa.Column("kind", sa.String(32), nullable=False, server_default="HUMAN"))
        for name in _COUNTS:
            users.add_column(sa.Column(name, sa.BigInteger(), nullable=False, server_default=sa.text("0")))


def _name_users() -> None:
    """Give everybody a username that is made of his name, with a number behind it where it is taken."""
    users = sa.table(
        "users", sa.column("id", sa.Uuid()), *(sa.column(one) for one in ("name", "username", "username_key"))
    )
    taken = set()
    for id_, name in op.get_bind().execute(sa.select(users.c.id, users.c.name).order_by(users.c.name)).all():
        kept = "".join(one if one.isascii() and one.isalnum() else "_" for one in name.lower())
        made = "_".join(part for part in kept.split("_") if part)[:40].rstrip("_") or f"user_{id_.hex[-12:]}"
        username, number = made, 2
        while username in taken:
            username, number = f"{made[:30]}_{number}", number + 1
        taken.add(username)
        change = users.update().where(users.c.id == id_).values(username=username, username_key=username)
        op.get_bind().execute(change)
    op.create_index("ix_users_username_key", "users", ["username_key"], unique=True)


def _name_apart() -> None:
    """Put the username behind a name that several have."""
    op.execute(
        "UPDATE users SET name = name || ' (' || username || ')' "
        "WHERE name IN (SELECT name FROM users GROUP BY name HAVING count(*) > 1)"
    )


def _create_entries() -> None:
    counts = ("resonance_count", "amplification_count", "branch_count", "share_count", "score", "heat")
    op.create_table(
        "entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("author_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("root_id", sa.Uuid(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("depth", sa.Integer(), nullable=False),
        sa.Column("branch_order", sa.Integer(), nullable=False),
        sa.Column("last_branch", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("content", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.Column("metrics", sa.JSON(), nullable=False),
        sa.Column("subject_kind", sa.String(32), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("privacy", sa.String(32), nullable=False),
        sa.Column("root_author_id", sa.Uuid(), nullable=False),
        sa.Column("root_privacy", sa.String(32), nullable=False),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in counts),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("request_key", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["author_id"], ["users.id"], name="fk_entries_author_id_users"),
        sa.ForeignKeyConstraint(["parent_id"], ["entries.id"], name="fk_entries_parent_id_entries"),
        sa.ForeignKeyConstraint(["root_id"], ["entries.id"], name="fk_entries_root_id_entries"),
        sa.ForeignKeyConstraint(["root_author_id"], ["users.id"], name="fk_entries_root_author_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_entries"),
        sa.UniqueConstraint("root_id", "path", name="uq_entries_root_id_path"),
        sa.UniqueConstraint("author_id", "request_key", name="uq_entries_author_id_request_key"),
        sa.UniqueConstraint("seq", name="uq_entries_seq"),
    )
    op.create_table(
        "numberings",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("last", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_numberings"),
    )
    op.create_index("ix_entries_author_id_created_at", "entries", ["author_id", "created_at", "id"])
    for name, columns, condition in (
        ("roots", ["author_id", "created_at", "id"], "depth = 0 AND deleted_at IS NULL"),
        ("feed_created_at", ["created_at", "id"], _FEED),
        ("feed_score", ["score", "created_at", "id"], _FEED),
        ("feed_heat", ["heat", "id"], _FEED),
        ("replies", ["parent_id", "branch_order"], "parent_id IS NOT NULL"),
        ("subject", ["subject_id", "created_at", "id"], "subject_id IS NOT NULL"),
    ):
        where = sa.text(condition)
        op.create_index(f"ix_entries_{name}", "entries", columns, sqlite_where=where, postgresql_where=where)


def _create_links(table: str) -> None:
    op.create_table(
        table,
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=f"fk_{table}_user_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name=f"fk_{table}_entry_id_entries", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("user_id", "entry_id", name=f"pk_{table}"),
    )
    op.create_index(f"ix_{table}_of_entry", table, ["entry_id", "created_at", "user_id"])
    op.create_index(f"ix_{table}_of_user", table, ["user_id", "created_at", "entry_id"])


def _create_shares_and_tags() -> None:
    op.create_table(
        "shares",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.Column("request_key", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_shares_user_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["entry_id"], ["entries.id"], name="fk_shares_entry_id_entries", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_shares"),
        sa.UniqueConstraint("user_id", "request_key", name="uq_shares_user_id_request_key"),
    )
    op.create_index("ix_shares_of_entry", "shares", ["entry_id"])
    op.create_table(
        "entry_tags",
        sa.Column("tag", sa.String(), nullable=False),
        sa.Column("entry_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["entries.id"], name="fk_entry_tags_entry_id_entries", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tag", "entry_id", name="pk_entry_tags"),
    )


def _create_follows() -> None:
    op.create_table(
        "follows",
        sa.Column("follower_id", sa.Uuid(), nullable=False),
        sa.Column("followed_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("follower_id <> followed_id", name="ck_follows_not_self"),
        sa.ForeignKeyConstraint(["follower_id"], ["users.id"], name="fk_follows_follower_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["followed_id"], ["users.id"], name="fk_follows_followed_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("follower_id", "followed_id", name="pk_follows"),
    )
    op.create_index("ix_follows_of_follower", "follows", ["follower_id", "created_at", "followed_id"])
    op.create_index("ix_follows_of_followed", "follows", ["followed_id", "created_at", "follower_id"])


def _worth(score: str) -> str:
    """Return what a score is worth in milliseconds, as an expression. Whole numbers: both databases agree."""
    return " + ".join(f"43200000 * CAST({score} AS BIGINT) / ({score} + {step})" for step in _STEPS)


def _marked(column: str, change: str, most: str) -> str:
    """Return what a change of a count does to the entry's row."""
    new = f"{most}(0, {column} + {change})"
    if column == "share_count":
        return f"{column} = {new}, revision = revision + 1"
    score = f"({new} + {'amplification_count' if column == 'resonance_count' else 'resonance_count'})"
    return (
        f"{column} = {new}, score = {score}, heat = heat - ({_worth('score')}) + ({_worth(score)}), "
        "revision = revision + 1"
    )


def _count_on_sqlite() -> None:
    """Count row by row: SQLite knows no statements in its triggers."""
    for table, column in _MARKS.items():
        for event, row, change in (("insert", "NEW", "1"), ("delete", "OLD", "-1")):
            op.execute(
                f"CREATE TRIGGER {table}_{event} AFTER {event.upper()} ON {table} BEGIN "
                f"UPDATE entries SET {_marked(column, change, 'max')} WHERE id = {row}.entry_id; END"
            )
    for event, row, change in (("insert", "NEW", "1"), ("delete", "OLD", "-1")):
        op.execute(
            f"CREATE TRIGGER follows_{event} AFTER {event.upper()} ON follows BEGIN "
            + "".join(
                f"UPDATE users SET {column} = max(0, {column} + {change}), revision = revision + 1 "
                f"WHERE id = {row}.{key}; "
                for column, key in (("follower_count", "followed_id"), ("following_count", "follower_id"))
            )
            + "END"
        )
        op.execute(
            f"CREATE TRIGGER entries_{event} AFTER {event.upper()} ON entries BEGIN "
            + _counted_on_sqlite(row, _difference(row, change, _IS_BRANCH), _of_kinds(row, change))
            + "END"
        )
    branches = f"{_difference('NEW', '1', _IS_BRANCH)} + {_difference('OLD', '-1', _IS_BRANCH)}"
    new, old = _of_kinds("NEW", "1"), _of_kinds("OLD", "-1")
    kinds = {column: f"{new[column]} + {old[column]}" for column in new}
    op.execute(
        f"CREATE TRIGGER entries_update AFTER UPDATE OF {_COUNTED_COLUMNS} ON entries BEGIN "
        + _counted_on_sqlite("NEW", branches, kinds)
        + "END"
    )


def _difference(row: str, change: str, condition: str) -> str:
    return f"(CASE WHEN {condition.format(row)} THEN {change} ELSE 0 END)"


def _of_kinds(row: str, change: str) -> dict[str, str]:
    kinds = {"entry_count": "LOGBOOK", "dream_count": "DREAM"}
    return {
        column: _difference(row, change, f"{_IS_PUBLIC} AND {{0}}.kind = '{kind}'") for column, kind in kinds.items()
    }


def _counted_on_sqlite(row: str, branches: str, kinds: dict[str, str]) -> str:
    entries, dreams = kinds["entry_count"], kinds["dream_count"]
    return (
        f"UPDATE entries SET branch_count = max(0, branch_count + {branches}), revision = revision + 1 "
        f"WHERE id = {row}.parent_id AND {branches} <> 0; "
        f"UPDATE users SET entry_count = max(0, entry_count + {entries}), "
        f"dream_count = max(0, dream_count + {dreams}), revision = revision + 1 "
        f"WHERE id = {row}.author_id AND ({entries} <> 0 OR {dreams} <> 0); "
    )


def _index_words_on_sqlite() -> None:
    """Keep the words of entries in a table made for it. An entry's id is a word, too: by it the row is found."""
    op.execute(
        "CREATE VIRTUAL TABLE entry_texts USING fts5(entry_id, title, content, "
        "tokenize = 'unicode61 remove_diacritics 0')"
    )
    insert = "INSERT INTO entry_texts (entry_id, title, content) VALUES (NEW.id, NEW.title, NEW.content); "
    delete = (
        "DELETE FROM entry_texts "
        "WHERE rowid IN (SELECT rowid FROM entry_texts WHERE entry_texts MATCH 'entry_id : ' || OLD.id); "
    )
    for event, work in (
        ("INSERT", insert),
        ("UPDATE OF title, content", delete + insert),
        ("DELETE", delete),
    ):
        name = event.partition(" ")[0].lower()
        op.execute(f"CREATE TRIGGER entries_words_{name} AFTER {event} ON entries BEGIN {work} END")


def _count_on_postgresql() -> None:
    """Count statement by statement, what is counted in one order, so that nobody waits for each other."""
    for table, column in _MARKS.items():
        _count_statements(
            table,
            f"""
            PERFORM 1 FROM entries WHERE id IN (SELECT entry_id FROM changed) ORDER BY id FOR NO KEY UPDATE;
            UPDATE entries SET {_marked(column, "moved.number", "GREATEST")}
            FROM (SELECT entry_id, sign * count(*) AS number FROM changed GROUP BY entry_id) AS moved
            WHERE entries.id = moved.entry_id;
            """,
        )
    _count_statements(
        "follows",
        """
        PERFORM 1 FROM users
        WHERE id IN (SELECT follower_id FROM changed UNION SELECT followed_id FROM changed)
        ORDER BY id FOR NO KEY UPDATE;
        UPDATE users SET
            follower_count = GREATEST(0, follower_count + moved.followers),
            following_count = GREATEST(0, following_count + moved.followed),
            revision = revision + 1
        FROM (
            SELECT user_id, sign * sum(is_followed) AS followers, sign * sum(follows) AS followed FROM (
                SELECT followed_id AS user_id, 1 AS is_followed, 0 AS follows FROM changed
                UNION ALL SELECT follower_id, 0, 1 FROM changed
            ) AS one GROUP BY user_id
        ) AS moved
        WHERE users.id = moved.user_id;
        """,
    )
    _count_statements(
        "entries",
        f"""
        PERFORM 1 FROM entries WHERE id IN (SELECT parent_id FROM changed) ORDER BY id FOR NO KEY UPDATE;
        UPDATE entries SET
            branch_count = GREATEST(0, branch_count + moved.number),
            revision = revision + 1
        FROM (
            SELECT one.parent_id, sign * count(*) AS number FROM changed AS one
            WHERE {_IS_BRANCH.format("one")} GROUP BY one.parent_id
        ) AS moved
        WHERE entries.id = moved.parent_id;
        PERFORM 1 FROM users WHERE id IN (SELECT author_id FROM changed) ORDER BY id FOR NO KEY UPDATE;
        UPDATE users SET
            entry_count = GREATEST(0, entry_count + moved.entries),
            dream_count = GREATEST(0, dream_count + moved.dreams),
            revision = revision + 1
        FROM (
            SELECT one.author_id,
                sign * count(*) FILTER (WHERE one.kind = 'LOGBOOK') AS entries,
                sign * count(*) FILTER (WHERE one.kind = 'DREAM') AS dreams
            FROM changed AS one WHERE {_IS_PUBLIC.format("one")} GROUP BY one.author_id
        ) AS moved
        WHERE users.id = moved.author_id;
        """,
    )
    _count_changes()


def _count_statements(table: str, body: str) -> None:
    op.execute(
        f"CREATE FUNCTION count_{table}() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "DECLARE sign integer := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END; "
        f"BEGIN {body} RETURN NULL; END $$"
    )
    for event, rows in (("insert", "NEW"), ("delete", "OLD")):
        op.execute(
            f"CREATE TRIGGER {table}_{event} AFTER {event.upper()} ON {table} "
            f"REFERENCING {rows} TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION count_{table}()"
        )


def _count_changes() -> None:
    """Count what a change of an entry means, row by row: only then can it be said which columns it must be of."""
    new, old = _of_kinds("NEW", "1"), _of_kinds("OLD", "-1")
    branches = f"{_difference('NEW', '1', _IS_BRANCH)} + {_difference('OLD', '-1', _IS_BRANCH)}"
    entries, dreams = (f"{new[column]} + {old[column]}" for column in ("entry_count", "dream_count"))
    op.execute(
        "CREATE FUNCTION count_entry_changes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"UPDATE entries SET branch_count = GREATEST(0, branch_count + {branches}), revision = revision + 1 "
        f"WHERE id = NEW.parent_id AND {branches} <> 0; "
        f"UPDATE users SET entry_count = GREATEST(0, entry_count + {entries}), "
        f"dream_count = GREATEST(0, dream_count + {dreams}), revision = revision + 1 "
        f"WHERE id = NEW.author_id AND ({entries} <> 0 OR {dreams} <> 0); "
        "RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER entries_update AFTER UPDATE OF {_COUNTED_COLUMNS} ON entries "
        "FOR EACH ROW EXECUTE FUNCTION count_entry_changes()"
    )
