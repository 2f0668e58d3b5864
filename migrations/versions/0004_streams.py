"""Streams, their live sessions, goals with their history, sources, and the marks that news is counted by."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_streams()
    _create_goals()
    _create_sources()
    _create_history()


def downgrade() -> None:
    for table in (
        "stream_goal_changes",
        "stream_marks",
        "stream_sources",
        "stream_goals",
        "stream_sessions",
        "streams",
    ):
        op.drop_table(table)


def _create_streams() -> None:
    op.create_table(
        "streams",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("channel_key", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("time_zone", sa.String(), nullable=False),
        sa.Column("current_session_id", sa.Uuid(), nullable=True),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("batches", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["owner_id"], ["users.id"], name="fk_streams_owner_id_users", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_streams"),
        sa.UniqueConstraint("owner_id", "name", name="uq_streams_owner_id_name"),
    )
    op.create_index("ix_streams_name_id", "streams", ["name", "id"])
    op.create_table(
        "stream_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("room", sa.String(), nullable=False),
        sa.Column("liked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("coin_count", sa.BigInteger(), nullable=False),
        sa.Column("like_count", sa.BigInteger(), nullable=False),
        sa.Column("follower_count", sa.BigInteger(), nullable=False),
        sa.Column("share_count", sa.BigInteger(), nullable=False),
        sa.Column("subscriber_count", sa.BigInteger(), nullable=False),
        sa.Column("viewer_count", sa.BigInteger(), nullable=False),
        sa.Column("most_viewers", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.id"], name="fk_stream_sessions_stream_id_streams", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stream_sessions"),
    )
    op.create_index("ix_stream_sessions_stream_id_started_at_id", "stream_sessions", ["stream_id", "started_at", "id"])


def _create_goals() -> None:
    op.create_table(
        "stream_goals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("preset", sa.String(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("unit", sa.String(), nullable=False),
        sa.Column("mode", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("start", sa.BigInteger(), nullable=False),
        sa.Column("current", sa.BigInteger(), nullable=False),
        sa.Column("fraction", sa.Integer(), nullable=False),
        sa.Column("target", sa.BigInteger(), nullable=False),
        sa.Column("first_target", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("last_delta", sa.BigInteger(), nullable=False),
        sa.Column("times_reached", sa.BigInteger(), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("weights", sa.JSON(), nullable=False),
        sa.Column("milestones", sa.JSON(), nullable=False),
        sa.Column("style", sa.JSON(), nullable=False),
        sa.Column("period", sa.String(32), nullable=False),
        sa.Column("period_ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.id"], name="fk_stream_goals_stream_id_streams", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stream_goals"),
        sa.UniqueConstraint("stream_id", "preset", name="uq_stream_goals_stream_id_preset"),
    )
    op.create_index("ix_stream_goals_ends_at", "stream_goals", ["ends_at"])
    op.create_index("ix_stream_goals_period_ends_at", "stream_goals", ["period_ends_at"])
    op.create_index("ix_stream_goals_stream_id_position_id", "stream_goals", ["stream_id", "position", "id"])


def _create_sources() -> None:
    op.create_table(
        "stream_sources",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("secret", sa.LargeBinary(), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("connection_count", sa.Integer(), nullable=False),
        sa.Column("last_event_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("event_counts", sa.JSON(), nullable=False),
        sa.Column("fault_counts", sa.JSON(), nullable=False),
        sa.Column("ignored_count", sa.BigInteger(), nullable=False),
        sa.Column("duplicate_count", sa.BigInteger(), nullable=False),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.Column("last_error_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.id"], name="fk_stream_sources_stream_id_streams", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stream_sources"),
        sa.UniqueConstraint("stream_id", "name", name="uq_stream_sources_stream_id_name"),
    )
    op.create_table(
        "stream_marks",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("high", sa.BigInteger(), nullable=False),
        sa.Column("marked_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"], ["streams.id"], name="fk_stream_marks_stream_id_streams", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("stream_id", "key", name="pk_stream_marks"),
    )
    op.create_index("ix_stream_marks_marked_at", "stream_marks", ["marked_at"])


def _create_history() -> None:
    op.create_table(
        "stream_goal_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("goal_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("old_value", sa.BigInteger(), nullable=False),
        sa.Column("new_value", sa.BigInteger(), nullable=False),
        sa.Column("delta", sa.BigInteger(), nullable=False),
        sa.Column("threshold", sa.BigInteger(), nullable=True),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("source_id", sa.Uuid(), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("viewer_name", sa.String(), nullable=False),
        sa.Column("event_key", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["goal_id"], ["stream_goals.id"], name="fk_stream_goal_changes_goal_id_stream_goals", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"],
            ["stream_sources.id"],
            name="fk_stream_goal_changes_source_id_stream_sources",
            ondelete="SET NULL",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_stream_goal_changes_user_id_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stream_goal_changes"),
        sa.UniqueConstraint("goal_id", "revision", "part", name="uq_stream_goal_changes_goal_id_revision_part"),
    )
    op.create_index("ix_stream_goal_changes_changed_at", "stream_goal_changes", ["changed_at"])
