"""What the ancestor of the social graph got wrong, as it is right: one test for each fault that was found in it.

Others of them stand where the thing itself is tested: marks are set and not toggled, what was never marked comes last,
cursors fit every order, nothing leaks (`test_entry_visibility`), both ends of a follow are counted, counters are mended
to nought as well, and what is deleted keeps its place.
"""

from typing import Any

import pytest
from graphql import GraphQLInputObjectType
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.database import Database
from db.social.operations import DIGITS
from db.social.tables import Entry
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.graph import Graph, the_schema
from tests.support.social import erase, follow, make_person, plant, resonate, rewrite, write

_SOCIAL = ("entry", "user")


@pytest.fixture
async def ann(db: Database, clock: ManualClock) -> Viewer:
    return await make_person(db, clock.now(), "Ann")


def _changes() -> dict[str, Any]:
    fields = the_schema()._schema.mutation_type.fields  # type: ignore[union-attr]  # there are some
    return {name: field for name, field in fields.items() if name.startswith(_SOCIAL)}


async def _entries(db: Database) -> list[Entry]:
    async with db.read() as session:
        return await session.rows(select(Entry).order_by(col(Entry.root_id), col(Entry.path)))


def test_nobody_says_for_whom_he_acts() -> None:
    """A token says who acts; no argument does. `userFollow(id:)` is the one who is followed."""
    arguments = {f"{name}({one})" for name, field in _changes().items() for one in field.args if one != "input"}

    assert {one for one in arguments if "user" in one.partition("(")[2].lower()} == set()
    assert "id" not in _changes()["userUpdate"].args


def test_nobody_writes_a_counter_or_a_place_in_a_thread() -> None:
    inputs = [one for one in the_schema()._schema.type_map.values() if isinstance(one, GraphQLInputObjectType)]
    said = {name for one in inputs if one.name in {"EntryInput", "ProfileInput"} for name in one.fields}

    assert {name for name in said if "ount" in name or name in {"score", "heat", "path", "depth", "parentId"}} == set()
    assert "parentId" not in _changes()["entryUpdate"].args


async def test_a_thread_has_one_truth(db: Database, ann: Viewer, clock: ManualClock) -> None:
    """Parent, root, path, depth and order say the same of every entry, and nothing stands below itself."""
    await plant(db, [ann], clock.now())
    root = await write(db, ann, clock.now())
    for number in range(6):
        entries = [one for one in await _entries(db) if one.root_id == root.id]
        await write(db, ann, clock.now(), parent=entries[number // 2])

    entries = await _entries(db)

    by_id = {one.id: one for one in entries}
    for one in entries:
        if one.parent_id is None:
            assert (one.root_id, one.path, one.depth) == (one.id, "", 0)
            continue
        parent = by_id[one.parent_id]
        assert one.path == f"{parent.path}{one.branch_order:0{DIGITS}x}"
        assert (one.root_id, one.depth) == (parent.root_id, parent.depth + 1)


async def test_an_entry_that_nobody_touched_has_counts_of_nought(graph: Graph, ann: Viewer) -> None:
    entry = await write(graph.db, ann, graph.clock.now())
    counts = "query ($id: ID!) { entry(id: $id) { counts { resonances amplifications branches shares revision } } }"

    data = await graph.execute(counts, id=encode_id("entry", entry.id))

    assert set(data["entry"]["counts"].values()) == {0}


async def test_a_person_who_has_written_may_delete_it_all(graph: Graph, ann: Viewer, clock: ManualClock) -> None:
    root = await write(graph.db, ann, clock.now())
    reply = await write(graph.db, ann, clock.now(), parent=root)
    for one in (root, reply):
        await erase(graph.db, ann, one, clock.now())

    data = await graph.execute("{ publicFeed { totalCount } }")

    assert data["publicFeed"]["totalCount"] == 0


async def test_whom_one_follows_of_fifty_is_asked_once(graph: Graph, ann: Viewer, clock: ManualClock) -> None:
    people = [await make_person(graph.db, clock.now()) for _ in range(50)]
    for one in people[::2]:
        await follow(graph.db, ann, one, clock.now())
    operation = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on User { viewerIsFollowing isFollowingViewer } } }"
    asking = graph.as_viewer(ann)

    with graph.statements() as heard:
        data = await asking.execute(operation, ids=[encode_id("user", one.user_id) for one in people])

    assert [one["viewerIsFollowing"] for one in data["nodes"]] == [True, False] * 25
    assert len(heard) == 3


async def test_a_thread_of_1429_is_read_in_three_statements(graph: Graph, ann: Viewer, clock: ManualClock) -> None:
    people = [ann, *[await make_person(graph.db, clock.now()) for _ in range(3)]]
    root = encode_id("entry", await plant(graph.db, people, clock.now()))
    operation = """
    query ($id: ID!) {
      entry(id: $id) {
        content author { username }
        thread(depth: 11, branching: 1000, most: 2000) { content depth isDeleted author { username name } }
      }
    }
    """

    with graph.statements() as heard:
        data = await graph.execute(operation, id=root)
    thread = data["entry"]["thread"]

    assert len(heard) == 3
    assert (len(thread), max(one["depth"] for one in thread)) == (1428, 11)
    assert data == await graph.on_graphql_core().execute(operation, id=root)


async def test_what_is_measured_may_be_whole_and_a_kind_may_change(
    graph: Graph, ann: Viewer, clock: ManualClock
) -> None:
    whole = {"clarity": 1.0, "resonance": 1.0, "coherence": 1.0}
    entry = await write(graph.db, ann, clock.now(), metrics=whole)
    await rewrite(graph.db, ann, entry, clock.now(), kind="DREAM")
    shown = """
    query ($id: ID!) {
      entry(id: $id) { metrics { clarity resonance coherence } author { counts { entries dreams } } }
    }
    """

    data = await graph.execute(shown, id=encode_id("entry", entry.id))

    assert data["entry"] == {"metrics": whole, "author": {"counts": {"entries": 0, "dreams": 1}}}


async def test_one_thing_has_one_id_wherever_it_is_met(graph: Graph, ann: Viewer, clock: ManualClock) -> None:
    entry = await write(graph.db, ann, clock.now())
    await resonate(graph.db, ann, entry, clock.now())
    operation = """
    query ($id: ID!) {
      entry(id: $id) { id root { id } author { entries { nodes { id } } resonatedEntries { nodes { id } } } }
      publicFeed { nodes { id } }
      node(id: $id) { id }
    }
    """

    data = await graph.execute(operation, id=encode_id("entry", entry.id))

    author = data["entry"]["author"]
    met = [data["entry"], data["entry"]["root"], data["node"], *data["publicFeed"]["nodes"]]
    met += author["entries"]["nodes"] + author["resonatedEntries"]["nodes"]
    assert {one["id"] for one in met} == {encode_id("entry", entry.id)}
    assert len(met) == 6
