"""Medals, as fights were decided, and the logo of a tournament."""

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest

from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.matches import operations
from db.matches.tables import Mat, Tournament
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.competition import say
from tests.support.flagging import PNG, svg
from tests.support.graph import Graph

OF_TOURNAMENT = "query ($id: ID!) { tournament(id: $id) { medals { kind division weight name countryCode } } }"
OF_MATCH = """
query ($id: ID!) {
  match(id: $id) { medals { kind name shortName countryCode roundScore athlete { name } match { number } } }
}
"""
SET_LOGO = """
mutation ($id: ID!, $revision: Int!, $image: String) {
  tournamentSetLogo(id: $id, revision: $revision, image: $image) {
    tournament { revision logoUrl } errors { code field message }
  }
}
"""


@pytest.fixture
async def tournament(db: Database, clock: ManualClock) -> Tournament:
    async with db.transaction() as tx:
        return await operations.create_tournament(tx, name="Ringside Open", now=clock.now())


@pytest.fixture
async def mat(db: Database, tournament: Tournament, clock: ManualClock) -> Mat:
    async with db.transaction() as tx:
        return await operations.create_mat(tx, name="Mat 1", tournament_id=tournament.id, now=clock.now())


async def fight(
    db: Database, clock: ManualClock, mat: Mat, number: str, phase: str, names: str, won: str, weight: str = "M -68kg"
) -> str:
    """Fight it out at once, an hour behind the one before; return the match's id."""
    clock.move(timedelta(hours=1))
    blue, red = names.split()
    wires = (
        "pre;FightLoaded",
        f"at1;{blue[0]}.;{blue};KOR;at2;{red[0]}.;{red};GER",
        f"mch;{number};{phase};{weight};0;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Seniors;3;120;cntDown;20;5",
        "rdy;FightReady",
        "clk;02:00;start",
        f"win;{won}",
        f"wmh;{blue if won == 'BLUE' else red};2-0 PTF",
    )
    async with db.transaction() as tx:
        await say(tx, mat.id, clock.now(), *wires)
        current = (await operations.load_progress(tx, mat.id)).fight
    assert current is not None
    return encode_id("match", current.match_id)


async def both(graph: Graph, operation: str, **variables: Any) -> dict[str, Any]:
    planned = await graph.execute(operation, **variables)
    assert await graph.on_graphql_core().execute(operation, **variables) == planned
    return planned


async def names(graph: Graph, match_id: str) -> list[tuple[str, str]]:
    medals = (await both(graph, OF_MATCH, id=match_id))["match"]["medals"]
    return [(medal["kind"], medal["name"]) for medal in medals]


async def test_both_who_lost_a_semifinal_have_bronze_where_there_is_no_contest_for_it(
    graph: Graph, db: Database, clock: ManualClock, mat: Mat
) -> None:
    await fight(db, clock, mat, "1", "Semifinals", "Ana Bea", "BLUE")
    await fight(db, clock, mat, "2", "Semi-finals", "Cia Dua", "RED")
    await fight(db, clock, mat, "3", "Quarterfinals", "Eva Fee", "RED")
    assert sorted(await names(graph, await fight(db, clock, mat, "4", "Final", "Ana Dua", "RED"))) == [
        ("BRONZE", "Bea"),
        ("BRONZE", "Cia"),
        ("GOLD", "Dua"),
        ("SILVER", "Ana"),
    ]


async def test_winners_of_contests_have_bronze_and_each_category_is_its_own(
    graph: Graph, db: Database, clock: ManualClock, mat: Mat, tournament: Tournament
) -> None:
    await fight(db, clock, mat, "1", "Semifinals", "Ana Bea", "BLUE")
    await fight(db, clock, mat, "2", "Semifinals", "Cia Dua", "RED")
    await fight(db, clock, mat, "3", "Bronze medal contest", "Bea Gil", "RED")
    await fight(db, clock, mat, "4", "Final", "Ana Dua", "BLUE")
    await fight(db, clock, mat, "5", "Final", "Hal Ida", "BLUE", "W -57kg")

    medals = (await both(graph, OF_TOURNAMENT, id=encode_id("tournament", tournament.id)))["tournament"]["medals"]

    men, women = ({"division": "Seniors", "weight": weight} for weight in ("M -68kg", "W -57kg"))
    assert medals == [
        {"kind": "GOLD", **men, "name": "Ana", "countryCode": "KOR"},
        {"kind": "SILVER", **men, "name": "Dua", "countryCode": "GER"},
        {"kind": "BRONZE", **men, "name": "Gil", "countryCode": "GER"},
        {"kind": "GOLD", **women, "name": "Hal", "countryCode": "KOR"},
        {"kind": "SILVER", **women, "name": "Ida", "countryCode": "GER"},
    ]


