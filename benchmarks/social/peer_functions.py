"""What PostGraphile is given so that it can say what Ringside says: functions, written as well as they can be."""

# The first rows of each who is followed, merged. Who follows somebody sees all of his that is not private.
_HOME_FEED = """
CREATE FUNCTION home_feed(viewer_id uuid, most integer) RETURNS SETOF entries LANGUAGE sql STABLE AS $$
    SELECT top.* FROM follows CROSS JOIN LATERAL (
        SELECT * FROM entries
        WHERE author_id = follows.followed_id AND depth = 0 AND deleted_at IS NULL AND privacy <> 'PRIVATE'
        ORDER BY created_at DESC, id DESC LIMIT most
    ) AS top
    WHERE follows.follower_id = viewer_id ORDER BY top.created_at DESC, top.id DESC LIMIT most
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
