"""How a competition may change: its mats, and the log that all fights are folded from."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

from sqlalchemy import bindparam, case, delete, insert, or_, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.batches import table_of
from db.errors import Conflict, NotFound
from db.ids import new_id
from db.matches import messages
from db.matches.events import MatchEventsLogged, MatHeard, ScoreboardChanged
from db.matches.keeping import store_counts, store_facts
from db.matches.log import Advance, Fight, Logged, MatProgress, Received, advance, settle
from db.matches.messages import points_of, side_of, to_record
from db.matches.queueing import follow_loads
from db.matches.rows import match_row, round_rows, round_side_rows, side_rows
from db.matches.state import from_json, to_json
from db.matches.tables import (
    Athlete,
    Mat,
    Match,
    MatchEvent,
    MatchSide,
    Round,
    RoundSide,
    Scoreboard,
    Tournament,
    TournamentDay,
)
from db.matches.terms import LONGEST_NAME, NEW_TOURNAMENT, tournament_columns
from db.matches.vocabulary import SenderState, TournamentState
from db.session import Changes, Session, Transaction
from db.statements import any_of, fixed, row_class
from db.texts import checked

_CREATE_TOURNAMENT = fixed(
    upsert(Tournament)
    .values({name: bindparam(name, type_=column.type) for name, column in table_of(Tournament).c.items()})
    .on_conflict_do_nothing(index_elements=["name"])
    .returning(Tournament)
)


async def create_tournament(
    changes: Changes, *, name: str, city: str = "", about: Mapping[str, Any] | None = None, now: datetime
) -> Tournament:
    """Begin a tournament. `about` says more of it: see `tournament_columns`.

    Raises `Invalid` for what cannot be and `Conflict` for a taken name.
    """
    columns = {**NEW_TOURNAMENT, **tournament_columns({"name": name, "city": city, **(about or {})})}
    created = await changes.change(_CREATE_TOURNAMENT, id=new_id(), created_at=now, **columns)
    if created is None:
        raise Conflict("There is a tournament of this name.", field="name")
    return created


async def create_mat(tx: Transaction, *, name: str, tournament_id: UUID | None = None, now: datetime) -> Mat:
    """Lay a mat. Raises `Invalid` for an empty name, `Conflict` for one taken in its tournament, `NotFound`."""
    if tournament_id is not None and not await tx.row(select(Tournament).where(col(Tournament.id) == tournament_id)):
        raise NotFound("There is no such tournament.", field="tournament_id")
    name = _name(name)
    values = {**_NEW_MAT, "id": new_id(), "tournament_id": tournament_id, "name": name, "created_at": now}
    created = await tx.row(upsert(Mat).values(**values).on_conflict_do_nothing().returning(Mat))
    if created is None:
        raise Conflict("There is a mat of this name in this tournament.", field="name")
    return created


_NEW_MAT: dict[str, Any] = {
    "last_seq": 0,
    "queue_revision": 0,
    "sender_state": SenderState.UNHEARD,
    "last_sender": "",
    "unreadable_count": 0,
    "status_revision": 0,
}


async def rename_mat(tx: Transaction, mat_id: UUID, *, name: str) -> Mat:
    """Give a mat another name. Raises `Invalid`, `Conflict` and `NotFound` as `create_mat` does."""
    name = _name(name)
    mat = await tx.row(select(Mat).where(col(Mat.id) == mat_id))
    if mat is None:
        raise NotFound("There is no such mat.", field="id")
    namesake = await find_mat(tx, name, mat.tournament_id)
    if namesake is not None and namesake.id != mat_id:
        raise Conflict("There is a mat of this name in this tournament.", field="name")
    return cast("Mat", await tx.row(update(Mat).where(col(Mat.id) == mat_id).values(name=name).returning(Mat)))


async def find_mat(session: Session, name: str, tournament_id: UUID | None) -> Mat | None:
    """Return the mat of this name in a tournament, or among those without one."""
    return await session.row(select(Mat).where(col(Mat.name) == name, col(Mat.tournament_id) == tournament_id))


async def load_progress(session: Session, mat_id: UUID) -> MatProgress:
    """Return how far a mat's log has come, as the next entry finds it. Raises `NotFound`."""
    return await _progress_of(session, await session.row(select(Mat).where(col(Mat.id) == mat_id)))


