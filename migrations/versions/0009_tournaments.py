"""Days and queues of tournaments, who speaks for a mat, and what a fight's log tells: points, penalties, challenges."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_OF_TOURNAMENTS = ("country_code", "starts_on", "ends_on", "state", "revision")
_OF_MATS = (
    "queue_revision",
    "sender_state",
    "last_sender",
    "last_received_at",
    "unreadable_count",
    "status_revision",
)
_NEW = (
    "unknown_messages",
    "event_types",
    "challenges",
    "penalties",
    "points",
    "round_sides",
    "planned_matches",
)


def upgrade() -> None:
    _grow_tournaments()
    _grow_mats()
    _grow_matches()
    op.add_column("rounds", sa.Column("superiority", sa.String(32), nullable=True))
    _create_queues()
    _create_round_sides()
    _create_facts()
    _create_counts()


def downgrade() -> None:
    for table in _NEW:
        op.drop_table(table)
    op.drop_column("rounds", "superiority")
    op.drop_index("ix_matches_tournament_id_loaded_at_id", "matches")
    op.drop_index("ix_matches_tournament_day_id_loaded_at_id", "matches")
    with op.batch_alter_table("matches") as matches:
        for column, other in (("tournament_day_id", "tournament_days"), ("tournament_id", "tournaments")):
            matches.drop_constraint(f"fk_matches_{column}_{other}", type_="foreignkey")
            matches.drop_column(column)
    for name in reversed(_OF_MATS):
        op.drop_column("mats", name)
    op.drop_table("tournament_days")
    for name in reversed(_OF_TOURNAMENTS):
        op.drop_column("tournaments", name)


def _grow_tournaments() -> None:
    op.add_column("tournaments", sa.Column("country_code", sa.String(), nullable=False, server_default=""))
    op.add_column("tournaments", sa.Column("starts_on", sa.Date(), nullable=True))
    op.add_column("tournaments", sa.Column("ends_on", sa.Date(), nullable=True))
    op.add_column("tournaments", sa.Column("state", sa.String(32), nullable=False, server_default="PENDING"))
    op.add_column("tournaments", sa.Column("revision", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.create_table(
        "tournament_days",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("tournament_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _key("tournament_days", "tournament_id", "tournaments", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_tournament_days"),
        sa.UniqueConstraint("tournament_id", "number", name="uq_tournament_days_tournament_id_number"),
        sa.UniqueConstraint("tournament_id", "held_on", name="uq_tournament_days_tournament_id_held_on"),
    )
    active = sa.text("state = 'ACTIVE'")
    op.create_index(
        "uq_tournament_days_active",
        "tournament_days",
        ["tournament_id"],
        unique=True,
        sqlite_where=active,
        postgresql_where=active,
    )


def _grow_mats() -> None:
    for name in ("queue_revision", "unreadable_count", "status_revision"):
        op.add_column("mats", sa.Column(name, sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column("mats", sa.Column("sender_state", sa.String(32), nullable=False, server_default="UNHEARD"))
    op.add_column("mats", sa.Column("last_sender", sa.String(), nullable=False, server_default=""))
    op.add_column("mats", sa.Column("last_received_at", sa.DateTime(timezone=True), nullable=True))


def _grow_matches() -> None:
    """Say of every fight which tournament it is of: that of its mat."""
    with op.batch_alter_table("matches") as matches:
        for column, other in (("tournament_id", "tournaments"), ("tournament_day_id", "tournament_days")):
            matches.add_column(sa.Column(column, sa.Uuid(), nullable=True))
            matches.create_foreign_key(f"fk_matches_{column}_{other}", other, [column], ["id"], ondelete="SET NULL")
    op.execute(
        "UPDATE matches SET tournament_id = (SELECT mats.tournament_id FROM mats WHERE mats.id = matches.mat_id)"
    )
    _index("matches", "tournament_id", "loaded_at", "id")
    _index("matches", "tournament_day_id", "loaded_at", "id")


def _create_queues() -> None:
    op.create_table(
        "planned_matches",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mat_id", sa.Uuid(), nullable=False),
        sa.Column("tournament_day_id", sa.Uuid(), nullable=True),
        sa.Column("match_id", sa.Uuid(), nullable=True),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("phase", sa.String(), nullable=False),
        sa.Column("weight", sa.String(), nullable=False),
        sa.Column("division", sa.String(), nullable=False),
        sa.Column("blue_athlete_id", sa.Uuid(), nullable=True),
        sa.Column("red_athlete_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _key("planned_matches", "mat_id", "mats", "CASCADE"),
        _key("planned_matches", "tournament_day_id", "tournament_days", "SET NULL"),
        _key("planned_matches", "match_id", "matches", "SET NULL"),
        _key("planned_matches", "blue_athlete_id", "athletes", "SET NULL"),
        _key("planned_matches", "red_athlete_id", "athletes", "SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_planned_matches"),
        sa.UniqueConstraint("match_id", name="uq_planned_matches_match_id"),
    )
    _index("planned_matches", "mat_id", "position", "id")
    for column in ("blue_athlete_id", "red_athlete_id", "tournament_day_id"):
        _index("planned_matches", column)


def _create_round_sides() -> None:
    counted = ("score", "punch_count", "body_count", "head_count", "turning_body_count", "turning_head_count")
    reported = ("punch", "body", "head", "fourth", "fifth", "gam_jeom")
    op.create_table(
        "round_sides",
        sa.Column("match_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("side", sa.String(32), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in (*counted, "gam_jeom_count")),
        *(sa.Column(f"reported_{name}_count", sa.Integer(), nullable=True) for name in reported),
        _key("round_sides", "match_id", "matches", "CASCADE"),
        sa.PrimaryKeyConstraint("match_id", "round", "side", name="pk_round_sides"),
    )


def _create_facts() -> None:
    op.create_table(
        "points",
        *_of_entry(),
        sa.Column("side", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        *_where(),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        *_keys_of_entry("points"),
        sa.UniqueConstraint("match_id", "seq", name="uq_points_match_id_seq"),
    )
    op.create_table(
        "penalties",
        *_of_entry(),
        sa.Column("side", sa.String(32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *_where(),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_back_seq", sa.Integer(), nullable=True),
        sa.Column("taken_back_at", sa.DateTime(timezone=True), nullable=True),
        *_keys_of_entry("penalties"),
        sa.UniqueConstraint("match_id", "seq", "side", "number", name="uq_penalties_match_id_seq_side_number"),
    )
    op.create_table(
        "challenges",
        *_of_entry(),
        sa.Column("side", sa.String(32), nullable=True),
        sa.Column("state", sa.String(32), nullable=False),
        *_where(),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("blue_score_before", sa.Integer(), nullable=False),
        sa.Column("red_score_before", sa.Integer(), nullable=False),
        sa.Column("blue_score_after", sa.Integer(), nullable=True),
        sa.Column("red_score_after", sa.Integer(), nullable=True),
        *_keys_of_entry("challenges"),
        sa.UniqueConstraint("match_id", "seq", name="uq_challenges_match_id_seq"),
    )
    for table in ("points", "penalties", "challenges"):
        _index(table, "event_id")


def _create_counts() -> None:
    op.create_table(
        "event_types",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mat_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        *_seen(),
        _key("event_types", "mat_id", "mats", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_event_types"),
        sa.UniqueConstraint("mat_id", "kind", "code", name="uq_event_types_mat_id_kind_code"),
    )
    op.create_table(
        "unknown_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mat_id", sa.Uuid(), nullable=False),
        sa.Column("pattern", sa.String(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=True),
        *_seen(),
        _key("unknown_messages", "mat_id", "mats", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_unknown_messages"),
        sa.UniqueConstraint("mat_id", "pattern", name="uq_unknown_messages_mat_id_pattern"),
    )
    _index("unknown_messages", "mat_id", "last_seen_at", "id")


def _of_entry() -> list[sa.Column[object]]:
    return [
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("match_id", sa.Uuid(), nullable=False),
        sa.Column("event_id", sa.Uuid(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
    ]


def _where() -> list[sa.Column[object]]:
    return [sa.Column("round", sa.Integer(), nullable=False), sa.Column("clock_ms", sa.Integer(), nullable=False)]


def _seen() -> list[sa.Column[object]]:
    return [
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=False),
    ]


def _keys_of_entry(table: str) -> list[sa.Constraint]:
    return [
        _key(table, "match_id", "matches", "CASCADE"),
        _key(table, "event_id", "match_events", "CASCADE"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{table}"),
    ]


def _key(table: str, column: str, other: str, ondelete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{other}.id"], name=f"fk_{table}_{column}_{other}", ondelete=ondelete)


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
