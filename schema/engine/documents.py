"""Documents: parsed, measured and validated once, and kept while they are in use.

Parsing and validating a small operation takes longer than answering it, and clients send the same ones over and over.
What is wrong with a document is kept as well: whoever sends it again is refused at no cost.
"""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

from graphql import (
    ASTValidationRule,
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    NoUnusedFragmentsRule,
    OperationDefinitionNode,
    parse,
    specified_rules,
    validate,
)
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from schema.engine.limits import COMMENTS_READ, Limits, TooMuch, check, check_length
from schema.errors import MOST_ERRORS

DOCUMENTS_KEPT = 1000
CHARACTERS_KEPT = 8 * 1024 * 1024
# A parsed token takes about half a kilobyte: this many take 32 MiB.
TOKENS_KEPT = 64 * 1024

# Strawberry's own rules beside GraphQL's, so that a document is valid here exactly if it is there.
_RULES = (*specified_rules, MaybeNullValidationRule, OneOfInputValidationRule)


@dataclass(frozen=True, slots=True)
class Document:
    """A document and what stands in it; or what is wrong with it, and then nothing stands in it."""

    node: DocumentNode | None = None
    operations: dict[str, OperationDefinitionNode] = field(default_factory=dict)
    fragments: dict[str, FragmentDefinitionNode] = field(default_factory=dict)
    errors: tuple[GraphQLError, ...] = ()
    tokens: int = 0
    # Whether it could be parsed, and was not too large for that.
    is_read: bool = True

    def operation(self, name: str | None) -> OperationDefinitionNode | None:
        """Return the operation of a name, or the only one; `None` if that is not one operation."""
        if name:
            return self.operations.get(name)
        return next(iter(self.operations.values())) if len(self.operations) == 1 else None

    def errors_for(self, name: str | None) -> list[GraphQLError]:
        """Return why the operation of a name cannot be run; nothing if it can."""
        if self.errors:
            return list(self.errors)
        if self.operation(name) is not None:
            return []
        if name:
            return [GraphQLError(f"This document has no operation named {name!r}.")]
        if not self.operations:
            return [GraphQLError("This document has no operation.")]
        return [GraphQLError("This document has several operations: say in `operationName` which one is to run.")]


class Documents:
    """The documents of one schema. Bounded in number and in size; the least recently used go first."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._known: OrderedDict[str, Document] = OrderedDict()
        self._characters = 0
        self._tokens = 0
        self.limits = Limits()
        # Whether a mistake is answered with what may have been meant: kind to people, and takes time.
        self.gives_hints = False

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._known)

    def get(self, text: str) -> Document:
        """Return the document of a text, with what is wrong with it if it cannot be run."""
        found = self._known.get(text)
        if found is not None:
            self._known.move_to_end(text)
            return found
        found = self._known[text] = self._read(text)
        self._characters += len(text)
        self._tokens += found.tokens
        while (
            len(self._known) > DOCUMENTS_KEPT
            or self._characters > CHARACTERS_KEPT
            or self._tokens > max(TOKENS_KEPT, found.tokens)
        ):
            gone, document = self._known.popitem(last=False)
            self._characters -= len(gone)
            self._tokens -= document.tokens
        return found

    def _read(self, text: str) -> Document:
        try:
            check_length(text, self.limits)
        except TooMuch as fault:
            return Document(errors=(fault.as_error(),), is_read=False)
        try:
            document = parse(text, max_lexical_tokens=self.limits.tokens, max_comments=COMMENTS_READ)
            check(document, self.limits)
        except TooMuch as fault:
            return Document(errors=(fault.as_error(),))
        except GraphQLError as error:
            return Document(errors=(_worded(error, self.limits.tokens),), is_read=False)
        errors = self._faults(document)
        return Document(errors=tuple(_light(error) for error in errors)) if errors else _sorted_out(document)

    def _faults(self, document: DocumentNode) -> list[GraphQLError]:
        # A fragment that nobody spreads was not measured: no other rule may look at it.
        return self._broken(document, [NoUnusedFragmentsRule]) or self._broken(document, _RULES)

    def _broken(self, document: DocumentNode, rules: Collection[type[ASTValidationRule]]) -> list[GraphQLError]:
        hides = not self.gives_hints
        # After the last of them the validator says that there were too many, which is one more.
        return validate(self._schema, document, rules, MOST_ERRORS, hide_suggestions=hides)[:MOST_ERRORS]


def _worded(error: GraphQLError, tokens: int) -> GraphQLError:
    """Return a syntax error; one of the parser's limits in our words, with its numbers."""
    for what, most in (("tokens", tokens), ("comments", COMMENTS_READ)):
        if f"more than {most} {what}" in error.message:
            return TooMuch(what, most + 1, most, f"This document has more than the {most} {what} allowed.").as_error()
    return error


def _light(error: GraphQLError) -> GraphQLError:
    """Return an error that knows where it is without keeping the parsed document."""
    return GraphQLError(error.message, source=error.source, positions=error.positions, extensions=error.extensions)


def _sorted_out(document: DocumentNode) -> Document:
    operations: dict[str, OperationDefinitionNode] = {}
    fragments: dict[str, FragmentDefinitionNode] = {}
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode):
            operations[definition.name.value if definition.name else ""] = definition
        elif isinstance(definition, FragmentDefinitionNode):
            fragments[definition.name.value] = definition
    return Document(document, operations, fragments, tokens=_tokens_of(document))


def _tokens_of(document: DocumentNode) -> int:
    token, count = None if document.loc is None else document.loc.start_token, 0
    while token is not None:
        token, count = token.next, count + 1
    return count
