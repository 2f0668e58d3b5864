"""Recordings and the stretches of time they show, bookmarks, OBS machines and what OBS is told."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_machine()
    _create_recordings()
    _create_bookmarks()
    _create_commands()


def downgrade() -> None:
    for table in ("obs_commands", "bookmarks", "recording_segments", "recordings", "obs_machines"):
        op.drop_table(table)


def _create_machine() -> None:
    op.create_table(
        "obs_machines",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mat_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("host", sa.String(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("password", sa.LargeBinary(), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("records_matches", sa.Boolean(), nullable=False),
        sa.Column("stop_delay_ms", sa.Integer(), nullable=False),
        sa.Column("saves_challenges", sa.Boolean(), nullable=False),
        sa.Column("clock_offset_ms", sa.Integer(), nullable=False),
        sa.Column("stream_delay_ms", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("connection_count", sa.Integer(), nullable=False),
        sa.Column("state_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replay_asked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _of("obs_machines", "mat_id", "mats"),
        sa.PrimaryKeyConstraint("id", name="pk_obs_machines"),
        sa.UniqueConstraint("name", name="uq_obs_machines_name"),
    )
    _index("obs_machines", "mat_id")


def _create_recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mat_id", sa.Uuid(), nullable=False),
        sa.Column("machine_id", sa.Uuid(), nullable=True),
        sa.Column("match_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("path", sa.String(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=True),
        sa.Column("checksum", sa.String(), nullable=False),
        sa.Column("gaps", sa.JSON(), nullable=False),
        sa.Column("clock_offset_ms", sa.Integer(), nullable=True),
        sa.Column("delay_ms", sa.Integer(), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("made_by_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        _of("recordings", "mat_id", "mats"),
        _of("recordings", "machine_id", "obs_machines", ondelete="SET NULL"),
        _of("recordings", "match_id", "matches", ondelete="SET NULL"),
        _of("recordings", "made_by_id", "users", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_recordings"),
    )
    _index("recordings", "mat_id", "dated_at", "id")
    _index("recordings", "match_id", "dated_at", "id")
    _index("recordings", "machine_id", "state")
    op.create_table(
        "recording_segments",
        sa.Column("recording_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("mat_id", sa.Uuid(), nullable=False),
        sa.Column("shows_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shows_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("begins_ms", sa.BigInteger(), nullable=False),
        _of("recording_segments", "recording_id", "recordings"),
        _of("recording_segments", "mat_id", "mats"),
        sa.PrimaryKeyConstraint("recording_id", "number", name="pk_recording_segments"),
    )
    _index("recording_segments", "mat_id", "shows_from")


def _create_bookmarks() -> None:
    op.create_table(
        "bookmarks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mat_id", sa.Uuid(), nullable=False),
        sa.Column("match_id", sa.Uuid(), nullable=True),
        sa.Column("event_id", sa.Uuid(), nullable=True),
        sa.Column("happened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("label", sa.String(), nullable=False),
        sa.Column("lead_in_ms", sa.Integer(), nullable=False),
        sa.Column("lead_out_ms", sa.Integer(), nullable=False),
        sa.Column("made_by_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        _of("bookmarks", "mat_id", "mats"),
        _of("bookmarks", "match_id", "matches", ondelete="SET NULL"),
        _of("bookmarks", "event_id", "match_events", ondelete="SET NULL"),
        _of("bookmarks", "made_by_id", "users", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_bookmarks"),
    )
    for column in ("mat_id", "match_id", "event_id"):
        _index("bookmarks", column, "happened_at", "id")


def _create_commands() -> None:
    op.create_table(
        "obs_commands",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("machine_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("match_id", sa.Uuid(), nullable=True),
        sa.Column("asked_by_id", sa.Uuid(), nullable=True),
        sa.Column("recording_id", sa.Uuid(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _of("obs_commands", "machine_id", "obs_machines"),
        _of("obs_commands", "match_id", "matches", ondelete="SET NULL"),
        _of("obs_commands", "asked_by_id", "users", ondelete="SET NULL"),
        _of("obs_commands", "recording_id", "recordings", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_obs_commands"),
        sa.UniqueConstraint("machine_id", "cause", name="uq_obs_commands_machine_id_cause"),
    )
    _index("obs_commands", "machine_id", "state", "due_at")
    _index("obs_commands", "machine_id", "created_at", "id")


def _of(table: str, column: str, other: str, *, ondelete: str = "CASCADE") -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}_{other}", ondelete=ondelete)


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