async def hold_log(tx: Transaction, mat_id: UUID) -> MatProgress:
    """Return how far a mat's log has come, and let nobody else write to it before this ends. Raises `NotFound`."""
    return await _progress_of(tx, await tx.row(select(Mat).where(col(Mat.id) == mat_id).with_for_update()))


async def load_fight(session: Session, match_id: UUID) -> Fight | None:
    """Return a fight as its log has told it so far, `None` if there is no such match."""
    match = await session.row(select(Match).where(col(Match.id) == match_id))
    scoreboard = await session.row(select(Scoreboard).where(col(Scoreboard.match_id) == match_id))
    if match is None or scoreboard is None:
        return None
    return Fight(
        match_id=match_id,
        begun_seq=match.begun_seq,
        state=from_json(scoreboard.fold),
        shown=scoreboard.board,
        revision=scoreboard.revision,
        changed_at=scoreboard.changed_at,
    )


async def catch_up(tx: Transaction, progress: MatProgress) -> tuple[MatProgress, list[MatchEvent]]:
    """Return how far a mat's log has come, with the entries behind `progress`, and tell of them.

    For a writer who found out that he does not know: somebody else wrote, or an answer was lost after the commit.
    Who heard of it already is told again, and knows by its number. Nobody else writes to the log before the transaction
    ends, so that what is logged from here goes in, however many others wait. Raises `NotFound`.
    """
    present = await hold_log(tx, progress.mat_id)
    is_missed = col(MatchEvent.seq) > progress.seq, col(MatchEvent.seq) <= present.seq
    of_mat = select(MatchEvent).where(col(MatchEvent.mat_id) == progress.mat_id, *is_missed)
    missed = await tx.rows(of_mat.order_by(col(MatchEvent.seq)))
    _announce_entries(tx, missed)
    current = None if present.fight is None else present.fight.match_id
    for match_id in dict.fromkeys([*(entry.match_id for entry in missed), current]):
        scoreboard = await tx.row(select(Scoreboard).where(col(Scoreboard.match_id) == match_id))
        if scoreboard is not None:
            tx.record(ScoreboardChanged(scoreboard=scoreboard, is_current=match_id == current))
    return present, missed


async def log_messages(tx: Transaction, progress: MatProgress, received: Iterable[Received]) -> MatProgress:
    """Append messages to a mat's log and fold them, in one transaction. Returns how far the log has come then.

    `progress` is what the last call returned; what this returns may be used once the transaction is committed.
    Raises `Conflict` if somebody else has written to this log meanwhile: load the progress again.
    """
    steps = advance(progress, received)
    await store_advance(tx, progress, steps, () if progress.fight is None else (progress.fight,))
    return steps.progress


async def store_advance(
    tx: Transaction, progress: MatProgress, steps: Advance, known: Iterable[Fight]
) -> Mapping[int, UUID]:
    """Store what entries lead to, and tell of it. `known` are the fights as they stood. Raises `Conflict`.

    Returns the ids of the entries by their numbers.
    """
    mat = await _take_numbers(tx, progress, steps)
    before = {fight.match_id: fight for fight in known}
    await store_fights(tx, steps, before)
    event_ids = await _store_events(tx, steps)
    for match_id, facts in steps.facts.items():
        await store_facts(tx, match_id, facts, event_ids)
    await store_counts(tx, mat.id, steps.logged)
    if mat.queue_revision:
        await follow_loads(tx, mat.id, steps.fights, before)
    for fight in steps.fights:
        was = before.get(fight.match_id)
        if fight.revision != (0 if was is None else was.revision):
            _announce(tx, steps.progress, fight)
    return event_ids


