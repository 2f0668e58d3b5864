"""The contract: what the schema promises, said in full and in one style, with every door guarded."""

import re
from collections.abc import Iterator
from pathlib import Path

from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
)

from db.access.viewer import Role, Viewer
from db.bus import Bus
from db.ids import new_id
from schema import print_contract
from schema.fields import Demand
from tests.support.graph import Graph, the_schema

_PRINTED = Path(__file__).parents[2] / "schema" / "schema.graphql"
_ROOTS = ("Query", "Mutation", "Subscription")
_CAMEL_CASE = re.compile(r"[a-z][A-Za-z0-9]*")
_UPPER_CASE = re.compile(r"[A-Z][A-Z0-9_]*")
# Those about whoever asks begin with him.
_CLAIM = re.compile(r"(is|has|can|viewer(Is|Has|Can))[A-Z]")
# Instants whose names are no past participles: a clock's "as of" is not something that happened.
_TIMES_OF_ANOTHER_NAME = {"Clock.asOf", "PracticeTimer.asOf"}
# Named after a time that is asked for, and none itself.
_AT_A_TIME = {"Match.scoreboardAt"}

# What each root field answers to: nobody, an overlay and the four roles are told the rest.
_DEMANDS = {
    "Query.mat": None,
    "Query.deletedGoals": None,
    "Query.goal": None,
    "Query.goals": None,
    "Query.practiceSession": None,
    "Query.practiceSessions": None,
    "Query.practiceStatistics": None,
    "Query.goalsExport": None,
    "Query.sessionTemplates": None,
    "Query.match": None,
    "Query.matches": None,
    "Query.mats": None,
    "Query.flag": None,
    "Query.flagMapping": None,
    "Query.flagMappings": None,
    "Query.flags": None,
    "Query.listener": Role.OPERATOR,
    "Query.settings": Role.ADMIN,
    "Query.databaseStatus": Role.ADMIN,
    "Query.leases": Role.ADMIN,
    "Mutation.databaseCheck": Role.ADMIN,
    "Mutation.housekeepingRun": Role.ADMIN,
    "Mutation.listImport": Role.OPERATOR,
    "Query.backupJob": Role.ADMIN,
    "Query.backupJobs": Role.ADMIN,
    "Query.backups": Role.ADMIN,
    "Mutation.backupCreate": Role.ADMIN,
    "Mutation.backupDelete": Role.ADMIN,
    "Mutation.backupRestore": Role.ADMIN,
    "Mutation.backupVerify": Role.ADMIN,
    "Subscription.backupProgress": Role.ADMIN,
    "Mutation.settingReset": Role.ADMIN,
    "Mutation.settingSet": Role.ADMIN,
    "Subscription.settingChanged": Role.ADMIN,
    "Query.listeners": Role.OPERATOR,
    "Query.networkInterfaces": Role.OPERATOR,
    "Query.node": None,
    "Query.nodes": None,
    "Query.recording": None,
    "Query.bookmark": None,
    "Query.bookmarksAround": None,
    "Query.obsMachine": Role.OPERATOR,
    "Query.obsMachines": Role.OPERATOR,
    "Query.scoreboard": None,
    "Query.stream": None,
    "Query.streamGoal": None,
    "Query.streams": None,
    "Query.tournaments": None,
    "Query.tournament": None,
    "Query.athletes": None,
    "Query.athlete": None,
    "Query.entry": None,
    "Query.homeFeed": None,
    "Query.search": None,
    "Query.publicFeed": None,
    "Query.trending": None,
    "Query.user": None,
    "Query.userNamed": None,
    "Query.viewer": None,
    "Mutation.entryAmplify": Role.MEMBER,
    "Mutation.entryCreate": Role.MEMBER,
    "Mutation.entryDelete": Role.MEMBER,
    "Mutation.entryResonate": Role.MEMBER,
    "Mutation.entryShare": Role.MEMBER,
    "Mutation.entryUnamplify": Role.MEMBER,
    "Mutation.entryUnresonate": Role.MEMBER,
    "Mutation.entryUpdate": Role.MEMBER,
    "Mutation.userFollow": Role.MEMBER,
    "Mutation.userUnfollow": Role.MEMBER,
    "Mutation.userUpdate": Role.MEMBER,
    "Mutation.goalComplete": Role.MEMBER,
    "Mutation.goalConvert": Role.MEMBER,
    "Mutation.goalCreate": Role.MEMBER,
    "Mutation.goalDelete": Role.MEMBER,
    "Mutation.goalMove": Role.MEMBER,
    "Mutation.goalReopen": Role.MEMBER,
    "Mutation.goalRestore": Role.MEMBER,
    "Mutation.goalUpdate": Role.MEMBER,
    "Mutation.practiceSessionCreate": Role.MEMBER,
    "Mutation.practiceSessionDelete": Role.MEMBER,
    "Mutation.practiceSessionFinish": Role.MEMBER,
    "Mutation.practiceSessionInterrupt": Role.MEMBER,
    "Mutation.practiceSessionLog": Role.MEMBER,
    "Mutation.practiceSessionPause": Role.MEMBER,
    "Mutation.practiceSessionRestore": Role.MEMBER,
    "Mutation.practiceSessionResume": Role.MEMBER,
    "Mutation.practiceSessionReview": Role.MEMBER,
    "Mutation.practiceSessionSetGoals": Role.MEMBER,
    "Mutation.practiceSessionStart": Role.MEMBER,
    "Mutation.practiceSessionUpdate": Role.MEMBER,
    "Mutation.goalsImport": Role.MEMBER,
    "Mutation.practicePlanRecurring": Role.MEMBER,
    "Mutation.practiceSetTimeZone": Role.MEMBER,
    "Mutation.sessionTemplateCreate": Role.MEMBER,
    "Mutation.sessionTemplateDelete": Role.MEMBER,
    "Mutation.sessionTemplateUpdate": Role.MEMBER,
    "Mutation.sessionTemplateUse": Role.MEMBER,
    "Mutation.flagDelete": Role.OPERATOR,
    "Mutation.flagMappingCreate": Role.OPERATOR,
    "Mutation.flagMappingDelete": Role.OPERATOR,
    "Mutation.flagRecognize": Role.OPERATOR,
    "Mutation.flagsScan": Role.OPERATOR,
    "Mutation.listenerCreate": Role.OPERATOR,
    "Mutation.listenerDelete": Role.OPERATOR,
    "Mutation.listenerStart": Role.OPERATOR,
    "Mutation.listenerStop": Role.OPERATOR,
    "Mutation.listenerUpdate": Role.OPERATOR,
    "Mutation.matCreate": Role.OPERATOR,
    "Mutation.matchAwardPoints": Role.OPERATOR,
    "Mutation.matchDecideChallenge": Role.OPERATOR,
    "Mutation.matchDecideRound": Role.OPERATOR,
    "Mutation.matchDeclareWinner": Role.OPERATOR,
    "Mutation.matchGiveGamJeom": Role.OPERATOR,
    "Mutation.matchLoad": Role.OPERATOR,
    "Mutation.matchRedo": Role.OPERATOR,
    "Mutation.matchSetClock": Role.OPERATOR,
    "Mutation.matchSetRound": Role.OPERATOR,
    "Mutation.matchSetScore": Role.OPERATOR,
    "Mutation.matchStartClock": Role.OPERATOR,
    "Mutation.matchStopClock": Role.OPERATOR,
    "Mutation.matchTakeBackGamJeom": Role.OPERATOR,
    "Mutation.matchTakeBackPoints": Role.OPERATOR,
    "Mutation.matchUndo": Role.OPERATOR,
    "Mutation.matchVoidEvent": Role.OPERATOR,
    "Mutation.matAssign": Role.OPERATOR,
    "Mutation.matRename": Role.OPERATOR,
    "Mutation.bookmarkCreate": Role.OPERATOR,
    "Mutation.bookmarkDelete": Role.OPERATOR,
    "Mutation.bookmarkEvent": Role.OPERATOR,
    "Mutation.bookmarkMove": Role.OPERATOR,
    "Mutation.bookmarkUpdate": Role.OPERATOR,
    "Mutation.obsMachineCreate": Role.OPERATOR,
    "Mutation.obsMachineDelete": Role.OPERATOR,
    "Mutation.obsMachineDisable": Role.OPERATOR,
    "Mutation.obsMachineEnable": Role.OPERATOR,
    "Mutation.obsMachineUpdate": Role.OPERATOR,
    "Mutation.recordingCreate": Role.OPERATOR,
    "Mutation.recordingDelete": Role.OPERATOR,
    "Mutation.recordingFinish": Role.OPERATOR,
    "Mutation.recordingLose": Role.OPERATOR,
    "Mutation.recordingUpdate": Role.OPERATOR,
    "Mutation.replaySave": Role.OPERATOR,
    "Mutation.streamCreate": Role.MEMBER,
    "Mutation.streamDelete": Role.MEMBER,
    "Mutation.streamGoalAddProgress": Role.MEMBER,
    "Mutation.streamGoalCreate": Role.MEMBER,
    "Mutation.streamGoalCreateDefaults": Role.MEMBER,
    "Mutation.streamGoalDelete": Role.MEMBER,
    "Mutation.streamGoalHide": Role.MEMBER,
    "Mutation.streamGoalReset": Role.MEMBER,
    "Mutation.streamGoalShow": Role.MEMBER,
    "Mutation.streamGoalTest": Role.MEMBER,
    "Mutation.streamGoalUpdate": Role.MEMBER,
    "Mutation.streamSessionEnd": Role.MEMBER,
    "Mutation.streamSessionStart": Role.MEMBER,
    "Mutation.streamSourceCreate": Role.OPERATOR,
    "Mutation.streamSourceDelete": Role.OPERATOR,
    "Mutation.streamSourceDisable": Role.OPERATOR,
    "Mutation.streamSourceEnable": Role.OPERATOR,
    "Mutation.streamSourceRotateSecret": Role.OPERATOR,
    "Mutation.streamSourceUpdate": Role.OPERATOR,
    "Mutation.streamUpdate": Role.MEMBER,
    "Mutation.tokenCreate": Role.OPERATOR,
    "Mutation.tokenRevoke": Role.VIEWER,
    "Mutation.tournamentCreate": Role.OPERATOR,
    "Mutation.tournamentUpdate": Role.OPERATOR,
    "Mutation.tournamentSetLogo": Role.OPERATOR,
    "Mutation.tournamentStart": Role.OPERATOR,
    "Mutation.tournamentEnd": Role.OPERATOR,
    "Mutation.tournamentDayCreate": Role.OPERATOR,
    "Mutation.tournamentDayUpdate": Role.OPERATOR,
    "Mutation.tournamentDayStart": Role.OPERATOR,
    "Mutation.tournamentDayEnd": Role.OPERATOR,
    "Mutation.matchQueueAdd": Role.OPERATOR,
    "Mutation.matchQueueMove": Role.OPERATOR,
    "Mutation.matchQueueRemove": Role.OPERATOR,
    "Mutation.matchQueueUpdate": Role.OPERATOR,
    "Subscription.entryAdded": None,
    "Subscription.entryCountsChanged": None,
    "Subscription.userCountsChanged": None,
    "Subscription.goalChanged": None,
    "Subscription.goalTreeChanged": None,
    "Subscription.practiceSessionChanged": None,
    "Subscription.listenerStatusChanged": Role.OPERATOR,
    "Subscription.matchEvents": None,
    "Subscription.recordingChanged": None,
    "Subscription.matQueueChanged": None,
    "Subscription.matStatusChanged": None,
    "Subscription.scoreboardChanged": None,
    "Subscription.streamGoalChanged": None,
    "Subscription.streamGoalChanges": None,
    "Query.account": None,
    "Query.accounts": None,
    "Query.accountsWithoutFeed": None,
    "Query.actionsWithoutActiveAccount": None,
    "Query.execution": None,
    "Query.executionStatistics": None,
    "Query.executions": None,
    "Query.screenshot": None,
    "Query.screenshots": None,
    "Query.feed": None,
    "Query.feeds": None,
    "Query.providers": None,
    "Query.stuckExecutions": None,
    "Query.tags": None,
    "Mutation.accountCreate": Role.MEMBER,
    "Mutation.accountDelete": Role.MEMBER,
    "Mutation.accountDisable": Role.MEMBER,
    "Mutation.accountEnable": Role.MEMBER,
    "Mutation.accountSetTags": Role.MEMBER,
    "Mutation.accountUpdate": Role.MEMBER,
    "Mutation.actionActivate": Role.MEMBER,
    "Mutation.actionCreate": Role.MEMBER,
    "Mutation.actionDeactivate": Role.MEMBER,
    "Mutation.actionDelete": Role.MEMBER,
    "Mutation.actionRun": Role.MEMBER,
    "Mutation.actionUpdate": Role.MEMBER,
    "Mutation.executionCancel": Role.MEMBER,
    "Mutation.executionCreate": Role.MEMBER,
    "Mutation.executionResolve": Role.MEMBER,
    "Mutation.screenshotCreate": Role.MEMBER,
    "Mutation.screenshotDelete": Role.MEMBER,
    "Mutation.screenshotRetry": Role.MEMBER,
    "Mutation.executionRetry": Role.MEMBER,
    "Mutation.executionsImport": Role.MEMBER,
    "Mutation.feedCreate": Role.MEMBER,
    "Mutation.feedDelete": Role.MEMBER,
    "Mutation.feedDisable": Role.MEMBER,
    "Mutation.feedEnable": Role.MEMBER,
    "Mutation.feedPoll": Role.MEMBER,
    "Mutation.feedUpdate": Role.MEMBER,
    "Mutation.tagCreate": Role.MEMBER,
    "Mutation.tagDelete": Role.MEMBER,
    "Mutation.tagUpdate": Role.MEMBER,
    "Mutation.triggerActivate": Role.MEMBER,
    "Mutation.triggerCreate": Role.MEMBER,
    "Mutation.triggerDeactivate": Role.MEMBER,
    "Mutation.triggerDelete": Role.MEMBER,
    "Mutation.triggerPull": Role.MEMBER,
    "Mutation.providerCreate": Role.OPERATOR,
    "Mutation.providerDelete": Role.OPERATOR,
    "Mutation.providerDisable": Role.OPERATOR,
    "Mutation.providerEnable": Role.OPERATOR,
    "Mutation.providerRotateSecret": Role.OPERATOR,
    "Mutation.providerUpdate": Role.OPERATOR,
    "Subscription.executionChanged": None,
    "Subscription.screenshotChanged": None,
    "Subscription.feedPolled": None,
    "Subscription.postSeen": None,
}


