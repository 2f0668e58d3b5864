"""Settings: what they may be, who sets them, what their history says, and what of a secret is ever seen."""

import asyncio
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, select

from db.access.tables import User
from db.access.viewer import Role, Viewer
from db.connecting import connect
from db.database import Database
from db.errors import Conflict, Forbidden, Invalid
from db.ids import new_id
from db.practice.templates import MOST_DAYS_AHEAD
from db.sealing import Sealer
from db.settings import operations
from db.settings.current import CurrentSettings
from db.settings.events import ALL_SETTINGS, SettingChanged
from db.settings.registry import KEYS, Key, Rules, keys_of
from db.settings.rules import checked_value
from db.settings.tables import Setting, SettingChange
from db.settings.vocabulary import SettingCategory, SettingKind
from tests.db.stored import NOW
from tests.support.house import PATIENCE_SECONDS
from tests.support.setting import configure, reset

SECRET = {"secret": "swordfish-7"}


def key_of(kind: SettingKind, *, is_required: bool = False, **rules: Any) -> Key:
    return Key(
        name="backups.tried",
        kind=kind,
        default=None,
        description="Tried.",
        rules=Rules(**rules),
        is_required=is_required,
    )


async def history_of(db: Database, key: str) -> list[SettingChange]:
    async with db.read() as session:
        setting = await session.row(select(Setting).where(col(Setting.key) == key))
        assert setting is not None
        of_it = select(SettingChange).where(col(SettingChange.setting_id) == setting.id)
        return await session.rows(of_it.order_by(col(SettingChange.revision)))


async def values_of(db: Database) -> dict[str, Any]:
    async with db.read() as session:
        return await operations.read_values(session)


@pytest.mark.parametrize("key", KEYS.values(), ids=list(KEYS))
def test_a_key_is_well_declared(key: Key) -> None:
    assert key.default is None or checked_value(key, key.default) == key.default
    assert key.category in SettingCategory
    assert key.description.endswith(".")
    assert not (key.is_required and key.default is None)
    assert not key.is_sensitive or key.default is None


def test_every_category_has_keys() -> None:
    assert [category for category in SettingCategory if not keys_of(category)] == []
    assert KEYS["practice.planned_days"].rules.most == MOST_DAYS_AHEAD


_SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        (key_of(SettingKind.INTEGER, least=1, most=5), 0, "is 1 to 5."),
        (key_of(SettingKind.INTEGER, least=1, most=5), 6, "is 1 to 5."),
        (key_of(SettingKind.INTEGER), True, "is a whole number."),
        (key_of(SettingKind.INTEGER), "5", "is a whole number."),
        (key_of(SettingKind.INTEGER), 1.5, "is a whole number."),
        (key_of(SettingKind.INTEGER), float("inf"), "is a whole number."),
        (key_of(SettingKind.INTEGER), "", "is a whole number."),
        (key_of(SettingKind.FLOAT, least=0.5, most=2), 0.25, "is 0.5 to 2."),
        (key_of(SettingKind.FLOAT, least=0.5), 0.25, "is 0.5 to any."),
        (key_of(SettingKind.FLOAT), float("nan"), "is a number."),
        (key_of(SettingKind.FLOAT), False, "is a number."),
        (key_of(SettingKind.BOOLEAN), 1, "is true or false."),
        (key_of(SettingKind.STRING), 1, "is a text."),
        (key_of(SettingKind.STRING), "\ud800", "is a text."),
        (key_of(SettingKind.STRING), "a\0b", "is a text."),
        (key_of(SettingKind.STRING, longest=3), "four", "has at most 3 characters."),
        (key_of(SettingKind.STRING), "x" * 10_001, "has at most 10000 characters."),
        (key_of(SettingKind.STRING, choices=("A", "B")), "C", "is one of A, B."),
        (key_of(SettingKind.STRING, pattern="[a-z]+", form="small letters"), "a1", "is small letters."),
        (
            key_of(SettingKind.STRING, is_required=True),
            "",
            "is not to be empty. Reset it to bring its default back.",
        ),
        (key_of(SettingKind.STRING), None, "is not to be empty. Reset it to bring its default back."),
        (key_of(SettingKind.JSON, longest=4), [1, 2, 3], "has at most 4 bytes."),
        (key_of(SettingKind.JSON), {"a": "\ud800"}, "is JSON."),
        (
            key_of(SettingKind.JSON, schema=_SCHEMA),
            {"a": "x"},
            "does not keep its rule.a.type. 'x' is not of type 'integer'",
        ),
    ],
)
def test_a_value_that_breaks_a_rule_is_refused_with_the_rule(key: Key, value: Any, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        checked_value(key, value)

    assert (refused.value.message, refused.value.field) == (f"backups.tried {sentence}", "value")


@pytest.mark.parametrize(
    ("key", "value", "kept"),
    [
        (key_of(SettingKind.INTEGER, least=1, most=5), 5.0, 5),
        (key_of(SettingKind.FLOAT), 2, 2.0),
        (key_of(SettingKind.STRING, pattern="[a-z]+"), "", ""),
        (key_of(SettingKind.STRING, pattern="[a-z]+"), "abc", "abc"),
        (key_of(SettingKind.BOOLEAN), False, False),
        (key_of(SettingKind.JSON, schema=_SCHEMA), {"a": 1}, {"a": 1}),
    ],
)
def test_a_value_within_the_rules_is_kept(key: Key, value: Any, kept: Any) -> None:
    assert (checked_value(key, value), type(checked_value(key, value))) == (kept, type(kept))


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(list(KEYS.values())), _ANYTHING)
def test_whatever_is_said_is_kept_as_it_is_stored_or_refused(key: Key, value: Any) -> None:
    try:
        kept = checked_value(key, value)
    except Invalid:
        return
    assert orjson.loads(orjson.dumps(kept)) == kept
    assert checked_value(key, kept) == kept


