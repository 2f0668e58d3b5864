"""Feeds as they are written, well and badly."""

import zlib

import orjson

ATOM = "http://www.w3.org/2005/Atom"


def rss(*names: str, items: str = "", head: str = "", date: str = "") -> bytes:
    """An RSS feed with an item for each name, the newest first."""
    dated = f"<pubDate>{date}</pubDate>" if date else ""
    made = "".join(
        f"<item><title>Post {name}</title><link>https://example.org/posts/{name}</link>"
        f"<guid>{name}</guid>{dated}</item>"
        for name in names
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?>{head}<rss version="2.0"><channel><title>Videos</title>'
        f"<link>https://example.org/</link>{made}{items}</channel></rss>"
    ).encode()


def items(*parts: str) -> str:
    return "".join(f"<item>{part}</item>" for part in parts)


def atom(*names: str) -> bytes:
    made = "".join(
        f"<entry><id>{name}</id><title>Post {name}</title><link href='/posts/{name}'/>"
        f"<updated>2026-11-20T10:00:00+01:00</updated></entry>"
        for name in names
    )
    return f"<feed xmlns='{ATOM}'><title>Videos</title>{made}</feed>".encode()


def json_feed(*names: str) -> bytes:
    found = [{"id": name, "url": f"https://example.org/posts/{name}", "title": f"Post {name}"} for name in names]
    return orjson.dumps({"version": "https://jsonfeed.org/version/1.1", "title": "Videos", "items": found})


def page(*links: str) -> bytes:
    made = "".join(f'<link rel="alternate" type="application/rss+xml" href="{link}">' for link in links)
    return f"<!DOCTYPE html><html><head><title>x</title>{made}</head><body>Hello</body></html>".encode()


def entity_bomb() -> bytes:
    levels = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 7))
    return rss("1", head=f'<!DOCTYPE rss [<!ENTITY a0 "{"x" * 100}">{levels}]>', items=items("<title>&a6;</title>"))


def nested(depth: int) -> bytes:
    return rss(items=items("<description>" + "<b>" * depth + "x" + "</b>" * depth + "</description>"))


def gzip_bomb(megabytes: int) -> bytes:
    """A feed and so many megabytes of blanks. It has no end: nobody may come there."""
    packed = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    head = packed.compress(rss()) + packed.flush(zlib.Z_FULL_FLUSH)
    # A block that refers to nothing before it is packed once and repeated.
    return head + (packed.compress(b" " * 1_000_000) + packed.flush(zlib.Z_FULL_FLUSH)) * megabytes


def deflated(body: bytes) -> bytes:
    return zlib.compress(body)
