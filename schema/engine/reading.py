"""Reading: a level of a plan at a time, one statement for all parents, and what hangs on it side by side."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, cast

from db.batches import (
    Chosen,
    filter_parameters,
    window,
)
from db.blocks import Reading
from db.statements import RawRow
from schema.engine.asking import Question, Run
from schema.engine.assembly import OBJECT, raw_key, row_assembler
from schema.engine.descending import Descending
from schema.engine.pages import Cursors, connection_value, cut, together
from schema.engine.plan import (
    Abandoned,
    ConnectionStep,
    Edge,
    EdgeClaim,
    EdgeMany,
    EdgeNode,
    EdgeOne,
    EdgePage,
    EdgeWalk,
    RootLookup,
    RowSelection,
)
from schema.engine.sharing import Wish, own_rows

Answers = dict[Any, Any]
_KEYS_ALONE = ("keys",)
# From so many on, rows come in blocks: fewer are read sooner as they are. Of lists nobody knows how long they are.
_MANY_ROWS = 128
_MANY_LISTS = 16


async def read_lookup(run: Run, root: RootLookup, key: str) -> dict[str, Any] | None:
    """Read the one row of a root field. `key` is as the driver gives it."""
    statement = run.reading(root.compiled, None, lambda: root.batch.statement(run.kind, root.selection.columns))
    rows = await run.fetch(root.path, statement, [key], run.parameters)
    printed = await _print_rows(run, root.selection, rows)
    return printed[0] if printed else None


async def print_objects(run: Run, selection: RowSelection, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Print rows that a resolver returned or an event carries: objects with Python values."""
    if not selection.edges:
        return row_assembler(selection, OBJECT)(rows)
    answers = await _answers(run, selection, lambda edge: (raw_key(getattr(row, str(edge.parent_key))) for row in rows))
    return row_assembler(selection, OBJECT)(rows, *answers)


async def print_raw(run: Run, selection: RowSelection, rows: Sequence[RawRow]) -> list[dict[str, Any]]:
    """Print rows that a driver gave for a selection's columns. Raises `Abandoned` or `KeyError` for what cannot be."""
    return await _print_rows(run, selection, rows)


async def read_page(run: Run, edge: EdgePage, keys: Sequence[Any]) -> Answers:
    """Read one page for each key, and how many rows there are if that is asked; all connections are printed."""
    return (await _read_pages(run, [edge], keys))[0]


async def _print_rows(run: Run, selection: RowSelection, rows: Sequence[RawRow]) -> list[dict[str, Any]]:
    """Print rows that a driver gave, everything below them included."""
    if not rows:
        return []
    if not selection.edges:
        return row_assembler(selection, run.mode)(rows)
    positions = {name: index for index, name in enumerate(selection.columns)}

    def keys(edge: Edge) -> Iterable[Any]:
        return map(itemgetter(positions[str(edge.parent_key)]), rows)

    return row_assembler(selection, run.mode)(rows, *await _answers(run, selection, keys))


async def _answers(run: Run, selection: RowSelection, keys_of: Callable[[Edge], Iterable[Any]]) -> list[Answers]:
    """Read all edges of a level, side by side where there are several; what can wait is read with what is below."""
    keys = [_distinct(keys_of(group[0])) for group in selection.groups]
    waiting = {}
    for place, reader in selection.readers.items():
        if id(selection.groups[place][0]) in run.levels:
            continue
        waiting[place] = run.wishes.gather(selection.groups[place], keys[place])
        run.wishes.make(reader, waiting[place])
    now = [place for place in range(len(keys)) if place not in waiting]
    reads = [_read_group(run, selection.groups[place], keys[place]) for place in now]
    found = [await reads[0]] if len(reads) == 1 else whole(await asyncio.gather(*reads, return_exceptions=True))
    by_place = dict(zip(now, found, strict=True))
    # A later one may have been read with what was below, and an earlier one with it.
    for place, wish in reversed(waiting.items()):
        run.wishes.withdraw(selection.readers[place])
        by_place[place] = await _read_wish(run, selection.groups[place], keys[place], wish)
    if len(selection.groups) == len(selection.edges):
        return [by_place[place][0] for place in range(len(keys))]
    by_edge = {
        id(edge): answers
        for place, group in enumerate(selection.groups)
        for edge, answers in zip(group, by_place[place], strict=True)
    }
    return [by_edge[id(edge)] for edge in selection.edges]


def whole(found: list[Any]) -> list[Any]:
    """Return what was found side by side, or raise what the first that failed raised.

    It is gathered with what was raised: until all of it has ended nobody hears that some of it failed, so that nothing
    goes on for an answer that was given. It is not broken off, which would cost PostgreSQL its connections.
    """
    for one in found:
        if isinstance(one, BaseException):
            try:
                raise one
            finally:
                # What was raised holds this frame.
                del one, found
    return found


def _distinct(keys: Iterable[Any]) -> list[Any]:
    found = dict.fromkeys(keys)
    found.pop(None, None)
    return list(found)


