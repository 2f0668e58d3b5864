"""Batch queries: many parents in one statement, pages that neither skip nor repeat, and overlays that see their own."""

from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from itertools import product
from operator import attrgetter
from typing import Any
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from db.access import operations as access
from db.access import queries as access_queries
from db.access.viewer import Role, Viewer
from db.batches import Page, Pages, ToMany, ToOne, Window, table_of
from db.database import Database
from db.derived import DerivedMany, DerivedOne, DerivedPages
from db.ids import new_id
from db.matches import operations, queries
from db.matches.tables import (
    Athlete,
    Challenge,
    EventType,
    Mat,
    Match,
    MatchEvent,
    MatchSide,
    Penalty,
    PlannedMatch,
    Point,
    Round,
    Scoreboard,
    Tournament,
    TournamentDay,
    UnknownMessage,
)
from db.matches.vocabulary import MatchEventKind, MatchState
from db.session import Transaction
from tests.db.stored import NOW, statements_of
from tests.support.competition import Competition, begun_fight, hold, loaded_fight, open_day, plan, say

ADMIN = Viewer(user_id=UUID(int=1), token_id=UUID(int=2), role=Role.ADMIN)
BATCHES: dict[str, ToOne[Any] | ToMany[Any] | Pages[Any]] = {
    f"{module.__name__}.{name}": batch
    for module in (queries, access_queries)
    for name, batch in vars(module).items()
    if isinstance(batch, ToOne | ToMany | Pages)
    # What a statement makes stands in no table: `tests/schema/test_competition.py` asks for it.
    and not isinstance(batch, DerivedOne | DerivedMany | DerivedPages)
}
# Those that show some of a table's rows, to whomever.
SOME: dict[Any, Callable[[Any], bool]] = {queries.waiting_by_mat: lambda row: row.match_id is None}
EDGES = {name: batch for name, batch in BATCHES.items() if batch.by not in {"id", None}}
PAGES = {name: batch for name, batch in BATCHES.items() if isinstance(batch, Pages)}


def overlay(*nodes: UUID, role: Role = Role.ADMIN) -> Viewer:
    return Viewer(user_id=ADMIN.user_id, token_id=new_id(), role=role, nodes=frozenset(nodes))


async def stored(db: Database, model: Any) -> list[Any]:
    async with db.read() as session:
        rows: list[Any] = await session.rows(select(table_of(model)))
        return rows


async def rows_of(db: Database, batch: Any) -> list[Any]:
    """The rows that a batch may show."""
    is_shown = SOME.get(batch, lambda _: True)
    return [row for row in await stored(db, batch.model) if is_shown(row)]


async def read(
    db: Database, batch: ToOne[Any] | ToMany[Any] | Pages[Any], viewer: Viewer, keys: Sequence[Any]
) -> dict[Any, list[Any]]:
    """The rows of each key, however they are batched."""
    async with db.read() as session:
        if isinstance(batch, ToOne):
            return {key: [row] for key, row in (await batch.read(session, viewer, keys)).items()}
        if isinstance(batch, ToMany):
            return await batch.read(session, viewer, keys)
        windows = await batch.read(session, viewer, keys, Page(limit=1_000), batch.order(None), {})
        return {key: window.rows for key, window in windows.items()}


async def page_of(
    db: Database,
    batch: Pages[Any],
    page: Page,
    *,
    keys: Sequence[Any] = (None,),
    order: str | None = None,
    wanted: dict[str, Any] | None = None,
    viewer: Viewer = ADMIN,
) -> dict[Any, Window[Any]]:
    async with db.read() as session:
        return await batch.read(session, viewer, keys, page, batch.order(order), wanted or {})


def grouped(rows: Iterable[Any], by: str | None) -> dict[Any, list[Any]]:
    groups: dict[Any, list[Any]] = {}
    for row in rows:
        key = None if by is None else getattr(row, by)
        if by is None or key is not None:
            groups.setdefault(key, []).append(row)
    return groups


