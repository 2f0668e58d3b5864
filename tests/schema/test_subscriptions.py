"""Watching: a state comes first and then newer ones alone, a feed comes whole, and each viewer hears what is his."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.capture import read_capture
from db.access.viewer import Role, Viewer
from db.bus import Listener
from db.database import Database
from db.errors import Unavailable
from db.ids import new_id
from db.matches import operations
from db.matches.tables import Mat
from schema.connections import write_cursor
from schema.context import Context
from schema.ids import decode_id, encode_id
from tests.conftest import ManualClock
from tests.support.captures import FINAL
from tests.support.competition import begun_fight, loaded_fight, say
from tests.support.graph import Graph, the_schema

WIRES = [message.wire for message in read_capture(FINAL)]

BOARD = """
subscription ($matchId: ID, $matId: ID) {
  scoreboardChanged(matchId: $matchId, matId: $matId) {
    scoreboard { number revision blue { score } match { id } }
    sentAt
  }
}
"""

EVENTS = """
subscription ($matchId: ID!, $after: String) {
  matchEvents(matchId: $matchId, after: $after) { cursor event { seq raw } }
}
"""

LOG = """
query ($id: ID!, $after: String) {
  match(id: $id) { events(first: 100, after: $after) { nodes { seq raw } pageInfo { hasNextPage endCursor } } }
}
"""


@pytest.fixture
async def mat(db: Database, clock: ManualClock) -> Mat:
    async with db.transaction() as tx:
        return await operations.create_mat(tx, name=f"Mat {new_id()}", now=clock.now())


async def tell(graph: Graph, mat: Mat, *wires: str) -> str:
    """Log what a scoring program says; return the id of the fight on the mat."""
    graph.clock.move(timedelta(seconds=1))  # type: ignore[attr-defined]  # the tests' own clock
    async with graph.db.transaction() as tx:
        await say(tx, mat.id, graph.clock.now(), *wires)
    async with graph.db.read() as session:
        progress = await operations.load_progress(session, mat.id)
    return "" if progress.fight is None else encode_id("match", progress.fight.match_id)


def scored(points: int) -> list[str]:
    return [f"sc1;{points};sc2;0", "pt1;1"]


def board(data: dict[str, Any]) -> tuple[str, int, int] | None:
    """The number of the fight that is shown, its revision and blue's score."""
    shown = data["scoreboardChanged"]["scoreboard"]
    return None if shown is None else (shown["number"], shown["revision"], shown["blue"]["score"])


async def refusal(graph: Graph, operation: str, **variables: Any) -> dict[str, Any]:
    """Return why a subscription ends before its first message."""
    context = Context(db=graph.db, clock=graph.clock, asker=graph.viewer)
    stream: Any = await the_schema().subscribe(operation, variable_values=variables, context_value=context)
    results = [result async for result in stream]
    assert [len(result.errors) for result in results] == [1]
    error = results[0].errors[0]
    return {"message": error.message, **error.extensions}


# States.


async def test_the_state_comes_first_and_then_each_change(graph: Graph, mat: Mat) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))
    async with aclosing(graph.subscribe(BOARD, matchId=match)) as shown:
        first = await anext(shown)
        seen = [board(first)]
        for points in (1, 2, 3):
            await tell(graph, mat, *scored(points))
            seen.append(board(await anext(shown)))

    assert seen == [("101", 1, 0), ("101", 2, 1), ("101", 3, 2), ("101", 4, 3)]
    assert first["scoreboardChanged"]["scoreboard"]["match"] == {"id": match}
    assert first["scoreboardChanged"]["sentAt"] == f"{graph.clock.now() - timedelta(seconds=3):%Y-%m-%dT%H:%M:%S.%fZ}"


async def test_what_changes_nothing_that_is_shown_is_not_sent(graph: Graph, mat: Mat) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))
    async with aclosing(graph.subscribe(BOARD, matchId=match)) as shown:
        await anext(shown)
        await tell(graph, mat, "clk;02:00", "xyz;1", "sc1;0;sc2;0")
        await tell(graph, mat, *scored(1))

        assert board(await anext(shown)) == ("101", 2, 1)


async def test_a_mat_without_a_fight_shows_nothing_and_then_each_fight_on_it(graph: Graph, mat: Mat) -> None:
    async with aclosing(graph.subscribe(BOARD, matId=encode_id("mat", mat.id))) as shown:
        seen = [board(await anext(shown))]
        for number in ("101", "102"):
            await tell(graph, mat, *loaded_fight(number))
            seen.append(board(await anext(shown)))
            await tell(graph, mat, *scored(1))
            seen.append(board(await anext(shown)))

    assert seen == [None, ("101", 1, 0), ("101", 2, 1), ("102", 1, 0), ("102", 2, 1)]


