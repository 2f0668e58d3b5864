"""What an operator may say of a fight: each is one entry of its mat's log, asked of the present scoreboard."""

import re
from dataclasses import dataclass
from uuid import UUID

from db.errors import Conflict, Invalid
from db.matches.corrections import (
    ChallengeDecided,
    ClockSet,
    ClockStarted,
    ClockStopped,
    GamJeomGiven,
    GamJeomTakenBack,
    LoadedByHand,
    PointsAwarded,
    PointsTakenBack,
    RoundDecided,
    RoundSet,
    ScoreSet,
    WinnerDeclared,
)
from db.matches.held import By, check_revision, hold_match, received, stored_match
from db.matches.log import advance
from db.matches.operations import hold_log
from db.matches.rounds import side_of
from db.matches.state import FightState
from db.matches.storing import store_advance
from db.matches.tables import Match
from db.matches.terms import LONGEST_NAME
from db.matches.vocabulary import ChallengeState, ClockState, Outcome, PointKind, Side
from db.session import Transaction
from db.texts import checked

LONGEST_WORD = 100
LONGEST_COUNTRY = 10
HIGHEST_SCORE = 999
LAST_ROUND = 99
LONGEST_ROUND_SECONDS = 3_600
_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")


@dataclass(frozen=True, kw_only=True)
class SideToLoad:
    """One side of a fight that is put on a mat by hand; the colours as `#rrggbb`, None for the usual ones."""

    name: str
    short_name: str = ""
    country_code: str = ""
    background: str | None = None
    foreground: str | None = None


@dataclass(frozen=True, kw_only=True)
class FightToLoad:
    """A fight that is put on a mat by hand."""

    number: str
    blue: SideToLoad
    red: SideToLoad
    phase: str = ""
    weight: str = ""
    division: str = ""
    round_count: int = 3
    round_seconds: int = 120


async def load_match(
    tx: Transaction, mat_id: UUID, load: FightToLoad, *, replaces: UUID | None = None, by: By
) -> Match:
    """Put a fight on a mat, in the place of the one that is there.

    Raises `NotFound`, `Invalid`, and `Conflict` unless `replaces` is the fight on the mat, `None` for none, as seen.
    """
    message = _checked(load)
    progress = await hold_log(tx, mat_id)
    present = progress.fight
    if (None if present is None else present.match_id) != replaces:
        raise Conflict("Another match is on the mat. Look at it again.", field="replaced_match_id")
    if present is not None:
        check_revision(present.revision, by)
    steps = advance(progress, [await received(tx, by, message)])
    await store_advance(tx, progress, steps, () if present is None else (present,))
    return await stored_match(tx, steps.fights[-1].match_id)


async def award_points(
    tx: Transaction, match_id: UUID, *, side: Side, kind: PointKind, number: int | None = None, by: By
) -> Match:
    """Give a side points in a round, on top of whatever is said of it. Raises `Conflict`, `Invalid` and `NotFound`.

    Refused are, here and below, a match that is not on its mat, one that has ended, and a round that has not begun. No
    number is the current round.
    """
    held = await hold_match(tx, match_id, by)
    held.check_is_fought()
    return await held.say(PointsAwarded(side=side, value=kind.points, round=held.round_or_current(number)))


async def take_back_points(
    tx: Transaction, match_id: UUID, *, side: Side, kind: PointKind, number: int | None = None, by: By
) -> Match:
    """Take points of a kind that a side was given, whoever gave them. Raises as `award_points`."""
    held = await hold_match(tx, match_id, by)
    held.check_is_fought()
    of_round = held.round_or_current(number)
    if not side_of(held.state.round_of(of_round), side).point_counts[kind.points - 1]:
        raise Conflict(f"{side} has no points of the kind {kind} in round {of_round}.", field="kind")
    return await held.say(PointsTakenBack(side=side, value=kind.points, round=of_round))


