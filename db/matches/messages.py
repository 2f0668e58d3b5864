"""What a scoring program may say, one frozen class per message, and how all that is said is written and read back."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from db.matches.corrections import (
    CORRECTIONS,
    PointsCorrection,
    RoundDecided,
)
from db.matches.message import Message as Message  # noqa: PLC0414 -- all that imports messages finds it here
from db.matches.vocabulary import ChallengeState, MatchEventKind, Outcome, RejectionReason, Side


@dataclass(frozen=True, slots=True, kw_only=True)
class FightLoading(Message):
    """A fight is being put on the mat: the start of a new fight, and of the load burst."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.FIGHT_LOADING


@dataclass(frozen=True, slots=True, kw_only=True)
class FightReady(Message):
    """The load burst is complete."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.FIGHT_READY


@dataclass(frozen=True, slots=True, kw_only=True)
class Officials(Message):
    """The officials, two values each whose meaning is not known: they were always empty."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.OFFICIALS

    referee: tuple[str, str]
    first_judge: tuple[str, str]
    second_judge: tuple[str, str]
    technical_assistant: tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Athletes(Message):
    """Who fights. Any of it may be empty, and a country need not be an IOC code."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.ATHLETES

    blue_short_name: str
    blue_long_name: str
    blue_country_code: str
    red_short_name: str
    red_long_name: str
    red_country_code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchSettings(Message):
    """The settings of the fight: 15 values, all kept as they came; the named ones are read from them."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.MATCH_SETTINGS
    LENGTH: ClassVar[int] = 15

    values: tuple[str, ...]

    @property
    def number(self) -> str:
        """The match number, which is text: `245.A` is one."""
        return self.values[0]

    @property
    def phase(self) -> str:
        """Such as `Semifinals` or `Round of 128`."""
        return self.values[1]

    @property
    def weight(self) -> str:
        """Such as `M -68kg`."""
        return self.values[2]

    @property
    def blue_background(self) -> str | None:
        """`#rrggbb`, or None if it is anything else."""
        return _colour(self.values[4])

    @property
    def blue_foreground(self) -> str | None:
        """`#rrggbb`, or None if it is anything else."""
        return _colour(self.values[5])

    @property
    def red_background(self) -> str | None:
        """`#rrggbb`, or None if it is anything else."""
        return _colour(self.values[6])

    @property
    def red_foreground(self) -> str | None:
        """`#rrggbb`, or None if it is anything else."""
        return _colour(self.values[7])

    @property
    def match_id(self) -> str | None:
        """The sender's own id; None in all real traffic, which says `null`."""
        return self.values[8] if self.values[8] not in {"", "null"} else None

    @property
    def division(self) -> str:
        """Such as `Under 21`."""
        return self.values[9]

    @property
    def round_count(self) -> int | None:
        """How many rounds are fought at most."""
        return _count(self.values[10])

    @property
    def round_seconds(self) -> int | None:
        """How long a round lasts."""
        return _count(self.values[11])

    @property
    def count_direction(self) -> str:
        """`cntDown`, or `cntUp` in the sender's simulator."""
        return self.values[12]

    @property
    def position_14(self) -> int | None:
        """Its meaning is in doubt: it follows the weight class."""
        return _count(self.values[13])

    @property
    def position_15(self) -> int | None:
        """Its meaning is in doubt: it was always 5."""
        return _count(self.values[14])


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoTime(Message):
    """An "athlete video time", of which no more is known."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.VIDEO_TIME

    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockMessage(Message):
    """The fight clock: a tick has no action; `start`, `stop` and `stopEnd` are known, others are kept."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.CLOCK

    seconds: int
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundBegan(Message):
    """The current round."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.ROUND_BEGAN

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Point(Message):
    """A point: 1 punch, 2 body, 3 head, 4 turning kick to the body, 5 to the head; kind and value in one."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.POINT

    side: Side
    value: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HitLevel(Message):
    """How hard a hit was measured, 1 to 100."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.HIT_LEVEL

    side: Side
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Message):
    """The score in the current round; None for a side of which nothing was said."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.SCORE

    blue: int | None
    red: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundScores(Message):
    """Scores by round, each `(side, round, score)`; only those that were said."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.ROUND_SCORES

    scores: tuple[tuple[Side, int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GamJeoms(Message):
    """The gam-jeoms of each side in the current round; None for a side of which nothing was said."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.GAM_JEOMS

    blue: int | None
    red: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Superiority(Message):
    """Who is ahead, on a tie by criteria; None for nobody."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.SUPERIORITY

    side: Side | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Injury(Message):
    """The injury (kye-shi) clock; no side means that it was not said. `show`, `hide`, `reset`, or a tick."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.INJURY

    side: Side | None
    seconds: int
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Challenge(Message):
    """A video challenge; no side means the referee."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.CHALLENGE

    side: Side | None
    state: ChallengeState


@dataclass(frozen=True, slots=True, kw_only=True)
class Break(Message):
    """The rest between rounds: a tick, `stop` or `stopEnd`."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.BREAK

    seconds: int
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundWinners(Message):
    """The winner of each round from the first; None for a round not decided."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.ROUND_WINNERS

    winners: tuple[Side | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundStatistics(Message):
    """What the sender counted in a round, six a side: body, head, punch, unknown, unknown, gam-jeom."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.ROUND_STATISTICS

    round: int
    blue_counts: tuple[int, ...]
    red_counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundResultsSent(Message):
    """It closes what is said at the end of a round."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.ROUND_RESULTS_SENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Winner(Message):
    """The winner was announced; it may contradict the rounds."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.WINNER

    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Message):
    """The winner's name, empty if there is none, rounds won such as `2-1`, and a code such as `PTF`."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.RESULT

    winner_name: str
    round_score: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link(Message):
    """The sender's output was switched on or off. They do not come in pairs."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.LINK

    port: int
    is_connected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown(Message):
    """Well formed, with a code nobody told us of: stored and counted, it changes nothing."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.UNKNOWN

    code: str
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable(Message):
    """Refused; the detail is a sentence that can be shown as it is."""

    kind: ClassVar[MatchEventKind] = MatchEventKind.UNREADABLE

    reason: RejectionReason
    detail: str


def side_of(message: Message) -> Side | None:
    """Say which side the message itself names; None also where it stands for the referee or nobody."""
    name = _SIDE_FIELDS.get(type(message))
    return None if name is None else getattr(message, name)


def points_of(message: Message) -> int | None:
    """Say how many points the message gives, below zero if it takes them; None for everything but points."""
    if type(message) is Point:
        return message.value
    return message.SIGN * message.value if isinstance(message, PointsCorrection) else None


def to_record(message: Message) -> dict[str, Any]:
    """Write a message as JSON can hold it; the kind stands beside it in the log."""
    record = {name: getattr(message, name) for name in _FIELDS[type(message)]}
    if message.flags:
        record["flags"] = message.flags
    return record


def from_record(kind: MatchEventKind, record: Mapping[str, Any]) -> Message:
    """Read back what `to_record` wrote, whether or not it has been through JSON."""
    values = {name: _DECODERS[name](value) if name in _DECODERS else value for name, value in record.items()}
    return _CLASSES[kind](**values)


_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
_COUNT = re.compile(r"[0-9]{1,6}")


def _colour(text: str) -> str | None:
    return text if _COLOUR.fullmatch(text) else None


def _count(text: str) -> int | None:
    return int(text) if _COUNT.fullmatch(text) else None


def _side(value: str | None) -> Side | None:
    return None if value is None else Side(value)


def _winners(values: Iterable[str | None]) -> tuple[Side | None, ...]:
    return tuple(_side(value) for value in values)


def _scores(values: Iterable[tuple[str, int, int]]) -> tuple[tuple[Side, int, int], ...]:
    return tuple((Side(side), number, score) for side, number, score in values)


def _flags(values: Iterable[str]) -> tuple[RejectionReason, ...]:
    return tuple(RejectionReason(value) for value in values)


# By field name, which means the same in every message that has it.
_DECODERS: dict[str, Callable[[Any], Any]] = {
    "blue_counts": tuple,
    "first_judge": tuple,
    "flags": _flags,
    "outcome": Outcome,
    "parts": tuple,
    "reason": RejectionReason,
    "red_counts": tuple,
    "referee": tuple,
    "scores": _scores,
    "second_judge": tuple,
    "side": _side,
    "state": ChallengeState,
    "technical_assistant": tuple,
    "values": tuple,
    "winner": _side,
    "winners": _winners,
}
# Named one by one: a slotted dataclass is made twice, and `__subclasses__` may still show the first.
_SAID: tuple[type[Message], ...] = (
    FightLoading,
    FightReady,
    Officials,
    Athletes,
    MatchSettings,
    VideoTime,
    ClockMessage,
    RoundBegan,
    Point,
    HitLevel,
    Score,
    RoundScores,
    GamJeoms,
    Superiority,
    Injury,
    Challenge,
    Break,
    RoundWinners,
    RoundStatistics,
    RoundResultsSent,
    Winner,
    Result,
    Link,
    Unknown,
    Unreadable,
    *CORRECTIONS,
)
_CLASSES = {message.kind: message for message in _SAID}
_FIELDS: dict[type[Message], tuple[str, ...]] = {
    message: tuple(field.name for field in fields(message) if field.name != "flags") for message in _CLASSES.values()
}
# Where a message names a side, in a field that is called so or, where a round is decided, in its winner.
_SIDE_FIELDS = {message: "side" for message, names in _FIELDS.items() if "side" in names} | {RoundDecided: "winner"}
