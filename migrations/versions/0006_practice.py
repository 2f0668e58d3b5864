"""Practice: whose it is, goals in trees, sessions with their goals, pauses and reviews, and templates of sessions."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_PATH = sa.String().with_variant(sa.String(collation="C"), "postgresql")
_IS_RUNNING = sa.text("state = 'RUNNING' AND deleted_at IS NULL")


def upgrade() -> None:
    _create_practices()
    _create_templates()
    _create_sessions()
    _create_goals()
    _create_links()


def downgrade() -> None:
    for table in (
        "session_template_goals",
        "practice_session_goals",
        "goals",
        "practice_reviews",
        "practice_pauses",
        "practice_sessions",
        "session_templates",
        "practices",
    ):
        op.drop_table(table)


def _create_practices() -> None:
    op.create_table(
        "practices",
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_practices_owner_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("owner_id", name="pk_practices"),
    )


def _create_templates() -> None:
    op.create_table(
        "session_templates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("planned_seconds", sa.Integer(), nullable=True),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("goal_names", sa.JSON(), nullable=False),
        sa.Column("weekdays", sa.JSON(), nullable=False),
        sa.Column("minute_of_day", sa.Integer(), nullable=False),
        sa.Column("starts_on", sa.Date(), nullable=True),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name="fk_session_templates_owner_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_session_templates"),
        sa.UniqueConstraint("owner_id", "name", name="uq_session_templates_owner_id_name"),
    )


def _create_sessions() -> None:
    op.create_table(
        "practice_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("planned_seconds", sa.Integer(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("running_since", sa.DateTime(timezone=True), nullable=True),
        sa.Column("practised_ms", sa.BigInteger(), nullable=False),
        sa.Column("focus", sa.Integer(), nullable=True),
        sa.Column("energy", sa.Integer(), nullable=True),
        sa.Column("productivity", sa.Integer(), nullable=True),
        sa.Column("notes", sa.String(), nullable=False),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("location", sa.String(), nullable=False),
        sa.Column("interruption_count", sa.Integer(), nullable=False),
        sa.Column("template_id", sa.Uuid(), nullable=True),
        sa.Column("occurs_on", sa.Date(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deletion_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name="fk_practice_sessions_owner_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["session_templates.id"],
            name="fk_practice_sessions_template_id_session_templates",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_practice_sessions"),
        sa.UniqueConstraint("template_id", "occurs_on", name="uq_practice_sessions_template_id_occurs_on"),
    )
    op.create_index(
        "uq_practice_sessions_running",
        "practice_sessions",
        ["owner_id"],
        unique=True,
        sqlite_where=_IS_RUNNING,
        postgresql_where=_IS_RUNNING,
    )
    _index("practice_sessions", "owner_id", "created_at", "id")
    _index("practice_sessions", "owner_id", "started_at", "id")
    _index("practice_sessions", "deletion_id")
    op.create_table(
        "practice_pauses",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        _of_session("practice_pauses"),
        sa.PrimaryKeyConstraint("id", name="pk_practice_pauses"),
    )
    _index("practice_pauses", "session_id", "started_at", "id")
    op.create_table(
        "practice_reviews",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("went_well", sa.String(), nullable=False),
        sa.Column("went_badly", sa.String(), nullable=False),
        sa.Column("next_time", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        _of_session("practice_reviews"),
        sa.PrimaryKeyConstraint("id", name="pk_practice_reviews"),
        sa.UniqueConstraint("session_id", name="uq_practice_reviews_session_id"),
    )


def _create_goals() -> None:
    op.create_table(
        "goals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("root_id", sa.Uuid(), nullable=False),
        sa.Column("within_session_id", sa.Uuid(), nullable=True),
        sa.Column("path", _PATH, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("level", sa.String(32), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("deadline", sa.Date(), nullable=True),
        sa.Column("is_completed_with_children", sa.Boolean(), nullable=False),
        sa.Column("completed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("completion_cause", sa.String(32), nullable=True),
        sa.Column("completed_by_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("tree_revision", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("deletion_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("parent_id IS NULL OR session_id IS NULL", name="ck_goals_one_parent"),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_goals_owner_id_users", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["parent_id"], ["goals.id"], name="fk_goals_parent_id_goals", ondelete="CASCADE"),
        _of_session("goals"),
        _of_session("goals", "within_session_id"),
        sa.ForeignKeyConstraint(
            ["completed_by_id"], ["users.id"], name="fk_goals_completed_by_id_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_goals"),
    )
    op.create_index("ix_goals_path", "goals", ["path"], unique=True)
    _index("goals", "parent_id", "position", "id")
    _index("goals", "session_id", "position", "id", where="session_id IS NOT NULL")
    _index("goals", "within_session_id", where="within_session_id IS NOT NULL")
    _index("goals", "owner_id", "position", "id", where="parent_id IS NULL")


def _create_links() -> None:
    op.create_table(
        "practice_session_goals",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        _of_session("practice_session_goals"),
        _of_goal("practice_session_goals"),
        sa.PrimaryKeyConstraint("session_id", "goal_id", name="pk_practice_session_goals"),
    )
    _index("practice_session_goals", "goal_id")
    op.create_table(
        "session_template_goals",
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["session_templates.id"],
            name="fk_session_template_goals_template_id_session_templates",
            ondelete="CASCADE",
        ),
        _of_goal("session_template_goals"),
        sa.PrimaryKeyConstraint("template_id", "goal_id", name="pk_session_template_goals"),
    )
    _index("session_template_goals", "goal_id")


def _of_session(table: str, column: str = "session_id") -> sa.ForeignKeyConstraint:
    name = f"fk_{table}_{column}_practice_sessions"
    return sa.ForeignKeyConstraint([column], ["practice_sessions.id"], name=name, ondelete="CASCADE")


def _of_goal(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["goal_id"], ["goals.id"], name=f"fk_{table}_goal_id_goals", ondelete="CASCADE")


def _index(table: str, *columns: str, where: str | None = None) -> None:
    some = None if where is None else sa.text(where)
    name = f"ix_{table}_{'_'.join(columns)}"
    op.create_index(name, table, list(columns), sqlite_where=some, postgresql_where=some)