async def settle_scoreboard(tx: Transaction, progress: MatProgress, *, now: datetime) -> MatProgress:
    """Show the fight on a mat as it stands, after a silence inside a burst. Raises `Conflict` as `log_messages`."""
    settled = settle(progress, now)
    fight = settled.fight
    if fight is None or progress.fight is None or fight.revision == progress.fight.revision:
        return progress
    # An operator's correction is stored by whoever holds the log: no two may raise one revision to the same.
    await tx.execute(select(col(Mat.id)).where(col(Mat.id) == progress.mat_id).with_for_update())
    changed = await tx.row(
        update(Scoreboard)
        .where(col(Scoreboard.match_id) == fight.match_id, col(Scoreboard.revision) == progress.fight.revision)
        .values(board=fight.shown, revision=col(Scoreboard.revision) + 1, changed_at=now)
        .returning(Scoreboard)
    )
    if changed is None:
        raise Conflict("The scoreboard was changed by somebody else.")
    tx.record(ScoreboardChanged(scoreboard=changed, is_current=True))
    return settled


async def note_silence(tx: Transaction, mat_id: UUID, *, since: datetime) -> None:
    """Note that nothing has come from the sender of a mat since an instant, and something should have."""
    is_silent = col(Mat.sender_state) == SenderState.ALIVE, col(Mat.last_received_at) <= since
    values = {"sender_state": SenderState.SILENT, "status_revision": col(Mat.status_revision) + 1}
    mat = await tx.row(update(Mat).where(col(Mat.id) == mat_id, *is_silent).values(**values).returning(Mat))
    if mat is not None:
        tx.record(MatHeard(mat=mat))


async def _progress_of(session: Session, mat: Mat | None) -> MatProgress:
    if mat is None:
        raise NotFound("There is no such mat.", field="mat_id")
    current = mat.current_match_id
    fight = None if current is None else await load_fight(session, current)
    return MatProgress(mat_id=mat.id, seq=mat.last_seq, fight=fight)


async def _take_numbers(tx: Transaction, before: MatProgress, steps: Advance) -> Mat:
    """Move the mat's number on from where we believe it to stand: whoever finds it elsewhere is not the only writer."""
    after = steps.progress
    current = None if after.fight is None else after.fight.match_id
    moved = await tx.row(
        update(Mat)
        .where(col(Mat.id) == before.mat_id, col(Mat.last_seq) == before.seq)
        .values(last_seq=after.seq, current_match_id=current, **_heard(steps.logged))
        .returning(Mat)
    )
    if moved is None:
        raise Conflict("Somebody else writes to the log of this mat.")
    if any(one.received.made_by_id is None for one in steps.logged):
        tx.record(MatHeard(mat=moved))
    return moved


def _heard(logged: Sequence[Logged]) -> dict[str, Any]:
    """Say what is known of a mat's sender now that it said this."""
    heard = [one for one in logged if one.received.made_by_id is None]
    if not heard:
        return {}
    last = heard[-1].received
    is_off = isinstance(last.message, messages.Link) and not last.message.is_connected
    state = SenderState.OFF if is_off else SenderState.ALIVE
    unreadable = sum(isinstance(one.entry.message, messages.Unreadable) for one in heard)
    is_news = or_(col(Mat.sender_state) != state, bindparam("unreadable", unreadable) > 0)
    return {
        "sender_state": state,
        "last_sender": last.sender,
        "last_received_at": last.received_at,
        "unreadable_count": col(Mat.unreadable_count) + unreadable,
        "status_revision": col(Mat.status_revision) + case((is_news, 1), else_=0),
    }


