"""Pictures of addresses: how they are asked for, who takes one now, and what came of it. The files are kept elsewhere.

A picture before an execution holds that back for a while, and no longer; one after it waits until it is done.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from sqlalchemy import and_, case, delete, exists, func, insert, or_, update
from sqlmodel import col, select

from db.access.viewer import Viewer
from db.accounts.events import ExecutionsWaiting, ScreenshotChanged, ScreenshotsWaiting
from db.accounts.holding import checked_web_url, owned_row
from db.accounts.schedule import back_off
from db.accounts.tables import Account, Execution, Feed, Post, Screenshot
from db.accounts.vocabulary import FINAL_STATES, ExecutionState, ScreenshotMoment, ScreenshotState
from db.errors import Conflict, Invalid, NotFound
from db.ids import new_id
from db.parameters import any_of
from db.session import Session, Transaction

# How many pictures of an owner may wait at once, those of executions aside.
MOST_WAITING = 20
LONGEST_ERROR = 300
# For how long an execution waits for the picture before it.
PATIENCE = timedelta(minutes=2)
_OPEN = (ScreenshotState.PENDING, ScreenshotState.CAPTURING)
_TRIED_AGAIN = (ScreenshotState.FAILED, ScreenshotState.UNAVAILABLE)
_DONE = (ExecutionState.COMPLETED, ExecutionState.PARTIAL)


@dataclass(frozen=True, kw_only=True)
class PictureRules:
    """How pictures are taken. Durations in seconds."""

    lease: int = 120
    first_pause: int = 5
    longest_pause: int = 300
    most_retries: int = 2


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A picture that was taken: its file is called by its hash."""

    sha256: str
    width: int
    height: int
    byte_count: int
    duration_ms: int


# Asked for


async def ask_for_screenshot(
    tx: Transaction,
    *,
    owner_id: UUID,
    url: str | None = None,
    account_id: UUID | None = None,
    post_id: UUID | None = None,
    viewer: Viewer | None,
    now: datetime,
) -> Screenshot:
    """Ask for a picture of an address, an account or a post: of one of them.

    Raises `Invalid`, `NotFound`, and `Conflict` for what has no address and for too many.
    """
    if sum(one is not None for one in (url, account_id, post_id)) != 1:
        raise Invalid("Say what is to be shown: an address, an account or a post, and one of them alone.")
    if account_id is not None:
        account = await owned_row(tx, Account, account_id, viewer, field="account_id")
        owner_id, url = account.owner_id, account.url
    elif post_id is not None:
        owner_id, account_id, url = await _of_post(tx, post_id, viewer)
    if not url:
        raise Conflict("It has no address that could be shown.")
    address = checked_web_url(url)
    await _check_room(tx, owner_id)
    values = _values(owner_id, ScreenshotMoment.ASKED, address, now)
    values |= {"account_id": account_id, "post_id": post_id, "next_attempt_at": now}
    return await _insert(tx, values)


async def want_screenshots(tx: Transaction, execution: Execution, now: datetime) -> None:
    """Ask for the pictures of an execution that was just queued: one at once, and one when it is done."""
    for moment in (ScreenshotMoment.BEFORE, ScreenshotMoment.AFTER):
        values = _values(execution.owner_id, moment, execution.target_url, now)
        values |= {
            "execution_id": execution.id,
            "account_id": execution.account_id,
            "post_id": execution.post_id,
            "next_attempt_at": now if moment is ScreenshotMoment.BEFORE else None,
        }
        await _insert(tx, values)


async def settle_screenshots(tx: Transaction, executions: Iterable[Execution], now: datetime) -> None:
    """Let the picture after an execution be taken now if that is done, and never if it came to nothing."""
    # Only what an action asks for is pictured.
    ended = [one for one in executions if one.state in FINAL_STATES and one.action_id is not None]
    done = {one.id for one in ended if one.state in _DONE}
    is_waiting = (
        col(Screenshot.moment) == ScreenshotMoment.AFTER,
        col(Screenshot.state) == ScreenshotState.PENDING,
        col(Screenshot.next_attempt_at).is_(None),
    )
    if done:
        which = update(Screenshot).where(any_of(col(Screenshot.execution_id), done), *is_waiting)
        if await _changed(tx, which, {"next_attempt_at": now}):
            tx.record(ScreenshotsWaiting())
    nothing = {one.id for one in ended} - done
    if nothing:
        which = update(Screenshot).where(any_of(col(Screenshot.execution_id), nothing), *is_waiting)
        error = "The execution came to nothing, so there is nothing to show after it."
        await _changed(tx, which, {"state": ScreenshotState.FAILED, "error": error})


async def want_again(tx: Transaction, execution_id: UUID) -> None:
    """Let the picture after an execution wait again, because that is tried again."""
    which = update(Screenshot).where(
        col(Screenshot.execution_id) == execution_id,
        col(Screenshot.moment) == ScreenshotMoment.AFTER,
        any_of(col(Screenshot.state), _TRIED_AGAIN),
    )
    await _changed(tx, which, {"state": ScreenshotState.PENDING, "error": "", "retry_count": 0})


