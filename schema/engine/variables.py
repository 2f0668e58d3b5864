"""Variables: what a client sends with an operation, read by a few checks where they are plain.

graphql-core coerces any value to any input type, and takes longer for one id than we take to answer for it. Most
variables are built-in scalars without a default, and a value of the right class coerces to itself.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from graphql import GraphQLError, GraphQLSchema, OperationDefinitionNode, is_non_null_type
from graphql.execution.get_variable_signature import GraphQLVariableSignature, get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource, get_variable_values

_SMALLEST, _LARGEST = -(1 << 31), (1 << 31) - 1
_MISSING = object()

# Whether a value coerces to itself, by the name of the type. What does not, may still coerce to something else.
_IS_PLAIN: dict[str, Callable[[Any], bool]] = {
    "ID": lambda value: value.__class__ is str,
    "String": lambda value: value.__class__ is str,
    "Int": lambda value: value.__class__ is int and _SMALLEST <= value <= _LARGEST,
    "Float": lambda value: value.__class__ is float and isfinite(value),
    "Boolean": lambda value: value.__class__ is bool,
}


@dataclass(frozen=True, slots=True)
class _Plain:
    """A variable of a built-in scalar type, without a default."""

    name: str
    is_required: bool
    is_plain: Callable[[Any], bool]
    signature: GraphQLVariableSignature
    absent: VariableValueSource


class Variables:
    """The variables that one operation declares."""

    def __init__(self, schema: GraphQLSchema, operation: OperationDefinitionNode) -> None:
        self._schema = schema
        self._declared = operation.variable_definitions or ()
        plain = [_plain(schema, one) for one in self._declared]
        self._plain = [one for one in plain if one is not None] if None not in plain else None

    def read(self, given: Mapping[str, Any]) -> VariableValues | None:
        """Coerce what a client sent, as graphql-core does. `None` if it cannot be: graphql-core says why."""
        found = None if self._plain is None else _read_plain(self._plain, given)
        if found is not None:
            return found
        coerced = get_variable_values(self._schema, self._declared, dict(given))
        return None if isinstance(coerced, list) else coerced


def _read_plain(declared: list[_Plain], given: Mapping[str, Any]) -> VariableValues | None:
    """Read variables whose values are what they should be; `None` as soon as one is not."""
    sources: dict[str, VariableValueSource] = {}
    coerced: dict[str, Any] = {}
    for one in declared:
        value = given.get(one.name, _MISSING)
        if value is _MISSING:
            if one.is_required:
                return None
            sources[one.name] = one.absent
            continue
        if not one.is_plain(value) and (value is not None or one.is_required):
            return None
        sources[one.name] = VariableValueSource(one.signature, value)
        coerced[one.name] = value
    return VariableValues(sources, coerced)


def _plain(schema: GraphQLSchema, declared: Any) -> _Plain | None:
    signature = get_variable_signature(schema, declared)
    if isinstance(signature, GraphQLError) or declared.default_value is not None:
        return None
    declared_type: Any = signature.type
    is_required = is_non_null_type(declared_type)
    named = declared_type.of_type if is_required else declared_type
    is_plain = _IS_PLAIN.get(getattr(named, "name", ""))
    if is_plain is None:
        return None
    return _Plain(signature.name, is_required, is_plain, signature, VariableValueSource(signature))