async def store_fights(tx: Transaction, steps: Advance, before: dict[UUID, Fight]) -> None:
    """Bring the tables of a fight to its state, and its scoreboard; `before` are those that are stored already."""
    mat_id = steps.progress.mat_id
    loaded_at = {logged.entry.seq: logged.received.received_at for logged in steps.logged}
    athletes = await _find_athletes(tx, [fight for fight in steps.fights if _has_new_sides(fight, before)])
    for fight in steps.fights:
        was = before.get(fight.match_id)
        if was is None or match_row(was.state) != match_row(fight.state):
            await _store_match(tx, mat_id, fight, loaded_at.get(fight.begun_seq))
        if _has_new_sides(fight, before):
            await _store_sides(tx, fight, athletes)
        if was is None or was.state.rounds is not fight.state.rounds:
            await _forget_rounds(tx, fight, was)
            await tx.execute_many(_UPSERT_ROUND, [_with_id(fight, row) for row in round_rows(fight.state)])
            told = [{"match_id": fight.match_id, **row} for row in round_side_rows(fight.state)]
            await tx.execute_many(_UPSERT_ROUND_SIDE, told)
    await tx.execute_many(_UPSERT_SCOREBOARD, [_scoreboard_row(mat_id, fight) for fight in steps.fights])


async def _forget_rounds(tx: Transaction, fight: Fight, was: Fight | None) -> None:
    """Delete the rounds that nothing is said of any more, because it was taken back."""
    present = {one.number for one in fight.state.rounds}
    gone = [] if was is None else [one.number for one in was.state.rounds if one.number not in present]
    if gone:
        of_match, of_side = col(Round.match_id) == fight.match_id, col(RoundSide.match_id) == fight.match_id
        await tx.execute(delete(Round).where(of_match, any_of(col(Round.number), gone)))
        await tx.execute(delete(RoundSide).where(of_side, any_of(col(RoundSide.round), gone)))


async def _store_match(tx: Transaction, mat_id: UUID, fight: Fight, loaded_at: datetime | None) -> None:
    values = match_row(fight.state)
    if loaded_at is None:
        await tx.execute(update(Match).where(col(Match.id) == fight.match_id).values(**values))
        return
    key = {"id": fight.match_id, "mat_id": mat_id, "begun_seq": fight.begun_seq, "loaded_at": loaded_at}
    await tx.execute(insert(Match).values(**key, **_place_of(mat_id), **values))


def _place_of(mat_id: UUID) -> dict[str, Any]:
    """Say which tournament a fight on a mat is of, and which of its days."""
    tournament = select(col(Mat.tournament_id)).where(col(Mat.id) == mat_id).scalar_subquery()
    active = col(TournamentDay.tournament_id) == tournament, col(TournamentDay.state) == TournamentState.ACTIVE
    return {
        "tournament_id": tournament,
        "tournament_day_id": select(col(TournamentDay.id)).where(*active).scalar_subquery(),
    }


def _has_new_sides(fight: Fight, before: dict[UUID, Fight]) -> bool:
    was = before.get(fight.match_id)
    return was is None or side_rows(was.state) != side_rows(fight.state)


async def _store_sides(tx: Transaction, fight: Fight, athletes: dict[tuple[str, str], UUID]) -> None:
    rows = [_with_id(fight, row) for row in side_rows(fight.state)]
    for row in rows:
        name, _, country_code = (row.pop(column) for column in ("name", "short_name", "country_code"))
        # A side whose athlete was not named has none.
        row["athlete_id"] = athletes.get((name, country_code))
    await tx.execute_many(_UPSERT_SIDE, rows)


async def _find_athletes(tx: Transaction, fights: Iterable[Fight]) -> dict[tuple[str, str], UUID]:
    """Return the athletes of fights by name and country, made if new.

    Everybody asks for them in the same order: two mats with the same athletes would else wait for each other.
    """
    sides = [row for fight in fights for row in side_rows(fight.state) if row["name"]]
    short_names = {(row["name"], row["country_code"]): row["short_name"] for row in sides}
    return {key: await _find_athlete(tx, *key, short_name=short_names[key]) for key in sorted(short_names)}


