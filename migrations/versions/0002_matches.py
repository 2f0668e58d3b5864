"""Tournaments, mats and fights, the log of each mat, and the scoreboards it folds to."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _create_places()
    _create_matches()
    _create_sides_and_rounds()
    _create_log()


def downgrade() -> None:
    for table in ("scoreboards", "match_events", "rounds", "match_sides", "matches", "athletes", "mats", "tournaments"):
        op.drop_table(table)


def _create_places() -> None:
    op.create_table(
        "tournaments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("city", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tournaments"),
        sa.UniqueConstraint("name", name="uq_tournaments_name"),
    )
    op.create_table(
        "mats",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tournament_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("current_match_id", sa.Uuid(), nullable=True),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["tournament_id"], ["tournaments.id"], name="fk_mats_tournament_id_tournaments", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_mats"),
        sa.UniqueConstraint("tournament_id", "name", name="uq_mats_tournament_id_name"),
    )
    alone = sa.text("tournament_id IS NULL")
    op.create_index(
        "uq_mats_name_without_tournament", "mats", ["name"], unique=True, sqlite_where=alone, postgresql_where=alone
    )
    op.create_table(
        "athletes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("short_name", sa.String(), nullable=False),
        sa.Column("country_code", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_athletes"),
        sa.UniqueConstraint("name", "country_code", name="uq_athletes_name_country_code"),
    )


def _create_matches() -> None:
    op.create_table(
        "matches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mat_id", sa.Uuid(), nullable=False),
        sa.Column("begun_seq", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("weight", sa.String(), nullable=False),
        sa.Column("division", sa.String(), nullable=False),
        sa.Column("round_count", sa.Integer(), nullable=True),
        sa.Column("round_seconds", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(32), nullable=True),
        sa.Column("winner_name", sa.String(), nullable=False),
        sa.Column("round_score", sa.String(), nullable=False),
        sa.Column("result_code", sa.String(), nullable=False),
        sa.Column("has_result_conflict", sa.Boolean(), nullable=False),
        sa.Column("loaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["mat_id"], ["mats.id"], name="fk_matches_mat_id_mats", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_matches"),
        sa.UniqueConstraint("mat_id", "begun_seq", name="uq_matches_mat_id_begun_seq"),
    )
    op.create_index("ix_matches_loaded_at_id", "matches", ["loaded_at", "id"])
    op.create_index("ix_matches_mat_id_loaded_at_id", "matches", ["mat_id", "loaded_at", "id"])


def _create_sides_and_rounds() -> None:
    op.create_table(
        "match_sides",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("match_id", sa.Uuid(), nullable=False),
        sa.Column("side", sa.String(32), nullable=False),
        sa.Column("athlete_id", sa.Uuid(), nullable=True),
        sa.Column("background", sa.String(), nullable=False),
        sa.Column("foreground", sa.String(), nullable=False),
        sa.Column("score", sa.Integer(), nullable=False),
        sa.Column("gam_jeom_count", sa.Integer(), nullable=False),
        sa.Column("rounds_won", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["athlete_id"], ["athletes.id"], name="fk_match_sides_athlete_id_athletes", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["match_id"], ["matches.id"], name="fk_match_sides_match_id_matches", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_match_sides"),
        sa.UniqueConstraint("match_id", "side", name="uq_match_sides_match_id_side"),
    )
    op.create_index("ix_match_sides_athlete_id_id", "match_sides", ["athlete_id", "id"])
    op.create_table(
        "rounds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("match_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("blue_score", sa.Integer(), nullable=False),
        sa.Column("red_score", sa.Integer(), nullable=False),
        sa.Column("blue_gam_jeom_count", sa.Integer(), nullable=False),
        sa.Column("red_gam_jeom_count", sa.Integer(), nullable=False),
        sa.Column("winner", sa.String(32), nullable=True),
        sa.Column("has_statistics_conflict", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["match_id"], ["matches.id"], name="fk_rounds_match_id_matches", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_rounds"),
        sa.UniqueConstraint("match_id", "number", name="uq_rounds_match_id_number"),
    )


def _create_log() -> None:
    op.create_table(
        "match_events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mat_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("match_id", sa.Uuid(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sender", sa.String(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("side", sa.String(32), nullable=True),
        sa.Column("points", sa.Integer(), nullable=True),
        sa.Column("round", sa.Integer(), nullable=True),
        sa.Column("clock_ms", sa.Integer(), nullable=True),
        sa.Column("is_valid", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=True),
        sa.Column("record", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["mat_id"], ["mats.id"], name="fk_match_events_mat_id_mats", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["match_id"], ["matches.id"], name="fk_match_events_match_id_matches", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_match_events"),
        sa.UniqueConstraint("mat_id", "seq", name="uq_match_events_mat_id_seq"),
    )
    op.create_index("ix_match_events_match_id_seq", "match_events", ["match_id", "seq"])
    op.create_table(
        "scoreboards",
        sa.Column("match_id", sa.Uuid(), nullable=False),
        sa.Column("mat_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("fold", sa.JSON(), nullable=False),
        sa.Column("board", sa.JSON(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["mat_id"], ["mats.id"], name="fk_scoreboards_mat_id_mats", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["match_id"], ["matches.id"], name="fk_scoreboards_match_id_matches", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("match_id", name="pk_scoreboards"),
    )
    op.create_index("ix_scoreboards_mat_id", "scoreboards", ["mat_id"])
