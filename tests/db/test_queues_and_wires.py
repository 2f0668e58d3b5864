"""Queues, assignments, loads, and what is taken back, in any order: what is planned stands where a list has it."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from db.database import Database
from db.errors import Refusal
from db.ids import new_id
from db.matches import operations, planning, taking_back, tournaments
from db.matches.held import By
from db.matches.planning import Place
from db.matches.rebuilding import rebuild_mat
from db.matches.tables import Mat, Match, MatchEvent, PlannedMatch
from tests.db.fresh import assert_equal_to_a_fresh_fold
from tests.db.logs import log, received
from tests.db.stored import NOW, lay_mat
from tests.support.competition import begun_fight, loaded_fight
from tests.support.operators import make_operator, revision_of

_MATS = st.integers(0, 1)
# Few, so that numbers repeat.
_NUMBERS = st.sampled_from(["1", "2"])
_WHICH = st.integers(0, 5)
_STEPS = st.one_of(
    st.tuples(st.just("plan"), _MATS, _NUMBERS),
    st.tuples(st.just("plan"), _MATS, _NUMBERS),
    st.tuples(st.just("move"), _WHICH, _MATS),
    st.tuples(st.just("put before"), _WHICH, _WHICH),
    st.tuples(st.just("put behind"), _WHICH, _WHICH),
    st.tuples(st.just("remove"), _WHICH),
    st.tuples(st.just("load"), _MATS, _NUMBERS),
    st.tuples(st.just("load"), _MATS, _NUMBERS),
    st.tuples(st.just("begin"), _MATS, _NUMBERS),
    st.tuples(st.just("say"), _MATS, st.sampled_from(["win;BLUE", "clk;02:00;start", "pt1;3"])),
    st.tuples(st.just("renumber"), _MATS, _NUMBERS),
    st.tuples(st.just("void"), _MATS, st.integers(1, 12)),
    st.tuples(st.just("undo"), _MATS),
    st.tuples(st.just("assign"), _MATS, _MATS),
    st.tuples(st.just("restart"), _MATS),
)
# So that there is something to take, whatever is drawn.
_FIRST = [("plan", 0, "1"), ("plan", 0, "2"), ("plan", 0, "1"), ("plan", 1, "1")]


@dataclass(eq=False)
class Plan:
    """A planned fight, as a plain list has it."""

    id: UUID
    number: str
    match_id: UUID | None = None


@dataclass
class Hall:
    """Two mats, what is said there, and what that should come to."""

    db: Database
    mats: list[Mat]
    tournaments: list[UUID]
    operator: Any
    queues: list[list[Plan]] = field(default_factory=lambda: [[], []])
    of_tournament: list[UUID | None] = field(default_factory=lambda: [None, None])
    progress: list[Any] = field(default_factory=lambda: [None, None])
    # Of each fight: its number and state as they last were, and the tournament it was loaded in.
    fights: dict[UUID, tuple[str, str]] = field(default_factory=dict)
    loaded_in: dict[UUID, UUID | None] = field(default_factory=dict)
    minute: int = 0

    async def take(self, step: tuple[Any, ...]) -> None:
        """Take a step; what is refused must leave everything as it was."""
        what, *given = step
        self.minute += 1
        steps: dict[str, Any] = {
            "plan": self._plan,
            "move": self._move,
            "put before": lambda one, other: self._put(one, other, is_before=True),
            "put behind": lambda one, other: self._put(one, other, is_before=False),
            "remove": self._remove,
            "load": lambda mat, number: self._log(mat, *loaded_fight(number)),
            "begin": lambda mat, number: self._log(mat, *begun_fight(number)),
            "say": self._log,
            "renumber": lambda mat, number: self._log(mat, loaded_fight(number)[2]),
            "void": self._void,
            "undo": self._undo,
            "assign": self._assign,
            "restart": self._restart,
        }
        await steps[what](*given)

    def place(self, which: int) -> tuple[list[Plan], Plan] | None:
        """A planned fight and the list it stands in, counted over both."""
        every = [(queue, plan) for queue in self.queues for plan in queue]
        return every[which % len(every)] if every else None

    async def _plan(self, mat: int, number: str) -> None:
        async with self.db.transaction() as tx:
            made = await planning.plan_match(tx, self.mats[mat].id, {"number": number}, Place(), now=NOW)
        self.queues[mat].append(Plan(made.id, number))

    async def _move(self, which: int, mat: int) -> None:
        found = self.place(which)
        if found is not None:
            await self._moved(found, self.queues[mat], None, mat_id=self.mats[mat].id, place=Place())

    async def _put(self, which: int, beside: int, *, is_before: bool) -> None:
        found, goal = self.place(which), self.place(beside)
        if found is None or goal is None:
            return
        queue, other = goal
        place = Place(before_id=other.id) if is_before else Place(after_id=other.id)
        await self._moved(found, queue, (other, is_before), mat_id=None, place=place)

    async def _moved(
        self, found: tuple[list[Plan], Plan], goal: list[Plan], beside: tuple[Plan, bool] | None, **given: Any
    ) -> None:
        queue, plan = found
        tournaments_of = {self.of_tournament[self.queues.index(one)] for one in (queue, goal)}
        may_be = plan.match_id is None and len(tournaments_of) == 1 and (beside is None or beside[0] is not plan)
        try:
            async with self.db.transaction() as tx:
                await planning.move_planned(tx, plan.id, **given)
        except Refusal:
            assert not may_be
            return
        assert may_be
        queue.remove(plan)
        at = len(goal) if beside is None else goal.index(beside[0]) + (not beside[1])
        goal.insert(at, plan)

    async def _remove(self, which: int) -> None:
        found = self.place(which)
        if found is None:
            return
        queue, plan = found
        try:
            async with self.db.transaction() as tx:
                await planning.remove_planned(tx, plan.id)
        except Refusal:
            assert plan.match_id is not None
            return
        assert plan.match_id is None
        queue.remove(plan)

    async def _log(self, mat: int, *wires: str) -> None:
        at = NOW + timedelta(minutes=self.minute)
        self.progress[mat] = await log(self.db, self.mats[mat].id, received(*wires, at=at), self.progress[mat])
        await self._follow(mat)

    async def _restart(self, mat: int) -> None:
        self.progress[mat] = None

    async def _void(self, mat: int, back: int) -> None:
        await self._correct(mat, back)

    async def _undo(self, mat: int) -> None:
        await self._correct(mat, None)

    async def _correct(self, mat: int, back: int | None) -> None:
        """Take back an entry of the fight on the mat, or the last taking back."""
        matches = await self._matches(mat)
        if not matches:
            return
        match_id = matches[-1].id
        now = NOW + timedelta(minutes=self.minute)
        by = By(viewer=self.operator, now=now, revision=await revision_of(self.db, match_id))
        try:
            async with self.db.transaction() as tx:
                if back is None:
                    await taking_back.undo(tx, match_id, by=by)
                else:
                    of_match = select(MatchEvent).where(col(MatchEvent.match_id) == match_id)
                    entries = await tx.rows(of_match.order_by(col(MatchEvent.seq)))
                    await taking_back.void_event(tx, match_id, entries[-min(back, len(entries))].id, by=by)
        except Refusal:
            return
        self.progress[mat] = None
        await self._follow(mat)

    async def _assign(self, mat: int, tournament: int) -> None:
        async with self.db.transaction() as tx:
            await tournaments.assign_mat(tx, self.mats[mat].id, self.tournaments[tournament])
        self.of_tournament[mat] = self.tournaments[tournament]

    async def _matches(self, mat: int) -> list[Match]:
        of_mat = select(Match).where(col(Match.mat_id) == self.mats[mat].id)
        async with self.db.read() as session:
            return await session.rows(of_mat.order_by(col(Match.begun_seq)))

    async def _follow(self, mat: int) -> None:
        """Say of the lists what the loads of a mat make of them."""
        for match in await self._matches(mat):
            before = self.fights.get(match.id, ("", ""))
            self.fights[match.id] = (match.number, match.state)
            self.loaded_in.setdefault(match.id, self.of_tournament[mat])
            has = next((plan for queue in self.queues for plan in queue if plan.match_id == match.id), None)
            gave_way = match.state in {"NOT_FOUGHT", "ABANDONED"}
            if has is not None and (gave_way or match.number != before[0]) and (gave_way or has.number != match.number):
                has.match_id = None
                has = None
            if not gave_way and match.number and match.number != before[0] and has is None:
                waiting = (one for one in self.queues[mat] if one.number == match.number and one.match_id is None)
                first = next(waiting, None)
                if first is not None:
                    first.match_id = match.id


async def standing(db: Database, hall: Hall) -> list[list[tuple[UUID, str, UUID | None]]]:
    """The queues as they are stored, in order, those that became a match among them."""
    async with db.read() as session:
        ordered = select(PlannedMatch).order_by(col(PlannedMatch.position), col(PlannedMatch.id))
        rows = await session.rows(ordered)
    return [[(row.id, row.number, row.match_id) for row in rows if row.mat_id == mat.id] for mat in hall.mats]


@pytest.fixture
async def operator(db: Database) -> Any:
    return await make_operator(db, NOW)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(_STEPS, min_size=8, max_size=25))
async def test_whatever_is_planned_moved_loaded_and_taken_back_each_fight_waits_in_its_place_or_was_taken(
    db: Database, operator: Any, steps: list[tuple[Any, ...]]
) -> None:
    mark = new_id()
    async with db.transaction() as tx:
        held = [(await operations.create_tournament(tx, name=f"{mark} {name}", now=NOW)).id for name in "AB"]
    hall = Hall(db, [await lay_mat(db, f"{mark} {name}") for name in "AB"], held, operator)

    for step in [*_FIRST, *steps]:
        await hall.take(step)

    expected = [[(plan.id, plan.number, plan.match_id) for plan in queue] for queue in hall.queues]
    assert await standing(db, hall) == expected
    for place, mat in enumerate(hall.mats):
        await assert_equal_to_a_fresh_fold(db, mat.id)
        loaded = {match.id: match.tournament_id for match in await hall._matches(place)}
        assert loaded == {match_id: hall.loaded_in[match_id] for match_id in loaded}
        async with db.transaction() as tx:
            await rebuild_mat(tx, mat.id, now=NOW)
    assert await standing(db, hall) == expected
