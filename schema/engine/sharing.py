"""Sharing: what one batch query reads on several levels, read by one statement as soon as all its keys are known.

A thread's root has an author, and so have its replies: the root's waits until the replies are there, and is read with
theirs. Only rows wait on which nothing else hangs.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from db.statements import RawRow
from schema.engine.plan import Edge, EdgeClaim, EdgeNode, EdgeOne, EdgePage, RowSelection

Group = Sequence[Edge]


@dataclass(slots=True)
class Wish:
    """Keys that are to be read, those for others included, and the rows of all of them once they are there."""

    keys: list[Any]
    others: "Sequence[Wish]" = ()
    rows: Sequence[RawRow] | None = None

    def grant(self, rows: Sequence[RawRow]) -> None:
        """Hand the rows to whoever wished for some of them."""
        self.rows = rows
        for other in self.others:
            other.grant(rows)


class Wishes:
    """What is to be read by which edge for others, during one run."""

    def __init__(self) -> None:
        self._by_reader: dict[int, list[Wish]] = {}

    def gather(self, group: Group, keys: list[Any]) -> Wish:
        """Return what a group is to read: its own keys, and what others wish of it."""
        others = self._by_reader.pop(id(group[0]), None)
        if others is None:
            return Wish(keys)
        return Wish(list(dict.fromkeys((*keys, *(key for other in others for key in other.keys)))), others)

    def make(self, reader: Edge, wish: Wish) -> None:
        """Have another edge read for a group."""
        self._by_reader.setdefault(id(reader), []).append(wish)

    def withdraw(self, reader: Edge) -> None:
        """Have nothing read by an edge any more. Whoever is still without rows reads them himself."""
        self._by_reader.pop(id(reader), None)


def own_rows(edge: EdgeOne | EdgeClaim, rows: Sequence[RawRow], keys: Sequence[Any]) -> list[RawRow]:
    """Return the rows of some keys among those that were read for several."""
    key_of, own = itemgetter(edge.selection.columns.index(edge.batch.by)), set(keys)
    return [row for row in rows if key_of(row) in own]


def readers_of(groups: Sequence[Group]) -> dict[int, Edge]:
    """Find which groups of a level can wait, by their places, and which edge reads for them.

    That is beside them and comes later, or is below one beside them. All that may read for each other are given the
    same columns.
    """
    found: dict[int, Edge] = {}
    for place, group in enumerate(groups):
        alike = [group, *_readers(groups, group, place)] if _can_wait(group) else []
        if len(alike) > 1:
            found[place] = alike[1][0]
            _align([edge for one in alike for edge in one])
    return found


def _can_wait(group: Group) -> bool:
    return all(isinstance(edge, EdgeOne | EdgeClaim) and not edge.selection.edges for edge in group)


def _readers(groups: Sequence[Group], group: Group, place: int) -> Iterator[Group]:
    """Walk all groups that read the same batch query, beside a group after its place and below any beside it."""
    for beside, other in enumerate(groups):
        if beside > place and other[0].batch is group[0].batch and isinstance(other[0], EdgeOne | EdgeClaim):
            yield other
    for other in groups:
        for edge in other:
            for selection in below(edge):
                yield from _readers(selection.groups, group, -1)


def below(edge: Edge) -> Sequence[RowSelection]:
    """Return what is wanted of the rows an edge leads to."""
    if isinstance(edge, EdgePage):
        return edge.connection.row_selections()
    if isinstance(edge, EdgeNode):
        return [choice.selection for choice in edge.choices]
    return [edge.selection]


def _align(edges: Sequence[Edge]) -> None:
    columns = tuple(dict.fromkeys(name for edge in edges for name in edge.selection.columns))
    for edge in edges:
        edge.selection.columns = columns
