"""A competition to ask about: tournaments, mats and fights, made as the world makes them."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlmodel import col, select

from api.workers.pss_protocol import parse
from db.database import Database
from db.matches import operations, tournaments
from db.matches.log import Received
from db.matches.planning import Place, plan_match
from db.matches.tables import Mat, PlannedMatch, Tournament, TournamentDay
from db.matches.vocabulary import TournamentState
from db.session import Transaction


@dataclass(frozen=True, kw_only=True)
class Competition:
    """Tournaments with their mats, in the order of their names, and a fight or more on each mat."""

    tournaments: list[Tournament]
    mats: list[Mat]


async def hold(
    db: Database, now: datetime, *, tournaments: int = 2, mats: int = 6, fights: int = 1, prefix: str = ""
) -> Competition:
    """Fill a database: `mats` are dealt to the tournaments in turn, `fights` are loaded on each of them."""
    async with db.transaction() as tx:
        held = [
            await operations.create_tournament(tx, name=f"{prefix}Open {number}", now=now)
            for number in range(tournaments)
        ]
        laid = [
            await operations.create_mat(
                tx, name=f"{prefix}Mat {number:02}", tournament_id=held[number % tournaments].id, now=now
            )
            for number in range(mats)
        ]
        for number, mat in enumerate(laid):
            for fight in range(fights):
                at = now + timedelta(minutes=10 * fight, seconds=number)
                await say(tx, mat.id, at, *begun_fight(f"{number}.{fight}"))
    return Competition(tournaments=held, mats=laid)


async def plan(tx: Transaction, mat: Mat, now: datetime, *numbers: str) -> list[PlannedMatch]:
    """Let fights of two athletes each wait for a mat, on the day of its tournament that is on, if one is."""
    on = col(TournamentDay.tournament_id) == mat.tournament_id, col(TournamentDay.state) == TournamentState.ACTIVE
    day = await tx.row(select(TournamentDay).where(*on))
    return [
        await plan_match(
            tx,
            mat.id,
            {
                "number": number,
                "phase": "Final",
                "blue": {"name": f"Blue {number}", "country_code": "KOR"},
                "red": {"name": f"Red {number}", "short_name": f"R. {number}", "country_code": "GER"},
                "tournament_day_id": None if day is None else day.id,
            },
            Place(),
            now=now,
        )
        for number in numbers
    ]


async def open_day(tx: Transaction, tournament_id: UUID, held_on: date, now: datetime) -> TournamentDay:
    """Start a tournament with a day that is on, and another to come."""
    await tournaments.start_tournament(tx, tournament_id)
    day = await tournaments.create_day(tx, tournament_id, held_on=held_on, now=now)
    await tournaments.create_day(tx, tournament_id, held_on=held_on + timedelta(days=1), now=now)
    return await tournaments.start_day(tx, day.id)


async def say(tx: Transaction, mat_id: UUID, at: datetime, *wires: str) -> None:
    """Log what a scoring program says of a mat, a millisecond apart."""
    progress = await operations.load_progress(tx, mat_id)
    received = [
        Received(
            received_at=at + timedelta(milliseconds=offset),
            sender="127.0.0.1:50000",
            raw=wire.encode(),
            message=parse(wire.encode()),
        )
        for offset, wire in enumerate(wires)
    ]
    await operations.log_messages(tx, progress, received)


def loaded_fight(number: str) -> list[str]:
    """What is said when a fight is put on a mat: two athletes that no other fight has."""
    return [
        "pre;FightLoaded",
        f"at1;B. {number};Blue {number};KOR;at2;R. {number};Red {number};GER",
        f"mch;{number};Final;M -68kg;0;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Seniors;3;120;cntDown;20;5",
        "wg1;0;wg2;0",
        "s11;0;s21;0;s12;0;s22;0;s13;0;s23;0",
        "sc1;0;sc2;0",
        "clk;02:00",
        "rnd;1",
        "rdy;FightReady",
    ]


def begun_fight(number: str) -> list[str]:
    """What is said of a fight up to its first three points, for blue."""
    return [*loaded_fight(number), "clk;02:00;start", "s11;3;s21;0", "sc1;3;sc2;0", "pt1;3"]