async def test_what_was_announced_last_of_a_number_decides_and_a_tie_decides_nothing(
    graph: Graph, db: Database, clock: ManualClock, mat: Mat
) -> None:
    first = await fight(db, clock, mat, "4", "Final", "Ana Dua", "RED")
    again = await fight(db, clock, mat, "4", "Final", "Ana Dua", "BLUE")
    decided = await names(graph, first)
    withdrawn = await fight(db, clock, mat, "4", "Final", "Ana Dua", "TIE")

    assert decided == [("GOLD", "Ana"), ("SILVER", "Dua")]
    assert await names(graph, withdrawn) == await names(graph, again) == []


async def test_a_category_has_one_final_and_the_last_counts_whatever_its_number(
    graph: Graph, db: Database, clock: ManualClock, mat: Mat
) -> None:
    first = await fight(db, clock, mat, "4", "Final", "Ana Dua", "RED")
    again = await fight(db, clock, mat, "104", "Finals", "Ana Dua", "BLUE")

    assert await names(graph, first) == await names(graph, again) == [("GOLD", "Ana"), ("SILVER", "Dua")]


async def test_an_overlay_sees_medals_of_other_mats_and_not_who_fought_there(
    graph: Graph, db: Database, clock: ManualClock, mat: Mat, tournament: Tournament
) -> None:
    async with db.transaction() as tx:
        other = await operations.create_mat(tx, name="Mat 2", tournament_id=tournament.id, now=clock.now())
        alone = await operations.create_mat(tx, name="Mat 3", now=clock.now())
    await fight(db, clock, other, "1", "Semifinals", "Ana Bea", "BLUE")
    final = await fight(db, clock, mat, "4", "Final", "Ana Dua", "BLUE")
    bound, stranger = (
        graph.as_viewer(Viewer(user_id=new_id(), token_id=new_id(), role=Role.VIEWER, nodes=frozenset({one.id})))
        for one in (mat, alone)
    )

    seen = (await both(bound, OF_MATCH, id=final))["match"]["medals"]

    assert seen[-1] == {
        "kind": "BRONZE",
        "name": "Bea",
        "shortName": "B.",
        "countryCode": "GER",
        "roundScore": "2-0",
        "athlete": None,
        "match": None,
    }
    assert seen[0]["athlete"] == {"name": "Ana"}
    assert await both(stranger, OF_MATCH, id=final) == {"match": None}
    assert await both(stranger, OF_TOURNAMENT, id=encode_id("tournament", tournament.id)) == {"tournament": None}


# Logos.


async def test_a_tournament_is_given_a_logo_another_and_none(graph: Graph, tournament: Tournament) -> None:
    tournament_id = encode_id("tournament", tournament.id)
    images = [b64encode(PNG).decode(), f"data:image/svg+xml;base64,{b64encode(svg()).decode()}", None]

    told = [
        (await graph.execute(SET_LOGO, id=tournament_id, revision=revision, image=image))["tournamentSetLogo"]
        for revision, image in enumerate(images)
    ]

    assert [one["errors"] for one in told] == [[], [], []]
    assert [one["tournament"]["revision"] for one in told] == [1, 2, 3]
    first, second, none = (one["tournament"]["logoUrl"] for one in told)
    assert first.startswith(f"/logos/{tournament_id}?v=")
    assert second.startswith(f"/logos/{tournament_id}?v=")
    assert (first != second, none) == (True, None)


@pytest.mark.parametrize(
    ("image", "revision", "code", "field", "message"),
    [
        ("no base64!", 0, "BAD_USER_INPUT", "image", "A logo is an image in base64."),
        (
            b64encode(b"words").decode(),
            0,
            "BAD_USER_INPUT",
            "image",
            "It is no image: SVG, PNG, JPEG, GIF and WebP are taken.",
        ),
        (
            b64encode(b'<svg onload="x"/>').decode(),
            0,
            "BAD_USER_INPUT",
            "image",
            "It has the attribute onload, which could run something.",
        ),
        (
            b64encode(PNG + bytes(524_288)).decode(),
            0,
            "BAD_USER_INPUT",
            "image",
            "The logo has 524,316 bytes; at most 524,288 are taken.",
        ),
        (
            b64encode(PNG).decode(),
            7,
            "CONFLICT",
            "revision",
            "The tournament was changed meanwhile, it is at revision 0 now: read it again.",
        ),
    ],
)
async def test_what_is_no_logo_is_refused_in_words(
    graph: Graph, tournament: Tournament, image: str, revision: int, code: str, field: str, message: str
) -> None:
    tournament_id = encode_id("tournament", tournament.id)

    data = await graph.execute(SET_LOGO, id=tournament_id, revision=revision, image=image)

    assert data["tournamentSetLogo"] == {
        "tournament": None,
        "errors": [{"code": code, "field": field, "message": message}],
    }
