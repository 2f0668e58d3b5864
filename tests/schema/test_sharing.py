"""What several levels read by one batch query is read once, and the answer is what graphql-core makes of it."""

import pytest

from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.graph import Graph
from tests.support.social import follow, make_person, resonate, write

ENTRY = "query ($id: ID!) { entry(id: $id) { %s } }"


@pytest.mark.parametrize(
    ("selection", "reads"),
    [
        # A name that is wanted above and another below; a claim on both.
        ("author { username } thread { content author { name } }", ["entry", "thread", "users"]),
        (
            "viewerHasResonated author { name } thread { viewerHasResonated author { name } }",
            ["entry", "thread", "users", "resonances"],
        ),
        # Through pages, and through a level on which nothing is wanted of it.
        ("author { name } replies { nodes { content author { username } } }", ["entry", "replies", "users"]),
        (
            "author { name } replies { edges { cursor node { thread { author { name } } } } }",
            ["entry", "replies", "thread", "users"],
        ),
        # Three levels wait for the last.
        (
            "author { name } replies { nodes { author { username } thread { author { bio } } } }",
            ["entry", "replies", "thread", "users"],
        ),
        # Beside each other, by different keys.
        ("parent { content } root { title }", ["entry", "entries"]),
        ("parent { title } root { content author { name } } author { bio }", ["entry", "entries", "users"]),
        # What hangs on a row does not wait: there are two reads of users.
        (
            "author { name followers { nodes { name } } } thread { author { bio } }",
            ["entry", "thread", "users", "users", "followers", "users"],
        ),
    ],
)
async def test_a_batch_query_is_read_once_for_all_levels(
    graph: Graph, clock: ManualClock, selection: str, reads: list[str]
) -> None:
    ann, bob, carl = [await make_person(graph.db, clock.now(), name) for name in ("Ann", "Bob", "Carl")]
    await follow(graph.db, carl, bob, clock.now())
    root = await write(graph.db, ann, clock.now(), content="root")
    reply = await write(graph.db, bob, clock.now(), parent=root, content="reply")
    below = await write(graph.db, carl, clock.now(), parent=reply, content="below")
    await write(graph.db, ann, clock.now(), parent=below, content="at the bottom")
    for entry in (root, below):
        await resonate(graph.db, bob, entry, clock.now())
    asking = graph.as_viewer(bob)

    with graph.statements() as heard:
        answer = await asking.execute(ENTRY % selection, id=encode_id("entry", reply.id))

    assert len(heard) == len(reads)
    assert answer == await asking.on_graphql_core().execute(ENTRY % selection, id=encode_id("entry", reply.id))


@pytest.mark.parametrize(
    ("selection", "answer"),
    [
        ("author { name } thread { author { username } }", {"author": {"name": "Ann"}, "thread": []}),
        ("parent { title } root { content }", {"parent": None, "root": {"content": "alone"}}),
        (
            "author { name } replies { nodes { author { name } } totalCount }",
            {"author": {"name": "Ann"}, "replies": {"nodes": [], "totalCount": 0}},
        ),
    ],
)
async def test_what_waited_for_nothing_is_read_by_itself(
    graph: Graph, clock: ManualClock, selection: str, answer: object
) -> None:
    ann = await make_person(graph.db, clock.now(), "Ann")
    alone = await write(graph.db, ann, clock.now(), content="alone")

    assert await graph.execute(ENTRY % selection, id=encode_id("entry", alone.id)) == {"entry": answer}
