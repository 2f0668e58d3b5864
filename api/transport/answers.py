"""Answers: which media type a client wants, which status that asks for, and the bytes.

Two media types are spoken. With `application/graphql-response+json` the status says how it went; with
`application/json` it says only whether the request was one, because a client cannot tell who answered it with another.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

from starlette.responses import Response

from schema.scalars import print_answer

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
# Codes of refusals that say more of a status than that the request was bad.
_STATUS_BY_CODE = {
    "UNAUTHENTICATED": 401,
    "FORBIDDEN": 403,
    "RATE_LIMITED": 429,
    "INTERNAL_SERVER_ERROR": 500,
    "UNAVAILABLE": 503,
    "TIMEOUT": 504,
}


class Media(StrEnum):
    """What an answer may be sent as."""

    JSON = "application/json"
    GRAPHQL = "application/graphql-response+json"
    EVENTS = "text/event-stream"


# Not frozen: what is raised is given its place by whoever it goes through.
@dataclass(eq=False, kw_only=True)
class Fault(Exception):
    """A request that is none, or that is not for the one who sends it: told by its status, whatever he accepts."""

    status: int
    code: str
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)


@lru_cache(maxsize=512)
def acceptable(accept: bytes) -> tuple[Media, ...]:
    """Return what an `Accept` header takes, the most wanted first; of what it wants alike, what it names first.

    Whoever says nothing, or that anything will do, gets `application/json`, as clients without a word expect.
    """
    ranges = list(_ranges(accept.decode("latin-1") or "*/*"))
    ranked = []
    for media in Media:
        # The closest range that fits decides, as `a/b` before `a/*` before `*/*`.
        fitting = [
            (len(pattern), quality, place) for place, (pattern, quality) in enumerate(ranges) if _fits(pattern, media)
        ]
        if fitting:
            _, quality, place = max(fitting, key=lambda one: one[0])
            ranked.append((-quality, place, media))
    return tuple(media for quality, _, media in sorted(ranked, key=lambda one: one[:2]) if quality)


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    for part in accept.split(","):
        pattern, *parameters = (one.strip().lower() for one in part.split(";"))
        if pattern:
            quality = next((one[2:] for one in parameters if one.startswith("q=")), "1")
            yield pattern, _number(quality)


def _number(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _fits(pattern: str, media: Media) -> bool:
    kind = media.partition("/")[0]
    # A stream of events is sent to those who ask for it by name.
    return pattern == media or (media is not Media.EVENTS and pattern in {"*/*", f"{kind}/*"})


def status_of(answer: Mapping[str, Any], media: Media, *, is_read: bool, is_draft: bool) -> int:
    """Return the status of an answer. `is_read`: the document could be parsed. `is_draft`: by the newer draft."""
    errors = answer.get("errors") or ()
    if "data" in answer:
        return 294 if errors and is_draft and media is Media.GRAPHQL else 200
    codes = {error.get("extensions", {}).get("code") for error in errors}
    if "RATE_LIMITED" in codes:
        return 429
    if media is Media.JSON:
        return 200
    told = [status for code, status in _STATUS_BY_CODE.items() if code in codes]
    if told:
        return told[0]
    return 422 if is_draft and is_read else 400


def answered(answer: Mapping[str, Any], media: Media, status: int, headers: Mapping[str, str]) -> Response:
    """Return an answer as it is sent."""
    return Response(print_answer(answer), status, {**_HEADERS, **headers}, media_type=f"{media}; charset=utf-8")


def refused(fault: Fault, media: Media = Media.JSON) -> Response:
    """Return the answer to a request that is none."""
    error = {"message": fault.message, "extensions": {"code": fault.code}}
    return answered({"errors": [error]}, media, fault.status, fault.headers)
