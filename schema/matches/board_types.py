"""The pieces of a scoreboard: clocks, sides, rounds, the latest challenge, each read off the stored board."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import strawberry

from schema.fields import value
from schema.matches.vocabulary import ChallengeState, ClockState, Side


@value
class Clock:
    """A clock that counts down. It is not sent at every tick: count on from `asOf` while it is RUNNING."""

    state: ClockState = strawberry.field(description="Whether it counts.")
    remaining_ms: int = strawberry.field(
        description="What remained at `asOf`, in milliseconds. Shown as whole seconds, rounded down."
    )
    as_of: datetime = strawberry.field(description="When that was so, by the server's clock.")


@value
class InjuryClock:
    """The injury (kye-shi) clock."""

    side: Side | None = strawberry.field(description="Whose it is. Null if that was not said.")
    clock: Clock = strawberry.field(description="The clock itself.")


@value
class ScoreboardChallenge:
    """The latest video challenge."""

    side: Side | None = strawberry.field(description="Who asked. Null for the referee.")
    state: ChallengeState = strawberry.field(description="How far it has come.")


@value
class ScoreboardSide:
    """One side as an overlay shows it."""

    name: str = strawberry.field(description="The short name. Empty until named.")
    long_name: str = strawberry.field(description="The full name. Empty until named.")
    country_code: str = strawberry.field(description="The country's code. Empty if none was said.")
    background: str = strawberry.field(description="The side's colour as `#rrggbb`. Empty if none was said.")
    foreground: str = strawberry.field(description="The colour of text on it. Empty if none was said.")
    score: int = strawberry.field(description="The score in the current round.")
    gam_jeoms: int = strawberry.field(description="The penalties in the current round.")
    rounds_won: int = strawberry.field(description="How many rounds it has won.")
    round_scores: list[int] = strawberry.field(description="The score of each round so far, in order.")


@value
class ScoreboardRound:
    """A round as an overlay shows it."""

    number: int = strawberry.field(description="1 for the first.")
    blue_score: int = strawberry.field(description="Blue's score in it.")
    red_score: int = strawberry.field(description="Red's score in it.")
    winner: Side | None = strawberry.field(description="Who won it. Null until that was decided.")


def clock_of(record: dict[str, Any] | None) -> Clock | None:
    """Read a clock, None if there is none."""
    if record is None:
        return None
    return Clock(
        state=ClockState(record["state"]),
        remaining_ms=record["remainingMs"],
        as_of=datetime.fromisoformat(record["asOf"]),
    )


def present_clock(record: dict[str, Any]) -> Clock:
    """Read the clock that is always there."""
    clock = clock_of(record)
    if clock is None:
        raise ValueError("A scoreboard always has a fight clock.")
    return clock


def optional_side(name: str | None) -> Side | None:
    """Read a side, None if none is named."""
    return None if name is None else Side(name)


def injury_of(record: dict[str, Any] | None) -> InjuryClock | None:
    """Read the injury clock, None while it is not shown."""
    if record is None:
        return None
    return InjuryClock(side=optional_side(record["side"]), clock=present_clock(record["clock"]))


def challenge_of(record: dict[str, Any] | None) -> ScoreboardChallenge | None:
    """Read the latest challenge, None before the first."""
    if record is None:
        return None
    return ScoreboardChallenge(side=optional_side(record["side"]), state=ChallengeState(record["state"]))


def side_of(board: dict[str, Any], name: str) -> ScoreboardSide:
    """Read a side of a board."""
    side = board[name]
    return ScoreboardSide(
        name=side["shortName"],
        long_name=side["longName"],
        country_code=side["countryCode"],
        background=side["background"] or "",
        foreground=side["foreground"] or "",
        score=side["score"],
        gam_jeoms=side["gamJeoms"],
        rounds_won=side["roundsWon"],
        round_scores=[one[name]["score"] for one in board["rounds"]],
    )


def rounds_of(records: list[dict[str, Any]]) -> list[ScoreboardRound]:
    """Read the rounds of a board."""
    return [
        ScoreboardRound(
            number=one["number"],
            blue_score=one["blue"]["score"],
            red_score=one["red"]["score"],
            winner=optional_side(one["winner"]),
        )
        for one in records
    ]