async def test_a_fight_that_left_the_mat_is_heard_under_its_own_id_alone(graph: Graph, mat: Mat) -> None:
    match = await tell(graph, mat, *begun_fight("101"))
    async with (
        aclosing(graph.subscribe(BOARD, matchId=match)) as of_match,
        aclosing(graph.subscribe(BOARD, matId=encode_id("mat", mat.id))) as of_mat,
    ):
        first = [board(await anext(of_match)), board(await anext(of_mat))]
        await tell(graph, mat, *loaded_fight("102"))
        second = [board(await anext(of_match)), board(await anext(of_mat))]

    assert first == [("101", 1, 3), ("101", 1, 3)]
    # The fight that was replaced is shown as abandoned.
    assert second == [("101", 2, 3), ("102", 1, 0)]


async def test_whoever_is_slow_gets_the_latest_and_never_an_older_one(graph: Graph, mat: Mat) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))
    async with aclosing(graph.subscribe(BOARD, matchId=match)) as shown:
        await anext(shown)
        for points in range(1, 21):
            await tell(graph, mat, *scored(points))
        latest = board(await anext(shown))
        await tell(graph, mat, *scored(21))
        next_one = board(await anext(shown))

    assert [latest, next_one] == [("101", 21, 20), ("101", 22, 21)]


async def test_every_reader_sees_revisions_rise_while_two_mats_are_written(graph: Graph, mat: Mat) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))

    async def watch() -> list[int]:
        seen = []
        async for data in graph.subscribe(BOARD, matchId=match):
            number, revision, score = board(data) or ("", 0, 0)
            assert (number, revision) == ("101", score + 1)
            seen.append(revision)
            if revision == 31:
                break
        return seen

    watchers = [asyncio.create_task(watch()) for _ in range(5)]
    for points in range(1, 31):
        await tell(graph, mat, *scored(points))
    for seen in await asyncio.gather(*watchers):
        assert seen == sorted(set(seen))


# Feeds.


async def log_of(graph: Graph, match: str) -> list[tuple[int, str]]:
    entries: list[tuple[int, str]] = []
    after, is_full = None, True
    while is_full:
        page = (await graph.execute(LOG, id=match, after=after))["match"]["events"]
        entries += [(node["seq"], node["raw"]) for node in page["nodes"]]
        after, is_full = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    return entries


class Follower:
    """Somebody who follows a fight's log through many lives, and remembers only the last cursor he was given."""

    def __init__(self, graph: Graph, match: str) -> None:
        self.graph = graph
        self.match = match
        self.cursor: str | None = None
        self.heard: list[tuple[int, str]] = []
        self._stream: AsyncGenerator[dict[str, Any], None] | None = None

    async def hear(self, count: int) -> None:
        for _ in range(count):
            self._keep(await anext(self._alive()))

    async def die(self, *, is_waiting: bool) -> None:
        """End this life; if `is_waiting`, in the middle of waiting for what has not come yet."""
        stream, self._stream = self._alive(), None
        if is_waiting:
            waiting = asyncio.ensure_future(anext(stream))
            # Long enough for it to read the history and wait behind its end.
            await asyncio.wait([waiting], timeout=0.02)
            waiting.cancel()
            await asyncio.wait([waiting])
        await stream.aclose()

    def _alive(self) -> AsyncGenerator[dict[str, Any], None]:
        if self._stream is None:
            self._stream = self.graph.subscribe(EVENTS, matchId=self.match, after=self.cursor)
        return self._stream

    def _keep(self, data: dict[str, Any]) -> None:
        self.cursor = data["matchEvents"]["cursor"]
        event = data["matchEvents"]["event"]
        self.heard.append((event["seq"], event["raw"]))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("log"), st.integers(1, 60)),
        st.tuples(st.just("hear"), st.integers(0, 80)),
        st.tuples(st.just("die"), st.booleans()),
    ),
    max_size=24,
)


