"""Exports at the door and at the console: streamed, refused with a reason, and cut off rather than left short."""

import asyncio
import csv
import io
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import insert
from typer.testing import CliRunner, Result

from api.cli import app
from db.access import operations as access
from db.access.viewer import Role
from db.database import Database
from db.matches.tables import Mat
from tests.conftest import ManualClock
from tests.db.stored import NOW
from tests.support.house import RunningHouse, eventually, running_house

_MANY = 3_000


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, has_listener=False) as running:
        yield running


async def lay_mats(db: Database, number: int, *, length: int = 1) -> None:
    laid = [Mat(name=f"{place:05}".ljust(length, "x"), created_at=NOW) for place in range(number)]
    async with db.transaction() as tx:
        await tx.execute_many(insert(Mat), [one.model_dump() for one in laid])


async def token_of(house: RunningHouse, role: Role, **given: Any) -> dict[str, str]:
    async with house.house.db.transaction() as tx:
        user = await access.create_user(tx, name=f"a {role.lower()}", role=role, now=NOW)
        made = await access.create_token(tx, user_id=user.id, label="x", now=NOW, **given)
    return {"Authorization": f"Bearer {made.secret}"}


def names_in(text: str) -> list[str]:
    return [row["name"] for row in csv.DictReader(io.StringIO(text, newline=""))]


async def test_a_list_is_downloaded_whole_in_either_format(house: RunningHouse) -> None:
    await lay_mats(house.house.db, 600)

    table = await house.http.get("/export/mats.csv?fields=name", headers=house.bearer)
    lines = await house.http.get("/export/mats.jsonl", headers=house.bearer)
    some = await house.http.get(
        "/export/mats.jsonl",
        params=[("filter", "name>=00500"), ("filter", "name<00501"), ("fields", "name")],
        headers=house.bearer,
    )
    head = await house.http.head("/export/mats.csv", headers=house.bearer)

    expected = ["Mat 1", *(f"{place:05}" for place in range(600))]
    assert sorted(names_in(table.text)) == sorted(expected)
    assert sorted(orjson.loads(line)["name"] for line in lines.text.splitlines()) == sorted(expected)
    assert some.text == '{"name":"00500"}\n'
    assert (head.status_code, head.content) == (200, b"")
    told = {name: table.headers[name] for name in ("content-type", "cache-control", "x-content-type-options")}
    assert told == {
        "content-type": "text/csv; charset=utf-8; header=present",
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
    }
    assert table.headers["content-disposition"].startswith('attachment; filename="mats-')


async def test_the_lists_there_are_are_told(house: RunningHouse) -> None:
    answer = await house.http.get("/export", headers=house.bearer)

    told = {one["name"]: one for one in answer.json()["exports"]}
    assert (len(told) > 40, told["mats"]["filters"][:2]) == (True, ["id", "name"])


async def test_what_cannot_be_exported_is_refused_with_its_status(house: RunningHouse) -> None:
    overlay = await token_of(house, Role.ADMIN, nodes=[house.mat_id])
    asked: list[tuple[str, dict[str, str], int, str]] = [
        ("/export/mats.csv", {}, 401, "This needs a token"),
        ("/export/mats.csv", {"Authorization": "Bearer rs_x"}, 401, "not a token of Ringside"),
        ("/export", {}, 401, "This needs a token"),
        ("/export/mats.csv", overlay, 403, "An overlay token reads the nodes it is bound to"),
        ("/export/mats.xlsx", house.bearer, 404, "Exports end with .csv or .jsonl"),
        ("/export/mat.csv", house.bearer, 404, "There is no list 'mat' to export"),
        ("/export/mats.csv?filter=x=1", house.bearer, 400, "mats are filtered by id, name"),
        ("/export/mats.csv?fields=secret", house.bearer, 400, "cannot be exported"),
        ("/export/mats.csv?first=1", house.bearer, 400, "An export knows no 'first'"),
        (f"/export/matches.csv?filter=mat=mat_{1:032}", house.bearer, 404, "There is no mat mat_"),
    ]

    for path, headers, status, said in asked:
        answer = await house.http.get(path, headers=headers)

        (error,) = answer.json()["errors"]
        assert (answer.status_code, said in error["message"]) == (status, True), answer.text
    posted = await house.http.post("/export/mats.csv", headers=house.bearer)
    assert posted.status_code == 405


async def test_each_sees_in_it_what_he_sees_in_the_graph(house: RunningHouse) -> None:
    viewer = await token_of(house, Role.VIEWER)

    mine = await house.http.get("/export/tokens.jsonl", headers=house.bearer)
    his = await house.http.get("/export/tokens.jsonl", headers=viewer)
    none = await house.http.get("/export/settings.jsonl", headers=viewer)

    assert (mine.status_code, his.status_code, none.status_code) == (200, 200, 200)
    assert len(his.text.splitlines()) == 1
    assert (none.text, house.secret in mine.text) == ("", False)


async def test_no_more_are_under_way_than_may_be_and_whoever_leaves_makes_room(database_url: str) -> None:
    async with running_house(database_url, has_listener=False, exports_at_once=1) as house:
        await lay_mats(house.house.db, _MANY, length=2_000)
        with await _begun(house):
            assert await _is_refused(house)

        async def is_free() -> bool:
            return not await _is_refused(house)

        await eventually(is_free, "room again")


async def _is_refused(house: RunningHouse) -> bool:
    answer = await house.http.get("/export/mats.csv?filter=name=Mat 1", headers=house.bearer)
    return answer.status_code == 429 and answer.headers["retry-after"] == "10"


