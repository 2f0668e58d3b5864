"""The types of what a fight's log tells: points, penalties, challenges, what each side did, and what was counted."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import strawberry

from db.matches import queries
from schema.fields import Node, column, computed, node, to_one, value
from schema.matches.vocabulary import ChallengeState, MatchEventKind, PointKind, RejectionReason, SenderState, Side

if TYPE_CHECKING:
    from schema.matches.types import Mat, Match, MatchEvent

# They show these themselves, so they are named here and found later.
LazyMat = Annotated["Mat", strawberry.lazy("schema.matches.types")]
LazyMatch = Annotated["Match", strawberry.lazy("schema.matches.types")]
LazyMatchEvent = Annotated["MatchEvent", strawberry.lazy("schema.matches.types")]

_KINDS = ("punch_count", "body_count", "head_count", "turning_body_count", "turning_head_count")
_WORTH = {kind: worth for worth, kind in enumerate(PointKind, start=1)}


def points_in(*counts: int) -> int:
    """Return what points come to, given how many there are of each kind."""
    return sum(worth * count for worth, count in enumerate(counts, start=1))


@node("point", queries.point_by_id)
class Point(Node):
    """A point that was given."""

    side: Side = column("Who scored.")
    kind: PointKind = column("How it was made.")
    points: int = computed("What it is worth.", ("kind",), lambda kind: _WORTH[kind])
    round: int = column("The round.")
    clock_ms: int = column("What remained on the fight clock, in milliseconds.")
    given_at: datetime = column("When its datagram arrived.")
    event: LazyMatchEvent = to_one("The entry that tells of it.", queries.event_by_id, key="event_id")
    match: LazyMatch = to_one("The fight.", queries.match_by_id, key="match_id")


@node("penalty", queries.penalty_by_id)
class Penalty(Node):
    """A gam-jeom. It gives the other side a point."""

    side: Side = column("Who was penalised.")
    number: int = column("Which it was of its side in its round: 1 is the first.")
    round: int = column("The round.")
    clock_ms: int = column("What remained on the fight clock, in milliseconds.")
    given_at: datetime = column("When the entry arrived that counts it.")
    is_taken_back: bool = computed(
        "Whether it was taken back: a lower count was said afterwards.",
        ("taken_back_seq",),
        lambda seq: seq is not None,
    )
    taken_back_at: datetime | None = column("When it was taken back. Null if it was not.")
    event: LazyMatchEvent = to_one("The entry that counts it.", queries.event_by_id, key="event_id")
    match: LazyMatch = to_one("The fight.", queries.match_by_id, key="match_id")


@value
class SideScores:
    """A score."""

    blue: int = strawberry.field(description="Blue's.")
    red: int = strawberry.field(description="Red's.")


def _scores(blue: int | None, red: int | None) -> SideScores | None:
    return None if blue is None or red is None else SideScores(blue=blue, red=red)


@node("challenge", queries.challenge_by_id)
class Challenge(Node):
    """A video challenge, from the asking to the outcome."""

    side: Side | None = column("Who asked. Null for the referee.")
    state: ChallengeState = column("How far it has come.")
    round: int = column("The round it is of.")
    clock_ms: int = column("What remained on the fight clock when it was asked for, in milliseconds.")
    asked_at: datetime = column("When it was asked for, or first heard of.")
    answered_at: datetime | None = column("When it was accepted or refused. Null if that was not said.")
    decided_at: datetime | None = column("When it was refused, cancelled, won or lost. Null until then.")
    score_before: SideScores = computed(
        "The score of the round when it was asked for.", ("blue_score_before", "red_score_before"), _scores
    )
    score_after: SideScores | None = computed(
        "The score of the round when the fight went on. Null until then.",
        ("blue_score_after", "red_score_after"),
        _scores,
    )
    event: LazyMatchEvent = to_one("The entry it began with.", queries.event_by_id, key="event_id")
    match: LazyMatch = to_one("The fight.", queries.match_by_id, key="match_id")


@value
class ReportedCounts:
    """What the scoring program itself says to have counted."""

    punches: int = strawberry.field(description="Punches.")
    body_kicks: int = strawberry.field(description="Kicks to the body.")
    head_kicks: int = strawberry.field(description="Kicks to the head.")
    fourth: int = strawberry.field(description="Its fourth figure. Nobody has said what it counts.")
    fifth: int = strawberry.field(description="Its fifth figure. Nobody has said what it counts.")
    gam_jeoms: int = strawberry.field(description="Penalties.")


_REPORTED = tuple(f"reported_{name}_count" for name in ("punch", "body", "head", "fourth", "fifth", "gam_jeom"))


def _reported(*counts: int | None) -> ReportedCounts | None:
    if any(count is None for count in counts):
        return None
    names = ("punches", "body_kicks", "head_kicks", "fourth", "fifth", "gam_jeoms")
    return ReportedCounts(**dict(zip(names, counts, strict=True)))  # type: ignore[arg-type]  # none of them is None


@strawberry.type(description="What one side did in one round.")
class RoundStatistics:
    """What one side did in one round."""

    side: Side = column("Which side.")
    score: int = column("Its score: its points and the other side's penalties.")
    points: int = computed("What its points come to.", _KINDS, points_in)
    punches: int = column("Its punches that scored.", "punch_count")
    body_kicks: int = column("Its kicks to the body that scored.", "body_count")
    head_kicks: int = column("Its kicks to the head that scored.", "head_count")
    turning_body_kicks: int = column("Its turning kicks to the body that scored.", "turning_body_count")
    turning_head_kicks: int = column("Its turning kicks to the head that scored.", "turning_head_count")
    gam_jeoms: int = column("Its penalties.", "gam_jeom_count")
    reported: ReportedCounts | None = computed(
        "What the scoring program counted, as it says at the end of the round. Null until then.", _REPORTED, _reported
    )


@strawberry.type(description="What one side did in all rounds of a fight.")
class MatchStatistics:
    """What one side did in all rounds of a fight."""

    side: Side = column("Which side.")
    score: int = column("Its scores of all rounds, added up.")
    points: int = computed("What its points come to.", _KINDS, points_in)
    punches: int = column("Its punches that scored.", "punch_count")
    body_kicks: int = column("Its kicks to the body that scored.", "body_count")
    head_kicks: int = column("Its kicks to the head that scored.", "head_count")
    turning_body_kicks: int = column("Its turning kicks to the body that scored.", "turning_body_count")
    turning_head_kicks: int = column("Its turning kicks to the head that scored.", "turning_head_count")
    gam_jeoms: int = column("Its penalties.", "gam_jeom_count")


@node("eventtype", queries.event_type_by_id)
class EventType(Node):
    """Entries of a mat's log that are of one kind and begin alike, counted."""

    kind: MatchEventKind = column("What they are about.")
    code: str = column("What they begin with, as the wire has it: `pt1`. Empty if with nothing that could be shown.")
    count: int = column("How many there are.")
    first_seen_at: datetime = column("When the first came.")
    last_seen_at: datetime = column("When the last came.")
    mat: LazyMat = to_one("The mat.", queries.mat_by_id, key="mat_id")


