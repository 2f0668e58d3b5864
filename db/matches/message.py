"""What everything that is said of a mat has in common."""

from dataclasses import dataclass
from typing import ClassVar

from db.matches.vocabulary import MatchEventKind, RejectionReason


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Anything that was said. A message with flags is odd, and counts all the same."""

    kind: ClassVar[MatchEventKind]

    flags: tuple[RejectionReason, ...] = ()
