"""How streams, their goals and sources are shown, changed and watched."""
