"""Pages: what is printed of a connection beside its rows, and how rows are cut into pages."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import chain, repeat, starmap
from operator import itemgetter
from typing import Any

from db.batches import Order, Page, Pages, Window, table_of
from db.statements import RawRow
from schema.connections import write_cursor
from schema.engine.assembly import column_converter
from schema.engine.plan import ConnectionStep, RowSelection


def connection_value(
    step: ConnectionStep,
    page: Page,
    found: Window[RawRow],
    printed: Mapping[int, list[dict[str, Any]]],
    total: int,
    cursors: "Cursors",
) -> Any:
    """Return one field of a connection. `printed` holds the rows of the page by their selections."""
    if step.name == "nodes":
        return printed[id(step.nodes)] if step.link is None else [one["node"] for one in printed[id(step.link)]]
    if step.name == "edges":
        return [_edge_value(step, row, index, printed, cursors) for index, row in enumerate(found.rows)]
    if step.name == "page_info":
        return {one.key: _page_info_value(one.name, page, found, cursors) for one in step.page_info}
    return total if step.name == "total_count" else step.type_name


def _edge_value(
    step: ConnectionStep, row: RawRow, index: int, printed: Mapping[int, list[dict[str, Any]]], cursors: "Cursors"
) -> dict[str, Any]:
    value: dict[str, Any] = {}
    linked = {} if step.link is None else printed[id(step.link)][index]
    for one in step.edges:
        if one.key in linked:
            value[one.key] = linked[one.key]
            continue
        if one.name == "node":
            value[one.key] = printed[id(one.selection)][index]
        else:
            value[one.key] = cursors.of(row) if one.name == "cursor" else one.type_name
    return value


def _page_info_value(name: str | None, page: Page, found: Window[RawRow], cursors: "Cursors") -> Any:
    if name == "has_next_page":
        return page.before is not None if page.is_backward else found.has_more
    if name == "has_previous_page":
        return found.has_more if page.is_backward else page.after is not None
    if name is None:
        return "PageInfo"
    if not found.rows:
        return None
    return cursors.of(found.rows[0] if name == "start_cursor" else found.rows[-1])


class Cursors:
    """Writes the cursors of rows as a driver gave them."""

    def __init__(self, batch: Pages[Any], order: Order, selection: RowSelection, mode: str, epoch: str) -> None:
        table = table_of(batch.model)
        self._epoch = epoch
        self._columns = [(selection.columns.index(name), column_converter(table, name, mode)) for name in order.columns]

    def of(self, row: RawRow) -> str:
        """Return the cursor of a row."""
        place = tuple(row[i] if convert is None else convert(row[i]) for i, convert in self._columns)
        return write_cursor(place, self._epoch)


def together(rows: Sequence[RawRow], place: int) -> tuple[Sequence[RawRow], Counter[Any]]:
    """Return rows with those of one key together, each key's in their order, and how many each has.

    `place` is that of the key in the rows. They nearly always come so, as nested loops do, and are then left alone.
    """
    keys = list(map(itemgetter(place), rows))
    counts = Counter(keys)
    if list(chain.from_iterable(starmap(repeat, counts.items()))) != keys:
        turns = {key: turn for turn, key in enumerate(counts)}
        rows = sorted(rows, key=lambda row: turns[row[place]])
    return rows, counts


def cut(counts: Mapping[Any, int], whole: list[Any]) -> dict[Any, list[Any]]:
    """Cut a list into those of each key, which stand together and in the order of their counts."""
    pieces = {}
    start = 0
    for key, count in counts.items():
        end = start + count
        pieces[key] = whole[start:end]
        start = end
    return pieces
