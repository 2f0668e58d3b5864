"""Limits on a document: how much may stand in it, measured before it is validated, let alone run.

A fragment is measured once however often it is spread, so measuring takes as long as the document is long, and what
it finds out is kept with the document: a request that sends a known one pays nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
)

# Comments are no tokens, and are kept all the same.
COMMENTS_READ = 200
# All operations of one document together, in multiples of what one may have.
_OPERATIONS_TOGETHER = 4
# Measuring goes no deeper than this, nor do fragments in fragments.
_DEEPEST = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much a document may hold. Fragments count wherever they are spread."""

    # Looked at before anything else is: even to find the line of a mistake, all of a text is read.
    characters: int = 65_536
    tokens: int = 1000
    depth: int = 15
    fields: int = 500
    aliases: int = 30
    directives: int = 20
    root_fields: int = 20
    cost: int = 20_000
    # Validation compares each two fields that answer under one name in one place.
    comparisons: int = 5_000


class TooMuch(Exception):
    """A document has more of something than it may. Its words are for the client."""

    def __init__(self, limit: str, found: int, most: int, message: str) -> None:
        super().__init__(message)
        self.limit = limit
        self.found = found
        self.most = most

    def as_error(self) -> GraphQLError:
        """Return what the client is told."""
        numbers = {"limit": self.limit, "found": self.found, "most": self.most}
        return GraphQLError(str(self), extensions={"code": "BAD_USER_INPUT", **numbers})


@dataclass(frozen=True, slots=True)
class Shape:
    """How much a selection holds, all that is spread in it included."""

    fields: int = 0
    aliases: int = 0
    directives: int = 0
    depth: int = 0
    # The fields that stand in it itself, not in what they select.
    width: int = 0


def check(document: DocumentNode, limits: Limits) -> None:
    """Measure the operations of a document. Raises `TooMuch`, with the numbers."""
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    measuring = _Measuring(fragments, limits.depth)
    together = 0
    for operation in document.definitions:
        if isinstance(operation, OperationDefinitionNode):
            shape = measuring.shape(operation.selection_set)
            together += shape.fields
            for limit, found in _numbers(shape, len(operation.directives or ())):
                _hold(limit, found, getattr(limits, limit))
            _hold("fields", together, _OPERATIONS_TOGETHER * limits.fields)
            _hold("comparisons", _comparisons(operation, fragments), limits.comparisons)


def check_length(text: str, limits: Limits) -> None:
    """Measure a text before it is read. Raises `TooMuch`."""
    _hold("characters", len(text), limits.characters)


def _numbers(shape: Shape, directives: int) -> Iterator[tuple[str, int]]:
    yield "depth", shape.depth
    yield "fields", shape.fields
    yield "root_fields", shape.width
    yield "aliases", shape.aliases
    yield "directives", shape.directives + directives


_SAID = {
    "characters": "This document is {found} characters long; {most} are allowed.",
    "depth": "This is nested {found} levels deep; {most} are allowed.",
    "fields": "This asks for {found} fields, fragments included; {most} are allowed.",
    "root_fields": "This asks for {found} fields at the root; {most} are allowed.",
    "aliases": "This has {found} aliases, fragments included; {most} are allowed.",
    "directives": "This has {found} directives, fragments included; {most} are allowed.",
    "comparisons": "This asks for the same fields too often: {found} pairs of them are to be compared, of {most}.",
}


def _hold(limit: str, found: int, most: int) -> None:
    if found > most:
        raise TooMuch(limit, found, most, _SAID[limit].format(found=found, most=most))


class _Measuring:
    """Measures the selections of one document, each fragment once."""

    def __init__(self, fragments: Mapping[str, FragmentDefinitionNode], deepest: int) -> None:
        self._fragments = fragments
        self._deepest = deepest
        self._known: dict[str, Shape] = {}

    def shape(self, selection_set: SelectionSetNode, level: int = 0) -> Shape:
        """Return the shape of a selection; `level` is how far below the operation it is reached."""
        if level >= _DEEPEST:
            raise TooMuch(
                "depth",
                level,
                self._deepest,
                f"This is nested more than {_DEEPEST} levels deep; {self._deepest} are allowed.",
            )
        fields = aliases = directives = depth = width = 0
        for selection in selection_set.selections:
            if isinstance(selection, FieldNode):
                inner = _NOTHING if selection.selection_set is None else self.shape(selection.selection_set, level + 1)
                # What the schema says of itself is deep by nature, and always the same.
                below = 0 if selection.name.value.startswith("__") else inner.depth
                fields, width, depth = fields + 1, width + 1, max(depth, 1 + below)
                aliases += selection.alias is not None
            else:
                inner = self._spread(selection, level + 1)
                width, depth = width + inner.width, max(depth, inner.depth)
            fields, aliases = fields + inner.fields, aliases + inner.aliases
            directives += inner.directives + len(selection.directives or ())
        return Shape(fields, aliases, directives, depth, width)

    def _spread(self, selection: SelectionNode, level: int) -> Shape:
        if isinstance(selection, InlineFragmentNode):
            return self.shape(selection.selection_set, level)
        name = cast("FragmentSpreadNode", selection).name.value
        known = self._known.get(name)
        if known is None:
            # A fragment that spreads itself, or that there is none of, adds nothing: validation refuses it.
            self._known[name] = _NOTHING
            fragment = self._fragments.get(name)
            if fragment is not None:
                known = self._known[name] = self.shape(fragment.selection_set, level)
        return known or _NOTHING


_NOTHING = Shape()


def _comparisons(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> int:
    """Count the pairs of fields that answer under one name in one place.

    By now there are few enough fields to look at each, wherever it is spread.
    """
    counts: dict[tuple[int, str], int] = {}
    places: dict[tuple[int, str], int] = {}
    waiting: list[tuple[int, SelectionSetNode, frozenset[str]]] = [(0, operation.selection_set, frozenset())]
    while waiting:
        place, selection_set, inside = waiting.pop()
        for selection in selection_set.selections:
            if isinstance(selection, FieldNode):
                name = (place, selection.alias.value if selection.alias else selection.name.value)
                counts[name] = counts.get(name, 0) + 1
                if selection.selection_set is not None:
                    waiting.append((places.setdefault(name, len(places) + 1), selection.selection_set, inside))
            elif isinstance(selection, FragmentSpreadNode):
                fragment = fragments.get(selection.name.value)
                if fragment is not None and selection.name.value not in inside:
                    waiting.append((place, fragment.selection_set, inside | {selection.name.value}))
            elif isinstance(selection, InlineFragmentNode):
                waiting.append((place, selection.selection_set, inside))
    return sum(count * (count - 1) // 2 for count in counts.values())
