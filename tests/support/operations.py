"""Operations that nobody thought of: hypothesis writes valid documents over the whole schema, with their variables.

What is written hangs on the schema alone, so a domain that is added is asked about by itself. What the arguments name
comes from a database that was looked through before: see `Things`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple, TypeVar, cast

from graphql import (
    ArgumentNode,
    BooleanValueNode,
    ConstValueNode,
    DirectiveNode,
    DocumentNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLField,
    GraphQLID,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    ListValueNode,
    NamedTypeNode,
    NameNode,
    NullValueNode,
    ObjectFieldNode,
    ObjectValueNode,
    OperationDefinitionNode,
    OperationType,
    SelectionNode,
    SelectionSetNode,
    StringValueNode,
    ValueNode,
    VariableDefinitionNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
    parse_type,
    print_ast,
)
from hypothesis import strategies as st

T = TypeVar("T")

# About how many rows an operation brings at most.
_MOST_ROWS = 250

_ALIASES = ("a", "b", "c", "id", "name", "nodes", "value", "rows", "edge0", "class", "__typename_", "state")
_WORDS = ("", " ", "Open 1", "Mat 01", "Zürich — 서울 🥋", "  padded ", "x" * 201, 'a\nb\t"c"\\', "e\u0301", "new")
_INSTANTS = ("2026-11-21T09:30:00Z", "2026-11-21T18:30:00.123456+09:00", "0001-01-01T00:00:00Z")
_DAYS = ("2026-11-01", "2026-11-21", "2026-12-31", "2027-02-28")
_MISSING = "0" * 31 + "1"
_GARBAGE_IDS = ("", "nonsense", "match_", f"nothing_{_MISSING}", "match_" + "G" * 32, 5)
_GARBAGE_CURSORS = ("", "?", "bm90IGpzb24", "W10", "WzFd", "WyJhIl0", "WzEsMl0", "e30", "WzkyMjMzNzIwMzY4NTQ3NzU4MDhd")
_SIZES = (0, 1, 2, 3, 5, 20, 100)
_IMPOSSIBLE_SIZES = (-1, 101, -2147483648, 2147483647)
# How big an operation is, hypothesis chooses, and so finds small ones that fail; what stands in it is left to chance.
# Were each choice hypothesis' own, most would be the simplest there is: it likes to try again with them moved about.
_CHANCE = st.randoms(use_true_random=True)
_FIELDS = st.integers(0, 4).map(lambda size: (3, 10, 30, 50, 80)[size])
_DEPTHS = st.integers(0, 3).map(lambda size: (3, 5, 6, 7)[size])
_WORDS_OF_A_NAME = re.compile(r"[A-Z]?[a-z]+")
_PAGING = ("first", "last", "after", "before")


@dataclass(frozen=True, kw_only=True)
class Things:
    """What is in a database: ids by their kind, and cursors by the connection they are of, as `Type.field`."""

    ids: Mapping[str, Sequence[str]]
    cursors: Mapping[str, Sequence[str]]

    def all_cursors(self) -> list[str]:
        return [cursor for of_one in self.cursors.values() for cursor in of_one]


@dataclass(frozen=True, kw_only=True)
class Operation:
    """A document with one operation, and the variables to run it with."""

    text: str
    variables: dict[str, Any]

    def __repr__(self) -> str:
        return f"\n{self.text}\nwith {self.variables!r}\n"


def operations(
    schema: GraphQLSchema, things: Things, kind: OperationType = OperationType.QUERY
) -> st.SearchStrategy[Operation]:
    """Return a strategy of operations of a kind. They are valid as they are written: none has to be thrown away."""

    @st.composite
    def written(draw: st.DrawFn) -> Operation:
        writer = _Writer(draw(_CHANCE), schema, things, fields_left=draw(_FIELDS), deepest=draw(_DEPTHS))
        return writer.operation(kind)

    return written()


def one_of(these: Sequence[T]) -> st.SearchStrategy[T]:
    """Return a strategy that picks one, each as often as any other."""
    return _CHANCE.map(lambda chance: chance.choice(these))


class _Page(NamedTuple):
    """A field's arguments, and how many rows each of its parents has at most."""

    arguments: tuple[ArgumentNode, ...]
    rows: int