def parents_of(batch: ToOne[Any] | ToMany[Any] | Pages[Any], rows: Iterable[Any]) -> list[Any]:
    return list(grouped(rows, batch.by))


# Many parents, one statement.


async def test_every_edge_is_read_for_fifty_parents_in_one_statement_and_fifty_by_their_ids(db: Database) -> None:
    await tell(db, await hold(db, NOW, tournaments=50, mats=50))
    for number in range(50):
        await new_owner(db, number)

    for name, batch in EDGES.items():
        rows = await rows_of(db, batch)
        parents = parents_of(batch, rows)
        with statements_of(db) as heard:
            found = await read(db, batch, ADMIN, [*parents, new_id()])

        assert len(parents) >= 50, name
        assert len(heard) == 1, name
        assert {key: sorted(group) for key, group in found.items()} == {
            key: sorted(group) for key, group in grouped(rows, batch.by).items()
        }, name

    for name, batch in BATCHES.items():
        if not isinstance(batch, ToOne):
            continue
        by_id = {key: group for key, group in grouped(await rows_of(db, batch), batch.by).items() if key is not None}
        with statements_of(db) as heard:
            found = await read(db, batch, ADMIN, [*by_id, new_id()])

        assert (found, len(heard)) == (by_id, 1), name
        assert len(by_id) >= 50, name


async def test_rows_of_a_parent_named_twice_come_once(db: Database) -> None:
    (mat,) = (await hold(db, NOW, tournaments=1, mats=1, fights=3)).mats

    for batch in (queries.matches_by_mat, queries.mats_by_tournament):
        (key,) = parents_of(batch, await stored(db, batch.model))
        once = await read(db, batch, ADMIN, [key])
        assert await read(db, batch, ADMIN, [key, key]) == once

    assert len((await read(db, queries.matches_by_mat, ADMIN, [mat.id, mat.id]))[mat.id]) == 3


async def test_nobody_asked_for_is_nobody_found(db: Database) -> None:
    await hold(db, NOW, mats=1)

    for name, batch in EDGES.items():
        assert await read(db, batch, ADMIN, []) == {}, name


async def test_sides_and_rounds_come_in_their_order(db: Database) -> None:
    for mat in (await hold(db, NOW, mats=2)).mats:
        async with db.transaction() as tx:
            await say(tx, mat.id, NOW + timedelta(minutes=1), "rnd;3", "rnd;2")
    matches = [row.id for row in await stored(db, Match)]

    sides = await read(db, queries.sides_by_match, ADMIN, matches)
    rounds = await read(db, queries.rounds_by_match, ADMIN, matches)

    assert [[row.side for row in sides[key]] for key in matches] == [["BLUE", "RED"]] * 2
    assert [[row.number for row in rounds[key]] for key in matches] == [[1, 2, 3]] * 2


async def tell(db: Database, competition: Competition) -> None:
    """Let days be on, fights wait and one be taken, and every mat tell of all there is."""
    async with db.transaction() as tx:
        for tournament in competition.tournaments:
            await open_day(tx, tournament.id, NOW.date(), NOW)
        for mat in competition.mats:
            await plan(tx, mat, NOW, f"{mat.name} a", f"{mat.name} b")
            told = [*begun_fight(f"{mat.name} a"), "wg1;1", "ch1", "nonsense"]
            await say(tx, mat.id, NOW + timedelta(minutes=50), *told)


async def new_owner(db: Database, number: int) -> UUID:
    async with db.transaction() as tx:
        user = await access.create_user(tx, name=f"User {number:02}", role=Role.MEMBER, now=NOW)
        for label in ("one", "two"):
            await access.create_token(tx, user_id=user.id, label=label, now=NOW)
        return user.id


# Pages.


