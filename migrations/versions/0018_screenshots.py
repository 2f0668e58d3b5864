"""Pictures that are taken: whose they are, of what, by whom they are held, and those that belong to no execution."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_WAITING = sa.text("next_attempt_at IS NOT NULL")
_SHOWN = sa.text("sha256 <> ''")
_TAKEN_OVER = ("owner_id", "account_id", "post_id")
_EXECUTIONS = sa.table("executions", sa.column("id"), *(sa.column(name) for name in _TAKEN_OVER))
_SCREENSHOTS = sa.table("screenshots", sa.column("execution_id"), *(sa.column(name) for name in _TAKEN_OVER))


def upgrade() -> None:
    with op.batch_alter_table("screenshots") as screenshots:
        screenshots.alter_column("execution_id", existing_type=sa.Uuid(), nullable=True)
        for column in (
            # A server of the version before, which may still be at work, says neither this nor the revision.
            sa.Column("owner_id", sa.Uuid(), nullable=True),
            sa.Column("account_id", sa.Uuid(), nullable=True),
            sa.Column("post_id", sa.Uuid(), nullable=True),
            sa.Column("lease_id", sa.Uuid(), nullable=True),
            sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
            sa.Column("revision", sa.Integer(), nullable=False, server_default="0"),
        ):
            screenshots.add_column(column)
    # What was asked for before is of whoever the execution is of.
    of_execution = {
        name: sa.select(_EXECUTIONS.c[name]).where(_EXECUTIONS.c.id == _SCREENSHOTS.c.execution_id).scalar_subquery()
        for name in _TAKEN_OVER
    }
    op.execute(_SCREENSHOTS.update().values(of_execution))
    with op.batch_alter_table("screenshots") as screenshots:
        for name, table, when_deleted in (
            ("owner_id", "users", "CASCADE"),
            ("account_id", "accounts", "SET NULL"),
            ("post_id", "posts", "SET NULL"),
        ):
            screenshots.create_foreign_key(
                f"fk_screenshots_{name}_{table}", table, [name], ["id"], ondelete=when_deleted
            )
    op.create_index("ix_screenshots_owner_id_created_at_id", "screenshots", ["owner_id", "created_at", "id"])
    op.create_index("ix_screenshots_account_id_created_at_id", "screenshots", ["account_id", "created_at", "id"])
    op.create_index("ix_screenshots_post_id", "screenshots", ["post_id"])
    op.create_index("ix_screenshots_created_at", "screenshots", ["created_at"])
    op.create_index(
        "ix_screenshots_next_attempt_at",
        "screenshots",
        ["next_attempt_at"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index("ix_screenshots_sha256", "screenshots", ["sha256"], sqlite_where=_SHOWN, postgresql_where=_SHOWN)


def downgrade() -> None:
    for name in (
        "sha256",
        "next_attempt_at",
        "created_at",
        "post_id",
        "account_id_created_at_id",
        "owner_id_created_at_id",
    ):
        op.drop_index(f"ix_screenshots_{name}", table_name="screenshots")
    # There was no place for those of no execution.
    op.execute("DELETE FROM screenshots WHERE execution_id IS NULL")
    with op.batch_alter_table("screenshots") as screenshots:
        for name, table in (("owner_id", "users"), ("account_id", "accounts"), ("post_id", "posts")):
            screenshots.drop_constraint(f"fk_screenshots_{name}_{table}", type_="foreignkey")
        for name in ("owner_id", "account_id", "post_id", "lease_id", "lease_until", "revision"):
            screenshots.drop_column(name)
        screenshots.alter_column("execution_id", existing_type=sa.Uuid(), nullable=False)
