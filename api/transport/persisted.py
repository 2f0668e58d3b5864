"""Persisted documents: those that clients sent once and then name by their hash, and those that the operator trusts."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson

from db.errors import Invalid

HASH_PREFIX = "sha256:"
DOCUMENTS_KEPT = 1000
CHARACTERS_KEPT = 4 * 1024 * 1024


class Persisted:
    """Documents by identity. What clients send is kept within bounds, the least recently used goes first."""

    def __init__(self, trusted: Mapping[str, str]) -> None:
        self._trusted = trusted
        self._texts = frozenset(trusted.values())
        self._kept: OrderedDict[str, str] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        """How many were sent by clients and are kept."""
        return len(self._kept)

    def text(self, identity: str) -> str | None:
        """Return a document, `None` if it is not known."""
        found = self._trusted.get(identity)
        if found is None:
            found = self._kept.get(identity)
            if found is not None:
                self._kept.move_to_end(identity)
        return found

    def keep(self, identity: str, text: str) -> bool:
        """Keep a document under its hash; return whether it is its hash."""
        if identity_of(text) != identity:
            return False
        if identity not in self._kept and identity not in self._trusted:
            self._kept[identity] = text
            self._characters += len(text)
            while len(self._kept) > DOCUMENTS_KEPT or self._characters > CHARACTERS_KEPT:
                self._characters -= len(self._kept.popitem(last=False)[1])
        return True

    def is_trusted(self, text: str) -> bool:
        """Say whether a document is one of the operator's."""
        return text in self._texts


def identity_of(text: str) -> str:
    """Return the identity of a document: its hash."""
    return HASH_PREFIX + hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def read_trusted(folder: Path) -> dict[str, str]:
    """Return the documents of a folder by identity: a document in each `.graphql`, many in each `.json`.

    A `.json` file is what clients' compilers write: `{"identity": "document"}`, or a manifest with `operations`.
    Raises `Invalid` for a folder that is not there and a file that cannot be read.
    """
    if not folder.is_dir():
        raise Invalid(f"There is no folder of trusted documents at {folder}.")
    documents: dict[str, str] = {}
    for path in sorted(folder.rglob("*.graphql")):
        text = path.read_text("utf-8")
        # As it stands in the file, and as it stands in a client's code.
        documents |= {identity_of(one): one for one in (text, text.strip())}
    for path in sorted(folder.rglob("*.json")):
        for identity, text in _manifest(path):
            documents |= {identity: text, identity_of(text): text}
    return documents


def _manifest(path: Path) -> Iterator[tuple[str, str]]:
    try:
        read = orjson.loads(path.read_bytes())
        listed = read.get("operations")
        pairs = read.items() if listed is None else [(one["id"], one["body"]) for one in listed]
        yield from ((_identity(identity), _text(text)) for identity, text in pairs)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise Invalid(f"{path} is no list of documents: it is {{identity: document}} in JSON.") from error


def _text(given: object) -> str:
    if not isinstance(given, str):
        raise TypeError("a document is text")
    return given


def _identity(given: str) -> str:
    """Return an identity as it is asked for: a bare hash stands for itself and for its prefixed form alike."""
    is_hash = len(given) == hashlib.sha256().digest_size * 2 and all(one in "0123456789abcdef" for one in given)
    return HASH_PREFIX + given if is_hash else given
