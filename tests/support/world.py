"""A populated house: fights in every state, everybody who may ask, and what of it an operation can name."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Table
from sqlmodel import col, select

from api.capture import read_capture
from api.workers.pss_protocol import parse
from db.access import operations as access
from db.access.secrets import Secret, hash_of
from db.access.viewer import Role, Viewer
from db.backups import operations as backups
from db.backups.vocabulary import BackupJobKind
from db.base import Base
from db.batches import Pages, table_of
from db.database import Database
from db.matches import operations as matches
from db.matches.log import Received
from db.matches.tables import Mat, Match
from db.settings import operations as settings
from db.social.vocabulary import EntrySubjectKind
from db.streams import operations as streams
from db.streams.rules import Milestone
from db.streams.tables import Stream, StreamGoal
from db.streams.vocabulary import StreamGoalKind, StreamGoalMode, StreamGoalPeriod, StreamSourceKind
from schema.connections import write_cursor
from schema.fields import EdgePages, declaration_of, node_kinds
from schema.ids import encode_id
from tests.support import accounts
from tests.support.captures import CHALLENGE, FINAL
from tests.support.competition import begun_fight, loaded_fight, open_day, plan, say
from tests.support.flagging import hoist
from tests.support.graph import the_schema
from tests.support.listening import listen_a_while
from tests.support.operations import Things
from tests.support.practice import fill
from tests.support.recordings import film
from tests.support.social import amplify, erase, follow, resonate, share, write
from tests.support.streaming import FRAMES, frame, make_goal, make_source, make_stream, take

BEGINNING = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
_IDS_OF_A_KIND = 8
_CURSORS_OF_AN_ORDER = 5
_SETTINGS = "mch;{};Final;M -68kg;3;#0000ff;#FFFFFF;#ff0000;#FFFFFF;null;Seniors;3;120;cntDown;20;5"


@dataclass(frozen=True)
class StandingClock:
    """A clock that does not move."""

    time: datetime = BEGINNING + timedelta(days=1)

    def now(self) -> datetime:
        return self.time

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


@dataclass(frozen=True, kw_only=True)
class World:
    """A database with everything in it, who may ask about it, and what there is to ask about."""

    db: Database
    clock: StandingClock
    viewers: dict[str, Viewer | None]
    things: Things


@contextmanager
def numbered_ids(first: int = 1) -> Iterator[None]:
    """Let new ids and secrets be numbered, so that two databases that were treated alike are alike."""
    numbers = count(first)
    secrets = count(first)

    def new_secret() -> Secret:
        number = next(secrets)
        prefix = f"rs_{number:08}"
        proof = f"{number:043}"
        return Secret(text=f"{prefix}_{proof}", prefix=prefix, hash=hash_of(proof))

    with pytest.MonkeyPatch.context() as patched:
        # The numbers lie far apart in their first digits: nothing may rely on the order of ids.
        patched.setattr("db.ids.uuid7", lambda: UUID(int=(next(numbers) * 0x9E3779B97F4A7C15) << 48 & (1 << 128) - 1))
        patched.setattr("db.access.operations.new_secret", new_secret)
        for domain in ("db.streams.source_operations", "db.accounts.providers"):
            patched.setattr(f"{domain}.new_signing_secret", lambda: next(secrets).to_bytes(32, "big"))
        yield


async def make_world(db: Database) -> World:
    """Fill a migrated, empty database."""
    with numbered_ids():
        viewers = await _invite(db)
        mats = await _hold(db)
        await listen_a_while(db, [mats[0].id, mats[0].id, mats[2].id], BEGINNING)
        await hoist(db, BEGINNING)
        for mat in (mats[0], mats[3]):
            await film(db, mat, viewers["operator"], BEGINNING + timedelta(hours=2))
        live = await _stream(db, viewers)
        await _socialise(db, viewers, live)
        await _practise(db, viewers)
        await _configure(db, viewers)
        await _keep_accounts(db, viewers)
        viewers |= await _bind(db, mats, viewers)
        viewers |= await _bind_streams(db, live, viewers)
        viewers["nobody"] = None
        things = await look_through(db)
    return World(db=db, clock=StandingClock(), viewers=viewers, things=things)


async def look_through(db: Database) -> Things:
    """Return what an operation may name: some ids of each kind of node, and cursors of each connection."""
    ids = {kind: await ids_of(db, kind) for kind in node_kinds}
    return Things(ids=ids, cursors={place: await _cursors(db, pages) for place, pages in connections().items()})


def connections() -> dict[str, Pages[Any]]:
    """Return what each connection of the schema reads, by `Type.field`."""
    schema = the_schema()
    named = schema.config.name_converter.get_graphql_name
    found = {}
    for type_name, known in schema.schema_converter.type_map.items():
        for field in getattr(known.definition, "fields", ()):
            declared = declaration_of(field)
            if isinstance(declared, EdgePages):
                found[f"{type_name}.{named(field)}"] = declared.batch
    return found


async def ids_of(db: Database, kind: str) -> list[str]:
    table = table_of(node_kinds[kind].batch.model)
    found = await _spread(db, table, table.c.id, most=_IDS_OF_A_KIND)
    return [encode_id(kind, row.id) for row in found]


async def _cursors(db: Database, pages: Pages[Any]) -> list[str]:
    table = table_of(pages.model)
    if table not in Base.metadata.tables.values():
        # What stands nowhere is ordered by texts that a question alone can tell: these lie before all, and behind.
        return [write_cursor(("",)), write_cursor(("g",))]
    cursors: list[str] = []
    for order in pages.orders.values():
        found = await _spread(db, table, *(table.c[name] for name in order.columns), most=_CURSORS_OF_AN_ORDER)
        cursors += [write_cursor(order.position(row)) for row in found]
    return list(dict.fromkeys(cursors))


async def _spread(db: Database, table: Table, *columns: Any, most: int) -> Sequence[Any]:
    """Return some of a table's rows: not only its first."""
    async with db.read() as session:
        rows = await session.rows(table.select().order_by(*columns))
    step = max(1, len(rows) // most)
    return rows[::step][:most]


async def _invite(db: Database) -> dict[str, Viewer | None]:
    viewers: dict[str, Viewer | None] = {}
    async with db.transaction() as tx:
        for number, role in enumerate(reversed(Role)):
            at = BEGINNING + timedelta(seconds=number // 2)
            name = "Jörg 🥋" if role is Role.MEMBER else role.value.lower()
            user = await access.create_user(tx, name=name, role=role, now=at)
            for label in ("Laptop", "Telefon", "ä")[: number + 1]:
                made = await access.create_token(
                    tx, user_id=user.id, label=label, lifetime=timedelta(days=number) if number else None, now=at
                )
            viewer = Viewer(user_id=user.id, token_id=made.token.id, role=role)
            viewers[role.value.lower()] = viewer
            await access.note_use(tx, made.token, now=at)
        await access.revoke_token(tx, made.token.id, viewer=None, now=at)
        await access.create_user(tx, name="without tokens", role=Role.VIEWER, now=BEGINNING)
    return viewers


async def _hold(db: Database) -> list[Mat]:
    async with db.transaction() as tx:
        opens = [
            await matches.create_tournament(tx, name=name, city=city, now=BEGINNING + timedelta(microseconds=number))
            for number, (name, city) in enumerate([("Open 1", "Seoul"), ("Coupe de Zürich 서울", ""), ("Empty", "x")])
        ]
        placed = [(opens[0].id, "A"), (opens[0].id, "B"), (opens[0].id, "a"), (opens[1].id, "Ä 🥋"), (None, "Alone")]
        mats = [
            await matches.create_mat(tx, name=name, tournament_id=tournament_id, now=BEGINNING)
            for tournament_id, name in [*placed, (opens[1].id, "Empty")]
        ]
        await open_day(tx, opens[0].id, BEGINNING.date(), BEGINNING)
        for mat in mats[:3]:
            await plan(tx, mat, BEGINNING, "1945", "1", "2", "β", "1")
    for mat, path in ((mats[0], FINAL), (mats[1], CHALLENGE)):
        await _replay(db, mat.id, path)
    await _fight(db, mats)
    return mats


async def _fight(db: Database, mats: Sequence[Mat]) -> None:
    """Fights that are loaded, begun and replaced; before the first, entries that belong to none."""
    await _say(db, mats[2], 0, "sc1;1", "nonsense", "clk;xx:yy", "pt1;99")
    await _say(db, mats[2], 1, *begun_fight("1"))
    await _say(db, mats[2], 2, *loaded_fight("2"), "zzz;1", b"pt1;\xff\xfe", "hl1;50", "ij1;01:00;show")
    await _say(db, mats[2], 3, "pre;FightLoaded", _SETTINGS.format("3"), "rdy;FightReady")
    await _say(db, mats[2], 4, *begun_fight("4"))
    # At the very instants of the fights above, and with their athletes.
    await _say(db, mats[3], 1, *begun_fight("1"), "wg1;1;wg2;2", "vch;1", "brk;00:30;start")
    await _say(db, mats[3], 2, "pre;FightLoaded", "at1;Ö. Ü;Özgür Ünal;TUR;at2;李;李小龙 🥋;CHN", _SETTINGS.format("β"))
    await _say(db, mats[2], 5, "wg1;2;wg2;1", "ch1", "ch0;1", "ch1;1;1", "wg1;1", "clk;01:50;start", "rst;1;st1;1;2")
    await _say(db, mats[4], 1, "pre;FightLoaded")


async def _say(db: Database, mat: Mat, minute: int, *wires: str | bytes) -> None:
    at = BEGINNING + timedelta(hours=1, minutes=minute)
    texts = [wire for wire in wires if isinstance(wire, str)]
    async with db.transaction() as tx:
        await say(tx, mat.id, at, *texts)
    raw = [wire for wire in wires if isinstance(wire, bytes)]
    if raw:
        received = [Received(received_at=at, sender="[::1]:5", raw=wire, message=parse(wire)) for wire in raw]
        async with db.transaction() as tx:
            await matches.log_messages(tx, await matches.load_progress(tx, mat.id), received)


async def _replay(db: Database, mat_id: UUID, path: Any) -> None:
    received = [
        Received(
            received_at=BEGINNING + one.offset,
            sender="127.0.0.1:50000",
            raw=one.wire.encode(),
            message=parse(one.wire.encode()),
        )
        for one in read_capture(path)
    ]
    async with db.transaction() as tx:
        await matches.log_messages(tx, await matches.load_progress(tx, mat_id), received)


async def _stream(db: Database, viewers: dict[str, Viewer | None]) -> Sequence[Stream]:
    """Streams of two people: one filled by real frames and by hand, one with a goal of every sort, one bare."""
    owners = [viewer for name in ("member", "operator") if (viewer := viewers[name]) is not None]
    made = [
        await make_stream(db, BEGINNING, owner_id=owners[number % 2].user_id, name=name, time_zone=zone)
        for number, (name, zone) in enumerate([("Ann 🥋", "Asia/Seoul"), ("Bob", "UTC"), ("Empty", "Europe/Berlin")])
    ]
    source = await make_source(db, made[0], BEGINNING)
    await make_source(db, made[1], BEGINNING, kind=StreamSourceKind.WEBHOOK, name="Deck")
    milestones = (Milestone(3, "Drei"), Milestone(50, ""))
    for number, mode in enumerate(StreamGoalMode):
        terms: dict[str, Any] = {
            "name": mode.title(),
            "mode": mode,
            "target": 5,
            "milestones": milestones,
            "position": number // 2,
        }
        await make_goal(db, made[1], BEGINNING, **terms)
    weights = {StreamGoalKind.COINS: 1500, StreamGoalKind.FOLLOWERS: 10}
    await make_goal(
        db, made[0], BEGINNING, StreamGoalKind.POINTS, weights=weights, period=StreamGoalPeriod.DAILY, unit="points"
    )
    await take(db, source, *FRAMES[:15], "nonsense", at=BEGINNING)
    await take(db, source, frame("streamEnd"), *FRAMES, at=BEGINNING + timedelta(minutes=1))
    async with db.read() as session:
        goals = await session.rows(select(StreamGoal).order_by(col(StreamGoal.name), col(StreamGoal.id)))
    for number, goal in enumerate(goals):
        for delta in (3, 9, -4)[: number % 4]:
            async with db.transaction() as tx:
                await streams.add_progress(tx, goal.id, delta, viewer=viewers["admin"], now=BEGINNING)
    return made


async def _socialise(db: Database, viewers: dict[str, Viewer | None], live: Sequence[Stream]) -> None:
    """People who follow each other and write: threads with gaps, entries of every privacy, some with marks."""
    people = [viewer for name in ("admin", "member", "operator") if (viewer := viewers[name]) is not None]
    ann, bob, carl = people
    for follower, followed in ((bob, ann), (carl, ann), (ann, bob)):
        await follow(db, follower, followed, BEGINNING)
    about = {"subject_kind": EntrySubjectKind.STREAM, "subject_id": live[0].id}
    said: list[tuple[Viewer, dict[str, Any]]] = [
        (ann, {"title": "서울 🥋", "tags": ["deep", "new"], "kind": "DREAM"}),
        (bob, {"tags": ["new"], "metrics": {"clarity": 1.0}, **about}),
        (bob, {"privacy": "FOLLOWERS", "label": "Lucid Processing"}),
        (ann, {"privacy": "PRIVATE", "agent": "Λ"}),
        (carl, {"content": "x" * 2000}),
        (ann, {"privacy": "FOLLOWERS"}),
    ]
    at = [BEGINNING + timedelta(minutes=number // 2) for number in range(len(said))]
    roots = [await write(db, who, when, **one) for when, (who, one) in zip(at, said, strict=True)]
    for root, who in ((roots[0], bob), (roots[1], ann), (roots[5], bob)):
        first = await write(db, who, BEGINNING, parent=root)
        below = await write(db, ann, BEGINNING, parent=first, kind="DREAM")
        await write(db, ann, BEGINNING, parent=below, privacy="PRIVATE")
        await write(db, bob, BEGINNING, parent=root)
        await erase(db, who, first, BEGINNING)
    for number, entry in enumerate(roots[:2]):
        for who in people[number:]:
            await resonate(db, who, entry, BEGINNING)
        await amplify(db, bob, entry, BEGINNING)
        await share(db, carl, entry, BEGINNING)


async def _practise(db: Database, viewers: dict[str, Viewer | None]) -> None:
    member, admin = viewers["member"], viewers["admin"]
    assert member is not None
    assert admin is not None
    await fill(db, member.user_id, admin.user_id)


async def _configure(db: Database, viewers: dict[str, Viewer | None]) -> None:
    """Settings that were set, set again, and reset; a secret among them."""
    async with db.transaction() as tx:
        await settings.prepare_settings(tx, {"practice.planned_days": 7})
    told: list[tuple[str, Any]] = [
        ("backups.keep", 7),
        ("backups.keep", 8),
        ("backups.credentials", {"key": "AKIA", "secret": "x"}),
        ("logging.level", "DEBUG"),
        ("listeners.report_seconds", 0.5),
    ]
    for number, (key, value) in enumerate(told):
        at = BEGINNING + timedelta(minutes=number)
        async with db.transaction() as tx:
            await settings.set_setting(tx, key, value, reason="서울 🥋"[:number], viewer=viewers["admin"], now=at)
    async with db.transaction() as tx:
        for kind in BackupJobKind:
            await backups.ask(tx, kind, name="x.ringside.zip", viewer=viewers["admin"], now=BEGINNING)
        await settings.reset_setting(tx, "logging.level", reason="", viewer=None, now=BEGINNING)


async def _keep_accounts(db: Database, viewers: dict[str, Viewer | None]) -> None:
    member, admin = viewers["member"], viewers["admin"]
    assert member is not None
    assert admin is not None
    await accounts.fill(db, member.user_id, admin.user_id)


async def _bind_streams(
    db: Database, made: Sequence[Stream], viewers: dict[str, Viewer | None]
) -> dict[str, Viewer | None]:
    admin = viewers["admin"]
    assert admin is not None
    async with db.read() as session:
        goals = await session.rows(
            select(StreamGoal).where(col(StreamGoal.stream_id) == made[1].id).order_by(col(StreamGoal.position))
        )
    fixed = next(goal for goal in goals if goal.name == "Fixed")
    bound = {"overlay of a stream": [made[0].id], "overlay of a goal": [fixed.id, goals[-1].id]}
    return {
        name: Viewer(user_id=admin.user_id, token_id=UUID(int=2), role=Role.ADMIN, nodes=frozenset(nodes))
        for name, nodes in bound.items()
    }


async def _bind(db: Database, mats: Sequence[Mat], viewers: dict[str, Viewer | None]) -> dict[str, Viewer | None]:
    """Give out overlays: for a mat, for a fight, for several things, and for something that is gone."""
    admin = viewers["admin"]
    assert admin is not None
    async with db.read() as session:
        fights = await session.rows(select(Match).where(col(Match.mat_id) == mats[2].id).order_by(col(Match.loaded_at)))
    bound = {
        "overlay of a mat": [mats[0].id],
        "overlay of a fight": [fights[0].id],
        "overlay of several": [mats[3].id, mats[5].id, fights[-1].id],
        "overlay of nothing": [UUID(int=1)],
    }
    made: dict[str, Viewer | None] = {}
    async with db.transaction() as tx:
        for name, nodes in bound.items():
            token = await access.create_token(tx, user_id=admin.user_id, label=name, nodes=nodes, now=BEGINNING)
            made[name] = Viewer(user_id=admin.user_id, token_id=token.token.id, role=Role.ADMIN, nodes=frozenset(nodes))
    return made
