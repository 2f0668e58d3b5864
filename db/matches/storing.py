"""What entries of a log lead to, written down: the numbers, the fights, the entries and what they told.

However many entries come at once, and however many fights they are of, each table is written by one statement.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import bindparam, case, delete, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col

from db.batches import table_of
from db.errors import Conflict
from db.ids import new_id, new_ids
from db.matches import messages
from db.matches.events import MatchEventsLogged, MatHeard, ScoreboardChanged
from db.matches.keeping import counts_steps, facts_steps
from db.matches.log import Advance, Fight, Logged, MatProgress
from db.matches.messages import points_of, side_of, to_record
from db.matches.queueing import follow_loads
from db.matches.rows import match_row, round_rows, round_side_rows, side_rows
from db.matches.state import FightState, to_json
from db.matches.tables import (
    Athlete,
    Mat,
    Match,
    MatchEvent,
    MatchSide,
    Round,
    RoundSide,
    Scoreboard,
    TournamentDay,
)
from db.matches.vocabulary import SenderState, TournamentState
from db.parameters import any_of
from db.session import Step, Transaction
from db.statements import fixed, insert_many, row_class

_Rows = list[dict[str, Any]]


async def store_advance(
    tx: Transaction, progress: MatProgress, steps: Advance, known: Iterable[Fight]
) -> Mapping[int, UUID]:
    """Store what entries lead to, and tell of it. `known` are the fights as they stood. Raises `Conflict`.

    Returns the ids of the entries by their numbers.
    """
    mat = await _take_numbers(tx, progress, steps)
    before = {fight.match_id: fight for fight in known}
    fights: list[Any] = await store_fights(tx, steps, before)
    rows = _event_rows(steps)
    event_ids = {row.seq: row.id for row in rows}
    entries: list[Step] = [(_INSERT_EVENT, rows)]
    await tx.execute_all([*fights, *entries, *facts_steps(steps.facts, event_ids), *counts_steps(mat.id, steps.logged)])
    announce_entries(tx, rows)
    if mat.queue_revision:
        await follow_loads(tx, mat.id, steps.fights, before)
    boards = {row["match_id"]: row for statement, rows in fights if statement is _UPSERT_SCOREBOARD for row in rows}
    for fight in steps.fights:
        was = before.get(fight.match_id)
        if fight.revision != (0 if was is None else was.revision):
            _announce(tx, steps.progress, boards[fight.match_id])
    return event_ids


async def store_fights(tx: Transaction, steps: Advance, before: Mapping[UUID, Fight]) -> list[Step]:
    """Bring the tables of fights to their states, and their scoreboards; `before` are those that are stored already.

    Returns what is left to be done of it: it needs no answer, and goes with whatever else is stored.
    """
    mat_id = steps.progress.mat_id
    left = await _sides_steps(tx, steps, before, _matches_steps(steps, before))
    told = []
    for fight in steps.fights:
        was = before.get(fight.match_id)
        if was is None or was.state.rounds is not fight.state.rounds:
            await _forget_rounds(tx, fight, was)
            told.append(fight)
    round_sides = [{"match_id": fight.match_id, **row} for fight in told for row in round_side_rows(fight.state)]
    return [
        *left,
        (_UPSERT_ROUND, [row for fight in told for row in _with_ids(fight, round_rows)]),
        (_UPSERT_ROUND_SIDE, round_sides),
        (_UPSERT_SCOREBOARD, [_scoreboard_row(mat_id, fight) for fight in steps.fights]),
    ]


def announce_entries(tx: Transaction, entries: Iterable[MatchEvent]) -> None:
    """Tell of entries, of each fight's together."""
    by_match: dict[UUID, list[Any]] = {}
    match_id: UUID | None = None
    of_match: list[Any] = []
    for row in entries:
        if row.match_id is None:
            continue
        if row.match_id is not match_id:
            match_id = row.match_id
            of_match = by_match.setdefault(match_id, [])
        of_match.append(row)
    for match_id, events in by_match.items():
        tx.record(MatchEventsLogged(match_id=match_id, events=tuple(events)))


