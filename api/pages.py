"""Pages: files of ours, and GraphiQL's from the package that carries them, served from here and from nowhere else."""

from importlib.util import find_spec
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

_STATIC = Path(__file__).parent / "static"
_GRAPHIQL_PACKAGE = "graphene_django_graphiql_static"
_OVERLAYS = {"match", "mat"}

# GraphiQL sets styles from its scripts, so those alone may stand in the page.
_PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; "
        "connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def page(name: str) -> Response:
    """Return one of our pages."""
    return FileResponse(_STATIC / name, headers=_PAGE_HEADERS)


def routes() -> list[BaseRoute]:
    """Return the routes of all pages and what they load."""
    return [
        Route("/overlays/{kind}/{id}", _overlay),
        Mount("/static/graphiql", StaticFiles(directory=_graphiql_files())),
        Mount("/static", StaticFiles(directory=_STATIC)),
    ]


async def _overlay(request: Request) -> Response:
    """Show an overlay. What it shows and whether it may is found out by the page itself, with its token."""
    if request.path_params["kind"] not in _OVERLAYS:
        raise HTTPException(404, "There are overlays of a match and of a mat.")
    return page("overlay.html")


def _graphiql_files() -> Path:
    # Its __init__ is not run: the package is a bag of files made for another framework.
    found = find_spec(_GRAPHIQL_PACKAGE)
    if found is None or found.origin is None:
        raise RuntimeError(f"The package {_GRAPHIQL_PACKAGE} is not installed.")
    return Path(found.origin).parent / "static" / _GRAPHIQL_PACKAGE