def _schema() -> GraphQLSchema:
    return the_schema()._schema


def _types() -> Iterator[GraphQLNamedType]:
    for name, found in sorted(_schema().type_map.items()):
        if not name.startswith("__"):
            yield found


def _output_fields() -> Iterator[tuple[str, GraphQLField]]:
    for found in _types():
        if isinstance(found, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in found.fields.items():
                yield f"{found.name}.{name}", field


def _arguments() -> Iterator[tuple[str, GraphQLArgument | GraphQLInputField]]:
    for path, field in _output_fields():
        for name, argument in field.args.items():
            yield f"{path}({name})", argument
    for found in _types():
        if isinstance(found, GraphQLInputObjectType):
            for name, entry in found.fields.items():
                yield f"{found.name}.{name}", entry


def _enums() -> list[GraphQLEnumType]:
    return [found for found in _types() if isinstance(found, GraphQLEnumType)]


def _root_fields() -> Iterator[tuple[str, GraphQLField]]:
    for root in _ROOTS:
        found = _schema().get_type(root)
        assert isinstance(found, GraphQLObjectType)
        for name, field in found.fields.items():
            yield f"{root}.{name}", field


def test_the_printed_schema_is_the_schema() -> None:
    assert _PRINTED.read_text() == print_contract(), (
        "schema/schema.graphql is not what the code says. Type: uv run ringside schema > schema/schema.graphql"
    )


def test_everything_has_a_description() -> None:
    described: dict[str, str | None] = {found.name: found.description for found in _types()}
    described |= {path: field.description for path, field in _output_fields()}
    described |= {path: argument.description for path, argument in _arguments()}
    described |= {f"{enum.name}.{name}": value.description for enum in _enums() for name, value in enum.values.items()}

    assert len(described) > 300
    assert [path for path, description in described.items() if not (description or "").strip()] == []


def test_descriptions_are_sentences() -> None:
    said = [(path, field.description or "") for path, field in _output_fields()]
    said += [(path, argument.description or "") for path, argument in _arguments()]

    assert [path for path, description in said if not description.endswith(".")] == []


def test_a_field_that_may_be_null_says_when() -> None:
    silent = [
        path
        for path, field in _output_fields()
        if not isinstance(field.type, GraphQLNonNull) and "null" not in (field.description or "").lower()
    ]

    assert silent == []


def test_names_are_spelled_alike() -> None:
    fields = [path for path, _ in _output_fields() if not _CAMEL_CASE.fullmatch(path.partition(".")[2])]
    values = [f"{enum.name}.{name}" for enum in _enums() for name in enum.values if not _UPPER_CASE.fullmatch(name)]

    assert (fields, values) == ([], [])


def test_clients_are_told_that_enums_grow() -> None:
    assert [enum.name for enum in _enums() if not (enum.description or "").endswith("Values may be added.")] == []


def test_times_end_in_at_and_nothing_else_does() -> None:
    wrong = [
        path
        for path, field in _output_fields()
        if path not in _TIMES_OF_ANOTHER_NAME | _AT_A_TIME
        and (get_named_type(field.type).name == "DateTime") != bool(re.search(r"[a-z]At$", path))
    ]

    assert wrong == []


def test_booleans_read_as_claims_and_are_never_null() -> None:
    wrong = [
        path
        for path, field in _output_fields()
        if get_named_type(field.type).name == "Boolean"
        and not (isinstance(field.type, GraphQLNonNull) and _CLAIM.match(path.partition(".")[2]))
    ]

    assert wrong == []


def test_an_output_type_has_edges_and_no_foreign_ids() -> None:
    assert [path for path, _ in _output_fields() if re.search(r"Ids?$", path)] == []


def test_only_nodes_have_ids_and_they_are_theirs() -> None:
    with_id = {path.partition(".")[0] for path, _ in _output_fields() if path.endswith(".id")}
    node = _schema().type_map["Node"]
    assert isinstance(node, GraphQLInterfaceType)

    assert with_id - {"Node"} == {found.name for found in _schema().get_possible_types(node)}


def test_lists_and_their_entries_are_never_null() -> None:
    wrong = [
        path
        for path, field in _output_fields()
        if isinstance(inner := getattr(field.type, "of_type", field.type), GraphQLList)
        and not (isinstance(field.type, GraphQLNonNull) and isinstance(inner.of_type, GraphQLNonNull))
    ]

    # `nodes` answers in the order of its ids, so one that is gone must leave a hole.
    assert wrong == ["Query.nodes"]


def test_connections_are_alike() -> None:
    paging = {"first": "Int", "after": "String", "last": "Int", "before": "String"}
    wrong = []
    for path, field in _output_fields():
        connection = get_named_type(field.type)
        if not connection.name.endswith("Connection"):
            continue
        assert isinstance(connection, GraphQLObjectType)
        given = {name: str(argument.type) for name, argument in field.args.items()}
        rest = {name: kind for name, kind in given.items() if name not in paging}
        is_known = all(
            (name == "orderBy" and kind.endswith("Order")) or (name == "filter" and kind.rstrip("!").endswith("Filter"))
            for name, kind in rest.items()
        )
        if not (paging.items() <= given.items() and is_known):
            wrong.append(path)
        assert set(connection.fields) == {"edges", "nodes", "pageInfo", "totalCount"}
        assert "20" in str(field.args["first"].description)
        most = 500 if path == "Goal.descendants" else 100
        assert f"at most {most}." in str(field.args["last"].description)

    assert wrong == []


def test_a_mutation_answers_with_a_payload_of_its_own() -> None:
    wrong = []
    for path, field in _root_fields():
        root, _, name = path.partition(".")
        if root != "Mutation":
            continue
        payload = get_named_type(field.type)
        assert isinstance(payload, GraphQLObjectType)
        shown = {other: str(one.type) for other, one in payload.fields.items()}
        errors = shown.pop("errors", None)
        is_named = str(field.type) == f"{name[0].upper()}{name[1:]}Payload!"
        if not (
            is_named and errors == "[UserError!]!" and shown and not any(one.endswith("!") for one in shown.values())
        ):
            wrong.append(path)

    assert wrong == []


def test_a_subscription_answers_with_a_type_of_its_own() -> None:
    types = {path.partition(".")[2]: str(field.type) for path, field in _root_fields() if path.startswith("Subscr")}

    assert types == {name: f"{name[0].upper()}{name[1:]}!" for name in types}


def test_inputs_are_named_as_inputs_and_carry_nothing_that_is_not_the_clients() -> None:
    inputs = [found for found in _types() if isinstance(found, GraphQLInputObjectType)]
    kept = {"id", "role", "createdAt", "revision", "lastSeq", "state"}

    assert [one.name for one in inputs if not re.search(r"(Input|Filter)$", one.name)] == []
    assert [one.name for one in inputs if kept & set(one.fields)] == []


def test_ids_are_asked_for_as_ids() -> None:
    named = {path for path, one in _arguments() if re.search(r"[(.](id|ids|[a-z]\w*Ids?)\)?$", path)}
    typed = {path for path, one in _arguments() if get_named_type(one.type).name == "ID"}

    assert named == typed


def test_every_root_field_demands_something() -> None:
    demanded = {}
    for path, field in _root_fields():
        demands = [one for one in field.extensions["strawberry-definition"].extensions if isinstance(one, Demand)]
        assert len(demands) == 1, f"{path} demands nothing: who may ask for it?"
        demanded[path] = demands[0].role

    assert demanded == _DEMANDS


async def test_a_root_field_answers_those_who_may_ask_and_nobody_else(graph: Graph) -> None:
    askers: dict[str, Viewer | None] = {role: Viewer(user_id=new_id(), token_id=new_id(), role=role) for role in Role}
    askers["nobody"] = None
    askers["overlay"] = Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN, nodes=frozenset({new_id()}))

    # All on one database: what some were let in to do is of no concern to who is let in next.
    answered = {
        path: {who: await _refusal(graph.as_viewer(asker), path) for who, asker in askers.items()} for path in _DEMANDS
    }

    assert answered == {path: _expected(demand) for path, demand in _DEMANDS.items()}


