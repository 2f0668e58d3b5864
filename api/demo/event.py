"""What the demonstration's tournament looks like: two days, and queues of fights for both mats."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from db.matches import planning, tournaments
from db.matches.planning import Place
from db.matches.tables import Mat, Tournament
from db.session import Transaction

# The number of the recorded final stands first: it leaves the queue as soon as it is loaded.
_QUEUES = (
    (
        ("1945", "Final", "M -87kg", "Luka Šarić", "RUS", "Jonas Keller", "GER"),
        ("1946", "Final", "M +87kg", "Mattéo Girard", "FRA", "Oskar Lindqvist", "SWE"),
        ("1947", "Final", "W -57kg", "Mina Park", "KOR", "Ana Sousa", "POR"),
        ("1948", "Final", "W -67kg", "Zeynep Koç", "TUR", "Carla Vega", "ESP"),
    ),
    (
        ("245.A", "Bronze medal contest", "M -68kg", "Pavel Novák", "CZE", "Kofi Mensah", "GHA"),
        ("245.B", "Bronze medal contest", "M -68kg", "Jin Sato", "JPN", "Liam Byrne", "IRL"),
    ),
)


def about_event(now: datetime) -> dict[str, Any]:
    """Say where and when it is: today and tomorrow."""
    return {"country_code": "KOR", "starts_on": now.date(), "ends_on": (now + timedelta(days=1)).date()}


async def set_up_event(tx: Transaction, tournament: Tournament, mats: Sequence[Mat], now: datetime) -> None:
    """Open the tournament with its first day, and fill the queues."""
    await tournaments.start_tournament(tx, tournament.id)
    days = [
        await tournaments.create_day(tx, tournament.id, held_on=(now + timedelta(days=later)).date(), now=now)
        for later in (0, 1)
    ]
    await tournaments.start_day(tx, days[0].id)
    for mat, fights in zip(mats, _QUEUES, strict=True):
        for number, phase, weight, *names in fights:
            blue, blue_country, red, red_country = names
            said = {
                "number": number,
                "phase": phase,
                "weight": weight,
                "division": "Under 21",
                "blue": {"name": blue, "country_code": blue_country},
                "red": {"name": red, "country_code": red_country},
                "tournament_day_id": days[0].id,
            }
            await planning.plan_match(tx, mat.id, said, Place(), now=now)