@node("unknownmessage", queries.unknown_message_by_id)
class UnknownMessage(Node):
    """Messages without effect, because nobody knows their code or can read them. Those that look alike are one."""

    pattern: str = column("How they look, each number in them shown as `#`; 200 characters at most.")
    reason: RejectionReason | None = column("What is wrong with the last of them. Null: their code is unknown.")
    count: int = column("How many came.")
    first_seen_at: datetime = column("When the first came.")
    last_seen_at: datetime = column("When the last came.")
    mat: LazyMat = to_one("The mat.", queries.mat_by_id, key="mat_id")


@strawberry.type(description="How somebody's fights ended. Those that are not over are not counted.")
class AthleteRecord:
    """How somebody's fights ended."""

    fights: int = column("How many are over.")
    wins: int = column("How many were won.")
    losses: int = column("How many were lost.")
    ties: int = column("How many ended with nobody announced, as after a withdrawal.")


@value
class MatStatus:
    """What is known of the scoring program that speaks for a mat."""

    state: SenderState = strawberry.field(description="Whether it is heard.")
    last_sender: str = strawberry.field(description="The address it last spoke from, as `host:port`. Empty until then.")
    last_received_at: datetime | None = strawberry.field(
        description="When it was last heard, as of this answer. Null until then."
    )
    messages: int = strawberry.field(description="How many messages came.")
    unreadable: int = strawberry.field(description="How many of them could not be read.")
    revision: int = strawberry.field(
        description="Raised by one whenever the state changes or something could not be read: the higher is the newer."
    )


STATUS = ("sender_state", "last_sender", "last_received_at", "last_seq", "unreadable_count", "status_revision")


def read_status(*told: Any) -> MatStatus:
    """Make a status of the columns of `STATUS`."""
    names = ("state", "last_sender", "last_received_at", "messages", "unreadable", "revision")
    return MatStatus(**dict(zip(names, told, strict=True)))


def status_of(mat: Any) -> MatStatus:
    """Return the status in a mat's row."""
    return read_status(*(getattr(mat, name) for name in STATUS))
