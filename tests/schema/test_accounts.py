"""The graph of accounts: all of one in few statements, nobody else's, no secrets, and what goes on as it goes on."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.accounts import working
from db.accounts.tables import Account
from db.accounts.words import Report
from db.database import Database
from db.ids import new_id
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support import accounts
from tests.support.accounts import (
    WORK,
    claim,
    entry,
    found,
    make_account,
    make_action,
    make_execution,
    make_feed,
    make_user,
    poll,
    sandbox,
    viewer_of,
)
from tests.support.graph import Graph

_ALL = """{
  accounts { totalCount nodes {
    username dailySpendLimit health { state feedCount failingFeedCount polledAt postSeenAt } tags { name color }
    feeds(first: 5) { nodes { url state polls { nodes { state newCount } } posts { nodes { title outcome } } } }
    actions(first: 5) { nodes {
      name service { name pricePerThousand } triggers { kind } executions(first: 5) { nodes { state } }
    } }
    executions(first: 10) { nodes {
      state estimate charge timeline { nodes { state note } } screenshots { moment state } post { title }
      provider { name host } parameters { name value }
    } }
  } }
}"""
_EVERY_ROOT = """{
  accounts { nodes { id } } tags { nodes { id } } feeds { nodes { id } } executions { nodes { id } }
  screenshots { nodes { id } }
  stuckExecutions { nodes { id } } accountsWithoutFeed { nodes { id } } actionsWithoutActiveAccount { nodes { id } }
}"""
_PROVIDER = """
mutation ($kind: ProviderKind!, $url: String) {
  providerCreate(kind: $kind, input: {name: "Made", url: $url, dailySpendLimit: "0.00000001"}) {
    provider { id name host dailySpendLimit } secret errors { code field message }
  }
}"""


@pytest.fixture
async def filled(graph: Graph, admin: User) -> Account:
    """An account of the one who asks, among those of somebody else."""
    other = await make_user(graph.db)
    made = await accounts.fill(graph.db, admin.id, other.id)
    await accounts.make_screenshot(graph.db, admin.id, graph.clock.now())
    return made[0]


@pytest.mark.usefixtures("filled")
async def test_everything_of_all_accounts_is_read_in_few_statements_and_alike_on_both_paths(graph: Graph) -> None:
    with graph.statements() as statements:
        data = await graph.execute(_ALL)

    assert len(statements) <= 20
    assert data == await graph.on_graphql_core().execute(_ALL)
    first = next(one for one in data["accounts"]["nodes"] if one["username"].startswith("Z"))
    assert data["accounts"]["totalCount"] == 3
    assert (first["dailySpendLimit"], first["health"]["state"]) == ("12.5", "FAILING")
    assert [tag["name"] for tag in first["tags"]] == ["b", "ä"]
    assert {one["estimate"] for one in first["executions"]["nodes"]} == {"0.1234567", "0.0009"}


@pytest.mark.usefixtures("filled")
async def test_another_sees_nothing_of_it_by_any_way(graph: Graph, db: Database) -> None:
    stranger = graph.as_viewer(viewer_of(await make_user(db, role=Role.OPERATOR)))
    overlay = graph.as_viewer(Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN, nodes=frozenset({new_id()})))
    ids = [node["id"] for root in (await graph.execute(_EVERY_ROOT)).values() for node in root["nodes"]]
    assert len(ids) > 10

    for asker in (stranger, overlay):
        assert all(root["nodes"] == [] for root in (await asker.execute(_EVERY_ROOT)).values())
        shown = await asker.execute("query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", ids=ids[:50])
        assert shown["nodes"] == [None] * len(ids[:50])
    assert (await overlay.execute("{ providers { nodes { id } } }"))["providers"]["nodes"] == []


async def test_what_is_wrong_can_be_asked_for(graph: Graph, db: Database, admin: User, clock: ManualClock) -> None:
    idle = await make_account(db, admin.id, username="idle")
    off = await make_account(db, admin.id, username="off")
    await make_feed(db, await make_account(db, admin.id, username="fed"))
    await make_action(db, off, name="Never")
    await graph.execute(
        "mutation ($id: ID!) { accountDisable(id: $id) { errors { code } } }", id=encode_id("account", off.id)
    )
    done, stuck = [await make_execution(db, admin.id) for _ in range(2)]
    lease, _ = await claim(db, limit=1)
    async with db.transaction() as tx:
        await working.note_refused(tx, done.id, lease, "No.", now=clock.now())

    data = await graph.execute(
        """query ($at: DateTime) {
          accountsWithoutFeed { nodes { username } } actionsWithoutActiveAccount { nodes { name } }
          stuckExecutions(filter: {queuedBefore: $at}) { nodes { id } }
        }""",
        at=(clock.now() + timedelta(hours=1)).isoformat(),
    )

    assert data == {
        "accountsWithoutFeed": {"nodes": [{"username": idle.username}]},
        "actionsWithoutActiveAccount": {"nodes": [{"name": "Never"}]},
        "stuckExecutions": {"nodes": [{"id": encode_id("execution", stuck.id)}]},
    }


async def test_money_is_sent_and_shown_in_full(graph: Graph) -> None:
    data = await graph.execute(_PROVIDER, kind="NOTIFY", url="https://discord.example/api/webhooks/1/secret")

    made = data["providerCreate"]
    assert (made["provider"]["dailySpendLimit"], made["errors"]) == ("0.00000001", [])
    for wrong in ('"1e-9"', "1.5", '"٣"', '"NaN"'):
        operation = f"mutation {{ accountCreate(input: {{dailySpendLimit: {wrong}}}) {{ errors {{ code }} }} }}"
        (error,) = await graph.refused(operation)
        assert error["code"] == "BAD_USER_INPUT"


async def test_what_is_secret_of_a_provider_is_shown_once_or_never(graph: Graph) -> None:
    data = await graph.execute(_PROVIDER, kind="NOTIFY", url="https://discord.example/api/webhooks/1/CANARY")
    notify = data["providerCreate"]
    hook = (await graph.execute(_PROVIDER.replace("Made", "Hook"), kind="WEBHOOK", url="https://x.example/?CANARY"))[
        "providerCreate"
    ]
    assert (notify["provider"]["host"], notify["secret"]) == ("discord.example", None)
    assert hook["secret"].startswith("whsec_")

    fields = (await graph.execute('{ __type(name: "Provider") { fields { name type { kind ofType { kind } } } } }'))[
        "__type"
    ]["fields"]
    leaves = [one["name"] for one in fields if "SCALAR" in str(one["type"])]
    shown = str(await graph.execute(f"{{ providers {{ nodes {{ {' '.join(leaves)} }} }} }}"))
    assert "CANARY" not in shown
    assert hook["secret"] not in shown


@pytest.mark.parametrize(
    ("operation", "errors"),
    [
        ('accountCreate(input: {platform: "x"})', [("BAD_USER_INPUT", "username")]),
        ('accountCreate(input: {platform: "x", username: "a", dailyLimit: -1})', [("BAD_USER_INPUT", "dailyLimit")]),
        ('tagCreate(input: {name: "x", color: "red"})', [("BAD_USER_INPUT", "color")]),
        ('tagCreate(input: {name: "a\\u0000b"})', [("BAD_USER_INPUT", "name")]),
        ('feedCreate(input: {url: "file:///etc/passwd"})', [("BAD_USER_INPUT", "url")]),
        ('feedPoll(id: "feed_00000000000000000000000000000001")', [("NOT_FOUND", "id")]),
        ('providerCreate(kind: SANDBOX, input: {name: "x", url: "https://x.org"})', [("BAD_USER_INPUT", "url")]),
        ('providerCreate(kind: NOTIFY, input: {name: "x", url: "https://x.org", isAsked: true})',
         [("BAD_USER_INPUT", "isAsked")]),
        ('executionsImport(document: "{}")', [("BAD_USER_INPUT", "document")]),
    ],
)  # fmt: skip
async def test_refusals_are_data(graph: Graph, operation: str, errors: list[tuple[str, str]]) -> None:
    (payload,) = (await graph.execute(f"mutation {{ {operation} {{ errors {{ code field }} }} }}")).values()

    assert [(one["code"], one["field"]) for one in payload["errors"]] == errors


async def test_a_parameter_is_said_once(graph: Graph, db: Database, admin: User) -> None:
    account, service = await make_account(db, admin.id), (await sandbox(db))["cards"]
    data = await graph.execute(
        """mutation ($account: ID!, $service: ID!, $parameters: [ParameterInput!]) {
          actionCreate(accountId: $account, serviceId: $service, input: {parameters: $parameters}) {
            action { parameters { name value } } errors { code field }
          }
        }""",
        account=encode_id("account", account.id),
        service=encode_id("service", service.id),
        parameters=[{"name": "outcome", "value": "FAILED"}] * 2,
    )

    assert data["actionCreate"] == {"action": None, "errors": [{"code": "BAD_USER_INPUT", "field": "parameters"}]}


# What goes on


async def test_an_execution_is_watched_to_its_end(graph: Graph, db: Database, admin: User, clock: ManualClock) -> None:
    account = await make_account(db, admin.id)
    execution = await make_execution(db, admin.id, account_id=account.id)
    text = "subscription ($%s: ID!) { executionChanged(%s: $%s) { executions { state revision } } }"
    by_id = graph.subscribe(text % ("id", "id", "id"), id=encode_id("execution", execution.id))
    of_account = graph.subscribe(text % (("accountId",) * 3), accountId=encode_id("account", account.id))

    async def states(messages: Any) -> list[str]:
        return [one["state"] for one in (await anext(messages))["executionChanged"]["executions"]]

    assert [await states(by_id), await states(of_account)] == [["QUEUED"], ["QUEUED"]]
    lease, _ = await claim(db)
    assert [await states(by_id), await states(of_account)] == [["SUBMITTING"], ["SUBMITTING"]]
    for word, state in (("In progress", "IN_PROGRESS"),):
        async with db.transaction() as tx:
            report = Report(word=word)
            await working.note_taken(tx, execution.id, lease, report, rules=WORK, now=clock.now())
        assert [await states(by_id), await states(of_account)] == [[state], [state]]
    other = await make_execution(db, admin.id, account_id=account.id)
    assert await states(of_account) == ["QUEUED"]
    assert other.id != execution.id
    for messages in (by_id, of_account):
        await messages.aclose()


async def test_polls_and_posts_are_followed_from_any_place_without_a_gap(
    graph: Graph, db: Database, admin: User, clock: ManualClock
) -> None:
    account = await make_account(db, admin.id)
    feed = await make_feed(db, account)
    of_account = encode_id("account", account.id)

    async def read(*names: str) -> None:
        clock.move(timedelta(minutes=1))
        await poll(db, feed, found(*map(entry, names)), at=clock.now())

    polls = "subscription ($id: ID!, $after: String) { feedPolled(accountId: $id, after: $after) { poll { newCount } cursor } }"  # noqa: E501 -- an operation
    posts = (
        "subscription ($id: ID!, $after: String) { postSeen(accountId: $id, after: $after) { post { title } cursor } }"
    )
    await read("old")
    await read("1", "old")
    following = graph.subscribe(polls, id=of_account)
    first = (await anext(following))["feedPolled"]
    assert (await anext(following))["feedPolled"]["poll"]["newCount"] == 1
    heard = graph.subscribe(posts, id=of_account)
    one = (await anext(heard))["postSeen"]
    later = asyncio.ensure_future(anext(heard))
    await asyncio.gather(read("3", "2", "1"), asyncio.sleep(0))
    assert one["post"]["title"] == "Post 1"
    assert (await later)["postSeen"]["post"]["title"] == "Post 2"
    assert (await anext(heard))["postSeen"]["post"]["title"] == "Post 3"
    assert (await anext(following))["feedPolled"]["poll"]["newCount"] == 2
    again = graph.subscribe(polls, id=of_account, after=first["cursor"])
    assert [(await anext(again))["feedPolled"]["poll"]["newCount"] for _ in range(2)] == [1, 2]
    for messages in (following, heard, again):
        await messages.aclose()


@pytest.mark.parametrize("field", ["executionChanged(accountId: $id) { sentAt }", "postSeen(accountId: $id) { cursor }",
                                   "feedPolled(accountId: $id) { cursor }"])  # fmt: skip
async def test_a_strangers_account_is_not_watched(graph: Graph, db: Database, field: str) -> None:
    account = await make_account(db)
    stranger = graph.as_viewer(viewer_of(await make_user(db)))
    with pytest.raises(AssertionError, match="There is no such account"):
        await anext(stranger.subscribe(f"subscription ($id: ID!) {{ {field} }}", id=encode_id("account", account.id)))


async def test_a_user_shows_his_accounts_to_himself(graph: Graph, db: Database, admin: User) -> None:
    await make_account(db, admin.id, username="mine")
    text = "query ($id: ID!) { user(id: $id) { accounts { nodes { username } } } }"
    asked = {"id": encode_id("user", admin.id)}
    stranger = graph.as_viewer(viewer_of(await make_user(db)))

    assert (await graph.execute(text, **asked))["user"]["accounts"]["nodes"] == [{"username": "mine"}]
    assert (await stranger.execute(text, **asked))["user"]["accounts"]["nodes"] == []
