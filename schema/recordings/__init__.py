"""How recordings, bookmarks and OBS machines are shown, asked for, changed and watched."""