async def give_gam_jeom(tx: Transaction, match_id: UUID, *, side: Side, number: int | None = None, by: By) -> Match:
    """Give a side a penalty, and the other its point. Raises as `award_points`."""
    held = await hold_match(tx, match_id, by)
    held.check_is_fought()
    return await held.say(GamJeomGiven(side=side, round=held.round_or_current(number)))


async def take_back_gam_jeom(
    tx: Transaction, match_id: UUID, *, side: Side, number: int | None = None, by: By
) -> Match:
    """Take a penalty of a side back, and the other's point. Raises as `award_points`."""
    held = await hold_match(tx, match_id, by)
    held.check_is_fought()
    of_round = held.round_or_current(number)
    if side_of(held.state.round_of(of_round), side).gam_jeoms <= 0:
        raise Conflict(f"{side} has no gam-jeom in round {of_round}.", field="side")
    return await held.say(GamJeomTakenBack(side=side, round=of_round))


async def set_score(
    tx: Transaction,
    match_id: UUID,
    *,
    blue: int | None = None,
    red: int | None = None,
    number: int | None = None,
    by: By,
) -> Match:
    """Set the score of a round until another is said; `None` leaves a side alone. It may be long over.

    Raises `Invalid` and `NotFound`.
    """
    if blue is None and red is None:
        raise Invalid("Give the score of a side.", field="blue")
    for name, score in (("blue", blue), ("red", red)):
        if score is not None and not 0 <= score <= HIGHEST_SCORE:
            raise Invalid(f"A score is between 0 and {HIGHEST_SCORE}.", field=name)
    held = await hold_match(tx, match_id, by)
    return await held.say(ScoreSet(round=held.round_or_current(number), blue=blue, red=red))


async def set_round(tx: Transaction, match_id: UUID, *, number: int, by: By) -> Match:
    """Go to a round, forwards or back. Raises as `award_points`, and `Conflict` if it is the current one."""
    if not 1 <= number <= LAST_ROUND:
        raise Invalid(f"A round is between 1 and {LAST_ROUND}.", field="number")
    held = await hold_match(tx, match_id, by)
    held.check_is_fought()
    if number == held.state.round:
        raise Conflict(f"It is round {number} already.", field="number")
    return await held.say(RoundSet(number=number))


async def decide_round(
    tx: Transaction, match_id: UUID, *, winner: Side | None, number: int | None = None, by: By
) -> Match:
    """Say who won a round, `None` for nobody yet. The fight may be long over. Raises `Invalid` and `NotFound`."""
    held = await hold_match(tx, match_id, by)
    return await held.say(RoundDecided(round=held.round_or_current(number), winner=winner))


async def set_clock(tx: Transaction, match_id: UUID, *, remaining_ms: int, by: By) -> Match:
    """Set what remains on the clock, and let it run or stand as it did. Raises as `award_points`."""
    _check_remaining(remaining_ms)
    held = await hold_match(tx, match_id, by)
    held.check_is_fought()
    return await held.say(ClockSet(remaining_ms=remaining_ms))


async def start_clock(tx: Transaction, match_id: UUID, *, remaining_ms: int | None = None, by: By) -> Match:
    """Start the clock, from where it stands if nothing is said; the first time, that starts the match.

    Raises as `award_points`, and `Conflict` if it runs or nothing remains.
    """
    _check_remaining(remaining_ms)
    held = await hold_match(tx, match_id, by)
    held.check_is_fought()
    clock = held.state.clock
    if clock.state is ClockState.RUNNING:
        raise Conflict("The clock is running.", field="id")
    if not (clock.remaining_ms if remaining_ms is None else remaining_ms):
        raise Conflict("Nothing remains on the clock. Say from where it is to run.", field="remaining_ms")
    return await held.say(ClockStarted(remaining_ms=remaining_ms))


