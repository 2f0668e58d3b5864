"""Imports at the door: files of a request's body, refused with a reason, taken in whole and told to who watches."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from sqlalchemy import func, insert
from sqlmodel import select
from typer.testing import CliRunner, Result

from api.cli import app
from db.access import operations as access
from db.access.viewer import Role
from db.matches.tables import Athlete
from db.settings.registry import KEYS
from tests.conftest import ManualClock
from tests.db.stored import NOW
from tests.support.house import PATIENCE_SECONDS, RunningHouse, eventually, running_house


@pytest.fixture
async def house(database_url: str) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, has_listener=False) as running:
        yield running


def table(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Write a CSV file."""
    listed, text = list(rows), io.StringIO(newline="")
    writer = csv.DictWriter(text, list(listed[0]))
    writer.writeheader()
    writer.writerows(listed)
    return text.getvalue().encode()


def athletes(count: int) -> list[dict[str, str]]:
    return [{"name": f"{number:05}", "countryCode": "KOR"} for number in range(count)]


def told(*counts: int, is_stored: bool = True, is_dry_run: bool = False, **given: Any) -> dict[str, Any]:
    rows, made, changed, unchanged = counts
    found = {"list": "athletes", "rows": rows, "made": made, "changed": changed, "unchanged": unchanged}
    return {**found, "problemCount": 0, "problems": [], "isStored": is_stored, "isDryRun": is_dry_run, **given}


async def count_of(house: RunningHouse) -> int:
    async with house.house.db.read() as session:
        return int(await session.scalar(select(func.count()).select_from(Athlete)))


async def token_of(house: RunningHouse, role: Role, **given: Any) -> dict[str, str]:
    async with house.house.db.transaction() as tx:
        user = await access.create_user(tx, name=f"a {role.lower()}", role=role, now=NOW)
        made = await access.create_token(tx, user_id=user.id, label="x", now=NOW, **given)
    return {"Authorization": f"Bearer {made.secret}"}


async def bring(
    house: RunningHouse, content: Any, path: str = "athletes.csv", headers: Mapping[str, str] | None = None
) -> httpx.Response:
    return await house.http.post(f"/import/{path}", content=content, headers={**house.bearer, **(headers or {})})


async def test_a_file_is_taken_in_once_however_often_it_is_brought(house: RunningHouse) -> None:
    operator = await token_of(house, Role.OPERATOR)

    looked = await bring(house, table(athletes(700)), "athletes.csv?dryRun=true", operator)
    none = await count_of(house)
    first = await bring(house, table(athletes(700)), "athletes.csv", operator)
    lines = b"".join(orjson.dumps(one) + b"\n" for one in athletes(701))
    again = await bring(house, lines, "athletes.jsonl", operator)

    assert [one.status_code for one in (looked, first, again)] == [200, 200, 200]
    assert looked.json()["import"] == told(700, 700, 0, 0, is_stored=False, is_dry_run=True)
    assert first.json()["import"] == told(700, 700, 0, 0)
    assert again.json()["import"] == told(701, 1, 0, 700)
    assert (none, await count_of(house)) == (0, 701)


async def test_what_was_exported_is_taken_in_again(house: RunningHouse) -> None:
    await bring(house, table(athletes(3)))
    exported = await house.http.get("/export/athletes.csv", headers=house.bearer)

    answer = await bring(house, exported.content)

    assert answer.json()["import"] == told(3, 0, 0, 3)


async def test_what_is_wrong_is_told_by_line_and_nothing_is_stored(house: RunningHouse) -> None:
    rows = [*athletes(2), {"name": "", "countryCode": "KOR"}]

    answer = await bring(house, table(rows))

    problem = {"line": 4, "column": "name", "reason": "A name has 1 to 200 characters."}
    expected = told(3, 2, 0, 0, is_stored=False, problemCount=1, problems=[problem])
    assert (answer.status_code, answer.json()["import"]) == (422, expected)
    assert await count_of(house) == 0


