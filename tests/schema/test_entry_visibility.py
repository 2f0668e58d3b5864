"""Nobody is shown an entry that is not for him, by whichever field: the ways to an entry are read off the schema.

A field that is added falls under this by being there. Who may see what is said here once more, in other words.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    get_named_type,
    is_required_argument,
)

from db.access.viewer import Role, Viewer
from db.database import Database
from db.ids import new_id
from db.social.tables import Entry
from db.social.vocabulary import EntryPrivacy, EntrySubjectKind
from schema.connections import write_cursor
from schema.fields import node_kinds
from schema.ids import encode_id
from tests.conftest import ManualClock
from tests.support.graph import Graph, the_schema
from tests.support.social import amplify, follow, make_person, resonate, rewrite, unfollow, write
from tests.support.streaming import make_stream
from tests.support.world import ids_of

_ROOTS = ("Query", "Mutation", "Subscription")


@dataclass(frozen=True)
class Way:
    """A field that leads to entries, and the type it is of."""

    type: str
    name: str
    field: GraphQLField

    def __str__(self) -> str:
        return f"{self.type}.{self.name}"


@dataclass(frozen=True)
class Circle:
    """People, what they wrote, and who follows whom."""

    viewers: dict[str, Viewer]
    entries: dict[str, Entry]
    follows: set[tuple[str, str]]
    names: dict[Any, str]

    def may_see(self, who: str, entry: Entry) -> bool:
        root = next(one for one in self.entries.values() if one.id == entry.root_id)
        return all(self._is_admitted(who, one) for one in (entry, root))

    def _is_admitted(self, who: str, entry: Entry) -> bool:
        author = self.names[entry.author_id]
        if who == "overlay":
            return False
        if who == author or entry.privacy is EntryPrivacy.PUBLIC:
            return True
        return entry.privacy is EntryPrivacy.FOLLOWERS and (who, author) in self.follows

    def hidden_from(self, who: str) -> set[str]:
        return {encode_id("entry", one.id) for one in self.entries.values() if not self.may_see(who, one)}


def _schema() -> GraphQLSchema:
    return the_schema()._schema


def _shape(type_: Any) -> str | None:
    """Say how a type holds entries: itself, as a node of any kind, or as a page of them."""
    named = get_named_type(type_)
    if named.name in {"Entry", "Node"}:
        return "entry"
    if isinstance(named, GraphQLObjectType) and named.name.endswith("Connection"):
        return "page" if get_named_type(named.fields["nodes"].type).name == "Entry" else None
    return None


def _ways() -> Iterator[Way]:
    for type_ in _schema().type_map.values():
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType) and not type_.name.endswith(
            ("Connection", "Edge")
        ):
            for name, field in type_.fields.items():
                if _shape(field.type):
                    yield Way(type_.name, name, field)


def _inner(field: GraphQLField) -> str:
    shown = "... on Entry { id }"
    if _shape(field.type) == "page":
        return f"{{ nodes {{ {shown} }} edges {{ node {{ {shown} }} }} }}"
    return f"{{ {shown} }}"


_WAYS = list(_ways())
_PAYLOADS = {
    get_named_type(field.type).name
    for root in ("Mutation", "Subscription")
    for field in _schema().type_map[root].fields.values()  # type: ignore[attr-defined]  # roots have fields
}


def _arguments(field: GraphQLField, entry: str, entries: list[str]) -> str:
    """Write what a field cannot do without, so that it leads to an entry wherever it can."""

    def value(name: str, argument: GraphQLArgument) -> str:
        known = {
            "ID!": f'"{entry}"',
            "[ID!]!": "[" + ", ".join(f'"{one}"' for one in entries) + "]",
            "EntryInput!": '{content: "x"}',
            "EntrySearchFilter!": '{text: "secret"}',
        }
        return f"{name}: {known[str(argument.type)]}"

    given = [value(name, one) for name, one in field.args.items() if is_required_argument(one)]
    given += [f'{name}: "{entry}"' for name, one in field.args.items() if name == "parentId" and str(one.type) == "ID"]
    return f"({', '.join(given)})" if given else ""


def _shown(answer: Any) -> set[str]:
    """Return the ids of all entries in an answer."""
    if isinstance(answer, list):
        return set().union(*map(_shown, answer))
    if isinstance(answer, dict):
        own = {answer["id"]} if str(answer.get("id", "")).startswith("entry_") else set()
        return own.union(*(_shown(one) for one in answer.values()))
    return set()


@pytest.fixture
async def circle(db: Database, clock: ManualClock) -> Circle:
    now = clock.now()
    roles = {"ann": Role.MEMBER, "fan": Role.MEMBER, "former": Role.MEMBER, "stranger": Role.MEMBER}
    people = {name: await make_person(db, now, name, role=role) for name, role in roles.items()}
    people |= {name: await make_person(db, now, f"one {name}", role=Role(name.upper())) for name in ("viewer", "admin")}
    ann, fan, former = (people[name] for name in ("ann", "fan", "former"))
    stream = await make_stream(db, now, owner_id=ann.user_id)
    about: dict[str, Any] = {
        "subject_kind": EntrySubjectKind.STREAM,
        "subject_id": stream.id,
        "content": "secret",
        "tags": ["secret"],
    }
    for who in (fan, former):
        await follow(db, who, ann, now)
    entries = {str(name): await write(db, ann, now, privacy=name, **about) for name in EntryPrivacy}
    replies = {
        f"{name} on {root}": await write(db, fan, now, parent=entries[root], privacy=name, **about)
        for root in (EntryPrivacy.PUBLIC, EntryPrivacy.FOLLOWERS)
        for name in EntryPrivacy
    }
    entries |= replies
    # Under what is closed later, and marked by those who could see it then.
    closed = await write(db, ann, now, **about)
    entries["under closed"] = await write(db, fan, now, parent=closed, **about)
    marked = [
        *(entries[name] for name in (EntryPrivacy.PUBLIC, EntryPrivacy.FOLLOWERS)),
        closed,
        entries["under closed"],
    ]
    for entry in marked:
        for who in (ann, fan, former):
            await resonate(db, who, entry, now)
            await amplify(db, who, entry, now)
    entries["closed"] = await rewrite(db, ann, closed, now, privacy="PRIVATE")
    await resonate(db, ann, entries[EntryPrivacy.PRIVATE], now)
    await unfollow(db, former, ann)
    nodes = frozenset(one.id for one in entries.values()) | {ann.user_id, stream.id}
    people["overlay"] = Viewer(user_id=ann.user_id, token_id=new_id(), role=Role.ADMIN, nodes=nodes)
    names = {viewer.user_id: name for name, viewer in people.items() if name != "overlay"}
    return Circle(viewers=people, entries=entries, follows={("fan", "ann")}, names=names)


def test_every_way_to_an_entry_is_known() -> None:
    kinds = {get_named_type(one).name for one in _schema().get_possible_types(_schema().type_map["Node"])}  # type: ignore[arg-type]  # an interface
    elsewhere = {str(way) for way in _WAYS if way.type not in {*kinds, *_ROOTS, *_PAYLOADS}}

    assert elsewhere == set(), "Say how one comes to these, so that it can be tried."
    assert len(_WAYS) > 20


async def test_no_field_shows_what_is_hidden(graph: Graph, circle: Circle) -> None:
    ids = {kind: await ids_of(graph.db, kind) for kind in node_kinds}
    entries = [encode_id("entry", one.id) for one in circle.entries.values()]
    ids |= {"entry": entries, "user": [encode_id("user", one) for one in circle.names]}
    seen_by_ann: set[str] = set()

    for who, viewer in circle.viewers.items():
        hidden = circle.hidden_from(who)
        for asking in (graph.as_viewer(viewer), graph.as_viewer(viewer).on_graphql_core()):
            for way in _WAYS:
                for operation in _operations(way, ids, entries):
                    result = await asking.result(operation)
                    shown = _shown(result.data)
                    assert shown & hidden == set(), (who, str(way), operation)
                    assert who != "overlay" or not shown, str(way)
                    if who == "ann":
                        seen_by_ann |= shown

    # What is hers she is shown, so that the question was one.
    assert seen_by_ann == set(entries) - circle.hidden_from("ann")
    assert len(circle.hidden_from("stranger")) > len(circle.hidden_from("fan")) > 0


def _operations(way: Way, ids: dict[str, list[str]], entries: list[str]) -> Iterator[str]:
    inner = _inner(way.field)
    if way.type == "Query":
        wanted = entries if any(str(one.type) == "ID!" for one in way.field.args.values()) else entries[:1]
        yield from (f"{{ {way.name}{_arguments(way.field, one, entries)} {inner} }}" for one in wanted)
    elif way.type not in {"Mutation", "Subscription", *_PAYLOADS}:
        named = ", ".join(f'"{one}"' for of_kind in ids.values() for one in of_kind)
        arguments = _arguments(way.field, entries[0], entries)
        yield f"{{ nodes(ids: [{named}]) {{ ... on {way.type} {{ found: {way.name}{arguments} {inner} }} }} }}"


async def test_no_change_finds_what_is_hidden(graph: Graph, circle: Circle) -> None:
    changes = {
        name: field
        for name, field in _schema().mutation_type.fields.items()  # type: ignore[union-attr]  # there are some
        if "entry" in get_named_type(field.type).fields
    }
    hidden = circle.hidden_from("stranger")
    asking = graph.as_viewer(circle.viewers["stranger"])

    for name, field in changes.items():
        for entry in hidden:
            arguments = _arguments(field, entry, [])
            data = await asking.execute(f"mutation {{ {name}{arguments} {{ entry {{ id }} errors {{ code }} }} }}")
            assert data[name] == {"entry": None, "errors": [{"code": "NOT_FOUND"}]}, (name, entry)

    assert len(changes) >= 8


async def test_no_news_is_told_of_what_is_hidden(graph: Graph, circle: Circle) -> None:
    graph.db.bus.close()
    everything = "subscription ($after: String) { entryAdded(after: $after) { entry { id } } }"

    for who, viewer in circle.viewers.items():
        asking, hidden = graph.as_viewer(viewer), circle.hidden_from(who)
        told = set()
        async for message in asking.subscribe(everything, after=write_cursor((0,))):
            told |= _shown(message)
        assert told == {encode_id("entry", one.id) for one in circle.entries.values()} - hidden, who
        for entry in hidden:
            watched = await the_schema().subscribe(
                f'subscription {{ entryCountsChanged(entryId: "{entry}") {{ entry {{ id }} }} }}',
                context_value=asking._context(),
            )
            (refused,) = [result async for result in watched]
            assert [(error.extensions or {})["code"] for error in refused.errors or []] == ["NOT_FOUND"]


async def test_what_is_counted_counts_what_is_shown(graph: Graph, circle: Circle) -> None:
    """No number tells of entries that are not for the viewer."""
    counting = "query ($id: ID!) { user(id: $id) { entries { totalCount } counts { entries dreams } } }"
    public = [one for one in circle.entries.values() if circle.may_see("viewer", one)]

    for who, viewer in circle.viewers.items():
        for author in ("ann", "fan"):
            author_id = circle.viewers[author].user_id
            mine = [one for one in circle.entries.values() if one.author_id == author_id]
            data = await graph.as_viewer(viewer).execute(counting, id=encode_id("user", author_id))
            if who == "overlay":
                assert data["user"] is None
                continue
            assert data["user"] == {
                "entries": {"totalCount": sum(circle.may_see(who, one) for one in mine)},
                "counts": {"entries": sum(one in public for one in mine), "dreams": 0},
            }
