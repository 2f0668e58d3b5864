"""What an operator may say of a fight by hand, one frozen class each: entries of the same log as the wire's messages.

There are two sorts. A change (points, gam-jeoms) stays on top of whatever the scoring program says afterwards, until
it is taken back. A level (a score, a round, the clock, a winner) holds until another is said, by whomever.
"""

from dataclasses import dataclass
from typing import ClassVar

from db.matches.message import Message
from db.matches.vocabulary import ChallengeState, MatchEventKind, Outcome, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction(Message):
    """Anything that an operator says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedByHand(Correction):
    """A fight was put on the mat: who fights and how. It begins a match, whole."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.LOADED_BY_HAND

    number: str
    phase: str
    weight: str
    division: str
    round_count: int
    round_seconds: int
    blue_short_name: str
    blue_long_name: str
    blue_country_code: str
    blue_background: str | None
    blue_foreground: str | None
    red_short_name: str
    red_long_name: str
    red_country_code: str
    red_background: str | None
    red_foreground: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsCorrection(Correction):
    """Points of one kind for a side in a round: 1 punch, 2 body, 3 head, 4 turning kick to the body, 5 to the head."""

    SIGN: ClassVar[int]

    side: Side
    value: int
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsAwarded(PointsCorrection):
    """Points were given."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.POINTS_AWARDED
    SIGN: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PointsTakenBack(PointsCorrection):
    """Points were taken."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.POINTS_TAKEN_BACK
    SIGN: ClassVar[int] = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class GamJeomCorrection(Correction):
    """A penalty of a side in a round, which is a point for the other."""

    SIGN: ClassVar[int]

    side: Side
    round: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GamJeomGiven(GamJeomCorrection):
    """A penalty was given."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.GAM_JEOM_GIVEN
    SIGN: ClassVar[int] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GamJeomTakenBack(GamJeomCorrection):
    """A penalty was taken back, with the other side's point."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.GAM_JEOM_TAKEN_BACK
    SIGN: ClassVar[int] = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreSet(Correction):
    """The score of a round; None for a side that it leaves alone."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.SCORE_SET

    round: int
    blue: int | None
    red: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundSet(Correction):
    """The current round."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.ROUND_SET

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundDecided(Correction):
    """Who won a round, which is over with that; None for nobody yet, which it is not."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.ROUND_DECIDED

    round: int
    winner: Side | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockSet(Correction):
    """What remains on the clock, whether it stands or runs."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.CLOCK_SET

    remaining_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStarted(Correction):
    """The clock runs, from where it stood if nothing else is said."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.CLOCK_STARTED

    remaining_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStopped(Correction):
    """The clock stands, where it had come to if nothing else is said."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.CLOCK_STOPPED

    remaining_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeDecided(Correction):
    """How far a video challenge has come; no side means the referee."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.CHALLENGE_DECIDED

    side: Side | None
    state: ChallengeState


@dataclass(frozen=True, slots=True, kw_only=True)
class WinnerDeclared(Correction):
    """The winner, with his name, the rounds won and a code, as they are to be announced."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.WINNER_DECLARED

    outcome: Outcome
    winner_name: str
    round_score: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Voiding(Correction):
    """An entry of the same fight is taken back: while this is in force, it is as if that had never been said."""

    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryVoided(Voiding):
    """An operator named the entry."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.ENTRY_VOIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Undone(Voiding):
    """It was the operator's own last correction."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.UNDONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Redone(Voiding):
    """It was the operator's own last undoing."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.REDONE


CORRECTIONS: tuple[type[Correction], ...] = (
    LoadedByHand,
    PointsAwarded,
    PointsTakenBack,
    GamJeomGiven,
    GamJeomTakenBack,
    ScoreSet,
    RoundSet,
    RoundDecided,
    ClockSet,
    ClockStarted,
    ClockStopped,
    ChallengeDecided,
    WinnerDeclared,
    EntryVoided,
    Undone,
    Redone,
)
# What an operator may take back as his own last: neither the load, which began the match, nor what takes back.
UNDOABLE = frozenset(one.kind for one in CORRECTIONS) - {LoadedByHand.kind, Undone.kind, Redone.kind}
