"""Users and tokens: a secret is shown once and stored nowhere, and what does not work says why."""

import asyncio
import base64
import string
from collections.abc import Collection
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, update
from sqlmodel import col

from db.access import operations
from db.access.events import TokenRevoked
from db.access.operations import NewToken
from db.access.secrets import hash_of, is_proof, new_secret, split_secret
from db.access.tables import Token, TokenNode, User
from db.access.viewer import Role, TokenKind, Viewer
from db.database import Database
from db.errors import Conflict, Forbidden, Invalid, NotFound, Refusal, Unauthenticated
from db.ids import new_id
from tests.conftest import ManualClock
from tests.db.stored import NOW, everything

NOT_ONE = "This is not a token of Ringside: they look like rs_XXXXXXXX_… and are one word."
UNKNOWN = "This token is not known here. `ringside token create` makes one."
REVOKED = "This token was revoked. `ringside token create` makes another."
EXPIRED = "This token has expired. `ringside token create` makes another."
NOT_FOUND = ("NOT_FOUND", "There is no such token.", "id")


@pytest.fixture
async def ann(db: Database) -> User:
    return await new_user(db, "Ann")


async def new_user(db: Database, name: str, role: Role = Role.MEMBER) -> User:
    async with db.transaction() as tx:
        return await operations.create_user(tx, name=name, role=role, now=NOW)


async def new_token(
    db: Database,
    owner: User,
    *,
    label: str = "script",
    nodes: Collection[UUID] | None = None,
    lifetime: timedelta | None = None,
) -> NewToken:
    async with db.transaction() as tx:
        return await operations.create_token(tx, user_id=owner.id, label=label, nodes=nodes, lifetime=lifetime, now=NOW)


async def revoke(db: Database, token_id: UUID, viewer: Viewer | None = None) -> Token:
    async with db.transaction() as tx:
        return await operations.revoke_token(tx, token_id, viewer=viewer, now=NOW)


async def authenticate(db: Database, secret: str, *, after: timedelta = timedelta(0)) -> tuple[Viewer, Token]:
    async with db.read() as session:
        return await operations.authenticate(session, secret, now=NOW + after)


async def sentence(db: Database, secret: str, *, after: timedelta = timedelta(0)) -> str:
    with pytest.raises(Unauthenticated) as refusal:
        await authenticate(db, secret, after=after)
    return refusal.value.message


def told(refusal: pytest.ExceptionInfo[Refusal]) -> tuple[str, str, str | None]:
    return (refusal.value.code, refusal.value.message, refusal.value.field)


def viewer_of(owner: User, nodes: Collection[UUID] | None = None) -> Viewer:
    bound = None if nodes is None else frozenset(nodes)
    return Viewer(user_id=owner.id, token_id=new_id(), role=owner.role, nodes=bound)


# Secrets.


async def test_a_token_speaks_for_its_user(db: Database, ann: User) -> None:
    made = await new_token(db, ann)

    viewer, token = await authenticate(db, made.secret)

    assert viewer == Viewer(user_id=ann.id, token_id=made.token.id, role=Role.MEMBER, nodes=None)
    assert token == made.token
    assert (token.kind, token.label, token.prefix) == (TokenKind.API, "script", made.secret[:11])
    assert (token.created_at, token.expires_at, token.revoked_at, token.last_used_at) == (NOW, None, None, None)


async def test_an_overlay_token_is_bound_to_its_nodes(db: Database, ann: User) -> None:
    nodes = {new_id(), new_id()}

    made = await new_token(db, ann, nodes=[*nodes, *nodes])
    viewer, _ = await authenticate(db, made.secret)

    assert made.token.kind is TokenKind.OVERLAY
    assert viewer == Viewer(user_id=ann.id, token_id=made.token.id, role=Role.MEMBER, nodes=frozenset(nodes))
    assert [viewer.has_role(role) for role in Role] == [False] * 4


