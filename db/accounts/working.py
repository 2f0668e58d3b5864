"""How executions are carried out: claimed with a lease, sent with no transaction open, and what came of it stored.

A lease that runs out while something is sent leaves an execution UNKNOWN: it may have been taken. It is then asked
after, and sent again only if the provider says that he never heard of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import and_, or_, update
from sqlmodel import col, select

from db.accounts.money import MOST, rounded
from db.accounts.queueing import write_down
from db.accounts.schedule import back_off
from db.accounts.screenshots import is_held_back
from db.accounts.tables import Execution, Provider
from db.accounts.vocabulary import FINAL_STATES, ExecutionState
from db.accounts.words import LONGEST_ANSWER, LONGEST_WORD, Report
from db.parameters import any_of
from db.session import Transaction

LONGEST_ERROR = 300
_LONGEST_REFERENCE = 200
_ASKED_ABOUT = (ExecutionState.SUBMITTED, ExecutionState.IN_PROGRESS, ExecutionState.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class WorkRules:
    """How executions are carried out. Durations in seconds where it is not said."""

    lease: int = 60
    first_pause: int = 15
    longest_pause: int = 3600
    most_attempts: int = 8
    first_look: int = 10
    longest_between_looks: int = 3600
    # How long a provider may still be working on a call whose answer was lost, before he is asked after it.
    grace: int = 60
    # For how long he is asked at all.
    patience: timedelta = timedelta(days=30)


async def claim(tx: Transaction, *, lease_id: UUID, limit: int, rules: WorkRules, now: datetime) -> list[Execution]:
    """Take executions that are to be sent now, the longest waiting first."""
    on = select(col(Provider.id)).where(col(Provider.is_enabled).is_(True))
    is_due = and_(
        col(Execution.state) == ExecutionState.QUEUED,
        col(Execution.next_attempt_at) <= now,
        col(Execution.provider_id).in_(on),
        ~is_held_back(now),
    )
    due = select(col(Execution.id)).where(is_due).order_by(col(Execution.next_attempt_at)).limit(limit)
    columns = {
        "state": ExecutionState.SUBMITTING,
        "lease_id": lease_id,
        "lease_until": now + timedelta(seconds=rules.lease),
        "attempt_count": col(Execution.attempt_count) + 1,
    }
    # Said of the row once more: of two who chose it at once, one finds it taken.
    taken = update(Execution).where(col(Execution.id).in_(due), col(Execution.state) == ExecutionState.QUEUED)
    return await _changed(tx, taken, columns, "It is being sent.", now)


async def give_up_lost(tx: Transaction, *, rules: WorkRules, now: datetime) -> list[Execution]:
    """Say of what was being sent when its lease ran out that nobody knows what became of it."""
    is_lost = col(Execution.state) == ExecutionState.SUBMITTING, col(Execution.lease_until) <= now
    return await _changed(
        tx, update(Execution).where(*is_lost), _lost("Whoever sent it was broken off.", rules, now), _LOST, now
    )


async def note_taken(
    tx: Transaction, execution_id: UUID, lease_id: UUID, report: Report, *, rules: WorkRules, now: datetime
) -> Execution | None:
    """Note that the provider took an execution, and what it said of it. `None` if the lease was lost."""
    columns = {"last_error": "", **_reported(report, now), "submitted_at": now, "lease_id": None, "lease_until": None}
    if columns["state"] is ExecutionState.UNKNOWN:
        # It was taken: only the word for it is strange.
        columns["state"] = ExecutionState.SUBMITTED
    if columns["state"] not in FINAL_STATES:
        columns["next_status_at"] = now + timedelta(seconds=rules.first_look)
    return await _note(tx, execution_id, lease_id, columns, "The provider took it.", now)


async def note_not_sent(
    tx: Transaction,
    execution: Execution,
    lease_id: UUID,
    error: str,
    *,
    retry_after: int | None = None,
    chance: float = 0.0,
    rules: WorkRules,
    now: datetime,
) -> Execution | None:
    """Note that an execution certainly was not taken: it is tried again after a pause, a few times."""
    common = {"lease_id": None, "lease_until": None, "last_error": error[:LONGEST_ERROR]}
    if execution.attempt_count >= rules.most_attempts:
        columns = {**common, "state": ExecutionState.FAILED, "finished_at": now, "next_attempt_at": None}
        return await _note(tx, execution.id, lease_id, columns, f"Given up: {error}", now)
    pause = back_off(
        execution.attempt_count,
        first=rules.first_pause,
        longest=rules.longest_pause,
        asked=retry_after,
        chance=chance,
    )
    columns = {**common, "state": ExecutionState.QUEUED, "next_attempt_at": now + timedelta(seconds=pause)}
    return await _note(tx, execution.id, lease_id, columns, f"Not sent, tried again later: {error}", now)


async def note_refused(
    tx: Transaction, execution_id: UUID, lease_id: UUID, error: str, *, answer: str = "", now: datetime
) -> Execution | None:
    """Note that the provider refused an execution."""
    columns = {
        "state": ExecutionState.FAILED,
        "finished_at": now,
        "next_attempt_at": None,
        "lease_id": None,
        "lease_until": None,
        "last_error": error[:LONGEST_ERROR],
        "last_answer": answer[:LONGEST_ANSWER],
    }
    return await _note(tx, execution_id, lease_id, columns, f"Refused: {error}", now)


async def note_lost(
    tx: Transaction, execution_id: UUID, lease_id: UUID, error: str, *, rules: WorkRules, now: datetime
) -> Execution | None:
    """Note that an execution was sent, and that the answer was lost."""
    return await _note(tx, execution_id, lease_id, _lost(error, rules, now), f"{_LOST} {error}", now)


# How they go on


async def claim_looks(
    tx: Transaction, *, lease_id: UUID, limit: int, rules: WorkRules, now: datetime
) -> list[Execution]:
    """Take executions whose providers are to be asked about them, the longest due first. They stay as they are."""
    is_free = or_(col(Execution.lease_until).is_(None), col(Execution.lease_until) <= now)
    asked = select(col(Provider.id)).where(col(Provider.is_enabled).is_(True), col(Provider.is_asked).is_(True))
    is_due = and_(
        col(Execution.next_status_at) <= now,
        any_of(col(Execution.state), _ASKED_ABOUT),
        col(Execution.provider_id).in_(asked),
    )
    due = select(col(Execution.id)).where(is_due, is_free).order_by(col(Execution.next_status_at)).limit(limit)
    columns = {
        "lease_id": lease_id,
        "lease_until": now + timedelta(seconds=rules.lease),
        "status_count": col(Execution.status_count) + 1,
    }
    taken = update(Execution).where(col(Execution.id).in_(due), is_free).values(**columns)
    return await tx.rows(taken.returning(Execution))


async def note_report(
    tx: Transaction, execution: Execution, lease_id: UUID, report: Report | None, *, rules: WorkRules, now: datetime
) -> Execution | None:
    """Note what a provider says of an execution; `None` is that he never heard of it.

    Returns it as it is now, `None` if the lease was lost.
    """
    common: dict[str, Any] = {"lease_id": None, "lease_until": None}
    if report is None:
        return await _never_heard(tx, execution, lease_id, common, rules, now)
    columns = _reported(report, now)
    if columns["state"] is ExecutionState.UNKNOWN:
        # A word that nobody knows changes nothing: it is kept beside the state.
        columns["state"] = execution.state
    if columns["state"] not in FINAL_STATES:
        columns |= {"next_status_at": _next_look(execution, rules, now)}
    note = f"The provider says: {report.word[:LONGEST_WORD]}"
    if execution.submitted_at is None:
        columns["submitted_at"] = now
    is_same = all(getattr(execution, name) == value for name, value in columns.items() if name not in _WATCHED_NOT)
    if is_same:
        return await _quietly(tx, execution, lease_id, {**common, "next_status_at": columns.get("next_status_at")})
    return await _note(tx, execution.id, lease_id, {**columns, **common}, note, now)


async def note_no_report(
    tx: Transaction, execution: Execution, lease_id: UUID, error: str, *, rules: WorkRules, now: datetime
) -> Execution | None:
    """Note that a provider could not be asked: he is asked again later."""
    columns = {
        "lease_id": None,
        "lease_until": None,
        "next_status_at": _next_look(execution, rules, now),
        "last_error": error[:LONGEST_ERROR],
    }
    return await _quietly(tx, execution, lease_id, columns)


async def take_callback(
    tx: Transaction, provider_id: UUID, key: UUID, report: Report, *, rules: WorkRules, now: datetime
) -> Execution | None:
    """Note what a provider says by himself. `None` for what he has no business with, or what is final already."""
    of_provider = col(Execution.provider_id) == provider_id, col(Execution.key) == key
    execution = await tx.row(select(Execution).where(*of_provider))
    if execution is None or execution.state in FINAL_STATES:
        return None
    columns = _reported(report, now)
    if columns["state"] is ExecutionState.UNKNOWN:
        columns["state"] = execution.state
    if columns["state"] not in FINAL_STATES:
        columns["next_status_at"] = _next_look(execution, rules, now)
    if execution.submitted_at is None:
        columns["submitted_at"] = now
    # What is being sent now keeps its lease: whoever sends it finds it gone, and leaves it as it is said here.
    columns |= {"lease_id": None, "lease_until": None, "next_attempt_at": None}
    unmoved = update(Execution).where(*of_provider, col(Execution.revision) == execution.revision)
    changed = await _changed(tx, unmoved, columns, f"The provider says: {report.word[:LONGEST_WORD]}", now)
    return changed[0] if changed else None


async def _never_heard(
    tx: Transaction,
    execution: Execution,
    lease_id: UUID,
    common: Mapping[str, Any],
    rules: WorkRules,
    now: datetime,
) -> Execution | None:
    if execution.state is ExecutionState.UNKNOWN:
        # What never arrived may be sent again, under the same key.
        columns = {**common, "state": ExecutionState.QUEUED, "next_attempt_at": now, "next_status_at": None}
        return await _note(tx, execution.id, lease_id, columns, "It never arrived, and is sent again.", now)
    columns = {**common, "next_status_at": _next_look(execution, rules, now)}
    return await _quietly(tx, execution, lease_id, {**columns, "last_error": "The provider does not know of it."})


async def _quietly(
    tx: Transaction, execution: Execution, lease_id: UUID, columns: Mapping[str, Any]
) -> Execution | None:
    """Set columns that nobody watches."""
    mine = col(Execution.id) == execution.id, col(Execution.lease_id) == lease_id
    return await tx.row(update(Execution).where(*mine).values(**columns).returning(Execution))


async def _note(
    tx: Transaction, execution_id: UUID, lease_id: UUID, columns: Mapping[str, Any], note: str, now: datetime
) -> Execution | None:
    mine = update(Execution).where(col(Execution.id) == execution_id, col(Execution.lease_id) == lease_id)
    changed = await _changed(tx, mine, columns, note[:LONGEST_ERROR], now)
    return changed[0] if changed else None


async def _changed(
    tx: Transaction, which: Any, columns: Mapping[str, Any], note: str, now: datetime
) -> list[Execution]:
    values = {**columns, "revision": col(Execution.revision) + 1, "changed_at": now}
    changed: list[Execution] = await tx.rows(which.values(**values).returning(Execution))
    await write_down(tx, changed, note, now)
    return changed


def _lost(error: str, rules: WorkRules, now: datetime) -> dict[str, Any]:
    return {
        "state": ExecutionState.UNKNOWN,
        "lease_id": None,
        "lease_until": None,
        "next_attempt_at": None,
        "next_status_at": now + timedelta(seconds=rules.grace),
        "last_error": error[:LONGEST_ERROR],
    }


def _reported(report: Report, now: datetime) -> dict[str, Any]:
    """Return what a report makes of an execution."""
    columns: dict[str, Any] = {
        "state": report.state,
        "provider_word": report.word[:LONGEST_WORD],
        "last_answer": report.answer[:LONGEST_ANSWER],
        "next_attempt_at": None,
    }
    if report.reference:
        columns["reference"] = report.reference[:_LONGEST_REFERENCE]
    if report.charge is not None and 0 <= report.charge <= MOST:
        columns["charge"] = rounded(report.charge)
    for name in ("start_count", "remaining"):
        value = getattr(report, name)
        if value is not None:
            columns[name] = value
    if report.error:
        columns["last_error"] = report.error[:LONGEST_ERROR]
    if report.state in FINAL_STATES:
        columns |= {"finished_at": now, "next_status_at": None, "is_cancel_wanted": False}
    return columns


def _next_look(execution: Execution, rules: WorkRules, now: datetime) -> datetime | None:
    """Return when to ask next: the older, the later, and after a month not at all."""
    since = execution.submitted_at or execution.queued_at
    if now - since > rules.patience:
        return None
    age = max(0.0, (now - since).total_seconds())
    return now + timedelta(seconds=min(float(rules.longest_between_looks), max(float(rules.first_look), age / 4)))


_LOST = "The provider's answer was lost."
# What may differ without being a change worth telling.
_WATCHED_NOT = {"next_status_at", "last_answer", "next_attempt_at"}
