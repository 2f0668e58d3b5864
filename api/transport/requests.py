"""Requests: what a client asks, read from a body or an address; all that could be wrong with it is said here."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import orjson

from api.transport.answers import Fault
from api.transport.persisted import HASH_PREFIX, Persisted
from schema.engine.executor import Asked

_NAMES = ("query", "operationName", "variables", "extensions", "documentId")
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
        return self._asked(read)

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
        return self._asked(read)

    def _asked(self, read: Mapping[str, Any]) -> Asked:
        text, name, variables, extensions, identity = (read.get(one) for one in _NAMES)
        if not isinstance(text, str | None):
            raise _bad("`query` is not a string.")
        if not isinstance(name, str | None):
            raise _bad("`operationName` is not a string.")
        if not isinstance(variables, dict | None):
            raise _bad("`variables` is not an object.")
        if not isinstance(extensions, dict | None):
            raise _bad("`extensions` is not an object.")
        if not isinstance(identity, str | None):
            raise _bad("`documentId` is not a string.")
        asked = Asked(text or "", name or None, variables or {})
        if extensions:
            asked = replace(
                asked,
                wants_explaining=extensions.get("explain") is True,
                wants_cost=extensions.get("cost") is True,
            )
            identity = identity or _automatic(extensions)
        if identity is not None:
            return replace(asked, text=self._named(identity, text))
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