async def test_a_role_may_do_what_those_before_it_may(db: Database) -> None:
    viewers = {role: viewer_of(await new_user(db, role, role)) for role in Role}

    able = {role: [viewer.has_role(wanted) for wanted in Role] for role, viewer in viewers.items()}

    assert able == {
        Role.VIEWER: [True, False, False, False],
        Role.MEMBER: [True, True, False, False],
        Role.OPERATOR: [True, True, True, False],
        Role.ADMIN: [True, True, True, True],
    }


async def test_a_secret_is_stored_nowhere(db: Database, ann: User, tmp_path: Path) -> None:
    made = [await new_token(db, ann, nodes=nodes) for nodes in (None, [new_id()])]
    for one in made:
        _, token = await authenticate(db, one.secret)
        async with db.transaction() as tx:
            await operations.note_use(tx, token, now=NOW)
    await revoke(db, made[1].token.id)

    stored = repr(await everything(db)).encode()
    files = octets_of(tmp_path)
    for one in made:
        proof = one.secret[12:]
        # A hash is there, so this would find a proof if there were one.
        assert one.token.prefix.encode() in stored
        assert hash_of(proof) == one.token.secret_hash
        for form in (proof, proof.encode().hex(), proof.encode().hex().upper(), raw_of(proof).hex()):
            assert form.encode() not in stored
            assert form.encode() not in files
        assert raw_of(proof) not in files
    assert bool(files) == (db.statements.dialect.name == "sqlite")


def octets_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("ringside.db*"))


def raw_of(proof: str) -> bytes:
    return base64.urlsafe_b64decode(proof + "=")


async def test_a_secret_does_not_show_itself_in_what_is_read_again(db: Database, ann: User) -> None:
    made = await new_token(db, ann)

    async with db.read() as session:
        listed = await operations.list_tokens(session)
        found = await operations.find_token(session, made.token.prefix)

    assert listed == [(made.token, ann)]
    assert found == made.token
    assert made.secret[12:] not in repr((listed, found))


def test_secrets_differ_and_have_their_form() -> None:
    made = [new_secret() for _ in range(500)]

    assert len({secret.text for secret in made}) == len({secret.hash for secret in made}) == 500
    for secret in made:
        prefix, proof = secret.text[:11], secret.text[12:]
        assert split_secret(secret.text) == (secret.prefix, proof) == (prefix, proof)
        assert (len(secret.text), len(raw_of(proof)), secret.hash) == (55, 32, hash_of(proof))
        assert is_proof(proof, secret.hash)
        assert not is_proof(proof, None)
        assert not is_proof(proof[:-1], secret.hash)


async def test_what_has_not_the_form_of_a_token_is_said_to_be_none(db: Database, ann: User) -> None:
    secret = (await new_token(db, ann)).secret
    mangled = [
        "",
        "rs_",
        "Bearer " + secret,
        secret[:-1],
        secret + "A",
        " " + secret,
        secret + "\n",
        secret.replace("rs_", "rs-", 1),
        secret.upper().replace("RS_", "RX_", 1),
        secret[:11] + "-" + secret[12:],
        secret[:-1] + "é",
        secret[:-1] + "\x00",
        "rs_" + "\x00" * 8 + secret[11:],
        "rs_\ud800" + secret[4:],
        secret * 2,
        "x" * 100_000,
    ]

    assert [await sentence(db, text) for text in mangled] == [NOT_ONE] * len(mangled)


async def test_a_token_that_is_not_known_is_said_to_be_unknown(db: Database, ann: User) -> None:
    secret = (await new_token(db, ann)).secret
    other = (await new_token(db, ann)).secret
    last = "A" if secret[-1] != "A" else "B"
    wrong = [new_secret().text, secret[:-1] + last, other[:12] + secret[12:], secret[:12] + "a" * 43]

    assert [await sentence(db, text) for text in wrong] == [UNKNOWN] * len(wrong)
    assert (await authenticate(db, secret))[0].user_id == ann.id


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    text=st.text(max_size=60) | st.text(alphabet=string.printable, min_size=43, max_size=43).map("rs_ABCDEFGH_".__add__)
)
async def test_whatever_is_sent_is_refused_and_nothing_breaks(db: Database, text: str) -> None:
    assert await sentence(db, text) in {NOT_ONE, UNKNOWN}


