"""The demonstration's flags: those that are stripes, or a disc, and so are drawn in a line of code."""

from datetime import datetime

from db.flags import operations
from db.flags.images import SVG, Image
from db.session import Transaction

_WIDTH, _HEIGHT = 900, 600
# By the Olympic code: the colours of stripes of one width, from the top or from the left.
_ACROSS = {
    "AUT": ("#ed2939", "#ffffff", "#ed2939"),
    "BUL": ("#ffffff", "#00966e", "#d62612"),
    "EST": ("#0072ce", "#000000", "#ffffff"),
    "GER": ("#000000", "#dd0000", "#ffce00"),
    "HUN": ("#ce2939", "#ffffff", "#477050"),
    "INA": ("#ff0000", "#ffffff"),
    "LTU": ("#fdb913", "#006a44", "#c1272d"),
    "NED": ("#ae1c28", "#ffffff", "#21468b"),
    "POL": ("#ffffff", "#dc143c"),
    "RUS": ("#ffffff", "#0039a6", "#d52b1e"),
    "UKR": ("#0057b7", "#ffd700"),
}
_DOWN = {
    "BEL": ("#000000", "#fdda24", "#ef3340"),
    "CIV": ("#f77f00", "#ffffff", "#009e60"),
    "FRA": ("#0055a4", "#ffffff", "#ef4135"),
    "IRL": ("#169b62", "#ffffff", "#ff883e"),
    "ITA": ("#009246", "#ffffff", "#ce2b37"),
    "MLI": ("#14b53a", "#fcd116", "#ce1126"),
    "NGR": ("#008751", "#ffffff", "#008751"),
    "PER": ("#d91023", "#ffffff", "#d91023"),
    "ROU": ("#002b7f", "#fcd116", "#ce1126"),
}
# The ground and the disc in the middle of it.
_DISCS = {"JPN": ("#ffffff", "#bc002d")}


async def set_up_flags(tx: Transaction, now: datetime) -> None:
    """Store what is drawn here, as if it had been found in a folder."""
    atlas = await operations.load_atlas(tx)
    for code, content in drawn_flags().items():
        name = f"{code}.svg"
        image = Image(content=content, content_type=SVG)
        await operations.store_flag(tx, name, image, atlas.recognize(name), modified_at=now, now=now)


def drawn_flags() -> dict[str, bytes]:
    """Return the images by their codes."""
    across = {code: _striped(colours, is_across=True) for code, colours in _ACROSS.items()}
    down = {code: _striped(colours, is_across=False) for code, colours in _DOWN.items()}
    discs = {code: _rectangle(0, 0, _WIDTH, _HEIGHT, ground) + _disc(disc) for code, (ground, disc) in _DISCS.items()}
    return {code: _svg(inside) for code, inside in (across | down | discs).items()}


def _striped(colours: tuple[str, ...], *, is_across: bool) -> str:
    if is_across:
        height = _HEIGHT // len(colours)
        return "".join(_rectangle(0, height * place, _WIDTH, height, colour) for place, colour in enumerate(colours))
    width = _WIDTH // len(colours)
    return "".join(_rectangle(width * place, 0, width, _HEIGHT, colour) for place, colour in enumerate(colours))


def _rectangle(x: int, y: int, width: int, height: int, colour: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{colour}"/>'


def _disc(colour: str) -> str:
    return f'<circle cx="{_WIDTH // 2}" cy="{_HEIGHT // 2}" r="{_HEIGHT * 3 // 10}" fill="{colour}"/>'


def _svg(inside: str) -> bytes:
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}">{inside}</svg>'.encode()
