"""The ancestor's file: taken in once however often it is given, whole or not at all, and given back as it was."""

import copy
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Role
from db.database import Database
from db.errors import Forbidden
from db.practice import operations, sessions
from db.practice.document import read_document
from db.practice.events import GoalTreeChanged
from db.practice.importing import Report, export_goals, import_goals
from db.practice.tables import Goal, PracticeSession
from db.practice.templates import set_time_zone
from tests.db.stored import everything
from tests.support.goal_files import SHARED, goal, made_up_file, nodes_of, session
from tests.support.practice import LEVELS, NOW, all_goals, links, make_goal, make_session, make_user, viewer_of


@pytest.fixture
async def owner(db: Database) -> User:
    return await make_user(db)


async def take_in(db: Database, owner: User, trees: Any, **named: Any) -> Report:
    text = trees if isinstance(trees, str | bytes) else orjson.dumps(trees)
    async with db.transaction() as tx:
        return await import_goals(tx, text, owner_id=owner.id, viewer=named.pop("viewer", None), now=NOW, **named)


async def give_out(db: Database, owner: User, zone: str = "UTC") -> Any:
    async with db.read() as reader:
        return orjson.loads(await export_goals(reader, owner_id=owner.id, zone=ZoneInfo(zone), viewer=None))


def in_order(trees: Any) -> Any:
    """A file with siblings sorted by their ids: sessions have no place among each other."""
    for tree in trees:
        in_order(tree["children"])
        tree["attributes"].get("parent_ids", []).sort()
    trees.sort(key=lambda tree: tree["id"])
    return trees


async def refused(db: Database, owner: User, trees: Any) -> list[tuple[str, str]]:
    before = await everything(db)
    report = await take_in(db, owner, trees)
    assert {k: v for k, v in (await everything(db)).items() if k != "practices"} == {
        k: v for k, v in before.items() if k != "practices"
    }
    assert (report.made, report.merged, report.unchanged, report.linked) == (0, 0, 0, 0)
    return [(one.place, one.reason) for one in report.refused]


async def test_a_session_under_two_goals_becomes_one_that_is_for_both(db: Database, owner: User) -> None:
    report = await take_in(db, owner, SHARED)

    async with db.read() as reader:
        (found,) = await reader.rows(select(PracticeSession))
    assert (report.made, report.merged, report.linked, report.refused, report.dangling) == (6, 0, 2, [], [])
    assert {session_id for session_id, _ in await links(db)} == {found.id}
    assert sorted(one.name for one in (await all_goals(db)).values()) == [
        "Design",
        "Kick",
        "Micro",
        "Play well",
        "React",
    ]


async def test_the_same_file_again_changes_nothing(db: Database, owner: User) -> None:
    await take_in(db, owner, SHARED)
    before = await everything(db)

    report = await take_in(db, owner, SHARED)

    assert (report.made, report.merged, report.unchanged, report.linked) == (0, 0, 6, 0)
    assert {k: v for k, v in (await everything(db)).items() if k not in {"practices", "goals"}} == {
        k: v for k, v in before.items() if k not in {"practices", "goals"}
    }


async def test_what_the_file_says_otherwise_is_merged_and_the_rest_stays(db: Database, owner: User) -> None:
    await take_in(db, owner, SHARED)
    root = next(one for one in (await all_goals(db)).values() if one.parent_id is None and one.session_id is None)
    added = await make_goal(db, owner.id, LEVELS[1], under=root, name="By hand")
    changed = copy.deepcopy(SHARED)
    changed[0]["name"] = "Play better"
    changed[0]["attributes"]["completed"] = True

    report = await take_in(db, owner, changed)

    goals = await all_goals(db)
    assert (report.made, report.merged, report.unchanged) == (0, 1, 5)
    assert (goals[root.id].name, goals[root.id].completed_at, goals[root.id].completion_cause) == (
        "Play better",
        NOW,
        "MANUAL",
    )
    assert goals[added.id].parent_id == root.id


async def test_a_dry_run_reports_the_same_and_stores_nothing(db: Database, owner: User) -> None:
    report = await take_in(db, owner, SHARED, is_dry_run=True)

    assert (report.made, report.linked) == (6, 2)
    assert await all_goals(db) == {}