@dataclass(frozen=True)
class _Asked:
    """The argument a value is for."""

    parent: str
    field: str
    argument: str

    @property
    def place(self) -> str:
        return f"{self.parent}.{self.field}"


@dataclass
class _Fragment:
    """A named fragment: how deep it goes and how many rows it brings."""

    node: FragmentDefinitionNode
    type: GraphQLObjectType | GraphQLInterfaceType
    depth: int
    rows: int


@dataclass
class _Extent:
    """How far what was written reaches below a point."""

    depth: int = 0
    rows: int = 1

    def reach(self, depth: int, rows: int) -> None:
        self.depth, self.rows = max(self.depth, depth), max(self.rows, rows)


@dataclass
class _Writer:
    """Writes one operation."""

    random: Random
    schema: GraphQLSchema
    things: Things
    fields_left: int
    deepest: int
    # Most operations ask what can be answered. The others ask for trouble, in any of their arguments.
    is_clean: bool = True
    variables: dict[str, Any] = field(default_factory=dict)
    definitions: list[VariableDefinitionNode] = field(default_factory=list)
    fragments: list[_Fragment] = field(default_factory=list)
    # What a response key stands for, in the whole document: then nothing in it can conflict.
    meanings: dict[str, str] = field(default_factory=dict)
    extent: _Extent = field(default_factory=_Extent)

    def operation(self, kind: OperationType) -> Operation:
        self.is_clean = not self._chance(50 if kind is OperationType.MUTATION else 12)
        root = cast("GraphQLObjectType", self.schema.get_root_type(kind))
        selections = self._roots(root, kind)
        node = OperationDefinitionNode(
            operation=kind,
            name=_name("Asked") if self._chance(50) else None,
            variable_definitions=tuple(self.definitions),
            directives=(),
            selection_set=_set(selections),
        )
        fragments = [fragment.node for fragment in self.fragments]
        document = DocumentNode(definitions=(*fragments, node) if self._chance(50) else (node, *fragments))
        return Operation(text=print_ast(document), variables=self.variables)

    def _roots(self, root: GraphQLObjectType, kind: OperationType) -> list[SelectionNode]:
        if kind is OperationType.SUBSCRIPTION:
            # One field and nothing else, as the specification asks.
            return [self._field(root, self._pick(list(root.fields)), 1, 1)]
        if kind is OperationType.MUTATION:
            return [self._change(root) for _ in range(1 + self._below(3))]
        found = self._selections(root, 1, 1, most=4)
        if self._chance(3):
            found.append(_field_node("__schema", selections=[_field_node("queryType", selections=[_typename()])]))
        return found

    def _change(self, root: GraphQLObjectType) -> SelectionNode:
        """Ask for a change: often for one that is made, and then cannot be shown."""
        name, is_clean = self._pick(list(root.fields)), self.is_clean
        one = root.fields[name]
        self.is_clean = is_clean or self._chance(60)
        page = self._arguments(root, name, one, 1)
        self.is_clean = is_clean
        return self._asked(root, name, page, 1, 1, self._directives())

    # Selections

    def _selections(self, type_: Any, depth: int, rows: int, most: int = 6) -> list[SelectionNode]:
        made: list[SelectionNode] = []
        for _ in range(1 + self._below(most)):
            if made and self.fields_left <= 0:
                break
            made.append(self._selection(type_, depth, rows, made))
        return made

    def _selection(self, type_: Any, depth: int, rows: int, before: Sequence[SelectionNode]) -> SelectionNode:
        self.extent.reach(depth, rows)
        kind = self._below(100)
        is_abstract = isinstance(type_, GraphQLInterfaceType)
        if kind >= (40 if is_abstract else 90) and depth <= self.deepest:
            return self._inline_fragment(type_, depth, rows)
        if kind >= (25 if is_abstract else 80) and depth <= self.deepest:
            return self._spread(type_, depth, rows)
        repeatable = [one for one in before if isinstance(one, FieldNode)]
        if kind >= 74 and repeatable:
            return self._again(type_, self._pick(repeatable), depth, rows)
        return self._field(type_, self._field_name(type_, depth, rows), depth, rows, has_directives=True)

    def _field_name(self, type_: Any, depth: int, rows: int) -> str:
        leaves: list[str] = ["__typename", *(name for name, one in type_.fields.items() if _is_leaf(one))]
        inner: list[str] = [
            name for name, one in type_.fields.items() if not _is_leaf(one) and self._fits(type_, one, rows)
        ]
        if not inner or depth >= self.deepest or self.fields_left <= 0:
            return self._pick(leaves)
        has_leaves = len(leaves) > 1
        return self._pick(inner) if self._chance(45 if has_leaves else 95) else self._pick(leaves)

    def _fits(self, type_: Any, one: GraphQLField, rows: int) -> bool:
        return rows * (2 if _is_many(type_, one) else 1) <= _MOST_ROWS

    def _field(self, type_: Any, name: str, depth: int, rows: int, *, has_directives: bool = False) -> FieldNode:
        self.fields_left -= 1
        directives = self._directives() if has_directives else ()
        if name == "__typename":
            return _field_node(name, alias=self._alias(name, "__typename: String!"), directives=directives)
        page = self._arguments(type_, name, type_.fields[name], rows)
        return self._asked(type_, name, page, depth, rows, directives)

    def _asked(
        self, type_: Any, name: str, page: _Page, depth: int, rows: int, directives: tuple[DirectiveNode, ...]
    ) -> FieldNode:
        one = type_.fields[name]
        meaning = f"{name}({', '.join(print_ast(argument) for argument in page.arguments)}): {one.type}"
        alias = self._alias(name, meaning)
        selections = None if _is_leaf(one) else self._below_field(one, depth, rows * page.rows)
        return _field_node(name, alias=alias, arguments=page.arguments, directives=directives, selections=selections)

    def _below_field(self, one: GraphQLField, depth: int, rows: int) -> list[SelectionNode]:
        return self._selections(get_named_type(one.type), depth + 1, rows)

    def _again(self, type_: Any, asked: FieldNode, depth: int, rows: int) -> SelectionNode:
        """Ask the same under the same key, for more of it: both are merged."""
        self.fields_left -= 1
        name = asked.name.value
        selections = None
        if asked.selection_set is not None and name in type_.fields:
            one = type_.fields[name]
            selections = self._below_field(one, depth, rows * (4 if _is_many(type_, one) else 1))
        again = _field_node(
            name,
            alias=asked.alias.value if asked.alias else None,
            arguments=asked.arguments or (),
            directives=self._directives(),
            selections=selections,
        )
        if not self._chance(30):
            return again
        return InlineFragmentNode(type_condition=None, directives=self._directives(), selection_set=_set([again]))

    def _alias(self, name: str, meaning: str) -> str | None:
        key = self._pick(_ALIASES) if self._chance(25) else name
        if self.meanings.setdefault(key, meaning) == meaning:
            return None if key == name else key
        key = f"x{len(self.meanings)}"
        self.meanings[key] = meaning
        return key

    # Fragments

    def _inline_fragment(self, type_: Any, depth: int, rows: int) -> InlineFragmentNode:
        condition = None if self._chance(20) else self._condition(type_)
        inner = type_ if condition is None else condition
        return InlineFragmentNode(
            type_condition=None if condition is None else NamedTypeNode(name=_name(condition.name)),
            directives=self._directives(),
            selection_set=_set(self._selections(inner, depth, rows, most=4)),
        )

    def _spread(self, type_: Any, depth: int, rows: int) -> FragmentSpreadNode:
        fitting = [one for one in self.fragments if self._may_spread(one, type_, depth, rows)]
        fragment = self._pick(fitting) if fitting and self._chance(60) else self._fragment(type_, depth, rows)
        self.extent.reach(depth + fragment.depth, rows * fragment.rows)
        return FragmentSpreadNode(name=fragment.node.name, directives=self._directives(), arguments=())

    def _may_spread(self, fragment: _Fragment, type_: Any, depth: int, rows: int) -> bool:
        if depth + fragment.depth > self.deepest + 1 or rows * fragment.rows > _MOST_ROWS:
            return False
        return bool(self._possible(type_) & self._possible(fragment.type))

    def _fragment(self, type_: Any, depth: int, rows: int) -> _Fragment:
        condition = self._condition(type_)
        around, self.extent = self.extent, _Extent(depth, rows)
        selections = self._selections(condition, depth, rows, most=4)
        inside, self.extent = self.extent, around
        around.reach(inside.depth, inside.rows)
        node = FragmentDefinitionNode(
            name=_name(f"F{len(self.fragments)}"),
            variable_definitions=(),
            type_condition=NamedTypeNode(name=_name(condition.name)),
            directives=(),
            selection_set=_set(selections),
        )
        fragment = _Fragment(node, condition, inside.depth - depth, max(1, inside.rows // rows))
        self.fragments.append(fragment)
        return fragment

    def _condition(self, type_: Any) -> Any:
        """Pick a type that a value of `type_` may have: on an interface often one that a given value has not."""
        if isinstance(type_, GraphQLInterfaceType):
            return self._pick([*self.schema.get_possible_types(type_), type_])
        return self._pick([type_, type_, *type_.interfaces])

    def _possible(self, type_: Any) -> set[str]:
        if isinstance(type_, GraphQLInterfaceType):
            return {one.name for one in self.schema.get_possible_types(type_)}
        return {type_.name}

    # Directives

    def _directives(self) -> tuple[DirectiveNode, ...]:
        names = [name for name in ("include", "skip") if self._chance(8)]
        return tuple(DirectiveNode(name=_name(name), arguments=(_argument("if", self._flag()),)) for name in names)

    def _flag(self) -> ValueNode:
        value = self._chance(60)
        if self._chance(50):
            return BooleanValueNode(value=value)
        return self._variable(self.schema.type_map["Boolean"], BooleanValueNode(value=value), value, is_required=True)

    # Arguments

    def _arguments(self, type_: Any, name: str, one: GraphQLField, rows: int) -> _Page:
        if {"first", "last"} <= set(one.args):
            size, paging = self._paging(type_, name, one, rows)
            others = {key: arg for key, arg in one.args.items() if key not in _PAGING}
            return _Page((*paging, *self._given(type_, name, others)), size)
        args = self._exclusive(one.args) if self.is_clean else one.args
        return _Page(self._given(type_, name, args), 4 if _is_many(type_, one) else 1)

    def _exclusive(self, args: Mapping[str, GraphQLArgument]) -> Mapping[str, GraphQLArgument]:
        """Of several ids that may be left out, give one: they are ways to say the same."""
        ways = [key for key, arg in args.items() if str(arg.type) == "ID"]
        if len(ways) < 2:
            return args
        chosen = self._pick(ways)
        required = GraphQLArgument(GraphQLID)
        return {
            key: required if key == chosen else arg for key, arg in args.items() if key not in ways or key == chosen
        }

    def _given(self, type_: Any, name: str, args: Mapping[str, GraphQLArgument]) -> tuple[ArgumentNode, ...]:
        made = []
        is_only = self.is_clean and len(args) == 1
        for key, arg in args.items():
            if not is_required_argument(arg) and not (is_only and str(arg.type) == "ID") and self._chance(45):
                continue
            asked = _Asked(type_.name, name, key)
            value = self._value(arg.type, asked)
            if value is None and is_only and str(arg.type) == "ID":
                value = self._id(asked)
            made.append(_argument(key, self._placed(arg.type, value, asked)))
        return tuple(made)

    def _paging(self, type_: Any, name: str, one: GraphQLField, rows: int) -> tuple[int, list[ArgumentNode]]:
        sizes = [size for size in _SIZES if rows * size <= _MOST_ROWS]
        given: dict[str, Any] = {}
        size = 20
        if 20 not in sizes or self._chance(75):
            size = self._pick(sizes)
            given["last" if self._chance(35) else "first"] = size
        if self._chance(15):
            given["first" if "last" in given else "last"] = None
        for key in ("after", "before"):
            if self._chance(20):
                given[key] = self._cursor(_Asked(type_.name, name, key))
        if not self.is_clean and self._chance(40):
            given[self._pick(("first", "last"))] = self._pick(_IMPOSSIBLE_SIZES)
        keys = [key for key in one.args if key in given]
        if self._chance(30):
            keys.reverse()
        asked = {key: _Asked(type_.name, name, key) for key in keys}
        return max(1, size), [_argument(key, self._placed(one.args[key].type, given[key], asked[key])) for key in keys]

    # Values

    def _placed(self, type_: Any, value: Any, asked: _Asked) -> ValueNode:
        """Write a value where a type is expected: as a literal, as a variable, or as a literal that holds some."""
        if self._chance(35):
            return self._variable(type_, self._literal(type_, value), value, is_required=is_non_null_type(type_))
        return self._literal(type_, value, asked)

    def _variable(self, type_: Any, literal: ValueNode, value: Any, *, is_required: bool) -> VariableNode:
        """Declare a variable that may stand where a type is expected."""
        name = f"v{len(self.definitions)}"
        nullable = get_nullable_type(type_)
        # In search of trouble: null where only a default makes a variable fit.
        kind = 3 if is_required and not self.is_clean and self._chance(40) else self._below(4)
        default: ValueNode | None = None
        declared = f"{nullable}!" if is_required else str(nullable)
        gives = True
        if kind == 1 and value is not None:
            # Not null, and not left out: narrower than need be.
            declared = f"{nullable}!"
        elif kind == 2:
            default, gives = literal, self._chance(50)
        elif kind == 3 and value is not None:
            # With a default that is not null, what may be null may stand where nothing may be.
            declared, default, gives = str(nullable), literal, self._chance(60)
            if gives and not self.is_clean and self._chance(40):
                value = None
        elif kind == 3 and not is_required:
            gives = False
        if gives:
            self.variables[name] = value
        self.definitions.append(
            VariableDefinitionNode(
                variable=VariableNode(name=_name(name)),
                type=parse_type(declared),
                default_value=cast("ConstValueNode | None", default),
                directives=(),
            )
        )
        return VariableNode(name=_name(name))

    def _literal(self, type_: Any, value: Any, asked: _Asked | None = None) -> ValueNode:
        """Write a value. `asked`: some of what is in it may be variables."""
        nullable = get_nullable_type(type_)
        if value is None:
            return NullValueNode()
        if is_list_type(nullable):
            if not isinstance(value, list):
                return self._literal(nullable.of_type, value)
            return ListValueNode(values=tuple(self._inner(nullable.of_type, item, asked) for item in value))
        if isinstance(nullable, GraphQLInputObjectType):
            return ObjectValueNode(
                fields=tuple(
                    ObjectFieldNode(name=_name(key), value=self._inner(nullable.fields[key].type, item, asked))
                    for key, item in value.items()
                )
            )
        return _scalar(nullable, value)

    def _inner(self, type_: Any, value: Any, asked: _Asked | None) -> ValueNode:
        return self._literal(type_, value) if asked is None else self._placed(type_, value, asked)

    def _value(self, type_: Any, asked: _Asked) -> Any:
        """Make a value of a type, as JSON has it."""
        if not is_non_null_type(type_) and self._chance(12):
            return None
        nullable = get_nullable_type(type_)
        if is_list_type(nullable):
            if self._chance(5):
                # One stands for a list of one.
                return self._value(nullable.of_type, asked)
            return [self._value(nullable.of_type, asked) for _ in range(self._below(5))]
        if isinstance(nullable, GraphQLEnumType):
            return self._pick(list(nullable.values))
        if isinstance(nullable, GraphQLInputObjectType):
            return {
                key: self._value(one.type, _Asked(asked.parent, asked.field, key))
                for key, one in nullable.fields.items()
                if is_required_input_field(one) or self._chance(60)
            }
        return self._leaf(nullable.name, asked)

    def _leaf(self, name: str, asked: _Asked) -> Any:
        if name == "ID":
            return self._id(asked)
        if name == "String" and asked.argument in {"after", "before"}:
            return self._cursor(asked)
        if name == "String" and self._chance(40):
            return f"New {self._below(1_000_000)}"
        return self._pick(
            {
                "String": _WORDS,
                "Int": (*_SIZES, *_IMPOSSIBLE_SIZES),
                "Decimal": ("0", "12.50", "0.00000001", "-1", "1000001"),
                "Float": (0.0, -1.5, 1e300),
                "Boolean": (False, True),
                "DateTime": _INSTANTS,
                "Date": _DAYS,
                "JSON": (5, "text", True),
            }[name]
        )

    def _id(self, asked: _Asked) -> Any:
        if not self.is_clean and self._chance(40):
            return self._pick(_GARBAGE_IDS)
        meant = self._kinds_in(asked.argument) or self._kinds_in(asked.field)
        kind = self._pick(meant if meant and self.is_clean else sorted(self.things.ids))
        known = self.things.ids[kind]
        return f"{kind}_{_MISSING}" if not known or self._chance(10) else self._pick(known)

    def _kinds_in(self, name: str) -> list[str]:
        """Name the kinds that a name speaks of; where several of its words are one kind, that one."""
        words = [word.lower() for word in _WORDS_OF_A_NAME.findall(name)]
        for length in range(len(words), 0, -1):
            runs = {"".join(words[begun : begun + length]) for begun in range(len(words) - length + 1)}
            if found := sorted(runs & set(self.things.ids)):
                return found
        return []

    def _cursor(self, asked: _Asked) -> str:
        if not self.is_clean and self._chance(50):
            return self._pick([*_GARBAGE_CURSORS, *self.things.all_cursors()])
        return self._pick(self.things.cursors.get(asked.place) or self.things.all_cursors())

    # Draws

    def _below(self, bound: int) -> int:
        return self.random.randrange(bound)

    def _chance(self, percent: int) -> bool:
        # What is rare is what shrinks away.
        return self._below(100) >= 100 - percent

    def _pick(self, of: Sequence[T]) -> T:
        return of[self._below(len(of))]


def _scalar(type_: Any, value: Any) -> ValueNode:
    if isinstance(type_, GraphQLEnumType):
        return EnumValueNode(value=value)
    if isinstance(value, bool):
        return BooleanValueNode(value=value)
    if isinstance(value, int):
        return IntValueNode(value=str(value))
    return FloatValueNode(value=str(value)) if isinstance(value, float) else StringValueNode(value=value, block=False)


def _is_leaf(one: GraphQLField) -> bool:
    return is_leaf_type(get_named_type(one.type))


def _is_many(type_: Any, one: GraphQLField) -> bool:
    """Whether each parent has several. What a connection holds was counted with the connection."""
    if {"nodes", "edges", "pageInfo"} <= set(type_.fields):
        return False
    return "first" in one.args or is_list_type(get_nullable_type(one.type))


def _name(text: str) -> NameNode:
    return NameNode(value=text)


def _set(selections: Sequence[SelectionNode]) -> SelectionSetNode:
    return SelectionSetNode(selections=tuple(selections))


def _argument(name: str, value: ValueNode) -> ArgumentNode:
    return ArgumentNode(name=_name(name), value=value)


def _typename() -> FieldNode:
    return _field_node("__typename")


def _field_node(
    name: str,
    *,
    alias: str | None = None,
    arguments: Sequence[ArgumentNode] = (),
    directives: Sequence[DirectiveNode] = (),
    selections: Sequence[SelectionNode] | None = None,
) -> FieldNode:
    return FieldNode(
        name=_name(name),
        alias=None if alias is None else _name(alias),
        arguments=tuple(arguments),
        directives=tuple(directives),
        selection_set=None if selections is None else _set(selections),
    )