async def test_a_page_of_each_of_fifty_parents_is_one_statement_and_knows_of_more(db: Database) -> None:
    await hold(db, NOW, tournaments=1, mats=50, fights=2)
    mats = [mat.id for mat in await stored(db, Mat)]

    with statements_of(db) as heard:
        one = await page_of(db, queries.matches_by_mat, Page(limit=1), keys=mats)
        two = await page_of(db, queries.matches_by_mat, Page(limit=2), keys=mats)

    newest = {row.mat_id: row for row in sorted(await stored(db, Match), key=attrgetter("loaded_at"))}
    assert {key: window.rows for key, window in one.items()} == {key: [row] for key, row in newest.items()}
    assert {(len(window.rows), window.has_more) for window in one.values()} == {(1, True)}
    assert {(len(window.rows), window.has_more) for window in two.values()} == {(2, False)}
    assert len(heard) == 2


async def test_a_page_of_no_rows_says_only_whether_there_are_any(db: Database) -> None:
    await hold(db, NOW, tournaments=1, mats=2)

    found = await page_of(db, queries.mats, Page(limit=0))

    assert found == {None: Window(rows=[], has_more=True)}


async def test_counts_are_those_of_the_rows_with_and_without_a_filter(db: Database) -> None:
    await tell(db, await hold(db, NOW, tournaments=2, mats=3, fights=3))
    owner = await new_owner(db, 1)

    async with db.read() as session:
        for name, batch in PAGES.items():
            rows = await rows_of(db, batch)
            groups = {key: len(group) for key, group in grouped(rows, batch.by).items()}
            counted = await batch.count(session, ADMIN, [*groups, new_id()], {})
            assert counted == groups, name
        live = await queries.matches.count(session, ADMIN, [None], {"states": [MatchState.LIVE]})
        unfiltered = await queries.matches.count(session, ADMIN, [None], {"states": None})
        nothing = await queries.matches.count(session, ADMIN, [None], {"states": []})
        by_user = await access_queries.tokens_by_user.count(session, ADMIN, [owner], {})

    assert (live, unfiltered, nothing, by_user) == ({None: 3}, {None: 12}, {None: 0}, {owner: 2})


async def test_a_filter_leaves_the_others_out_of_the_page_and_of_what_is_said_of_more(db: Database) -> None:
    await hold(db, NOW, tournaments=1, mats=2, fights=3)
    mats = [mat.id for mat in await stored(db, Mat)]
    matches = await stored(db, Match)
    live, abandoned = [MatchState.LIVE], [MatchState.ABANDONED, MatchState.NOT_FOUGHT]

    of_all = await page_of(db, queries.matches, Page(limit=2), wanted={"states": live})
    of_each = await page_of(db, queries.matches_by_mat, Page(limit=1), keys=mats, wanted={"states": abandoned})
    events = await page_of(
        db,
        queries.events_by_match,
        Page(limit=10),
        keys=[match.id for match in matches],
        wanted={"kinds": [MatchEventKind.POINT, MatchEventKind.FIGHT_LOADING]},
    )

    assert {row.state for row in of_all[None].rows} == set(live)
    assert (len(of_all[None].rows), of_all[None].has_more) == (2, False)
    assert {(window.rows[0].state, window.has_more) for window in of_each.values()} == {(MatchState.ABANDONED, True)}
    kinds = {tuple(row.kind for row in window.rows) for window in events.values()}
    assert kinds == {(MatchEventKind.FIGHT_LOADING, MatchEventKind.POINT)}