async def follow(graph: Graph, steps: list[tuple[str, Any]]) -> None:
    """Let somebody follow a replay, killed and brought back as the steps say, and compare with the log."""
    async with graph.db.transaction() as tx:
        mat = await operations.create_mat(tx, name=f"Mat {new_id()}", now=graph.clock.now())
    logged = 12
    match = await tell(graph, mat, *WIRES[:logged])
    follower = Follower(graph, match)
    for step, value in steps:
        if step == "log":
            await tell(graph, mat, *WIRES[logged : logged + value])
            logged = min(logged + value, len(WIRES))
        elif step == "hear":
            await follower.hear(min(value, logged - len(follower.heard)))
        else:
            await follower.die(is_waiting=value and logged == len(follower.heard))
    await tell(graph, mat, *WIRES[logged:])
    await follower.hear(len(WIRES) - len(follower.heard))
    await follower.die(is_waiting=True)

    assert follower.heard == await log_of(graph, match) == list(enumerate(WIRES, start=1))
    assert graph.db.bus.listener_count == 0


REUSED = settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@REUSED
@given(steps=STEPS)
async def test_a_follower_who_is_killed_and_resumes_hears_the_log_exactly(
    graph: Graph, steps: list[tuple[str, Any]]
) -> None:
    await follow(graph, steps)


@REUSED
@given(steps=STEPS)
async def test_a_follower_whose_queue_runs_over_hears_the_log_exactly(
    graph: Graph, steps: list[tuple[str, Any]]
) -> None:
    whole = graph.db.bus.listen
    graph.db.bus.listen = partial(whole, capacity=1)  # type: ignore[method-assign]  # a queue that is soon full
    try:
        await follow(graph, steps)
    finally:
        graph.db.bus.listen = whole  # type: ignore[method-assign]


async def test_what_was_stored_and_never_published_is_heard_with_the_next_entry(graph: Graph, mat: Mat) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))
    async with aclosing(graph.subscribe(EVENTS, matchId=match)) as feed:
        seqs = [(await anext(feed))["matchEvents"]["event"]["seq"] for _ in range(9)]
        # As when a commit's answer is lost: it is stored, and nobody here was told.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Listener, "hear", lambda *_: None)
            await tell(graph, mat, "clk;02:00;start")
        await tell(graph, mat, "clk;01:59")
        seqs += [(await anext(feed))["matchEvents"]["event"]["seq"] for _ in range(2)]

    assert seqs == list(range(1, 12))


async def test_a_follower_hears_nothing_of_another_fight(graph: Graph, mat: Mat) -> None:
    first = await tell(graph, mat, *loaded_fight("101"))
    async with aclosing(graph.subscribe(EVENTS, matchId=first)) as feed:
        heard = [(await anext(feed))["matchEvents"]["event"]["seq"] for _ in range(9)]
        second = await tell(graph, mat, *loaded_fight("102"))
        more = asyncio.ensure_future(anext(feed))
        done, _ = await asyncio.wait([more], timeout=0.05)
        more.cancel()
        await asyncio.wait([more])

    assert heard == list(range(1, 10))
    assert not done
    assert [seq for seq, _ in await log_of(graph, second)] == list(range(10, 19))


async def test_a_database_that_goes_away_ends_the_feed_with_a_code(
    graph: Graph, mat: Mat, monkeypatch: pytest.MonkeyPatch
) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))

    def away() -> Any:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(graph.db, "read", away)

    assert await refusal(graph, EVENTS, matchId=match) == {
        "message": "The database does not answer.",
        "code": "UNAVAILABLE",
    }


# Refusals.

MISSING = "0" * 32


@pytest.mark.parametrize(
    ("operation", "variables", "expected"),
    [
        (
            EVENTS,
            {"matchId": f"match_{MISSING}"},
            {"code": "NOT_FOUND", "field": "matchId", "message": "There is no such match."},
        ),
        (
            BOARD,
            {"matchId": f"match_{MISSING}"},
            {"code": "NOT_FOUND", "field": "matchId", "message": "There is no such match."},
        ),
        (
            BOARD,
            {"matId": f"mat_{MISSING}"},
            {"code": "NOT_FOUND", "field": "matId", "message": "There is no such mat."},
        ),
        (
            EVENTS,
            {"matchId": f"mat_{MISSING}"},
            {
                "code": "BAD_USER_INPUT",
                "field": "matchId",
                "message": f"This is not an id of a match: 'mat_{MISSING[4:]}…'. "
                "Ids come from the `id` fields of answers.",
            },
        ),
        (
            BOARD,
            {"matId": "Mat 1"},
            {
                "code": "BAD_USER_INPUT",
                "field": "matId",
                "message": "This is not an id of a mat: 'Mat 1'. Ids come from the `id` fields of answers.",
            },
        ),
        (
            BOARD,
            {},
            {"code": "BAD_USER_INPUT", "field": "matchId", "message": "Give either `matchId` or `matId`."},
        ),
        (
            BOARD,
            {"matchId": f"match_{MISSING}", "matId": f"mat_{MISSING}"},
            {"code": "BAD_USER_INPUT", "field": "matchId", "message": "Give either `matchId` or `matId`."},
        ),
    ],
)
async def test_what_cannot_be_watched_is_refused_with_code_and_field(
    graph: Graph, operation: str, variables: dict[str, str], expected: dict[str, str]
) -> None:
    assert await refusal(graph, operation, **variables) == expected


