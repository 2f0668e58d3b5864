"""Rows of lists, taken in over the graph: all or none, from who may bring them, told to whoever watches once stored."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from sqlalchemy import func
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.bus import Event, Lagged
from db.database import Database
from db.errors import NotFound
from db.ids import new_id
from db.matches.tables import Athlete
from db.settings import operations as settings
from db.settings.events import ALL_SETTINGS
from db.settings.registry import KEYS
from db.social.events import ALL_ENTRIES
from db.social.tables import Entry
from schema.connections import write_cursor
from schema.ids import encode_id
from schema.importing import IMPORTS, ImportedList, find_import
from tests.conftest import ManualClock
from tests.support.competition import hold
from tests.support.graph import Graph
from tests.support.house import PATIENCE_SECONDS
from tests.support.social import make_person, write

IMPORT = """
mutation ($list: ImportedList!, $rows: [JSON!]!, $dry: Boolean! = false) {
  listImport(list: $list, rows: $rows, isDryRun: $dry) {
    report { rows made changed unchanged isStored problemCount problems { row column reason } }
    errors { code field message }
  }
}
"""

_ADDED = "subscription ($after: String!) { entryAdded(after: $after) { entry { content } } }"
_COUNTS = "subscription ($user: ID!) { userCountsChanged(userId: $user) { user { bio counts { entries } } } }"


def report(*counts: int, is_stored: bool = True, problems: tuple[Mapping[str, Any], ...] = ()) -> dict[str, Any]:
    rows, made, changed, unchanged = counts
    told = {"rows": rows, "made": made, "changed": changed, "unchanged": unchanged, "isStored": is_stored}
    return {"report": {**told, "problemCount": len(problems), "problems": [*problems]}, "errors": []}


def refusal(message: str) -> dict[str, Any]:
    return {"report": None, "errors": [{"code": "BAD_USER_INPUT", "field": "rows", "message": message}]}


async def count_of(db: Database, model: Any) -> int:
    async with db.read() as session:
        return int(await session.scalar(select(func.count()).select_from(model)))


def test_what_the_graph_takes_in_is_what_files_bring() -> None:
    assert {one.value for one in ImportedList} == set(IMPORTS)


async def test_rows_are_made_changed_and_left_alone(graph: Graph) -> None:
    first = [{"name": "Ann", "countryCode": "kor"}, {"name": "Bob", "countryCode": "GER"}]
    second = [{"name": "Ann", "countryCode": "KOR", "shortName": "A"}, {"name": "Carl", "countryCode": "SUI"}]

    made = await graph.execute(IMPORT, list="ATHLETES", rows=first)
    again = await graph.on_graphql_core().execute(IMPORT, list="ATHLETES", rows=[*first, *second])

    assert (made["listImport"], again["listImport"]) == (report(2, 2, 0, 0), report(4, 1, 1, 2))
    async with graph.db.read() as session:
        rows = await session.rows(select(Athlete).order_by(col(Athlete.name)))
    assert [(one.name, one.country_code, one.short_name) for one in rows] == [
        ("Ann", "KOR", "A"),
        ("Bob", "GER", "Bob"),
        ("Carl", "SUI", "Carl"),
    ]


async def test_a_dry_run_tells_what_would_be(graph: Graph) -> None:
    rows = [{"name": "Ann", "countryCode": "KOR"}]

    data = await graph.execute(IMPORT, list="ATHLETES", rows=rows, dry=True)

    assert data["listImport"] == report(1, 1, 0, 0, is_stored=False)
    assert await count_of(graph.db, Athlete) == 0


async def test_what_is_wrong_is_told_by_row_and_nothing_is_stored(graph: Graph) -> None:
    rows = [{"name": "Ann", "countryCode": "KOR"}, {"name": "", "countryCode": "KOR"}, {"name": 7}]

    data = await graph.execute(IMPORT, list="ATHLETES", rows=rows)

    problems = (
        {"row": 3, "column": "name", "reason": "This is a text."},
        {"row": 2, "column": "name", "reason": "A name has 1 to 200 characters."},
    )
    assert data["listImport"] == report(3, 1, 0, 0, is_stored=False, problems=problems)
    assert await count_of(graph.db, Athlete) == 0


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"name": "Ann"}, {"nation": "KOR"}], "Row 2: there is no column 'nation', but id, name,"),
        (["Ann"], "Row 1 is no object."),
        ([{}] * 1_001, "There are 1000 rows at most: send a file to `/import`."),
    ],
)
async def test_what_are_no_rows_of_a_list_nobody_looks_at(graph: Graph, rows: list[Any], said: str) -> None:
    data = await graph.execute(IMPORT, list="ATHLETES", rows=rows)

    (error,) = data["listImport"]["errors"]
    assert data["listImport"] == refusal(error["message"])
    assert error["message"].startswith(said)


async def test_what_an_export_has_beside_is_passed_over_and_other_things_are_said_within(
    graph: Graph, clock: ManualClock
) -> None:
    held = await hold(graph.db, clock.now())
    mat = encode_id("mat", held.mats[0].id)
    plan = {"phase": "Final", "blue": {"name": "Ann", "countryCode": "KOR"}, "red": None, "revision": 3}

    data = await graph.execute(
        IMPORT,
        list="PLANNED_MATCHES",
        rows=[{**plan, "number": "1001", "mat": {"id": mat}}, {**plan, "number": "1002", "mat.id": mat}],
    )

    assert data["listImport"] == report(2, 2, 0, 0)
    queue = await graph.execute("query ($mat: ID!) { mat(id: $mat) { queue { nodes { number } } } }", mat=mat)
    assert [one["number"] for one in queue["mat"]["queue"]["nodes"]][-2:] == ["1001", "1002"]


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.MEMBER, set[str]()),
        (Role.OPERATOR, {"ATHLETES", "FLAG_MAPPINGS", "PLANNED_MATCHES", "TOURNAMENTS"}),
        (Role.ADMIN, set(ImportedList.__members__)),
    ],
)
async def test_each_brings_what_his_role_may_change(graph: Graph, role: Role, allowed: set[str]) -> None:
    his = graph.as_viewer(Viewer(user_id=new_id(), token_id=new_id(), role=role))

    results = {name: await his.result(IMPORT, list=name, rows=[]) for name in ImportedList.__members__}

    assert {name for name, one in results.items() if one.errors is None} == allowed
    codes = {(error.extensions or {}).get("code") for one in results.values() for error in one.errors or ()}
    assert codes <= {"FORBIDDEN"}


async def test_an_overlay_brings_nothing(graph: Graph) -> None:
    overlay = Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN, nodes=frozenset({new_id()}))

    errors = await graph.as_viewer(overlay).refused(IMPORT, list="ATHLETES", rows=[])

    assert [one["code"] for one in errors] == ["FORBIDDEN"]


async def test_settings_are_set_by_who_brings_them_and_what_is_of_the_console_is_not(graph: Graph) -> None:
    async with graph.db.transaction() as tx:
        await settings.prepare_settings(tx, {})
    of_console = next(key.name for key in KEYS.values() if key.is_of_console)

    stored = await graph.execute(IMPORT, list="SETTINGS", rows=[{"key": "backups.keep", "value": 5}])
    refused = await graph.execute(IMPORT, list="SETTINGS", rows=[{"key": of_console, "value": "file:///etc"}])

    assert stored["listImport"] == report(1, 0, 1, 0)
    (problem,) = refused["listImport"]["report"]["problems"]
    assert problem["reason"].startswith(f"{of_console} is changed at the machine's own console")
    shown = await graph.execute("{ settings(first: 100) { nodes { key value changedBy { name } } } }")
    assert [one for one in shown["settings"]["nodes"] if one["key"] == "backups.keep"] == [
        {"key": "backups.keep", "value": 5, "changedBy": {"name": "admin"}}
    ]


async def test_whoever_watches_hears_of_what_was_stored(graph: Graph, clock: ManualClock) -> None:
    ann = await make_person(graph.db, clock.now(), "ann")
    author = encode_id("user", ann.user_id)
    root = await write(graph.db, ann, clock.now())
    await write(graph.db, ann, clock.now())
    added = graph.subscribe(_ADDED, after=write_cursor((root.seq,)))
    counts = graph.subscribe(_COUNTS, user=author)
    # Both have come to where they wait for what is told.
    shown = [await anext(added), await anext(counts)]

    rows = [
        {"author": {"id": author}, "content": "First", "parent": {"id": encode_id("entry", root.id)}},
        {"author": {"id": author}, "content": "Second"},
    ]
    await graph.execute(IMPORT, list="ENTRIES", rows=rows)
    async with asyncio.timeout(PATIENCE_SECONDS):
        heard = [(await anext(added))["entryAdded"]["entry"]["content"] for _ in rows]
        shown.append(await anext(counts))
        await graph.execute(IMPORT, list="USERS", rows=[{"username": "ann", "bio": "Here"}])
        shown.append(await anext(counts))

    assert heard == ["First", "Second"]
    assert [one["userCountsChanged"]["user"] for one in shown[1:]] == [
        {"bio": "", "counts": {"entries": 2}},
        {"bio": "", "counts": {"entries": 4}},
        {"bio": "Here", "counts": {"entries": 4}},
    ]
    await added.aclose()
    await counts.aclose()


@pytest.mark.parametrize("is_dry_run", [False, True])
async def test_what_is_not_stored_nobody_hears_of(graph: Graph, clock: ManualClock, *, is_dry_run: bool) -> None:
    async with graph.db.transaction() as tx:
        await settings.prepare_settings(tx, {})
    ann = encode_id("user", (await make_person(graph.db, clock.now(), "ann")).user_id)
    before = await count_of(graph.db, Entry), await count_of(graph.db, User)
    wrong: list[dict[str, Any]] = [] if is_dry_run else [{"key": "nothing", "value": 1}]
    wrong_entry: list[dict[str, Any]] = [] if is_dry_run else [{"content": "By nobody"}]

    with graph.db.bus.listen(ALL_SETTINGS, ALL_ENTRIES, of=Event) as heard:
        told = [
            await graph.execute(
                IMPORT, list="SETTINGS", rows=[{"key": "backups.keep", "value": 3}, *wrong], dry=is_dry_run
            ),
            await graph.execute(
                IMPORT, list="ENTRIES", rows=[{"author": {"id": ann}, "content": "x"}, *wrong_entry], dry=is_dry_run
            ),
        ]
        assert [one["listImport"]["report"]["isStored"] for one in told] == [False, False]
        assert (await count_of(graph.db, Entry), await count_of(graph.db, User)) == before
        # What is stored now is the first that anybody hears of.
        await graph.execute(IMPORT, list="ENTRIES", rows=[{"author": {"id": ann}, "content": "y"}])
        with pytest.raises(Lagged) as lagged:
            await anext(heard)

    assert lagged.value.missed == 1


def test_a_list_that_is_none_is_answered_with_those_that_are() -> None:
    with pytest.raises(NotFound, match=r"There is no list 'rounds' to import: accounts, .*, users\."):
        find_import("rounds")
