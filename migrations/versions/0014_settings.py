"""Settings: a row for each key, and what it was before."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "settings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("category", sa.String(32), nullable=False),
        sa.Column("usual", sa.String(), nullable=False),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("secret", sa.String(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("changed_by_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["changed_by_id"], ["users.id"], name="fk_settings_changed_by_id_users", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_settings"),
        sa.UniqueConstraint("key", name="uq_settings_key"),
    )
    op.create_table(
        "setting_changes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("setting_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("old_value", sa.String(), nullable=True),
        sa.Column("new_value", sa.String(), nullable=True),
        sa.Column("was_set", sa.Boolean(), nullable=False),
        sa.Column("is_set", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by_id", sa.Uuid(), nullable=True),
        sa.ForeignKeyConstraint(
            ["changed_by_id"], ["users.id"], name="fk_setting_changes_changed_by_id_users", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["setting_id"], ["settings.id"], name="fk_setting_changes_setting_id_settings", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_setting_changes"),
        sa.UniqueConstraint("setting_id", "revision", name="uq_setting_changes_setting_id_revision"),
    )
    op.create_index("ix_setting_changes_changed_at", "setting_changes", ["changed_at"])


def downgrade() -> None:
    op.drop_table("setting_changes")
    op.drop_table("settings")