@st.composite
def _listings(draw: st.DrawFn) -> tuple[list[int], int, bool, list[int]]:
    """When each match was loaded, in seconds, a page size, a direction, and when those were that came between pages."""
    seconds = st.integers(0, 4)
    return (
        draw(st.lists(seconds, max_size=14)),
        draw(st.integers(1, 6)),
        draw(st.booleans()),
        draw(st.lists(seconds, max_size=4)),
    )


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(listing=_listings(), order=st.sampled_from(["NEWEST", "OLDEST"]), is_rooted=st.booleans())
async def test_pages_skip_nothing_and_repeat_nothing_whatever_comes_between(
    db: Database, listing: tuple[list[int], int, bool, list[int]], order: str, *, is_rooted: bool
) -> None:
    """Many were loaded in the same second: then the id decides."""
    loaded, size, is_backward, late = listing
    async with db.transaction() as tx:
        await tx.execute(table_of(Mat).delete())
        mats = [await lay(tx, f"Mat {number}") for number in range(2)]
        before = [await load(tx, mats[number % 2], number, second) for number, second in enumerate(loaded)]
    batch: Pages[Any] = queries.matches if is_rooted else queries.matches_by_mat
    keys = [None] if is_rooted else mats
    seen: dict[Any, list[Any]] = {key: [] for key in keys}

    for key in keys:
        position, has_more, between = None, True, list(late)
        while has_more:
            page = Page(
                limit=size,
                after=None if is_backward else position,
                before=position if is_backward else None,
                is_backward=is_backward,
            )
            found = (await page_of(db, batch, page, keys=[key], order=order)).get(key, Window([], has_more=False))
            listed = in_order(await stored(db, Match), key, batch, order)
            assert found == slice_of(listed, page, batch.order(order).position), page
            seen[key] = [*found.rows, *seen[key]] if is_backward else [*seen[key], *found.rows]
            has_more = found.has_more
            position = batch.order(order).position(found.rows[0 if is_backward else -1]) if found.rows else None
            if between:
                async with db.transaction() as tx:
                    await load(tx, mats[0], 1_000 + len(await stored(db, Match)), between.pop())

    for key, rows in seen.items():
        assert rows == [row for row in in_order(await stored(db, Match), key, batch, order) if row in rows]
        old = {row.id for row in before if key in {None, row.mat_id}}
        assert old <= {row.id for row in rows}
        assert len({row.id for row in rows}) == len(rows)


def in_order(rows: Iterable[Any], key: Any, batch: Pages[Any], order: str) -> list[Any]:
    wanted = [row for row in rows if key is None or row.mat_id == key]
    return sorted(wanted, key=batch.order(order).position, reverse=batch.order(order).is_descending)


def slice_of(listed: list[Any], page: Page, position: Any) -> Window[Any]:
    """What a page is, said of the whole list."""
    if page.is_backward:
        places = [position(row) for row in listed]
        end = len(listed) if page.before is None else places.index(page.before)
        return Window(listed[max(0, end - page.limit) : end], has_more=end > page.limit)
    places = [position(row) for row in listed]
    start = 0 if page.after is None else places.index(page.after) + 1
    return Window(listed[start : start + page.limit], has_more=len(listed) > start + page.limit)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
