"""What operators say: who said an entry of the log, why, and what it takes back."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # All that was logged before came over the wire.
    op.add_column("match_events", sa.Column("made_by_id", sa.Uuid(), nullable=True))
    op.add_column("match_events", sa.Column("why", sa.String(), nullable=False, server_default=""))
    op.add_column("match_events", sa.Column("voids_id", sa.Uuid(), nullable=True))
    op.add_column("match_events", sa.Column("voided_by_id", sa.Uuid(), nullable=True))
    by_hand = sa.text("made_by_id IS NOT NULL")
    op.create_index(
        "ix_match_events_by_hand",
        "match_events",
        ["match_id", "made_by_id", "seq"],
        sqlite_where=by_hand,
        postgresql_where=by_hand,
    )


def downgrade() -> None:
    op.drop_index("ix_match_events_by_hand", table_name="match_events")
    for name in ("voided_by_id", "voids_id", "why", "made_by_id"):
        op.drop_column("match_events", name)