# Lifetimes.


async def test_a_token_works_until_the_moment_it_expires(db: Database, ann: User) -> None:
    made = await new_token(db, ann, lifetime=timedelta(hours=1))
    last = timedelta(hours=1) - timedelta(microseconds=1)

    assert made.token.expires_at == NOW + timedelta(hours=1)
    assert (await authenticate(db, made.secret, after=last))[1] == made.token
    assert await sentence(db, made.secret, after=timedelta(hours=1)) == EXPIRED
    assert await sentence(db, made.secret, after=timedelta(days=900)) == EXPIRED


async def test_a_revoked_token_works_no_more_and_says_so_even_when_expired(db: Database, ann: User) -> None:
    made = await new_token(db, ann, lifetime=timedelta(hours=1))

    revoked = await revoke(db, made.token.id)

    assert revoked.revoked_at == NOW
    assert await sentence(db, made.secret) == REVOKED
    assert await sentence(db, made.secret, after=timedelta(days=1)) == REVOKED
    assert await sentence(db, made.secret[:-4] + "AAAA") == UNKNOWN


async def test_the_viewers_of_tokens_that_work_are_found_together(db: Database, ann: User) -> None:
    works, lasts = await new_token(db, ann), await new_token(db, ann, lifetime=timedelta(hours=2))
    ends, revoked = await new_token(db, ann, lifetime=timedelta(hours=1)), await new_token(db, ann)
    await revoke(db, revoked.token.id)
    asked = [*(one.token.id for one in (works, lasts, ends, revoked)), new_id()]

    async with db.read() as session:
        found = [
            set(await operations.viewers_of(session, asked, now=NOW + after))
            for after in (timedelta(0), timedelta(hours=1), timedelta(hours=2))
        ]
        nobody = await operations.viewers_of(session, [], now=NOW)

    assert found == [
        {works.token.id, lasts.token.id, ends.token.id},
        {works.token.id, lasts.token.id},
        {works.token.id},
    ]
    assert nobody == {}


async def test_a_viewer_is_found_as_he_is_by_now(db: Database, ann: User) -> None:
    bound, added = new_id(), new_id()
    plain, overlay = await new_token(db, ann), await new_token(db, ann, nodes=[bound])
    asked = [plain.token.id, overlay.token.id]

    async def found() -> list[Viewer]:
        async with db.read() as session:
            viewers = await operations.viewers_of(session, asked, now=NOW)
        return [viewers[token_id] for token_id in asked]

    before = await found()
    async with db.transaction() as tx:
        await tx.execute(update(User).where(col(User.id) == ann.id).values(role=Role.OPERATOR))
        await tx.execute(insert(TokenNode).values(token_id=overlay.token.id, node_id=added))
    after = await found()

    def expected(role: Role, nodes: set[UUID]) -> list[Viewer]:
        return [
            Viewer(user_id=ann.id, token_id=plain.token.id, role=role),
            Viewer(user_id=ann.id, token_id=overlay.token.id, role=role, nodes=frozenset(nodes)),
        ]

    assert before == expected(Role.MEMBER, {bound})
    assert after == expected(Role.OPERATOR, {bound, added})


async def test_the_last_use_is_remembered_to_the_hour(db: Database, ann: User, clock: ManualClock) -> None:
    token = (await new_token(db, ann)).token
    steps = [timedelta(minutes=7), timedelta(minutes=52), timedelta(minutes=2), timedelta(hours=-2), timedelta(hours=5)]
    noted: list[Any] = []

    for step in steps:
        clock.move(step)
        is_worth = operations.is_use_worth_noting(token, clock.now())
        async with db.transaction() as tx:
            await operations.note_use(tx, token, now=clock.now())
        before = token.last_used_at
        async with db.read() as session:
            token = next(one for one, _ in await operations.list_tokens(session) if one.id == token.id)
        assert is_worth == (token.last_used_at != before)
        noted.append(token.last_used_at)

    nine, ten, twelve = (NOW.replace(hour=hour) for hour in (9, 10, 13))
    assert noted == [nine, nine, ten, ten, twelve]