async def _read_group(run: Run, group: Sequence[Edge], keys: list[Any]) -> list[Answers]:
    """Read once what several edges ask alike, and print it for each of them."""
    if not keys:
        run.levels.pop(id(group[0]), None)
        return [{} for _ in group]
    pages = [edge for edge in group if isinstance(edge, EdgePage)]
    if pages:
        return await _read_pages(run, pages, keys)
    first = group[0]
    if isinstance(first, EdgeNode):
        choices = (_read_group(run, [choice], keys) for choice in first.choices)
        found = whole(await asyncio.gather(*choices, return_exceptions=True))
        return [{key: printed for (answers,) in found for key, printed in answers.items()}]
    if isinstance(first, EdgeWalk):
        statement = run.reading(first.compiled, None, lambda: _statement(run, first))
        return await _read_walks(run, group, first, statement, keys)
    rows = run.levels.pop(id(first), None)
    if rows is None and isinstance(first, EdgeOne | EdgeClaim):
        return await _read_wish(run, group, keys, run.wishes.gather(group, keys))
    if rows is None:
        rows = await _read_all(run, group, cast("EdgeMany", first), keys)
    return [await _print_edge(run, edge, rows) for edge in group]


async def _read_all(run: Run, group: Sequence[Edge], edge: EdgeMany, keys: Sequence[Any]) -> Sequence[RawRow]:
    """Read all rows of each key; of a tree, those on the levels below with them, if that is the quicker way."""
    if not edge.below or len(group) > 1 or run.mode == "sqlite":
        are_many = len(keys) >= _MANY_LISTS
        statement = run.reading(edge.compiled, None, lambda: _statement(run, edge), are_many=are_many, by=edge.batch.by)
        return await run.fetch(edge.path, statement, keys, run.parameters)
    batch, columns, below = edge.batch, edge.selection.columns, edge.below[0].parent_key
    statement = run.reading(
        edge.compiled,
        "tree",
        lambda: batch.tree_statement(run.kind, columns, below),
        are_many=True,
        by=batch.by,
    )
    found = await run.fetch(edge.path, statement, keys, {**run.parameters, "levels": 1 + len(edge.below)})
    rows, counts = together(found, len(columns))
    levels = cut(counts, [row[:-1] for row in rows])
    for level, one in enumerate(edge.below, start=2):
        run.levels[id(one)] = levels.get(level, [])
    return levels.get(1, [])


async def _read_wish(run: Run, group: Sequence[Edge], keys: list[Any], wish: Wish) -> list[Answers]:
    """Read what a group wishes, for others too, unless others have read it; print what is its own."""
    first = cast("EdgeOne | EdgeClaim", group[0])
    is_shared = bool(wish.others) or wish.rows is not None
    if wish.rows is None and wish.keys:
        are_many = len(wish.keys) >= _MANY_ROWS
        statement = run.reading(
            first.compiled, None, lambda: _statement(run, first), are_many=are_many, by=first.batch.by
        )
        wish.grant(await run.fetch(first.path, statement, wish.keys, run.parameters))
    rows = wish.rows or ()
    if is_shared:
        rows = own_rows(first, rows, keys)
    return [await _print_edge(run, edge, rows) for edge in group]


def _statement(run: Run, edge: Edge) -> Chosen:
    if isinstance(edge, EdgePage | EdgeNode):
        raise TypeError("The statement of a page hangs on its arguments, and a node has several.")
    if isinstance(edge, EdgeWalk):
        return edge.batch.statement(run.mode, run.kind, edge.selection.columns)
    return edge.batch.statement(run.kind, edge.selection.columns)


async def _read_walks(
    run: Run, group: Sequence[Edge], first: EdgeWalk, statement: Reading, keys: Sequence[Any]
) -> list[Answers]:
    parameters = first.batch.parameters(run.arguments(first.arguments))
    rows = await run.fetch(first.path, statement, keys, {**run.parameters, **parameters})
    counts = Counter(row[-1] for row in rows)
    # The key stands behind the columns that are wanted.
    wanted = [row[:-1] for row in rows]
    return [cut(counts, await _print_rows(run, edge.selection, wanted)) for edge in group]


async def _print_edge(run: Run, edge: Edge, rows: Sequence[RawRow]) -> Answers:
    if isinstance(edge, EdgeWalk | EdgeNode):
        raise TypeError("A walk is cut by the keys that stand behind its rows, and a node's choices are edges.")
    if isinstance(edge, EdgeClaim):
        place = edge.selection.columns.index(edge.batch.by)
        return {row[place]: True for row in rows}
    place = edge.selection.columns.index(str(edge.batch.by))
    if isinstance(edge, EdgeOne):
        printed = await _print_rows(run, edge.selection, rows)
        return dict(zip(map(itemgetter(place), rows), printed, strict=True))
    rows, counts = together(rows, place)
    return cut(counts, await _print_rows(run, edge.selection, rows))