@pytest.mark.parametrize("cursor", ["", "x", "WzEsMl0", "W3RydWVd", "Wy0", "not a cursor", write_cursor(("1",))])
async def test_a_cursor_of_something_else_is_refused(graph: Graph, mat: Mat, cursor: str) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))

    assert await refusal(graph, EVENTS, matchId=match, after=cursor) == {
        "code": "BAD_USER_INPUT",
        "field": "after",
        "message": "This is not a cursor of this connection in this order: take one from `pageInfo` or an edge.",
    }


@pytest.mark.parametrize("operation", [BOARD, EVENTS])
async def test_nobody_watches_without_a_token(graph: Graph, mat: Mat, operation: str) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))

    refused = await refusal(graph.as_viewer(None), operation, matchId=match)

    assert refused["code"] == "UNAUTHENTICATED"


# Overlays.


def overlay(graph: Graph, *ids: str) -> Graph:
    """The graph as a token sees it that is bound to these nodes."""
    nodes = frozenset(decode_id(bound) for bound in ids)
    return graph.as_viewer(Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN, nodes=nodes))


async def test_an_overlay_of_a_mat_watches_its_mat_and_every_fight_on_it(graph: Graph, mat: Mat) -> None:
    mat_id = encode_id("mat", mat.id)
    bound = overlay(graph, mat_id)
    match = await tell(graph, mat, *loaded_fight("101"))
    async with (
        aclosing(bound.subscribe(BOARD, matId=mat_id)) as shown,
        aclosing(bound.subscribe(EVENTS, matchId=match)) as feed,
    ):
        seen = [board(await anext(shown))]
        assert (await anext(feed))["matchEvents"]["event"] == {"seq": 1, "raw": "pre;FightLoaded"}
        await tell(graph, mat, *loaded_fight("102"))
        seen.append(board(await anext(shown)))

    assert seen == [("101", 1, 0), ("102", 1, 0)]


async def test_an_overlay_of_a_fight_does_not_hear_the_next_one_on_its_mat(graph: Graph, mat: Mat) -> None:
    match = await tell(graph, mat, *begun_fight("101"))
    bound = overlay(graph, match)
    async with aclosing(bound.subscribe(BOARD, matId=encode_id("mat", mat.id))) as shown:
        seen = [board(await anext(shown))]
        await tell(graph, mat, *scored(4))
        seen.append(board(await anext(shown)))
        await tell(graph, mat, *loaded_fight("102"))
        seen.append(board(await anext(shown)))
        await tell(graph, mat, *scored(1))
        more = asyncio.ensure_future(anext(shown))
        done, _ = await asyncio.wait([more], timeout=0.05)
        more.cancel()
        await asyncio.wait([more])

    assert seen == [("101", 1, 3), ("101", 2, 4), None]
    assert not done


async def test_an_overlay_does_not_watch_what_it_is_not_bound_to(graph: Graph, mat: Mat, clock: ManualClock) -> None:
    match = await tell(graph, mat, *loaded_fight("101"))
    async with graph.db.transaction() as tx:
        elsewhere = await operations.create_mat(tx, name="Elsewhere", now=clock.now())
    other = await tell(graph, elsewhere, *loaded_fight("102"))
    bound = overlay(graph, match)

    refused = [
        await refusal(bound, EVENTS, matchId=other),
        await refusal(bound, BOARD, matchId=other),
        await refusal(bound, BOARD, matId=encode_id("mat", elsewhere.id)),
    ]

    assert refused == [
        {"code": "NOT_FOUND", "field": "matchId", "message": "There is no such match."},
        {"code": "NOT_FOUND", "field": "matchId", "message": "There is no such match."},
        {"code": "NOT_FOUND", "field": "matId", "message": "There is no such mat."},
    ]
