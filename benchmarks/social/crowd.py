"""A crowd that resonates with one entry and takes it back, all at once: its count is the number of the marks."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import delete, func
from sqlmodel import col, select

from api.server import House
from benchmarks.graph.inprocess import Client
from benchmarks.graph.shapes import Ids
from benchmarks.social.inside import make_token, ringside
from benchmarks.social.questions import SHAPES, Subjects, body
from db.access import operations as access
from db.access.tables import User
from db.access.viewer import Role
from db.parameters import any_of
from db.social.tables import Entry, Resonance

CALLS = 1_000
_PEOPLE = 100
_NAME = "benchmark crowd"
_CHANGE = (
    "mutation Mark($id: ID!) { %s(id: $id) { entry { counts { resonances } viewerHasResonated } errors { code } } }"
)


@dataclass(frozen=True, kw_only=True)
class Crowded:
    """What came of it."""

    seconds: float
    refused: int
    counted: int
    actual: int

    @property
    def is_right(self) -> bool:
        """Whether the count is what there is."""
        return self.counted == self.actual


async def crowd(house: House, subjects: Subjects) -> Crowded:
    """Have everybody call at once, some of them to take back what they did not do."""
    people = await _gather_people(house)
    try:
        peer = ringside(subjects, subjects.readers[0])
        clients = [Client(peer, house.app, Ids(), await make_token(house.db, one.id)) for one in people]
        id = f"entry_{subjects.hottest.hex}"  # noqa: A001 -- an id is called id
        bodies = [body(_CHANGE % verb, id=id) for verb in ("entryResonate", "entryUnresonate")]
        calls = [clients[turn % _PEOPLE].ask(SHAPES["home"], bodies[turn // _PEOPLE % 2]) for turn in range(CALLS)]
        random.Random(CALLS).shuffle(calls)  # noqa: S311 -- made to be repeatable, not to be secret
        began = time.perf_counter()
        answers = await asyncio.gather(*calls)
        seconds = time.perf_counter() - began
        counted, actual = await _counts(house, subjects)
    finally:
        await _send_home(house, people)
    return Crowded(seconds=seconds, refused=sum(map(_is_refused, answers)), counted=counted, actual=actual)


def _is_refused(answer: bytes) -> bool:
    said: Any = orjson.loads(answer)
    return bool(said.get("errors")) or any(payload["errors"] for payload in said["data"].values())


async def _counts(house: House, subjects: Subjects) -> tuple[int, int]:
    async with house.db.read() as session:
        counted = await session.scalar(select(Entry.resonance_count).where(col(Entry.id) == subjects.hottest))
        marks = select(func.count()).select_from(Resonance).where(col(Resonance.entry_id) == subjects.hottest)
        return counted, await session.scalar(marks)


async def _gather_people(house: House) -> list[User]:
    """Find the people, or make them. They stay: a user is looked for in all entries before he may go."""
    async with house.db.transaction() as tx:
        people = await tx.rows(select(User).where(col(User.name) == _NAME))
        for number in range(len(people), _PEOPLE):
            username = f"crowd_{number}"
            now = house.clock.now()
            people.append(await access.create_user(tx, name=_NAME, username=username, role=Role.MEMBER, now=now))
    return people


async def _send_home(house: House, people: Sequence[User]) -> None:
    """Take back all that they did."""
    async with house.db.transaction() as tx:
        await tx.execute(delete(Resonance).where(any_of(col(Resonance.user_id), [one.id for one in people])))
