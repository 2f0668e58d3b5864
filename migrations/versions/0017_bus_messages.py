"""What processes on one PostgreSQL tell each other: nothing of the kind on SQLite, where there is one process."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.create_table(
        "bus_messages",
        sa.Column("number", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        # The transaction that wrote it.
        sa.Column("xid", sa.BigInteger(), server_default=sa.text("pg_current_xact_id()::TEXT::BIGINT"), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("xid", "number", name="pk_bus_messages"),
        # Kept for minutes. When the server crashes it is empty, and whoever listened reads everything anew.
        prefixes=["UNLOGGED"],
    )
    op.create_index("ix_bus_messages_sent_at", "bus_messages", ["sent_at"])


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.drop_table("bus_messages")
