"""Exports: every list whole, as each viewer sees it, in the very words of the graph."""

import csv
import io
from typing import Any
from uuid import UUID

import orjson
import pytest
from sqlalchemy import update
from sqlmodel import select

from api.export_formats import ExportFormat, ExportWriter
from db.access.tables import User
from db.access.viewer import Viewer
from db.batches import table_of
from db.database import Database
from db.errors import Conflict, Forbidden, Invalid, NotFound
from schema.context import Context
from schema.exporting import Export, Exports, name_of
from schema.fields import model_by_type, node_kinds
from schema.ids import encode_id
from tests.support.competition import hold
from tests.support.graph import Graph, the_schema
from tests.support.world import World, make_world

_VIEWERS = ("admin", "operator", "member", "viewer")
_AT_ONCE = 3


@pytest.fixture
async def world(db: Database) -> World:
    return await make_world(db)


@pytest.fixture(scope="module")
def exports() -> Exports:
    return Exports(the_schema().anew())


def context_of(world: World, viewer: Viewer | None) -> Context:
    return Context(db=world.db, clock=world.clock, asker=viewer)


def asked_by(graph: Graph, viewer: Viewer | None) -> Context:
    return Context(db=graph.db, clock=graph.clock, asker=viewer)


async def rows_of(export: Export, context: Context, *, size: int = 1000) -> list[dict[str, Any]]:
    return [row async for page in export.pages(context, size=size) for row in page]


def test_every_kind_of_node_is_a_list_of_its_own(exports: Exports) -> None:
    # Other tests declare kinds of their own in this process, of schemas of their own.
    in_graph = {name for name in model_by_type if name in exports._types.type_map}
    kinds = {one.kind for one in exports.kinds.values()}
    assert {one.type_name for one in exports.kinds.values()} == in_graph
    assert kinds <= node_kinds.keys()
    assert len(exports.kinds) == len(in_graph) == len(kinds) > 40
    assert all(one.description for one in exports.kinds.values())


@pytest.mark.parametrize(
    ("type_name", "name"),
    [
        ("Match", "matches"),
        ("MatchEvent", "match-events"),
        ("Entry", "entries"),
        ("OBSMachine", "obs-machines"),
        ("UDPListener", "udp-listeners"),
        ("BackupJob", "backup-jobs"),
        ("StreamGoalChange", "stream-goal-changes"),
    ],
)
def test_a_list_is_called_as_people_would_call_it(type_name: str, name: str) -> None:
    assert name_of(type_name) == name


async def test_an_export_is_what_the_graph_shows_of_every_row_to_everybody(world: World, exports: Exports) -> None:
    """Read in parts of three, and compared with `nodes` as graphql-core answers it: what that hides is not there."""
    for name in _VIEWERS:
        viewer = world.viewers[name]
        graph = Graph(world.db, world.clock, viewer, may_plan=False)
        for kind in exports.kinds.values():
            table = table_of(kind.batch.model)
            async with world.db.read() as session:
                ids = [row[0] for row in await session.tuples(select(table.c.id).order_by(table.c.id).limit(100))]
            asked = f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on {kind.type_name} {{ {kind.fields} }} }} }}"
            shown = (await graph.execute(asked, ids=[encode_id(kind.kind, one) for one in ids]))["nodes"]

            found = await rows_of(exports.prepare(kind.name), context_of(world, viewer), size=_AT_ONCE)

            assert orjson.loads(orjson.dumps(found[: len(ids)])) == [one for one in shown if one], (name, kind.name)


async def test_an_overlay_and_a_token_of_trusted_documents_export_nothing(graph: Graph, exports: Exports) -> None:
    admin = graph.viewer
    assert admin is not None
    overlay = Viewer(user_id=admin.user_id, token_id=admin.token_id, role=admin.role, nodes=frozenset([UUID(int=1)]))
    bound = Viewer(user_id=admin.user_id, token_id=admin.token_id, role=admin.role, is_trusted_only=True)

    for viewer in (overlay, bound):
        with pytest.raises(Forbidden):
            await rows_of(exports.prepare("matches"), asked_by(graph, viewer))


