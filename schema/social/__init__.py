"""How users and their entries are shown, changed and watched."""
