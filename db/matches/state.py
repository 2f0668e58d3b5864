"""What is known of a fight at one message of its log: frozen, whole, and the same after a trip through JSON."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from db.matches.clocks import Clock
from db.matches.vocabulary import BurstKind, ChallengeState, ClockState, MatchState, Outcome, Side

# Where the sender's six figures say what we count too. The two between are unknown, and not compared.
_BODY, _HEAD, _PUNCH, _GAM_JEOM = 0, 1, 2, 5
_Value = TypeVar("_Value")


@dataclass(frozen=True, kw_only=True)
class SideState:
    """One side of the scoreboard; score and gam-jeoms are those of the current round, as in `RoundSide`."""

    short_name: str = ""
    long_name: str = ""
    country_code: str = ""
    background: str | None = None
    foreground: str | None = None
    score: int = 0
    gam_jeoms: int = 0
    rounds_won: int = 0


@dataclass(frozen=True, kw_only=True)
class RoundSide:
    """One side of one round: what was said of it, what we counted, and what the sender reports to have counted.

    Score and gam-jeoms hold what operators changed in them (`…_by_hand`), which is put on top of every level that is
    said. They are below zero where an operator took more than there is by now: whoever shows them shows zero.
    """

    score: int = 0
    gam_jeoms: int = 0
    score_by_hand: int = 0
    gam_jeoms_by_hand: int = 0
    # How many points of kind 1 (punch) to 5 (turning kick to the head).
    point_counts: tuple[int, ...] = (0, 0, 0, 0, 0)
    # Body, head, punch, unknown, unknown, gam-jeom; None before the round's end.
    reported: tuple[int, ...] | None = None

    @property
    def point_total(self) -> int:
        """What the counted points add up to; the score has the other side's gam-jeoms on top."""
        punch, body, head, turning_body, turning_head = self.point_counts
        return punch + 2 * body + 3 * head + 4 * turning_body + 5 * turning_head

    @property
    def has_count_difference(self) -> bool:
        """Whether the sender reports other counts than ours; False until it reports."""
        if self.reported is None:
            return False
        punch, body, head = self.point_counts[:3]
        reported = [self.reported[position] for position in (_BODY, _HEAD, _PUNCH, _GAM_JEOM)]
        return reported != [body, head, punch, self.gam_jeoms]


@dataclass(frozen=True, kw_only=True)
class RoundState:
    """One round. It started with its first clock start, and ended when the sender said so."""

    number: int
    blue: RoundSide = RoundSide()
    red: RoundSide = RoundSide()
    winner: Side | None = None
    # Who was ahead on criteria, as last said before there was a winner.
    superiority: Side | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def has_count_difference(self) -> bool:
        """Whether the sender's counts differ from ours on either side."""
        return self.blue.has_count_difference or self.red.has_count_difference


@dataclass(frozen=True, slots=True, kw_only=True)
class InjuryClock:
    """The injury (kye-shi) clock while it is shown; no side means that it was not said."""

    side: Side | None
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentChallenge:
    """The latest video challenge; no side means the referee."""

    side: Side | None
    state: ChallengeState


@dataclass(frozen=True, kw_only=True)
class ChallengeCase:
    """A video challenge from the asking on: `seq` is the entry it began with, scores are (blue, red) of its round."""

    seq: int
    side: Side | None
    state: ChallengeState
    round: int
    clock_ms: int
    asked_at: datetime
    answered_at: datetime | None = None
    decided_at: datetime | None = None
    score_before: tuple[int, int]
    # None until the fight goes on: what an outcome changes is said behind it.
    score_after: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """A run of messages that is not complete yet, and when the last of them came."""

    kind: BurstKind
    as_of: datetime
    # The number of the entry that opened it.
    seq: int = 0


