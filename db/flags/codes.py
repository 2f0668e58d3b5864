"""Codes of countries as they come: from a scoring program, a file's name, a person. Pure."""

import re

from db.errors import Invalid

_CODE = re.compile(r"[A-Z0-9]{2,8}")


def code_of(text: str) -> str | None:
    """Return a code as it is stored: trimmed and in capitals; `None` for what cannot be one."""
    code = text.strip().upper()
    return code if code.isascii() and _CODE.fullmatch(code) else None


def checked_code(text: str, *, field: str) -> str:
    """Return a code as it is stored. Raises `Invalid`."""
    code = code_of(text)
    if code is None:
        raise Invalid("A code is 2 to 8 letters and digits, such as KOR.", field=field)
    return code
