"""Backups of a server that runs: asked for over the graph, done one at a time, and put back while it serves."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlmodel import col, select

from api.backups import check, create, found, restore
from api.workers.backups import BackupKeeper, Restoration
from db.access.viewer import Role, Viewer
from db.backups import operations
from db.backups.events import ALL_JOBS, BackupJobChanged
from db.backups.tables import BackupJob
from db.backups.target import Target
from db.backups.vocabulary import BackupJobCause, BackupJobKind, BackupJobState
from db.connecting import connect
from db.database import Database
from db.errors import Conflict, Forbidden
from db.ids import new_id
from db.settings.current import CurrentSettings
from db.streams import operations as streams
from db.streams.tables import StreamGoal, StreamGoalChange
from tests.conftest import ManualClock
from tests.db.stored import NOW
from tests.support.graph import Graph
from tests.support.house import eventually
from tests.support.process import Serving, serving
from tests.support.setting import configure
from tests.support.streaming import make_goal, make_stream

JOB = "job { id kind state cause name isDryRun rowCount tables { name rowsBefore rowsAfter } error }"
CREATE = f"mutation {{ backupCreate {{ {JOB} errors {{ code field message }} }} }}"
VERIFY = f"mutation ($name: String!) {{ backupVerify(name: $name) {{ {JOB} errors {{ code field message }} }} }}"
RESTORE = f"""
mutation ($name: String!, $dry: Boolean!) {{
  backupRestore(name: $name, isDryRun: $dry) {{ {JOB} errors {{ code field message }} }}
}}
"""
DELETE = f"mutation ($name: String!) {{ backupDelete(name: $name) {{ {JOB} errors {{ code field message }} }} }}"
LAY = "mutation ($name: String!) { matCreate(input: {name: $name}) { errors { message } } }"
MATS = "{ mats { nodes { name } } }"
ONE = "query ($id: ID!) { backupJob(id: $id) { state tables { name rowsBefore rowsAfter } } }"
JOBS = "{ backupJobs { nodes { id kind state name error } } }"


@pytest.fixture
async def kept(
    db: Database, database_url: str, clock: ManualClock, tmp_path: Path
) -> tuple[BackupKeeper, CurrentSettings, Restoration]:
    await configure(db, "backups.target", str(tmp_path / "kept"), NOW)
    current, restoration = CurrentSettings(db), Restoration(database_url)
    await current.look()
    return BackupKeeper(database_url, db, clock, current, restoration), current, restoration


Kept = tuple[BackupKeeper, CurrentSettings, Restoration]


async def jobs_of(db: Database) -> list[BackupJob]:
    async with db.read() as session:
        return await session.rows(select(BackupJob).order_by(col(BackupJob.asked_at), col(BackupJob.id)))


async def ask(db: Database, kind: BackupJobKind, **named: Any) -> BackupJob:
    async with db.transaction() as tx:
        return await operations.ask(tx, kind, **{"viewer": None, "now": NOW, **named})


async def test_a_backup_is_asked_for_made_read_tried_and_deleted(graph: Graph, kept: Kept, tmp_path: Path) -> None:
    keeper = kept[0]
    target = Target(str(tmp_path / "kept"))

    asked = (await graph.execute(CREATE))["backupCreate"]
    await keeper.look()
    (made,) = found(target)
    listed = await graph.execute("{ backups { name size } }")
    for mutation in (VERIFY, DELETE):
        await graph.execute(mutation, name=made.name)
    dry = (await graph.execute(RESTORE, name=made.name, dry=True))["backupRestore"]["job"]
    # Deleted before it is tried.
    await keeper.look()

    assert (asked["job"]["state"], asked["job"]["cause"], asked["errors"]) == ("QUEUED", "ASKED", [])
    assert listed == {"backups": [{"name": made.name, "size": made.size}]}
    assert [(one.kind, one.state, one.name) for one in await jobs_of(graph.db)] == [
        (BackupJobKind.CREATE, BackupJobState.DONE, made.name),
        (BackupJobKind.VERIFY, BackupJobState.DONE, made.name),
        (BackupJobKind.DELETE, BackupJobState.DONE, made.name),
        (BackupJobKind.RESTORE, BackupJobState.FAILED, made.name),
    ]
    assert found(target) == []
    assert dry["isDryRun"] is True
    assert (await graph.execute("{ backups { name } }"))["backups"] == []


async def test_a_trial_says_what_would_become_of_each_table(graph: Graph, kept: Kept, tmp_path: Path) -> None:
    keeper, _, restoration = kept
    await graph.execute(CREATE)
    await keeper.look()
    (made,) = found(Target(str(tmp_path / "kept")))
    await graph.execute(LAY, name="Later")

    asked = (await graph.execute(RESTORE, name=made.name, dry=True))["backupRestore"]["job"]
    await keeper.look()
    job = (await graph.execute(ONE, id=asked["id"]))["backupJob"]

    assert job["state"] == "DONE"
    assert next(one for one in job["tables"] if one["name"] == "mats") == {
        "name": "mats",
        "rowsBefore": 1,
        "rowsAfter": 0,
    }
    assert not restoration.asked.is_set()


async def test_a_name_that_leads_elsewhere_is_refused(graph: Graph) -> None:
    for mutation in (VERIFY, DELETE):
        data = await graph.execute(mutation, name="../../etc/passwd")
        (payload,) = data.values()
        assert (payload["job"], payload["errors"][0]["field"]) == (None, "name")
    assert await jobs_of(graph.db) == []


async def test_what_cannot_be_done_says_why(graph: Graph, kept: Kept) -> None:
    await ask(graph.db, BackupJobKind.VERIFY, name="nothing.ringside.zip")

    await kept[0].look()

    (job,) = await jobs_of(graph.db)
    assert (job.state, job.ended_at) == (BackupJobState.FAILED, NOW)
    assert job.error.startswith("There is no backup nothing.ringside.zip.")


async def test_backups_are_for_admins(db: Database) -> None:
    operator = Viewer(user_id=new_id(), token_id=new_id(), role=Role.OPERATOR)

    with pytest.raises(Forbidden, match="Backups are for admins"):
        await ask(db, BackupJobKind.CREATE, viewer=operator)


async def test_not_everything_waits_that_is_asked_for(db: Database) -> None:
    for _ in range(operations.MOST_WAITING):
        await ask(db, BackupJobKind.CREATE)

    with pytest.raises(Conflict, match="20 jobs wait already"):
        await ask(db, BackupJobKind.CREATE)


async def test_of_fifty_who_claim_at_once_each_job_has_one(db: Database) -> None:
    asked = [await ask(db, BackupJobKind.CREATE) for _ in range(10)]

    async def claim() -> BackupJob | None:
        async with db.transaction() as tx:
            return await operations.claim(tx, now=NOW)

    claimed = await asyncio.gather(*(claim() for _ in range(50)))

    # On PostgreSQL one who waited for another's job comes back with none, and looks again.
    ids = [job.id for job in claimed if job is not None]
    assert len(ids) == len(set(ids))
    assert set(ids) <= {job.id for job in asked}
    assert ids


async def test_a_rollback_asks_for_nothing(db: Database) -> None:
    async def taken_back() -> None:
        async with db.transaction() as tx:
            await operations.ask(tx, BackupJobKind.CREATE, viewer=None, now=NOW)
            raise LookupError

    with db.bus.listen(ALL_JOBS, of=BackupJobChanged) as heard:
        with pytest.raises(LookupError):
            await taken_back()
        job = await ask(db, BackupJobKind.CREATE)

        assert await anext(heard) == BackupJobChanged(job=job)
        assert heard.take() == []


async def test_a_backup_is_made_when_it_is_time_and_the_oldest_go(
    db: Database, kept: Kept, clock: ManualClock, tmp_path: Path
) -> None:
    keeper, current, _ = kept
    await keeper.look()
    await configure(db, "backups.every_hours", 6, NOW)
    await configure(db, "backups.keep", 2, NOW)
    await current.look()
    names = []
    for hours in (0, 5, 1, 6):
        clock.move(timedelta(hours=hours))
        await keeper.look()
        names.append([one.name for one in found(Target(str(tmp_path / "kept")))])

    assert [len(one) for one in names] == [1, 1, 2, 2]
    assert names[3][1] == names[2][0]
    assert {job.cause for job in await jobs_of(db)} == {BackupJobCause.SCHEDULE}


async def test_a_backup_is_made_at_a_time_of_day_once(
    db: Database, kept: Kept, clock: ManualClock, tmp_path: Path
) -> None:
    keeper, current, _ = kept
    await ask(db, BackupJobKind.CREATE)
    await keeper.look()
    await configure(db, "backups.at", "11:30", NOW)
    await configure(db, "backups.time_zone", "Europe/Berlin", NOW)
    await current.look()
    counts = []
    # From 9:00, which is 10:00 there.
    for minutes in (0, 89, 1, 1, 24 * 60 - 2, 1):
        clock.move(timedelta(minutes=minutes))
        await keeper.look()
        counts.append(len(found(Target(str(tmp_path / "kept")))))

    assert counts == [1, 1, 2, 2, 2, 3]


async def test_what_a_server_left_is_ended_by_the_next_who_keeps(db: Database, kept: Kept) -> None:
    await ask(db, BackupJobKind.CREATE)
    async with db.transaction() as tx:
        await operations.claim(tx, now=NOW)
    running = asyncio.create_task(kept[0].run())
    try:

        async def is_ended() -> bool:
            return (await jobs_of(db))[0].state is BackupJobState.FAILED

        await eventually(is_ended, "the end of what was left")
    finally:
        running.cancel()

    assert (await jobs_of(db))[0].error == "The server was gone before it was done. Ask again."


async def test_a_job_is_watched_to_its_end(graph: Graph, kept: Kept) -> None:
    asked = (await graph.execute(CREATE))["backupCreate"]["job"]
    messages = graph.subscribe(
        "subscription ($id: ID!) { backupProgress(jobId: $id) { job { state revision } } }", id=asked["id"]
    )

    shown = [(await anext(messages))["backupProgress"]["job"]["state"]]
    await kept[0].look()
    shown.append((await anext(messages))["backupProgress"]["job"]["state"])
    await messages.aclose()

    # Whoever is slow gets the latest alone.
    assert shown == ["QUEUED", "DONE"]


async def test_a_backup_under_writes_holds_what_was_committed_at_one_moment(
    db: Database, database_url: str, tmp_path: Path
) -> None:
    goal = await make_goal(db, await make_stream(db, NOW), NOW, target=1_000_000)
    target, written = Target(str(tmp_path / "kept")), asyncio.Event()
    count = 0

    async def write() -> None:
        nonlocal count
        while True:
            async with db.transaction() as tx:
                await streams.add_progress(tx, goal.id, 3, viewer=None, now=NOW)
            count += 1
            if count >= 20:
                written.set()

    writers = [asyncio.create_task(write()) for _ in range(8)]
    try:
        await written.wait()
        least = count
        made = await create(database_url, target, now=NOW, progress=lambda _table, _rows: None)
        most = count + len(writers)
    finally:
        for writer in writers:
            writer.cancel()
        await asyncio.wait(writers)

    into = f"sqlite:///{tmp_path / 'restored.db'}"
    await restore(into, target, made.name, is_dry_run=False, now=NOW, progress=lambda _table, _rows: None)
    restored = await connect(into)
    try:
        async with restored.read() as session:
            (row,) = await session.rows(select(StreamGoal).where(col(StreamGoal.id) == goal.id))
            history = await session.rows(select(StreamGoalChange).where(col(StreamGoalChange.goal_id) == goal.id))
    finally:
        await restored.close()

    assert row.current == sum(one.delta for one in history) == 3 * len(history)
    assert sorted(one.revision for one in history) == list(range(row.revision - len(history) + 1, row.revision + 1))
    assert least <= len(history) <= most


# Put back while it serves


async def state_of(server: Serving, kind: str) -> dict[str, Any]:
    """The newest job of a kind; nothing while nobody answers."""
    try:
        data = await server.execute(JOBS)
    except httpx.TransportError:
        return {}
    return next((job for job in data["backupJobs"]["nodes"] if job["kind"] == kind), {})


async def test_a_backup_is_put_back_while_the_server_serves(database_url: str, tmp_path: Path) -> None:
    async with serving(database_url, tmp_path / "log", backup_target=tmp_path / "kept", drain_seconds=5) as server:
        await server.execute(LAY, name="Before")
        await server.execute(CREATE)

        async def is_made() -> bool:
            return (await state_of(server, "CREATE")).get("state") == "DONE"

        await eventually(is_made, "the backup")
        name = (await state_of(server, "CREATE"))["name"]
        await server.execute(LAY, name="After")
        async with server.admitted() as watching:
            messages = watching.subscribe("subscription { settingChanged(category: BACKUPS) { sentAt } }")
            await anext(messages)
            asked = await server.execute(RESTORE, name=name, dry=False)
            closed = await watching.closed()

        async def is_back() -> bool:
            return (await state_of(server, "RESTORE")).get("state") == "DONE"

        await eventually(is_back, "the server with what was in the backup")
        mats = [one["name"] for one in (await server.execute(MATS))["mats"]["nodes"]]
        ended = await server.stop()

    assert asked["backupRestore"]["errors"] == []
    assert closed[0] == 1012
    assert sorted(mats) == ["Before", "Mat 1"]
    assert ended == 0
    # The same one that was made before.
    assert check(Target(str(tmp_path / "kept")), name).manifest is not None
