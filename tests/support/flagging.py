"""Flags to ask about: images of our own, and what is thought of them."""

from datetime import datetime
from pathlib import Path

from db.database import Database
from db.flags import operations
from db.flags.images import Image, checked_image
from db.flags.operations import Stored
from db.flags.scanning import LARGEST_FLAG
from db.flags.tables import Flag

STRIPES = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 3 2"><path fill="{}" d="M0 0h3v2H0z"/></svg>'
PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)


def svg(colour: str = "#123456") -> bytes:
    return STRIPES.format(colour).encode()


def image_of(file_name: str, content: bytes | None = None) -> Image:
    return checked_image(file_name, svg() if content is None else content, largest=LARGEST_FLAG)


async def store(db: Database, file_name: str, now: datetime, content: bytes | None = None) -> Stored:
    """Store an image as a scan does."""
    async with db.read() as session:
        atlas = await operations.load_atlas(session)
    async with db.transaction() as tx:
        return await operations.store_flag(
            tx,
            file_name,
            image_of(file_name, content),
            atlas.recognize(file_name),
            modified_at=now,
            now=now,
        )


async def hoist(db: Database, now: datetime) -> list[Flag]:
    """Flags known by code, by name and by hand, two of one country, one of nobody; and a code of ours."""
    names = ["KOR.svg", "germany.svg", "flag_of_ger.svg", "nobody knows.svg", "Türkiye 🥋.svg"]
    made = [(await store(db, name, now, svg(f"#00000{number}"))).flag for number, name in enumerate(names)]
    async with db.transaction() as tx:
        await operations.create_mapping(tx, pss_code="MRN", ioc_code="KOR", country_name="Marina", viewer=None, now=now)
        await operations.recognize_flag(tx, made[3].id, "tch", viewer=None, now=now)
    await store(db, "still nobody's.svg", now)
    return made


def fill_folder(folder: Path, **images: bytes) -> Path:
    """Put images into a folder; `_svg` at the end of a name stands for `.svg`."""
    folder.mkdir(exist_ok=True)
    for name, content in images.items():
        stem, _, suffix = name.rpartition("_")
        (folder / f"{stem}.{suffix}").write_bytes(content)
    return folder
