"""Crowds: when many mark one entry at once, those who wait are served together, by one transaction after the other.

Each would hold the entry until its commit, and the others wait for it, on connections that everybody needs.
"""

import asyncio
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID
from weakref import WeakKeyDictionary

from db.access.viewer import Viewer
from db.database import Database
from db.errors import Unavailable
from db.social.marks import Mark, Marked, Wish, check_member, mark_together, no_entry
from db.social.tables import Entry

# So many are served by one transaction; the others wait for the next.
_TOGETHER = 500


@dataclass(frozen=True, kw_only=True)
class _Waiting:
    wish: Wish
    now: datetime
    done: asyncio.Future[Entry] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class _Crowds:
    """Who waits to mark which entry of a database."""

    def __init__(self) -> None:
        # Of an entry that is being marked there is a line, if only an empty one.
        self._lines: dict[UUID, deque[_Waiting]] = {}
        self._serving: set[asyncio.Task[Marked]] = set()

    async def come(self, db: Database, entry_id: UUID, wish: Wish, now: datetime) -> Entry:
        """Wait for one's wish to be done."""
        one = _Waiting(wish=wish, now=now)
        line = self._lines.get(entry_id)
        if line is None:
            self._lines[entry_id] = deque([one])
            self._serve(db, entry_id)
        else:
            line.append(one)
        return await one.done

    def _serve(self, db: Database, entry_id: UUID) -> None:
        """Begin to serve those who stand first in an entry's line, as soon as all who come just now stand in it."""
        line, served = self._lines[entry_id], list[_Waiting]()
        task = asyncio.create_task(_mark(db, entry_id, line, served))
        self._serving.add(task)

        def end(ended: asyncio.Task[Marked]) -> None:
            self._serving.discard(ended)
            _tell(served, ended)
            if not line or ended.cancelled():
                _tell(self._lines.pop(entry_id), ended)
            else:
                self._serve(db, entry_id)

        task.add_done_callback(end)


async def mark_in_crowd(
    db: Database, mark: Mark, entry_id: UUID, *, is_set: bool, viewer: Viewer, now: datetime
) -> Entry:
    """Set or unset a mark in a transaction that may serve others, too. Returns the entry as it is after that.

    If the caller is cancelled the mark is still made. Raises as `mark_entry` does, and `Unavailable`.
    """
    check_member(viewer)
    wish = Wish(mark=mark, user_id=viewer.user_id, is_set=is_set)
    return await _CROWDS.setdefault(db, _Crowds()).come(db, entry_id, wish, now)


async def _mark(db: Database, entry_id: UUID, line: deque[_Waiting], served: list[_Waiting]) -> Marked:
    served += [line.popleft() for _ in range(min(len(line), _TOGETHER))]
    async with db.transaction() as tx:
        return await mark_together(tx, entry_id, [one.wish for one in served], now=served[-1].now)


def _tell(served: Iterable[_Waiting], ended: "asyncio.Task[Marked]") -> None:
    """Tell whoever still waits what came of it: the entry, or why there is none for him."""
    failure = _broken_off() if ended.cancelled() else ended.exception()
    for one in served:
        if one.done.done():
            continue
        if failure is not None:
            one.done.set_exception(failure)
        elif one.wish.user_id in ended.result().seen_by:
            one.done.set_result(ended.result().shown_to(one.wish.user_id))
        else:
            one.done.set_exception(no_entry())


def _broken_off() -> Unavailable:
    return Unavailable("The change was broken off. Look whether it was made before you repeat it.")


_CROWDS: "WeakKeyDictionary[Database, _Crowds]" = WeakKeyDictionary()
