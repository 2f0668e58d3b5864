"""What PostGraphile is given so that it can say what Ringside says: functions, written as well as they can be."""

# Written as Ringside's own: the newest of all first, then the first of each who is followed, in indexes alone. Who
# follows somebody sees all of his that is not private.
_HOME_FEED = """
CREATE FUNCTION home_feed(viewer_id uuid, most integer) RETURNS SETOF entries LANGUAGE sql STABLE AS $$
    WITH newest AS (
        SELECT created_at, id, author_id, privacy FROM entries WHERE depth = 0 AND deleted_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT 2000
    ), first_of_all AS (
        SELECT created_at, id FROM newest
        WHERE privacy <> 'PRIVATE' AND author_id IN (SELECT followed_id FROM follows WHERE follower_id = viewer_id)
        ORDER BY created_at DESC, id DESC LIMIT most
    ), found AS (
        SELECT created_at, id FROM first_of_all WHERE (SELECT count(*) FROM first_of_all) >= most
        UNION ALL
        SELECT top.created_at, top.id FROM follows CROSS JOIN LATERAL (
            SELECT created_at, id FROM entries
            WHERE author_id = follows.followed_id AND depth = 0 AND deleted_at IS NULL AND privacy <> 'PRIVATE'
            ORDER BY created_at DESC, id DESC LIMIT most
        ) AS top
        WHERE follows.follower_id = viewer_id AND (SELECT count(*) FROM first_of_all) < most
    ), chosen AS (SELECT id FROM found ORDER BY created_at DESC, id DESC LIMIT most)
    SELECT entries.* FROM entries JOIN chosen USING (id) ORDER BY entries.created_at DESC, entries.id DESC
$$
"""
_VIEWER_HAS = """
CREATE FUNCTION entries_viewer_has_{verb}(entry entries, viewer_id uuid) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM {table} AS mark WHERE mark.user_id = viewer_id AND mark.entry_id = entry.id)
$$
"""
STATEMENTS = (
    _HOME_FEED,
    _VIEWER_HAS.format(verb="resonated", table="resonances"),
    _VIEWER_HAS.format(verb="amplified", table="amplifications"),
)
