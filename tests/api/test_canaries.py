"""What somebody tells a server in confidence, or a server somebody: looked for in everything that it says and keeps."""

import base64
import shutil
import zipfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest
from sqlmodel import col, select
from typer.testing import CliRunner

from api.backups import create
from api.cli import app
from db.access.tables import User
from db.backups.target import Target
from db.bus import BusKind
from db.clock import SystemClock
from db.connecting import connect
from db.sealing import Sealer
from db.settings.registry import KEYS
from db.urls import is_embedded, sqlite_path
from tests.db.stored import NOW
from tests.support.competition import hold
from tests.support.graph import Graph
from tests.support.process import Serving, serving
from tests.support.social import viewer_of
from tests.test_examples import EXAMPLES, variables_of_examples

KEY = "canary-key-8c1f0a"
SETTING = "canary-setting-77aa10"
PASSWORD = "canary-password-5d20be"  # noqa: S105 -- it is to be looked for
PATH = "canary-address-e91c44"
MISTYPED = "canary-mistyped-301bd7"

_SET = "mutation ($value: JSON!) { settingSet(key: %s, value: $value) { setting { id value } errors { message } } }"
_OBS = """
mutation ($mat: ID!, $password: String) {
  obsMachineCreate(matId: $mat, input: {name: "OBS", host: "127.0.0.1", port: 1, password: $password}) {
    obsMachine { id } errors { message }
  }
}
"""
_OBS_INPUT = """
mutation ($input: OBSMachineInput!) { obsMachineCreate(matId: "mat_none", input: $input) { errors { message } } }
"""
_PROVIDER = """
mutation ($url: String!) {
  providerCreate(kind: WEBHOOK, input: {name: "Tool", url: $url}) { provider { id } secret errors { message } }
}
"""
_STREAM = 'mutation { streamCreate(input: {name: "Canaries"}) { stream { id } errors { message } } }'
_SOURCE = """
mutation ($stream: ID!) {
  streamSourceCreate(streamId: $stream, kind: WEBHOOK, input: {name: "Deck"}) { secret errors { message } }
}
"""
_MAKE = 'mutation { tokenCreate(input: {label: "Script"}) { token { prefix } secret errors { message } } }'
_CHANGED = "subscription { settingChanged { settings { key value isSet } } }"


async def confide(server: Serving) -> list[str]:
    """Tell a server what is secret, and return all that nobody is to hear: of that, and of what it answered."""
    sensitive = [key.name for key in KEYS.values() if key.is_sensitive]
    assert sensitive == ["backups.credentials"]
    await server.execute(_SET % f'"{sensitive[0]}"', value={"secret": SETTING})
    (mat,) = (await server.execute("{ mats { nodes { id } } }"))["mats"]["nodes"]
    await server.execute(_OBS, mat=mat["id"], password=PASSWORD)
    provider = await server.execute(_PROVIDER, url=f"https://tool.example/{PATH}")
    stream = (await server.execute(_STREAM))["streamCreate"]["stream"]["id"]
    source = await server.execute(_SOURCE, stream=stream)
    token = await server.execute(_MAKE)
    payloads = [*provider.values(), *source.values(), *token.values()]
    assert [one["errors"] for one in payloads] == [[]] * 3
    return [SETTING, PASSWORD, PATH, KEY, server.secret, *(str(one["secret"]) for one in payloads)]


async def mistakes(server: Serving) -> AsyncIterator[bytes]:
    """Everything that a server answers to secrets that are in the wrong place, or of the wrong shape."""
    wrong: list[tuple[str, dict[str, Any]]] = [
        (_SET % '"backups.credentials"', {"value": {"sesame": MISTYPED}}),
        (_SET % '"backups.credentials"', {"value": MISTYPED}),
        (_SET % '"backups.credentials"', {"value": {"secret": [MISTYPED]}}),
        (_OBS, {"mat": "mat_none", "password": MISTYPED}),
        (_OBS, {"mat": "mat_none", "password": {"is": MISTYPED}}),
        (_OBS.replace("password: $password", f'password: ["{MISTYPED}"]'), {"mat": "mat_none"}),
        (_OBS_INPUT, {"input": MISTYPED}),
        (_OBS_INPUT, {"input": {"passphrase": MISTYPED}}),
        (_OBS_INPUT, {"input": {"port": MISTYPED}}),
        (_OBS_INPUT, {"input": {"password": [MISTYPED, MISTYPED]}}),
        (_PROVIDER, {"url": f"ftp://{MISTYPED}"}),
        (_PROVIDER, {"url": f"https://user:{MISTYPED}@"}),
    ]
    for query, variables in wrong:
        answer = await server.http.post("/graphql", json={"query": query, "variables": variables})
        yield answer.content
    for headers in ({"Authorization": f"Bearer {MISTYPED}"}, {"Authorization": MISTYPED}):
        yield (await server.http.get("/export", headers=headers)).content


