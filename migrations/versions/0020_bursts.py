"""Which happening each entry of a log is of, and when it came by a clock that nobody sets."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("match_events", sa.Column("burst_seq", sa.Integer(), nullable=True))
    op.add_column("match_events", sa.Column("received_monotonic_ns", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("match_events", "received_monotonic_ns")
    op.drop_column("match_events", "burst_seq")