async def _take_numbers(tx: Transaction, before: MatProgress, steps: Advance) -> Mat:
    """Move the mat's number on from where we believe it to stand: whoever finds it elsewhere is not the only writer."""
    after = steps.progress
    place = {
        "of_mat": before.mat_id,
        "from_seq": before.seq,
        "to_seq": after.seq,
        "current": None if after.fight is None else after.fight.match_id,
    }
    heard = [one for one in steps.logged if one.received.made_by_id is None]
    moved = await tx.row(_MOVE_ON_HEARD, **place, **_heard(heard)) if heard else await tx.row(_MOVE_ON, **place)
    if moved is None:
        raise Conflict("Somebody else writes to the log of this mat.")
    if heard:
        tx.record(MatHeard(mat=moved))
    return cast("Mat", moved)


def _heard(heard: Sequence[Logged]) -> dict[str, Any]:
    """Say what is known of a mat's sender now that it said this."""
    last = heard[-1].received
    is_off = isinstance(last.message, messages.Link) and not last.message.is_connected
    state = SenderState.OFF if is_off else SenderState.ALIVE
    return {
        "state": state,
        "other_than": state,
        "sender": last.sender,
        "received_at": last.received_at,
        "unreadable": sum(type(one.entry.message) is messages.Unreadable for one in heard),
    }


def _matches_steps(steps: Advance, before: Mapping[UUID, Fight]) -> list[Step]:
    begun: _Rows = []
    changed: _Rows = []
    for fight in steps.fights:
        values, was = match_row(fight.state), before.get(fight.match_id)
        loaded_at = None if was is not None else _loaded_at(fight, steps.logged)
        if loaded_at is not None:
            key = {"id": fight.match_id, "mat_id": steps.progress.mat_id, "begun_seq": fight.begun_seq}
            begun.append({**key, "loaded_at": loaded_at, **values})
        elif was is None or match_row(was.state) != values:
            changed.append({"of_match": fight.match_id, **values})
    return [(_INSERT_MATCH, begun), (_CHANGE_MATCH, changed)]


def _loaded_at(fight: Fight, logged: Sequence[Logged]) -> datetime | None:
    """Return when a fight began, if it did with one of these entries."""
    place = fight.begun_seq - logged[0].entry.seq if logged else -1
    return logged[place].received.received_at if 0 <= place < len(logged) else None


async def _sides_steps(tx: Transaction, steps: Advance, before: Mapping[UUID, Fight], first: list[Step]) -> list[Step]:
    """Return what is to be done, `first` and then with sides. Athletes are looked for only where somebody is new."""
    named: _Rows = []
    changed: _Rows = []
    for fight in steps.fights:
        was = before.get(fight.match_id)
        if was is None or _who_fights(was.state) != _who_fights(fight.state):
            named += _with_ids(fight, side_rows)
            continue
        for row, known in zip(side_rows(fight.state), side_rows(was.state), strict=True):
            if row != known:
                values = {name: row[name] for name in _OF_SIDE}
                changed.append({"of_match": fight.match_id, "of_side": row["side"], **values})
    left = await _store_athletes(tx, named, first) if named else first
    return [*left, (_CHANGE_SIDE, changed)]


def _who_fights(state: FightState) -> list[tuple[str, ...]]:
    return [(side.short_name, side.long_name, side.country_code) for side in (state.blue, state.red)]


async def _store_athletes(tx: Transaction, rows: _Rows, first: Sequence[Step]) -> list[Step]:
    """Do what comes `first`, and return what is left to be done of sides once their athletes are known."""
    athletes = await _find_athletes(tx, rows, first)
    for row in rows:
        name, _, country_code = (row.pop(column) for column in ("name", "short_name", "country_code"))
        # A side whose athlete was not named has none.
        row["athlete_id"] = athletes.get((name, country_code))
    return [(_UPSERT_SIDE, rows)]


