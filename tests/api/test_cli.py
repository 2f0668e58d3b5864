"""The command line: what each command does, says and ends with."""

import asyncio
import os
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from uuid import uuid4

import orjson
import pytest
from typer.main import get_command
from typer.testing import CliRunner, Result

from api.capture import read_capture
from api.cli import app
from api.fights import invented_fight
from api.settings import Settings
from db.connecting import connect
from db.matches import operations as matches
from schema import print_contract
from tests.support.captures import CHALLENGE
from tests.support.competition import begun_fight, say
from tests.support.loaded import begun
from tests.support.postgresql import Server
from tests.support.process import serving

_PATIENCE_SECONDS = 60
_RUNNER = CliRunner(env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})


@pytest.fixture(autouse=True)
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of this test's own, named by the environment, and nothing else of ours in it."""
    for name in os.environ:
        if name.startswith("RINGSIDE_") and name != "RINGSIDE_TEST_POSTGRESQL":
            monkeypatch.delenv(name)
    path = tmp_path / "ringside.db"
    monkeypatch.setenv("RINGSIDE_DATABASE", f"sqlite:///{path}")
    return path


@pytest.fixture
def _migrated(database: Path, migrated_file: Path) -> None:
    """That file as a migration leaves it, which every other command makes of nothing."""
    shutil.copy(migrated_file, database)


def ringside(*arguments: str) -> Result:
    return _RUNNER.invoke(app, list(arguments))