async def test_a_parent_that_is_nowhere_is_told_and_the_session_kept(db: Database, owner: User) -> None:
    nowhere = "00000000-0000-4000-8000-0000000000ff"
    lost = session("Lost", parents=[nowhere])

    report = await take_in(
        db, owner, [goal("ShortTermGoal", "Short", children=[session("Half", parents=[nowhere])]), lost]
    )

    assert (report.made, report.linked, report.refused) == (3, 1, [])
    assert [(one.place, one.reason) for one in report.dangling] == [
        (place, f"The goal {nowhere} it is for is nowhere.") for place in ("1.1", "2")
    ]


_ID = "00000000-0000-4000-8000-00000000000{}"


@pytest.mark.parametrize(
    ("trees", "reasons"),
    [
        ("[{", [("", "This is no JSON")]),
        ({}, [("", "The file holds a list of goals.")]),
        ([5, "x"], [("1", "A node is an object."), ("2", "A node is an object.")]),
        ([{"name": "x"}], [("1", "A node has an `id`.")]),
        ([goal("BigGoal", "x")], [("1", "There is no type 'BigGoal'.")]),
        ([goal("MidTermGoal", "")], [("1", "A name has 1 to 255 characters.")]),
        ([goal("MidTermGoal", "x", id="7")], [("1", "This is no UUID: '7'.")]),
        ([goal("MidTermGoal", "x", deadline="2026-01-01T10:00")], [("1", "A deadline is a day as 2026-12-31")]),
        ([goal("MidTermGoal", "x", created_at="yesterday")], [("1", "`created_at` is a time")]),
        ([goal("MidTermGoal", "x", completed=1)], [("1", "`completed` is true or false.")]),
        ([goal("MidTermGoal", 7)], [("1", "`name` is a text.")]),
        ([{**goal("MidTermGoal", "x"), "children": {}}], [("1", "`children` is a list.")]),
        ([goal("MicroGoal", "x")], [("1", "A goal of level MICRO stands under another goal or a session")]),
        (
            [goal("MidTermGoal", "x", children=[goal("LongTermGoal", "y")])],
            [("1.1", "A goal of level LONG_TERM cannot stand under one of level MID_TERM")],
        ),
        (
            [goal("MidTermGoal", "x", deadline="2026-01-01", children=[goal("NanoGoal", "y", deadline="2026-01-02")])],
            [("1.1", "The deadline 2026-01-02 is behind 2026-01-01")],
        ),
        ([goal("LongTermGoal", "x", children=[session("y")])], [("1.1", "A session is for goals of level SHORT_TERM")]),
        ([session("x", children=[session("y")])], [("1.1", "A session does not stand under a session.")]),
        ([session("x", children=[goal("ShortTermGoal", "y")])], [("1.1", "Under a session stand goals of level")]),
        (
            [goal("MidTermGoal", "x", id=_ID.format(1)), goal("MidTermGoal", "y", id=_ID.format(1))],
            [("2", "The file says something else of a goal of this id before.")],
        ),
        (
            [goal("MidTermGoal", "x", id=_ID.format(1)), session("y", id=_ID.format(1))],
            [("2", "A goal of the file has this id.")],
        ),
        (
            [session("x", id=_ID.format(1)), session("y", id=_ID.format(1))],
            [("2", "The file says something else of a session of this id before.")],
        ),
    ],
)
async def test_a_file_with_anything_wrong_changes_nothing_and_says_what(
    db: Database, owner: User, trees: Any, reasons: list[tuple[str, str]]
) -> None:
    good = goal("UltimateGoal", "Good")
    whole = [*trees, good] if isinstance(trees, list) else trees

    found = await refused(db, owner, whole)

    assert [place for place, _ in found] == [place for place, _ in reasons]
    assert all(said.startswith(reason) for (_, said), (_, reason) in zip(found, reasons, strict=True)), found


async def test_a_file_does_not_bend_what_is_there(db: Database, owner: User) -> None:
    other = await make_user(db)
    theirs = await make_goal(db, other.id)
    mid = await make_goal(db, owner.id, LEVELS[2])
    short = await make_goal(db, owner.id, LEVELS[3], under=mid)
    await make_session(db, short)

    assert await refused(db, owner, [goal("UltimateGoal", "x", id=str(theirs.id))]) == [
        ("1", "Somebody else has something of this id.")
    ]
    around = goal("ShortTermGoal", "x", id=str(mid.id))
    assert [reason[:60] for _, reason in await refused(db, owner, [around])] == [
        "A goal of level SHORT_TERM cannot stand under one of level S"
    ]
    assert await refused(db, owner, [goal("MidTermGoal", "x", id=str(short.id))]) == [
        ("1", "Sessions are for it, and sessions are for short-term goals.")
    ]


