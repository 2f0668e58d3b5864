"""What is stored of a competition: its mats and fights, the log of each mat, and the scoreboard it folds to."""

from datetime import date
from typing import Any

from sqlalchemy import BigInteger, Date, Index, LargeBinary, UniqueConstraint, text

from db.base import UUID, Base, Field, JSONColumn, Stored, datetime, enum_type
from db.matches.vocabulary import (
    ChallengeState,
    MatchEventKind,
    MatchState,
    Outcome,
    PointKind,
    RejectionReason,
    SenderState,
    Side,
    TournamentState,
)


class Tournament(Stored, table=True):
    """A competition."""

    __tablename__ = "tournaments"

    name: str = Field(unique=True)
    city: str = ""
    country_code: str = ""
    starts_on: date | None = Field(default=None, sa_type=Date)
    ends_on: date | None = Field(default=None, sa_type=Date)
    state: TournamentState = Field(default=TournamentState.PENDING, sa_type=enum_type(TournamentState))
    # Raised by one whenever any of it changes, its days apart.
    revision: int = 0
    created_at: datetime
    # Of its logo, if it has one.
    logo_checksum: str | None = None


class TournamentLogo(Base, table=True):
    """The logo of a competition. It stands alone, so that a competition is read without it."""

    __tablename__ = "tournament_logos"

    tournament_id: UUID = Field(foreign_key="tournaments.id", ondelete="CASCADE", primary_key=True)
    content_type: str
    checksum: str
    content: bytes = Field(sa_type=LargeBinary)


_IS_ACTIVE = text("state = 'ACTIVE'")


class TournamentDay(Stored, table=True):
    """A day of a competition. One of them is active at a time."""

    __tablename__ = "tournament_days"
    __table_args__ = (
        UniqueConstraint("tournament_id", "number"),
        UniqueConstraint("tournament_id", "held_on"),
        Index(
            "uq_tournament_days_active",
            "tournament_id",
            unique=True,
            sqlite_where=_IS_ACTIVE,
            postgresql_where=_IS_ACTIVE,
        ),
    )

    tournament_id: UUID = Field(foreign_key="tournaments.id", ondelete="CASCADE")
    number: int
    held_on: date = Field(sa_type=Date)
    state: TournamentState = Field(default=TournamentState.PENDING, sa_type=enum_type(TournamentState))
    revision: int = 0
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
    # Raised by one whenever its queue changes. Whoever changes a queue raises it first, and so is alone with it.
    queue_revision: int = 0
    sender_state: SenderState = Field(default=SenderState.UNHEARD, sa_type=enum_type(SenderState))
    last_sender: str = ""
    last_received_at: datetime | None = None
    unreadable_count: int = 0
    # Raised by one whenever the sender's state or the count of unreadable messages changes.
    status_revision: int = 0
    created_at: datetime


class Match(Stored, table=True):
    """A fight: one row for each time one was loaded on a mat."""

    __tablename__ = "matches"
    __table_args__ = (
        UniqueConstraint("mat_id", "begun_seq"),
        Index(None, "loaded_at", "id"),
        Index(None, "mat_id", "loaded_at", "id"),
        Index(None, "tournament_id", "loaded_at", "id"),
        Index(None, "tournament_day_id", "loaded_at", "id"),
    )

    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE")
    # What its mat belonged to, and which day was active, when it was loaded.
    tournament_id: UUID | None = Field(default=None, foreign_key="tournaments.id", ondelete="SET NULL")
    tournament_day_id: UUID | None = Field(default=None, foreign_key="tournament_days.id", ondelete="SET NULL")
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


class PlannedMatch(Stored, table=True):
    """A fight that is to come, in the queue of a mat. With a match it is on that mat, or was fought there."""

    __tablename__ = "planned_matches"
    __table_args__ = (
        UniqueConstraint("match_id"),
        Index(None, "mat_id", "position", "id"),
        Index(None, "blue_athlete_id"),
        Index(None, "red_athlete_id"),
        Index(None, "tournament_day_id"),
    )

    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE")
    tournament_day_id: UUID | None = Field(default=None, foreign_key="tournament_days.id", ondelete="SET NULL")
    # Of the last load that took it; none while it waits.
    match_id: UUID | None = Field(default=None, foreign_key="matches.id", ondelete="SET NULL")
    position: int = Field(sa_type=BigInteger)
    number: str
    phase: str = ""
    weight: str = ""
    division: str = ""
    blue_athlete_id: UUID | None = Field(default=None, foreign_key="athletes.id", ondelete="SET NULL")
    red_athlete_id: UUID | None = Field(default=None, foreign_key="athletes.id", ondelete="SET NULL")
    revision: int = 0
    created_at: datetime


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
    # Who was ahead on criteria when the winner was said.
    superiority: Side | None = Field(default=None, sa_type=enum_type(Side))
    # The scoring program's own counts say something else than ours.
    has_statistics_conflict: bool = False
    started_at: datetime | None = None
    ended_at: datetime | None = None


