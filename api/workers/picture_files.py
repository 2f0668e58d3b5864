"""The files of pictures, in a folder: each is called by the hash of what it holds, and by nothing that anybody says."""

import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_SUFFIX = ".png"


class PictureFiles:
    """The folder. It is made when the first picture is put there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, content: bytes) -> str:
        """Keep a picture, whole or not at all, and return its hash. Raises `OSError`."""
        name = hashlib.sha256(content).hexdigest()
        path = self._path(name)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            # As new as if it were written now: what is old and belongs to nothing is removed.
            os.utime(path)
            return name
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".part-", delete=False) as part:
            try:
                part.write(content)
                part.flush()
                os.fsync(part.fileno())
                Path(part.name).replace(path)
            except OSError:
                Path(part.name).unlink(missing_ok=True)
                raise
        return name

    def read(self, name: str) -> bytes | None:
        """Return a picture, `None` if it is not here."""
        try:
            return self._path(name).read_bytes() if _HASH.fullmatch(name) else None
        except FileNotFoundError:
            return None

    def older_than(self, instant: float) -> Iterator[tuple[str, Path]]:
        """Name the files that were put here before an instant of the system's clock; `""` for what is half a file."""
        for path in self._folder.glob("[0-9a-f][0-9a-f]/*"):
            is_whole = path.suffix == _SUFFIX and _HASH.fullmatch(path.stem)
            try:
                if path.stat().st_mtime < instant:
                    yield (path.stem if is_whole else ""), path
            except FileNotFoundError:
                continue

    def _path(self, name: str) -> Path:
        return self._folder / name[:2] / f"{name}{_SUFFIX}"