async def _begun(house: RunningHouse) -> socket.socket:
    """Ask for more than fits between the two, and read nothing of it but that it has begun."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", house.port))
    asked = f"GET /export/mats.jsonl HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {house.secret}\r\n\r\n"
    await loop.sock_sendall(client, asked.encode())
    assert (await loop.sock_recv(client, 15)).startswith(b"HTTP/1.1 200")
    return client


async def test_an_export_ends_with_its_token_and_the_client_sees_that_it_is_not_whole(house: RunningHouse) -> None:
    await lay_mats(house.house.db, _MANY, length=200)
    headers = await token_of(house, Role.VIEWER)
    secret = headers["Authorization"].removeprefix("Bearer ")

    async with house.http.stream("GET", "/export/mats.jsonl", headers=headers) as answer:
        parts = answer.aiter_raw(1024)
        await anext(parts)
        async with house.house.db.transaction() as tx:
            found = await access.find_token(tx, secret[:11])
            assert found is not None
            await access.revoke_token(tx, found.id, viewer=None, now=NOW)
        await house.house.doorkeeper.look_again()
        with pytest.raises(httpx.HTTPError):
            await _read_to_its_end(parts)


async def _read_to_its_end(parts: AsyncIterator[bytes]) -> None:
    async for _ in parts:
        pass


async def test_reading_is_paid_for_and_waits_for_what_is_owed(database_url: str, clock: ManualClock) -> None:
    few = {"budget": 200, "budget_per_second": 50_000.0}
    async with running_house(database_url, clock=clock, has_listener=False, **few) as house:
        await lay_mats(house.house.db, 1_000)

        answer = await house.http.get("/export/mats.jsonl?fields=name", headers=house.bearer)
        # No time has passed by this clock: what was read is still owed, and nothing else is read before it is paid.
        asked = {"query": "{ mats { nodes { id } } }"}
        refused = await house.http.post("/graphql", json=asked, headers=house.bearer)

    assert (answer.status_code, len(answer.text.splitlines())) == (200, 1_001)
    assert refused.status_code == 429


# At the console


def ringside(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, words)


@pytest.fixture
def at_home(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(migrated_file, tmp_path / "ringside.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGSIDE_DATABASE", f"sqlite:///{tmp_path / 'ringside.db'}")
    ringside("token", "create", "--user", "anna", "--role", "MEMBER", "--label", "Laptop")
    ringside("token", "create", "--user", "bob", "--role", "VIEWER", "--label", "Tablet")


@pytest.mark.usefixtures("at_home")
def test_a_list_is_written_to_a_file_or_to_the_screen() -> None:
    shown = ringside("export", "users", "--fields", "name role", "--filter", "role=MEMBER")
    written = ringside("export", "users", "--output", "users.jsonl", "--json")
    otherwise = ringside("export", "users", "--format", "jsonl", "--fields", "name", "--filter", "name=bob")
    told = ringside("export", "users", "people.csv", "--fields", "name", "--for-spreadsheets")
    his = ringside("export", "tokens", "--fields", "label", "--user", "bob")

    assert shown.stdout == "name,role\nanna,MEMBER\n"
    text = Path("users.jsonl").read_bytes()
    assert orjson.loads(written.stdout) == {"list": "users", "file": "users.jsonl", "rows": 2, "bytes": len(text)}
    assert [orjson.loads(line)["name"] for line in text.splitlines()] == ["anna", "bob"]
    assert otherwise.stdout == '{"name":"bob"}\n'
    assert told.stdout == "Wrote people.csv: 2 rows, 20 bytes\n"
    assert Path("people.csv").read_bytes() == b"\xef\xbb\xbfname\r\nanna\r\nbob\r\n"
    assert his.stdout == "label\nTablet\n"
    assert sorted(path.name for path in Path().iterdir() if "ringside" not in path.name) == [
        "people.csv",
        "users.jsonl",
    ]


@pytest.mark.usefixtures("at_home")
def test_the_lists_are_shown_at_the_console() -> None:
    shown, told = ringside("export", "--list"), ringside("export", "--list", "--json")

    assert "matches" in shown.stdout
    assert "match-events" in [one["name"] for one in orjson.loads(told.stdout)]


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("userz",), "There is no list 'userz' to export"),
        (("users", "--format", "xml"), "--format is csv or jsonl; 'xml' was said."),
        (("users", "--filter", "role=KING"), "'KING' is no Role"),
        (("users", "--user", "carl"), "There is no user carl."),
        (("users", "a.csv", "--output", "b.csv"), "Name the file once."),
        (("users", "--json"), "--json reports on a file"),
        (("users", "nowhere/a.csv"), "No such file or directory"),
        (("users", "--url", "http://127.0.0.1:9"), "did not send all of it"),
        (("users", "--url", "http://127.0.0.1:9", "--user", "anna"), "leave out --user"),
    ],
)
def test_what_cannot_be_exported_is_said_in_a_sentence_and_leaves_no_file(words: tuple[str, ...], said: str) -> None:
    result = ringside("export", *words)

    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr
    assert [path.name for path in Path().iterdir() if "ringside" not in path.name] == []


async def test_a_server_that_runs_is_asked_as_the_token_sees_it(house: RunningHouse, tmp_path: Path) -> None:
    await lay_mats(house.house.db, 10)
    file = tmp_path / "mats.csv"
    there = ("--url", house.url, "--token", house.secret)

    written = await asyncio.to_thread(ringside, "export", "mats", str(file), "--fields", "name", *there)
    refused = await asyncio.to_thread(ringside, "export", "mats", str(file), "--fields", "nothing", *there)

    assert (written.exit_code, len(names_in(file.read_text()))) == (0, 11), written.output
    assert (refused.exit_code, "cannot be exported" in refused.stderr) == (1, True)