class RoundSide(Base, table=True):
    """What one side did in one round, by kind: as we counted, and as the scoring program reports (None until then)."""

    __tablename__ = "round_sides"

    match_id: UUID = Field(foreign_key="matches.id", ondelete="CASCADE", primary_key=True)
    round: int = Field(primary_key=True)
    side: Side = Field(sa_type=enum_type(Side), primary_key=True)
    score: int = 0
    punch_count: int = 0
    body_count: int = 0
    head_count: int = 0
    turning_body_count: int = 0
    turning_head_count: int = 0
    gam_jeom_count: int = 0
    reported_punch_count: int | None = None
    reported_body_count: int | None = None
    reported_head_count: int | None = None
    # The two figures of which nobody has said what they are.
    reported_fourth_count: int | None = None
    reported_fifth_count: int | None = None
    reported_gam_jeom_count: int | None = None


class Point(Stored, table=True):
    """A point that was given, or several at once: as many as its kind is worth."""

    __tablename__ = "points"
    __table_args__ = (UniqueConstraint("match_id", "seq"), Index(None, "event_id"))

    match_id: UUID = Field(foreign_key="matches.id", ondelete="CASCADE")
    event_id: UUID = Field(foreign_key="match_events.id", ondelete="CASCADE")
    seq: int
    side: Side = Field(sa_type=enum_type(Side))
    kind: PointKind = Field(sa_type=enum_type(PointKind))
    round: int
    clock_ms: int
    given_at: datetime


class Penalty(Stored, table=True):
    """A gam-jeom: the `number`th of its side in its round. It is taken back when a lower count is said."""

    __tablename__ = "penalties"
    __table_args__ = (UniqueConstraint("match_id", "seq", "side", "number"), Index(None, "event_id"))

    match_id: UUID = Field(foreign_key="matches.id", ondelete="CASCADE")
    event_id: UUID = Field(foreign_key="match_events.id", ondelete="CASCADE")
    seq: int
    side: Side = Field(sa_type=enum_type(Side))
    number: int
    round: int
    clock_ms: int
    given_at: datetime
    taken_back_seq: int | None = None
    taken_back_at: datetime | None = None


class Challenge(Stored, table=True):
    """A video challenge, from the asking to the outcome. No side: the referee's."""

    __tablename__ = "challenges"
    __table_args__ = (UniqueConstraint("match_id", "seq"), Index(None, "event_id"))

    match_id: UUID = Field(foreign_key="matches.id", ondelete="CASCADE")
    # The entry it began with.
    event_id: UUID = Field(foreign_key="match_events.id", ondelete="CASCADE")
    seq: int
    side: Side | None = Field(default=None, sa_type=enum_type(Side))
    state: ChallengeState = Field(sa_type=enum_type(ChallengeState))
    round: int
    clock_ms: int
    asked_at: datetime
    answered_at: datetime | None = None
    decided_at: datetime | None = None
    blue_score_before: int
    red_score_before: int
    blue_score_after: int | None = None
    red_score_after: int | None = None


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
    # The number of the entry that began the burst it is of: what tells of one happening has the same.
    burst_seq: int | None = None
    # When it was received, by the clock of that machine that nobody sets; none for operators.
    received_monotonic_ns: int | None = Field(default=None, sa_type=BigInteger)


class EventType(Stored, table=True):
    """How often a mat's log holds messages of one kind with one code."""

    __tablename__ = "event_types"
    __table_args__ = (UniqueConstraint("mat_id", "kind", "code"),)

    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE")
    kind: MatchEventKind = Field(sa_type=enum_type(MatchEventKind))
    code: str
    count: int = 0
    first_seen_at: datetime
    last_seen_at: datetime


class UnknownMessage(Stored, table=True):
    """Messages of a mat that had no effect because nobody knows their code or can read them, those alike together."""

    __tablename__ = "unknown_messages"
    __table_args__ = (
        UniqueConstraint("mat_id", "pattern"),
        Index(None, "mat_id", "last_seen_at", "id"),
    )

    mat_id: UUID = Field(foreign_key="mats.id", ondelete="CASCADE")
    # The message, each run of digits in it shown as `#`.
    pattern: str
    reason: RejectionReason | None = Field(default=None, sa_type=enum_type(RejectionReason))
    count: int = 0
    first_seen_at: datetime
    last_seen_at: datetime


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