def _expected(demand: Role | None) -> dict[str, str | None]:
    """Say which code refuses whom, `None` for those who are let in."""
    if demand is None:
        return {**dict.fromkeys(Role), "nobody": "UNAUTHENTICATED", "overlay": None}
    let_in = list(Role)[list(Role).index(demand) :]
    roles = {role.value: None if role in let_in else "FORBIDDEN" for role in Role}
    return {**roles, "nobody": "UNAUTHENTICATED", "overlay": "FORBIDDEN"}


async def _refusal(graph: Graph, path: str) -> str | None:
    """Ask for a root field with arguments that lead to nothing, and say with which code authority was missing."""
    root, _, name = path.partition(".")
    operation = f"{root.lower()} {{ {name}{_ASKED[name]} }}"
    if root == "Subscription":
        graph.db.bus = Bus()
        stream = await the_schema().subscribe(operation, context_value=graph._context())
        # A feed has nothing to say, and ends at once.
        graph.db.bus.close()
        first = await anext(stream, None)
        await stream.aclose()
        errors = [(error.extensions or {})["code"] for error in (first and first.errors) or []]
    else:
        errors = [error["code"] for error in await graph.refused(operation)]
    return next((code for code in errors if code in {"FORBIDDEN", "UNAUTHENTICATED"}), None)


