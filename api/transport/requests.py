"""Requests: what a client asks, read from a body or an address; all that could be wrong with it is said here."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

import orjson

from api.transport.answers import Fault
from api.transport.persisted import HASH_PREFIX, Persisted
from schema.engine.executor import Asked

_OBJECTS = ("variables", "extensions")
_APQ_VERSION = 1


class Reader:
    """Reads requests. What they name instead of sending it is looked up among the documents that are known."""

    def __init__(self, persisted: Persisted) -> None:
        self.persisted = persisted

    def body(self, body: bytes) -> Asked:
        """Return what a body of JSON asks. Raises `Fault`."""
        try:
            read = orjson.loads(body)
        except ValueError as error:
            raise _bad(f"The body is not JSON: {error}") from error
        if isinstance(read, list):
            raise _bad("Operations are not taken in batches: send one a request.")
        if not isinstance(read, dict):
            raise _bad('The body is not a JSON object: send {"query": …}.')
        return self.asked(read)

    def address(self, query_string: bytes) -> Asked:
        """Return what the query of an address asks. Raises `Fault`."""
        try:
            pairs = parse_qsl(
                query_string.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(query_string),
                errors="strict",
                max_num_fields=20,
            )
        except ValueError as error:
            raise _bad("The query of this address cannot be read.") from error
        read: dict[str, Any] = {}
        for name, value in pairs:
            if name in read:
                raise _bad(f"`{name}` is given twice.")
            read[name] = _object(name, value) if name in _OBJECTS else value
        read["operationName"] = read.get("operationName") or None
        return self.asked(read)

    def asked(self, read: Mapping[str, Any]) -> Asked:
        """Return what an object asks, whichever way it came. Raises `Fault` and `PersistedQueryNotFound`."""
        # Looked at one by one, and not in a loop: nearly every request comes by here.
        text, name, variables = read.get("query"), read.get("operationName"), read.get("variables")
        if text is not None and not isinstance(text, str):
            raise _bad("`query` is not a string.")
        if name is not None and not isinstance(name, str):
            raise _bad("`operationName` is not a string.")
        if variables is not None and not isinstance(variables, dict):
            raise _bad("`variables` is not an object.")
        extensions, identity = read.get("extensions"), read.get("documentId")
        if extensions is not None or identity is not None:
            return self._extended(Asked(text or "", name or None, variables or {}), text, extensions, identity)
        if text is None:
            raise _bad("`query` is missing.")
        return Asked(text, name or None, variables or {})

    def _extended(self, asked: Asked, text: str | None, extensions: object, identity: object) -> Asked:
        """Return what is asked with all that stands beside it."""
        if not isinstance(extensions, dict | None):
            raise _bad("`extensions` is not an object.")
        if not isinstance(identity, str | None):
            raise _bad("`documentId` is not a string.")
        if extensions:
            is_explained, is_cost_told = extensions.get("explain") is True, extensions.get("cost") is True
            asked = asked._replace(wants_explaining=is_explained, wants_cost=is_cost_told)
            identity = identity or _automatic(extensions)
        if identity is not None:
            return asked._replace(text=self._named(identity, text))
        if text is None:
            raise _bad("`query` is missing.")
        return asked

    def _named(self, identity: str, text: str | None) -> str:
        """Return the document of an identity; keep it if it comes with the request."""
        if text is None:
            known = self.persisted.text(identity)
            if known is None:
                raise PersistedQueryNotFound
            return known
        if identity.startswith(HASH_PREFIX) and not self.persisted.keep(identity, text):
            raise _bad("The hash is not that of the document.")
        return text


class PersistedQueryNotFound(Exception):
    """A document was named that is not known here. Clients look for this very name, and then send it whole."""


def _automatic(extensions: Mapping[str, Any]) -> str | None:
    """Return the identity that automatic persisted queries name."""
    given = extensions.get("persistedQuery")
    if given is None:
        return None
    hashed = given.get("sha256Hash") if isinstance(given, dict) else None
    if not isinstance(hashed, str):
        raise _bad("`extensions.persistedQuery` has no `sha256Hash`.")
    if given.get("version") != _APQ_VERSION:
        raise _bad(f"`extensions.persistedQuery` is of a version that is not known here; {_APQ_VERSION} is.")
    return HASH_PREFIX + hashed.lower()


def _object(name: str, text: str) -> Any:
    try:
        return orjson.loads(text) if text else None
    except ValueError as error:
        raise _bad(f"`{name}` is not JSON: {error}") from error


def _bad(message: str) -> Fault:
    return Fault(status=400, code="BAD_REQUEST", message=message)
