"""The logo of a tournament, for overlays."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("tournaments", sa.Column("logo_checksum", sa.String(), nullable=True))
    op.create_table(
        "tournament_logos",
        sa.Column("tournament_id", sa.Uuid(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("checksum", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tournament_id"],
            ["tournaments.id"],
            name="fk_tournament_logos_tournament_id_tournaments",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("tournament_id", name="pk_tournament_logos"),
    )


def downgrade() -> None:
    op.drop_table("tournament_logos")
    op.drop_column("tournaments", "logo_checksum")