_NOTHING = "0" * 32
_A_FIGHT = '{number: "1", blue: {name: "A"}, red: {name: "B"}}'
_ASKED = {
    "mat": f'(id: "mat_{_NOTHING}") {{ id }}',
    "match": f'(id: "match_{_NOTHING}") {{ id }}',
    "matches": " { totalCount }",
    "mats": " { totalCount }",
    "node": f'(id: "mat_{_NOTHING}") {{ id }}',
    "nodes": f'(ids: ["mat_{_NOTHING}"]) {{ id }}',
    "scoreboard": f'(matId: "mat_{_NOTHING}") {{ revision }}',
    "tournaments": " { totalCount }",
    "tournament": f'(id: "tournament_{_NOTHING}") {{ id }}',
    "athletes": " { totalCount }",
    "athlete": f'(id: "athlete_{_NOTHING}") {{ id }}',
    "tournamentUpdate": f'(id: "tournament_{_NOTHING}", revision: 0, input: {{}}) {{ errors {{ code }} }}',
    "tournamentSetLogo": f'(id: "tournament_{_NOTHING}", revision: 0, image: null) {{ errors {{ code }} }}',
    **dict.fromkeys(("tournamentStart", "tournamentEnd"), f'(id: "tournament_{_NOTHING}") {{ errors {{ code }} }}'),
    "tournamentDayCreate": f'(tournamentId: "tournament_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    "tournamentDayUpdate": f'(id: "tournamentday_{_NOTHING}", revision: 0, input: {{}}) {{ errors {{ code }} }}',
    **dict.fromkeys(
        ("tournamentDayStart", "tournamentDayEnd"), f'(id: "tournamentday_{_NOTHING}") {{ errors {{ code }} }}'
    ),
    "matchQueueAdd": f'(matId: "mat_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    "matchQueueUpdate": f'(id: "plannedmatch_{_NOTHING}", revision: 0, input: {{}}) {{ errors {{ code }} }}',
    **dict.fromkeys(("matchQueueMove", "matchQueueRemove"), f'(id: "plannedmatch_{_NOTHING}") {{ errors {{ code }} }}'),
    "matQueueChanged": f'(matId: "mat_{_NOTHING}") {{ sentAt }}',
    "matStatusChanged": f'(matId: "mat_{_NOTHING}") {{ sentAt }}',
    "viewer": " { isOverlay }",
    "flag": f'(id: "flag_{_NOTHING}") {{ id }}',
    "flagMapping": '(code: "") { id }',
    **dict.fromkeys(("flags", "flagMappings"), " { totalCount }"),
    "flagDelete": f'(id: "flag_{_NOTHING}") {{ errors {{ code }} }}',
    "flagMappingCreate": '(input: {pssCode: "", iocCode: "", countryName: ""}) { errors { code } }',
    "flagMappingDelete": f'(id: "flagmapping_{_NOTHING}") {{ errors {{ code }} }}',
    "flagRecognize": f'(id: "flag_{_NOTHING}", code: "") {{ errors {{ code }} }}',
    "flagsScan": " { errors { code } }",
    "listener": f'(id: "listener_{_NOTHING}") {{ id }}',
    "listeners": " { totalCount }",
    "networkInterfaces": " { name }",
    "settings": " { totalCount }",
    "databaseStatus": " { engine }",
    "leases": " { name }",
    "databaseCheck": " { errors { code } }",
    "housekeepingRun": "(isDryRun: true) { errors { code } }",
    "listImport": "(list: ATHLETES, rows: []) { errors { code } }",
    "backupJob": f'(id: "backupjob_{_NOTHING}") {{ id }}',
    "backupJobs": " { totalCount }",
    "backups": " { name }",
    "backupCreate": " { errors { code } }",
    "backupDelete": '(name: "") { errors { code } }',
    "backupRestore": '(name: "") { errors { code } }',
    "backupVerify": '(name: "") { errors { code } }',
    "backupProgress": f'(jobId: "backupjob_{_NOTHING}") {{ sentAt }}',
    "settingSet": '(key: "", value: 5) { errors { code } }',
    "settingReset": '(key: "") { errors { code } }',
    "settingChanged": " { sentAt }",
    "listenerCreate": "(input: {}) { errors { code } }",
    "listenerUpdate": f'(id: "listener_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    **dict.fromkeys(
        ("listenerDelete", "listenerStart", "listenerStop"), f'(id: "listener_{_NOTHING}") {{ errors {{ code }} }}'
    ),
    "listenerStatusChanged": f'(listenerId: "listener_{_NOTHING}") {{ sentAt }}',
    "matCreate": '(input: {name: ""}) { errors { code } }',
    "matchAwardPoints": f'(id: "match_{_NOTHING}", revision: 1, side: BLUE, kind: HEAD) {{ errors {{ code }} }}',
    "matchDecideChallenge": f'(id: "match_{_NOTHING}", revision: 1, state: WON) {{ errors {{ code }} }}',
    "matchDecideRound": f'(id: "match_{_NOTHING}", revision: 1) {{ errors {{ code }} }}',
    "matchDeclareWinner": f'(id: "match_{_NOTHING}", revision: 1, outcome: BLUE) {{ errors {{ code }} }}',
    "matchGiveGamJeom": f'(id: "match_{_NOTHING}", revision: 1, side: RED) {{ errors {{ code }} }}',
    "matchLoad": f'(matId: "mat_{_NOTHING}", input: {_A_FIGHT}) {{ errors {{ code }} }}',
    "matchRedo": f'(id: "match_{_NOTHING}", revision: 1) {{ errors {{ code }} }}',
    "matchSetClock": f'(id: "match_{_NOTHING}", revision: 1, remainingMs: 1) {{ errors {{ code }} }}',
    "matchSetRound": f'(id: "match_{_NOTHING}", revision: 1, number: 1) {{ errors {{ code }} }}',
    "matchSetScore": f'(id: "match_{_NOTHING}", revision: 1) {{ errors {{ code }} }}',
    "matchStartClock": f'(id: "match_{_NOTHING}", revision: 1) {{ errors {{ code }} }}',
    "matchStopClock": f'(id: "match_{_NOTHING}", revision: 1) {{ errors {{ code }} }}',
    "matchTakeBackGamJeom": f'(id: "match_{_NOTHING}", revision: 1, side: RED) {{ errors {{ code }} }}',
    "matchTakeBackPoints": f'(id: "match_{_NOTHING}", revision: 1, side: BLUE, kind: HEAD) {{ errors {{ code }} }}',
    "matchUndo": f'(id: "match_{_NOTHING}", revision: 1) {{ errors {{ code }} }}',
    "matchVoidEvent": f'(id: "match_{_NOTHING}", revision: 1, eventId: "event_{_NOTHING}") {{ errors {{ code }} }}',
    "matAssign": f'(id: "mat_{_NOTHING}") {{ errors {{ code }} }}',
    "matRename": f'(id: "mat_{_NOTHING}", name: "") {{ errors {{ code }} }}',
    "tokenCreate": '(input: {label: ""}) { errors { code } }',
    "tokenRevoke": f'(id: "token_{_NOTHING}") {{ errors {{ code }} }}',
    "tournamentCreate": '(input: {name: ""}) { errors { code } }',
    "matchEvents": f'(matchId: "match_{_NOTHING}") {{ cursor }}',
    "scoreboardChanged": f'(matId: "mat_{_NOTHING}") {{ sentAt }}',
    **{kind: f'(id: "{kind.lower()}_{_NOTHING}") {{ id }}' for kind in ("recording", "bookmark", "obsMachine")},
    "bookmarksAround": f'(matId: "mat_{_NOTHING}", at: "2026-01-01T00:00:00Z") {{ id }}',
    "obsMachines": " { totalCount }",
    "bookmarkCreate": f'(matId: "mat_{_NOTHING}") {{ errors {{ code }} }}',
    "bookmarkEvent": f'(eventId: "event_{_NOTHING}") {{ errors {{ code }} }}',
    "bookmarkMove": f'(id: "bookmark_{_NOTHING}", deltaMs: 1) {{ errors {{ code }} }}',
    "bookmarkDelete": f'(id: "bookmark_{_NOTHING}") {{ errors {{ code }} }}',
    "bookmarkUpdate": f'(id: "bookmark_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    "recordingCreate": f'(matId: "mat_{_NOTHING}", kind: STREAM, input: {{}}) {{ errors {{ code }} }}',
    "recordingUpdate": f'(id: "recording_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    **dict.fromkeys(
        ("recordingDelete", "recordingFinish", "recordingLose"),
        f'(id: "recording_{_NOTHING}") {{ errors {{ code }} }}',
    ),
    "obsMachineCreate": f'(matId: "mat_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    "obsMachineUpdate": f'(id: "obsmachine_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    **dict.fromkeys(
        [f"obsMachine{verb}" for verb in ("Delete", "Disable", "Enable")],
        f'(id: "obsmachine_{_NOTHING}") {{ errors {{ code }} }}',
    ),
    "replaySave": f'(obsMachineId: "obsmachine_{_NOTHING}") {{ errors {{ code }} }}',
    "recordingChanged": f'(matId: "mat_{_NOTHING}") {{ sentAt }}',
    "stream": f'(id: "stream_{_NOTHING}") {{ id }}',
    "streamGoal": f'(id: "streamgoal_{_NOTHING}") {{ id }}',
    "streams": " { totalCount }",
    "streamCreate": '(input: {name: ""}) { errors { code } }',
    "streamUpdate": f'(id: "stream_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    "streamDelete": f'(id: "stream_{_NOTHING}") {{ errors {{ code }} }}',
    "streamSessionStart": f'(streamId: "stream_{_NOTHING}") {{ errors {{ code }} }}',
    "streamSessionEnd": f'(streamId: "stream_{_NOTHING}") {{ errors {{ code }} }}',
    "streamGoalCreate": f'(streamId: "stream_{_NOTHING}", kind: COINS, input: {{}}) {{ errors {{ code }} }}',
    "streamGoalCreateDefaults": f'(streamId: "stream_{_NOTHING}") {{ errors {{ code }} }}',
    "streamGoalUpdate": f'(id: "streamgoal_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    "streamGoalAddProgress": f'(id: "streamgoal_{_NOTHING}", delta: 1) {{ errors {{ code }} }}',
    "streamGoalTest": f'(id: "streamgoal_{_NOTHING}", delta: 1) {{ errors {{ code }} }}',
    **dict.fromkeys(
        ("streamGoalDelete", "streamGoalHide", "streamGoalReset", "streamGoalShow"),
        f'(id: "streamgoal_{_NOTHING}") {{ errors {{ code }} }}',
    ),
    "streamSourceCreate": f'(streamId: "stream_{_NOTHING}", kind: WEBHOOK, input: {{}}) {{ errors {{ code }} }}',
    "streamSourceUpdate": f'(id: "streamsource_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    **dict.fromkeys(
        ("streamSourceDelete", "streamSourceDisable", "streamSourceEnable", "streamSourceRotateSecret"),
        f'(id: "streamsource_{_NOTHING}") {{ errors {{ code }} }}',
    ),
    "entry": f'(id: "entry_{_NOTHING}") {{ id }}',
    "user": f'(id: "user_{_NOTHING}") {{ id }}',
    **dict.fromkeys(("homeFeed", "publicFeed", "trending"), " { totalCount }"),
    "search": '(filter: {text: ""}) { totalCount }',
    "entryAdded": " { cursor }",
    "entryCountsChanged": f'(entryId: "entry_{_NOTHING}") {{ entry {{ id }} }}',
    "userCountsChanged": f'(userId: "user_{_NOTHING}") {{ user {{ id }} }}',
    "userNamed": '(username: "") { id }',
    "entryCreate": "(input: {}) { errors { code } }",
    "entryUpdate": f'(id: "entry_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    **dict.fromkeys(
        ("entryDelete", "entryResonate", "entryUnresonate", "entryAmplify", "entryUnamplify", "entryShare"),
        f'(id: "entry_{_NOTHING}") {{ errors {{ code }} }}',
    ),
    **dict.fromkeys(("userFollow", "userUnfollow"), f'(id: "user_{_NOTHING}") {{ errors {{ code }} }}'),
    "userUpdate": "(input: {}) { errors { code } }",
    "streamGoalChanged": f'(goalId: "streamgoal_{_NOTHING}") {{ sentAt }}',
    "streamGoalChanges": f'(goalId: "streamgoal_{_NOTHING}") {{ cursor }}',
    **dict.fromkeys(("goals", "deletedGoals", "practiceSessions", "sessionTemplates"), " { totalCount }"),
    "goal": f'(id: "goal_{_NOTHING}") {{ id }}',
    "practiceSession": f'(id: "practicesession_{_NOTHING}") {{ id }}',
    "practiceStatistics": '(firstOn: "2026-01-01", lastOn: "2026-01-02") { timeZone }',
    "goalsExport": "",
    "goalsImport": '(document: "") { errors { code } }',
    "goalCreate": "(level: MICRO, input: {}) { errors { code } }",
    "goalUpdate": f'(id: "goal_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    "goalConvert": f'(id: "goal_{_NOTHING}", level: MICRO) {{ errors {{ code }} }}',
    **dict.fromkeys(
        ("goalComplete", "goalDelete", "goalMove", "goalReopen", "goalRestore"),
        f'(id: "goal_{_NOTHING}") {{ errors {{ code }} }}',
    ),
    "practiceSessionCreate": "(goalIds: [], input: {}) { errors { code } }",
    "practiceSessionLog": (
        '(goalIds: [], input: {}, startedAt: "2026-01-01T00:00:00Z", endedAt: "2026-01-01T00:00:00Z")'
        " { errors { code } }"
    ),
    "practiceSessionSetGoals": f'(id: "practicesession_{_NOTHING}", goalIds: []) {{ errors {{ code }} }}',
    **dict.fromkeys(
        ("practiceSessionReview", "practiceSessionUpdate"),
        f'(id: "practicesession_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    ),
    **dict.fromkeys(
        [f"practiceSession{verb}" for verb in ("Delete", "Finish", "Interrupt", "Pause", "Restore", "Resume", "Start")],
        f'(id: "practicesession_{_NOTHING}") {{ errors {{ code }} }}',
    ),
    "sessionTemplateCreate": "(goalIds: [], input: {}) { errors { code } }",
    "sessionTemplateUpdate": f'(id: "sessiontemplate_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}',
    **dict.fromkeys(
        ("sessionTemplateDelete", "sessionTemplateUse"),
        f'(id: "sessiontemplate_{_NOTHING}") {{ errors {{ code }} }}',
    ),
    "practicePlanRecurring": '(until: "2026-01-01") { errors { code } }',
    "practiceSetTimeZone": '(timeZone: "") { errors { code } }',
    "goalChanged": f'(id: "goal_{_NOTHING}") {{ sentAt }}',
    "goalTreeChanged": f'(rootId: "goal_{_NOTHING}") {{ sentAt }}',
    "practiceSessionChanged": f'(id: "practicesession_{_NOTHING}") {{ sentAt }}',
    **dict.fromkeys(
        (
            "accounts",
            "accountsWithoutFeed",
            "actionsWithoutActiveAccount",
            "executions",
            "feeds",
            "providers",
            "stuckExecutions",
            "tags",
        ),
        " { totalCount }",
    ),
    **{kind: f'(id: "{kind}_{_NOTHING}") {{ id }}' for kind in ("account", "execution", "feed")},
    "executionStatistics": '(firstOn: "2026-01-01", lastOn: "2026-01-02") { total }',
    **dict.fromkeys(("accountCreate", "tagCreate", "feedCreate"), "(input: {}) { errors { code } }"),
    **{
        f"{kind}Update": f'(id: "{kind}_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}'
        for kind in ("account", "action", "feed", "provider", "tag")
    },
    **{
        f"{kind}{verb}": f'(id: "{kind}_{_NOTHING}") {{ errors {{ code }} }}'
        for kind, verbs in (
            ("account", "Delete Disable Enable"),
            ("action", "Activate Deactivate Delete Run"),
            ("execution", "Cancel Retry"),
            ("feed", "Delete Disable Enable Poll"),
            ("provider", "Delete Disable Enable RotateSecret"),
            ("tag", "Delete"),
            ("trigger", "Activate Deactivate Delete Pull"),
        )
        for verb in verbs.split()
    },
    "accountSetTags": f'(id: "account_{_NOTHING}", tagIds: []) {{ errors {{ code }} }}',
    "actionCreate": (
        f'(accountId: "account_{_NOTHING}", serviceId: "service_{_NOTHING}", input: {{}}) {{ errors {{ code }} }}'
    ),
    "triggerCreate": f'(actionId: "action_{_NOTHING}", kind: MANUAL, input: {{}}) {{ errors {{ code }} }}',
    "executionCreate": (
        f'(serviceId: "service_{_NOTHING}", input: {{targetUrl: "https://example.org/"}}) {{ errors {{ code }} }}'
    ),
    "executionResolve": f'(id: "execution_{_NOTHING}", wasCarriedOut: true) {{ errors {{ code }} }}',
    "executionsImport": '(document: "") { errors { code } }',
    "providerCreate": "(kind: SANDBOX, input: {}) { errors { code } }",
    "executionChanged": f'(id: "execution_{_NOTHING}") {{ sentAt }}',
    "screenshot": f'(id: "screenshot_{_NOTHING}") {{ id }}',
    "screenshots": "{ nodes { id } }",
    "screenshotChanged": f'(id: "screenshot_{_NOTHING}") {{ sentAt }}',
    "screenshotCreate": "(input: {}) { errors { code } }",
    "screenshotDelete": f'(id: "screenshot_{_NOTHING}") {{ errors {{ code }} }}',
    "screenshotRetry": f'(id: "screenshot_{_NOTHING}") {{ errors {{ code }} }}',
    **dict.fromkeys(("feedPolled", "postSeen"), f'(accountId: "account_{_NOTHING}") {{ cursor }}'),
}