async def said(server: Serving) -> AsyncIterator[bytes]:
    """Everything that a server answers to the examples that ask for all there is, explained, and what else it shows."""
    for example in EXAMPLES:
        if example.runs_alone:
            answer = await server.http.post("/graphql", json={"query": example.text, "extensions": {"explain": True}})
            assert answer.status_code == 200, (example.name, answer.text)
            yield answer.content
    for path in ("/healthz", "/readyz", "/metrics", "/export"):
        yield (await server.http.get(path)).content
    kinds = (await server.http.get("/export")).json()["exports"]
    assert {"settings", "obs-machines", "providers", "tokens"} <= {one["name"] for one in kinds}
    for kind in kinds:
        yield (await server.http.get(f"/export/{kind['name']}.jsonl")).content
    async with server.admitted() as socket:
        messages = socket.subscribe(_CHANGED)
        yield repr(await anext(messages)).encode()
        await messages.aclose()


async def asked(url: str) -> AsyncIterator[bytes]:
    """What a database answers to every example that asks. Nobody serves it: a server would do what they ask for."""
    async with opened(url) as (graph, admin):
        variables = await variables_of_examples(graph, await hold(graph.db, graph.clock.now()), admin)
        for example in EXAMPLES:
            if example.kind == "query":
                for way in (graph, graph.on_graphql_core()):
                    yield repr(await way.execute(example.text, **variables.get(example.name, {}))).encode()


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[Graph, User]]:
    """The graph of a database that is served, as its admin sees it, and him."""
    db = await connect(url, sealer=Sealer(KEY), bus=BusKind.LOCAL)
    try:
        async with db.read() as session:
            admin = await session.row(select(User).where(col(User.name) == "admin"))
        assert admin is not None
        yield Graph(db, SystemClock(), viewer_of(admin)), admin
    finally:
        await db.close()


def spellings(canary: str) -> Iterator[bytes]:
    """How a text may stand in something: as it is, in hexadecimal digits, and in base64 at each of three places."""
    raw = canary.encode()
    yield raw
    yield raw.hex().encode()
    for by in range(3):
        yield base64.b64encode(b"x" * by + raw)[4 if by else 0 : -4]


def heard(canaries: Iterable[str], text: bytes) -> list[str]:
    """Return which canaries can be read in something."""
    return [one for one in canaries if any(spelling in text for spelling in spellings(one))]


def parts_of(path: Path) -> Iterator[bytes]:
    with zipfile.ZipFile(path) as archive:
        yield from (archive.read(name) for name in archive.namelist())


async def kept(url: str, folder: Path) -> AsyncIterator[bytes]:
    """What stands in a backup, in the files of SQLite, and in what servers on one PostgreSQL tell each other."""
    target = Target(str(folder / "backups"))
    made = await create(url, target, now=NOW, progress=lambda _table, _rows: None)
    target.get(made.name, folder / "archive.zip")
    for part in parts_of(folder / "archive.zip"):
        yield part
    if is_embedded(url):
        for path in sorted(sqlite_path(url).parent.glob(f"{sqlite_path(url).name}*")):
            yield path.read_bytes()
        return
    connection = await asyncpg.connect(url)
    try:
        for row in await connection.fetch("SELECT body::TEXT FROM bus_messages"):
            yield row[0].encode()
    finally:
        await connection.close()


async def test_what_is_told_in_confidence_is_in_nothing_that_is_said_or_kept(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG", "db")
    caplog.set_level("DEBUG", "schema")
    log = tmp_path / "log"
    found: dict[str, list[str]] = {}
    async with serving(database_url, log, log_level="DEBUG", secret_key=KEY) as server:
        canaries = await confide(server)
        async for text in said(server):
            found[f"answer {len(found)}: {text[:80]!r}"] = heard(canaries, text)
        async for text in mistakes(server):
            found[f"mistake {len(found)} {text[:80]!r}"] = heard([*canaries, MISTYPED], text)
        assert await server.stop() == 0
    async for text in asked(database_url):
        found[f"answer {len(found)}: {text[:80]!r}"] = heard(canaries, text)
    async for text in kept(database_url, tmp_path):
        found[f"kept {len(found)} {text[:80]!r}"] = heard(canaries, text)
    written = log.read_bytes() + caplog.text.encode()
    found["log"] = heard([*canaries, MISTYPED], written)

    assert b"DEBUG" in written or b"debug" in written
    assert {where: what for where, what in found.items() if what} == {}


@pytest.mark.parametrize("command", [("settings", "list"), ("settings", "list", "--json"), ("token", "list")])
def test_what_is_told_in_confidence_is_not_shown_at_the_console(
    command: tuple[str, ...], tmp_path: Path, migrated_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(migrated_file, tmp_path / "ringside.db")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGSIDE_DATABASE", f"sqlite:///{tmp_path / 'ringside.db'}")
    monkeypatch.setenv("RINGSIDE_SECRET_KEY", KEY)
    secret = f'{{"secret": "{SETTING}"}}'
    said_once = CliRunner().invoke(app, ("token", "create", "--user", "anna", "--label", "Laptop", "--json"))
    set_ = CliRunner().invoke(app, ("settings", "set", "backups.credentials", secret, "--reason", "A bucket"))

    shown = CliRunner().invoke(app, command)

    assert (said_once.exit_code, set_.exit_code, shown.exit_code) == (0, 0, 0), (set_.output, shown.output)
    assert heard([SETTING, KEY], (set_.output + shown.output).encode()) == []
    # Its beginning is shown, by which one tells tokens apart.
    assert heard([orjson.loads(said_once.output)["secret"]], shown.output.encode()) == []
