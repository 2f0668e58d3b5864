"""The logo of a tournament: an image from outside, looked at as closely as a flag."""

import base64
import binascii
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlmodel import col, select

from db.errors import Invalid
from db.flags.images import Image, image_of
from db.matches.tables import Tournament, TournamentLogo
from db.matches.tournaments import change_held, hold_seen
from db.session import Session, Transaction

LARGEST_LOGO = 512 * 1024


def read_logo(text: str) -> Image:
    """Return the image that a text holds in base64, with or without `data:…;base64,`. Raises `Invalid`."""
    _, _, encoded = text.rpartition(";base64,")
    try:
        content = base64.b64decode("".join(encoded.split()), validate=True)
    except binascii.Error as error:
        raise Invalid("A logo is an image in base64.", field="image") from error
    if len(content) > LARGEST_LOGO:
        raise Invalid(f"The logo has {len(content):,} bytes; at most {LARGEST_LOGO:,} are taken.", field="image")
    try:
        return image_of(content)
    except Invalid as refusal:
        raise Invalid(refusal.message, field="image") from refusal


async def set_logo(tx: Transaction, tournament_id: UUID, image: Image | None, *, revision: int) -> Tournament:
    """Give a tournament a logo in place of the one it has; `None` takes that away.

    Raises `NotFound`, and `Conflict` for a stale revision.
    """
    await hold_seen(tx, tournament_id, revision)
    if image is None:
        await tx.execute(delete(TournamentLogo).where(col(TournamentLogo.tournament_id) == tournament_id))
        return await change_held(tx, tournament_id, {"logo_checksum": None})
    values = {"content_type": image.content_type, "checksum": image.checksum, "content": image.content}
    stored = upsert(TournamentLogo).values(tournament_id=tournament_id, **values)
    await tx.execute(stored.on_conflict_do_update(index_elements=["tournament_id"], set_=values))
    return await change_held(tx, tournament_id, {"logo_checksum": image.checksum})


async def find_logo(session: Session, tournament_id: UUID) -> TournamentLogo | None:
    """Return the logo of a tournament, if it has one."""
    return await session.row(select(TournamentLogo).where(col(TournamentLogo.tournament_id) == tournament_id))
