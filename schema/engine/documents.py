"""Documents: parsed and validated once, and kept while they are in use.

Parsing and validating a small operation takes longer than answering it, and clients send the same ones over and over.
"""

from collections import OrderedDict
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    parse,
    specified_rules,
)
from strawberry.schema.schema import validate_document

DOCUMENTS_KEPT = 1000
CHARACTERS_KEPT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """A valid document and what stands in it."""

    operations: dict[str, OperationDefinitionNode]
    fragments: dict[str, FragmentDefinitionNode]

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation of a name, or the only one; `None` if that is not one operation."""
        if name is not None:
            return self.operations.get(name)
        return next(iter(self.operations.values())) if len(self.operations) == 1 else None


class Documents:
    """The documents of one schema. Bounded in number and in size; the least recently used go first."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: OrderedDict[str, Document | None] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._known)

    def get(self, text: str) -> Document | None:
        """Return the document of a text, `None` for one that is not valid: graphql-core says why."""
        if text in self._known:
            self._known.move_to_end(text)
            return self._known[text]
        found = self._known[text] = self._read(text)
        self._characters += len(text)
        while len(self._known) > DOCUMENTS_KEPT or self._characters > CHARACTERS_KEPT:
            gone, _ = self._known.popitem(last=False)
            self._characters -= len(gone)
        return found

    def _read(self, text: str) -> Document | None:
        try:
            document = parse(text)
        except GraphQLError:
            return None
        # With Strawberry's own rules, so that a document is valid here exactly if it is there.
        if validate_document(self._schema, document, tuple(specified_rules)):
            return None
        return _sorted_out(document)


def _sorted_out(document: DocumentNode) -> Document:
    operations: dict[str, OperationDefinitionNode] = {}
    fragments: dict[str, FragmentDefinitionNode] = {}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations[definition.name.value if definition.name else ""] = definition
        elif isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
    return Document(operations, fragments)