async def test_what_cannot_be_taken_in_is_refused_with_its_status(house: RunningHouse) -> None:
    overlay = await token_of(house, Role.ADMIN, nodes=[house.mat_id])
    viewer, operator = await token_of(house, Role.VIEWER), await token_of(house, Role.OPERATOR)
    file = table(athletes(1))
    asked: list[tuple[str, bytes, Mapping[str, str], int, str]] = [
        ("athletes.csv", file, {"Authorization": "Bearer rs_x"}, 401, "not a token of Ringside"),
        ("athletes.csv", file, overlay, 403, "An overlay token reads the nodes it is bound to"),
        ("athletes.csv", file, viewer, 403, "To import athletes needs the role OPERATOR; this token's user has"),
        ("users.csv", file, operator, 403, "To import users needs the role ADMIN"),
        ("athletes.xlsx", file, {}, 404, "Imports end with .csv or .jsonl, as /import/athletes.csv does"),
        ("rounds.csv", file, {}, 404, "There is no list 'rounds' to import: accounts,"),
        ("..%2Fathletes.csv", file, {}, 404, "Not Found"),
        ("athletes.csv?first=1", file, {}, 400, "An import knows no 'first': dryRun."),
        ("athletes.csv?dryRun=yes", file, {}, 400, "`dryRun` is true or false; 'yes' was said."),
        ("athletes.csv", b"", {}, 400, "The file is empty"),
        ("athletes.csv", b"nation\nKOR\n", {}, 400, "Line 1: there is no column 'nation'"),
        ("athletes.csv", b"name,countryCode\n\xff,KOR\n", {}, 400, "it is not UTF-8"),
        ("athletes.jsonl", b"[1]", {}, 400, "Line 1 cannot be read: it is no object"),
        ("athletes.csv", file, {"Content-Type": "multipart/form-data; boundary=x"}, 415, "Send the file itself"),
        ("athletes.csv", file, {"Content-Encoding": "gzip"}, 415, "Send the file itself"),
    ]

    for path, content, headers, status, said in asked:
        answer = await bring(house, content, path, headers)

        assert (answer.status_code, said in answer.text) == (status, True), (path, answer.text)
    nobody = await house.http.post("/import/athletes.csv", content=file)
    put = await house.http.put("/import/athletes.csv", content=file, headers=house.bearer)
    assert (nobody.status_code, put.status_code, await count_of(house)) == (401, 405, 0)


async def test_the_lists_there_are_are_told(house: RunningHouse) -> None:
    answer = await house.http.get("/import", headers=house.bearer)

    told_of = {one["name"]: one for one in answer.json()["imports"]}
    assert told_of["athletes"] == {
        "name": "athletes",
        "role": "OPERATOR",
        "columns": ["id", "name", "shortName", "countryCode"],
    }


async def test_a_file_is_no_larger_than_it_may_be_however_it_comes(database_url: str) -> None:
    async with running_house(database_url, has_listener=False, largest_import=1024, served_import_rows=10) as house:
        long, many = table(athletes(200)), table(athletes(11))

        announced = await bring(house, long)
        in_pieces = await bring(house, _pieces(long))
        rows = await bring(house, many)

        assert [one.status_code for one in (announced, in_pieces, rows)] == [413, 413, 400]
        assert "A file has 1,024 bytes at most here" in announced.text
        assert "It has 10 rows at most: divide it." in rows.text
        assert await count_of(house) == 0


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for place in range(0, len(content), 500):
        yield content[place : place + 500]


async def test_no_more_are_taken_in_at_once_than_may_be_and_whoever_leaves_makes_room(house: RunningHouse) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", house.port)
    asked = f"POST /import/athletes.csv HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {house.secret}\r\n"
    writer.write(f"{asked}Content-Length: 1000\r\nExpect: 100-continue\r\n\r\nname".encode())
    async with asyncio.timeout(PATIENCE_SECONDS):
        goes_on = await reader.readline()

    refused = await bring(house, table(athletes(1)))
    # Whoever sends slowly keeps nobody from changing anything else.
    made = await house.execute('mutation { matCreate(input: {name: "M"}) { mat { name } } }')
    writer.close()

    async def is_free() -> bool:
        return (await bring(house, table(athletes(1)), "athletes.csv?dryRun=true")).status_code == 200

    await eventually(is_free, "room again")
    assert (goes_on, refused.status_code, refused.headers["retry-after"]) == (b"HTTP/1.1 100 Continue\r\n", 429, "10")
    assert made == {"matCreate": {"mat": {"name": "M"}}}
    assert await count_of(house) == 0