async def test_a_setting_is_set_and_its_history_says_who_and_why(db: Database, admin: User) -> None:
    viewer = Viewer(user_id=admin.id, token_id=new_id(), role=Role.ADMIN)
    await configure(db, "backups.keep", 7, NOW, reason="  Small disk ", viewer=viewer)
    await configure(db, "backups.keep", 9, NOW)
    after = await reset(db, "backups.keep", NOW)

    assert (after.value, after.revision, after.changed_by_id) == (None, 3, None)
    assert [
        (one.revision, one.old_value, one.new_value, one.was_set, one.is_set, one.reason, one.changed_by_id)
        for one in await history_of(db, "backups.keep")
    ] == [
        (1, None, "7", False, True, "Small disk", admin.id),
        (2, "7", "9", True, True, "", None),
        (3, "9", None, True, False, "", None),
    ]
    assert (await values_of(db))["backups.keep"] == 14


async def test_what_was_last_changed_is_listed_newest_first_of_all_or_of_one(db: Database, admin: User) -> None:
    viewer = Viewer(user_id=admin.id, token_id=new_id(), role=Role.ADMIN)
    minutes = [NOW + timedelta(minutes=number) for number in range(3)]
    await configure(db, "backups.keep", 7, minutes[0], reason="Small disk", viewer=viewer)
    await configure(db, "logging.level", "DEBUG", minutes[1])
    await reset(db, "backups.keep", minutes[2])

    made = ("backups.keep", 1, None, "7", False, True, "Small disk", minutes[0], admin.username)
    louder = ("logging.level", 1, None, '"DEBUG"', False, True, "", minutes[1], None)
    brought_back = ("backups.keep", 2, "7", None, True, False, "", minutes[2], None)
    async with db.read() as session:
        assert await operations.list_changes(session, None, most=50) == [brought_back, louder, made]
        assert await operations.list_changes(session, None, most=1) == [brought_back]
        assert await operations.list_changes(session, "backups.keep", most=50) == [brought_back, made]
        with pytest.raises(Invalid, match=r"Did you mean backups\.keep\?"):
            await operations.list_changes(session, "backups.keeps", most=50)


async def test_setting_it_twice_is_as_good_as_once(db: Database) -> None:
    first = await configure(db, "backups.keep", 7, NOW)

    assert await configure(db, "backups.keep", 7.0, NOW) == first
    assert len(await history_of(db, "backups.keep")) == 1
    await reset(db, "backups.keep", NOW)
    assert (await reset(db, "backups.keep", NOW)).revision == 2


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("backups.keeps", "There is no setting 'backups.keeps'. Did you mean backups.keep?"),
        ("zzz", "There is no setting 'zzz'. `settings` lists those there are."),
    ],
)
async def test_a_key_that_is_none_is_refused_with_the_one_that_was_meant(db: Database, key: str, sentence: str) -> None:
    with pytest.raises(Invalid) as refused:
        await configure(db, key, 7, NOW)

    assert (refused.value.message, refused.value.field) == (sentence, "key")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.MEMBER, Role.OPERATOR])
async def test_settings_are_for_admins(db: Database, role: Role) -> None:
    viewer = Viewer(user_id=new_id(), token_id=new_id(), role=role)

    with pytest.raises(Forbidden, match="Settings are for admins"):
        await configure(db, "backups.keep", 7, NOW, viewer=viewer)
    with pytest.raises(Forbidden, match="Settings are for admins"):
        await reset(db, "backups.keep", NOW, viewer=viewer)


async def test_where_data_goes_the_console_alone_says(db: Database, admin: User) -> None:
    viewer = Viewer(user_id=admin.id, token_id=new_id(), role=Role.ADMIN)

    with pytest.raises(Forbidden, match=r"`ringside settings set backups\.target …`"):
        await configure(db, "backups.target", "s3://elsewhere", NOW, viewer=viewer)

    await configure(db, "backups.target", "s3://bucket", NOW)
    assert (await values_of(db))["backups.target"] == "s3://bucket"