async def retry_screenshot(tx: Transaction, screenshot_id: UUID, *, viewer: Viewer | None, now: datetime) -> Screenshot:
    """Try once more to take a picture that could not be taken. Raises `NotFound` and `Conflict`."""
    screenshot = await owned_row(tx, Screenshot, screenshot_id, viewer)
    if screenshot.state not in _TRIED_AGAIN:
        raise Conflict(f"The screenshot is {screenshot.state}: there is nothing to retry.", field="id")
    await _check_room(tx, screenshot.owner_id)
    columns = {"state": ScreenshotState.PENDING, "error": "", "retry_count": 0, "next_attempt_at": now}
    is_as_read = col(Screenshot.id) == screenshot_id, col(Screenshot.revision) == screenshot.revision
    changed = await _changed(tx, update(Screenshot).where(*is_as_read), columns)
    if not changed:
        raise Conflict("The screenshot has just changed: look at it again.", field="id")
    tx.record(ScreenshotsWaiting())
    return changed[0]


async def delete_screenshot(tx: Transaction, screenshot_id: UUID, *, viewer: Viewer | None) -> Screenshot:
    """Remove a picture; its file goes a while later. Returns it as it was. Raises `NotFound`."""
    screenshot = await owned_row(tx, Screenshot, screenshot_id, viewer)
    await tx.execute(delete(Screenshot).where(col(Screenshot.id) == screenshot_id))
    return screenshot


# Taken


async def claim_screenshots(
    tx: Transaction, *, lease_id: UUID, limit: int, rules: PictureRules, now: datetime
) -> list[Screenshot]:
    """Take the lease of pictures that are due, the longest due first."""
    due = select(col(Screenshot.id)).where(_is_due(now)).order_by(col(Screenshot.next_attempt_at)).limit(limit)
    was_lost = col(Screenshot.state) == ScreenshotState.CAPTURING
    columns = {
        "state": ScreenshotState.CAPTURING,
        "lease_id": lease_id,
        "lease_until": now + timedelta(seconds=rules.lease),
        # Whoever held it was broken off: that was a try as well.
        "retry_count": col(Screenshot.retry_count) + case((was_lost, 1), else_=0),
    }
    # Said of the row once more: of two who chose it at once, one finds it taken.
    return await _changed(tx, update(Screenshot).where(col(Screenshot.id).in_(due), _is_due(now)), columns)


async def give_up_broken(tx: Transaction, *, rules: PictureRules, now: datetime) -> list[Screenshot]:
    """Give up pictures at which whoever takes them was broken off again and again."""
    is_lost = (
        col(Screenshot.state) == ScreenshotState.CAPTURING,
        col(Screenshot.lease_until) <= now,
        col(Screenshot.retry_count) >= rules.most_retries,
    )
    error = "Whoever took it was broken off, each time."
    return await _end(tx, is_lost, {"state": ScreenshotState.FAILED, "error": error})


async def note_captured(
    tx: Transaction, screenshot_id: UUID, lease_id: UUID, picture: Picture, *, now: datetime
) -> Screenshot | None:
    """Note that a picture was taken. `None` if the lease was lost."""
    columns = {**picture.__dict__, "state": ScreenshotState.COMPLETED, "error": "", "captured_at": now}
    return _first(await _end(tx, _mine(screenshot_id, lease_id), columns))


async def note_not_captured(
    tx: Transaction,
    screenshot: Screenshot,
    lease_id: UUID,
    error: str,
    *,
    may_retry: bool,
    chance: float,
    rules: PictureRules,
    now: datetime,
) -> Screenshot | None:
    """Note that a picture could not be taken: where it may help, it is tried again after a pause, a few times."""
    mine = _mine(screenshot.id, lease_id)
    text = error[:LONGEST_ERROR]
    if not may_retry or screenshot.retry_count >= rules.most_retries:
        return _first(await _end(tx, mine, {"state": ScreenshotState.FAILED, "error": text}))
    retries = screenshot.retry_count + 1
    pause = back_off(retries, first=rules.first_pause, longest=rules.longest_pause, chance=chance)
    columns = {
        "state": ScreenshotState.PENDING,
        "error": text,
        "retry_count": retries,
        "next_attempt_at": now + timedelta(seconds=pause),
        "lease_id": None,
        "lease_until": None,
    }
    return _first(await _changed(tx, update(Screenshot).where(*mine), columns))


async def note_unavailable(tx: Transaction, screenshot_id: UUID, lease_id: UUID, error: str) -> Screenshot | None:
    """Note that this server cannot take pictures, and what it lacks."""
    columns = {"state": ScreenshotState.UNAVAILABLE, "error": error[:LONGEST_ERROR]}
    return _first(await _end(tx, _mine(screenshot_id, lease_id), columns))


