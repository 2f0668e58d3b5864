"""The examples: each is valid, says who would run it, and does what it says as far as it can be run alone."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from graphql import DocumentNode, FieldNode, NonNullTypeNode, OperationDefinitionNode, parse, validate

from db.access.tables import User
from db.backups import operations as backups
from db.backups.vocabulary import BackupJobKind
from db.database import Database
from db.flags.scanning import FlagFolder
from db.matches import operations as matches
from db.matches import planning, tournaments
from db.matches.planning import Place
from db.streams import operations as streams
from db.streams.vocabulary import StreamSourceKind
from schema.connections import write_cursor
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.accounts import account_variables
from tests.support.competition import Competition, hold
from tests.support.flagging import hoist, svg
from tests.support.graph import Graph, the_schema
from tests.support.listening import listen_a_while
from tests.support.operators import operator_variables
from tests.support.practice import practice_variables
from tests.support.recordings import recording_variables
from tests.support.social import make_person, viewer_of, write
from tests.support.streaming import make_goal, make_source, make_stream

_FOLDER = Path(__file__).parents[1] / "graphql-examples"
LOGO = b64encode(svg()).decode()
_DOMAINS = {path.name for path in (Path(__file__).parents[1] / "schema").iterdir() if (path / "types.py").exists()}


@dataclass(frozen=True)
class Example:
    path: Path
    text: str
    document: DocumentNode

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def domain(self) -> str:
        return self.path.parent.name

    @property
    def operation(self) -> OperationDefinitionNode:
        (operation,) = self.document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        return operation

    @property
    def kind(self) -> str:
        return self.operation.operation.value

    @property
    def asks_for(self) -> str:
        (selection,) = self.operation.selection_set.selections
        assert isinstance(selection, FieldNode)
        return selection.name.value

    @property
    def variables(self) -> set[str]:
        return {one.variable.name.value for one in self.operation.variable_definitions or ()}

    @property
    def runs_alone(self) -> bool:
        given = self.operation.variable_definitions or ()
        return self.kind == "query" and not any(isinstance(one.type, NonNullTypeNode) for one in given)


def _example(path: Path) -> Example:
    text = path.read_text()
    return Example(path, text, parse(text))


EXAMPLES = [_example(path) for path in sorted(_FOLDER.rglob("*.graphql"))]


def test_every_domain_has_examples() -> None:
    assert {example.domain for example in EXAMPLES} == _DOMAINS


def _of_each(found: Callable[[Example], object]) -> dict[str, object]:
    """What is found of each example, where anything is."""
    return {f"{one.domain}/{one.name}": told for one in EXAMPLES if (told := found(one))}


def test_an_example_is_valid() -> None:
    assert _of_each(lambda one: validate(the_schema()._schema, one.document)) == {}


def test_an_example_is_one_operation_named_as_its_file() -> None:
    named = {one.path: one.operation.name and one.operation.name.value for one in EXAMPLES}

    assert named == {one.path: one.name for one in EXAMPLES}


def test_an_example_says_first_who_would_run_it() -> None:
    assert _of_each(_faults_of_comment) == {}


def _faults_of_comment(example: Example) -> list[str]:
    """Say what is wrong with the comment on top of an example."""
    lines = example.text.splitlines()
    comment = [line for line in lines if line.startswith("#")]
    faults = {
        "does not stand on top": lines[: len(comment)] != comment,
        "says too little": len(" ".join(comment)) <= 20,
        "is no sentence": not comment or not comment[-1].endswith((".", "?")),
        "stands above lines that are too long": max(map(len, lines)) > 120,
    }
    return [fault for fault, is_so in faults.items() if is_so]


def test_every_root_field_has_an_example() -> None:
    schema = the_schema()._schema
    roots = (schema.query_type, schema.mutation_type, schema.subscription_type)
    fields = {name for root in roots if root for name in root.fields}

    assert fields - {example.asks_for for example in EXAMPLES} == set()


async def test_the_examples_without_variables_run(graph: Graph, clock: ManualClock) -> None:
    await hold(graph.db, clock.now())

    for example in EXAMPLES:
        if example.runs_alone:
            data = await graph.execute(example.text)

            assert data[example.asks_for] is not None, example.path


async def test_the_examples_with_variables_run(
    graph: Graph, db: Database, clock: ManualClock, admin: User, tmp_path: Path
) -> None:
    graph.flags = FlagFolder(path=tmp_path)
    given = await variables_of_examples(graph, await hold(db, clock.now()), admin)

    for example in EXAMPLES:
        if example.kind == "subscription":
            continue
        variables = given.get(example.name, {})
        data = await graph.execute(example.text, **variables)

        shown = data[example.asks_for]
        assert variables.keys() <= example.variables
        assert shown is not None, example.path
        assert isinstance(shown, list | str) or shown.get("errors", []) == [], example.path


async def test_the_examples_that_watch_are_answered(
    graph: Graph, db: Database, clock: ManualClock, admin: User
) -> None:
    given = await variables_of_examples(graph, await hold(db, clock.now()), admin)

    for example in EXAMPLES:
        if example.kind == "subscription":
            messages = graph.subscribe(example.text, **given[example.name])
            assert (await anext(messages))[example.asks_for] is not None
            await messages.aclose()


async def variables_of_examples(graph: Graph, competition: Competition, admin: User) -> dict[str, dict[str, Any]]:
    """What each example is asked with, by its name: ids of the first mat, its fight and an athlete of it."""
    mat = encode_id("mat", competition.mats[0].id)
    made = await graph.execute(_TOKEN)
    data = await graph.execute(_FIGHT, id=mat)
    match = data["mat"]["currentMatch"]
    athlete = match["sides"][0]["athlete"]["id"]
    of_mat, of_match = {"matId": mat}, {"matchId": match["id"]}
    stream, goals, (source, webhook, gone) = await _stream(graph, admin)
    of_stream, of_goal = {"streamId": stream}, {"goalId": goals[0]}
    return {
        **await practice_variables(graph, admin),
        **await operator_variables(graph, admin),
        **await account_variables(graph, admin),
        **await _event(competition, graph, mat, athlete),
        **await _network(graph, competition),
        **await _flags(graph),
        "CountriesOfFight": of_match,
        "FlagsOfFight": of_match,
        **await recording_variables(graph, competition.mats[0].id),
        "CreateOverlayToken": of_mat,
        "CreateScriptToken": {"label": "Script"},
        "FightInFull": of_match,
        "FightOnMat": of_mat,
        "FightsOfAthlete": {"athleteId": athlete},
        "FindNodes": {"ids": [mat, match["id"], athlete, encode_id("user", admin.id)]},
        "FollowEvents": of_match,
        **dict.fromkeys(("HeadKicksOfRound", "LastSecondsOfRound", "OneHappening", "StatisticsOfFight"), of_match),
        "ImportAthletes": {"rows": [{"name": "Ann", "countryCode": "KOR"}]},
        "ImportQueueDryRun": {"mat": mat},
        "ImportSettings": {"rows": [{"key": "backups.keep", "value": 7}]},
        "LayMat": {"name": "Mat 99"},
        "PointsOfFight": of_match,
        "RenameMat": {"id": mat, "name": "Centre court"},
        "RevokeToken": {"id": made["tokenCreate"]["token"]["id"]},
        "ScoreboardForOverlay": of_mat,
        "ScoreboardForStream": of_mat,
        "WinnerForOverlay": of_mat,
        "ScoreboardNow": of_mat,
        "SetUpTournament": {"name": "Busan Open"},
        "WhatWasUnreadable": of_match,
        "AddToGoal": {"id": goals[0], "delta": 5},
        "BringDefaultGoalsBack": of_stream,
        "ChangeGoal": {"id": goals[0], "name": "Another", "target": 2000},
        "ChangeStream": {"id": stream, "host": "69", "timeZone": "Asia/Seoul"},
        "DeleteGoal": {"id": goals[1]},
        "DeleteSource": {"id": gone},
        "DeleteStream": {"id": await _bare_stream(graph, admin)},
        "FollowGoal": of_goal,
        "GoLive": of_stream,
        "GoOff": {"streamId": await _live_stream(graph, admin)},
        "GoalForOverlay": of_goal,
        "GoalsOfStream": of_stream,
        "HideGoal": {"id": goals[0]},
        "HistoryOfGoal": of_goal,
        "ListenToTikFinity": {**of_stream, "url": "ws://127.0.0.1:1/"},
        "MoveSource": {"id": source, "url": "ws://127.0.0.1:2/"},
        "ResetGoal": {"id": goals[0]},
        "RotateSecret": {"id": webhook},
        "SetGoal": of_stream,
        "SetUpStream": {"name": "Evenings", "timeZone": "Europe/Berlin"},
        "ShowGoal": {"id": goals[0]},
        "SwitchSourceOff": {"id": source},
        "SwitchSourceOn": {"id": source},
        "TryOverlayOut": {"id": goals[0], "delta": 100},
        **await _social(graph, admin),
        "KeepMoreBackups": {"count": 30},
        "OneBackupJob": {"id": (job := await _backup_job(graph))},
        "FollowBackup": {"jobId": job},
        **{one: {"name": "a.ringside.zip"} for one in ("DeleteBackup", "TryToRestoreBackup", "VerifyBackup")},
        "WatchSettings": {},
    }


async def _event(competition: Competition, graph: Graph, mat: str, athlete: str) -> dict[str, dict[str, object]]:
    """A tournament that is on with a day that is not, and fights that wait for its first mat."""
    now = graph.clock.now()
    tournament, other = competition.tournaments
    async with graph.db.transaction() as tx:
        started = await tournaments.start_tournament(tx, tournament.id)
        await tournaments.start_tournament(tx, other.id)
        first, second, on = [
            await tournaments.create_day(tx, of, held_on=date(2026, 11, day), now=now)
            for of, day in ((tournament.id, 21), (tournament.id, 22), (other.id, 21))
        ]
        await tournaments.start_day(tx, on.id)
        waiting = [
            await planning.plan_match(tx, competition.mats[0].id, {"number": number}, Place(), now=now)
            for number in ("11", "12", "13")
        ]
    one, two, three = [encode_id("plannedmatch", planned.id) for planned in waiting]
    held = encode_id("tournament", tournament.id)
    of_mat: dict[str, object] = {"matId": mat}
    return {
        "AssignMat": {"id": mat, "tournamentId": encode_id("tournament", other.id)},
        "AddTournamentDay": {"tournamentId": held, "heldOn": "2026-11-23"},
        "ChangeQueuedFight": {"id": one, "revision": 0, "phase": "Final"},
        "ChangeTournament": {"id": held, "revision": started.revision, "countryCode": "KOR", "startsOn": "2026-11-21"},
        "DropQueuedFight": {"id": three},
        "GiveLogo": {"id": held, "revision": started.revision + 1, "image": LOGO},
        "MedalsOfTournament": {"id": held},
        "EndTournament": {"id": await _bare_tournament(graph, "Under way", is_on=True)},
        "EndTournamentDay": {"id": encode_id("tournamentday", on.id)},
        "MoveQueuedFight": {"id": two, "beforeId": one},
        "MoveTournamentDay": {"id": encode_id("tournamentday", second.id), "revision": 0, "heldOn": "2026-12-01"},
        "QueueFight": {**of_mat, "number": "14", "blue": {"name": "Ana One", "countryCode": "SUI"}},
        "RecordOfAthlete": {"id": athlete},
        "StartTournament": {"id": await _bare_tournament(graph, "To come")},
        "StartTournamentDay": {"id": encode_id("tournamentday", first.id)},
        "TournamentInFull": {"id": held},
        **dict.fromkeys(("WatchQueue", "WatchSender", "WhatTheLogHolds"), of_mat),
    }


async def _bare_tournament(graph: Graph, name: str, *, is_on: bool = False) -> str:
    made = await matches.create_tournament(graph.db, name=name, now=graph.clock.now())
    if is_on:
        async with graph.db.transaction() as tx:
            await tournaments.start_tournament(tx, made.id)
    return encode_id("tournament", made.id)


async def _backup_job(graph: Graph) -> str:
    async with graph.db.transaction() as tx:
        job = await backups.ask(tx, BackupJobKind.CREATE, viewer=None, now=graph.clock.now())
    return encode_id("backupjob", job.id)


async def _social(graph: Graph, admin: User) -> dict[str, dict[str, object]]:
    """Entries of the one who asks and of somebody else, with a reply, and what the examples are asked with."""
    now = graph.clock.now()
    mine, other = viewer_of(admin), await make_person(graph.db, now, "Ann")
    entry = await write(graph.db, mine, now)
    await write(graph.db, other, now, parent=entry)
    regretted = await write(graph.db, mine, now)
    of_entry: dict[str, object] = {"id": encode_id("entry", entry.id)}
    of_user: dict[str, object] = {"id": encode_id("user", other.user_id)}
    marks = ("ResonateWithEntry", "CeaseToResonate", "AmplifyEntry", "CeaseToAmplify", "ShareEntry")
    return {
        "ChangeProfile": {"bio": "I dream."},
        "FollowEntries": {"after": write_cursor((0,))},
        "DeleteEntry": {"id": encode_id("entry", regretted.id)},
        "SearchEntries": {"text": "something"},
        "UserByName": {"username": "ann"},
        "WriteEntry": {"content": "I flew.", "key": "one"},
        **dict.fromkeys((*marks, "ChangeEntry", "EntryWithReplies", "Thread", "WatchEntry"), of_entry),
        **dict.fromkeys(("FollowUser", "ProfileOfUser", "UnfollowUser", "WatchUser"), of_user),
    }


async def _flags(graph: Graph) -> dict[str, dict[str, Any]]:
    made = await hoist(graph.db, graph.clock.now())
    known = await graph.execute('{ flagMapping(code: "MRN") { id } }')
    first, second, last = ({"id": encode_id("flag", flag.id)} for flag in (made[0], made[1], made[3]))
    return {
        "AddCode": {"pssCode": "XYZ", "iocCode": "KOR", "countryName": "Elsewhere"},
        "CountryOfCode": {"code": "KOR"},
        "FlagInFull": first,
        "RemoveCode": {"id": known["flagMapping"]["id"]},
        "RemoveFlag": last,
        "SayWhoseFlag": {**second, "code": "FRA"},
    }


async def _network(graph: Graph, competition: Competition) -> dict[str, dict[str, Any]]:
    mats = [mat.id for mat in competition.mats[:3]]
    made = await listen_a_while(graph.db, mats, graph.clock.now())
    first, second, last = ({"id": encode_id("listener", listener.id)} for listener in made)
    return {
        "AddListener": {"matId": encode_id("mat", mats[0]), "name": "Another", "port": 6001},
        "BindToMachine": first,
        "HearOneSender": {**first, "senders": ["127.0.0.1"]},
        "ListenerInFull": first,
        "ListenersOfMat": {"id": encode_id("mat", mats[0])},
        "RemoveListener": last,
        "StartListener": second,
        "StopListener": first,
        "WatchListener": {"listenerId": first["id"]},
        "WatchListeners": {},
    }


async def _stream(graph: Graph, owner: User) -> tuple[str, list[str], list[str]]:
    """A stream, its goals, and its sources: one of TikFinity, one that calls, and one that is to go."""
    now = graph.clock.now()
    stream = await make_stream(graph.db, now, owner_id=owner.id)
    goals = [await make_goal(graph.db, stream, now, name=name) for name in ("One", "Two")]
    kinds = {"S": StreamSourceKind.TIKFINITY, "Deck": StreamSourceKind.WEBHOOK, "Gone": StreamSourceKind.WEBHOOK}
    sources = [await make_source(graph.db, stream, now, kind=kind, name=name) for name, kind in kinds.items()]
    async with graph.db.transaction() as tx:
        await streams.add_progress(tx, goals[0].id, 3, viewer=None, now=now)
    return (
        encode_id("stream", stream.id),
        [encode_id("streamgoal", goal.id) for goal in goals],
        [encode_id("streamsource", source.id) for source in sources],
    )


async def _bare_stream(graph: Graph, owner: User) -> str:
    return encode_id("stream", (await make_stream(graph.db, graph.clock.now(), owner_id=owner.id)).id)


async def _live_stream(graph: Graph, owner: User) -> str:
    now = graph.clock.now()
    stream = await make_stream(graph.db, now, owner_id=owner.id)
    async with graph.db.transaction() as tx:
        await streams.start_session(tx, stream.id, viewer=None, now=now)
    return encode_id("stream", stream.id)


_TOKEN = 'mutation { tokenCreate(input: {label: "x"}) { token { id } } }'  # noqa: S105 -- an operation
_FIGHT = "query ($id: ID!) { mat(id: $id) { currentMatch { id sides { athlete { id } } } } }"
