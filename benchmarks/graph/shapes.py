"""The shapes that are asked for, how each kind of peer is asked for them, and the one form answers are compared in."""

# ruff: noqa: A001, A002 -- an id is called id

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import orjson

TREE_DEPTH = 6

_GOAL = "id title status progress"
_FLAT = "id title body kind language score isPublic revision createdAt updatedAt"


def _nested_goals(goal: str, children: str) -> str:
    """Return the selection of a goal and five levels below it."""
    return f"{goal} {children} {{ " * (TREE_DEPTH - 1) + goal + " }" * (TREE_DEPTH - 1)


# As Ringside is asked: connections, payloads, opaque ids.
RINGSIDE = {
    "flat": f"query Flat($first: Int!) {{ entries(first: $first) {{ nodes {{ {_FLAT} }} }} }}",
    "nested": """query Nested($first: Int!) { members(first: $first) { nodes { id name avatarUrl
        entries(first: 10) { nodes { id title createdAt
            author { id name }
            counts { likes reposts replies views }
            replies(first: 3) { nodes { id body createdAt } } } } } } }""",
    "tree": f"query Tree($id: ID!) {{ goal(id: $id) {{ {_nested_goals(_GOAL, 'children')} }} }}",
    "by-id": "query ById($id: ID!) { member(id: $id) { id name score } }",
    "increment": "mutation Increment($id: ID!) { entryLike(id: $id) { counts { likes } } }",
}

# As the servers are asked whose schema was written by hand: plain lists.
LISTS = {
    "flat": f"query Flat($first: Int!) {{ entries(first: $first) {{ {_FLAT} }} }}",
    "nested": """query Nested($first: Int!) { members(first: $first) { id name avatarUrl
        entries(first: 10) { id title createdAt
            author { id name }
            counts { likes reposts replies views }
            replies(first: 3) { id body createdAt } } } }""",
    "tree": RINGSIDE["tree"],
    "by-id": RINGSIDE["by-id"],
    "increment": RINGSIDE["increment"],
}

# As PostGraphile's Amber preset names things, with its simple lists.
POSTGRAPHILE = {
    "flat": "query Flat($first: Int!) { entries: allEntriesList(first: $first, orderBy: [CREATED_AT_DESC, ROW_ID_DESC])"
    f" {{ {_FLAT.replace('id', 'id: rowId', 1)} }} }}",
    "nested": """query Nested($first: Int!) { members: allMembersList(first: $first, orderBy: [ROW_ID_ASC]) {
        id: rowId name avatarUrl
        entries: entriesByAuthorIdList(first: 10, condition: {parentId: null}, orderBy: [CREATED_AT_DESC, ROW_ID_DESC])
            { id: rowId title createdAt
            author: memberByAuthorId { id: rowId name }
            counts: entryCountByEntryId { likes reposts replies views }
            replies: entriesByParentIdList(first: 3, orderBy: [CREATED_AT_ASC, ROW_ID_ASC])
                { id: rowId body createdAt } } } }""",
    "tree": "query Tree($id: UUID!) { goal: goalByRowId(rowId: $id) { "
    + _nested_goals(
        _GOAL.replace("id", "id: rowId", 1), "children: goalsByParentIdList(orderBy: [POSITION_ASC, ROW_ID_ASC])"
    )
    + " } }",
    "by-id": "query ById($id: UUID!) { member: memberByRowId(rowId: $id) { id: rowId name score } }",
    "increment": "mutation Increment($id: UUID!) { entryLike(input: {entryId: $id}) { counts: result { likes } } }",
}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One thing to ask for. `kind` is the kind of node whose id is asked for, in turn, if it is one."""

    name: str
    title: str
    kind: str | None = None
    first: int | None = None
    changes: bool = False


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(name="flat", title="50 entries, 10 fields each", first=50),
        Shape(name="nested", title="20 members x 10 entries x 3 replies, with author and counts", first=20),
        Shape(name="tree", title="a tree of 300 goals, 6 deep", kind="goal"),
        Shape(name="by-id", title="one member by id", kind="member"),
        Shape(name="increment", title="one like more, atomically", kind="entry", changes=True),
    )
}


@dataclass(frozen=True)
class Ids:
    """Ids to ask for, by kind of node."""

    goal: list[UUID] = field(default_factory=list)
    member: list[UUID] = field(default_factory=list)
    entry: list[UUID] = field(default_factory=list)

    def of(self, kind: str) -> list[UUID]:
        """Return the ids of a kind."""
        found: list[UUID] = getattr(self, kind)
        return found


@dataclass(frozen=True, kw_only=True)
class Manner:
    """How a peer is asked: with documents, or by a path for each shape without any; with which sort of ids."""

    documents: Mapping[str, str] | None
    has_opaque_ids: bool = False

    def path(self, shape: Shape) -> str:
        """Return the path to post to."""
        return f"/{shape.name}" if self.documents is None else "/graphql"

    def bodies(self, shape: Shape, ids: Ids) -> list[bytes]:
        """Return the requests of a shape, one for each id."""
        if shape.kind is None:
            return [self._body(shape, {"first": shape.first})]
        return [self._body(shape, {"id": self._id(shape.kind, id)}) for id in ids.of(shape.kind)]

    def _id(self, kind: str, id: UUID) -> str:
        return f"{kind}_{id.hex}" if self.has_opaque_ids else str(id)

    def _body(self, shape: Shape, variables: dict[str, Any]) -> bytes:
        if self.documents is None:
            return orjson.dumps(variables)
        return orjson.dumps({"query": self.documents[shape.name], "variables": variables})


_ID = re.compile(r"(?:[a-z]+_)?([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d.*")


def canonical(answer: bytes) -> Any:
    """Return what an answer says: without connections' `nodes`, and with ids and instants in one spelling."""
    read = orjson.loads(answer)
    if not isinstance(read, dict) or read.get("errors") or not isinstance(read.get("data"), dict):
        raise ValueError(f"This is not an answer: {answer[:600]!r}")
    return _canonical(read["data"])


def _canonical(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"nodes"}:
            return _canonical(value["nodes"])
        return {key: _canonical(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_canonical(one) for one in value]
    return _canonical_text(value) if isinstance(value, str) else value


def _canonical_text(text: str) -> str:
    id = _ID.fullmatch(text)
    if id is not None:
        return "".join(id.groups())
    if _INSTANT.fullmatch(text):
        return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds")
    return text
