"""Files of goals at the console: taken in with a report, refused with reasons, and written out again."""

import asyncio
import shutil
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from typer.testing import CliRunner, Result

from api.cli import app
from db.practice.events import GoalTreeChanged
from tests.support.goal_files import SHARED, goal
from tests.support.house import PATIENCE_SECONDS, running_house


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(migrated_file, tmp_path / "ringside.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGSIDE_DATABASE", f"sqlite:///{tmp_path / 'ringside.db'}")
    monkeypatch.setenv("COLUMNS", "200")
    ringside("token", "create", "--user", "anna", "--role", "MEMBER", "--label", "Laptop")


def ringside(*words: str) -> Result:
    return CliRunner().invoke(app, words)


def written(name: str, trees: object) -> str:
    Path(name).write_bytes(orjson.dumps(trees))
    return name


def test_a_file_goes_in_and_comes_out_as_it_was() -> None:
    file = written("goals_db.json", SHARED)

    looked = ringside("import", "goals", file, "--user", "anna", "--dry-run")
    taken = ringside("import", "goals", file, "--user", "anna")
    again = ringside("import", "goals", file, "--user", "anna", "--json")
    out = ringside("export", "goals", "--user", "anna")
    to_file = ringside("export", "goals", "out.json", "--user", "anna", "--json")

    assert looked.stdout == "Would be taken in: 6 made, 0 merged, 0 unchanged, 2 linked\n"
    assert taken.stdout == "Taken in: 6 made, 0 merged, 0 unchanged, 2 linked\n"
    assert orjson.loads(again.stdout) == {
        "made": 0,
        "merged": 0,
        "unchanged": 6,
        "linked": 0,
        "refused": [],
        "dangling": [],
        "isStored": True,
    }
    assert orjson.loads(out.stdout) == orjson.loads(Path("out.json").read_bytes()) == SHARED
    assert orjson.loads(to_file.stdout) == {"file": "out.json", "bytes": len(Path("out.json").read_bytes())}


def test_a_file_with_anything_wrong_is_refused_with_reasons() -> None:
    wrong = written("wrong.json", [*SHARED, goal("NanoGoal", "Alone", id=SHARED[0]["id"][:-1] + "9")])

    shown = ringside("import", "goals", wrong, "--user", "anna")
    told = ringside("import", "goals", wrong, "--user", "anna", "--json")
    out = ringside("export", "goals", "--user", "anna")

    assert (shown.exit_code, told.exit_code) == (1, 1)
    assert "Refused: 0 made" in shown.stdout
    assert "A goal of level NANO stands under another goal or a session" in shown.stdout
    answer = orjson.loads(told.stdout)
    assert (answer["isStored"], [one["place"] for one in answer["refused"]]) == (False, ["2"])
    assert orjson.loads(out.stdout) == []


def test_a_user_who_is_not_there_is_named() -> None:
    result = ringside("import", "goals", written("x.json", []), "--user", "bob")

    assert result.exit_code == 1
    assert result.stderr == "ringside: There is no user bob. `ringside token create --user bob` makes one.\n"


async def test_a_file_that_a_server_takes_in_is_heard_by_whoever_watches_there(database_url: str) -> None:
    file = written("goals_db.json", SHARED)
    wrong = written("wrong.json", [goal("NanoGoal", "Alone")])
    top = UUID(SHARED[0]["id"])

    async with running_house(database_url, has_listener=False) as house:
        there = ("--url", f"http://127.0.0.1:{house.port}", "--token", house.secret)
        with house.house.db.bus.listen(top, of=GoalTreeChanged) as heard:
            looked = await asyncio.to_thread(ringside, "import", "goals", file, *there, "--dry-run")
            before = heard.take()
            taken = await asyncio.to_thread(ringside, "import", "goals", file, *there)
            # Where the database carries the bus, it is read a moment later.
            async with asyncio.timeout(PATIENCE_SECONDS):
                after = [await anext(heard), *heard.take()]
        refused = await asyncio.to_thread(ringside, "import", "goals", wrong, *there, "--json")
        nobody = await asyncio.to_thread(ringside, "import", "goals", file, *there[:2], "--token", "x")

    assert looked.stdout == "Would be taken in: 6 made, 0 merged, 0 unchanged, 2 linked\n"
    assert (before, [event.root.id for event in after]) == ([], [top])
    assert taken.stdout == "Taken in: 6 made, 0 merged, 0 unchanged, 2 linked\n"
    told = orjson.loads(refused.stdout)
    assert (refused.exit_code, told["isStored"], [one["place"] for one in told["refused"]]) == (1, False, ["1"])
    assert (nobody.exit_code, "not a token of Ringside" in nobody.stderr) == (1, True)


def test_a_server_is_not_told_whose_goals_they_are_and_must_be_there() -> None:
    file = written("x.json", [])

    both = ringside("import", "goals", file, "--url", "http://127.0.0.1:9", "--user", "anna")
    away = ringside("import", "goals", file, "--url", "http://127.0.0.1:9", "--token", "x")

    assert (both.exit_code, away.exit_code) == (1, 1)
    assert "the token says whose goals they are" in both.stderr
    assert "No server of Ringside answers at http://127.0.0.1:9" in away.stderr