def refusal(*arguments: str) -> str:
    """Run what must fail with a sentence, and return the sentence."""
    result = ringside(*arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("ringside: ")
    return result.stderr.removeprefix("ringside: ").rstrip("\n")


def _leaves(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    below = getattr(command, "commands", None)
    if below is None:
        yield path
        return
    for name, one in below.items():
        yield from _leaves(one, (*path, name))


_VERSIONS = Path(__file__).parents[2] / "migrations" / "versions"
_COMMANDS = sorted(_leaves(get_command(app)))


# Help


def test_these_are_the_commands() -> None:
    assert [" ".join(command) for command in _COMMANDS] == [
        "backup create",
        "backup delete",
        "backup list",
        "backup restore",
        "backup verify",
        "capture",
        "database check",
        "database status",
        "executions cancel",
        "executions list",
        "executions retry",
        "executions show",
        "explain",
        "export",
        "feeds add",
        "feeds list",
        "feeds poll",
        "flags scan",
        "goals add",
        "goals create",
        "goals hide",
        "goals list",
        "goals reset",
        "goals show",
        "goals unhide",
        "goals watch",
        "housekeeping run",
        "import",
        "matches rebuild",
        "migrate down",
        "migrate status",
        "migrate up",
        "replay",
        "schema",
        "serve",
        "settings history",
        "settings list",
        "settings reset",
        "settings set",
        "simulate fight",
        "simulate stream",
        "social recount",
        "token create",
        "token list",
        "token revoke",
    ]


@pytest.mark.parametrize("command", _COMMANDS, ids=" ".join)
def test_every_command_shows_an_example(command: tuple[str, ...]) -> None:
    result = ringside(*command, "--help")

    assert result.exit_code == 0
    assert re.search(rf"Example: ringside {' '.join(command)}\b", result.stdout)


def test_every_option_of_the_server_may_stand_in_the_environment() -> None:
    named = set(re.findall(r"RINGSIDE_(\w+)", ringside("serve", "--help").stdout))

    assert named - {"DEMO"} <= {name.upper() for name in Settings.model_fields}
    assert {"DATABASE", "DEMO", "HOST", "PORT", "PSS_PORT", "SPEED"} <= named


def test_without_a_command_help_is_shown() -> None:
    assert "serve" in ringside().output


def test_the_version_is_that_of_the_package() -> None:
    assert ringside("--version").stdout == f"ringside {version('ringside')}\n"


# Tokens


def test_a_token_is_made_shown_and_revoked() -> None:
    made = ringside("token", "create", "--user", "anna", "--role", "OPERATOR", "--label", "Laptop", "--days", "1")
    secret = made.stdout.splitlines()[-1]
    listed = ringside("token", "list")
    revoked = ringside("token", "revoke", secret[:11])
    after = ringside("token", "list")

    assert (made.exit_code, listed.exit_code, revoked.exit_code, after.exit_code) == (0, 0, 0, 0)
    assert re.fullmatch(r"rs_\w{8}_[\w-]{43}", secret)
    assert all(word in listed.stdout for word in (secret[:11], "anna", "API", "Laptop"))
    assert secret not in listed.stdout
    assert revoked.stdout == f"Revoked {secret[:11]}… (Laptop)\n"
    assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", listed.stdout)) == 2
    assert len(re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d", after.stdout)) == 3


@pytest.mark.usefixtures("_migrated")
def test_programs_are_told_in_json() -> None:
    made = orjson.loads(ringside("token", "create", "--label", "Script", "--json").stdout)
    listed = orjson.loads(ringside("token", "list", "--json").stdout)
    revoked = orjson.loads(ringside("token", "revoke", made["prefix"], "--json").stdout)

    secret = made.pop("secret")
    assert listed == [made]
    assert secret.startswith(made["prefix"])
    assert {name: made[name] for name in ("user", "kind", "label", "lastUsedAt", "expiresAt", "revokedAt")} == {
        "user": "admin",
        "kind": "API",
        "label": "Script",
        "lastUsedAt": None,
        "expiresAt": None,
        "revokedAt": None,
    }
    assert revoked["token"] == made["id"]
    assert revoked["revokedAt"].endswith("Z")


@pytest.mark.usefixtures("_migrated")
def test_json_is_one_line() -> None:
    for command in (["token", "create", "--label", "x"], ["token", "list"], ["migrate", "up"], ["migrate", "status"]):
        assert ringside(*command, "--json").stdout.count("\n") == 1


@pytest.mark.usefixtures("_migrated")
def test_an_overlays_token_is_bound_to_what_is_named() -> None:
    made = orjson.loads(
        ringside("token", "create", "--label", "OBS", "--overlay-of", f"mat_{uuid4().hex}", "--json").stdout
    )

    assert made["kind"] == "OVERLAY"
    assert "bound to what mat_…, match_…, stream_…" in refusal(
        "token", "create", "--label", "OBS", "--overlay-of", "user_1"
    )


@pytest.mark.usefixtures("_migrated")
def test_a_token_that_is_not_there_is_not_revoked() -> None:
    assert refusal("token", "revoke", "rs_nothing0") == (
        "There is no token that begins with rs_nothing0. `ringside token list` shows them."
    )


@pytest.mark.usefixtures("_migrated")
def test_a_label_is_shown_and_not_obeyed() -> None:
    label = "[/] [bold]x[/bold] \x1b[31mred"

    made = ringside("token", "create", "--label", label)
    listed = ringside("token", "list")

    assert (made.exit_code, listed.exit_code) == (0, 0)
    assert "[/] [bold]x[/bold] \ufffd[31mred" in made.stdout
    assert "[bold]x[/bold]" in listed.stdout
    assert "\x1b" not in made.stdout + listed.stdout


def test_no_database_is_made_by_looking_at_it(database: Path) -> None:
    assert refusal("token", "list") == f"There is no database {database} yet: `ringside serve` makes it."
    assert refusal("token", "revoke", "rs_x").startswith("There is no database")
    assert ringside("migrate", "status").exit_code == 1
    assert not database.exists()


@pytest.mark.parametrize("days", ["0", "-1", "1e12", "nan", "long"])
def test_a_lifetime_is_one_that_can_be(days: str) -> None:
    result = ringside("token", "create", "--label", "x", "--days", days)

    assert result.exit_code == 2
    assert "Invalid value" in result.stderr


# Migrations


@pytest.mark.usefixtures("_migrated")
def test_counters_are_compared_and_mended(database: Path) -> None:
    ringside("token", "create", "--label", "x", "--user", "Ann")
    right = ringside("social", "recount")
    with sqlite3.connect(database) as connection:
        ((ann,),) = connection.execute("UPDATE users SET follower_count = 7 RETURNING id").fetchall()
    connection.close()
    wrong = ringside("social", "recount", "--json")
    mended = ringside("social", "recount", "--repair")

    assert (right.exit_code, right.stdout) == (0, "Every counter says what there is.\n")
    drift = {"id": f"user_{ann}", "counter": "follower_count", "counted": 7, "actual": 0}
    assert (wrong.exit_code, orjson.loads(wrong.stdout)) == (1, {"found": [drift], "isRepaired": False})
    assert (mended.exit_code, mended.stdout.splitlines()[-1]) == (0, "They were mended.")
    assert ringside("social", "recount").exit_code == 0


@pytest.mark.usefixtures("_migrated")
def test_what_is_folded_is_made_again(database: Path) -> None:
    nothing = ringside("matches", "rebuild")
    asyncio.run(_fight(f"sqlite:///{database}"))
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM points")
        connection.execute("UPDATE rounds SET blue_score = 99")
        ((mat,),) = connection.execute("SELECT id FROM mats").fetchall()
    connection.close()
    made = ringside("matches", "rebuild", "--json")
    with sqlite3.connect(database) as connection:
        told = connection.execute("SELECT (SELECT count(*) FROM points), blue_score FROM rounds").fetchall()
    connection.close()

    assert (nothing.exit_code, nothing.stdout) == (0, "There are no mats.\n")
    shown = {"id": f"mat_{mat}", "name": "Mat 1", "entries": len(begun_fight("1")), "fights": 1, "changed": 0}
    assert (made.exit_code, orjson.loads(made.stdout)) == (0, {"mats": [shown]})
    assert told == [(1, 3)]
    assert "Mat 1" in ringside("matches", "rebuild", "--mat", f"mat_{mat}").stdout
    assert refusal("matches", "rebuild", "--mat", "mat_" + "0" * 32) == "There is no such mat."


async def _fight(url: str) -> None:
    db = await connect(url)
    now = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
    async with db.transaction() as tx:
        mat = await matches.create_mat(tx, name="Mat 1", now=now)
        await say(tx, mat.id, now, *begun_fight("1"))
    await db.close()


def test_a_database_goes_forward_and_back() -> None:
    fresh = orjson.loads(ringside("migrate", "status", "--json").stdout)
    newest = fresh["newest"]
    before = ringside("migrate", "status")
    up = ringside("migrate", "up")
    at_the_top = ringside("migrate", "status")
    down = ringside("migrate", "down", "0001")
    part_way = ringside("migrate", "status")
    base = orjson.loads(ringside("migrate", "down", "base", "--json").stdout)

    assert fresh["current"] is None
    assert (before.exit_code, up.exit_code, at_the_top.exit_code) == (1, 0, 0)
    assert (down.exit_code, part_way.exit_code) == (0, 1)
    assert f"The database is at nothing, newest is {newest}." in before.stdout
    assert "The database is up to date." in up.stdout
    assert f"The database is at 0001, newest is {newest}." in part_way.stdout
    assert [one["isApplied"] for one in base["revisions"]] == [False] * len(base["revisions"])


@pytest.mark.parametrize("move", ["up", "down"])
def test_a_revision_that_is_none_is_refused_with_those_there_are(move: str) -> None:
    known = ", ".join(sorted(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*.py")))
    assert refusal("migrate", move, "nonsense") == (
        f"There is no way to revision 'nonsense' from here. Those there are: {known}, head and base."
    )


def test_a_database_url_names_an_engine_of_ours() -> None:
    for url in ("sqlite:///:memory:", "sqlite://", "sqlite:///"):
        assert refusal("token", "list", "--database", url).startswith("A SQLite URL names a file")

    assert refusal("token", "list", "--database", "mysql://root:hunter2@localhost/x") == (
        "A database URL begins with sqlite:/// or postgresql://: mysql://root:***@localhost/x does not."
    )


@pytest.mark.postgresql
def test_a_server_that_is_away_is_said_to_be_away() -> None:
    url = "postgresql://ringside:hunter2@127.0.0.1:1/ringside"

    for command in (["migrate", "status"], ["migrate", "up"], ["token", "list"], ["serve"]):
        sentence = refusal(*command, "--database", url)
        assert "postgresql://ringside:***@127.0.0.1:1/ringside cannot be reached" in sentence
        assert "hunter2" not in sentence


@pytest.mark.postgresql
def test_a_server_database_that_is_not_there_is_said_not_to_be(postgresql_server: Server) -> None:
    sentence = refusal("migrate", "status", "--database", postgresql_server.url("ringside_no_such_database"))

    assert sentence.endswith('cannot be reached: database "ringside_no_such_database" does not exist')


@pytest.mark.postgresql
def test_an_unmigrated_server_database_is_refused_with_the_command_to_type(postgresql_server: Server) -> None:
    name = f"ringside_test_{uuid4().hex[:12]}"
    postgresql_server.create(name)
    url = postgresql_server.url(name)
    try:
        refused = [refusal("serve", "--database", url), refusal("token", "list", "--database", url)]
        moved = ringside("migrate", "up", "--database", url)
        made = ringside("token", "create", "--label", "x", "--database", url)
        back = ringside("migrate", "down", "base", "--database", url)
    finally:
        postgresql_server.drop(name)

    assert [sentence.partition(". ")[2] for sentence in refused] == [
        f"Bring it up to date first: ringside migrate up --database {url}"
    ] * 2
    assert (moved.exit_code, made.exit_code, back.exit_code) == (0, 0, 0)


# Replay


@contextmanager
def _ear() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(_PATIENCE_SECONDS)
        yield ear


def test_a_capture_is_sent_and_progress_shown() -> None:
    with _ear() as ear:
        port = ear.getsockname()[1]

        result = ringside("replay", str(CHALLENGE), "--to", f"127.0.0.1:{port}", "--speed", "10000")

        heard = [ear.recv(65_536).decode() for _ in range(39)]
    assert result.exit_code == 0
    assert result.stdout == ""
    assert f"{CHALLENGE.name}" in result.stderr
    assert "39/39" in result.stderr
    assert (heard[0], heard[-1]) == ("pre;FightLoaded", "wmh;;0-0 WDR")


def test_what_a_network_loses_is_not_sent_and_the_rest_is_said_to_be() -> None:
    with _ear() as ear:
        to = f"127.0.0.1:{ear.getsockname()[1]}"
        disturbed = ("--loss", "0.5", "--reorder", "0.5", "--jitter", "0.01", "--seed", "3", "--speed", "10000")

        result = ringside("replay", str(CHALLENGE), "--to", to, "--json", *disturbed)

        sent = orjson.loads(result.stdout)["sent"]
        heard = [ear.recv(65_536).decode() for _ in range(sent)]
    wires = [one.wire for one in read_capture(CHALLENGE)]
    assert 0 < sent < 39
    assert Counter(heard) <= Counter(wires)
    assert heard != [wire for wire in wires if wire in heard]


def test_a_fight_is_invented_sent_and_written_to_a_file(tmp_path: Path) -> None:
    path = tmp_path / "invented.tsv"
    with _ear() as ear:
        to = f"127.0.0.1:{ear.getsockname()[1]}"
        sent = ringside("simulate", "fight", "--seed", "5", "--to", to, "--speed", "10000")
        first = ear.recv(65_536)
    written = ringside("simulate", "fight", "--seed", "5", "--out", str(path), "--json")

    fight = invented_fight(5)
    assert (sent.exit_code, first) == (0, b"pre;FightLoaded")
    assert f"Fought {len(fight)} messages to {to}: {fight[-1].wire}" in sent.stdout
    assert orjson.loads(written.stdout) == {
        "seed": 5,
        "messages": len(fight),
        "result": fight[-1].wire,
        "file": str(path),
    }
    assert read_capture(path) == fight
    assert refusal("simulate", "fight", "--out", str(path)) == (
        f"There is a file {path} already: name another, or say --force."
    )


def test_a_program_is_told_what_was_sent() -> None:
    with _ear() as ear:
        to = f"127.0.0.1:{ear.getsockname()[1]}"

        result = ringside(
            "replay", str(CHALLENGE), "--to", to, "--speed", "10000", "--longest-silence", "0.5", "--json"
        )

    assert orjson.loads(result.stdout) == {"file": str(CHALLENGE), "sent": 39, "to": to}
    assert result.stderr == ""


@pytest.mark.parametrize(
    "address", ["nowhere", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", ":x", "a:²"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    assert refusal("replay", str(CHALLENGE), "--to", address) == (
        f"An address looks like 127.0.0.1:6000, this does not: {address!r}"
    )


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "line 1: a capture begins with the columns offset_ms, wire, text_is."),
        (
            "offset_ms\twire\ttext_is\n0\ta\tx\nsoon\tb\tx\n",
            'line 3: the offset is "soon", not a whole number of milliseconds.',
        ),
        ("offset_ms\twire\ttext_is\n0\ta\n", "line 2: there are 2 columns, not 3."),
        ("offset_ms\twire\ttext_is\n5\ta\tx\n4\tb\tx\n", "line 3: the offset is smaller than the one before it."),
    ],
)
def test_a_file_that_is_no_capture_is_refused_by_line(tmp_path: Path, content: str, fault: str) -> None:
    path = tmp_path / "fight.tsv"
    path.write_text(content)

    assert refusal("replay", str(path)) == f"fight.tsv, {fault}"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = ringside("replay", str(tmp_path / "fight.tsv"))

    assert result.exit_code == 2
    assert "does not exist" in result.stderr


# The schema and the settings


def test_the_schema_is_printed_for_programs() -> None:
    assert ringside("schema").stdout == print_contract()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "99999", "port cannot be '99999': Input should be less than or equal to 65535."),
        ("PSS_PORT", "-1", "pss-port cannot be '-1': Input should be greater than or equal to 0."),
        ("SPEED", "0", "speed cannot be '0': Input should be greater than 0."),
        ("DRAIN_SECONDS", "soon", "drain-seconds cannot be 'soon': Input should be a valid integer"),
        (
            "LISTENER_ADDRESSES",
            "10.0.0.1,eth0",
            "listener-addresses cannot be ['10.0.0.1', 'eth0']: Value error, 'eth0' is no address, as 192.168.1.5 is.",
        ),
        ("LOG_LEVEL", "LOUD", "log-level cannot be 'LOUD'"),
        ("LOG_JSON", "perhaps", "log-json cannot be 'perhaps': Input should be a valid boolean"),
    ],
)
def test_a_setting_that_cannot_be_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    monkeypatch.setenv(f"RINGSIDE_{name}", value)

    assert refusal("token", "list").startswith(sentence)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGSIDE_PORT", "9000")
    monkeypatch.setenv("RINGSIDE_ALLOWED_HOSTS", "scores.example.org, localhost")
    monkeypatch.setenv("RINGSIDE_LOG_LEVEL", "debug")

    settings = Settings()

    assert (settings.port, settings.allowed_hosts, settings.log_level) == (
        9000,
        ["scores.example.org", "localhost"],
        "debug",
    )
    assert Settings(port=9001).port == 9001


