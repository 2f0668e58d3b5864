"""What is stored of a competition: its mats and fights, the log of each mat, and the scoreboard it folds to."""

from typing import Any

from sqlalchemy import Index, LargeBinary, UniqueConstraint, text

from db.base import UUID, Base, Field, JSONColumn, Stored, datetime, enum_type
from db.matches.vocabulary import MatchEventKind, MatchState, Outcome, RejectionReason, Side


class Tournament(Stored, table=True):
    """A competition."""

    __tablename__ = "tournaments"

    name: str = Field(unique=True)
    city: str = ""
    created_at: datetime


class Mat(Stored, table=True):
    """A court: one scoring program speaks for it."""

    __tablename__ = "mats"
    __table_args__ = (
        UniqueConstraint("tournament_id", "name"),
        # A constraint takes two nulls for different: those without a tournament need an index of their own.
        Index(
            "uq_mats_name_without_tournament",
            "name",
            unique=True,
            sqlite_where=text("tournament_id IS NULL"),
            postgresql_where=text("tournament_id IS NULL"),
        ),
    )

    tournament_id: UUID | None = Field(default=None, foreign_key="tournaments.id", ondelete="SET NULL")
    name: str
    # Kept by the transaction that begins a match. No foreign key: the match points back at its mat.
    current_match_id: UUID | None = None
    # The last number given out in the mat's log.
    last_seq: int = 0
    created_at: datetime


class Match(Stored, table=True):
    """A fight: one row for each time one was loaded on a mat."""

    __tablename__ = "matches"
    __table_args__ = (
        UniqueConstraint("mat_id", "begun_seq"),
        Index(None, "loaded_at", "id"),
        Index(None, "mat_id", "loaded_at", "id"),
    )

    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE")
    # The log entry that began it. Numbers on the wire repeat; this does not.
    begun_seq: int
    state: MatchState = Field(sa_type=enum_type(MatchState))
    number: str = ""
    phase: str = ""
    weight: str = ""
    division: str = ""
    round_count: int | None = None
    round_seconds: int | None = None
    outcome: Outcome | None = Field(default=None, sa_type=enum_type(Outcome))
    winner_name: str = ""
    round_score: str = ""
    result_code: str = ""
    has_result_conflict: bool = False
    loaded_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None


class Athlete(Stored, table=True):
    """A person who fights. The wire has no athlete numbers: a name and a country are who somebody is."""

    __tablename__ = "athletes"
    __table_args__ = (UniqueConstraint("name", "country_code"),)

    name: str
    short_name: str
    country_code: str = ""


class MatchSide(Stored, table=True):
    """One of the two sides of a fight."""

    __tablename__ = "match_sides"
    __table_args__ = (UniqueConstraint("match_id", "side"), Index(None, "athlete_id", "id"))

    match_id: UUID = Field(foreign_key="matches.id", ondelete="CASCADE")
    side: Side = Field(sa_type=enum_type(Side))
    athlete_id: UUID | None = Field(default=None, foreign_key="athletes.id", ondelete="SET NULL")
    background: str = ""
    foreground: str = ""
    score: int = 0
    gam_jeom_count: int = 0
    rounds_won: int = 0


class Round(Stored, table=True):
    """One round of a fight, as far as it went."""

    __tablename__ = "rounds"
    __table_args__ = (UniqueConstraint("match_id", "number"),)

    match_id: UUID = Field(foreign_key="matches.id", ondelete="CASCADE")
    number: int
    blue_score: int = 0
    red_score: int = 0
    blue_gam_jeom_count: int = 0
    red_gam_jeom_count: int = 0
    winner: Side | None = Field(default=None, sa_type=enum_type(Side))
    # The scoring program's own counts say something else than ours.
    has_statistics_conflict: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None


class MatchEvent(Stored, table=True):
    """One entry of a mat's log: append-only, the truth that all else is folded from."""

    __tablename__ = "match_events"
    __table_args__ = (
        UniqueConstraint("mat_id", "seq"),
        Index(None, "match_id", "seq"),
        Index(
            "ix_match_events_by_hand",
            "match_id",
            "made_by_id",
            "seq",
            sqlite_where=text("made_by_id IS NOT NULL"),
            postgresql_where=text("made_by_id IS NOT NULL"),
        ),
    )

    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE")
    seq: int
    match_id: UUID | None = Field(default=None, foreign_key="matches.id", ondelete="CASCADE")
    received_at: datetime
    sender: str
    raw: bytes = Field(sa_type=LargeBinary)
    kind: MatchEventKind = Field(sa_type=enum_type(MatchEventKind))
    side: Side | None = Field(default=None, sa_type=enum_type(Side))
    points: int | None = None
    # Where the fight stood when this came.
    round: int | None = None
    clock_ms: int | None = None
    is_valid: bool = True
    reason: RejectionReason | None = Field(default=None, sa_type=enum_type(RejectionReason))
    # What the parser read, so that a fold needs no parser.
    record: dict[str, Any] = Field(sa_type=JSONColumn)
    # The operator who said it, and why; none for the wire. No foreign key: the entry stays, whoever goes.
    made_by_id: UUID | None = None
    why: str = Field(default="", sa_column_kwargs={"server_default": ""})
    # The entry that this one takes back, and the one in force that took this back. The second is worked out from the
    # log. No foreign keys: an entry goes only with its whole mat.
    voids_id: UUID | None = None
    voided_by_id: UUID | None = None


class Scoreboard(Base, table=True):
    """What an overlay shows of a fight, and the fold it was taken from."""

    __tablename__ = "scoreboards"

    match_id: UUID = Field(foreign_key="matches.id", ondelete="CASCADE", primary_key=True)
    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE", index=True)
    # The last log entry that is in `fold`.
    seq: int
    fold: dict[str, Any] = Field(sa_type=JSONColumn)
    # What is shown: the fold as it stood when the last burst was complete.
    board: dict[str, Any] = Field(sa_type=JSONColumn)
    # Raised by one whenever `board` changes.
    revision: int
    changed_at: datetime
