"""Pages: files of ours, and GraphiQL's from the package that carries them, served from here and from nowhere else."""

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

_STATIC = Path(__file__).parent / "static"
_GRAPHIQL_PACKAGE = "graphene_django_graphiql_static"
_OVERLAYS = {
    "match": "overlay.html",
    "mat": "overlay.html",
    "goal": "goals.html",
    "stream": "goals.html",
    "practice": "practice.html",
}

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


def documents() -> list[str]:
    """Return the documents that our pages send, which are ours and may always be run."""
    return re.findall(r"`([^`]+)`", (_STATIC / "documents.js").read_text("utf-8"))


def routes() -> list[BaseRoute]:
    """Return the routes of all pages and what they load."""
    return [
        Route("/overlays/{kind}/{id}", _overlay),
        Mount("/static/graphiql", StaticFiles(directory=_graphiql_files())),
        Mount("/static", _Fresh(directory=_STATIC)),
    ]


class _Fresh(StaticFiles):
    """Files of ours, asked for anew each time: OBS keeps a page for as long as it may."""

    def file_response(self, *given: Any, **named: Any) -> Response:
        """Answer with the file, or that it is the same as before."""
        answer = super().file_response(*given, **named)
        answer.headers["Cache-Control"] = "no-cache"
        return answer


async def _overlay(request: Request) -> Response:
    """Show an overlay. What it shows and whether it may is found out by the page itself, with its token."""
    name = _OVERLAYS.get(request.path_params["kind"])
    if name is None:
        raise HTTPException(404, "There are overlays of a match, a mat, a goal, a stream and a goal of practice.")
    return page(name)


def _graphiql_files() -> Path:
    # Its __init__ is not run: the package is a bag of files made for another framework.
    found = find_spec(_GRAPHIQL_PACKAGE)
    if found is None or found.origin is None:
        raise RuntimeError(f"The package {_GRAPHIQL_PACKAGE} is not installed.")
    return Path(found.origin).parent / "static" / _GRAPHIQL_PACKAGE
