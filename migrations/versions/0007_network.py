"""UDP listeners, the times they listened, and who sent to them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "udp_listeners",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("mat_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("allowed_senders", sa.JSON(), nullable=False),
        sa.Column("largest_packet", sa.Integer(), nullable=False),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("current_session_id", sa.Uuid(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=False),
        sa.Column("last_error_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["mat_id"], ["mats.id"], name="fk_udp_listeners_mat_id_mats", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_udp_listeners"),
        sa.UniqueConstraint("name", name="uq_udp_listeners_name"),
    )
    op.create_index("ix_udp_listeners_mat_id_id", "udp_listeners", ["mat_id", "id"])
    _create_sessions()
    _create_senders()


def downgrade() -> None:
    for table in ("listener_senders", "listener_sessions", "udp_listeners"):
        op.drop_table(table)


def _create_sessions() -> None:
    op.create_table(
        "listener_sessions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("listener_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("packet_count", sa.BigInteger(), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.Column("message_count", sa.BigInteger(), nullable=False),
        sa.Column("unreadable_count", sa.BigInteger(), nullable=False),
        sa.Column("oversize_count", sa.BigInteger(), nullable=False),
        sa.Column("dropped_count", sa.BigInteger(), nullable=False),
        sa.Column("refused_count", sa.BigInteger(), nullable=False),
        sa.Column("smallest_packet", sa.Integer(), nullable=True),
        sa.Column("largest_packet", sa.Integer(), nullable=True),
        sa.Column("error", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["listener_id"],
            ["udp_listeners.id"],
            name="fk_listener_sessions_listener_id_udp_listeners",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_listener_sessions"),
    )
    op.create_index(
        "ix_listener_sessions_listener_id_started_at_id", "listener_sessions", ["listener_id", "started_at", "id"]
    )
    op.create_index("ix_listener_sessions_state", "listener_sessions", ["state"])


def _create_senders() -> None:
    op.create_table(
        "listener_senders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("is_refused", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("packet_count", sa.BigInteger(), nullable=False),
        sa.Column("byte_count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"],
            ["listener_sessions.id"],
            name="fk_listener_senders_session_id_listener_sessions",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_listener_senders"),
        sa.UniqueConstraint("session_id", "address", "port", name="uq_listener_senders_session_id_address_port"),
    )
    op.create_index(
        "ix_listener_senders_session_id_first_seen_at_id", "listener_senders", ["session_id", "first_seen_at", "id"]
    )
