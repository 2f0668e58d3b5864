"""Streams: live broadcasts, the goals their viewers fill, and where the news of viewers comes from."""
