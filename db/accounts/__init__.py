"""Accounts: the feeds that are read for them, the posts found there, and what was carried out because of them."""
