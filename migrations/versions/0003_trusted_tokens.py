"""Tokens that run trusted documents and no others."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Those that were made before run whatever they are asked to, as they did.
    op.add_column("tokens", sa.Column("is_trusted_only", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    op.drop_column("tokens", "is_trusted_only")