async def test_nobody_takes_in_a_file_for_somebody_else(db: Database, owner: User) -> None:
    operator = viewer_of(await make_user(db, role=Role.OPERATOR))

    with pytest.raises(Forbidden):
        await take_in(db, owner, SHARED, viewer=operator)


async def test_older_files_say_everything_at_the_top(db: Database, owner: User) -> None:
    raw = goal("UltimateGoal", "Play well", description="All of it", deadline="2026-12-31", completed=True)
    flat = {**raw.pop("attributes"), **raw}

    report = await take_in(db, owner, [flat])

    ((_, found),) = (await all_goals(db)).items()
    assert (report.made, found.name, found.description, found.deadline, found.completed_at) == (
        1,
        "Play well",
        "All of it",
        date(2026, 12, 31),
        NOW,
    )


async def test_times_of_a_file_are_by_the_clocks_of_its_owner(db: Database, owner: User) -> None:
    async with db.transaction() as tx:
        await set_time_zone(tx, owner_id=owner.id, name="Asia/Seoul", viewer=None, now=NOW)

    await take_in(db, owner, [goal("UltimateGoal", "x", created_at="2025-12-21T22:52:28.442831")])

    ((_, found),) = (await all_goals(db)).items()
    assert found.created_at == datetime(2025, 12, 21, 13, 52, 28, 442831, tzinfo=UTC)
    (tree,) = await give_out(db, owner, "Asia/Seoul")
    assert tree["attributes"]["created_at"] == "2025-12-21T22:52:28.442831"


_KEYS = st.sampled_from(["id", "name", "type", "attributes", "children", "parent_ids", "deadline", "created_at"])
_TEXTS = st.sampled_from(["", "NanoGoal", "PracticeSession", _ID.format(1), "2026-01-01", "x"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner),
)


@settings(max_examples=40)
@given(_JSON)
def test_whatever_a_file_holds_is_taken_or_refused(raw: Any) -> None:
    document = read_document(orjson.dumps([raw]))

    assert document.goals or document.sessions or document.refused


async def test_a_large_made_up_file_goes_in_and_comes_out_as_it_was(db: Database, owner: User) -> None:
    """Ten thousand nodes, of every sort, with sessions that are for several goals."""
    trees = made_up_file(7, 10_000)
    seen: list[tuple[int, int]] = []

    with db.bus.listen(UUID(trees[0]["id"]), of=GoalTreeChanged) as heard:
        report = await take_in(db, owner, trees, progress=lambda done, total: seen.append((done, total)))
        assert len(heard.take()) == 1

    distinct = {node["id"] for node in nodes_of(trees)}
    assert (report.made, report.refused, report.dangling) == (len(distinct), [], [])
    assert seen[-1] == (len(distinct), len(distinct))
    assert in_order(await give_out(db, owner)) == in_order(trees)


async def test_what_was_deleted_comes_back_with_the_file_that_holds_it(db: Database, owner: User) -> None:
    await take_in(db, owner, SHARED)
    root = next(one for one in (await all_goals(db)).values() if one.name == "Play well")
    async with db.read() as reader:
        tried = (await reader.rows(select(PracticeSession)))[0]
    async with db.transaction() as tx:
        await operations.delete_goal(tx, root.id, viewer=None, now=NOW)
        await sessions.delete_session(tx, tried.id, viewer=None, now=NOW)
    assert await give_out(db, owner) == []

    report = await take_in(db, owner, SHARED)

    assert (report.made, report.merged) == (0, 6)
    assert await give_out(db, owner) == SHARED


async def test_what_is_rolled_back_is_not_told(db: Database, owner: User) -> None:
    async def fail() -> None:
        async with db.transaction() as tx:
            await import_goals(tx, orjson.dumps(SHARED), owner_id=owner.id, viewer=None, now=NOW)
            raise ZeroDivisionError

    with db.bus.listen(UUID(SHARED[0]["id"]), of=GoalTreeChanged) as heard:
        with pytest.raises(ZeroDivisionError):
            await fail()
        assert heard.take() == []
    async with db.read() as reader:
        assert await reader.rows(select(Goal).where(col(Goal.owner_id) == owner.id)) == []
