"""Collecting a selection: which fields are asked of a type, fragments merged, `@skip` and `@include` decided."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, cast

from graphql import (
    DirectiveNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    VariableNode,
    is_abstract_type,
)

from schema.engine.plan import Unplanned

_KNOWN_DIRECTIVES = {"skip", "include"}
_OF_SCHEMA = {"__schema", "__type"}


class Collector:
    """Collects fields of one operation. `flags` are the variables that its directives ask."""

    def __init__(
        self, schema: GraphQLSchema, fragments: Mapping[str, FragmentDefinitionNode], flags: Mapping[str, Any]
    ) -> None:
        self.schema = schema
        self._fragments = fragments
        self._flags = flags

    def collect(
        self, type_: GraphQLObjectType, selection_sets: Iterable[SelectionSetNode | None]
    ) -> dict[str, list[FieldNode]]:
        """Return the fields asked of a type, by response key, in the order the specification gives them."""
        fields: dict[str, list[FieldNode]] = {}
        visited: set[str] = set()
        for selection_set in selection_sets:
            if selection_set is not None:
                self._add(type_, selection_set.selections, fields, visited)
        return fields

    def _add(
        self,
        type_: GraphQLObjectType,
        selections: Collection[SelectionNode],
        fields: dict[str, list[FieldNode]],
        visited: set[str],
    ) -> None:
        for selection in selections:
            if not self._is_included(selection.directives or ()):
                continue
            if isinstance(selection, FieldNode):
                key = selection.alias.value if selection.alias else selection.name.value
                fields.setdefault(key, []).append(selection)
                continue
            inner = self._fragment(type_, selection, visited)
            if inner is not None:
                self._add(type_, inner.selections, fields, visited)

    def _fragment(
        self, type_: GraphQLObjectType, selection: SelectionNode, visited: set[str]
    ) -> SelectionSetNode | None:
        """Return what a fragment selects of a type, `None` if it is for others or was spread before."""
        if isinstance(selection, InlineFragmentNode):
            condition = selection.type_condition.name.value if selection.type_condition else type_.name
            return selection.selection_set if self._applies(condition, type_) else None
        if not isinstance(selection, FragmentSpreadNode):
            raise Unplanned("a selection of a new kind")
        name = selection.name.value
        if name in visited:
            return None
        visited.add(name)
        fragment = self._fragments[name]
        return fragment.selection_set if self._applies(fragment.type_condition.name.value, type_) else None

    def _applies(self, condition: str, type_: GraphQLObjectType) -> bool:
        if condition == type_.name:
            return True
        other = self.schema.type_map[condition]
        return is_abstract_type(other) and self.schema.is_sub_type(other, type_)

    def _is_included(self, directives: Iterable[DirectiveNode]) -> bool:
        # `@skip` first, wherever it stands: what is skipped need not have another condition that holds water.
        for directive in sorted(directives, key=lambda one: one.name.value != "skip"):
            name = directive.name.value
            if name not in _KNOWN_DIRECTIVES:
                raise Unplanned(f"the directive @{name}")
            if self._condition(directive) is (name == "skip"):
                return False
        return True

    def _condition(self, directive: DirectiveNode) -> bool:
        value = next(iter(directive.arguments or ())).value
        if isinstance(value, VariableNode):
            flag = self._flags[value.name.value]
            if flag is None:
                # A variable with a default may stand here and be null all the same, which is an error.
                raise Unplanned(f"the condition ${value.name.value}, which is null")
            return bool(flag)
        return bool(getattr(value, "value", None))


def flags_of(operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]) -> tuple[str, ...]:
    """Return the names of the variables that decide what is selected, sorted."""
    names: set[str] = set()
    for node in (operation, *fragments.values()):
        names.update(_flags_in(node.selection_set))
    return tuple(sorted(names))


def _flags_in(selection_set: SelectionSetNode) -> Iterator[str]:
    for selection in selection_set.selections:
        for directive in selection.directives or ():
            for argument in directive.arguments or ():
                if isinstance(argument.value, VariableNode):
                    yield argument.value.name.value
        inner = getattr(selection, "selection_set", None)
        if inner is not None:
            yield from _flags_in(inner)


def asks_for_schema(selection_set: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> bool:
    """Say whether an operation's root, which is valid, asks what the schema is."""
    return any(name in _OF_SCHEMA for name in _names_in(selection_set, fragments))


def asks_for_nothing_else(selection_set: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> bool:
    """Say whether all that an operation's root asks is what the schema is, which hangs on nobody and no data."""
    return all(name in _OF_SCHEMA or name == "__typename" for name in _names_in(selection_set, fragments))


def _names_in(selection_set: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> Iterator[str]:
    """Walk the names of a root's fields, those that a directive may leave out among them."""
    for selection in selection_set.selections:
        if isinstance(selection, FieldNode):
            yield selection.name.value
        else:
            inner = (
                fragments[selection.name.value]
                if isinstance(selection, FragmentSpreadNode)
                else cast("InlineFragmentNode", selection)
            )
            yield from _names_in(inner.selection_set, fragments)
