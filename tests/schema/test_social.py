"""The graph of people and entries: feeds, threads, links, what one may do, and what is told as it happens."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import pytest

from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.social.tables import Entry
from db.social.vocabulary import EntryPrivacy
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.graph import Graph
from tests.support.house import PATIENCE_SECONDS, eventually
from tests.support.social import (
    amplify,
    erase,
    follow,
    follow_many,
    make_person,
    plant,
    resonate,
    rewrite,
    unfollow,
    write,
)

FEED = """
query ($first: Int, $after: String, $last: Int, $before: String, $order: EntryOrder, $filter: EntryFilter) {
  publicFeed(first: $first, after: $after, last: $last, before: $before, orderBy: $order, filter: $filter) {
    edges { cursor node { content } }
    pageInfo { hasNextPage endCursor startCursor hasPreviousPage }
  }
}
"""
HOME = """
query ($first: Int, $after: String, $order: TimeOrder) {
  homeFeed(first: $first, after: $after, orderBy: $order) {
    nodes {
      content author { username } counts { resonances amplifications branches shares }
      viewerHasResonated viewerHasAmplified
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""
HOME_BOTH_WAYS = """
query ($first: Int, $after: String, $last: Int, $before: String, $order: TimeOrder, $filter: EntryFilter) {
  homeFeed(first: $first, after: $after, last: $last, before: $before, orderBy: $order, filter: $filter) {
    edges { node { content } }
    pageInfo { hasNextPage endCursor startCursor hasPreviousPage }
  }
}
"""
SEARCH_WHOLE = """
query ($text: String!, $order: EntryOrder, $after: String) {
  search(filter: {text: $text}, orderBy: $order, first: 100, after: $after) {
    nodes { content }
    totalCount
    pageInfo { endCursor hasNextPage }
  }
}
"""
THREAD = """
query ($id: ID!, $depth: Int, $branching: Int, $most: Int) {
  entry(id: $id) {
    content
    ancestors { content }
    thread(depth: $depth, branching: $branching, most: $most) { content depth author { username } }
  }
}
"""
MARKS = """
mutation ($id: ID!) {
  one: entryResonate(id: $id) { entry { counts { resonances } viewerHasResonated } errors { code } }
  two: entryResonate(id: $id) { entry { counts { resonances } viewerHasResonated } errors { code } }
  three: entryUnresonate(id: $id) { entry { counts { resonances } viewerHasResonated } errors { code } }
}
"""


@pytest.fixture
async def ann(db: Database, clock: ManualClock) -> Viewer:
    return await make_person(db, clock.now(), "Ann")


@pytest.fixture
async def bob(db: Database, clock: ManualClock) -> Viewer:
    return await make_person(db, clock.now(), "Bob")


def id_of(entry: Entry) -> str:
    return encode_id("entry", entry.id)


def user_id(viewer: Viewer) -> str:
    return encode_id("user", viewer.user_id)


def said(connection: dict[str, Any]) -> list[str]:
    return [edge["node"]["content"] for edge in connection["edges"]]


async def soon(messages: AsyncGenerator[dict[str, Any], None]) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await anext(messages)


async def write_some(graph: Graph, author: Viewer, number: int, **said: Any) -> list[Entry]:
    """Entries named A, B, C and on, two at each instant."""
    at = graph.clock.now()
    return [
        await write(graph.db, author, at + timedelta(seconds=one // 2), content=chr(ord("A") + one), **said)
        for one in range(number)
    ]


# Feeds


@pytest.mark.parametrize("order", ["NEWEST", "OLDEST", "POPULAR", "TRENDING"])
async def test_every_order_pages_both_ways_without_gaps_or_repeats(graph: Graph, ann: Viewer, order: str) -> None:
    entries = await write_some(graph, ann, 7)
    for entry, times in zip(entries[:3], (2, 1, 2), strict=True):
        for _ in range(times):
            await resonate(graph.db, await make_person(graph.db, graph.clock.now()), entry, graph.clock.now())
    whole = said((await graph.execute(FEED, first=100, order=order))["publicFeed"])

    forward: list[str] = []
    backward: list[str] = []
    after = before = None
    for _ in range(4):
        page = (await graph.execute(FEED, first=2, after=after, order=order))["publicFeed"]
        forward, after = forward + said(page), page["pageInfo"]["endCursor"]
        page = (await graph.execute(FEED, last=2, before=before, order=order))["publicFeed"]
        backward, before = said(page) + backward, page["pageInfo"]["startCursor"]

    assert forward == backward == whole
    assert sorted(whole) == list("ABCDEFG")


async def test_the_most_marked_come_first_and_the_unmarked_last(graph: Graph, ann: Viewer, bob: Viewer) -> None:
    a, b, _ = await write_some(graph, ann, 3)
    await resonate(graph.db, ann, b, graph.clock.now())
    await amplify(graph.db, bob, b, graph.clock.now())
    await resonate(graph.db, bob, a, graph.clock.now())

    popular = (await graph.execute(FEED, order="POPULAR"))["publicFeed"]

    assert said(popular) == ["B", "A", "C"]


async def test_what_trends_sinks_with_time(graph: Graph, ann: Viewer, bob: Viewer, clock: ManualClock) -> None:
    old = await write(graph.db, ann, clock.now(), content="Old")
    await resonate(graph.db, bob, old, clock.now())
    clock.move(timedelta(hours=1))
    await write(graph.db, ann, clock.now(), content="Soon after")
    clock.move(timedelta(days=2))
    await write(graph.db, ann, clock.now(), content="Today")

    data = await graph.execute("{ trending { nodes { content } } }")

    assert [one["content"] for one in data["trending"]["nodes"]] == ["Today", "Old", "Soon after"]


async def test_a_page_stays_right_while_entries_come(graph: Graph, ann: Viewer, clock: ManualClock) -> None:
    await write_some(graph, ann, 4)
    first = (await graph.execute(FEED, first=2))["publicFeed"]
    clock.move(timedelta(minutes=1))
    await asyncio.gather(*(write(graph.db, ann, clock.now(), content="New") for _ in range(5)))

    second = (await graph.execute(FEED, first=2, after=first["pageInfo"]["endCursor"]))["publicFeed"]

    assert (said(first)[0] in {"C", "D"}, sorted(said(first) + said(second))) == (True, list("ABCD"))
    assert second["pageInfo"]["hasNextPage"] is False


async def test_a_feed_is_of_public_roots_and_by_tag_and_kind(graph: Graph, ann: Viewer, bob: Viewer) -> None:
    now = graph.clock.now()
    root = await write(graph.db, ann, now, content="Deep", tags=["#Deep"], kind="DREAM")
    await write(graph.db, bob, now, parent=root, content="Reply", tags=["deep"])
    await write(graph.db, ann, now, content="Followers", privacy="FOLLOWERS", tags=["deep"])
    await write(graph.db, ann, now, content="Private", privacy="PRIVATE", tags=["deep"])
    await erase(graph.db, ann, await write(graph.db, ann, now, content="Gone", tags=["deep"]), now)
    await write(graph.db, ann, now, content="Log")

    async def of(**wanted: Any) -> list[str]:
        return sorted(said((await graph.as_viewer(ann).execute(FEED, filter=wanted))["publicFeed"]))

    assert await of() == ["Deep", "Log"]
    assert await of(tag="deep") == ["Deep"]
    assert await of(kinds=["DREAM"]) == ["Deep"]
    assert await of(kinds=["LOGBOOK"], tag="deep") == []


async def test_home_is_what_those_wrote_whom_one_follows(graph: Graph, ann: Viewer, bob: Viewer) -> None:
    now = graph.clock.now()
    carl = await make_person(graph.db, now, "Carl")
    for number, who in enumerate((ann, bob, carl, ann)):
        await write(
            graph.db,
            who,
            now + timedelta(seconds=number),
            content=f"{number}",
            privacy=("PUBLIC", "FOLLOWERS")[number % 2],
        )
    await write(graph.db, ann, now, content="Secret", privacy="PRIVATE")
    for who in (ann, bob):
        await follow(graph.db, carl, who, now)
    home = graph.as_viewer(carl)

    with graph.statements() as heard:
        first = (await home.execute(HOME, first=2))["homeFeed"]
    second = (await home.execute(HOME, first=2, after=first["pageInfo"]["endCursor"]))["homeFeed"]
    oldest = (await home.execute(HOME, order="OLDEST"))["homeFeed"]

    assert len(heard) == 4
    assert [one["content"] for one in first["nodes"] + second["nodes"]] == ["3", "1", "0"]
    assert [one["content"] for one in oldest["nodes"]] == ["0", "1", "3"]
    await unfollow(graph.db, carl, ann)
    left = (await home.execute(HOME))["homeFeed"]
    assert [(one["content"], one["author"]["username"]) for one in left["nodes"]] == [("1", "bob")]


async def test_home_is_as_whole_for_who_follows_many(graph: Graph, ann: Viewer, bob: Viewer) -> None:
    """Of many, the newest of all are looked at before: on the first pages they are enough, on the last they are not."""
    now = graph.clock.now()
    people = await follow_many(graph.db, ann, 110, now)
    for number in range(21):
        at, privacy = now + timedelta(seconds=number // 2), list(EntryPrivacy)[number % 3]
        await write(graph.db, people[number % 4], at, content=f"{number}", privacy=privacy)
        await write(graph.db, bob, at, content="of somebody else")
    home = graph.as_viewer(ann)

    shown = {str(number) for number in range(21) if list(EntryPrivacy)[number % 3] is not EntryPrivacy.PRIVATE}
    for order in ("NEWEST", "OLDEST"):
        whole = said((await home.execute(HOME_BOTH_WAYS, first=100, order=order))["homeFeed"])
        forward: list[str] = []
        backward: list[str] = []
        after = before = None
        for _ in range(3):
            with graph.statements() as heard:
                page = await home.execute(HOME_BOTH_WAYS, first=6, after=after, order=order)
            assert page == await home.on_graphql_core().execute(HOME_BOTH_WAYS, first=6, after=after, order=order)
            assert len(heard) == 1
            forward, after = forward + said(page["homeFeed"]), page["homeFeed"]["pageInfo"]["endCursor"]
            page = await home.execute(HOME_BOTH_WAYS, last=6, before=before, order=order)
            backward, before = said(page["homeFeed"]) + backward, page["homeFeed"]["pageInfo"]["startCursor"]
        assert forward == backward == whole
        assert set(whole) == shown
    dreams = await home.execute(HOME_BOTH_WAYS, first=6, filter={"kinds": ["DREAM"]})
    assert said(dreams["homeFeed"]) == []


# Threads


async def test_a_thread_is_read_in_three_statements_from_top_to_bottom(graph: Graph, ann: Viewer, bob: Viewer) -> None:
    now = graph.clock.now()
    root = await write(graph.db, ann, now, content="root")
    one = await write(graph.db, bob, now, parent=root, content="1")
    two = await write(graph.db, ann, now, parent=root, content="2")
    below = await write(graph.db, ann, now, parent=one, content="1.1")
    await write(graph.db, bob, now, parent=below, content="1.1.1")
    await write(graph.db, bob, now, parent=two, content="2.1")
    await erase(graph.db, bob, one, now)

    with graph.statements() as heard:
        whole = (await graph.execute(THREAD, id=id_of(root)))["entry"]

    assert len(heard) == 3 + len(["ancestors"])
    assert [(node["content"], node["depth"]) for node in whole["thread"]] == [
        ("", 1),
        ("1.1", 2),
        ("1.1.1", 3),
        ("2", 1),
        ("2.1", 2),
    ]
    below_shown = (await graph.execute(THREAD, id=id_of(below)))["entry"]
    assert ([one["content"] for one in below_shown["ancestors"]], len(below_shown["thread"])) == (["root", ""], 1)


@pytest.mark.parametrize(
    ("bounds", "shown"),
    [
        ({"depth": 1}, ["1", "2", "3"]),
        ({"branching": 1}, ["1", "1.1", "1.1.1"]),
        ({"branching": 2, "depth": 2}, ["1", "1.1", "1.2", "2"]),
        ({"most": 4}, ["1", "1.1", "2", "3"]),
        ({}, ["1", "1.1", "1.1.1", "1.2", "2", "3"]),
    ],
)
async def test_a_thread_goes_as_far_as_it_is_told(
    graph: Graph, ann: Viewer, bounds: dict[str, int], shown: list[str]
) -> None:
    now = graph.clock.now()
    made = {"": await write(graph.db, ann, now)}
    for place in ("1", "2", "3", "1.1", "1.2", "1.1.1"):
        made[place] = await write(graph.db, ann, now, parent=made[place.rpartition(".")[0]], content=place)

    thread = (await graph.execute(THREAD, id=id_of(made[""]), **bounds))["entry"]["thread"]

    assert [node["content"] for node in thread] == shown


async def test_a_thread_is_not_read_below_what_is_hidden(graph: Graph, ann: Viewer, bob: Viewer) -> None:
    now = graph.clock.now()
    root = await write(graph.db, ann, now)
    hidden = await write(graph.db, ann, now, parent=root, privacy="PRIVATE", content="hidden")
    await write(graph.db, ann, now, parent=hidden, content="below")
    await write(graph.db, bob, now, parent=root, content="open")

    seen = {
        who.user_id: [
            node["content"] for node in (await graph.as_viewer(who).execute(THREAD, id=id_of(root)))["entry"]["thread"]
        ]
        for who in (ann, bob)
    }

    assert seen == {ann.user_id: ["hidden", "below", "open"], bob.user_id: ["open"]}


@pytest.mark.parametrize("bounds", [{"depth": 0}, {"depth": 101}, {"branching": 1001}, {"most": 2001}, {"most": -1}])
async def test_a_thread_without_bounds_is_refused_with_the_bounds(
    graph: Graph, ann: Viewer, bounds: dict[str, int]
) -> None:
    root = await write(graph.db, ann, graph.clock.now())

    (refused,) = await graph.refused(THREAD, id=id_of(root), **bounds)

    ((name, _),) = bounds.items()
    assert (refused["code"], refused["field"]) == ("BAD_USER_INPUT", name)


# Links and what is true of them


async def test_edges_say_since_when(graph: Graph, ann: Viewer, bob: Viewer, clock: ManualClock) -> None:
    entry = await write(graph.db, ann, clock.now())
    clock.move(timedelta(seconds=5))
    await follow(graph.db, bob, ann, clock.now())
    await resonate(graph.db, bob, entry, clock.now())
    await amplify(graph.db, bob, entry, clock.now())
    operation = """
    query ($ann: ID!, $bob: ID!, $entry: ID!) {
      ann: user(id: $ann) { followers { edges { followedAt node { username } cursor } totalCount nodes { name } } }
      bob: user(id: $bob) {
        following { nodes { username } }
        mutualFollows { totalCount }
        resonatedEntries { edges { resonatedAt node { content } } }
        amplifiedEntries { edges { amplifiedAt node { author { username } } } }
      }
      entry(id: $entry) {
        resonances { edges { resonatedAt node { username } } }
        amplifications { nodes { username } }
      }
    }
    """

    data = await graph.execute(operation, ann=user_id(ann), bob=user_id(bob), entry=id_of(entry))

    at = "2026-11-21T09:00:05.000000Z"
    followers = data["ann"]["followers"]
    assert followers["edges"][0].pop("cursor")
    assert followers == {
        "edges": [{"followedAt": at, "node": {"username": "bob"}}],
        "totalCount": 1,
        "nodes": [{"name": "Bob"}],
    }
    assert data["bob"] == {
        "following": {"nodes": [{"username": "ann"}]},
        "mutualFollows": {"totalCount": 0},
        "resonatedEntries": {"edges": [{"resonatedAt": at, "node": {"content": "Something."}}]},
        "amplifiedEntries": {"edges": [{"amplifiedAt": at, "node": {"author": {"username": "ann"}}}]},
    }
    assert data["entry"] == {
        "resonances": {"edges": [{"resonatedAt": at, "node": {"username": "bob"}}]},
        "amplifications": {"nodes": [{"username": "bob"}]},
    }


async def test_a_mark_is_set_and_unset_and_never_toggled(graph: Graph, ann: Viewer, bob: Viewer) -> None:
    entry = await write(graph.db, ann, graph.clock.now())

    data = await graph.as_viewer(bob).execute(MARKS, id=id_of(entry))

    told = {"counts": {"resonances": 1}, "viewerHasResonated": True}
    assert data["one"] == data["two"] == {"entry": told, "errors": []}
    assert data["three"]["entry"] == {"counts": {"resonances": 0}, "viewerHasResonated": False}


async def test_what_one_may_do_is_said(graph: Graph, ann: Viewer, bob: Viewer) -> None:
    now = graph.clock.now()
    entry = await write(graph.db, ann, now)
    guest = await make_person(graph.db, now, role=Role.VIEWER)
    may = "query ($id: ID!) { entry(id: $id) { viewerCanEdit viewerCanDelete viewerCanReply } }"

    async def told(viewer: Viewer | None = None) -> list[bool]:
        asking = graph if viewer is None else graph.as_viewer(viewer)
        return list((await asking.execute(may, id=id_of(entry)))["entry"].values())

    assert [await told(one) for one in (ann, bob, None, guest)] == [
        [True, True, True],
        [False, False, True],
        [False, True, True],
        [False, False, False],
    ]
    await erase(graph.db, ann, entry, now)
    assert [await told(one) for one in (ann, None)] == [[False] * 3] * 2


async def test_users_are_found_by_username_and_say_how_they_stand_to_the_viewer(
    graph: Graph, ann: Viewer, bob: Viewer
) -> None:
    await follow(graph.db, bob, ann, graph.clock.now())
    operation = """
    query ($name: String!) {
      userNamed(username: $name) { name initials viewerIsFollowing isFollowingViewer counts { followers following } }
    }
    """

    seen = (await graph.as_viewer(bob).execute(operation, name=" ANN "))["userNamed"]

    assert seen == {
        "name": "Ann",
        "initials": "A",
        "viewerIsFollowing": True,
        "isFollowingViewer": False,
        "counts": {"followers": 1, "following": 0},
    }
    assert (await graph.execute(operation, name="nobody"))["userNamed"] is None


# Search and subjects


async def test_words_are_found_wherever_they_stand_and_as_they_are_now(graph: Graph, ann: Viewer, bob: Viewer) -> None:
    now = graph.clock.now()
    first = await write(graph.db, ann, now, title="Über Träume", content="Ich flog.")
    await write(graph.db, bob, now, parent=first, content='Träume, "OR" nicht: -flog*')
    hidden = await write(graph.db, ann, now, content="Träume", privacy="PRIVATE")
    gone = await write(graph.db, ann, now, content="Träume vergehen")
    await erase(graph.db, ann, gone, now)
    operation = "query ($text: String!) { search(filter: {text: $text}, orderBy: OLDEST) { nodes { id } } }"

    async def found(viewer: Viewer, text: str) -> int:
        return len((await graph.as_viewer(viewer).execute(operation, text=text))["search"]["nodes"])

    assert [await found(bob, text) for text in ("träume", "TRÄUME flog", "traume", "flo", "vergehen")] == [
        2,
        2,
        0,
        0,
        0,
    ]
    assert [await found(bob, text) for text in ('"', "", "OR", "-flog*", "NEAR(", hidden.id.hex)] == [0, 0, 1, 2, 0, 0]
    assert await found(ann, "träume") == 3
    await rewrite(graph.db, ann, first, now, title="Umbenannt")
    assert [await found(bob, text) for text in ("über", "umbenannt")] == [0, 1]


async def test_of_words_that_are_everywhere_the_newest_thousand_are_found(
    graph: Graph, ann: Viewer, bob: Viewer
) -> None:
    await plant(graph.db, [bob], graph.clock.now(), word="thunder")
    asking = graph.as_viewer(ann)

    async def found(text: str, order: str = "NEWEST") -> list[str]:
        contents: list[str] = []
        page: dict[str, Any] = {"pageInfo": {"endCursor": None, "hasNextPage": True}}
        while page["pageInfo"]["hasNextPage"]:
            variables = {"text": text, "order": order, "after": page["pageInfo"]["endCursor"]}
            page = (await asking.execute(SEARCH_WHOLE, **variables))["search"]
            contents += [node["content"] for node in page["nodes"]]
        assert page["totalCount"] == len(contents)
        return contents

    everywhere = await found("thunder")
    numbers = {int(content.split()[0]) for content in everywhere}

    assert (len(numbers), max(numbers)) == (1000, 1428)
    # All but those that were deleted.
    assert len(range(min(numbers), 1429)) < 1100
    assert set(await found("THUNDER", "OLDEST")) == set(everywhere)
    assert await found("thunder 17") == ["17 thunder"]
    # What others keep to themselves takes no place among what is found, by which it could be told.
    for content in ("thunder", "seventeen"):
        await write(graph.db, bob, graph.clock.now(), content=content, privacy="PRIVATE")
    assert await found("thunder") == everywhere
    assert await found("seventeen") == []


# News


async def test_new_entries_are_told_to_those_who_may_read_them_once_and_in_order(
    graph: Graph, ann: Viewer, bob: Viewer
) -> None:
    now = graph.clock.now()
    await write(graph.db, ann, now, content="Before")
    operation = "subscription ($after: String) { entryAdded(after: $after) { cursor entry { content } } }"
    feed = graph.as_viewer(bob).subscribe(operation)
    waiting = asyncio.create_task(soon(feed))
    await eventually(lambda: graph.db.bus.listener_count > 0, "somebody who listens")
    await write(graph.db, ann, now, content="Private", privacy="PRIVATE")
    await write(graph.db, ann, now, content="Followers", privacy="FOLLOWERS")
    await write(graph.db, ann, now, content="1")
    first = (await waiting)["entryAdded"]
    await asyncio.gather(*(write(graph.db, ann, now, content="n") for _ in range(50)))
    more = [(await soon(feed))["entryAdded"] for _ in range(50)]
    await feed.aclose()

    again = graph.as_viewer(bob).subscribe(operation, after=first["cursor"])
    resumed = [(await soon(again))["entryAdded"] for _ in range(50)]
    await again.aclose()

    assert first["entry"]["content"] == "1"
    assert resumed == more
    assert len({one["cursor"] for one in more}) == 50


async def test_counts_are_told_as_they_change_and_to_nobody_who_may_not_see(
    graph: Graph, ann: Viewer, bob: Viewer
) -> None:
    now = graph.clock.now()
    entry = await write(graph.db, ann, now)
    operation = "subscription ($id: ID!) { entryCountsChanged(entryId: $id) { entry { counts { resonances } } } }"
    state = graph.as_viewer(bob).subscribe(operation, id=id_of(entry))
    told = [await soon(state)]
    await resonate(graph.db, ann, entry, now)
    told.append(await soon(state))
    await rewrite(graph.db, ann, entry, now, privacy="PRIVATE")
    told.append(await soon(state))
    await rewrite(graph.db, ann, entry, now, privacy="PUBLIC")
    told.append(await soon(state))
    await state.aclose()

    shown = [one["entryCountsChanged"]["entry"] for one in told]
    assert [one and one["counts"]["resonances"] for one in shown] == [0, 1, None, 1]


async def test_a_users_counts_are_told_as_they_change(graph: Graph, ann: Viewer, bob: Viewer) -> None:
    now = graph.clock.now()
    operation = "subscription ($id: ID!) { userCountsChanged(userId: $id) { user { counts { followers entries } } } }"
    state = graph.subscribe(operation, id=user_id(ann))
    told = [await soon(state)]
    await follow(graph.db, bob, ann, now)
    told.append(await soon(state))
    await write(graph.db, ann, now)
    told.append(await soon(state))
    await state.aclose()

    counts = [tuple(one["userCountsChanged"]["user"]["counts"].values()) for one in told]
    assert counts == [(0, 0), (1, 0), (1, 1)]
    (refused,) = await graph.refused('{ user(id: "user_x") { id } }')
    assert refused["code"] == "BAD_USER_INPUT"
    assert (await graph.execute("query ($id: ID!) { user(id: $id) { id } }", id=encode_id("user", new_id())))[
        "user"
    ] is None