async def test_a_page_between_two_positions_is_the_slice_between_them(db: Database, data: st.DataObject) -> None:
    listed = await stored(db, Match)
    if not listed:
        async with db.transaction() as tx:
            mat = await lay(tx, "Mat")
            for number in range(12):
                await load(tx, mat, number, number // 4)
        listed = await stored(db, Match)
    (mat,) = {row.mat_id for row in listed}
    order = data.draw(st.sampled_from(["NEWEST", "OLDEST"]))
    listed = in_order(listed, None, queries.matches, order)
    start = data.draw(st.integers(-1, len(listed) - 1))
    end = data.draw(st.integers(start + 1, len(listed)))
    limit = data.draw(st.integers(1, 13))
    is_backward = data.draw(st.booleans())
    position = queries.matches.order(order).position
    page = Page(
        limit=limit,
        after=None if start < 0 else position(listed[start]),
        before=None if end == len(listed) else position(listed[end]),
        is_backward=is_backward,
    )

    of_all = await page_of(db, queries.matches, page, order=order)
    of_mat = await page_of(db, queries.matches_by_mat, page, keys=[mat], order=order)

    within = listed[start + 1 : end]
    rows = within[-limit:] if is_backward else within[:limit]
    expected = Window(rows, has_more=len(within) > limit) if within else None
    assert (of_all.get(None), of_mat.get(mat)) == (expected, expected)


async def lay(tx: Transaction, name: str) -> UUID:
    return (await operations.create_mat(tx, name=name, now=NOW)).id


async def load(tx: Transaction, mat_id: UUID, begun_seq: int, second: int) -> Any:
    words = ("number", "phase", "weight", "division", "winner_name", "round_score", "result_code")
    return await tx.row(
        insert(Match)
        .values(
            id=new_id(),
            mat_id=mat_id,
            begun_seq=begun_seq,
            state=MatchState.LOADED,
            has_result_conflict=False,
            loaded_at=NOW + timedelta(seconds=second),
            **dict.fromkeys(words, ""),
        )
        .returning(Match)
    )


async def test_every_page_of_everything_put_together_is_everything(db: Database) -> None:
    await tell(db, await hold(db, NOW, tournaments=2, mats=6, fights=2))
    await new_owner(db, 1)

    for name, batch in PAGES.items():
        keys = [None] if batch.by is None else parents_of(batch, await rows_of(db, batch))[:2]
        for order in batch.orders:
            whole = await page_of(db, batch, Page(limit=1_000), keys=keys, order=order)
            for key, size in product(keys, (1, 2, 7, 100)):
                forward = await all_pages(db, batch, key, order, size, is_backward=False)
                backward = await all_pages(db, batch, key, order, size, is_backward=True)
                assert forward == backward == whole[key].rows, (name, order, size)


async def all_pages(
    db: Database, batch: Pages[Any], key: Any, order: str, size: int, *, is_backward: bool
) -> list[Any]:
    rows: list[Any] = []
    has_more = True
    while has_more:
        end = batch.orders[order].position(rows[0 if is_backward else -1]) if rows else None
        page = Page(
            limit=size, is_backward=is_backward, after=None if is_backward else end, before=end if is_backward else None
        )
        window = (await page_of(db, batch, page, keys=[key], order=order))[key]
        rows = [*window.rows, *rows] if is_backward else [*rows, *window.rows]
        has_more = window.has_more
    return rows


# What an overlay sees.


async def test_an_overlay_sees_what_hangs_on_its_nodes_and_nothing_else_through_every_query(db: Database) -> None:
    competition = await hold(db, NOW, tournaments=3, mats=5, fights=3)
    await tell(db, competition)
    await new_owner(db, 1)
    mat, other = competition.mats[0], competition.mats[1]
    async with db.transaction() as tx:
        # Athletes who fight on both mats, so that one of theirs is seen and the other is not.
        await say(tx, mat.id, NOW + timedelta(hours=1), *loaded_fight("shared"))
        await say(tx, other.id, NOW + timedelta(hours=1), *begun_fight("shared"))
        lonely = await lay(tx, "Lonely")
    matches = await stored(db, Match)
    match = next(row for row in matches if row.mat_id == other.id)
    rows = {batch.model: await stored(db, batch.model) for batch in BATCHES.values()}
    bound = {
        "a match": {match.id},
        "a mat": {mat.id},
        "a mat and a match of another": {mat.id, match.id},
        "a mat without a tournament": {lonely},
        "a mat and its match": {other.id, match.id},
        "something that hangs on them": {rows[MatchSide][0].id, rows[Athlete][0].id, competition.tournaments[0].id},
        "nothing that is": {new_id()},
        "nothing": set[UUID](),
    }

    for said, nodes in bound.items():
        seen = seen_by(nodes, rows)
        for name, batch in BATCHES.items():
            ids = {
                key_of(row)
                for row in seen.get(batch.model, [])
                if (batch.by is None or getattr(row, batch.by) is not None) and SOME.get(batch, lambda _: True)(row)
            }
            parents = [None] if batch.by is None else parents_of(batch, rows[batch.model])
            found = await read(db, batch, overlay(*nodes), parents)
            assert {key_of(row) for group in found.values() for row in group} == ids, (said, name)
            if isinstance(batch, Pages):
                async with db.read() as session:
                    counted = await batch.count(session, overlay(*nodes), parents, {})
                assert sum(counted.values()) == len([row for group in found.values() for row in group]), (said, name)
                assert {key: count for key, count in counted.items() if count} == {
                    key: len(group) for key, group in found.items()
                }, (said, name)


def key_of(row: Any) -> Any:
    return row.match_id if type(row).__name__ == "Scoreboards" else row.id


def seen_by(nodes: set[UUID], rows: dict[Any, list[Any]]) -> dict[Any, list[Any]]:
    """What hangs on some nodes, said in plain words: of users and tokens, nothing."""
    matches = [row for row in rows[Match] if {row.id, row.mat_id} & nodes]
    mats = [row for row in rows[Mat] if row.id in nodes or row.id in {match.mat_id for match in matches}]
    match_ids = {row.id for row in matches}

    def within(model: Any) -> list[Any]:
        return [row for row in rows[model] if row.match_id in match_ids]

    def bound(model: Any) -> list[Any]:
        return [row for row in rows[model] if row.mat_id in nodes]

    tournaments = {mat.tournament_id for mat in mats}
    planned = [row for row in rows[PlannedMatch] if row.mat_id in nodes or row.match_id in match_ids]
    athletes = {row.athlete_id for row in within(MatchSide)}
    athletes |= {athlete for row in planned for athlete in (row.blue_athlete_id, row.red_athlete_id)}
    return {
        **{model: within(model) for model in (Point, Penalty, Challenge)},
        **{model: bound(model) for model in (EventType, UnknownMessage)},
        PlannedMatch: planned,
        TournamentDay: [row for row in rows[TournamentDay] if row.tournament_id in tournaments],
        Match: matches,
        Mat: mats,
        Tournament: [row for row in rows[Tournament] if row.id in tournaments],
        MatchSide: within(MatchSide),
        Round: within(Round),
        MatchEvent: within(MatchEvent),
        Scoreboard: within(Scoreboard),
        Athlete: [row for row in rows[Athlete] if row.id in athletes],
    }


async def test_a_user_sees_his_own_tokens_and_an_admin_all(db: Database) -> None:
    own, other = await new_owner(db, 1), await new_owner(db, 2)

    for role in Role:
        viewer = Viewer(user_id=own, token_id=new_id(), role=role)
        found = await read(db, access_queries.tokens_by_user, viewer, [own, other])
        users = await read(db, access_queries.user_by_id, viewer, [own, other])

        seen = {own: 2, other: 2} if role is Role.ADMIN else {own: 2}
        assert {key: len(rows) for key, rows in found.items()} == seen, role
        assert set(users) == {own, other}


async def test_has_more_says_nothing_of_what_an_overlay_does_not_see(db: Database) -> None:
    competition = await hold(db, NOW, tournaments=1, mats=3, fights=2)
    mat = competition.mats[1]
    viewer = overlay(mat.id)
    (tournament,) = competition.tournaments

    found = [
        (await page_of(db, queries.mats, Page(limit=1), viewer=viewer))[None],
        (await page_of(db, queries.mats_by_tournament, Page(limit=1), keys=[tournament.id], viewer=viewer))[
            tournament.id
        ],
        (await page_of(db, queries.matches, Page(limit=2, is_backward=True), viewer=viewer))[None],
    ]

    assert [(len(window.rows), window.has_more) for window in found] == [(1, False), (1, False), (2, False)]
    assert {row.mat_id for row in found[2].rows} == {mat.id}
