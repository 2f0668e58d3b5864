"""The graph of a competition: what fights told, by whom it is seen, and what is planned; over both ways to answer."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.matches import operations, planning
from db.matches.planning import Place
from db.matches.tables import Mat, Match, Tournament
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.db.logs import captured
from tests.support.captures import FINAL
from tests.support.competition import begun_fight, hold, loaded_fight, open_day, plan, say
from tests.support.graph import Graph


@pytest.fixture
async def tournament(db: Database, clock: ManualClock) -> Tournament:
    """A tournament with a day that is on and one mat; on it the final, and a fight that is under way."""
    now = clock.now()
    async with db.transaction() as tx:
        held = await operations.create_tournament(tx, name="Open", now=now)
        mat = await operations.create_mat(tx, name="Mat 1", tournament_id=held.id, now=now)
        await open_day(tx, held.id, now.date(), now)
        await plan(tx, mat, now, "1945", "2", "3", "4")
        messages = captured(FINAL)
        progress = await operations.load_progress(tx, mat.id)
        for part in (messages[:150], messages[150:]):
            progress = await operations.log_messages(tx, progress, part)
        await say(
            tx,
            mat.id,
            now + timedelta(minutes=5),
            *begun_fight("2"),
            "nonsense;1",
            "nonsense;2",
            "pt1;9",
            "ch1",
            "ch1;1;1",
            "wg2;1",
        )
    return held


@pytest.fixture
async def final(db: Database, tournament: Tournament) -> str:
    async with db.read() as session:
        matches = {row.number: row.id for row in await session.rows(select(Match))}
    assert tournament.name
    return encode_id("match", matches["1945"])


@pytest.fixture
async def mat(db: Database, tournament: Tournament) -> Mat:
    async with db.read() as session:
        found = await session.row(select(Mat))
    assert tournament.name
    assert found is not None
    return found


async def both(graph: Graph, operation: str, **variables: Any) -> dict[str, Any]:
    """Answer by plan and on graphql-core, which must say the same."""
    planned = await graph.execute(operation, **variables)
    assert await graph.on_graphql_core().execute(operation, **variables) == planned
    return planned


# What fights told.


async def test_a_fight_has_statistics_by_side_round_and_kind(graph: Graph, final: str) -> None:
    data = await both(
        graph,
        """query ($id: ID!) { match(id: $id) {
          statistics { side score points punches bodyKicks headKicks turningBodyKicks turningHeadKicks gamJeoms }
          rounds {
            number winner winReason hasStatisticsConflict
            statistics { side score points headKicks reported { bodyKicks headKicks fourth fifth gamJeoms } }
          }
        } }""",
        id=final,
    )

    none = {"punches": 0, "turningBodyKicks": 0, "turningHeadKicks": 0}
    assert data["match"]["statistics"] == [
        {"side": "BLUE", "score": 35, "points": 33, "bodyKicks": 0, "headKicks": 11, "gamJeoms": 1, **none},
        {"side": "RED", "score": 17, "points": 16, "bodyKicks": 5, "headKicks": 2, "gamJeoms": 2, **none},
    ]
    first = data["match"]["rounds"][0]
    assert [(one["winner"], one["winReason"]) for one in data["match"]["rounds"]] == [
        ("RED", "SCORE"),
        ("BLUE", "SCORE"),
        ("BLUE", "SCORE"),
    ]
    unknown = {"fourth": 0, "fifth": 0}
    assert first["statistics"] == [
        {
            "side": "BLUE",
            "score": 4,
            "points": 3,
            "headKicks": 1,
            "reported": {"bodyKicks": 0, "headKicks": 1, "gamJeoms": 1, **unknown},
        },
        {
            "side": "RED",
            "score": 5,
            "points": 4,
            "headKicks": 0,
            "reported": {"bodyKicks": 2, "headKicks": 0, "gamJeoms": 1, **unknown},
        },
    ]


@pytest.mark.parametrize(
    ("wires", "reason"),
    [
        (["sc1;3;sc2;1", "s11;3;s21;1", "wrd;rd1;1"], "SCORE"),
        (["sc1;10;sc2;10", "s11;10;s21;10", "sup;0", "sup;1", "wrd;rd1;1", "sup;0", "rnd;2"], "SUPERIORITY"),
        (["sup;1", "sc1;2;sc2;2", "s11;2;s21;2", "wrd;rd1;2"], None),
        # A decision for the side that was behind: a limit of penalties, or a hand.
        (["sc1;3;sc2;1", "s11;3;s21;1", "wrd;rd1;2"], None),
        (["sc1;3;sc2;1", "s11;3;s21;1"], None),
    ],
)
async def test_what_a_round_was_won_by_is_told_where_it_is_evident(
    graph: Graph, db: Database, clock: ManualClock, wires: list[str], reason: str | None
) -> None:
    async with db.transaction() as tx:
        mat = await operations.create_mat(tx, name="Mat 1", now=clock.now())
        await say(tx, mat.id, clock.now(), *loaded_fight("1"), *wires)

    data = await both(graph, "{ matches { nodes { rounds { number winReason } } } }")

    assert data["matches"]["nodes"][0]["rounds"][0] == {"number": 1, "winReason": reason}


async def test_points_penalties_and_challenges_are_joined_to_their_entries(graph: Graph, mat: Mat) -> None:
    data = await both(
        graph,
        """query ($id: ID!) { mat(id: $id) { currentMatch {
          points { nodes { side kind points round event { raw point { kind } } match { number } } }
          penalties { nodes { side number isTakenBack takenBackAt event { raw penalties { number } } } }
          challenges { nodes {
            side state round scoreBefore { blue red } scoreAfter { blue red } event { raw challenge { state } }
          } }
        } } }""",
        id=encode_id("mat", mat.id),
    )

    current = data["mat"]["currentMatch"]
    assert current["points"]["nodes"] == [
        {
            "side": "BLUE",
            "kind": "HEAD",
            "points": 3,
            "round": 1,
            "event": {"raw": "pt1;3", "point": {"kind": "HEAD"}},
            "match": {"number": "2"},
        }
    ]
    assert current["penalties"]["nodes"] == [
        {
            "side": "RED",
            "number": 1,
            "isTakenBack": False,
            "takenBackAt": None,
            "event": {"raw": "wg2;1", "penalties": [{"number": 1}]},
        }
    ]
    assert current["challenges"]["nodes"] == [
        {
            "side": "BLUE",
            "state": "WON",
            "round": 1,
            "scoreBefore": {"blue": 3, "red": 0},
            "scoreAfter": None,
            "event": {"raw": "ch1", "challenge": {"state": "WON"}},
        }
    ]


@pytest.mark.parametrize(
    ("chosen", "raws"),
    [
        ("kinds: [POINT], sides: [RED], rounds: [1]", ["pt2;2", "pt2;2"]),
        ("kinds: [POINT], rounds: [3], clockFromMs: 115000", ["pt1;3"]),
        ("kinds: [POINT], rounds: [2], clockToMs: 47761", ["pt1;3", "pt1;3", "pt1;3"]),
        ('kinds: [WINNER, RESULT], receivedFrom: "2026-11-21T09:03:59.790Z"', ["wmh;Luka Šarić;2-1 PTF"]),
        ('kinds: [ROUND_BEGAN], receivedBefore: "2026-11-21T09:02:00Z"', ["rnd;1", "rnd;2"]),
        ("isValid: false", []),
        ("bursts: [29]", ["sup;1", "sc1;3;sc2;2", "s11;3;s21;2;s12;0;s22;0;s13;0;s23;0", "pt1;3"]),
        ("kinds: [POINT], sides: []", []),
    ],
)
async def test_entries_are_chosen_by_what_they_say_and_when(
    graph: Graph, final: str, chosen: str, raws: list[str]
) -> None:
    operation = "query ($id: ID!) { match(id: $id) { events(first: 100, filter: {%s}) { nodes { raw } totalCount } } }"

    data = await both(graph, operation % chosen, id=final)

    events = data["match"]["events"]
    assert [node["raw"].rstrip(";") for node in events["nodes"]] == raws
    assert events["totalCount"] == len(raws)


async def test_the_log_of_a_mat_holds_what_belongs_to_no_fight_and_is_counted_by_code(
    graph: Graph, db: Database, mat: Mat
) -> None:
    async with db.transaction() as tx:
        alone = await operations.create_mat(tx, name="Mat 9", now=mat.created_at)
        await say(tx, alone.id, mat.created_at, "Udp Port 6000 connected;", "vch;1", "vch;2", "pt1;77", "")

    data = await both(
        graph,
        """query ($id: ID!) { mat(id: $id) {
          events(filter: {isValid: false, reasons: [OUT_OF_RANGE]}) { nodes { raw reason match { id } } }
          eventTypes(orderBy: COUNT) { nodes { kind code count mat { name } } totalCount }
          known: eventTypes(filter: {kinds: [LINK]}) { nodes { code } }
          unknownMessages(orderBy: COUNT) { nodes { pattern reason count } }
          status { state lastSender lastReceivedAt messages unreadable }
        } }""",
        id=encode_id("mat", alone.id),
    )

    found = data["mat"]
    assert found["events"]["nodes"] == [{"raw": "pt1;77", "reason": "OUT_OF_RANGE", "match": None}]
    of_mat = {"mat": {"name": "Mat 9"}}
    assert found["eventTypes"]["nodes"][0] == {"kind": "UNKNOWN", "code": "vch", "count": 2, **of_mat}
    assert sorted((one["kind"], one["code"], one["count"]) for one in found["eventTypes"]["nodes"][1:]) == [
        ("LINK", "Udp Port", 1),
        ("UNREADABLE", "", 1),
        ("UNREADABLE", "pt1", 1),
    ]
    assert found["known"]["nodes"] == [{"code": "Udp Port"}]
    assert found["unknownMessages"]["nodes"][0] == {"pattern": "vch;#", "reason": None, "count": 2}
    assert sorted(one["pattern"] for one in found["unknownMessages"]["nodes"][1:]) == ["", "pt#;#"]
    assert found["status"] == {
        "state": "ALIVE",
        "lastSender": "127.0.0.1:50000",
        "lastReceivedAt": "2026-11-21T09:00:00.004000Z",
        "messages": 5,
        "unreadable": 2,
    }


# Athletes.


async def test_a_record_counts_fights_that_are_over_and_no_others(
    graph: Graph, db: Database, clock: ManualClock
) -> None:
    """One name fights again and again: wins, loses, ties, gives way, and is on the mat."""
    async with db.transaction() as tx:
        mat = await operations.create_mat(tx, name="Mat 1", now=clock.now())
        for end in (["win;BLUE"], ["win;BLUE"], ["win;RED"], ["win;TIE"], [], ["clk;02:00;start"], ["clk;01:59;start"]):
            await say(tx, mat.id, clock.now(), *loaded_fight("7"), *end)

    data = await both(
        graph,
        """{ athletes { nodes {
          name record { fights wins losses ties } matches { totalCount nodes { state } } sides { totalCount }
        } } }""",
    )

    states = ["LIVE", "ABANDONED", "NOT_FOUGHT", "ENDED", "ENDED", "ENDED", "ENDED"]
    fought = {"matches": {"totalCount": 7, "nodes": [{"state": state} for state in states]}, "sides": {"totalCount": 7}}
    blue = {"fights": 4, "wins": 2, "losses": 1, "ties": 1}
    red = {"fights": 4, "wins": 1, "losses": 2, "ties": 1}
    assert data["athletes"]["nodes"] == [
        {"name": "Blue 7", "record": blue, **fought},
        {"name": "Red 7", "record": red, **fought},
    ]


async def test_who_never_fought_has_a_record_of_nothing(graph: Graph, db: Database, clock: ManualClock) -> None:
    async with db.transaction() as tx:
        mat = await operations.create_mat(tx, name="Mat 1", now=clock.now())
        await planning.plan_match(tx, mat.id, {"number": "1", "blue": {"name": "Ana"}}, Place(), now=clock.now())

    data = await both(graph, "{ athletes { nodes { name record { fights wins losses ties } } } }")

    nothing = {"fights": 0, "wins": 0, "losses": 0, "ties": 0}
    assert data["athletes"]["nodes"] == [{"name": "Ana", "record": nothing}]


async def test_a_tournament_says_who_did_what_in_it(graph: Graph, db: Database, tournament: Tournament) -> None:
    async with db.transaction() as tx:
        elsewhere = await operations.create_mat(tx, name="Elsewhere", now=tournament.created_at)
        await say(tx, elsewhere.id, tournament.created_at, *begun_fight("2"), "win;BLUE")

    data = await both(
        graph,
        """query ($id: ID!) { tournament(id: $id) {
          matches { nodes { number day { number } planned { number match { number } } } }
          days { number matches { totalCount } }
          athletes(orderBy: POINTS) {
            totalCount
            nodes { points fights wins losses ties headKicks bodyKicks gamJeoms athlete { name } }
            pageInfo { endCursor }
          }
          page: athletes(first: 1, orderBy: WINS) { nodes { athlete { name } } }
        } }""",
        id=encode_id("tournament", tournament.id),
    )

    found = data["tournament"]
    day = {"day": {"number": 1}}
    assert found["matches"]["nodes"] == [
        {"number": number, **day, "planned": {"number": number, "match": {"number": number}}}
        for number in ("2", "1945")
    ]
    assert found["days"] == [
        {"number": 1, "matches": {"totalCount": 2}},
        {"number": 2, "matches": {"totalCount": 0}},
    ]
    shown = [
        (
            one["athlete"]["name"],
            one["points"],
            one["fights"],
            one["wins"],
            one["losses"],
            one["headKicks"],
            one["gamJeoms"],
        )
        for one in found["athletes"]["nodes"]
    ]
    assert shown == [
        ("Luka Šarić", 33, 1, 1, 0, 11, 1),
        ("Jonas Keller", 16, 1, 0, 1, 2, 2),
        ("Blue 2", 3, 0, 0, 0, 1, 0),
        ("Red 2", 0, 0, 0, 0, 0, 1),
    ]
    assert found["athletes"]["totalCount"] == 4
    assert found["page"]["nodes"] == [{"athlete": {"name": "Luka Šarić"}}]
    after = found["athletes"]["pageInfo"]["endCursor"]
    rest = await both(
        graph,
        "query ($id: ID!, $after: String) { tournament(id: $id) {"
        " athletes(orderBy: POINTS, before: $after, last: 2) { nodes { points } } } }",
        id=encode_id("tournament", tournament.id),
        after=after,
    )
    assert rest["tournament"]["athletes"]["nodes"] == [{"points": 16}, {"points": 3}]


# What an answer costs.


_COSTS = [
    ("{ matches(first: 50) { nodes { statistics { points } rounds { statistics { headKicks } } } } }", 4),
    ("{ matches(first: 50) { nodes { points(first: 5) { nodes { kind event { raw } } totalCount } } } }", 4),
    ("{ matches(first: 50) { nodes { penalties { nodes { side } } challenges { nodes { state } } } } }", 3),
    ("{ matches(first: 50) { nodes { planned { number day { number } } tournament { name } day { heldOn } } } }", 4),
    ("{ mats(first: 50) { nodes { queue(first: 5) { nodes { blue { name } red { name } } } status { state } } } }", 3),
    ("{ mats(first: 50) { nodes { eventTypes { nodes { count } } unknownMessages { nodes { count } } } } }", 3),
    ("{ athletes(first: 50) { nodes { record { wins } matches(first: 2) { nodes { number } } } } }", 4),
    ("{ tournaments { nodes { days { number } athletes(first: 50) { nodes { points athlete { name } } } } } }", 4),
    (
        "{ matches(first: 9) { nodes { events { nodes { point { kind } penalties { side } challenge { side } } } } } }",
        5,
    ),
]


@pytest.mark.usefixtures("level_by_level")
async def test_an_edge_over_many_parents_costs_one_statement(graph: Graph, db: Database, clock: ManualClock) -> None:
    competition = await hold(db, clock.now(), mats=20)
    async with db.transaction() as tx:
        await open_day(tx, competition.tournaments[0].id, clock.now().date(), clock.now())
        for mat in competition.mats[::2]:
            await plan(tx, mat, clock.now(), f"{mat.name} a", f"{mat.name} b")
            await say(tx, mat.id, clock.now(), *begun_fight(f"{mat.name} a"), "ch1", "wg1;1", "nonsense")

    for operation, statements in _COSTS:
        with graph.statements() as heard:
            await graph.execute(operation)
        assert len(heard) == statements, "\n\n".join([operation, *heard])


# Who sees it.


_SEEN = """query ($mat: ID!) {
  mat(id: $mat) {
    queue { nodes { number blue { name } } }
    eventTypes { totalCount }
    unknownMessages { totalCount }
    events { totalCount }
    matches { nodes { number planned { number } points { totalCount } challenges { totalCount } } }
    tournament { days { number } athletes { totalCount } }
  }
  athletes { totalCount }
}"""


async def test_an_overlay_of_a_mat_sees_its_queue_and_its_log_and_one_of_a_fight_its_own_plan_alone(
    graph: Graph, final: str, mat: Mat
) -> None:
    asked = {"mat": encode_id("mat", mat.id)}
    match_id = UUID(final.partition("_")[2])

    async def seen(node: UUID) -> dict[str, Any]:
        viewer = Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN, nodes=frozenset({node}))
        return await both(graph.as_viewer(viewer), _SEEN, **asked)

    of_mat, of_fight = await seen(mat.id), await seen(match_id)

    assert [one["number"] for one in of_mat["mat"]["queue"]["nodes"]] == ["3", "4"]
    assert of_mat["mat"]["queue"]["nodes"][0]["blue"] == {"name": "Blue 3"}
    assert of_mat["mat"]["unknownMessages"]["totalCount"] == 2
    assert of_mat["mat"]["events"]["totalCount"] == mat.last_seq
    # Four plans of two athletes, and the two who fought the first.
    assert of_mat["athletes"]["totalCount"] == 10
    assert of_fight == {
        "mat": {
            "queue": {"nodes": []},
            "eventTypes": {"totalCount": 0},
            "unknownMessages": {"totalCount": 0},
            "events": {"totalCount": 308},
            "matches": {
                "nodes": [
                    {
                        "number": "1945",
                        "planned": {"number": "1945"},
                        "points": {"totalCount": 18},
                        "challenges": {"totalCount": 0},
                    }
                ]
            },
            "tournament": {"days": [{"number": 1}, {"number": 2}], "athletes": {"totalCount": 2}},
        },
        "athletes": {"totalCount": 4},
    }


async def test_an_overlay_of_nothing_here_sees_nothing(graph: Graph, mat: Mat) -> None:
    viewer = Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN, nodes=frozenset({new_id()}))

    data = await both(graph.as_viewer(viewer), _SEEN, mat=encode_id("mat", mat.id))

    assert data == {"mat": None, "athletes": {"totalCount": 0}}


# By mutation.


async def test_a_queue_is_filled_moved_and_watched(graph: Graph, mat: Mat) -> None:
    add = """mutation ($mat: ID!, $number: String!, $before: ID) {
      matchQueueAdd(matId: $mat, beforeId: $before, input: {
        number: $number, phase: "Semifinals", blue: {name: "Ana One", countryCode: "SUI"}
      }) { plannedMatch { id number revision isWaiting mat { name } blue { name countryCode } red { name } }
           errors { code field message } }
    }"""
    watch = """subscription ($mat: ID!) {
      matQueueChanged(matId: $mat) { revision mat { queue { nodes { number } } } sentAt }
    }"""
    asked = {"mat": encode_id("mat", mat.id)}

    async def heard(messages: AsyncIterator[dict[str, Any]]) -> tuple[int, list[str]]:
        message = (await anext(messages))["matQueueChanged"]
        return message["revision"], [one["number"] for one in message["mat"]["queue"]["nodes"]]

    async with aclosing(graph.subscribe(watch, **asked)) as messages:
        told = [await heard(messages)]
        added = (await graph.execute(add, **asked, number="5"))["matchQueueAdd"]
        told.append(await heard(messages))
        first = (await graph.execute(add, **asked, number="0", before=added["plannedMatch"]["id"]))["matchQueueAdd"]
        told.append(await heard(messages))
        async with graph.db.transaction() as tx:
            await say(tx, mat.id, graph.clock.now(), *loaded_fight("3"))
        told.append(await heard(messages))

    begun = mat.queue_revision
    assert told == [
        (begun, ["3", "4"]),
        (begun + 1, ["3", "4", "5"]),
        (begun + 2, ["3", "4", "0", "5"]),
        # The fight that gave way had been begun: its plan waits again, in its place.
        (begun + 3, ["2", "4", "0", "5"]),
    ]
    assert added == {
        "plannedMatch": {
            "id": added["plannedMatch"]["id"],
            "number": "5",
            "revision": 0,
            "isWaiting": True,
            "mat": {"name": "Mat 1"},
            "blue": {"name": "Ana One", "countryCode": "SUI"},
            "red": None,
        },
        "errors": [],
    }
    assert first["errors"] == []


async def test_a_change_with_a_revision_that_is_gone_is_refused_with_the_present_one(
    graph: Graph, tournament: Tournament
) -> None:
    change = """mutation ($id: ID!, $revision: Int!, $city: String) {
      tournamentUpdate(id: $id, revision: $revision, input: {city: $city}) {
        tournament { city revision } errors { code field message }
      }
    }"""
    asked = {"id": encode_id("tournament", tournament.id), "revision": 1}

    first = await graph.execute(change, **asked, city="Seoul")
    second = await graph.execute(change, **asked, city="Busan")

    assert first["tournamentUpdate"] == {"tournament": {"city": "Seoul", "revision": 2}, "errors": []}
    assert second["tournamentUpdate"] == {
        "tournament": None,
        "errors": [
            {
                "code": "CONFLICT",
                "field": "revision",
                "message": "The tournament was changed meanwhile, it is at revision 2 now: read it again.",
            }
        ],
    }


async def test_watchers_of_a_mats_status_are_told_of_news_and_not_of_every_message(graph: Graph, mat: Mat) -> None:
    watch = """subscription ($mat: ID!) {
      matStatusChanged(matId: $mat) { status { state unreadable messages } mat { name } }
    }"""
    told: list[dict[str, Any]] = []

    async with aclosing(graph.subscribe(watch, mat=encode_id("mat", mat.id))) as messages:
        for wires in (["clk;01:50"], ["pt1;99"], ["Udp Port 6000 disconnected;"], ["clk;01:40"]):
            if not told:
                told.append((await anext(messages))["matStatusChanged"])
            async with graph.db.transaction() as tx:
                await say(tx, mat.id, graph.clock.now(), *wires)
            if wires != ["clk;01:50"]:
                told.append((await anext(messages))["matStatusChanged"])

    of_mat, seq = {"mat": {"name": "Mat 1"}}, mat.last_seq
    assert told == [
        {"status": {"state": "ALIVE", "unreadable": 1, "messages": seq}, **of_mat},
        {"status": {"state": "ALIVE", "unreadable": 2, "messages": seq + 2}, **of_mat},
        {"status": {"state": "OFF", "unreadable": 2, "messages": seq + 3}, **of_mat},
        {"status": {"state": "ALIVE", "unreadable": 2, "messages": seq + 4}, **of_mat},
    ]