# What cannot be.


async def test_a_token_that_cannot_be_is_refused(db: Database, ann: User) -> None:
    length = ("BAD_USER_INPUT", "A label has 1 to 200 characters.", "label")
    character = ("BAD_USER_INPUT", "A label holds a character that cannot be stored.", "label")
    nodes = ("BAD_USER_INPUT", "An overlay token is bound to 1 to 20 nodes.", "node_ids")
    lifetime = (
        "BAD_USER_INPUT",
        "A token's lifetime is longer than nothing, and a hundred years at most.",
        "lifetime",
    )
    refused: list[tuple[dict[str, Any], tuple[str, str, str]]] = [
        ({"label": ""}, length),
        ({"label": " \n "}, length),
        ({"label": "x" * 201}, length),
        ({"label": "a\x00b"}, character),
        ({"label": "\udfff"}, character),
        ({"nodes": []}, nodes),
        ({"nodes": [UUID(int=number) for number in range(21)]}, nodes),
        ({"lifetime": timedelta(0)}, lifetime),
        ({"lifetime": timedelta(seconds=-1)}, lifetime),
        ({"lifetime": timedelta.max}, lifetime),
    ]

    for wanted, expected in refused:
        with pytest.raises(Invalid) as raised:
            await new_token(db, ann, **wanted)
        assert told(raised) == expected, wanted
    nobody = User(id=new_id(), name="", role=Role.ADMIN, created_at=NOW)
    with pytest.raises(NotFound) as of_nobody:
        await new_token(db, nobody)

    assert told(of_nobody) == ("NOT_FOUND", "There is no such user.", "user_id")
    assert (await everything(db))["tokens"] == []


async def test_as_many_nodes_as_may_be_are_bound(db: Database, ann: User) -> None:
    nodes = frozenset(UUID(int=number) for number in range(20))

    made = await new_token(db, ann, nodes=nodes)

    assert (await authenticate(db, made.secret))[0].nodes == nodes


async def test_users_that_cannot_be_are_refused(db: Database, ann: User) -> None:
    refusals = []
    for name in ("", "  ", "x" * 201, "a\x00b", "\ud800", "Ann", " Ann "):
        with pytest.raises(Refusal) as raised:
            await new_user(db, name)
        refusals.append(told(raised))

    length = ("BAD_USER_INPUT", "A name has 1 to 200 characters.", "name")
    character = ("BAD_USER_INPUT", "A name holds a character that cannot be stored.", "name")
    taken = ("CONFLICT", "There is a user of this name.", "name")
    assert refusals == [length] * 3 + [character] * 2 + [taken] * 2
    assert (await everything(db))["users"] == [tuple(ann)]


async def test_users_are_found_by_name(db: Database) -> None:
    async with db.read() as session:
        had_users = await operations.has_users(session)
    ann = await new_user(db, " Ann ")

    async with db.read() as session:
        found = [await operations.find_user(session, name) for name in ("Ann", "ann", "Bob")]
        has_users = await operations.has_users(session)

    assert (had_users, has_users, found) == (False, True, [ann, ann, None])


# Revoking.


async def test_revoking_is_told_once_however_often_it_is_done(db: Database, ann: User) -> None:
    token = (await new_token(db, ann)).token

    with db.bus.listen(token.id, of=TokenRevoked) as listener:
        first = await revoke(db, token.id)
        async with db.transaction() as tx:
            second = await operations.revoke_token(tx, token.id, viewer=None, now=NOW + timedelta(days=1))
        heard = list(listener._events)

    assert first == second
    assert first.revoked_at == NOW
    assert heard == [TokenRevoked(token=first)]


async def test_a_token_revoked_by_fifty_at_once_is_revoked_once(db: Database, ann: User) -> None:
    token = (await new_token(db, ann)).token

    with db.bus.listen(token.id, of=TokenRevoked) as listener:
        answers = await asyncio.gather(*(revoke(db, token.id) for _ in range(50)))
        heard = list(listener._events)

    assert answers == [answers[0]] * 50
    assert heard == [TokenRevoked(token=answers[0])]