async def _find_athletes(
    tx: Transaction, sides: Sequence[Mapping[str, Any]], first: Sequence[Step]
) -> dict[tuple[str, str], UUID]:
    """Do what comes `first`, and return the athletes of sides by name and country, made if new.

    Everybody asks for them in the same order: two mats with the same athletes would else wait for each other.
    """
    short_names = {(row["name"], row["country_code"]): row["short_name"] for row in sides if row["name"]}
    if not short_names:
        await tx.execute_all(first)
        return {}
    rows = [
        {"id": new_id(), "name": name, "short_name": short_names[name, country_code], "country_code": country_code}
        for name, country_code in sorted(short_names)
    ]
    await tx.execute_all([*first, (_UPSERT_ATHLETE, rows)])
    found = await tx.rows(_ATHLETES_NAMED, names=[row["name"] for row in rows])
    return {(one.name, one.country_code): one.id for one in found}


async def _forget_rounds(tx: Transaction, fight: Fight, was: Fight | None) -> None:
    """Delete the rounds that nothing is said of any more, because it was taken back."""
    present = {one.number for one in fight.state.rounds}
    gone = [] if was is None else [one.number for one in was.state.rounds if one.number not in present]
    if gone:
        of_match, of_side = col(Round.match_id) == fight.match_id, col(RoundSide.match_id) == fight.match_id
        await tx.execute(delete(Round).where(of_match, any_of(col(Round.number), gone)))
        await tx.execute(delete(RoundSide).where(of_side, any_of(col(RoundSide.round), gone)))


def _event_rows(steps: Advance) -> list[Any]:
    mat_id, ids = steps.progress.mat_id, new_ids(len(steps.logged))
    return [_event_row(id_, mat_id, logged) for id_, logged in zip(ids, steps.logged, strict=True)]


def _event_row(id_: UUID, mat_id: UUID, logged: Logged) -> Any:
    entry, received, fight, burst_seq = logged
    message, at = entry.message, received.received_at
    is_readable = type(message) is not messages.Unreadable
    return _EVENT_ROW(
        # In the order of the table's columns: by their names it takes twice as long, and it is made for each message.
        id_,
        mat_id,
        entry.seq,
        None if fight is None else fight.match_id,
        at,
        received.sender,
        received.raw,
        message.kind,
        side_of(message),
        points_of(message),
        None if fight is None else fight.state.round,
        None if fight is None else fight.state.clock.remaining_at(at),
        is_readable,
        next(iter(message.flags), None) if is_readable else cast("messages.Unreadable", message).reason,
        to_record(message),
        received.made_by_id,
        received.why,
        received.voids_id,
        None,
        burst_seq,
        received.monotonic_ns,
    )


def _scoreboard_row(mat_id: UUID, fight: Fight) -> dict[str, Any]:
    return {
        "match_id": fight.match_id,
        "mat_id": mat_id,
        "seq": fight.state.seq,
        "fold": to_json(fight.state),
        "board": fight.shown,
        "revision": fight.revision,
        "changed_at": fight.changed_at,
    }


def _announce(tx: Transaction, progress: MatProgress, board: Mapping[str, Any]) -> None:
    row = cast("Scoreboard", _SCOREBOARD_ROW(**board))
    is_current = progress.fight is not None and progress.fight.match_id == row.match_id
    tx.record(ScoreboardChanged(scoreboard=row, is_current=is_current))


def _with_ids(fight: Fight, rows: Callable[[FightState], _Rows]) -> _Rows:
    return [{"id": new_id(), "match_id": fight.match_id, **row} for row in rows(fight.state)]


# The statements


def _parameter(name: str, column: Any) -> Any:
    return bindparam(name, type_=column.type)