@dataclass(frozen=True, kw_only=True)
class FightState:
    """A fight as it stands. `rounds` holds those that something was said of, in order of their numbers."""

    state: MatchState = MatchState.LOADED
    number: str = ""
    phase: str = ""
    weight: str = ""
    division: str = ""
    round_count: int | None = None
    round_seconds: int | None = None
    settings: tuple[str, ...] = ()
    blue: SideState = SideState()
    red: SideState = SideState()
    round: int = 1
    rounds: tuple[RoundState, ...] = (RoundState(number=1),)
    superiority: Side | None = None
    clock: Clock
    break_clock: Clock | None = None
    injury: InjuryClock | None = None
    challenge: CurrentChallenge | None = None
    # The last challenge of each who asked for one.
    challenges: tuple[ChallengeCase, ...] = ()
    outcome: Outcome | None = None
    winner_name: str = ""
    round_score: str = ""
    result_code: str = ""
    started_at: datetime | None = None
    ended_at: datetime | None = None
    seq: int
    burst: Burst | None = None

    @property
    def is_burst_open(self) -> bool:
        """Whether more messages of the same happening are expected; see `db.matches.bursts`."""
        return self.burst is not None

    @property
    def has_result_conflict(self) -> bool:
        """Whether somebody else was announced than the side that won more rounds."""
        if self.outcome is None or self.blue.rounds_won == self.red.rounds_won:
            return False
        ahead = Outcome.BLUE if self.blue.rounds_won > self.red.rounds_won else Outcome.RED
        return self.outcome is not ahead

    def round_of(self, number: int) -> RoundState:
        """Give a round by its number; one of which nothing was said is a round of zeros."""
        for round_state in self.rounds:
            if round_state.number == number:
                return round_state
        return RoundState(number=number)


def to_json(state: FightState) -> dict[str, Any]:
    """Write the whole state, bookkeeping included, in values every JSON printer knows."""
    return {name: _plain(getattr(state, name)) for name in _names(FightState)}


def from_json(record: Mapping[str, Any]) -> FightState:
    """Read back what `to_json` wrote."""
    return FightState(**_read(record, _FIGHT))


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return {name: _plain(getattr(value, name)) for name in _names(value.__class__)}


@cache
def _names(state_type: type) -> list[str]:
    return [field.name for field in fields(state_type)]


def _read(record: Mapping[str, Any], decoders: Mapping[str, Callable[[Any], Any]]) -> dict[str, Any]:
    return {name: decoders[name](value) if name in decoders else value for name, value in record.items()}


def _optional(decode: Callable[[Any], _Value]) -> Callable[[Any], _Value | None]:
    return lambda value: None if value is None else decode(value)


def _clock(record: Mapping[str, Any]) -> Clock:
    return Clock(**_read(record, _CLOCK))


def _injury(record: Mapping[str, Any]) -> InjuryClock:
    return InjuryClock(**_read(record, {"side": _optional(Side), "clock": _clock}))


def _challenge(record: Mapping[str, Any]) -> CurrentChallenge:
    return CurrentChallenge(**_read(record, {"side": _optional(Side), "state": ChallengeState}))


def _cases(records: list[Mapping[str, Any]]) -> tuple[ChallengeCase, ...]:
    return tuple(ChallengeCase(**_read(record, _CASE)) for record in records)


def _burst(record: Mapping[str, Any]) -> Burst:
    return Burst(**_read(record, {"kind": BurstKind, "as_of": datetime.fromisoformat}))


def _side(record: Mapping[str, Any]) -> SideState:
    return SideState(**record)


def _round_side(record: Mapping[str, Any]) -> RoundSide:
    return RoundSide(**_read(record, {"point_counts": tuple, "reported": _optional(tuple)}))


def _rounds(records: list[Mapping[str, Any]]) -> tuple[RoundState, ...]:
    return tuple(RoundState(**_read(record, _ROUND)) for record in records)


_time = _optional(datetime.fromisoformat)
_CLOCK: dict[str, Callable[[Any], Any]] = {
    "state": ClockState,
    "as_of": datetime.fromisoformat,
    "bare_at": _time,
}
_ROUND: dict[str, Callable[[Any], Any]] = {
    "blue": _round_side,
    "red": _round_side,
    "winner": _optional(Side),
    "superiority": _optional(Side),
    "started_at": _time,
    "ended_at": _time,
}
_CASE: dict[str, Callable[[Any], Any]] = {
    "side": _optional(Side),
    "state": ChallengeState,
    "asked_at": datetime.fromisoformat,
    "answered_at": _time,
    "decided_at": _time,
    "score_before": tuple,
    "score_after": _optional(tuple),
}
_FIGHT: dict[str, Callable[[Any], Any]] = {
    "state": MatchState,
    "settings": tuple,
    "blue": _side,
    "red": _side,
    "rounds": _rounds,
    "superiority": _optional(Side),
    "clock": _clock,
    "break_clock": _optional(_clock),
    "injury": _optional(_injury),
    "challenge": _optional(_challenge),
    "challenges": _cases,
    "outcome": _optional(Outcome),
    "started_at": _time,
    "ended_at": _time,
    "burst": _optional(_burst),
}