async def test_a_target_with_a_password_in_it_is_refused(db: Database) -> None:
    with pytest.raises(Invalid, match="a folder or a URL, without a password in it"):
        await configure(db, "backups.target", "ftp://me:secret@host/", NOW)


async def test_of_fifty_who_set_at_once_each_is_in_the_history_and_follows_the_one_before(db: Database) -> None:
    await asyncio.gather(*(configure(db, "backups.keep", number + 1, NOW) for number in range(50)))

    history = await history_of(db, "backups.keep")
    assert [one.revision for one in history] == list(range(1, 51))
    assert [one.old_value for one in history] == [None, *(one.new_value for one in history[:-1])]
    assert {one.new_value for one in history} == {str(number) for number in range(1, 51)}


async def test_a_change_is_told_after_the_commit_and_a_rollback_is_silent(db: Database) -> None:
    async def taken_back() -> None:
        async with db.transaction() as tx:
            await operations.set_setting(tx, "backups.keep", 3, reason="", viewer=None, now=NOW)
            raise LookupError

    with db.bus.listen(ALL_SETTINGS, of=SettingChanged) as heard:
        with pytest.raises(LookupError):
            await taken_back()
        after = await configure(db, "backups.keep", 4, NOW)

        assert await anext(heard) == SettingChanged(setting=after)
        assert heard.take() == []


async def test_what_the_server_was_started_with_stands_in_for_what_nobody_set(db: Database) -> None:
    async with db.transaction() as tx:
        await operations.prepare_settings(tx, {"practice.planned_days": 3, "backups.keep": 5})
    await configure(db, "backups.keep", 6, NOW)
    async with db.transaction() as tx:
        await operations.prepare_settings(tx, {"practice.planned_days": 4, "backups.keep": 7})

    values = await values_of(db)
    assert (values["practice.planned_days"], values["backups.keep"]) == (4, 6)
    async with db.read() as session:
        assert {row.key for row in await session.rows(select(Setting))} == set(KEYS)


# Secrets


@pytest.mark.parametrize("secret_key", [None, "a key of one's own"])
async def test_a_secret_is_read_back_and_stands_in_no_history(database_url: str, secret_key: str | None) -> None:
    db = await connect(database_url, pool_size=2, sealer=Sealer(secret_key))
    try:
        stored = await configure(db, "backups.credentials", SECRET, NOW)
        history = await history_of(db, "backups.credentials")
        values = await values_of(db)
    finally:
        await db.close()

    assert values["backups.credentials"] == SECRET
    assert stored.value is None
    assert ("swordfish-7" in str(stored.secret)) is (secret_key is None)
    assert [(one.old_value, one.new_value, one.was_set, one.is_set) for one in history] == [(None, None, False, True)]


async def test_what_is_wrong_with_a_secret_is_said_without_it(db: Database) -> None:
    with pytest.raises(Invalid) as refused:
        await configure(db, "backups.credentials", {"secret": 5, "swordfish-7": "x"}, NOW)

    assert refused.value.message.startswith("backups.credentials does not keep its rule.")
    assert "swordfish" not in refused.value.message


async def test_a_secret_under_another_key_does_not_open(database_url: str) -> None:
    first = await connect(database_url, pool_size=2, sealer=Sealer("one"))
    await configure(first, "backups.credentials", SECRET, NOW)
    await first.close()
    other = await connect(database_url, pool_size=2, sealer=Sealer("another"))
    try:
        with pytest.raises(Conflict, match="RINGSIDE_SECRET_KEY is not the one it was sealed with"):
            await values_of(other)
    finally:
        await other.close()


# Who works by them


async def test_who_works_by_settings_hears_of_a_change_at_once(db: Database) -> None:
    current = CurrentSettings(db)
    assert current.value("backups.keep") == 14
    running = asyncio.create_task(current.run())
    try:
        waiting = asyncio.create_task(current.wait("backups.keep", seconds=60))
        other = asyncio.create_task(current.wait("logging.level", seconds=60))
        await asyncio.sleep(0)
        await configure(db, "backups.keep", 3, NOW)
        async with asyncio.timeout(PATIENCE_SECONDS):
            await waiting

        assert current.value("backups.keep") == 3
        assert not other.done()
        other.cancel()
    finally:
        running.cancel()


async def test_a_secret_that_does_not_open_leaves_the_others_as_they_were(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    first = await connect(database_url, pool_size=2, sealer=Sealer("one"))
    await configure(first, "backups.credentials", SECRET, NOW)
    await first.close()
    other = await connect(database_url, pool_size=2, sealer=Sealer("another"))
    current = CurrentSettings(other)
    try:
        await current._try()
        await current._try()
    finally:
        await other.close()

    assert current.value("backups.keep") == 14
    (told,) = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert told.startswith("settings cannot be read, those from before hold: A secret does not open:")