def _move_on(*, is_heard: bool) -> Any:
    mats = table_of(Mat).c
    values: dict[str, Any] = {
        "last_seq": bindparam("to_seq", type_=mats.last_seq.type),
        "current_match_id": _parameter("current", mats.current_match_id),
    }
    if is_heard:
        state, unreadable = _parameter("state", mats.sender_state), _parameter("unreadable", mats.unreadable_count)
        # The same again: PostgreSQL takes what is compared for another type than what is set.
        is_news = or_(mats.sender_state != _parameter("other_than", mats.sender_state), unreadable > 0)
        values |= {
            "sender_state": state,
            "last_sender": _parameter("sender", mats.last_sender),
            "last_received_at": _parameter("received_at", mats.last_received_at),
            "unreadable_count": mats.unreadable_count + unreadable,
            "status_revision": mats.status_revision + case((is_news, 1), else_=0),
        }
    is_there = mats.id == _parameter("of_mat", mats.id), mats.last_seq == _parameter("from_seq", mats.last_seq)
    return update(Mat).where(*is_there).values(**values).returning(Mat)


def _insert_match() -> Any:
    """Write a fight with the tournament that its mat is of, and the day of it that is active."""
    table = table_of(Match)
    mat_id = _parameter("mat_id", table.c.mat_id)
    tournament = select(col(Mat.tournament_id)).where(col(Mat.id) == mat_id).scalar_subquery()
    active = col(TournamentDay.tournament_id) == tournament, col(TournamentDay.state) == TournamentState.ACTIVE
    values = {name: _parameter(name, table.c[name]) for name in table.c.keys()}  # noqa: SIM118 -- a collection of columns
    values |= {
        "tournament_id": tournament,
        "tournament_day_id": select(col(TournamentDay.id)).where(*active).scalar_subquery(),
    }
    return upsert(table).values(values)


def _change_match() -> Any:
    table = table_of(Match)
    values = {name: _parameter(name, table.c[name]) for name in _FOLDED}
    return update(table).where(table.c.id == _parameter("of_match", table.c.id)).values(values)


def _change_side() -> Any:
    table = table_of(MatchSide)
    of_side = (
        table.c.match_id == _parameter("of_match", table.c.match_id),
        table.c.side == _parameter("of_side", table.c.side),
    )
    return update(table).where(*of_side).values({name: _parameter(name, table.c[name]) for name in _OF_SIDE})


def _upsert(model: Any, by: Sequence[str], kept: Sequence[str]) -> Any:
    """Insert rows, or bring those of the same keys up to date but for the `kept` columns."""
    table = table_of(model)
    changing = [name for name in table.c.keys() if name not in {*by, *kept}]  # noqa: SIM118 -- as above

    def bring_up_to_date(statement: Any) -> Any:
        set_ = {name: statement.excluded[name] for name in changing}
        return statement.on_conflict_do_update(index_elements=list(by), set_=set_)

    return insert_many(table, bring_up_to_date)


def _row_of(model: Any) -> Any:
    table = table_of(model)
    return row_class(table.name, tuple(table.c.keys()), table)


# What the fold decides of a match.
_FOLDED = tuple(
    name
    for name in table_of(Match).c.keys()  # noqa: SIM118 -- as above
    if name not in {"id", "mat_id", "tournament_id", "tournament_day_id", "begun_seq", "loaded_at"}
)
# And of a side, whoever that is.
_OF_SIDE = ("background", "foreground", "score", "gam_jeom_count", "rounds_won")
_MOVE_ON = fixed(_move_on(is_heard=False))
_MOVE_ON_HEARD = fixed(_move_on(is_heard=True))
_INSERT_MATCH = fixed(_insert_match())
_CHANGE_MATCH = fixed(_change_match())
_CHANGE_SIDE = fixed(_change_side())
_INSERT_EVENT = insert_many(table_of(MatchEvent))
_UPSERT_ATHLETE = _upsert(Athlete, ["name", "country_code"], ["id"])
_ATHLETES_NAMED: Any = fixed(select(Athlete).where(any_of(col(Athlete.name), "names")))
_UPSERT_ROUND = _upsert(Round, ["match_id", "number"], ["id"])
_UPSERT_ROUND_SIDE = _upsert(RoundSide, ["match_id", "round", "side"], [])
_UPSERT_SIDE = _upsert(MatchSide, ["match_id", "side"], ["id"])
_UPSERT_SCOREBOARD = _upsert(Scoreboard, ["match_id"], [])
_EVENT_ROW = _row_of(MatchEvent)
_SCOREBOARD_ROW = _row_of(Scoreboard)
