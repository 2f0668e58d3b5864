"""Flags: the codes of countries, images of flags, and how each was recognised."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_CODES = Path(__file__).parents[1] / "data" / "flag_mappings.csv"
_WRITTEN_AT = datetime(2026, 11, 21, tzinfo=UTC)


def upgrade() -> None:
    mappings = _create_mappings()
    _create_flags()
    op.bulk_insert(mappings, _known())


def downgrade() -> None:
    for table in ("recognition_attempts", "flag_images", "flags", "flag_mappings"):
        op.drop_table(table)


def _known() -> list[dict[str, object]]:
    with _CODES.open(encoding="utf-8", newline="") as file:
        return [
            {
                **row,
                "id": uuid5(NAMESPACE_URL, f"ringside:flag_mappings:{row['pss_code']}"),
                "other_names": [name for name in row["other_names"].split("|") if name],
                "is_custom": False,
                "created_at": _WRITTEN_AT,
                "updated_at": _WRITTEN_AT,
            }
            for row in csv.DictReader(file)
        ]


def _create_mappings() -> sa.Table:
    table = op.create_table(
        "flag_mappings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("pss_code", sa.String(), nullable=False),
        sa.Column("ioc_code", sa.String(), nullable=False),
        sa.Column("iso_code", sa.String(), nullable=False),
        sa.Column("country_name", sa.String(), nullable=False),
        sa.Column("other_names", sa.JSON(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("note", sa.String(), nullable=False),
        sa.Column("is_custom", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flag_mappings"),
        sa.UniqueConstraint("pss_code", name="uq_flag_mappings_pss_code"),
    )
    op.create_index("ix_flag_mappings_ioc_code_pss_code", "flag_mappings", ["ioc_code", "pss_code"])
    return table


def _create_flags() -> None:
    op.create_table(
        "flags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("ioc_code", sa.String(), nullable=True),
        sa.Column("code", sa.String(), nullable=True),
        sa.Column("country_name", sa.String(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("content_type", sa.String(), nullable=False),
        sa.Column("byte_count", sa.Integer(), nullable=False),
        sa.Column("checksum", sa.String(), nullable=False),
        sa.Column("modified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_flags"),
        sa.UniqueConstraint("file_name", name="uq_flags_file_name"),
        sa.UniqueConstraint("code", name="uq_flags_code"),
    )
    op.create_index("ix_flags_ioc_code", "flags", ["ioc_code"])
    op.create_table(
        "flag_images",
        sa.Column("flag_id", sa.Uuid(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["flag_id"], ["flags.id"], name="fk_flag_images_flag_id_flags", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("flag_id", name="pk_flag_images"),
    )
    op.create_table(
        "recognition_attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("flag_id", sa.Uuid(), nullable=False),
        sa.Column("method", sa.String(32), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("recognized_as", sa.String(), nullable=True),
        sa.Column("attempted_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["flag_id"], ["flags.id"], name="fk_recognition_attempts_flag_id_flags", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_recognition_attempts"),
    )
    op.create_index(
        "ix_recognition_attempts_flag_id_attempted_at_id", "recognition_attempts", ["flag_id", "attempted_at", "id"]
    )
