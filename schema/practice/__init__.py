"""How goals and practice sessions are shown, changed and watched."""
