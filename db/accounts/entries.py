"""The entries of a feed, and which of them are new: by their own ids where those are ids, and never by dates alone."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

LONGEST_TITLE = 500
LONGEST_URL = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """An entry as a document tells it. `guid`, `url` and `title` are "" where it tells none."""

    guid: str = ""
    url: str = ""
    title: str = ""
    # What else it says, in short: tells apart what has neither id nor address.
    digest: str = ""
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """A post that was seen before, as it was then."""

    url: str
    title: str


@dataclass(frozen=True, slots=True)
class New:
    """An entry that was not seen before, and the key it is to be remembered by."""

    entry: Entry
    key: str


def keys_of(entries: Iterable[Entry]) -> list[str]:
    """Return all keys that any of these entries may have been remembered by."""
    return list(dict.fromkeys(key for entry in entries for key in (_coarse(entry), *_fine(entry))))


def choose_new(entries: Sequence[Entry], known: Mapping[str, Known]) -> list[New]:
    """Return the entries that are new, each once, in the order of the document. `known` are posts by their keys.

    An id is believed as long as it names one entry. Where several of a document share one, their addresses tell them
    apart, and then their titles; whichever had been remembered by the bare id is known by its address and title.
    """
    apart = _told_apart_by(entries)
    found: dict[str, New] = {}
    for entry in entries:
        coarse = _coarse(entry)
        key = (coarse, *_fine(entry))[apart[coarse]]
        if key not in found and not _was_seen(entry, key, apart[coarse], known):
            found[key] = New(entry, key)
    return list(found.values())


_BY_TITLE = 2


def _told_apart_by(entries: Sequence[Entry]) -> dict[str, int]:
    """Say of each coarse key what it takes to tell its entries apart: 0 nothing, 1 addresses, 2 titles as well."""
    sharing: dict[str, set[tuple[str, str]]] = {}
    for entry in entries:
        sharing.setdefault(_coarse(entry), set()).add((entry.url, entry.title))
    return {key: _detail(of_key) for key, of_key in sharing.items()}


def _detail(of_key: set[tuple[str, str]]) -> int:
    if len(of_key) == 1:
        return 0
    return 1 if max(Counter(url for url, _ in of_key).values()) == 1 else _BY_TITLE


def _was_seen(entry: Entry, key: str, detail: int, known: Mapping[str, Known]) -> bool:
    """Say whether an entry was seen, by whichever key: what tells it apart changes with its company."""
    by_url, by_title = _fine(entry)
    if key in known or by_title in known or (detail < _BY_TITLE and by_url in known):
        return True
    alike = (known[one] for one in (_coarse(entry), by_url) if one in known)
    return any(one.url == entry.url and (detail < _BY_TITLE or one.title == entry.title) for one in alike)


def _coarse(entry: Entry) -> str:
    if entry.guid:
        return _hash("id", entry.guid)
    return _hash("url", entry.url) if entry.url else _hash("text", entry.title, entry.digest)


def _fine(entry: Entry) -> tuple[str, str]:
    basis = entry.guid or entry.url or entry.title
    return _hash("id+url", basis, entry.url), _hash("id+url+title", basis, entry.url, entry.title)


def _hash(*parts: str) -> str:
    # Each with its length before it, so that no two lists of parts read alike.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