# Serving


# On free ports.
_SERVE = ("serve", "--port", "0", "--pss-port", "0")


@contextmanager
def _serving(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the script as a shell would, and stop it as a person would."""
    script = Path(sys.executable).with_name("ringside")
    with subprocess.Popen(  # noqa: S603 -- our own script
        [script, *_SERVE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(_PATIENCE_SECONDS)
            finally:
                process.kill()


def _get(url: str) -> tuple[int, str]:
    with urllib.request.urlopen(url, timeout=_PATIENCE_SECONDS) as response:  # noqa: S310 -- a URL of our own server
        return response.status, response.read().decode()


def test_the_demonstration_prints_one_line_for_programs_and_works() -> None:
    with _serving("--demo", "--json", "--speed", "100") as process:
        assert process.stdout is not None
        told = orjson.loads(process.stdout.readline())
        page = _get(told["overlays"][0].partition("#")[0])
        request = urllib.request.Request(  # noqa: S310 -- as above
            told["graphql"],
            data=orjson.dumps({"query": "{ viewer { role } mats { nodes { name } } }"}),
            headers={"Authorization": f"Bearer {told['token']}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=_PATIENCE_SECONDS) as response:  # noqa: S310 -- as above
            answer = orjson.loads(response.read())
        process.send_signal(signal.SIGINT)
        rest, said = process.communicate(timeout=_PATIENCE_SECONDS)

    assert set(told) == {"url", "graphql", "token", "overlays"}
    assert told["graphql"] == f"{told['url']}/graphql"
    for overlay, (kind, options) in zip(
        told["overlays"], (("mat", ""), ("mat", "?show=auto&look=arcade"), ("stream", "")), strict=True
    ):
        assert re.fullmatch(
            rf"{told['url']}/overlays/{kind}/{kind}_[0-9a-f]{{32}}{re.escape(options)}#token=rs_\w{{8}}_[\w-]{{43}}",
            overlay,
        )
    assert page[0] == 200
    mats = [{"name": f"Mat {number}"} for number in (1, 2, 3)]
    assert answer == {"data": {"viewer": {"role": "ADMIN"}, "mats": {"nodes": mats}}}
    assert (rest, process.returncode) == ("", 0)
    assert told["token"] not in said


async def test_the_first_start_makes_an_admin_and_the_second_does_not(database: Path, tmp_path: Path) -> None:
    starts = []
    for _ in range(2):
        async with serving(f"sqlite:///{database}", tmp_path / "server.log", hears=False) as server:
            starts.append(server.welcome)
            assert await server.stop() == 0

    first, second = starts
    assert re.fullmatch(r"rs_\w{8}_[\w-]{43}", first["token"])
    assert (second["token"], second["overlays"]) == (None, [])
    assert await asyncio.to_thread(database.exists)


async def test_a_person_is_told_where_everything_is(tmp_path: Path) -> None:
    given = {"NO_COLOR": "1", "COLUMNS": "80", "RINGSIDE_PSS_MAT": "Centre court"}
    with (tmp_path / "said").open("ab") as said:
        async with asyncio.timeout(_PATIENCE_SECONDS), begun(_SERVE, {**os.environ, **given}, said.fileno()) as process:
            lines: list[str] = []
            while not lines or "Ctrl+C" not in lines[-1]:
                lines.append((await process.stdout.readline()).decode())
                assert lines[-1], "it ended before it said so"

    told = "".join(lines)
    assert re.search(r"GraphiQL +http://127\.0\.0\.1:\d+/graphql#token=rs_\w{8}_[\w-]{43}\n", told)
    assert re.search(r"UDP +127\.0\.0\.1:\d+ for Centre court\n", told)
    assert "It is not shown again." in told


async def test_a_port_that_is_taken_ends_the_server(tmp_path: Path) -> None:
    errors = tmp_path / "said"
    with socket.socket() as taken, errors.open("ab") as said:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        arguments = [*_SERVE, "--demo", "--port", str(taken.getsockname()[1])]
        async with asyncio.timeout(_PATIENCE_SECONDS), begun(arguments, dict(os.environ), said.fileno()) as process:
            printed = await process.stdout.read()
            code = await process.wait()

    assert code > 0
    assert printed == b""
    assert "address already in use" in errors.read_text()
