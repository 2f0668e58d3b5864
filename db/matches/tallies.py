"""What a mat's log holds, counted by kind and code, and messages without effect, those alike together. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from db.matches import messages
from db.matches.corrections import Correction
from db.matches.log import Logged
from db.matches.messages import Message

if TYPE_CHECKING:
    from db.matches.vocabulary import MatchEventKind, RejectionReason

K = TypeVar("K")

LONGEST_CODE = 32
LONGEST_PATTERN = 200

_DIGITS = re.compile(r"[0-9]+")


@dataclass(slots=True)
class Seen:
    """How often something was seen, first and last by the log's order."""

    count: int
    first_seen_at: datetime
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class Tally:
    """Rows of `event_types` and of `unknown_messages`, without their mat."""

    types: list[dict[str, Any]]
    unknown: list[dict[str, Any]]


def count_entries(logged: Iterable[Logged]) -> Tally:
    """Count the entries of a run."""
    # By what they begin with, as it was received: which code that is is looked at once.
    codes: dict[tuple[type[Message], bytes], tuple[MatchEventKind, str]] = {}
    types: dict[tuple[MatchEventKind, str], Seen] = {}
    unknown: dict[str, Seen] = {}
    reasons: dict[str, RejectionReason | None] = {}
    for entry, received, *_ in logged:
        message, raw, at = entry.message, received.raw, received.received_at
        head = type(message), raw.partition(b";")[0]
        code = codes.get(head)
        if code is None:
            code = codes[head] = message.kind, code_of(message, raw)
        _see(types, code, at)
        if isinstance(message, messages.Unknown | messages.Unreadable):
            pattern = pattern_of(raw)
            _see(unknown, pattern, at)
            reasons[pattern] = message.reason if isinstance(message, messages.Unreadable) else None
    return Tally(
        types=[{"kind": kind, "code": code, **_columns(seen)} for (kind, code), seen in types.items()],
        unknown=[
            {"pattern": pattern, "reason": reasons[pattern], **_columns(seen)} for pattern, seen in unknown.items()
        ],
    )


def code_of(message: Message, raw: bytes) -> str:
    """Return what a message begins with, as the wire has it: `pt1`, `sc1`, `Udp Port`. Empty if it came otherwise."""
    if isinstance(message, messages.Link):
        return "Udp Port"
    if isinstance(message, Correction):
        return ""
    head = message.code if isinstance(message, messages.Unknown) else _text(raw.partition(b";")[0])
    return head.strip()[:LONGEST_CODE]


def pattern_of(raw: bytes) -> str:
    """Return a message as it looks whatever its numbers: `vch;1;20` and `vch;2;5` are both `vch;#;#`."""
    return _DIGITS.sub("#", _text(raw[: 4 * LONGEST_PATTERN])).strip()[:LONGEST_PATTERN]


def _see(table: dict[K, Seen], key: K, at: datetime) -> None:
    seen = table.get(key)
    if seen is None:
        table[key] = Seen(1, at, at)
        return
    seen.count += 1
    seen.last_seen_at = at


def _columns(seen: Seen) -> dict[str, Any]:
    return {"count": seen.count, "first_seen_at": seen.first_seen_at, "last_seen_at": seen.last_seen_at}


def _text(raw: bytes) -> str:
    # PostgreSQL has no zero byte in a text.
    return raw.decode("utf-8", "replace").replace("\0", "\ufffd")