async def test_a_revocation_that_is_rolled_back_is_silent_and_the_token_works_on(db: Database, ann: User) -> None:
    made = await new_token(db, ann)

    async def change() -> None:
        async with db.transaction() as tx:
            await operations.revoke_token(tx, made.token.id, viewer=None, now=NOW)
            raise LookupError("a bug")

    with db.bus.listen(made.token.id, of=TokenRevoked) as listener:
        with pytest.raises(LookupError):
            await change()
        heard = list(listener._events)

    assert heard == []
    assert (await authenticate(db, made.secret))[1] == made.token


async def test_a_user_revokes_his_own_tokens_an_admin_all_and_an_overlay_none(db: Database, ann: User) -> None:
    bob, admin = await new_user(db, "Bob", Role.OPERATOR), await new_user(db, "Root", Role.ADMIN)
    own, others, third = [(await new_token(db, ann)).token.id for _ in range(3)]

    with pytest.raises(NotFound) as of_somebody_else:
        await revoke(db, own, viewer_of(bob))
    with pytest.raises(NotFound) as of_nobody:
        await revoke(db, new_id(), viewer_of(admin))
    with pytest.raises(Forbidden) as by_an_overlay:
        await revoke(db, own, viewer_of(admin, nodes=[own]))
    done = [
        await revoke(db, own, viewer_of(ann)),
        await revoke(db, others, viewer_of(admin)),
        await revoke(db, third, viewer=None),
    ]

    assert (told(of_somebody_else), told(of_nobody)) == (NOT_FOUND, NOT_FOUND)
    assert told(by_an_overlay) == (
        "FORBIDDEN",
        "An overlay token reads the nodes it is bound to and does nothing else.",
        None,
    )
    assert [token.revoked_at for token in done] == [NOW] * 3


# Many at once, and afterwards.


async def test_fifty_tokens_made_at_once_all_work(db: Database, ann: User) -> None:
    made = await asyncio.gather(*(new_token(db, ann, label=f"script {number}") for number in range(50)))

    viewers = await asyncio.gather(*(authenticate(db, one.secret) for one in made))

    assert [token for _, token in viewers] == [one.token for one in made]
    assert len({one.secret for one in made}) == len({one.token.prefix for one in made}) == 50


async def test_of_fifty_who_want_one_name_one_has_it(db: Database) -> None:
    answers = await asyncio.gather(*(new_user(db, "Ann") for _ in range(50)), return_exceptions=True)

    refusals = [answer for answer in answers if isinstance(answer, Conflict)]
    assert {(refusal.message, refusal.field) for refusal in refusals} == {("There is a user of this name.", "name")}
    assert (len(refusals), len((await everything(db))["users"])) == (49, 1)


async def test_a_token_goes_with_its_user_and_takes_its_nodes_along(db: Database, ann: User) -> None:
    await new_token(db, ann, nodes=[new_id()])

    async with db.transaction() as tx:
        await tx.execute(User.__table__.delete())  # type: ignore[attr-defined]  # SQLModel sets it

    stored = await everything(db)
    assert (stored["users"], stored["tokens"], stored["token_nodes"]) == ([], [], [])


async def test_a_users_new_role_is_his_tokens_at_once(db: Database, ann: User) -> None:
    made = await new_token(db, ann)

    async with db.transaction() as tx:
        await tx.execute(update(User).where(col(User.id) == ann.id).values(role=Role.ADMIN))

    assert (await authenticate(db, made.secret))[0].role is Role.ADMIN


async def test_tokens_are_listed_newest_first_each_with_its_user(db: Database, ann: User) -> None:
    bob = await new_user(db, "Bob")
    made: list[Token] = []
    for number, owner in enumerate((ann, bob, ann)):
        async with db.transaction() as tx:
            now = NOW + timedelta(seconds=number)
            made.append((await operations.create_token(tx, user_id=owner.id, label="one", now=now)).token)

    async with db.read() as session:
        listed = await operations.list_tokens(session)

    assert listed == [(made[2], ann), (made[1], bob), (made[0], ann)]
    with pytest.raises(Invalid):
        await new_token(db, ann, label="")
