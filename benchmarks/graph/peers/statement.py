"""One SQL statement for each shape, whose one value is the answer's JSON: PostgreSQL with nobody in between."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from benchmarks.graph.peers.rows import open_pool
from benchmarks.graph.shapes import TREE_DEPTH


def _goal(depth: int) -> str:
    """Return the statement of a goal's children as an array, so many levels deep."""
    fields = "'id', g.id, 'title', g.title, 'status', g.status, 'progress', g.progress".replace("g.", f"g{depth}.")
    below = "" if depth == 1 else f", 'children', {_goal(depth - 1)}"
    return f"""(SELECT coalesce(json_agg(json_build_object({fields}{below}) ORDER BY g{depth}.position, g{depth}.id),
        '[]'::json) FROM goals g{depth} WHERE g{depth}.parent_id = g{depth + 1}.id)"""  # noqa: S608 -- our own names


STATEMENTS = {
    "flat": """
        SELECT json_build_object('data', json_build_object('entries', json_agg(json_build_object(
            'id', id, 'title', title, 'body', body, 'kind', kind, 'language', language, 'score', score,
            'isPublic', is_public, 'revision', revision, 'createdAt', created_at, 'updatedAt', updated_at))))::text
        FROM (SELECT * FROM entries ORDER BY created_at DESC, id DESC LIMIT $1) AS newest
    """,
    "nested": """
        SELECT json_build_object('data', json_build_object('members', json_agg(json_build_object(
            'id', m.id, 'name', m.name, 'avatarUrl', m.avatar_url, 'entries', e.list) ORDER BY m.id)))::text
        FROM (SELECT id, name, avatar_url FROM members ORDER BY id LIMIT $1) AS m, LATERAL (
            SELECT coalesce(json_agg(json_build_object('id', e.id, 'title', e.title, 'createdAt', e.created_at,
                'author', (SELECT json_build_object('id', a.id, 'name', a.name)
                    FROM members a WHERE a.id = e.author_id),
                'counts', (SELECT json_build_object('likes', c.likes, 'reposts', c.reposts, 'replies', c.replies,
                    'views', c.views) FROM entry_counts c WHERE c.entry_id = e.id),
                'replies', r.list)), '[]'::json) AS list
            FROM (SELECT id, title, created_at, author_id FROM entries
                WHERE author_id = m.id AND parent_id IS NULL ORDER BY created_at DESC, id DESC LIMIT 10) AS e, LATERAL (
                SELECT coalesce(json_agg(json_build_object('id', r.id, 'body', r.body, 'createdAt', r.created_at)),
                    '[]'::json) AS list
                FROM (SELECT id, body, created_at FROM entries
                    WHERE parent_id = e.id ORDER BY created_at, id LIMIT 3) AS r) AS r) AS e
    """,
    "tree": f"""
        SELECT json_build_object('data', json_build_object('goal', (SELECT json_build_object(
            'id', g.id, 'title', g.title, 'status', g.status, 'progress', g.progress,
            'children', {_goal(TREE_DEPTH - 1)}) FROM goals g WHERE g.id = $1)))::text
    """.replace(f"g{TREE_DEPTH}.id", "g.id"),  # noqa: S608 -- our own names
    "by-id": """
        SELECT json_build_object('data', json_build_object('member', (
            SELECT json_build_object('id', id, 'name', name, 'score', score) FROM members WHERE id = $1)))::text
    """,
    "increment": """
        UPDATE entry_counts SET likes = likes + 1 WHERE entry_id = $1
        RETURNING json_build_object('data', json_build_object('entryLike', json_build_object('counts',
            json_build_object('likes', likes))))::text
    """,
}


async def _answer(pool: Any, sql: str, argument: str, request: Request) -> Response:
    asked = orjson.loads(await request.body())
    return Response(await pool.fetchval(sql, asked[argument]), media_type="application/json")


@asynccontextmanager
async def open_app(url: str) -> AsyncIterator[Starlette]:
    """Open the database and put the endpoints together."""
    async with open_pool(url) as pool:
        yield Starlette(
            routes=[
                Route(
                    f"/{name}",
                    partial(_answer, pool, sql, "first" if name in {"flat", "nested"} else "id"),
                    methods=["POST"],
                )
                for name, sql in STATEMENTS.items()
            ]
        )