async def _read_pages(run: Run, edges: Sequence[EdgePage], keys: Sequence[Any]) -> list[Answers]:
    first = edges[0]
    question = run.question(first)
    wants_rows = any(edge.connection.wants_rows for edge in edges)
    wants_total = any(edge.connection.wants_total for edge in edges)
    if wants_rows and wants_total:
        reads = _page_rows(run, edges, keys, question), _totals(run, first, keys, question)
        found, totals = whole(await asyncio.gather(*reads, return_exceptions=True))
    else:
        found = await _page_rows(run, edges, keys, question) if wants_rows else _Found([], {})
        totals = await _totals(run, first, keys, question) if wants_total else {}
    return [await _print_connections(run, edge, keys, question, found, totals) for edge in edges]


@dataclass(frozen=True, slots=True)
class _Found:
    """The rows of all pages, those of one key together, and how many each key has."""

    rows: Sequence[RawRow]
    counts: Mapping[Any, int]


async def _page_rows(run: Run, edges: Sequence[EdgePage], keys: Sequence[Any], question: Question) -> _Found:
    edge = edges[0]
    rows = run.levels.pop(id(edge), None)
    if rows is None:
        rows = await _read_descent(run, edges, keys, question)
    if rows is None:
        rows = await _read_rows(run, edges, keys, question)
    if edge.batch.by is None:
        return _Found(rows, {None: len(rows)})
    return _Found(*together(rows, edge.selection.columns.index(edge.batch.by)))


async def _read_rows(run: Run, edges: Sequence[EdgePage], keys: Sequence[Any], question: Question) -> Sequence[RawRow]:
    """Read the rows of all pages by a statement of their own."""
    edge = edges[0]
    batch, columns = edge.batch, edge.selection.columns
    statement = run.reading(
        edge.compiled,
        question.shape,
        lambda: batch.statement(run.mode, run.kind, question.shape, columns),
        are_many=len(keys) * question.page.limit >= _MANY_ROWS,
        by=batch.by,
    )
    own = question.parameters(wants_more=any(one.connection.wants_more for one in edges))
    return await run.fetch(edge.path, statement, keys, {**run.parameters, **own})


async def _read_descent(
    run: Run, edges: Sequence[EdgePage], keys: Sequence[Any], question: Question
) -> Sequence[RawRow] | None:
    """Read the rows of all pages with those below them, if these are many and the database can; else return None."""
    if run.mode == "sqlite":
        return None
    descending = edges[0].descending
    if descending is None:
        descending = edges[0].descending = Descending.of(edges)
    found = descending.asked(run, question, len(keys))
    if found is None or found.expected < _MANY_ROWS:
        return None
    descent = descending.compiled_for(run, found)
    if descent is None:
        return None
    levels = await run.fetch_levels(descending.paths, descent, keys, {**run.parameters, **found.parameters})
    run.levels.update(descending.rows_of(levels))
    return levels[0]


async def _totals(run: Run, edge: EdgePage, keys: Sequence[Any], question: Question) -> dict[Any, int]:
    batch, filters = edge.batch, question.shape.filters
    statement = run.reading(edge.connection.counts, filters, lambda: batch.count_statement(run.mode, run.kind, filters))
    parameters = {**run.parameters, **filter_parameters(question.wanted)}
    rows = await run.fetch(f"{edge.path}.totalCount", statement, keys, parameters)
    return {None: rows[0][0]} if batch.by is None else {row[0]: row[1] for row in rows}


async def _print_connections(
    run: Run,
    edge: EdgePage,
    keys: Sequence[Any],
    question: Question,
    pages: _Found,
    totals: Mapping[Any, int],
) -> Answers:
    """Print the connection of every key. All their rows are printed together, level by level."""
    if edge.connection.wants_nodes_alone and question.page.limit >= max(pages.counts.values(), default=0):
        return await _print_nodes(run, edge.connection.steps[0], keys, pages)
    rows_of = cut(pages.counts, list(pages.rows))
    windows = {key: window(rows_of.get(key, []), question.page) for key in keys}
    rows = [row for one in windows.values() for row in one.rows]
    selections = edge.connection.row_selections()
    printed = [iter(await _print_rows(run, selection, rows)) for selection in selections]
    cursors = Cursors(edge.batch, question.order, edge.selection, run.mode, run.context.db.epoch)
    answers: Answers = {}
    for key, found in windows.items():
        taken = [[next(one) for _ in found.rows] for one in printed]
        # One selection may stand twice, as `nodes` under two aliases never does: each step has its own.
        by_selection = {id(selection): dicts for selection, dicts in zip(selections, taken, strict=True)}
        answers[key] = {
            step.key: connection_value(step, question.page, found, by_selection, totals.get(key, 0), cursors)
            for step in edge.connection.steps
        }
    return answers


async def _print_nodes(run: Run, step: ConnectionStep, keys: Sequence[Any], pages: _Found) -> Answers:
    """Print connections of which only the rows are wanted: one list, cut where the keys change."""
    wanted = step.nodes or step.link
    if wanted is None:
        raise Abandoned
    name = step.key
    printed = await _print_rows(run, wanted, pages.rows)
    if step.link is not None:
        printed = [one["node"] for one in printed]
    answers: Answers = {key: {name: nodes} for key, nodes in cut(pages.counts, printed).items()}
    for key in keys:
        if key not in answers:
            answers[key] = {name: []}
    return answers
