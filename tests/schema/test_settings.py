"""Settings over the graph: what is shown of them, who may ask, and how they are watched."""

from typing import Any

import pytest
from sqlmodel import select

from db.access.viewer import Role, Viewer
from db.connecting import connect
from db.database import Database
from db.ids import new_id
from db.sealing import Sealer
from db.settings import operations
from db.settings.registry import KEYS
from db.settings.tables import Setting, SettingChange
from tests.conftest import ManualClock
from tests.support.graph import Graph
from tests.support.setting import configure

SET = """
mutation ($key: String!, $value: JSON!, $reason: String) {
  settingSet(key: $key, value: $value, reason: $reason) {
    setting { key value isSet revision } errors { code field message }
  }
}
"""
ALL = """
{
  settings(first: 100) {
    totalCount
    nodes {
      key category kind description value defaultValue isSet isSensitive isRequired isOfConsole minimum maximum longest
      pattern choices jsonSchema changedAt revision changedBy { name }
      history { nodes { revision oldValue newValue hasOldValue hasNewValue reason changedAt changedBy { name } } }
    }
  }
}
"""


@pytest.fixture
async def prepared(graph: Graph) -> Graph:
    async with graph.db.transaction() as tx:
        await operations.prepare_settings(tx, {})
    return graph


def setting_named(data: dict[str, Any], key: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in data["settings"]["nodes"] if one["key"] == key)
    return found


async def test_every_setting_says_what_it_is_and_who_changed_it(prepared: Graph) -> None:
    await prepared.execute(SET, key="backups.keep", value=7, reason="Small disk")

    data = await prepared.execute(ALL)

    at = "2026-11-21T09:00:00.000000Z"
    assert data["settings"]["totalCount"] == len(KEYS)
    assert [one["key"] for one in data["settings"]["nodes"]] == sorted(KEYS)
    assert setting_named(data, "backups.keep") == {
        "key": "backups.keep",
        "category": "BACKUPS",
        "kind": "INTEGER",
        "description": KEYS["backups.keep"].description,
        "value": 7,
        "defaultValue": 14,
        "isSet": True,
        "isSensitive": False,
        "isRequired": False,
        "isOfConsole": False,
        "minimum": 1,
        "maximum": 10_000,
        "longest": None,
        "pattern": None,
        "choices": [],
        "jsonSchema": None,
        "changedAt": at,
        "revision": 1,
        "changedBy": {"name": "admin"},
        "history": {
            "nodes": [
                {
                    "revision": 1,
                    "oldValue": None,
                    "newValue": 7,
                    "hasOldValue": False,
                    "hasNewValue": True,
                    "reason": "Small disk",
                    "changedAt": at,
                    "changedBy": {"name": "admin"},
                }
            ]
        },
    }


@pytest.mark.usefixtures("level_by_level")
async def test_settings_with_their_history_are_read_in_as_many_statements_as_there_are_levels(prepared: Graph) -> None:
    for key in ("backups.keep", "retention.goal_changes_days"):
        await configure(prepared.db, key, 7, prepared.clock.now())

    with prepared.statements() as heard:
        await prepared.execute("{ settings(first: 100) { nodes { key history { nodes { newValue } } } } }")

    assert len(heard) == 2


async def test_a_value_that_breaks_a_rule_is_refused_as_data(prepared: Graph) -> None:
    data = await prepared.execute(SET, key="backups.keep", value=0)

    assert data["settingSet"] == {
        "setting": None,
        "errors": [{"code": "BAD_USER_INPUT", "field": "value", "message": "backups.keep is 1 to 10000."}],
    }


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.OPERATOR])
async def test_nobody_but_an_admin_sees_or_sets_any(prepared: Graph, role: Role) -> None:
    other = prepared.as_viewer(Viewer(user_id=new_id(), token_id=new_id(), role=role))
    watching = other.subscribe("subscription { settingChanged { sentAt } }")

    told = [await other.refused(ALL), await other.refused(SET, key="backups.keep", value=7)]
    with pytest.raises(AssertionError, match=f"This needs the role ADMIN; this token's user has the role {role}"):
        await anext(watching)

    assert [[one["code"] for one in errors] for errors in told] == [["FORBIDDEN"]] * 2


async def test_settings_are_watched_as_they_are_and_then_as_they_change(prepared: Graph) -> None:
    messages = prepared.subscribe("subscription { settingChanged(category: LOGGING) { settings { key value } } }")
    shown = [(await anext(messages))["settingChanged"]["settings"]]

    await configure(prepared.db, "backups.keep", 3, prepared.clock.now())
    await configure(prepared.db, "logging.level", "ERROR", prepared.clock.now())
    shown.append((await anext(messages))["settingChanged"]["settings"])
    await messages.aclose()

    assert shown == [
        [{"key": "logging.level", "value": level}, {"key": "logging.slow_seconds", "value": 1.0}]
        for level in ("INFO", "ERROR")
    ]


async def test_a_secret_is_said_to_be_set_and_never_what_it_is(
    database_url: str, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    db = await connect(database_url, pool_size=2, sealer=Sealer("a key"))
    try:
        graph = Graph(db, clock, Viewer(user_id=new_id(), token_id=new_id(), role=Role.ADMIN))
        # Nobody stands behind this token, and the history says so by naming nobody.
        await configure(db, "backups.credentials", {"secret": "swordfish-7"}, clock.now())
        refused = await graph.execute(SET, key="backups.credentials", value={"nonsense": "swordfish-7"})
        answers = [await graph.execute(ALL), await graph.on_graphql_core().execute(ALL), refused]
        stored = await _stored(db)
    finally:
        await db.close()

    shown = setting_named(answers[0], "backups.credentials")
    assert (shown["value"], shown["defaultValue"], shown["isSet"], shown["isSensitive"]) == (None, None, True, True)
    assert (shown["history"]["nodes"][0]["newValue"], shown["history"]["nodes"][0]["hasNewValue"]) == (None, True)
    assert refused["settingSet"]["errors"][0]["field"] == "value"
    assert answers[0] == answers[1]
    assert "swordfish-7" not in repr((answers, stored, caplog.text))


async def _stored(db: Database) -> list[Any]:
    async with db.read() as session:
        return [*await session.rows(select(Setting)), *await session.rows(select(SettingChange))]
