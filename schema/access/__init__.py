"""How users and tokens are shown and changed."""
