"""The shapes of seven real discussions: who replied to whom and when. `thread_shapes.jsonl` says nothing else.

They are derived from recorded answers in the tests of praw-dev/praw (BSD-2-Clause).
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

from db.social.operations import DIGITS

_FILE = Path(__file__).with_name("thread_shapes.jsonl")

# Of which shape, its number in it, that of its parent, its path, its place among the replies of its parent, its depth,
# seconds after the root, and whether it was deleted.
Node = tuple[int, int, int | None, str, int, int, int, int]


def nodes() -> Iterator[Node]:
    """Return the nodes of all shapes, each before the replies to it: the first so many are a thread as well."""
    for shape, line in enumerate(_FILE.read_bytes().splitlines()):
        yield from _placed(shape, orjson.loads(line)["rows"])


def _placed(shape: int, rows: Sequence[tuple[int | None, int, int]]) -> Iterator[Node]:
    paths, depths, children = [""], [0], [0] * len(rows)
    for number, (parent, seconds, is_deleted) in enumerate(rows):
        if parent is None:
            yield (shape, number, None, "", 0, 0, seconds, is_deleted)
            continue
        children[parent] += 1
        paths.append(f"{paths[parent]}{children[parent]:0{DIGITS}x}")
        depths.append(depths[parent] + 1)
        yield (shape, number, parent, paths[-1], children[parent], depths[-1], seconds, is_deleted)
