"""What is secret: sealed where there is a key, and said by nobody anywhere."""

import asyncio
import base64
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from api import backups
from api.server import first_admin
from api.settings import Settings
from db.accounts import providers
from db.accounts.vocabulary import ProviderKind
from db.backups.target import Target
from db.clock import SystemClock
from db.connecting import connect
from db.database import Database
from db.errors import Conflict
from db.matches import operations as matches
from db.recordings import machines
from db.resealing import purpose_of, seal_secrets, secret_columns
from db.sealing import NO_KEY, Sealer, is_sealed
from db.settings.operations import read_values
from db.streams import source_operations
from db.streams.vocabulary import StreamSourceKind
from db.urls import is_embedded, sqlite_path
from tests.db.stored import NOW, everything
from tests.support.house import running_house
from tests.support.setting import configure
from tests.support.streaming import make_stream

MARK = "swordfish-0451"
KEY = "the key of whoever runs this"
# How each column that holds secrets comes to hold one with the mark in it.
_PLANTED = {"settings.secret", "stream_sources.secret", "providers.url", "providers.secret", "obs_machines.password"}


async def plant(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the mark into every column that holds secrets, as they are put there."""
    for module in (source_operations, providers):
        monkeypatch.setattr(module, "new_signing_secret", MARK.encode)
    stream = await make_stream(db, NOW)
    async with db.transaction() as tx:
        await source_operations.create_source(
            tx, stream.id, kind=StreamSourceKind.WEBHOOK, changes={"name": "Deck"}, viewer=None, now=NOW
        )
        await providers.create_provider(
            tx, kind=ProviderKind.WEBHOOK, changes={"name": "Tool", "url": f"https://tool.example/{MARK}"}, now=NOW
        )
        mat = await matches.create_mat(tx, name="Filmed", now=NOW)
        said = {"name": "OBS", "host": "127.0.0.1", "password": MARK}
        await machines.create_machine(tx, mat.id, changes=said, now=NOW)
    await configure(db, "backups.credentials", {"secret": MARK}, NOW)


async def stored(db: Database) -> dict[str, list[Any]]:
    """Return what each column of secrets holds."""
    async with db.read() as session:
        return {
            purpose_of(column): [
                row[0] for row in await session.tuples(table.select().with_only_columns(column)) if row[0]
            ]
            for table, column in secret_columns()
        }


def spellings(mark: str) -> list[bytes]:
    """How a secret may stand in something: as it is, and as base64 at each of three places."""
    raw = mark.encode()
    shifted = [base64.b64encode(b"x" * by + raw)[4 if by else 0 : -4] for by in range(3)]
    return [raw, raw.hex().encode(), *shifted]


def found_in(*texts: bytes) -> list[bytes]:
    return [one for one in spellings(MARK) if any(one in text for text in texts)]


def files_of(url: str) -> Iterator[bytes]:
    path = sqlite_path(url)
    yield from (one.read_bytes() for one in sorted(path.parent.glob(f"{path.name}*")))


def parts_of(path: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive:
        yield from (archive.read(name) for name in archive.namelist())


def test_what_is_planted_is_every_column_that_holds_a_secret() -> None:
    assert {purpose_of(column) for _, column in secret_columns()} == _PLANTED


_EVERYTHING = """
{
  settings(first: 100) { nodes { id key value defaultValue isSet history { nodes { oldValue newValue reason } } } }
  streams(first: 100) { nodes { id name sources { id name url lastError } } }
  obsMachines(first: 100) { nodes { id name host isPasswordSet message } }
  providers(first: 100) { nodes { id name lastError } }
}
"""


async def test_a_secret_is_in_no_answer_log_backup_or_file(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    target = Target(str(tmp_path / "backups"))
    async with running_house(database_url, has_listener=False, secret_key=KEY) as house:
        await plant(house.house.db, monkeypatch)
        answers = [
            (await house.http.post("/graphql", json={"query": _EVERYTHING}, headers=house.bearer)).content,
            (await house.http.post("/graphql", json={"query": _wrong()}, headers=house.bearer)).content,
            (await house.http.get("/metrics", headers=house.bearer)).content,
            (await house.http.get("/readyz")).content,
        ]
        made = await backups.create(database_url, target, now=NOW, progress=lambda _table, _rows: None)
        held = await stored(house.house.db)
    target.get(made.name, tmp_path / "archive.zip")

    assert {name: [is_sealed(one) for one in found] for name, found in held.items()} == {
        name: [True] for name in _PLANTED
    }
    assert b'"isSet":true' in answers[0]
    assert b"BAD_USER_INPUT" in answers[1]
    assert found_in(*answers, caplog.text.encode(), *parts_of(tmp_path / "archive.zip")) == []
    if is_embedded(database_url):
        assert found_in(*files_of(database_url)) == []


def _wrong() -> str:
    # In a field of its own, as somebody does who has misread what goes where.
    said = f'{{settings: "{MARK}"}}'
    return f'mutation {{ settingSet(key: "backups.credentials", value: {said}) {{ errors {{ code message }} }} }}'


async def test_without_a_key_a_secret_is_left_out_of_a_backup(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(str(tmp_path / "backups"))
    db = await connect(database_url, pool_size=2)
    await plant(db, monkeypatch)
    await db.close()

    made = await backups.create(database_url, target, now=NOW, progress=lambda _table, _rows: None)

    target.get(made.name, tmp_path / "archive.zip")
    assert made.manifest is not None
    assert made.manifest.withheld == len(_PLANTED)
    assert found_in(*parts_of(tmp_path / "archive.zip")) == []


async def test_a_secret_that_was_put_back_opens_with_the_key_it_was_sealed_with_and_no_other(
    database_url: str, tmp_path: Path
) -> None:
    target, restored = Target(str(tmp_path / "backups")), f"sqlite:///{tmp_path / 'restored.db'}"
    async with running_house(database_url, has_listener=False, secret_key=KEY) as house:
        await configure(house.house.db, "backups.credentials", {"secret": MARK}, NOW)
    made = await backups.create(database_url, target, now=NOW, progress=lambda _table, _rows: None)
    await backups.restore(restored, target, made.name, is_dry_run=False, now=NOW, progress=lambda _table, _rows: None)

    assert (await credentials_of(restored, KEY)) == {"secret": MARK}
    with pytest.raises(Conflict, match="RINGSIDE_SECRET_KEY is not the one"):
        await credentials_of(restored, "another")


async def credentials_of(url: str, key: str) -> Any:
    db = await connect(url, sealer=Sealer(key))
    try:
        async with db.read() as session:
            return (await read_values(session))["backups.credentials"]
    finally:
        await db.close()


async def test_what_was_stored_before_there_was_a_key_is_sealed_when_a_server_starts_with_one(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    db = await connect(database_url, pool_size=2)
    await first_admin(db, SystemClock())
    await plant(db, monkeypatch)
    before = await everything(db)
    await db.close()

    async with running_house(database_url, has_listener=False, secret_key=KEY) as house:
        first = await stored(house.house.db)
        async with house.house.db.transaction() as tx:
            again = await seal_secrets(tx)
        credentials = house.house.current.value("backups.credentials")

    assert all(is_sealed(one) for found in first.values() for one in found)
    assert again == 0
    assert credentials == {"secret": MARK}
    assert MARK in repr(before)


async def test_without_a_key_nothing_is_sealed(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await plant(db, monkeypatch)
    before = await everything(db)

    async with db.transaction() as tx:
        assert await seal_secrets(tx) == 0

    assert await everything(db) == before


def test_the_key_is_not_shown_with_the_settings_of_the_server() -> None:
    assert KEY not in repr(Settings(secret_key=SecretStr(KEY)))


# Sealing itself


@pytest.fixture(scope="module")
def sealer() -> Sealer:
    return Sealer(KEY)


@given(st.binary(max_size=200), st.text(max_size=200))
def test_what_is_sealed_opens_for_its_purpose_alone(sealer: Sealer, secret: bytes, text: str) -> None:
    sealed, sealed_text = sealer.seal_bytes(secret, purpose="a"), sealer.seal(text, purpose="a")

    assert (sealer.open_bytes(sealed, purpose="a"), sealer.open(sealed_text, purpose="a")) == (secret, text)
    assert is_sealed(sealed)
    assert is_sealed(sealed_text)
    for stored_for_a in (sealed, sealed_text.encode()):
        with pytest.raises(Conflict, match="does not open"):
            sealer.open_bytes(stored_for_a, purpose="b")


@given(st.binary(min_size=1, max_size=50), st.data())
def test_what_is_sealed_and_changed_does_not_open(sealer: Sealer, secret: bytes, data: st.DataObject) -> None:
    sealed = bytearray(sealer.seal_bytes(secret, purpose="a"))
    raw = bytearray(base64.b64decode(sealed[len("sealed:1:") :]))
    bit = data.draw(st.integers(0, len(raw) * 8 - 1))
    raw[bit // 8] ^= 1 << bit % 8

    with pytest.raises(Conflict, match="does not open"):
        sealer.open_bytes(b"sealed:1:" + base64.b64encode(raw), purpose="a")


def test_nobody_opens_what_is_sealed_without_the_key(sealer: Sealer) -> None:
    sealed = sealer.seal(MARK, purpose="a")

    with pytest.raises(Conflict, match="there is no key: set RINGSIDE_SECRET_KEY"):
        NO_KEY.open(sealed, purpose="a")
    with pytest.raises(Conflict, match="RINGSIDE_SECRET_KEY is not the one"):
        Sealer("another").open(sealed, purpose="a")
    assert NO_KEY.seal(MARK, purpose="a") == NO_KEY.open(MARK, purpose="a") == MARK


def test_sealed_twice_a_secret_looks_like_two(sealer: Sealer) -> None:
    assert sealer.seal(MARK, purpose="a") != sealer.seal(MARK, purpose="a")


async def test_fifty_seal_at_once_and_each_opens(sealer: Sealer) -> None:
    sealed = await asyncio.gather(
        *(asyncio.to_thread(sealer.seal, f"{MARK} {number}", purpose="a") for number in range(50))
    )

    assert [sealer.open(one, purpose="a") for one in sealed] == [f"{MARK} {number}" for number in range(50)]
