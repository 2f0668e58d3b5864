"""Groups: whoever asks the same and may see the same is told by one execution, in the same bytes."""

from collections import Counter
from collections.abc import Callable, Hashable
from functools import partial
from typing import Any
from uuid import UUID

from schema.context import Context
from schema.engine.executor import Asked
from schema.errors import judged
from schema.live.feeds import FeedGroup
from schema.live.group import Errors, Group, Over, Reader
from schema.live.rings import Payload
from schema.live.sources import State
from schema.live.states import StateGroup
from schema.live.watching import watched

# What an overlay's token may watch at once, on all its sockets together.
TOPICS_OF_AN_OVERLAY = 20


class Groups:
    """The groups of one server."""

    def __init__(self, schema: Any, *, topics_of_an_overlay: int = TOPICS_OF_AN_OVERLAY) -> None:
        self._schema = schema
        self._groups: dict[Hashable, Group] = {}
        self._topics_of_an_overlay = topics_of_an_overlay
        # By an overlay's token, what it watches, and with how many readers.
        self._topics: dict[UUID, Counter[Hashable]] = {}

    def __len__(self) -> int:
        """How many groups there are."""
        return len(self._groups)

    @property
    def reader_count(self) -> int:
        """How many watch, in all groups."""
        return sum(len(group) for group in self._groups.values())

    def enter(
        self,
        asked: Asked,
        context: Context,
        offer: Callable[[Payload], bool],
        ended: Callable[[Errors], None],
        *,
        after: str | None = None,
    ) -> Reader:
        """Let a client into the group of what he asks for. Raises `Over` with the reason if it cannot be.

        `after` takes the place of the argument of a feed, for doors that have a word of their own for it.
        """
        found = watched(self._schema, asked, context)
        if isinstance(found, list):
            raise Over(judged(found, asked.name))
        left = self._count_topic(context.viewer.token_id, found.key) if context.viewer.is_overlay else None
        group = self._groups.get(found.key)
        if group is None:
            # The cost was the first client's; what comes for all of them is nobody's.
            kind = StateGroup if found.live.kind is State else FeedGroup
            group = self._groups[found.key] = kind(found, self._forget)
        reader = group.enter(found.after if after is None else after, offer, ended)
        reader.on_leave = left
        return reader

    def _count_topic(self, token_id: UUID, key: Hashable) -> Callable[[], None]:
        """Note that a token watches something, and return what to call when it does not any more. Raises `Over`."""
        topics = self._topics.setdefault(token_id, Counter())
        if key not in topics and len(topics) >= self._topics_of_an_overlay:
            message = f"An overlay's token watches {self._topics_of_an_overlay} things at most at once."
            raise Over([{"message": message, "extensions": {"code": "RATE_LIMITED"}}])
        topics[key] += 1
        return partial(self._uncount_topic, token_id, key)

    def _uncount_topic(self, token_id: UUID, key: Hashable) -> None:
        topics = self._topics[token_id]
        topics[key] -= 1
        if not topics[key]:
            del topics[key]
        if not topics:
            del self._topics[token_id]

    def _forget(self, group: Group) -> None:
        if self._groups.get(group.key) is group:
            del self._groups[group.key]
