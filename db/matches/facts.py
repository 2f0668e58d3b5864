"""What a run of messages tells of a fight beside its state: each point and penalty, and each challenge. Pure."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from db.matches import messages
from db.matches.corrections import (
    GamJeomCorrection,
    GamJeomGiven,
    GamJeomTakenBack,
    PointsAwarded,
    PointsTakenBack,
)
from db.matches.fold import Entry
from db.matches.state import ChallengeCase, FightState
from db.matches.vocabulary import PointKind, Side

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenBack:
    """The penalties of a side in a round above a number do not count any more, since the entry `seq`."""

    side: Side
    round: int
    above: int
    seq: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PointTaken:
    """The last point of a kind that a side was given in a round does not count any more."""

    side: Side
    round: int
    kind: PointKind

    def is_of(self, point: Row) -> bool:
        """Say whether a point is such a one."""
        return (point["side"], point["round"], point["kind"]) == (self.side, self.round, self.kind)


@dataclass(slots=True)
class Facts:
    """Rows of one fight, in the order they were told. Challenges are by the entry they began with, as they last are."""

    points: list[Row] = field(default_factory=list)
    # Of the points that were told before: those here are gone.
    points_taken: list[PointTaken] = field(default_factory=list)
    penalties: list[Row] = field(default_factory=list)
    # Of the penalties that were told before: those here have it in their rows.
    taken_back: list[TakenBack] = field(default_factory=list)
    challenges: dict[int, Row] = field(default_factory=dict)

    def note(self, before: FightState | None, entry: Entry, after: FightState) -> None:
        """Take down what an entry tells that led from one state to the next; without one before, it began a fight."""
        if type(entry.message) in _TELLING:
            self._note(before, entry, after)
        if after.challenges and (before is None or before.challenges is not after.challenges):
            for case in after.challenges:
                if before is None or case not in before.challenges:
                    self.challenges[case.seq] = challenge_row(case)

    def _note(self, before: FightState | None, entry: Entry, after: FightState) -> None:
        message = entry.message
        if isinstance(message, messages.Point):
            self.points.append(
                {"side": message.side, "kind": _KINDS[message.value - 1], **_place(entry, after, after.round)}
            )
        elif isinstance(message, messages.GamJeoms):
            self._note_penalties(before, entry, after, after.round)
        elif isinstance(message, GamJeomCorrection):
            self._note_penalties(before, entry, after, message.round)
        elif isinstance(message, PointsAwarded):
            kind = _KINDS[message.value - 1]
            self.points.append({"side": message.side, "kind": kind, **_place(entry, after, message.round)})
        elif isinstance(message, PointsTakenBack):
            self._take_point(PointTaken(side=message.side, round=message.round, kind=_KINDS[message.value - 1]))

    def _take_point(self, taken: PointTaken) -> None:
        for place in range(len(self.points) - 1, -1, -1):
            if taken.is_of(self.points[place]):
                del self.points[place]
                return
        self.points_taken.append(taken)

    def _note_penalties(self, before: FightState | None, entry: Entry, after: FightState, of_round: int) -> None:
        was, now = (None if before is None else before.round_of(of_round)), after.round_of(of_round)
        sides = (
            (Side.BLUE, 0 if was is None else max(0, was.blue.gam_jeoms), max(0, now.blue.gam_jeoms)),
            (Side.RED, 0 if was is None else max(0, was.red.gam_jeoms), max(0, now.red.gam_jeoms)),
        )
        for side, counted, count in sides:
            for number in range(counted + 1, min(count, counted + _MOST_AT_ONCE) + 1):
                penalty = {"side": side, "number": number, **_place(entry, after, of_round)}
                self.penalties.append({**penalty, "taken_back_seq": None, "taken_back_at": None})
            if count < counted:
                self._take_back(TakenBack(side=side, round=of_round, above=count, seq=entry.seq, at=entry.received_at))

    def _take_back(self, these: TakenBack) -> None:
        self.taken_back.append(these)
        for row in self.penalties:
            is_of_it = (row["side"], row["round"]) == (these.side, these.round) and row["number"] > these.above
            if is_of_it and row["taken_back_seq"] is None:
                row.update(taken_back_seq=these.seq, taken_back_at=these.at)


def challenge_row(case: ChallengeCase) -> Row:
    """Return the columns of `challenges`."""
    blue_after, red_after = case.score_after or (None, None)
    return {
        "seq": case.seq,
        "side": case.side,
        "state": case.state,
        "round": case.round,
        "clock_ms": case.clock_ms,
        "asked_at": case.asked_at,
        "answered_at": case.answered_at,
        "decided_at": case.decided_at,
        "blue_score_before": case.score_before[0],
        "red_score_before": case.score_before[1],
        "blue_score_after": blue_after,
        "red_score_after": red_after,
    }


def _place(entry: Entry, after: FightState, of_round: int) -> Row:
    return {
        "seq": entry.seq,
        "round": of_round,
        "clock_ms": after.clock.remaining_at(entry.received_at),
        "given_at": entry.received_at,
    }


# What tells of points and penalties.
_TELLING = frozenset(
    {messages.Point, messages.GamJeoms, GamJeomGiven, GamJeomTakenBack, PointsAwarded, PointsTakenBack}
)
_KINDS = tuple(PointKind)
# A count may be any number that was sent. Nobody is given more than so many at once, and no row is made for them.
_MOST_AT_ONCE = 20