async def test_what_takes_too_long_is_ended_and_nothing_of_it_is_stored(database_url: str) -> None:
    async with running_house(database_url, has_listener=False, operation_seconds=0.3) as house:
        first = athletes(1)[0]
        # That a token is used is noted once, and not while the database is held.
        assert (await house.http.get("/import", headers=house.bearer)).status_code == 200
        async with house.house.db.transaction() as tx:
            # Whoever wants to store the same waits for what comes of this, and on SQLite everybody does.
            held = Athlete(name=first["name"], country_code="KOR", short_name="First")
            await tx.execute_many(insert(Athlete), [held.model_dump()])
            answer = await bring(house, table(athletes(300)))
    # By a server that has the time that it takes, however slow this machine is.
    async with running_house(database_url, has_listener=False) as house:
        again = await bring(house, table(athletes(300)))

    assert (answer.status_code, again.json()["import"]) == (504, told(300, 299, 0, 1))
    assert "`ringside import`" in answer.text


async def test_rows_are_paid_for_and_changes_are_counted(database_url: str, clock: ManualClock) -> None:
    few = {"budget": 50, "budget_per_second": 1.0}
    async with running_house(database_url, clock=clock, has_listener=False, **few) as house:
        first = await bring(house, table(athletes(60)))
        # No time has passed by this clock: what was brought is still owed.
        second = await bring(house, table(athletes(60)))

    assert (first.status_code, second.status_code) == (200, 429)
    assert int(second.headers["retry-after"]) >= 10


async def test_changes_are_counted(database_url: str, clock: ManualClock) -> None:
    async with running_house(database_url, clock=clock, has_listener=False, changes_per_second=0.1) as house:
        answers = [await bring(house, table(athletes(1))) for _ in range(2)]

    assert [one.status_code for one in answers] == [200, 429]


async def test_where_only_trusted_documents_are_run_no_file_is_taken_in(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "Any.graphql").write_text("query Any { __typename }")
    trusted: dict[str, Any] = {"trusted_only": True, "trusted_documents": str(tmp_path)}
    async with running_house(database_url, has_listener=False, **trusted) as house:
        answer = await bring(house, table(athletes(1)))

    assert (answer.status_code, "Only the documents" in answer.text) == (403, True)


async def test_whoever_watches_hears_of_it_and_the_console_alone_sets_what_is_its_own(house: RunningHouse) -> None:
    of_console = next(key.name for key in KEYS.values() if key.is_of_console)
    async with house.admitted() as socket:
        watched = socket.subscribe("subscription { settingChanged(category: BACKUPS) { settings { key value } } }")
        await anext(watched)

        refused = await bring(house, table([{"key": of_console, "value": "file:///etc"}]), "settings.csv")
        stored = await bring(house, table([{"key": "backups.keep", "value": "5"}]), "settings.csv")
        async with asyncio.timeout(PATIENCE_SECONDS):
            shown = await anext(watched)
        await watched.aclose()

    assert (refused.status_code, "machine's own console" in refused.text) == (422, True)
    assert stored.status_code == 200
    assert {"key": "backups.keep", "value": 5} in shown["settingChanged"]["settings"]


# At the console


def ringside(*words: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, words)


async def test_a_server_that_runs_is_sent_a_file(house: RunningHouse, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_bytes(table(athletes(3)))
    bad.write_bytes(table([{"name": "", "countryCode": "KOR"}]))
    there = ("--url", house.url, "--token", house.secret)

    async def run(*words: str) -> Result:
        return await asyncio.to_thread(ringside, "import", *words, *there)

    looked = await run("athletes", str(good), "--dry-run")
    done = await run("athletes", str(good))
    again = await run("athletes", str(good), "--json")
    wrong = await run("athletes", str(bad))
    none = await run("rounds", str(good))
    whose = await run("athletes", str(good), "--user", "anna")

    assert looked.stdout == "Would be taken in: 3 rows, 3 made, 0 changed, 0 unchanged\n"
    assert done.stdout == "Taken in: 3 rows, 3 made, 0 changed, 0 unchanged\n"
    counted = {"rows": 3, "made": 0, "changed": 0, "unchanged": 3, "problemCount": 0, "problems": [], "isStored": True}
    assert orjson.loads(again.stdout) == counted
    assert (wrong.exit_code, "A name has 1 to 200 characters." in wrong.stdout) == (1, True)
    assert (none.exit_code, "There is no list 'rounds' to import" in none.stderr) == (1, True)
    assert (whose.exit_code, "leave out --user" in whose.stderr) == (1, True)
    assert await count_of(house) == 3