async def release_screenshots(tx: Transaction, lease_ids: Collection[UUID]) -> None:
    """Give leases back without having taken the pictures."""
    columns = {"state": ScreenshotState.PENDING, "lease_id": None, "lease_until": None}
    await _changed(tx, update(Screenshot).where(any_of(col(Screenshot.lease_id), lease_ids)), columns)


def is_held_back(now: datetime) -> Any:
    """Say of executions that the picture before them is still to be taken, and was not waited for too long."""
    return exists().where(
        col(Screenshot.execution_id) == col(Execution.id),
        col(Screenshot.moment) == ScreenshotMoment.BEFORE,
        any_of(col(Screenshot.state), _OPEN),
        col(Screenshot.created_at) > now - PATIENCE,
    )


# Kept


async def forget_screenshots(tx: Transaction, *, before: datetime, limit: int) -> int:
    """Let go of pictures that were asked for before an instant, so many at most, and return how many there were."""
    is_over = ~any_of(col(Screenshot.state), _OPEN), col(Screenshot.created_at) < before
    oldest = select(col(Screenshot.id)).where(*is_over).order_by(col(Screenshot.created_at)).limit(limit)
    gone = delete(Screenshot).where(col(Screenshot.id).in_(oldest)).returning(col(Screenshot.id))
    return len(await tx.tuples(gone))


async def known_files(session: Session, hashes: Collection[str]) -> set[str]:
    """Return which of these files are of pictures that are kept."""
    found = await session.tuples(select(col(Screenshot.sha256)).where(any_of(col(Screenshot.sha256), hashes)))
    return {row[0] for row in found}


# Their own


def _is_due(now: datetime) -> Any:
    is_free = or_(col(Screenshot.lease_until).is_(None), col(Screenshot.lease_until) <= now)
    return and_(col(Screenshot.next_attempt_at) <= now, is_free)


def _mine(screenshot_id: UUID, lease_id: UUID) -> tuple[Any, ...]:
    return col(Screenshot.id) == screenshot_id, col(Screenshot.lease_id) == lease_id


async def _of_post(tx: Transaction, post_id: UUID, viewer: Viewer | None) -> tuple[UUID, UUID | None, str]:
    post = await tx.row(select(Post).where(col(Post.id) == post_id))
    if post is None:
        raise NotFound("There is no such post.", field="post_id")
    try:
        feed = await owned_row(tx, Feed, post.feed_id, viewer)
    except NotFound as error:
        raise NotFound("There is no such post.", field="post_id") from error
    return feed.owner_id, post.account_id, post.url


async def _check_room(tx: Transaction, owner_id: UUID | None) -> None:
    waiting = (
        col(Screenshot.owner_id) == owner_id,
        col(Screenshot.moment) == ScreenshotMoment.ASKED,
        any_of(col(Screenshot.state), _OPEN),
    )
    if await tx.scalar(select(func.count()).select_from(Screenshot).where(*waiting)) >= MOST_WAITING:
        raise Conflict(f"{MOST_WAITING} of your screenshots wait already: ask again when some of them are taken.")


def _values(owner_id: UUID, moment: ScreenshotMoment, url: str, now: datetime) -> dict[str, Any]:
    return {
        "id": new_id(),
        "owner_id": owner_id,
        "moment": moment,
        "url": url,
        "state": ScreenshotState.PENDING,
        "sha256": "",
        "error": "",
        "retry_count": 0,
        "revision": 0,
        "created_at": now,
    }


async def _insert(tx: Transaction, values: dict[str, Any]) -> Screenshot:
    made = cast("Screenshot", await tx.row(insert(Screenshot).values(**values).returning(Screenshot)))
    tx.record(ScreenshotChanged(screenshot=made))
    if made.next_attempt_at is not None:
        tx.record(ScreenshotsWaiting())
    return made


async def _end(tx: Transaction, which: Iterable[Any], columns: dict[str, Any]) -> list[Screenshot]:
    """Bring pictures to their end, and let executions go on that waited for them."""
    over = {**columns, "next_attempt_at": None, "lease_id": None, "lease_until": None}
    ended = await _changed(tx, update(Screenshot).where(*which), over)
    if any(one.moment is ScreenshotMoment.BEFORE for one in ended):
        tx.record(ExecutionsWaiting())
    return ended


async def _changed(tx: Transaction, which: Any, columns: dict[str, Any]) -> list[Screenshot]:
    values = {**columns, "revision": col(Screenshot.revision) + 1}
    changed: list[Screenshot] = await tx.rows(which.values(**values).returning(Screenshot))
    for one in changed:
        tx.record(ScreenshotChanged(screenshot=one))
    return changed


def _first(rows: list[Screenshot]) -> Screenshot | None:
    return rows[0] if rows else None