async def stop_clock(tx: Transaction, match_id: UUID, *, remaining_ms: int | None = None, by: By) -> Match:
    """Stop the clock, where it has come to if nothing is said. Raises as `award_points`, `Conflict` if it stands."""
    _check_remaining(remaining_ms)
    held = await hold_match(tx, match_id, by)
    held.check_is_fought()
    if held.state.clock.state is ClockState.STOPPED:
        raise Conflict("The clock stands.", field="id")
    return await held.say(ClockStopped(remaining_ms=remaining_ms))


async def decide_challenge(
    tx: Transaction, match_id: UUID, *, side: Side | None, state: ChallengeState, by: By
) -> Match:
    """Say how far a video challenge has come; no side is the referee. Raises as `award_points`."""
    held = await hold_match(tx, match_id, by)
    held.check_is_fought()
    return await held.say(ChallengeDecided(side=side, state=state))


async def declare_winner(tx: Transaction, match_id: UUID, *, outcome: Outcome, code: str = "", by: By) -> Match:
    """Announce who won, under the name and with the rounds that the match has, and end it. Raises as `set_score`."""
    code = checked(code, "A result code", field="result_code", shortest=0, longest=LONGEST_COUNTRY)
    held = await hold_match(tx, match_id, by)
    state = held.state
    return await held.say(
        WinnerDeclared(
            outcome=outcome,
            winner_name=_winner_name(state, outcome),
            round_score=f"{state.blue.rounds_won}-{state.red.rounds_won}",
            code=code,
        )
    )


def _winner_name(state: FightState, outcome: Outcome) -> str:
    if outcome is Outcome.TIE:
        return ""
    winner = state.blue if outcome is Outcome.BLUE else state.red
    return winner.long_name or winner.short_name


def _check_remaining(remaining_ms: int | None) -> None:
    longest = LONGEST_ROUND_SECONDS * 1_000
    if remaining_ms is not None and not 0 <= remaining_ms <= longest:
        raise Invalid(f"What remains on a clock is between 0 and {longest} ms.", field="remaining_ms")


def _checked(load: FightToLoad) -> LoadedByHand:
    """Make the entry of a fight to be loaded. Raises `Invalid`."""
    if not 1 <= load.round_count <= LAST_ROUND:
        raise Invalid(f"A match has 1 to {LAST_ROUND} rounds.", field="round_count")
    if not 1 <= load.round_seconds <= LONGEST_ROUND_SECONDS:
        raise Invalid(f"A round has 1 to {LONGEST_ROUND_SECONDS} seconds.", field="round_seconds")
    blue, red = _checked_side(load.blue, "blue"), _checked_side(load.red, "red")
    return LoadedByHand(
        number=checked(load.number, "A match number", field="number", longest=LONGEST_WORD),
        phase=checked(load.phase, "A phase", field="phase", shortest=0, longest=LONGEST_WORD),
        weight=checked(load.weight, "A weight class", field="weight", shortest=0, longest=LONGEST_WORD),
        division=checked(load.division, "A division", field="division", shortest=0, longest=LONGEST_WORD),
        round_count=load.round_count,
        round_seconds=load.round_seconds,
        blue_short_name=blue.short_name,
        blue_long_name=blue.name,
        blue_country_code=blue.country_code,
        blue_background=blue.background,
        blue_foreground=blue.foreground,
        red_short_name=red.short_name,
        red_long_name=red.name,
        red_country_code=red.country_code,
        red_background=red.background,
        red_foreground=red.foreground,
    )


def _checked_side(side: SideToLoad, field: str) -> SideToLoad:
    for colour in (side.background, side.foreground):
        if colour is not None and not _COLOUR.fullmatch(colour):
            raise Invalid("A colour is written as #rrggbb.", field=field)
    name = checked(side.name, "A name", field=field, longest=LONGEST_NAME)
    short_name = checked(side.short_name, "A short name", field=field, shortest=0, longest=LONGEST_WORD)
    country = checked(side.country_code, "A country code", field=field, shortest=0, longest=LONGEST_COUNTRY)
    return SideToLoad(
        name=name,
        short_name=short_name or name[:LONGEST_WORD],
        country_code=country,
        background=side.background,
        foreground=side.foreground,
    )
