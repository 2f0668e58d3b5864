"""Introspection: what the schema says of itself is the same for everybody, so it is made once, printed and kept.

Walking the whole schema takes graphql-core a quarter of a second. It is done in a thread, so that nobody waits who
asked for something else, and only one at a time; whoever asks the same meanwhile waits for the same answer.
"""

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
from graphql import DocumentNode, GraphQLSchema, execute_sync

from schema.scalars import print_answer

ANSWERS_KEPT = 16
BYTES_KEPT = 8 * 1024 * 1024

# The document, the operation's name, and its variables as they were understood.
_Key = tuple[str, str | None, bytes]


class Introspections:
    """The printed answers of one schema to questions about itself. Bounded in number and in size."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: OrderedDict[_Key, bytes] = OrderedDict()
        self._under_way: dict[_Key, asyncio.Task[bytes | None]] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="introspection")
        # How often `executed` and how often answered from what was `kept`.
        self.counts: Counter[str] = Counter()

    def __len__(self) -> int:
        """How many answers are kept."""
        return len(self._known)

    async def answer(
        self, text: str, document: DocumentNode, name: str | None, variables: Mapping[str, Any]
    ) -> orjson.Fragment | None:
        """Return the printed `data` of an operation that asks for nothing but the schema; `None` if it has errors.

        `variables` are coerced. Whoever leaves does not stop it: others may wait for it, or ask next.
        """
        key = (text, name, orjson.dumps(variables, option=orjson.OPT_SORT_KEYS))
        found = self._known.get(key)
        if found is None:
            found = await asyncio.shield(self._making(key, document, name, variables))
        else:
            self._known.move_to_end(key)
            self.counts["kept"] += 1
        return None if found is None else orjson.Fragment(found)

    def _making(
        self, key: _Key, document: DocumentNode, name: str | None, variables: Mapping[str, Any]
    ) -> "asyncio.Task[bytes | None]":
        task = self._under_way.get(key)
        if task is None or task.get_loop() is not asyncio.get_running_loop():
            task = asyncio.create_task(self._make(key, document, name, variables))
            self._under_way[key] = task
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return task

    async def _make(
        self, key: _Key, document: DocumentNode, name: str | None, variables: Mapping[str, Any]
    ) -> bytes | None:
        def execute() -> bytes | None:
            result = execute_sync(self._schema, document, variable_values=dict(variables), operation_name=name)
            return None if result.errors else print_answer(result.data)

        self.counts["executed"] += 1
        made = await asyncio.get_running_loop().run_in_executor(self._thread, execute)
        if made is not None and len(made) <= BYTES_KEPT:
            self._known[key] = made
            while len(self._known) > ANSWERS_KEPT or sum(map(len, self._known.values())) > BYTES_KEPT:
                self._known.popitem(last=False)
        return made