async def _find_athlete(tx: Transaction, name: str, country_code: str, *, short_name: str) -> UUID:
    values = {"id": new_id(), "name": name, "short_name": short_name, "country_code": country_code}
    statement = upsert(Athlete).values(**values)
    known = statement.on_conflict_do_update(
        index_elements=["name", "country_code"], set_={"short_name": statement.excluded.short_name}
    )
    return cast("Athlete", await tx.row(known.returning(Athlete))).id


async def _store_events(tx: Transaction, steps: Advance) -> dict[int, UUID]:
    """Store the entries, and return their ids by their numbers."""
    rows = [_event_row(steps.progress.mat_id, logged) for logged in steps.logged]
    await tx.execute_many(_INSERT_EVENT, (row._asdict() for row in rows))
    _announce_entries(tx, rows)
    return {row.seq: row.id for row in rows}


def _announce_entries(tx: Transaction, entries: Iterable[MatchEvent]) -> None:
    by_match: dict[UUID, list[Any]] = {}
    for row in entries:
        if row.match_id is not None:
            by_match.setdefault(row.match_id, []).append(row)
    for match_id, events in by_match.items():
        tx.record(MatchEventsLogged(match_id=match_id, events=tuple(events)))


def _event_row(mat_id: UUID, logged: Logged) -> Any:
    message, fight, at = logged.entry.message, logged.fight, logged.received.received_at
    reason = message.reason if isinstance(message, messages.Unreadable) else next(iter(message.flags), None)
    return _EVENT_ROW(
        id=new_id(),
        mat_id=mat_id,
        seq=logged.entry.seq,
        match_id=None if fight is None else fight.match_id,
        received_at=at,
        sender=logged.received.sender,
        raw=logged.received.raw,
        kind=message.kind,
        side=side_of(message),
        points=points_of(message),
        round=None if fight is None else fight.state.round,
        clock_ms=None if fight is None else fight.state.clock.remaining_at(at),
        is_valid=not isinstance(message, messages.Unreadable),
        reason=reason,
        record=to_record(message),
        made_by_id=logged.received.made_by_id,
        why=logged.received.why,
        voids_id=logged.received.voids_id,
        voided_by_id=None,
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


def _announce(tx: Transaction, progress: MatProgress, fight: Fight) -> None:
    row = _SCOREBOARD_ROW(**_scoreboard_row(progress.mat_id, fight))
    is_current = progress.fight is not None and progress.fight.match_id == fight.match_id
    tx.record(ScoreboardChanged(scoreboard=cast("Scoreboard", row), is_current=is_current))


def _with_id(fight: Fight, row: dict[str, Any]) -> dict[str, Any]:
    return {"id": new_id(), "match_id": fight.match_id, **row}


def _name(name: str) -> str:
    return checked(name, "A name", field="name", longest=LONGEST_NAME)


def _upsert(model: Any, by: Sequence[str], kept: Sequence[str]) -> Any:
    """Insert a row, or bring the one of the same key up to date but for the `kept` columns. Compiles on both."""
    table = table_of(model)
    statement = upsert(table).values({column.key: bindparam(column.key, type_=column.type) for column in table.c})
    changed = {name: statement.excluded[name] for name in table.c.keys() if name not in {*by, *kept}}  # noqa: SIM118
    return statement.on_conflict_do_update(index_elements=list(by), set_=changed)


def _row_of(model: Any) -> Any:
    table = table_of(model)
    return row_class(table.name, tuple(table.c.keys()), table)


_INSERT_EVENT = insert(MatchEvent)
_UPSERT_ROUND = fixed(_upsert(Round, ["match_id", "number"], ["id"]))
_UPSERT_ROUND_SIDE = fixed(_upsert(RoundSide, ["match_id", "round", "side"], []))
_UPSERT_SIDE = fixed(_upsert(MatchSide, ["match_id", "side"], ["id"]))
_UPSERT_SCOREBOARD = fixed(_upsert(Scoreboard, ["match_id"], []))
_EVENT_ROW = _row_of(MatchEvent)
_SCOREBOARD_ROW = _row_of(Scoreboard)