async def test_filters_ask_of_columns_and_of_what_they_lead_to(world: World, exports: Exports) -> None:
    context = context_of(world, world.viewers["admin"])
    every = await rows_of(exports.prepare("matches"), context)
    mat = every[0]["mat"]["id"]
    instant = sorted(one["loadedAt"] for one in every)[len(every) // 2]
    asked: dict[str, Any] = {
        "state=LIVE,ENDED": lambda one: one["state"] in {"LIVE", "ENDED"},
        "state!=LIVE": lambda one: one["state"] != "LIVE",
        f"mat={mat}": lambda one: one["mat"]["id"] == mat,
        "outcome=null": lambda one: one["outcome"] is None,
        "outcome!=null": lambda one: one["outcome"] is not None,
        "outcome!=BLUE": lambda one: one["outcome"] != "BLUE",
        f"loadedAt>={instant}": lambda one: one["loadedAt"] >= instant,
        f"loadedAt<{instant}": lambda one: one["loadedAt"] < instant,
        "roundSeconds<=120": lambda one: one["roundSeconds"] is not None and one["roundSeconds"] <= 120,
        "hasResultConflict=false": lambda one: not one["hasResultConflict"],
        "weight=M -68kg": lambda one: one["weight"] == "M -68kg",
        f"id={every[1]['id']},{every[2]['id']}": lambda one: one["id"] in {every[1]["id"], every[2]["id"]},
    }

    for text, fits in asked.items():
        export = exports.prepare("matches", filters=[text])
        wanted = [one for one in every if fits(one)]

        assert (await rows_of(export, context, size=2), await export.count(context)) == (wanted, len(wanted)), text
    both = exports.prepare("matches", filters=[f"mat={mat}", "outcome=null"])
    assert await rows_of(both, context) == [one for one in every if one["mat"]["id"] == mat and one["outcome"] is None]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("state", "a filter is a field, one of = != < <= > >=, and a value: `state=LIVE`"),
        ("nothing=1", "matches are filtered by id, number, phase"),
        ("state=OVER", "'OVER' is no MatchState: LOADED, LIVE, ENDED, NOT_FOUGHT, ABANDONED"),
        ("state>LIVE", "that has no order: write = or !="),
        ("loadedAt>=yesterday", "'yesterday' is no DateTime"),
        ("loadedAt>=2026-11-21", "'2026-11-21' is no DateTime"),
        ("roundCount=99999999999", "'99999999999' is no Int"),
        ("mat=match_1", "'match_1' is no id of a mat"),
        ("mat=mat_1", "This is not an id"),
        ("number=\x00", "is no String"),
        (f"state={','.join(['LIVE'] * 101)}", "100 values at most"),
        (f"number={'1' * 2001}", "a value is 2,000 characters at most"),
    ],
)
def test_a_filter_that_cannot_be_says_how_it_is_written(exports: Exports, text: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        exports.prepare("matches", filters=[text])

    assert (said in refused.value.message, refused.value.field) == (True, "filter"), refused.value.message


async def test_nobody_asks_by_what_he_does_not_see(graph: Graph, exports: Exports) -> None:
    gone = "mat_00000000000000000000000000000001"

    with pytest.raises(NotFound, match=f"There is no mat {gone}"):
        await rows_of(exports.prepare("matches", filters=[f"mat={gone}"]), asked_by(graph, graph.viewer))


async def test_fields_are_chosen_as_the_graph_is_asked(graph: Graph, exports: Exports) -> None:
    await hold(graph.db, graph.clock.now())
    export = exports.prepare("matches", fields="number at: loadedAt mat { name tournament { name } }")

    (first, *_) = await rows_of(export, asked_by(graph, graph.viewer))

    assert [one.header for one in export.columns] == ["number", "at", "mat.name", "mat.tournament.name"]
    assert list(first) == ["number", "at", "mat"]


@pytest.mark.parametrize(
    "fields",
    ["nothing", "sides { score }", "events { nodes { seq } }", "number } } } { viewer { isOverlay }", "{", "x" * 4001],
)
def test_fields_that_cannot_be_are_refused_with_the_reason(exports: Exports, fields: str) -> None:
    with pytest.raises(Invalid) as refused:
        exports.prepare("matches", fields=fields)

    assert refused.value.field == "fields"


def test_a_list_that_is_none_is_answered_with_those_there_are(exports: Exports) -> None:
    with pytest.raises(NotFound, match=r"There is no list 'match' to export: accounts, actions, .*, users"):
        exports.prepare("match")


async def test_a_row_that_the_graph_cannot_show_is_named(graph: Graph, admin: User, exports: Exports) -> None:
    async with graph.db.transaction() as tx:
        await tx.execute(update(User).values(follower_count=2**40))

    with pytest.raises(Conflict, match=f"user_{admin.id.hex} holds something that the graph cannot show either"):
        await rows_of(exports.prepare("users"), asked_by(graph, graph.viewer))
    assert await rows_of(exports.prepare("users", fields="name"), asked_by(graph, graph.viewer)) == [{"name": "admin"}]


# How rows are written


def test_both_formats_say_the_same(exports: Exports) -> None:
    export = exports.prepare("entries", fields="title tags isDeleted depth deletedAt metrics { clarity } parent { id }")
    rows: list[dict[str, Any]] = [
        {
            "title": 'Say "서울, 🥋"\nand go',
            "tags": ["a", "b,c"],
            "isDeleted": False,
            "depth": 3,
            "deletedAt": None,
            "metrics": {"clarity": 0.1},
            "parent": {"id": "entry_1"},
        },
        {
            "title": "",
            "tags": [],
            "isDeleted": True,
            "depth": 0,
            "deletedAt": "2026-11-21T09:00:00.000000Z",
            "metrics": {"clarity": 1.0},
            "parent": None,
        },
    ]
    lines, table = ExportWriter(ExportFormat.JSONL, export.columns), ExportWriter(ExportFormat.CSV, export.columns)

    said = [orjson.loads(line) for line in lines.write(rows).splitlines()]
    cells = list(csv.DictReader(io.StringIO((table.begin() + table.write(rows)).decode(), newline="")))

    assert said == rows
    assert (lines.rows, table.rows) == (2, 2)
    assert cells == [{one.header: _cell(row, one.path) for one in export.columns} for row in said]


def _cell(row: Any, path: tuple[str, ...]) -> str:
    for name in path:
        row = None if row is None else row.get(name)
    if row is None or isinstance(row, str):
        return row or ""
    return orjson.dumps(row).decode()


def test_what_a_spreadsheet_would_run_is_a_text_for_it(exports: Exports) -> None:
    export = exports.prepare("athletes", fields="name shortName")
    rows = [{"name": "=HYPERLINK(1)", "shortName": "@x"}, {"name": "-1+1", "shortName": 'Ä, "b"\r\n'}]

    exact = ExportWriter(ExportFormat.CSV, export.columns)
    guarded = ExportWriter(ExportFormat.CSV, export.columns, is_for_spreadsheets=True)

    assert (exact.begin() + exact.write(rows)).decode() == (
        'name,shortName\r\n=HYPERLINK(1),@x\r\n-1+1,"Ä, ""b""\r\n"\r\n'
    )
    assert (guarded.begin() + guarded.write(rows)).decode() == (
        '\ufeffname,shortName\r\n\'=HYPERLINK(1),\'@x\r\n\'-1+1,"Ä, ""b""\r\n"\r\n'
    )
