"""Pages: served from here, loading nothing from anywhere else."""

import re
from collections.abc import AsyncIterator, Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from starlette.applications import Starlette

from api import pages
from db.flags.images import image_of
from db.ids import new_id
from db.matches import operations
from db.matches.logos import set_logo
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.flagging import svg
from tests.support.house import running_house

_STATIC = Path(pages.__file__).parent / "static"
_ELSEWHERE = re.compile(r"""(?:https?:|wss?:)?//[a-z0-9.-]+\.[a-z]{2,}""", re.IGNORECASE)
# A name of a kind of XML, not a place to load from.
_NAMESPACES = {"http://www.w3.org", "//www.w3.org"}


class _References(HTMLParser):
    """Collects what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inline_scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.found += [value for name in ("src", "href") if (value := given.get(name))]
        self.inline_scripts += tag == "script" and "src" not in given
        self.inline_scripts += any(name.startswith("on") for name in given)


def references(page: str) -> _References:
    read = _References()
    read.feed(page)
    return read


def _ours() -> Iterator[Path]:
    return (path for path in sorted(_STATIC.rglob("*")) if path.is_file())


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """The pages alone: they need no database."""
    app = Starlette(routes=pages.routes())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8000") as client:
        yield client


@pytest.mark.parametrize(
    ("kind", "file"),
    [
        ("mat", "overlay.html"),
        ("match", "overlay.html"),
        ("goal", "goals.html"),
        ("stream", "goals.html"),
        ("practice", "practice.html"),
    ],
)
async def test_there_are_overlays(client: httpx.AsyncClient, kind: str, file: str) -> None:
    answer = await client.get(f"/overlays/{kind}/{encode_id(kind, new_id())}?show=rotate")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.text == (_STATIC / file).read_text()


@pytest.mark.parametrize(
    "path",
    [
        "/overlays",
        "/overlays/mat",
        "/overlays/mat/",
        "/overlays/user/x",
        "/overlays/MAT/x",
        "/overlays/mat/x/y",
        "/static/",
    ],
)
async def test_there_is_nothing_else(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path)).status_code == 404


async def test_a_page_may_load_from_here_alone(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/overlays/mat/{encode_id('mat', new_id())}")

    policy = {
        name: sources.split()
        for name, _, sources in (
            part.strip().partition(" ") for part in answer.headers["content-security-policy"].split(";")
        )
    }
    assert policy["default-src"] == ["'self'"]
    assert (policy["base-uri"], policy["form-action"], policy["frame-ancestors"]) == (
        ["'none'"],
        ["'none'"],
        ["'self'"],
    )
    assert policy.get("script-src", policy["default-src"]) == ["'self'"]
    assert not {"*", "http:", "https:", "'unsafe-eval'"} & {one for sources in policy.values() for one in sources}
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("name", ["graphiql.html", "overlay.html", "goals.html", "practice.html"])
async def test_all_that_a_page_loads_is_here(client: httpx.AsyncClient, name: str) -> None:
    read = references((_STATIC / name).read_text())
    files = [reference for reference in read.found if not reference.startswith("data:")]

    answers = {file: (await client.get(file)).status_code for file in files}

    assert answers == dict.fromkeys(files, 200)
    assert len(files) >= 2
    assert all(file.startswith("/static/") for file in files)
    assert read.inline_scripts == 0, "the policy would not run it"


async def test_scripts_load_only_what_is_here(client: httpx.AsyncClient) -> None:
    imported = {
        name
        for script in _STATIC.glob("*.js")
        for name in re.findall(r"""(?:from|import)\s*\(?\s*["']([^"']+)["']""", script.read_text())
    }

    answers = {name: (await client.get(str(httpx.URL("/static/x.js").join(name)))).status_code for name in imported}

    assert answers == dict.fromkeys(imported, 200)


@pytest.mark.parametrize("path", list(_ours()), ids=lambda path: path.name)
def test_no_file_of_ours_names_another_host(path: Path) -> None:
    named = {found for found in _ELSEWHERE.findall(path.read_text()) if found not in _NAMESPACES}

    assert named == set()


@pytest.mark.parametrize("path", sorted(_STATIC.glob("*.css")), ids=lambda path: path.name)
def test_styles_load_nothing(path: Path) -> None:
    assert re.findall(r"@import|url\((?!\s*[\"']?data:)", path.read_text()) == []


@pytest.mark.parametrize("path", sorted(_STATIC.glob("*.js")), ids=lambda path: path.name)
def test_what_others_wrote_is_shown_as_text(path: Path) -> None:
    assert re.findall(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", path.read_text()) == []


async def test_graphiqls_files_are_scripts_and_styles(client: httpx.AsyncClient) -> None:
    script = await client.get("/static/graphiql/graphiql.min.js")
    style = await client.get("/static/graphiql/graphiql.min.css")

    assert (script.status_code, style.status_code) == (200, 200)
    assert script.headers["content-type"].startswith("text/javascript")
    assert style.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("folder", ["static", "static/graphiql"])
@pytest.mark.parametrize(
    "path",
    [
        "../pages.py",
        "../../pyproject.toml",
        "..%2fpages.py",
        "%2e%2e/pages.py",
        "%2e%2e%2f%2e%2e%2fpyproject.toml",
        "..\\pages.py",
        "..%5cpages.py",
        "....//pages.py",
        "/etc/passwd",
        "%2fetc%2fpasswd",
        "./../pages.py",
        "overlay.html%00.js",
        "x" * 300,
        "",
        ".",
        "__init__.py",
    ],
)
async def test_nothing_outside_is_reached(folder: str, path: str) -> None:
    # By the raw path: a client would tidy it up on its own.
    assert await _status(f"/{folder}/{path}") == 404


async def _status(target: str) -> int:
    """Ask for a path as it stands, the way a server hands it on, and return the status."""
    statuses: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        if message["type"] == "http.response.start":
            statuses.append(int(str(message["status"])))

    scope = {
        "type": "http",
        "method": "GET",
        "path": unquote(target),
        "raw_path": target.encode(),
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"127.0.0.1")],
        "scheme": "http",
        "server": ("127.0.0.1", 8000),
    }
    await Starlette(routes=pages.routes())(scope, receive, send)  # type: ignore[arg-type]  # narrower than ASGI's own
    (status,) = statuses
    return status


async def test_a_logo_is_shown_to_everybody_and_once(database_url: str, clock: ManualClock) -> None:
    async with running_house(database_url, clock=clock, has_listener=False) as house:
        async with house.house.db.transaction() as tx:
            tournament = await operations.create_tournament(tx, name="Open", now=clock.now())
            bare = await operations.create_tournament(tx, name="Bare", now=clock.now())
            await set_logo(tx, tournament.id, image_of(svg()), revision=0)
        path = f"/logos/{encode_id('tournament', tournament.id)}"

        shown = await house.http.get(path)
        again = await house.http.get(path, headers={"If-None-Match": shown.headers["etag"]})
        ids = (encode_id("tournament", bare.id), encode_id("mat", tournament.id), "x")
        missing = [(await house.http.get(f"/logos/{one}")).status_code for one in ids]

    assert (shown.status_code, shown.headers["content-type"], shown.content) == (200, "image/svg+xml", svg())
    assert "sandbox" in shown.headers["content-security-policy"]
    assert (again.status_code, again.content) == (304, b"")
    assert missing == [404, 404, 404]


async def test_a_page_is_read_and_not_written_to(client: httpx.AsyncClient) -> None:
    written = await client.post("/static/overlay.js", content=b"x")
    overlay = await client.put(f"/overlays/mat/{encode_id('mat', new_id())}", content=b"x")

    assert (written.status_code, overlay.status_code) == (405, 405)
