"""The types of flags: images, the codes that lead to them, and how each image was recognised."""

from __future__ import annotations

from datetime import datetime

from db.flags import queries
from schema.connections import Connection
from schema.fields import Node, column, computed, connection, node, to_one
from schema.flags.vocabulary import CodeKind, FlagState, RecognitionMethod
from schema.matches.arguments import NewestOrder


def _url(ioc_code: str | None) -> str | None:
    return None if ioc_code is None else f"/flags/{ioc_code}"


@node("flag", queries.flag_by_id)
class Flag(Node):
    """An image of a flag, and whose it is."""

    file_name: str = column("The name of its file.")
    ioc_code: str | None = column("Whose it is, by the code of the Olympic movement. Null if that is not known.")
    country_name: str = column("Whose it is, in English. Empty if that is not known.")
    state: FlagState = column("Whether it is known whose it is.")
    method: RecognitionMethod = column("By what that was found out.")
    confidence: float = column("How sure that is, from 0 to 1.")
    is_shown: bool = computed(
        "Whether it is the one that is shown for its country: of several the surest is.",
        ("code",),
        lambda code: code is not None,
    )
    url: str | None = computed(
        "Where the server shows the flag of this country. Null if it is not known whose it is.", ("ioc_code",), _url
    )
    content_type: str = column("What sort of image it is, such as `image/svg+xml`.")
    byte_count: int = column("How many bytes it has.")
    modified_at: datetime = column("When its file was last changed.")
    created_at: datetime = column("When it was found here.")
    attempts: Connection[RecognitionAttempt] = connection(
        "Each time that something else was found out of it, newest first.", queries.attempts_by_flag, order=NewestOrder
    )


@node("flagmapping", queries.mapping_by_id)
class FlagMapping(Node):
    """A code that a scoring program writes, and whose it is."""

    pss_code: str = column("The code.")
    ioc_code: str = column("The code whose flag is shown for it.")
    iso_code: str = column("What ISO 3166 writes, alpha-3. Empty where it has no code.")
    country_name: str = column("Whose it is, in English.")
    other_names: list[str] = column("Other names of the same, by which a file is recognised too.")
    kind: CodeKind = column("What it stands for.")
    note: str = column("What else is to be known, as that it meant another in other years. Empty if nothing is.")
    is_custom: bool = column("Whether it was added here.")
    created_at: datetime = column("When it was added.")
    updated_at: datetime = column("When it was last changed.")
    flag: Flag | None = to_one(
        "The flag that is shown for it. Null if there is none.", queries.flag_by_code, key="ioc_code"
    )


@node("recognitionattempt", queries.attempt_by_id)
class RecognitionAttempt(Node):
    """What was found out, once, of whose flag an image shows."""

    method: RecognitionMethod = column("By what.")
    confidence: float = column("How sure it was, from 0 to 1.")
    recognized_as: str | None = column("The code of the Olympic movement. Null if it was not recognised.")
    attempted_at: datetime = column("When.")
    flag: Flag = to_one("The image.", queries.flag_by_id, key="flag_id")
