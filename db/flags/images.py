"""Images from outside: what may be stored as a flag and shown in a browser. Pure.

An SVG is a program as much as an image. One that could run something, or load something, is refused and not mended:
what was taken out of it would have to be guessed.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import PurePath
from xml.parsers import expat

from db.errors import Invalid

SVG = "image/svg+xml"
# How a file begins, and what it is then.
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", "image/png", (".png",)),
    (b"\xff\xd8\xff", "image/jpeg", (".jpg", ".jpeg")),
    (b"GIF87a", "image/gif", (".gif",)),
    (b"GIF89a", "image/gif", (".gif",)),
)
SUFFIXES = frozenset({".svg", ".png", ".jpg", ".jpeg", ".gif", ".webp"})
_NAMESPACE = "http://www.w3.org/2000/svg"
_DEEPEST = 100
_MOST_ELEMENTS = 50_000
# Elements that run, load or hold another document.
_REFUSED = frozenset(
    {
        "script",
        "foreignobject",
        "feimage",
        "iframe",
        "embed",
        "object",
        "audio",
        "video",
        "link",
        "meta",
        "base",
        "handler",
        "set",
        "a",
    }
)
_REFUSED_PREFIXES = ("animate",)
_LINKS = frozenset({"href", "src", "data", "action", "formaction", "base"})
_OWN_PICTURES = re.compile(r"data:image/(png|jpeg|gif);base64,[a-z0-9+/=\s]*", re.IGNORECASE)
_LOADED = re.compile(
    r"url\(\s*+['\"]?+\s*+(?!#)|@import|image-set|src\(|image\(|expression\s*\(|javascript\s*:|-moz-binding|\\",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image that may be stored and shown."""

    content: bytes
    content_type: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of it, in hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


def checked_image(file_name: str, content: bytes, *, largest: int) -> Image:
    """Return what a file holds. Raises `Invalid`, saying why it may not be stored."""
    if len(content) > largest:
        raise Invalid(f"It has {len(content):,} bytes; at most {largest:,} are taken (RINGSIDE_LARGEST_FLAG).")
    suffix = PurePath(file_name).suffix.lower()
    if suffix == ".svg":
        check_svg(content)
        return Image(content=content, content_type=SVG)
    content_type = _raster_type(content, suffix)
    if content_type is None:
        raise Invalid("It is no image of the kind that its name says: SVG, PNG, JPEG, GIF or WebP.")
    return Image(content=content, content_type=content_type)


def image_of(content: bytes) -> Image:
    """Return what an image without a name is. Raises `Invalid`, saying why it may not be stored."""
    for start, content_type, _ in _SIGNATURES:
        if content.startswith(start):
            return Image(content=content, content_type=content_type)
    if _raster_type(content, ".webp") is not None:
        return Image(content=content, content_type="image/webp")
    if b"<" not in content[:1024]:
        raise Invalid("It is no image: SVG, PNG, JPEG, GIF and WebP are taken.")
    check_svg(content)
    return Image(content=content, content_type=SVG)


def check_svg(content: bytes) -> None:
    """Raise `Invalid` for what is no SVG, or is one that could run or load something."""
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.begin
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.doctype
    parser.EntityDeclHandler = _refuse_entities
    parser.ProcessingInstructionHandler = _refuse_instruction
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise Invalid(f"It is no SVG: {expat.errors.messages[error.code]}, line {error.lineno}.") from error


class _Reader:
    """Looks at what a parser finds, and raises `Invalid` at the first thing that may not be."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self._elements = 0
        # A comment may stand in the middle of a word of a style, and parts nothing.
        self._style = ""

    def begin(self, name: str, attributes: dict[str, str]) -> None:
        namespace, _, local = name.rpartition(" ")
        local = local.lower()
        if not self._path and (local != "svg" or namespace not in {"", _NAMESPACE}):
            raise Invalid("It is no SVG: it begins with something else.")
        self._path.append(local)
        self._elements += 1
        if len(self._path) > _DEEPEST or self._elements > _MOST_ELEMENTS:
            raise Invalid("It holds more than any flag does.")
        if local in _REFUSED or local.startswith(_REFUSED_PREFIXES):
            raise Invalid(f"It holds <{local[:20]}>, which could run or load something.")
        for attribute, value in attributes.items():
            _check_attribute(attribute.rpartition(" ")[2].lower(), value)

    def end(self, _: str) -> None:
        if self._path.pop() != "style":
            return
        if _LOADED.search(self._style):
            raise Invalid("Its style could load something.")
        self._style = ""

    def text(self, text: str) -> None:
        if "style" in self._path:
            self._style += text

    def doctype(self, _: str, __: str | None, ___: str | None, has_subset: int) -> None:
        if has_subset:
            raise Invalid("It declares entities, which could grow without end.")


def _check_attribute(name: str, value: str) -> None:
    if name.startswith("on"):
        raise Invalid(f"It has the attribute {name[:20]}, which could run something.")
    if name in _LINKS and not value.strip().startswith("#") and not _OWN_PICTURES.fullmatch(value.strip()):
        raise Invalid(f"Its attribute {name[:20]} leads out of it.")
    if name not in _LINKS and _LOADED.search(value):
        raise Invalid(f"Its attribute {name[:20]} could load something.")


def _refuse_entities(*_: object) -> None:
    raise Invalid("It declares entities, which could grow without end.")


def _refuse_instruction(target: str, _: str) -> None:
    raise Invalid(f"It holds the instruction {target[:20]}, which could load something.")


def _raster_type(content: bytes, suffix: str) -> str | None:
    if suffix == ".webp":
        return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else None
    known = (kind for start, kind, suffixes in _SIGNATURES if content.startswith(start) and suffix in suffixes)
    return next(known, None)
