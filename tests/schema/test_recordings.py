"""Recordings as they are asked for, changed and watched: what shows what, worked out for whatever is known by then."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from api.capture import read_capture
from api.workers.pss_protocol import parse
from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.matches import by_hand, taking_back
from db.matches import operations as matches
from db.matches.held import By
from db.matches.log import Received
from db.matches.tables import Mat
from db.matches.vocabulary import PointKind, Side
from db.recordings import commands, operations
from db.recordings.timing import Gap
from db.recordings.vocabulary import RecordingKind
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.captures import FINAL
from tests.support.competition import begun_fight, say
from tests.support.graph import Graph
from tests.support.operators import correct, load, make_operator
from tests.support.recordings import make_bookmark, make_machine, make_recording, point_of

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)


@pytest.fixture
async def mat(db: Database, clock: ManualClock) -> Mat:
    """A mat on which a final was fought, from `clock.now()` on; an hour later."""
    async with db.transaction() as tx:
        mat = await matches.create_mat(tx, name="Mat 1", now=clock.now())
        await matches.log_messages(tx, await matches.load_progress(tx, mat.id), list(_final(clock.now())))
    clock.move(HOUR)
    return mat


def _final(begun: datetime) -> list[Received]:
    return [
        Received(
            received_at=begun + one.offset,
            sender="127.0.0.1:5",
            raw=one.wire.encode(),
            message=parse(one.wire.encode()),
        )
        for one in read_capture(FINAL)
    ]


def gid(kind: str, row: Any) -> str:
    return encode_id(kind, row.id)


VIDEOS = "query ($id: ID!) { node(id: $id) { ... on MatchEvent { videos { offsetMs recording { name } } } } }"


async def test_the_videos_of_a_point_are_those_that_show_it_also_if_they_are_noted_later(
    graph: Graph, mat: Mat
) -> None:
    point = await point_of(graph.db, mat.id)
    begun = point.received_at - 60 * SECOND
    event = gid("event", point)
    before = await graph.execute(VIDEOS, id=event)

    paused = Gap(since=begun + 10 * SECOND, until=begun + 20 * SECOND)
    away = Gap(since=begun + 50 * SECOND, until=begun + 70 * SECOND)
    await make_recording(graph.db, mat.id, begun, name="Whole")
    await make_recording(graph.db, mat.id, begun, name="Paused before", gaps=[paused])
    await make_recording(graph.db, mat.id, begun, name="Paused then", gaps=[away])
    await make_recording(graph.db, mat.id, begun, name="Clock ahead", clock_offset_ms=1500, delay_ms=500)
    await make_recording(graph.db, mat.id, begun, name="Too short", ended_at=point.received_at)
    await make_recording(graph.db, mat.id, point.received_at + SECOND, name="Too late")

    after = await graph.execute(VIDEOS, id=event)
    assert before == {"node": {"videos": []}}
    assert {one["recording"]["name"]: one["offsetMs"] for one in after["node"]["videos"]} == {
        "Whole": 60_000,
        "Paused before": 50_000,
        "Clock ahead": 62_000,
    }


OFFSETS = """query ($id: ID!, $recording: ID!) {
  bookmark(id: $id) { offsets { startMs offsetMs endMs recording { id } } }
  recording(id: $recording) { bookmarks { edges { startMs offsetMs endMs a: node { id } b: node { label } } } }
}"""


@pytest.mark.parametrize("may_plan", [True, False])
async def test_a_bookmark_is_found_from_either_end_with_its_leads(graph: Graph, mat: Mat, *, may_plan: bool) -> None:
    graph.may_plan = may_plan
    now = graph.clock.now()
    made = await make_recording(graph.db, mat.id, now - 3 * SECOND)
    marked = await make_bookmark(graph.db, mat.id, now, label="Kick", lead_in_ms=5000, lead_out_ms=2000)

    data = await graph.execute(OFFSETS, id=gid("bookmark", marked), recording=gid("recording", made))

    place = {"startMs": 0, "offsetMs": 3000, "endMs": 5000}
    assert data == {
        "bookmark": {"offsets": [{**place, "recording": {"id": gid("recording", made)}}]},
        "recording": {
            "bookmarks": {"edges": [{**place, "a": {"id": gid("bookmark", marked)}, "b": {"label": "Kick"}}]}
        },
    }


EDGES = """query ($id: ID!) {
  mat(id: $id) {
    matches(first: 2) { nodes {
      events(first: 20, filter: {kinds: [POINT]}) { nodes { videos { offsetMs recording { path } } } }
      highlights(first: 10) { nodes { videos { offsetMs } bookmarks(first: 2) { nodes { offsets { offsetMs } } } } }
    } }
    bookmarks { nodes { offsets { offsetMs recording { name } } } }
    recordings { nodes { chapters { nodes { label } } bookmarks { edges { offsetMs } } matches { nodes { number } } } }
  }
}"""


@pytest.mark.usefixtures("level_by_level")
async def test_each_edge_is_one_statement_for_all_parents(graph: Graph, mat: Mat, clock: ManualClock) -> None:
    for number in range(5):
        await make_recording(graph.db, mat.id, clock.now() - HOUR, name=f"Camera {number}")
        await make_bookmark(graph.db, mat.id, clock.now(), clock.now() - number * SECOND)

    with graph.statements() as planned:
        by_plan = await graph.execute(EDGES, id=gid("mat", mat))
    with graph.statements() as stock:
        by_core = await graph.on_graphql_core().execute(EDGES, id=gid("mat", mat))

    # The mat, its fights, and then: points, videos, recordings; highlights, videos, bookmarks, of which there are none;
    # bookmarks, offsets, recordings; recordings, chapters, bookmarks, fights.
    assert (len(planned), len(stock) <= len(planned)) == (15, True)
    assert by_plan == by_core
    assert len(by_plan["mat"]["matches"]["nodes"][0]["events"]["nodes"][0]["videos"]) == 5


HIGHLIGHTS = """query ($id: ID!) { mat(id: $id) { currentMatch {
  highlights(first: 100) { nodes { kind side points round raw } }
  events(first: 100, filter: {kinds: [POINT]}) { nodes { kind side points round raw } }
} } }"""


async def test_highlights_are_high_points_gam_jeoms_and_the_ends_of_rounds(graph: Graph, mat: Mat) -> None:
    match = (await graph.execute(HIGHLIGHTS, id=gid("mat", mat)))["mat"]["currentMatch"]

    found = match["highlights"]["nodes"]
    kinds = {kind: [one for one in found if one["kind"] == kind] for kind in ("POINT", "GAM_JEOMS", "CLOCK")}
    said = [one.wire for one in read_capture(FINAL)]
    assert kinds["POINT"] == [one for one in match["events"]["nodes"] if one["points"] >= 3]
    assert [one["raw"] for one in kinds["CLOCK"]] == [one for one in said if "stopEnd" in one and "clk" in one]
    # The load says that there are none; from then on it is said when there is one more.
    gam_jeoms = [one for one in said if one.startswith("wg") and one.rstrip(";") != "wg1;0;wg2;0"]
    assert [one["raw"] for one in kinds["GAM_JEOMS"]] == gam_jeoms
    assert all(kinds.values())


async def test_a_gam_jeom_that_is_told_again_is_one_highlight(graph: Graph, clock: ManualClock) -> None:
    async with graph.db.transaction() as tx:
        mat = await matches.create_mat(tx, name="Mat 1", now=clock.now())
        said = ("wg1;1;wg2;0", "wg1;1;wg2;0", "wg1;1;wg2;1", "rnd;2", "wg1;0;wg2;1", "pt1;2")
        await say(tx, mat.id, clock.now(), *begun_fight("1"), *said)

    match = (await graph.execute(HIGHLIGHTS, id=gid("mat", mat)))["mat"]["currentMatch"]

    raw = [one["raw"] for one in match["highlights"]["nodes"]]
    assert raw == ["pt1;3", "wg1;1;wg2;0", "wg1;1;wg2;1", "wg1;0;wg2;1"]


async def test_what_operators_give_is_a_highlight_until_it_is_taken_back(graph: Graph, clock: ManualClock) -> None:
    by = By(viewer=await make_operator(graph.db, clock.now()), now=clock.now(), revision=None)
    async with graph.db.transaction() as tx:
        made = await matches.create_mat(tx, name="Mat 8", now=clock.now())
    match = await load(graph.db, made.id, by)
    for operation, named in (
        (by_hand.award_points, {"side": Side.BLUE, "kind": PointKind.HEAD}),
        (by_hand.award_points, {"side": Side.BLUE, "kind": PointKind.BODY}),
        (by_hand.give_gam_jeom, {"side": Side.RED}),
        (by_hand.award_points, {"side": Side.RED, "kind": PointKind.TURNING_BODY}),
        (taking_back.undo, {}),
    ):
        await correct(graph.db, operation, match.id, by=by, **named)

    shown = (await graph.execute(HIGHLIGHTS, id=gid("mat", made)))["mat"]["currentMatch"]["highlights"]["nodes"]

    assert [(one["kind"], one["side"], one["points"]) for one in shown] == [
        ("POINTS_AWARDED", "BLUE", 3),
        ("GAM_JEOM_GIVEN", "RED", None),
    ]


CHAPTERS = """query ($id: ID!) { recording(id: $id) {
  chapters(first: 100) { nodes { kind round label offsetMs timecode happenedAt match { number } } totalCount }
} }"""


async def test_the_chapters_of_a_stream_are_its_fights_rounds_and_winners(
    graph: Graph, mat: Mat, clock: ManualClock
) -> None:
    begun = clock.now() - HOUR - 10 * SECOND
    stream = await make_recording(graph.db, mat.id, begun, kind=RecordingKind.STREAM, delay_ms=4000)

    chapters = (await graph.execute(CHAPTERS, id=gid("recording", stream)))["recording"]["chapters"]

    labels = [one["label"] for one in chapters["nodes"]]
    assert labels[0].startswith("1945 Final")
    assert labels[1:4] == ["Round 1", "Round 2", "Round 3"]
    assert labels[4].startswith("Winner: ")
    assert [one["kind"] for one in chapters["nodes"]] == ["MATCH", "ROUND", "ROUND", "ROUND", "WINNER"]
    assert [one["round"] for one in chapters["nodes"]] == [None, 1, 2, 3, None]
    assert chapters["totalCount"] == 5
    for one in chapters["nodes"]:
        happened_at = datetime.fromisoformat(one["happenedAt"])
        assert one["offsetMs"] == (happened_at - begun + 4 * SECOND) // timedelta(milliseconds=1)


# Who may see it


def viewer(role: Role, *nodes: Any) -> Viewer:
    bound = frozenset(node.id for node in nodes) if nodes else None
    return Viewer(user_id=new_id(), token_id=new_id(), role=role, nodes=bound)


SEEN = """query ($mat: ID!, $recording: ID!, $bookmark: ID!, $event: ID!) {
  recording(id: $recording) { name chapters { totalCount } bookmarks { totalCount } obsMachine { name } }
  bookmark(id: $bookmark) { offsets { recording { name } } }
  mat(id: $mat) { recordings { totalCount } bookmarks { totalCount } obsMachines { name } }
  event: node(id: $event) { ... on MatchEvent { videos { recording { name } } } }
}"""


async def test_an_overlay_sees_what_is_recorded_of_its_mats_and_machines_are_for_operators(
    graph: Graph, mat: Mat, clock: ManualClock
) -> None:
    db, now = graph.db, clock.now()
    async with db.transaction() as tx:
        other = await matches.create_mat(tx, name="Mat 2", now=now)
    point = await point_of(db, mat.id)
    machine = await make_machine(db, mat.id, now)
    made = await make_recording(db, mat.id, now - HOUR, machine_id=machine.id)
    marked = await make_bookmark(db, mat.id, now)
    ids = {
        "mat": gid("mat", mat),
        "recording": gid("recording", made),
        "bookmark": gid("bookmark", marked),
        "event": gid("event", point),
    }
    everything = {
        "recording": {
            "name": "Camera 1",
            "chapters": {"totalCount": 5},
            "bookmarks": {"totalCount": 1},
            "obsMachine": {"name": "OBS"},
        },
        "bookmark": {"offsets": [{"recording": {"name": "Camera 1"}}]},
        "mat": {
            "recordings": {"totalCount": 1},
            "bookmarks": {"totalCount": 1},
            "obsMachines": [{"name": "OBS"}],
        },
        "event": {"videos": [{"recording": {"name": "Camera 1"}}]},
    }
    without_machines = {
        **everything,
        "recording": {**everything["recording"], "obsMachine": None},  # type: ignore[dict-item]  # a dictionary
        "mat": {**everything["mat"], "obsMachines": []},  # type: ignore[dict-item]  # as above
    }
    nothing = {"recording": None, "bookmark": None, "mat": None, "event": None}
    of_fight = {**nothing, "mat": {"recordings": {"totalCount": 0}, "bookmarks": {"totalCount": 0}, "obsMachines": []}}

    class Fight:
        id = point.match_id

    for who, expected in (
        (viewer(Role.OPERATOR), everything),
        (viewer(Role.VIEWER), without_machines),
        (viewer(Role.ADMIN, mat), without_machines),
        (viewer(Role.ADMIN, Fight), {**of_fight, "event": {"videos": []}}),
        (viewer(Role.ADMIN, other), nothing),
    ):
        for asked in (graph.as_viewer(who), graph.as_viewer(who).on_graphql_core()):
            assert await asked.execute(SEEN, **ids) == expected


async def test_a_password_is_never_shown(graph: Graph, mat: Mat) -> None:
    create = """mutation ($mat: ID!) { obsMachineCreate(matId: $mat, input: {name: "OBS", password: "opensesame"}) {
      obsMachine { id isPasswordSet } errors { message } } }"""
    made = (await graph.execute(create, mat=gid("mat", mat)))["obsMachineCreate"]["obsMachine"]
    update = """mutation ($id: ID!) { obsMachineUpdate(id: $id, input: {password: null}) {
      obsMachine { isPasswordSet } errors { message } } }"""

    refused = await graph.refused("query ($id: ID!) { obsMachine(id: $id) { password } }", id=made["id"])
    after = await graph.execute(update, id=made["id"])

    assert made["isPasswordSet"] is True
    assert [one["code"] for one in refused] == ["BAD_USER_INPUT"]
    assert after["obsMachineUpdate"] == {"obsMachine": {"isPasswordSet": False}, "errors": []}


# Changing


CREATE = """mutation ($mat: ID!, $input: RecordingInput!) {
  recordingCreate(matId: $mat, kind: RECORDING, input: $input) {
    recording { state startedAt sizeBytes gaps { beganAt endedAt } madeBy { name } } errors { code field message }
  }
}"""


async def test_a_recording_is_noted_by_hand(graph: Graph, mat: Mat, admin: User) -> None:
    given = {
        "endedAt": "2026-11-21T09:00:10Z",
        "durationMs": 10_000,
        "sizeBytes": 5_000_000_000,
        "gaps": [{"beganAt": "2026-11-21T09:00:02Z", "endedAt": "2026-11-21T09:00:03Z"}],
    }

    data = await graph.execute(CREATE, mat=gid("mat", mat), input=given)

    assert data["recordingCreate"] == {
        "recording": {
            "state": "FINISHED",
            "startedAt": "2026-11-21T09:00:00.000000Z",
            "sizeBytes": 5_000_000_000,
            "gaps": [{"beganAt": "2026-11-21T09:00:02.000000Z", "endedAt": "2026-11-21T09:00:03.000000Z"}],
            "madeBy": {"name": admin.name},
        },
        "errors": [],
    }


@pytest.mark.parametrize(
    ("given", "field"),
    [({}, "startedAt"), ({"startedAt": "2026-11-21T09:00:00Z", "sizeBytes": 0.5}, "sizeBytes")],
)
async def test_a_recording_that_cannot_be_is_refused_in_words(
    graph: Graph, mat: Mat, given: dict[str, Any], field: str
) -> None:
    data = await graph.execute(CREATE, mat=gid("mat", mat), input=given)

    assert data["recordingCreate"]["recording"] is None
    assert [(one["code"], one["field"]) for one in data["recordingCreate"]["errors"]] == [("BAD_USER_INPUT", field)]


async def test_bookmarks_around_a_moment(graph: Graph, mat: Mat, clock: ManualClock) -> None:
    for number in range(5):
        await make_bookmark(graph.db, mat.id, clock.now(), clock.now() - number * 10 * SECOND, label=str(number))
    around = """query ($mat: ID!, $at: DateTime!, $seconds: Float!) {
      bookmarksAround(matId: $mat, at: $at, seconds: $seconds) { label } }"""
    at = (clock.now() - 20 * SECOND).isoformat()

    data = await graph.execute(around, mat=gid("mat", mat), at=at, seconds=10)
    refused = await graph.refused(around, mat=gid("mat", mat), at=at, seconds=-1)

    assert [one["label"] for one in data["bookmarksAround"]] == ["3", "2", "1"]
    assert [(one["code"], one["field"]) for one in refused] == [("BAD_USER_INPUT", "seconds")]


# Watching


WATCH = """subscription ($mat: ID!) { recordingChanged(matId: $mat) {
  recordings { name } news { kind message recording { name state } }
} }"""


async def test_whoever_watches_hears_what_is_started_saved_and_failed(
    graph: Graph, mat: Mat, clock: ManualClock
) -> None:
    db, now = graph.db, clock.now()
    machine = await make_machine(db, mat.id, now)
    await make_recording(db, mat.id, now, name="One")
    messages = graph.subscribe(WATCH, mat=gid("mat", mat))
    told = [await anext(messages)]

    two = await make_recording(db, mat.id, now, name="Two")
    told.append(await anext(messages))
    async with db.transaction() as tx:
        await operations.finish_recording(tx, two.id, now=now)
    told.append(await anext(messages))
    async with db.transaction() as tx:
        command = await commands.save_replay(tx, machine.id, viewer=None, now=now)
        await commands.fail_command(tx, command.id, message="No replay buffer.", now=now)
    told.append(await anext(messages))
    await messages.aclose()

    def news(kind: str, state: str) -> dict[str, Any]:
        return {"kind": kind, "message": "", "recording": {"name": "Two", "state": state}}

    one, both = [{"name": "One"}], [{"name": "One"}, {"name": "Two"}]
    failed = {"kind": "FAILED", "message": "No replay buffer.", "recording": None}
    assert [message["recordingChanged"] for message in told] == [
        {"recordings": one, "news": []},
        {"recordings": both, "news": [news("STARTED", "RECORDING")]},
        {"recordings": one, "news": [news("SAVED", "FINISHED")]},
        {"recordings": one, "news": [failed]},
    ]


async def test_an_overlay_of_one_fight_hears_nothing_of_what_its_mat_is_recorded(
    graph: Graph, mat: Mat, clock: ManualClock
) -> None:
    point = await point_of(graph.db, mat.id)
    await make_recording(graph.db, mat.id, clock.now())
    assert point.match_id is not None
    bound = Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN, nodes=frozenset({point.match_id}))
    messages = graph.as_viewer(bound).subscribe(WATCH, mat=gid("mat", mat))

    first = await anext(messages)
    await make_recording(graph.db, mat.id, clock.now())
    graph.db.bus.close()

    assert first["recordingChanged"]["recordings"] == []
    assert await anext(messages, None) is None
