"""The commands that keep a database: settings, backups' settings, housekeeping, and what it holds."""

import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from db.settings.registry import KEYS
from tests.api.test_cli import refusal, ringside


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated_file: Path) -> Path:
    """A migrated file of this test's own, named by the environment."""
    path = tmp_path / "ringside.db"
    shutil.copy(migrated_file, path)
    monkeypatch.setenv("RINGSIDE_DATABASE", f"sqlite:///{path}")
    monkeypatch.delenv("RINGSIDE_SECRET_KEY", raising=False)
    return path


def test_a_setting_is_set_shown_and_reset() -> None:
    told = ringside("settings", "set", "backups.keep", "30", "--reason", "A larger disk")
    shown = {one["key"]: one for one in orjson.loads(ringside("settings", "list", "--json").stdout)}
    back = orjson.loads(ringside("settings", "reset", "backups.keep", "--json").stdout)

    assert told.stdout == "backups.keep is 30\n"
    assert set(shown) == set(KEYS)
    assert shown["backups.keep"] == {"key": "backups.keep", "kind": "INTEGER", "value": 30, "isSet": True}
    assert back == {"key": "backups.keep", "kind": "INTEGER", "value": 14, "isSet": False}
    assert "backups.keep" in ringside("settings", "list").stdout


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("backups.keeps", "3", "There is no setting 'backups.keeps'. Did you mean backups.keep?"),
        ("backups.keep", "many", "backups.keep is a whole number."),
        ("backups.keep", "0", "backups.keep is 1 to 10000."),
        ("logging.level", "LOUD", "logging.level is one of DEBUG, INFO, WARNING, ERROR."),
    ],
)
def test_what_cannot_be_set_is_refused_with_the_rule(key: str, value: str, told: str) -> None:
    assert refusal("settings", "set", key, value) == told


def test_a_secret_is_stored_and_not_shown() -> None:
    secret = orjson.dumps({"secret": "swordfish"}).decode()
    told = [
        ringside("settings", "set", "backups.credentials", secret),
        ringside("settings", "list"),
        ringside("settings", "list", "--json"),
    ]

    assert [result.exit_code for result in told] == [0, 0, 0]
    assert "It is stored as it is: set RINGSIDE_SECRET_KEY" in told[0].stdout
    assert "swordfish" not in "".join(result.output for result in told)


def test_the_history_says_what_was_changed_and_why_and_of_a_secret_only_that() -> None:
    ringside("settings", "set", "backups.keep", "30", "--reason", "A larger disk")
    ringside("settings", "set", "backups.credentials", orjson.dumps({"secret": "swordfish"}).decode())
    ringside("settings", "reset", "backups.keep")

    told = orjson.loads(ringside("settings", "history", "--json").stdout)
    of_one = orjson.loads(ringside("settings", "history", "backups.keep", "--most", "1", "--json").stdout)
    table = ringside("settings", "history").stdout

    for one in told:
        assert datetime.fromisoformat(one.pop("changedAt")).tzinfo == UTC
    keep = {"key": "backups.keep", "changedBy": None}
    secret = {"key": "backups.credentials", "changedBy": None, "oldValue": None, "newValue": None}
    assert told == [
        keep
        | {"revision": 2, "oldValue": 30, "newValue": None, "hasOldValue": True, "hasNewValue": False, "reason": ""},
        secret | {"revision": 1, "hasOldValue": False, "hasNewValue": True, "reason": ""},
        keep
        | {
            "revision": 1,
            "oldValue": None,
            "newValue": 30,
            "hasOldValue": False,
            "hasNewValue": True,
            "reason": "A larger disk",
        },
    ]
    assert [(one["key"], one["revision"]) for one in of_one] == [("backups.keep", 2)]
    assert refusal("settings", "history", "backups.keeps") == (
        "There is no setting 'backups.keeps'. Did you mean backups.keep?"
    )
    assert ("(not set)" in table, "(not shown)" in table, "swordfish" in table) == (True, True, False)


def test_a_backup_is_deleted_by_its_name(tmp_path: Path) -> None:
    target = ("--target", str(tmp_path / "kept"))
    first, second = (orjson.loads(ringside("backup", "create", *target, "--json").stdout)["name"] for _ in range(2))

    # Which one that is may be another by the time it is deleted.
    latest = refusal("backup", "delete", "latest", *target)
    told = ringside("backup", "delete", first, *target)
    again = refusal("backup", "delete", first, *target)
    left = [one["name"] for one in orjson.loads(ringside("backup", "list", *target, "--json").stdout)]

    assert "latest" in latest
    assert told.stdout == f"Deleted {first}\n"
    assert (again, left) == (f"There is no backup {first}.", [second])


def test_what_would_be_let_go_is_told_and_then_let_go() -> None:
    ringside("settings", "set", "backups.keep", "30")
    ringside("settings", "set", "backups.keep", "31")
    ringside("settings", "set", "retention.setting_changes_rows", "1")

    trial = orjson.loads(ringside("housekeeping", "run", "--dry-run", "--json").stdout)
    done = orjson.loads(ringside("housekeeping", "run", "--json").stdout)
    again = orjson.loads(ringside("housekeeping", "run", "--json").stdout)

    def rows(told: dict[str, list[dict[str, object]]]) -> list[object]:
        return [one["rows"] for one in told["tables"] if one["name"] == "setting_changes"]

    assert (rows(trial), rows(done), rows(again)) == ([1], [1], [0])
    assert "setting_changes" in ringside("housekeeping", "run").stdout


def test_a_database_says_where_it_stands_and_that_it_is_sound() -> None:
    status = orjson.loads(ringside("database", "status", "--json").stdout)
    sound = ringside("database", "check")

    assert (status["engine"], status["pending"], status["revision"]) == ("sqlite", [], status["revision"])
    assert {one["name"] for one in status["tables"]} >= {"settings", "mats", "backup_jobs"}
    assert sound.exit_code == 0
    assert re.fullmatch(
        r"Sound: [0-9,]+ pages of the file, [0-9]+ references between tables, 0 users and entries with their .*\n",
        sound.stdout,
    )
    assert "bytes" in ringside("database", "status").stdout


def test_a_file_that_is_broken_is_said_to_be(kept: Path) -> None:
    with kept.open("r+b") as file:
        # Inside the second page and beyond the header: a page of some table or index.
        file.seek(4096 + 1)
        file.write(b"\xff" * 64)

    result = ringside("database", "check")

    assert result.exit_code == 1
    assert "Sound" not in result.stdout
