"""URLs of databases: what they name, and how they are shown."""

import re
from pathlib import Path


def is_embedded(url: str) -> bool:
    """Say whether a URL names a file of ours rather than a server."""
    return url.startswith("sqlite:")


def sqlite_path(url: str) -> Path:
    """Return the file a SQLite URL names: `sqlite:///relative.db`, `sqlite:////absolute.db`."""
    path = url.removeprefix("sqlite:///")
    if path in {url, "", ":memory:"}:
        raise ValueError(f"A SQLite URL names a file, as sqlite:///ringside.db does; this one does not: {url}")
    return Path(path)


def without_secret(url: str) -> str:
    """Return a URL that can be shown: its password is not."""
    # By its text alone: a password that is no part of a well-formed URL is still a password.
    return _PASSWORDS.sub(lambda found: f"{found[1] or found[2]}***", url)


_PASSWORDS = re.compile(r"(?<=://)([^:@]*:).*(?=@)|(?<=[?&])((?:ssl)?password=)[^&]*")
