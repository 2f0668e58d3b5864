"""Flags for browsers and in the graph: `/flags/KOR`, the folder of the server, and the command that fills it."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from api.cli import app
from db.database import Database
from tests.conftest import ManualClock
from tests.db.stored import NOW
from tests.support.competition import hold
from tests.support.flagging import PNG, store, svg
from tests.support.graph import Graph
from tests.support.house import RunningHouse, running_house

SCAN = """
mutation {
  flagsScan {
    scan { fileCount addedCount recognizedCount unrecognized refused { fileName reason } }
    errors { code message }
  }
}
"""
FLAGS = "{ athletes: matches { nodes { sides { athlete { countryCode flag { iocCode url isShown } } } } } }"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "flags"
    made.mkdir()
    (made / "KOR.svg").write_bytes(svg())
    (made / "Germany.png").write_bytes(PNG)
    return made


@pytest.fixture
async def house(database_url: str, folder: Path) -> AsyncIterator[RunningHouse]:
    async with running_house(database_url, has_listener=False, flags_directory=str(folder)) as running:
        yield running


async def test_the_folder_of_the_server_is_looked_through_and_its_flags_are_shown(
    house: RunningHouse, folder: Path
) -> None:
    (folder / "logo.svg").write_bytes(svg())
    (folder / "evil.svg").write_bytes(b'<svg onload="x"/>')

    scanned = await house.execute(SCAN)
    korea = await house.http.get("/flags/KOR")
    germany = await house.http.get("/flags/ger")
    again = await house.http.get("/flags/KOR", headers={"If-None-Match": korea.headers["etag"]})

    assert scanned["flagsScan"] == {
        "scan": {
            "fileCount": 4,
            "addedCount": 3,
            "recognizedCount": 2,
            "unrecognized": ["logo.svg"],
            "refused": [{"fileName": "evil.svg", "reason": "It has the attribute onload, which could run something."}],
        },
        "errors": [],
    }
    assert (korea.status_code, korea.content, korea.headers["content-type"]) == (200, svg(), "image/svg+xml")
    assert korea.headers["cache-control"] == "public, max-age=300"
    assert korea.headers["x-content-type-options"] == "nosniff"
    assert korea.headers["content-security-policy"].startswith("default-src 'none';")
    assert korea.headers["content-security-policy"].endswith("sandbox")
    assert (germany.content, germany.headers["content-type"]) == (PNG, "image/png")
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", korea.headers["etag"])


async def test_codes_that_nobody_knows_and_paths_that_lead_elsewhere_have_no_flag(house: RunningHouse) -> None:
    await house.execute(SCAN)
    paths = [
        "MRN",
        "FRA",
        "KOR.svg",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "..%5c..%5cwin.ini",
        "%2fetc%2fpasswd",
        "K%00R",
        "K" * 300,
        "con",
        "%ff",
        "K%20R",
        # In wide letters.
        "%EF%BC%AB%EF%BC%AF%EF%BC%B2",
    ]

    answers = {path: await house.http.get(f"/flags/{path}") for path in paths}

    assert {path: answer.status_code for path, answer in answers.items()} == dict.fromkeys(paths, 404)
    assert [path for path, answer in answers.items() if "root:" in answer.text or "<svg" in answer.text] == []


async def test_a_server_that_was_told_of_no_folder_says_what_to_do(database_url: str) -> None:
    async with running_house(database_url, has_listener=False) as house:
        scanned = await house.execute(SCAN)

    assert scanned["flagsScan"] == {
        "scan": None,
        "errors": [
            {
                "code": "CONFLICT",
                "message": "This server was told of no folder: start it with RINGSIDE_FLAGS_DIRECTORY=….",
            }
        ],
    }


async def test_athletes_have_the_flags_of_their_codes_in_one_statement_more(
    graph: Graph, db: Database, clock: ManualClock
) -> None:
    await hold(db, clock.now(), mats=2)
    await store(db, "KOR.svg", NOW)

    with graph.statements() as run:
        data = await graph.execute(FLAGS)
    stock = await graph.on_graphql_core().execute(FLAGS)

    korea = {"countryCode": "KOR", "flag": {"iocCode": "KOR", "url": "/flags/KOR", "isShown": True}}
    sides = [{"athlete": korea}, {"athlete": {"countryCode": "GER", "flag": None}}]
    assert data == stock == {"athletes": {"nodes": [{"sides": sides}] * 2}}
    assert len(run) == 4


# The command.


def test_the_command_stores_the_flags_of_a_folder_and_says_what_it_found(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RINGSIDE_DATABASE", f"sqlite:///{tmp_path / 'ringside.db'}")
    (folder / "logo.svg").write_bytes(svg())
    (folder / "evil.svg").write_bytes(b"<svg><script/></svg>")
    runner = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})

    for_people = runner.invoke(app, ["flags", "scan", str(folder)])
    for_programs = runner.invoke(app, ["flags", "scan", str(folder), "--json"])
    nowhere = runner.invoke(app, ["flags", "scan", str(tmp_path / "nowhere")])

    assert for_people.exit_code == 0, for_people.output
    assert "Looked at 4 images: 2 recognised, 1 not, 1 refused; 3 new, 0 changed, 0 as they were." in for_people.stdout
    assert "logo.svg" in for_people.stdout
    assert "It holds <script>" in for_people.stdout
    assert "4/4" in for_people.stderr
    told = orjson.loads(for_programs.stdout)
    assert (told["files"], told["unchanged"], told["unrecognized"]) == (4, 3, ["logo.svg"])
    assert nowhere.exit_code == 2
    with sqlite3.connect(tmp_path / "ringside.db") as connection:
        (shown,) = connection.execute("SELECT group_concat(code) FROM flags WHERE code IS NOT NULL").fetchone()
    connection.close()
    assert set(shown.split(",")) == {"KOR", "GER"}
