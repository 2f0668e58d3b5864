"""Operators and scoring programs, in any order and with any restarts: what is stored is a fold of the log."""

import contextlib
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strawberry.types import get_object_definition

from db.database import Database
from db.errors import Refusal
from db.ids import new_id
from db.matches import by_hand, operations, taking_back
from db.matches.held import By
from db.matches.tables import Match, MatchEvent
from db.matches.vocabulary import ChallengeState, Outcome, PointKind, Side
from schema.matches.operator_mutations import OperatorMutations
from tests.db.fresh import assert_equal_to_a_fresh_fold
from tests.db.logs import as_json, rows_of, said
from tests.db.match_strategies import logs
from tests.db.stored import NOW, lay_mat
from tests.support.operators import FIGHT, make_operator, revision_of

Step = tuple[str, Any]

_SIDES = st.sampled_from(Side)
_ROUNDS = st.none() | st.integers(1, 3)
# Few, so that what is taken back is often what was given.
_KINDS = st.sampled_from([PointKind.PUNCH, PointKind.HEAD])
_REMAINING = st.none() | st.integers(0, 120_000)


def _calls(operation: Any, **named: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.fixed_dictionaries(named).map(lambda given: ("say", (operation, given)))


_SAID: dict[Any, dict[str, st.SearchStrategy[Any]]] = {
    by_hand.award_points: {"side": _SIDES, "kind": _KINDS, "number": _ROUNDS},
    by_hand.take_back_points: {"side": _SIDES, "kind": _KINDS, "number": _ROUNDS},
    by_hand.give_gam_jeom: {"side": _SIDES, "number": _ROUNDS},
    by_hand.take_back_gam_jeom: {"side": _SIDES, "number": _ROUNDS},
    by_hand.set_score: {"blue": st.none() | st.integers(0, 30), "red": st.integers(0, 30), "number": _ROUNDS},
    by_hand.set_round: {"number": st.integers(1, 4)},
    by_hand.decide_round: {"winner": st.none() | _SIDES, "number": _ROUNDS},
    by_hand.set_clock: {"remaining_ms": st.integers(0, 120_000)},
    by_hand.start_clock: {"remaining_ms": _REMAINING},
    by_hand.stop_clock: {"remaining_ms": _REMAINING},
    by_hand.decide_challenge: {"side": st.none() | _SIDES, "state": st.sampled_from(ChallengeState)},
    by_hand.declare_winner: {"outcome": st.sampled_from(Outcome)},
}
_CORRECTIONS = st.one_of([_calls(operation, **named) for operation, named in _SAID.items()])
# Which entry, counted from the last.
_VOIDINGS = st.tuples(st.just("void"), st.integers(1, 25))
_WIRES = st.tuples(st.just("wires"), logs().map(said))
_STEPS = st.one_of(
    _WIRES,
    _CORRECTIONS,
    _CORRECTIONS,
    _VOIDINGS,
    st.just(("undo", None)),
    st.just(("undo", None)),
    st.just(("redo", None)),
    st.just(("load", None)),
    st.just(("restart", None)),
    st.just(("another fight", None)),
)


class Mat:
    """A mat with a scoring program that keeps its progress, and two operators who speak in turn of its fights."""

    def __init__(self, db: Database, mat_id: UUID, operators: list[By]) -> None:
        self.db = db
        self.mat_id = mat_id
        self.operators = operators
        self.progress: Any = None
        self.fights_back = 0
        self.steps = 0

    async def take(self, step: Step) -> None:
        what, given = step
        self.steps += 1
        if what == "restart":
            self.progress = None
        elif what == "another fight":
            self.fights_back += 1
        elif what == "wires":
            await self._log(given)
        else:
            with contextlib.suppress(Refusal):
                await self._say(what, given)

    async def _log(self, messages: list[Any]) -> None:
        """Write a batch from where it is believed to stand, as the worker does: whoever is behind catches up."""
        async with self.db.transaction() as tx:
            present = await operations.hold_log(tx, self.mat_id)
            if self.progress is not None and present.seq == self.progress.seq:
                assert as_json(present) == as_json(self.progress)
                present = self.progress
            self.progress = await operations.log_messages(tx, present, messages)

    async def _say(self, what: str, given: Any) -> None:
        matches = sorted(await rows_of(self.db, Match, self.mat_id), key=lambda row: -row.begun_seq)
        by = replace(self.operators[self.steps % 2], now=NOW + timedelta(seconds=self.steps))
        if what == "load":
            present = matches[0].id if matches else None
            await self._load(present, by)
        elif matches:
            match_id = matches[self.fights_back % len(matches)].id
            by = replace(by, revision=await revision_of(self.db, match_id))
            async with self.db.transaction() as tx:
                if what == "say":
                    operation, named = given
                    await operation(tx, match_id, by=by, **named)
                elif what == "void":
                    await taking_back.void_event(tx, match_id, await self._entry(match_id, given), by=by)
                else:
                    await (taking_back.undo if what == "undo" else taking_back.redo)(tx, match_id, by=by)

    async def _load(self, present: UUID | None, by: By) -> None:
        if present is not None:
            by = replace(by, revision=await revision_of(self.db, present))
        async with self.db.transaction() as tx:
            await by_hand.load_match(tx, self.mat_id, FIGHT, replaces=present, by=by)

    async def _entry(self, match_id: UUID, back: int) -> UUID:
        of_match = [row for row in await rows_of(self.db, MatchEvent, self.mat_id) if row.match_id == match_id]
        entry: UUID = sorted(of_match, key=lambda row: row.seq)[-min(back, len(of_match))].id
        return entry


@pytest.fixture
async def operators(db: Database) -> list[By]:
    return [By(viewer=await make_operator(db, NOW, name), now=NOW, revision=None) for name in ("Olga", "Ben")]


def test_whatever_the_graph_lets_operators_say_is_said_here() -> None:
    said = [*_SAID, by_hand.load_match, taking_back.void_event, taking_back.undo, taking_back.redo]
    offered = {field.python_name for field in get_object_definition(OperatorMutations, strict=True).fields}

    assert {f"match_{one.__name__.removesuffix('_match')}" for one in said} == offered
    assert len(offered) == 16


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=st.lists(_STEPS, min_size=4, max_size=20))
async def test_whatever_is_said_by_whomever_what_is_stored_is_a_fold_of_the_log(
    db: Database, operators: list[By], steps: list[Step]
) -> None:
    mat = Mat(db, (await lay_mat(db, str(new_id()))).id, operators)

    for step in [("load", None), *steps]:
        await mat.take(step)

    await assert_equal_to_a_fresh_fold(db, mat.mat_id)
