"""How flags may change: the images, whose they are, and the codes that lead to them."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import LargeBinary, Uuid, bindparam, delete, func, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.access.viewer import Role, Viewer
from db.errors import Conflict, Forbidden, NotFound
from db.flags.codes import checked_code
from db.flags.images import Image
from db.flags.recognition import Atlas, Recognition
from db.flags.tables import Flag, FlagImage, FlagMapping, RecognitionAttempt
from db.flags.vocabulary import CodeKind, FlagState, RecognitionMethod
from db.ids import new_id
from db.session import Session, Transaction
from db.texts import checked

LONGEST_NAME = 200
MOST_FLAGS = 5000
MOST_MAPPINGS = 5000


@dataclass(frozen=True, kw_only=True)
class Stored:
    """What came of an image: the flag, and whether it is new, or another image than before."""

    flag: Flag
    is_new: bool
    is_changed: bool


async def load_atlas(session: Session) -> Atlas:
    """Return all codes and names that are known."""
    return Atlas(await session.rows(select(FlagMapping)))


async def store_flag(
    tx: Transaction,
    file_name: str,
    image: Image,
    recognition: Recognition,
    *,
    most: int = MOST_FLAGS,
    modified_at: datetime,
    now: datetime,
) -> Stored:
    """Store an image under its name, and whose flag it is thought to be. What somebody said by hand stays so.

    Raises `Conflict` if there were more than `most` then.
    """
    file_name = checked(file_name, "A file's name", field="file_name", longest=LONGEST_NAME)
    before = await tx.row(select(Flag).where(col(Flag.file_name) == file_name))
    if before is None and await tx.scalar(select(func.count()).select_from(Flag)) >= most:
        raise Conflict(
            f"There are at most {most} flags (RINGSIDE_MOST_FLAGS): remove those that are not needed.",
            field="file_name",
        )
    columns = {
        "content_type": image.content_type,
        "byte_count": len(image.content),
        "checksum": image.checksum,
        "modified_at": modified_at,
    }
    if before is None or before.method is not RecognitionMethod.MANUAL:
        columns |= _recognized(recognition)
    values = {"id": new_id(), "file_name": file_name, **_recognized(recognition), **columns, "created_at": now}
    statement = upsert(Flag).values(**values).on_conflict_do_update(index_elements=["file_name"], set_=columns)
    flag = await tx.row(statement.returning(Flag))
    if flag is None:
        raise Conflict("The flag could not be stored.", field="file_name")
    await tx.execute(_UPSERT_IMAGE, flag_id=flag.id, content=image.content)
    await _remember(tx, flag.id, recognition, now)
    codes = {code for code in (flag.ioc_code, None if before is None else before.ioc_code) if code is not None}
    await _choose_shown(tx, codes)
    return Stored(
        flag=await _flag(tx, flag.id),
        is_new=before is None,
        is_changed=before is not None and before.checksum != image.checksum,
    )


async def recognize_flag(tx: Transaction, flag_id: UUID, code: str, *, viewer: Viewer | None, now: datetime) -> Flag:
    """Say whose flag an image shows. Raises `Invalid`, `NotFound` for a code that nobody knows, and `Forbidden`."""
    _check_role(viewer)
    before = await _flag(tx, flag_id)
    mapping = await find_mapping(tx, checked_code(code, field="code"))
    if mapping is None:
        raise NotFound(f"Nobody knows the code {code[:20]!r}: add it first.", field="code")
    recognition = Recognition(
        method=RecognitionMethod.MANUAL,
        confidence=1.0,
        ioc_code=mapping.ioc_code,
        country_name=mapping.country_name,
    )
    await tx.execute(update(Flag).where(col(Flag.id) == flag_id).values(**_recognized(recognition)))
    await _remember(tx, flag_id, recognition, now)
    await _choose_shown(tx, {mapping.ioc_code, *filter(None, [before.ioc_code])})
    return await _flag(tx, flag_id)


async def delete_flag(tx: Transaction, flag_id: UUID, *, viewer: Viewer | None, now: datetime) -> Flag:  # noqa: ARG001 -- what every change of the graph is told
    """Remove an image with its history. Returns it as it was. Another of the same country is shown instead."""
    _check_role(viewer)
    flag = await _flag(tx, flag_id)
    await tx.execute(delete(Flag).where(col(Flag.id) == flag_id))
    await _choose_shown(tx, set(filter(None, [flag.ioc_code])))
    return flag


async def create_mapping(
    tx: Transaction,
    *,
    pss_code: str,
    ioc_code: str,
    country_name: str,
    most: int = MOST_MAPPINGS,
    viewer: Viewer | None,
    now: datetime,
) -> FlagMapping:
    """Add a code that a scoring program writes.

    Raises `Invalid`, `Conflict` for one that is known or if there were more than `most` then, and `Forbidden`.
    """
    _check_role(viewer)
    values = {
        "id": new_id(),
        "pss_code": checked_code(pss_code, field="pss_code"),
        "ioc_code": checked_code(ioc_code, field="ioc_code"),
        "iso_code": "",
        "country_name": checked(country_name, "A country", field="country_name", longest=LONGEST_NAME),
        "other_names": [],
        "kind": CodeKind.CUSTOM,
        "note": "",
        "is_custom": True,
        "created_at": now,
        "updated_at": now,
    }
    if await tx.scalar(select(func.count()).select_from(FlagMapping)) >= most:
        raise Conflict(
            f"There are at most {most} codes (RINGSIDE_MOST_CODES): remove those that are not needed.",
            field="pss_code",
        )
    made = await tx.row(upsert(FlagMapping).values(**values).on_conflict_do_nothing().returning(FlagMapping))
    if made is None:
        raise Conflict(f"The code {values['pss_code']} is known already.", field="pss_code")
    return made


async def delete_mapping(tx: Transaction, mapping_id: UUID, *, viewer: Viewer | None, now: datetime) -> FlagMapping:  # noqa: ARG001 -- as above
    """Remove a code that was added here. Returns it as it was. Raises `NotFound`, `Conflict`, `Forbidden`."""
    _check_role(viewer)
    mapping = await tx.row(select(FlagMapping).where(col(FlagMapping.id) == mapping_id))
    if mapping is None:
        raise NotFound("There is no such code.", field="id")
    if not mapping.is_custom:
        raise Conflict("This code came with Ringside, and stays.", field="id")
    await tx.execute(delete(FlagMapping).where(col(FlagMapping.id) == mapping_id))
    return mapping


async def find_mapping(session: Session, pss_code: str) -> FlagMapping | None:
    """Return what is known of a code, as it is stored."""
    return await session.row(select(FlagMapping).where(col(FlagMapping.pss_code) == pss_code))


async def find_shown(session: Session, code: str) -> Flag | None:
    """Return the flag that is shown for a code of a scoring program, if there is one."""
    mapped = select(col(FlagMapping.ioc_code)).where(col(FlagMapping.pss_code) == code).scalar_subquery()
    return await session.row(select(Flag).where(col(Flag.code) == mapped))


async def find_image(session: Session, flag_id: UUID) -> bytes | None:
    """Return the image of a flag."""
    found: bytes | None = await session.scalar(select(col(FlagImage.content)).where(col(FlagImage.flag_id) == flag_id))
    return found


# What they share


async def _choose_shown(tx: Transaction, codes: Collection[str]) -> None:
    """Of the images of each flag let the surest be shown, and of those the first by name."""
    for code in sorted(codes):
        of_code = select(Flag).where(col(Flag.ioc_code) == code)
        best = await tx.row(of_code.order_by(col(Flag.confidence).desc(), col(Flag.file_name)).limit(1))
        is_other = col(Flag.code) == code
        if best is not None:
            is_other = is_other & (col(Flag.id) != best.id)
        await tx.execute(update(Flag).where(is_other).values(code=None))
        if best is not None and best.code != code:
            await tx.execute(update(Flag).where(col(Flag.id) == best.id).values(code=code))


async def _remember(tx: Transaction, flag_id: UUID, recognition: Recognition, now: datetime) -> None:
    """Add to the history what was found out, unless the last time came to the same."""
    of_flag = select(RecognitionAttempt).where(col(RecognitionAttempt.flag_id) == flag_id)
    last = await tx.row(
        of_flag.order_by(col(RecognitionAttempt.attempted_at).desc(), col(RecognitionAttempt.id).desc()).limit(1)
    )
    found = (recognition.method, recognition.confidence, recognition.ioc_code)
    if last is not None and (last.method, last.confidence, last.recognized_as) == found:
        return
    values = dict(zip(("method", "confidence", "recognized_as"), found, strict=True))
    await tx.execute(upsert(RecognitionAttempt).values(id=new_id(), flag_id=flag_id, attempted_at=now, **values))


async def _flag(tx: Transaction, flag_id: UUID) -> Flag:
    flag = await tx.row(select(Flag).where(col(Flag.id) == flag_id))
    if flag is None:
        raise NotFound("There is no such flag.", field="id")
    return flag


def _recognized(recognition: Recognition) -> dict[str, Any]:
    is_known = recognition.ioc_code is not None
    return {
        "ioc_code": recognition.ioc_code,
        # Which of several is shown is chosen afterwards.
        "code": None,
        "country_name": recognition.country_name,
        "state": FlagState.RECOGNIZED if is_known else FlagState.UNRECOGNIZED,
        "method": recognition.method,
        "confidence": recognition.confidence,
    }


def _check_role(viewer: Viewer | None) -> None:
    if viewer is not None and not viewer.has_role(Role.OPERATOR):
        raise Forbidden("Flags are for those who run the event.")


def _upsert_image() -> Any:
    statement = upsert(FlagImage).values(
        flag_id=bindparam("flag_id", type_=Uuid()),
        content=bindparam("content", type_=LargeBinary()),
    )
    return statement.on_conflict_do_update(index_elements=["flag_id"], set_={"content": statement.excluded.content})


_UPSERT_IMAGE = _upsert_image()
