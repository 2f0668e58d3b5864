"""Listeners and flags in the graph: who sees them, in how many statements, and what is told of them live."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.network import operations
from db.network.tables import UDPListener
from schema.engine.executor import Asked
from schema.ids import encode_id
from tests.db.stored import NOW, lay_mat
from tests.support.flagging import hoist
from tests.support.graph import Graph, the_schema
from tests.support.house import PATIENCE_SECONDS
from tests.support.listening import listen_a_while, listening, make_listener, note, sender_report, session_report

DEEP = """
{
  listeners {
    nodes {
      name mat { name listeners { name } } currentSession { port }
      sessions { nodes { packetCount averagePacket senders { nodes { port isActive session { port } } } } }
    }
  }
}
"""
NODES = """
query ($ids: [ID!]!, $mat: ID!) {
  nodes(ids: $ids) { __typename }
  mat(id: $mat) { listeners { name } }
}
"""
WATCH = "subscription { listenerStatusChanged { listeners { name currentSession { packetCount } } } }"
CODES = """
{
  korea: flagMapping(code: " kor ") { countryName flag { fileName } }
  custom: flagMapping(code: "MRN") { isCustom flag { fileName } }
  unknown: flagMapping(code: "QQQ") { id }
  none: flagMapping(code: "../..") { id }
  flags(orderBy: NAME) { nodes { fileName iocCode isShown url attempts { nodes { recognizedAs } } } }
}
"""


@pytest.fixture
async def made(db: Database) -> list[UDPListener]:
    mats = [(await lay_mat(db, f"Mat {number}")).id for number in range(3)]
    return await listen_a_while(db, mats, NOW)


@pytest.mark.usefixtures("level_by_level")
async def test_listeners_with_all_that_hangs_on_them_are_read_in_one_statement_a_level(
    graph: Graph, made: list[UDPListener]
) -> None:
    with graph.statements() as run:
        data = await graph.execute(DEEP)

    assert data == await graph.on_graphql_core().execute(DEEP)
    assert [one["name"] for one in data["listeners"]["nodes"]] == sorted(one.name for one in made)
    first = data["listeners"]["nodes"][0]["sessions"]["nodes"]
    assert [(one["packetCount"], one["averagePacket"]) for one in first] == [(4, 12.5), (2**31 - 1, 512.0)]
    assert [len(one["senders"]["nodes"]) for one in first] == [2, 2]
    tables = [statement.rpartition("FROM ")[2].split()[0] for statement in run]
    assert len(run) == 6, tables


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.OPERATOR])
async def test_listeners_are_seen_by_those_who_run_the_event_by_whatever_way(
    graph: Graph, made: list[UDPListener], role: Role
) -> None:
    viewer = Viewer(user_id=new_id(), token_id=new_id(), role=role)
    overlay = replace(viewer, role=Role.ADMIN, nodes=frozenset({made[0].mat_id, made[0].id}))
    data = await graph.execute("{ listeners { nodes { id currentSession { id senders { nodes { id } } } } } }")
    first = data["listeners"]["nodes"][0]
    session = first["currentSession"]
    given = {
        "ids": [first["id"], session["id"], session["senders"]["nodes"][0]["id"]],
        "mat": encode_id("mat", made[0].mat_id),
    }

    seen = await graph.as_viewer(viewer).execute(NODES, **given)
    drawn = await graph.as_viewer(overlay).execute(NODES, **given)

    hidden = {"nodes": [None] * 3, "mat": {"listeners": []}}
    types = [{"__typename": name} for name in ("UDPListener", "ListenerSession", "Sender")]
    shown = {"nodes": types, "mat": {"listeners": [{"name": made[0].name}]}}
    assert (seen, drawn) == (shown if role is Role.OPERATOR else hidden, hidden)


async def test_all_listeners_are_watched_and_what_comes_at_once_is_told_at_once(graph: Graph, db: Database) -> None:
    mat = await lay_mat(db)
    first, second = [await make_listener(db, mat.id, NOW, name=name) for name in ("One", "Two")]
    watching = graph.subscribe(WATCH)
    told = [await anext(watching)]

    session = session_report(NOW)
    await note(db, listening(first, session, sender_report(NOW)))
    await note(db, listening(second, session_report(NOW, packet_count=7)))
    await note(db, listening(first, replace(session, packet_count=9)))
    async with asyncio.timeout(PATIENCE_SECONDS):
        told.append(await anext(watching))
        async with db.transaction() as tx:
            await operations.delete_listener(tx, first.id, viewer=None, now=NOW + timedelta(seconds=1))
        told.append(await anext(watching))
    await watching.aclose()

    counts = [
        {
            one["name"]: None if one["currentSession"] is None else one["currentSession"]["packetCount"]
            for one in message["listenerStatusChanged"]["listeners"]
        }
        for message in told
    ]
    assert counts == [{"One": None, "Two": None}, {"One": 9, "Two": 7}, {"Two": 7}]


async def test_codes_lead_to_flags_for_everybody(graph: Graph, db: Database) -> None:
    await hoist(db, NOW)
    overlay = Viewer(user_id=new_id(), token_id=new_id(), role=Role.VIEWER, nodes=frozenset({new_id()}))

    data = await graph.as_viewer(overlay).execute(CODES)

    assert data["korea"] == {"countryName": "South Korea", "flag": {"fileName": "KOR.svg"}}
    assert data["custom"] == {"isCustom": True, "flag": {"fileName": "KOR.svg"}}
    assert (data["unknown"], data["none"]) == (None, None)
    shown = {one["fileName"]: (one["iocCode"], one["isShown"], one["url"]) for one in data["flags"]["nodes"]}
    assert shown == {
        "KOR.svg": ("KOR", True, "/flags/KOR"),
        "Türkiye 🥋.svg": ("TUR", True, "/flags/TUR"),
        "flag_of_ger.svg": ("GER", True, "/flags/GER"),
        "germany.svg": ("GER", False, "/flags/GER"),
        "nobody knows.svg": ("TCH", True, "/flags/TCH"),
        "still nobody's.svg": (None, False, None),
    }
    attempts = {
        one["fileName"]: [each["recognizedAs"] for each in one["attempts"]["nodes"]] for one in data["flags"]["nodes"]
    }
    assert attempts["nobody knows.svg"] == ["TCH", None]


async def test_how_sure_a_recognition_is_comes_by_plan_on_either_database(graph: Graph, db: Database) -> None:
    flag = (await hoist(db, NOW))[1]
    context = graph._context()
    text = "query ($id: ID!) { flag(id: $id) { confidence attempts(first: 1) { nodes { confidence } } } }"

    data = await the_schema().engine.answer(Asked(text, None, {"id": encode_id("flag", flag.id)}), context)

    assert context.path == "planned"
    assert data == {"flag": {"confidence": 0.9, "attempts": {"nodes": [{"confidence": 0.9}]}}}
